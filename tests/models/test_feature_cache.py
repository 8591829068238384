"""Features on disk: the same bits, found by what they were computed from, never half a file."""

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file
from sklearn.base import clone
from torch import nn

from noisyactive.datasets import paper_transforms
from noisyactive.models import FrozenFeatures


class Counting(nn.Module):
    """A convolution that counts the samples that it is given; copies share the count."""

    seen = 0

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images):
        type(self).seen += len(images)
        return self.layers(images)


def scale(images):
    return images.float() / 255


@pytest.fixture
def images():
    return np.random.RandomState(0).randint(256, size=(10, 3, 12, 12), dtype=np.uint8)


@pytest.fixture
def features(tmp_path):
    Counting.seen = 0
    return FrozenFeatures(Counting(), eval_transform=scale, batch_size=4, cache=tmp_path / "cache")


def files_of(features):
    return sorted(features.cache.rglob("*.safetensors"))


def test_hit_and_miss_are_the_same_bits(features, images):
    plain = clone(features).set_params(cache=None).transform(images)
    assert Counting.seen == 10
    missed = features.transform(images)
    assert Counting.seen == 20
    hit = clone(features).transform(images.copy())
    assert Counting.seen == 20
    assert_array_equal(missed, plain)
    assert_array_equal(hit, plain)
    assert len(files_of(features)) == 3
    assert sum(len(load_file(file)["features"]) for file in files_of(features)) == 10


def test_what_has_been_computed_is_not_computed_again(features, images):
    features.transform(images[:8])
    more = features.transform(images)  # two batches are there
    assert Counting.seen == 10
    assert_array_equal(more, clone(features).set_params(cache=None).transform(images))


def other_image(features, images):
    images = images.copy()
    images[9, 2, 11, 11] ^= 1
    return features, images


def other_shape(features, images):
    return features, images.reshape(10, 3, 16, 9)


def other_weights(features, images):
    twin = clone(features)
    with torch.no_grad():
        twin.backbone.layers[0].bias[0] += 1e-3
    return twin, images


def other_network(features, images):
    twin = clone(features)
    twin.backbone.layers[1] = nn.AdaptiveMaxPool2d(1)
    return twin, images


def other_transform(features, images):
    return clone(features).set_params(eval_transform=paper_transforms(12)[1]), images


def other_precision(features, images):
    return clone(features).set_params(autocast="bfloat16"), images


@pytest.mark.parametrize(
    ("change", "computed"),
    [
        (other_image, 2),  # the batch that it is in
        (other_shape, 10),
        (other_weights, 10),
        (other_network, 10),
        (other_transform, 10),
        (other_precision, 10),
    ],
)
def test_anything_that_features_depend_on_is_looked_at(features, images, change, computed):
    features.transform(images)
    Counting.seen = 0
    twin, X = change(features, images)
    found = twin.transform(X)
    assert Counting.seen == computed
    assert_array_equal(found, clone(twin).set_params(cache=None).transform(X))


def test_transforms_of_several_sizes_are_told_apart(features, images):
    for size in (8, 9):
        features.set_params(eval_transform=paper_transforms(size)[1]).transform(images)
    assert Counting.seen == 20


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: b"", lambda data: b"x"])
def test_a_damaged_file_is_told_and_replaced(features, images, damage):
    expected = features.transform(images)
    file = files_of(features)[1]
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    with pytest.warns(UserWarning, match=r"cache's file .* is damaged"):
        found = features.transform(images)
    assert_array_equal(found, expected)
    assert file.read_bytes() == whole


def test_a_transform_that_nothing_describes_is_refused(features, images):
    with pytest.raises(ValueError, match="cache needs a transform .* not a lambda"):
        features.set_params(eval_transform=lambda images: images / 255).transform(images)

    class Odd:
        def __call__(self, images):
            return images / 255

    with pytest.raises(ValueError, match="give its class a __repr__"):
        features.set_params(eval_transform=Odd()).transform(images)
    assert Counting.seen == 0


def test_threads_may_write_the_same_files(features, images):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: clone(features).transform(images), range(8)))
    expected = clone(features).set_params(cache=None).transform(images)
    for one in found:
        assert_array_equal(one, expected)
    assert len(files_of(features)) == 3
    assert not list(features.cache.rglob("*.part"))


SCRIPT = """
import sys, numpy as np, torch
from torch import nn
from noisyactive.models import FrozenFeatures
class Slow(nn.Module):
    def forward(self, x):
        print("batch".ljust(4000), flush=True)  # who does not read it makes this process wait
        return x * 2
X = np.arange(4000.0).reshape(400, 10)
FrozenFeatures(Slow(), batch_size=4, cache=sys.argv[1]).transform(X)
print("done", flush=True)
"""


def test_a_kill_in_the_middle_leaves_whole_files(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(12):
            assert process.stdout.readline().strip() == "batch"
        os.kill(process.pid, signal.SIGKILL)
    files = sorted((tmp_path / "cache").rglob("*.safetensors"))
    assert 10 <= len(files) < 100
    assert all(load_file(file)["features"].shape == (4, 10) for file in files)
    rest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert rest.count("batch") == 100 - len(files)
    assert rest[-1] == "done"
