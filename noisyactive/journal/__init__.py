"""The journal of a run: its events, what they add up to, and the file that keeps them.

It imports neither torch nor scikit-learn.
"""

from ._answers import check_answers, check_ids, check_remarks, check_rows, rows_of
from ._events import Answered, Asked, Closed, Ended, Event, Refitted, Settled, Started
from ._fingerprint import describe, describe_data, fingerprint
from ._journal import Journal
from ._queue import OpenItem, Progress, first_answers, open_items, open_rows, progress
from ._state import CleaningState, fold
from ._tables import now
from ._why import percent
from ._writer import JournalWriter

__all__ = [
    "Answered",
    "Asked",
    "CleaningState",
    "Closed",
    "Ended",
    "Event",
    "Journal",
    "JournalWriter",
    "OpenItem",
    "Progress",
    "Refitted",
    "Settled",
    "Started",
    "check_answers",
    "check_ids",
    "check_remarks",
    "check_rows",
    "describe",
    "describe_data",
    "fingerprint",
    "first_answers",
    "fold",
    "now",
    "open_items",
    "open_rows",
    "percent",
    "progress",
    "rows_of",
]
