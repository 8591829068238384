"""An expert who errs, and what to do about it.
============================================

What a reader learns: answers are labels, and labels are noisy. With the same number of answers, an
expert who is wrong in one case of five still helps, only less. Asking three annotators for each row
and taking the majority makes better labels, but a third as many: whether that pays depends on how
wrong single answers are, and here it can be read off. The cleaner reports how far annotators agree,
from which one sees which of the two situations one is in.

Run it with ``python examples/plot_erring_expert.py``; it takes about a minute. ``--quick`` tries
that it runs: one draw, two rounds, few epochs.
"""

import argparse

import numpy as np
import torch
from sklearn.metrics import f1_score

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    GroundTruthOracle,
    UniformLabelNoise,
)
from noisyactive.datasets import load_long_tailed_digits
from noisyactive.inspection import CleaningCurveDisplay

# How often an expert is wrong, and how many are asked about each image.
EXPERTS = {
    "never wrong": (0.0, 1),
    "wrong in 20%": (0.2, 1),
    "20%, majority of three": (0.2, 3),
    "wrong in 40%": (0.4, 1),
    "40%, majority of three": (0.4, 3),
}


def run_rounds(cleaner, experts, score):
    """Let the experts answer until the budget is spent; answers and scores by round."""
    costs, scores = [], []
    while len(cleaner.query()):
        costs.append(cleaner.history_["cost"][-1])
        scores.append(score(cleaner))
        for name, expert in experts.items():  # the fourth and fifth settle ties
            rows = [item.row for item in cleaner.open_items(name)]
            if rows:
                cleaner.teach(rows, expert(rows), annotator=name)
        cleaner.close_round()  # where even five disagree
    return [*costs, cleaner.history_["cost"][-1]], [*scores, score(cleaner)]


def study(seed, n_rounds=4, fine_tune_epochs=10, **settings):
    """Costs, scores and cleaners by kind of expert, of one draw, and the ceiling.

    `settings` are parameters of the networks.
    """
    digits = load_long_tailed_digits(random_state=seed)
    X, X_test = (part.reshape(len(part), 64) for part in (digits.X_train, digits.X_test))
    y_noisy = UniformLabelNoise(0.4, random_state=seed).fit_transform(digits.y_train)
    net = CoTeachingVOGClassifier(mix_ratio=1, random_state=seed, **settings)

    def score(model):
        return f1_score(digits.y_test, model.predict(X_test), average="macro")

    curves, cleaners = {}, {}
    for name, (error_rate, answers_per_item) in EXPERTS.items():
        cleaner = ActiveLabelCleaner(
            net,
            "coreset",
            n_rounds=n_rounds,
            round_budget=24,
            pool="untrusted",
            trust="once",
            fine_tune_epochs=fine_tune_epochs,
            fine_tune_lr=0.01,
            class_balance=0,
            answers_per_item=answers_per_item,
            random_state=seed,
        ).start(X, y_noisy)
        experts = {
            f"reader {number}": GroundTruthOracle(
                digits.y_train, error_rate=error_rate, random_state=number
            )
            for number in range(1, 6 if answers_per_item > 1 else 2)
        }
        curves[name], cleaners[name] = run_rounds(cleaner, experts, score), cleaner
    plain = CoTeachingClassifier(forget_rate=0, random_state=seed, **settings)
    plain.fit(X, digits.y_train)
    return curves, cleaners, digits.y_train, score(plain)


def main():
    """Run the study, print its tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    torch.set_num_threads(1)
    if parser.parse_args().quick:
        settings = {"max_epochs": 8, "warmup_epochs": 2, "batch_size": 64}
        results = [study(0, n_rounds=2, fine_tune_epochs=1, **settings)]
    else:
        results = [study(seed) for seed in range(3)]
    print(f"mean of {len(results)} draw(s)           macro F1   answers   rows   of these, wrong")
    for name in EXPERTS:
        ends, answers, rows, wrong = [], [], [], []
        for curves, cleaners, y, _ in results:
            answered = cleaners[name].relabelled_round_ > 0
            ends.append(curves[name][1][-1])
            answers.append(curves[name][0][-1])
            rows.append(answered.sum())
            wrong.append((cleaners[name].labels_ != y)[answered].mean())
        print(
            f"{name:30}{np.mean(ends):.3f}{np.mean(answers):10.0f}{np.mean(rows):7.0f}"
            f"{np.mean(wrong):10.2f}"
        )
    cleaner = results[0][1]["20%, majority of three"]
    kappa = cleaner.pairwise_kappa_[:3, :3][np.triu_indices(3, 1)].mean()
    print(f"\nkappa between two of three readers who are wrong in 20%: {kappa:.2f}")

    # With several answers a row, rounds of several draws end at different costs: means of both.
    lines = {}
    for name in EXPERTS:
        runs = [curves[name] for curves, *_ in results]
        n_points = min(len(costs) for costs, _ in runs)
        costs = np.mean([costs[:n_points] for costs, _ in runs], axis=0)
        lines[name] = costs, [scores[:n_points] for _, scores in runs]
    ceiling = np.mean([score for *_, score in results])
    try:
        display = CleaningCurveDisplay(lines, ceiling=ceiling, score_name="macro F1").plot()
    except ImportError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    display.figure_.savefig("erring_expert.png", dpi=120)
    print("Figure: erring_expert.png")


if __name__ == "__main__":
    main()
