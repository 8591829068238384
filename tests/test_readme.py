"""The README keeps its word."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """Of a Markdown file's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_it_holds_exactly_two_commands_and_ci_runs_the_one_for_tests():
    main_job, tests = blocks("bash")
    assert main_job.strip().endswith("examples/plot_quickstart.py")
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 120
    assert len("".join(blocks("python")).splitlines()) <= 35


def test_its_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        if not (ROOT / path).is_file() or (anchor and anchor not in anchors(ROOT / path)):
            broken.append(link)
    assert len(links) > 20
    assert broken == []


def test_its_commands_name_files_that_exist():
    paths = re.findall(r"\b(?:examples|tests)/[\w/.]*\w", README)
    assert len(paths) >= 4
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.slow
def test_its_code_runs():
    namespace = {}
    exec("".join(blocks("python")), namespace)
    y, y_noisy = namespace["y"], namespace["y_noisy"]
    worst = namespace["issues"].index[:50]
    assert (y[worst] != y_noisy[worst]).mean() > 0.8
    cleaner = namespace["cleaner"]
    assert cleaner.history_["cost"].tolist() == [0, 25, 50]
    assert (cleaner.labels_ != y).sum() < (y_noisy != y).sum()
    low, high = namespace["net"].forget_rate_interval_
    assert low < (y_noisy != y).mean() < high
