"""Clean labels by hand: a page asks about digits, and the model learns from the answers.

scikit-learn's digits, made long-tailed and given 40% wrong labels. Co-teaching VOG learns from them
as they are; then, in each round, you are shown those whose labels are most doubtful, rare digits
first. It learns from what you say, and asks again.

Run it with ``python examples/annotate_digits.py``; the first models take about 40 seconds. Ctrl+C
stops it at any time, and the same command goes on where it was: every answer is in the journal.
It needs ``pip install "noisyactive[annotate]"``.
"""

import argparse

import torch

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.annotate import serve
from noisyactive.datasets import load_long_tailed_digits


def label(options):
    """Run all rounds; the page is served meanwhile."""
    digits = load_long_tailed_digits(random_state=0)
    y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(digits.y_train)
    quick = {"max_epochs": 4, "warmup_epochs": 1, "vog_window": 2, "batch_size": 64}
    settings = quick if options.quick else {}
    cleaner = ActiveLabelCleaner(
        CoTeachingVOGClassifier(mix_ratio=1, random_state=0, **settings),
        n_rounds=options.rounds,
        round_budget=options.round_budget,
        fine_tune_epochs=2 if options.quick else 25,
        journal=options.journal,
        random_state=0,
    )
    print("Learning from the noisy labels ...", flush=True)
    cleaner.start(digits.X_train, y_noisy, validation_data=(digits.X_val, digits.y_val))

    n_told = 0
    with serve(cleaner, port=options.port, open_browser=options.browser):
        while True:
            rows = cleaner.query()  # learns from the round before
            history = cleaner.history_
            for number in range(n_told, len(history["round"])):
                print(
                    f"after round {history['round'][number]}: {history['cost'][number]} answers, "
                    f"macro F1 {history['score'][number]:.3f} on clean validation labels",
                    flush=True,
                )
            n_told = len(history["round"])
            if not len(rows):
                break
            cleaner.wait()
    wrong = (y_noisy != digits.y_train).sum()
    left = (cleaner.labels_ != digits.y_train).sum()
    print(f"{wrong} labels were wrong, {left} are now.")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--journal", default="digits.db", help="keeps the answers (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--round-budget", type=int, default=10, help="answers a round")
    parser.add_argument("--port", type=int, default=0, help="of the page; 0 is any free one")
    parser.add_argument("--no-browser", dest="browser", action="store_false")
    parser.add_argument("--quick", action="store_true", help="see that it runs, with few epochs")
    torch.set_num_threads(1)  # networks this small are no quicker on several
    try:
        label(parser.parse_args())
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on.")


if __name__ == "__main__":
    main()
