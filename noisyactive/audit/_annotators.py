"""What is true, by labels of several annotators who err, each in their own way."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._annotations import encode_annotations
from .._arrays import as_list
from .._codes import find_codes
from .._crowd_model import MAX_ITER, SHRINKAGE, TOL, entropy, fit_crowd, information
from .._labels import find_classes
from .._numbers import check_int
from .._params import CheckedParams
from .._proba import check_proba, classes_of_columns
from .._typing import Labels

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

# Numbers that `ask_again` has in memory at a time.
_MAX_NUMBERS = 10_000_000


class AnnotatorConsensus(CheckedParams, BaseEstimator):
    """Find the true labels, and how good each annotator is, where several annotators label.

    Each annotator has a confusion matrix, and each sample a true class; the EM algorithm finds both
    from labels alone [1]_. Where most annotators gave few labels, matrices of their own would fit
    chance: each is shrunk towards what is expected by the annotator's ability and by what all
    annotators confuse. With `proba`, a classifier is one more annotator [2]_; how far it is to be
    believed is fitted as well.

    Parameters
    ----------
    classes : array-like of shape (n_classes,), default=None
        Every possible label, and the class of each column of `proba`. None means those that were
        given, or what a DataFrame `proba` calls its columns.
    shrinkage : float, default=16.0
        How many labels of an annotator for a class weigh as much as what is expected of the
        annotator, more than 0. Hardly critical from 8 to 32.
    max_iter : int, default=1000
        Largest number of iterations of EM.
    tol : float, default=1e-4
        Change of a probability below which they end.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted; with `proba`, in the order of its columns.
    annotators_ : ndarray of shape (n_annotators,)
        Names of the annotators: those of columns, or numbers.
    consensus_ : ndarray of shape (n_samples,)
        The most probable label of each sample.
    probability_ : ndarray of shape (n_samples,)
        Probability that it is right.
    posterior_ : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one.
    confusion_ : ndarray of shape (n_annotators, n_classes, n_classes)
        ``confusion_[a, j, k] = P(annotator a says k | true=j)``.
    annotators_quality_ : DataFrame of n_annotators rows
        ``annotator``: name; ``n_labels``: how many labels they gave; ``accuracy``: expected share
        of these that are right; ``agreement``: share of them that are the consensus, of samples
        with other labels, too. NaN where there are no such labels.
    n_iter_ : int
        Iterations of EM.

    See Also
    --------
    pivot_annotations : Makes the table of labels from one row per label.
    LabelAudit : Takes such a table as `y`, and trains the classifier as well.
    noisyactive.ActiveLabelCleaner : Takes it, too, and asks experts about the doubtful labels.
    noisyactive.CoTeachingVOGClassifier : Takes it, too, and learns the consensus.

    Notes
    -----
    Annotators are taken to err independently, given the true class. Where all are misled by the
    same difficult samples, probabilities are too sure. Two labels of each sample hardly tell what
    annotators confuse from how frequent classes are, and one label tells nothing about it: add a
    classifier, or labels. Memory grows as n_annotators * n_classes².

    References
    ----------
    .. [1] A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
       the EM Algorithm", Applied Statistics, 1979, https://doi.org/10.2307/2346806
    .. [2] V. C. Raykar et al., "Learning From Crowds", Journal of Machine Learning Research, 2010,
       https://doi.org/10.5555/1756006.1859894

    Examples
    --------
    Two annotators who are mostly right, and one who says "cat" of anything:

    >>> import pandas as pd
    >>> from noisyactive.audit import AnnotatorConsensus
    >>> labels = pd.DataFrame(
    ...     {
    ...         "Ann": ["cat", "dog", "dog", "cat", "dog", "dog"] * 5,
    ...         "Bob": ["cat", "dog", "dog", "cat", None, "dog"] * 5,
    ...         "Eve": ["cat", "cat", "cat", "cat", "cat", "cat"] * 5,
    ...     }
    ... )
    >>> consensus = AnnotatorConsensus().fit(labels)
    >>> consensus.consensus_[:6].tolist()
    ['cat', 'dog', 'dog', 'cat', 'dog', 'dog']
    >>> consensus.annotators_quality_.round(2)[["annotator", "n_labels", "accuracy"]]
      annotator  n_labels  accuracy
    0       Ann        30      1.00
    1       Bob        25      1.00
    2       Eve        30      0.33

    Any classifier that takes `sample_weight` learns the consensus, as far as it is certain:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.array([0.0, 1.0, 1.1, 0.1, 0.9, 1.2] * 5)[:, None]
    >>> model = LogisticRegression()
    >>> model = model.fit(X, consensus.consensus_, sample_weight=consensus.probability_)
    >>> model.predict([[0.0], [1.0]]).tolist()
    ['cat', 'dog']
    """

    classes_: NDArray[Any]
    annotators_: NDArray[Any]
    consensus_: NDArray[Any]
    probability_: NDArray[np.float64]
    posterior_: NDArray[np.float64]
    confusion_: NDArray[np.float64]
    annotators_quality_: pd.DataFrame
    n_iter_: int

    _parameter_constraints: dict[str, list[Any]] = {
        "classes": ["array-like", None],
        "shrinkage": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        classes: ArrayLike | None = None,
        shrinkage: float = SHRINKAGE,
        max_iter: int = MAX_ITER,
        tol: float = TOL,
    ):
        self.classes = classes
        self.shrinkage = shrinkage
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, labels: Labels, proba: ArrayLike | None = None) -> Self:
        """Find what is true, and who is right how often.

        Parameters
        ----------
        labels : array-like or DataFrame of shape (n_samples, n_annotators)
            What each annotator said of each sample; None, NaN or ``pandas.NA`` where nothing. The
            columns of a DataFrame are the names of the annotators. Whole numbers in a float array
            remain floats; those in an object array or in columns of pandas' "Int64" become ints.
        proba : array-like of shape (n_samples, n_classes), default=None
            Class probabilities of a classifier that did not learn the labels that they are about,
            as of cross-validation on a consensus. None: there is no classifier.

        Returns
        -------
        self
            The consensus.

        Raises
        ------
        ValueError, TypeError
            If a parameter, labels or probabilities are not as described.
        """
        self._validate_params()
        given = encode_annotations(labels)
        self.classes_ = self._classes(given.classes, proba, len(given.codes))
        codes = given.among(self.classes_, name="labels")
        model = fit_crowd(
            codes, len(self.classes_), None if proba is None else check_proba(proba),
            shrinkage=self.shrinkage, max_iter=self.max_iter, tol=self.tol,
        )  # fmt: skip
        if not model.converged:
            warnings.warn(
                f"No end after max_iter={self.max_iter} iterations: raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.annotators_, self._index = given.names, given.index
        self._items, self._annotators = np.nonzero(codes >= 0)
        self._given = codes[self._items, self._annotators]
        self.posterior_, self.confusion_ = model.posterior, model.confusion
        self.n_iter_ = model.n_iter
        best = self.posterior_.argmax(axis=1)
        self.consensus_, self.probability_ = self.classes_[best], self.posterior_.max(axis=1)
        self.annotators_quality_ = self._quality(best)
        return self

    def _classes(self, present: NDArray[Any], proba: Any, n_samples: int) -> NDArray[Any]:
        """All classes."""
        classes = present
        if proba is not None:
            classes = classes_of_columns(proba, present, self.classes)
            if (shape := np.shape(proba)) != (n_samples, len(classes)):
                raise ValueError(
                    "proba must be of shape (n_samples, n_classes), here "
                    f"{(n_samples, len(classes))}, got {shape}; the classes are "
                    f"{classes.tolist()}."
                )
        elif self.classes is not None:
            classes = find_classes(self.classes, name="classes")[0]
        if classes.ndim != 1 or len(set(classes.tolist())) < len(classes):
            raise ValueError(f"classes must hold each class once, got {classes.tolist()}.")
        if len(classes) < 2:
            raise ValueError(
                f"labels must hold at least 2 classes, got one class: {classes.tolist()}."
            )
        return classes

    def _quality(self, consensus: NDArray[np.intp]) -> pd.DataFrame:
        """The table of the annotators."""
        import pandas as pd

        def per_annotator(values: NDArray[Any]) -> NDArray[np.float64]:
            sums = np.bincount(self._annotators, values, minlength=len(self.annotators_))
            return sums.astype(np.float64)

        right = self.posterior_[self._items, self._given]
        # Who is alone with a sample agrees with nobody.
        compared = (np.bincount(self._items)[self._items] > 1).astype(np.float64)
        agrees = compared * (consensus[self._items] == self._given)
        n_labels, n_compared = per_annotator(np.ones_like(right)), per_annotator(compared)
        with np.errstate(invalid="ignore"):
            return pd.DataFrame(
                {
                    "annotator": pd.Index(self.annotators_, tupleize_cols=False),
                    "n_labels": n_labels.astype(np.intp),
                    "accuracy": per_annotator(right) / n_labels,
                    "agreement": per_annotator(agrees) / n_compared,
                }
            )

    def quality_of_labels(self) -> pd.DataFrame:
        """The probability that each given label is right.

        Returns
        -------
        DataFrame of shape (n_samples, n_annotators)
            Probabilities, NaN where there is no label; rows and columns are called as those of the
            labels.
        """
        import pandas as pd

        check_is_fitted(self)
        quality = np.full((len(self.posterior_), len(self.annotators_)), np.nan)
        quality[self._items, self._annotators] = self.posterior_[self._items, self._given]
        return pd.DataFrame(quality, index=self._index, columns=pd.Index(self.annotators_))

    def ask_again(
        self, n_rows: int, *, annotators: Iterable[Hashable] | None = None
    ) -> pd.DataFrame:
        """The samples of which one more label is worth most, and whom to ask.

        Parameters
        ----------
        n_rows : int
            How many samples, at least 1.
        annotators : iterable of shape (n_available,), default=None
            Names of those who can be asked. None means all.

        Returns
        -------
        DataFrame of at most n_rows rows
            The most valuable one first, each sample once, with the index of the labels; samples
            that all of `annotators` labelled are left out. ``annotator``: who is expected to tell
            most about this sample, of those who have not labelled it; ``gain``: how much that is,
            in bits; ``consensus`` and ``probability``: what is believed so far.

        Raises
        ------
        ValueError
            If `n_rows` is no such number, or an annotator is unknown.

        Notes
        -----
        The gain is the mutual information of the label and the true class: the expected decrease of
        the entropy of the sample's posterior. Nobody's workload is looked at: pass those who have
        time as `annotators`.
        """
        import pandas as pd

        check_is_fitted(self)
        n_rows = check_int(n_rows, "n_rows", 1)
        able = np.arange(len(self.annotators_))
        if annotators is not None:
            names = as_list(annotators, "annotators", "names", ordered=False)
            able = np.unique(find_codes(names, self.annotators_, name="annotators"))
        rows, who, gains = self._most_valuable(n_rows, able)
        index = pd.RangeIndex(len(self.posterior_)) if self._index is None else self._index
        return pd.DataFrame(
            {
                "annotator": pd.Index(self.annotators_, tupleize_cols=False)[who],
                "gain": gains,
                "consensus": self.consensus_[rows],
                "probability": self.probability_[rows],
            },
            index=index[rows],
        )

    def _most_valuable(
        self, n_rows: int, able: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """Samples, who of those that are able is to be asked, and the gain."""
        doubt = entropy(self.posterior_)
        order = np.argsort(-doubt, kind="stable")
        place = np.full(len(self.annotators_), -1)
        place[able] = np.arange(len(able))
        who = np.zeros(len(order), dtype=np.intp)
        gains = np.full(len(order), -np.inf)
        position = np.full(len(order), -1)
        size = max(1, _MAX_NUMBERS // max(1, len(able) * len(self.classes_)))
        for first in range(0, len(order), size):
            # No label tells more than is in doubt: what follows is worth less than what is found.
            block, found = order[first : first + size], gains[order[:first]]
            if len(found) >= n_rows and np.partition(found, -n_rows)[-n_rows] > doubt[block[0]]:
                break
            told = information(self.posterior_[block], self.confusion_[able])
            position[:] = -1
            position[block] = np.arange(len(block))
            row, column = position[self._items], place[self._annotators]
            labelled = (row >= 0) & (column >= 0)
            told[row[labelled], column[labelled]] = -np.inf
            who[block] = told.argmax(axis=1) if len(able) else 0
            gains[block] = told.max(axis=1, initial=-np.inf)
        rows = np.argsort(-gains, kind="stable")[:n_rows]
        rows = rows[np.isfinite(gains[rows])]
        return rows, able[who[rows]] if len(able) else who[rows], gains[rows]
