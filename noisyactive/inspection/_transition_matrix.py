"""A transition matrix of label noise, as a figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_numbers
from ._classes import ClassNames, class_keys
from ._display import Display
from ._noise_report import noise_report
from ._style import figure_of, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

_MOST_NUMBERS = 15  # with more classes, numbers would be too small to read


class TransitionMatrixDisplay(Display):
    """A transition matrix of label noise: one row for each true class.

    Use `from_predictions` or `from_matrix`.

    Parameters
    ----------
    matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(noisy = j | true = i)``. (cleanlab uses the transpose.)
    names : sequence of length n_classes
        Labels or names of the classes.
    samples : sequence of int of length n_classes, default=None
        Samples of each true class, shown beside its name.

    Attributes
    ----------
    matrix, names, samples
        As above.
    ax_ : matplotlib Axes
        After `plot`: the axes.
    figure_ : matplotlib Figure
        Their figure.
    image_ : matplotlib AxesImage
        The matrix.
    texts_ : ndarray of matplotlib Text of shape (n_classes, n_classes), or None
        Its numbers; None with more than 15 classes, where they would be too small to read.

    Examples
    --------
    >>> from noisyactive.inspection import TransitionMatrixDisplay
    >>> matrix = [[0.8, 0.2], [0.1, 0.9]]
    >>> display = TransitionMatrixDisplay.from_matrix(matrix, class_names=["mole", "cancer"])
    >>> [text.get_text() for text in display.ax_.get_xticklabels()]
    ['mole', 'cancer']
    """

    def __init__(
        self, matrix: NDArray[np.float64], names: Iterable[Any], *, samples: ArrayLike | None = None
    ):
        self.matrix = matrix
        self.names = names
        self.samples = samples

    @classmethod
    def from_predictions(
        cls,
        y_noisy: ArrayLike,
        y_clean: ArrayLike,
        *,
        class_names: ClassNames = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the matrix of two lists of labels, the largest true class first.

        Parameters
        ----------
        y_noisy, y_clean, class_names
            As for `noise_report`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        TransitionMatrixDisplay
            The plot.
        """
        rates, matrix = noise_report(y_noisy, y_clean, class_names)
        samples = rates["samples"].to_numpy()[:-1]
        return cls(matrix.to_numpy(), matrix.index.tolist(), samples=samples).plot(ax=ax)

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayLike,
        *,
        class_names: ClassNames = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot a matrix in its own order.

        Parameters
        ----------
        matrix : array-like of shape (n_classes, n_classes)
            ``T[i, j] = P(noisy = j | true = i)``; each row sums to 1, or is NaN if it is not
            known. For example the ``transition_matrix_`` of a noise transformer.
        class_names : mapping or sequence of str, default=None
            Names of the classes: by row number, or in the order of rows. None shows row numbers.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        TransitionMatrixDisplay
            The plot.

        Raises
        ------
        ValueError
            If it is not such a matrix.
        """
        array = as_numbers(matrix, "matrix", shape="(n_classes, n_classes)", n_dims=2)
        if array.shape[0] != array.shape[1] or not array.size:
            raise ValueError(f"matrix must be of shape (n_classes, n_classes), got {array.shape}.")
        known = array[~np.isnan(array).all(axis=1)]
        if not (known >= 0).all() or not np.allclose(known.sum(axis=1), 1, atol=1e-6):
            raise ValueError(
                "matrix must hold P(noisy = j | true = i): each row not negative, with sum 1."
            )
        return cls(array, class_keys(np.arange(len(array)), class_names)).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        side = min(7.0, max(4.0, 2.4 + 0.46 * len(self.matrix)))
        return side * 0.9, side

    def _draw(self, ax: Axes) -> None:
        n = len(self.matrix)
        self.image_ = ax.imshow(self.matrix, cmap="Blues", vmin=0, vmax=1)
        self.texts_: NDArray[Any] | None = None
        if n <= _MOST_NUMBERS:
            self.texts_ = np.empty((n, n), dtype=object)
            for (i, j), value in np.ndenumerate(self.matrix):
                self.texts_[i, j] = ax.text(
                    j,
                    i,
                    _short(value),
                    ha="center",
                    va="center",
                    fontsize=9 if n <= 10 else 7.5,
                    color="white" if value > 0.55 else "black",
                )
        names = [plain(name) for name in self.names]
        long = max(map(len, names)) > 4
        ax.set_xticks(range(n), names, rotation=40 if long else 0, ha="right" if long else "center")
        if long:
            for label in ax.get_xticklabels():
                label.set_rotation_mode("anchor")
        rows = names
        if self.samples is not None:
            counts = np.asarray(self.samples).tolist()
            rows = [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)]
        ax.set_yticks(range(n), rows)
        ax.set(
            xlabel="given label",
            ylabel="true class" if self.samples is None else "true class (samples)",
        )
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        if self.texts_ is None:
            bar = figure_of(ax).colorbar(self.image_, ax=ax, shrink=0.85)
            bar.set_label("share of the true class")
            bar.outline.set_visible(False)


def _short(value: float) -> str:
    """A probability in few characters: .05, 1.00, and a point for 0."""
    if np.isnan(value):
        return "?"
    if 0 < value < 0.005:
        return "<.01"
    return "·" if value == 0 else f"{value:.2f}".removeprefix("0")
