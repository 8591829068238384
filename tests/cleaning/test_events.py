"""The list of events and the state that it adds up to."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from noisyactive.cleaning._events import Answered, Asked, CleaningState, Closed, Refitted, fold

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


def state_as_dict(state):
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in vars(state).items()
    }


@given(events, st.integers(0, 20))
def test_any_prefix_folds_into_a_valid_state(history, stop):
    start = np.arange(N) % 3
    live = CleaningState(CLASSES, start.copy())
    for event in history[:stop]:
        live.apply(event)
    folded = fold(history[:stop], CLASSES, start)
    assert state_as_dict(folded) == state_as_dict(live)
    np.testing.assert_array_equal(start, np.arange(N) % 3)

    # The same accounts, kept another way.
    last, everyone, cost = {}, set(), 0
    for event in history[:stop]:
        if isinstance(event, Answered):
            cost += len(event.rows)
            everyone |= set(event.rows)
            last |= {r: a for r, a in zip(event.rows, event.labels, strict=True) if a is not None}
    assert folded.cost == cost
    assert set(np.flatnonzero(folded.verified)) == set(last)
    assert set(np.flatnonzero(folded.skipped)) == everyone - set(last)
    expected = [last.get(row, CLASSES[start[row]]) for row in range(N)]
    assert CLASSES[folded.codes].tolist() == expected
    assert ((folded.relabelled_round >= 0) == folded.verified).all()


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
