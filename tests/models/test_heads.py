import warnings

import numpy as np
import pytest
import torch
from torch import nn

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching._pair import find_head
from noisyactive.models import torchvision_classifier

# One or two of every family; those that are left out differ in depth and width only.
ARCHITECTURES = {
    "alexnet": 64,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "efficientnet_v2_s": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "maxvit_t": 224,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "resnext50_32x4d": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_0": 32,
    "squeezenet1_1": 32,
    "swin_t": 32,
    "swin_v2_t": 32,
    "vit_b_16": 32,
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "maxvit_t" else n for n in ARCHITECTURES],
)
def test_head_is_found_and_its_product_with_the_features_gives_the_logits(name):
    size = ARCHITECTURES[name]
    factory = torchvision_classifier(name, weights=None)
    torch.manual_seed(0)
    network = factory(num_classes=3, image_size=size)
    X = torch.rand(2, 3, size, size)
    for part in network.modules():  # one pass gives BatchNorm all of the statistics
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    assert network(X).shape == (2, 3)  # no tuple with auxiliary outputs in training
    head = network.get_submodule(find_head(network, X))
    seen = []
    head.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    network.eval()
    with torch.no_grad():
        logits = network(X)
    bias = 0 if head.bias is None else head.bias
    assert logits.shape == (2, 3)
    assert (logits - bias).abs().max() > 1e-3
    torch.testing.assert_close(seen[0] @ head.weight.T + bias, logits)


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "squeezenet1_1", "vit_b_16"])
@pytest.mark.parametrize("in_channels", [1, 5])
def test_any_number_of_channels_without_weights(name, in_channels):
    network = torchvision_classifier(name, weights=None, image_size=32)(3, in_channels)
    network.eval()
    with torch.no_grad():
        assert network(torch.rand(2, in_channels, 32, 32)).shape == (2, 3)
        with pytest.raises(RuntimeError, match="channels"):
            network(torch.rand(2, 3, 32, 32))


def test_all_randomness_comes_from_the_global_generator():
    factory = torchvision_classifier("resnet18", weights=None)
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(factory(num_classes=3).state_dict())
    same, again, other = states
    assert all(torch.equal(same[key], again[key]) for key in same)
    assert not torch.equal(same["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(same["fc.weight"], other["fc.weight"])


QUICK = {
    "forget_rate": 0.3,
    "ramp_epochs": 0,
    "mix_ratio": 0.5,
    "vog_window": 2,
    "warmup_epochs": 0,
    "max_epochs": 3,
    "lr": 0.001,
    "batch_size": 6,
    "random_state": 0,
}


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 2)
    return rng.random((6, 3, 32, 32), dtype=np.float32), y


@pytest.mark.parametrize(("name", "n_features"), [("resnet18", 512), ("mobilenet_v3_small", 1024)])
def test_fit_features_and_export(name, n_features, images):
    X, y = images
    net = CoTeachingVOGClassifier(torchvision_classifier(name, weights=None), **QUICK).fit(X, y)
    assert net.history[:, "vog_used"] == [False, False, True]
    assert np.isfinite(net.vog_).all()
    assert net.clean_mask_.sum() == 4  # 70% of 6, rounded down
    proba = net.predict_proba(X)
    assert proba.shape == (6, 3)
    features = net.extract_features(X)
    assert features.shape == (6, 2 * n_features)
    head = net.module_.heads()
    logits = [
        half @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        for half, layer in zip(np.split(features, 2, axis=1), head, strict=True)
    ]
    np.testing.assert_allclose(
        torch.softmax(torch.tensor(sum(logits) / 2), dim=1), proba, atol=1e-5
    )
    X = torch.tensor(X)
    with warnings.catch_warnings():  # of torch's about its own
        warnings.simplefilter("ignore")
        exported = torch.export.export(net.to_module(), (X,)).module()
    with torch.no_grad():
        np.testing.assert_allclose(torch.softmax(exported(X), dim=1), proba, atol=1e-5)


def test_same_random_state_same_bits(images):
    X, y = images
    factory = torchvision_classifier("mobilenet_v3_small", weights=None)
    first, second = (
        CoTeachingVOGClassifier(factory, **QUICK).fit(X, y).predict_proba(X) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_grey_images_fill_in_the_channels(images):
    X, y = images
    factory = torchvision_classifier("shufflenet_v2_x0_5", weights=None)
    net = CoTeachingVOGClassifier(factory, **QUICK).fit(X[:, :1], y)
    assert [network.conv1[0].in_channels for network in net.module_.networks] == [1, 1]
    assert net.predict(X[:, :1]).shape == (6,)


def test_squeezenet_learns_with_variance_of_gradients(images):
    X, y = images
    factory = torchvision_classifier("squeezenet1_1", weights=None)
    net = CoTeachingVOGClassifier(factory, **QUICK).fit(X, y)
    assert net.extract_features(X).shape == (6, 1024)
    assert np.isfinite(net.vog_).all()


def test_a_vision_transformer_without_a_size_is_built_for_the_images_at_hand():
    factory = torchvision_classifier("vit_b_32", weights=None)
    assert factory(num_classes=2, image_size=64).image_size == 64
    assert factory(num_classes=2).image_size == 224


@pytest.mark.slow
def test_a_vision_transformer_is_built_for_the_images_that_the_transform_gives():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (4, 3, 20, 24), dtype=np.uint8), [0, 1, 0, 1]
    factory = torchvision_classifier("vit_b_32", weights=None, image_size=64)
    net = CoTeachingClassifier(
        factory,
        forget_rate=0,
        max_epochs=1,
        train_transform=factory.eval_transform,
        eval_transform=factory.eval_transform,
        random_state=0,
    ).fit(X, y)
    assert net.module_.networks[0].image_size == 64
    assert net.predict_proba(X).shape == (4, 2)
    with pytest.raises(ValueError, match=r"image_size .* is 64, but images of 32 pixels came"):
        CoTeachingClassifier(factory, forget_rate=0).fit(np.zeros((4, 3, 32, 32)), y)
