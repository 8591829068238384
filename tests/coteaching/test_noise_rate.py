"""Held-out predictions that are gathered during warm-up."""

import pytest
import torch

from noisyactive._noise_model import estimate_rate
from noisyactive.coteaching import _noise_rate
from noisyactive.coteaching._noise_rate import CrossFit
from noisyactive.coteaching._processes import Processes
from noisyactive.coteaching._shard import Shard


@pytest.fixture
def crossfit():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CrossFit(torch.arange(40) % 4, 4, "cpu", None, Shard(Processes(), 40, 8))


def test_every_class_is_halved(crossfit):
    for label in range(4):
        assert crossfit.half[label::4].sum() == 5


def test_each_network_learns_from_the_halves_of_a_batch(crossfit):
    index = torch.tensor([3, 17, 8, 30, 2])
    first, second = crossfit.chosen(index)
    assert torch.equal(first, ~second)
    assert (crossfit.half[index[first]] == 0).all()
    assert (crossfit.half[index[second]] == 1).all()


def test_only_predictions_of_the_network_that_did_not_learn_count(crossfit, monkeypatch):
    said = {}

    def spy(proba, codes):
        said.update(proba=proba, codes=codes)
        return estimate_rate(proba, codes)

    monkeypatch.setattr(_noise_rate, "estimate_rate", spy)
    index = torch.arange(30)
    logits = [torch.randn(2, 30, 4).double(), torch.randn(2, 30, 4).double()]
    crossfit.store(index, [torch.zeros(30, 4), torch.ones(30, 4)])
    crossfit.forget()
    for first, second in zip(*logits, strict=True):
        crossfit.store(index, [first, second])
    crossfit.noise_rate()
    expected = torch.stack([torch.softmax(network, dim=2).mean(dim=0) for network in logits])
    of_the_other = expected[1 - crossfit.half[:30], index]
    torch.testing.assert_close(said["proba"].double(), of_the_other, rtol=1e-5, atol=1e-6)
    assert torch.equal(said["codes"], index % 4)  # rows never held out are left out
