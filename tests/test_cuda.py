"""On a GPU everything is as on the CPU, up to rounding."""

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, Checkpoint
from torch.utils.data import TensorDataset

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.audit import find_label_issues
from noisyactive.coteaching._vog import VarianceOfGradients
from noisyactive.models import FrozenFeatures, torchvision_classifier
from noisyactive.query import bald_sampling

DEVICE = "cuda"
pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("ignore:The share of wrong labels is uncertain"),
]
NET = CoTeachingVOGClassifier(
    device=DEVICE,
    max_epochs=8,
    batch_size=50,
    forget_rate=0.3,
    ramp_epochs=2,
    warmup_epochs=2,
    vog_window=3,
    mix_ratio=0.3,
    random_state=0,
)


@pytest.fixture(autouse=True)
def all_digits():
    """Convolutions with single precision, not with the three digits of TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="module")
def rows():
    """Rows, true labels, noisy labels."""
    X, y = make_blobs([240, 120, 41], n_features=6, cluster_std=3, random_state=0)
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


@pytest.fixture(scope="module")
def images():
    """The same for images of bytes, dark and bright."""
    rng = np.random.RandomState(0)
    y = np.arange(300) % 2
    X = rng.randint(0, 160, (300, 3, 12, 12)) + 60 * y[:, None, None, None]
    return X.astype(np.uint8), y, UniformLabelNoise(0.2, random_state=0).fit_transform(y)


def scaled(X):
    return X.float() / 255


def shaken(X):
    """Augmentation with numbers of the device's generator."""
    return scaled(X) + 0.05 * torch.randn(X.shape, device=X.device)


def on_cpu(net):
    return clone(net).set_params(device="cpu")


def assert_nearly_same(net, expected, X, atol=2e-3):
    """Verdicts, scores and predictions; chance decides about choices that are nearly equal."""
    assert (net.clean_mask_ == expected.clean_mask_).mean() > 0.98
    assert (net.selected_ == expected.selected_).mean() > 0.98
    assert_allclose(net.forget_rate_, expected.forget_rate_, atol=0.02)
    close = np.isclose(net.sample_loss_, expected.sample_loss_, rtol=0.02, atol=atol)
    assert close.mean() > 0.98
    close = np.isclose(net.vog_, expected.vog_, rtol=0.02, atol=atol, equal_nan=True)
    assert close.mean() > 0.98
    assert_allclose(net.predict_proba(X), expected.predict_proba(X), atol=10 * atol)
    assert (net.predict(X) == expected.predict(X)).mean() > 0.98


class TestAsOnTheCPU:
    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"vog_gradient": "activation"},
            {"criterion__label_smoothing": 0.1},
            {"forget_rate": "auto", "max_epochs": 12, "warmup_epochs": 6},
            {"mix_ratio": 0},
        ],
        ids=str,
    )
    def test_rows(self, rows, params):
        X, _, y = rows
        net = clone(NET).set_params(**params)
        fitted = net.fit(X, y)
        assert next(fitted.module_.parameters()).is_cuda == (DEVICE == "cuda")
        assert_nearly_same(fitted, on_cpu(net).fit(X, y), X)
        features, expected = fitted.extract_features(X), on_cpu(net).fit(X, y).extract_features(X)
        assert_allclose(features, expected, atol=0.05)

    @pytest.mark.parametrize("preload", [False, True])
    @pytest.mark.parametrize(
        "module, lr", [(None, 0.001), (torchvision_classifier("resnet18", weights=None), 1e-5)]
    )
    def test_images(self, images, preload, module, lr):
        """Two epochs, with steps that are small where the network is deep.

        With larger ones a ResNet18 has other verdicts where its images differ by a millionth, on
        the CPU alone. In this form not yet run on a GPU.
        """
        X, _, y = images
        net = clone(NET).set_params(
            module=module,
            preload=preload,
            max_epochs=2,
            ramp_epochs=1,
            mix_ratio=0,
            lr=lr,
            train_transform=scaled,
            eval_transform=scaled,
        )
        net.fit(X, y)
        expected = on_cpu(net).fit(X, y)
        assert_allclose(net.history[:, "train_loss"], expected.history[:, "train_loss"], rtol=0.01)
        close = np.isclose(net.sample_loss_, expected.sample_loss_, rtol=0.05, atol=0.01)
        assert close.mean() > 0.95
        assert (net.clean_mask_ == expected.clean_mask_).mean() > 0.95

    def test_weights(self, rows):
        X, _, y = rows
        weights = np.linspace(0.1, 2, len(y))
        net = clone(NET).fit(X, y, sample_weight=weights)
        expected = on_cpu(NET).fit(X, y, sample_weight=weights)
        assert_nearly_same(net, expected, X)
        assert (net.predict_proba(X) != clone(NET).fit(X, y).predict_proba(X)).any()

    @pytest.mark.parametrize("max_features", [16384, 500])
    def test_sparse_rows(self, max_features):
        X = sp.random(300, 2100, density=0.05, format="csr", random_state=0, dtype=np.float32)
        y = (X @ np.random.default_rng(1).normal(size=2100) > 0).astype(int)
        net = clone(NET).set_params(module__max_features=max_features, forget_rate=0.1)
        assert_nearly_same(clone(net).fit(X, y), on_cpu(net).fit(X, y), X)
        assert_nearly_same(clone(net).fit(X, y), clone(net).fit(X.toarray(), y), X)

    def test_refining_and_training_further(self, rows):
        X, y_true, y = rows
        nets = [clone(NET), on_cpu(NET)]
        for net in nets:
            net.fit(X, y).partial_fit(X, y, epochs=4).refine(X, y_true, epochs=3, lr=0.01)
        assert_nearly_same(*nets, X)

    def test_validation_and_history(self, rows):
        X, y_true, y = rows
        net = clone(NET).fit(X, y, validation_data=(X, y_true))
        assert net.history[-1, "valid_acc"] == pytest.approx(net.score(X, y_true))
        json.dumps(net.history.to_list())  # numbers, no tensors

    @pytest.mark.parametrize("place", ["", ":host", ":disk"])
    @pytest.mark.parametrize("kind", ["float32", "float16"])
    def test_places_of_the_gradients_history(self, rows, kind, place):
        X, _, y = rows
        net = clone(NET).set_params(vog_storage=kind + place).fit(X, y)
        assert_nearly_same(net, on_cpu(NET).set_params(vog_storage=kind).fit(X, y), X)

    @pytest.mark.parametrize("n_features", [1, 513])
    def test_scores_of_many_rows(self, n_features):
        """More than one chunk of rows."""
        generator = torch.Generator().manual_seed(0)
        histories = [
            VarianceOfGradients(9_001, n_features, 3, device=place) for place in (DEVICE, "cpu")
        ]
        every = torch.arange(9_001)
        for _ in range(3):
            values = torch.randn(9_001, n_features, generator=generator)
            for history in histories:
                history.begin_epoch()
                history.record(every.to(history.ring.device), values.to(history.ring.device))
        ours, expected = (history.scores().cpu() for history in histories)
        torch.testing.assert_close(ours, expected)


class TestInputs:
    @pytest.mark.parametrize("lazy", [False, True])
    def test_pinned_memory(self, images, lazy):
        X, _, y = images
        data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y)) if lazy else X
        scale = {"train_transform": scaled, "eval_transform": scaled, "max_epochs": 4}
        pinned = {"iterator_train__pin_memory": True, "iterator_valid__pin_memory": True}
        plain = clone(NET).set_params(**scale).fit(X, y)
        net = clone(NET).set_params(**scale, **pinned).fit(data, y)
        assert_nearly_same(net, plain, X)
        assert_allclose(net.predict_proba(data), net.predict_proba(X), atol=1e-5)

    def test_tensors_on_the_device(self, rows):
        X, _, y = rows
        there = torch.tensor(X, device=DEVICE), torch.tensor(y, device=DEVICE)
        net = clone(NET).fit(*there, sample_weight=torch.ones(len(y), device=DEVICE))
        assert_nearly_same(net, clone(NET).fit(X, y), X)
        assert_allclose(net.predict_proba(there[0]), net.predict_proba(X), atol=1e-6)

    @pytest.mark.parametrize("preload", [False, True])
    def test_augmentation_draws_from_the_seed(self, images, preload):
        X, _, y = images
        net = clone(NET).set_params(
            train_transform=shaken, eval_transform=scaled, preload=preload, max_epochs=4
        )
        before = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
        runs = [clone(net).set_params(random_state=seed).fit(X, y) for seed in (0, 0, 1)]
        after = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
        assert torch.equal(before, after)
        first, again, other = (run.predict_proba(X) for run in runs)
        assert_allclose(first, again, atol=1e-3)
        assert abs(first - other).max() > 1e-3

    def test_dropout_draws_from_the_seed(self, rows):
        X, _, y = rows
        net = clone(NET).set_params(module__dropout=0.5).fit(X, y)
        learner = LearnerOf(net)
        asked = [bald_sampling(learner, X, 20, random_state=seed) for seed in (0, 0, 1)]
        assert_array_equal(asked[0], asked[1])
        assert set(asked[0]) != set(asked[2])

    def test_frozen_features(self, images):
        X, _, y = images
        torch.manual_seed(0)
        backbone = torchvision_classifier("resnet18", weights=None)(num_classes=2)
        backbone.fc = torch.nn.Identity()
        there, here = (
            FrozenFeatures(copy.deepcopy(backbone), eval_transform=scaled, device=device)
            for device in (DEVICE, "cpu")
        )
        features, expected = there.fit_transform(X), here.fit_transform(X)
        assert np.linalg.norm(features - expected) < 1e-3 * np.linalg.norm(expected)
        again = pickle.loads(pickle.dumps(there)).transform(X)
        assert_allclose(again, features, rtol=1e-3, atol=1e-5)
        half = clone(there).set_params(autocast="bfloat16").fit_transform(X)
        assert np.linalg.norm(half - expected) < 0.05 * np.linalg.norm(expected)
        model = make_pipeline(there, LogisticRegression(max_iter=1000)).fit(X, y)
        assert model.predict(X).shape == y.shape


class LearnerOf:
    def __init__(self, net):
        self.estimator, self.predict_proba = net, net.predict_proba


WITHOUT_GPU = """
import pickle, sys, warnings
import numpy as np
import torch
warnings.simplefilter("ignore")  # skorch says where it loads to
torch.set_num_threads(1)
assert not torch.cuda.is_available()
folder = sys.argv[1]
data = np.load(f"{folder}/data.npz")
with open(f"{folder}/net.pickle", "rb") as file:
    net = pickle.load(file)
proba = net.predict_proba(data["X"])
state = pickle.loads(pickle.dumps(net))
net.partial_fit(data["X"], data["y"], epochs=4)
net.refine(data["X"], data["y"], epochs=1)
print(net.device, next(net.module_.parameters()).device)
np.savez(f"{folder}/found.npz", proba=proba, further=net.predict_proba(data["X"]))
"""


class TestKeptAndMoved:
    @pytest.mark.parametrize("autocast", [None, "float16"])
    def test_pickles_load_where_there_is_no_gpu(self, rows, autocast, tmp_path):
        X, _, y = rows
        net = clone(NET).set_params(autocast=autocast).fit(X, y)
        (tmp_path / "net.pickle").write_bytes(pickle.dumps(net))
        np.savez(tmp_path / "data.npz", X=X, y=y)
        root = str(Path(__file__).parents[1])
        paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_GPU, str(tmp_path)],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.split() == ["cpu", "cpu"]
        with np.load(tmp_path / "found.npz") as found:
            atol = 1e-5 if autocast is None else 0.02
            assert_allclose(found["proba"], net.predict_proba(X), atol=atol)
            net.partial_fit(X, y, epochs=4).refine(X, y, epochs=1)
            agree = found["further"].argmax(axis=1) == net.predict_proba(X).argmax(axis=1)
            assert agree.mean() > 0.98

    def test_copies(self, rows):
        X, _, y = rows
        net = clone(NET).fit(X, y)
        for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
            assert twin.device == DEVICE
            assert_allclose(twin.predict_proba(X), net.predict_proba(X), atol=1e-6)
            twin.partial_fit(X, y, epochs=4)
        assert not clone(net).initialized_
        module = net.to_module()
        assert {p.device.type for p in module.parameters()} == {"cpu"}
        logits = module(torch.tensor(X, dtype=torch.float32)).detach()
        assert_allclose(torch.softmax(logits, 1), net.predict_proba(X), atol=1e-5)

    @pytest.mark.parametrize("way", [(DEVICE, "cpu"), ("cpu", DEVICE)])
    def test_a_fitted_net_moves(self, rows, way):
        X, _, y = rows
        there, here = way
        net = clone(NET).set_params(device=there).fit(X, y)
        expected = net.predict_proba(X)
        stays = copy.deepcopy(net)
        net.set_params(device=here)
        assert {p.device.type for p in net.module_.parameters()} == {here}
        buffers = [value for state in net.optimizer_.state.values() for value in state.values()]
        assert {b.device.type for b in buffers if b is not None} == {here}
        assert_allclose(net.predict_proba(X), expected, atol=1e-5)
        for one in (net, stays):
            one.partial_fit(X, y, epochs=4)
        assert_nearly_same(net, stays, X)
        with pytest.raises(ValueError, match="device must be one that torch finds here"):
            net.set_params(device="cuda:99")
        assert net.device == here

    @pytest.mark.parametrize("way", [(DEVICE, "cpu"), ("cpu", DEVICE)])
    @pytest.mark.parametrize("use_safetensors", [False, True])
    def test_files_of_parameters(self, rows, way, use_safetensors, tmp_path):
        X, _, y = rows
        there, here = way
        net = clone(NET).set_params(device=there).fit(X, y)
        net.save_params(f_params=tmp_path / "params", use_safetensors=use_safetensors)
        other = CoTeachingVOGClassifier(device=here)
        other.load_params(f_params=tmp_path / "params", use_safetensors=use_safetensors)
        assert_allclose(other.predict_proba(X), net.predict_proba(X), atol=1e-5)

    def test_training_goes_on_from_a_checkpoint(self, rows, tmp_path):
        X, _, y = rows
        checkpoint = Checkpoint(dirname=str(tmp_path), monitor=None)
        clone(NET).set_params(callbacks=[checkpoint]).fit(X, y, epochs=5)
        nets = [clone(NET), on_cpu(NET)]
        for net in nets:
            net.load_params(
                f_params=tmp_path / "params.pt",
                f_optimizer=tmp_path / "optimizer.pt",
                f_history=tmp_path / "history.json",
            )
            net.partial_fit(X, y, epochs=5)
            assert len(net.history) == 10
        assert_nearly_same(*nets, X)

    def test_an_interrupt_leaves_numbers(self, rows):
        X, _, y = rows

        class Interrupt(Callback):
            def on_batch_end(self, net, **kwargs):
                if len(net.history) == 3 and len(net.history[-1, "batches"]) == 4:
                    raise RuntimeError("enough")

        net = clone(NET).set_params(callbacks=[Interrupt()])
        with pytest.raises(RuntimeError, match="enough"):
            net.fit(X, y)
        json.dumps(net.history.to_list())
        assert len(net.history[-1, "batches"]) == 4
        pickle.dumps(net.set_params(callbacks=None))


class TestCleaner:
    def cleaner(self, **params):
        net = clone(NET).set_params(random_state=None)
        return ActiveLabelCleaner(net, n_rounds=2, round_budget=10, random_state=0, **params)

    @pytest.mark.parametrize("query_strategy", ["label_disagreement", "coreset", "entropy"])
    def test_as_on_the_cpu(self, rows, query_strategy):
        X, y_true, y = rows
        cleaner = self.cleaner(query_strategy=query_strategy).fit(X, y, y_clean=y_true)
        expected = self.cleaner(query_strategy=query_strategy)
        expected.set_params(estimator__device="cpu").fit(X, y, y_clean=y_true)
        assert (cleaner.labels_ == expected.labels_).mean() > 0.95
        assert (cleaner.predict(X) == expected.predict(X)).mean() > 0.95
        assert (cleaner.labels_ == y_true).mean() > (y == y_true).mean()

    @pytest.mark.parametrize("backend", ["threading", "loky"])
    def test_several_models_at_a_time(self, rows, backend):
        X, y_true, y = rows
        one = self.cleaner().fit(X, y, y_clean=y_true)
        with joblib.parallel_config(backend):
            two = self.cleaner(n_jobs=2).fit(X, y, y_clean=y_true)
        assert_allclose(two.predict_proba(X), one.predict_proba(X), atol=0.05)
        assert (one.labels_ == two.labels_).mean() > 0.97

    def test_a_run_is_resumed(self, rows, tmp_path):
        X, y_true, y = rows
        journal = tmp_path / "run.db"
        first = self.cleaner(journal=journal)
        first.start(X, y)
        asked = first.query()
        first.teach(asked, y_true[asked])
        proba = first.predict_proba(X)
        first.close()
        again = self.cleaner(journal=journal)
        again.start(X, y)
        assert_allclose(again.predict_proba(X), proba, atol=1e-3)
        assert again.estimator_.predict(X).shape == y.shape
        again.close()

    def test_audit_and_cross_validation(self, rows):
        X, y_true, y = rows
        net = clone(NET).set_params(random_state=0)
        issues = find_label_issues(net, X, y, cv=3, random_state=0)
        expected = find_label_issues(on_cpu(net), X, y, cv=3, random_state=0)
        assert (issues["is_issue"] == expected["is_issue"]).mean() > 0.97
        scores = cross_val_score(net, X, y, cv=2)
        assert_allclose(scores, cross_val_score(on_cpu(net), X, y, cv=2), atol=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the compiler gives advice
def test_compiled(rows):
    """Skipped where triton's compiler fails, as that of torch 2.11 does on an H200."""
    X, _, y = rows
    try:
        net = clone(NET).set_params(compile=True).fit(X, y)
    except torch._inductor.exc.InductorError as error:
        if "PassManager::run failed" not in str(error):
            raise
        pytest.skip(f"the compiler of triton fails: {error}")
    expected = clone(NET).fit(X, y)
    assert (net.clean_mask_ == expected.clean_mask_).mean() > 0.97
    assert_allclose(net.predict_proba(X), expected.predict_proba(X), atol=0.05)
