"""What one training call remembers of every sample."""

import torch


class SampleRecord:
    """Per-sample results of the latest epoch, for both networks.

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
        Whether the current epoch has come to the sample.
    """

    def __init__(self, n_samples: int, device: str | torch.device):
        self.loss = torch.full((2, n_samples), torch.nan, device=device)
        self.selected = torch.zeros((2, n_samples), dtype=torch.bool, device=device)
        self.seen = torch.zeros(n_samples, dtype=torch.bool, device=device)

    def store(
        self, network: int, index: torch.Tensor, loss: torch.Tensor, picks: torch.Tensor
    ) -> None:
        """Note what one network made of a mini-batch.

        Parameters
        ----------
        network : int
            0 or 1.
        index : tensor of int64 of shape (batch_size,)
            Rows of the data set.
        loss : tensor of shape (batch_size,)
            Their losses.
        picks : tensor of int64 of shape (n_selected,)
            Positions in the mini-batch that were picked.
        """
        self.seen[index] = True
        self.loss[network, index] = loss.to(self.loss.dtype)
        self.selected[network, index] = False
        self.selected[network, index[picks]] = True

    def end_epoch(self) -> float:
        """Take back what was said of samples that the epoch did not come to, and begin another.

        Returns
        -------
        float
            Share of the samples seen that were picked, mean of both networks.
        """
        if not self.seen.any():
            raise ValueError("No batch to train on: lower batch_size, or unset drop_last.")
        self.loss[:, ~self.seen] = torch.nan
        self.selected[:, ~self.seen] = False
        share = float(self.selected[:, self.seen].float().mean())
        self.seen.zero_()
        return share
