"""What CPU time buys: macro F1, right labels found and precision of trust, by size of the data.

`python tests/benchmarks/plot_time_to_quality.py` prints a table and writes time_to_quality.png; all
sizes take an hour or more, ``--rows 500 7000 --images 600`` about ten minutes. One thread. All
models are fitted to the same labels, a quarter of them wrong, and scored on clean ones.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.coteaching import PAPER_PARAMS

SHARES = np.array([0.4, 0.2, 0.15, 0.1, 0.07, 0.04, 0.03, 0.01])
N_TEST = 20_000
COLOURS = {
    "ours": "#0072B2",
    "ours, paper's schedule": "#56B4E9",
    "both, all labels": "#E69F00",
    "MLP, early stopping": "#009E73",
    "HGB": "#CC79A7",
}


def rows_of(n_samples, seed=0):
    """Rows of 50 features and 8 classes, from 40% to 1%; true and noisy labels, and a test set."""
    X, y = make_classification(
        n_samples + N_TEST,
        50,
        n_informative=20,
        n_redundant=10,
        n_classes=8,
        n_clusters_per_class=3,
        weights=SHARES,
        class_sep=1.5,
        flip_y=0,
        random_state=seed,
    )
    return _split(X.astype(np.float32), y, n_samples, seed)


def images_of(n_samples, seed=0):
    """Grey images of 28 x 28: a blurred pattern for each of 8 classes, moved, with pixel noise."""
    rng = np.random.RandomState(seed)
    patterns = rng.standard_normal((8, 7, 7)).repeat(4, axis=1).repeat(4, axis=2)
    y = rng.choice(8, p=SHARES, size=n_samples + 4_000)
    moves = rng.randint(-4, 5, size=(len(y), 2))
    X = np.stack([np.roll(patterns[k], m, axis=(0, 1)) for k, m in zip(y, moves, strict=True)])
    X += rng.normal(0, 2, size=X.shape)
    return _split(X[:, None].astype(np.float32), y, n_samples, seed)


def _split(X, y, n_samples, seed):
    y_noisy = UniformLabelNoise(0.25, random_state=seed).fit_transform(y[:n_samples])
    return X[:n_samples], y[:n_samples], y_noisy, X[n_samples:], y[n_samples:]


def contestants(images, seed=0):
    """Models by name; scikit-learn's take rows alone."""
    models = {
        "ours": CoTeachingVOGClassifier(random_state=seed),
        "ours, paper's schedule": CoTeachingVOGClassifier(**PAPER_PARAMS, random_state=seed),
        "both, all labels": CoTeachingVOGClassifier(mix_ratio=0, forget_rate=0, random_state=seed),
    }
    if not images:
        models["MLP, early stopping"] = make_pipeline(
            StandardScaler(), MLPClassifier((128, 128), early_stopping=True, random_state=seed)
        )
        models["HGB"] = HistGradientBoostingClassifier(random_state=seed)
    return models


def measure(model, data):
    """CPU-seconds, macro F1; of the trusted labels, how many of the right ones they are (also of
    the three rarest classes), and how many are right."""
    X, y, y_noisy, X_test, y_test = data
    start = time.process_time()
    model.fit(X, y_noisy)
    seconds = time.process_time() - start
    found = {"f1": f1_score(y_test, model.predict(X_test), average="macro")}
    if getattr(model, "forget_rate_", 0) > 0:
        right, trusted = y == y_noisy, model.clean_mask_
        found["found"] = trusted[right].mean()
        found["rare"] = trusted[right & (y >= 5)].mean()
        found["precision"] = right[trusted].mean()
    return seconds, found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[500, 7_000, 100_000, 1_000_000])
    parser.add_argument("--images", type=int, nargs="*", default=[600, 7_000])
    parser.add_argument("--models", nargs="*", help="names, as in the table; default: all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "The share of wrong labels is uncertain", UserWarning)
    print(f"{'data':<16}{'model':<26}{'CPU-s':>8}{'F1':>7}{'found':>8}{'rare':>7}{'precise':>9}")
    results = {}
    for kind, make in (("rows", rows_of), ("images", images_of)):
        for n_samples in getattr(options, kind):
            data = make(n_samples, options.seed)
            name = f"{n_samples:,} {kind}"
            for label, model in contestants(kind == "images", options.seed).items():
                if options.models and label not in options.models:
                    continue
                seconds, found = measure(model, data)
                results.setdefault(name, {})[label] = seconds, found["f1"]
                shares = "".join(
                    f"{found[key]:>{width}.3f}" if key in found else " " * width
                    for key, width in (("f1", 7), ("found", 8), ("rare", 7), ("precision", 9))
                )
                print(f"{name:<16}{label:<26}{seconds:>8.1f}{shares}", flush=True)
    draw(results)


def draw(results):
    """One panel for each size: macro F1 against CPU-seconds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(results), figsize=(3 * len(results), 3.2), squeeze=False, layout="constrained"
    )
    for ax, (name, of_model) in zip(axes[0], results.items(), strict=True):
        for label, (seconds, f1) in of_model.items():
            ax.scatter(seconds, f1, color=COLOURS[label], label=label, zorder=2)
        times = [seconds for seconds, _ in of_model.values()]
        ax.set(
            title=name, xscale="log", xlabel="CPU-seconds", xlim=(min(times) / 4, max(times) * 4)
        )
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        ax.grid(color="0.9")
    axes[0, 0].set_ylabel("macro F1, clean test set")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig("time_to_quality.png", dpi=120)


if __name__ == "__main__":
    main()
