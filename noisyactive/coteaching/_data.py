"""From what people pass as X and y to batches of tensors that know their rows."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import SliceDataset
from torch.utils.data import BatchSampler, Dataset, default_collate

from .._labels import find_classes, find_codes

Batch = tuple[dict[str, torch.Tensor], torch.Tensor]


def is_lazy(X: Any) -> bool:
    """Whether samples are read one by one when they are needed."""
    return isinstance(X, (Dataset, SliceDataset))


def encode_labels(
    y: Any, classes: NDArray[Any] | None = None, *, name: str = "y"
) -> tuple[NDArray[Any], NDArray[Any], torch.Tensor]:
    """Check labels and encode them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any kind that can be sorted.
    classes : ndarray of shape (n_classes,), default=None
        Every possible label, sorted. None takes those in y.
    name : str, default="y"
        What errors call `y`.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        The labels.
    classes : ndarray of shape (n_classes,)
        Every possible label, sorted.
    codes : tensor of int64 of shape (n_samples,)
        Index of each label in `classes`.

    Raises
    ------
    ValueError
        If y is None, does not hold one class label per sample, or holds one that is not among the
        classes.
    """
    if isinstance(y, torch.Tensor):
        y = y.detach().cpu().numpy()
    present, positions = find_classes(y, name=name)
    if classes is None:
        classes = present
    codes = find_codes(present.tolist(), classes, name=name)[positions]
    return present[positions], classes, torch.from_numpy(codes.astype(np.int64))


def labels_of_dataset(dataset: Dataset[Any]) -> NDArray[Any]:
    """Labels that a torch Dataset carries itself.

    Its attribute ``targets``, ``labels`` or ``y`` is taken if it has one of its own length;
    otherwise, or if it has a ``target_transform``, every item is read once.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Items are ``(x, y)``.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels.
    """
    raw = getattr(dataset, "target_transform", None) is None
    for attribute in ("targets", "labels", "y") if raw else ():
        labels = getattr(dataset, attribute, None)
        if labels is not None and not callable(labels) and len(labels) == len(dataset):  # type: ignore[arg-type]
            return np.asarray(labels)
    first = dataset[0]
    if not isinstance(first, (tuple, list)) or len(first) < 2:
        raise ValueError("y is required, since the items of the Dataset X hold no label.")
    return np.asarray([np.asarray(dataset[i][1]).item() for i in range(len(dataset))])  # type: ignore[arg-type]


class IndexedDataset(SkorchDataset):
    """Samples with their row numbers and encoded labels.

    A batch is ``({"X": x, "index": rows}, codes)``, fetched from an array at once and not sample by
    sample.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...), torch.utils.data.Dataset or SliceDataset
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
        return {"X": x.to(torch.float32), "index": torch.tensor(int(i))}, self.codes[i]

    def __getitems__(self, indices: Sequence[int]) -> Batch | list[Batch]:
        if not self.batched or is_lazy(self.X):
            return [self[i] for i in indices]
        rows = torch.as_tensor(indices)
        x = torch.from_numpy(self.X[rows.numpy()]).to(torch.float32)
        return {"X": x, "index": rows}, self.codes[rows]


def collate(batch: Batch | list[Batch]) -> Batch:
    """Collate samples, unless the dataset handed out a whole batch already."""
    return batch if isinstance(batch, tuple) else default_collate(batch)


class NoLonelySample(BatchSampler):
    """Batches of another sampler, where a trailing batch of one joins the one before.

    Batch normalisation cannot train on one sample, and among one there is nothing to choose.

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
        lonely = n_samples > 1 and n_samples % self.batches.batch_size == 1
        return len(self.batches) - int(lonely and not self.batches.drop_last)


def auto_batch_size(n_samples: int) -> int:
    """Mini-batch size for a data set: about 30 batches an epoch, of 8 to 256 samples."""
    return min(256, max(8, n_samples // 30))
