"""Active label cleaning: query doubtful labels within a budget, correct them, train on.

All names but those of the journal are imported when they are first used: a process that only
answers needs no torch.
"""

import lazy_loader

from ..journal import Journal, OpenItem, Progress

__getattr__, _, _on_demand = lazy_loader.attach_stub(__name__, __file__)

__all__ = sorted([*_on_demand, Journal.__name__, OpenItem.__name__, Progress.__name__])


def __dir__() -> list[str]:
    return [*__all__]
