"""The cost and the gain of each round of cleaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cleaning import ActiveLabelCleaner
from ..journal import Answered, Event, Refitted
from ._classes import ratio
from ._fitted import check_cleaner


def cleaning_report(cleaner: ActiveLabelCleaner) -> pd.DataFrame:
    """Tabulate the rounds of a cleaner.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        After `start` or `fit`.

    Returns
    -------
    pandas.DataFrame
        One row for each entry of ``history_``, by ``round``; 0 is the first phase. Answers since
        the last refit are not included yet.

        * ``asked``: number of queried samples;
        * ``answers``: number of answers, each of which is charged;
        * ``answered``: number of samples with a new answer;
        * ``changed``: number of labels that changed;
        * ``hit_rate``: changed labels as a share of the samples with a new answer;
        * ``cost``: total number of answers so far;
        * ``score``: score of the model on validation data; NaN without validation data;
        * ``gain``: difference to the first score;
        * ``answers_per_point``: answers since the first score for each gain of 0.01, one point of
          F1 if that is the score; NaN without a gain.

    Raises
    ------
    TypeError, NotFittedError
        If `cleaner` is not a cleaner, or was not started.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner, UniformLabelNoise
    >>> from noisyactive.inspection import cleaning_report
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=5, random_state=0)
    >>> report = cleaning_report(cleaner.fit(X, y_noisy, y_clean=y))
    >>> report[["asked", "answers", "cost"]].values.tolist()
    [[0, 0, 0], [5, 5, 5], [5, 5, 10]]
    """
    check_cleaner(cleaner)
    return rounds_of(cleaner.history_, cleaner.events_)


def rounds_of(history: Mapping[str, NDArray[Any]], events: Iterable[Event]) -> pd.DataFrame:
    """What `cleaning_report` returns, of a history and the events that it is of."""
    answered: list[int] = []
    rows: set[int] = set()
    for event in events:
        if isinstance(event, Answered):
            rows.update(event.rows)
        elif isinstance(event, Refitted):
            answered.append(len(rows))
            rows = set()
    cost, score = history["cost"], history["score"].astype(float)
    known = np.flatnonzero(np.isfinite(score))
    first = known[0] if len(known) else 0
    gain = score - score[first]
    bought = np.where(gain > 0, cost - cost[first], np.nan)
    return pd.DataFrame(
        {
            "asked": history["asked"],
            "answers": np.diff(cost, prepend=0),
            "answered": answered,
            "changed": history["changed"],
            "hit_rate": ratio(history["changed"], answered),
            "cost": cost,
            "score": score,
            "gain": gain,
            "answers_per_point": ratio(bought, 100 * gain),
        },
        index=pd.Index(history["round"], name="round"),
    )
