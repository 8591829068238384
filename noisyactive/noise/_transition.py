"""Label noise by a transition matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval

from .._codes import find_codes
from .._transition_matrix import check_transition_matrix
from ._base import BaseLabelNoise


class TransitionLabelNoise(BaseLabelNoise):
    """Replace labels by a transition matrix, or by candidates named for each class.

    A label of class i becomes one of class j with probability ``T[i, j]``, whatever its sample
    [1]_. All noise that depends on the class alone is of this kind.

    Parameters
    ----------
    transition_matrix : array-like of shape (n_classes, n_classes) or dict
        Either the transition matrix ``T[i, j] = P(noisy=j | true=i)``, rows and columns in the
        sorted order of the classes: no entry is negative, each row sums to 1. (Some libraries
        use the transpose.)

        Or a dict ``{true class: [wrong classes]}``: a label of a class in it becomes one of the
        wrong classes named, each equally likely, with probability `noise_rate`. Classes that are
        not in it keep their labels.
    noise_rate : float, default=None
        Probability that a label of a class in the dict is replaced, in [0, 1). Required with a
        dict, and refused with a matrix, which contains it.
    exact : bool, default=False
        Replace a fixed number of the labels of each class, ``round((1 - T[i, i]) * n_i)``, `n_i`
        being the number of its samples in the `y` transformed (halves round to even), instead of
        each label independently. The wrong class is still drawn at random.
    random_state : int, RandomState instance or None, default=None
        Determines which labels are replaced, and by what. With an int, every `transform` of the
        same labels returns the same, and the noise does not depend on what else is drawn with
        that int. None draws fresh entropy from the operating system; NumPy's global random
        state is neither read nor changed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes seen in `fit`, sorted.
    flip_mask_ : ndarray of shape (n_samples,), dtype bool
        Which labels the last `transform` replaced.
    noise_rate_ : float
        Share of all samples whose label the last `transform` replaced.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Realised transition matrix of the last `transform`: ``T[i, j] = P(noisy=j | true=i)``,
        rows and columns in the order of `classes_`, each row summing to 1. A class without
        samples in the `y` transformed has the row of the identity matrix.

    See Also
    --------
    UniformLabelNoise : All other classes are equally likely.
    PairLabelNoise : Each class becomes the next one.

    Notes
    -----
    For one int as `random_state` and one dict, the labels replaced at a lower `noise_rate` are a
    subset of those replaced at a higher one, and are replaced by the same.

    References
    ----------
    .. [1] G. Patrini, A. Rozza, A. K. Menon, R. Nock, L. Qu, "Making Deep Neural Networks Robust
           to Label Noise: a Loss Correction Approach", CVPR 2017,
           :doi:`10.1109/CVPR.2017.240`.

    Examples
    --------
    >>> from noisyactive.noise import TransitionLabelNoise
    >>> y = ["cat"] * 4 + ["dog"] * 4
    >>> noise = TransitionLabelNoise([[0.5, 0.5], [0, 1]], exact=True, random_state=0)
    >>> noise.fit_transform(y).tolist()
    ['dog', 'cat', 'dog', 'cat', 'dog', 'dog', 'dog', 'dog']
    >>> noise.transition_matrix_
    array([[0.5, 0.5],
           [0. , 1. ]])

    Only dogs are mistaken, and only for cats:

    >>> noise = TransitionLabelNoise({"dog": ["cat"]}, noise_rate=0.25, exact=True)
    >>> noise.fit(y).transform(y).tolist().count("cat")
    5
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "transition_matrix": ["array-like", dict],
        "noise_rate": [Interval(Real, 0, 1, closed="left"), None],
        "exact": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        transition_matrix: ArrayLike | Mapping[Any, Iterable[Any]],
        *,
        noise_rate: float | None = None,
        exact: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.transition_matrix = transition_matrix
        self.noise_rate = noise_rate
        self.exact = exact
        self.random_state = random_state

    def _fit_noise(self, codes: NDArray[np.intp], X: Any) -> None:
        if isinstance(self.transition_matrix, dict):
            flips = self._flips_to_candidates(self.transition_matrix)
        else:
            flips = self._checked_matrix()
            np.fill_diagonal(flips, 0)
        self._flips = flips

    def _checked_matrix(self) -> NDArray[np.float64]:
        """Check the matrix; return a copy."""
        if self.noise_rate is not None:
            raise ValueError(
                "noise_rate is for a dict of candidate classes; a transition matrix already states "
                "how often labels are replaced."
            )
        matrix = check_transition_matrix(self.transition_matrix)
        if len(matrix) != len(self.classes_):
            raise ValueError(
                f"transition_matrix must have a row and a column for each of the "
                f"{len(self.classes_)} classes {self.classes_.tolist()}; its shape is "
                f"{matrix.shape}."
            )
        return matrix

    def _flips_to_candidates(self, candidates: Mapping[Any, Iterable[Any]]) -> NDArray[np.float64]:
        """Turn candidate classes into the off-diagonal part of a transition matrix."""
        if self.noise_rate is None:
            raise ValueError(
                "transition_matrix is a dict of candidate classes, which needs a noise_rate."
            )
        flips = np.zeros((len(self.classes_), len(self.classes_)))
        sources = find_codes(candidates, self.classes_, name="transition_matrix")
        for source, label in zip(sources, candidates, strict=True):
            name = f"transition_matrix[{label!r}]"
            if isinstance(candidates[label], str) or not isinstance(candidates[label], Iterable):
                raise ValueError(f"{name} must be a list of classes; got {candidates[label]!r}.")
            targets = find_codes(candidates[label], self.classes_, name=name)
            if not len(targets) or source in targets or len(set(targets)) < len(targets):
                raise ValueError(
                    f"{name} must hold at least one class, other than its own, each once; "
                    f"got {list(candidates[label])}."
                )
            flips[source, targets] = self.noise_rate / len(targets)
        return flips

    def _propose(
        self, codes: NDArray[np.intp], X: Any, rng: np.random.RandomState
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        probabilities = self._flips.sum(axis=1)
        uniform = rng.random_sample(len(codes))
        targets = codes.copy()
        for code in np.flatnonzero(probabilities):
            members = codes == code
            cumulated = np.cumsum(self._flips[code])
            targets[members] = np.searchsorted(
                cumulated / cumulated[-1], uniform[members], side="right"
            )
        return probabilities[codes], targets
