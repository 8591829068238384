import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix

from noisyactive import TransitionLabelNoise
from noisyactive.model_selection import correct_confusion_matrix, uniform_transition_matrix

SIZES = st.integers(2, 6)
ASYMMETRIC = np.array([[0.7, 0.3, 0.0], [0.1, 0.8, 0.1], [0.0, 0.4, 0.6]])


def counts(n_classes):
    return arrays(np.int64, (n_classes, n_classes), elements=st.integers(0, 50))


def matrices(n_classes):
    """Row-stochastic matrices with a diagonal above one half, which are invertible."""
    weights = arrays(np.float64, (n_classes, n_classes), elements=st.floats(0.01, 1))
    return weights.map(lambda w: 0.6 * np.eye(n_classes) + 0.4 * w / w.sum(1, keepdims=True))


@given(SIZES.flatmap(lambda n: st.tuples(counts(n), matrices(n))))
def test_expected_counts_give_the_true_ones_back(drawn):
    true, matrix = drawn
    corrected = correct_confusion_matrix(matrix.T @ true, matrix)
    np.testing.assert_allclose(corrected, true, atol=1e-7)


@given(SIZES.flatmap(lambda n: st.tuples(counts(n), matrices(n))))
def test_any_counts_give_a_confusion_matrix(drawn):
    noisy, matrix = drawn
    before = noisy.copy()
    corrected = correct_confusion_matrix(noisy, matrix)
    assert (corrected >= 0).all()
    np.testing.assert_allclose(corrected.sum(axis=0), noisy.sum(axis=0), atol=1e-9)
    np.testing.assert_array_equal(noisy, before)
    # Right predictions are those of the plain solution, within what is possible.
    solution = np.diag(np.linalg.inv(matrix.T) @ noisy)
    possible = np.clip(solution, 0, noisy.sum(axis=0))
    np.testing.assert_allclose(np.diag(corrected), possible, atol=1e-7)


@given(SIZES.flatmap(counts))
def test_without_noise_nothing_changes(noisy):
    np.testing.assert_array_equal(correct_confusion_matrix(noisy, np.eye(len(noisy))), noisy)


@pytest.mark.parametrize(
    "matrix", [ASYMMETRIC, uniform_transition_matrix(0.5, 3)], ids=["asymmetric", "uniform"]
)
def test_the_truth_comes_back_from_simulated_labels(matrix):
    rng = np.random.RandomState(0)
    y = rng.choice(3, size=60_000, p=[0.7, 0.2, 0.1])
    y_pred = np.where(rng.random_sample(len(y)) < 0.8, y, rng.randint(3, size=len(y)))
    y_noisy = TransitionLabelNoise(matrix, random_state=0).fit_transform(y)
    true = confusion_matrix(y, y_pred) / len(y)
    noisy = confusion_matrix(y_noisy, y_pred) / len(y)
    assert abs(noisy - true).max() > 0.1
    np.testing.assert_allclose(correct_confusion_matrix(noisy, matrix), true, atol=0.01)


def test_small_samples_are_nearly_right_on_average():
    """Much more so than the solution whose negative counts are merely cut off."""
    matrix = uniform_transition_matrix(0.4, 5)
    rng = np.random.RandomState(0)
    y = np.repeat(np.arange(5), [40, 25, 15, 10, 8])
    y_pred = np.where(rng.random_sample(len(y)) < 0.8, y, rng.randint(5, size=len(y)))
    right = np.mean(y_pred == y)
    noise = TransitionLabelNoise(matrix, random_state=rng).fit(y)
    estimates, clipped = [], []
    for _ in range(200):
        confusion = confusion_matrix(noise.transform(y), y_pred)
        estimates.append(np.trace(correct_confusion_matrix(confusion, matrix)) / len(y))
        positive = np.clip(np.linalg.solve(matrix.T, confusion), 0, None)
        clipped.append(np.trace(positive) / positive.sum())
    assert abs(np.mean(estimates) - right) < abs(np.mean(clipped) - right) / 2


@pytest.mark.parametrize(
    ("confusion", "matrix", "message"),
    [
        (np.eye(3), np.eye(2), "confusion and transition_matrix must be of the same shape"),
        ([[1, -1], [0, 1]], np.eye(2), "confusion must hold counts"),
        ([[1, np.nan], [0, 1]], np.eye(2), "confusion must hold counts"),
        (np.eye(2), [[0.5, 0.6], [0, 1]], "each row must sum to 1"),
        (np.eye(2), [[1.5, -0.5], [0, 1]], "transition_matrix must hold probabilities"),
        (np.eye(2), [[np.nan, 1], [0, 1]], "transition_matrix must hold probabilities"),
        (np.eye(2), [[0.5, 0.5], [0.5, 0.5]], "transition_matrix must be invertible"),
        (np.eye(2), [1, 0], r"transition_matrix must be of shape \(n_classes, n_classes\)"),
        (np.eye(2), [["a", "b"], ["c", "d"]], "transition_matrix must be real numbers"),
    ],
)
def test_bad_input(confusion, matrix, message):
    with pytest.raises(ValueError, match=message):
        correct_confusion_matrix(confusion, matrix)
