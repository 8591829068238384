"""The training loop, against hand-written ones."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from torch import nn

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching import _training, _vog_classifier


class Net(nn.Module):
    """Without dropout or batch normalisation, so that a plain loop is easy to write."""

    def __init__(self, in_features, num_classes):
        super().__init__()
        self.hidden = nn.Linear(in_features, 8)
        self.head = nn.Linear(8, num_classes)

    def forward(self, X):
        return self.head(torch.tanh(self.hidden(X)))


SETTINGS = {
    "forget_rate": 0.3,
    "ramp_epochs": 3,
    "max_epochs": 9,
    "batch_size": 20,
    "iterator_train__shuffle": False,
    "random_state": 0,
}


def untrained_networks(net, X, y):
    """Copies of the two networks that `net` starts from."""
    seed = net.get_params()["random_state"]
    start = CoTeachingClassifier(
        net.module, forget_rate=0.3, lr=0.0, max_epochs=1, random_state=seed
    )
    return start.fit(X, y).module_.networks


def head_gradients(network, x, y):
    """Gradient of each sample's loss with respect to its label's row of the head, by autograd."""
    rows = []
    for i in range(len(x)):
        loss = nn.functional.cross_entropy(network(x[i : i + 1]), y[i : i + 1])
        weight, bias = torch.autograd.grad(loss, [network.head.weight, network.head.bias])
        rows.append(np.r_[bias[y[i]].item(), weight[y[i]].numpy()])
    return np.array(rows)


def co_teach_by_hand(networks, X, y, mix_ratio=0.0, warmup=0, window=3):
    """Co-teaching with VOG as METHOD describes it: two optimizers, full history, plain loops."""
    optimizers = [
        torch.optim.SGD(n.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4) for n in networks
    ]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, 9) for o in optimizers]
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    history = [[], []]
    for epoch in range(9):
        tau = 0.3 * min(epoch / 3, 1)
        use_vog = epoch >= warmup and epoch >= window
        gradients = [np.zeros((len(X), 9)) for _ in networks]
        selected = np.zeros((2, len(X)), bool)
        losses_seen = np.zeros((2, len(X)))
        for rows in torch.arange(len(X)).split(20):
            x, t = X[rows], y[rows]
            picks = []
            for k, network in enumerate(networks):
                gradients[k][rows] = head_gradients(network, x, t)
                loss = nn.functional.cross_entropy(network(x), t, reduction="none")
                losses_seen[k, rows] = loss.detach().numpy()
                R = int((1 - tau) * len(rows) + 1e-9)
                R2 = int(mix_ratio * R + 1e-9) if use_vog else 0
                pick = list(np.argsort(losses_seen[k, rows], kind="stable")[: R - R2])
                if R2:
                    vog = np.std(history[k][-window:], axis=0).mean(axis=1)[rows]
                    rest = [b for b in range(len(rows)) if b not in pick]
                    pick += sorted(rest, key=lambda b: vog[b])[:R2]
                selected[k, rows[pick]] = True
                picks.append(pick)
            for k, network in enumerate(networks):
                optimizers[k].zero_grad()
                mine = picks[1 - k]
                nn.functional.cross_entropy(network(x[mine]), t[mine]).backward()
                optimizers[k].step()
        for k in (0, 1):
            history[k].append(gradients[k])
            schedules[k].step()
    vog = np.mean([np.std(h[-window:], axis=0).mean(axis=1) for h in history], axis=0)
    return selected, losses_seen.mean(axis=0), vog


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (CoTeachingClassifier, {}),
        (CoTeachingVOGClassifier, {"mix_ratio": 0.5}),
        (CoTeachingVOGClassifier, {"mix_ratio": 1.0}),
    ],
)
def test_training_equals_a_hand_written_loop_with_two_optimizers(blobs, estimator, options):
    X, _, y = blobs
    if options:
        options = {**options, "warmup_epochs": 4, "vog_window": 3}
    net = estimator(Net, **SETTINGS, **options)
    networks = untrained_networks(net, X, y)
    selected, loss, vog = co_teach_by_hand(
        networks, X, y, options.get("mix_ratio", 0), options.get("warmup_epochs", 0)
    )
    net.fit(X, y)
    for ours, theirs in zip(net.module_.networks.parameters(), networks.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(net.selected_, selected)
    np.testing.assert_array_equal(net.clean_mask_, selected[0])
    np.testing.assert_allclose(net.sample_loss_, loss, rtol=1e-3, atol=1e-5)
    if options:
        np.testing.assert_allclose(net.vog_, vog, rtol=1e-3)


def test_no_network_learns_from_its_own_picks(blobs, monkeypatch):
    X, _, y = blobs
    net = CoTeachingClassifier(Net, **{**SETTINGS, "batch_size": -1, "max_epochs": 1})
    picks = [torch.tensor([0, 1, 2]), torch.tensor([7, 8])]
    monkeypatch.setattr(net, "_pick", lambda network, *_: picks[network])
    networks = untrained_networks(net, X, y)
    gradients = []
    monkeypatch.setattr(
        net,
        "on_grad_computed",
        lambda _, named_parameters, **kw: gradients.append(
            [p.grad.clone() for _, p in named_parameters]
        ),
    )
    net.fit(X, y)
    x, t = torch.from_numpy(X), torch.from_numpy(y)
    for k, network in enumerate(networks):
        chosen = picks[1 - k]
        loss = nn.functional.cross_entropy(network(x[chosen]), t[chosen])
        expected = torch.autograd.grad(loss, list(network.parameters()))
        torch.testing.assert_close(gradients[k], list(expected))
    assert net.clean_mask_.nonzero()[0].tolist() == [0, 1, 2]
    assert net.selected_[1].nonzero()[0].tolist() == [7, 8]


@pytest.mark.parametrize(("warmup", "window", "first"), [(6, 3, 6), (2, 5, 5), (0, 2, 2)])
def test_vog_takes_part_exactly_after_warmup_and_a_full_window(
    blobs, monkeypatch, warmup, window, first
):
    X, _, y = blobs
    seen = []

    def spy(loss, n_selected, vog=None, mix_ratio=0.0):
        if not seen or seen[-1][0] != len(net.history):
            seen.append((len(net.history), vog is not None and not vog.isnan().any()))
        return original(loss, n_selected, vog, mix_ratio)

    original = _vog_classifier.select_clean
    monkeypatch.setattr(_vog_classifier, "select_clean", spy)
    net = CoTeachingVOGClassifier(Net, **SETTINGS, warmup_epochs=warmup, vog_window=window)
    net.fit(X, y)
    expected = [epoch >= first for epoch in range(9)]
    assert [used for _, used in seen] == expected
    assert net.history[:, "vog_used"] == expected


def test_mix_ratio_zero_is_plain_co_teaching_to_the_bit(blobs):
    X, _, y = blobs
    plain = CoTeachingClassifier(max_epochs=4, forget_rate=0.3, random_state=3).fit(X, y)
    vog = CoTeachingVOGClassifier(max_epochs=4, forget_rate=0.3, random_state=3, mix_ratio=0)
    vog.fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), vog.predict_proba(X))
    np.testing.assert_array_equal(plain.clean_mask_, vog.clean_mask_)
    assert np.isnan(vog.vog_).all()


def test_forget_rate_of_every_epoch_is_on_record(blobs):
    X, _, y = blobs
    net = CoTeachingClassifier(Net, **SETTINGS).fit(X, y)
    np.testing.assert_allclose(
        net.history[:, "forget_rate"], [0.3 * min(e / 3, 1) for e in range(9)]
    )
    # 115 samples: batches of 20 keep 14 at the end, and that of 15 keeps 10
    assert net.history[-1, "selected_share"] == pytest.approx((5 * 14 + 10) / 115)
    assert net.clean_mask_.sum() == 80


def test_auto_forget_rate_discards_nothing_until_it_is_known(blobs):
    X, _, y = blobs
    net = CoTeachingClassifier(warmup_epochs=4, ramp_epochs=2, max_epochs=8, random_state=0)
    net.fit(X, y)
    rates = net.history[:, "forget_rate"]
    assert rates[:5] == [0] * 5
    np.testing.assert_allclose(rates[5:], net.forget_rate_ * np.array([0.5, 1, 1]))
    assert 0.1 < net.forget_rate_ < 0.5  # 0.3 of the labels are wrong
    net.partial_fit(X, y, epochs=2)
    assert net.history[-1, "forget_rate"] == net.forget_rate_  # known: no second ramp


def test_the_estimate_comes_with_an_interval_until_a_rate_is_given(blobs):
    X, _, y = blobs
    net = CoTeachingClassifier(warmup_epochs=4, max_epochs=6, random_state=0).fit(X, y)
    low, high = net.forget_rate_interval_
    assert 0 <= low < net.forget_rate_ < high < 1
    assert pickle.loads(pickle.dumps(net)).forget_rate_interval_ == (low, high)
    net.partial_fit(X, y, epochs=1)
    assert net.forget_rate_interval_ == (low, high)
    net.set_params(forget_rate=0.2).partial_fit(X, y, epochs=1)
    assert not hasattr(net, "forget_rate_interval_")
    net.set_params(forget_rate="auto").fit(X, y).initialize()
    assert not hasattr(net, "forget_rate_interval_")


def test_an_uncertain_estimate_is_told():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), rng.integers(4, size=30)  # nothing to learn
    net = CoTeachingClassifier(warmup_epochs=2, max_epochs=3, random_state=0)
    with pytest.warns(UserWarning, match=r"uncertain.*Give forget_rate a number.*audit_sample"):
        net.fit(X, y)
    low, high = net.forget_rate_interval_
    assert high - low > 0.3


def test_a_certain_estimate_is_not_warned_of():
    X, y = make_blobs(1000, centers=3, cluster_std=0.5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = CoTeachingClassifier(warmup_epochs=3, max_epochs=4, random_state=0).fit(X, y)
    low, high = net.forget_rate_interval_
    assert low == 0
    assert high < 0.05


def test_during_warmup_each_network_learns_from_its_own_half(blobs, monkeypatch):
    X, _, y = blobs
    net = CoTeachingClassifier(Net, **{**SETTINGS, "forget_rate": "auto", "batch_size": -1})
    chosen = []

    class Spy(_training.CrossFit):
        def chosen(self, index):
            chosen.append(super().chosen(index))
            return chosen[-1]

    monkeypatch.setattr(_training, "CrossFit", Spy)
    with pytest.warns(UserWarning, match="every label was trusted"):
        net.set_params(max_epochs=1).fit(X, y)
    ((first, second),) = chosen
    assert torch.equal(first, ~second)
    for label in np.unique(y):  # every class is halved
        assert abs((y[first] == label).sum() - (y[second] == label).sum()) <= 1
    assert net.clean_mask_.all()


def test_vog_that_is_never_used_is_said(blobs):
    X, _, y = blobs
    net = CoTeachingVOGClassifier(Net, **{**SETTINGS, "max_epochs": 4})
    with pytest.warns(UserWarning, match="VOG was never used.* Raise max_epochs"):
        net.fit(X, y)


def test_a_trailing_sample_is_trained_on_with_the_batch_before(blobs):
    X, _, y = blobs
    sizes = []

    class Norm(Net):
        def __init__(self, in_features, num_classes):
            super().__init__(in_features, num_classes)
            self.norm = nn.BatchNorm1d(in_features)

        def forward(self, X):
            if self.training:
                sizes.append(len(X))
            return super().forward(self.norm(X))

    CoTeachingClassifier(Norm, **{**SETTINGS, "max_epochs": 1, "batch_size": 6}).fit(X, y)
    assert sizes[::2] == [6] * 18 + [7]  # 115 samples


def test_history_never_holds_nan(blobs):
    X, y, y_noisy = blobs
    net = CoTeachingVOGClassifier(max_epochs=14, forget_rate=0.9, mix_ratio=1, batch_size=2)
    net.fit(X, y_noisy, validation_data=(X, y))
    assert len(net.history) == 14
    for row in net.history:
        assert row["batches"]
        for key, value in row.items():
            if isinstance(value, float):
                assert np.isfinite(value), key
        assert all(np.isfinite(list(batch.values())).all() for batch in row["batches"])


def test_a_diverging_loss_is_an_error_and_no_nan_model(blobs):
    X, _, y = blobs
    with pytest.raises(FloatingPointError, match="lower lr"):
        CoTeachingClassifier(Net, **{**SETTINGS, "lr": 1e30, "max_epochs": 9}).fit(X * 1e6, y)


def test_gradient_norm_is_clipped_per_network(blobs):
    from skorch.callbacks import GradientNormClipping

    X, _, y = blobs
    norms = []

    class Norms(GradientNormClipping):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            super().on_grad_computed(net, named_parameters, **kwargs)
            grads = [p.grad.flatten() for _, p in named_parameters]
            norms.append(torch.cat(grads).norm().item())

    CoTeachingClassifier(Net, **SETTINGS, callbacks=[Norms(gradient_clip_value=1e-3)]).fit(X, y)
    assert len(norms) == 9 * 6 * 2  # epochs, batches, networks
    np.testing.assert_allclose(norms, 1e-3, rtol=1e-2)


class TestCriterion:
    @pytest.mark.parametrize(
        ("criterion", "options"),
        [
            (nn.CrossEntropyLoss, {"criterion__label_smoothing": 0.1}),
            (nn.CrossEntropyLoss, {"criterion__weight": torch.tensor([1.0, 1, 3])}),
            (nn.MultiMarginLoss, {}),
        ],
    )
    def test_any_loss_on_logits_works(self, blobs, criterion, options):
        X, y, y_noisy = blobs
        net = CoTeachingVOGClassifier(
            max_epochs=15, forget_rate=0.3, mix_ratio=0.5, criterion=criterion, random_state=0
        ).set_params(**options)
        net.fit(X, y_noisy)
        assert net.score(X, y) > 0.8
        np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
        assert np.isfinite(net.vog_).all()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"criterion": nn.NLLLoss}, "expects log-probabilities"),
            ({"criterion": nn.MSELoss}, "MSELoss does not"),
            ({"criterion": nn.BCEWithLogitsLoss}, "BCEWithLogitsLoss does not"),
            ({"criterion": nn.CosineEmbeddingLoss}, "CosineEmbeddingLoss does not"),
            ({"criterion__reduction": "mean"}, "reduction='mean'"),
        ],
    )
    def test_anything_else_is_refused_before_training(self, blobs, options, message):
        X, _, y = blobs
        with pytest.raises(ValueError, match=message):
            CoTeachingClassifier(Net, **options).fit(X, y)

    def test_an_instance_is_refused(self, blobs):
        X, _, y = blobs
        with pytest.raises((TypeError, ValueError), match="pass the class"):
            CoTeachingClassifier(Net, criterion=nn.CrossEntropyLoss()).fit(X, y)


class TestRandomness:
    def test_same_seed_same_bits(self, blobs):
        X, _, y = blobs
        first, second = (
            CoTeachingVOGClassifier(max_epochs=12, warmup_epochs=4, random_state=1).fit(X, y)
            for _ in range(2)
        )
        np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
        np.testing.assert_array_equal(first.vog_, second.vog_)
        assert first.forget_rate_ == second.forget_rate_
        other = CoTeachingVOGClassifier(max_epochs=12, warmup_epochs=4, random_state=2).fit(X, y)
        assert (other.predict_proba(X) != first.predict_proba(X)).any()

    @pytest.mark.parametrize("random_state", [None, 0])
    def test_global_random_state_is_left_alone(self, blobs, random_state):
        import random

        X, _, y = blobs
        states = torch.get_rng_state(), np.random.get_state(), random.getstate()
        net = CoTeachingClassifier(max_epochs=2, forget_rate=0.2, random_state=random_state)
        net.fit(X, y, validation_data=(X, y)).partial_fit(X, y).refine(X, y, epochs=1)
        net.predict_proba(X), net.extract_features(X)
        assert torch.equal(torch.get_rng_state(), states[0])
        for ours, theirs in zip(np.random.get_state(), states[1], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert random.getstate() == states[2]

    def test_two_networks_start_differently_and_differ_between_seeds(self, blobs):
        X, _, y = blobs
        weights = [
            [n.head.weight for n in untrained_networks(CoTeachingClassifier(random_state=s), X, y)]
            for s in (0, 1)
        ]
        flat = [w.detach().numpy() for pair in weights for w in pair]
        for i in range(4):
            for j in range(i):
                assert not np.allclose(flat[i], flat[j])

    def test_global_generators_are_seeded_during_training(self, blobs):
        X, _, y = blobs

        class Augmenting(Net):
            def forward(self, X):
                if self.training:
                    X = X + np.random.normal()
                return super().forward(X)

        first, second = (
            CoTeachingClassifier(Augmenting, **SETTINGS).fit(X, y).predict_proba(X) for _ in "ab"
        )
        np.testing.assert_array_equal(first, second)


def test_refine_is_plain_cross_entropy_on_everything(blobs):
    X, y, y_noisy = blobs
    net = CoTeachingClassifier(Net, **SETTINGS).fit(X, y_noisy)
    mask, rate = net.clean_mask_.copy(), net.forget_rate_
    import copy

    networks = copy.deepcopy(net.module_.networks)
    net.refine(X, y, epochs=5, lr=0.02)
    x, t = torch.from_numpy(X), torch.from_numpy(y)
    for network in networks:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
        for _ in range(5):
            for rows in torch.arange(len(x)).split(20):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x[rows]), t[rows]).backward()
                optimizer.step()
            schedule.step()
    for ours, theirs in zip(net.module_.networks.parameters(), networks.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(net.clean_mask_, mask)
    assert net.forget_rate_ == rate
    assert len(net.history) == 9 + 5
