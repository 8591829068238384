"""Collect answers from people: with a labelling page, spreadsheets or Label Studio."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
