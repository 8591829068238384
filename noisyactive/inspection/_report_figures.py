"""The figures of the HTML report."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._images import data_url
from ._cleaning_curve import CleaningCurveDisplay, score_name_of
from ._cleaning_report import rounds_of
from ._record import RunRecord
from ._scores import Scores
from ._style import LIGHT, SKY, VERMILION, legend_above


class ReportFigure(NamedTuple):
    """A figure of the report.

    Parameters
    ----------
    url : str
        The figure, as a data URL.
    dark_url : str
        The same for a dark page.
    title : str
        Its title.
    text : str
        Its content in words, for readers who cannot see it.
    """

    url: str
    dark_url: str
    title: str
    text: str


class Theme(NamedTuple):
    """Colours of a page: of text and axes, of lines behind the data, and of the page."""

    ink: str
    line: str
    paper: str


_THEMES = (Theme("#17212b", LIGHT, "#ffffff"), Theme("#e6ebf0", "#37424e", "#1b232c"))


def figures_of(record: RunRecord, scores: Scores) -> list[ReportFigure]:
    """Draw the figures of a run: its score, and changed labels by round.

    Parameters
    ----------
    record : RunRecord
        The run.
    scores : Scores
        Scores of the rounds.

    Returns
    -------
    list of ReportFigure
        Empty before the history has two entries; without a figure of the score if it has none.
    """
    table = rounds_of(record.history, record.events)
    if len(table) < 2:
        return []
    found = []
    name = score_name_of(record.scoring)
    score = table["score"].to_numpy()
    known = np.flatnonzero(np.isfinite(score))
    if len(known) > 1:
        first, last = score[known[[0, -1]]]
        found.append(
            _figure(
                lambda ax, theme: _draw_curve(ax, theme, table, scores, name),
                f"{name[:1].upper()}{name[1:]} on validation data",
                f"Line: it goes from {first:.3f} to {last:.3f} over {table['cost'].iloc[-1]:,} "
                "answers.",
            )
        )
    changed, answered = table["changed"].sum(), table["answered"].sum()
    found.append(
        _figure(
            lambda ax, theme: _draw_answers(ax, theme, table),
            "Labels looked at and changed",
            f"Bars: of {answered:,} labels looked at, {changed:,} were changed; the table of the "
            "rounds has the numbers.",
        )
    )
    return found


def _draw_curve(ax: Any, theme: Theme, table: pd.DataFrame, scores: Scores, name: str) -> None:
    curve = CleaningCurveDisplay(
        {"": (table["cost"].to_numpy(), table["score"].to_numpy())}, score_name=name
    )
    curve.plot(ax=ax)
    curve.legend_.remove()
    ax.set_xlabel("answers")
    ax.grid(axis="y", color=theme.line)
    limits = np.array([(score.low, score.high) for score in scores.rounds])
    if np.isfinite(limits).any():
        value = table["score"].to_numpy()
        ends = np.abs(limits.T - value)
        ax.errorbar(
            table["cost"], value, yerr=ends, fmt="none", ecolor=VERMILION, elinewidth=1, capsize=3
        )


def _draw_answers(ax: Any, theme: Theme, table: pd.DataFrame) -> None:
    """Draw one bar for each round that has answers; the first phase has none."""
    part = table[table["answered"] > 0]
    places = np.arange(len(part))
    changed = part["changed"].to_numpy()
    others = np.maximum(part["answered"].to_numpy() - changed, 0)
    style: dict[str, Any] = {"width": 0.7, "edgecolor": theme.paper, "linewidth": 0.8}
    lower = ax.bar(places, changed, color=VERMILION, hatch="////", label="label changed", **style)
    upper = ax.bar(places, others, bottom=changed, color=SKY, label="label as before", **style)
    ax.set_xticks(places, part.index.astype(str))
    ax.set_ylim(0, 1.08 * max((changed + others).max(initial=1), 1))
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="round", ylabel="labels looked at", xlim=(-0.7, max(len(part), 5) - 0.3))
    ax.grid(axis="y", color=theme.line, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    legend_above(ax, [lower, upper], 2)


def _figure(
    draw: Callable[[Any, Theme], None],
    title: str,
    text: str,
) -> ReportFigure:
    """A figure in both themes, the same for the same data; no window is opened."""
    light, dark = (_as_svg(draw, theme) for theme in _THEMES)
    return ReportFigure(light, dark, title, text)


def _as_svg(draw: Callable[[Any, Theme], None], theme: Theme) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    inked: tuple[Any, ...] = (
        "text.color",
        "axes.labelcolor",
        "axes.edgecolor",
        "xtick.color",
        "ytick.color",
    )
    style: dict[Any, Any] = {"svg.hashsalt": "noisyactive", "svg.fonttype": "path", "font.size": 11}
    with rc_context({**style, **dict.fromkeys(inked, theme.ink), "axes.facecolor": "none"}):
        figure = Figure(figsize=(6, 3.7), layout="constrained", facecolor="none")
        draw(figure.add_subplot(), theme)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return data_url(file.getvalue(), "image/svg+xml")
