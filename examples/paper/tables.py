"""Tables and figures from the files that study.py left, and from nothing else.

    python examples/paper/tables.py results

prints tables in Markdown and saves a figure per setting beside the results. A mean is followed by
the standard deviation over seeds; a difference between two methods is that of the same seeds, and
is followed by its 95% confidence interval (Student's t).
"""

import argparse
from pathlib import Path

import numpy as np
from results import ceiling_of, first, rarest, read, trusting, values
from scipy.stats import t as student


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


def difference(a, b):
    """Mean of the differences of the same seeds, and half the width of its confidence interval."""
    pairs = np.array([a[seed] - b[seed] for seed in a if seed in b])
    if len(pairs) < 2:
        return (pairs.mean() if len(pairs) else np.nan), np.nan
    error = pairs.std(ddof=1) / np.sqrt(len(pairs))
    return pairs.mean(), student.ppf(0.975, len(pairs) - 1) * error


def difference_of(a, b):
    """Text: mean of the differences of the same seeds, with its 95% confidence interval."""
    mean, half = difference(a, b)
    interval = "" if np.isnan(half) else f" [{mean - half:+.3f}, {mean + half:+.3f}]"
    return "" if np.isnan(mean) else f"{mean:+.3f}{interval}"


def difference_text(runs, others, measure, step=-1):
    """Text: the same for a measure of two methods."""
    return difference_of(values(runs, measure, step), values(others, measure, step))


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


def markdown(table):
    header, *rows = table
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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
            from figures import plot  # matplotlib is needed for this only

            figure = plot(methods, name)
            figure.savefig(Path(arguments.folder, f"{name}.png"), dpi=120)
            figure.clear()


if __name__ == "__main__":
    main()
