"""Time and memory of core-set selection by size of the pool: 10,000 centres, 500 picks.

`python tests/benchmarks/plot_coreset_growth.py` takes some minutes, prints a table, and writes
coreset_growth.png.
"""

import multiprocessing
import resource
import time

import numpy as np
import torch

from noisyactive.query import k_center_greedy

SIZES = [100_000, 200_000, 500_000, 1_000_000]


def measure(n_samples):
    """Seconds, and bytes beyond pool and centres at the peak."""
    torch.set_num_threads(2)
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((10_000, 64), dtype=np.float32)
    pool = generator.standard_normal((n_samples, 64), dtype=np.float32)
    k_center_greedy(pool[:1_000], centres[:100], 10)  # what libraries allocate at first use
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    k_center_greedy(pool, centres, 500)
    seconds = time.perf_counter() - start
    return seconds, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def main():
    import matplotlib.pyplot as plt

    seconds, memory = [], []
    print("      rows   seconds   MB beside pool and centres")
    for n_samples in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            figures = process.apply(measure, (n_samples,))
        seconds.append(figures[0])
        memory.append(figures[1] / 1e6)
        print(f"{n_samples:>10,}{seconds[-1]:>10.1f}{memory[-1]:>10.0f}")
    millions = np.array(SIZES) / 1e6
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for ax, values, label in zip(
        axes, (seconds, memory), ("seconds", "MB beside pool and centres"), strict=True
    ):
        slope = np.dot(millions, values) / np.dot(millions, millions)
        ax.plot(millions, slope * millions, color="0.6", linestyle="--", label="proportional")
        ax.plot(millions, values, color="#0072B2", marker="o", label="measured")
        ax.set(xlabel="million rows", ylabel=label, xlim=(0, None), ylim=(0, None))
        ax.legend(frameon=False)
    figure.suptitle("500 of a pool, 10,000 centres, 64 features, 2 threads")
    figure.savefig("coreset_growth.png", dpi=120)


if __name__ == "__main__":
    main()
