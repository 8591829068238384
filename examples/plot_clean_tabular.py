"""Clean the labels of a table with gradient boosting.
===================================================

What a reader learns: the cleaner needs no network. Any scikit-learn classifier will do. By default
three clones of it judge, after every round, the labels that they do not know, and ask first about
those that may belong to a rare class. Each clone lacks a third of the rows, and few labels are
trusted until the first answers are in; then it pays. With ``trust="once"`` confident learning
on probabilities out of fold says once which labels to trust; there, three strategies are compared.

Three classes, the rarest a twentieth of the rows, 30% of the labels wrong, and an expert who
answers for 30 rows in each of six rounds. Left, the score on clean test labels against labels
bought: mean and standard deviation of three draws of the data. Right, the first draw: of each true
class, the share of wrong labels before and after.

The hit rate, the share of answers that corrected a label, is no measure of a strategy: picks by
label disagreement hit far more often than those by margin, and bring less. They correct what the
model already knows to be wrong, and did not trust anyway.

Run it with ``python examples/plot_clean_tabular.py``; it takes about two minutes. ``--quick`` tries
that it runs: one draw, two rounds, few trees.
"""

import argparse
import copy

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from noisyactive import ActiveLabelCleaner, UniformLabelNoise
from noisyactive.inspection import CleaningCurveDisplay

STRATEGIES = ["margin", "label_disagreement", "random"]
COLORS = {
    "before": "#999999",
    "the defaults": "#D55E00",
    "margin": "#0072B2",
    "label disagreement": "#009E73",
    "random": "#CC79A7",
}
CLASS_NAMES = ["common", "rarer", "rarest"]


def study(seed, n_rounds=6, **settings):
    """Labels bought, test scores by strategy and hit rates; the score with all labels clean.

    `settings` are parameters of the model.
    """
    X, y = make_classification(
        3000,
        n_features=20,
        n_informative=8,
        n_classes=3,
        weights=[0.8, 0.15, 0.05],
        class_sep=1.2,
        random_state=seed,
    )
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    y_noisy = UniformLabelNoise(0.3, random_state=seed).fit_transform(y)

    def score(model):
        return f1_score(y_test, model.predict(X_test), average="macro")

    model = HistGradientBoostingClassifier(**{"max_iter": 60, "random_state": 0, **settings})
    rounds = {"n_rounds": n_rounds, "round_budget": 30, "random_state": seed}
    started = ActiveLabelCleaner(model, trust="once", **rounds).start(X, y_noisy)
    cleaners = {"the defaults": ActiveLabelCleaner(model, **rounds).start(X, y_noisy)}
    for strategy in STRATEGIES:
        cleaner = copy.deepcopy(started).set_params(
            query_strategy=strategy,
            pool="unverified" if strategy == "label_disagreement" else "untrusted",
        )
        cleaners[strategy.replace("_", " ")] = cleaner
    curves = {}
    for name, cleaner in cleaners.items():
        curve = []
        while len(rows := cleaner.query()):
            curve.append(score(cleaner))
            cleaner.teach(rows, y[rows])
        curves[name] = [*curve, score(cleaner)]
    return curves, cleaners, score(model.fit(X, y)), y, y_noisy


def main():
    """Run the study, print its table and plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    if parser.parse_args().quick:
        results = [study(0, n_rounds=2, max_iter=5, max_bins=15)]
    else:
        results = [study(seed) for seed in range(3)]
    ceiling = np.mean([score for _, _, score, _, _ in results])
    print(f"mean of {len(results)} draw(s)       macro F1   answers that corrected a label")
    curves = {}
    for name in results[0][0]:
        scores = [curves[name] for curves, *_ in results]
        runs = [cleaners[name] for _, cleaners, *_ in results]
        curves[name] = runs[0].history_["cost"], scores
        hits = [run.history_["changed"].sum() / run.history_["cost"][-1] for run in runs]
        print(f"{name:24}{np.mean([s[-1] for s in scores]):.3f}{np.mean(hits):13.0%}")
    print(f"{'all labels clean':24}{ceiling:.3f}")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.6), layout="constrained", width_ratios=[1.3, 1]
    )
    CleaningCurveDisplay(curves, ceiling=ceiling, score_name="macro F1").plot(ax=left)
    _, cleaners, _, y, y_noisy = results[0]
    states = {"before": y_noisy, **{name: c.labels_ for name, c in cleaners.items()}}
    hatches = ["", "\\\\", "//", "..", "xx"]
    for number, (name, labels) in enumerate(states.items()):
        wrong = [(labels != y)[y == label].mean() for label in range(3)]
        right.bar(
            np.arange(3) + 0.16 * (number - 2),
            wrong,
            width=0.16,
            label=name,
            color=COLORS[name],
            hatch=hatches[number],
            edgecolor="white",
        )
    right.set_xticks(range(3), [f"{n}\n{(y == c).sum()}" for c, n in enumerate(CLASS_NAMES)])
    right.set(xlabel="true class, and its samples", ylabel="share of wrong labels")
    right.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    figure.savefig("clean_tabular.png", dpi=120)
    print("Figure: clean_tabular.png")


if __name__ == "__main__":
    main()
