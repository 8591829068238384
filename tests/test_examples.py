"""Every example runs as a script, and leaves the figure that it promises."""

import runpy
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("plot_*.py"))
EXAMPLES.remove(FOLDER / "plot_quickstart.py")  # test_quickstart.py runs it
OPTIONS = {"plot_noise_kinds": [], "plot_grid_search_mix_ratio": ["--quick", "--n-jobs", "1"]}

matplotlib.use("Agg")
pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a script in an empty folder, as ``python script`` does, but without another Python."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(FOLDER)

    def run(path, *options):
        monkeypatch.setattr(sys, "argv", [str(path), *options])
        runpy.run_path(str(path), run_name="__main__")

    yield run
    plt.close("all")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(run, path, tmp_path):
    run(path, *OPTIONS.get(path.stem, ["--quick"]))
    (figure,) = tmp_path.glob("*.png")
    assert figure.name == f"{path.stem.removeprefix('plot_')}.png"
    pixels = plt.imread(figure)
    # Something is drawn in every quarter of it.
    for rows in (slice(None, len(pixels) // 2), slice(len(pixels) // 2, None)):
        for half in (pixels[rows, : pixels.shape[1] // 2], pixels[rows, pixels.shape[1] // 2 :]):
            assert half.std() > 0.05


def test_skin_lesions_on_features_of_a_frozen_network(run, tmp_path, capsys):
    options = ["--quick", "--backbone", "squeezenet1_1", "--weights", "random"]
    run(FOLDER / "plot_skin_lesions.py", *options)
    assert "labels trusted:" in capsys.readouterr().out
    assert (tmp_path / "skin_lesions.png").exists()


def test_forget_rate_error(run, capsys):
    run(FOLDER / "forget_rate_error.py", "--seeds", "10")
    *rates, overall = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(rates) == 4
    assert float(overall.split()[-1]) <= 0.05


def test_forget_rate_error_of_small_sets(run, capsys):
    run(FOLDER / "forget_rate_error.py", "--small", "--quick", "--seeds", "10", "11")
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    draws, error, _, coverage, width = map(float, lines[-1].removeprefix("all").split())
    assert draws == 6  # two sets of 100 rows, three noise rates each
    assert error <= 0.1
    assert coverage >= 0.5
    assert width > 0.05
