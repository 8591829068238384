"""Learn from labels of which 40% are wrong, see which ones to trust, and clean a few.

``python -m noisyactive.quickstart`` runs it from any folder, on scikit-learn's digits; it takes
about two minutes, and ``--quick`` a sixth of that. ``examples/plot_quickstart.py`` tells the story.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from .cleaning import PAPER_PARAMS, ActiveLabelCleaner
from .coteaching import CoTeachingClassifier, CoTeachingVOGClassifier
from .imbalance import LongTailSampler
from .noise import UniformLabelNoise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["main", "study"]

Table = dict[str, dict[str, Any]]  # a row for each method

COUNTS = {"answers", "still wrong"}  # columns of labels, others are shares and scores
COLORS = ["#999999", "#0072B2", "#D55E00", "#009E73"]
QUICK: dict[str, Any] = {
    "n_rounds": 4,
    "round_budget": 0.044,
    "max_epochs": 60,
    "batch_size": 32,
    "lr": 0.02,
    "module__base_channels": 16,
}


def make_data(random_state: int) -> tuple[NDArray[Any], ...]:
    """Long-tailed digits with noisy training labels and a clean test set."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 1, 8, 8)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=random_state
    )
    sampler = LongTailSampler(imbalance_factor=10, random_state=random_state)
    X_train, y_train = sampler.fit_resample(X_train, y_train)
    y_noisy = UniformLabelNoise(0.4, random_state=random_state).fit_transform(y_train)
    return X_train, y_train, y_noisy, X_test, y_test


def macro_f1(classifier: Any, X: NDArray[Any], y: NDArray[Any]) -> float:
    """Macro F1 of what a fitted classifier predicts."""
    return f1_score(y, classifier.predict(X), average="macro")


def describe(
    classifier: Any,
    y_train: NDArray[Any],
    y_noisy: NDArray[Any],
    X_test: NDArray[Any],
    y_test: NDArray[Any],
) -> dict[str, float]:
    """How well a fitted classifier does, and how well it tells right labels from wrong ones."""
    right = y_noisy == y_train
    trusted = classifier.clean_mask_
    rarest = np.argsort(np.bincount(y_train), kind="stable")[:3]
    rare = np.isin(y_train, rarest)
    return {
        "macro F1": macro_f1(classifier, X_test, y_test),
        "found": trusted[right].mean(),
        "found, rare": trusted[right & rare].mean(),
        "precision": right[trusted].mean(),
    }


def clean(
    cleaner: ActiveLabelCleaner,
    y_answers: Sequence[Any],
    X_test: NDArray[Any],
    y_test: NDArray[Any],
) -> tuple[ActiveLabelCleaner, list[float]]:
    """Run the rounds of a cleaner that has been started; return it and its test score by round."""
    curve = []
    while len(rows := cleaner.query()):
        curve.append(macro_f1(cleaner, X_test, y_test))
        cleaner.teach(rows, [y_answers[row] for row in rows])
    return cleaner, [*curve, macro_f1(cleaner, X_test, y_test)]


def describe_cleaning(
    cleaner: ActiveLabelCleaner, curve: list[float], y_train: NDArray[Any], y_noisy: NDArray[Any]
) -> dict[str, float]:
    """What the answers were spent on, and what they brought."""
    answered = cleaner.relabelled_round_ > 0
    return {
        "macro F1": curve[-1],
        "answers": answered.sum(),
        "were wrong": (y_noisy != y_train)[answered].mean() if answered.any() else 0.0,
        "still wrong": (cleaner.labels_ != y_train).sum(),
    }


def study(
    random_state: int, *, n_rounds: int = 8, round_budget: float = 0.022, **settings: Any
) -> dict[str, Any]:
    """Everything on one draw of the data: models, curves, and the two tables.

    `settings` are parameters of all networks.
    """
    X_train, y_train, y_noisy, X_test, y_test = make_data(random_state)
    settings = {"random_state": random_state, **settings}
    vog = CoTeachingVOGClassifier(mix_ratio=1, **settings)
    rounds: dict[str, Any] = {
        "n_rounds": n_rounds,
        "round_budget": round_budget,
        "random_state": random_state,
    }
    paper = ActiveLabelCleaner(vog, **PAPER_PARAMS, **rounds)
    paper.start(X_train, y_noisy)  # its first phase is the third way to learn
    plain = CoTeachingClassifier(forget_rate=0, **settings)
    classifiers = {
        "Cross-entropy": clone(plain).fit(X_train, y_noisy),
        "Co-teaching": CoTeachingClassifier(**settings).fit(X_train, y_noisy),
        "Co-teaching VOG": paper.estimator_,
    }
    learning = {
        name: describe(classifier, y_train, y_noisy, X_test, y_test)
        for name, classifier in classifiers.items()
    }

    def papers(strategy: str) -> ActiveLabelCleaner:
        return copy.deepcopy(paper).set_params(query_strategy=strategy)

    nobody: Sequence[Any] = [None] * len(y_train)
    everything: Sequence[Any] = y_train.tolist()
    curves: dict[str, list[float]] = {}
    cleaning: Table = {}
    for name, cleaner, answers in [
        ("no answers", papers("random"), nobody),
        ("random picks", papers("random"), everything),
        ("coreset", papers("coreset"), everything),
        ("the defaults", ActiveLabelCleaner(vog, **rounds).start(X_train, y_noisy), everything),
    ]:
        cleaned, curves[name] = clean(cleaner, answers, X_test, y_test)
        cleaning[name] = describe_cleaning(cleaned, curves[name], y_train, y_noisy)
    ceiling = clone(plain).fit(X_train, y_train)
    cleaning["all labels clean"] = {
        "macro F1": macro_f1(ceiling, X_test, y_test),
        "answers": len(y_train),
        "were wrong": (y_noisy != y_train).mean(),
        "still wrong": 0,
    }
    return {
        "y_train": y_train,
        "y_noisy": y_noisy,
        "classifiers": classifiers,
        "learning": learning,
        "curves": curves,
        "cleaning": cleaning,
    }


def mean_table(tables: Sequence[Table]) -> Table:
    """Mean of several tables, entry by entry."""
    return {
        name: {key: np.mean([table[name][key] for table in tables]) for key in row}
        for name, row in tables[0].items()
    }


def print_table(table: Table) -> None:
    """Print one row per method; shares and scores with two decimals, counts without."""
    columns = list(next(iter(table.values())))
    print("".join(["".ljust(17), *(column.rjust(13) for column in columns)]))
    for name, row in table.items():
        cells = [f"{row[c]:.0f}" if c in COUNTS else f"{row[c]:.2f}" for c in columns]
        print("".join([name.ljust(17), *(cell.rjust(13) for cell in cells)]))


def plot(result: Mapping[str, Any]) -> Figure:
    """Left: correct labels found, by class. Right: test score against labels bought."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    y_train = result["y_train"]
    sizes = np.bincount(y_train)
    order = np.argsort(-sizes, kind="stable")
    is_right = result["y_noisy"] == y_train
    for name, shift, color in [
        ("Co-teaching", -0.2, "#56B4E9"),
        ("Co-teaching VOG", 0.2, "#D55E00"),
    ]:
        trusted = result["classifiers"][name].clean_mask_
        found = [trusted[is_right & (y_train == label)].mean() for label in order]
        left.bar(np.arange(len(order)) + shift, found, width=0.4, color=color, label=name)
    left.set_xticks(range(len(order)), [f"{label}\n{sizes[label]}" for label in order])
    left.set(
        xlabel="digit, and its number of training images",
        ylabel="share of correct labels found",
        title="Which correct labels are trusted",
        ylim=(0, 1.12),
    )
    left.legend(loc="upper right", ncols=2, frameon=False)

    n_answers = result["cleaning"]["coreset"]["answers"]
    for (name, curve), color, marker in zip(
        result["curves"].items(), COLORS, ["s", "o", "^", "D"], strict=True
    ):
        label = "no answers, same tuning" if name == "no answers" else name
        bought = np.linspace(0, n_answers, len(curve))
        right.plot(bought, curve, color=color, marker=marker, label=label)
    ceiling = result["cleaning"]["all labels clean"]["macro F1"]
    right.axhline(ceiling, color="black", linestyle="--", label="all labels clean")
    right.set(
        xlabel="labels bought",
        ylabel="macro F1 on clean test labels",
        title="What an expert's answers are worth",
    )
    low, high = right.get_ylim()
    right.set_ylim(low, high + (high - low) / 5)
    right.legend(loc="upper center", ncols=2, frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the study, print its tables and plot; return what was found for each seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="mean over several draws")
    parser.add_argument("--quick", action="store_true", help="a sixth of the time")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)  # networks this small are no quicker on several
    results = [study(seed, **(QUICK if arguments.quick else {})) for seed in arguments.seeds]
    for result in results:
        wrong = (result["y_noisy"] != result["y_train"]).mean()
        estimate = result["classifiers"]["Co-teaching VOG"].forget_rate_
        print(
            f"{len(result['y_train'])} images, {wrong:.1%} of the labels wrong, "
            f"estimated {estimate:.1%}"
        )
    print("\nLearning from noisy labels")
    print_table(mean_table([result["learning"] for result in results]))
    print("found: share of the correct labels that is trusted (rare: in the three rarest digits)")
    print("precision: share of the trusted labels that is correct")
    print("\nCleaning labels after Co-teaching VOG")
    print_table(mean_table([result["cleaning"] for result in results]))
    print("were wrong: share of the answers that changed a label; still wrong: labels")
    try:
        figure = plot(results[0])
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return results
    figure.savefig("quickstart.png", dpi=120)
    print("Figure: quickstart.png")
    return results


if __name__ == "__main__":
    main()
