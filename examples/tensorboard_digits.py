"""Watch a run in TensorBoard: every epoch of the first phase, and every round of cleaning.

What you learn from it: a callback of skorch on the network sees all epochs, those in which the
cleaner tunes it too. Beside losses, forget rate and selected share, their history holds the round,
the answers so far and the score on validation data, so that any tracker can draw them. MLflow and
Weights & Biases work the same way, with skorch's ``MlflowLogger`` and ``WandbLogger``.

Run it with ``python examples/tensorboard_digits.py``, then ``tensorboard --logdir runs``; it takes
a quarter of a minute, and needs ``pip install tensorboard``.
"""

import argparse

import torch
from skorch.callbacks import TensorBoard
from torch.utils.tensorboard import SummaryWriter

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.datasets import load_long_tailed_digits


def main():
    """Clean labels for three rounds, under observation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logdir", default="runs", help="folder for TensorBoard")
    parser.add_argument("--quick", action="store_true", help="see that it runs, with few epochs")
    options = parser.parse_args()
    quick = {"max_epochs": 4, "warmup_epochs": 1, "vog_window": 2, "batch_size": 64}
    settings = quick if options.quick else {}
    torch.set_num_threads(1)
    data = load_long_tailed_digits(random_state=0)
    y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(data.y_train)
    with SummaryWriter(options.logdir) as writer:
        net = CoTeachingVOGClassifier(
            mix_ratio=1,
            callbacks=[TensorBoard(writer, close_after_train=False)],
            random_state=0,
            **settings,
        )
        cleaner = ActiveLabelCleaner(
            net,
            "coreset",
            n_rounds=3,
            round_budget=10,
            pool="untrusted",
            trust="once",  # one network, one curve; the default trains three
            fine_tune_epochs=2 if options.quick else 25,
            fine_tune_lr=0.01,
            class_balance=0,
            random_state=0,
        )
        cleaner.fit(
            data.X_train,
            y_noisy,
            y_clean=data.y_train,
            validation_data=(data.X_val, data.y_val),
        )
    for number, score in zip(cleaner.history_["round"], cleaner.history_["score"], strict=True):
        print(f"round {number}: macro F1 {score:.3f}")


if __name__ == "__main__":
    main()
