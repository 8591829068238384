"""Style of figures: legible at a width of 700 pixels, and never by colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._text import label_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours by Okabe and Ito that people with any colour vision can distinguish.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#F0E442",
)
BLACK, GREY, LIGHT = "#000000", "#767676", "#E3E3E3"

#: Colour, marker and line style of the first, second, ... line of a figure.
LINES = (
    (VERMILION, "o", "-"),
    (BLUE, "s", "--"),
    (GREEN, "^", "-."),
    (PURPLE, "D", (0, (5, 1, 1, 1, 1, 1))),
    (ORANGE, "v", (0, (3, 1))),
    (SKY, "P", (0, (1, 1))),
    (GREY, "X", (0, (6, 2))),
)


def require_matplotlib(caller: str) -> None:
    """Check that matplotlib is installed; the error says how to install it.

    Parameters
    ----------
    caller : str
        Name of what needs it.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{caller} needs matplotlib, which is not installed: pip install "noisyactive[plot]".'
        ) from error


def new_figure(height: float, width: float = 7.0, layout: Any = "constrained") -> Figure:
    """Make an empty figure of a size in inches; its parts do not overlap."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height), layout=layout)


def figure_of(ax: Axes) -> Any:
    """The figure that axes are in."""
    return ax.figure


def plain(key: Any) -> str:
    """Write a label, name or id for matplotlib, which takes dollars for formulas."""
    return label_text(key).replace("$", r"\$")


def legend_above(ax: Axes, handles: list[Any], n_columns: int) -> Any:
    """Draw a legend above the axes, where it hides nothing.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes.
    handles : list of Artist
        Artists with their labels.
    n_columns : int
        Entries side by side.

    Returns
    -------
    matplotlib Legend
        The legend.
    """
    return ax.legend(
        handles,
        [handle.get_label() for handle in handles],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=n_columns,
        frameon=False,
        borderaxespad=0.3,
        handlelength=2.6,
        columnspacing=1.4,
    )
