"""How long, how fast and in what portions to train: defaults that follow from the data."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypedDict

import numpy as np

# What follows was chosen on long-tailed rows (200 to 100,000 of them), digits, and frozen features
# of HAM10000 and CIFAR-10N, by macro F1 for the CPU time.
_BATCHES_AN_EPOCH = 30
_LR, _AT_BATCH_SIZE = 0.1, 512
_EPOCHS_FOR_SAMPLES = ((250, 80), (500, 40), (1_750, 40), (7_000, 20))

#: What Khanal et al. (MICCAI 2024) train with; for a module of one's own, which may be a large
#: pretrained network, "auto" means these.
PAPER_EPOCHS, PAPER_LR = 50, 0.01


class Schedule(TypedDict):
    """The course of one training: parameters of the classifiers, by name."""

    max_epochs: int
    warmup_epochs: int
    ramp_epochs: int
    batch_size: int
    lr: float


#: Parameters that may change while networks are trained further.
PHASES: tuple[Literal["max_epochs", "warmup_epochs", "ramp_epochs"], ...] = (
    "max_epochs",
    "warmup_epochs",
    "ramp_epochs",
)


def auto_batch_size(n_samples: int, largest: int = 256) -> int:
    """Mini-batch size: about 30 batches an epoch, of 8 to `largest` samples.

    The smallest size that makes so many batches, so that large ones are almost equally full; of
    small ones the last may still be a rest. A small rest counts as much as a whole batch, with a
    choice among few samples and noisy statistics of batch normalisation: 10 rows beside 15 batches
    of 466 cost a tenth of macro F1.

    Parameters
    ----------
    n_samples : int
        Samples of an epoch.
    largest : int, default=256
        Limit of the size.

    Returns
    -------
    int
        The size.
    """
    wanted = min(largest, max(8, n_samples // _BATCHES_AN_EPOCH))
    n_batches = max(1, n_samples // wanted)
    if -(-n_samples // n_batches) > largest:
        n_batches += 1
    return -(-n_samples // n_batches)


def auto_lr(batch_size: int) -> float:
    """Learning rate of SGD for the default networks: with the square root of the batch size.

    Parameters
    ----------
    batch_size : int
        Samples per mini-batch.

    Returns
    -------
    float
        0.1 for 512 samples; at most that of 1024.
    """
    return round(_LR * (min(batch_size, 1024) / _AT_BATCH_SIZE) ** 0.5, 4)


def auto_epochs(n_samples: int) -> int:
    """Epochs for the default networks: 80 for up to 250 samples, 40 for 500 to 1,750, 20 for 7,000.

    Fewer would leave the gradients' history too few epochs after the warm-up.

    Parameters
    ----------
    n_samples : int
        Samples of an epoch.

    Returns
    -------
    int
        Epochs.
    """
    samples, epochs = np.transpose(_EPOCHS_FOR_SAMPLES)
    return round(float(np.interp(np.log(n_samples), np.log(samples), epochs)))


def auto_phases(max_epochs: int) -> tuple[int, int]:
    """Epochs of warm-up and of the ramp: a quarter (5 to 10) and 15% (1 to 10) of all.

    Of fewer than 10 epochs, half are warm-up.

    Parameters
    ----------
    max_epochs : int
        Epochs.

    Returns
    -------
    warmup_epochs, ramp_epochs : int
        Both.
    """
    warmup_epochs = min(10, max(5, max_epochs // 4), max(1, max_epochs // 2))
    return warmup_epochs, min(10, max(1, max_epochs * 3 // 20))


def default_lr(optimizer: Callable[..., Any]) -> float | None:
    """The learning rate that an optimizer has by itself; None if it has none."""
    try:
        lr = inspect.signature(optimizer).parameters["lr"].default
    except (KeyError, TypeError, ValueError):  # no such parameter, or no signature
        return None
    return float(lr) if isinstance(lr, (int, float)) else None
