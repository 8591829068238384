"""Which samples of a mini-batch are trusted: forget-rate schedule, selection rule, and a record."""

import math

import torch

# (1 - 0.9) * 10 is 0.9999999999999998 in floating point; the paper means 1.
_ROUND_OFF = 1e-9


def scheduled_forget_rate(
    epoch: int, forget_rate: float, ramp_epochs: int = 10, exponent: float = 1.0
) -> float:
    """Forget rate of one epoch: a ramp from 0 up to `forget_rate`.

    ``tau(e) = forget_rate * min((e / ramp_epochs) ** exponent, 1)`` [1]_.

    Parameters
    ----------
    epoch : int
        Epoch since the ramp began, counted from 0. Before that (negative) nothing is discarded.
    forget_rate : float in [0, 1)
        Where the ramp ends.
    ramp_epochs : int, default=10
        Epochs until the ramp ends. 0 starts at `forget_rate` at once.
    exponent : float, default=1.0
        Shape of the ramp; 1 is a straight line.

    Returns
    -------
    float
        Share of a mini-batch that is discarded in this epoch.

    References
    ----------
    .. [1] Han et al., "Co-teaching: Robust training of deep neural networks with extremely noisy
       labels", NeurIPS 2018, https://doi.org/10.48550/arXiv.1804.06872
    """
    if epoch < 0:
        return 0.0
    if epoch >= ramp_epochs:
        return forget_rate
    return forget_rate * (epoch / ramp_epochs) ** exponent


def count_selected(batch_size: int, forget_rate: float) -> int:
    """Size R of the clean part of a mini-batch: ``floor((1 - forget_rate) * batch_size)``, >= 1."""
    return max(1, math.floor((1 - forget_rate) * batch_size + _ROUND_OFF))


def select_clean(
    loss: torch.Tensor,
    n_selected: int,
    vog: torch.Tensor | None = None,
    mix_ratio: float = 0.0,
) -> torch.Tensor:
    """Choose the samples of a mini-batch whose labels are to be trusted.

    The ``n_selected - floor(mix_ratio * n_selected)`` samples of smallest loss, and the
    ``floor(mix_ratio * n_selected)`` of smallest Variance of Gradients among the rest [1]_.

    Parameters
    ----------
    loss : tensor of shape (batch_size,)
        Loss of each sample.
    n_selected : int
        How many to choose, at least 1 and at most `batch_size`.
    vog : tensor of shape (batch_size,), default=None
        Variance of Gradients of each sample; NaN (not known yet) ranks last. None chooses by loss
        alone, whatever `mix_ratio` is.
    mix_ratio : float in [0, 1], default=0.0
        Share of the choice that is made by VOG.

    Returns
    -------
    tensor of int64 of shape (n_selected,)
        Positions in the mini-batch, each at most once. Of equals, the one that stands first in the
        batch is taken.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024,
       https://doi.org/10.1007/978-3-031-72120-5_4
    """
    by_loss = torch.argsort(loss, stable=True)
    n_by_vog = math.floor(mix_ratio * n_selected + _ROUND_OFF)
    if vog is None or n_by_vog == 0:
        return by_loss[:n_selected]
    n_by_loss = n_selected - n_by_vog
    # Sorted back into batch order, so that ties in VOG are not broken by loss.
    rest = by_loss[n_by_loss:].sort().values
    by_vog = rest[torch.argsort(vog[rest], stable=True)[:n_by_vog]]
    return torch.cat([by_loss[:n_by_loss], by_vog])


class SampleRecord:
    """Loss and selection of each sample in the latest epoch, under both networks.

    Parameters
    ----------
    n_samples : int
        Rows of the data set.
    device : str or torch.device
        Where the networks compute.

    Attributes
    ----------
    loss : tensor of float32 of shape (2, n_samples)
        Loss under each network; NaN where a sample has not been seen.
    selected : tensor of bool of shape (2, n_samples)
        Whether each network picked the sample, for the other one to train on.
    seen : tensor of bool of shape (n_samples,)
        Whether the current epoch has reached the sample.
    """

    def __init__(self, n_samples: int, device: str | torch.device):
        self.loss = torch.full((2, n_samples), torch.nan, device=device)
        self.selected = torch.zeros((2, n_samples), dtype=torch.bool, device=device)
        self.seen = torch.zeros(n_samples, dtype=torch.bool, device=device)

    def store(self, index: torch.Tensor, loss: torch.Tensor, picked: torch.Tensor) -> None:
        """Record the losses and picks of both networks in a mini-batch.

        Parameters
        ----------
        index : tensor of int64 of shape (batch_size,)
            Rows of the data set.
        loss : tensor of float32 of shape (2, batch_size)
            Their losses.
        picked : tensor of bool of shape (2, batch_size)
            Which of them each network picked.
        """
        # On a CPU, faster than to assign to `loss[:, index]`.
        self.seen.index_fill_(0, index, True)
        self.loss.index_copy_(1, index, loss)
        self.selected.index_copy_(1, index, picked)

    def end_epoch(self) -> torch.Tensor:
        """Reset samples that the epoch did not reach, and begin another epoch.

        Returns
        -------
        tensor of int64 of shape (2,)
            How many samples were picked, by both networks together, and how many were seen.
        """
        if not self.seen.any():
            raise ValueError("No batch to train on: lower batch_size, or unset drop_last.")
        self.loss.masked_fill_(~self.seen, torch.nan)
        self.selected &= self.seen
        counts = torch.stack([self.selected.sum(), self.seen.sum()])
        self.seen.zero_()
        return counts
