"""The package works without the libraries that it has adapters for, and says what is missing."""

import subprocess
import sys

import pytest

import noisyactive.compat


@pytest.mark.parametrize(
    ("absence", "uses", "remedy"),
    [
        (
            "sys.modules['modAL'] = None",
            ["compat.ActiveLearner", "compat.Committee"],
            'pip install "modAL-python',
        ),
        (
            "sys.modules['modAL.models'] = types.ModuleType('modAL.models')",  # a changed modAL
            ["compat.ActiveLearner", "compat.Committee"],
            'pip install "modAL-python',
        ),
        (
            "sys.modules['skactiveml'] = None",
            ["compat.as_skactiveml('entropy')", "compat.from_skactiveml(None)"],
            'pip install "noisyactive[skactiveml]"',
        ),
    ],
    ids=["no modAL", "another modAL", "no scikit-activeml"],
)
def test_missing_library_is_named_when_it_is_needed(absence, uses, remedy):
    code = f"""
import sys, types
{absence}
import noisyactive
from noisyactive import compat
for use in {uses!r}:
    try:
        eval(use)
    except ImportError as error:
        assert {remedy!r} in str(error), error
    else:
        raise AssertionError("no ImportError")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_unknown_names_are_attribute_errors():
    assert not hasattr(noisyactive.compat, "Bayes")
    assert {*noisyactive.compat.__all__} <= {*dir(noisyactive.compat)}
