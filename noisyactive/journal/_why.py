"""Why a row is asked about, in words for people."""

from __future__ import annotations

from typing import Any

from .._text import label_text

SURE = 0.6  # a model that gives its first choice less is called unsure


def percent(probability: float, most: int = 100) -> str:
    """Write a probability in per cent.

    Parameters
    ----------
    probability : float
        From 0 to 1.
    most : int, default=100
        The largest number that may be written: what another one left of 100, so that rounding
        never makes two probabilities more than one.

    Returns
    -------
    str
        A whole number of per cent. What is rounded to 100 or to 0 without being it is "over 99%"
        or "under 1%".
    """
    whole = min(int(100 * probability + 0.5), most)
    if whole == 100 and probability < 1:
        return "over 99%"
    if whole < 1 and probability > 0:
        return "under 1%"
    return f"{whole}%"


def why(
    label: Any,
    suggested: Any,
    probability: float | None,
    runner_up: Any = None,
    runner_up_probability: float | None = None,
    *,
    by_chance: bool = False,
    is_tie: bool = False,
) -> str:
    """Say why a row is asked about.

    Parameters
    ----------
    label : object
        Its label as it is now.
    suggested : object or None
        The class that the model holds most probable; None without a model.
    probability : float or None
        The probability of that.
    runner_up : object, default=None
        The next probable class.
    runner_up_probability : float, default=None
        The probability of that; None if it is not known.
    by_chance : bool, default=False
        Whether chance picked the row.
    is_tie : bool, default=False
        Whether annotators gave it different labels, and none won.

    Returns
    -------
    str
        A phrase that begins with a small letter, without a full stop.
    """
    if is_tie:
        return "its annotators disagree"
    if by_chance:
        return "a random check"
    if suggested is None or probability is None:
        return "a check of its label"
    first = f"{percent(probability)} {label_text(suggested)}"
    if probability < SURE:
        if runner_up_probability is None:
            return f"the model is unsure: {first}"
        left = 100 - min(int(100 * probability + 0.5), 100)
        second = f"{percent(runner_up_probability, left)} {label_text(runner_up)}"
        return f"the model is unsure: {first}, {second}"
    if suggested != label:
        return f"the model disagrees with the label: {first}"
    return f"a check; the model agrees with the label: {first}"
