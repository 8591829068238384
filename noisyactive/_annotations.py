"""Labels of several annotators: read, checked, encoded, and made one label for each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import as_array
from ._codes import find_codes
from ._crowd_model import fit_crowd
from ._labels import find_classes, plain_numbers


@dataclass(frozen=True, eq=False)
class Annotations:
    """Labels of several annotators, encoded.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The sorted distinct labels.
    codes : ndarray of int of shape (n_samples, n_annotators)
        Index of each label in `classes`; -1 where there is none.
    names : ndarray of shape (n_annotators,)
        Names of the annotators.
    index : pandas Index of length n_samples or None
        Names of the samples, if they have some.
    """

    classes: NDArray[Any]
    codes: NDArray[np.intp]
    names: NDArray[Any]
    index: Any

    def among(self, classes: NDArray[Any], *, name: str = "y") -> NDArray[np.intp]:
        """The codes as indices into other classes, which have to hold these."""
        places = find_codes(self.classes.tolist(), classes, name=name)
        return np.where(self.codes >= 0, places[self.codes], -1)

    def consensus(self) -> Any:
        """The most probable label of each sample, by a model of the annotators.

        Returns
        -------
        ndarray or Series of shape (n_samples,)
            Labels; a Series if the samples have names.
        """
        best = np.zeros(len(self.codes), dtype=np.intp)
        if len(self.classes) > 1:
            best = fit_crowd(self.codes, len(self.classes)).posterior.argmax(axis=1)
        labels = self.classes[best]
        if self.index is None:
            return labels
        import pandas as pd

        return pd.Series(labels, index=self.index)


def given_annotations(y: Any) -> Annotations | None:
    """Labels `y` of several annotators for training; None if there is one label for each sample.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_annotators)
        Labels; with at least two columns, those of several annotators, missing where nothing.

    Returns
    -------
    Annotations or None
        Those of several annotators.

    Raises
    ------
    ValueError, TypeError
        If they are no such labels, look like one-hot ones, or a sample has none.
    """
    if not _has_annotators(y):
        return None
    given = encode_annotations(y, name="y")
    if given.classes.tolist() == [0, 1] and (given.codes >= 0).all():
        if (given.codes.sum(axis=1) == 1).all():
            raise ValueError(
                "y has a single 1 in every row: one-hot labels are not supported, pass "
                "y.argmax(axis=1). Two columns and more are labels of several annotators."
            )
    if (silent := (given.codes < 0).all(axis=1)).any():
        raise ValueError(
            f"y must hold a label of each sample; of row {int(silent.argmax())} no annotator "
            f"gave one (such rows: {int(silent.sum())}). Leave these samples out: with pandas, "
            "keep y.notna().any(axis=1)."
        )
    return given


def one_label_each(y: Any) -> Any:
    """Labels as they are, or the consensus of several annotators.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_annotators)
        As for `given_annotations`, which raises the same errors.

    Returns
    -------
    array-like of shape (n_samples,)
        One label for each sample.
    """
    given = given_annotations(y)
    return y if given is None else given.consensus()


def _has_annotators(y: Any) -> bool:
    """Whether labels are those of several annotators: of shape (n_samples, at least 2)."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, (list, tuple)) and y:
        first = y[0]
        several = isinstance(first, (list, tuple)) or getattr(first, "shape", ()) != ()
        shape = (len(y), len(first)) if several else None
    return shape is not None and len(shape) == 2 and shape[1] >= 2


def encode_annotations(labels: Any, *, name: str = "labels") -> Annotations:
    """Check the labels of several annotators, and encode them.

    Parameters
    ----------
    labels : array-like or DataFrame of shape (n_samples, n_annotators)
        Labels, some of which are missing.
    name : str, default="labels"
        What errors call them.

    Returns
    -------
    Annotations
        The same, encoded.

    Raises
    ------
    ValueError, TypeError
        If they are not such labels.
    """
    import pandas as pd

    names, index = None, None
    if isinstance(labels, pd.DataFrame):
        index, names = labels.index, labels.columns
        if not names.is_unique:
            twice = names[names.duplicated()][0]
            raise ValueError(f"{name} must have a column for each annotator; {twice!r} has two.")
        values = labels.to_numpy()
    elif isinstance(labels, (list, tuple)):
        # Of objects: NumPy would make the text "nan" of a NaN among texts.
        values = as_array(labels, name) if not labels else _of_objects(labels, name)
    else:
        values = as_array(labels, name)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(
            f"{name} must be of shape (n_samples, n_annotators), got an array of shape "
            f"{values.shape}. pivot_annotations makes such a table from one row for each label."
        )
    given = ~pd.isna(values)
    if not given.any():
        raise ValueError(f"{name} holds no labels.")
    classes, present = find_classes(plain_numbers(values[given], name=name), name=name)
    codes = np.full(values.shape, -1, dtype=np.intp)
    codes[given] = present
    annotators = np.arange(values.shape[1]) if names is None else names.to_numpy()
    return Annotations(classes, codes, annotators, index)


def _of_objects(labels: Any, name: str) -> NDArray[Any]:
    """Rows of a sequence as an array of objects."""
    rows = [np.asarray(row, dtype=object) for row in labels]
    if len({row.shape for row in rows}) > 1:
        raise ValueError(f"{name} must have rows of the same length, one label per annotator.")
    return np.array(rows, dtype=object)
