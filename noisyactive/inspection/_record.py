"""What is known of a run, from a cleaner or from its journal alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._codes import find_codes
from ..cleaning import ActiveLabelCleaner, CrossFit
from ..journal import Answered, Asked, CleaningState, Event, Journal, describe, fold
from ._fitted import check_cleaner


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run.

    Attributes
    ----------
    state : CleaningState
        Labels and accounts. Not to be changed.
    events : sequence of Event
        What happened, in order.
    classes : ndarray of shape (n_classes,)
        Class labels, sorted.
    ids : ndarray of str of shape (n_samples,)
        Names of the rows.
    parameters : mapping of str to str
        The cleaner's, and, after "__", those of its parts, as text.
    scoring : str or callable
        What the scores are.
    n_rounds : int or None
        Rounds that there are to be; None if it is not known.
    seed : int or None
        Seed of the run.
    quality : ndarray of shape (n_samples,) or None
        Probability that the label as it is now is right, by all answers.
    first_quality : ndarray of shape (n_samples,) or None
        The same of the given label, whatever was answered for the row itself.
    X : object of length n_samples or None
        The samples.
    validation_codes : ndarray of int of shape (n_validation,) or None
        Labels of the validation data, encoded.
    predictions : sequence of ndarray or None
        For each entry of the history what was predicted for the validation data, if it is known.
    """

    state: CleaningState
    events: Sequence[Event]
    classes: NDArray[Any]
    ids: NDArray[np.str_]
    parameters: Mapping[str, str]
    scoring: Any
    n_rounds: int | None = None
    seed: int | None = None
    quality: NDArray[np.float64] | None = None
    first_quality: NDArray[np.float64] | None = None
    X: Any = None
    validation_codes: NDArray[np.intp] | None = None
    predictions: Sequence[NDArray[np.intp] | None] = ()

    @property
    def history(self) -> dict[str, NDArray[Any]]:
        """One entry for the first phase and one for each round, as the cleaner's `history_`."""
        columns = {key: np.array(column) for key, column in self.state.history.items()}
        return {**columns, "score": columns["score"].astype(float)}

    @cached_property
    def answers(self) -> pd.DataFrame:
        """Every answer, in the order in which they came in.

        With the columns ``row``, ``annotator`` ("" without a name), ``label`` (None: could not be
        told), ``code`` (-1 for None), ``seconds`` (NaN if not measured), ``comment`` and ``time``
        ("" without any), ``flag`` ("unusable": there is nothing to look at, or it is no use), and
        ``latest`` (whether it is this annotator's last for the row).
        """
        found: list[tuple[Any, ...]] = []
        for event in self.events:
            if isinstance(event, Answered):
                nothing = (None,) * len(event.rows)
                columns = (event.rows, event.labels, event.seconds or nothing)
                for row, label, seconds, comment in zip(
                    *columns, event.comments or nothing, strict=True
                ):
                    who = event.annotator or ""
                    flag = event.flag
                    found.append((row, who, label, seconds, comment or "", event.time, flag))
        names = ["row", "annotator", "label", "seconds", "comment", "time", "flag"]
        table = pd.DataFrame(found, columns=names, dtype=object)
        given = [label for label in table["label"] if label is not None]
        codes = iter(find_codes(given, self.classes, name="answers").tolist())
        table["code"] = [-1 if label is None else next(codes) for label in table["label"]]
        table["seconds"] = table["seconds"].astype(float)
        table["latest"] = ~table.duplicated(["row", "annotator"], keep="last")
        return table

    @cached_property
    def random_check(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows that chance picked, and all among which it did.

        Of rounds that chance picked wholly, from the first on; else of the first, its last rows.
        """
        nothing = np.empty(0, dtype=np.intp)
        if self.parameters.get("pool") != repr("unverified"):
            return nothing, nothing  # the rows that may be asked about stand for themselves alone
        before = np.zeros(len(self.state.codes), dtype=bool)
        picked: list[int] = []
        n_round = 0
        for event in self.events:
            if isinstance(event, Answered) and not n_round:
                before[list(event.rows)] = True
            elif isinstance(event, Asked):
                n_round += 1
                n_others = len(event.rows) - event.n_by_chance
                if n_others and n_round > 1:
                    break
                picked += event.rows[n_others:]
                if n_others:
                    before[list(event.rows[:n_others])] = True
                    break
        if not picked:
            return nothing, nothing
        return np.array(picked, dtype=np.intp), np.flatnonzero(~before)


def record_of(run: ActiveLabelCleaner | Journal, name: str = "cleaner") -> RunRecord:
    """What is known of a run.

    Parameters
    ----------
    run : ActiveLabelCleaner or Journal
        A started cleaner, or the journal of a run; from this, there are no samples, and nothing
        that a model says.
    name : str, default="cleaner"
        What errors call it.

    Returns
    -------
    RunRecord
        As it is now.

    Raises
    ------
    TypeError, NotFittedError
        If it is neither, or the cleaner was not started.
    """
    if isinstance(run, Journal):
        return _of_journal(run)
    if not isinstance(run, ActiveLabelCleaner):
        raise TypeError(
            f"{name} must be an ActiveLabelCleaner or a Journal, got {type(run).__name__}."
        )
    check_cleaner(run, name)
    return _of_cleaner(run)


def _of_cleaner(cleaner: ActiveLabelCleaner) -> RunRecord:
    parameters: dict[str, str] = {}
    for key, value in cleaner.get_params(deep=False).items():
        parameters.update(describe(key, value))
    parameters["n_rounds"] = repr(cleaner.n_rounds)
    trust, quality, first_quality = cleaner.trust, None, None
    if trust == "crossfit" or isinstance(trust, CrossFit):
        quality = cleaner.label_quality_
        given = cleaner.state_.given_codes
        first_quality = cleaner.estimator_.label_prior_[np.arange(len(given)), given]
    return RunRecord(
        state=cleaner.state_,
        events=cleaner.events_,
        classes=cleaner.classes_,
        ids=cleaner.ids_,
        parameters=parameters,
        scoring=cleaner.scoring,
        n_rounds=cleaner.n_rounds,
        seed=cleaner.seed_,
        quality=quality,
        first_quality=first_quality,
        X=cleaner.X_train_,
        validation_codes=cleaner.validation_codes_,
        predictions=cleaner.validation_predictions_,
    )


def _of_journal(journal: Journal) -> RunRecord:
    parameters = journal.run.parameters
    given = journal.given_labels()
    classes = journal.run.class_array
    codes = find_codes(list(given.values()), classes, name="labels")
    events = journal.events()
    return RunRecord(
        state=fold(events, classes, codes, journal.answers_per_item),
        events=events,
        classes=classes,
        ids=np.array(list(given), dtype=np.str_),
        parameters=parameters,
        scoring=parameters.get("scoring", "score").strip("'\""),
        seed=next((event.seed for event in events if hasattr(event, "seed")), None),
    )
