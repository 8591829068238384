"""What all displays have in common."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from noisyactive import inspection
from noisyactive.inspection import (
    CleaningCurveDisplay,
    LossVOGDisplay,
    SelectionDisplay,
    SuspectsDisplay,
    TrainingDynamicsDisplay,
    TransitionMatrixDisplay,
)

THREE = np.array([0.1, 0.2, 0.3])


def make_displays(name="a"):
    """One of each kind that was not drawn yet, with a label or name that is shown somewhere."""
    report = pd.DataFrame({"samples": [2, 2], "trusted": [1, 1]}, index=[name, "total"])
    image = np.zeros((4, 4), dtype=np.uint8)
    return [
        CleaningCurveDisplay({name: ([0, 1], [0.5, 0.6])}),
        LossVOGDisplay(THREE, THREE, THREE > 0.2, np.array(["wrong label"] * 3)),
        SelectionDisplay(report),
        SuspectsDisplay([image], [name], [name], THREE[:1], THREE[:1], rows=[0], ids=[name]),
        TrainingDynamicsDisplay(pd.DataFrame({"train_loss": [2.0, 1.0], "valid_acc": [0.5, 0.6]})),
        TransitionMatrixDisplay(np.eye(1), [name]),
    ]


def test_all_displays_are_tested_here():
    names = {name for name in inspection.__all__ if name.endswith("Display")}
    assert {type(display).__name__ for display in make_displays()} == names


@pytest.mark.parametrize("display", make_displays(), ids=lambda d: type(d).__name__)
def test_plot_returns_the_display_with_axes_and_figure(display):
    assert not hasattr(display, "ax_")
    assert display.plot() is display
    assert display.ax_.figure is display.figure_
    display.figure_.canvas.draw()
    assert display.figure_.get_size_inches()[0] <= 7.0  # 700 pixels at matplotlib's own resolution


@pytest.mark.parametrize("display", make_displays(), ids=lambda d: type(d).__name__)
def test_says_how_to_get_matplotlib(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"Display needs matplotlib.*noisyactive\[plot\]"):
        display.plot()


@pytest.mark.parametrize("name", ["$x$", r"$\frac{", "50 $", "a_b^c"])
def test_dollars_are_shown_and_begin_no_formula(name):
    for display in make_displays(name):
        if isinstance(display, (LossVOGDisplay, TrainingDynamicsDisplay)):
            continue  # they show no names
        display.plot().figure_.canvas.draw()
        texts = [text.get_text() for text in display.figure_.findobj(Text)]
        assert not any(map(is_math_text, texts))
        assert any(name in text.replace(r"\$", "$") for text in texts)


def test_package_is_imported_without_matplotlib_and_jinja2():
    code = "import sys; sys.modules.update(matplotlib=None, jinja2=None)\n"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}import noisyactive.inspection"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
