"""Check X and y; turn them into data sets and batches."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset as SkorchDataset
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler
from torch.utils.data import Subset as TorchSubset

from .._annotations import one_label_each
from .._arrays import as_numbers, described, naming, native_type
from .._codes import find_codes
from .._labels import find_classes
from .._like import warn_of_order
from .._rows import RowsOf, large_as_rows
from .._samples import (
    as_native,
    check_samples,
    in_memory,
    labels_of_dataset,
    reading,
)
from ._batches import (
    IndexedDataset,
    MergeLastBatch,
    SparseRows,
    WholeBatches,
    collate,
    is_lazy,
    on_device,
    whole_dataset,
)
from ._pair import DataSpec
from ._schedule import auto_batch_size
from ._shard import Shard


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
    present, positions = find_classes(y, name=name)
    if classes is None:
        classes = present
    codes = find_codes(present.tolist(), classes, name=name)[positions]
    return present[positions], classes, torch.from_numpy(codes.astype(np.int64))


class CheckedInputs(NeuralNetClassifier):
    """skorch's classifier with data that is checked, labels of any kind, and quick batches.

    Not for direct use.
    """

    #: Rows of files and large arrays are read batch by batch.
    reads_rows = True

    _validation: IndexedDataset | None = None
    _generator: torch.Generator | None = None
    _shard: Shard  # while there is a training

    @property
    def classes_(self) -> NDArray[Any]:
        """Class labels of shape (n_classes,), sorted: the columns of `predict_proba`."""
        spec = getattr(self, "_spec", None)
        if spec is None:
            raise AttributeError(f"{type(self).__name__} has no classes_ before fit.")
        return spec.classes

    # --- checks -----------------------------------------------------------------------------

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: data has been checked on its way into an `IndexedDataset`."""

    def _check_X(
        self,
        X: Any,
        *,
        reset: bool,
        min_samples: int = 1,
        when_read: bool = False,
        name: str = "X",
    ) -> Any:
        """Samples as an array, `SparseRows` or a Dataset.

        Rows of files are checked in a pass of its own; those of files and large arrays `when_read`.
        """
        if is_lazy(X):
            check_samples(X, name)
            return X
        if isinstance(X, SparseRows):  # a callback hands back what has been checked
            return X
        X = in_memory(X, name)
        if when_read and isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
            X = large_as_rows(X)
        with reading(X, name):
            options = {"dtype": "numeric", "allow_nd": True, "ensure_min_samples": min_samples}
            if issparse(X) or hasattr(X, "sparse"):  # the latter: a DataFrame of such columns
                X = validate_data(self, X, reset=reset, accept_sparse="csr", **options)
                X = X.astype(native_type(X.dtype), copy=False)
                as_native(X.data)
                return SparseRows(X)
            if isinstance(X, RowsOf):
                if when_read and not X.checked:
                    check = partial(self._check_X, reset=reset, min_samples=0, name=name)
                    X = RowsOf(X.array, X.rows, checked=True, check=check)
                for part in [X[:2]] if X.checked else X.chunks():
                    as_native(validate_data(self, part, reset=reset, **options))
                    reset, options["ensure_min_samples"] = False, 1
                return X
            return as_native(validate_data(self, X, reset=reset, **options))

    def _checked(
        self, X: Any, y: Any, classes: Any = None, *, suffix: str = "", **options: Any
    ) -> tuple[IndexedDataset, NDArray[Any]]:
        """Samples with their labels encoded, all checked, and the classes."""
        X = self._check_X(X, name=f"X{suffix}", **options)
        if isinstance(X, Dataset) and y is None:
            y = labels_of_dataset(X)
        labels, classes, codes = encode_labels(y, classes, name=f"y{suffix}")
        if len(X) != len(labels):
            raise ValueError(
                f"X{suffix} and y{suffix} have inconsistent lengths: {len(X)} samples, "
                f"{len(labels)} labels."
            )
        return IndexedDataset(X, labels, codes), classes

    def _training_dataset(
        self, X: Any, y: Any, *, reset: bool, classes: Any = None
    ) -> IndexedDataset:
        """Check the training data and remember, when `reset`, what the networks are built for.

        Of several annotators' labels, the consensus is learned.
        """
        warn_of_order(X, y)
        y = one_label_each(y)
        if not reset:
            return self._checked(X, y, self.classes_, reset=False, min_samples=2)[0]
        known = self.classes if self.classes is not None else classes
        if known is not None:
            known, _ = find_classes(known, name="classes")
        dataset, classes = self._checked(X, y, known, reset=True, min_samples=2)
        present = classes[np.unique(dataset.codes)]
        if len(present) < 2:
            raise ValueError(
                f"y must hold at least 2 classes, got one class only: {present.tolist()}."
            )
        sample = dataset[0][0]["X"]
        with naming("eval_transform"):
            taken = self._network_input(sample[None].clone())[0]  # it may work in place
        self._spec = DataSpec(tuple(taken.shape), classes, tuple(sample.shape))
        return dataset

    def _checked_weights(self, sample_weight: Any, dataset: IndexedDataset) -> torch.Tensor | None:
        """Weights of mean 1, so that the learning rate means the same whatever their scale."""
        if sample_weight is None:
            return None
        weights = as_numbers(sample_weight, "sample_weight", shape="(n_samples,)", n_dims=1)
        if len(weights) != len(dataset):
            raise ValueError(
                f"sample_weight.shape == {weights.shape}, expected {(len(dataset),)}: one for each "
                "sample."
            )
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(
                "sample_weight must be finite, not negative, and not zero for all samples."
            )
        return torch.as_tensor(weights / weights.mean(), dtype=torch.float32, device=self.device)

    def _validation_dataset(self, validation_data: Any) -> IndexedDataset | None:
        if validation_data is None:
            return None
        if not isinstance(validation_data, tuple) or len(validation_data) != 2:
            raise TypeError("validation_data must be a tuple (X_val, y_val).")
        return self._checked(*validation_data, self.classes_, suffix="_val", reset=False)[0]

    @contextmanager
    def _as_before_on_error(self) -> Iterator[None]:
        """Restore the fitted attributes if the data is refused."""
        names = ("_spec", "n_features_in_", "feature_names_in_")
        before = {name: vars(self)[name] for name in names if name in vars(self)}
        try:
            yield
        except BaseException:
            for name in names:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    # --- datasets and batches ---------------------------------------------------------------

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Wrap X in an `IndexedDataset`, unless it is (a subset of) one already."""
        whole = X.dataset if isinstance(X, TorchSubset) else X
        if isinstance(whole, IndexedDataset):
            return X
        if y is None:
            return IndexedDataset(self._check_X(X, reset=False, when_read=True))
        return self._checked(X, y, self.classes_, reset=False)[0]

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Training and validation data; ``validation_data`` of `fit` goes before `train_split`."""
        if self._validation is not None:
            return X, self._validation
        with naming("train_split"):
            train, valid = super().get_split_datasets(X, y, **fit_params)
        whole = valid.dataset if isinstance(valid, TorchSubset) else valid
        if valid is not None and not isinstance(whole, IndexedDataset):  # a predefined_split
            of_skorch = isinstance(valid, SkorchDataset)
            valid = self._validation_dataset((valid.X, valid.y) if of_skorch else (valid, None))
        return train, valid

    def _auto_batch_size(self, n_samples: int) -> int:
        rows = self.module is None and len(self._spec.input_shape) == 1
        return auto_batch_size(n_samples, largest=1024 if rows else 256)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batches of a dataset: shuffled for training, in order otherwise.

        Samples in memory come as whole batches. A ``DataLoader`` fetches lazy ones, and
        any where ``iterator_train__*`` or ``iterator_valid__*`` set an option that only it has.
        """
        name = "iterator_train" if training else "iterator_valid"
        iterator = getattr(self, name)
        arguments = self.get_params_for(name)
        batch_size = arguments.pop("batch_size", self.batch_size)
        if batch_size == "auto":
            batch_size = self._auto_batch_size(len(dataset)) if training else 256
        elif batch_size == -1:
            batch_size = len(dataset)
        shard = vars(self).get("_shard") if training else None
        if shard is not None and shard.processes.count == 1:
            shard = None
        if not (isinstance(iterator, type) and issubclass(iterator, DataLoader)):
            if shard is not None:
                raise ValueError(f"{name} must be a DataLoader to train on several processes.")
            with naming(name):
                batches = iterator(dataset, batch_size=batch_size, **arguments)
            if not isinstance(batches, Iterable):
                raise TypeError(f"{name} must build an iterable of batches, got {batches!r}.")
            return batches
        # A generator of its own, so that the global one is left alone.
        seed = torch.randint(2**62, (), generator=self._generator) if training else 0
        generator = torch.Generator().manual_seed(int(seed))
        plain = iterator is DataLoader and arguments.keys() <= _FOR_WHOLE_BATCHES
        if shard is not None:
            if taken := sorted(arguments.keys() & _DEALT_OUT):
                raise ValueError(
                    f"{name}__{taken[0]} cannot be set with an accelerator: its processes deal out "
                    "the samples among each other."
                )
            arguments["batch_sampler"] = shard.batches(generator)
            plain = False
        if plain and not is_lazy(whole_dataset(dataset)[0].X):
            arguments.setdefault("shuffle", training)
            return WholeBatches(
                dataset, batch_size, generator=generator, merge_last=training, **arguments
            )
        if "collate_fn" in arguments:
            dataset = _with_single_samples(dataset)
        arguments.setdefault("collate_fn", collate)
        arguments.setdefault("generator", generator)
        if training and "batch_sampler" not in arguments:
            shuffle = arguments.pop("shuffle", True)
            sampler = arguments.pop("sampler", None)
            if sampler is None:
                sampler = (
                    RandomSampler(dataset, generator=arguments["generator"])
                    if shuffle
                    else SequentialSampler(dataset)
                )
            batches = BatchSampler(sampler, batch_size, arguments.pop("drop_last", False))
            arguments["batch_sampler"] = MergeLastBatch(batches)
        elif "batch_sampler" not in arguments:
            arguments["batch_size"] = batch_size
        return iterator(dataset, **arguments)

    def _network_input(
        self, X: torch.Tensor, *, training: bool = False, trying: bool = False
    ) -> torch.Tensor:
        """A batch as networks take it: on their device, transformed, in single precision.

        What a transform counts or draws does not go on by `trying` a copy of it.
        """
        X = on_device(X, self.device)
        name = "train_transform" if training else "eval_transform"
        transform = getattr(self, name)
        if X.is_sparse and not (transform is None and self._takes_sparse):
            X = X.to_dense()
        if transform is not None:
            X = (copy.deepcopy(transform) if trying else transform)(X)
            if not isinstance(X, torch.Tensor):
                raise TypeError(f"{name} must return a tensor, got {described(X)}.")
        X = X.to(torch.float32)
        if self.channels_last and X.ndim == 4:
            X = X.contiguous(memory_format=torch.channels_last)
        return X

    @property
    def _takes_sparse(self) -> bool:
        """Whether the networks take sparse batches as they are, as the default ones do."""
        able = getattr(self.module_.networks[0], "takes_sparse", False)
        return bool(able) and not self.compile  # which traces dense tensors only

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


#: Options of a ``DataLoader`` that `WholeBatches` has too.
_FOR_WHOLE_BATCHES = {"shuffle", "drop_last"}

#: Options of a ``DataLoader`` that decide which samples come when.
_DEALT_OUT = {"batch_sampler", "drop_last", "sampler", "shuffle"}


def _with_single_samples(dataset: Any) -> Any:
    """Same data for a user's own ``collate_fn``, which expects a list of samples."""
    if isinstance(dataset, TorchSubset):
        return TorchSubset(_with_single_samples(dataset.dataset), dataset.indices)
    return IndexedDataset(dataset.X, dataset.y, dataset.codes, batched=False)
