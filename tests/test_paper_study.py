"""The study of the paper's figures: its smallest size, end to end, as a command."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel
from sklearn.metrics import f1_score, recall_score

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.datasets import load_long_tailed_digits

PAPER = Path(__file__).resolve().parents[1] / "examples" / "paper"
SEEDS = [0, 1]
METHODS = ["CE + random", "VOG m=0 + random", "VOG m=1 + random", "VOG m=1 + coreset"]
METHODS += ["VOG m=1 + coreset, leak", "crossfit m=1 + rare_entropy", "all labels clean"]
SMALL = ["--epochs", "8", "--fine-tune-epochs", "1", "--rounds", "3", "--mix-ratio", "0", "1"]
SMALL += ["--batch-size", "64", "--lr", "0.03"]  # quick
SMALL += ["--seeds", *map(str, SEEDS), "--methods", *METHODS, "--reference-leak"]
SMALL += ["--strategies", "random", "coreset"]
TIMES = ("first_phase_seconds", "seconds", "peak_memory_mb")

matplotlib.use("Agg")
pytestmark = pytest.mark.slow


def run(script, *arguments):
    result = subprocess.run(
        [sys.executable, "-W", "error", str(PAPER / script), *map(str, arguments)],
        env={**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def here(monkeypatch):
    """Import a script, to call its functions in this process; it is gone afterwards."""
    monkeypatch.syspath_prepend(PAPER)
    yield import_module
    for file in PAPER.glob("*.py"):
        sys.modules.pop(file.stem, None)


def read(folder):
    results = [json.loads(file.read_text()) for file in folder.glob("*/*.json")]
    return {(result["method"], result["seed"]): result for result in results}


def without_times(result):
    return {key: value for key, value in result.items() if key not in TIMES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    run("study.py", "--out", folder, *SMALL)
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return read(folder)


@pytest.fixture(scope="module")
def tables(folder):
    """Rows of both tables as dicts, by the first cell."""
    rows, header = {}, None
    for line in run("tables.py", folder).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            header = None
        elif header is None:
            header = cells
        else:
            rows[cells[0]] = list(zip(header, cells, strict=True))
    return rows


def test_every_method_and_seed_has_its_file(results):
    assert set(results) == {(method, seed) for method in METHODS for seed in SEEDS}


def test_a_run_is_what_the_public_estimators_do_by_themselves(results):
    run = results["VOG m=1 + coreset", 1]["rounds"]
    digits = load_long_tailed_digits(random_state=1)
    y_noisy = UniformLabelNoise(0.4, random_state=1).fit_transform(digits.y_train)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        net = CoTeachingVOGClassifier(
            mix_ratio=1,
            max_epochs=8,
            batch_size=64,
            lr=0.03,
            forget_rate=float((y_noisy != digits.y_train).mean()),
            random_state=1,
        )
        cleaner = ActiveLabelCleaner(
            net,
            "coreset",
            n_rounds=3,
            round_budget=0.022,
            pool="untrusted",
            trust="once",
            fine_tune_epochs=1,
            fine_tune_lr=0.01,
            class_balance=0,
            random_state=1,
        ).fit(digits.X_train, y_noisy, y_clean=digits.y_train)
        net.fit(digits.X_train, y_noisy)
        predicted = cleaner.predict(digits.X_test)
    finally:
        torch.set_num_threads(threads)
    assert run[-1]["f1"] == pytest.approx(f1_score(digits.y_test, predicted, average="macro"))
    assert run[-1]["recall"] == pytest.approx(recall_score(digits.y_test, predicted, average=None))
    assert [step["bought"] for step in run] == cleaner.history_["cost"].tolist()
    assert run[-1]["was_wrong"] == cleaner.history_["changed"].sum()
    right = y_noisy == digits.y_train
    for label in range(10):
        rows = right & (digits.y_train == label)
        assert run[0]["found"][label] == pytest.approx(net.clean_mask_[rows].mean())
        says_so = net.clean_mask_ & (y_noisy == label)
        if says_so.any():
            assert run[0]["guess"][label] == pytest.approx(right[says_so].mean())


def test_tables_are_the_means_of_the_files(results, tables):
    def scores(method, step):
        return [results[method, seed]["rounds"][step]["f1"] for seed in SEEDS]

    for method in METHODS:
        row = dict(tables[method])
        for column, step in (("macro F1 before", 0), ("macro F1 after", -1)):
            one, two = scores(method, step)
            # Two values are as far apart as the square root of 2 times their deviation.
            text = f"{(one + two) / 2:.3f} ± {abs(one - two) / 2**0.5:.3f}"
            assert row[column] == text
    paired = ttest_rel(scores("VOG m=1 + coreset", -1), scores("VOG m=1 + random", -1))
    interval = paired.confidence_interval(0.95)
    mean = np.subtract(scores("VOG m=1 + coreset", -1), scores("VOG m=1 + random", -1)).mean()
    against = dict(tables["VOG m=1 + coreset"])["against random (random: no answers)"]
    assert against == f"{mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    sizes = results["CE + random", 0]["class_sizes"]
    assert sizes == sorted(sizes, reverse=True)  # so the rarest are the last three
    found = [
        np.mean(results["VOG m=1 + random", seed]["rounds"][0]["found"][-3:]) for seed in SEEDS
    ]
    assert dict(tables["VOG m=1"])["found, rare"].startswith(f"{np.mean(found):.3f} ± ")


def test_summary(folder, results):
    lines = run("summary.py", folder).splitlines()
    (row,) = [line.strip("| ").split(" | ") for line in lines if " | 2 | 1 | " in line]
    moved = []
    for seed in SEEDS:
        start, vog = (results[f"VOG m={m} + random", seed]["rounds"][0] for m in (0, 1))
        gained = sum(vog["n_trusted"][-3:]) - sum(start["n_trusted"][-3:])
        moved.append(gained / sum(start["n_labels"][-3:]))
    assert row[-1] == f"{np.mean(moved):+.2f}"
    recall = [
        np.mean(results["VOG m=0 + random", seed]["rounds"][0]["recall"][-3:]) for seed in SEEDS
    ]
    assert row[5] == f"{np.mean(recall):.3f}"
    gain = np.subtract(
        *(
            [results[f"VOG m={m} + random", seed]["rounds"][0]["f1"] for seed in SEEDS]
            for m in (1, 0)
        )
    )
    assert row[8].startswith(f"{gain.mean():+.3f} [")
    # Answers: random picks against none, and how many until the ceiling.
    last = {m: [results[m, seed]["rounds"][-1] for seed in SEEDS] for m in METHODS}
    f1 = {method: np.array([step["f1"] for step in steps]) for method, steps in last.items()}
    cell = (f1["VOG m=1 + coreset"] - f1["VOG m=1 + random"]).mean()
    assert any(f" | {cell:+.3f} [" in line for line in lines)
    (row,) = [
        line.strip("| ").split(" | ") for line in lines if " | 494 | " in line and " | 1 | " in line
    ]
    assert row[2] == f"{f1['all labels clean'].mean():.3f}"
    assert row[-1].startswith(f"{f1['VOG m=1 + coreset, leak'].mean():.3f} ± ")


def test_comparison(folder, results):
    ours, theirs = "crossfit m=1 + rare_entropy", "VOG m=1 + coreset"
    lines = run("compare.py", folder, "--method", ours).splitlines()
    (row,) = [line.strip("| ").split(" | ") for line in lines if f"| {theirs} |" in line]
    curves = [
        np.array([[r["f1"] for r in results[method, seed]["rounds"][1:]] for seed in SEEDS])
        for method in (ours, theirs)
    ]
    lead = curves[0] - curves[1]
    assert row[2] == "2"
    for cell, numbers in ((row[4], lead[:, -1]), (row[5], lead.mean(axis=1))):
        paired = ttest_rel(numbers, [0, 0]).confidence_interval(0.95)
        assert cell == f"{numbers.mean():+.3f} [{paired.low:+.3f}, {paired.high:+.3f}]"
    least = lead.mean(axis=0)
    assert row[6] == f"{least.min():+.3f} ({least.argmin() + 1})"
    rare = [
        np.mean([results[method, seed]["rounds"][-1]["class_f1"][-3:] for seed in SEEDS])
        for method in (ours, theirs)
    ]
    assert row[7].startswith(f"{rare[0] - rare[1]:+.3f} [")
    seconds = [sum(results[m, seed]["seconds"] for seed in SEEDS) for m in (ours, theirs)]
    assert row[8] == f"{seconds[0] / seconds[1]:.1f}x"


def test_a_strategy_of_ones_own_and_an_expert_who_errs_and_skips(tmp_path, monkeypatch, here):
    (tmp_path / "mine.py").write_text(
        "def first_come(learner, X, n_instances=1):\n    return list(range(n_instances))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = [
        "study.py",
        "--epochs",
        "8",
        "--fine-tune-epochs",
        "1",
        "--rounds",
        "2",
        "--budget",
        "40",
    ]
    settings += ["--strategies", "mine:first_come", "--methods", "VOG m=0 + first_come"]
    settings += ["--seeds", "0"]
    wrong = {}
    for error, skip in ((0, 0), (0.5, 0), (0, 0.5)):
        out = tmp_path / f"{error}-{skip}"
        options = ["--out", out, "--expert-error", error, "--expert-skip", skip]
        monkeypatch.setattr(sys, "argv", [*settings, *map(str, options)])
        here("study").main()
        (result,) = read(out).values()
        assert [step["bought"] for step in result["rounds"]] == [0, 40, 80]
        wrong[error, skip] = result["rounds"][-1]["still_wrong"]
        n_wrong = result["rounds"][0]["still_wrong"]
    assert wrong[0, 0] < wrong[0, 0.5] < n_wrong
    assert wrong[0, 0] < wrong[0.5, 0]


def test_features_of_a_frozen_network_stand_for_the_images(tmp_path, monkeypatch, here):
    settings = ["study.py", "--epochs", "4", "--fine-tune-epochs", "1", "--rounds", "1"]
    settings += ["--seeds", "0", "--methods", "VOG m=0 + random", "CE + random", "--mix-ratio", "0"]
    settings += ["--frozen", "--backbone", "squeezenet1_1", "--weights", "random"]
    (tmp_path / "digits.npz").touch()
    study, data = here("study"), here("data")
    loaded = data.load("digits", None, 10, 0)
    large = {
        name: np.kron(X, np.ones((1, 1, 4, 4), dtype=X.dtype)) if name.startswith("X") else X
        for name, X in loaded.items()
    }  # the network takes nothing as small as 8 pixels
    monkeypatch.setattr(study, "load", lambda *_: type(loaded)(**large))
    monkeypatch.setattr(sys, "argv", [*settings, "--out", str(tmp_path)])
    study.main()
    results = read(tmp_path)
    assert {method for method, _ in results} == {"VOG m=0 + random", "CE + random"}
    for result in results.values():
        assert result["setting"]["frozen"]
        assert [step["bought"] for step in result["rounds"]][0] == 0
        assert result["rounds"][-1]["f1"] > 0
    n_batches = sum(-(-len(loaded[f"X_{part}"]) // 32) for part in ("train", "val", "test"))
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) == n_batches


def test_the_figure_has_the_mean_scores_of_every_method(folder, results, tables, here):
    (file,) = folder.glob("*.png")
    assert plt.imread(file).std() > 0.05  # the command drew something; what, is seen here
    (methods,) = here("results").read(folder).values()
    figure = here("figures").plot(methods, "title")
    lines = {line.get_label(): line for ax in figure.axes for line in ax.lines}
    assert set(lines) == set(METHODS)
    for method, line in lines.items():
        runs = [results[method, seed]["rounds"] for seed in SEEDS]
        mean = np.mean([[step["f1"] for step in rounds] for rounds in runs], axis=0)
        if method == "all labels clean":
            assert set(line.get_ydata()) == {mean[-1]}
        else:
            np.testing.assert_allclose(line.get_ydata(), mean)
            bought = np.mean([[step["bought"] for step in rounds] for rounds in runs], axis=0)
            np.testing.assert_allclose(line.get_xdata(), bought)
    plt.close(figure)


def test_a_study_that_was_stopped_goes_on(folder, results, tmp_path):
    (file,) = folder.glob("*/VOG_m=1_+_coreset_0.json")
    times = {other: other.stat().st_mtime_ns for other in folder.glob("*/*.json")}
    file.unlink()
    out = run("study.py", "--out", folder, *SMALL, "--jobs", "2")
    assert len(out.splitlines()) == 1 and "VOG m=1 + coreset " in out
    again = {other: other.stat().st_mtime_ns for other in folder.glob("*/*.json")}
    assert {other for other in times if times[other] != again[other]} == {file}
    for key, result in read(folder).items():
        assert without_times(result) == without_times(results[key])
    assert not list(folder.glob("*/*.tmp"))


def test_the_leak_gives_labels_away_and_is_not_charged(results):
    for seed in SEEDS:
        honest = results["VOG m=1 + coreset", seed]["rounds"]
        leaked = results["VOG m=1 + coreset, leak", seed]["rounds"]
        assert leaked[0] == honest[0]
        assert [step["bought"] for step in leaked] == [step["bought"] for step in honest]
        assert not any(step["given_away"] for step in honest)
        assert 0 < leaked[1]["given_away"] == leaked[-1]["given_away"] < 494
        assert honest[1]["precision"] < leaked[1]["precision"] == 1
        # The free labels were right labels for the most part; every wrong one was put right.
        n_wrong = round((1 - honest[0]["precision"]) * leaked[1]["given_away"])
        assert n_wrong > 0
        assert honest[1]["still_wrong"] - leaked[1]["still_wrong"] == n_wrong
