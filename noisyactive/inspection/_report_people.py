"""The report's tables of the people who answered."""

from __future__ import annotations

import math

from .._html import NOTHING
from .._text import visible
from . import _numbers_in_words as words
from ._people import Agreement, Person

_UNNAMED = "an unnamed annotator"


def annotators(found: list[Person]) -> list[list[str]]:
    """The cells of the table of annotators; empty if none of them has a name."""
    if not any(person.name for person in found):
        return []
    return [
        [
            named(person.name),
            f"{person.n_answers:,}",
            f"{person.n_labels:,}",
            f"{person.n_not_told:,}",
            *words.share_with_limits(person.changed),
            words.duration(person.seconds),
            words.duration(person.median),
        ]
        for person in found
    ]


def agreements(found: list[Agreement]) -> list[list[str]]:
    """The cells of the table of pairs of annotators."""
    return [
        [
            " and ".join(named(name) for name in pair.names),
            f"{pair.n_items:,}",
            *words.share_with_limits(pair.same),
            NOTHING if math.isnan(pair.kappa.value) else f"{pair.kappa.value:.2f}",
            ""
            if math.isnan(pair.kappa.low)
            else words.between(f"{pair.kappa.low:.2f}", f"{pair.kappa.high:.2f}"),
        ]
        for pair in found
    ]


def named(name: str) -> str:
    """The name of an annotator."""
    return visible(name) or _UNNAMED
