"""One method against others, seed by seed, from the files that study.py left.

    python examples/paper/compare.py results --method "crossfit m=0.2 + rare_entropy"

A row for each setting and method: macro F1 after all answers, how far the one method is ahead of
it (with the 95% confidence interval of the paired differences, Student's t) there and on the mean
of all rounds, the round in which it is least ahead on the mean of the seeds, how far it is ahead
in F1 of the rare classes, and what a round takes in comparison.
"""

import argparse
from fnmatch import fnmatch

import numpy as np
from results import first, read, value, values
from tables import difference_of, markdown, mean_sd

CEILINGS = ("all labels clean", "all labels clean, balanced", "crossfit, all labels clean")


def by_round(runs, others):
    """Mean lead in macro F1 after every round, over the seeds that both have."""
    n_rounds = min(len(first(one)["rounds"]) for one in (runs, others))
    return [
        np.mean([value(runs[s], "f1", r) - value(others[s], "f1", r) for s in both(runs, others)])
        for r in range(1, n_rounds)
    ]


def over_rounds(runs):
    """Mean of macro F1 over the rounds, of each run."""
    return {seed: np.mean([r["f1"] for r in run["rounds"][1:]]) for seed, run in runs.items()}


def both(runs, others):
    """Seeds that both have."""
    return sorted(runs.keys() & others.keys())


def cost(runs, others):
    """Seconds that the rounds take, in comparison, over the seeds that both have."""
    seeds = both(runs, others)
    return sum(runs[s]["seconds"] for s in seeds) / sum(others[s]["seconds"] for s in seeds)


def comparison(results, method, patterns):
    """The table."""
    header = ["setting", "method", "seeds", "macro F1", "ahead", "ahead, mean of rounds"]
    header += ["least ahead (round)", "ahead, rare F1", "seconds"]
    rows = []
    for setting, methods in results.items():
        runs = methods.get(method, {})
        rows += [[setting, method, str(len(runs)), mean_sd(runs, "f1"), *[""] * 5]] * bool(runs)
        for name, others in methods.items():
            wanted = name in CEILINGS or any(fnmatch(name, pattern) for pattern in patterns)
            if name == method or not wanted or not both(runs, others):
                continue
            leads = by_round(runs, others)
            rows.append(
                [
                    setting,
                    name,
                    str(len(both(runs, others))),
                    mean_sd(others, "f1"),
                    difference_of(values(runs, "f1"), values(others, "f1")),
                    difference_of(over_rounds(runs), over_rounds(others)),
                    f"{min(leads):+.3f} ({np.argmin(leads) + 1})",
                    difference_of(values(runs, "rare_class_f1"), values(others, "rare_class_f1")),
                    f"{cost(runs, others):.1f}x",
                ]
            )
    return [header, *rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="what study.py was given as --out")
    parser.add_argument("--method", default="crossfit m=0.2 + rare_entropy")
    parser.add_argument("--against", nargs="+", default=["VOG*"], help="names or patterns")
    arguments = parser.parse_args()
    results = read(arguments.folder)
    if not any(arguments.method in methods for methods in results.values()):
        parser.error(f"there is no run of {arguments.method!r} in {arguments.folder}")
    print(markdown(comparison(results, arguments.method, arguments.against)))


if __name__ == "__main__":
    main()
