"""Compare query strategies: what do an expert's answers bring, asked for in different ways?

What a reader learns: a strategy's curve means nothing without two controls. Tuning alone changes a
network, here for the worse, so "nobody answers" shows what the epochs do; and picks at random among
the labels that are not trusted show what the answers bring, whoever chooses. The dashed line is the
ceiling: the same networks on labels that are all clean. Bands are standard deviations over three
draws of the data, noise and network; differences smaller than they are no ranking.

Run it with ``python examples/plot_query_strategies.py``; it takes about a minute.
"""

import copy

import numpy as np
import torch
from sklearn.base import clone
from sklearn.metrics import f1_score

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.datasets import load_long_tailed_digits
from noisyactive.inspection import CleaningCurveDisplay

STRATEGIES = ["coreset", "entropy", "random", "nobody answers"]


def study(seed):
    """Labels bought and test scores by strategy, of one draw; the score with all labels clean."""
    digits = load_long_tailed_digits(random_state=seed)
    y = digits.y_train
    y_noisy = UniformLabelNoise(0.4, random_state=seed).fit_transform(y)

    def score(model):
        return f1_score(digits.y_test, model.predict(digits.X_test), average="macro")

    net = CoTeachingVOGClassifier(mix_ratio=1, module__base_channels=16, random_state=seed)
    started = ActiveLabelCleaner(
        net,
        n_rounds=6,
        round_budget=15,
        pool="untrusted",
        trust="once",
        fine_tune_epochs=10,
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
    torch.set_num_threads(1)
    results = [study(seed) for seed in range(3)]
    ceiling = np.mean([score for _, score in results])
    curves = {
        name: (results[0][0][name][0], [curves[name][1] for curves, _ in results])
        for name in STRATEGIES
    }
    print("macro F1 after the last round, mean and standard deviation of three draws")
    for name, (_, scores) in curves.items():
        last = np.array(scores)[:, -1]
        print(f"{name:16} {last.mean():.3f} +- {last.std(ddof=1):.3f}")
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
