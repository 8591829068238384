"""Samples with their row numbers, and mini-batches of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import SliceDataset
from skorch.utils import to_tensor
from torch.utils.data import BatchSampler, Dataset, Subset, default_collate

Batch = tuple[dict[str, torch.Tensor], torch.Tensor]


def on_device(values: Any, device: str | torch.device | None) -> torch.Tensor:
    """A part of a batch as a tensor on a device, without waiting for what that still computes.

    Parameters
    ----------
    values : tensor or array-like
        Values in main memory, or on the device already.
    device : str, torch.device or None
        Where they are needed; None leaves them where they are.

    Returns
    -------
    tensor
        The same values. Those in main memory must not be changed afterwards.
    """
    if device is None or not isinstance(values, torch.Tensor):
        return to_tensor(values, device)
    return values.to(device, non_blocking=values.device.type == "cpu")


def is_lazy(X: Any) -> bool:
    """Whether samples are read one by one when they are needed."""
    return isinstance(X, (Dataset, SliceDataset))


class SparseRows:
    """Rows of a sparse matrix: one of them is dense, several are a sparse tensor.

    Parameters
    ----------
    matrix : scipy.sparse matrix or array of shape (n_samples, n_features)
        In CSR format; copied if entries of a row are not in order, or a place has several.
    """

    def __init__(self, matrix: Any):
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        self.matrix = matrix

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def __getitem__(self, i: int) -> NDArray[Any]:
        row: NDArray[Any] = self.matrix[[int(i)]].toarray()[0]
        return row

    def fetch(self, rows: NDArray[np.intp]) -> torch.Tensor:
        """Rows as a coalesced sparse tensor (COO) of shape (len(rows), n_features)."""
        part = self.matrix[rows]
        of_entry = np.repeat(np.arange(len(rows)), np.diff(part.indptr))
        places = torch.from_numpy(np.stack([of_entry, part.indices.astype(np.int64)]))
        values = torch.from_numpy(part.data)
        # The operator behind `torch.sparse_coo_tensor`. The function warns in torch 2.11 and 2.12 of
        # checks that are off, even where it is told so, unless they are set for the whole process.
        batch: torch.Tensor = torch.ops.aten.sparse_coo_tensor.indices_size(
            places, values, part.shape, is_coalesced=True
        )
        return batch


class IndexedDataset(SkorchDataset):
    """Samples with their row numbers and encoded labels.

    A batch is ``({"X": x, "index": rows}, codes)``, fetched from an array at once and not sample by
    sample. Floating point numbers become float32, others (bytes of images) stay as they are.

    Parameters
    ----------
    X : ndarray, tensor or SparseRows of shape (n_samples, ...), torch Dataset or SliceDataset
        Samples; the items of a Dataset may be ``x`` or ``(x, ...)``.
    y : ndarray of shape (n_samples,), default=None
        Labels as the user knows them.
    codes : tensor of int64 of shape (n_samples,), default=None
        The same labels, encoded. None, for data to predict on, stands for zeros.
    batched : bool, default=True
        Whether an array hands out whole batches. Not so where a user's own ``collate_fn`` expects a
        list of samples.
    """

    def __init__(
        self,
        X: Any,
        y: NDArray[Any] | None = None,
        codes: torch.Tensor | None = None,
        batched: bool = True,
    ):
        # skorch reads `X` and `y` back for scoring; that is all we need of its constructor.
        self.X = X
        self.y = y
        self.codes = torch.zeros(len(X), dtype=torch.int64) if codes is None else codes
        self.batched = batched

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, i: int) -> Batch:
        item = self.X[i]
        if is_lazy(self.X) and isinstance(item, (tuple, list)):
            item = item[0]
        x = item if isinstance(item, torch.Tensor) else torch.from_numpy(np.array(item))
        x = _single_precision(x)
        if is_lazy(self.X) and x.is_floating_point() and not torch.isfinite(x).all():
            raise ValueError(f"X[{int(i)}] has NaN, or values that are infinite in float32.")
        return {"X": x, "index": torch.tensor(int(i))}, self.codes[i]

    def __getitems__(self, indices: Sequence[int]) -> Batch | list[Batch]:
        if not self.batched or is_lazy(self.X):
            return [self[i] for i in indices]
        return self.fetch(torch.as_tensor(indices))

    def fetch(self, rows: torch.Tensor) -> Batch:
        """A batch of samples that lie in memory.

        Parameters
        ----------
        rows : tensor of int64 of shape (batch_size,)
            Row numbers.

        Returns
        -------
        tuple of dict and tensor
            The batch.
        """
        if isinstance(self.X, torch.Tensor):
            x = self.X[on_device(rows, self.X.device)]
        elif isinstance(self.X, SparseRows):
            x = self.X.fetch(rows.numpy())
        else:
            x = torch.from_numpy(self.X[rows.numpy()])
        return {"X": _single_precision(x), "index": rows}, self.codes[rows]


def _single_precision(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.float32) if x.is_floating_point() else x


class WholeBatches:
    """Mini-batches of samples that lie in memory, each fetched at once.

    In the order in which a ``DataLoader`` with the same generator would bring them.

    Parameters
    ----------
    dataset : IndexedDataset, or a torch Subset of one
        The samples, not lazy ones.
    batch_size : int
        Samples per batch.
    shuffle : bool, default=False
        Whether each pass draws a new order.
    drop_last : bool, default=False
        Whether an incomplete last batch is left out.
    merge_last : bool, default=False
        Whether a last batch of a single sample joins the one before, as with `MergeLastBatch`.
    generator : torch.Generator, default=None
        Draws the order.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        merge_last: bool = False,
        generator: torch.Generator | None = None,
    ):
        self.dataset, self._rows = whole_dataset(dataset)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self._n_samples = n_samples = len(dataset)
        n_batches, rest = divmod(n_samples, batch_size)
        self._sizes = [batch_size] * n_batches
        if rest == 1 < batch_size and n_batches and merge_last and not drop_last:
            self._sizes[-1] += 1
        elif rest and not drop_last:
            self._sizes.append(rest)

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Batch]:
        n_samples, generator = self._n_samples, self.generator
        if self.shuffle:
            torch.randint(2**62, (), generator=generator)  # as a DataLoader seeds its workers
            order = torch.randperm(n_samples, generator=generator)
        else:
            order = torch.arange(n_samples)
        for places in order[: sum(self._sizes)].split(self._sizes):
            yield self.dataset.fetch(places if self._rows is None else self._rows[places])
        if self.shuffle:
            del order
            torch.randperm(n_samples, generator=generator)  # as its RandomSampler does, without use


def whole_dataset(dataset: Any) -> tuple[IndexedDataset, torch.Tensor | None]:
    """The dataset behind torch Subsets of it, and the rows of it that they hold; None for all."""
    if not isinstance(dataset, Subset):
        return dataset, None
    whole, rows = whole_dataset(dataset.dataset)
    places = torch.as_tensor(dataset.indices)
    return whole, places if rows is None else rows[places]


def collate(batch: Batch | list[Batch]) -> Batch:
    """Collate samples, unless the dataset handed out a whole batch already."""
    return batch if isinstance(batch, tuple) else default_collate(batch)


class MergeLastBatch(BatchSampler):
    """Batches of another sampler, where a trailing batch of one joins the one before.

    Batch normalisation cannot train on one sample, and one sample leaves nothing to select from.

    Parameters
    ----------
    batches : BatchSampler
        Where the batches come from.
    """

    def __init__(self, batches: BatchSampler):
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        held: list[list[int]] = []
        for batch in self.batches:
            if len(held) == 2:
                yield held.pop(0)
            held.append(batch)
        if len(held) == 2 and len(held[1]) == 1 < len(held[0]):
            held = [held[0] + held[1]]
        yield from held

    def __len__(self) -> int:
        n_samples = len(self.batches.sampler)  # type: ignore[arg-type]
        single = n_samples > 1 and n_samples % self.batches.batch_size == 1
        return len(self.batches) - int(single and not self.batches.drop_last)
