"""Every example runs as a script, and leaves the figure that it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    result = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    figures = list(tmp_path.glob("*.png"))
    assert figures and all(figure.stat().st_size > 10_000 for figure in figures)


@pytest.mark.slow
def test_forget_rate_error(tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "forget_rate_error.py"), "--seeds", "10", "11"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    *rates, overall = [line for line in result.stdout.splitlines() if line]
    assert len(rates) == 4
    assert float(overall.split()[-1]) <= 0.05
