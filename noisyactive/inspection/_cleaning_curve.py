"""Scores against the number of answers, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_array, as_list, as_numbers
from ..cleaning import ActiveLabelCleaner
from ._display import Display
from ._fitted import check_cleaner
from ._style import BLACK, LINES, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

_SCORES = {"f1_macro": "macro F1", "f1_weighted": "weighted F1", "f1_micro": "micro F1"}


class CleaningCurveDisplay(Display):
    """Scores against the number of labels bought, for one or several methods.

    Use `from_cleaners`, or pass other scores, on test data for instance.

    Parameters
    ----------
    curves : mapping of str to tuple (answers, scores)
        For each method, the numbers of answers bought, of shape (n_points,), and the scores after
        them, of shape (n_points,) or, for several seeds, (n_seeds, n_points).
    ceiling : float, default=None
        Score with all labels clean, drawn as a dashed line. None draws no line.
    score_name : str, default="score"
        Name of the scores.

    Attributes
    ----------
    curves : dict of str to tuple (answers, scores)
        As above, with scores of shape (n_seeds, n_points).
    ceiling : float or None
        As above.
    score_name : str
        As above.
    ax_ : matplotlib Axes
        After `plot`: the axes.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        The mean of each method.
    bands_ : list of matplotlib PolyCollection or None
        Mean plus and minus one standard deviation; None for a method with one seed.
    ceiling_ : matplotlib Line2D or None
        The dashed line.

    Raises
    ------
    ValueError, TypeError
        If a curve or the ceiling is not as described.

    Examples
    --------
    >>> from noisyactive.inspection import CleaningCurveDisplay
    >>> curves = {"coreset": ([0, 10, 20], [[0.6, 0.8, 0.8], [0.7, 0.8, 0.9]])}
    >>> display = CleaningCurveDisplay(curves, ceiling=0.95, score_name="macro F1").plot()
    >>> display.lines_[0].get_ydata().round(2).tolist()
    [0.65, 0.8, 0.85]
    """

    def __init__(
        self,
        curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        ceiling: float | None = None,
        score_name: str = "score",
    ):
        if not isinstance(curves, Mapping) or not curves:
            raise TypeError(f"curves must map names to (answers, scores), got {curves!r}.")
        if ceiling is not None and (isinstance(ceiling, bool) or not isinstance(ceiling, Real)):
            raise TypeError(f"ceiling must be a number or None, got {ceiling!r}.")
        self.curves = {name: _check_curve(name, curve) for name, curve in curves.items()}
        self.ceiling = ceiling
        self.score_name = score_name

    @classmethod
    def from_cleaners(
        cls,
        cleaners: Mapping[str, Any],
        *,
        ceiling: float | None = None,
        score_name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the scores on validation data in the histories of cleaners.

        Parameters
        ----------
        cleaners : mapping of str to ActiveLabelCleaner or list of them
            For each method a cleaner that was run, or one for each seed. Scores and costs of the
            seeds are averaged by round, up to the last round that all of them reached.
        ceiling : float, default=None
            Score with all labels clean, a dashed line.
        score_name : str, default=None
            Name of the scores. None takes it from the cleaners.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        CleaningCurveDisplay
            The plot.

        Raises
        ------
        ValueError, TypeError, NotFittedError
            If a value is not a started cleaner, or has no scores on validation data.
        """
        if not isinstance(cleaners, Mapping) or not cleaners:
            raise TypeError(f"cleaners must map names to cleaners, got {cleaners!r}.")
        runs = {
            name: [one]
            if isinstance(one, ActiveLabelCleaner)
            else as_list(one, f"cleaners[{name!r}]", "cleaners")
            for name, one in cleaners.items()
        }
        curves = {name: _curve_of(name, seeds) for name, seeds in runs.items()}
        if score_name is None:
            scorings = {seed.scoring for seeds in runs.values() for seed in seeds}
            score_name = score_name_of(scorings.pop()) if len(scorings) == 1 else "score"
        return cls(curves, ceiling=ceiling, score_name=score_name).plot(ax=ax)

    def _draw(self, ax: Axes) -> None:
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        n_seeds = set()
        for number, (name, (answers, scores)) in enumerate(self.curves.items()):
            color, marker, style = LINES[number % len(LINES)]
            mean, n = scores.mean(axis=0), len(scores)
            label = plain(name)
            (line,) = ax.plot(
                answers,
                mean,
                color=color,
                marker=marker,
                linestyle=style,
                markersize=5,
                label=label,
            )
            band = None
            if n > 1:
                n_seeds.add(n)
                spread = scores.std(axis=0, ddof=1)
                low, high = mean - spread, mean + spread
                band = ax.fill_between(answers, low, high, color=color, alpha=0.15, linewidth=0)
            self.lines_.append(line)
            self.bands_.append(band)
        self.ceiling_ = None
        if self.ceiling is not None:
            label = "all labels clean"
            self.ceiling_ = ax.axhline(
                self.ceiling, color=BLACK, linestyle=(0, (4, 3)), linewidth=1.2, label=label
            )
        name = plain(self.score_name)
        if n_seeds:
            seeds = " or ".join(map(str, sorted(n_seeds)))
            name += f"\n(mean ± 1 standard deviation, {seeds} seeds)"
        ax.set(xlabel="labels bought", ylabel=name)
        ax.grid(axis="y", color="#E8E8E8", linewidth=0.8)
        ax.set_axisbelow(True)
        handles = [*self.lines_, *([self.ceiling_] if self.ceiling_ else [])]
        widest = max(len(str(handle.get_label())) for handle in handles)
        n_columns = min(3, len(handles), max(1, 60 // (widest + 8)))  # as wide as the figure
        self.legend_ = legend_above(ax, handles, n_columns)


def _check_curve(name: str, curve: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not isinstance(curve, (tuple, list)) or len(curve) != 2:
        raise TypeError(f"curves[{name!r}] must be a pair (answers, scores), got {curve!r}.")
    answers = as_numbers(curve[0], f"curves[{name!r}]", shape="(n_points,)", n_dims=1)
    scores = np.atleast_2d(as_array(curve[1], f"curves[{name!r}]"))
    scores = as_numbers(scores, f"curves[{name!r}]", shape="(n_seeds, n_points)", n_dims=2)
    if scores.shape[1] != len(answers) or not len(answers):
        raise ValueError(
            f"curves[{name!r}] must hold answers of shape (n_points,) and scores of shape "
            f"(n_points,) or (n_seeds, n_points), got {answers.shape} and {np.shape(curve[1])}."
        )
    if np.isnan(scores).all():
        raise ValueError(f"curves[{name!r}] holds no scores, only NaN.")
    return answers, scores


def _curve_of(name: str, seeds: list[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if not seeds:
        raise ValueError(f"cleaners[{name!r}] has no cleaner.")
    for cleaner in seeds:
        check_cleaner(cleaner, f"cleaners[{name!r}]")
        if np.isnan(cleaner.history_["score"]).all():
            raise ValueError(
                f"cleaners[{name!r}] has no scores: pass validation_data to fit or start, or give "
                "scores of your own to CleaningCurveDisplay."
            )
    n_points = min(len(cleaner.history_["cost"]) for cleaner in seeds)
    cost = np.array([cleaner.history_["cost"][:n_points] for cleaner in seeds])
    score = np.array([cleaner.history_["score"][:n_points] for cleaner in seeds])
    return cost.mean(axis=0), score


def score_name_of(scoring: Any) -> str:
    """Name of a scorer in words."""
    if isinstance(scoring, str):
        return _SCORES.get(scoring, scoring.replace("_", " "))
    return str(getattr(scoring, "__name__", "score")).replace("_", " ")
