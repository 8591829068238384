"""The labelling page from Python and on the command line, and what it says when it cannot be."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from noisyactive.annotate import serve
from noisyactive.annotate.__main__ import main
from noisyactive.cleaning import Journal

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "annotate_digits.py"


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_it_prints_and_holds_its_address(start_run, serving, capsys):
    page = serving(start_run().journal)
    assert capsys.readouterr().out == f"Label at {page.url}\n"
    assert page.url.startswith("http://127.0.0.1:")


def test_two_at_a_time(start_run, serving, visit):
    run = start_run()
    first, second = visit(serving(run.journal)), visit(serving(run.journal))
    first.answer(run.rows[0], 1)
    assert second.state()["items"][0]["row"] == run.rows[1]


def test_the_same_port_and_token_keep_open_pages_valid(start_run, serving, visit, free_port):
    run = start_run()
    same = {"token": "0123456789abcdef", "port": free_port()}
    page = serving(run.journal, **same)
    visitor = visit(page)
    page.close()
    serving(run.journal, **same)
    assert visitor.answer(run.rows[0], 1) == "recorded"


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"annotator": ""}, "annotator must be text"),
        ({"annotator": "a\nb"}, "annotator must be text"),
        ({"annotator": 5}, "annotator must be text"),
        ({"annotator": "x" * 101}, "annotator must be text"),
        ({"port": -1}, "port must be an int from 0 to 65535"),
        ({"port": 70000}, "port must be an int from 0 to 65535"),
        ({"port": "80"}, "port must be an int from 0 to 65535"),
        ({"host": "no such host"}, "not an address of this machine"),
        ({"host": "203.0.113.1"}, "cannot be used"),
        ({"images": "no such folder"}, "There is no folder"),
        ({"images": 5}, "images must be a folder"),
    ],
    ids=str,
)
def test_bad_parameters(start_run, options, sentence):
    with pytest.raises((OSError, TypeError, ValueError), match=sentence):
        serve(start_run().journal, **options)


def test_errors_of_the_command_are_one_sentence(start_run, tmp_path, capsys, taken_port):
    journal = str(start_run().journal)
    (tmp_path / "damaged.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (tmp_path / "text.db").write_text("no journal")
    (tmp_path / "empty.db").touch()
    for arguments, expected in [
        ([str(tmp_path / "none.db")], "There is no journal"),
        ([str(tmp_path / "damaged.db")], "is damaged, or no journal"),
        ([str(tmp_path / "text.db")], "is damaged, or no journal"),
        ([str(tmp_path / "empty.db")], "is empty"),
        ([journal, "--images", str(tmp_path / "nothing")], "There is no folder"),
        ([journal, "--images", journal], "is not a folder"),
        ([journal, "--port", str(taken_port)], f"Port {taken_port} of 127.0.0.1 cannot be used"),
        ([journal, "--annotator", ""], "annotator must be text"),
        ([journal, "--text", "note"], "add --table"),
        ([journal, "--table", str(tmp_path / "none.csv")], "none.csv"),
        ([journal, "--table", str(tmp_path / "text.db")], "text.db"),
        ([journal, "--guideline", str(tmp_path / "none.md")], "none.md"),
        ([journal, "--reference", str(tmp_path / "none")], "There is no folder"),
        ([journal, "--annotators", "Ada", "ada"], "must differ"),
        ([journal, "--adjudicator", "Dora"], "adjudicator needs annotators"),
    ]:
        assert main(["--no-browser", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("noisyactive.annotate: ") and expected in captured.err
        assert captured.err.count("\n") == 1 and captured.out == ""


def test_without_the_extra_it_says_what_to_install(start_run):
    code = """
import runpy, sys
sys.modules["starlette.applications"] = None
sys.argv = ["annotate", sys.argv[1], "--no-browser"]
runpy.run_module("noisyactive.annotate", run_name="__main__")
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(start_run().journal)], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert 'pip install "noisyactive[annotate]"' in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_command_ends_with_ctrl_c(start_run):
    command = [sys.executable, "-m", "noisyactive.annotate", str(start_run().journal)]
    with subprocess.Popen(
        [*command, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What runs in a shell's background ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            url = process.stdout.readline().split()[-1]
            assert httpx.get(url, timeout=300).status_code == 200
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 0 and error == ""


@pytest.mark.slow
def test_the_example_goes_on_where_it_was(visit, tmp_path):
    uncertain = "ignore:The share of wrong labels is uncertain"  # so it is, after few epochs
    command = [sys.executable, "-W", "error", "-W", uncertain, str(EXAMPLE)]
    command += ["--no-browser", "--quick"]
    command += ["--rounds", "2", "--round-budget", "2", "--journal", str(tmp_path / "digits.db")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    scores, answered = [], []
    for _ in range(2):  # the first one is killed in the middle of a round
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            lines = iter(process.stdout.readline, "")
            url = next(line for line in lines if line.startswith("Label at")).split()[-1]
            visitor = visit(url)
            while not scores or visitor.state()["progress"]["budget_left"]:
                if items := visitor.state()["items"]:
                    visitor.answer(items[0]["row"], items[0]["suggested"])
                    answered.append(items[0]["row"])
                    if not scores:
                        scores.append(next(lines))
                        process.kill()
                        break
                time.sleep(0.05)
            rest = list(lines)
    assert rest[0] == scores[0] and "after round 0: 0 answers" in rest[0]
    assert "after round 1: 2 answers" in rest[1] and "after round 2: 4 answers" in rest[2]
    assert "labels were wrong" in rest[3]
    assert [a["row"] for a in Journal(tmp_path / "digits.db").answers()] == answered
    assert len(answered) == 4  # the one before the kill is among them


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_table_and_several_people_on_the_command_line(start_run, visit, tmp_path):
    run = start_run()
    table = tmp_path / "notes.csv"
    lines = [f"{item};seen {row};secret" for row, item in enumerate(run.ids)]
    table.write_text("\n".join(["id;note;other", *lines]), encoding="utf-16")
    command = [sys.executable, "-m", "noisyactive.annotate", str(run.journal), "--no-browser"]
    command += [
        "--port",
        "0",
        "--table",
        str(table),
        "--text",
        "note",
        "--annotators",
        "Ada",
        "Ben",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            urls = [process.stdout.readline().split(" labels at ") for _ in range(2)]
            assert [name for name, _ in urls] == ["Ada", "Ben"]
            visitor = visit(urls[1][1].strip())
            row = visitor.state()["items"][0]["row"]
            parts = visitor.http.get(f"/api/items/{row}").json()["parts"]
            assert [part["text"] for part in parts] == [f"seen {row}"]
            assert visitor.answer(row, 1) == "recorded"
        finally:
            process.kill()
    assert [a["annotator"] for a in Journal(run.journal).answers()] == ["Ben"]
