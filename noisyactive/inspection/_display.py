"""What all displays with one Axes have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ._style import figure_of, new_figure, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self


class Display(ABC):
    """A figure that can be drawn on given Axes, as scikit-learn's displays.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After `plot`: the axes.
    figure_ : matplotlib Figure
        Their figure.
    """

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        self
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        require_matplotlib(type(self).__name__)
        if ax is None:
            ax = new_figure(*self._size()).add_subplot()
        ax.spines[["top", "right"]].set_visible(False)
        self._draw(ax)
        self.ax_, self.figure_ = ax, figure_of(ax)
        return self

    def _size(self) -> tuple[float, float]:
        """Height and width of a new figure, in inches."""
        return 4.2, 7.0

    @abstractmethod
    def _draw(self, ax: Axes) -> None:
        """Draw on the axes."""
