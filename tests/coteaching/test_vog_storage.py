"""Where the history of gradients lies."""

import errno
import gc
import os

import numpy as np
import pytest
import torch

from noisyactive import CoTeachingVOGClassifier
from noisyactive.coteaching import _vog
from noisyactive.coteaching._vog import VarianceOfGradients, choose_storage

GIB = 1024**3
QUICK = {
    "max_epochs": 4,
    "forget_rate": 0.2,
    "ramp_epochs": 1,
    "warmup_epochs": 1,
    "vog_window": 2,
    "mix_ratio": 0.5,
    "random_state": 0,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_same_scores_wherever_the_ring_lies(dtype):
    scores = []
    for place in ("device", "host", "disk"):
        generator = torch.Generator().manual_seed(0)
        history = VarianceOfGradients(50, 7, 3, dtype=dtype, place=place)
        for _ in range(4):
            history.begin_epoch()
            for rows in torch.randperm(50, generator=generator).split(16):
                history.record(rows, torch.randn(len(rows), 7, generator=generator))
        assert history.ring.dtype == dtype
        scores.append(history.scores())
    assert torch.equal(scores[0], scores[1]) and torch.equal(scores[0], scores[2])


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="maps cannot be listed")
def test_a_file_goes_with_its_history():
    def mapped():
        with open("/proc/self/maps") as maps:
            return sum("(deleted)" in line for line in maps)  # files without a name

    before = mapped()
    history = VarianceOfGradients(50, 7, 3, place="disk")
    assert mapped() > before
    del history
    gc.collect()
    assert mapped() == before


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="space cannot be reserved")
def test_a_disk_without_space_is_said_before_training(blobs, monkeypatch):
    X, _, y = blobs

    def full(descriptor, start, n_bytes):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    net = CoTeachingVOGClassifier(**QUICK, vog_storage="float16:disk")
    with pytest.raises(OSError, match="No space left.* history of gradients .*vog_storage"):
        net.fit(X, y)
    assert not net.history


@pytest.mark.parametrize(
    ("n_bytes", "memory", "expected"),
    [
        (1 * GIB, 16 * GIB, (torch.float32, "device")),
        (4 * GIB, 16 * GIB, (torch.float32, "device")),
        (6 * GIB, 16 * GIB, (torch.float16, "device")),
        (20 * GIB, 16 * GIB, (torch.float16, "disk")),
        (1 * GIB, 1 * GIB, (torch.float32, "disk")),
    ],
)
def test_chosen_by_size(monkeypatch, n_bytes, memory, expected):
    monkeypatch.setattr(_vog, "_main_memory", lambda: memory)
    assert choose_storage(n_bytes, "cpu") == expected
    assert choose_storage(n_bytes, None) == expected
    # The type follows from the whole, the place from a process's part.
    assert choose_storage(n_bytes, "cpu", 10**6) == (expected[0], "device")


def test_main_memory_is_a_plausible_number():
    assert GIB // 4 < _vog._main_memory() < 2**50


def test_results_do_not_depend_on_the_place(blobs):
    X, _, y = blobs
    net = CoTeachingVOGClassifier(**QUICK).fit(X, y)
    for storage in ("float32", "float32:host", "float32:disk"):
        other = CoTeachingVOGClassifier(**QUICK, vog_storage=storage).fit(X, y)
        np.testing.assert_array_equal(other.vog_, net.vog_)
        np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))
    halved = CoTeachingVOGClassifier(**QUICK, vog_storage="float16:disk").fit(X, y)
    np.testing.assert_allclose(halved.vog_, net.vog_, rtol=0.02, atol=1e-4)


def test_auto_follows_the_size(blobs, monkeypatch):
    """2 networks x window x n x (features + 1) numbers of 4 bytes."""
    X, _, y = blobs
    asked = []

    def remember(n_bytes, device, n_processes):
        asked.append(n_bytes)
        return torch.float16, "disk"

    monkeypatch.setattr("noisyactive.coteaching._vog_classifier.choose_storage", remember)
    CoTeachingVOGClassifier(**QUICK).fit(X, y)
    CoTeachingVOGClassifier(**QUICK, vog_gradient="activation").fit(X, y)
    assert asked == [4 * 2 * 2 * len(X) * 129, 4 * 2 * 2 * len(X) * 3]


def test_a_wrong_name_is_refused(blobs):
    X, _, y = blobs
    with pytest.raises(ValueError, match="'vog_storage' parameter"):
        CoTeachingVOGClassifier(vog_storage="float64").fit(X, y)
