"""Class probabilities from the labels of similar samples."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.helper import SliceDataset
from threadpoolctl import threadpool_limits

from noisyactive import _neighbours as module
from noisyactive._neighbours import Neighbours, comparable


def case(seed, n=60, n_classes=3, n_folds=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    folds = rng.permutation(n) % n_folds
    return X, folds, rng.integers(n_classes, size=n), rng.random(n) < 0.2


def by_hand(X, folds, codes, verified, n_classes, n_neighbours=30, votes=None):
    """The same in plain loops, with the definition in place of the code."""
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    proba = np.empty((len(X), n_classes))
    for i in range(len(X)):
        outside = [j for j in range(len(X)) if folds[j] != folds[i]]
        voters = [j for j in outside if votes is None or votes[j]]
        frequency = np.bincount(codes[outside], minlength=n_classes) / len(outside)

        def shares(row, weight, voters=voters, frequency=frequency):
            others = sorted(
                (j for j in voters if j != row), key=lambda j: np.linalg.norm(X[j] - X[row])
            )
            total = frequency.copy()
            for j in others[: min(n_neighbours, len(voters) - 1)]:
                total[codes[j]] += weight(j)
            return total / total.sum()

        def belief(j, shares=shares):
            return 1.0 if verified[j] else shares(j, lambda _: 1.0)[codes[j]]

        proba[i] = shares(i, belief)
    return proba


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_votes_of_the_nearest_outside_the_fold(seed):
    X, folds, codes, verified = case(seed)
    proba = Neighbours(comparable(X), folds).proba(codes, verified, 3)
    np.testing.assert_allclose(proba, by_hand(X, folds, codes, verified, 3), atol=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 59))
def test_no_label_of_the_own_fold_takes_part(seed, row):
    X, folds, codes, verified = case(seed)
    neighbours = Neighbours(comparable(X), folds)
    before = neighbours.proba(codes, verified, 3)[row]
    own_fold = folds == folds[row]
    codes[own_fold] = (codes[own_fold] + 1) % 3
    verified[own_fold] = ~verified[own_fold]
    np.testing.assert_array_equal(neighbours.proba(codes, verified, 3)[row], before)


def test_wrong_labels_are_outvoted():
    rng = np.random.default_rng(0)
    true = rng.integers(2, size=300)
    X = rng.normal(size=(300, 2)) + 5 * true[:, None]
    noisy = np.where(rng.random(300) < 0.3, 1 - true, true)
    folds = rng.permutation(300) % 3
    proba = Neighbours(comparable(X), folds).proba(noisy, np.zeros(300, dtype=bool), 2)
    assert (proba.argmax(axis=1) == true).mean() > 0.97
    # Labels that their own neighbours contradict count less: .3 of the votes would be wrong.
    assert proba[np.arange(300), true].mean() > 0.78


@pytest.mark.parametrize("block", [1, 2**20])
def test_some_vote_where_they_are_too_many(monkeypatch, block):
    monkeypatch.setattr(module, "_MAX_VOTERS", 37)
    monkeypatch.setattr(module, "_BLOCK", block)
    X, _, codes, verified = case(3, n=600)
    folds = np.arange(600) % 2 + (np.arange(600) > 500)  # of 251, 300 and 49
    votes = np.zeros(600, dtype=bool)
    for fold, n_voters in enumerate((16, 19, 4)):  # 37 / 600 of each, rounded up
        votes[
            np.flatnonzero(folds == fold)[np.arange(n_voters) * sum(folds == fold) // n_voters]
        ] = 1
    proba = Neighbours(comparable(X), folds).proba(codes, verified, 3)
    expected = by_hand(X, folds, codes, verified, 3, votes=votes)
    np.testing.assert_allclose(proba, expected, atol=1e-9)


def test_the_same_with_any_threads():
    features = np.random.default_rng(0).integers(3, size=(4_200, 16)).astype(np.float32)  # ties
    features[:2_100] += np.random.default_rng(1).random((2_100, 16), dtype=np.float32)
    folds = np.arange(4_200) % 2
    found = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads):
            found.append(Neighbours(features, folds))
    for other in found[1:]:
        for one, same in zip(found[0].indices, other.indices, strict=True):
            np.testing.assert_array_equal(one, same)
    for fold, (rows, indices) in enumerate(zip(found[0].rows, found[0].indices, strict=True)):
        some = slice(None, None, 40)
        far = np.linalg.norm(features[rows[some], None] - features[indices[some]], axis=2)
        outside = features[folds != fold]
        every = np.linalg.norm(features[rows[some], None] - outside, axis=2)
        every[rows[some, None] == np.flatnonzero(folds != fold)] = np.inf
        np.testing.assert_allclose(np.sort(far), np.sort(every)[:, :30], rtol=1e-4)


def test_equal_rows_are_no_neighbours_of_themselves():
    X = np.zeros((12, 3))
    codes = np.arange(12) % 2
    neighbours = Neighbours(X, np.arange(12) % 3)
    for rows, indices in zip(neighbours.rows, neighbours.indices, strict=True):
        assert not (indices == rows[:, None]).any()
    assert np.isfinite(neighbours.proba(codes, np.zeros(12, dtype=bool), 2)).all()


def test_columns_in_other_units_are_as_comparable():
    X, folds, codes, verified = case(1)
    one, other = (Neighbours(comparable(X * u), folds) for u in (1, [1e5, 1, 1e-4, 1]))
    np.testing.assert_allclose(
        one.proba(codes, verified, 3), other.proba(codes, verified, 3), atol=1e-12
    )


def test_sparse_rows_are_compared_by_their_angle():
    X, folds, codes, verified = case(2)
    X = np.abs(X)
    one, other = (Neighbours(sp.csr_matrix(X * u), folds) for u in (1, np.arange(1, 61)[:, None]))
    np.testing.assert_array_equal(one.proba(codes, verified, 3), other.proba(codes, verified, 3))


@pytest.mark.parametrize("kind", ["array", "frame", "tensor", "integers", "images"])
def test_numbers_of_any_kind(kind):
    X = np.arange(24).reshape(6, 4) % 7
    given = {
        "array": X.astype(float),
        "frame": pd.DataFrame(X),
        "tensor": torch.tensor(X),
        "integers": X,
        "images": X.reshape(6, 1, 2, 2),
    }[kind]
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(comparable(given), expected, atol=1e-6)


def test_missing_values_are_average():
    X = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, 7.0]])
    assert comparable(X)[0, 1] == 0


@pytest.mark.parametrize(
    "X",
    [
        ["a text", "another"],
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
        pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
        np.array([["a"], ["b"]]),
        np.array([[1.0], [np.inf]]),
        np.zeros((2, 3, 100, 100)),
        torch.utils.data.TensorDataset(torch.zeros(2, 3)),
        SliceDataset(torch.utils.data.TensorDataset(torch.zeros(2, 3), torch.zeros(2))),
        [np.zeros(2), np.zeros(3)],
    ],
    ids=[
        "texts",
        "mixed",
        "categories",
        "strings",
        "infinite",
        "large",
        "Dataset",
        "slices",
        "ragged",
    ],
)
def test_what_cannot_be_compared(X):
    assert comparable(X) is None
