"""Active label refinement, method by method: figures 2 and 3 and Table 1 of the paper.

Without arguments, long-tailed digits in a few minutes; README.md beside this file has the commands
for other data, up to the full size on a GPU:

    python examples/paper/study.py --out results
    python examples/paper/tables.py results

Every run is written at once, to a file of its own, and skipped when it is there: a study that was
stopped goes on where it was.
"""

import argparse
import copy
import hashlib
import json
import os
import resource
import sys
import time
from fnmatch import fnmatch
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import torch
from data import NOISES, PROFILES, as_features, corrupt, load, without_test
from joblib import Parallel, delayed
from measures import measure
from methods import STRATEGIES, make_cleaner, methods, phases

from noisyactive.cleaning import GroundTruthOracle
from noisyactive.models import FrozenFeatures

PACKAGES = ("noisyactive", "torch", "skorch", "scikit-learn", "numpy")


def run_job(arguments, setting, seed, phase_name, todo):
    """One first phase, and all methods that begin with it; a file for each of them."""
    torch.set_num_threads(1)  # the same bits for any number of jobs
    parts = load(setting["data"], arguments.path, setting["imbalance_factor"], seed)
    if setting["frozen"]:
        features = FrozenFeatures(
            setting["backbone"],
            weights=setting["weights"],
            autocast=setting["autocast"],
            device=arguments.device,
            num_workers=arguments.workers,
            cache=arguments.cache or Path(arguments.out, "features"),  # other phases need them, too
        )
        parts = as_features(parts, features)
    if setting["evaluate"] == "validation":
        parts = without_test(parts, seed)
    y_clean = parts.y_train
    y_noisy = corrupt(parts, setting["noise"], setting["noise_rate"], seed)
    noise_rate = (y_noisy != y_clean).mean()
    phase = phases(arguments.mix_ratio)[phase_name]
    cleaner = make_cleaner(phase, setting, noise_rate, seed, arguments.device, arguments.workers)
    y = y_clean if phase.clean else y_noisy
    validation = (parts.X_val, parts.y_val) if setting["validation"] else None
    start = time.perf_counter()
    cleaner.start(parts.X_train, y, validation_data=validation)
    first_phase_seconds = time.perf_counter() - start

    classes, sizes = np.unique(y_clean, return_counts=True)
    facts = {
        "setting": setting,
        "seed": seed,
        "phase": phase_name,
        "classes": classes.tolist(),
        "class_sizes": sizes.tolist(),
        "test_size": len(parts.y_test),
        "validation_labels": len(parts.y_val) if validation else 0,
        "noise_rate": float(noise_rate),
        "forget_rate": getattr(getattr(cleaner, "estimator_", None), "forget_rate_", None),
        "first_phase_seconds": first_phase_seconds,
        "device": arguments.device,
        "versions": {name: version(name) for name in PACKAGES},
    }
    for name, (method, file) in todo.items():
        begin = time.perf_counter()
        rounds = run_rounds(copy.deepcopy(cleaner), method, setting, seed, parts, y)
        result = {
            "method": name,
            "strategy": method.strategy if method.answers else None,
            "leak": method.leak,
            "switches": method.switches,
            **facts,
            "rounds": rounds,
            "seconds": time.perf_counter() - begin,
            "peak_memory_mb": peak_memory(arguments.device),
        }
        write(file, result)
        score = rounds[-1]["f1"]
        print(f"{setting['name']} seed {seed}: {name:30} {score:.3f}", flush=True)


def run_rounds(cleaner, method, setting, seed, parts, y):
    """All rounds of a method; what was measured after the first phase and after each round."""
    ours = method.strategy in STRATEGIES
    strategy = method.strategy if ours else resolve_name(method.strategy)
    cleaner.set_params(query_strategy=strategy, **method.switches)
    n_rounds = setting["rounds"]
    expert = GroundTruthOracle(
        parts.y_train,
        setting["expert_error"],
        skip_rate=setting["expert_skip"],
        random_state=seed,
    )
    trusted_at_first = np.flatnonzero(cleaner.clean_mask_)
    bought = len(y) if y is parts.y_train else 0  # true labels of all rows cost as many answers
    given_away = 0
    measured = [measure(cleaner, parts, y, bought, given_away)]
    rows = cleaner.query()
    while len(rows) and len(measured) <= n_rounds:
        cleaner.teach(rows, expert(rows) if method.answers else [None] * len(rows))
        bought += len(rows) * method.answers
        if method.leak and len(measured) == 1:
            # Volunteers' corrections, which the cleaner charges and this study does not: so
            # that they end no round, the budget grows by as many answers.
            given_away = len(trusted_at_first)
            cleaner.teach(trusted_at_first, [parts.y_train[row] for row in trusted_at_first])
            cleaner.set_params(n_rounds=n_rounds + 1 + given_away // len(rows))
        rows = cleaner.query()  # also brings the model up to date
        measured.append(measure(cleaner, parts, y, bought, given_away))
    return measured


def peak_memory(device):
    """Peak memory so far in MB: of this process, or of the device where it is a GPU."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte / 2**20


def write(file, result):
    """Write a line of JSON so that the file is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_text(json.dumps(result) + "\n")
    os.replace(unfinished, file)


def settings(arguments):
    """One setting for each kind of noise, noise rate and imbalance factor, with its name."""
    keys = (
        "data",
        "rounds",
        "budget",
        "epochs",
        "fine_tune_epochs",
        "batch_size",
        "lr",
        "fine_tune_lr",
    )
    keys += ("forget_rate", "backbone", "weights", "frozen", "dropout", "image_size", "autocast")
    keys += ("validation", "evaluate", "expert_error", "expert_skip")
    common = {key: getattr(arguments, key) for key in keys}
    # Names tell settings apart by what differs from the defaults of the command.
    defaults = parse([])
    changed = {k: v for k, v in common.items() if k != "data" and v != getattr(defaults, k)}
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:6]
    source = Path(arguments.path).stem if arguments.data == "npz" else arguments.data
    for factor in arguments.imbalance_factor or [PROFILES.get(arguments.data)]:
        for noise in arguments.noise:
            for rate in arguments.noise_rate if noise in NOISES else [None]:
                marks = [source, noise]
                marks += [f"{key}{n:g}" for key, n in (("p", rate), ("r", factor)) if n is not None]
                yield {
                    **common,
                    "imbalance_factor": factor,
                    "noise": noise,
                    "noise_rate": rate,
                    "name": "-".join(marks + [digest] * bool(changed)),
                }


def jobs(arguments):
    """What is missing: (setting, seed, first phase, {method: (what, file)})."""
    chosen = methods(arguments.mix_ratio, arguments.strategies, arguments.reference_leak)
    chosen = {
        name: method
        for name, method in chosen.items()
        if any(fnmatch(name, pattern) for pattern in arguments.methods)
    }
    by_phase = sorted(chosen, key=lambda name: chosen[name].phase)
    for setting in settings(arguments):
        for seed in arguments.seeds:
            for phase, names in groupby(by_phase, key=lambda name: chosen[name].phase):
                files = {
                    name: Path(
                        arguments.out, setting["name"], f"{name} {seed}.json".replace(" ", "_")
                    )
                    for name in names
                }
                todo = {n: (chosen[n], file) for n, file in files.items() if not file.exists()}
                if todo:
                    yield setting, seed, phase, todo


def number_or(*words):
    """Type of an argument that is a number or one of some words."""

    def convert(text):
        if text in words:
            return text
        return int(text) if text.lstrip("-").isdigit() else float(text)

    return convert


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", default="results", help="folder of the results (default: %(default)s)")
    add("--data", default="digits", choices=["digits", "npz", "isic2019", "nct_crc"])
    add("--path", help="npz file, or folder of the images")
    add("--noise", nargs="+", default=["uniform"], help="uniform, pair, instance, or a column")
    add("--noise-rate", nargs="+", type=float, default=[0.4])
    add("--imbalance-factor", nargs="+", type=float, help="default: 10 for digits, 100 for NCT")
    add("--seeds", nargs="+", type=int, default=[10, 11, 12])
    add("--methods", nargs="+", default=["*"], help="names or patterns, as 'VOG*'")
    add("--strategies", nargs="+", default=STRATEGIES[:3], help="also your own, as module:function")
    add("--mix-ratio", nargs="+", type=float, default=[0, 0.2, 1])
    add("--rounds", type=int, default=8)
    add("--budget", type=number_or(), default=0.022, help="answers a round: share or count")
    add("--epochs", type=number_or("auto"), default=80, help="of the first phase")
    add("--fine-tune-epochs", type=int, default=10, help="of each round")
    add("--batch-size", type=number_or("auto"), default="auto")
    add("--lr", type=number_or("auto"), default=0.01)
    add("--fine-tune-lr", type=float, default=0.01)
    add("--forget-rate", type=number_or("auto", "true"), default="true", help="true: as the paper")
    add("--backbone", help="a model of torchvision, with the paper's transforms")
    add("--weights", help="weights of the backbone, as DEFAULT, or a file")
    add("--frozen", action="store_true", help="its features, also of timm/NAME; see README")
    add("--cache", help="folder of the features (default: features in that of the results)")
    add("--dropout", type=float, default=0, help="in front of the default networks' last layer")
    add("--image-size", type=int, default=224, help="of what the backbone sees")
    add("--expert-error", type=float, default=0, help="share of the answers that are wrong")
    add("--expert-skip", type=float, default=0, help="share of the questions without an answer")
    add("--validation", action="store_true", help="choose the best epoch of each round on it")
    add("--evaluate", choices=["test", "validation"], default="test", help="part that is scored")
    add("--reference-leak", action="store_true", help="also give trusted labels away: see README")
    add("--device", default="cpu")
    add("--autocast", choices=["bfloat16", "float16"])
    add("--workers", type=int, default=0, help="processes that decode images")
    add("--jobs", type=int, default=1, help="runs at a time")
    add("--list", action="store_true", help="print what is missing, and stop")
    arguments = parser.parse_args(argv)
    if arguments.data != "digits" and arguments.path is None:
        parser.error(f"--data {arguments.data} needs --path")
    if arguments.validation and arguments.evaluate == "validation":
        parser.error("--validation chooses epochs by the part that --evaluate validation scores")
    if arguments.frozen and not arguments.backbone:
        parser.error("--frozen needs --backbone")
    trained = arguments.backbone and not arguments.frozen
    if arguments.dropout and trained:
        parser.error("--dropout is for the default networks, not for a --backbone")
    odd = [name for name in arguments.strategies if name not in STRATEGIES and ":" not in name]
    if odd:
        parser.error(f"--strategies takes module:function and {STRATEGIES}, not {odd}")
    if len({name.rpartition(":")[2] for name in arguments.strategies}) < len(arguments.strategies):
        parser.error("--strategies takes one function of a name")
    if "bald" in arguments.strategies and not (arguments.dropout or trained):
        parser.error("--strategies bald needs --dropout")
    return arguments


def main():
    arguments = parse()
    missing = list(jobs(arguments))
    if arguments.list:
        for setting, seed, _, todo in missing:
            print(*(f"{setting['name']} seed {seed}: {name}" for name in todo), sep="\n")
        return
    Parallel(n_jobs=arguments.jobs)(delayed(run_job)(arguments, *job) for job in missing)


if __name__ == "__main__":
    main()
