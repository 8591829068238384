"""Transition matrices: what is known about the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_list
from .._labels import find_classes
from .._numbers import check_int
from .._transition_matrix import check_invertible, check_noise_rate, check_transition_matrix


def uniform_transition_matrix(noise_rate: float, n_classes: int) -> NDArray[np.float64]:
    """Transition matrix of noise that replaces a label by any other class, each equally likely.

    Parameters
    ----------
    noise_rate : float
        Probability that a label is wrong, in [0, 1): ``forget_rate_`` of a fitted network, or
        ``rate`` of an audit.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(noisy=j | true=i)``: ``1 - noise_rate`` on the diagonal.

    Raises
    ------
    ValueError
        If `noise_rate` or `n_classes` is out of its range.

    See Also
    --------
    noisyactive.noise.UniformLabelNoise : Makes this noise.

    Examples
    --------
    >>> from noisyactive.model_selection import uniform_transition_matrix
    >>> uniform_transition_matrix(0.5, 3)
    array([[0.5 , 0.25, 0.25],
           [0.25, 0.5 , 0.25],
           [0.25, 0.25, 0.5 ]])
    """
    check_noise_rate(noise_rate)
    n_classes = check_int(n_classes, "n_classes", 2)
    matrix = np.full((n_classes, n_classes), noise_rate / (n_classes - 1))
    np.fill_diagonal(matrix, 1 - noise_rate)
    return matrix


@dataclass(frozen=True, eq=False)
class Noise:
    """What a scorer was told about the noise; see `noise_corrected_scorer`."""

    matrix: NDArray[np.float64] | None
    noise_rate: float | None
    classes: NDArray[Any] | None

    @classmethod
    def check(
        cls, transition_matrix: ArrayLike | None, noise_rate: float | None, classes: Any
    ) -> Noise:
        """Check what was told, by the names of the parameters."""
        if (transition_matrix is None) == (noise_rate is None):
            raise TypeError("Give either transition_matrix or noise_rate.")
        matrix = None
        if noise_rate is not None:
            check_noise_rate(noise_rate)
        else:
            matrix = check_invertible(check_transition_matrix(transition_matrix))
        if classes is None:
            return cls(matrix, noise_rate, None)
        given = as_list(classes, "classes", "labels")
        known, _ = find_classes(given, name="classes")
        if len(known) < 2 or known.tolist() != given:
            raise ValueError(
                "classes must be at least two labels, sorted, each once: rows of "
                f"transition_matrix are in this order; got {given}."
            )
        noise = cls(matrix, noise_rate, known)
        noise.matrix_of(known)  # raises if it does not fit
        return noise

    def matrix_of(self, classes: NDArray[Any]) -> NDArray[np.float64]:
        """Transition matrix of these classes, of shape (n_classes, n_classes)."""
        if self.matrix is None:
            return check_invertible(
                uniform_transition_matrix(self.noise_rate, len(classes))  # type: ignore[arg-type]
            )
        if len(self.matrix) != len(classes):
            raise ValueError(
                f"transition_matrix has {len(self.matrix)} rows, but there are {len(classes)} "
                f"classes, {classes.tolist()}. If a class is missing here, name all with "
                "classes=[...]."
            )
        return self.matrix

    def __str__(self) -> str:
        """As the arguments of a call, a matrix by its shape."""
        words = f"noise_rate={self.noise_rate}"
        if self.matrix is not None:
            words = f"transition_matrix=<{len(self.matrix)} x {len(self.matrix)}>"
        return words if self.classes is None else f"{words}, classes={self.classes.tolist()}"
