"""Choose `mix_ratio` when few labels, or none, are known to be right.
===================================================================

A grid search scores its candidates on held-out labels, and here 40% of these are wrong too. What
can be done, and what does it bring? On the long-tailed digits of plot_quickstart.py, candidates for
the `mix_ratio` of Co-teaching VOG are scored in these ways:

* against the noisy labels, as ``GridSearchCV(..., scoring="f1_macro")`` does;
* corrected for the noise: `noise_corrected_scorer`, with the true noise rate or with the one that
  a first network has estimated;
* against rows drawn at random whose labels were verified: `verified_scorer`, the verified rows
  being spread over the folds, or held out together (`hold_out_verified`);
* against what all candidates and the noisy labels say together: `consensus_scores`.

The price of a choice is its regret: by how much macro F1 on clean test labels, after refitting on
all training rows, is below that of the best candidate.

What a reader learns: how these ways are called; that a corrected score tells the level which a
noisy one hides; and that a search is no better than its folds. On draws 0 to 9, all ways but the
consensus cost about as much as picking at random, even folds scored on true labels throughout:
networks fitted to a part of some 500 rows say little about which `mix_ratio` suits all of them.

Run it with ``python examples/plot_choose_mix_ratio.py``; it takes about a minute: one draw,
three candidates, two folds, half the epochs. That shows how it is done, not which way is the best.
``--seeds 0 1 2`` runs the study proper on these draws: five candidates, three folds, two refits,
verified rows held out as well, three to five minutes for each draw. ``--quick`` only tries that all
of it runs, with networks that have hardly learned anything.
"""

import argparse

import numpy as np
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_validate

from noisyactive import CoTeachingVOGClassifier
from noisyactive.audit import audit_sample
from noisyactive.model_selection import (
    consensus_scores,
    hold_out_verified,
    noise_corrected_scorer,
    verified_scorer,
)
from noisyactive.quickstart import macro_f1, make_data

CLASSES = np.arange(10)  # a rare one may be missing from a fold
DEFAULT = 0.2


def verify(y, share, random_state):
    """Labels of rows drawn at random, NaN elsewhere."""
    verified = np.full(len(y), np.nan)
    rows = audit_sample(len(y), round(share * len(y)), random_state=random_state)
    verified[rows] = y[rows]
    return verified


def study(random_state, mix_ratios, *, n_folds, n_refits, hold_out, **settings):
    """Score the candidates in every way, on one draw of the data.

    `settings` are parameters of the networks. Returns the candidates' true scores, and a dict of
    their scores by each way.
    """
    X, y, y_noisy, X_test, y_test = make_data(random_state)
    net = CoTeachingVOGClassifier(classes=CLASSES, random_state=random_state, **settings)
    candidates = [clone(net).set_params(mix_ratio=m) for m in mix_ratios]
    metadata = {
        "few": verify(y, 0.05, random_state),
        "some": verify(y, 0.1, random_state),
        "every": y,
    }

    # What choosing is for: the candidates, fitted to all rows.
    true = np.zeros((n_refits, len(candidates)))
    noise_rate = None
    for refit in range(n_refits):
        for i, candidate in enumerate(candidates):
            seed = random_state + 1000 * refit
            fitted = clone(candidate).set_params(random_state=seed).fit(X, y_noisy)
            true[refit, i] = macro_f1(fitted, X_test, y_test)
            if noise_rate is None:  # a first network's estimate
                noise_rate = fitted.forget_rate_

    ways = {
        "noisy accuracy": "accuracy",
        "noisy balanced accuracy": "balanced_accuracy",
        "noisy macro F1": "f1_macro",
        "corrected macro F1, true rate": noise_corrected_scorer(noise_rate=0.4, classes=CLASSES),
        "corrected macro F1, estimated rate": noise_corrected_scorer(
            noise_rate=noise_rate, classes=CLASSES
        ),
        "corrected log loss, true rate": noise_corrected_scorer(
            "neg_log_loss", noise_rate=0.4, classes=CLASSES
        ),
        "corrected log loss, estimated rate": noise_corrected_scorer(
            "neg_log_loss", noise_rate=noise_rate, classes=CLASSES
        ),
        "verified 5%": verified_scorer("f1_macro", metadata="few"),
        "verified 10%": verified_scorer("f1_macro", metadata="some"),
        "verified 100%": verified_scorer("f1_macro", metadata="every"),
    }
    cv = StratifiedKFold(n_folds, shuffle=True, random_state=random_state)
    scores = {way: [] for way in ways}
    predictions = []
    for candidate in candidates:
        # One fit per fold serves all scorers; a GridSearchCV would do this for one of them.
        with sklearn.config_context(enable_metadata_routing=True):
            folds = cross_validate(
                candidate,
                X,
                y_noisy,
                scoring=ways,
                cv=cv,
                params=metadata,
                return_estimator=True,
                return_indices=True,
                error_score="raise",
            )
        for way in ways:
            scores[way].append(folds[f"test_{way}"].mean())
        predicted = np.empty_like(y_noisy)
        for fitted, rows in zip(folds["estimator"], folds["indices"]["test"], strict=True):
            predicted[rows] = fitted.predict(X[rows])
        predictions.append(predicted)
    if hold_out:
        scorer = verified_scorer("f1_macro", metadata="some")
        cv = hold_out_verified(metadata["some"])
        scores["verified 10%, held out"] = []
        for candidate in candidates:
            with sklearn.config_context(enable_metadata_routing=True):
                held_out = cross_validate(
                    candidate,
                    X,
                    y_noisy,
                    scoring=scorer,
                    cv=cv,
                    params={"some": metadata["some"]},
                    error_score="raise",
                )
            scores["verified 10%, held out"].append(held_out["test_score"][0])
    scores["consensus, true rate"] = consensus_scores(
        y_noisy, predictions, noise_rate=0.4, classes=CLASSES
    )
    scores["consensus, estimated rate"] = consensus_scores(
        y_noisy, predictions, noise_rate=noise_rate, classes=CLASSES
    )
    return true.mean(axis=0), {way: np.array(values) for way, values in scores.items()}


def regrets(true, scores, mix_ratios):
    """What each way of choosing costs on one draw, in macro F1."""
    regret = true.max() - true
    table = {way: regret[values.argmax()] for way, values in scores.items()}
    table["at random (mean of candidates)"] = regret.mean()
    for mix_ratio in (DEFAULT, 1):
        if mix_ratio in mix_ratios:
            table[f"always mix_ratio={mix_ratio}"] = regret[mix_ratios.index(mix_ratio)]
    return table


def print_table(tables):
    """Print the mean regret of each way with its standard error, and the worst; best first."""
    print(f"\nRegret in macro F1 over {len(tables)} draw(s)")
    print("way of choosing".ljust(38) + "mean".rjust(8) + "std err".rjust(9) + "worst".rjust(8))
    for way, values in by_mean(tables):
        error = f"{np.std(values, ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else "-"
        print(f"{way:38}{np.mean(values):8.3f}{error:>9}{np.max(values):8.3f}")


def by_mean(tables):
    """Regrets by way of choosing, the lowest mean first."""
    columns = {way: [table[way] for table in tables] for way in tables[0]}
    return sorted(columns.items(), key=lambda column: np.mean(column[1]))


def plot(draws, tables, mix_ratios):
    """Left: what the scores of the candidates say. Right: what choosing by them costs."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12, 5), layout="constrained", width_ratios=[1, 1.1]
    )
    lines = {
        "verified 100%": ("all labels verified", "#009E73", "D"),
        "verified 10%": ("10% of the labels verified", "#56B4E9", "^"),
        "corrected macro F1, estimated rate": ("corrected, estimated rate", "#0072B2", "o"),
        "noisy macro F1": ("noisy labels", "#999999", "s"),
    }
    true = np.mean([draw[0] for draw in draws], axis=0)
    left.plot(mix_ratios, true, "k*--", markersize=10, label="truth: clean test set, all rows")
    for way, (label, color, marker) in lines.items():
        score = np.mean([scores[way] for _, scores in draws], axis=0)
        left.plot(mix_ratios, score, color=color, marker=marker, label=label)
    left.set(
        xlabel="mix_ratio",
        ylabel=f"macro F1, mean over {len(draws)} draws" if len(draws) > 1 else "macro F1",
        title="What cross-validation says of the candidates",
    )
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)

    ordered = by_mean(tables)[::-1]
    for row, (way, values) in enumerate(ordered):
        fixed = way.startswith(("at random", "always"))
        right.barh(row, np.mean(values), color="#CCCCCC" if fixed else "#E69F00")
        right.plot(values, [row] * len(values), "o", color="black", markersize=3, alpha=0.6)
    right.locator_params(axis="x", nbins=6)
    right.set_yticks(range(len(ordered)), [way for way, _ in ordered])
    right.set(
        xlabel="regret in macro F1: lower is better",
        title=f"What choosing costs ({len(tables)} draw{'s' if len(tables) > 1 else ''})",
    )
    return figure


def main():
    """Run the study, print its table and plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", help="the study proper, on these draws")
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    torch.set_num_threads(1)  # networks this small are no quicker on several
    arguments = parser.parse_args()
    seeds = arguments.seeds
    mix_ratios = [0, DEFAULT, 0.5, 0.75, 1] if seeds else [0, 0.5, 1]
    setting = {"max_epochs": 40, "n_folds": 2, "n_refits": 1, "hold_out": False}
    if seeds:
        setting = {"max_epochs": 80, "n_folds": 3, "n_refits": 2, "hold_out": True}
    if arguments.quick:
        mix_ratios = [0, 1]
        setting |= {"n_refits": 1, "hold_out": True}
        setting |= {"max_epochs": 4, "warmup_epochs": 1, "vog_window": 2, "batch_size": 64}

    print("Macro F1 on clean test labels, by mix_ratio")
    print("draw  " + "".join(f"{m:<8}" for m in mix_ratios))
    draws = []
    for seed in seeds or [0]:
        draws.append(study(seed, mix_ratios, **setting))
        print(f"{seed:<6}" + "".join(f"{score:<8.3f}" for score in draws[-1][0]), flush=True)
    tables = [regrets(*draw, mix_ratios) for draw in draws]
    print_table(tables)
    try:
        figure = plot(draws, tables, mix_ratios)
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure.savefig("choose_mix_ratio.png", dpi=120)
    print("Figure: choose_mix_ratio.png")


if __name__ == "__main__":
    main()
