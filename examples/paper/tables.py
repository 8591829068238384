"""Tables and figures from the files that study.py left, and from nothing else.

    python examples/paper/tables.py results

prints tables in Markdown and saves a figure per setting beside the results. A mean is followed by
the standard deviation over seeds; a difference between two methods is that of the same seeds, and
is followed by its 95% confidence interval (Student's t).
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import t as student


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


def mean_sd(runs, measure, step=-1):
    """Text: mean and standard deviation over seeds."""
    return text_of(list(values(runs, measure, step).values()))


def text_of(numbers):
    """Text: mean and standard deviation of what is known."""
    numbers = np.array([number for number in numbers if number is not None], dtype=float)
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return ""
    sd = f" ± {numbers.std(ddof=1):.3f}" if len(numbers) > 1 else ""
    return f"{numbers.mean():.3f}{sd}"


def difference(runs, others, measure, step=-1):
    """Mean of the paired differences and half the width of its 95% confidence interval."""
    a, b = values(runs, measure, step), values(others, measure, step)
    pairs = np.array([a[seed] - b[seed] for seed in a if seed in b])
    if len(pairs) < 2:
        return (pairs.mean() if len(pairs) else np.nan), np.nan
    error = pairs.std(ddof=1) / np.sqrt(len(pairs))
    return pairs.mean(), student.ppf(0.975, len(pairs) - 1) * error


def difference_text(*arguments):
    mean, half = difference(*arguments)
    interval = "" if np.isnan(half) else f" [{mean - half:+.3f}, {mean + half:+.3f}]"
    return "" if np.isnan(mean) else f"{mean:+.3f}{interval}"


def first(runs):
    """Any run of a method, for what all of them share."""
    return next(iter(runs.values()))


def partner(methods, name):
    """The method to compare with: the same with random picks, and of that, without answers."""
    one = first(methods[name])
    wanted = None if one["strategy"] == "random" else "random"
    for other, runs in methods.items():
        that = first(runs)
        same = all(that[key] == one[key] for key in ("phase", "leak", "switches"))
        if other != name and same and that["strategy"] == wanted and one["strategy"]:
            return other
    return None


def labels_until(runs, goal):
    """Labels bought when the mean score first reaches the goal; None if it never does."""
    for step in range(len(first(runs)["rounds"])):
        if np.mean(list(values(runs, "f1", step).values())) >= goal:
            return np.mean(list(values(runs, "bought", step).values()))
    return None


def ceiling_of(methods):
    runs = methods.get("all labels clean")
    return np.nan if runs is None else np.mean(list(values(runs, "f1").values()))


def cleaning_table(methods, margin):
    """What the rounds bring (figures 2 and 3), and what they cost."""
    header = ["method", "seeds", "macro F1 before", "macro F1 after", "rare recall after"]
    header += ["against random (random: no answers)", "bought", "were wrong", "given away"]
    header += ["validation", f"bought within {margin:g} of ceiling"]
    rows, goal = [], ceiling_of(methods) - margin
    for name, runs in methods.items():
        other = partner(methods, name)
        until = labels_until(runs, goal)
        bought, wrong, gift = (
            np.mean(list(values(runs, key).values()))
            for key in ("bought", "was_wrong", "given_away")
        )
        rows.append(
            [
                name,
                str(len(runs)),
                mean_sd(runs, "f1", 0),
                mean_sd(runs, "f1"),
                mean_sd(runs, "rare_recall"),
                difference_text(runs, methods[other], "f1") if other else "",
                f"{bought:.0f}",
                f"{wrong / bought:.2f}" if bought and not gift else "",
                f"{gift:.0f}",
                f"{first(runs)['validation_labels']}",
                "" if until is None or name == "all labels clean" else f"{until:.0f}",
            ]
        )
    return [header, *rows]


def trust_table(methods):
    """Table 1: which labels the first phase trusts, and what it then knows of the rare classes."""
    header = ["first phase", "seeds", "found", "found, rare", "against m=0", "precision"]
    header += ["guess, rare", "macro F1", "against m=0", "rare recall", "against m=0"]
    baseline = trusting(methods).get("VOG m=0")
    rows = []
    for phase, runs in trusting(methods).items():
        compared = dict.fromkeys(("rare_found", "f1", "rare_recall"), "")
        if baseline is not None and runs is not baseline:
            compared = {key: difference_text(runs, baseline, key, 0) for key in compared}
        rows.append(
            [phase, str(len(runs)), mean_sd(runs, "all_found", 0)]
            + [mean_sd(runs, "rare_found", 0), compared["rare_found"]]
            + [mean_sd(runs, "precision", 0), mean_sd(runs, "rare_guess", 0)]
            + [mean_sd(runs, "f1", 0), compared["f1"]]
            + [mean_sd(runs, "rare_recall", 0), compared["rare_recall"]]
        )
    return [header, *rows]


def class_table(methods):
    """Table 1, class by class, the rarest first."""
    header = ["class", "training samples", "first phase", "found", "guess", "test recall"]
    rows = []
    for phase, runs in trusting(methods).items():
        for c in rarest(first(runs)):
            cells = [str(first(runs)["classes"][c]), str(first(runs)["class_sizes"][c]), phase]
            for measure in ("found", "guess", "recall"):
                cells.append(text_of([run["rounds"][0][measure][c] for run in runs.values()]))
            rows.append(cells)
    return [header, *sorted(rows, key=lambda cells: (int(cells[1]), cells[0]))]


def trusting(methods):
    """Runs of one method for each first phase that trusts some labels and not others."""
    phases = {}
    for runs in sorted(methods.values(), key=len):  # of a phase, the method with most seeds
        phases[first(runs)["phase"]] = runs
    return {phase: phases[phase] for phase in sorted(phases) if phase.startswith("VOG")}


def markdown(table):
    header, *rows = table
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plot(methods, title):
    """Macro F1 against labels bought, as in figures 2 and 3."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(9, 5.5), layout="constrained")
    shown = [name for name, runs in methods.items() if first(runs)["strategy"]]
    cycle = plt.get_cmap("tab20").colors
    for number, name in enumerate(shown):
        runs = methods[name]
        steps = range(len(first(runs)["rounds"]))
        x = [np.mean(list(values(runs, "bought", step).values())) for step in steps]
        scores = np.array([list(values(runs, "f1", step).values()) for step in steps])
        sd = scores.std(axis=1, ddof=1) if scores.shape[1] > 1 else np.zeros(len(scores))
        style = ":" if first(runs)["leak"] else "-" if name.startswith("VOG") else "--"
        color = cycle[number % 20]
        ax.plot(x, scores.mean(axis=1), style, marker="o", markersize=3, color=color, label=name)
        ax.fill_between(
            x, scores.mean(axis=1) - sd, scores.mean(axis=1) + sd, alpha=0.08, color=color
        )
    if not np.isnan(ceiling_of(methods)):
        ax.axhline(ceiling_of(methods), color="black", linestyle="--", label="all labels clean")
    ax.set(xlabel="labels bought", ylabel="macro F1 on clean test labels", title=title)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="what study.py was given as --out")
    parser.add_argument("--margin", type=float, default=0.01, help="of the ceiling, see the table")
    parser.add_argument("--no-figures", action="store_true")
    arguments = parser.parse_args()
    for name, methods in read(arguments.folder).items():
        print(f"## {name}\n")
        tables = trust_table(methods), class_table(methods)
        for table in (*tables, cleaning_table(methods, arguments.margin)):
            print(f"{markdown(table)}\n")
        if not arguments.no_figures:
            plot(methods, name).savefig(Path(arguments.folder, f"{name}.png"), dpi=120)


if __name__ == "__main__":
    main()
