"""The people who answer on the page, and the secret of each."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .._arrays import as_list, described

MAX_NAME = 100


def checked_name(name: Any, what: str) -> str:
    """The name of an annotator, without spaces around it.

    Raises
    ------
    ValueError
        If it is not text of 1 to 100 characters that can be printed.
    """
    if not (
        isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= MAX_NAME
    ):
        raise ValueError(
            f"{what} must be text of 1 to {MAX_NAME} characters, got {described(name)}."
        )
    return name.strip()


def check_people(
    annotator: str | None, annotators: Sequence[str] | None, adjudicator: str | None
) -> list[str]:
    """The names of all who have an address of their own, the adjudicator's last.

    Raises
    ------
    ValueError
        If they are given together with a single `annotator`, a name is there twice, or there is an
        adjudicator without annotators.
    """
    if annotators is None:
        if adjudicator is not None:
            raise ValueError("adjudicator needs annotators: the names of those who may disagree.")
        return []
    if annotator is not None:
        raise ValueError("annotator and annotators cannot both be given.")
    if isinstance(annotators, str):
        raise ValueError(f"annotators must be a list of names, got {annotators!r}.")
    names = [checked_name(name, "annotators") for name in as_list(annotators, "annotators")]
    if not names:
        raise ValueError("annotators must hold at least one name.")
    if adjudicator is not None:
        names.append(checked_name(adjudicator, "adjudicator"))
    name, n = Counter(name.casefold() for name in names).most_common(1)[0]
    if n > 1:
        raise ValueError(f"annotators and adjudicator must differ; {name!r} is there twice.")
    return names


def token_of(token: str, name: str) -> str:
    """The secret of one annotator; neither others' nor the one it is derived from can be told."""
    digest = hmac.digest(token.encode(), f"annotator {name}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
