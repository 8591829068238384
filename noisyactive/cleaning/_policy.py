"""The interface of policies: which labels are trained on, and by which model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._answer_model import Answers
from ._fine_tune import Refit
from ._training import Training


@dataclass(frozen=True)
class LabelSnapshot:
    """The labels at one moment of a run, for bringing a model up to date with them.

    Parameters
    ----------
    given : ndarray of int of shape (n_samples,)
        Labels at the start of the run, encoded.
    codes : ndarray of int of shape (n_samples,)
        Labels as they are now, encoded.
    verified : ndarray of bool of shape (n_samples,)
        Whether an expert gave the label.
    answers : Answers
        What annotators said of the rows that are verified.
    round : int
        Rounds begun so far.
    n_answers : int
        Answers so far.
    """

    given: NDArray[np.intp]
    codes: NDArray[np.intp]
    verified: NDArray[np.bool_]
    answers: Answers
    round: int
    n_answers: int

    @property
    def share_corrected(self) -> float:
        """Share of the labels that differ from those given."""
        return float((self.codes != self.given).mean())

    @property
    def notes(self) -> dict[str, int]:
        """What a network's history says of the epochs that learn these labels."""
        return {"round": self.round, "answers": self.n_answers}


class TrustPolicy(ABC):
    """Which labels are trained on, and the model that is trained on them.

    One subclass for each word that ``ActiveLabelCleaner.trust`` may be, made by `make_policy`.
    Methods get the cleaner's parameters as `params`, a namespace.

    Parameters
    ----------
    training : Training
        Fits and updates models.

    Attributes
    ----------
    model : classifier or None
        The model as it is now; None before there is one.
    """

    #: Whether the model is one classifier, as some query strategies need it.
    single_model: ClassVar[bool] = True
    #: Share of the first round's questions that chance picks, and not the query strategy.
    random_share: float = 0.0
    #: Whether rounds can begin without a model that was fitted to the given labels.
    needs_first_fit: ClassVar[bool] = True

    def __init__(self, training: Training):
        self.training = training
        self.model: Any = None

    @classmethod  # noqa: B027
    def check(cls, params: Any) -> None:
        """Raise a ValueError for parameters that the policy cannot be combined with."""

    @abstractmethod
    def start(self, codes: NDArray[np.intp], params: Any, rng: np.random.RandomState) -> None:
        """Fit the first model to the given labels, encoded as `codes`."""

    @abstractmethod
    def update(self, labels: LabelSnapshot, params: Any) -> None:
        """Bring the model up to date; one for which `can_update` holds."""

    @abstractmethod
    def trusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which labels are trained on, verified ones unless doubted, of shape (n_samples,)."""

    @abstractmethod
    def untrusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which labels may be queried with ``pool="untrusted"``, of shape (n_samples,)."""

    @property
    def held_out_proba(self) -> NDArray[np.float64] | None:
        """Class probabilities of samples by models that did not learn their labels, if known."""
        return None

    @property
    def posterior(self) -> NDArray[np.float64] | None:
        """Probability of each class to be the true one, (n_samples, n_classes), if known."""
        return None

    def posterior_with(self, labels: LabelSnapshot) -> NDArray[np.float64] | None:
        """The same by labels that no model was trained on yet, for which `can_update` holds."""
        return None

    @property
    def prior(self) -> NDArray[np.float64] | None:
        """The `posterior`, whatever annotators said of the sample itself."""
        return None

    @property
    def error_rates(self) -> NDArray[np.float64]:
        """Share of wrong answers of each annotator; of shape (0,) where it is not estimated."""
        return np.zeros(0)

    def doubted(self) -> NDArray[np.intp]:
        """Rows whose label an annotator gave, and that is more probably wrong."""
        return np.zeros(0, dtype=np.intp)

    @abstractmethod
    def can_update(self, labels: LabelSnapshot) -> bool:
        """Whether there are enough trusted labels to train on."""

    @abstractmethod
    def depends_on_past(self, params: Any) -> bool:
        """Whether a model depends on the models before it, and not on the labels alone."""

    @abstractmethod
    def get_state(self) -> tuple[list[Any], dict[str, NDArray[Any]]]:
        """Fitted classifiers, and arrays of numbers, that `set_state` restores the policy from."""

    @abstractmethod
    def set_state(self, models: list[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned, if it fits the run; a ValueError says that not."""

    def _fitting(self, array: NDArray[Any], kind: str, *shape: int) -> NDArray[Any]:
        """An array that was saved, if it is of a kind (of NumPy's) and shape."""
        if array.dtype.kind != kind or array.shape != shape:
            raise ValueError(f"An array that was saved does not fit: {array.dtype} {array.shape}.")
        return array

    @staticmethod
    def refit_of(params: Any) -> Refit:
        """The cleaner's parameters that say how a model is brought up to date."""
        return Refit(
            params.refit, params.fine_tune_epochs, params.fine_tune_lr, params.class_balance
        )
