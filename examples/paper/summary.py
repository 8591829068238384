"""The whole study on a page: every setting a row, from the files that study.py left.

    python examples/paper/summary.py results

Means over seeds; differences are those of the same seeds, with their 95% confidence intervals
(Student's t). tables.py has every number of one setting.
"""

import argparse

import numpy as np
from results import ceiling_of, first, read, trusting, values
from scipy.stats import spearmanr
from tables import difference_text, labels_until, markdown, mean_sd

COMPARED = ("AL entropy", "CE + entropy", "ALC", "ALC, rate lowered")


def trust_moved(runs, baseline):
    """How far VOG moves trust towards the classes trusted least without it: {seed: share}.

    The share of the labels of these classes that is trusted, less that at m=0. It is seen without
    any true label. As many classes as results.py calls rare.
    """
    moved = {}
    for seed in runs.keys() & baseline.keys():
        without, with_vog = (run[seed]["rounds"][0] for run in (baseline, runs))
        trusted = np.array(without["n_trusted"])
        least = np.argsort(trusted, kind="stable")[: 3 if len(trusted) > 5 else 1]
        gain = np.array(with_vog["n_trusted"])[least].sum() - trusted[least].sum()
        moved[seed] = gain / np.array(without["n_labels"])[least].sum()
    return moved


def first_phase_table(results):
    """Does VOG find more of the rare classes (Table 1), and could one have told?"""
    header = ["setting", "seeds", "m", "rare found, m=0", "with VOG", "rare recall, m=0"]
    header += ["with VOG", "macro F1, m=0", "with VOG", "trust moved"]
    rows = []
    for name, methods in results.items():
        phases = trusting(methods)
        baseline = phases.pop("VOG m=0", None)
        for phase, runs in phases.items() if baseline else ():
            cells = [name, str(len(runs)), phase.removeprefix("VOG m=")]
            for measure in ("rare_found", "rare_recall", "f1"):
                cells.append(f"{np.mean(list(values(baseline, measure, 0).values())):.3f}")
                cells.append(difference_text(runs, baseline, measure, 0))
            rows.append([*cells, f"{np.mean(list(trust_moved(runs, baseline).values())):+.2f}"])
    return [header, *rows]


def foretelling(results):
    """Text: rank correlation of what can be seen with what VOG brings, over settings and seeds."""
    seen, gains = [], {"rare_found": [], "rare_recall": [], "f1": []}
    for methods in results.values():
        phases = trusting(methods)
        baseline = phases.pop("VOG m=0", {})
        for runs in phases.values():
            moved = trust_moved(runs, baseline)
            seen += moved.values()
            for measure, gain in gains.items():
                with_vog, without = (values(r, measure, 0) for r in (runs, baseline))
                gain += [with_vog[seed] - without[seed] for seed in moved]
    if len(seen) < 3:
        return ""
    rho = {name: spearmanr(seen, gain).statistic for name, gain in gains.items()}
    numbers = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in rho.items())
    return f"Spearman's rank correlation of trust moved, over {len(seen)} runs, with: {numbers}."


def asking_table(results):
    """Is a strategy better than random picks, and random picks than no answers?"""
    header = ["setting", "m", "no answers", "random: no answers", "entropy: random"]
    header += ["coreset: random", "leak: coreset"]
    rows = []
    for name, methods in results.items():
        for phase in trusting(methods):
            idle, chance = (methods.get(f"{phase}{end}") for end in (", no answers", " + random"))
            if not idle or not chance:
                continue
            coreset = methods.get(f"{phase} + coreset")
            pairs = [(chance, idle), (methods.get(f"{phase} + entropy"), chance)]
            pairs += [(coreset, chance), (methods.get(f"{phase} + coreset, leak"), coreset)]
            cells = [name, phase.removeprefix("VOG m="), mean_sd(idle, "f1")]
            cells += [difference_text(a, b, "f1") if a and b else "" for a, b in pairs]
            rows.append(cells)
    return [header, *rows]


def score_table(results, measure):
    """What every method reaches with all answers; one column a setting."""
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
    header = ["setting", "samples", "ceiling", "best method", f"bought within {margin:g}"]
    header += ["best with leak", f"bought within {margin:g}"]
    rows = []
    for name, methods in results.items():
        ceiling = ceiling_of(methods)
        cells = [name, str(sum(first(next(iter(methods.values())))["class_sizes"]))]
        cells.append(f"{ceiling:.3f}")
        for leak in (False, True):
            scores = {
                method: np.mean(list(values(runs, "f1").values()))
                for method, runs in methods.items()
                if first(runs)["leak"] == leak and first(runs)["strategy"]
            }
            if not scores or np.isnan(ceiling):
                cells += ["", ""]
                continue
            best = max(scores, key=scores.get)
            until = labels_until(methods[best], ceiling - margin)
            bought = np.mean(list(values(methods[best], "bought").values()))
            cells += [
                f"{best}: {scores[best]:.3f}",
                f"more than {bought:.0f}" if until is None else f"{until:.0f}",
            ]
        rows.append(cells)
    return [header, *rows]


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
    print(f"## How far to the ceiling\n\n{markdown(ceiling_table(results, arguments.margin))}\n")


if __name__ == "__main__":
    main()
