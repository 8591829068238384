"""What public functions take, for type checkers: wide enough for all that is read at run time.

What is returned in the form in which the user gave it (labels, rows, the fitted estimator) stays
`Any`: a union would have to be narrowed at every use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Parameters of protocols are positional: other names of them are no error.


class SupportsArray(Protocol):
    """Arrays, tensors, columns and tables: whatever NumPy reads at once."""

    def __array__(self) -> Any:
        """As an array of NumPy."""


class SupportsShape(Protocol):
    """Whatever has a shape, as sparse matrices without an index."""

    @property
    def shape(self) -> Any:
        """Lengths of the axes."""


class SupportsGetItem(Protocol):
    """Lists, Datasets, tables, files: whatever has an index."""

    def __getitem__(self, index: Any, /) -> Any:
        """One sample, or several."""


#: Samples along the first axis.
Samples: TypeAlias = SupportsGetItem | SupportsShape | SupportsArray

#: One value for each sample; labels of several annotators as columns. Wider than NumPy's
#: ``ArrayLike`` in what a list may hold (None, where an annotator said nothing), and no scalar.
Labels: TypeAlias = SupportsArray | Sequence[Any]

#: A number for each row, or None where it is not known.
Seconds: TypeAlias = SupportsArray | Sequence[float | None]

#: A remark on each row, or None.
Comments: TypeAlias = SupportsArray | Sequence[str | None]

#: ``oracle(rows, X_rows) -> answers``.
Oracle: TypeAlias = Callable[[NDArray[np.intp], Any], Labels]


class Classifier(Protocol):
    """A classifier with probabilities, fitted or not."""

    def fit(self, X: Any, y: Any, /) -> Any:
        """Learn from samples and labels."""

    def predict_proba(self, X: Any, /) -> Any:
        """Class probabilities of shape (n_samples, n_classes)."""


class Predictor(Protocol):
    """A classifier of which labels alone are needed."""

    def fit(self, X: Any, y: Any, /) -> Any:
        """Learn from samples and labels."""

    def predict(self, X: Any, /) -> Any:
        """Class labels of shape (n_samples,)."""


class Noise(Protocol):
    """A transformer of labels, as those of `noisyactive.noise`."""

    def fit(self, y: Any, X: Any, /) -> Any:
        """Learn the classes."""

    def transform(self, y: Any, X: Any, /) -> Any:
        """Labels with noise."""


class Splitter(Protocol):
    """A cross-validation generator of scikit-learn."""

    def split(self, *args: Any, **kwargs: Any) -> Iterable[Any]:
        """Rows to train on and rows to test on, for each fold."""

    def get_n_splits(self, *args: Any, **kwargs: Any) -> int:
        """Number of folds."""


#: How to cross-validate.
Folds: TypeAlias = int | Splitter | Iterable[tuple[Any, Any]]


class HasProba(Protocol):
    """What most query strategies need of a model: a learner, a committee, a classifier."""

    def predict_proba(self, X: Any, /) -> Any:
        """Class probabilities of shape (n_samples, n_classes)."""


class _Strategy(Protocol):
    def __call__(
        self, classifier: Any, X: Any, /, n_instances: int, *args: Any, **kwargs: Any
    ) -> SupportsArray | Sequence[Any]:
        """Indices into X."""


class _StrategyByKeyword(Protocol):
    def __call__(
        self, classifier: Any, X: Any, /, *, n_instances: int
    ) -> SupportsArray | Sequence[Any]:
        """Indices into X."""


#: A query strategy with modAL's signature; `n_instances` and what else it takes come by keyword.
Strategy: TypeAlias = _Strategy | _StrategyByKeyword
