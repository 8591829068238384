"""What a query strategy sees of a model and its data."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._proba import aligned_proba
from .._typing import Samples


class Learner:
    """The learner that query strategies are called with, in modAL's protocol.

    Parameters
    ----------
    estimator : classifier
        Fitted. Strategies use its features or its network.
    classes : ndarray of shape (n_classes,) or None
        Sorted classes; None where nothing can be predicted.
    X_training : object of length n_trusted
        Samples whose labels are trusted.
    y_training : ndarray of shape (n_trusted,)
        Their labels.
    predictor : classifier, default=None
        Classifier whose predictions are used, for example a wrapper of `estimator`; None uses
        `estimator`.
    """

    # modAL's own strategies read this: whether to work on transformed samples.
    on_transformed = False
    # Whoever predicts here decides how rows of a file are read.
    reads_rows = True

    def __init__(
        self,
        estimator: Any,
        classes: NDArray[Any] | None,
        X_training: Samples,
        y_training: NDArray[Any],
        *,
        predictor: Any = None,
    ):
        self.estimator = estimator
        self.classes_ = classes
        self.X_training = X_training
        self.y_training = y_training
        self._predictor = estimator if predictor is None else predictor

    def predict(self, X: Samples) -> NDArray[Any]:
        """Predict the most probable class of each sample.

        Parameters
        ----------
        X : object of length n_samples
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        return self._predictor.predict(X)

    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Predict class probabilities.

        Parameters
        ----------
        X : object of length n_samples
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        if self.classes_ is None:
            return self._predictor.predict_proba(X)
        return aligned_proba(self._predictor, X, self.classes_)
