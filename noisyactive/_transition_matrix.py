"""Checks of noise rates and transition matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import as_numbers
from ._numbers import check_share


def check_noise_rate(noise_rate: float) -> None:
    """Raise a ValueError unless it is a number in [0, 1)."""
    check_share(noise_rate, "noise_rate")


def check_transition_matrix(transition_matrix: Any) -> NDArray[np.float64]:
    """Check that ``T[i, j] = P(noisy=j | true=i)`` is row-stochastic; return a copy.

    Parameters
    ----------
    transition_matrix : array-like of shape (n_classes, n_classes)
        The matrix.

    Returns
    -------
    ndarray of float64 of shape (n_classes, n_classes)
        The same numbers, in memory of their own.

    Raises
    ------
    ValueError
        If it is not square with at least two rows, has entries that are negative or NaN, or a row
        does not sum to 1.
    """
    matrix = as_numbers(
        transition_matrix, "transition_matrix", shape="(n_classes, n_classes)", n_dims=2
    ).copy()
    if matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(
            "transition_matrix must be square, with a row and a column for each of at least two "
            f"classes; its shape is {matrix.shape}."
        )
    if not (matrix >= 0).all():
        raise ValueError(
            "transition_matrix must hold probabilities; it has entries that are negative or not "
            f"a number: {matrix.tolist()}."
        )
    sums = matrix.sum(axis=1)
    if not np.allclose(sums, 1):
        raise ValueError(
            "transition_matrix must be row-stochastic, T[i, j] = P(noisy=j | true=i): each row "
            f"must sum to 1; the sums are {sums.tolist()}."
        )
    return matrix


def check_invertible(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix, unless its noise leaves nothing to tell some classes by."""
    if np.linalg.matrix_rank(matrix) < len(matrix):
        raise ValueError(
            "transition_matrix must be invertible: under this noise some classes cannot be told "
            f"apart by their labels; got {matrix.tolist()}."
        )
    return matrix
