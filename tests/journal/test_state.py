"""The list of events and the state that it adds up to."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from noisyactive.cleaning._annotators import settle
from noisyactive.journal import (
    Answered,
    Asked,
    CleaningState,
    Closed,
    Ended,
    Progress,
    Refitted,
    Settled,
    first_answers,
    fold,
    progress,
)

CLASSES = np.array(["a", "b", "c"])
N = 8

rows = st.lists(st.integers(0, N - 1), unique=True, min_size=1, max_size=N)
labels = st.none() | st.sampled_from(CLASSES.tolist())


@st.composite
def answers(draw):
    index = draw(rows)
    return Answered(tuple(index), tuple(draw(labels) for _ in index))


events = st.lists(
    rows.map(lambda r: Asked(tuple(r))) | answers() | st.just(Closed()) | st.just(Refitted(0.5))
)


def account(history, start, needed):
    """The same accounts in plain Python, written from the docstrings, all anew after each event."""
    now = {row: str(CLASSES[code]) for row, code in enumerate(start)}
    book = {"verified": set(), "skipped": set(), "open": [], "asked": [], "round": 0, "cost": 0}
    said = {row: [] for row in now}  # (annotator, label), each annotator's latest
    ready, of_round = set(), {}

    def name(row, label):
        now[row] = label
        book["verified"].add(row)
        book["skipped"].discard(row)
        of_round[row] = book["round"]

    for event in history:
        if isinstance(event, Asked):
            book["round"] += 1
            book["asked"] = list(event.rows)
            book["open"] = list(event.rows)
        elif isinstance(event, Closed):
            book["open"] = []
        elif isinstance(event, Answered):
            book["cost"] += len(event.rows)
            for row, label in zip(event.rows, event.labels, strict=True):
                said[row] = [one for one in said[row] if one[0] != event.annotator]
                said[row].append((event.annotator, label))
                votes = [vote for _, vote in said[row] if vote is not None]
                if len(said[row]) < needed:
                    continue
                book["open"] = [other for other in book["open"] if other != row]
                ready.discard(row)
                if not votes:
                    now[row] = str(CLASSES[start[row]])
                    book["verified"].discard(row)
                    book["skipped"].add(row)
                    of_round.pop(row, None)
                elif needed > 1:
                    ready.add(row)
                elif label is not None or votes[-1] != now[row]:
                    name(row, votes[-1])
        elif isinstance(event, Settled):
            ties = []
            for row, label in zip(event.rows, event.labels, strict=True):
                ready.discard(row)
                if label is None:
                    ties.append(row)
                else:
                    name(row, label)
            places = {row: place for place, row in enumerate(book["asked"])}
            ties.sort(key=lambda row: places.get(row, N + 1))
            book["open"] = [row for row in book["open"] if row not in ties] + ties
    n_open = sum(row in book["open"] for row in book["asked"])
    by = {row: [who for who, _ in said[row]] for row in now}
    found = {"labels": now, "ready": ready, "n_open": n_open, "of_round": of_round, "by": by}
    return {**book, **found}


def assert_accounts(state, history, start, needed=1):
    book = account(history, start, needed)
    assert CLASSES[state.codes].tolist() == list(book["labels"].values())
    assert set(np.flatnonzero(state.verified)) == book["verified"]
    assert set(np.flatnonzero(state.skipped)) == book["skipped"]
    assert list(state.open_rows) == book["open"]
    assert state.open_rows.n_asked == book["n_open"]
    for who in "ABC":  # what each has not answered yet, in the same order
        left = [row for row in book["open"] if who not in book["by"][row]]
        assert list(state.open_rows.left_to(who)) == left
    assert (state.round, state.cost, state.unsettled) == (
        book["round"],
        book["cost"],
        book["ready"],
    )
    expected = [book["of_round"].get(row, -1) for row in range(N)]
    assert state.relabelled_round.tolist() == expected


@given(events, st.integers(0, 20))
def test_any_prefix_folds_into_the_same_accounts(history, stop):
    start = np.arange(N) % 3
    assert_accounts(fold(history[:stop], CLASSES, start), history[:stop], start)
    np.testing.assert_array_equal(start, np.arange(N) % 3)


@st.composite
def answers_of_several(draw):
    index = draw(rows)
    return Answered(tuple(index), tuple(draw(labels) for _ in index), draw(st.sampled_from("ABC")))


@given(
    st.lists(
        rows.map(lambda r: Asked(tuple(r)))
        | answers_of_several()
        | st.just(Closed())
        | st.just(Refitted(0.5))
        | st.just("settle"),
        max_size=30,
    ),
    st.integers(2, 3),
)
def test_any_prefix_folds_with_several_annotators(story, needed):
    start = np.arange(N) % 3
    live, history, said, outcome = CleaningState(CLASSES, start.copy(), needed), [], {}, {}
    again = set()  # an answer that is doubted is asked for once more
    for step in story:
        if isinstance(step, Asked) and live.unsettled.intersection(step.rows):
            continue  # rounds settle what is complete before they ask
        if isinstance(step, Asked):
            again = set(step.rows)
        elif isinstance(step, (Answered, Closed)):
            again -= set(live.open_rows if isinstance(step, Closed) else step.rows)
        event = settle(live, "majority") if step == "settle" else step
        if event is not None:
            live.apply(event)
            history.append(event)
            assert_accounts(live, history, start, needed)
        if isinstance(event, Answered):
            for row, label in zip(event.rows, event.labels, strict=True):
                said.setdefault(row, {})[event.annotator] = label
        if step != "settle":
            continue
        for row, by_name in said.items():  # majorities, counted here
            votes = sorted(label for label in by_name.values() if label)
            counts = sorted((votes.count(label) for label in set(votes)), reverse=True)
            if len(by_name) >= needed and votes and (len(counts) == 1 or counts[0] > counts[1]):
                outcome[row] = max(set(votes), key=votes.count)
                assert live.verified[row] and (row not in live.open_rows or row in again)
            elif len(by_name) >= needed and not votes:
                outcome.pop(row, None)
            # What was settled stays if a later tie is not resolved.
            assert CLASSES[live.codes[row]] == outcome.get(row, CLASSES[start[row]])
    np.testing.assert_array_equal(start, np.arange(N) % 3)


def test_ties_go_back_to_the_queue():
    state = CleaningState(CLASSES, np.arange(N) % 3, 2)
    for event in [
        Refitted(0.1),
        Asked((4, 1, 2)),
        Answered((4, 1, 2), ("a", "b", None), "Ada"),
        Answered((1, 4), ("b", "c"), "Ben"),
    ]:
        state.apply(event)
    assert list(state.open_rows) == [2]  # one answer each is not enough
    assert state.unsettled == {1, 4}
    settled = settle(state, "majority")
    assert settled == Settled((1, 4), ("b", None))
    state.apply(settled)
    assert list(state.open_rows) == [2, 4]
    assert np.flatnonzero(state.verified).tolist() == [1]
    state.apply(Answered((2, 4), (None, "c"), "Eve"))
    state.apply(settle(state, "majority"))
    assert not state.open_rows
    assert CLASSES[state.codes[4]] == "c"
    assert np.flatnonzero(state.skipped).tolist() == [2]
    state.apply(Refitted(0.2))
    assert state.history["asked"] == [0, 3]
    assert state.history["cost"] == [0, 7]
    assert state.history["changed"] == [0, 1]  # row 4 was b; row 1 was b and stayed so


def test_history_counts_what_happened_between_refits():
    story = [
        Refitted(0.1),
        Asked((0, 1, 2)),
        Answered((1,), ("a",)),  # was b
        Answered((0, 5), ("a", "a")),  # was a; a volunteer's row, was c
        Closed(),
        Refitted(0.2),
        Asked((2,)),
        Answered((2,), (None,)),
        Answered((1,), ("c",)),  # a correction
        Refitted(0.3),
    ]
    state = fold(story, CLASSES, np.arange(N) % 3)
    assert state.history == {
        "round": [0, 1, 2],
        "asked": [0, 2, 1],
        "changed": [0, 2, 1],
        "cost": [0, 3, 5],
        "score": [0.1, 0.2, 0.3],
    }
    assert state.relabelled_round.tolist() == [1, 2, -1, -1, -1, 1, -1, -1]
    assert state.skipped.tolist() == [False, False, True] + [False] * 5


def test_who_answered_may_take_it_back():
    start = np.arange(N) % 3  # a b c a b c a b
    state = CleaningState(CLASSES, start.copy())
    state.apply(Asked((0, 1, 2)))
    state.apply(Answered((0, 1, 2), ("c", "c", "a"), "Ada"))
    state.apply(Answered((0,), (None,), "Ada"))  # a slip: back to the label as it was
    state.apply(Answered((1,), (None,), "Ben"))  # who never had a label for it
    state.apply(Answered((2,), ("b",), "Ben"))
    state.apply(Answered((2,), (None,), "Ben"))  # so Ada's counts again
    assert CLASSES[state.codes[:3]].tolist() == ["a", "c", "a"]
    assert state.verified[:3].tolist() == [False, True, True]
    assert state.skipped[:3].tolist() == [True, False, False]
    assert state.relabelled_round[:3].tolist() == [-1, 1, 1]
    assert state.cost == 7
    assert not state.open_rows


class TestFirstAnswers:
    def test_leaves_out_what_nobody_waits_for(self):
        state = CleaningState(CLASSES, np.arange(N) % 3)
        state.apply(Asked((4, 1)))
        answered = Answered((1, 3, 4), ("a", "b", None), "Ada", (1.0, 2.0, 3.0), ("x", None, None))
        first = first_answers(state, answered)
        assert first == Answered((1, 4), ("a", None), "Ada", (1.0, 3.0), ("x", None))
        state.apply(first)
        assert first_answers(state, answered) is None

    def test_of_this_annotator(self):
        state = CleaningState(CLASSES, np.arange(N) % 3, 2)
        state.apply(Asked((4, 1)))
        state.apply(Answered((4,), ("a",), "Ada"))
        both = ((4, 1), ("b", "b"))
        assert first_answers(state, Answered(*both, "Ada")).rows == (1,)
        assert first_answers(state, Answered(*both, "Ben")).rows == (4, 1)


def test_progress():
    state = CleaningState(CLASSES, np.arange(N) % 3)
    assert progress(state) == Progress(0, 0, 0, 0, None, False)
    state.apply(Answered((7,), ("a",)))  # before the first round
    state.apply(Asked((0, 1, 2), budget_left=5))
    assert progress(state) == Progress(1, 3, 0, 1, 5, False)
    state.apply(Answered((0, 5), ("b", "b")))  # row 5 was not asked about
    assert progress(state) == Progress(1, 3, 1, 3, 3, False)
    state.apply(Closed())
    state.apply(Ended())
    assert progress(state) == Progress(1, 3, 3, 3, 3, True)
    state.apply(Answered((5,), ("a",)))
    assert not progress(state).finished  # the model does not know of it yet


def test_an_answer_that_is_not_charged_counts_all_the_same():
    state = CleaningState(CLASSES, np.zeros(5, dtype=int))
    state.apply(Asked((0, 1), budget_left=5))
    state.apply(Answered((0,), (CLASSES[1],), "Ada"))
    state.apply(Refitted(0.5))
    state.apply(Answered((0,), (CLASSES[2],), "Ada", charged=False))
    assert (state.cost, state.n_recorded, state.n_answers) == (1, 2, {"Ada": 1})
    assert state.codes[0] == 2 and state.budget_left == 4
    assert state.has_news and not state.up_to_date
    state.apply(Refitted(0.5))
    assert not state.has_news
