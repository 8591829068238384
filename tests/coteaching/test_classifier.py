"""The classifiers as users meet them: data, labels, files, parameters."""

import copy
import io
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching import PAPER_PARAMS

QUICK = {"max_epochs": 8, "forget_rate": 0.3, "ramp_epochs": 2, "batch_size": 32, "random_state": 0}
ESTIMATORS = [CoTeachingClassifier, CoTeachingVOGClassifier]


@pytest.fixture
def net():
    return CoTeachingClassifier(**QUICK)


class PlainDataset(Dataset):
    """Items (x, y) and nothing else."""

    def __init__(self, X, y):
        self.pairs = list(zip(X, y, strict=True))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


class Unlabelled(PlainDataset):
    def __getitem__(self, i):
        return self.pairs[i][0]


class TestLabels:
    @pytest.fixture(params=["five and fifteen", "strings", "booleans", "objects", "floats"])
    def kind(self, request):
        return {
            "five and fifteen": np.array([5, 15]),
            "strings": np.array(["healthy", "ill"]),
            "booleans": np.array([False, True]),
            "objects": np.array(["no", "yes"], dtype=object),
            "floats": np.array([1.0, 2.0]),
        }[request.param]

    def test_any_kind_everywhere(self, blobs, kind, tmp_path):
        X, y, y_noisy = blobs
        y, y_noisy = kind[(y > 0).astype(int)], kind[(y_noisy > 0).astype(int)]
        seen = []

        def score(net, X, y):
            seen.append(y)
            return f1_score(y, net.predict(X), average="macro")

        callbacks = [
            EpochScoring("f1_macro", lower_is_better=False, name="f1"),
            EpochScoring(score, lower_is_better=False, name="own"),
            EpochScoring(score, lower_is_better=False, name="uncached", use_caching=False),
            EpochScoring("accuracy", on_train=True, lower_is_better=False, name="train_acc"),
            EpochScoring("roc_auc_ovr", lower_is_better=False, name="auc"),
            Checkpoint(monitor="f1_best", dirname=tmp_path, load_best=True),
            EarlyStopping(monitor="f1", patience=50, lower_is_better=False),
        ]
        net = CoTeachingClassifier(**QUICK, callbacks=callbacks)
        net.fit(X, y_noisy, validation_data=(X, y))
        np.testing.assert_array_equal(net.classes_, kind)
        assert net.predict(X).dtype == kind.dtype
        assert seen
        for labels in seen:
            np.testing.assert_array_equal(labels, y)
        last = net.history[-1]
        assert last["valid_acc"] > 0.8
        np.testing.assert_allclose(net.history[:, "own"], net.history[:, "f1"])
        np.testing.assert_allclose(net.history[:, "uncached"], net.history[:, "f1"])
        best = max(net.history[:, "f1"])
        assert f1_score(y, net.predict(X), average="macro") == pytest.approx(best)

    def test_early_stopping_stops(self, blobs):
        X, y, y_noisy = blobs
        net = CoTeachingClassifier(
            **{**QUICK, "lr": 0.0}, callbacks=[EarlyStopping(monitor="valid_loss", patience=3)]
        )
        net.fit(X, y_noisy, validation_data=(X, y))
        assert len(net.history) < 8
        assert net.clean_mask_.shape == y.shape

    def test_same_results_whatever_the_labels_are_called(self, blobs, net):
        X, _, y = blobs
        names = np.array(["a", "b", "c"])
        by_code = clone(net).fit(X, y)
        by_name = clone(net).fit(X, names[y])
        np.testing.assert_array_equal(by_name.predict(X), names[by_code.predict(X)])
        np.testing.assert_array_equal(by_name.clean_mask_, by_code.clean_mask_)

    def test_a_class_missing_from_the_data_has_its_column(self, blobs):
        X, _, y = blobs
        net = CoTeachingClassifier(**QUICK, classes=[7, 2, 1, 0]).fit(X, y)
        np.testing.assert_array_equal(net.classes_, [0, 1, 2, 7])
        assert net.predict_proba(X).shape == (len(X), 4)

    def test_validation_data_of_train_split_and_predefined_split(self, blobs):
        X, y, y_noisy = blobs
        names = np.array(["a", "b", "c"])
        for split in (
            ValidSplit(5, stratified=True),
            predefined_split(SkorchDataset(X, names[y])),
        ):
            net = CoTeachingClassifier(**QUICK, train_split=split).fit(X, names[y_noisy])
            assert 0.4 < net.history[-1, "valid_acc"] <= 1
        held_out = np.isnan(
            CoTeachingClassifier(**QUICK, train_split=ValidSplit(5)).fit(X, y).sample_loss_
        )
        assert held_out.sum() == len(X) / 5


class TestInputs:
    @pytest.mark.parametrize(
        "convert",
        [
            lambda X: X.astype(np.float64),
            lambda X: X.astype(np.float16),
            lambda X: X.tolist(),
            lambda X: pd.DataFrame(X),
            torch.from_numpy,
            lambda X: torch.from_numpy(X).double(),
            lambda X: np.asfortranarray(X),
        ],
        ids=["float64", "float16", "list", "DataFrame", "tensor", "double tensor", "fortran"],
    )
    def test_kinds_of_X_give_the_same(self, blobs, net, convert):
        X, _, y = blobs
        X = np.round(X * 8) / 8  # exact in float16
        expected = clone(net).fit(X, y).predict_proba(X)
        converted = convert(X)
        if isinstance(converted, pd.DataFrame):
            converted.columns = list("abcd")
        ours = net.fit(converted, y)
        np.testing.assert_array_equal(ours.predict_proba(converted), expected)
        assert ours.n_features_in_ == 4

    def test_feature_names_are_checked(self, blobs, net):
        X, _, y = blobs
        frame = pd.DataFrame(X, columns=list("abcd"))
        net.fit(frame, y)
        assert net.feature_names_in_.tolist() == list("abcd")
        with pytest.raises(ValueError, match="feature names"):
            net.predict(frame[list("badc")])

    def test_images(self, net):
        rng = np.random.default_rng(0)
        y = np.arange(40) % 2
        X = rng.integers(0, 200, (40, 1, 9, 12)).astype(np.uint8)
        X[y == 1, :, :4] += 50
        net.set_params(batch_size=8).fit(X, y)
        assert net.score(X, y) > 0.9
        assert net.extract_features(X).shape == (40, 2 * net.module_.heads()[0].in_features)

    @pytest.mark.parametrize("make", [PlainDataset, Unlabelled])
    def test_dataset_with_labels_beside_it(self, blobs, net, make):
        X, _, y = blobs
        expected = clone(net).fit(X, y)
        dataset = make(X, np.full(len(y), 9))  # whose own labels lose
        net.fit(dataset, y)
        np.testing.assert_array_equal(net.predict_proba(dataset), expected.predict_proba(X))
        np.testing.assert_array_equal(net.clean_mask_, expected.clean_mask_)
        np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))

    def test_dataset_with_its_own_labels(self, blobs, net):
        X, _, y = blobs
        expected = clone(net).fit(X, y).predict_proba(X)
        tensors = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        for dataset in (PlainDataset(X, y), tensors):
            ours = clone(net).fit(dataset)
            np.testing.assert_array_equal(ours.predict_proba(dataset), expected)

    @pytest.mark.parametrize("preload", [False, True])
    def test_inputs_are_never_written_to(self, blobs, net, preload):
        X, _, y = blobs
        before = X.copy(), y.copy()
        in_place = lambda batch: batch.add_(1)  # noqa: E731
        net.set_params(preload=preload, train_transform=in_place, eval_transform=in_place)
        net.fit(X, y, validation_data=(X, y)).predict(X)
        np.testing.assert_array_equal(X, before[0])
        np.testing.assert_array_equal(y, before[1])

    @pytest.mark.parametrize("preload", [False, True])
    def test_read_only_arrays_are_taken(self, blobs, net, preload):
        X, _, y = blobs
        expected = clone(net).fit(X, y).predict_proba(X)
        for array in (X, y):
            array.flags.writeable = False
        net.set_params(preload=preload).fit(X, y, validation_data=(X, y))
        np.testing.assert_array_equal(net.predict_proba(X), expected)

    def test_iterators_of_the_user_are_honoured(self, blobs):
        X, _, y = blobs
        lists = []

        def collate(samples):
            lists.append(type(samples))
            return torch.utils.data.default_collate(samples)

        plain = CoTeachingClassifier(**QUICK).fit(X, y).predict_proba(X)
        ours = CoTeachingClassifier(**QUICK, iterator_train__collate_fn=collate).fit(X, y)
        np.testing.assert_array_equal(ours.predict_proba(X), plain)
        assert set(lists) == {list}
        workers = CoTeachingClassifier(**QUICK, iterator_train__num_workers=1)
        np.testing.assert_allclose(workers.fit(X, y).predict_proba(X), plain, atol=1e-5)


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"forget_rate": 1.0}, "forget_rate"),
            ({"forget_rate": -0.1}, "forget_rate"),
            ({"forget_rate": "much"}, "forget_rate"),
            ({"mix_ratio": 1.1}, "mix_ratio"),
            ({"mix_ratio": -0.1}, "mix_ratio"),
            ({"ramp_epochs": -1}, "ramp_epochs"),
            ({"exponent": 0}, "exponent"),
            ({"warmup_epochs": 1.5}, "warmup_epochs"),
            ({"vog_window": 1}, "vog_window"),
            ({"vog_gradient": "input"}, "vog_gradient"),
            ({"vog_storage": "int8"}, "vog_storage"),
            ({"max_epochs": 0}, "max_epochs"),
            ({"batch_size": 0}, "batch_size"),
            ({"random_state": "now"}, "random_state"),
            ({"classes": [0, 1]}, r"not among the classes \[0, 1\].*2"),
            ({"mix_ration": 0.5}, "mix_ration"),
        ],
    )
    def test_parameters(self, blobs, parameters, message):
        X, _, y = blobs
        with pytest.raises((ValueError, TypeError), match=message):
            CoTeachingVOGClassifier(**{"max_epochs": 10**9, **parameters}).fit(X, y)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda X, y: (X, y[:-1]), "inconsistent.*115.*114"),
            (lambda X, y: (np.where(X == X.max(), np.nan, X), y), "NaN"),
            (lambda X, y: (np.where(X == X.max(), np.inf, X), y), "infinity"),
            (lambda X, y: (torch.from_numpy(np.where(X == X.max(), np.nan, X)), y), "NaN"),
            (lambda X, y: (X, np.zeros_like(y)), "one class"),
            (lambda X, y: (X, np.eye(3)[y]), "one-hot labels are not supported"),
            (lambda X, y: (X, np.where(y == 2, np.nan, y)), "NaN"),
            (lambda X, y: (X, y + 0.5), "continuous"),
            (lambda X, y: (X, None), "requires y"),
            (lambda X, y: (X[:, 0], y), "2D array"),
            (lambda X, y: (X[:1], y[:1]), "minimum of 2"),
            (lambda X, y: (X[:, :, None], y), "2 or 4 dimensions"),
            (lambda X, y: (np.zeros((115, 28, 28, 3)), y), "channels-last"),
            (lambda X, y: (Unlabelled(X, y), None), "y is required"),
        ],
    )
    def test_data(self, blobs, change, message):
        X, _, y = blobs
        with pytest.raises(ValueError, match=message):
            CoTeachingClassifier(max_epochs=10**9).fit(*change(X, y))

    def test_validation_data(self, blobs, net):
        X, _, y = blobs
        with pytest.raises(TypeError, match="tuple"):
            net.fit(X, y, validation_data=X)
        with pytest.raises(ValueError, match="y_val has labels that are not among"):
            net.fit(X, y, validation_data=(X, y + 5))
        with pytest.raises(ValueError, match="X has 3 features"):
            net.fit(X, y, validation_data=(X[:, :3], y))

    def test_a_module_instance_is_refused_with_the_reason(self, blobs):
        X, _, y = blobs
        with pytest.raises(TypeError, match="two networks with different initial weights"):
            CoTeachingClassifier(nn.Linear(4, 3)).fit(X, y)

    def test_a_module_of_the_wrong_width_is_refused(self, blobs):
        X, _, y = blobs
        with pytest.raises(ValueError, match=r"\(2, 3\), got \(2, 7\).*module__num_classes=3"):
            CoTeachingClassifier(nn.Linear, module__out_features=7, max_epochs=10**9).fit(X, y)

    def test_vog_without_a_linear_head_is_refused(self, blobs):
        X, _, y = blobs

        class NoHead(nn.Module):
            def __init__(self, in_features, num_classes):
                super().__init__()
                self.layer = nn.Linear(in_features, num_classes)

            def forward(self, X):
                return self.layer(X) * 2

        net = CoTeachingVOGClassifier(NoHead, **QUICK)
        with pytest.raises(ValueError, match="NoHead has no linear head"):
            net.fit(X, y)
        net.set_params(mix_ratio=0).fit(X, y)
        with pytest.raises(ValueError, match="no linear head"):
            net.extract_features(X)

    def test_before_fit(self, blobs, net):
        X, _, _ = blobs
        from sklearn.exceptions import NotFittedError

        for method in ("predict", "predict_proba", "extract_features"):
            with pytest.raises(NotFittedError):
                getattr(net, method)(X)
        with pytest.raises(AttributeError, match="before fit"):
            net.classes_  # noqa: B018
        with pytest.raises(ValueError, match="call fit"):
            net.initialize()

    def test_other_features_when_predicting(self, blobs, net):
        X, _, y = blobs
        with pytest.raises(ValueError, match="X has 3 features"):
            net.fit(X, y).predict(X[:, :3])


class TestModule:
    def test_arguments_that_follow_from_the_data_are_filled_in(self, blobs):
        X, _, y = blobs
        net = CoTeachingClassifier(nn.Linear, **QUICK).fit(X, y)
        for network in net.module_.networks:
            assert (network.in_features, network.out_features) == (4, 3)

    def test_arguments_of_the_user_win(self, blobs):
        X, _, y = blobs

        class Net(nn.Linear):
            def __init__(self, n_features, n_classes, scale=1):
                super().__init__(n_features, n_classes)
                self.scale = scale

            def forward(self, X):
                return super().forward(X[:, :2])

        net = CoTeachingClassifier(Net, module__n_features=2, module__scale=5, **QUICK).fit(X, y)
        assert net.module_.networks[0].in_features == 2
        assert net.module_.networks[1].scale == 5

    def test_a_factory_will_do(self, blobs):
        X, _, y = blobs
        net = CoTeachingClassifier(lambda num_classes: nn.Linear(4, num_classes), **QUICK)
        first, second = net.fit(X, y).module_.networks
        assert not torch.equal(first.weight, second.weight)

    @pytest.mark.parametrize("size", [1, 4, 8, 28, 65, 224])
    def test_default_network_is_sized_to_the_image(self, size):
        from noisyactive.coteaching._default_modules import SmallConvNet

        with torch.random.fork_rng():
            network = SmallConvNet(3, 5, size)
        assert network(torch.zeros(2, 3, size, size)).shape == (2, 5)
        before_pooling = network.body[:-2](torch.zeros(2, 3, size, size))
        assert before_pooling.shape[-1] <= 7


class TestFiles:
    @pytest.fixture
    def fitted(self, blobs):
        X, _, y = blobs
        names = np.array(["naïve", "b", "c"])
        return CoTeachingVOGClassifier(
            **{**QUICK, "forget_rate": 0.2}, warmup_epochs=2, vog_window=2
        ).fit(X, names[y])

    @pytest.mark.parametrize("use_safetensors", [False, True])
    @pytest.mark.parametrize("to", ["path", "file"])
    def test_a_classifier_that_never_saw_data_loads_everything(
        self, blobs, fitted, tmp_path, use_safetensors, to
    ):
        X, _, _ = blobs
        target = tmp_path / "params" if to == "path" else io.BytesIO()
        fitted.save_params(f_params=target, use_safetensors=use_safetensors)
        if to == "file":
            target.seek(0)
        other = CoTeachingVOGClassifier()
        other.load_params(f_params=target, use_safetensors=use_safetensors)
        np.testing.assert_array_equal(other.classes_, fitted.classes_)
        np.testing.assert_array_equal(other.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(other.extract_features(X), fitted.extract_features(X))
        with pytest.raises(ValueError, match="X has 3 features"):
            other.predict(X[:, :3])

    def test_loaded_networks_train_on(self, blobs, fitted, tmp_path):
        X, _, y = blobs
        fitted.save_params(f_params=tmp_path / "p")
        other = CoTeachingClassifier(**QUICK)
        other.load_params(f_params=tmp_path / "p")
        names = np.array(["naïve", "b", "c"])
        other.partial_fit(X, names[y], epochs=2)
        assert other.clean_mask_.shape == (len(X),)

    def test_a_checkpoint_is_loaded_before_there_are_networks(self, blobs, tmp_path):
        X, _, y = blobs
        checkpoint = Checkpoint(
            dirname=str(tmp_path), f_params="{last_epoch[epoch]}.pt", monitor=None
        )
        net = CoTeachingClassifier(**QUICK, callbacks=[checkpoint]).fit(X, y)
        other = CoTeachingClassifier()
        other.load_params(checkpoint=checkpoint)
        assert len(other.history) == len(net.history)
        np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))

    def test_a_foreign_file_is_refused(self, tmp_path):
        torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "p")
        with pytest.raises(ValueError, match="no parameters saved by a co-teaching"):
            CoTeachingClassifier().load_params(f_params=tmp_path / "p")

    @pytest.mark.parametrize("dtype", ["int64", "<U3", "object", "bool", "float64"])
    def test_labels_keep_their_type(self, blobs, tmp_path, dtype):
        X, _, y = blobs
        labels = np.array([0, 1], dtype=dtype)[(y > 0).astype(int)]
        net = CoTeachingClassifier(**QUICK).fit(X, labels)
        net.save_params(f_params=tmp_path / "p", use_safetensors=True)
        other = CoTeachingClassifier()
        other.load_params(f_params=tmp_path / "p", use_safetensors=True)
        assert other.predict(X).dtype == labels.dtype
        np.testing.assert_array_equal(other.predict(X), net.predict(X))

    def test_pickle(self, blobs, fitted):
        X, _, _ = blobs
        other = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(other.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(other.vog_, fitted.vog_)
        assert len(other.history) == len(fitted.history)

    def test_a_copy_is_trained_alone(self, blobs, fitted):
        X, _, y_noisy = blobs
        before = fitted.predict_proba(X)
        copy.copy(fitted).refine(X, fitted.classes_[y_noisy], epochs=1)
        np.testing.assert_array_equal(fitted.predict_proba(X), before)

    def test_to_module_is_plain_and_can_be_exported(self, blobs, fitted):
        X, _, _ = blobs
        x = torch.from_numpy(X)
        module = fitted.to_module()
        assert not module.training
        exported = torch.export.export(module, (x,)).module()
        for network in (module, exported):
            proba = torch.softmax(network(x), dim=1).detach().numpy()
            np.testing.assert_allclose(proba, fitted.predict_proba(X), atol=1e-6)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
        assert fitted.predict_proba(X).std() > 0  # a copy


def test_predictions_average_the_logits_of_both(blobs, net):
    X, _, y = blobs
    net.fit(X, y)
    with torch.no_grad():
        logits = [n.eval()(torch.from_numpy(X)) for n in net.module_.networks]
    expected = torch.softmax(sum(logits) / 2, dim=1).numpy()
    np.testing.assert_allclose(net.predict_proba(X), expected, atol=1e-6)


def test_average_is_a_linear_head_on_the_extracted_features(blobs, net):
    X, _, y = blobs
    net.fit(X, y)
    features = net.extract_features(X)
    first, second = (head.weight.detach().numpy() for head in net.module_.heads())
    bias = sum(head.bias.detach().numpy() for head in net.module_.heads())
    logits = (features @ np.hstack([first, second]).T + bias) / 2
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(proba, net.predict_proba(X), atol=1e-5)


def test_mc_dropout_keeps_the_order_of_samples(blobs, net):
    X, _, y = blobs
    net.fit(X, y)
    training = net.forward(X, training=True).detach()
    evaluating = net.forward(X)
    assert np.corrcoef(training.flatten(), evaluating.flatten())[0, 1] > 0.9


class TestParameters:
    @pytest.mark.parametrize("estimator", ESTIMATORS)
    def test_clone_and_get_params(self, estimator):
        net = estimator(nn.Linear, module__in_features=4, optimizer__momentum=0.5, lr=0.1)
        params = clone(net).get_params(deep=False)
        assert params == net.get_params(deep=False)
        assert params["module__in_features"] == 4
        assert {"forget_rate", "ramp_epochs", "warmup_epochs", "classes", "lr"} <= set(params)

    def test_the_fused_optimizer_of_the_default_networks_changes_nothing(self, blobs):
        X, _, y = blobs
        settings = {"max_epochs": 6, "warmup_epochs": 2, "vog_window": 2, "random_state": 0}
        plain, fused = (
            CoTeachingVOGClassifier(**settings, **options).fit(X, y)
            for options in ({"optimizer__fused": False}, {})
        )
        assert fused.optimizer_.param_groups[0]["fused"]
        np.testing.assert_array_equal(fused.selected_, plain.selected_)
        for ours, theirs in zip(
            fused.module_.parameters(), plain.module_.parameters(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize(
        "options",
        [
            {"module": nn.Linear, "module__in_features": 4, "module__out_features": 3},
            {"callbacks": [Callback()]},
            {"optimizer__foreach": True},
            {"channels_last": True},
        ],
    )
    def test_the_optimizer_is_fused_only_where_that_is_safe(self, blobs, options):
        X, _, y = blobs
        if "channels_last" in options:
            X = np.tile(X[:, None, :, None], (1, 1, 2, 8))
        net = CoTeachingClassifier(**options, forget_rate=0.2, max_epochs=1).fit(X, y)
        assert not net.optimizer_.param_groups[0]["fused"]

    def test_sgd_has_momentum_and_weight_decay_unless_told_otherwise(self, blobs):
        X, _, y = blobs
        net = CoTeachingClassifier(**QUICK).fit(X, y)
        (group,) = net.optimizer_.param_groups
        assert (group["momentum"], group["weight_decay"]) == (0.9, 1e-4)
        net.set_params(optimizer__momentum=0.5).fit(X, y)
        assert net.optimizer_.param_groups[0]["momentum"] == 0.5
        adam = CoTeachingClassifier(**QUICK, optimizer=torch.optim.Adam).fit(X, y)
        assert adam.optimizer_.param_groups[0]["weight_decay"] == 0

    def test_learning_rate_follows_a_cosine_and_starts_anew_in_every_call(self, blobs):
        X, _, y = blobs
        net = CoTeachingClassifier(**QUICK, lr=0.01).fit(X, y).partial_fit(X, y, epochs=4)
        cosine = lambda n: [0.005 * (1 + np.cos(np.pi * e / n)) for e in range(n)]  # noqa: E731
        np.testing.assert_allclose(net.history[:, "lr"], cosine(8) + cosine(4))
        net.set_params(lr=0.02).partial_fit(X, y, epochs=1)
        assert net.history[-1, "lr"] == 0.02

    def test_a_schedule_of_the_user_replaces_ours(self, blobs):
        X, _, y = blobs
        constant = LRScheduler("StepLR", step_size=100, event_name="rate")
        for callbacks in ([constant], [("mine", constant)]):
            net = CoTeachingClassifier(**QUICK, callbacks=callbacks).fit(X, y)
            np.testing.assert_allclose(net.history[:, "rate"], net.schedule_["lr"])
        net = CoTeachingClassifier(**QUICK, callbacks__lr_schedule=None).fit(X, y)
        assert net.optimizer_.param_groups[0]["lr"] == net.schedule_["lr"]

    def test_set_params_after_fit_builds_new_networks(self, blobs, net):
        X, _, y = blobs
        net.fit(X, y).set_params(module__hidden_features=7)
        assert net.module_.networks[0].head.in_features == 7
        assert net.fit(X, y).extract_features(X).shape == (len(X), 14)

    def test_warm_start_goes_on(self, blobs, net):
        X, _, y = blobs
        net.set_params(warm_start=True).fit(X, y).fit(X, y)
        assert len(net.history) == 16

    def test_partial_fit_on_something_new_is_fit(self, blobs, net):
        X, _, y = blobs
        expected = clone(net).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(net.partial_fit(X, y).predict_proba(X), expected)

    def test_partial_fit_knows_the_classes_of_its_first_call(self, blobs, net):
        X, _, y = blobs
        net.partial_fit(X, y, classes=[0, 1, 2, 3])
        net.partial_fit(X[y == 0], y[y == 0], epochs=1)
        assert net.predict_proba(X).shape[1] == 4

    def test_paper_preset(self, blobs):
        X, _, y = blobs
        net = CoTeachingVOGClassifier(forget_rate=0.5, mix_ratio=0.2, **PAPER_PARAMS)
        params = net.get_params()
        assert (params["max_epochs"], params["batch_size"], params["lr"]) == (50, 256, 0.01)
        assert params["warmup_epochs"] == params["ramp_epochs"] == 10
        net.set_params(max_epochs=1, mix_ratio=0).fit(X, y)


def test_in_a_pipeline_and_a_grid_search(blobs):
    X, _, y = blobs
    pipeline = make_pipeline(StandardScaler(), CoTeachingVOGClassifier(**QUICK, warmup_epochs=2))
    grid = {"coteachingvogclassifier__mix_ratio": [0.0, 0.5]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="f1_macro", error_score="raise")
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[-1].clean_mask_.shape == y.shape


class TestTrainingCalls:
    def test_a_refused_fit_leaves_the_classifier_as_it_was(self, blobs, net):
        X, _, y = blobs
        proba = net.fit(X, y).predict_proba(X)
        letters = np.array(list("abc"))[y]
        for bad in (
            {"X": X[:, :1], "y": letters, "validation_data": "no"},
            {"X": X[:, :1], "y": letters, "validation_data": (X, letters)},
            {"X": X, "y": letters, "epochs": 0},
            {"X": X, "y": letters[:-1]},
        ):
            with pytest.raises((ValueError, TypeError)):
                net.fit(**bad)
            np.testing.assert_array_equal(net.predict_proba(X), proba)
            assert net.classes_.tolist() == [0, 1, 2]
            assert net.clean_mask_.shape == y.shape

    def test_learning_rate_after_refine_is_ones_own(self, blobs, net):
        X, _, y = blobs
        net.fit(X, y).refine(X, y, epochs=1, lr=1e-5).partial_fit(X, y, epochs=1)
        assert net.history[:, "lr"][-2:] == [1e-5, net.schedule_["lr"]]

    def test_auto_forget_rate_needs_a_warmup(self, blobs):
        X, _, y = blobs
        with pytest.raises(ValueError, match="warmup_epochs must be at least 1"):
            CoTeachingClassifier(warmup_epochs=0).fit(X, y)

    def test_dropped_samples_have_no_loss_and_are_not_trusted(self, blobs):
        X, _, y = blobs
        net = CoTeachingClassifier(**QUICK, iterator_train__drop_last=True)
        net.set_params(batch_size=50).fit(X, y)
        assert np.isnan(net.sample_loss_).sum() == 15
        assert net.clean_mask_.sum() == 2 * 35
        with pytest.raises(ValueError, match="No batch to train on"):
            net.set_params(batch_size=500).fit(X, y)

    def test_callbacks_set_after_fit_are_called(self, blobs, net):
        X, _, y = blobs
        net.fit(X, y).set_params(
            callbacks=[EpochScoring("accuracy", name="acc", on_train=True, lower_is_better=False)]
        )
        net.partial_fit(X, y, epochs=1)
        assert net.history[-1, "acc"] > 0.5
