"""A wrong value at every place: it works, or a check of ours says in one sentence what is wrong.

A few hundred cases run by default; all of them, in some ten minutes of a core, with
``NOISYACTIVE_FUZZ=all``.
"""

import contextlib
import os
import random
import re
import runpy
import signal
import tempfile
import traceback
import warnings
from importlib import import_module
from operator import itemgetter
from pathlib import Path

import joblib
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import noisyactive

mpl.use("agg")
HERE = Path(__file__).parent
VALUES = runpy.run_path(str(HERE / "values.py"))["VALUES"]
TARGETS, EXCLUDED = itemgetter("TARGETS", "EXCLUDED")(runpy.run_path(str(HERE / "targets.py")))
# What works as it should, and no case of which shows more.
LEFT_OUT = {
    ("compile", "True"): "runs a compiler",
    ("compile", "bool scalar"): "runs a compiler",
    ("bootstrap_init", "True"): "draws from NumPy's global generator, as modAL does",
    ("bootstrap_init", "bool scalar"): "the same",
}
CASES = [
    (target, argument, value)
    for target, (_, arguments) in TARGETS.items()
    for argument in arguments
    for value in VALUES
    if (argument, value) not in LEFT_OUT
]
PACKAGES = "annotate audit cleaning compat coteaching datasets imbalance inspection journal".split()
PACKAGES += "model_selection models noise query".split()
# Checks of scikit-learn and scikit-activeml that say what they are about serve as ours.
OURS = re.compile(r"/noisyactive/|/sklearn/|/skactiveml/")
SECONDS = 120
FILES = {"path", "folder", "root", "csv", "image_folder", "images", "weights", "journal",
         "cleaner_or_journal", "paths", "guideline", "reference"}  # fmt: skip
# What errors may call an argument, beside its own name.
ALSO = {
    "X": "samples|rows|column|feature|module=None|Sparse data|dtype|Complex data",
    "y": "samples|label|Labels|target|class",
    "y_clean": "label",
    "draws": "proba",
    "posterior": "proba",
    "features": "X|Sparse|Complex|feature",
    "centres": "X|Sparse|Complex|feature",
    "validation_data": "X_val|y_val|X|module=None|Sparse|Complex",
    "indices": "rows",
    "X_pool": "X",
    "X_training": "X",
    "y_training": "y",
    "scores": "curves",
    "loss": "trusted",
    "oracle": "answers",
    "cleaner_or_journal": "path",
    "missing_label": "missing_label",
    "y_noisy": "class",
    "strategy": "query_strategy",
    "csv": "column",
}


def global_state():
    return joblib.hash((np.random.get_state(), random.getstate(), torch.get_rng_state().numpy())), (
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        len(warnings.filters),
    )


def snapshot(values):
    """Contents of what could be changed in place."""
    return {name: contents(value) for name, value in values.items()}


def is_plain(tensor):
    plain = tensor.layout == torch.strided
    return plain and not (tensor.is_meta or tensor.is_nested or tensor.requires_grad)


def contents(value):
    if hasattr(value, "iloc"):
        value = value.to_numpy()
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes() if value.dtype == torch.float32 and is_plain(value) else None
    if isinstance(value, np.ndarray) and value.dtype != object:
        return np.ma.getdata(value).tobytes()
    if isinstance(value, np.ndarray):  # bytes would be addresses
        return repr(value.tolist())
    return repr(value) if isinstance(value, (list, dict)) else None


@contextlib.contextmanager
def at_most(seconds):
    def end(*_):
        raise RuntimeError(f"took more than {seconds} s")

    handler = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


@contextlib.contextmanager
def working_in(folder):
    """contextlib.chdir, which Python 3.10 has not."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def complaint(target, argument, value):
    """What is wrong with how a wrong value is taken; None if nothing is."""
    call, arguments = TARGETS[target]
    given = {name: make() for name, make in arguments.items() if make is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given[argument] = VALUES[value]()
    before, state = snapshot(given), global_state()
    result, error = None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with tempfile.TemporaryDirectory() as folder, working_in(folder):
                with at_most(SECONDS):
                    result = call(**given)
        except Exception as raised:  # noqa: BLE001  # what it may be is judged below
            error = raised
    plt.close("all")
    if global_state() != state:
        return "changed the global state"
    if snapshot(given) != before:
        return "changed its input"
    if error is not None:
        return complaint_about(error, argument)
    if isinstance(result, np.ndarray) and result.dtype.kind == "f" and np.isnan(result).any():
        return "gave NaN"
    return None


def complaint_about(error, argument):
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and argument in FILES:
        return None  # there is no such file
    if not isinstance(error, (ValueError, TypeError, FloatingPointError)):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if not OURS.search(frame.filename):
        return f"{text} (from {frame.filename}:{frame.lineno})"
    names = "|".join(filter(None, [rf"\b{argument}\b", ALSO.get(argument)]))
    if not re.search(names, str(error)):
        return f"{text} (does not name {argument})"
    return None


def found(cases):
    return [
        f"{target}({argument}={value}): {wrong}"
        for target, argument, value in cases
        if (wrong := complaint(target, argument, value)) is not None
    ]


def test_enough_of_everything():
    assert len(VALUES) >= 40
    assert len(CASES) >= 5000


def test_every_public_callable_is_tried_or_excluded_for_a_reason():
    tried = {re.match(r"\w+", target)[0] for target in TARGETS}
    packages = [import_module(f"noisyactive.{name}") for name in PACKAGES]
    public = {
        name
        for package in (noisyactive, *packages)
        for name in package.__all__
        if callable(getattr(package, name)) and name != "Event"  # a union of the records
    }
    assert public - tried == set(EXCLUDED)


@pytest.mark.parametrize("part", range(6))
def test_some_cases(part):
    chosen = random.Random(0).sample(CASES, 360)
    assert found(chosen[part::6]) == []


@pytest.mark.skipif(os.environ.get("NOISYACTIVE_FUZZ") != "all", reason="NOISYACTIVE_FUZZ=all")
@pytest.mark.parametrize("target", TARGETS)
def test_all_cases(target):
    assert found(case for case in CASES if case[0] == target) == []
