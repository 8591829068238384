"""Choose `mix_ratio` by a grid search whose training labels are noisy and whose scores are clean.
===============================================================================================

How much of the choice of clean samples should Co-teaching VOG leave to VOG? On the long-tailed
digits of plot_quickstart.py, a `GridSearchCV` tries some values, each on 40% wrong labels.

What a reader learns:

* Noise belongs inside `fit`. `NoisyLabelsClassifier` corrupts the labels of each training fold; the
  labels of the validation fold stay as they are. The second curve of the figure is what the very
  same networks score against validation labels of which 40% are wrong, as if noise had come before
  the split: it lies far lower, and the candidates closer together.
* Networks sit in pipelines like any other classifier. Parameters are reached by their way through
  the nest: classifier, pipeline, step, here ``estimator__net__mix_ratio``.
* ``n_jobs=2`` gives the same numbers as ``n_jobs=1`` with one torch thread in every process: joblib
  sees to that in its workers, ``torch.set_num_threads(1)`` here.
* Bars are standard deviations over the folds, thin lines the folds. All candidates get the same
  folds with the same wrong labels, so compare them along the lines: most of what the bars show is
  how the folds differ. Three folds of one draw of the data tell a tendency and no more.

Run it with ``python examples/plot_grid_search_mix_ratio.py``; it takes less than a minute.
``--quick`` tries that it runs, with few epochs.
"""

import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from noisyactive import (
    CoTeachingVOGClassifier,
    LongTailSampler,
    NoisyLabelsClassifier,
    UniformLabelNoise,
)

MIX_RATIOS = [0, 0.2, 0.5, 1]


def to_images(X):
    """Rows of 64 pixels as images of one channel."""
    return X.reshape(-1, 1, 8, 8)


def noisy_f1(estimator, X, y):
    """Macro F1 against labels of which 40% are wrong, as if noise had come before the split."""
    y_noisy = UniformLabelNoise(0.4, random_state=1).fit_transform(y)
    return f1_score(y_noisy, estimator.predict(X), average="macro")


def make_search(n_jobs, **settings):
    """A search over the mix ratio of networks that learn from noisy labels.

    `settings` are further parameters of the networks.
    """
    net = CoTeachingVOGClassifier(
        classes=range(10),  # noise may leave a training fold without a rare one
        module__base_channels=16,  # half as wide as the default, to be quicker
        batch_size=32,
        lr=0.02,
        random_state=0,
        **settings,
    )
    pipeline = Pipeline(
        [("scale", MinMaxScaler()), ("images", FunctionTransformer(to_images)), ("net", net)]
    )
    return GridSearchCV(
        NoisyLabelsClassifier(pipeline, UniformLabelNoise(0.4, random_state=0)),
        {"estimator__net__mix_ratio": MIX_RATIOS},
        scoring={"clean": "f1_macro", "noisy": noisy_f1},
        refit="clean",
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        n_jobs=n_jobs,
        error_score="raise",
    )


def plot(results):
    """Scores by mix ratio: each fold, mean and standard deviation."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    mix_ratios = np.array(MIX_RATIOS)
    for name, label, shift, color, marker in [
        ("clean", "clean labels", -0.005, "#D55E00", "o"),
        ("noisy", "noisy labels, the same networks", 0.005, "#0072B2", "s"),
    ]:
        for k in range(3):
            fold = results[f"split{k}_test_{name}"]
            ax.plot(mix_ratios + shift, fold, color=color, linewidth=0.8, alpha=0.6)
        ax.errorbar(
            mix_ratios + shift,
            results[f"mean_test_{name}"],
            yerr=results[f"std_test_{name}"],
            color=color,
            marker=marker,
            linewidth=2,
            capsize=5,
            label=label,
        )
    ax.set_xticks(MIX_RATIOS)
    ax.set(
        xlabel="mix_ratio: share of the clean samples chosen by VOG",
        ylabel="macro F1 on validation folds",
        title="Learning from 40% wrong labels: mean and std of 3 folds",
        ylim=(0, 1),
    )
    ax.legend(title="scored against", loc="lower left", frameon=False, alignment="left")
    return figure


def main():
    """Search, print the table and plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n-jobs", type=int, default=2, help="processes; the numbers are the same")
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X, y = LongTailSampler(imbalance_factor=10, random_state=0).fit_resample(X, y)
    print(f"{len(y)} images, {np.bincount(y).min()} of the rarest digit")

    quick = {"max_epochs": 4, "warmup_epochs": 1, "vog_window": 2}
    settings = quick if arguments.quick else {}
    search = make_search(arguments.n_jobs, **settings).fit(X, y)
    results = search.cv_results_
    print("\nmix_ratio   macro F1, clean labels   against noisy labels")
    for i, mix_ratio in enumerate(MIX_RATIOS):
        clean, noisy = (
            f"{results[f'mean_test_{name}'][i]:.3f} +- {results[f'std_test_{name}'][i]:.3f}"
            for name in ("clean", "noisy")
        )
        print(f"{mix_ratio:<12}{clean:<25}{noisy}")

    net = search.best_estimator_.estimator_["net"]
    print(
        f"\nchosen: mix_ratio={net.mix_ratio}, refitted to all {len(net.clean_mask_)} noisy labels"
    )
    print(f"labels wrong, as it estimates: {net.forget_rate_:.1%}")
    test = f1_score(y_test, search.predict(X_test), average="macro")
    print(f"macro F1 on test data: {test:.3f}")
    try:
        figure = plot(results)
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure.savefig("grid_search_mix_ratio.png", dpi=120)
    print("Figure: grid_search_mix_ratio.png")


if __name__ == "__main__":
    main()
