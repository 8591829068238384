"""Several people, each at an address of their own, and one who decides where they disagree."""

import numpy as np
import pytest

from noisyactive.annotate import serve
from noisyactive.annotate._people import token_of
from noisyactive.journal import Journal

NAMES = ["Ada", "Ben"]


@pytest.fixture
def shared(start_run, serving, visit):
    """A run of which two people answer each item and Dora decides; a visitor for each of them."""
    run = start_run(answers_per_item=2, round_budget=6)
    page = serving(run.journal, annotators=NAMES, adjudicator="Dora")
    return run, {name: visit(url) for name, url in page.urls.items()}


def test_each_has_an_address(start_run, serving, capsys):
    page = serving(start_run().journal, annotators=NAMES, token="0123456789abcdef")
    assert list(page.urls) == NAMES and page.url == page.urls["Ada"]
    assert len(set(page.urls.values())) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{name} labels at {url}" for name, url in page.urls.items()
    ]
    for name, url in page.urls.items():  # so open pages stay valid
        assert url.endswith(f"/?token={token_of('0123456789abcdef', name)}")


def test_the_token_says_who_answers(shared):
    run, visitors = shared
    row = run.rows[0]
    assert visitors["Ada"].state()["annotator"] == "Ada"
    assert visitors["Ada"].state("Ben")["annotator"] == "Ada"
    refused = visitors["Ada"].post(row=row, answer=1, annotator="Ben")
    assert refused.status_code == 409 and "Ada" in refused.json()["error"]
    assert Journal(run.journal).answers() == []
    assert visitors["Ada"].answer(row, 1) == "recorded"
    assert visitors["Ben"].answer(row, 1, annotator="Ben") == "recorded"
    assert [a["annotator"] for a in Journal(run.journal).answers()] == NAMES


def test_the_token_they_derive_from_opens_nothing(start_run, serving):
    import httpx

    page = serving(start_run().journal, annotators=NAMES, token="0123456789abcdef")
    base = page.url.split("?")[0]
    assert httpx.get(f"{base}?token=0123456789abcdef").status_code == 403
    assert httpx.get(f"{base}?token={token_of('0123456789abcdef', 'Cleo')}").status_code == 403


def test_who_disagrees_is_decided_by_one_who_sees_both(shared):
    run, visitors = shared
    ada, ben, dora = (visitors[name] for name in [*NAMES, "Dora"])
    first, second, third = run.rows
    assert dora.state()["items"] == [] and dora.state()["waiting"] == 0
    ada.answer(first, 0, comment="edge")
    ben.answer(first, 1, comment="<b>no</b>")
    ada.answer(second, 2)
    ben.answer(second, 2)
    run.cleaner.wait(timeout=0)  # the tie waits for somebody else
    [item] = dora.state()["items"]
    assert item["row"] == first
    assert [(s["annotator"], s["answer"], s["comment"]) for s in item["answers"]] == [
        ("Ada", 0, "edge"),
        ("Ben", 1, "<b>no</b>"),
    ]
    progress = dora.state()["progress"]
    assert (progress["asked"], progress["answered"]) == (1, 0)
    for visitor in (ada, ben):  # they are not asked again, and do not see each other's answers
        state = visitor.state()
        assert [one["row"] for one in state["items"]] == [third] and state["waiting"] == 1
        assert "answers" not in state["items"][0]
        assert "answers" not in visitor.previous()
    assert dora.answer(third, 1) == "elsewhere"  # nobody disagrees there
    assert dora.answer(first, 2) == "recorded" and dora.answer(first, 2) == "already"
    run.cleaner.wait(timeout=0)
    assert run.cleaner.labels_[first] == run.cleaner.classes_[2]
    decided = dora.previous()
    assert [s["annotator"] for s in decided["answers"]] == NAMES
    assert dora.answer(first, 0, corrects=decided["time"]) == "recorded"
    run.cleaner.wait(timeout=0)
    assert run.cleaner.labels_[first] == run.cleaner.classes_[0]
    assert {p["name"]: p["answered"] for p in ada.state()["people"]} == {
        "Ada": 2,
        "Ben": 2,
        "Dora": 1,
    }


def test_ones_own_answers(shared):
    run, visitors = shared
    for row in run.rows:
        visitors["Ada"].answer(row, 1, comment=f"of {row}")
    visitors["Ben"].answer(run.rows[0], None, unusable=True)
    found = visitors["Ada"].http.get("/api/mine", params={"annotator": "Ben"}).json()
    assert found["n_answered"] == 3
    assert [a["item"] for a in found["answers"]] == [run.ids[row] for row in run.rows[::-1]]
    for answer in found["answers"]:
        assert visitors["Ada"].previous(answer["back"])["item"] == answer["item"]
    skipped = visitors["Ada"].http.get("/api/mine", params={"skip": 2}).json()
    assert [a["back"] for a in skipped["answers"]] == [3]
    [own] = visitors["Ben"].http.get("/api/mine").json()["answers"]
    assert own["unusable"] and own["answer"] is None
    assert visitors["Ben"].http.get("/api/mine", params={"skip": "-1"}).status_code == 400


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"annotators": "Ada"}, "must be a list of names"),
        ({"annotators": []}, "at least one name"),
        ({"annotators": ["Ada", "ada"]}, "must differ"),
        ({"annotators": ["Ada", ""]}, "annotators must be text"),
        ({"annotators": 5}, "annotators"),
        ({"annotators": ["Ada"], "annotator": "Ben"}, "cannot both be given"),
        ({"annotators": ["Ada"], "adjudicator": " Ada "}, "must differ"),
        ({"annotators": ["Ada"], "adjudicator": "a\nb"}, "adjudicator must be text"),
        ({"adjudicator": "Dora"}, "adjudicator needs annotators"),
        ({"annotators": ["Ada"], "adjudicator": "Dora"}, "answers_per_item above 1"),
    ],
    ids=str,
)
def test_bad_parameters(start_run, options, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        serve(start_run().journal, **options)


def test_agreement_is_of_items_that_overlap(start_run):
    run = start_run(answers_per_item=1)
    run.cleaner.teach(run.rows[:3], run.y[run.rows[:3]], annotator="Ada")
    table = run.cleaner.agreement_
    assert table["n_labels"].tolist() == [3] and table["n_shared"].tolist() == [0]
    assert np.isnan(table["agreement"]).all() and np.isnan(table["kappa"]).all()
