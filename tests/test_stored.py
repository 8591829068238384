"""Samples in files: HDF5, zarr, tables of Hugging Face, and whatever else is read by rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    LabelNoiseSampler,
    LongTailSampler,
    UniformLabelNoise,
    find_label_issues,
)
from noisyactive import _rows as module
from noisyactive._rows import RowsOf, as_rows, take_rows, view_rows
from noisyactive.audit import find_duplicates, find_outliers, issues_from_proba
from noisyactive.query import (
    coreset_sampling,
    entropy_sampling,
    entropy_scores,
    margin_scores,
    rank_suspects,
    rare_entropy_scores,
)

NET = CoTeachingVOGClassifier(
    max_epochs=4, warmup_epochs=1, vog_window=2, batch_size=32, random_state=0
)
KINDS = ["plain", "h5py", "zarr", "datasets"]


class Plain:
    """The least that an array in a file offers; keeps a list of the rows that were read."""

    def __init__(self, array):
        self._array = array
        self.reads = []

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)

    def __len__(self):
        return len(self._array)

    def __getitem__(self, rows):
        assert isinstance(rows, slice) or (np.diff(rows) > 0).all()
        self.reads.append(np.arange(len(self._array))[rows])
        return self._array[rows]


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs(120, centers=3, n_features=5, cluster_std=2, random_state=0)
    X = X.astype(np.float32)
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


def stored(kind, X, folder):
    """The same numbers in a file."""
    if kind == "plain":
        return Plain(X)
    library = pytest.importorskip(kind)
    if kind == "h5py":
        with library.File(folder / "X.h5", "w") as file:
            file.create_dataset("group/X", data=X, chunks=(7, *X.shape[1:]), compression="gzip")
        return library.File(folder / "X.h5", "r")["group/X"]
    if kind == "zarr":
        array = library.create_array(
            str(folder / "X.zarr"), shape=X.shape, dtype=X.dtype, chunks=(7, *X.shape[1:])
        )
        array[:] = X
        return array
    table = library.Dataset.from_dict({"x": list(X)}, library.Features({"x": feature(X)}))
    table.save_to_disk(folder / "table")
    return library.load_from_disk(folder / "table")


def feature(X):
    import datasets

    if X.ndim == 2:
        return datasets.List(datasets.Value(str(X.dtype)), length=X.shape[1])
    return {3: datasets.Array2D, 4: datasets.Array3D}[X.ndim](X.shape[1:], str(X.dtype))


def networks(X, y):
    net = NET.fit(X, y)
    return net.predict_proba(X), net.extract_features(X), net.clean_mask_


def cleaner_of(estimator, X, y, y_clean, **params):
    params = {"n_rounds": 1, "round_budget": 9, "fine_tune_epochs": 2, **params}
    cleaner = ActiveLabelCleaner(estimator, random_state=0, **params)
    cleaner.fit(X, y, y_clean=y_clean, validation_data=(X, y_clean))
    return cleaner.predict_proba(X), cleaner.labels_, cleaner.predict(X), cleaner.history_["score"]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_file(kind, data, tmp_path):
    X = data[0]
    view = as_rows(stored(kind, X, tmp_path))
    assert (view.shape, view.ndim, view.dtype, len(view)) == (X.shape, 2, X.dtype, len(X))
    keys = [
        slice(None),
        slice(3, 9),
        slice(None, None, -3),
        slice(9, 3),
        4,
        -1,
        np.array([5, 2, 5]),
    ]
    for key in [*keys, np.array([-1, 0]), np.arange(len(X)) % 2 == 0, np.array([], dtype=int)]:
        np.testing.assert_array_equal(view[key], X[key])
    rows = np.array([9, 3, 4, 3])
    some = view_rows(view, rows)
    assert isinstance(some, RowsOf)
    np.testing.assert_array_equal(np.asarray(some), X[rows])
    np.testing.assert_array_equal(some[[2, 0]], X[[4, 9]])
    np.testing.assert_array_equal(take_rows(view, rows), X[rows])
    with pytest.raises(IndexError):
        view[[len(X)]]


@given(st.lists(st.integers(-20, 19), max_size=30), st.data())
def test_any_rows_of_rows(rows, draw):
    array = np.arange(40.0).reshape(20, 2)
    view, plain = as_rows(Plain(array)).of(np.array(rows, dtype=int)), array[rows]
    assert view.shape == (len(rows), 2)
    np.testing.assert_array_equal(np.asarray(view), plain.reshape(-1, 2))
    if rows:
        n = len(rows)
        key = np.array(draw.draw(st.lists(st.integers(-n, n - 1), max_size=9)), dtype=int)
        np.testing.assert_array_equal(view[key], plain[key])
        np.testing.assert_array_equal(np.concatenate(list(view.chunks())), plain)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_learn_the_same_as_from_an_array(kind, data, tmp_path):
    X, _, y = data
    assert_same(networks(stored(kind, X, tmp_path), y), networks(X, y))


@pytest.mark.parametrize("kind", ["h5py", "datasets"])
@pytest.mark.parametrize(
    "estimator",
    [
        NET,
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
    ],
)
def test_cleaner_and_audit_find_the_same(kind, estimator, data, tmp_path):
    X, y, y_noisy = data
    X_file = stored(kind, X, tmp_path)
    assert_same(
        cleaner_of(estimator, X_file, y_noisy, y, query_strategy="entropy"),
        cleaner_of(estimator, X, y_noisy, y, query_strategy="entropy"),
    )
    one, other = (find_label_issues(estimator, x, y_noisy, random_state=0) for x in (X_file, X))
    np.testing.assert_array_equal(one["quality"], other["quality"])


@pytest.mark.parametrize("strategy", ["coreset", "margin", "label_disagreement", "random"])
def test_strategies_ask_the_same(strategy, data, tmp_path):
    X, y, y_noisy = data
    params = {"query_strategy": strategy, "trust": "once"}
    labels = [cleaner_of(NET, x, y_noisy, y, **params)[1] for x in (Plain(X), X)]
    assert_same(*[[one] for one in labels])


def test_strategies_by_themselves(data):
    X, y, _ = data
    model = LogisticRegression().fit(X, y)
    learner = type("", (), {"estimator": model, "predict_proba": model.predict_proba})()
    learner.X_training = X[:5]
    for strategy in (entropy_sampling, coreset_sampling):
        chosen = [strategy(learner, x, n_instances=7).tolist() for x in (Plain(X), X)]
        assert chosen[0] == chosen[1]


@pytest.mark.parametrize("kind", ["h5py", "datasets"])
def test_other_processes_open_the_file(kind, data, tmp_path, workers):
    X, y, y_noisy = data
    X_file = stored(kind, X, tmp_path)
    two = cleaner_of(NET, X_file, y_noisy, y, n_jobs=2)
    assert_same(two, cleaner_of(NET, X, y_noisy, y))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(as_rows(X_file)))[:], X)


def test_forked_workers_of_a_loader(data, tmp_path):
    X, _, y = data
    X_file = stored("h5py", X, tmp_path)
    net = clone(NET).set_params(iterator_train__num_workers=2)
    one, other = (net.fit(x, y).predict_proba(x) for x in (X_file, X))
    np.testing.assert_array_equal(one, other)


def test_a_file_open_for_writing_stays_in_its_process(data, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "X.h5", "w") as file:
        X_file = file.create_dataset("X", data=data[0])
        NET.fit(X_file, data[1])
        with pytest.raises(TypeError, match="with the mode 'r'"):
            pickle.dumps(as_rows(X_file))


@pytest.mark.parametrize("trust", ["crossfit", "once"])
def test_checked_once_and_never_read_whole(trust, data, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 640)  # 32 rows
    X, y, y_noisy = data
    X_file = Plain(X)
    how = {"trust": trust, "query_strategy": "entropy", "n_rounds": 1, "round_budget": 9}
    net = clone(NET).set_params(batch_size=16, iterator_valid__batch_size=16)
    cleaner = ActiveLabelCleaner(net, random_state=0, fine_tune_epochs=2, **how)
    cleaner = cleaner.start(X_file, y_noisy)
    first = X_file.reads[: -(-len(X) // 32)]
    np.testing.assert_array_equal(np.concatenate(first), np.arange(len(X)))
    # Besides: of each model the first rows, and batches; similar samples are compared in memory,
    # where they are standardised in two passes.
    whole = [read for read in X_file.reads[len(first) :] if len(read) > 17]
    assert len(whole) == 2 * (trust == "crossfit")
    rows = cleaner.query()
    del X_file.reads[:]
    cleaner.teach(rows, y[rows]).query()
    assert max(map(len, X_file.reads)) <= 17


def test_predictions_in_chunks(data, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 640)
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(LogisticRegression(), trust="verified", n_rounds=1, random_state=0)
    cleaner.fit(X, y_noisy, y_clean=y)
    X_file = Plain(X)
    np.testing.assert_allclose(cleaner.predict_proba(X_file), cleaner.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(cleaner.predict(X_file), cleaner.predict(X))
    assert max(map(len, X_file.reads)) == 32


@pytest.mark.parametrize("kind", ["net", "ensemble"])
def test_predictions_read_rows_once(kind, data, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 640)
    X, _, y_noisy = data
    if kind == "net":
        model = clone(NET).set_params(iterator_valid__batch_size=32).fit(X, y_noisy)
    else:
        model = ActiveLabelCleaner(NET, trust="crossfit", random_state=0).start(X, y_noisy)
        model = model.estimator_
    X_file = Plain(X)
    np.testing.assert_allclose(model.predict_proba(X_file), model.predict_proba(X), rtol=1e-5)
    reads = [read for read in X_file.reads if len(read) > 2]  # the first ones say their shape
    np.testing.assert_array_equal(np.concatenate(reads), np.arange(len(X)))
    assert max(map(len, reads)) == 32


def test_a_journal_knows_its_file(data, tmp_path):
    X, y, y_noisy = data
    params = {"n_rounds": 1, "round_budget": 9, "random_state": 0, "journal": tmp_path / "run.db"}
    first = ActiveLabelCleaner(LogisticRegression(), **params).fit(X, y_noisy, y_clean=y)
    first.close()
    again = ActiveLabelCleaner(LogisticRegression(), **params).start(Plain(X), y_noisy)
    np.testing.assert_array_equal(again.labels_, first.labels_)
    again.close()
    with pytest.raises(ValueError, match="samples"):
        ActiveLabelCleaner(LogisticRegression(), **params).start(Plain(X + 1), y_noisy)


def test_samples_of_a_run(data, monkeypatch):
    X, _, y = data
    cleaner = ActiveLabelCleaner(NET, trust="all", random_state=0).start(Plain(X), y)
    np.testing.assert_array_equal(cleaner.X_train_[[7, 3]], X[[7, 3]])
    monkeypatch.setattr(module, "_LARGE", X.nbytes)
    assert ActiveLabelCleaner(NET, trust="all").start(X, y).X_train_ is X


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_in_a_file(kind, tmp_path):
    rng = np.random.default_rng(0)
    proba, y = rng.dirichlet([1, 1, 1], 90), rng.integers(3, size=90)
    in_file = stored(kind, proba, tmp_path)
    assert issues_from_proba(y, in_file).equals(issues_from_proba(y, proba))
    np.testing.assert_array_equal(rank_suspects(y, in_file), rank_suspects(y, proba))
    for scores in (entropy_scores, margin_scores, rare_entropy_scores):
        np.testing.assert_array_equal(scores(in_file), scores(proba))
    with pytest.raises(ValueError, match="row 0 is"):
        entropy_scores(stored("plain", proba + 1, tmp_path))


@pytest.mark.parametrize("kind", ["h5py", "datasets"])
def test_duplicates_and_outliers(kind, data, tmp_path):
    images = np.random.default_rng(0).random((40, 3, 8, 8), dtype=np.float32)
    images[7] = images[3]
    for number, X in enumerate((data[0], images)):
        (folder := tmp_path / str(number)).mkdir()
        X_file = stored(kind, X, folder)
        assert find_duplicates(X_file).equals(find_duplicates(X))
        assert find_outliers(X_file).equals(find_outliers(X))


@pytest.mark.parametrize("kind", KINDS)
def test_samplers_read_nothing(kind, data, tmp_path):
    X, y, _ = data
    X_file = stored(kind, X, tmp_path)
    sampler = LongTailSampler(imbalance_factor=4, random_state=0)
    kept, labels = sampler.fit_resample(X_file, y)
    np.testing.assert_array_equal(np.asarray(kept), sampler.fit_resample(X, y)[0])
    assert_same(networks(kept, labels), networks(np.asarray(kept), labels))
    assert LabelNoiseSampler(UniformLabelNoise(0.2)).fit_resample(X_file, y)[0] is X_file


class NeverTrained(CoTeachingVOGClassifier):
    def fit(self, *args, **kwargs):
        raise AssertionError


@pytest.mark.parametrize("kind", KINDS)
def test_bad_numbers_are_found_before_training(kind, data, tmp_path):
    X, _, y = data
    X = X.copy()
    X[100, 2] = np.nan
    X_file = stored(kind, X, tmp_path)
    with pytest.raises(ValueError, match="X contains NaN"):
        NET.fit(X_file, y)
    with pytest.raises(ValueError, match="X contains NaN"):
        ActiveLabelCleaner(NET).start(X_file, y)
    for X_val in (X, X_file):
        with pytest.raises(ValueError, match="X_val.* contains NaN"):
            ActiveLabelCleaner(NeverTrained()).start(X[:100], y[:100], validation_data=(X_val, y))
    with pytest.raises(ValueError, match="X_val must have as many features as X, 5, got 4"):
        X_val = X[:100, :4]
        ActiveLabelCleaner(NeverTrained()).start(X[:100], y[:100], validation_data=(X_val, y[:100]))
    with pytest.raises(ValueError, match="X contains NaN"):
        find_label_issues(NET, X_file, y)
    with pytest.raises(ValueError, match="inconsistent lengths"):
        ActiveLabelCleaner(NET).start(X_file, y[:-1])
    net = clone(NET).fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="X contains NaN"):
        net.predict_proba(X_file)
    with pytest.raises(ValueError, match="expecting 5 features"):
        net.predict(Plain(X[:, :4]))


@pytest.mark.parametrize("dtype", [">f8", "f2", "u1", "?"])
def test_numbers_of_any_type(dtype, data, tmp_path):
    X, _, y = data
    X = (X > X.mean() if dtype == "?" else X - X.min()).astype(dtype)
    assert_same(networks(stored("h5py", X, tmp_path), y), networks(X, y))


def test_what_is_no_array_of_numbers(data, tmp_path):
    h5py = pytest.importorskip("h5py")
    y = data[1]
    with h5py.File(tmp_path / "X.h5", "w") as file:
        texts = file.create_dataset("texts", data=["a"] * len(y))
        single = file.create_dataset("single", data=1.0)
        empty = file.create_dataset("empty", data=np.empty((0, 5)))
        for X in (texts, single):
            with pytest.raises(TypeError, match="X is a Dataset of the type"):
                NET.fit(X, y)
        with pytest.raises(ValueError, match="X and y|minimum of 2"):
            NET.fit(empty, y)
        X = file.create_dataset("X", data=data[0])
    with h5py.File(tmp_path / "X.h5") as file:
        read = file["X"]
        assert (read.shape, read.dtype) == (data[0].shape, data[0].dtype)  # h5py remembers both
    with pytest.raises(ValueError, match="X is a Dataset of a file that is closed"):
        ActiveLabelCleaner(NET).start(X, y)
    with pytest.raises(ValueError, match="X is a Dataset of a file that is closed"):
        NET.fit(read, y)


@pytest.mark.parametrize(
    "X",
    [
        pd.Index(["a", "b"]),
        pd.Categorical(["a", "b"]),
        pd.array([1, 2]),
        pd.DataFrame({"dtype": [1, 2], "shape": [3, 4]}),
        np.zeros((2, 2)),
        np.float64(3),
        torch.zeros(2, 2),
        csr_array(np.eye(2)),
        [[1, 2], [3, 4]],
        ["a", "b"],
        range(3),
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_is_in_memory_stays_as_it_is(X):
    assert as_rows(X) is X


# --- tables of Hugging Face -------------------------------------------------------------------


@pytest.fixture
def hf():
    return pytest.importorskip("datasets")


def test_columns_of_numbers(hf, data):
    X, y, _ = data
    X = X.astype(np.float64)
    columns = {f"x{i}": X[:, i] for i in range(5)}
    names = hf.ClassLabel(names=["a", "b", "c"])
    features = hf.Features({name: hf.Value("float64") for name in columns} | {"label": names})
    table = hf.Dataset.from_dict({**columns, "label": y}, features)
    np.testing.assert_array_equal(as_rows(table)[:], X)  # without the labels
    assert_same(networks(table, table["label"]), networks(X, y))
    mixed = hf.Dataset.from_dict({"a": [1, 2], "b": [0.1, 0.2]})
    np.testing.assert_array_equal(as_rows(mixed)[:], [[1, 0.1], [2, 0.2]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "bool"])
def test_numbers_that_a_table_is_read_as_others(hf, dtype):
    pixels = np.arange(24).reshape(6, 4).astype(dtype)
    features = hf.Features({"pixels": hf.Sequence(hf.Value(dtype))})
    rows = as_rows(hf.Dataset.from_dict({"pixels": pixels.tolist()}, features))
    assert rows.dtype == rows[:].dtype == dtype
    np.testing.assert_array_equal(rows[:], pixels)


def test_images_have_their_channels_first(hf, tmp_path):
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 255, (6, 4, 5, 3), dtype=np.uint8)
    pictures = [Image.fromarray(image) for image in images]
    features = hf.Features({"image": hf.Image()})
    table = hf.Dataset.from_dict({"image": pictures}, features)
    np.testing.assert_array_equal(as_rows(table)[[4, 1]], images[[4, 1]].transpose(0, 3, 1, 2))
    grey = hf.Dataset.from_dict({"image": [one.convert("L") for one in pictures]}, features)
    assert as_rows(grey).shape == (6, 1, 4, 5)
    table.to_parquet(tmp_path / "table.parquet")
    read = hf.Dataset.from_parquet(str(tmp_path / "table.parquet"), cache_dir=str(tmp_path))
    y = np.arange(6) % 2
    assert_same(networks(read, y), networks(images.transpose(0, 3, 1, 2), y))
    several = hf.Dataset.from_dict({"image": [pictures[0], pictures[1].convert("L")]}, features)
    with pytest.raises(ValueError, match="one shape.*mode='RGB'"):
        NET.fit(several, [0, 1])


def test_a_transform_of_the_table(hf):
    table = hf.Dataset.from_dict({"path": ["3", "5", "8"]})
    table.set_transform(lambda rows: {"x": [np.full(2, float(path)) for path in rows["path"]]})
    np.testing.assert_array_equal(as_rows(table)[[2, 0]], [[8, 8], [3, 3]])


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"x": ["a", "b"]}, TypeError, "numbers in the column 'x'.*select_columns"),
        ({"x": [[1.0, 2.0], [3.0, 4.0]], "z": [1, 2]}, TypeError, "one column of arrays"),
        ({"x": [[1.0, 2.0], [3.0]]}, ValueError, "one shape"),
        ({"x": [1, None]}, ValueError, "missing values in .'x'."),
        ({"x": []}, ValueError, "no samples"),
    ],
)
def test_tables_that_cannot_be_samples(hf, columns, error, words):
    table = hf.Dataset.from_dict(columns)
    with pytest.raises(error, match=words):
        NET.fit(table, [0, 1])
    with pytest.raises(error, match=words):
        ActiveLabelCleaner(NET).start(table, [0, 1])


def test_streams_and_labels_alone(hf):
    table = hf.Dataset.from_dict({"y": [0, 1]}, hf.Features({"y": hf.ClassLabel(names=["a", "b"])}))
    with pytest.raises(ValueError, match="no columns but class labels"):
        NET.fit(table, [0, 1])
    with pytest.raises(TypeError, match="IterableDataset|streamed"):
        NET.fit(hf.Dataset.from_dict({"x": [1.0, 2.0]}).to_iterable_dataset(), [0, 1])
