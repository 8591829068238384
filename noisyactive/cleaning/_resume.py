"""What a run leaves on disk and goes on from: its journal, and the models beside it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..journal import Event, JournalWriter, describe, describe_data
from . import _checkpoint as checkpoint
from ._policy import TrustPolicy
from ._run_data import RunData


def open_journal(params: Any, data: RunData) -> JournalWriter | None:
    """The journal, there already or not, which has to agree with what the run is given.

    Parameters
    ----------
    params : namespace
        The cleaner's parameters.
    data : RunData
        Samples and labels.

    Returns
    -------
    JournalWriter or None
        None if the run keeps no journal.

    Raises
    ------
    ValueError, OSError
        As `JournalWriter` does; also for labels that a journal cannot keep.
    """
    if params.journal is None:
        return None
    if odd := [x for x in data.classes.tolist() if not isinstance(x, (str, int, float))]:
        raise ValueError(
            f"A journal can keep labels that are strings, numbers or booleans; y holds {odd[0]!r}."
        )
    parameters: dict[str, str] = {}
    for name, value in vars(params).items():
        parameters.update(describe(name, value))
    others = {
        "labels of annotators": data.annotations,
        "groups": data.groups,
        "validation data": data.validation_data,
    }
    described = describe_data(data.X, data.classes, data.codes, data.names, others, data.fit_params)
    return JournalWriter(params.journal, parameters, described)


def save_policy(
    policy: TrustPolicy, refit: str, writer: JournalWriter | None, events: Sequence[Event]
) -> None:
    """Save a policy's models beside the journal, if there is one and they can be kept.

    Parameters
    ----------
    policy : TrustPolicy
        As it is after the latest refit.
    refit : str
        The cleaner's parameter.
    writer : JournalWriter or None
        The journal.
    events : sequence of Event
        Events of the run, the refit the last.

    Warns
    -----
    UserWarning
        If the models cannot be written.
    """
    models, arrays = policy.get_state()
    if writer is None or not models:
        return
    if not all(checkpoint.can_keep(model, refit) for model in models):
        return
    key = list(checkpoint.keys_of(writer.description, events))[-1]
    try:
        checkpoint.save(writer.checkpoint, key, models, arrays)
    except OSError as error:
        warnings.warn(
            f"The model could not be saved beside the journal ({error}); a run that is resumed "
            "from here will train it again. The journal is whole.",
            UserWarning,
            stacklevel=4,
        )


def load_policy(
    policy: TrustPolicy, refit: str, writer: JournalWriter | None, events: Sequence[Event]
) -> int:
    """Restore a policy from what was saved beside the journal.

    Parameters
    ----------
    policy : TrustPolicy
        Before its first fit; restored in place, or left as it is.
    refit : str
        The cleaner's parameter.
    writer : JournalWriter or None
        The journal.
    events : sequence of Event
        Events of the run so far.

    Returns
    -------
    int
        Number of events that the models know; 0 if they are to be trained again.
    """
    template = policy.training.template
    if writer is None or not checkpoint.can_keep(template, refit):
        return 0
    kept = checkpoint.load(
        writer.checkpoint, checkpoint.keys_of(writer.description, events), template
    )
    if kept is None:
        return 0
    n_known, models, arrays = kept
    try:
        policy.set_state(models, arrays)
    except (KeyError, ValueError):
        return 0  # it does not fit this run: trained again
    return n_known
