"""What the report says of how a run can be repeated."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np
import torch

from .._html import Entry, when
from .._text import visible
from ..journal import fingerprint
from ._record import RunRecord

_PACKAGES = ("noisyactive", "scikit-learn", "skorch", "numpy", "scipy", "pandas")
_LONGEST = 300  # characters of a parameter


def parameters(record: RunRecord) -> list[Entry]:
    """The parameters of the cleaner and, after "__", those of its estimator."""
    found = dict(record.parameters)
    if record.seed is not None:
        found["seed in use"] = str(record.seed)
    return [
        Entry(visible(name), visible(text if len(text) < _LONGEST else f"{text[:_LONGEST]}…"))
        for name, text in sorted(found.items())
    ]


def provenance(record: RunRecord) -> list[Entry]:
    """Fingerprints of the data, times of answers, and versions."""
    state = record.state
    times = sorted(filter(None, record.answers["time"].tolist()))
    entries = [
        Entry("Fingerprint of the given labels", fingerprint(state.given_codes.astype(np.int64))),
        Entry("Fingerprint of the labels now", fingerprint(state.codes.astype(np.int64))),
    ]
    if times:
        entries += [Entry("First answer", when(times[0])), Entry("Last answer", when(times[-1]))]
    entries += [Entry(name, version(name)) for name in _PACKAGES]
    entries.append(Entry("torch", torch.__version__))  # with the device that it was built for
    return [
        *entries,
        Entry("Python", platform.python_version()),
        Entry("Platform", visible(platform.platform())),
        Entry("Threads of torch", str(torch.get_num_threads())),
    ]
