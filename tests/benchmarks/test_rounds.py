"""Time of a round of cleaning: `pytest tests/benchmarks/test_rounds.py`.

A round is learning from the answers of the round before and picking whom to ask about next.
"""

import copy
import time

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.cleaning import PAPER_PARAMS


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_jobs", "limit"),
    [(1_000, 64, 1, "<= 2.0"), (10_000, 256, 1, "<= 1.8"), (10_000, 256, 2, "<= 1.2")],
)
def test_round(compare, n_rows, n_features, n_jobs, limit):
    sizes = (n_rows * np.array([0.67, 0.11, 0.11, 0.05, 0.03, 0.02, 0.01])).astype(int)
    X, y = make_blobs(sizes, n_features, cluster_std=8.0, random_state=0)
    y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    net = CoTeachingVOGClassifier(forget_rate=0.35, max_epochs=15, random_state=0)

    def started(**settings):
        cleaner = ActiveLabelCleaner(
            net, n_rounds=2, round_budget=0.022, fine_tune_epochs=10, random_state=0, **settings
        )
        cleaner.start(X.astype(np.float32), y_noisy)
        rows = cleaner.query()
        return cleaner.teach(rows, y[rows])

    def seconds(cleaner):
        cleaner = copy.deepcopy(cleaner)
        begin = time.perf_counter()
        cleaner.query()
        return time.perf_counter() - begin

    defaults = started(n_jobs=n_jobs)
    paper = started(**PAPER_PARAMS)
    compare(
        f"round of cleaning, {n_rows} rows, n_jobs={n_jobs}: defaults / the paper's",
        lambda: seconds(defaults),
        lambda: seconds(paper),
        limit,
    )
