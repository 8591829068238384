"""Time of an epoch: `pytest tests/benchmarks/test_epochs.py`.

On two threads; small networks use one, and so does what they are compared with. What is compared
is the last epoch of a short training, when VOG is in use.
"""

import warnings

import numpy as np
import pytest
import torch
from _contestants import WideMLP, coteaching_loop, ours
from skorch import NeuralNetClassifier
from torch import nn
from torchvision.models import resnet18

EPOCHS = 3


@pytest.fixture
def rows():
    rng = np.random.RandomState(0)
    return rng.standard_normal((20_000, 64)).astype(np.float32), rng.randint(10, size=20_000)


@pytest.fixture
def images():
    rng = np.random.RandomState(0)
    return rng.standard_normal((2_048, 3, 32, 32)).astype(np.float32), rng.randint(10, size=2_048)


def small_resnet(num_classes=10):
    return resnet18(num_classes=num_classes)


def stock(X, y):
    net = NeuralNetClassifier(
        WideMLP,
        criterion=nn.CrossEntropyLoss,
        lr=0.01,
        optimizer__momentum=0.9,
        optimizer__weight_decay=1e-4,
        batch_size=256,
        max_epochs=EPOCHS,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ).fit(X, y)
    return net.history[-1, "dur"]


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_small_network(compare, rows):
    def plain():
        return ours(WideMLP, *rows, mix_ratio=0)

    def by_hand():
        return coteaching_loop(WideMLP, *rows, epochs=EPOCHS, batch_size=256)

    compare("small network, m = 0 / loop by hand", plain, by_hand, "<= 1.10")
    compare(
        "small network, m = 0 (two networks) / stock skorch (one)",
        plain,
        lambda: stock(*rows),
        "<= 1.35",
    )
    compare(
        "small network, VOG / m = 0",
        lambda: ours(WideMLP, *rows, mix_ratio=0.5, window=5, epochs=7),
        plain,
        "<= 2.0",
    )


@pytest.mark.parametrize("repeats", [3])
def test_resnet(compare, images, repeats):
    warnings.simplefilter("default")  # oneDNN and the like

    def plain():
        return ours(small_resnet, *images, mix_ratio=0)

    compare(
        "ResNet18 at 32 x 32, VOG / m = 0",
        lambda: ours(small_resnet, *images, mix_ratio=0.5),
        plain,
        "<= 1.05",
        repeats,
    )
    compare(
        "ResNet18 at 32 x 32, m = 0 / loop by hand",
        plain,
        lambda: coteaching_loop(small_resnet, *images, epochs=2, batch_size=256),
        "<= 1.05",
        repeats,
    )
