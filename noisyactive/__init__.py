"""Learning from noisy labels on imbalanced data.

Public names are imported when they are first used: a process that only serves the labelling page
needs no torch.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = version("noisyactive")
