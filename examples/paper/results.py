"""Reading the files of a study; one number of one run."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np


def read(folder):
    """Results of every setting: {setting: {method: {seed: result}}}."""
    results = defaultdict(lambda: defaultdict(dict))
    for file in sorted(Path(folder).glob("*/*.json")):
        result = json.loads(file.read_text())
        results[result["setting"]["name"]][result["method"]][result["seed"]] = result
    return {name: dict(sorted(found.items(), key=place)) for name, found in results.items()}


def place(item):
    """Where a method stands in the tables: by first phase, the ceiling last."""
    name, runs = item
    one = first(runs)
    return one["phase"] == "clean", one["phase"], one["leak"], one["strategy"] or "", name


def first(runs):
    """Any run of a method, for what all of them share."""
    return next(iter(runs.values()))


def rarest(result):
    """Positions of the three rarest classes of the training part; of few classes, the rarest."""
    sizes = result["class_sizes"]
    return np.argsort(sizes, kind="stable")[: 3 if len(sizes) > 5 else 1]


def value(result, measure, step=-1):
    """A measure of one run after a round, NaN where there is none.

    ``rare_`` before the name of a measure that each class has is its mean over the rarest.
    """
    rounds = result["rounds"]
    at = rounds[min(step, len(rounds) - 1)]  # a run ends early where nobody is left to ask about
    name = measure.removeprefix("rare_")
    if at[name] is None:
        return np.nan
    if name == measure:
        return at[name]
    known = [at[name][c] for c in rarest(result) if at[name][c] is not None]
    return np.mean(known) if known else np.nan


def values(runs, measure, step=-1):
    """A measure of all runs of a method: {seed: value}."""
    return {seed: value(runs[seed], measure, step) for seed in sorted(runs)}


def ceiling_of(methods):
    """Mean score with all labels clean, NaN where nobody ran it."""
    runs = methods.get("all labels clean")
    return np.nan if runs is None else np.mean(list(values(runs, "f1").values()))


def trusting(methods):
    """Runs of one method for each first phase that trusts some labels and not others."""
    phases = {}
    for runs in sorted(methods.values(), key=len):  # of a phase, the method with most seeds
        phases[first(runs)["phase"]] = runs
    return {phase: phases[phase] for phase in sorted(phases) if phase.startswith("VOG")}
