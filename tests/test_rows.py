"""Rows of large arrays, which are not copied before they are needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    UniformLabelNoise,
    find_label_issues,
)
from noisyactive import _rows as module
from noisyactive._rows import RowsOf, gathered, take_rows, view_rows

NET = CoTeachingVOGClassifier(
    max_epochs=4, warmup_epochs=2, vog_window=2, batch_size=64, random_state=0
)


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs(240, centers=3, n_features=5, cluster_std=2, random_state=0)
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


@pytest.fixture
def all_are_large(monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 0)


@given(st.lists(st.integers(0, 19), max_size=30), st.data())
def test_as_the_array_of_these_rows(rows, draw):
    array = np.arange(60.0).reshape(20, 3)
    rows = np.array(rows, dtype=int)
    view, plain = RowsOf(array, rows), array[rows]
    assert (view.shape, view.ndim, view.dtype, len(view)) == (
        plain.shape,
        2,
        plain.dtype,
        len(plain),
    )
    np.testing.assert_array_equal(np.asarray(view), plain)
    assert np.asarray(view, dtype=np.float32).dtype == np.float32
    keys = [slice(None), slice(1, None, 2), np.arange(len(rows))[::-1]]
    if len(rows):
        keys.append(draw.draw(st.integers(-len(rows), len(rows) - 1)))
    for key in keys:
        np.testing.assert_array_equal(view[key], plain[key])


def test_chunks_hold_every_row_once(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 200)
    array = np.arange(60.0).reshape(20, 3)
    view = RowsOf(array, np.arange(19))
    parts = list(view.chunks())
    assert len(parts) == 3  # 8 rows of 24 bytes each
    np.testing.assert_array_equal(np.concatenate(parts), array[:19])


def test_only_large_arrays_are_viewed(monkeypatch):
    X = np.zeros((10, 2))
    assert isinstance(view_rows(X, np.arange(3)), np.ndarray)
    monkeypatch.setattr(module, "_LARGE", X.nbytes)
    assert isinstance(view_rows(X, np.arange(3)), RowsOf)
    assert isinstance(view_rows(X.tolist(), np.arange(3)), list)
    assert isinstance(take_rows(X, np.arange(3)), np.ndarray)


@pytest.mark.parametrize("kind", ["float64", "float32", ">f8", "float16", "uint8"])
def test_networks_learn_the_same(data, kind):
    X, _, y = data
    X = (X - X.min()).astype(kind)
    rows = np.arange(0, len(X), 2)
    copied, viewed = (NET.fit(x, y[rows]).predict_proba(x) for x in (X[rows], RowsOf(X, rows)))
    np.testing.assert_array_equal(copied, viewed)


@pytest.mark.parametrize(
    "estimator", [NET, LogisticRegression(max_iter=1000), RandomForestClassifier(5, random_state=0)]
)
def test_cleaner_and_audit_find_the_same(data, estimator, all_are_large, monkeypatch):
    X, y, y_noisy = data

    def results():
        cleaner = ActiveLabelCleaner(estimator, n_rounds=2, round_budget=9, random_state=0)
        cleaner.fit(X, y_noisy, y_clean=y)
        issues = find_label_issues(estimator, X, y_noisy, random_state=0)
        return cleaner.predict_proba(X), cleaner.labels_, issues["quality"].to_numpy()

    viewed = results()
    monkeypatch.setattr(module, "_LARGE", 2**40)
    for one, other in zip(viewed, results(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_strategy_of_ones_own_gets_an_array(data, all_are_large):
    X, y, y_noisy = data
    seen = []

    def first(classifier, X_pool, n_instances=1):
        seen.extend([type(X_pool), type(classifier.X_training)])
        return np.arange(n_instances)

    cleaner = ActiveLabelCleaner(
        LogisticRegression(max_iter=1000), query_strategy=first, n_rounds=1, round_budget=9
    )
    cleaner.fit(X, y_noisy, y_clean=y)
    assert set(seen) == {np.ndarray}


def test_bad_values_are_found(data):
    X, _, y = data
    X = X.copy()
    X[100, 2] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        NET.fit(RowsOf(X, np.arange(len(X))), y)
    X[100, 2] = 1e300
    with pytest.raises(ValueError, match="infinite in float32"):
        NET.fit(RowsOf(X, np.arange(len(X))), y)
    with pytest.raises(ValueError, match="minimum of 2"):
        NET.fit(RowsOf(X, np.arange(1)), y[:1])


def test_no_array_without_a_copy():
    with pytest.raises(ValueError, match="copy"):
        RowsOf(np.zeros((3, 2)), np.arange(3)).__array__(copy=False)


def test_batches_become_one_array():
    array = np.arange(30, dtype=np.float32).reshape(10, 3)
    whole = gathered((array[i : i + 4] for i in range(0, 10, 4)), 10)
    np.testing.assert_array_equal(whole, array)
    assert whole.dtype == np.float32
    # A loader of one's own may leave out rows, as with drop_last.
    np.testing.assert_array_equal(gathered([array[:4], array[4:8]], 10), array[:8])
