"""``python -m noisyactive.audit``: for people who do not write Python."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_iris

from noisyactive.audit.__main__ import main


@pytest.fixture
def table(tmp_path):
    """Iris with five wrong labels, names and a column of words; file of the table, wrong rows."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["=setosa", "<b>versicolor", "virginica"])
    wrong = np.arange(5, 150, 30)
    y[wrong] = (y[wrong] + 1) % 3
    X["colour"] = np.where(np.arange(150) % 2, "red", "blue")
    X["species"], X["file"] = names[y], [f"{i}.png" for i in range(150)]
    X.to_csv(tmp_path / "flowers.csv", index=False)
    np.save(tmp_path / "features.npy", X.iloc[:, :4].to_numpy())
    return tmp_path / "flowers.csv", wrong


def test_writes_a_table_and_a_report(table):
    file, wrong = table
    command = [sys.executable, "-m", "noisyactive.audit", file, "--label", "species", "--id"]
    done = subprocess.run([*command, "file"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "of 150 labels are doubtful" in done.stdout
    issues = pd.read_csv(file.with_name("flowers-issues.csv"))
    assert list(issues.columns) == ["file", "given", "suggested", "quality", "is_issue", "why"]
    assert set(issues["file"][:8]) >= {f"{i}.png" for i in wrong}
    assert "'=setosa" in set(issues["given"])  # not a formula
    page = file.with_name("flowers-issues.html").read_text()
    assert "&lt;b&gt;versicolor" in page and "<b>" not in page
    assert f"{wrong[0]}.png" in page


def test_judges_by_features_or_by_probabilities(table, capsys):
    file, wrong = table
    features, label = file.with_name("features.npy"), ["--label", "species"]
    out = ["--out", str(file.with_name("f"))]
    assert main([str(file), *label, "--features", str(features), *out]) == 0
    issues = pd.read_csv(file.with_name("f-issues.csv"))
    assert set(issues["row"][:8]) >= set(wrong)
    y = pd.read_csv(file)["species"]
    proba = np.full((150, 3), 0.05)
    proba[np.arange(150), np.array([1, 0, 2])[load_iris().target]] = 0.9  # as labels are sorted
    np.save(file.with_name("p.npy"), proba)
    assert main([str(file), *label, "--proba", str(file.with_name("p.npy"))]) == 0
    issues = pd.read_csv(file.with_name("flowers-issues.csv"))
    assert set(issues["row"][:5]) == set(wrong)
    assert len(y) == len(issues)
    capsys.readouterr()


def test_the_report_shows_images_and_compares_features(table, capsys):
    file, wrong = table
    frame = pd.read_csv(file)
    frame["part"] = np.where(np.arange(150) < 100, "train", "test")
    frame.to_csv(file, index=False)
    X = np.load(file.with_name("features.npy"))
    X[149] = X[3]
    np.save(file.with_name("features.npy"), X)
    folder = file.with_name("images")
    folder.mkdir()
    Image.new("L", (9, 9), 200).save(folder / f"{wrong[0]}.png")
    options = ["--label", "species", "--id", "file", "--split", "part", "--images", str(folder)]
    features = ["--features", str(file.with_name("features.npy"))]
    assert main([str(file), *options, *features]) == 0, capsys.readouterr().err
    page = file.with_name("flowers-issues.html").read_text()
    assert "across the split" in page and "149.png" in page and "Outliers" in page
    assert page.count("<img") >= 1 and "no image of this item" in page
    proba = np.tile([0.4, 0.3, 0.3], (150, 1))
    np.save(file.with_name("p.npy"), proba)
    known = ["--proba", str(file.with_name("p.npy"))]
    assert main([str(file), *options, *known, *features]) == 0, capsys.readouterr().err
    assert "across the split" in file.with_name("flowers-issues.html").read_text()
    assert main([str(file), *options, *known]) == 2
    assert "--split need --features" in capsys.readouterr().err
    assert main([str(file), *options[:-1], "missing"]) == 2
    assert "missing" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:The held-out class probabilities tell nothing")
def test_rare_words_do_not_make_rows_equal(tmp_path, capsys):
    """The classifier knows the 200 most frequent values alone; the report compares all."""
    words = [f"w{i}" for i in range(250)]
    frame = pd.DataFrame({"word": words * 2, "n": [0] * 500, "kind": [*"ab"] * 250})
    frame["n"] = np.arange(500) // 250
    frame.loc[499, ["word", "n"]] = frame.loc[240, ["word", "n"]]
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert main([str(tmp_path / "t.csv"), "--label", "kind"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    page = (tmp_path / "t-issues.html").read_text()
    assert "Sets of duplicates</dt><dd>1</dd>" in page


def test_what_cannot_be_is_told(table, capsys):
    file, _ = table
    short = str(file.with_name("short.npy"))
    np.save(short, np.zeros((9, 2)))
    for arguments, message in (
        (["--label", "kind"], "--label 'kind' is no column"),
        (["--label", "species", "--features", "none.npy"], "none.npy"),
        (
            ["--label", "species", "--features", short],
            f"--features {short} has 9 rows, and the table 150",
        ),
        (["--label", "species", "--cv", "1"], "'cv' parameter"),
        (["--label", "kind", "--out", short + "/x"], "there is no folder"),  # said before any work
    ):
        assert main([str(file), *arguments]) == 2
        assert message in capsys.readouterr().err
    assert not list(file.parent.glob("*issues*"))


def test_tables_that_cannot_be_read_are_named(tmp_path, capsys):
    file = tmp_path / "t.csv"
    for data, message in (
        ("n,ort\n1,Köln\n".encode("latin-1"), f"{file} cannot be read as a CSV file in UTF-8"),
        (b"", f"{file} cannot be read as a CSV file in UTF-8"),
        (b"n,ort\n1,a\n2,\n", "--label 'ort' is empty in 1 of 2 rows: fill them in"),
        (b"n,ort\n1,a\n,b\n", "--group 'n' is empty in 1 of 2 rows: fill them in"),
    ):
        file.write_bytes(data)
        assert main([str(file), "--label", "ort", "--group", "n"]) == 2
        assert message in capsys.readouterr().err


def test_rows_that_are_in_a_group_stay_together(table, capsys):
    file, _ = table
    frame = pd.read_csv(file)
    frame["patient"] = np.arange(150) // 5
    frame.to_csv(file, index=False)
    assert main([str(file), "--label", "species", "--id", "file", "--group", "patient"]) == 0
    capsys.readouterr()


def test_ids_and_labels_stay_as_they_are_written(tmp_path, capsys):
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=60)
    frame = pd.DataFrame(
        {
            "given": [f"{i:05d}" if i else "0\r=x" for i in range(60)],
            "kind": np.array(["None", "NA", "02"])[kind],
            "size": kind + rng.normal(0, 0.1, 60),
        }
    )
    file = tmp_path / "t.csv"
    frame.to_csv(file, index=False, lineterminator="\r\n")
    assert main([str(file), "--label", "kind", "--id", "given", "--cv", "3"]) == 0, (
        capsys.readouterr().err
    )
    capsys.readouterr()
    lines = (tmp_path / "t-issues.csv").read_bytes().decode()
    assert '"0\r=x"' in lines and not any(line.startswith("=") for line in lines.split("\r\n"))
    text = pd.read_csv(tmp_path / "t-issues.csv", dtype=str, keep_default_na=False)
    assert {value.lstrip("'") for value in text.iloc[:, 0]} == set(frame["given"])
    assert {value.lstrip("'") for value in text.iloc[:, 1]} == {"None", "NA", "02"}


def test_arrays_that_are_none_are_told(table, capsys):
    file, _ = table
    np.savez(file.with_name("z.npz"), a=1)
    file.with_name("empty.npy").write_bytes(b"")
    for name in ("z.npz", "empty.npy"):
        assert main([str(file), "--label", "species", "--features", str(file.with_name(name))]) == 2
        assert name in capsys.readouterr().err
