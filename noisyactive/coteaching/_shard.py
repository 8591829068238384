"""Which rows each process of a data-parallel training keeps, and how they make up a batch."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Sampler

from .._random import child_seed
from ._processes import Processes


class Shard:
    """The rows of a training that one process keeps, and the mini-batches it takes from them.

    Process r of p keeps the rows r, r + p, r + 2p and so on, from the first epoch to the last, with
    their losses and histories of gradients. Each epoch shuffles them anew and deals them out to
    batches of as equal a size as possible. Together, the k-th batches of all processes are the k-th
    batch of the training: no row is missing and none comes twice, whatever the number of samples.

    Parameters
    ----------
    processes : Processes
        Those that train together.
    n_samples : int
        Rows of the training data.
    batch_size : int
        Size of the batch that all processes make up together.
    """

    def __init__(self, processes: Processes, n_samples: int, batch_size: int):
        self.processes = processes
        self.n_samples = n_samples
        self.rows = torch.arange(processes.rank, n_samples, processes.count)
        self._n_batches = n_batches = -(-n_samples // batch_size)
        n_fewest, n_most = n_samples // processes.count, -(-n_samples // processes.count)
        #: Fewest and most samples of a process in a batch.
        self.fewest, self.most = n_fewest // n_batches, -(-n_most // n_batches)

    def places(self, index: torch.Tensor) -> torch.Tensor:
        """Places among this process's rows, of row numbers that are among them."""
        return index if self.processes.count == 1 else index // self.processes.count

    def batches(self, generator: torch.Generator) -> Sampler[list[int]]:
        """Row numbers of this process's part of each batch; drawn anew for each pass."""
        seed = int(torch.randint(2**62, (), generator=generator))
        own = torch.Generator().manual_seed(child_seed(seed, self.processes.rank))
        return _BatchesOfShard(self.rows, self._n_batches, own)

    def whole_batch(
        self, index: torch.Tensor, signs: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor], slice]:
        """A batch as all processes see it together.

        Parameters
        ----------
        index : tensor of int64 of shape (n_own,)
            Row numbers of this process's part.
        signs : sequence of tensors of shape (n_own,)
            What is known of them.

        Returns
        -------
        index : tensor of int64 of shape (batch_size,)
            Row numbers, in the order of the processes.
        signs : list of tensors of shape (batch_size,)
            What is known of all.
        own : slice
            This process's part.
        """
        if self.processes.count == 1:
            return index, list(signs), slice(None)
        # Row numbers up to 2 ** 53, and float32, are exact in float64.
        table = torch.stack([index.double(), *(sign.double() for sign in signs)], dim=1)
        table, start = self.processes.gather(table, self.most)
        columns = [column.to(sign.dtype) for column, sign in zip(table.T[1:], signs, strict=True)]
        return table[:, 0].long(), columns, slice(start, start + len(index))

    def whole(self, values: torch.Tensor) -> torch.Tensor:
        """Values of all rows, on every process.

        Parameters
        ----------
        values : tensor of shape (n_own, ...)
            One entry for each row of this process.

        Returns
        -------
        tensor of shape (n_samples, ...)
            In the order of the rows.
        """
        if self.processes.count == 1:
            return values
        n_most = -(-self.n_samples // self.processes.count)
        # Less than a byte is not known to every backend.
        flat = values.reshape(len(values), -1)
        flat = flat.to(torch.uint8) if values.dtype == torch.bool else flat
        padded = flat.new_zeros((n_most, flat.shape[1]))
        padded[: len(flat)] = flat
        parts = self.processes._accelerator.gather(padded)
        rows = parts.reshape(self.processes.count, n_most, -1).transpose(0, 1)
        rows = rows.reshape(-1, flat.shape[1])[: self.n_samples]
        return rows.reshape(self.n_samples, *values.shape[1:]).to(values.dtype)


class _BatchesOfShard(Sampler[list[int]]):
    def __init__(self, rows: torch.Tensor, n_batches: int, generator: torch.Generator):
        self._rows, self._n_batches, self._generator = rows, n_batches, generator

    def __len__(self) -> int:
        return self._n_batches

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(len(self._rows), generator=self._generator)
        for places in np.array_split(order.numpy(), self._n_batches):
            yield self._rows[places].tolist()


def checksum(codes: torch.Tensor) -> int:
    """A number that tells arrays of labels apart."""
    return zlib.crc32(codes.contiguous().numpy().tobytes())
