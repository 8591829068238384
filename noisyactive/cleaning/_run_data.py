"""What a run is given: samples, labels and what belongs to them, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples
from skorch import NeuralNet
from skorch.helper import SliceDataset
from torch.utils.data import Dataset

from .._annotations import given_annotations
from .._codes import find_codes
from .._labels import (
    check_groups,
    check_labels,
    find_classes,
    merge_classes,
    plain_numbers,
)
from .._like import LabelForm, form_of, row_index, warn_of_order
from .._pipeline import last_step
from .._rows import RowsOf, as_rows
from .._samples import as_numeric, check_samples, checked_rows, for_estimator, labels_of_dataset
from ..coteaching import CoTeachingClassifier
from ..journal import check_ids, rows_of


@dataclass(frozen=True, eq=False)
class RunData:
    """Checked data of a run.

    Parameters
    ----------
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Given labels, as indices into `classes`; of several annotators, their consensus.
    annotations : ndarray of int of shape (n_samples, n_annotators) or None
        What each of several annotators says, -1 for nothing; None if each sample has one label.
    ids : ndarray of str of shape (n_samples,) or None
        Names of the rows; None for row numbers.
    groups : ndarray of shape (n_samples,) or None
        Samples that belong together.
    validation_data : tuple (X_val, y_val) or None
        What models are scored on.
    fit_params : mapping of str to object
        Parameters of the estimator's `fit`.
    form : LabelForm
        The form in which labels were given.
    index : pandas Index of length n_samples or None
        That of the labels, or else that of the samples, if they have one.
    """

    X: Any
    classes: NDArray[Any]
    codes: NDArray[np.intp]
    annotations: NDArray[np.intp] | None
    ids: NDArray[np.str_] | None
    groups: NDArray[Any] | None
    validation_data: tuple[Any, Any] | None
    fit_params: Mapping[str, Any]
    form: LabelForm
    index: Any

    @property
    def given_X(self) -> Any:
        """The samples as they were given, but for those of a file: rows that are read."""
        X = self.X
        return X.array if isinstance(X, RowsOf) and isinstance(X.array, np.ndarray) else X

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """Names of the rows, of shape (n_samples,): ids, or row numbers as text."""
        return check_ids(None, len(self.codes)) if self.ids is None else self.ids

    @property
    def table_index(self) -> Any:
        """A pandas Index for a table of the rows: that of the data, ids, or row numbers."""
        import pandas as pd

        if self.index is not None:
            return self.index
        if self.ids is not None:
            return pd.Index(self.ids, name="id")
        return pd.RangeIndex(len(self.codes), name="row")

    def rows_of(self, rows: Any) -> Any:
        """Row numbers, where rows are given by their names."""
        return rows_of(rows, lambda names: [self._row_of.get(name) for name in names], "among ids_")

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names.tolist())}


def check_data(
    estimator: Any,
    X: Any,
    y: ArrayLike | None,
    y_clean: Any,
    *,
    ids: Any,
    groups: Any,
    validation_data: Any,
    fit_params: Mapping[str, Any],
) -> RunData:
    """Check everything that `ActiveLabelCleaner.fit` and `start` are given.

    Parameters
    ----------
    estimator : classifier
        Its parameter `classes`, or that of a pipeline's last step, names every possible label.
    X, y, y_clean, ids, groups, validation_data, fit_params
        As for `ActiveLabelCleaner.fit`.

    Returns
    -------
    RunData
        The same, checked.

    Raises
    ------
    ValueError, TypeError
        If something is not as described.
    """
    index = row_index(y, X)
    warn_of_order(X, y)
    if isinstance(last_step(estimator), NeuralNet):
        X = as_rows(X)
        check_samples(X)
    else:
        X = for_estimator(X)
    if isinstance(X, Dataset) and y is None:
        y = labels_of_dataset(X)
    X = X if isinstance(X, Dataset) else indexable(X)[0]
    known = getattr(last_step(estimator), "classes", None)
    if (several := given_annotations(y)) is not None:
        y = several.consensus()
        if known is None:  # labels that are no sample's consensus are classes, too
            clean = several.classes if y_clean is None else find_classes(y_clean, name="y_clean")[0]
            known = merge_classes(several.classes, clean, name="y and y_clean")
    classes, codes = check_labels(X, y, known, y_clean)
    if not isinstance(last_step(estimator), NeuralNet):
        classes = plain_numbers(classes)
    _check_validation_data(validation_data, classes)
    if validation_data is not None:
        validation_data = as_rows(validation_data[0], "X_val"), validation_data[1]
    ids = None if ids is None else check_ids(ids, len(codes))
    groups = check_groups(groups, len(codes))
    if isinstance(estimator, CoTeachingClassifier):
        X = checked_rows(X)  # last, since it reads all of them
        if validation_data is not None:
            _check_numbers(validation_data[0], "X_val")
            shapes = [tuple(getattr(part, "shape", ())) for part in (X, validation_data[0])]
            if min(map(len, shapes)) > 1 and shapes[0][1] != shapes[1][1]:
                raise ValueError(
                    f"X_val must have as many features as X, {shapes[0][1]}, got {shapes[1][1]}."
                )
    return RunData(
        X=X,
        classes=classes,
        codes=codes,
        annotations=None if several is None else several.among(classes),
        ids=ids,
        groups=groups,
        validation_data=validation_data,
        fit_params=fit_params,
        form=form_of(y),
        index=index,
    )


def _check_numbers(X: Any, name: str) -> None:
    """Check samples that networks get only after they have trained, unless they are lazy."""
    lazy = isinstance(X, (Dataset, SliceDataset))
    if not (lazy or isinstance(checked_rows(X, name), RowsOf)):
        as_numeric(X, name, accept_sparse="csr")


def _check_validation_data(validation_data: Any, classes: NDArray[Any]) -> None:
    """Check that it is None or a tuple (X_val, y_val) with labels that are known."""
    if validation_data is None:
        return
    if not isinstance(validation_data, tuple) or len(validation_data) != 2:
        raise TypeError("validation_data must be a tuple (X_val, y_val).")
    check_samples(validation_data[0], "X_val")
    present, codes = find_classes(validation_data[1], name="y_val")
    find_codes(present.tolist(), classes, name="y_val")
    if (n_samples := _num_samples(validation_data[0])) != len(codes):
        raise ValueError(
            f"X_val and y_val have inconsistent lengths: {n_samples} samples, {len(codes)} labels."
        )
