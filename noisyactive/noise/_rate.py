"""Base class of label noise of a given rate."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from .._arrays import as_list
from .._codes import find_codes
from ._base import BaseLabelNoise


class BaseRateLabelNoise(BaseLabelNoise):
    """Base class of label noise with one rate for all classes that take part."""

    _parameter_constraints: dict[str, list[Any]] = {
        "noise_rate": [Interval(Real, 0, 1, closed="left")],
        "exact": ["boolean"],
        "keep_classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        noise_rate: float,
        *,
        exact: bool = False,
        keep_classes: Iterable[Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.noise_rate = noise_rate
        self.exact = exact
        self.keep_classes = keep_classes
        self.random_state = random_state

    def _fit_noise(self, codes: NDArray[np.intp], X: Any) -> None:
        keep = () if self.keep_classes is None else self.keep_classes
        name = "keep_classes"
        kept = find_codes(as_list(keep, name, "labels", ordered=False), self.classes_, name=name)
        free = np.setdiff1d(np.arange(len(self.classes_)), kept)
        if len(free) < 2:
            if self.noise_rate > 0:
                raise ValueError(
                    "keep_classes must leave at least two classes to take part in the noise; "
                    f"it leaves {self.classes_[free].tolist()}."
                )
            free = np.arange(len(self.classes_))  # nothing is replaced anyway
        self._free_codes = free
        self._class_probabilities = np.zeros(len(self.classes_))
        self._class_probabilities[free] = self.noise_rate

    def _shifted(self, codes: NDArray[np.intp], shift: NDArray[np.intp] | int) -> NDArray[np.intp]:
        """Shift codes by `shift` places among the classes that take part, cyclically."""
        free = self._free_codes
        return free[(np.searchsorted(free, codes) + shift) % len(free)]
