"""Seeds, and torch.hub's folder without a network."""

import pytest
import torch
import torchvision


@pytest.fixture(autouse=True)
def seeded():
    """The same random weights and images in any order of the tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """Folder where pretrained weights are looked for; whoever tries to fetch one is refused."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("no_proxy", "")
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def pretrained(checkpoints):
    """Puts the state_dict of a random network where torchvision's weights are looked for."""

    def put(name, size=None, change=None, **options):
        network = torchvision.models.get_model(name, weights=None, num_classes=1000, **options)
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.momentum = None
        if size is not None:  # statistics by which something of an image reaches the head
            network(torch.randn(4, 3, size, size))
        state = network.state_dict()
        if change is not None:
            state = change(state)
        member = torchvision.models.get_model_weights(name).DEFAULT
        file = checkpoints / member.url.rpartition("/")[2]
        torch.save(state, file)
        return file

    return put
