"""Estimate the noise rate from held-out predictions made during training."""

import torch

from .._noise_model import RateEstimate, estimate_rate
from ._shard import Shard


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
    shard : Shard
        Which rows' predictions are gathered here.
    """

    def __init__(
        self,
        codes: torch.Tensor,
        n_classes: int,
        device: str | torch.device,
        generator: torch.Generator | None,
        shard: Shard,
    ):
        shuffled = torch.randperm(len(codes), generator=generator)
        by_class = shuffled[torch.argsort(codes[shuffled], stable=True)]
        half = torch.empty(len(codes), dtype=torch.int64)
        half[by_class] = torch.arange(len(codes)) % 2
        self._codes = codes
        #: Which network learns from each sample.
        self.half = half.to(device)
        self._shard = shard
        self._sum = torch.zeros((len(shard.rows), n_classes), device=device)
        self._count = torch.zeros(len(shard.rows), device=device)

    def forget(self) -> None:
        """Drop the predictions gathered so far: the networks have learned since."""
        self._sum.zero_()
        self._count.zero_()

    def chosen(self, index: torch.Tensor) -> torch.Tensor:
        """Which samples of a mini-batch each network learns from, (2, batch_size): its half."""
        half = self.half[index]
        return torch.stack([half == 0, half == 1])

    def store(self, index: torch.Tensor, logits: list[torch.Tensor]) -> None:
        """Gather the held-out predictions of a mini-batch.

        Parameters
        ----------
        index : tensor of int64 of shape (batch_size,)
            Rows of the data set, which this process keeps.
        logits : list of two tensors of shape (batch_size, n_classes)
            Logits of both networks.
        """
        own = self.half[index].bool()[:, None]
        held_out = torch.where(own, logits[0].detach(), logits[1].detach())
        places = self._shard.places(index)
        self._sum[places] += torch.softmax(held_out.float(), dim=1)
        self._count[places] += 1

    def noise_rate(self) -> RateEstimate:
        """Estimate the share of wrong labels from what has been gathered."""
        total, count = self._shard.whole(self._sum), self._shard.whole(self._count)
        held_out = count > 0
        proba = total[held_out] / count[held_out][:, None]
        return estimate_rate(proba.cpu(), self._codes[held_out.cpu()])
