"""Compare query strategies: what do an expert's answers bring, asked for in different ways?
=========================================================================================

What a reader learns: a strategy's curve means nothing without two controls. Tuning alone changes a
network, here for the worse, so "nobody answers" shows what the epochs do; and picks at random among
the labels that are not trusted show what the answers bring, whoever chooses. The dashed line is the
ceiling: the same networks on labels that are all clean. Bands are standard deviations over three
draws of the data, noise and network; differences smaller than they are no ranking.

Run it with ``python examples/plot_query_strategies.py``; it takes about a minute. ``--quick`` tries
that it runs: one draw, two rounds, few epochs.
"""

import argparse
import copy

import numpy as np
import torch
from sklearn.base import clone
from sklearn.metrics import f1_score

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.datasets import load_long_tailed_digits
from noisyactive.inspection import CleaningCurveDisplay

STRATEGIES = ["coreset", "entropy", "random", "nobody answers"]


def study(seed, n_rounds=6, fine_tune_epochs=10, **settings):
    """Labels bought and test scores by strategy, of one draw; the score with all labels clean.

    `settings` are parameters of the networks.
    """
    digits = load_long_tailed_digits(random_state=seed)
    y = digits.y_train
    y_noisy = UniformLabelNoise(0.4, random_state=seed).fit_transform(y)

    def score(model):
        return f1_score(digits.y_test, model.predict(digits.X_test), average="macro")

    net = CoTeachingVOGClassifier(
        mix_ratio=1, module__base_channels=16, random_state=seed, **settings
    )
    started = ActiveLabelCleaner(
        net,
        n_rounds=n_rounds,
        round_budget=15,
        pool="untrusted",
        trust="once",
        fine_tune_epochs=fine_tune_epochs,
        fine_tune_lr=0.01,
        class_balance=0,
        random_state=seed,
    ).start(digits.X_train, y_noisy)
    curves = {}
    for name in STRATEGIES:
        nobody = name == "nobody answers"
        cleaner = copy.deepcopy(started)
        cleaner.set_params(query_strategy="random" if nobody else name)
        scores = []
        while len(rows := cleaner.query()):
            scores.append(score(cleaner))
            cleaner.teach(rows, [None] * len(rows) if nobody else y[rows])
        # That nobody answered is charged too; drawn where the others are, it is the control.
        curves[name] = cleaner.history_["cost"], [*scores, score(cleaner)]
    ceiling = clone(net).set_params(forget_rate=0.0, mix_ratio=0).fit(digits.X_train, y)
    return curves, score(ceiling)


def main():
    """Run the study, print its table and plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    torch.set_num_threads(1)
    if parser.parse_args().quick:
        settings = {"max_epochs": 8, "warmup_epochs": 2, "batch_size": 64}
        results = [study(0, n_rounds=2, fine_tune_epochs=1, **settings)]
    else:
        results = [study(seed) for seed in range(3)]
    ceiling = np.mean([score for _, score in results])
    curves = {
        name: (results[0][0][name][0], [curves[name][1] for curves, _ in results])
        for name in STRATEGIES
    }
    print(f"macro F1 after the last round, mean and standard deviation of {len(results)} draw(s)")
    for name, (_, scores) in curves.items():
        last = np.array(scores)[:, -1]
        spread = f" +- {last.std(ddof=1):.3f}" if len(last) > 1 else ""
        print(f"{name:16} {last.mean():.3f}{spread}")
    print(f"{'all labels clean':16} {ceiling:.3f}")
    try:
        display = CleaningCurveDisplay(curves, ceiling=ceiling, score_name="macro F1").plot()
    except ImportError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    display.figure_.savefig("query_strategies.png", dpi=120)
    print("Figure: query_strategies.png")


if __name__ == "__main__":
    main()
