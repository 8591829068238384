"""How far the estimated forget rate is from the share of wrong labels.

``forget_rate="auto"`` is estimated at the end of warm-up. This compares the estimate with the truth
for uniform noise of several rates, and prints mean absolute errors over seeds:

    python examples/forget_rate_error.py [--ham10000 FILE] [--seeds 0 1 2]

on long-tailed digits and, with ``--ham10000``, on features of HAM10000: an npz file with the arrays
``features``, ``labels`` and ``split`` (0 for training).
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from noisyactive import CoTeachingClassifier, LongTailSampler, UniformLabelNoise

NOISE_RATES = (0.0, 0.2, 0.4, 0.5)


class StopAfterEstimate(Callback):
    """End the training once the forget rate is known."""

    def on_epoch_begin(self, net, **kwargs):
        if hasattr(net, "forget_rate_"):
            raise KeyboardInterrupt  # as skorch's EarlyStopping does


def long_tailed_digits(seed):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 1, 8, 8)
    X, _, y, _ = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    return LongTailSampler(imbalance_factor=10, random_state=seed).fit_resample(X, y)


def report(name, load, seeds):
    """Print a row per noise rate: true share, mean estimate, mean absolute error."""
    errors = []
    for rate in NOISE_RATES:
        truth, estimates = [], []
        for seed in seeds:
            X, y = load(seed)
            noise = UniformLabelNoise(rate, random_state=seed)
            y_noisy = noise.fit_transform(y)
            net = CoTeachingClassifier(callbacks=[StopAfterEstimate()], random_state=seed)
            estimates.append(net.fit(X, y_noisy).forget_rate_)
            truth.append(noise.noise_rate_)
        errors.append(np.abs(np.subtract(estimates, truth)))
        print(
            f"{name:10} p = {rate:.1f}: {np.mean(truth):.3f} wrong, "
            f"{np.mean(estimates):.3f} estimated, mean absolute error {errors[-1].mean():.3f}"
        )
    print(f"{name:10} over all: mean absolute error {np.mean(errors):.3f}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ham10000", metavar="FILE", help="npz file of features")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    report("digits", long_tailed_digits, arguments.seeds)
    if arguments.ham10000:
        with np.load(arguments.ham10000) as file:
            train = file["split"] == 0
            X, y = file["features"][train].astype(np.float32), file["labels"][train]
        report("HAM10000", lambda seed: (X, y), arguments.seeds)


if __name__ == "__main__":
    main()
