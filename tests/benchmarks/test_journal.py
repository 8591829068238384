"""What an answer costs, and how that grows: `pytest tests/benchmarks/test_journal.py`.

Ratios of seconds in one run. Writing waits for the disk (an answer is on it before the next one
is asked for), so reading and folding, which could grow with the answers, are also given alone.
"""

import statistics
import threading
import time
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from noisyactive.annotate import serve
from noisyactive.journal import Answered, Asked, Journal, JournalWriter, Refitted, Started, fold

CLASSES = np.array([f"class {k}" for k in range(7)])


def new_run(path, n_rows, answers_per_item=1):
    """A journal whose first round asks about all rows."""
    writer = JournalWriter(path, {}, {})
    ids = np.array([f"item {row}" for row in range(n_rows)])
    writer.draft(CLASSES, np.arange(n_rows) % 7, ids, answers_per_item)
    writer.publish([Started(0), Refitted(0.0)])
    writer.write(Asked(tuple(range(n_rows)), budget_left=n_rows), 2)
    return writer


def answer_next(journal, annotator=None):
    """What the page does for an answer: write it, and look at what comes next."""
    begin = time.perf_counter()
    (item,) = journal.open_items(annotator, limit=1)
    journal.latest_answer(annotator, row=item.row)
    journal.answer([item.row], [CLASSES[1]], annotator=annotator, seconds=[1.5], only_open=True)
    journal.n_open(annotator)
    journal.progress()
    return time.perf_counter() - begin


@pytest.mark.parametrize(("needed", "annotator"), [(1, None), (2, "Ada")])
def test_an_answer_in_an_open_round(tmp_path, figure, needed, annotator):
    """With two annotators, what the first has answered waits for the second all along."""
    writer = new_run(tmp_path / "run.db", 12_000, needed)
    journal, seconds = Journal(tmp_path / "run.db"), []
    for number in range(10_400):
        if number == 5_000:
            writer.news(3)  # the process that runs the rounds reads them meanwhile
        seconds.append(answer_next(journal, annotator))
    early, late = (statistics.median(seconds[k : k + 400]) for k in (100, 10_000))
    what = f"an answer of {needed} an item"
    figure(f"{what}, ms after 100", f"{1000 * early:.2f}", "")
    figure(f"{what} after 10,000 to after 100", f"{late / early:.2f}", "<= 1.5")
    writer.close()


def written(path, n_answers):
    """Seconds to write single answers, and to open the journal that holds them."""
    writer = new_run(path, n_answers)
    journal = Journal(path)
    begin = time.perf_counter()
    for row in range(n_answers):
        journal.answer([row], [CLASSES[row % 7]])
    middle = time.perf_counter()
    assert Journal(path).progress().cost == n_answers
    end = time.perf_counter()
    writer.close()
    return middle - begin, end - middle


def folded(n_answers):
    events = [Asked(tuple(range(n_answers)))]
    events += [Answered((row,), (str(CLASSES[row % 7]),)) for row in range(n_answers)]
    begin = time.perf_counter()
    fold(events, CLASSES, np.arange(n_answers) % 7)
    return time.perf_counter() - begin


def test_single_answers_grow_in_proportion(tmp_path, figure):
    few, many = written(tmp_path / "few.db", 10_000), written(tmp_path / "many.db", 100_000)
    for what, a, b in zip(("written", "read again"), few, many, strict=True):
        figure(f"100,000 single answers to 10,000, {what}", f"{b / a:.1f}", "<= 12")
    ratio = folded(100_000) / folded(10_000)
    figure("100,000 single answers to 10,000, folded", f"{ratio:.1f}", "<= 12")


@pytest.mark.parametrize("n_writers", [8])
def test_writers_over_http(tmp_path, figure, n_writers):
    """Each writer answers what is shown in a tab of its own."""
    n_rows = 2_000
    writer = new_run(tmp_path / "run.db", n_rows)
    outcomes = []

    def work(url, tab):
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with httpx.Client(base_url=origin, headers={"Origin": origin}, timeout=300) as client:
            client.get(url)
            while True:
                state = client.get("/api/state", params={"tab": tab}).json()
                if not state["items"]:
                    return
                answer = {"run": state["run"], "row": state["items"][0]["row"], "answer": 1}
                outcomes.append(client.post("/api/answers", json=answer).json()["outcome"])

    with serve(tmp_path / "run.db") as page:
        threads = [
            threading.Thread(target=work, args=(page.url, f"tab {k}")) for k in range(n_writers)
        ]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begin
    answers = Journal(tmp_path / "run.db").answers()
    rows = [answer["row"] for answer in answers]
    assert sorted(rows) == list(range(n_rows))  # none lost, none double
    assert outcomes.count("recorded") == n_rows
    figure(f"answers a second, {n_writers} writers over HTTP", f"{n_rows / seconds:.0f}", "> 100")
    writer.close()
