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
    # Fewer and larger steps than a reader's.
    quick = {"(mix_ratio=0.5,": "(mix_ratio=0.5, max_epochs=16, batch_size=100,"}
    quick["(max_epochs=20,"] = "(max_epochs=16, batch_size=100,"
    code = "".join(blocks("python"))
    for setting, other in quick.items():
        assert code.count(f"CoTeachingVOGClassifier{setting}") == 1
        code = code.replace(setting, other)
    namespace = {}
    exec(code, namespace)
    assert namespace["net"].clean_mask_.shape == namespace["net"].sample_loss_.shape
    cleaner = namespace["cleaner"]
    assert namespace["net"].max_epochs == cleaner.estimator.max_epochs == 16
    assert cleaner.history_["cost"].tolist() == [0, 5, 10, 15]
    assert set(namespace["search"].best_params_) == {"coteachingvogclassifier__mix_ratio"}
