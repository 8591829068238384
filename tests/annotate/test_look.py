"""What there is to look at: images, texts, tables and series, from Python and from a CSV file."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from noisyactive._images import NotShown
from noisyactive.annotate._look import MAX_PARTS, N_POINTS, as_json, parts_of, samples_of
from noisyactive.annotate._table import table_look
from noisyactive.journal import Journal

IMAGE = Image.new("L", (8, 8))
TABLE = pd.DataFrame(
    {
        "age": [51, 20],
        "size": [1 / 3, np.nan],
        "sex": pd.Categorical(["female", None]),
        "seen": pd.to_datetime(["2024-02-01", None]),
    }
)


def kinds(shown):
    return [(part.kind, part.title) for part in parts_of(shown)]


def test_each_kind(tmp_path):
    assert kinds("a text") == [("text", "")]
    assert kinds(7) == [("text", "")]
    assert (
        kinds(IMAGE) == kinds(np.zeros((3, 8, 8))) == kinds(tmp_path / "a.png") == [("image", "")]
    )
    assert kinds(np.zeros(5)) == [("series", "")]
    assert kinds({"a": 1, "b": "x"}) == kinds(TABLE.iloc[0]) == [("table", "")]
    assert kinds(["x", IMAGE, None]) == [("text", ""), ("image", ""), ("missing", "")]
    mixed = {"before": IMAGE, "after": IMAGE, "age": 3, "sex": "f", "pulse": np.arange(3), "z": 1}
    assert kinds(mixed) == [
        ("image", "before"),
        ("image", "after"),
        ("table", ""),
        ("series", "pulse"),
        ("table", ""),
    ]


@pytest.mark.parametrize("shown", [None, [], {}, [None, None], object(), np.array(["a"])])
def test_nothing_to_look_at(shown):
    with pytest.raises(NotShown):
        parts_of(shown)


def test_too_many():
    assert len(parts_of(["x"] * MAX_PARTS)) == MAX_PARTS
    with pytest.raises(NotShown, match="at most"):
        parts_of(["x"] * (MAX_PARTS + 1))


def test_values_of_a_table_are_text():
    look = samples_of(TABLE)
    [first], [second] = (parts_of(look(row, "")) for row in (0, 1))
    assert as_json(first)["rows"] == [
        ["age", "51"],
        ["size", "0.333333"],
        ["sex", "female"],
        ["seen", "2024-02-01"],
    ]
    assert [cell for _, cell in second.content] == ["20", "", "", ""]


@pytest.mark.parametrize(
    "X, expected",
    [
        (["one", "two"], [("text", "")]),
        (pd.Series(["one", "two"]), [("text", "")]),
        (np.array(["one", "two"]), [("text", "")]),
        (np.zeros((2, 3)), [("table", "")]),
        (np.zeros((2, 300)), [("series", "")]),
    ],
    ids=["list", "Series", "array of str", "few columns", "many columns"],
)
def test_samples_as_they_are(X, expected):
    assert kinds(samples_of(X)(1, "")) == expected


@pytest.mark.parametrize("X", [None, np.zeros(3), np.zeros((2, 1, 8, 8)), [1, 2], []], ids=str)
def test_samples_that_have_no_look(X):
    assert samples_of(X) is None


@given(
    arrays.arrays(
        np.float64,
        st.integers(1, 4 * N_POINTS),
        elements=st.sampled_from([0.0, -1.5, 2.0, 7.25, np.nan, np.inf]),
    )
)
def test_a_plot_keeps_every_peak(values):
    [part] = parts_of(values)
    plot = as_json(part)
    assert plot["n"] == len(values) and len(plot["x"]) == len(plot["y"]) <= N_POINTS
    assert plot["x"] == sorted(set(plot["x"]))
    for place, value in zip(plot["x"], plot["y"], strict=True):
        assert value == (values[place] if math.isfinite(values[place]) else None)
    finite = values[np.isfinite(values)]
    if finite.size and not np.isinf(values).any():
        drawn = [value for value in plot["y"] if value is not None]
        assert (plot["low"], plot["high"]) == (finite.min(), finite.max())
        assert (min(drawn), max(drawn)) == (finite.min(), finite.max())


class TestTable:
    def write(self, path, text, encoding="utf-8"):
        path.write_text(text, encoding=encoding)
        return path

    def test_by_id(self, tmp_path):
        path = self.write(tmp_path / "t.csv", 'id;age;note\nb;5;"two\nlines"\na;6;\nother;7;x\n')
        look = table_look(path, ["a", "b", "c"])
        assert look(1, "b") == {"age": "5", "note": "two\nlines"}
        assert look(0, "a") == {"age": "6", "note": ""}
        assert look(2, "c") is None
        assert table_look(path, ["a", "b"], text=["note"])(1, "b") == ["two\nlines"]
        assert table_look(path, ["a"], text=["age", "note"])(0, "a") == {"age": "6", "note": ""}

    def test_in_order(self, tmp_path):
        path = self.write(tmp_path / "t.csv", "name,age\nRené,5\nx,6\n", "cp1252")
        assert table_look(path, ["0", "1"])(0, "0") == {"name": "René", "age": "5"}

    @pytest.mark.parametrize(
        "text, sentence",
        [
            ("id,a\nx,1\n", "no line whose id"),
            ("id,a\na,1\na,2\n", "'a' twice"),
            ("b,c\n1,2\n", "1 lines for 2 items"),
            ("id,a,a\na,1,2\n", "each once"),
            ("id,\na,1\n", "must name each column"),
            ("", "must name each column"),
        ],
    )
    def test_bad_files(self, tmp_path, text, sentence):
        with pytest.raises(ValueError, match=sentence):
            table_look(self.write(tmp_path / "t.csv", text), ["a", "b"])

    def test_no_such_column(self, tmp_path):
        with pytest.raises(ValueError, match="no column 'note'; it has id, a"):
            table_look(self.write(tmp_path / "t.csv", "id,a\na,1\n"), ["a"], text=["note"])


class TestServed:
    def test_parts_and_their_images(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(
            serving(run.journal, show=lambda row: {"close": IMAGE, "n": 1, "far": IMAGE})
        )
        assert visitor.state()["shows"] == "parts"
        row = run.rows[0]
        parts = visitor.http.get(f"/api/items/{row}").json()["parts"]
        assert [part["kind"] for part in parts] == ["image", "table", "image"]
        for number, status in [(0, 200), (1, 404), (2, 200), (3, 404)]:
            response = visitor.http.get(f"/api/images/{row}", params={"part": number})
            assert response.status_code == status
        others = sorted(set(range(len(run.ids))) - set(run.rows))
        assert visitor.http.get(f"/api/items/{others[0]}").status_code == 404
        assert visitor.http.get(f"/api/items/{row}?part=x").status_code == 200
        assert visitor.http.get("/api/items/-1").status_code == 400

    def test_a_table_beside_images(self, start_run, serving, visit):
        run = start_run()
        page = serving(run.journal, lambda row: IMAGE, show=lambda row: TABLE.iloc[0])
        parts = visit(page).http.get(f"/api/items/{run.rows[0]}").json()["parts"]
        assert [part["kind"] for part in parts] == ["image", "table"]

    def test_what_is_missing_flags_the_answer(self, start_run, serving, visit):
        run = start_run()
        there = {run.rows[1]: IMAGE, run.rows[2]: [IMAGE, None]}
        visitor = visit(serving(run.journal, show=lambda row: there.get(row)))
        for row, status in zip(run.rows[:3], (422, 200, 200), strict=True):
            assert visitor.http.get(f"/api/items/{row}").status_code == status
            assert visitor.answer(row, 1) == "recorded"
        flags = {a["row"]: a["flag"] for a in Journal(run.journal).answers()}
        assert [flags[row] for row in run.rows[:3]] == ["not shown", "", "not shown"]

    def test_unusable_is_an_outcome_of_its_own(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal, lambda row: None))
        row = run.rows[0]
        assert visitor.http.get(f"/api/images/{row}").status_code == 422
        left = visitor.state()["progress"]["budget_left"]
        assert visitor.post(row=row, answer=1, unusable=True).status_code == 400
        assert visitor.post(row=row, answer=None, unusable="yes").status_code == 400
        assert visitor.answer(row, None, unusable=True) == "recorded"
        assert visitor.answer(row, None, unusable=True) == "already"
        assert visitor.state()["progress"]["budget_left"] == left
        found = visitor.previous()
        assert found["unusable"] and found["answer"] is None
        # It is found after all.
        assert visitor.answer(row, 1, corrects=found["time"]) == "recorded"
        assert not visitor.previous()["unusable"]
        assert visitor.state()["progress"]["budget_left"] == left - 1

    def test_a_function_that_fails(self, start_run, serving, visit):
        def show(row):
            raise KeyError(row)

        run = start_run()
        response = visit(serving(run.journal, show=show)).http.get(f"/api/items/{run.rows[0]}")
        assert response.status_code == 422
        assert response.json()["error"] == "Its content cannot be read."
        with pytest.raises(TypeError, match="show must be a callable"):
            serving(run.journal, show="text")
