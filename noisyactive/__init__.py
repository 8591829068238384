"""Learning from noisy labels on imbalanced data.

Public names and sub-packages are imported when they are first used: a process that only serves the
labelling page needs no torch.
"""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import lazy_loader

_exported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = version("noisyactive")


def __getattr__(name: str) -> Any:
    # Sub-packages are not in the stub: that would put them into __all__.
    if not name.startswith("_") and name not in __all__ and find_spec(f"{__name__}.{name}"):
        return import_module(f"{__name__}.{name}")
    return _exported(name)
