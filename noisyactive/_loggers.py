"""Logger callbacks, which copies of a net share."""

from __future__ import annotations

import copy
from typing import Any

from skorch.callbacks import MlflowLogger, NeptuneLogger, SacredLogger, TensorBoard, WandbLogger

LOGGERS = (MlflowLogger, NeptuneLogger, SacredLogger, TensorBoard, WandbLogger)


def copy_with_loggers(thing: Any, callbacks: Any) -> Any:
    """Deep copy, except for loggers: the copy writes to the same open file or run.

    Parameters
    ----------
    thing : object
        Copied.
    callbacks : object
        A net's `callbacks` or `callbacks_`: where loggers may be.

    Returns
    -------
    object
        The copy.
    """
    items = callbacks if isinstance(callbacks, list) else []
    parts = (part for item in items for part in (item if isinstance(item, tuple) else (item,)))
    return copy.deepcopy(thing, {id(part): part for part in parts if isinstance(part, LOGGERS)})
