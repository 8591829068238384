"""Variance of Gradients: closed forms against autograd, the ring against a plain full history."""

import numpy as np
import pytest
import torch
from torch import nn

from noisyactive.coteaching._default_modules import SmallConvNet
from noisyactive.coteaching._pair import HeadInput, find_head, forget_head_inputs
from noisyactive.coteaching._vog import (
    VarianceOfGradients,
    activation_coefficients,
    head_gradient,
    label_logit_gradient,
)

CRITERIA = {
    "cross-entropy": nn.CrossEntropyLoss(reduction="none"),
    "smoothed": nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1),
    "weighted": nn.CrossEntropyLoss(reduction="none", weight=torch.tensor([1.0, 2, 3, 4])),
}


@pytest.fixture
def batch():
    """A real network in evaluation mode (so that samples do not mix) and a batch."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SmallConvNet(1, 4, image_size=8, base_channels=4).eval()
    X = torch.randn(6, 1, 8, 8, generator=generator)
    y = torch.tensor([0, 1, 2, 3, 3, 0])
    return network, X, y


def with_features(network, X):
    head_input = HeadInput(network.head)
    return network(X), head_input.take()


@pytest.mark.parametrize("criterion", CRITERIA.values(), ids=CRITERIA.keys())
def test_head_gradient_is_that_of_autograd(batch, criterion):
    network, X, y = batch
    logits, features = with_features(network, X)
    loss = criterion(logits, y)
    closed = head_gradient(label_logit_gradient(loss, logits, y, criterion), features.detach())
    for i in range(len(X)):
        sample_loss = criterion(network(X[i : i + 1]), y[i : i + 1]).sum()
        d_weight, d_bias = torch.autograd.grad(
            sample_loss, [network.head.weight, network.head.bias]
        )
        expected = torch.cat([d_bias[y[i]].reshape(1), d_weight[y[i]]])
        torch.testing.assert_close(closed[i], expected, rtol=1e-4, atol=1e-6)
    assert not closed.requires_grad


def test_activation_gradient_is_that_of_autograd(batch):
    network, X, y = batch
    logits, features = with_features(network, X)
    closed = activation_coefficients(logits.detach(), y) @ network.head.weight.detach()
    for i in range(len(X)):
        phi = features[i].detach().requires_grad_()
        p_y = torch.softmax(network.head(phi), dim=0)[y[i]]
        (expected,) = torch.autograd.grad(p_y, phi)
        torch.testing.assert_close(closed[i], expected, rtol=1e-4, atol=1e-7)


def test_gradients_stay_exact_where_a_probability_saturates():
    logits = torch.tensor([[20.0, 0.0], [-20.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([0, 0])
    criterion = CRITERIA["cross-entropy"]
    closed = label_logit_gradient(criterion(logits, y), logits, y, criterion)
    expected = -torch.softmax(logits, dim=1)[:, 1]  # p_0 - 1 = -p_1
    torch.testing.assert_close(closed, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float16, 5e-3)], ids=["float32", "float16"]
)
@pytest.mark.parametrize("n_epochs", [3, 5, 8])
def test_ring_is_a_full_history_with_numpy_std(dtype, rtol, n_epochs):
    n, d, window = 1500, 200, 3  # several blocks of rows
    rng = np.random.default_rng(0)
    full = rng.normal(size=(n_epochs, n, d)) + 3 * rng.normal(size=(1, n, d))
    vog = VarianceOfGradients(n, d, window, dtype=dtype)
    for epoch in full:
        vog.begin_epoch()
        for rows in np.array_split(rng.permutation(n), 7):
            vog.record(torch.from_numpy(rows), torch.from_numpy(epoch[rows]))
    assert vog.full
    stored = torch.from_numpy(full[-window:]).to(dtype).double().numpy()
    np.testing.assert_allclose(vog.scores().numpy(), stored.std(axis=0).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(
        vog.scores().numpy(), full[-window:].std(axis=0).mean(axis=1), rtol=rtol
    )


def test_constant_gradients_score_exactly_zero_and_small_changes_survive():
    n, d = 4, 8
    base = torch.full((n, d), 1000.0)
    constant, changing = VarianceOfGradients(n, d, 5), VarianceOfGradients(n, d, 5)
    history = []
    for epoch in range(5):
        for vog in (constant, changing):
            vog.begin_epoch()
        constant.record(torch.arange(n), base + 1 / 3)
        history.append((base + epoch * 1e-3).double().numpy())
        changing.record(torch.arange(n), base + epoch * 1e-3)
    assert (constant.scores() == 0).all()
    expected = np.std([h.astype(np.float32).astype(float) for h in history], axis=0).mean(axis=1)
    np.testing.assert_allclose(changing.scores(), expected, rtol=1e-4)


def test_activation_history_rebuilt_from_coefficients_equals_the_direct_one():
    n, n_classes, d, window = 50, 4, 16, 5
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(n_classes, (n,), generator=generator)
    rebuilt, direct = VarianceOfGradients(n, n_classes, window), VarianceOfGradients(n, d, window)
    for _ in range(7):
        W = torch.randn(n_classes, d, generator=generator)
        logits = torch.randn(n, n_classes, generator=generator)
        p = torch.softmax(logits, dim=1)
        p_y = p[torch.arange(n), y]
        rebuilt.begin_epoch(W)
        direct.begin_epoch()
        rebuilt.record(torch.arange(n), activation_coefficients(logits, y))
        direct.record(torch.arange(n), p_y[:, None] * (W[y] - p @ W))
        W.zero_()  # the history keeps its own copy of the head
    torch.testing.assert_close(rebuilt.scores(), direct.scores())


def test_a_sample_that_missed_an_epoch_has_no_score_until_the_window_is_full_again():
    vog = VarianceOfGradients(2, 3, 2)
    assert not vog.full
    for rows in ([0, 1], [0], [0, 1]):
        vog.begin_epoch()
        vog.record(torch.tensor(rows), torch.rand(len(rows), 3))
    assert vog.scores().isnan().tolist() == [False, True]
    vog.begin_epoch()
    vog.record(torch.arange(2), torch.rand(2, 3))
    assert not vog.scores().isnan().any()


def test_ring_is_the_only_array_of_its_size():
    vog = VarianceOfGradients(100, 7, 5, dtype=torch.float16)
    tensors = [v for v in vars(vog).values() if isinstance(v, torch.Tensor)]
    n_bytes = sum(t.numel() * t.element_size() for t in tensors)
    assert vog.ring.numel() * 2 == 5 * 100 * 7 * 2
    assert n_bytes <= 5 * 100 * (7 * 2 + 1)


def test_scoring_never_holds_more_than_a_block_of_the_ring():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        """Size of the largest new tensor that any operation makes."""

        numel = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.data_ptr() not in addresses:
                self.numel = max(self.numel, result.numel())
            return result

    n, d, window = 20_000, 64, 5
    vog = VarianceOfGradients(n, d, window, dtype=torch.float16)
    for _ in range(window):
        vog.begin_epoch()
        vog.record(torch.arange(n), torch.ones(n, d))
    addresses = {vog.ring[slot].data_ptr() for slot in range(window)}  # views of the ring
    with Largest() as largest:
        vog.scores()
    assert n <= largest.numel <= n * d / 4  # the scores themselves, and blocks


class TestHead:
    def test_last_linear_layer_is_found(self, batch):
        network, X, _ = batch
        assert find_head(network, X) == "head"

    def test_modes_are_put_back_and_statistics_untouched(self, batch):
        network, X, _ = batch
        network.train()
        network.body[1].eval()
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        find_head(network, X)
        assert network.training
        assert not network.body[1].training
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, before[name])

    def test_features_are_what_goes_into_the_head(self, batch):
        network, X, _ = batch
        logits, features = with_features(network, X)
        torch.testing.assert_close(network.head(features), logits)
        forget_head_inputs(network)
        assert not network.head._forward_pre_hooks

    @pytest.mark.parametrize(
        "network",
        [
            nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.LogSoftmax(dim=1)),
            nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten()),
            nn.Sequential(nn.Linear(8, 3), nn.AdaptiveAvgPool2d((1, 3)), nn.Flatten()),
        ],
    )
    def test_none_where_logits_do_not_come_straight_from_a_linear_layer(self, network):
        assert find_head(network, torch.rand(2, 1, 8, 8)) is None

    def test_an_activation_in_place_hides_the_head(self):
        X = torch.rand(2, 4)
        assert find_head(nn.Sequential(nn.Linear(4, 3)), X) == "0"
        assert find_head(nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True)), X) is None
