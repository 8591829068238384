"""Loss and Variance of Gradients of every sample, as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_array, as_list, as_numbers, described
from .._codes import find_codes
from .._labels import find_classes
from .._typing import Classifier
from ._classes import by_size, check_mask, common_codes
from ._display import Display
from ._fitted import fitted_network
from ._style import BLUE, SKY, VERMILION, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

#: Kinds of samples in drawing order, with colour, marker and size.
KINDS = {
    "right label": (SKY, "o", 12),
    "wrong label": (VERMILION, "^", 18),
    "right label, rare class": (BLUE, "s", 22),
    "frequent class": (SKY, "o", 12),
    "rare class": (BLUE, "s", 22),
}


class LossVOGDisplay(Display):
    """Loss of every sample against its Variance of Gradients (VOG), and whether it is trusted.

    Filled marks are trusted, hollow ones are not. Right labels of rare classes that a selection by
    loss alone would reject have a large loss and a small VOG. Use `from_estimator`.

    Parameters
    ----------
    loss, vog : ndarray of shape (n_samples,)
        Loss and VOG of each sample.
    trusted : ndarray of bool of shape (n_samples,)
        Whether its label is trusted.
    kind : ndarray of str of shape (n_samples,)
        "right label", "wrong label" and "right label, rare class"; or "frequent class" and "rare
        class".

    Attributes
    ----------
    loss, vog, trusted, kind
        As above.
    ax_ : matplotlib Axes
        After `plot`: the axes.
    figure_ : matplotlib Figure
        Their figure.
    points_ : dict of (str, bool) to matplotlib PathCollection
        The marks of each kind, trusted or not.

    Raises
    ------
    ValueError
        If lengths differ, or a kind is not one of these.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise
    >>> from noisyactive.inspection import LossVOGDisplay
    >>> X, y = make_blobs([300, 100, 30], cluster_std=0.5, random_state=0)
    >>> y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    >>> net = CoTeachingVOGClassifier(max_epochs=20, random_state=0).fit(X, y_noisy)
    >>> display = LossVOGDisplay.from_estimator(net, y_noisy, y)
    >>> display.loss.shape
    (430,)
    """

    def __init__(
        self,
        loss: NDArray[Any],
        vog: NDArray[Any],
        trusted: NDArray[np.bool_],
        kind: NDArray[np.str_],
    ):
        loss = as_numbers(loss, "loss", shape="(n_samples,)", n_dims=1)
        vog = as_numbers(vog, "vog", shape="(n_samples,)", n_dims=1)
        trusted, kind = check_mask(trusted, len(loss), "trusted"), as_array(kind, "kind")
        shapes = {column.shape for column in (loss, vog, trusted, kind)}
        if len(shapes) > 1:
            raise ValueError(
                f"loss, vog, trusted and kind must be of the same shape, got {shapes}."
            )
        if unknown := [one for one in kind.tolist() if not (isinstance(one, str) and one in KINDS)]:
            raise ValueError(f"kind must be among {list(KINDS)}, got {described(unknown[0])}.")
        self.loss = loss
        self.vog = vog
        self.trusted = trusted
        self.kind = kind

    @classmethod
    def from_estimator(
        cls,
        estimator: Classifier,
        y: ArrayLike,
        y_clean: ArrayLike | None = None,
        *,
        rare_classes: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the losses and VOG of a fitted network.

        Parameters
        ----------
        estimator : CoTeachingVOGClassifier
            Network that was fitted with a `mix_ratio` above 0, or a Pipeline or cleaner with one.
        y : array-like of shape (n_samples,)
            The labels that it was fitted to.
        y_clean : array-like of shape (n_samples,), default=None
            True labels.
        rare_classes : array-like of labels, default=None
            Rare classes. None takes the third of the classes with the fewest samples, counted in
            `y_clean` if it is given.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        LossVOGDisplay
            The plot.

        Raises
        ------
        NotFittedError, ValueError
            If the network has no losses or no VOG, or labels are not as described.
        """
        net = fitted_network(estimator, "vog_")
        if np.isnan(net.vog_).all():
            raise ValueError(
                "estimator has no VOG of any sample: fit it with mix_ratio above 0 and at least "
                "vog_window epochs."
            )
        if y_clean is None:
            classes, codes = find_classes(y)
            right = None
        else:
            classes, given, codes = common_codes(y, y_clean, ("y", "y_clean"))
            right = given == codes
        trusted = check_mask(net.clean_mask_, len(codes), "clean_mask_ of the estimator")
        if rare_classes is None:
            smallest_first = by_size(np.bincount(codes, minlength=len(classes)))[::-1]
            rare = smallest_first[: max(1, len(classes) // 3)]
        else:
            named = as_list(rare_classes, "rare_classes", "labels", ordered=False)
            rare = find_codes(named, classes, name="rare_classes")
        is_rare = np.isin(codes, rare)
        if right is None:
            kind = np.where(is_rare, "rare class", "frequent class")
        else:
            of_right = np.where(is_rare, "right label, rare class", "right label")
            kind = np.where(right, of_right, "wrong label")
        return cls(net.sample_loss_, net.vog_, trusted, kind).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        return 4.8, 7.0

    def _draw(self, ax: Axes) -> None:
        self.points_: dict[tuple[str, bool], Any] = {}
        present = [kind for kind in KINDS if (self.kind == kind).any()]
        crowded = min(1.0, (800 / len(self.loss)) ** 0.5)
        for kind in present:
            color, marker, size = KINDS[kind]
            for trusted in (False, True):
                members = (self.kind == kind) & (self.trusted == trusted)
                self.points_[kind, trusted] = ax.scatter(
                    self.loss[members],
                    self.vog[members],
                    s=size * max(0.6, crowded),
                    marker=marker,
                    facecolor=color if trusted else "none",
                    edgecolor=color,
                    linewidth=0.8,
                    alpha=0.8,
                    rasterized=True,
                )
        ax.set_xscale("symlog", linthresh=0.01, linscale=0.4)
        ax.set_xlim(left=0)
        ax.set_yscale("log")
        ax.set(xlabel="loss", ylabel="variance of gradients (VOG)")
        self.legend_ = legend_above(ax, self._legend(present), 3)

    def _legend(self, present: list[str]) -> list[Any]:
        from matplotlib.lines import Line2D

        def mark(label: str, color: str, marker: str, filled: bool) -> Line2D:
            face = color if filled else "none"
            return Line2D(
                [], [], linestyle="", marker=marker, color=color, markerfacecolor=face, label=label
            )

        kinds = [mark(kind, *KINDS[kind][:2], True) for kind in present]
        return [
            *kinds,
            mark("filled: trusted", "#555555", "o", True),
            mark("hollow: not trusted", "#555555", "o", False),
        ]
