import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import make_blobs
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from noisyactive import UniformLabelNoise
from noisyactive.model_selection import consensus_scores, uniform_transition_matrix

MATRIX = np.array([[0.7, 0.2, 0.1], [0.0, 0.9, 0.1], [0.3, 0.1, 0.6]])


def by_the_book(y_noisy, predictions, matrix, metric):
    """One sample after the other, each with one weighted copy for every class it may be of."""
    labels, weights, rows = [], [], []
    for row, noisy in enumerate(y_noisy):
        votes = [[votes[row] for votes in predictions].count(i) for i in range(len(matrix))]
        joint = [votes[i] * matrix[i][noisy] for i in range(len(matrix))]
        joint = joint if sum(joint) else votes
        for i, weight in enumerate(joint):
            if weight:
                labels.append(i)
                weights.append(weight / sum(joint))
                rows.append(row)
    return [metric(labels, np.asarray(votes)[rows], weights) for votes in predictions]


def macro_f1(y_true, y_pred, weights):
    return f1_score(y_true, y_pred, sample_weight=weights, average="macro")


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 30)).flatmap(
        lambda shape: st.tuples(
            arrays(np.int64, shape, elements=st.integers(0, 2)),
            arrays(np.int64, shape[1], elements=st.integers(0, 2)),
        )
    )
)
def test_against_a_loop_over_samples(drawn):
    predictions, y_noisy = drawn
    scores = consensus_scores(
        y_noisy, predictions, "f1_macro", transition_matrix=MATRIX, classes=[0, 1, 2]
    )
    np.testing.assert_allclose(scores, by_the_book(y_noisy, predictions, MATRIX, macro_f1))
    # Names of classes, and the order of candidates, mean nothing.
    names = np.array(["a", "b", "c"])
    renamed = consensus_scores(
        names[y_noisy], names[predictions[::-1]], "f1_macro", transition_matrix=MATRIX,
        classes=names,
    )  # fmt: skip
    np.testing.assert_allclose(renamed[::-1], scores)


def test_with_one_candidate_it_is_always_right():
    y_noisy = [0, 1, 2, 0, 1, 2]
    assert consensus_scores(y_noisy, [[0, 0, 1, 1, 2, 2]], noise_rate=0.3).tolist() == [1]


def test_without_noise_the_labels_decide_wherever_a_candidate_votes_for_them():
    y = np.array([0, 1, 1, 0, 0, 1, 0])
    predictions = np.array([y, 1 - y, np.zeros(7, dtype=int)])
    scores = consensus_scores(y, predictions, noise_rate=0)
    expected = [balanced_accuracy_score(y, votes) for votes in predictions]
    np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize("random_state", range(3))
def test_it_finds_a_poor_one_among_the_good(random_state):
    X, y = make_blobs(300, centers=3, random_state=random_state)
    y_noisy = UniformLabelNoise(0.4, random_state=random_state).fit_transform(y)
    predictions = [cross_val_predict(KNeighborsClassifier(k), X, y_noisy) for k in (1, 20, 40)]
    scores = consensus_scores(y_noisy, predictions, noise_rate=0.4)
    truth = [balanced_accuracy_score(y, votes) for votes in predictions]
    assert scores.argmin() == np.argmin(truth) == 0
    matrix = uniform_transition_matrix(0.4, 3)
    again = consensus_scores(y_noisy, predictions, transition_matrix=matrix)
    np.testing.assert_array_equal(scores, again)


def test_what_most_get_wrong_alike_counts_as_right():
    """The limit that the documentation speaks of."""
    y = np.repeat([0, 1, 2], 20)
    y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    wrong = np.where(y == 2, 1, y)
    scores = consensus_scores(y_noisy, [y, *[wrong] * 4], "accuracy", noise_rate=0.4)
    assert scores[0] < scores[1]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"noise_rate": None}, TypeError, "either transition_matrix or noise_rate"),
        ({"predictions": [0, 1, 1]}, ValueError, "predictions must be of shape"),
        ({"predictions": [[0, 1]]}, ValueError, "predictions must be of shape"),
        ({"predictions": np.empty((0, 3))}, ValueError, "predictions must be of shape"),
        ({"predictions": [[0, 1, 2]], "classes": [0, 1]}, ValueError, "predictions has labels"),
        ({"y_noisy": [0, 1, 2], "classes": [0, 1]}, ValueError, "y_noisy has labels"),
        ({"scoring": "roc_auc"}, ValueError, "scoring must be a score of predicted labels"),
        ({"noise_rate": 0.5}, ValueError, "transition_matrix must be invertible"),
    ],
)
def test_bad_input(changes, error, message):
    given = {"y_noisy": [0, 1, 1], "predictions": [[0, 1, 0]], "noise_rate": 0.1, **changes}
    with pytest.raises(error, match=message):
        consensus_scores(**given)
