"""The training of a network by epoch, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._arrays import as_list
from .._typing import Classifier
from ._fitted import fitted_network
from ._style import (
    BLUE,
    GREEN,
    LINES,
    ORANGE,
    VERMILION,
    figure_of,
    new_figure,
    plain,
    require_matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

_SHARES = {
    "selected_share": ("share selected", VERMILION, "-"),
    "forget_rate": ("forget rate", BLUE, "--"),
}
_LOSSES = {
    "train_loss": ("training loss", ORANGE, "-"),
    "valid_loss": ("validation loss", GREEN, "--"),
}
_OTHERS = ("vog_used", "round")
_NO_SCORES = ("valid_loss", "valid_batch_count")
_BESIDE: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}


class TrainingDynamicsDisplay:
    """Selection, validation scores and losses by epoch.

    Use `from_estimator`. A dotted line marks the first epoch that used VOG; a grey background marks
    fine-tuning after the first phase, round by round.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each epoch, by its number from 1. The columns ``selected_share``,
        ``forget_rate``, ``train_loss``, ``valid_loss``, ``vog_used`` and ``round`` are optional;
        any other column is a score from 0 to 1.

    Attributes
    ----------
    table : pandas.DataFrame
        As above.
    axes_ : ndarray of matplotlib Axes of shape (2,)
        After `plot`: shares and scores, and below them losses.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : dict of str to matplotlib Line2D
        The line of each column.

    Raises
    ------
    TypeError
        If `table` is not a table with at least one row.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from noisyactive import CoTeachingClassifier
    >>> from noisyactive.inspection import TrainingDynamicsDisplay
    >>> X, y = make_blobs(200, random_state=0)
    >>> net = CoTeachingClassifier(forget_rate=0.2, max_epochs=12, random_state=0).fit(X, y)
    >>> sorted(TrainingDynamicsDisplay.from_estimator(net).lines_)
    ['forget_rate', 'selected_share', 'train_loss']
    """

    def __init__(self, table: pd.DataFrame):
        if not isinstance(table, pd.DataFrame) or not len(table):
            raise TypeError("table must be a DataFrame with a row for each epoch.")
        self.table = table

    @classmethod
    def from_estimator(
        cls,
        estimator: Classifier,
        *,
        scores: Sequence[str] | None = None,
        ax: Sequence[Axes] | None = None,
    ) -> Self:
        """Plot the history of a fitted network.

        Parameters
        ----------
        estimator : CoTeachingClassifier or CoTeachingVOGClassifier
            Fitted network, or a Pipeline or cleaner with one.
        scores : sequence of str, default=None
            Keys of its `history` that are scores from 0 to 1. None takes all numbers whose names
            begin with ``"valid_"``, except the loss.
        ax : pair of matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        TrainingDynamicsDisplay
            The plot.

        Raises
        ------
        NotFittedError
            If the network has no history.
        ValueError
            If the history is empty or does not have a score.
        """
        history = list(fitted_network(estimator, "history").history)
        if not history:
            raise ValueError("estimator has no epoch in its history: fit it first.")
        keys = list(dict.fromkeys(key for epoch in history for key in epoch))
        if scores is None:
            scores = [
                key
                for key in keys
                if key.startswith("valid_") and key not in _NO_SCORES and _is_number(key, history)
            ]
        else:
            scores = as_list(scores, "scores", "names")
        if missing := [key for key in scores if not isinstance(key, str) or key not in keys]:
            raise ValueError(f"scores must be keys of the history, {missing} are not among {keys}.")
        wanted = [*_SHARES, *scores, *_LOSSES, *_OTHERS]
        columns = {
            key: [epoch.get(key, np.nan) for epoch in history] for key in wanted if key in keys
        }
        index = pd.RangeIndex(1, len(history) + 1, name="epoch")
        return cls(pd.DataFrame(columns, index=index)).plot(ax=ax)

    def plot(self, *, ax: Sequence[Axes] | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : pair of matplotlib Axes, default=None
            Axes for shares and scores, and for losses. None makes a figure.

        Returns
        -------
        self
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` is not a pair.
        """
        require_matplotlib(type(self).__name__)
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

        if ax is None:
            ax = new_figure(5.0).subplots(2, 1, sharex=True, height_ratios=[3, 2])
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != 2:
            raise ValueError(f"ax must be two Axes, for shares and for losses, got {len(axes)}.")
        upper, lower = axes
        shares: dict[str, Any] = {k: style for k, style in _SHARES.items() if k in self.table}
        scores = [c for c in self.table if c not in (*_SHARES, *_LOSSES, *_OTHERS)]
        for number, key in enumerate(scores):
            color, _, style = LINES[(number + 2) % len(LINES)]
            shares[key] = (_readable(key), color, style)
        losses = {key: style for key, style in _LOSSES.items() if key in self.table}
        self.lines_: dict[str, Any] = {}
        for axis, group in ((upper, shares), (lower, losses)):
            for key, (label, color, style) in group.items():
                (self.lines_[key],) = axis.plot(
                    self.table.index,
                    self.table[key].to_numpy(dtype=float),
                    color=color,
                    linestyle=style,
                    linewidth=1.8,
                    label=plain(label),
                )
        self._mark(upper, lower)
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#E8E8E8", linewidth=0.8)
            axis.set_axisbelow(True)
        self.legend_ = upper.legend(**_BESIDE)
        lower.legend(handles=[self.lines_[key] for key in losses], **_BESIDE)
        upper.set(ylim=(0, 1.03), ylabel="share or score")
        lower.set(ylabel="loss (log scale)", xlabel="epoch", yscale="log")
        lower.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        lower.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        lower.yaxis.set_minor_formatter(NullFormatter())
        lower.set_xlim(self.table.index[0] - 0.5, self.table.index[-1] + 0.5)
        self.axes_, self.ax_, self.figure_ = axes, upper, figure_of(upper)
        return self

    def _mark(self, upper: Axes, lower: Axes) -> None:
        """Mark the first epoch with VOG, and the epochs of fine-tuning."""
        epochs = self.table.index.to_numpy()
        if "vog_used" in self.table:
            used = self.table["vog_used"].eq(True).to_numpy()  # NaN in rounds of tuning
            if used.any():
                for axis in (upper, lower):
                    axis.axvline(
                        epochs[used.argmax()] - 0.5,
                        color="#555555",
                        linestyle=(0, (1, 2)),
                        linewidth=1.4,
                        label="VOG from here",
                    )
        if "round" in self.table:
            rounds = self.table["round"].to_numpy(dtype=float)
            for place, number in enumerate(np.unique(rounds[rounds > 0])):
                span = epochs[rounds == number]
                for axis in (upper, lower):
                    axis.axvspan(
                        span[0] - 0.5,
                        span[-1] + 0.5,
                        color="#EFEFEF" if place % 2 else "#DDDDDD",
                        linewidth=0,
                        label=None if place else "fine-tuning, by round",
                        zorder=0,
                    )


def _is_number(key: str, history: list[Any]) -> bool:
    values = [epoch[key] for epoch in history if key in epoch]
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values)


def _readable(key: str) -> str:
    text = key.replace("valid_acc", "validation accuracy").replace("valid_", "validation ")
    return text.replace("_", " ")
