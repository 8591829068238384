"""Curves as in the paper's figures 2 and 3."""

import matplotlib.pyplot as plt
import numpy as np
from results import ceiling_of, first, values

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
STYLES = {"random": "--", "entropy": "-.", None: ":"}
MARKERS = {"margin": "^", "least_confidence": "v", "label_disagreement": "s", "bald": "D"}


def plot(methods, title):
    """Macro F1 against labels bought, as in figures 2 and 3.

    A colour for each first phase; a line style or a marker for each way to ask, dotted where nobody
    answers (drawn at what the others have bought by then); crosses where labels are given away,
    thick lines where the forget rate follows the corrections.
    """
    figure, axes = plt.subplots(1, 2, figsize=(16, 5), layout="constrained")
    asking = [runs for runs in methods.values() if first(runs)["strategy"]]
    for ax, is_vog in zip(axes, (False, True), strict=True):
        shown = {n: r for n, r in methods.items() if n.startswith("VOG") == is_vog}
        shown.pop("all labels clean", None)
        phases = list(dict.fromkeys(first(runs)["phase"] for runs in shown.values()))
        for name, runs in shown.items():
            one = first(runs)
            steps = range(len(one["rounds"]))
            source = runs if one["strategy"] or not asking else asking[0]
            x = [np.mean(list(values(source, "bought", step).values())) for step in steps]
            mean = [np.mean(list(values(runs, "f1", step).values())) for step in steps]
            ax.plot(
                x,
                mean,
                STYLES.get(one["strategy"], "-"),
                color=COLORS[phases.index(one["phase"]) % len(COLORS)],
                linewidth=3 if one["switches"].get("lower_forget_rate") else 1.5,
                marker="x" if one["leak"] else MARKERS.get(one["strategy"]),
                markersize=5,
                label=name,
            )
        if not np.isnan(ceiling_of(methods)):
            ax.axhline(ceiling_of(methods), color="black", linewidth=1, label="all labels clean")
        ax.set(xlabel="labels bought", ylabel="macro F1 on clean test labels, mean over seeds")
        if ax.lines:
            ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize="small")
    figure.suptitle(title)
    return figure
