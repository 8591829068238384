"""What somebody has done in one sitting."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from noisyactive.annotate._sitting import BREAK, last_sitting, summary

NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def answer(minute=0, row=0, old="a", new="b", seconds=None):
    time = (NOON + timedelta(minutes=minute)).isoformat(timespec="milliseconds")
    return {"time": time, "row": row, "old_label": old, "new_label": new, "seconds": seconds}


def test_a_long_break_ends_a_sitting():
    answers = [answer(minute) for minute in (0, 1, 60, 75, 104)]
    assert last_sitting(answers) == answers[2:]
    assert last_sitting(answers[:2]) == answers[:2]
    assert last_sitting([]) == []


@given(st.lists(st.integers(0, 90), max_size=20))
def test_no_break_within_it_and_one_before_it(gaps):
    minutes = [sum(gaps[: k + 1]) for k in range(len(gaps))]
    answers = [answer(minute) for minute in minutes]
    n_found = len(last_sitting(answers))
    inside = gaps[len(gaps) - n_found + 1 :] if n_found else []
    assert all(timedelta(minutes=gap) <= BREAK for gap in inside)
    assert n_found == len(gaps) or timedelta(minutes=gaps[-n_found]) > BREAK


def test_the_latest_answer_of_an_item_counts_against_the_label_before_all():
    answers = [
        answer(row=1, old="a", new="b", seconds=2),
        answer(row=2, old="a", new="a", seconds=9),
        answer(row=3, old="a", new=None),
        answer(row=1, old="b", new="a", seconds=4),
        answer(row=4, old="a", new="b"),
    ]
    assert summary(answers) == {
        "items": 4, "kept": 2, "changed": 1, "skipped": 1, "corrections": 1, "seconds": 15,
        "median_seconds": 4,
    }  # fmt: skip
    assert summary([])["median_seconds"] is None
