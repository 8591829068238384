"""The figures of the HTML report."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._images import data_url
from ..cleaning import ActiveLabelCleaner
from ._cleaning_curve import CleaningCurveDisplay, score_name_of
from ._cleaning_report import cleaning_report
from ._style import LIGHT, SKY, VERMILION, legend_above


class ReportFigure(NamedTuple):
    """A figure of the report.

    Parameters
    ----------
    url : str
        The figure, as a data URL.
    title : str
        Its title.
    text : str
        Its content in words, for readers who cannot see it.
    """

    url: str
    title: str
    text: str


def figures_of(cleaner: ActiveLabelCleaner) -> list[ReportFigure]:
    """Draw the figures of a run: its score, and changed labels by round.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        After `start` or `fit`.

    Returns
    -------
    list of Picture
        Empty before the history has two entries; without a figure of the score if it has none.
    """
    table = cleaning_report(cleaner)
    if len(table) < 2:
        return []
    found = []
    name = score_name_of(cleaner.scoring)
    score = table["score"].to_numpy()
    known = np.flatnonzero(np.isfinite(score))
    if len(known) > 1:
        first, last = score[known[[0, -1]]]
        curve = CleaningCurveDisplay({"": (table["cost"], score)}, score_name=name)
        found.append(
            ReportFigure(
                _as_svg(lambda ax: _draw_curve(curve, ax)),
                f"{name[:1].upper()}{name[1:]} on validation data",
                f"Line: it goes from {first:.3f} to {last:.3f} over {table['cost'].iloc[-1]:,} "
                "labels bought.",
            )
        )
    changed, answered = table["changed"].sum(), table["answered"].sum()
    found.append(
        ReportFigure(
            _as_svg(lambda ax: _draw_answers(table, ax)),
            "Labels looked at and changed",
            f"Bars: of {answered:,} labels looked at, {changed:,} were changed; the table of the "
            "rounds has the numbers.",
        )
    )
    return found


def _draw_curve(curve: CleaningCurveDisplay, ax: Any) -> None:
    curve.plot(ax=ax)
    curve.legend_.remove()


def _draw_answers(table: Any, ax: Any) -> None:
    """Draw one bar for each round that has answers; the first phase has none."""
    part = table[table["answered"] > 0]
    places = np.arange(len(part))
    changed = part["changed"].to_numpy()
    others = np.maximum(part["answered"].to_numpy() - changed, 0)
    style: dict[str, Any] = {"width": 0.7, "edgecolor": "white", "linewidth": 0.8}
    lower = ax.bar(places, changed, color=VERMILION, hatch="////", label="label changed", **style)
    upper = ax.bar(places, others, bottom=changed, color=SKY, label="label as before", **style)
    ax.set_xticks(places, part.index.astype(str))
    ax.set_ylim(0, 1.08 * max((changed + others).max(initial=1), 1))
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="round", ylabel="labels looked at", xlim=(-0.7, max(len(part), 5) - 0.3))
    ax.grid(axis="y", color=LIGHT, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    legend_above(ax, [lower, upper], 2)


def _as_svg(draw: Callable[[Any], None]) -> str:
    """A figure as a data URL, the same for the same data; no window is opened."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "noisyactive", "svg.fonttype": "path", "font.size": 11}):
        figure = Figure(figsize=(6, 3.7), layout="constrained")
        draw(figure.add_subplot())
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return data_url(file.getvalue(), "image/svg+xml")
