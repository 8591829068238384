"""What the quickstart shows: one quick draw; over several draws, those marked ``statistical``."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import ttest_rel

from noisyactive import quickstart

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "plot_quickstart.py"
SEEDS = range(10, 15)  # other than those its settings were chosen on

matplotlib.use("Agg")


@pytest.mark.parametrize("command", [[EXAMPLE], ["-m", "noisyactive.quickstart"]], ids=str)
def test_it_starts_from_any_folder(command, tmp_path):
    ran = subprocess.run(
        [sys.executable, *command, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "--quick" in ran.stdout and "which ones to trust" in ran.stdout


def test_counts_have_no_decimals(capsys):
    quickstart.print_table({"none": {"macro F1": 1.0, "answers": 0, "still wrong": 1.0}})
    assert capsys.readouterr().out.splitlines()[1].split() == ["none", "1.00", "0", "1"]


@pytest.mark.slow
def test_one_quick_draw(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (study,) = quickstart.main(["--quick", "--seeds", "11"])
    learning, cleaning = study["learning"], study["cleaning"]
    vog, plain = learning["Co-teaching VOG"], learning["Co-teaching"]
    assert vog["found, rare"] > plain["found, rare"] + 0.1
    assert vog["macro F1"] > learning["Cross-entropy"]["macro F1"] + 0.03
    assert learning["Cross-entropy"]["precision"] < 0.65  # 40% of the labels are wrong
    for method in (vog, plain):
        assert method["precision"] > 0.8
        assert method["found"] > 0.7
    f1 = {name: row["macro F1"] for name, row in cleaning.items()}
    assert f1["coreset"] > max(f1["no answers"], f1["random picks"])
    assert f1["the defaults"] > max(f1["no answers"], f1["random picks"]) + 0.05
    assert f1["all labels clean"] > f1["coreset"] - 0.02
    for name in ("random picks", "coreset", "the defaults"):
        right = study["y_train"] == study["y_noisy"]
        corrected = (~right).sum() - cleaning[name]["still wrong"]
        assert cleaning[name]["answers"] == 88  # 4 rounds of 22
        assert corrected == pytest.approx(88 * cleaning[name]["were wrong"])
    printed = capsys.readouterr().out
    assert f"{len(right)} images, {(~right).mean():.1%} of the labels wrong" in printed
    (row,) = [line for line in printed.splitlines() if line.startswith("the defaults")]
    assert row.split()[2:4] == [f"{f1['the defaults']:.2f}", "88"]
    plt.close("all")
    assert plt.imread(tmp_path / "quickstart.png").std() > 0.05


@pytest.fixture(scope="module")
def studies():
    return [quickstart.study(seed) for seed in SEEDS]


def by_method(tables):
    """Values of every method and measure over the seeds."""
    return {
        method: {
            measure: np.array([table[method][measure] for table in tables])
            for measure in tables[0][method]
        }
        for method in tables[0]
    }


@pytest.fixture
def results(studies):
    return by_method([study["learning"] for study in studies])


@pytest.fixture
def cleaning(studies):
    return by_method([study["cleaning"] for study in studies])


@pytest.mark.slow
@pytest.mark.statistical
def test_vog_finds_more_of_the_rare_classes(results):
    vog = results["Co-teaching VOG"]["found, rare"]
    plain = results["Co-teaching"]["found, rare"]
    assert (vog - plain).mean() > 0.1, (vog, plain)
    assert ttest_rel(vog, plain, alternative="greater").pvalue < 0.05, (vog, plain)


@pytest.mark.slow
@pytest.mark.statistical
def test_both_are_well_above_plain_cross_entropy(results):
    plain = results["Cross-entropy"]["macro F1"]
    co_teaching = results["Co-teaching"]["macro F1"]
    vog = results["Co-teaching VOG"]["macro F1"]
    # Co-teaching alone can lose a rare class altogether, and with it a seed: a mean, no test.
    assert (co_teaching - plain).mean() > 0.03, (co_teaching, plain)
    assert (vog - plain).mean() > 0.08, (vog, plain)
    assert ttest_rel(vog, plain, alternative="greater").pvalue < 0.05, (vog, plain)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["Co-teaching", "Co-teaching VOG"])
def test_what_is_trusted_is_mostly_correct(results, method):
    assert results["Cross-entropy"]["precision"].mean() < 0.65  # 40% of the labels are wrong
    assert results[method]["precision"].mean() > 0.8
    assert results[method]["found"].mean() > 0.7


@pytest.mark.slow
@pytest.mark.statistical
def test_answers_are_worth_more_than_tuning_and_than_random_picks(cleaning):
    coreset = cleaning["coreset"]["macro F1"]
    no_answers = cleaning["no answers"]["macro F1"]
    random = cleaning["random picks"]["macro F1"]
    assert (cleaning["coreset"]["answers"] == 88).all()
    assert (coreset - no_answers).mean() >= 0.09, (coreset, no_answers)
    assert (coreset - random).mean() >= 0.015, (coreset, random)
    assert ttest_rel(coreset, random, alternative="greater").pvalue < 0.05, (coreset, random)
    assert coreset.mean() < cleaning["all labels clean"]["macro F1"].mean()


@pytest.mark.slow
@pytest.mark.statistical
def test_the_defaults_come_nearer_to_clean_labels_for_as_many_answers(cleaning):
    defaults = cleaning["the defaults"]["macro F1"]
    coreset = cleaning["coreset"]["macro F1"]
    assert (cleaning["the defaults"]["answers"] == 88).all()
    assert (defaults - coreset).mean() >= 0.01, (defaults, coreset)
