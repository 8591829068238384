"""The README keeps its word."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_it_holds_exactly_two_commands_and_ci_runs_the_one_for_tests():
    main_job, tests = blocks("bash")
    assert main_job.strip().endswith("examples/plot_quickstart.py")
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_code_runs():
    namespace = {}
    for block in blocks("python"):
        exec(block, namespace)
    assert namespace["net"].clean_mask_.shape == namespace["net"].sample_loss_.shape
    assert set(namespace["search"].best_params_) == {"coteachingvogclassifier__mix_ratio"}
