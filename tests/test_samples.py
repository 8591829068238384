"""The gate for samples: what is converted, what is refused, and what to pass instead."""

import io
import pathlib
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    InstanceDependentLabelNoise,
    LongTailSampler,
    NoisyLabelsClassifier,
    UniformLabelNoise,
)
from noisyactive.datasets import ImageTable
from noisyactive.query import entropy_sampling, k_center_greedy

X, Y = make_blobs([20, 20], n_features=3, random_state=0)
X = X.astype(np.float16).astype(np.float64)  # numbers that every type holds


class Items(Dataset):
    """Never raises IndexError."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i % len(self.X)]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(X)


def network(**params):
    small = {"max_epochs": 3, "warmup_epochs": 1, "ramp_epochs": 1, "vog_window": 2}
    return CoTeachingVOGClassifier(**{**small, "lr": 0.05, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return network().fit(X, Y)


@pytest.fixture(scope="module")
def cleaned():
    cleaner = ActiveLabelCleaner(GaussianNB(), n_rounds=1, round_budget=3, random_state=0)
    return cleaner.fit(X, Y, y_clean=Y)


# --- what is converted ------------------------------------------------------------------------

SAME = {
    "float32": X.astype(np.float32),
    "float16": X.astype(np.float16),
    "longdouble": X.astype(np.longdouble),
    "big-endian": X.astype(">f8"),
    "big-endian float32": X.astype(">f4"),
    "objects": X.astype(object),
    "read-only": np.frombuffer(X.tobytes()).reshape(X.shape),
    "not contiguous": np.asfortranarray(X),
    "list": X.tolist(),
    "frame": pd.DataFrame(X, columns=["a", "b", "c"]).rename_axis("row"),
    "nullable frame": pd.DataFrame(X).astype("Float64"),
    "masked, but nothing is": np.ma.array(X),
    "tensor": torch.from_numpy(X),
    "tensor with gradient": torch.from_numpy(X).requires_grad_(),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("kind", SAME)
def test_networks_learn_the_same_from_the_same_numbers(fitted, kind):
    X_same = SAME[kind]
    assert_array_equal(network().fit(X_same, Y).predict_proba(X_same), fitted.predict_proba(X))


@pytest.mark.parametrize("kind", SAME)
def test_other_estimators_get_what_they_can_read(cleaned, kind):
    X_same = SAME[kind]
    expected = cleaned.predict_proba(X)
    of_same = clone(cleaned).fit(X_same, Y, y_clean=Y).predict_proba(X_same)
    tolerance = 1e-2 if kind in ("float32", "float16", "big-endian float32") else 1e-9
    np.testing.assert_allclose(of_same, expected, atol=tolerance)


@pytest.mark.parametrize("kind", SAME)
def test_noise_and_core_set_get_the_same_numbers(kind):
    noise = InstanceDependentLabelNoise(0.3, random_state=0)
    assert_array_equal(noise.fit_transform(Y, SAME[kind]), noise.fit_transform(Y, X))
    assert_array_equal(k_center_greedy(SAME[kind], None, 5), k_center_greedy(X, None, 5))


def test_bfloat16_is_read_as_float32(fitted):
    rounded = torch.from_numpy(X).bfloat16()
    assert_array_equal(fitted.predict_proba(rounded), fitted.predict_proba(rounded.float()))


# --- what is refused --------------------------------------------------------------------------

REFUSED = {
    "None": (lambda: None, "X is None: pass the samples"),
    "masked": (lambda: np.ma.array(X, mask=X > 1), r"fill them with X.filled\(value\), or leave"),
    "matrix": (lambda: np.asmatrix(X), r"X is a np.matrix: pass np.asarray\(X\)"),
    "DataLoader": (lambda: DataLoader(Items(X)), "X is a DataLoader: pass its dataset, X.dataset"),
    "IterableDataset": (Stream, "X is an IterableDataset.*pass a Dataset with __getitem__"),
    "nested tensor": (
        lambda: torch.nested.nested_tensor(list(torch.rand(40, 3)), layout=torch.jagged),
        r"nested tensor: pad its samples to one shape, X.to_padded_tensor\(0\)",
    ),
    "quantised tensor": (
        lambda: torch.quantize_per_tensor(torch.rand(40, 3), 0.1, 0, torch.quint8),
        r"quantised tensor: pass X.dequantize\(\)",
    ),
    "meta tensor": (
        lambda: torch.zeros((40, 3), device="meta"),
        "on the device 'meta', without data: pass one that has data",
    ),
    "sparse tensor": (lambda: torch.eye(40).to_sparse(), r"sparse tensor: pass X.to_dense\(\)"),
    "complex tensor": (
        lambda: torch.zeros((40, 3), dtype=torch.complex64),
        r"complex tensor: pass torch.view_as_real\(X\), or X.abs\(\)",
    ),
    "columns twice": (
        lambda: pd.DataFrame(X, columns=["a", "b", "a"]),
        "X has several columns named 'a': rename them",
    ),
    "dict": (lambda: {"a": X}, "X must hold samples along its first axis, got a dict: pass an"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_one_sentence_names_the_remedy(fitted, kind):
    make, remedy = REFUSED[kind]
    odd = make()
    learner = GaussianNB().fit(X, Y)
    learner.estimator = learner
    entries = [
        lambda: network().fit(odd, Y),
        lambda: fitted.partial_fit(odd, Y),
        lambda: fitted.refine(odd, Y),
        lambda: fitted.predict(odd),
        lambda: fitted.predict_proba(odd),
        lambda: fitted.extract_features(odd),
        lambda: ActiveLabelCleaner(network()).start(odd, Y),
        lambda: ActiveLabelCleaner(GaussianNB()).fit(odd, Y, y_clean=Y),
        lambda: NoisyLabelsClassifier(GaussianNB(), UniformLabelNoise(0.2)).fit(odd, Y),
        lambda: LongTailSampler(2).fit_resample(odd, Y),
        lambda: entropy_sampling(learner, odd),
    ]
    for enter in entries:
        with pytest.raises((TypeError, ValueError), match=remedy):
            enter()


FOR_NETWORKS = {
    "dates": (np.full((40, 3), "2024-01-01", dtype="datetime64[s]"), "X holds dates.*pass numbers"),
    "durations": (np.arange(120).reshape(40, 3).astype("timedelta64[s]"), "pass numbers, as days"),
    "beyond float32": (X * 1e300, "infinite in float32: scale them"),
    "NaN": (np.where(X > 1, np.nan, X), "X contains NaN"),
    "complex": (X + 1j, "Complex data not supported|must hold numbers"),
    "grey images": (np.zeros((40, 28, 28)), r"if these are grey images.*X\[:, None\]"),
    "paths": (
        [f"{i}.png" for i in range(40)],
        r"pass noisyactive.datasets.ImageTable\(paths, labels",
    ),
    "Paths": ([pathlib.Path(f"{i}.png") for i in range(40)], r"ImageTable\(paths, labels\)"),
    "column of paths": (pd.DataFrame({"image": ["a.png"] * 40}), r"ImageTable\(paths, labels\)"),
    "items": ([(torch.zeros(3), 0)] * 40, "SliceDataset"),
}


@pytest.mark.parametrize("kind", FOR_NETWORKS)
def test_what_networks_cannot_read(kind):
    odd, remedy = FOR_NETWORKS[kind]
    with pytest.raises((TypeError, ValueError), match=remedy):
        network().fit(odd, Y)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor, Items, pd.DataFrame])
def test_no_prediction_is_nan(fitted, make):
    huge = make(np.full((3, 3), 1e300))
    for method in (fitted.predict, fitted.predict_proba, fitted.extract_features):
        with pytest.raises(ValueError, match=r"X.*infinite in float32"):
            method(huge)
    with pytest.raises(FloatingPointError, match=r"output for X\[0\] is not finite"):
        fitted.predict_proba(np.full((3, 3), 3e38, dtype=np.float32))


def test_another_estimator_that_predicts_nan_is_not_believed():
    cleaner = ActiveLabelCleaner(GaussianNB(), random_state=0).start(X, Y)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="X has values for which"):
        cleaner.predict_proba(np.full((1, 3), 1e300))


@pytest.mark.parametrize(
    "odd", [np.zeros((40, 2, 3, 3)), [[1, 2], [3]] * 20, np.array([object()] * 40), Items(X)]
)
def test_errors_of_other_estimators_say_what_they_are_about(odd):
    for model in (
        ActiveLabelCleaner(GaussianNB()),
        NoisyLabelsClassifier(GaussianNB(), UniformLabelNoise(0.1)),
    ):
        if isinstance(odd, Items):  # is an array to scikit-learn
            model.fit(odd, Y)
            continue
        with pytest.raises((TypeError, ValueError), match=r"\bX\b"):
            model.fit(odd, Y)


# --- Datasets ---------------------------------------------------------------------------------


def test_a_dataset_without_end_does_not_hang_other_estimators():
    def give_up(*_):
        raise AssertionError("the Dataset was read for ever")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        cleaner = ActiveLabelCleaner(GaussianNB(), n_rounds=1, round_budget=3, random_state=0)
        cleaner.fit(Items(X), Y, y_clean=Y)
        assert cleaner.predict(Items(X)).shape == (40,)
        model = NoisyLabelsClassifier(LogisticRegression(), UniformLabelNoise(0.1, random_state=0))
        assert_array_equal(model.fit(Items(X), Y).predict(Items(X)), model.fit(X, Y).predict(X))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_start_takes_the_labels_of_a_dataset_as_fit_does():
    table = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    cleaner = ActiveLabelCleaner(network(), random_state=0)
    assert_array_equal(cleaner.start(table).given_labels_, Y)
    assert_array_equal(cleaner.fit(table).given_labels_, Y)
    with pytest.raises(ValueError, match="y is required, since the items of the Dataset X hold no"):
        cleaner.start(Items(X))


def test_start_takes_the_targets_of_an_image_table():
    def grey(path):
        return np.full((8, 8), 10 * int(pathlib.Path(path).stem), dtype=np.uint8)

    table = ImageTable([f"{i}.png" for i in range(20)], ["a", "b"] * 10, check=False)
    assert table.targets.tolist() == ["a", "b"] * 10
    cleaner = ActiveLabelCleaner(GaussianNB())
    with pytest.raises(OSError, match="Image"):  # the labels are there, the files are not
        cleaner.start(table)


def test_a_transform_in_place_leaves_the_data_alone():
    def transform(batch):
        return batch.mul_(0.5).add_(1)

    for given in (X.astype(np.float32), torch.from_numpy(X).float()):
        before = np.asarray(given).copy()
        for preload in (False, True):
            net = network(train_transform=transform, eval_transform=transform, preload=preload)
            net.fit(given, Y).predict(given)
            net.extract_features(given)
            assert_array_equal(np.asarray(given), before)
    tensors = [torch.from_numpy(row.copy()).float() for row in X]
    net = network(train_transform=transform, eval_transform=transform)
    net.fit(Items(tensors), Y).predict(Items(tensors))
    assert_array_equal(np.stack(tensors), X.astype(np.float32))


# --- before fit -------------------------------------------------------------------------------


def test_predicting_before_fit_says_fit():
    for method in ("predict", "predict_proba", "extract_features"):
        with pytest.raises(NotFittedError, match="call fit first") as error:
            getattr(network(), method)(X)
        assert "initialize" not in str(error.value)
    with pytest.raises(NotFittedError, match="call fit first"):
        network().refine(X, Y)


def test_optimizer_state_of_another_optimizer(fitted):
    parameters, optimizer = io.BytesIO(), io.BytesIO()
    adam = network(optimizer=torch.optim.Adam).fit(X, Y)
    adam.save_params(f_params=parameters, f_optimizer=optimizer)
    parameters.seek(0), optimizer.seek(0)
    with pytest.raises(ValueError, match="f_optimizer holds the state of another optimizer"):
        network().fit(X, Y).load_params(f_params=parameters, f_optimizer=optimizer)
