"""People in the loop: files for spreadsheets and Label Studio, and a labelling page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
