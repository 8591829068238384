"""What people do without this package, on the same features: macro F1 and seconds by answers.

    python tests/benchmarks/simple_models.py SET --seed 10 --results results.jsonl
    python tests/benchmarks/simple_models.py --table results.jsonl

SET is ``digits`` (long-tailed, a third of the labels wrong at random), ``ham10000`` (MobileNet
features of skin lesions, the same noise) or ``cifar10n`` (MobileNet features of a long-tailed
CIFAR-10 with labels of people, 39% of them wrong); the latter two read ``--data FOLDER``. Needs
cleanlab.

Everybody gets the same rows, the same wrong labels and 0, 100 or 500 answers by an expert who is
always right. Without this package, answers go to the labels of the lowest out-of-fold probability
(cleanlab's self-confidence), found once; then the model is fitted to the corrected labels. With it,
``ActiveLabelCleaner`` asks in five rounds.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    LongTailSampler,
    UniformLabelNoise,
)

ANSWERS = (0, 100, 500)
N_ROUNDS = 5


class WeightedNeighbours(ClassifierMixin, BaseEstimator):
    """Neighbours whose votes count by how reliable their labels are, after WANN.

    The reliability of a label is 1 / k for the smallest k whose nearest neighbours vote for it,
    and 0 if none up to `max_neighbours` does. F. Di Salvo, S. Doerrich, I. Rieger, C. Ledig, "An
    Embedding is Worth a Thousand Noisy Labels", 2024, https://doi.org/10.48550/arXiv.2408.14358.
    """

    def __init__(self, n_neighbors=15, max_neighbours=50):
        self.n_neighbors = n_neighbors
        self.max_neighbours = max_neighbours

    def fit(self, X, y):
        self.classes_, self._codes = np.unique(y, return_inverse=True)
        n = min(self.max_neighbours, len(X) - 1)
        self._search = NearestNeighbors(n_neighbors=n, metric="cosine").fit(X)
        votes = np.eye(len(self.classes_))[self._codes[self._search.kneighbors()[1]]]
        right = votes.cumsum(axis=1).argmax(axis=2) == self._codes[:, None]
        self._weight = np.where(right.any(axis=1), 1 / (right.argmax(axis=1) + 1), 0)
        return self

    def predict_proba(self, X):
        near = self._search.kneighbors(X, self.n_neighbors)[1]
        votes = np.eye(len(self.classes_))[self._codes[near]] * self._weight[near][..., None]
        votes = votes.sum(axis=1) + 1e-3 / len(self.classes_)
        return votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


# Chosen on seed 0: strong regularisation, weights by class, angles between features.
LINEAR = LogisticRegression(C=0.003, class_weight="balanced", max_iter=500)
SIMPLE = {
    "logistic regression": LINEAR,
    "HistGradientBoosting": HistGradientBoostingClassifier(
        max_iter=50, class_weight="balanced", random_state=0
    ),
    "kNN": KNeighborsClassifier(15, metric="cosine"),
    "WANN-like neighbours": WeightedNeighbours(),
    "cleanlab-pruned LR": LINEAR,
}
OURS = {
    "CoTeachingVOGClassifier": CoTeachingVOGClassifier(),
    "cleaner(logistic regression)": LINEAR,
    "cleaner(logistic regression, once)": LINEAR,
    "cleaner(CoTeachingVOGClassifier)": CoTeachingVOGClassifier(),
}


def load(name, folder, seed, n_rows):
    """X, y_noisy and y_true to train on; X and y to test on."""
    if name == "cifar10n":
        file = np.load(folder / "cifar10n_lt_mobilenet256.npz")
        X, y, given = file["features"], file["clean_label"], file["worse_label"]
        test = file["test_features"], file["test_labels"]
        rows = np.random.RandomState(seed).permutation(len(y))[:n_rows]
        return X[rows].astype(np.float32), given[rows], y[rows], test[0].astype(np.float32), test[1]
    if name == "ham10000":
        file = np.load(folder / "ham10000_mobilenet256.npz")
        X, y, split = file["features"].astype(np.float32), file["labels"], file["split"]
        rows = np.random.RandomState(seed).permutation(np.flatnonzero(split == 0))[:n_rows]
        X, y, test = X[rows], y[rows], (X[split == 2], y[split == 2])
    else:
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
        X, y = LongTailSampler(imbalance_factor=4, random_state=seed).fit_resample(X, y)
        test = X_test, y_test
    return X, UniformLabelNoise(1 / 3, random_state=seed).fit_transform(y), y, *test


def folds(seed):
    return StratifiedKFold(3, shuffle=True, random_state=seed)


def without_us(name, model, X, given, truth, n_answers, seed):
    """Fit a model after the most doubtful labels have been corrected."""
    y, asked = given.copy(), np.array([], dtype=int)
    classes, codes = np.unique(given, return_inverse=True)

    def out_of_fold():
        return cross_val_predict(model, X, y, cv=folds(seed), method="predict_proba")

    if n_answers:
        asked = np.argsort(out_of_fold()[np.arange(len(y)), codes], kind="stable")[:n_answers]
        y[asked] = truth[asked]
    keep = np.ones(len(y), dtype=bool)
    if name.startswith("cleanlab"):
        from cleanlab.filter import find_label_issues

        keep = ~find_label_issues(np.searchsorted(classes, y), out_of_fold(), n_jobs=1)
        keep[asked] = True
    return clone(model).fit(X[keep], y[keep])


def with_us(name, model, X, given, truth, n_answers, seed):
    model = clone(model)
    if name == "CoTeachingVOGClassifier":
        return model.set_params(random_state=seed).fit(X, given)
    cleaner = ActiveLabelCleaner(
        model,
        n_rounds=N_ROUNDS,
        round_budget=max(1, n_answers // N_ROUNDS),
        trust="once" if "once" in name else "crossfit",
        random_state=seed,
    )
    if not n_answers:
        return cleaner.set_params(n_rounds=0).fit(X, given)
    return cleaner.fit(X, given, y_clean=truth)


def run(args):
    X, given, truth, X_test, y_test = load(args.set, args.data, args.seed, args.rows)
    X, X_test = X / X.std(), X_test / X.std()  # columns keep their proportions
    print(f"{args.set}: {X.shape}, {(given != truth).mean():.0%} wrong", flush=True)
    for name, model in {**SIMPLE, **OURS}.items():
        if args.models and name not in args.models:
            continue
        for n_answers in ANSWERS:
            if name == "CoTeachingVOGClassifier" and n_answers:
                continue  # it asks nobody; the cleaner below does
            start = time.perf_counter()
            fit = with_us if name in OURS else without_us
            fitted = fit(name, model, X, given, truth, n_answers, args.seed)
            predicted = fitted.predict(X_test)
            row = {
                "set": args.set,
                "seed": args.seed,
                "model": name,
                "answers": n_answers,
                "macro_f1": f1_score(y_test, predicted, average="macro"),
                "seconds": time.perf_counter() - start,
            }
            print(
                "{model:34} {answers:4d}  F1 {macro_f1:.3f}  {seconds:6.1f} s".format(**row),
                flush=True,
            )
            with args.results.open("a") as file:
                file.write(json.dumps(row) + "\n")


def table(path):
    """Means over seeds; seconds in units of the logistic regression's without answers."""
    rows = pd.read_json(path, lines=True)
    base = rows.query("model == 'logistic regression' and answers == 0")
    rows = rows.merge(base[["set", "seed", "seconds"]], on=["set", "seed"], suffixes=("", "_base"))
    rows["times"] = rows["seconds"] / rows["seconds_base"]
    for name, part in rows.groupby("set"):
        print(f"\n{name}, {part['seed'].nunique()} seeds\n")
        mean = part.groupby(["model", "answers"])[["macro_f1", "times"]].mean().unstack()
        order = [model for model in {**SIMPLE, **OURS} if model in mean.index]
        print("| model | F1 at 0 | at 100 | at 500 | time at 0 | at 100 | at 500 |")
        print("|---|---|---|---|---|---|---|")
        for model in order:
            f1, times = mean.loc[model, "macro_f1"], mean.loc[model, "times"]
            cells = [f"{f1[n]:.3f}" for n in ANSWERS] + [f"{times[n]:.0f}" for n in ANSWERS]
            print(f"| {model} | {' | '.join('' if c == 'nan' else c for c in cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", nargs="?", choices=["digits", "ham10000", "cifar10n"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", choices=[*SIMPLE, *OURS], help="only these")
    parser.add_argument("--rows", type=int, default=1500, help="training rows at most")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of .npz files")
    parser.add_argument("--results", type=Path, default=Path("results.jsonl"))
    parser.add_argument("--table", type=Path, help="print what a file of results holds")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "The share of wrong labels is uncertain")
    if arguments.table:
        table(arguments.table)
    elif arguments.set:
        run(arguments)
    else:
        parser.error("name a set, or --table")
