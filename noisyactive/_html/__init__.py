"""Reports as one HTML file: what their pages have in common. Imports no torch."""

from ._page import NOTHING, Entry, now, page_template, when

__all__ = ["NOTHING", "Entry", "now", "page_template", "when"]
