"""Two processes, as ``accelerate launch`` starts them, against one alone.

They exchange tensors with gloo: on the CPU, and where there is a GPU also on one that both share.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, find_label_issues

pytest.importorskip("accelerate")
from . import launched  # noqa: E402

LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
SCRIPT = Path(launched.__file__)
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
TOLERANCE = {"rtol": 2e-3, "atol": 2e-5}


def launch(what, folder, backend, port):
    root = str(SCRIPT.parents[2])
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }
    command = [*LAUNCH.split(), "--mixed_precision", "no", "--dynamo_backend", "no"]
    # Not port 0, at which accelerate 1.0 waits forever.
    command += ["--main_process_port", str(port)]
    command += [str(SCRIPT), what, str(folder), backend]
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=CUDA)])
def device(request):
    """Where the networks compute; with all digits of single precision."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield request.param
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="module")
def folder(device, tmp_path_factory, free_port):
    folder = tmp_path_factory.mktemp("launch")
    done = launch("compare", folder, {"cpu": "cpu", "cuda": "gloo"}[device], free_port())
    if done.returncode:
        pytest.fail(done.stderr[-20_000:], pytrace=False)
    return folder


@pytest.fixture(scope="module")
def kept(folder):
    return [pickle.loads((folder / f"kept{rank}.pickle").read_bytes()) for rank in (0, 1)]


class Replay:
    """The batches that two processes had together, epoch by epoch."""

    def __init__(self, first, second, n_samples):
        batches = [np.concatenate(parts).tolist() for parts in zip(first, second, strict=True)]
        self.sizes = [len(batch) for batch in batches]
        self.epochs, seen = [[]], 0
        for batch in batches:
            if seen == n_samples:
                self.epochs.append([])
                seen = 0
            self.epochs[-1].append(batch)
            seen += len(batch)
        self.n_batches = len(self.epochs[0])

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        return iter(self.epochs.pop(0))


def alone(name, kept, device, part=None):
    params, (X, y, weights) = launched.cases()[name]
    replay = Replay(*(own[part or name]["batches"] for own in kept), len(y))
    net = CoTeachingVOGClassifier(iterator_train__batch_sampler=replay, device=device, **params)
    return net, X, y, weights, replay


def assert_same(net, expected):
    """The same choices, and numbers up to rounding.

    On a GPU nearly so: sums differ more there, and training amplifies that (an H200 failed "rows"
    and the refining of it as on the CPU; with these bounds not yet run on one).
    """
    on_gpu = next(net.module_.parameters()).is_cuda
    for name, value in launched.results(net).items():
        if on_gpu:
            same = np.isclose(value, expected[name], rtol=0.05, atol=0.02, equal_nan=True)
            assert same.mean() > 0.95, name
        elif name in ("clean_mask", "selected"):
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
        else:
            np.testing.assert_allclose(value, expected[name], err_msg=name, **TOLERANCE)


@pytest.mark.parametrize("name", ["rows", "weights", "images", "refined", "resumed"])
def test_both_processes_end_with_the_same_bits(kept, name):
    first, second = (own[name] for own in kept)
    assert first.keys() == second.keys()
    for key in first.keys() - {"batches", "read"}:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


@pytest.mark.parametrize("name", ["rows", "weights", "images"])
def test_each_epoch_has_every_sample_once(kept, device, name):
    _, (_, y, _) = launched.cases()[name]
    _, _, _, _, replay = alone(name, kept, device)
    assert len(replay.epochs) == launched.cases()[name][0]["max_epochs"]
    for epoch in replay.epochs:
        assert sorted(sum(epoch, [])) == list(range(len(y)))
    assert max(replay.sizes) - min(replay.sizes) <= 2  # one a process


@pytest.mark.parametrize("name", ["rows", "weights", "images"])
def test_a_process_keeps_its_rows(kept, name):
    for rank, own in enumerate(kept):
        rows = np.unique(np.concatenate(own[name]["batches"]))
        assert (rows % 2 == rank).all()
    # Two samples are tried on the network before; the process reads no others of the other's.
    assert not {i for i in kept[0]["weights"]["read"] if i % 2} - {1}


@pytest.mark.filterwarnings("ignore:The share of wrong labels is uncertain")
@pytest.mark.parametrize("name", ["rows", "weights", "images"])
def test_choices_verdicts_and_weights_are_those_of_one_process(kept, device, name):
    net, X, y, weights, _ = alone(name, kept, device)
    net.fit(X, y, sample_weight=weights)
    assert_same(net, kept[0][name])


@pytest.mark.filterwarnings("ignore:The share of wrong labels is uncertain")
def test_refining(kept, device):
    net, X, y, _, _ = alone("rows", kept, device)
    net.fit(X, y)
    replay = Replay(*(own["refined"]["batches"] for own in kept), len(y))
    net.set_params(iterator_train__batch_sampler=replay)
    net.refine(X, y, epochs=2)
    assert_same(net, kept[0]["refined"])


@pytest.mark.filterwarnings("ignore:VOG was never used")
def test_training_goes_on_from_a_checkpoint(kept, folder, device):
    assert [own["epochs before"] for own in kept] == [5, 5]
    params, (X, y, _) = launched.cases()["rows"]
    replay = Replay(*(own["resumed"]["batches"] for own in kept), len(y))
    params = {**params, "forget_rate": 0.3, "iterator_train__batch_sampler": replay}
    net = CoTeachingVOGClassifier(**params, device=device)
    net.load_params(
        f_params=folder / "checkpoint" / "params.pt",
        f_optimizer=folder / "checkpoint" / "optimizer.pt",
        f_history=folder / "checkpoint" / "history.json",
    )
    net.partial_fit(X, y, epochs=4)
    assert_same(net, kept[0]["resumed"])


def test_it_is_an_ordinary_classifier_afterwards(kept, folder):
    X, y = launched.rows()
    for rank, own in enumerate(kept):
        net = pickle.loads((folder / f"net{rank}.pickle").read_bytes())
        assert net.accelerator is None
        np.testing.assert_allclose(net.predict_proba(X), own["rows"]["proba"], rtol=1e-5)
        assert own["shares"]  # a clone has the accelerator of the process


def test_a_cleaner_asks_and_learns_the_same_everywhere(kept):
    first, second = (one["cleaned"] for one in kept)
    assert (first["answered in"] > 0).sum() == 40
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_a_seed_that_is_drawn_is_the_same_everywhere(kept):
    assert kept[0]["seed"] == kept[1]["seed"]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("y", "Every process must be given the same data and parameters; y differs"),
        ("batch", "batch_size=2 leaves nothing to some of 2 processes"),
        ("shuffle", "iterator_train__shuffle cannot be set with an accelerator"),
        ("iterator", "iterator_train must be a DataLoader to train on several processes"),
        ("split", "train_split must be None with several processes"),
    ],
)
def test_what_cannot_be_is_refused_on_every_process(kept, what, sentence):
    for own in kept:
        assert sentence in own["refused"][what]


@pytest.fixture(scope="module")
def losses(tmp_path_factory, free_port):
    """Folders of pairs of processes of which the second one dies, or falls asleep."""
    folder = tmp_path_factory.mktemp("losses")
    for how in ("dies", "sleeps"):
        (folder / how).mkdir()
    pairs = [f"{how}:{free_port()}" for how in ("dies", "sleeps")]
    subprocess.run(
        [sys.executable, str(SCRIPT), "lose", str(folder), *pairs],
        env={**os.environ, **environment_of(2, free_port())},
        stderr=subprocess.DEVNULL,
        timeout=600,
        check=True,
    )
    return folder


@pytest.mark.parametrize("how", ["dies", "sleeps"])
def test_a_lost_process_ends_the_training_of_the_others(losses, how):
    seconds, sentence = (losses / how / "error").read_text().split(" ", 1)
    assert float(seconds) < 300
    assert sentence.startswith("Training on 2 processes stopped: another process has ended")


@CUDA
def test_a_single_process_of_nccl(tmp_path, free_port):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "train", str(tmp_path), "nccl"],
        env={**os.environ, **environment_of(1, free_port()), "RANK": "0", "LOCAL_RANK": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    params, (X, y, _) = launched.cases()["rows"]
    net = CoTeachingVOGClassifier(device="cuda", **params).fit(X, y)
    assert_same(net, pickle.loads((tmp_path / "kept.pickle").read_bytes()))


def environment_of(n_processes, port):
    return {
        "WORLD_SIZE": str(n_processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")]),
    }


def accelerator_of(n_processes=1, **given):
    return SimpleNamespace(
        **{
            "num_processes": n_processes,
            "process_index": 0,
            "is_main_process": True,
            "distributed_type": "NO",
            "mixed_precision": "no",
            "gradient_accumulation_steps": 1,
            "device": torch.device("cpu"),
            "gather": print,
            "reduce": print,
            "wait_for_everyone": print,
            **given,
        }
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"distributed_type": "FSDP"}, "data-parallel training.*got distributed_type FSDP"),
        ({"mixed_precision": "fp8"}, "mixed_precision 'no', 'bf16' or 'fp16', got 'fp8'"),
        ({"gradient_accumulation_steps": 4}, "gradient_accumulation_steps=1"),
        ({"device": torch.device("cuda", 1)}, "pass device=accelerator.device; got 'cpu'"),
    ],
)
def test_accelerators_that_cannot_be_used(given, sentence):
    net = CoTeachingVOGClassifier(accelerator=accelerator_of(**given))
    with pytest.raises(ValueError, match=sentence):
        net.fit(*launched.rows())


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "random_state must be an int: .* has 2 processes.*got None"),
        ({"random_state": 0, "journal": "run.db"}, "journal must be None"),
        ({"random_state": 0, "n_jobs": 2}, "n_jobs must be None or 1"),
    ],
)
def test_what_a_cleaner_cannot_do_in_several_processes(params, sentence):
    net = make_pipeline("passthrough", CoTeachingVOGClassifier(accelerator=accelerator_of(2)))
    with pytest.raises(ValueError, match=sentence):
        ActiveLabelCleaner(net, **params).start(*launched.rows())


@pytest.mark.parametrize(
    ("params", "sentence"),
    [({}, "random_state must be an int"), ({"random_state": 0, "n_jobs": 2}, "n_jobs must be")],
)
def test_what_an_audit_cannot_do_in_several_processes(params, sentence):
    net = make_pipeline("passthrough", CoTeachingVOGClassifier(accelerator=accelerator_of(2)))
    with pytest.raises(ValueError, match=sentence):
        find_label_issues(net, *launched.rows(), **params)


def test_an_accelerator_is_wanted():
    with pytest.raises(ValueError, match="'accelerator' parameter"):
        CoTeachingVOGClassifier(accelerator="gpu").fit(*launched.rows())


def test_one_process_is_as_without(kept):
    params, (X, y, _) = launched.cases()["rows"]
    params = {**params, "max_epochs": 2, "warmup_epochs": 1, "forget_rate": 0.3, "mix_ratio": 0}
    plain = CoTeachingVOGClassifier(**params).fit(X, y)
    one = CoTeachingVOGClassifier(accelerator=accelerator_of(), **params).fit(X, y)
    for name, value in launched.results(plain).items():
        np.testing.assert_array_equal(value, launched.results(one)[name], err_msg=name)
    half = CoTeachingVOGClassifier(accelerator=accelerator_of(mixed_precision="bf16"), **params)
    bfloat = CoTeachingVOGClassifier(autocast="bfloat16", **params).fit(X, y)
    np.testing.assert_array_equal(half.fit(X, y).sample_loss_, bfloat.sample_loss_)
