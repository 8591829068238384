"""Memory that rows on disk take: `pytest tests/benchmarks/test_larger_than_memory.py`.

Anonymous memory, of which pages of the file are no part. By default 1 GB of rows;
``NOISYACTIVE_GIGABYTES=8`` writes 8 GB of them to the temporary folder. Two kinds: images of
150 kB in batches of 32, the usual data of this size, of which little is kept beside the networks;
and rows of 2,000 numbers in batches of 256, a million in 8 GB, of which class probabilities and the
history of gradients are kept for each. Needs Linux.
"""

import multiprocessing
import os
import sys

import numpy as np
import pytest
import torch
from test_audit import anonymous

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise

GIGABYTES = float(os.environ.get("NOISYACTIVE_GIGABYTES", 1))
SHAPES = {"images": (3, 224, 224), "rows": (2_000,)}
TYPES = {"images": np.uint8, "rows": np.float32}
BATCHES = {"images": 32, "rows": 256}
STEPS = ("fit", "start", "round", "predict")
WRITTEN = 2**26


class Small(torch.nn.Module):
    """A network for images that takes hardly any time or memory itself."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3 * 7 * 7, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4)
        )

    def forward(self, X):
        return self.layers(X[:, :, 16::32, 16::32].flatten(1) / 128 - 1)


def open_rows(path, kind, n_rows=None):
    """Rows in a file, mapped into memory or in HDF5; a new file for `n_rows`."""
    if path.suffix == ".npy":
        if n_rows:
            return np.lib.format.open_memmap(path, "w+", TYPES[kind], (n_rows, *SHAPES[kind]))
        return np.load(path, mmap_mode="r")
    import h5py

    if n_rows:
        return h5py.File(path, "w").create_dataset("X", (n_rows, *SHAPES[kind]), TYPES[kind])
    return h5py.File(path, "r")["X"]


def write_rows(path, kind):
    """Rows of four classes: noise that is the same in every block, and what tells the class."""
    n_bytes = int(np.prod(SHAPES[kind])) * np.dtype(TYPES[kind]).itemsize
    n_rows = int(GIGABYTES * 1e9) // n_bytes
    X = open_rows(path, kind, n_rows)
    y = np.arange(n_rows) % 4
    step = WRITTEN // n_bytes
    rng = np.random.default_rng(0)
    if kind == "images":
        block = rng.integers(0, 200, size=(step, *SHAPES[kind]), dtype=np.uint8)
        block += (y[:step, None, None, None] * 15).astype(np.uint8)
    else:
        block = rng.standard_normal((step, *SHAPES[kind]), dtype=np.float32)
        block[:, :40] += np.repeat(np.eye(4), 10, axis=1)[y[:step]]
    for start in range(0, n_rows, step):
        X[start : start + step] = block[: n_rows - start]
        y[start : start + step] = np.arange(step)[: n_rows - start] % 4
    X.flush()
    if path.suffix == ".h5":
        X.file.close()
    return y


def work(path, kind, y, pipe):
    """One step for each message; the process ends with the last."""
    torch.set_num_threads(1)
    X = open_rows(path, kind)
    y_noisy = UniformLabelNoise(0.2, random_state=0).fit_transform(y)
    net = CoTeachingVOGClassifier(
        Small if kind == "images" else None, max_epochs=2, warmup_epochs=1, vog_window=2,
        vog_gradient="activation", batch_size=BATCHES[kind], random_state=0,
    )  # fmt: skip
    cleaner = ActiveLabelCleaner(
        net, n_rounds=2, round_budget=0.01, fine_tune_epochs=1, random_state=0
    )
    net.fit(X[:100], y_noisy[:100])  # what torch takes by itself
    pipe.send("ready")
    for step in STEPS:
        pipe.recv()
        if step == "fit":
            net.fit(X, y_noisy)
        elif step == "start":
            cleaner.start(X, y_noisy)
        elif step == "round":
            rows = cleaner.query()
            cleaner.teach(rows, y[rows]).query()
        else:
            cleaner.predict_proba(X)
        pipe.send(step)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.filterwarnings("ignore:.*never used:UserWarning")
@pytest.mark.parametrize("kind", ["images", "rows"])
@pytest.mark.parametrize("suffix", ["npy", "h5"])
def test_rows_in_a_file(tmp_path, figure, kind, suffix):
    if suffix == "h5":
        pytest.importorskip("h5py")
    path = tmp_path / f"X.{suffix}"
    y = write_rows(path, kind)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(path, kind, y, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "ready"
    for step in STEPS:
        before = peak = anonymous(process.pid)
        ours.send("go")
        while not ours.poll(0.005):
            peak = max(peak, anonymous(process.pid))
        assert ours.recv() == step
        n_gigabytes = path.stat().st_size / 1e9
        added = f"{(peak - before) / 1e6:.0f}"
        figure(f"{step} on {n_gigabytes:.1f} GB of {kind} in {suffix}, MB added", added, "")
        figure("... of the whole process", f"{peak / 1e6:.0f}", "< 600")
    process.join()
    path.unlink()
