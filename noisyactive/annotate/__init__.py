"""People in the loop: files for spreadsheets and Label Studio, and a labelling page."""

from ._csv import read_answers, write_queries
from ._images import images_of
from ._label_studio import read_label_studio, write_label_studio
from ._server import Page, serve

__all__ = [
    "Page",
    "images_of",
    "read_answers",
    "read_label_studio",
    "serve",
    "write_label_studio",
    "write_queries",
]
