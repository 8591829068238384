"""Trusted labels of each class, as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._typing import Classifier
from ..cleaning import ActiveLabelCleaner
from ._classes import ClassNames
from ._display import Display
from ._fitted import fitted_network
from ._selection_report import selection_report
from ._style import BLUE, LIGHT, SKY, VERMILION, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

# Colour and hatch: trusted labels first, errors hatched.
_FOUR_PARTS = {
    "found: right, trusted": (BLUE, ""),
    "wrongly trusted": (VERMILION, "////"),
    "missed: right, not trusted": (SKY, "...."),
    "wrong, not trusted": (LIGHT, ""),
}
_TWO_PARTS = {"trusted": (BLUE, ""), "not trusted": (LIGHT, "")}


class SelectionDisplay(Display):
    """Shares of trusted labels of each class.

    Each class, the largest on top, has one bar for all samples with this label, divided into
    trusted and not trusted ones and, if true labels are known, right and wrong labels. Use
    `from_estimator` or `from_predictions`.

    Parameters
    ----------
    report : pandas.DataFrame
        A table of `selection_report`.

    Attributes
    ----------
    report : pandas.DataFrame
        As above.
    ax_ : matplotlib Axes
        After `plot`: the axes.
    figure_ : matplotlib Figure
        Their figure.
    bars_ : dict of str to matplotlib BarContainer
        The bars of each part, one for each class.

    Raises
    ------
    TypeError
        If `report` is not such a table.

    See Also
    --------
    selection_report : The numbers.

    Examples
    --------
    >>> from noisyactive.inspection import SelectionDisplay
    >>> y_noisy, trusted = ["mole", "mole", "cancer"], [True, True, False]
    >>> display = SelectionDisplay.from_predictions(y_noisy, trusted)
    >>> list(display.bars_)
    ['trusted', 'not trusted']
    """

    def __init__(self, report: pd.DataFrame):
        needed = {"samples", "trusted"}
        if not isinstance(report, pd.DataFrame) or not needed <= set(report.columns):
            raise TypeError("report must be a table as selection_report returns it.")
        self.report = report

    @classmethod
    def from_estimator(
        cls,
        estimator: Classifier,
        y: ArrayLike,
        y_clean: ArrayLike | None = None,
        *,
        class_names: ClassNames = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the selection of a fitted classifier.

        Parameters
        ----------
        estimator : classifier or ActiveLabelCleaner
            Classifier with ``clean_mask_``, or a Pipeline with one.
        y : array-like of shape (n_samples,)
            The labels that it was fitted to; for a cleaner, its `labels_`.
        y_clean : array-like of shape (n_samples,), default=None
            True labels.
        class_names : mapping or sequence of str, default=None
            As for `selection_report`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        SelectionDisplay
            The plot.

        Raises
        ------
        NotFittedError
            If the estimator has no ``clean_mask_``.
        """
        fitted: Any = estimator
        if not (isinstance(fitted, ActiveLabelCleaner) and hasattr(fitted, "events_")):
            fitted = fitted_network(fitted, "clean_mask_")
        mask = fitted.clean_mask_
        return cls.from_predictions(y, mask, y_clean, class_names=class_names, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y: ArrayLike,
        clean_mask: ArrayLike,
        y_clean: ArrayLike | None = None,
        *,
        class_names: ClassNames = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot a selection.

        Parameters
        ----------
        y, clean_mask, y_clean, class_names
            As for `selection_report`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        SelectionDisplay
            The plot.
        """
        return cls(selection_report(y, clean_mask, y_clean, class_names)).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        return 1.7 + 0.34 * (len(self.report) - 1), 7.0

    def _draw(self, ax: Axes) -> None:
        table = self.report.iloc[:-1]  # without the total
        counts, numbers = _parts_of(table)
        samples = np.maximum(table["samples"].to_numpy(), 1)
        places = np.arange(len(table))
        left = np.zeros(len(table))
        self.bars_: dict[str, Any] = {}
        for label, part in counts.items():
            color, hatch = {**_FOUR_PARTS, **_TWO_PARTS}[label]
            share = part / samples
            self.bars_[label] = ax.barh(
                places,
                share,
                left=left,
                height=0.74,
                color=color,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.8,
                label=label,
            )
            left += share
        names = zip(table.index, table["samples"], strict=True)
        ax.set_yticks(places, [f"{plain(name)} ({n:,})" for name, n in names])
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        ax.set(xlabel="share of the samples with this label", ylabel="given label (samples)")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        right = ax.secondary_yaxis("right")
        right.set_yticks(places, numbers)
        right.set_ylabel("found of the right labels" if len(counts) == 4 else "trusted")
        right.spines["right"].set_visible(False)
        right.tick_params(axis="y", length=0)
        self.legend_ = legend_above(ax, list(self.bars_.values()), 2)


def _parts_of(table: pd.DataFrame) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Counts of each part by class, and the texts beside the bars."""
    samples, trusted = table["samples"].to_numpy(), table["trusted"].to_numpy()
    if "correct" not in table:
        texts = [f"{k:,} of {n:,}" for k, n in zip(trusted, samples, strict=True)]
        return dict(zip(_TWO_PARTS, (trusted, samples - trusted), strict=True)), texts
    correct, found = table["correct"].to_numpy(), table["found"].to_numpy()
    missed, wrongly = correct - found, trusted - found
    rest = samples - correct - wrongly
    texts = [f"{k:,} of {n:,}" for k, n in zip(found, correct, strict=True)]
    return dict(zip(_FOUR_PARTS, (found, wrongly, missed, rest), strict=True)), texts
