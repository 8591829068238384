"""Duplicates, outliers, contradicting rows and small classes: planted ones are found."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, TensorDataset

from noisyactive._nearest import nearest
from noisyactive.audit import (
    contradicting_rows,
    find_duplicates,
    find_outliers,
    small_classes,
)
from noisyactive.datasets import ImageTable

ADJECTIVES = "red green small heavy quiet broken early northern plain sudden wooden hollow".split()
NOUNS = "lamp river engine letter garden bridge kitchen doctor window market island pencil".split()
VERBS = "breaks follows carries paints forgets repairs answers measures finds leaves".split()
PLACES = "in winter|near the harbour|after dinner|without warning|behind the school|at noon|"


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def planted(X, noise, n_copies, seed=0):
    """X with near copies of its first rows behind it, and the rows that are in a set."""
    rng = np.random.default_rng(seed)
    copies = X[:n_copies] + noise * rng.normal(size=X[:n_copies].shape)
    return np.concatenate([X, copies]), {*range(n_copies), *range(len(X), len(X) + n_copies)}


def recall_and_precision(found, true):
    found, true = set(found), set(true)
    return len(found & true) / len(true), len(found & true) / max(len(found), 1)


def texts(n, seed=0):
    """Sentences of which no two are much alike."""
    rng = np.random.default_rng(seed)

    def clause():
        subject, thing = (f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}" for _ in range(2))
        return f"the {subject} {rng.choice(VERBS)} the {thing} {rng.choice(PLACES.split('|'))}"

    return list(dict.fromkeys(f"{clause()}, and {clause()}" for _ in range(n)))


def edited(text, rng):
    """The text with one letter left out, and another twice."""
    left_out, twice = sorted(rng.choice(len(text), 2, replace=False))
    return text[:left_out] + text[left_out + 1 : twice] + text[twice] + text[twice:]


# Exact duplicates


def test_exact_duplicates_are_all_found_and_no_others():
    X = np.random.default_rng(0).normal(size=(300, 4))
    rows = np.concatenate([X, X[:20], X[:20]])
    found = find_duplicates(rows, threshold=0)
    assert set(found.index) == {*range(20), *range(300, 340)}
    assert (found.kind == "exact").all()
    assert (found.distance == 0).all()
    assert found.set.nunique() == 20
    assert found.groupby("set").size().eq(3).all()
    assert found.loc[found.set == 0].index.tolist() == [0, 300, 320]
    assert list(found.columns) == ["set", "kind", "distance"]


def plain_frame():
    return pd.DataFrame(
        {
            "text": ["a", "b", "a", None, None, "a"],
            "number": [1.0, 2.0, 1.0, np.nan, np.nan, 2.0],
            "category": pd.Categorical(["x", "y", "x", None, None, "x"]),
            "day": pd.to_datetime(["2020-01-01"] * 6),
            "mixed": [1, "1", 1, "1", "1", 1],
        },
        index=list("abcdef"),
    )


class Pictures(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return self.images[row], 0


IMAGES = np.random.default_rng(0).integers(0, 256, size=(6, 3, 5, 4), dtype=np.uint8)
IMAGES[2], IMAGES[4] = IMAGES[0], IMAGES[3]
NUMBERS = IMAGES.reshape(6, -1).astype(float)
WORDS = ["one", "two", "one", "four", "four", "six"]


@pytest.mark.parametrize(
    "X",
    [
        plain_frame().reset_index(drop=True),
        NUMBERS,
        NUMBERS.astype(np.float32),
        NUMBERS.tolist(),
        torch.tensor(NUMBERS),
        pd.DataFrame(NUMBERS),
        sp.csr_matrix(NUMBERS),
        sp.coo_array(NUMBERS),
        IMAGES,
        IMAGES.transpose(0, 2, 3, 1),
        list(IMAGES),
        [Image.fromarray(one) for one in IMAGES.transpose(0, 2, 3, 1)],
        TensorDataset(torch.tensor(NUMBERS)),
        Pictures(IMAGES),
        Pictures([Image.fromarray(one) for one in IMAGES.transpose(0, 2, 3, 1)]),
        WORDS,
        tuple(WORDS),
        np.array(WORDS),
        np.array(WORDS, dtype=object)[:, None],
        pd.Series(WORDS),
        ["one", "two", "one", None, None, "six"],
        np.array([[word, "same"] for word in WORDS], dtype=object),
    ],
    ids=lambda X: type(X).__name__,
)
def test_exact_duplicates_of_any_kind(X):
    found = find_duplicates(X, threshold=0)
    assert found.set.tolist() == [0, 0, 1, 1]
    assert found.index.tolist() == [0, 2, 3, 4]


def test_images_in_files(tmp_path):
    paths = [tmp_path / f"{row}.png" for row in range(6)]
    for path, image in zip(paths, IMAGES, strict=True):
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    table = ImageTable(paths, WORDS)
    assert find_duplicates(table, table.targets).index.tolist() == [0, 2, 3, 4]


def test_zeros_and_missing_values_have_signs_and_bits_that_mean_nothing():
    X = np.array([[0.0, 1], [-0.0, 1], [np.nan, 1], [-np.nan, 1], [2, 2]])
    assert find_duplicates(X, threshold=0).set.tolist() == [0, 0, 1, 1]
    stored = sp.csr_matrix(([1.0, 0, 1, 2], [0, 1, 0, 1], [0, 2, 3, 4]), shape=(3, 2))
    assert find_duplicates(stored, threshold=0).index.tolist() == [0, 1]
    assert stored.nnz == 4


# Near duplicates


@pytest.mark.parametrize(
    ("n_features", "noise"), [(2, 3e-4), (3, 1e-3), (5, 0.02), (10, 0.05), (30, 0.2), (100, 0.3)]
)
def test_near_duplicates_of_rows(n_features, noise):
    X = np.random.default_rng(n_features).normal(size=(1000, n_features))
    X, true = planted(X, noise, 50)
    found = find_duplicates(X * 10.0 ** (np.arange(n_features) % 7))  # in any units
    recall, precision = recall_and_precision(found.index, true)
    assert recall >= 0.95
    assert precision >= 0.95
    assert (found.kind == "near").all()
    assert (found.distance > 0).all()


def test_near_duplicates_of_images(digits):
    images = digits[0].reshape(-1, 8, 8)
    X, true = planted(images, 0.25, 90)  # of values up to 16
    recall, precision = recall_and_precision(find_duplicates(X).index, true)
    assert recall >= 0.95
    assert precision >= 0.95


def test_near_duplicates_of_large_images_by_their_averages():
    rng = np.random.default_rng(0)
    coarse = torch.tensor(rng.uniform(0, 255, size=(200, 3, 6, 6)))
    images = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear").numpy()
    X, true = planted(images, 20, 20)
    X = X.clip(0, 255).astype(np.uint8)
    for given in (X, X.transpose(0, 2, 3, 1), Pictures(list(X))):
        assert recall_and_precision(find_duplicates(given).index, true) == (1, 1)


def test_near_duplicates_of_texts():
    X, rng = texts(800), np.random.default_rng(1)
    both = X + [edited(one, rng) for one in X[:60]]
    true = {*range(60), *range(len(X), len(both))}
    found = find_duplicates(both)
    recall, precision = recall_and_precision(found.index, true)
    assert recall >= 0.95
    assert precision >= 0.95
    assert found.distance.between(0, 0.5).all()


def test_near_duplicates_of_sparse_rows_point_the_same_way():
    X = sp.random(600, 400, density=0.05, random_state=0, format="csr")
    noisy = X[:30].copy() * 3
    noisy.data *= 1 + 0.1 * np.random.default_rng(0).normal(size=noisy.nnz)
    found = find_duplicates(sp.vstack([X, noisy]))
    assert recall_and_precision(found.index, {*range(30), *range(600, 630)}) == (1, 1)
    unit = [X[0].toarray().ravel(), noisy[0].toarray().ravel()]
    cosine = 1 - unit[0] @ unit[1] / np.linalg.norm(unit[0]) / np.linalg.norm(unit[1])
    np.testing.assert_allclose(found.distance[0], cosine, atol=1e-9)


def test_sets_of_up_to_five():
    X = np.random.default_rng(0).normal(size=(500, 8))
    rng = np.random.default_rng(1)
    copies = [X[:30] + 0.01 * rng.normal(size=(30, 8)) for _ in range(4)]
    found = find_duplicates(np.concatenate([X, *copies]))
    assert recall_and_precision(found.index, {*range(30), *range(500, 620)})[0] == 1
    assert found.groupby("set").size().eq(5).mean() >= 0.95


@pytest.mark.parametrize("n_features", [1, 2, 5, 20, 64])
@pytest.mark.parametrize("n", [60, 2000])
def test_no_false_alarms_in_normal_data(n, n_features):
    shares = [
        len(find_duplicates(np.random.default_rng(seed).normal(size=(n, n_features)))) / n
        for seed in range(30 if n == 60 else 3)
    ]
    assert np.mean(shares) <= 0.01


def test_no_false_alarms_where_a_part_of_the_data_is_flat():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 20))
    X[500:, :2] += 5
    X[500:, 2:] = 0
    assert len(find_duplicates(X)) / 1000 <= 0.01


def test_no_false_alarms_in_clean_data(digits):
    X = digits[0]
    assert len(find_duplicates(X.reshape(-1, 8, 8))) / len(X) <= 0.01
    assert len(find_duplicates(X)) / len(X) <= 0.01
    assert len(find_duplicates(texts(1000, seed=3))) / 1000 <= 0.01
    skewed = np.exp(np.random.default_rng(0).normal(size=(1000, 6)))
    assert len(find_duplicates(skewed)) / 1000 <= 0.01
    grid = np.stack(np.meshgrid(range(30), range(30)), axis=-1).reshape(-1, 2)
    assert find_duplicates(grid).empty


def test_a_threshold_is_a_distance():
    X = np.array([[0.0], [1], [1.1], [5], [9]])
    apart = 0.1 / X.std()
    assert find_duplicates(X, threshold=1.01 * apart).index.tolist() == [1, 2]
    assert find_duplicates(X, threshold=0.99 * apart).empty
    assert find_duplicates(X, threshold=1.01 * apart).distance.tolist() == pytest.approx(
        [apart] * 2, rel=1e-5
    )


def test_exact_and_near_in_one_set():
    X = np.random.default_rng(0).normal(size=(200, 10))
    found = find_duplicates(np.concatenate([X, X[:1], X[:1] + 1e-3]))
    assert found.index.tolist() == [0, 200, 201]
    assert found.kind.tolist() == ["exact", "exact", "near"]
    assert found.distance[0] == found.distance[200] == 0 < found.distance[201]


def test_labels_groups_and_split_of_a_set():
    X = [[0, 0], [9, 1], [0, 0], [9, 1], [4, 4], [7, 5], [7, 5]]
    found = find_duplicates(
        X,
        ["a", "a", "b", "a", "a", "b", "b"],
        groups=[1, 1, 1, 2, 2, 3, 3],
        split=["train", "train", "train", "test", "test", "test", "train"],
        threshold=0,
    )
    assert found.index.tolist() == [0, 2, 1, 3, 5, 6]
    assert found.label.tolist() == ["a", "b", "a", "a", "b", "b"]
    assert found.other_labels.tolist() == [True, True, False, False, False, False]
    assert found.across_groups.tolist() == [False, False, True, True, False, False]
    assert found.across_split.tolist() == [False, False, True, True, True, True]


def test_the_index_of_y_comes_before_that_of_X():
    frame = plain_frame()
    assert find_duplicates(frame).index.tolist() == ["a", "c", "d", "e"]
    y = pd.Series([0, 1, 0, 1, 0, 1], index=range(10, 16))
    assert find_duplicates(frame, y).index.tolist() == [10, 12, 13, 14]


def test_few_samples_have_no_typical_distance():
    assert find_duplicates([[0.0], [1e-9], [1]]).empty
    assert find_duplicates([[0.0]]).empty
    assert find_duplicates(np.zeros((5, 2))).set.tolist() == [0] * 5


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ({"X": None}, ValueError, "X is None"),
        ({"X": np.empty((0, 2))}, ValueError, "X holds no samples"),
        ({"X": DataLoader([1])}, TypeError, "DataLoader"),
        ({"X": [1.0, 2.0]}, TypeError, "X must hold"),
        ({"X": np.zeros((2, 1), dtype=complex)}, TypeError, "X must hold"),
        ({"X": [["a"], [["b"]]]}, ValueError, "X"),
        ({"X": sp.csr_matrix([[np.nan], [1]])}, ValueError, "finite"),
        ({"y": [0]}, ValueError, r"y must be of shape \(3,\)"),
        ({"groups": [0, 1]}, ValueError, r"groups must be of shape \(3,\)"),
        ({"split": ["a"] * 4}, ValueError, r"split must be of shape \(3,\)"),
        ({"split": ["a", None, "b"]}, ValueError, "split must have no missing values"),
        ({"threshold": -1}, ValueError, "threshold must be"),
        ({"threshold": True}, ValueError, "threshold must be"),
        ({"threshold": np.nan}, ValueError, "threshold must be"),
        ({"X": pd.DataFrame({"a": ["x"] * 3}), "threshold": 0.1}, TypeError, "threshold needs"),
        ({"X": pd.DataFrame({"a": [[1], [2], [1]]})}, TypeError, "X"),
    ],
)
def test_input_errors_of_duplicates(args, error, words):
    given = {"X": np.arange(6.0).reshape(3, 2), **args}
    with pytest.raises(error, match=words):
        find_duplicates(**given)


# Outliers


@pytest.mark.parametrize("n_features", [2, 5, 20, 64])
def test_outliers_outside_of_normal_data(n_features):
    rng = np.random.default_rng(n_features)
    X = rng.normal(size=(1000, n_features))
    far = rng.normal(size=(15, n_features))
    far *= (2.5 * np.sqrt(n_features) + 3) / np.linalg.norm(far, axis=1)[:, None]
    found = find_outliers(np.concatenate([X, far]))
    flagged = found.index[found.is_outlier]
    assert recall_and_precision(flagged, range(1000, 1015))[0] >= 0.95
    assert len(set(flagged) - set(range(1000, 1015))) <= (15 if n_features == 2 else 0)
    assert recall_and_precision(found.index[:15], range(1000, 1015))[0] >= 0.9


@pytest.mark.parametrize("n_features", [5, 20, 64])
def test_outliers_between_clusters_of_different_density(n_features):
    rng = np.random.default_rng(n_features)
    centres, cluster = 8 * rng.normal(size=(5, n_features)), rng.integers(5, size=980)
    widths = np.array([0.2, 0.5, 1, 1, 2])[cluster]
    X = centres[cluster] + widths[:, None] * rng.normal(size=(980, n_features))
    between = rng.uniform(X.min(axis=0), X.max(axis=0), size=(20, n_features))
    found = find_outliers(np.concatenate([X, between]))
    recall, precision = recall_and_precision(found.index[found.is_outlier], range(980, 1000))
    assert recall >= 0.75
    assert precision >= 0.95


def test_outliers_that_resemble_each_other(digits):
    X = np.concatenate([digits[0], 16 - digits[0][:10]]).reshape(-1, 8, 8)
    found = find_outliers(X)
    recall, precision = recall_and_precision(found.index[found.is_outlier], range(1797, 1807))
    assert recall >= 0.9
    assert precision >= 0.9


def test_outliers_among_texts():
    X = [*texts(300), "0x7f ffff 9931 -- 12:44:01", "SELECT * FROM xyz WHERE q=1;", "ÄÖÜ ßß €€€"]
    found = find_outliers(X)
    assert set(found.index[:3]) == {len(X) - 3, len(X) - 2, len(X) - 1}
    assert found.is_outlier[:3].all()


@pytest.mark.parametrize("n_features", [1, 2, 5, 20, 64])
def test_few_outliers_in_normal_data(n_features):
    shares = [
        find_outliers(np.random.default_rng(seed).normal(size=(1000, n_features))).is_outlier.mean()
        for seed in range(3)
    ]
    assert np.mean(shares) <= (0.025 if n_features == 1 else 0.015)


def test_few_outliers_in_clean_images(digits):
    assert find_outliers(digits[0].reshape(-1, 8, 8)).is_outlier.mean() <= 0.005


def test_the_table_of_outliers():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)))
    X.index = [f"row {i}" for i in range(50)]
    X.iloc[7] = 30
    found = find_outliers(X, ["a", "b"] * 25)
    assert found.index[0] == "row 7"
    assert found.label.iloc[0] == "b"
    assert sorted(found.index) == sorted(X.index)
    assert found.score.is_monotonic_decreasing
    assert found.score.between(0, 1).all()
    assert (found.is_outlier == (found.score > 0.5)).all()


def test_samples_that_are_all_equal_are_no_outliers():
    found = find_outliers(np.zeros((20, 2)))
    assert (found.score == 0).all()
    assert not found.is_outlier.any()


def test_a_sample_among_many_equal_ones_is_an_outlier():
    X = np.zeros((50, 2))
    X[3] = 1
    assert find_outliers(X).query("is_outlier").index.tolist() == [3]


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ({"X": [[1.0], [2.0]]}, ValueError, "X must hold at least 3"),
        ({"X": pd.DataFrame({"a": ["x", "y", "z"]})}, TypeError, "cannot be compared"),
        ({"X": np.array([[1.0], [np.inf], [0]])}, TypeError, "cannot be compared"),
        ({"n_neighbours": 0}, ValueError, "n_neighbours"),
        ({"n_neighbours": True}, ValueError, "n_neighbours"),
        ({"y": [1]}, ValueError, "y must be of shape"),
    ],
)
def test_input_errors_of_outliers(args, error, words):
    given = {"X": np.arange(6.0).reshape(3, 2), **args}
    with pytest.raises(error, match=words):
        find_outliers(**given)


# Contradicting rows


def by_hand(X, y, row, n):
    """The same by a loop over all others."""
    X = np.asarray(X, dtype=float)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    others = [(float(np.sqrt(((X[row] - X[j]) ** 2).sum())), j) for j in range(len(X))]
    return sorted((d, j) for d, j in others if y[j] != y[row])[:n]


@pytest.mark.parametrize("seed", range(3))
def test_contradicting_rows_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(80, 4)) * [1, 10, 0.1, 5], rng.choice(["a", "b", "c"], size=80)
    table = contradicting_rows(X, y, n_neighbours=4)
    assert len(table) == 320
    for row in range(80):
        expected = by_hand(X, y, row, 4)
        part = table[table.row == row]
        assert part.neighbour.tolist() == [j for _, j in expected]
        np.testing.assert_allclose(part.distance, [d for d, _ in expected], rtol=1e-4)
        assert part["rank"].tolist() == [1, 2, 3, 4]
        assert (part.label == y[row]).all()
        assert part.neighbour_label.tolist() == y[part.neighbour].tolist()
    assert table.row.is_monotonic_increasing


def test_rows_are_entries_of_the_index_in_their_order():
    X = pd.DataFrame({"x": [0.0, 1, 2, 3]}, index=list("pqrs"))
    y = [0, 0, 1, 1]
    table = contradicting_rows(X, y, ["s", "p"], n_neighbours=1)
    assert list(table.columns) == [
        "row",
        "label",
        "neighbour",
        "neighbour_label",
        "distance",
        "rank",
    ]
    assert table.row.tolist() == ["s", "p"]
    assert table.neighbour.tolist() == ["q", "r"]
    masked = contradicting_rows(X, y, [True, False, False, True], n_neighbours=1)
    assert masked.row.tolist() == ["p", "s"]
    named = contradicting_rows(X, pd.Series(y, index=[5, 6, 7, 8]), pd.Index([8]), n_neighbours=1)
    assert named[["row", "neighbour"]].to_numpy().tolist() == [[8, 6]]
    assert contradicting_rows(X, y, []).empty


def test_fewer_neighbours_where_there_are_no_more():
    table = contradicting_rows([[0.0], [1], [2]], ["a", "a", "b"])
    assert table.groupby("row").size().tolist() == [1, 1, 2]


def test_contradicting_rows_of_sparse_data_and_texts():
    X = sp.csr_matrix([[1.0, 0], [2, 0.1], [0, 1], [0.1, 3]])
    table = contradicting_rows(X, [0, 1, 0, 1], n_neighbours=1)
    assert table.neighbour.tolist() == [1, 0, 3, 2]
    cosine = 1 - 2 / np.sqrt(4.01)
    assert table.distance[0] == pytest.approx(cosine)
    words = contradicting_rows(["a cat", "a cat sat", "my dog", "my dogs"], [0, 1, 0, 1])
    assert words[words["rank"] == 1].neighbour.tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ({"y": [0, 0, 0]}, ValueError, "at least 2 classes"),
        ({"y": [0, 1]}, ValueError, "inconsistent lengths"),
        ({"y": None}, ValueError, "y is required"),
        ({"rows": [3]}, ValueError, "rows must hold"),
        ({"rows": [True]}, ValueError, "rows is a mask"),
        ({"rows": "a"}, ValueError, "rows must be"),
        ({"n_neighbours": 0}, ValueError, "n_neighbours"),
        ({"X": pd.DataFrame({"a": ["x", "y", "z"]})}, TypeError, "cannot be compared"),
    ],
)
def test_input_errors_of_contradicting_rows(args, error, words):
    given = {"X": np.arange(6.0).reshape(3, 2), "y": [0, 1, 0], **args}
    with pytest.raises(error, match=words):
        contradicting_rows(**given)


# Small classes


def test_small_classes():
    table = small_classes(["a"] * 10 + ["b"] * 9 + ["c"] + ["d"] * 4)
    assert table.index.tolist() == ["c", "d", "b", "a"]
    assert table.index.name == "class"
    assert table.n.tolist() == [1, 4, 9, 10]
    assert table.can_be_judged.tolist() == [False, False, False, True]
    assert table.reason.tolist() == [
        "1 sample for 5 folds: some are without any",
        "4 samples for 5 folds: some are without any",
        "9 samples for 5 folds: fewer than 2 in some",
        "",
    ]
    assert small_classes(["a"] * 4 + ["b"] * 3, cv=2).can_be_judged.tolist() == [False, True]


@pytest.mark.parametrize(
    ("args", "words"), [({"y": None}, "y is required"), ({"cv": 1}, "cv"), ({"cv": True}, "cv")]
)
def test_input_errors_of_small_classes(args, words):
    with pytest.raises(ValueError, match=words):
        small_classes(**{"y": [0, 1], **args})


# The search that all of these share


def test_nearest_of_all_pairs():
    X = np.random.default_rng(0).normal(size=(50, 3))
    apart = np.linalg.norm(X[:, None] - X[None], axis=-1)
    distances, places = nearest(X, None, 4)
    off = apart + np.diag(np.full(50, np.inf))
    np.testing.assert_array_equal(places, off.argsort(axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(off, axis=1)[:, :4], atol=1e-7)
    distances, places = nearest(X[:9], X[9:], 20)
    np.testing.assert_array_equal(places, apart[9:, :9].argsort(axis=1))
    assert nearest(X[:1], None, 3)[1].shape == (1, 0)


def test_equal_rows_are_no_neighbours_of_themselves():
    _, places = nearest(np.zeros((12, 3)), None, 5)
    assert not (places == np.arange(12)[:, None]).any()


@pytest.mark.parametrize(("max_exact_rows_faiss", "least"), [(10_000, 0.9999), (100, 0.95)])
def test_faiss_finds_nearly_all(max_exact_rows_faiss, least):
    pytest.importorskip("faiss", reason="needs faiss-cpu, the extra neighbours")
    rng = np.random.default_rng(0)
    latent = 2 * rng.normal(size=(20, 8))[rng.integers(20, size=3000)] + rng.normal(size=(3000, 8))
    X = np.tanh(latent @ rng.normal(size=(8, 32)) / 3).astype(np.float32)
    limits = {"max_exact_rows": 100, "max_exact_rows_faiss": max_exact_rows_faiss}
    distances, places = nearest(X, None, 10, **limits)
    exact, true = nearest(X, None, 10)
    assert not (places == np.arange(3000)[:, None]).any()
    recall = np.mean([len({*a} & {*b}) / 10 for a, b in zip(places, true, strict=True)])
    assert recall >= least
    same = places == true
    np.testing.assert_allclose(distances[same], exact[same], rtol=1e-4)


def test_without_faiss_all_pairs_are_compared(monkeypatch):
    X = np.random.default_rng(0).normal(size=(50, 3))
    monkeypatch.setattr("noisyactive._nearest.find_spec", lambda name: None)
    for one, other in zip(nearest(X, None, 4, max_exact_rows=5), nearest(X, None, 4), strict=True):
        np.testing.assert_array_equal(one, other)
