"""Parameters of the cleaner: what each may be, and which of them go together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from .._params import check_processes
from .._pipeline import last_step
from ..query import get_strategy, strategy_names
from ._crossfit import CrossFit
from ._policies import POLICIES, policy_class

#: The paper's own way of active cleaning (Khanal et al., MICCAI 2024,
#: https://doi.org/10.1007/978-3-031-72120-5_4): ``ActiveLabelCleaner(net, **PAPER_PARAMS)``.
PAPER_PARAMS: Mapping[str, Any] = MappingProxyType(
    {
        "query_strategy": "entropy",
        "pool": "untrusted",
        "trust": "once",
        "fine_tune_lr": 0.01,
        "class_balance": 0,
    }
)

#: What each parameter may be, in scikit-learn's terms.
CONSTRAINTS: dict[str, list[Any]] = {
    "estimator": [HasMethods(["fit", "predict_proba"])],
    "query_strategy": [StrOptions(set(strategy_names())), callable],
    "n_rounds": [Interval(Integral, 0, None, closed="left")],
    "round_budget": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Real, 0, 1, closed="neither"),
    ],
    "initial_fit": [StrOptions({"noisy", "none"})],
    "pool": [StrOptions({"untrusted", "unverified"})],
    "trust": [StrOptions(set(POLICIES)), CrossFit],
    "refit": [StrOptions({"fine_tune", "continue", "scratch"})],
    "fine_tune_epochs": [Interval(Integral, 1, None, closed="left")],
    "fine_tune_lr": [Interval(Real, 0, None, closed="neither")],
    "class_balance": [Interval(Real, 0, 1, closed="both")],
    "lower_forget_rate": ["boolean"],
    "scoring": [StrOptions(set(get_scorer_names())), callable],
    "answers_per_item": [Interval(Integral, 1, None, closed="left")],
    "aggregate": [StrOptions({"majority", "model"}), callable],
    "journal": [str, os.PathLike, None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

_RENAMED = {
    "trust": {"selected": "once", "reselect": "crossfit"},
    "pool": {"noisy": "untrusted"},
    "refit": {"tune": "fine_tune"},
}


def check_renamed(params: Any) -> None:
    """Refuse values from before a renaming, with their new names."""
    for name, renamed in _RENAMED.items():
        value = getattr(params, name)
        if isinstance(value, str) and value in renamed:
            raise ValueError(f'{name}="{value}" is called {name}="{renamed[value]}" now.')


def check_combinations(params: Any) -> None:
    """Raise a ValueError if parameters of the cleaner cannot be combined.

    Parameters
    ----------
    params : namespace
        The cleaner's parameters, each valid by itself.
    """
    policy = policy_class(params.trust)
    if params.initial_fit == "none" and (params.pool == "untrusted" or policy.needs_first_fit):
        raise ValueError(
            'initial_fit="none" has no first phase that could trust labels: it needs '
            f'pool="unverified" and trust="verified", got pool={params.pool!r} and '
            f"trust={params.trust!r}."
        )
    policy.check(params)
    strategy = get_strategy(params.query_strategy)
    if strategy is not None and strategy.single_network and not policy.single_model:
        raise ValueError(
            f'query_strategy="{strategy.name}" needs one network; trust={params.trust!r} has '
            'several, trust="once" one.'
        )
    last = last_step(params.estimator)
    if params.refit == "continue" and not hasattr(last, "partial_fit"):
        raise ValueError(
            f'refit="continue" needs an estimator with partial_fit; {type(last).__name__} has none.'
        )
    if params.lower_forget_rate and (
        params.refit == "fine_tune"
        or params.initial_fit == "none"
        or not hasattr(last, "forget_rate")
    ):
        raise ValueError(
            'lower_forget_rate needs refit="continue" or "scratch", initial_fit="noisy", and '
            f"an estimator with forget_rate; got {type(last).__name__}, refit={params.refit!r} "
            f"and initial_fit={params.initial_fit!r}."
        )
    check_processes(vars(params), last)


def answers_in_round(params: Any, n_samples: int) -> int:
    """Answers that a round may take: a count, or a share of the samples; enough for one row."""
    budget = params.round_budget
    n_answers = int(budget) if budget >= 1 else max(1, round(budget * n_samples))
    if n_answers < params.answers_per_item:
        raise ValueError(
            f"round_budget={budget!r} is {n_answers} answers a round, fewer than "
            f"answers_per_item={params.answers_per_item}."
        )
    return n_answers
