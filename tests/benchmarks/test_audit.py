"""Judging many labels by probabilities on disk: `pytest tests/benchmarks/test_audit.py`.

Each audit runs in a process of its own, whose anonymous memory is watched from here: pages of the
memory map are not part of it. Memory beside the data is what comes on top of the labels and of
what libraries hold; that of the whole process is also given. Needs Linux, and 500 MB of disk.
"""

import math
import multiprocessing
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from noisyactive.audit import issues_from_proba

N_CLASSES = 10
SIZES = (1_000_000, 10_000_000)


def write_proba(path, n_rows):
    """float32 probabilities of a classifier that is right about most labels, which are returned."""
    rng = np.random.default_rng(0)
    shape = (n_rows, N_CLASSES)
    proba = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    y = np.empty(n_rows, dtype=np.int64)
    for start in range(0, n_rows, 100_000):
        rows = slice(start, start + 100_000)
        true = rng.integers(N_CLASSES, size=len(y[rows]))
        block = rng.standard_exponential((len(true), N_CLASSES), dtype=np.float32) ** 2
        block[np.arange(len(true)), true] += 10
        proba[rows] = block / block.sum(axis=1, keepdims=True)
        anything = rng.integers(N_CLASSES, size=len(true))
        y[rows] = np.where(rng.random(len(true)) < 0.2, anything, true)
    proba.flush()
    return y


def judge(path, labels, connection):
    """Judge labels in a process of its own, and say how long its one thread was busy."""
    torch.set_num_threads(1)
    proba, y = np.load(path, mmap_mode="r"), np.load(path.with_name("y.npy"))
    if labels == "strings":
        names = np.array([f"class {k}" for k in range(N_CLASSES)], dtype=object)
        y = names[y]
    issues_from_proba(y[:1_000], proba[:1_000])  # what libraries allocate at first use
    connection.send("ready")
    connection.recv()
    begin = time.process_time()
    table = issues_from_proba(y, proba)
    connection.send((time.process_time() - begin, int(table["is_issue"].sum())))
    connection.recv()


def anonymous(pid):
    """Bytes of memory of a process that no file lies behind."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])


def measured(path, labels):
    """Seconds of CPU, bytes held at the peak and those on top of before, labels called wrong."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=judge, args=(path, labels, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "ready"
    before = peak = anonymous(process.pid)
    ours.send("go")
    while not ours.poll(0.002):
        peak = max(peak, anonymous(process.pid))
    seconds, n_issues = ours.recv()
    ours.send("thanks")
    process.join()
    return seconds, peak, peak - before, n_issues


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("labels", ["ints", "strings"])
def test_ten_million_labels(tmp_path, figure, labels):
    seconds = []
    for n_rows in SIZES:
        path = tmp_path / "proba.npy"
        np.save(tmp_path / "y.npy", write_proba(path, n_rows))
        took, peak, added, n_issues = measured(path, labels)
        path.unlink()
        assert 0.15 < n_issues / n_rows < 0.2  # 0.2 * 9 / 10 are wrong
        seconds.append(took)
        figure(f"judging {n_rows:,} labels ({labels}), s of CPU", f"{took:.1f}", "")
        limit = "< 500" if n_rows == SIZES[-1] else ""
        figure(f"memory beside {n_rows:,} labels ({labels}), MB", f"{added / 1e6:.0f}", limit)
        figure("... of the whole process", f"{peak / 1e6:.0f}", "")
    exponent = math.log(seconds[1] / seconds[0]) / math.log(SIZES[1] / SIZES[0])
    figure(f"growth of the time ({labels}), exponent", f"{exponent:.2f}", "about 1")
