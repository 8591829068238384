"""The images with the most doubtful labels, as a figure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_list, as_numbers
from .._codes import find_codes
from .._images import NotShown, images_of, render
from .._labels import find_classes
from .._numbers import check_int
from .._proba import codes_of_proba
from .._text import label_text
from .._typing import Classifier, Folds, Labels, Samples
from ..audit import LabelAudit
from ..query import rank_suspects
from ._classes import ClassNames, class_keys
from ._style import BLUE, GREY, figure_of, new_figure, plain, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

_WIDTH = 7.0  # of a figure, in inches
_CAPTIONS = 0.64  # height of the lines above and below an image, in inches
_HEADER = 0.34
_EXPLANATION = "given label and its probability → class that the model predicts"
_GIVEN = "#B34A00"  # vermilion, dark enough for small letters


class SuspectsDisplay:
    """The most doubtful labels, each with its image and the class that the model predicts.

    Use `from_estimator`, or `from_predictions` for probabilities that there are.

    Parameters
    ----------
    images : list of PIL images or str
        The images, the most doubtful first; a text in place of an image that cannot be shown.
    given, suggested : list of str
        Label of each image, and the class that the model predicts.
    p_given, p_suggested : ndarray of shape (n_images,)
        Their probabilities.
    rows : ndarray of int of shape (n_images,)
        Rows of the data set.
    ids : list of str
        Texts under the images.

    Attributes
    ----------
    images, given, suggested, p_given, p_suggested, rows, ids
        As above.
    axes_ : ndarray of matplotlib Axes of shape (n_images,)
        After `plot`: those of the images.
    ax_ : matplotlib Axes
        Axes that contain them.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    noisyactive.find_label_issues : A table of all labels.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyactive.inspection import SuspectsDisplay
    >>> images = np.random.default_rng(0).random((3, 8, 8))
    >>> proba = [[0.9, 0.1], [0.5, 0.5], [0.9, 0.1]]
    >>> y = ["cat", "cat", "dog"]
    >>> display = SuspectsDisplay.from_predictions(images, y, proba, n_images=2)
    >>> display.rows.tolist(), display.given, display.suggested
    ([2, 1], ['dog', 'cat'], ['cat', 'cat'])
    """

    def __init__(
        self,
        images: list[Any],
        given: list[str],
        suggested: list[str],
        p_given: NDArray[np.float64],
        p_suggested: NDArray[np.float64],
        *,
        rows: NDArray[np.intp],
        ids: list[str],
    ):
        self.images = images
        self.given = given
        self.suggested = suggested
        self.p_given = p_given
        self.p_suggested = p_suggested
        self.rows = rows
        self.ids = ids

    @classmethod
    def from_predictions(
        cls,
        X: Samples,
        y: Labels,
        proba: ArrayLike,
        *,
        n_images: int = 12,
        classes: ArrayLike | None = None,
        class_names: ClassNames = None,
        ids: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the images whose labels a model contradicts most strongly.

        Parameters
        ----------
        X : array or tensor of shape (n_samples, channels, height, width) or (n_samples, height, \
width), or ImageTable
            The images. Only those shown are decoded. Numbers other than bytes are scaled by the
            smallest and the largest value of all samples.
        y : array-like of shape (n_samples,)
            Current labels.
        proba : array-like of shape (n_samples, n_classes)
            Class probabilities, out-of-fold or of a model that is robust to label noise.
        n_images : int, default=12
            Number of images, at most all.
        classes : array-like of shape (n_classes,), default=None
            The class of each column of `proba`. None means what a DataFrame calls them, or else the
            sorted labels of `y`.
        class_names : mapping or sequence of str, default=None
            Names of the classes: by label, or in the order of the columns of `proba`.
        ids : sequence of str of length n_samples, default=None
            Names of the samples. None takes the ids of an `ImageTable`, else row numbers.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        SuspectsDisplay
            The plot.

        Raises
        ------
        TypeError
            If X has no images.
        ValueError
            If labels, probabilities, classes, ids or `n_images` are not as described.
        """
        image_of = _images(X)
        n_images = check_int(n_images, "n_images", 1)
        known, codes = codes_of_proba(y, proba, classes)
        order = rank_suspects(y, proba, classes=known)
        numbers = as_numbers(proba, "proba", shape="(n_samples, n_classes)", n_dims=2)
        rows = order[:n_images]
        return cls._of(X, image_of, rows, codes, numbers[rows], known, class_names, ids).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Classifier | None,
        X: Samples,
        y: Labels,
        *,
        n_images: int = 12,
        cv: Folds = 5,
        groups: ArrayLike | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        class_names: ClassNames = None,
        ids: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the images whose labels are most probably wrong, by clones that did not learn them.

        Parameters
        ----------
        estimator : classifier
            Cloned and fitted for each fold, as `noisyactive.audit.LabelAudit` does it; whether it
            is fitted plays no role.
        X : array or tensor of shape (n_samples, channels, height, width) or (n_samples, height, \
width), or ImageTable
            The images, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Labels.
        n_images : int, default=12
            Number of images, at most all.
        cv, groups, n_jobs, random_state
            As for `noisyactive.find_label_issues`.
        class_names, ids, ax
            As for `from_predictions`.

        Returns
        -------
        SuspectsDisplay
            The plot; probabilities are those of being the true class.

        Raises
        ------
        TypeError, ValueError
            As `from_predictions`, and as `noisyactive.find_label_issues`.
        """
        image_of = _images(X)
        n_images = check_int(n_images, "n_images", 1)
        audit = LabelAudit(estimator, cv=cv, n_jobs=n_jobs, random_state=random_state)
        audit.fit(X, y, groups=groups)
        rows = np.argsort(audit.label_quality_, kind="stable")[:n_images]
        present, codes = find_classes(y)
        codes = find_codes(present.tolist(), audit.classes_, name="y")[codes]
        proba = audit.label_posterior_[rows]
        shown = cls._of(X, image_of, rows, codes, proba, audit.classes_, class_names, ids)
        return shown.plot(ax=ax)

    @classmethod
    def _of(
        cls,
        X: Any,
        image_of: Any,
        rows: NDArray[np.intp],
        codes: NDArray[np.intp],
        proba: NDArray[np.float64],
        known: NDArray[Any],
        class_names: ClassNames,
        ids: Sequence[str] | None,
    ) -> Self:
        """Some rows, with the encoded labels of all and their own class probabilities."""
        names = getattr(X, "ids", None) if ids is None else as_list(ids, "ids", "names")
        for name, column in (("X", X), ("ids", names)):
            if column is not None and len(column) != len(codes):
                raise ValueError(f"{name} must be as long as y, {len(codes)}, got {len(column)}.")
        texts = [label_text(key) for key in class_keys(known, class_names)]
        best, every = proba.argmax(axis=1), np.arange(len(rows))
        return cls(
            [_picture(image_of, int(row)) for row in rows],
            [texts[code] for code in codes[rows]],
            [texts[code] for code in best],
            proba[every, codes[rows]],
            proba[every, best],
            rows=rows,
            ids=[f"row {row}" if names is None else str(names[row]) for row in rows],
        )

    def plot(self, *, ax: Axes | None = None, n_columns: int | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.
        n_columns : int, default=None
            Images side by side. None takes 6, or 4 if names of labels are long.

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
        n = len(self.images)
        if n_columns is None:
            longest = max(map(len, [*self.given, *self.suggested]))
            n_columns = 6 if longest <= 8 else 4
        n_rows = -(-n // n_columns)
        if ax is None:
            side = _WIDTH / n_columns
            whole = n_rows * (side + _CAPTIONS) + _HEADER
            ax = new_figure(whole, _WIDTH, None).add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.set_axis_off()
        figure = figure_of(ax)
        box = ax.get_window_extent()
        width, height = box.width / figure.dpi, box.height / figure.dpi  # inches
        header, below, gap = _HEADER / height, 0.22 / height, 0.06 / width
        step = (1 - header) / n_rows
        ax.text(gap, 1 - header / 2, _EXPLANATION, fontsize=8.5, va="center", color="#333333")
        self.axes_ = np.empty(n, dtype=object)
        for number, image in enumerate(self.images):
            row, column = divmod(number, n_columns)
            left, bottom = column / n_columns + gap, 1 - header - (row + 1) * step + below
            size = (1 / n_columns - 2 * gap, step - _CAPTIONS / height)
            cell = ax.inset_axes((left, bottom, *size))
            cell.set(xticks=[], yticks=[])
            if isinstance(image, str):
                cell.text(0.5, 0.5, fill(image, 16), ha="center", va="center", fontsize=7)
                cell.set_box_aspect(1)
            else:
                cell.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            cell.spines[:].set_color("#999999")
            self._caption(cell, number, int(width / n_columns * 72 / 4.6))
            self.axes_[number] = cell
        self.ax_, self.figure_ = ax, figure
        return self

    def _caption(self, cell: Axes, number: int, most: int) -> None:
        """Write labels above an image and its id below, each with at most so many characters."""
        given = _line(self.given[number], self.p_given[number], most)
        other = _line(f"→ {self.suggested[number]}", self.p_suggested[number], most)
        for line, color, height in ((given, _GIVEN, 14), (other, BLUE, 3)):
            cell.annotate(
                line,
                (0.5, 1),
                (0, height),
                "axes fraction",
                "offset points",
                fontsize=8,
                color=color,
                ha="center",
                va="bottom",
            )
        cell.set_xlabel(plain(_cut(self.ids[number], most)), fontsize=7.5, color=GREY, labelpad=3)


def _line(name: str, probability: float, most: int) -> str:
    percent = f"{probability:.0%}"
    if 0 < probability < 0.005:
        percent = "<1%"
    elif 0.995 <= probability < 1:
        percent = ">99%"
    if len(name) + len(percent) + 3 > most:
        name = f"{name[: most - len(percent) - 4]}…"
    return f"{plain(name)} ({percent})"


def _cut(name: str, most: int) -> str:
    """The end of a long id: file names mostly differ there."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _picture(image_of: Any, row: int) -> Any:
    """A PIL image, or the reason why it cannot be shown."""
    from PIL import Image

    try:
        picture = render(image_of(row))
    except NotShown as error:
        return str(error)
    with Image.open(io.BytesIO(picture.data)) as image:
        image.load()
        return image


def _images(X: Samples) -> Any:
    """What gives the image of each row."""
    image_of = images_of(X)
    if image_of is None:
        shape = getattr(X, "shape", None)
        raise TypeError(
            "X must hold images: an array of shape (n_samples, channels, height, width) or "
            "(n_samples, height, width), or an ImageTable; got "
            f"{type(X).__name__}{'' if shape is None else f' of shape {tuple(shape)}'}."
        )
    return image_of
