"""How far the estimated forget rate is from the share of wrong labels.

``forget_rate="auto"`` is estimated at the end of warm-up. This compares the estimate with the truth
for uniform noise of several rates, and prints mean absolute errors over seeds:

    python examples/forget_rate_error.py [--ham10000 FILE] [--seeds 0 1 2]

on long-tailed digits and, with ``--ham10000``, on features of HAM10000: an npz file with the arrays
``features``, ``labels`` and ``split`` (0 for training). With ``--small``, it draws small sets of
100, 200 and 500 rows and 3, 5 and 10 classes, from generators, real tables and, with
``--ham10000``, those features; it prints how far the estimates are off (mean absolute error, bias)
and how often the interval holds the truth, by kind of data, noise rate, size and classes:

    python examples/forget_rate_error.py --small [--ham10000 FILE] [--seeds 0 1]
"""

import argparse
import warnings
from itertools import product

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
    make_classification,
)
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from noisyactive import CoTeachingClassifier, LongTailSampler, UniformLabelNoise

NOISE_RATES = (0.0, 0.2, 0.4, 0.5)
SMALL_NOISE_RATES = (0.0, 0.2, 0.4)
SMALL_SIZES = (100, 200, 500)
SMALL_CLASSES = (3, 5, 10)


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


def load_features(path):
    with np.load(path) as file:
        train = file["split"] == 0
        return file["features"][train].astype(np.float32), file["labels"][train]


def estimate(X, y, rate, seed):
    """True share of wrong labels, fitted classifier."""
    noise = UniformLabelNoise(rate, random_state=seed)
    y_noisy = noise.fit_transform(y)
    net = CoTeachingClassifier(callbacks=[StopAfterEstimate()], random_state=seed)
    return noise.noise_rate_, net.fit(X, y_noisy)


def report(name, load, seeds):
    """Print a row per noise rate: true share, mean estimate, mean absolute error."""
    errors = []
    for rate in NOISE_RATES:
        pairs = [estimate(*load(seed), rate, seed) for seed in seeds]
        truth = [wrong for wrong, _ in pairs]
        estimates = [net.forget_rate_ for _, net in pairs]
        errors.append(np.abs(np.subtract(estimates, truth)))
        print(
            f"{name:10} p = {rate:.1f}: {np.mean(truth):.3f} wrong, "
            f"{np.mean(estimates):.3f} estimated, mean absolute error {errors[-1].mean():.3f}"
        )
    print(f"{name:10} over all: mean absolute error {np.mean(errors):.3f}\n")


# --- small sets ---------------------------------------------------------------------------------


def generated(class_sep):
    """Gaussian clusters at corners of a cube, among useless columns."""
    return lambda n, n_classes, seed: make_classification(
        n,
        n_features=20,
        n_informative=10,
        n_classes=n_classes,
        n_clusters_per_class=1,
        class_sep=class_sep,
        flip_y=0,
        random_state=seed,
    )


def blobs(n, n_classes, seed):
    return make_blobs(n, n_features=8, centers=n_classes, cluster_std=3, random_state=seed)


def drawn_from(X, y, imbalance_factor=1):
    """Rows of a real data set, of as many of its classes; None where it has too few of either."""

    def draw(n, n_classes, seed):
        classes = np.unique(y)
        if len(classes) < min(n_classes, 3):
            n_classes = len(classes) + (n_classes - 3)  # two classes stand in for three
        if len(classes) < n_classes:
            return None
        kept = np.random.RandomState(seed).choice(classes, n_classes, replace=False)
        rows = np.flatnonzero(np.isin(y, kept))
        if imbalance_factor > 1:
            sampler = LongTailSampler(imbalance_factor=imbalance_factor, random_state=seed)
            sampler.fit_resample(X[rows], y[rows])
            rows = rows[sampler.sample_indices_]
        if len(rows) <= n:
            return None
        rows, _ = train_test_split(rows, train_size=n, stratify=y[rows], random_state=seed)
        return X[rows], y[rows]

    return draw


def small_kinds(features):
    kinds = {
        "make_classification, class_sep 2": generated(2),
        "make_classification, class_sep 1.2": generated(1.2),
        "make_blobs": blobs,
        "digits": drawn_from(*load_digits(return_X_y=True)),
        "digits, long-tailed": drawn_from(*load_digits(return_X_y=True), imbalance_factor=5),
        "wine": drawn_from(*load_wine(return_X_y=True)),
        "iris": drawn_from(*load_iris(return_X_y=True)),
        "breast cancer": drawn_from(*load_breast_cancer(return_X_y=True)),
    }
    if features is not None:
        kinds["HAM10000"] = drawn_from(*features)
    return kinds


def report_small(kinds, seeds):
    """Print errors of the estimates and the coverage of the intervals, over groups of draws."""
    rows = []
    for kind, n, n_classes, rate, seed in product(
        kinds, SMALL_SIZES, SMALL_CLASSES, SMALL_NOISE_RATES, seeds
    ):
        data = kinds[kind](n, n_classes, seed)
        if data is None:
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The share of wrong labels is uncertain")
            truth, net = estimate(*data, rate, seed)
        low, high = net.forget_rate_interval_
        error = net.forget_rate_ - truth
        rows.append(
            (kind, f"n = {n}", f"{n_classes} classes", f"p = {rate:.1f}")
            + (error, low <= truth <= high, high - low)
        )
    columns = list(zip(*rows, strict=True))
    measured = np.array(columns[4:], dtype=float)
    print(f"{'':36} draws  error   bias  interval: coverage  width")
    for column in (0, 3, 1, 2, None):
        groups = ["all"] if column is None else dict.fromkeys(columns[column])
        for group in groups:
            of = [column is None or name == group for name in columns[column or 0]]
            error, held, width = measured[:, of]
            print(
                f"{group:36} {len(error):5}  {abs(error).mean():.3f} {error.mean():+.3f}"
                f"{held.mean():20.2f}  {width.mean():.3f}"
            )
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ham10000", metavar="FILE", help="npz file of features")
    parser.add_argument("--small", action="store_true", help="small sets of many kinds")
    parser.add_argument("--quick", action="store_true", help="only try that it runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    features = load_features(arguments.ham10000) if arguments.ham10000 else None
    if arguments.small:
        kinds = small_kinds(features)
        report_small({"wine": kinds["wine"]} if arguments.quick else kinds, arguments.seeds)
        return
    report("digits", long_tailed_digits, arguments.seeds)
    if features is not None:
        report("HAM10000", lambda seed: features, arguments.seeds)


if __name__ == "__main__":
    main()
