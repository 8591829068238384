"""What cleaning the labels of many images takes: bytes, hours, shards, and what breaks first.

    python examples/scale.py --n-images 100_000_000 --image-size 64 --n-classes 1000

What things cost is measured on the spot, in small runs on this machine (seconds an image, bytes a
row); everything else is an assumption, and an argument with a default: ``--help`` lists them. The
plan is for ``ActiveLabelCleaner(net, trust=CrossFit(neighbours=False))`` with a network for images
and a journal. It is arithmetic, no promise: costs are taken to be linear in the images, which
``tests/benchmarks/growth.py`` checks up to the sizes that it is run with.
"""

import argparse
import math
import tempfile
import time
import tracemalloc
import warnings
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier
from noisyactive.cleaning import CrossFit
from noisyactive.query import rare_entropy_sampling


def assumed(default, text):
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Assumptions:
    """What is not measured."""

    n_images: int = assumed(100_000_000, "images")
    image_size: int = assumed(64, "height and width of an image, in pixels")
    n_channels: int = assumed(3, "channels of an image")
    bytes_per_value: int = assumed(1, "bytes of a pixel's channel as it is stored")
    n_classes: int = assumed(1000, "classes")
    n_features: int = assumed(512, "numbers that the head of the network takes")
    epochs: int = assumed(12, "epochs of the first phase")
    fine_tune_epochs: int = assumed(16, "epochs of a round: two thirds of fine_tune_epochs")
    vog_window: int = assumed(10, "epochs in the history of gradients")
    n_folds: int = assumed(3, "models of the ensemble")
    n_rounds: int = assumed(8, "rounds of questions")
    round_budget: float = assumed(0.001, "share of the images that a round asks about")
    trusted: float = assumed(0.8, "share of the labels that a round trains on")
    seconds_per_answer: float = assumed(5.0, "seconds that a person takes for an answer")
    n_people: int = assumed(20, "people who answer")
    hours_per_day: float = assumed(6.0, "hours a day that a person answers")
    days: float = assumed(30.0, "days until it has to be done")
    n_accelerators: int = assumed(8, "accelerators that train")
    speed_up: float = assumed(50.0, "how much faster one is than a thread of this machine")
    memory_gb: float = assumed(256.0, "main memory of the machine that cleans, in GB")
    disk_gb: float = assumed(10_000.0, "its disk, in GB")
    read_mb_per_second: float = assumed(1000.0, "what the disk reads in random order, in MB/s")
    shard_gb: float = assumed(4.0, "size of a file of images, in GB")


@dataclass(frozen=True)
class Units:
    """What small runs on this machine cost; seconds are those of one thread."""

    train_seconds: float  # an image and epoch of the first phase, both networks
    tune_seconds: float  # an image and epoch of a round
    predict_seconds: float  # an image
    query_seconds: float  # a row and class
    start_seconds: float  # a row: journal, labels, noise model
    answer_seconds: float  # an answer into the journal
    row_bytes: float  # a row: labels, names, journal
    class_bytes: float  # a row and class: probabilities
    journal_bytes: float  # a row, in the file of the journal


@dataclass(frozen=True)
class Need:
    """What a plan takes of one resource, and what there is."""

    resource: str
    needed: float
    limit: float
    unit: str

    @property
    def share(self):
        """Needed part of the limit; more than 1 does not work."""
        return self.needed / self.limit


# --- the plan: arithmetic ---------------------------------------------------------------------


def plan(units, assumptions):
    """Needs of a whole run, the scarcest resource first."""
    a, u = assumptions, units
    image_bytes = a.n_channels * a.image_size**2 * a.bytes_per_value
    learned = a.n_images * (a.n_folds - 1)  # images of all models together
    first = learned * a.epochs
    rounds = learned * a.trusted * a.fine_tune_epochs * (a.n_rounds + 1)
    # Each image by the model that did not learn it: in the first phase of both trainings.
    predicted = a.n_images * (a.n_rounds + 3)
    compute = first * u.train_seconds + rounds * u.tune_seconds + predicted * u.predict_seconds
    read = (first + rounds + predicted + a.n_images) * image_bytes  # and one pass that checks them
    n_answers = a.n_images * a.round_budget * a.n_rounds
    alone = a.n_images * (u.start_seconds + a.n_rounds * a.n_classes * u.query_seconds)
    alone += n_answers * u.answer_seconds
    # Two networks, half precision; of one model, two thirds of the images.
    learned_by_one = a.n_images * (1 - 1 / a.n_folds)
    history = 2 * 2 * a.vog_window * (1 + a.n_features) * learned_by_one
    memory = a.n_images * (u.row_bytes + a.n_classes * u.class_bytes)
    disk = a.n_images * (image_bytes + u.journal_bytes) + history
    hours = 24 * a.days
    power = a.speed_up * a.n_accelerators
    return sorted(
        [
            Need("accelerators: training and predictions", compute / power / 3600, hours, "hours"),
            Need("disk: reading images", read / a.read_mb_per_second / 1e6 / 3600, hours, "hours"),
            Need("one process: judging, queries, journal", alone / 3600, hours, "hours"),
            Need(
                "people: answers",
                n_answers * a.seconds_per_answer / 3600,
                a.n_people * a.hours_per_day * a.days,
                "hours",
            ),
            Need("main memory: labels and probabilities", memory / 1e9, a.memory_gb, "GB"),
            Need("disk: images, gradients, journal", disk / 1e9, a.disk_gb, "GB"),
        ],
        key=lambda need: -need.share,
    )


def shards(needs, assumptions):
    """Files of images, and parts that the run would have to be cut into to fit."""
    a = assumptions
    image_bytes = a.n_channels * a.image_size**2 * a.bytes_per_value
    n_files = math.ceil(a.n_images * image_bytes / 1e9 / a.shard_gb)
    return n_files, max(1, math.ceil(needs[0].share))


# --- unit costs: small runs -------------------------------------------------------------------


def timed(call, *arguments, **keywords):
    begin = time.perf_counter()
    call(*arguments, **keywords)
    return time.perf_counter() - begin


def network_units(assumptions, n_images, module):
    """Seconds an image: an epoch of training, one of fine-tuning, a prediction."""
    a = assumptions
    rng = np.random.default_rng(0)
    X = rng.random((n_images, a.n_channels, a.image_size, a.image_size), dtype=np.float32)
    y = np.arange(n_images) % 4
    net = CoTeachingVOGClassifier(
        module, max_epochs=4, warmup_epochs=1, ramp_epochs=1, vog_window=2, batch_size=32,
        lr=0.01, forget_rate=0.2, random_state=0,
    )  # fmt: skip
    net.fit(X, y)
    train = np.median(net.history[:, "dur"]) / n_images
    n_before = len(net.history)
    net.refine(X, y, epochs=3, lr=0.01)
    tune = np.median(net.history[n_before:, "dur"]) / n_images
    net.predict_proba(X)
    return float(train), float(tune), timed(net.predict_proba, X) / n_images


def start_cost(n_rows, n_classes, folder):
    """Seconds, bytes at the peak and bytes of the journal's file, with a model that costs little.

    Twice, since what counts bytes takes time.
    """
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % n_classes
    X = rng.normal(size=(n_rows, 1)) + y[:, None]
    found = []
    for number in range(2):
        path = Path(folder) / f"{n_rows}-{n_classes}-{number}.db"
        cleaner = ActiveLabelCleaner(
            LogisticRegression(C=0.1, max_iter=50), trust=CrossFit(neighbours=False),
            journal=path, random_state=0,
        )  # fmt: skip
        if number:
            tracemalloc.start()
        found.append(timed(cleaner.start, X, y))
        cleaner.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found[0], peak, path.stat().st_size, cleaner


def measure(assumptions, *, n_images=64, n_rows=20_000, module=None):
    """Unit costs by differences of small runs: what is the same for all sizes is left out."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # models of a few iterations on random numbers
        train, tune, predict = network_units(assumptions, n_images, module)
        start_cost(100, 2, folder)  # what libraries take by themselves
        small = start_cost(n_rows // 4, 2, folder)
        large = start_cost(n_rows, 2, folder)
        many = start_cost(n_rows, 12, folder)
        more = n_rows - n_rows // 4
        class_bytes = (many[1] - large[1]) / n_rows / 10
        proba = np.random.default_rng(0).dirichlet(np.ones(10), n_rows)
        query = timed(rare_entropy_sampling, None, proba, n_rows // 100, posterior=proba)
        cleaner = ActiveLabelCleaner(
            LogisticRegression(),
            n_rounds=1,
            round_budget=n_rows // 100,
            journal=Path(folder) / "answers.db",
        )
        y = np.arange(n_rows) % 2
        cleaner.start(y[:, None] + 0.0, y)
        rows = cleaner.query()
        answer = sum(timed(cleaner.teach, [row], [0]) for row in rows) / len(rows)
        cleaner.close()
    return Units(
        train_seconds=train,
        tune_seconds=tune,
        predict_seconds=predict,
        query_seconds=query / n_rows / 10,
        start_seconds=max(0, large[0] - small[0]) / more,
        answer_seconds=answer,
        row_bytes=(large[1] - small[1]) / more - 2 * class_bytes,
        class_bytes=class_bytes,
        journal_bytes=(large[2] - small[2]) / more,
    )


# --- the command ------------------------------------------------------------------------------


def report(units, assumptions):
    """Lines that say what was measured, what it adds up to, and what breaks first."""
    lines = ["Measured here, one thread:"]
    lines += [f"  {name:<18}{value:12.3g}" for name, value in vars(units).items()]
    needs = plan(units, assumptions)
    lines.append(f"\n{assumptions.n_images:,} images, by the assumptions (--help):")
    for need in needs:
        amounts = f"{need.needed:>13,.0f} of {need.limit:>9,.0f} {need.unit:<6}"
        lines.append(f"  {need.resource:<40}{amounts}{need.share:>9.0%}")
    n_files, n_parts = shards(needs, assumptions)
    lines.append(f"Images in {n_files:,} files of {assumptions.shard_gb:g} GB.")
    first = needs[0]
    if first.share > 1:
        lines.append(
            f"First to break is {first.resource}: {first.share:.1f} times what there is. Cut into "
            f"{n_parts:,} parts that are cleaned one machine each, or change that assumption."
        )
    else:
        lines.append(f"All fits; the scarcest is {first.resource}, {first.share:.0%} of it.")
    return lines


def parsed(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for one in fields(Assumptions):
        option = "--" + one.name.replace("_", "-")
        kind, text = type(one.default), f"{one.metadata['help']} (default: {one.default:,})"
        parser.add_argument(option, type=kind, default=one.default, help=text)
    parser.add_argument("--quick", action="store_true", help="measure with the smallest runs")
    options = vars(parser.parse_args(arguments))
    quick = options.pop("quick")
    return Assumptions(**options), quick


def main():
    assumptions, quick = parsed()
    torch.set_num_threads(1)
    sizes = {"n_images": 16, "n_rows": 2_000} if quick else {}
    print("\n".join(report(measure(assumptions, **sizes), assumptions)))


if __name__ == "__main__":
    main()
