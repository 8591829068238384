"""Ratios between two ways of doing the same, and the table they are printed in."""

import statistics
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for what the benchmarks share
torch.set_num_threads(2)

TABLE = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[TABLE] = []


@pytest.fixture
def figure(request):
    """Note a figure for the table: ``figure(what, value, limit)``."""
    return lambda *row: request.config.stash[TABLE].append(row)


@pytest.fixture
def compare(figure):
    """Median of ours over median of theirs, in interleaved repeats after one that is not counted.

    Both are functions that return seconds (or bytes).
    """

    def compare(what, ours, theirs, limit, repeats=5):
        pairs = [(theirs(), ours()) for _ in range(repeats + 1)][1:]
        medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
        figure(what, f"{medians[1] / medians[0]:.2f}", limit)

    return compare


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash[TABLE]
    if not rows:
        return
    terminalreporter.section("figures")
    width = max(len(row[0]) for row in rows)
    for what, value, limit in rows:
        terminalreporter.write_line(f"{what:<{width}}  {value:>10}  {limit}")
