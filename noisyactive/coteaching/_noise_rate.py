"""Estimate the noise rate from held-out predictions made during training."""

import torch

from .._noise_model import RateEstimate, estimate_rate


class CrossFit:
    """Held-out predictions of two networks that each learn from one half of the samples.

    Both networks see every mini-batch; each learns from its half alone and predicts the other half
    in the same pass, so that held-out probabilities need no extra pass.

    Parameters
    ----------
    codes : tensor of int64 of shape (n_samples,)
        Encoded labels; each class is halved.
    n_classes : int
        Classes.
    device : str or torch.device
        Where the networks compute.
    generator : torch.Generator, default=None
        Draws the halves.
    """

    def __init__(
        self,
        codes: torch.Tensor,
        n_classes: int,
        device: str | torch.device,
        generator: torch.Generator | None = None,
    ):
        shuffled = torch.randperm(len(codes), generator=generator)
        by_class = shuffled[torch.argsort(codes[shuffled], stable=True)]
        half = torch.empty(len(codes), dtype=torch.int64)
        half[by_class] = torch.arange(len(codes)) % 2
        self._codes = codes
        #: Which network learns from each sample.
        self.half = half.to(device)
        self._sum = torch.zeros((len(codes), n_classes), device=device)
        self._count = torch.zeros(len(codes), device=device)

    def forget(self) -> None:
        """Drop the predictions gathered so far: the networks have learned since."""
        self._sum.zero_()
        self._count.zero_()

    def chosen(self, index: torch.Tensor) -> list[torch.Tensor]:
        """Positions in a mini-batch that each network learns from: those of its own half."""
        half = self.half[index]
        return [(half == network).nonzero().squeeze(1) for network in (0, 1)]

    def store(self, index: torch.Tensor, logits: list[torch.Tensor]) -> None:
        """Gather the held-out predictions of a mini-batch.

        Parameters
        ----------
        index : tensor of int64 of shape (batch_size,)
            Rows of the data set.
        logits : list of two tensors of shape (batch_size, n_classes)
            Logits of both networks.
        """
        own = self.half[index].bool()[:, None]
        held_out = torch.where(own, logits[0].detach(), logits[1].detach())
        self._sum[index] += torch.softmax(held_out.float(), dim=1)
        self._count[index] += 1

    def noise_rate(self) -> RateEstimate:
        """Estimate the share of wrong labels from what has been gathered."""
        held_out = self._count > 0
        proba = self._sum[held_out] / self._count[held_out][:, None]
        return estimate_rate(proba.cpu(), self._codes[held_out.cpu()])
