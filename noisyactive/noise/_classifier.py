"""A classifier that learns from noisy labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._interrupts import interrupts_raised
from .._kinds import is_net
from .._labels import plain_numbers
from .._params import fit_context
from .._pipeline import last_step
from .._proba import predicted_proba
from .._samples import asking, for_estimator
from .._typing import Labels, Noise, Predictor, Samples
from ._sampler import LabelNoiseSampler

if TYPE_CHECKING:
    from typing_extensions import Self


def _estimator_has(method: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        # Not the fitted one alone: whether a method exists does not depend on fitting.
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class NoisyLabelsClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit a classifier to noisy labels, and score it on the labels given.

    For studies of label noise with the tools of scikit-learn: `fit` corrupts the labels first,
    while `score`, scorers and cross-validation compare with those they are given. Corrupting
    labels before they are split would corrupt the validation labels too.

    Parameters
    ----------
    estimator : classifier
        What learns from the noisy labels; it is cloned. Its parameters are grid keys with the
        prefix ``estimator__``.
    noise : label-noise transformer
        What puts noise into the labels; it is cloned. Its parameters are grid keys with the
        prefix ``noise__``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes that `estimator_` knows. A rare class of which the noise left no label is not
        among them, unless the estimator has been told.
    estimator_ : classifier
        The fitted clone of `estimator`.
    noise_ : label-noise transformer
        The fitted clone of `noise`; its attributes describe the noise.
    y_noisy_ : ndarray of shape (n_samples,)
        The labels that `estimator_` was fitted to.
    n_features_in_ : int
        Number of features, where `estimator_` says so.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where `estimator_` says so.

    See Also
    --------
    LabelNoiseSampler : Label noise as a step of an imbalanced-learn pipeline.

    Notes
    -----
    With an int as `random_state` of the noise, the random numbers belong to the places in `y`:
    each fold of a cross-validation has wrong labels of its own, the same in every run, for any
    number of jobs and for every candidate of a search. Samples that two folds share are
    corrupted independently where folds are shuffled; folds of consecutive samples have the same
    noise up to the first place where they differ.

    `X` is handed on as it is: whatever the estimator takes is welcome, also arrays of more than
    two axes and torch Datasets.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from noisyactive.noise import NoisyLabelsClassifier, UniformLabelNoise
    >>> X, y = load_iris(return_X_y=True)
    >>> noisy = NoisyLabelsClassifier(
    ...     KNeighborsClassifier(1), UniformLabelNoise(0.4, random_state=0)
    ... )
    >>> grid = {"estimator__n_neighbors": [1, 25], "noise__noise_rate": [0.4]}
    >>> search = GridSearchCV(noisy, grid).fit(X, y)
    >>> search.best_params_["estimator__n_neighbors"]
    25
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "noise": [HasMethods(["fit", "transform"])],
    }

    classes_: NDArray[Any]
    estimator_: Any
    noise_: Any
    y_noisy_: NDArray[Any]

    def __init__(self, estimator: Predictor, noise: Noise) -> None:
        self.estimator = estimator
        self.noise = noise

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Samples, y: Labels, **fit_params: Any) -> Self:
        """Corrupt the labels and fit the estimator to them.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.
        y : array-like of shape (n_samples,)
            True labels: integers, strings, booleans or sortable objects, of at least two
            classes. Not written to.
        **fit_params : dict
            Handed on to `fit` of the estimator, with scikit-learn's metadata routing enabled as
            far as it requests them; labels among them stay as they are.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the noise refuses the labels, or the estimator refuses anything.
        """
        X = for_estimator(X)
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        sampler = LabelNoiseSampler(self.noise)
        _, self.y_noisy_ = sampler.fit_resample(X, y)
        self.noise_ = sampler.noise_
        if not is_net(last_step(self.estimator)):
            self.y_noisy_ = plain_numbers(self.y_noisy_)
        with asking("X or y"), interrupts_raised():
            self.estimator_ = clone(self.estimator).fit(X, self.y_noisy_, **fit_params)
        self.classes_ = self.estimator_.classes_
        for attribute in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(attribute, None)  # of an earlier fit
            if hasattr(self.estimator_, attribute):
                setattr(self, attribute, getattr(self.estimator_, attribute))
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Where `fit` sends what it is given; see scikit-learn's guide to metadata routing.

        Returns
        -------
        MetadataRouter
            The requests of the estimator, and of the classifier's own `score`.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def predict(self, X: Samples) -> NDArray[Any]:
        """Predict classes with the fitted estimator.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted classes.
        """
        check_is_fitted(self)
        with asking():
            return self.estimator_.predict(for_estimator(X))

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Predict probabilities with the fitted estimator, if it can.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probability of each class, in the order of `classes_`.
        """
        check_is_fitted(self)
        return predicted_proba(self.estimator_, X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Samples) -> NDArray[Any]:
        """Compute decision values with the fitted estimator, if it can.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Decision values, in the order of `classes_`.
        """
        check_is_fitted(self)
        with asking():
            return self.estimator_.decision_function(for_estimator(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = of_estimator.input_tags
        tags.classifier_tags = of_estimator.classifier_tags
        tags.non_deterministic = of_estimator.non_deterministic
        return tags
