"""Split a data set by class and by group."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_numbers
from .._labels import find_classes
from .._random import private_random_state
from ._image_table import ImageTable


def split_images(
    table: ImageTable,
    ratios: Sequence[float] = (0.7, 0.1, 0.2),
    *,
    groups: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> list[ImageTable]:
    """Split images at random, by class and by group: for instance to train, validate and test.

    Parameters
    ----------
    table : ImageTable
        The images. Every part has about the same shares of the classes; without labels, the images
        count as one class.
    ratios : sequence of float, default=(0.7, 0.1, 0.2)
        Share of each part, which sum to 1. The default is that of the paper [1]_ for ISIC-2019;
        for NCT-CRC-HE-100K, which has a test set of its own, it is (0.8, 0.2).
    groups : array-like of shape (n_samples,), default=None
        What must not be in two parts, the images of one patient for instance. None takes the
        groups of `table`, if it has any.
    random_state : int, RandomState instance or None, default=None
        Determines the parts. None draws fresh entropy from the operating system; NumPy's global
        random state is neither read nor changed.

    Returns
    -------
    list of ImageTable of length n_parts
        The parts, each in the order of `table`.

    Raises
    ------
    ValueError
        As `split_rows`.

    Warns
    -----
    UserWarning
        If a part has no image of some class.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024, section 3.1,
       :doi:`10.1007/978-3-031-72120-5_4`.

    Examples
    --------
    >>> from noisyactive.datasets import ImageTable, split_images
    >>> names = [f"{i}.png" for i in range(100)]
    >>> table = ImageTable(names, ["nevus"] * 80 + ["melanoma"] * 20, check=False)
    >>> train, val, test = split_images(table, random_state=0)
    >>> [(len(part), int((part.targets == "melanoma").sum())) for part in (train, val, test)]
    [(70, 14), (10, 2), (20, 4)]
    """
    if not isinstance(table, ImageTable):
        raise TypeError(
            f"table must be an ImageTable, got {type(table).__name__}; for arrays, see split_rows."
        )
    labels = np.zeros(len(table), dtype=int) if table.targets is None else table.targets
    groups = table.groups if groups is None else groups
    rows = split_rows(labels, ratios, groups=groups, random_state=random_state)
    return [table[part] for part in rows]


def split_rows(
    y: ArrayLike,
    ratios: Sequence[float] = (0.7, 0.1, 0.2),
    *,
    groups: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> list[NDArray[np.intp]]:
    """Split row numbers at random, by class and by group.

    Groups are dealt out in random order, the largest first, each to the part where it brings the
    numbers of its classes closest to what they should be. Without groups, the parts have the
    shares of each class that they should have, but for rounding.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    ratios : sequence of float, default=(0.7, 0.1, 0.2)
        Share of each part, which sum to 1.
    groups : array-like of shape (n_samples,), default=None
        What must not be in two parts. None: every row is on its own.
    random_state : int, RandomState instance or None, default=None
        Determines the parts. None draws fresh entropy from the operating system; NumPy's global
        random state is neither read nor changed.

    Returns
    -------
    list of ndarray of int
        Rows of each part, ascending. Every row is in one part.

    Raises
    ------
    ValueError
        If `ratios` are not at least two positive numbers that sum to 1, if `groups` has missing
        values or another length than `y`, or if a part would be empty.

    Warns
    -----
    UserWarning
        If a part has no row of some class.

    Examples
    --------
    >>> from noisyactive.datasets import split_rows
    >>> patients = [1, 1, 1, 2, 2, 3, 4, 5, 5, 6]
    >>> train, test = split_rows([0] * 10, (0.7, 0.3), groups=patients, random_state=0)
    >>> len(train), len(test), {patients[i] for i in train} & {patients[i] for i in test}
    (7, 3, set())
    """
    shares = _checked_ratios(ratios)
    classes, codes = find_classes(y)
    members = np.arange(len(codes))
    if groups is not None:
        _, members = find_classes(groups, name="groups")
        if len(members) != len(codes):
            raise ValueError(
                f"groups must be one for each of the {len(codes)} samples, got {len(members)}."
            )
    n_groups, n_classes = members.max() + 1, len(classes)

    # In `order` the rows of a group lie side by side.
    order = np.argsort(members, kind="stable")
    sizes = np.bincount(members, minlength=n_groups)
    ends = np.cumsum(sizes)
    rng = private_random_state(random_state, "split_rows")
    shuffled = rng.permutation(n_groups)
    largest_first = shuffled[np.argsort(-sizes[shuffled], kind="stable")]

    goals = shares[:, None] * np.bincount(codes, minlength=n_classes)
    filled = np.zeros_like(goals)
    part_of_group = np.empty(n_groups, dtype=np.intp)
    for group in largest_first:
        rows = order[ends[group] - sizes[group] : ends[group]]
        present, n_rows = np.unique(codes[rows], return_counts=True)
        goal, excess = goals[:, present], filled[:, present] - goals[:, present]
        # How much the sum of (filled - goal)^2 / goal grows if the group goes to each part.
        growth = (n_rows * (2 * excess + n_rows) / goal).sum(axis=1)
        part = part_of_group[group] = growth.argmin()
        filled[part, present] += n_rows

    parts = [np.flatnonzero(part_of_group[members] == part) for part in range(len(shares))]
    if empty := [number for number, rows in enumerate(parts) if not len(rows)]:
        raise ValueError(
            f"ratios {tuple(ratios)} leave nothing for part {empty[0]}: there are {len(codes)} "
            f"samples in {n_groups} groups."
        )
    lacking = [
        f"part {number} has none of {classes[counts == 0].tolist()}"
        for number, counts in enumerate(filled)
        if not counts.all()
    ]
    if lacking:
        warnings.warn(
            f"Some classes have too few samples or groups for every part: {'; '.join(lacking)}.",
            UserWarning,
            stacklevel=2,
        )
    return parts


def _checked_ratios(ratios: Sequence[float]) -> NDArray[np.float64]:
    shares = as_numbers(ratios, "ratios", shape="(n_parts,)", n_dims=1)
    if len(shares) < 2 or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            f"ratios must be at least two positive numbers that sum to 1, got {ratios!r}."
        )
    return shares
