"""The questions of a round: which rows are asked about, and what people are told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._proba import aligned_proba, predicted_proba
from .._rows import take_rows, view_rows
from ..journal import Asked, CleaningState, Event
from ..query import Learner, choose
from ._policy import TrustPolicy
from ._training import Training

#: Seeds the global generators and restores them, where others' code may draw from them.
Isolated = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, eq=False)
class Questions:
    """What a run can ask at one moment. Nothing of it is changed, and nothing kept.

    Parameters
    ----------
    params : namespace
        The cleaner's parameters.
    events : sequence of Event
        What happened so far.
    state : CleaningState
        Labels and accounts.
    policy : TrustPolicy
        Which labels are trusted, and the model.
    training : Training
        Has the samples that the model is for, and the classes.
    """

    params: Any
    events: Sequence[Event]
    state: CleaningState
    policy: TrustPolicy
    training: Training

    def next_round(
        self, n_answers: int, budget_left: int, rng: np.random.RandomState, isolated: Isolated
    ) -> Asked | None:
        """The questions of the next round.

        Parameters
        ----------
        n_answers : int
            Answers that the round may take.
        budget_left : int
            Answers that are left of the whole budget, these among them.
        rng : RandomState
            For rows that chance picks, and for the query strategy.
        isolated : callable
            Context for code of others.

        Returns
        -------
        Asked or None
            None if there is no row that may be asked about, or too few answers for one.
        """
        pool = np.flatnonzero(self.pool())
        n_rows = min(n_answers // self.state.answers_per_item, len(pool))
        if n_rows <= 0:
            return None
        rows = self._choose(pool, n_rows, rng, isolated)
        first, second = self._suggestions(rows, isolated)
        reason, n_by_chance = self._reason(len(rows)), self._n_by_chance(len(rows))
        return Asked(tuple(rows.tolist()), *first, budget_left, reason, *second, n_by_chance)

    def pool(self) -> NDArray[np.bool_]:
        """Samples that may be queried, of shape (n_samples,)."""
        state = self.state
        pool = ~(state.verified | state.skipped)
        if self.params.pool == "untrusted":
            pool &= self.policy.untrusted(state.verified)
        # A second answer is worth more than a new question where the first one is probably wrong.
        people = {
            name
            for said in state.answers.values()
            for name, label in said.items()
            if name is not None and label is not None
        }
        asked = Counter(row for e in self.events if isinstance(e, Asked) for row in e.rows)
        for row in set(self.policy.doubted().tolist()) - state.decided.keys():
            others = people - state.answers[row].keys()
            pool[row] |= state.verified[row] and bool(others) and asked[row] < len(people)
        return pool

    def drawn(self) -> NDArray[np.bool_]:
        """Rows that chance picked: the last ones of the first round; of shape (n_samples,)."""
        drawn = np.zeros(len(self.state.codes), dtype=bool)
        asked = next((event.rows for event in self.events if isinstance(event, Asked)), ())
        drawn[list(asked[len(asked) - self._n_random(len(asked)) :])] = True
        return drawn

    def _n_random(self, n_rows: int) -> int:
        """How many of the first round's rows chance picks: none where it may not pick any row."""
        share = self.policy.random_share if self.params.pool == "unverified" else 0
        return int(share * n_rows)

    def _choose(
        self, pool: NDArray[np.intp], n_rows: int, rng: np.random.RandomState, isolated: Isolated
    ) -> NDArray[np.intp]:
        """Rows to ask about: those that the query strategy chooses, then those chance picks."""
        if self.policy.model is None:
            return rng.choice(pool, size=n_rows, replace=False)
        n_random = 0 if self.state.round else self._n_random(n_rows)
        chosen = pool[:0]
        if n_rows > n_random:
            chosen = self._ask_strategy(pool, n_rows - n_random, rng, isolated)
        # A strategy may choose fewer rows than asked for; `drawn` counts on the same share.
        while n_random and self._n_random(len(chosen) + n_random) != n_random:
            n_random -= 1
        rest = np.setdiff1d(pool, chosen)
        return np.append(chosen, rng.choice(rest, size=n_random, replace=False))

    def _ask_strategy(
        self, pool: NDArray[np.intp], n_rows: int, rng: np.random.RandomState, isolated: Isolated
    ) -> NDArray[np.intp]:
        """Rows of the pool that the query strategy chooses."""
        model, X = self.policy.model, self.training.X
        labels = self.training.classes[self.state.codes]
        trusted = np.flatnonzero(self.policy.trusted(self.state.verified))
        # Strategies of others may do with the pool what one does with an array.
        rows_of = view_rows if isinstance(self.params.query_strategy, str) else take_rows
        X_pool = rows_of(X, pool)
        held_out, posterior = self.policy.held_out_proba, self.policy.posterior
        predictor = None if held_out is None else HeldOut(model, X_pool, held_out[pool])
        learner = Learner(
            model, self.training.classes, rows_of(X, trusted), labels[trusted], predictor=predictor
        )
        with isolated():
            chosen = choose(
                self.params.query_strategy,
                learner,
                X_pool,
                labels[pool],
                n_rows,
                rng,
                None if posterior is None else posterior[pool],
            )
        return pool[chosen]

    def _suggestions(
        self, rows: NDArray[np.intp], isolated: Isolated
    ) -> list[tuple[tuple[Any, ...], tuple[float, ...]]]:
        """The two most probable classes of each row, with their probabilities; for people.

        By models that did not learn its label, where there are such.
        """
        if self.policy.model is None:
            return [((), ()), ((), ())]
        classes = self.training.classes
        if self.policy.prior is not None:
            proba = self.policy.prior[rows]
        else:
            with isolated():
                proba = aligned_proba(self.policy.model, take_rows(self.training.X, rows), classes)
        best = proba.argmax(axis=1)
        others = proba.astype(float)
        others[np.arange(len(rows)), best] = -np.inf
        found = []
        for codes in (best, others.argmax(axis=1)):
            probability = np.nan_to_num(proba[np.arange(len(rows)), codes].astype(float))
            found.append((tuple(classes[codes].tolist()), tuple(probability.tolist())))
        return found

    def _n_by_chance(self, n_rows: int) -> int:
        """How many of this round's rows chance picked: the last ones."""
        if self.policy.model is None or self.params.query_strategy == "random":
            return n_rows
        return 0 if self.state.round else self._n_random(n_rows)

    def _reason(self, n_rows: int) -> str:
        """How the rows of this round were chosen."""
        strategy = self.params.query_strategy
        if self.policy.model is None:
            strategy = "chance"
        elif not isinstance(strategy, str):
            strategy = getattr(strategy, "__name__", type(strategy).__name__)
        among = "not trusted" if self.params.pool == "untrusted" else "not verified"
        if not self.state.round and self._n_random(n_rows):
            strategy = f"{strategy} and by chance"
        return f"by {strategy.replace('_', ' ')} among the labels {among}"


class HeldOut:
    """Predicts the pool as models do that did not learn its labels, anything else as the ensemble.

    Parameters
    ----------
    model : CrossFitEnsemble
        The ensemble.
    X_pool : object of length n_pool
        The pool, recognised by identity.
    proba : ndarray of shape (n_pool, n_classes)
        Its held-out class probabilities.
    """

    reads_rows = True  # in chunks, the pool would not be recognised

    def __init__(self, model: Any, X_pool: Any, proba: NDArray[np.float64]):
        self._model = model
        self._X_pool = X_pool
        self._proba = proba
        self.classes_ = model.classes_

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities, of shape (n_samples, n_classes)."""
        return self._proba if X is self._X_pool else predicted_proba(self._model, X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        classes: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return classes
