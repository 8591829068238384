"""Images that the page cannot show do not stop the server."""

import pytest
from PIL import Image


@pytest.mark.parametrize("kind", ["truncated", "claims to be huge", "text", "a pipe"])
def test_the_server_goes_on_after_a_broken_image(
    start_run, serving, visit, write_broken_image, tmp_path, kind
):
    folder = tmp_path / "images"
    folder.mkdir()
    run = start_run()
    bad, good = run.rows[0], run.rows[1]
    write_broken_image(folder / f"{run.ids[bad]}.png", kind)
    Image.new("L", (9, 9)).save(folder / f"{run.ids[good]}.png")
    visitor = visit(serving(run.journal, folder))
    for _ in range(3):
        response = visitor.http.get(f"/api/images/{bad}")
        assert response.status_code == 422 and response.json()["error"].endswith(".")
    assert visitor.http.get(f"/api/images/{good}").status_code == 200
    assert visitor.answer(bad, None) == "recorded"


def test_a_function_of_the_user_that_fails(start_run, serving, visit):
    def images(row):
        raise KeyError(row)

    run = start_run()
    visitor = visit(serving(run.journal, images))
    response = visitor.http.get(f"/api/images/{run.rows[0]}")
    assert response.status_code == 422
    assert response.json()["error"] == "Its image cannot be read."
