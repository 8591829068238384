"""How time and memory of each step grow with the number of rows.

``python tests/benchmarks/growth.py 10000 30000 100000 300000 1000000``

Each size in a process of its own, with one thread. Rows of 16 numbers, 4 classes, 20% of the labels
wrong; networks train for a fixed number of epochs on batches of a fixed size, so that their share
is linear by itself. A round asks about 1% of the rows. Memory is the anonymous memory that a step
adds at its peak; the exponent is the slope of log(seconds) or log(bytes) over log(rows), from the
sizes for which the step takes longer than 20 ms, or more than 4 MB. Needs Linux. ``--light`` leaves
out networks and the search for similar samples, which take most of the time: what remains is the
package's own bookkeeping, up to 1,000,000 rows in minutes.
"""

import argparse
import multiprocessing
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
from _growth import exponent, measured
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.audit import LabelAudit, write_report
from noisyactive.cleaning import CrossFit
from noisyactive.inspection import to_html
from noisyactive.journal import Journal
from noisyactive.query import entropy_sampling, rank_suspects

N_FEATURES, N_CLASSES = 16, 4
SIZES = (10_000, 30_000, 100_000)
LEAST_SECONDS, LEAST_BYTES = 0.02, 2**22


def data_of(n_rows):
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n_rows)
    X = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    X[:, :N_CLASSES] += 2 * np.eye(N_CLASSES, dtype=np.float32)[y]
    return X, y, UniformLabelNoise(0.2, random_state=0).fit_transform(y)


def steps_of(n_rows, folder, light):
    """Names of the steps and what they call, one after the other."""
    X, y, y_noisy = data_of(n_rows)
    net = CoTeachingVOGClassifier(
        max_epochs=4, warmup_epochs=1, ramp_epochs=1, vog_window=2, batch_size=1024, lr=0.05,
        random_state=0,
    )  # fmt: skip
    net.fit(X[:1000], y_noisy[:1000])  # what libraries take by themselves
    if light:
        net = LogisticRegression(max_iter=20).fit(X[:1000], y_noisy[:1000])
    trust = CrossFit(neighbours=not light)
    journal = folder / "run.db"

    def new_cleaner():
        return ActiveLabelCleaner(
            net, n_rounds=2, round_budget=0.01, fine_tune_epochs=3, random_state=0, journal=journal,
            trust=trust,
        )  # fmt: skip

    cleaner = new_cleaner()
    yield "fit", lambda: net.fit(X, y_noisy)
    yield "predict", lambda: net.predict_proba(X)
    yield "start", lambda: cleaner.start(X, y_noisy)
    yield "first query", cleaner.query
    rows = cleaner.query()
    yield "teach", lambda: cleaner.teach(rows, y[rows])
    yield "round", cleaner.query
    yield "issues_", lambda: cleaner.issues_
    yield "to_csv", lambda: cleaner.to_csv(folder / "labels.csv")
    yield "report of the run", lambda: to_html(cleaner, folder / "run.html")
    held_out = cleaner.estimator_.held_out_proba_
    cleaner.close()
    yield "journal opened", lambda: Journal(journal).progress()
    yield "journal resumed", lambda: new_cleaner().start(X, y_noisy).close()
    yield "entropy query", lambda: entropy_sampling(net, X, n_instances=n_rows // 100)
    yield "rank_suspects", lambda: rank_suspects(y_noisy, held_out)
    audit = LabelAudit("precomputed")
    yield "audit of probabilities", lambda: audit.fit(held_out, y_noisy)
    yield "report of the audit", lambda: write_report(audit, folder / "audit.html")


def measure(n_rows, light, pipe):
    """Send the name, the seconds and the bytes of each step."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name, call in steps_of(n_rows, Path(folder), light):
            pipe.send((name, *measured(call)[1:]))
    pipe.send(None)


def table_of(sizes, light):
    """Seconds and bytes of each step for each size; a size at a time is printed."""
    context = multiprocessing.get_context("spawn")
    found = {}
    for n_rows in sizes:
        ours, theirs = context.Pipe()
        process = context.Process(target=measure, args=(n_rows, light, theirs))
        process.start()
        theirs.close()
        while (row := ours.recv()) is not None:
            name, seconds, n_bytes = row
            found.setdefault(name, []).append((seconds, n_bytes))
            print(f"{n_rows:>10,}  {name:<24}{seconds:>9.2f} s{n_bytes / 1e6:>9.0f} MB", flush=True)
        process.join()
    return found


def exponents(sizes, rows):
    """Those of the time and of the memory, of the sizes where there is something to measure."""
    slopes = []
    for values, least in zip(zip(*rows, strict=True), (LEAST_SECONDS, LEAST_BYTES), strict=True):
        known = [(n, value) for n, value in zip(sizes, values, strict=True) if value >= least]
        slopes.append(exponent(*zip(*known, strict=True)) if len(known) > 1 else float("nan"))
    return slopes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of rows")
    parser.add_argument(
        "--light", action="store_true", help="logistic regression, and no similar samples"
    )
    options = parser.parse_args()
    sizes = sorted(options.sizes)
    found = table_of(sizes, options.light)
    print(f"\n{'exponents':<26}{'time':>8}{'memory':>9}")
    for name, rows in found.items():
        print(f"{name:<26}" + "{:>8.2f}{:>9.2f}".format(*exponents(sizes, rows)))


if __name__ == "__main__":
    main()
