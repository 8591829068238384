"""Names of `noisyactive.cleaning` are imported when they are first used."""

import subprocess
import sys

import pytest

import noisyactive.cleaning

NAMES = {
    "PAPER_PARAMS",
    "ActiveLabelCleaner",
    "CrossFit",
    "CrossFitEnsemble",
    "GroundTruthOracle",
    "Journal",
    "OpenItem",
    "Progress",
}


def test_names():
    assert set(noisyactive.cleaning.__all__) == set(dir(noisyactive.cleaning)) == NAMES
    assert all(getattr(noisyactive.cleaning, name) is not None for name in NAMES)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = noisyactive.cleaning.no_such_name


def test_a_process_that_answers_loads_no_torch():
    code = """
import sys
from noisyactive.cleaning import Journal, OpenItem, Progress
assert not {"torch", "sklearn", "skorch", "scipy", "pandas", "matplotlib"} & set(sys.modules)
from noisyactive.cleaning import *
assert ActiveLabelCleaner.__module__ == "noisyactive.cleaning._cleaner" and "torch" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
