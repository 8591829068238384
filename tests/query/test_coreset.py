"""Core-set sampling, against plain loops over the full matrix of distances."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances_argmin_min

from noisyactive import CoTeachingClassifier
from noisyactive.query import Learner, _k_center, coreset_sampling, k_center_greedy, utilities_of


def by_hand(features, centres, n_instances):
    """Greedy k-center as it is defined."""
    distances = cdist(features, centres).min(axis=1)
    between = cdist(features, features)
    picks = []
    for _ in range(n_instances):
        picks.append(int(distances.argmax()))
        distances = np.minimum(distances, between[picks[-1]])
        distances[picks] = -1
    return picks


def scatter(kind, n_samples, n_features, rng):
    if kind == "gaussian":
        return rng.standard_normal((n_samples, n_features))
    if kind == "clusters":
        return rng.standard_normal((n_samples, n_features)) + 9 * rng.randint(
            5, size=(n_samples, 1)
        )
    if kind == "offset":
        return 1e5 + rng.standard_normal((n_samples, n_features))
    return 1e-30 * rng.standard_t(2, size=(n_samples, n_features))  # "tiny"


@pytest.fixture
def small_blocks(monkeypatch):
    """Every kind of block and of bound comes up in small data."""
    monkeypatch.setattr(_k_center, "_BLOCK", 16)
    monkeypatch.setattr(_k_center, "_N_CANDIDATES", 10)
    monkeypatch.setattr(_k_center, "_N_SCOUTS", 8)


@pytest.mark.parametrize("kind", ["gaussian", "clusters", "offset", "tiny"])
@pytest.mark.parametrize("n_centres", [1, 7, 90])
def test_picks_of_the_plain_algorithm(small_blocks, kind, n_centres):
    rng = np.random.RandomState(0)
    features, centres = scatter(kind, 200, 5, rng), scatter(kind, n_centres, 5, rng)
    picks = k_center_greedy(features, centres, 120)
    assert_array_equal(picks, by_hand(features, centres, 120))


def test_picks_of_the_plain_algorithm_in_blocks_of_the_usual_size():
    rng = np.random.RandomState(0)
    features, centres = scatter("gaussian", 5000, 8, rng), scatter("gaussian", 2500, 8, rng)
    picks = k_center_greedy(features, centres, 300)
    assert_array_equal(picks, by_hand(features, centres, 300))


whole_numbers = st.integers(0, 4).map(float)


@given(data=st.data(), n_features=st.integers(1, 3), n_instances=st.integers(1, 40))
def test_ties_and_duplicates(data, n_features, n_instances):
    # Whole numbers: many samples and distances are exactly equal.
    features, centres = (
        data.draw(arrays(float, (data.draw(st.integers(1, 30)), n_features), elements=numbers))
        for numbers in (whole_numbers, whole_numbers)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_k_center, "_BLOCK", 4)
        patch.setattr(_k_center, "_N_CANDIDATES", 3)
        patch.setattr(_k_center, "_N_SCOUTS", 2)
        picks = k_center_greedy(features, centres, n_instances)
        at_random = k_center_greedy(
            features, centres, n_instances, random_tie_break=True, random_state=0
        )
    assert_array_equal(picks, by_hand(features, centres, min(n_instances, len(features))))
    # Whichever of equals was taken, each pick was the farthest in its turn.
    assert len(set(at_random)) == len(picks)
    for turn, pick in enumerate(at_random):
        covered = np.concatenate([centres, features[at_random[:turn]]])
        distances = cdist(features, covered).min(axis=1)
        assert distances[pick] == distances.max()


def test_random_ties_are_equally_likely():
    features = np.array([[1.0], [-1.0], [0.5], [1.0]])
    rng = np.random.RandomState(0)
    counts = np.zeros(4)
    for _ in range(3000):
        counts[k_center_greedy(features, [[0.0]], 1, random_tie_break=True, random_state=rng)] += 1
    assert counts[2] == 0
    assert np.abs(counts[[0, 1, 3]] - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)


@pytest.mark.parametrize("centres", [None, [], np.empty((0, 2))])
def test_without_centres_the_first_is_farthest_from_the_mean(centres):
    features = np.array([[0.0, 0], [1, 0], [0, 1], [9, 9], [-2, -2]])
    assert_array_equal(k_center_greedy(features, centres, 4), [3, 4, 1, 2])


def test_kinds_of_numbers():
    pixels = np.random.RandomState(0).randint(0, 256, size=(60, 20), dtype=np.uint8)
    expected = by_hand(pixels[10:].astype(float), pixels[:10].astype(float), 50)
    for dtype in (np.uint8, np.int64, np.float16, np.float32, np.float64):
        numbers = pixels.astype(dtype)
        assert_array_equal(k_center_greedy(numbers[10:], numbers[:10], 50), expected)


def test_memory_is_linear():
    rng = np.random.RandomState(0)
    features = rng.standard_normal((40_000, 4)).astype(np.float32)
    centres = rng.standard_normal((20_000, 4)).astype(np.float32)
    tracemalloc.start()
    k_center_greedy(features, centres, 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # 40,000 x 20,000 distances of one byte each would be 800e6


@pytest.mark.parametrize(
    "features, centres, message",
    [
        ([[0.0, 1.0]], [[0.0]], "as many features each, got 2 and 1"),
        ([[np.nan]], None, "NaN"),
        ([[0.0]], [[np.inf]], "infinity"),
        ([0.0, 1.0], None, "2D array"),
        (np.empty((0, 2)), None, "features holds no samples"),
    ],
)
def test_bad_input(features, centres, message):
    with pytest.raises(ValueError, match=message):
        k_center_greedy(features, centres, 1)


def test_distances_between_learned_features(iris):
    net = CoTeachingClassifier(forget_rate=0.1, max_epochs=2, random_state=0).fit(iris.X, iris.y)
    learner = SimpleNamespace(estimator=net, X_training=iris.X)
    pool, trusted = net.extract_features(iris.X_pool), net.extract_features(iris.X)
    expected = by_hand(pool.astype(float), trusted.astype(float), 30)
    assert_array_equal(coreset_sampling(learner, iris.X_pool, 30), expected)


def test_distances_between_images(learn):
    images = np.random.RandomState(0).standard_normal((40, 3, 4, 4))
    learner = SimpleNamespace(estimator=None, X_training=images[:10])
    flat = images.reshape(40, -1)
    assert_array_equal(coreset_sampling(learner, images[10:], 9), by_hand(flat[10:], flat[:10], 9))


@pytest.mark.parametrize("nothing", [None, np.empty((0, 4))])
def test_nothing_trusted(iris, nothing):
    learner = SimpleNamespace(estimator=None, X_training=nothing)
    expected = k_center_greedy(iris.X_pool, None, 9)
    assert_array_equal(coreset_sampling(learner, iris.X_pool, 9), expected)


def test_a_committee_has_no_single_estimator_and_samples_are_compared(iris):
    committee = SimpleNamespace(X_training=iris.X)
    expected = by_hand(iris.X_pool.astype(float), iris.X.astype(float), 9)
    assert_array_equal(coreset_sampling(committee, iris.X_pool, 9), expected)


@pytest.mark.parametrize("offset", [0, 1e4, 1e8])
def test_utilities_are_exact_distances_also_far_from_zero(offset):
    X = np.random.RandomState(0).standard_normal((90, 4)) + offset
    pool, trusted = X[30:], X[:30]
    learner = Learner(None, None, trusted, np.zeros(30))
    picks = coreset_sampling(learner, pool, 4)
    utilities = utilities_of(coreset_sampling, learner, pool, picks)
    for step, pick in enumerate(picks):
        covered = np.concatenate([trusted, pool[picks[:step]]])
        expected = cdist(pool, covered).min(axis=1)
        np.testing.assert_allclose(utilities[step], expected, rtol=1e-6, atol=1e-6)
        assert utilities[step, pick] == pytest.approx(utilities[step].max())


@pytest.mark.parametrize("nothing", [None, np.empty((0, 4))])
def test_utilities_where_nothing_is_trusted(iris, nothing):
    learner = Learner(None, None, nothing, None)
    picks = coreset_sampling(learner, iris.X_pool, 3)
    utilities = utilities_of(coreset_sampling, learner, iris.X_pool, picks)
    from_mean = np.linalg.norm(iris.X_pool - iris.X_pool.mean(axis=0), axis=1)
    np.testing.assert_allclose(utilities[0], from_mean)
    np.testing.assert_allclose(utilities[1], cdist(iris.X_pool, iris.X_pool[picks[:1]])[:, 0])


class TestSparse:
    def test_narrow_rows_are_as_dense_ones(self):
        X = np.random.default_rng(0).poisson(0.3, (200, 40)).astype(float)
        expected = k_center_greedy(X, X[:3], 20)
        S = sp.csr_array(X)
        for centres in (sp.coo_array(X[:3]), X[:3]):
            np.testing.assert_array_equal(k_center_greedy(S, centres, 20), expected)
        np.testing.assert_array_equal(
            k_center_greedy(sp.csr_array(X), None, 20), k_center_greedy(X, None, 20)
        )

    def test_wide_rows_are_covered_about_as_well(self):
        S = sp.random(300, 5000, density=0.01, format="csr", random_state=0)
        X = S.toarray()

        def radius(picks):
            return pairwise_distances_argmin_min(X, X[picks])[1].max()

        assert radius(k_center_greedy(S, S[:2], 30)) < 1.1 * radius(k_center_greedy(X, X[:2], 30))

    @pytest.mark.parametrize(
        "features, centres, message",
        [
            (sp.csr_array([[np.nan, 1]]), None, "features contains NaN"),
            (sp.csr_array([[0, 1]]), sp.csr_array([[0, 1, 2]]), "as many features each"),
            (sp.csr_array([[0, 1]]), sp.csr_array([[np.nan, 1]]), "centres contains NaN"),
        ],
    )
    def test_bad_ones(self, features, centres, message):
        with pytest.raises(ValueError, match=message):
            k_center_greedy(features, centres, 1)
