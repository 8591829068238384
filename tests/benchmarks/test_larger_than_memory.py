"""Memory that rows on disk take: `pytest tests/benchmarks/test_larger_than_memory.py`.

Anonymous memory, of which pages of the file are no part. By default 1 GB of rows;
``NOISYACTIVE_GIGABYTES=8`` writes 8 GB of them to the temporary folder. Needs Linux.
"""

import multiprocessing
import os
import sys

import numpy as np
import pytest
import torch
from test_audit import anonymous

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise

N_FEATURES = 2_000
N_ROWS = int(float(os.environ.get("NOISYACTIVE_GIGABYTES", 1)) * 1e9) // (4 * N_FEATURES)
STEPS = ("fit", "start", "round", "predict")


def open_rows(path, *, new=False):
    """Rows in a file, mapped into memory or in HDF5."""
    shape = (N_ROWS, N_FEATURES)
    if path.suffix == ".npy":
        if new:
            return np.lib.format.open_memmap(path, "w+", np.float32, shape)
        return np.load(path, mmap_mode="r")
    import h5py

    if new:
        return h5py.File(path, "w").create_dataset("X", shape, np.float32)
    return h5py.File(path, "r")["X"]


def write_rows(path):
    """Rows of four classes."""
    X = open_rows(path, new=True)
    y = np.arange(N_ROWS) % 4
    rng = np.random.default_rng(0)
    for start in range(0, N_ROWS, 5_000):
        part = y[start : start + 5_000]
        rows = rng.standard_normal((len(part), N_FEATURES), dtype=np.float32)
        rows[:, :40] += np.repeat(np.eye(4), 10, axis=1)[part]
        X[start : start + 5_000] = rows
    X.flush()
    if path.suffix == ".h5":
        X.file.close()
    return y


def work(path, y, pipe):
    """One step for each message; the process ends with the last."""
    torch.set_num_threads(2)
    X = open_rows(path)
    y_noisy = UniformLabelNoise(0.2, random_state=0).fit_transform(y)
    net = CoTeachingVOGClassifier(
        max_epochs=3, warmup_epochs=1, vog_window=2, vog_gradient="activation", random_state=0
    )
    cleaner = ActiveLabelCleaner(
        net, n_rounds=2, round_budget=0.01, fine_tune_epochs=3, random_state=0
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
@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_rows_in_a_file(tmp_path, figure, kind):
    if kind == "h5":
        pytest.importorskip("h5py")
    path = tmp_path / f"X.{kind}"
    y = write_rows(path)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(path, y, theirs))
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
        figure(f"{step} on {n_gigabytes:.1f} GB in {kind}, MB added", added, "")
        figure("... of the whole process", f"{peak / 1e6:.0f}", "< 600")
    process.join()
    path.unlink()
