"""Tell a cleaner from a journal without importing torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..journal import Journal

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from ..cleaning import ActiveLabelCleaner


def is_started_cleaner(run: Any, expected: str) -> TypeIs[ActiveLabelCleaner]:
    """Whether a run is given as its cleaner or, if not, as its journal.

    A cleaner is recognised by its attributes: importing `ActiveLabelCleaner` would import torch.

    Parameters
    ----------
    run : ActiveLabelCleaner or Journal
        The run.
    expected : str
        What the error says if it is neither: "cleaner must be ...".

    Returns
    -------
    bool
        True for a cleaner, False for a journal.

    Raises
    ------
    TypeError
        If it is neither.
    NotFittedError
        If the cleaner was not started.
    """
    if isinstance(run, Journal):
        return False
    if not (hasattr(run, "journal") and hasattr(run, "close_round")):
        raise TypeError(f"{expected}, got {run!r}.")
    if not hasattr(run, "events_"):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError("The cleaner was not started: call start or fit first.")
    return True
