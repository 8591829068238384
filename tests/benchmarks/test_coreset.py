"""Time of core-set selection: `pytest tests/benchmarks/test_coreset.py`.

The first table compares with the plain algorithm on its full matrix of distances, at the size of
ISIC 2019 with ResNet18 features; the second shows how the time grows with the pool.
"""

import numpy as np
import pytest

from noisyactive.query import k_center_greedy


def plain(features, centres, n_instances):
    """Greedy k-center with the full matrix of distances."""
    norms = (features**2).sum(axis=1)
    products = features @ centres.T
    distances = (norms[:, None] - 2 * products + (centres**2).sum(axis=1)).min(axis=1)
    picks = []
    for _ in range(n_instances):
        pick = int(distances.argmax())
        picks.append(pick)
        to_pick = norms - 2 * features @ features[pick] + norms[pick]
        distances = np.minimum(distances, to_pick)
    return picks


def samples(n_samples, n_features, seed):
    """Clusters of samples, of float32."""
    rng = np.random.RandomState(seed)
    middles = 3 * np.random.RandomState(0).standard_normal((200, n_features))
    noise = rng.standard_normal((n_samples, n_features))
    return (middles[rng.randint(200, size=n_samples)] + noise).astype(np.float32)


@pytest.mark.benchmark(group="17,731 x 512, 8,795 centres, 492 picks")
@pytest.mark.parametrize("choose", [plain, k_center_greedy], ids=["plain", "ours"])
def test_against_the_plain_algorithm(benchmark, choose):
    data = samples(17_731, 512, 1), samples(8_795, 512, 2)
    benchmark.pedantic(choose, args=(*data, 492), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="n x 64, 10,000 centres, 500 picks")
@pytest.mark.parametrize("n_samples", [100_000, 1_000_000])
def test_growth_with_the_pool(benchmark, n_samples):
    data = samples(n_samples, 64, 1), samples(10_000, 64, 2)
    benchmark.pedantic(k_center_greedy, args=(*data, 500), rounds=1)
