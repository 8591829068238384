import hashlib
import re

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models import SqueezeNet1_1_Weights, get_model_weights

from noisyactive import CoTeachingVOGClassifier
from noisyactive.models import torchvision_classifier


def features_of(network, head, X):
    """Input of a head in evaluation mode."""
    seen = []
    layer = network.eval().get_submodule(head)
    handle = layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network(X)
    handle.remove()
    return seen[0]


def legacy_densenet(state):
    """Names as in the file that torchvision offers for download."""
    changed = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): value
        for key, value in state.items()
        if "num_batches_tracked" not in key
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in changed
    return changed


# Auxiliary outputs and a transform inside, old names, a version that is asked for.
PECULIAR = [
    ("resnet18", "fc", 32, {}, None),
    ("googlenet", "fc", 32, {"aux_logits": True, "init_weights": False}, None),
    ("inception_v3", "fc", 299, {"aux_logits": True, "init_weights": False}, None),
    ("densenet121", "classifier", 32, {}, legacy_densenet),
    ("mnasnet0_5", "classifier.1", 32, {}, None),
]


@pytest.mark.parametrize(("name", "head", "size", "options", "change"), PECULIAR)
def test_the_same_features_as_torchvision_loads_them(name, head, size, options, change, pretrained):
    pretrained(name, size, change, **options)
    theirs = torchvision.models.get_model(name, weights="DEFAULT")
    ours = torchvision_classifier(name)(num_classes=3)
    X = torch.randn(2, 3, size, size)
    expected = features_of(theirs, head, X)
    assert expected.std(dim=0).max() > 0.01  # two images, two answers
    torch.testing.assert_close(features_of(ours, head, X), expected)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "vit_b_32"])
def test_two_networks_differ_in_their_heads_alone(name, pretrained):
    pretrained(name)
    factory = torchvision_classifier(name)
    first, second = factory(3).state_dict(), factory(3).state_dict()
    differ = [key for key in first if not torch.equal(first[key], second[key])]
    assert [key.rpartition(".")[2] for key in differ] == ["weight", "bias"]
    assert first[differ[0]].shape[0] == 3


@pytest.mark.parametrize("in_channels", [1, 2, 4])
def test_alike_channels_give_what_their_grey_picture_gave(in_channels, pretrained):
    pretrained("resnet18", size=64)
    theirs = torchvision.models.resnet18(weights="DEFAULT")
    ours = torchvision_classifier("resnet18")(num_classes=3, in_channels=in_channels)
    grey = torch.randn(2, 1, 64, 64)
    expected = features_of(theirs, "fc", grey.expand(-1, 3, -1, -1))
    assert expected.std(dim=0).max() > 0.01
    ours = features_of(ours, "fc", grey.expand(-1, in_channels, -1, -1))
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_squeezenet_pools_before_its_new_head(in_channels, pretrained):
    pretrained("squeezenet1_1")
    theirs = torchvision.models.squeezenet1_1(weights="DEFAULT")
    ours = torchvision_classifier("squeezenet1_1")(num_classes=3, in_channels=in_channels)
    grey = torch.randn(2, 1, 64, 64)
    positions = features_of(theirs, "classifier.1", grey.expand(-1, 3, -1, -1))
    assert positions.shape == (2, 512, 3, 3)
    torch.testing.assert_close(
        features_of(ours, "classifier.3", grey.expand(-1, in_channels, -1, -1)),
        positions.mean(dim=(2, 3)),
    )


def test_a_transform_inside_needs_three_channels(pretrained):
    pretrained("googlenet", aux_logits=True, init_weights=False)
    with pytest.raises(ValueError, match="in_channels must be 3 for googlenet with weights"):
        torchvision_classifier("googlenet")(num_classes=3, in_channels=1)
    network = torchvision_classifier("googlenet", transform_input=False)(3, in_channels=1)
    assert network.eval()(torch.rand(2, 1, 32, 32)).shape == (2, 3)


# --- files of one's own -------------------------------------------------------------------------


def trained_a_little(network, channels):
    """The network after a pass from which BatchNorm takes its statistics."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    network.train()(torch.randn(8, channels, 64, 64))
    return network


@pytest.fixture
def small():
    """A network with 7 classes, and its features of a batch."""
    network = trained_a_little(torchvision.models.mnasnet0_5(weights=None, num_classes=7), 3)
    X = torch.randn(2, 3, 64, 64)
    expected = features_of(network, "classifier.1", X)
    assert expected.std(dim=0).max() > 0.01
    return network, X, expected


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_files(suffix, small, tmp_path):
    network, X, expected = small
    file = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(network.state_dict(), file)
    for weights in (file, str(file)):
        factory = torchvision_classifier("mnasnet0_5", weights)
        assert repr(str(file)) in repr(factory)
        torch.testing.assert_close(features_of(factory(3), "classifier.1", X), expected)
    assert factory.image_size == 224
    assert (
        factory.eval_transform.resize == torchvision_classifier("mnasnet0_5").eval_transform.resize
    )


def test_a_file_may_lack_the_head(small, tmp_path):
    network, X, expected = small
    state = {key: value for key, value in network.state_dict().items() if "classifier" not in key}
    torch.save(state, tmp_path / "body.pth")
    ours = torchvision_classifier("mnasnet0_5", tmp_path / "body.pth")(3)
    torch.testing.assert_close(features_of(ours, "classifier.1", X), expected)


def test_a_file_may_be_of_grey_images(tmp_path):
    theirs = torchvision.models.mnasnet0_5(weights=None)
    theirs.layers[0] = nn.Conv2d(1, *theirs.layers[0].weight.shape[:1], 3, 2, 1, bias=False)
    torch.save(trained_a_little(theirs, 1).state_dict(), tmp_path / "grey.pth")
    factory = torchvision_classifier("mnasnet0_5", tmp_path / "grey.pth")
    X = torch.randn(2, 1, 64, 64)
    expected = features_of(theirs, "classifier.1", X)
    assert expected.std(dim=0).max() > 0.01
    torch.testing.assert_close(features_of(factory(3, 1), "classifier.1", X), expected)
    again = features_of(factory(3, 3), "classifier.1", X.expand(-1, 3, -1, -1))
    torch.testing.assert_close(again, expected, atol=1e-2, rtol=1e-2)


def test_a_file_of_another_model(small, tmp_path):
    torch.save(small[0].state_dict(), tmp_path / "weights.pth")
    with pytest.raises(
        ValueError, match=r"weights.pth do not fit the network: \d+ tensors.*missing"
    ):
        torchvision_classifier("resnet18", tmp_path / "weights.pth")(3)
    with pytest.raises(
        ValueError, match=r"weights.pth do not fit .* tensors are of another shape \("
    ):
        torchvision_classifier("mnasnet1_0", tmp_path / "weights.pth")(3)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 half a zip file"])
def test_a_broken_file(suffix, content, tmp_path):
    file = tmp_path / f"broken{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} cannot be read; it may be broken"):
        torchvision_classifier("resnet18", file)(3)


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3, "state_dict": {}}])
def test_a_file_of_something_else(content, tmp_path):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth must hold a state_dict"):
        torchvision_classifier("resnet18", tmp_path / "other.pth")(3)


def test_a_file_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "burst").touch, ()

    torch.save({"weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ValueError, match="cannot be read"):
        torchvision_classifier("resnet18", tmp_path / "bomb.pth")(3)
    assert not (tmp_path / "burst").exists()


# --- downloads ----------------------------------------------------------------------------------


def test_without_a_network_one_sentence_says_what_to_do(checkpoints):
    factory = torchvision_classifier("squeezenet1_1")  # nothing is fetched yet
    with pytest.raises(FileNotFoundError) as raised:
        factory(num_classes=3)
    message = str(raised.value)
    assert SqueezeNet1_1_Weights.DEFAULT.url in message
    assert str(checkpoints / "squeezenet1_1-b8a52dc0.pth") in message
    assert "weights=None" in message
    assert list(checkpoints.iterdir()) == []


def test_fit_fails_at_the_first_attempt(checkpoints, monkeypatch):
    attempts = []
    download = torch.hub.download_url_to_file
    monkeypatch.setattr(
        torch.hub,
        "download_url_to_file",
        lambda *args, **kwargs: attempts.append(args) or download(*args, **kwargs),
    )
    net = CoTeachingVOGClassifier(torchvision_classifier("squeezenet1_1"))
    with pytest.raises(FileNotFoundError, match="could not be downloaded"):
        net.fit(np.zeros((4, 3, 32, 32)), [0, 1, 0, 1])
    assert len(attempts) == 1
    assert not net.initialized_


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Weights at an address that can be reached, under the name that their checksum gives."""

    def publish(checksum=None):
        network = torchvision.models.squeezenet1_1(weights=None)
        torch.save(network.state_dict(), tmp_path / "file")
        content = (tmp_path / "file").read_bytes()
        checksum = checksum or hashlib.sha256(content).hexdigest()[:8]
        file = (tmp_path / "file").rename(tmp_path / f"squeezenet-{checksum}.pth")
        member = get_model_weights("squeezenet1_1").DEFAULT
        monkeypatch.setattr(member.value, "url", file.as_uri())
        return file, network

    return publish


def test_a_download_happens_once(checkpoints, published):
    file, theirs = published()
    factory = torchvision_classifier("squeezenet1_1")
    assert list(checkpoints.iterdir()) == []
    first = factory(3)
    assert [path.name for path in checkpoints.iterdir()] == [file.name]
    file.unlink()
    second = factory(3)
    for network in (first, second):
        assert torch.equal(network.features[0].weight, theirs.features[0].weight)


def test_a_download_with_a_wrong_checksum_leaves_nothing(checkpoints, published):
    published("0123abcd")
    with pytest.raises(FileNotFoundError, match="invalid hash value"):
        torchvision_classifier("squeezenet1_1")(3)
    assert list(checkpoints.iterdir()) == []
