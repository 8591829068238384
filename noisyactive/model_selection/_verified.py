"""Scores on the labels that are known to be right, while fitting takes the noisy ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.model_selection import PredefinedSplit
from sklearn.utils.metadata_routing import MetadataRequest

from .._arrays import as_list
from .._codes import is_missing
from .._rows import take_rows
from .._typing import Labels, Samples
from ._confusion import check_scorer


def verified_scorer(
    scoring: str | Callable[..., float] = "f1_macro", *, metadata: str = "y_clean"
) -> Callable[..., float]:
    """Make a scorer that looks at verified labels alone, while fitting takes the noisy ones.

    For ``scoring=`` of ``GridSearchCV``, ``HalvingGridSearchCV``, ``cross_validate`` and the
    like. Verified labels travel as the metadata `y_clean`, which scikit-learn slices with the
    folds; it has to be told to do so, ``enable_metadata_routing=True``. Nothing needs to be
    requested: the scorer asks for `y_clean`, and no estimator gets it unless it asks too
    (``cleaner.set_fit_request(y_clean=True)``).

    Parameters
    ----------
    scoring : str or callable, default="f1_macro"
        Name of a scikit-learn scorer of any kind, or a scorer ``(estimator, X, y) -> float``.
    metadata : str, default="y_clean"
        Name under which verified labels are passed to `fit`, where `y_clean` means something
        else there: the answers that a cleaner may buy, say.

    Returns
    -------
    scorer : callable
        To be called as ``scorer(estimator, X, y_noisy, y_clean=y_clean)``; it can be pickled.
        `y_clean`, array-like of shape (n_samples,), holds a label where it is verified, and None,
        NaN or ``pandas.NA`` elsewhere. With a label everywhere (a study), this is the score on
        clean labels of an estimator fitted to noisy ones. The noisy labels are not looked at.

    Raises
    ------
    ValueError
        If `scoring` is not a scorer. The scorer raises one if it gets no `y_clean`, or one of
        another length, or one without any verified label. A search turns errors of a scorer into
        warnings and NaN, unless it has ``error_score="raise"``: recommended.

    See Also
    --------
    hold_out_verified : Keep the verified rows together in a single test fold.
    noise_corrected_scorer : Where no label is known to be right.

    Notes
    -----
    Verified rows must have been picked at random: those that a query strategy asked about are
    harder than others. A score per fold needs some of each class in each fold; where rows are
    too few for that, take ``cv=hold_out_verified(y_clean)``. Some tens of rows tell a good model
    from a bad one, not candidates whose scores differ by a few hundredths, see
    examples/plot_choose_mix_ratio.py.

    Examples
    --------
    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from noisyactive.model_selection import verified_scorer
    >>> from noisyactive.noise import UniformLabelNoise
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    >>> y_clean = np.where(np.arange(150) % 5, np.nan, y)  # every fifth is verified
    >>> search = GridSearchCV(
    ...     KNeighborsClassifier(),
    ...     {"n_neighbors": [1, 25]},
    ...     scoring=verified_scorer("f1_macro"),
    ...     error_score="raise",
    ... )
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     search = search.fit(X, y_noisy, y_clean=y_clean)
    >>> search.best_params_
    {'n_neighbors': 25}
    """
    if not isinstance(metadata, str) or not metadata.isidentifier():
        raise ValueError(f"metadata must be the name of a parameter; got {metadata!r}.")
    return _VerifiedScorer(scoring, metadata)


class _VerifiedScorer:
    """What `verified_scorer` returns."""

    def __init__(self, scoring: str | Callable[..., float], metadata: str) -> None:
        self._scoring = scoring
        self._metadata = metadata
        self._scorer = check_scorer(scoring)

    def __repr__(self) -> str:
        named = "" if self._metadata == "y_clean" else f", metadata={self._metadata!r}"
        return f"verified_scorer({self._scoring!r}{named})"

    def get_metadata_routing(self) -> MetadataRequest:
        """Ask for `y_clean`, by the name that it travels under."""
        request = MetadataRequest(owner=self)
        request.score.add_request(
            param="y_clean", alias=True if self._metadata == "y_clean" else self._metadata
        )
        return request

    def __call__(
        self,
        estimator: Any,
        X: Samples,
        y: Labels | None = None,
        *,
        y_clean: Labels | None = None,
    ) -> float:
        """Score predictions of the rows of `X` that are verified in `y_clean`."""
        if y_clean is None:
            hint = (
                f"pass it to fit, as in search.fit(X, y_noisy, {self._metadata}=labels)"
                if get_config()["enable_metadata_routing"]
                else "fit inside sklearn.config_context(enable_metadata_routing=True)"
            )
            raise ValueError(f"{self!r} got no y_clean: {hint}.")
        labels = as_list(y_clean, "y_clean", "labels and None")
        n_samples = len(labels if y is None else y)  # type: ignore[arg-type]
        if len(labels) != n_samples:
            raise ValueError(
                f"y_clean must have one entry for each of the {n_samples} samples, None where the "
                f"label is not verified; it has {len(labels)}."
            )
        rows = find_verified(labels)
        if not len(rows):
            raise ValueError(
                f"None of the {n_samples} rows to be scored is verified in y_clean: take fewer "
                "folds, or cv=hold_out_verified(y_clean)."
            )
        # From plain objects, for [1, None] is of no kind that scores understand.
        known = np.asarray([labels[row] for row in rows])
        return self._scorer(estimator, take_rows(X, rows), known)


def hold_out_verified(y_clean: Iterable[Any]) -> PredefinedSplit:
    """Split into one test fold of all verified rows, and training on all others.

    For ``cv=`` where verified rows are too few to be spread over folds: one score of them all
    instead of a mean over folds that lack classes, at the price of one fit of each candidate
    instead of one per fold.

    Parameters
    ----------
    y_clean : array-like of shape (n_samples,)
        Labels where they are verified; None, NaN or ``pandas.NA`` elsewhere.

    Returns
    -------
    PredefinedSplit
        With a single split.

    Raises
    ------
    ValueError
        If all rows are verified, or none.

    Examples
    --------
    >>> from noisyactive.model_selection import hold_out_verified
    >>> cv = hold_out_verified(["cat", None, None, "dog"])
    >>> [(train.tolist(), test.tolist()) for train, test in cv.split()]
    [([1, 2], [0, 3])]
    """
    labels = as_list(y_clean, "y_clean", "labels and None")
    rows = find_verified(labels)
    if not 0 < len(rows) < len(labels):
        raise ValueError(
            f"y_clean must be verified in some rows and not in others; {len(rows)} of "
            f"{len(labels)} are."
        )
    test_fold = np.full(len(labels), -1)
    test_fold[rows] = 0
    return PredefinedSplit(test_fold)


def find_verified(labels: Iterable[Any]) -> NDArray[np.intp]:
    """Rows whose label is not None, NaN or ``pandas.NA``."""
    return np.flatnonzero([not is_missing(label) for label in labels])
