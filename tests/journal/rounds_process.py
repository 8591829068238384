"""Another process at work on a journal: it runs rounds, or answers; it may be told when to die.

Run by `runpy` in children of a fork server, which has imported everything already.
"""

import gc
import os
import signal
import sqlite3
import time
import warnings
from functools import partial

import numpy as np
import torch
from sklearn.datasets import make_blobs
from sklearn.linear_model import SGDClassifier
from skorch import NeuralNetClassifier

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.cleaning import Journal

WRITES = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "CREATE", "COMMIT", "PRAGMA APP", "PRAGMA USER",
          "PRAGMA JOURNAL")  # fmt: skip


def data():
    X, y = make_blobs([20, 12, 8], n_features=3, cluster_std=2.0, random_state=1)
    X = X.astype(np.float32)  # as skorch needs it
    ids = [f"case-{row:03}" for row in range(len(y))]
    return X, y, UniformLabelNoise(0.3, random_state=1).fit_transform(y), ids


def make_cleaner(journal=None, model="sgd", **changes):
    # Each refit goes on from the one before, so that a resumed run has to get all of them right.
    settings = {"n_rounds": 3, "round_budget": 4, "pool": "unverified", "fine_tune_epochs": 2}
    models = {
        # Without much regularisation it is so sure that scikit-learn before 1.8 finds NaN.
        "sgd": SGDClassifier(loss="log_loss", alpha=0.1, random_state=0),
        "net": CoTeachingVOGClassifier(
            max_epochs=4,
            forget_rate=0.3,
            ramp_epochs=2,
            warmup_epochs=2,
            vog_window=2,
            batch_size=16,
        ),
        "skorch": NeuralNetClassifier(
            torch.nn.Linear,
            module__in_features=3,
            module__out_features=3,
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=10,
            train_split=None,
            verbose=0,
        ),
    }
    if model == "sgd":  # a quick run, for what happens to the journal alone
        settings["trust"] = "all"
    settings.update(changes)
    return ActiveLabelCleaner(models[model], journal=journal, random_state=0, **settings)


def outcome(cleaner):
    """What has to be the same, to the bit, however often a run was interrupted."""
    X = data()[0]
    return {
        "labels": cleaner.labels_,
        "rounds": cleaner.relabelled_round_,
        "proba": cleaner.predict_proba(X),
        **{f"history {key}": column for key, column in cleaner.history_.items()},
    }


def interrupt_at_alarm():
    """An alarm, at any instruction, becomes the signal that Ctrl-C sends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))


def run_rounds(journal, log=None, result=None, n_at_once=2, ends=None, **changes):
    """Rounds to the end; a line in `log` for each answer, once `teach` has returned.

    With ``ends=(how, n_lines, share)`` the process is killed or interrupted some time after so
    many lines: a share of the time that it took to get there, however quick the machine is.
    """
    X, y, y_noisy, ids = data()
    how, n_lines, share = ("never", -1, 0.0) if ends is None else ends
    if how == "interrupt":
        interrupt_at_alarm()
    began, n_answers = time.monotonic(), 0

    def end_soon():
        if n_answers == n_lines:
            signal.setitimer(signal.ITIMER_REAL, max(1e-4, share * (time.monotonic() - began)))

    if n_lines == 0:
        signal.setitimer(signal.ITIMER_REAL, max(1e-4, share * 0.2))
    cleaner = make_cleaner(journal, **changes).start(X, y_noisy, ids=ids)
    while len(rows := cleaner.query()):
        now = rows[:n_at_once]
        cleaner.teach(cleaner.ids_[now], y[now], seconds=[1.5] * len(now))
        if log is not None:
            lines = "".join(f"{row} {y[row]}\n" for row in now)
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, lines.encode())
            os.close(descriptor)
        n_answers += len(now)
        end_soon()
    if result is not None:
        np.savez(result, **outcome(cleaner))


def run_on(result, n_interrupts, **changes):
    """Rounds without a journal: a call that is interrupted is made again, and nothing else."""
    X, y, y_noisy, _ = data()
    chance, n_interrupted = np.random.default_rng(0), 0
    interrupt_at_alarm()

    def again(call, seconds):
        """Call until it comes to its end; the first time it is interrupted."""
        nonlocal n_interrupted
        try:
            if n_interrupted < n_interrupts:
                signal.setitimer(signal.ITIMER_REAL, max(1e-4, seconds * chance.random()))
            value = call()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            n_interrupted += 1
            return call()
        return value

    n_finished = 0
    while n_interrupted < n_interrupts:
        cleaner = make_cleaner(None, **changes)
        began = time.monotonic()
        make_cleaner(None, **changes).start(X, y_noisy)
        seconds = time.monotonic() - began
        again(partial(cleaner.start, X, y_noisy), seconds)
        while len(rows := again(cleaner.query, seconds)):
            cleaner.teach(rows, y[rows])
        n_finished += 1
        np.savez(f"{result}{n_finished}", **outcome(cleaner))


def answer(journal, annotator=None, n_at_once=1):
    """Answer what is open, as a page or an import would."""
    y = data()[1]
    journal = Journal(journal)
    while items := journal.open_items(annotator)[:n_at_once]:
        journal.answer([i.item for i in items], [y[i.row] for i in items], annotator=annotator)


def run_into(journal, message):
    """Start, and see the error that was foreseen."""
    X, _, y_noisy, ids = data()
    try:
        make_cleaner(journal).start(X, y_noisy, ids=ids)
    except OSError as error:
        assert message in str(error), error
    else:
        raise AssertionError("no error")


def run_without_rights(journal, message):
    os.setuid(65534)
    run_into(journal, message)


def die_at(number):
    """Kill this process just before its n-th statement that writes."""
    connect, seen = sqlite3.connect, [0]

    def watch(statement):
        if statement.upper().startswith(WRITES) and "INTO ITEMS" not in statement.upper():
            seen[0] += 1
            if seen[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

    def connect_watched(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(watch)
        return connection

    sqlite3.connect = connect_watched


if __name__ == "__main__":
    gc.disable()  # going through all that the fork server has imported takes longer than a job
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    JOB = globals()["JOB"]
    if "die_at" in JOB:
        die_at(JOB.pop("die_at"))
    globals()[JOB.pop("do")](**JOB)
