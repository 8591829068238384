"""What happens to images between the loader and the networks, and how networks are run."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.utils.data import Dataset

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching._pair import HeadInput

QUICK = {
    "max_epochs": 4,
    "forget_rate": 0.2,
    "ramp_epochs": 1,
    "warmup_epochs": 1,
    "vog_window": 2,
    "mix_ratio": 0.5,
    "random_state": 0,
}


@pytest.fixture
def images():
    """Bytes: dark and bright images, of one channel."""
    rng = np.random.RandomState(0)
    y = np.arange(60) % 2
    X = rng.randint(0, 100, (60, 1, 8, 8)) + 120 * y[:, None, None, None]
    return X.astype(np.uint8), y


def scaled(X):
    return X.float() / 255


class Watching:
    """A transform that remembers what it was called with."""

    def __init__(self, transform=scaled):
        self.transform = transform
        self.dtypes = set()
        self.n_samples = 0

    def __call__(self, X):
        self.dtypes.add(X.dtype)
        self.n_samples += len(X)
        return self.transform(X)


class LazyImages(Dataset):
    def __init__(self, X, y):
        self.X, self.targets = torch.from_numpy(X), y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.targets[i]


class TestTransforms:
    def test_same_as_transforming_beforehand(self, images):
        X, y = images
        scale = {"train_transform": scaled, "eval_transform": scaled}
        ours = CoTeachingVOGClassifier(**QUICK, **scale).fit(X, y)
        before = CoTeachingVOGClassifier(**QUICK).fit(X.astype(np.float32) / 255, y)
        floats = X.astype(np.float32) / 255
        np.testing.assert_array_equal(ours.predict_proba(X), before.predict_proba(floats))
        np.testing.assert_array_equal(ours.extract_features(X), before.extract_features(floats))
        np.testing.assert_array_equal(ours.vog_, before.vog_)

    @pytest.mark.parametrize("lazy", [False, True])
    def test_training_and_everything_else_are_kept_apart(self, images, lazy):
        X, y = images
        data = LazyImages(X, y) if lazy else X
        train, evaluate = Watching(), Watching()
        net = CoTeachingVOGClassifier(**QUICK, train_transform=train, eval_transform=evaluate)
        net.fit(data, y)
        assert train.n_samples == 4 * len(X)
        assert train.dtypes == evaluate.dtypes == {torch.uint8}
        n_evaluated = evaluate.n_samples  # a sample or two to see what comes out
        assert n_evaluated <= 4
        net.predict(data)
        net.extract_features(data)
        list(net.forward_iter(data, training=True))  # dropout on, augmentation off
        assert train.n_samples == 4 * len(X)
        assert evaluate.n_samples == n_evaluated + 3 * len(X)

    def test_queries_see_images_as_they_are(self, images):
        X, y = images
        train, evaluate = Watching(), Watching()
        net = CoTeachingVOGClassifier(**QUICK, train_transform=train, eval_transform=evaluate)
        cleaner = ActiveLabelCleaner(
            net,
            "coreset",
            n_rounds=1,
            round_budget=3,
            pool="untrusted",
            trust="once",
            random_state=0,
        )
        # Transforms are no estimators: clone copies them, and the copies are at the fitted net.
        cleaner.start(X, y)
        fitted = cleaner.estimator_
        seen = fitted.train_transform.n_samples
        cleaner.query()
        assert fitted.train_transform.n_samples == seen == 4 * len(X)
        assert fitted.eval_transform.n_samples > 0

    def test_augmentation_draws_from_the_seed(self, images):
        X, y = images

        def noisy(X):
            return scaled(X) + 0.1 * torch.randn(X.shape)

        runs = []
        for seed in (0, 0, 1):
            settings = {**QUICK, "random_state": seed}
            torch.manual_seed(len(runs))
            net = CoTeachingVOGClassifier(
                **settings, train_transform=noisy, eval_transform=scaled
            ).fit(X, y)
            runs.append(net.predict_proba(X))
        np.testing.assert_array_equal(runs[0], runs[1])
        assert (runs[0] != runs[2]).any()

    def test_networks_are_built_for_what_comes_out(self, images, tmp_path):
        X, y = images

        def coloured(X):
            return scaled(X).repeat(1, 3, 1, 1)[..., :4, :4]

        net = CoTeachingVOGClassifier(**QUICK, train_transform=coloured, eval_transform=coloured)
        net.fit(X, y)
        assert net.module_.spec.input_shape == (3, 4, 4)
        assert net.score(X, y) > 0.9
        net.save_params(f_params=tmp_path / "params")
        other = CoTeachingVOGClassifier(eval_transform=coloured)
        other.load_params(f_params=tmp_path / "params")
        np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))

    def test_a_transform_that_fails_does_so_before_training(self, images):
        X, y = images

        def broken(X):
            raise RuntimeError("no such image")

        net = CoTeachingVOGClassifier(**QUICK, eval_transform=broken)
        with pytest.raises(ValueError, match="eval_transform: no such image"):
            net.fit(X, y)
        assert not hasattr(net, "classes_")
        with pytest.raises(ValueError, match="'train_transform' parameter"):
            CoTeachingVOGClassifier(train_transform="flip").fit(X, y)


class Scaled(nn.Module):
    """Logits that are a copy of what the head gave: the automatic search does not see it."""

    def __init__(self, in_channels, num_classes, factor=1):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU())
        self.last = nn.Linear(8, num_classes)
        self.other = nn.Linear(8, num_classes)
        self.factor = factor

    def forward(self, X):
        return self.factor * self.last(self.body(X))


class TestHead:
    def test_a_named_head_is_used(self, images):
        X, y = images
        with pytest.raises(ValueError, match="head='name' names one"):
            CoTeachingVOGClassifier(Scaled, **QUICK).fit(X, y)
        net = CoTeachingVOGClassifier(Scaled, **QUICK, head="last").fit(X, y)
        features = torch.from_numpy(net.extract_features(X))
        halves = features.split(8, dim=1)
        heads = [network.last for network in net.module_.networks]
        logits = sum(head(half) for head, half in zip(heads, halves, strict=True)) / 2
        np.testing.assert_allclose(
            torch.softmax(logits, 1).detach(), net.predict_proba(X), atol=1e-6
        )

    @pytest.mark.parametrize(
        ("head", "factor", "message"),
        [
            ("nowhere", 1, "no part of the network"),
            ("body", 1, r"must name a torch.nn.Linear, got a Sequential"),
            ("other", 1, "not the layer that computes the logits"),
            ("last", 2, "not the layer that computes the logits"),
        ],
    )
    def test_a_wrong_name_is_refused(self, images, head, factor, message):
        X, y = images
        net = CoTeachingVOGClassifier(Scaled, module__factor=factor, **QUICK, head=head)
        with pytest.raises(ValueError, match=message):
            net.fit(X.astype(np.float32), y)

    def test_hooks_stay_out_of_copies_and_exports(self, images):
        X, y = images
        net = CoTeachingVOGClassifier(**QUICK).fit(X, y)
        module = net.to_module()
        hooks = [hook for part in module.modules() for hook in part._forward_pre_hooks.values()]
        assert not any(isinstance(hook, HeadInput) for hook in hooks)
        for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
            np.testing.assert_array_equal(twin.extract_features(X), net.extract_features(X))
            twin.partial_fit(X, y, epochs=3)


class TestPrecision:
    @pytest.mark.parametrize(
        ("option", "tolerance"),
        [
            ({"channels_last": True}, 0.01),
            ({"autocast": "bfloat16"}, 0.05),
            ({"autocast": "float16"}, 0.05),
        ],
    )
    def test_nearly_the_same_numbers(self, images, option, tolerance):
        X, y = images
        X = X.astype(np.float32) / 255
        plain = CoTeachingVOGClassifier(**QUICK).fit(X, y)
        net = CoTeachingVOGClassifier(**QUICK, **option).fit(X, y)
        np.testing.assert_allclose(net.predict_proba(X), plain.predict_proba(X), atol=tolerance)
        assert net.predict_proba(X).dtype == np.float32
        assert net.extract_features(X).dtype == np.float32
        assert net.history[-1, "vog_used"]
        assert np.isfinite(net.vog_).all()
        again = clone(net).fit(X, y)
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
        pickle.loads(pickle.dumps(net)).refine(X, y, epochs=1)

    def test_scaled_losses_leave_gradients_in_their_units(self, images):
        """Clipping looks at true gradients, not at those of the scaled loss."""
        from skorch.callbacks import Callback

        class Norms(Callback):
            def on_train_begin(self, net, **kwargs):
                self.norms_ = []

            def on_grad_computed(self, net, named_parameters, **kwargs):
                gradients = [p.grad.flatten() for _, p in named_parameters]
                self.norms_.append(torch.cat(gradients).norm().item())

        X, y = images
        X = X.astype(np.float32) / 255
        norms = []
        for autocast in (None, "float16"):
            watch = Norms()
            CoTeachingVOGClassifier(**QUICK, autocast=autocast, callbacks=[watch]).fit(X, y)
            norms.append(watch.norms_)
        np.testing.assert_allclose(norms[0][:2], norms[1][:2], rtol=0.1)

    @pytest.mark.slow
    def test_compiled_training_is_the_same(self, images):
        X, y = images
        X = X.astype(np.float32) / 255
        plain = CoTeachingVOGClassifier(**QUICK).fit(X, y)
        graphs = []

        def backend(graph, inputs):
            graphs.append(graph)
            return graph.forward

        net = CoTeachingVOGClassifier(**QUICK, compile=True, compile__backend=backend).fit(X, y)
        np.testing.assert_allclose(net.predict_proba(X), plain.predict_proba(X), atol=1e-5)
        np.testing.assert_allclose(net.vog_, plain.vog_, atol=1e-5)
        n_graphs = len(graphs)
        assert n_graphs >= 2
        net.partial_fit(X, y, epochs=3)
        assert len(graphs) == n_graphs  # nothing is compiled anew epoch by epoch
        np.testing.assert_allclose(
            net.extract_features(X),
            plain.partial_fit(X, y, epochs=3).extract_features(X),
            atol=1e-4,
        )

    def test_bad_values(self, images):
        X, y = images
        for option in ({"autocast": "int8"}, {"channels_last": 1.5}, {"preload": "yes"}):
            with pytest.raises(ValueError, match=f"The '{next(iter(option))}' parameter"):
                CoTeachingClassifier(**option).fit(X, y)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnDevice:
    @pytest.mark.parametrize("autocast", [None, "bfloat16", "float16"])
    def test_trains_and_stays_there(self, images, autocast):
        X, y = images
        X = X.astype(np.float32) / 255
        net = CoTeachingVOGClassifier(
            **QUICK, device="cuda", autocast=autocast, channels_last=True, preload=True
        )
        net.fit(X, y)
        assert net.score(X, y) > 0.9
        assert next(net.module_.parameters()).is_cuda

    def test_batches_do_not_wait_for_the_device(self, images):
        """More batches an epoch bring no more operations that wait. (Not yet run on a GPU.)"""
        X, y = images
        X = X.astype(np.float32) / 255
        n_waits = []
        for batch_size in (20, 4):
            net = CoTeachingVOGClassifier(
                **QUICK, batch_size=batch_size, device="cuda", preload=True
            ).fit(X, y)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    torch.cuda.set_sync_debug_mode("warn")  # warns first that it is a prototype
                    net.partial_fit(X, y, epochs=4)
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            assert net.history[-1, "train_batch_count"] == 60 / batch_size
            n_waits.append(sum("called a synchronizing" in str(one.message) for one in caught))
        assert n_waits[0] > 0  # once an epoch, for the losses
        assert n_waits[1] - n_waits[0] < 4 * (15 - 3)  # fewer than one a batch
