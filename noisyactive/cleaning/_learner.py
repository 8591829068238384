"""What a query strategy sees of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def aligned_proba(estimator: Any, X: Any, classes: NDArray[Any]) -> NDArray[Any]:
    """Class probabilities with a column for each of `classes`, 0 for those never seen.

    Parameters
    ----------
    estimator : classifier
        Fitted, with `predict_proba`.
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes, all of the estimator's among them.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities.
    """
    proba = estimator.predict_proba(X)
    if proba.shape[1] == len(classes):
        return proba
    known = estimator.classes_
    aligned = np.zeros((len(proba), len(classes)), dtype=proba.dtype)
    aligned[:, np.searchsorted(classes, known)] = proba
    return aligned


class Learner:
    """A learner as modAL's strategies and ours expect one.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    X_training : object of length n_trusted
        Samples whose labels are trusted.
    y_training : ndarray of shape (n_trusted,)
        Their labels.
    """

    # modAL's own strategies ask whether to work on transformed samples.
    on_transformed = False

    def __init__(
        self, estimator: Any, classes: NDArray[Any], X_training: Any, y_training: NDArray[Any]
    ):
        self.estimator = estimator
        self.classes_ = classes
        self.X_training = X_training
        self.y_training = y_training

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable classes, of shape (n_samples,)."""
        return self.estimator.predict(X)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities of shape (n_samples, n_classes), in the order of `classes_`."""
        return aligned_proba(self.estimator, X, self.classes_)
