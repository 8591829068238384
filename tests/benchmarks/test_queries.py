"""Queries on large pools: `pytest tests/benchmarks/test_queries.py`.

Class probabilities of 10 classes lie on disk, features in memory. Memory is what is added while a
strategy chooses 1,000 rows, pages of files apart. Needs Linux and 500 MB of disk.
"""

import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from _growth import exponent, measured
from test_audit import write_proba

from noisyactive.query import (
    bald_scores,
    entropy_sampling,
    k_center_greedy,
    label_disagreement_sampling,
    least_confidence_sampling,
    margin_sampling,
    random_sampling,
    rank_suspects,
    rare_entropy_sampling,
)

SIZES = (1_000_000, 10_000_000)
N_WANTED = 1_000
N_FEATURES = 8


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.filterwarnings("ignore:.*agrees with every label")
def test_large_pools(tmp_path, figure):
    found = {}
    for n in SIZES:
        path = tmp_path / "proba.npy"
        y = write_proba(path, n)
        proba = np.load(path, mmap_mode="r")
        X = np.empty((n, 1), dtype=np.uint8)
        learner = SimpleNamespace(predict_proba=lambda X, proba=proba: proba, classes_=range(10))
        features = np.random.default_rng(0).random((n, N_FEATURES), dtype=np.float32)
        strategies = {
            strategy.__name__: partial(strategy, learner, X, N_WANTED)
            for strategy in (
                entropy_sampling,
                margin_sampling,
                least_confidence_sampling,
                rare_entropy_sampling,
                random_sampling,
            )
        }
        strategies["label_disagreement_sampling"] = partial(
            label_disagreement_sampling, learner, X, N_WANTED, y=y
        )
        strategies["rank_suspects"] = partial(rank_suspects, y, proba)
        strategies["bald_scores of 2 draws"] = partial(bald_scores, [proba, proba])
        strategies["k_center_greedy"] = partial(
            k_center_greedy, features, features[:100], min(N_WANTED, 200)
        )
        for name, ask in strategies.items():
            _, seconds, n_bytes = measured(ask)
            found.setdefault(name, []).append((seconds, n_bytes))
        path.unlink()
    for name, rows in found.items():
        for n, (seconds, n_bytes) in zip(SIZES, rows, strict=True):
            figure(f"{name}, {n:,} rows, s", f"{seconds:.1f}", "")
            figure("... bytes a row added", f"{n_bytes / n:.0f}", "")
        seconds, n_bytes = zip(*rows, strict=True)
        figure(f"{name}: growth of the time, exponent", f"{exponent(SIZES, seconds):.2f}", "< 1.1")
        figure(f"{name}: growth of the memory", f"{exponent(SIZES, n_bytes):.2f}", "< 1.1")
