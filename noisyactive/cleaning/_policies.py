"""Policies with one classifier, and how any policy is made."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from .._pipeline import last_step
from ._crossfit import CrossFit, CrossFitted
from ._fine_tune import can_train_further
from ._policy import LabelSnapshot, TrustPolicy
from ._training import Training


class SingleModelPolicy(TrustPolicy):
    """One classifier; which of the given labels are trusted does not change after the first fit."""

    #: Whether the first model has to say which labels it trusts.
    asks_first_model = False

    def __init__(self, training: Training):
        super().__init__(training)
        self._first_forget_rate = 0.0
        self._doubted: NDArray[np.bool_]

    def start(self, codes: NDArray[np.intp], params: Any, rng: np.random.RandomState) -> None:
        """Fit a classifier; where needed, find the labels that it does not trust."""
        self._doubted = np.ones(len(codes), dtype=bool)
        if params.initial_fit == "none":
            return
        self.model = self.training.fit(np.arange(len(codes)), codes)
        if params.lower_forget_rate:
            self._first_forget_rate = last_step(self.model).forget_rate_
        if self.asks_first_model or params.pool == "untrusted":
            self._doubted = ~self.training.trusted_labels(self.model, codes, rng)

    def update(self, labels: LabelSnapshot, params: Any) -> None:
        """Train the classifier on the trusted labels."""
        forget_rate = None
        if params.lower_forget_rate:
            forget_rate = max(0.0, self._first_forget_rate - labels.share_corrected)
        self.model = self.training.update(
            self.model,
            np.flatnonzero(self.trusted(labels.verified)),
            labels.codes,
            self.refit_of(params),
            notes=labels.notes,
            forget_rate=forget_rate,
        )

    @abstractmethod
    def _trusted_unverified(self) -> NDArray[np.bool_]:
        """Which given labels are trained on though they were not verified."""

    def trusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Labels that the policy trusts from the start, and those verified."""
        return self._trusted_unverified() | verified

    def untrusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Labels that the first model did not trust."""
        return self._doubted

    def can_update(self, labels: LabelSnapshot) -> bool:
        """Whether at least two classes are trusted."""
        return len(np.unique(labels.codes[self.trusted(labels.verified)])) > 1

    def depends_on_past(self, params: Any) -> bool:
        """Whether the classifier is trained further, and not fitted anew each round."""
        return params.refit != "scratch" and can_train_further(self.training.template)

    def get_state(self) -> tuple[list[Any], dict[str, NDArray[Any]]]:
        """The classifier, labels that the first one did not trust, and its forget rate."""
        arrays = {"doubted": self._doubted, "forget_rate": np.array(self._first_forget_rate)}
        return [] if self.model is None else [self.model], arrays

    def set_state(self, models: list[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned."""
        doubted = self._fitting(arrays["doubted"], "b", _num_samples(self.training.X))
        forget_rate = self._fitting(arrays["forget_rate"], "f")
        (self.model,) = models
        self._doubted, self._first_forget_rate = doubted, float(forget_rate)


class TrustedOnce(SingleModelPolicy):
    """``trust="once"``: labels that the first model trusts, and those verified."""

    asks_first_model = True

    def _trusted_unverified(self) -> NDArray[np.bool_]:
        return ~self._doubted


class VerifiedOnly(SingleModelPolicy):
    """``trust="verified"``: verified labels alone."""

    needs_first_fit = False

    def _trusted_unverified(self) -> NDArray[np.bool_]:
        return np.zeros_like(self._doubted)


class AllTrusted(SingleModelPolicy):
    """``trust="all"``: every label, right or wrong."""

    def _trusted_unverified(self) -> NDArray[np.bool_]:
        return np.ones_like(self._doubted)


POLICIES: dict[str, type[TrustPolicy]] = {
    "once": TrustedOnce,
    "crossfit": CrossFitted,
    "verified": VerifiedOnly,
    "all": AllTrusted,
}


def policy_class(trust: str | CrossFit) -> type[TrustPolicy]:
    """The policy that ``ActiveLabelCleaner.trust`` asks for."""
    return POLICIES[trust] if isinstance(trust, str) else CrossFitted


def make_policy(trust: str | CrossFit, training: Training) -> TrustPolicy:
    """The policy that ``ActiveLabelCleaner.trust`` asks for, before any fit.

    Parameters
    ----------
    trust : str or CrossFit
        Key of `POLICIES`, or the parts of "crossfit".
    training : Training
        Fits and updates models.

    Returns
    -------
    TrustPolicy
        Whatever is changed in `trust` later does not change it.
    """
    policy = policy_class(trust)
    if policy is CrossFitted:
        return CrossFitted(training, CrossFit() if isinstance(trust, str) else clone(trust))
    return policy(training)
