"""Checks of the cleaner's parameters and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples
from skorch import NeuralNet
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
from .._like import LabelForm, form_of, row_index
from .._pipeline import last_step
from .._rows import as_rows
from .._samples import check_samples, checked_rows, for_estimator, labels_of_dataset
from ..coteaching import CoTeachingClassifier
from ..journal import check_ids
from ..query import get_strategy
from ._policies import policy_class

_RENAMED = {
    "trust": {"selected": "once", "reselect": "crossfit"},
    "pool": {"noisy": "untrusted"},
    "refit": {"tune": "fine_tune"},
}


def check_renamed(params: Any) -> None:
    """Refuse values from before a renaming, with their new names."""
    for name, renamed in _RENAMED.items():
        value = getattr(params, name)
        if isinstance(value, str) and value in renamed:
            raise ValueError(f'{name}="{value}" is called {name}="{renamed[value]}" now.')


def check_combinations(params: Any) -> None:
    """Raise a ValueError if parameters of the cleaner cannot be combined.

    Parameters
    ----------
    params : namespace
        The cleaner's parameters, each valid by itself.
    """
    policy = policy_class(params.trust)
    if params.initial_fit == "none" and (params.pool == "untrusted" or policy.needs_first_fit):
        raise ValueError(
            'initial_fit="none" has no first phase that could trust labels: it needs '
            f'pool="unverified" and trust="verified", got pool={params.pool!r} and '
            f"trust={params.trust!r}."
        )
    policy.check(params)
    strategy = get_strategy(params.query_strategy)
    if strategy is not None and strategy.single_network and not policy.single_model:
        raise ValueError(
            f'query_strategy="{strategy.name}" needs one network; trust={params.trust!r} has '
            'several, trust="once" one.'
        )
    last = last_step(params.estimator)
    if params.refit == "continue" and not hasattr(last, "partial_fit"):
        raise ValueError(
            f'refit="continue" needs an estimator with partial_fit; {type(last).__name__} has none.'
        )
    if params.lower_forget_rate and (
        params.refit == "fine_tune"
        or params.initial_fit == "none"
        or not hasattr(last, "forget_rate")
    ):
        raise ValueError(
            'lower_forget_rate needs refit="continue" or "scratch", initial_fit="noisy", and '
            f"an estimator with forget_rate; got {type(last).__name__}, refit={params.refit!r} "
            f"and initial_fit={params.initial_fit!r}."
        )


def count_of(round_budget: int | float, n_samples: int) -> int:
    """Answers in a round: a count, or a share of the samples."""
    return int(round_budget) if round_budget >= 1 else max(1, round(round_budget * n_samples))


def check_round_budget(params: Any, n_answers: int) -> None:
    """Raise a ValueError if the answers of a round are not enough for one row."""
    if n_answers < params.answers_per_item:
        raise ValueError(
            f"round_budget={params.round_budget!r} is {n_answers} answers a round, fewer than "
            f"answers_per_item={params.answers_per_item}."
        )


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
    check_validation_data(validation_data, classes)
    if validation_data is not None:
        validation_data = as_rows(validation_data[0], "X_val"), validation_data[1]
    ids = None if ids is None else check_ids(ids, len(codes))
    groups = check_groups(groups, len(codes))
    if isinstance(estimator, CoTeachingClassifier):
        X = checked_rows(X)  # last, since it reads all of them
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


def check_validation_data(validation_data: Any, classes: NDArray[Any]) -> None:
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
