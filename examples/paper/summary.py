"""The whole study on a page: every setting a row, from the files that study.py left.

    python examples/paper/summary.py results

Means over seeds; differences are those of the same seeds, with their 95% confidence intervals
(Student's t). tables.py has every number of one setting.
"""

import argparse

import numpy as np
from results import ceiling_of, first, rarest, read, trusting, values
from scipy.stats import spearmanr
from tables import difference_text, labels_until, markdown, mean_sd

MEASURES = ("rare_found", "rare_recall", "f1")
COMPARED = ("AL entropy", "CE + entropy", "ALC", "ALC, rate lowered")


def trust_moved(runs, baseline):
    """How far VOG moves trust towards rare classes: {seed: share}.

    The share of the labels of the rare classes that is trusted, less that at m=0. Whoever knows
    which classes are rare sees it without any true label.
    """
    moved = {}
    for seed in paired(runs, baseline):
        with_vog, without = (
            np.array(run[seed]["rounds"][0]["n_trusted"]) for run in (runs, baseline)
        )
        rare = rarest(runs[seed])
        labels = np.array(runs[seed]["rounds"][0]["n_labels"])[rare].sum()
        moved[seed] = (with_vog - without)[rare].sum() / labels
    return moved


def paired(runs, baseline):
    """Seeds that both have."""
    return sorted(runs.keys() & baseline.keys())


def gains(runs, baseline, measure):
    """What a measure gains in the first phase: {seed: difference}."""
    with_vog, without = (values(one, measure, 0) for one in (runs, baseline))
    return {seed: with_vog[seed] - without[seed] for seed in paired(runs, baseline)}


def mean(numbers):
    """Mean of those that are known, NaN where none is."""
    known = [number for number in numbers if not np.isnan(number)]
    return np.mean(known) if known else np.nan


def first_phase_table(results):
    """Does VOG find more of the rare classes (Table 1)?"""
    header = ["setting", "seeds", "m", "rare found, m=0", "with VOG", "rare recall, m=0"]
    header += ["with VOG", "macro F1, m=0", "with VOG", "trust moved"]
    rows = []
    for name, methods in results.items():
        for runs, baseline in compared_phases(methods):
            seeds = paired(runs, baseline)
            cells = [name, str(len(seeds)), first(runs)["phase"].removeprefix("VOG m=")]
            for measure in MEASURES:
                start = values(baseline, measure, 0)
                cells.append(f"{mean(start[seed] for seed in seeds):.3f}")
                cells.append(difference_text(runs, baseline, measure, 0))
            rows.append([*cells, f"{mean(trust_moved(runs, baseline).values()):+.2f}"])
    return [header, *rows]


def compared_phases(methods):
    """Pairs of a first phase with VOG and that with m=0, of which some seeds are the same."""
    phases = trusting(methods)
    baseline = phases.pop("VOG m=0", {})
    return [(runs, baseline) for runs in phases.values() if paired(runs, baseline)]


def foretelling(results):
    """Text: rank correlation of what can be seen with what VOG brings, over means of settings."""
    pairs = [pair for methods in results.values() for pair in compared_phases(methods)]
    if len(pairs) < 3:
        return ""
    seen = [mean(trust_moved(*pair).values()) for pair in pairs]
    rho = []
    for measure in MEASURES:
        gained = [mean(gains(*pair, measure).values()) for pair in pairs]
        statistic = spearmanr(seen, gained, nan_policy="omit").statistic
        rho.append(f"{measure.replace('_', ' ')} {statistic:.2f}")
    return (
        f"Spearman's rank correlation of trust moved with the gain, over {len(pairs)} rows of this "
        f"table: {', '.join(rho)}."
    )


def asking_table(results):
    """Is a strategy better than random picks, and random picks than no answers?"""
    header = ["setting", "m", "no answers", "random: no answers", "entropy: random"]
    header += ["coreset: random", "leak: coreset"]
    rows = []
    for name, methods in results.items():
        for phase in trusting(methods):
            idle, chance = (methods.get(f"{phase}{end}") for end in (", no answers", " + random"))
            if not chance:
                continue
            coreset = methods.get(f"{phase} + coreset")
            pairs = [(chance, idle), (methods.get(f"{phase} + entropy"), chance)]
            pairs += [(coreset, chance), (methods.get(f"{phase} + coreset, leak"), coreset)]
            cells = [name, phase.removeprefix("VOG m="), mean_sd(idle, "f1") if idle else ""]
            cells += [difference_text(a, b, "f1") if a and b else "" for a, b in pairs]
            rows.append(cells)
    return [header, *rows]


def score_table(results, measure):
    """What every method reaches with all answers; one column for each setting that has them all."""
    names = {name: None for methods in results.values() for name in methods if "leak" not in name}
    names = sorted(names, key=lambda name: (name == "all labels clean", not name.startswith("VOG")))
    full = {name: methods for name, methods in results.items() if set(COMPARED) <= set(methods)}
    rows = []
    for method in names:
        cells = [mean_sd(m[method], measure) if method in m else "" for m in full.values()]
        if any(cells):
            rows.append([method, *cells])
    return [["method", *full], *rows]


def ceiling_table(results, margin):
    """How many labels until the ceiling, honestly and with the leak."""
    ends = ("random", "entropy", "coreset", "coreset, leak")
    rows = []
    for name, methods in results.items():
        goal = ceiling_of(methods) - margin
        for phase, runs in trusting(methods).items():
            if np.isnan(goal) or not any(f"{phase} + {end}" in methods for end in ends):
                continue
            samples = sum(first(runs)["class_sizes"])
            cells = [name, str(samples), f"{goal + margin:.3f}", phase.removeprefix("VOG m=")]
            for end in ends:
                method = methods.get(f"{phase} + {end}", {})
                until = labels_until(method, goal) if method else None
                reached = "never" if until is None else f"{until:.0f}"
                cells.append(f"{mean_sd(method, 'f1')} ({reached})" if method else "")
            rows.append(cells)
    return [["setting", "samples", "ceiling", "m", *ends], *rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="what study.py was given as --out")
    parser.add_argument("--margin", type=float, default=0.01, help="of the ceiling")
    arguments = parser.parse_args()
    results = read(arguments.folder)
    print(f"## First phase\n\n{markdown(first_phase_table(results))}\n")
    print(f"{foretelling(results)}\n")
    print(f"## After all answers: macro F1\n\n{markdown(score_table(results, 'f1'))}\n")
    print("## After all answers: recall of rare classes\n")
    print(f"{markdown(score_table(results, 'rare_recall'))}\n")
    print(f"## Whom to ask: macro F1\n\n{markdown(asking_table(results))}\n")
    print(f"## Macro F1, and labels bought until within {arguments.margin:g} of the ceiling\n")
    print(f"{markdown(ceiling_table(results, arguments.margin))}\n")


if __name__ == "__main__":
    main()
