"""What "auto" stands for: epochs, phases, batches and learning rates."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_blobs

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching import PAPER_PARAMS
from noisyactive.coteaching._default_modules import SmallMLP
from noisyactive.coteaching._schedule import (
    auto_batch_size,
    auto_epochs,
    auto_lr,
    auto_phases,
    default_lr,
)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, centers=3, cluster_std=0.5, random_state=0)


class TestBatchSize:
    @given(st.integers(2, 10**7), st.sampled_from([256, 1024]))
    def test_batches_are_within_limits_and_the_smallest_of_their_number(self, n_samples, largest):
        size = auto_batch_size(n_samples, largest)
        n_batches = -(-n_samples // size)
        assert 1 <= size <= largest
        assert size >= min(8, n_samples)
        last = n_samples - (n_batches - 1) * size
        assert size - last < n_batches

    @pytest.mark.parametrize(
        ("n_samples", "size"), [(50, 9), (494, 17), (7009, 234), (100_000, 256)]
    )
    def test_about_thirty_batches(self, n_samples, size):
        assert auto_batch_size(n_samples) == size

    def test_only_rows_and_default_networks_have_large_ones(self, blobs):
        X, y = np.random.default_rng(0).normal(size=(60_000, 2)), np.arange(60_000) % 2
        sizes = []
        for module in (None, SmallMLP):
            net = CoTeachingVOGClassifier(module, mix_ratio=0, forget_rate=0, random_state=0)
            net.fit(X, y, epochs=1)
            sizes.append(max(row["train_batch_size"] for row in net.history[0]["batches"]))
            assert net.schedule_["batch_size"] == sizes[-1]
        assert sizes == [1017, 256]


@given(st.integers(2, 10**7))
def test_epochs_fall_with_size(n_samples):
    assert 20 <= auto_epochs(n_samples + 1) <= auto_epochs(n_samples) <= 80


@given(st.integers(1, 1000))
def test_phases_leave_half_of_the_epochs(max_epochs):
    warmup_epochs, ramp_epochs = auto_phases(max_epochs)
    assert 1 <= warmup_epochs <= max(1, max_epochs // 2) and warmup_epochs <= 10
    assert 1 <= ramp_epochs <= 10
    assert warmup_epochs + ramp_epochs < max_epochs or max_epochs < 3


class TestClassifier:
    def test_auto_is_told_and_used(self, blobs):
        X, y = blobs
        net = CoTeachingClassifier(random_state=0).fit(X, y)
        schedule = net.schedule_
        assert len(net.history) == schedule["max_epochs"] == auto_epochs(len(X))
        assert (schedule["warmup_epochs"], schedule["ramp_epochs"]) == auto_phases(
            schedule["max_epochs"]
        )
        assert net.history[0, "lr"] == schedule["lr"] == auto_lr(schedule["batch_size"])
        assert net.history[schedule["warmup_epochs"], "forget_rate"] == 0
        assert net.history[schedule["warmup_epochs"] + 1, "forget_rate"] > 0
        assert net.get_params()["lr"] == clone(net).lr == "auto"

    def test_the_same_as_set_by_hand(self, blobs):
        X, y = blobs
        net = CoTeachingVOGClassifier(random_state=0).fit(X, y)
        by_hand = CoTeachingVOGClassifier(random_state=0, **net.schedule_).fit(X, y)
        # Not to the bit: BLAS may sum in another order where memory is aligned otherwise.
        np.testing.assert_allclose(net.predict_proba(X), by_hand.predict_proba(X), atol=1e-4)
        assert (net.clean_mask_ == by_hand.clean_mask_).mean() > 0.99

    def test_what_is_set_is_kept(self, blobs):
        X, y = blobs
        net = CoTeachingVOGClassifier(forget_rate=0.1, **PAPER_PARAMS, random_state=0).fit(X, y)
        for name, value in net.schedule_.items():
            assert value == PAPER_PARAMS[name]

    def test_epochs_of_the_call_count(self, blobs):
        X, y = blobs
        net = CoTeachingClassifier(random_state=0).fit(X, y, epochs=20)
        assert (net.schedule_["max_epochs"], net.schedule_["warmup_epochs"]) == (20, 5)

    @pytest.mark.parametrize("warm_start", [False, True])
    def test_what_is_set_later_counts(self, blobs, warm_start):
        X, y = blobs
        net = CoTeachingClassifier(random_state=0, warm_start=warm_start).fit(X, y, epochs=10)
        net.set_params(max_epochs=3)
        (net.fit if warm_start else net.partial_fit)(X, y)
        assert len(net.history) == 13
        assert net.schedule_["max_epochs"] == 3

    def test_ones_own_module_trains_as_in_the_paper(self, blobs):
        X, y = blobs
        net = CoTeachingVOGClassifier(SmallMLP, random_state=0).fit(X, y)
        assert (len(net.history), net.history[0, "lr"]) == (50, 0.01)

    def test_another_optimizer_has_its_own_learning_rate(self, blobs):
        X, y = blobs
        net = CoTeachingClassifier(optimizer=torch.optim.Adam, random_state=0)
        assert net.fit(X, y, epochs=10).history[0, "lr"] == 1e-3
        assert default_lr(torch.optim.SGD) == 1e-3
        assert default_lr(lambda parameters, lr: None) is None

    def test_a_rate_given_to_the_optimizer_wins(self, blobs):
        X, y = blobs
        net = CoTeachingClassifier(optimizer__lr=0.004, random_state=0).fit(X, y, epochs=10)
        assert net.history[0, "lr"] == 0.004

    def test_auto_may_be_set_again(self, blobs):
        X, y = blobs
        net = CoTeachingClassifier(random_state=0).fit(X, y, epochs=10).set_params(lr=0.3)
        assert net.optimizer_.param_groups[0]["lr"] == 0.3
        net.set_params(lr="auto").partial_fit(X, y, epochs=1)
        assert net.history[-1, "lr"] == net.schedule_["lr"]

    @pytest.mark.parametrize(
        ("before", "after", "lr"),
        [
            ({"lr": 0.5}, {"lr": "auto"}, auto_lr(10)),
            ({"optimizer__lr": 0.004}, {"lr": "auto"}, 0.004),
            ({}, {"optimizer": torch.optim.Adam}, 1e-3),
            ({}, {"module": SmallMLP}, 0.01),
        ],
    )
    def test_auto_follows_what_is_set_later(self, blobs, before, after, lr):
        X, y = blobs
        net = CoTeachingClassifier(forget_rate=0.1, batch_size=10, random_state=0, **before)
        net.fit(X, y, epochs=1).set_params(**after)
        net.partial_fit(X, y, epochs=1)
        assert net.history[-1, "lr"] == lr
        assert net.schedule_["lr"] == lr or before == {"optimizer__lr": lr}

    def test_a_loaded_pair_goes_on(self, blobs, tmp_path):
        X, y = blobs
        net = CoTeachingClassifier(forget_rate=0.1, random_state=0).fit(X, y, epochs=10)
        net.save_params(f_params=tmp_path / "pair.pt")
        again = CoTeachingClassifier(forget_rate=0.1, random_state=0)
        again.load_params(f_params=tmp_path / "pair.pt")
        again.partial_fit(X, y, epochs=1).refine(X, y, epochs=1)
        assert again.history[:, "lr"] == [net.schedule_["lr"]] * 2
        assert again.schedule_["lr"] == net.schedule_["lr"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("lr", "fast"),
            ("lr", -1),
            ("max_epochs", 0),
            ("max_epochs", "many"),
            ("ramp_epochs", -1),
        ],
    )
    def test_other_values_are_refused(self, blobs, name, value):
        with pytest.raises(ValueError, match=name):
            CoTeachingClassifier(**{name: value}).fit(*blobs)

    @pytest.mark.parametrize("given", [{"epochs": "auto"}, {"lr": "auto"}])
    def test_refine_takes_numbers(self, blobs, given):
        net = CoTeachingClassifier(random_state=0).fit(*blobs, epochs=2)
        with pytest.raises(ValueError, match=next(iter(given))):
            net.refine(*blobs, **given)
