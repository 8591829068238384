"""What every process of a launch runs: trainings whose batches and results are kept in files."""

import faulthandler
import os
import pickle
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from sklearn.base import clone
from skorch.callbacks import Callback, Checkpoint
from torch import nn
from torch.utils.data import Dataset

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise


def rows():
    """Noisy data of an odd number of samples, sorted by class."""
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1, 2], [230, 140, 31])
    X = rng.normal(size=(401, 6)) + 2 * np.eye(6)[y]
    return X * 10.0 ** np.arange(-2, 4), UniformLabelNoise(0.3, random_state=0).fit_transform(y)


def images():
    """Noisy images of an odd number."""
    rng = np.random.RandomState(1)
    y = np.repeat([0, 1], [40, 31])
    X = rng.normal(size=(71, 1, 8, 8)) + y[:, None, None, None]
    return X.astype(np.float32), UniformLabelNoise(0.2, random_state=0).fit_transform(y)


class Lazy(Dataset):
    """Samples that are read one by one, by the process that keeps them alone."""

    def __init__(self, X):
        self.X, self.read = X, set()

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        self.read.add(i)
        return torch.from_numpy(self.X[i])


class Plain(nn.Module):
    """A network without batch normalisation."""

    def __init__(self, in_features, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(in_features, 8), nn.Tanh())
        self.head = nn.Linear(8, num_classes)

    def forward(self, X):
        return self.head(self.body(torch.asinh(X)))  # the columns are of very different size


class Batches:
    """An iterator of one's own."""

    def __init__(self, dataset, batch_size):
        raise AssertionError


class KeepBatches(Callback):
    """Row numbers of the batches of a training, and the picks."""

    def on_train_begin(self, net, **kwargs):
        self.batches_ = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.batches_.append(batch[0]["index"].numpy().copy())


class Stop(Callback):
    """The process ends, or falls asleep, in the second epoch."""

    def __init__(self, how):
        self.how = how

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2 and net.accelerator.process_index == 1:
            if self.how == "dies":
                os._exit(7)
            time.sleep(400)


def cases():
    """Parameters and data of each training that is compared with one process alone."""
    X, y = rows()
    common = {"random_state": 3, "max_epochs": 10, "warmup_epochs": 4, "ramp_epochs": 2}
    common["batch_size"] = 64
    weights = np.linspace(0.5, 1.5, len(y))
    pictures = images()
    return {
        "rows": (dict(common, mix_ratio=0.4, vog_window=3), (X, y, None)),
        "weights": (
            dict(
                common,
                module=Plain,
                forget_rate=0.3,
                vog_gradient="activation",
                vog_window=2,
                criterion__label_smoothing=0.1,
            ),
            (X, y, weights),
        ),
        "images": (dict(common, max_epochs=5, mix_ratio=0.0, batch_size=20), (*pictures, None)),
    }


def batches_of(net):
    """What `KeepBatches` has kept."""
    return next(part for _, part in net.callbacks_ if isinstance(part, KeepBatches)).batches_


def results(net):
    """What has to be the same everywhere."""
    state = {
        f"weights.{name}": value.cpu().numpy().copy()
        for name, value in net.module_.state_dict().items()
    }
    return {
        **state,
        "clean_mask": net.clean_mask_,
        "selected": net.selected_,
        "loss": net.sample_loss_,
        "vog": net.vog_,
        "rate": net.forget_rate_,
        "train_loss": net.history[:, "train_loss"],
        "share": net.history[:, "selected_share"],
    }


def refusal(call):
    """The sentence with which something is refused."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing"


def classifier(accelerator, **params):
    return CoTeachingVOGClassifier(accelerator=accelerator, device=accelerator.device, **params)


def compare(accelerator, folder):
    kept = {}
    for name, (params, (X, y, weights)) in cases().items():
        batches = KeepBatches()
        net = classifier(accelerator, callbacks=[batches], **params)
        data = Lazy(X) if name == "weights" else X
        net.fit(data, y, sample_weight=weights)
        kept[name] = {"batches": batches_of(net), **results(net)}
        if name == "weights":
            kept[name]["read"] = sorted(data.read)
        if name == "rows":
            kept[name]["proba"] = net.predict_proba(X)
            net.set_params(callbacks=None)
            (folder / f"net{accelerator.process_index}.pickle").write_bytes(pickle.dumps(net))
            kept["shares"] = clone(net).accelerator is accelerator
            net.set_params(callbacks=[KeepBatches()])
            net.refine(X, y, epochs=2)
            kept["refined"] = {"batches": batches_of(net), **results(net)}
    seeds = classifier(accelerator, max_epochs=1, warmup_epochs=1)
    kept["seed"] = seeds.set_params(forget_rate=0.1, mix_ratio=0.0).fit(*rows()).seed_
    kept["cleaned"] = clean(accelerator)
    resume(accelerator, folder, kept)
    refuse(accelerator, kept)
    (folder / f"kept{accelerator.process_index}.pickle").write_bytes(pickle.dumps(kept))


def clean(accelerator):
    """Rounds around a network that all processes train."""
    X, y_noisy = rows()
    params = {"max_epochs": 3, "warmup_epochs": 1, "ramp_epochs": 1, "batch_size": 64}
    net = classifier(accelerator, forget_rate=0.3, mix_ratio=0.0, **params)
    true = np.repeat([0, 1, 2], [230, 140, 31])
    cleaner = ActiveLabelCleaner(
        net, n_rounds=2, round_budget=20, fine_tune_epochs=1, random_state=0
    ).fit(X, y_noisy, y_clean=true)
    found = {"labels": cleaner.labels_, "answered in": cleaner.relabelled_round_}
    return {**found, "proba": cleaner.predict_proba(X)}


def resume(accelerator, folder, kept):
    """From the files of a checkpoint, as after another launch."""
    X, y = rows()
    params, _ = cases()["rows"]
    checkpoint = Checkpoint(dirname=str(folder / "checkpoint"), monitor=None)
    first = classifier(accelerator, callbacks=[checkpoint], **params)
    first.fit(X, y, epochs=5)
    again = classifier(accelerator, callbacks=[KeepBatches()], **{**params, "forget_rate": 0.3})
    again.load_params(checkpoint=checkpoint)
    kept["epochs before"] = len(again.history)
    again.partial_fit(X, y, epochs=4)
    kept["resumed"] = {"batches": batches_of(again), **results(again)}


def refuse(accelerator, kept):
    X, y = rows()
    rank = accelerator.process_index
    params, _ = cases()["rows"]
    other = y.copy()
    other[:5] = rank
    net = classifier(accelerator, **params)
    kept["refused"] = {
        "y": refusal(lambda: net.fit(X, other)),
        "batch": refusal(lambda: clone(net).set_params(batch_size=2).fit(X, y)),
        "shuffle": refusal(lambda: clone(net).set_params(iterator_train__shuffle=False).fit(X, y)),
        "iterator": refusal(lambda: clone(net).set_params(iterator_train=Batches).fit(X, y)),
        "split": refusal(
            lambda: clone(net).set_params(train_split=lambda X, y: (X, None)).fit(X, y)
        ),
    }


def lose_one(accelerator, folder, how):
    X, y = rows()
    params, _ = cases()["rows"]
    net = classifier(accelerator, callbacks=[Stop(how)], **params)
    start = time.monotonic()
    try:
        net.fit(X, y)
    except RuntimeError as error:
        (folder / "error").write_text(f"{time.monotonic() - start:.1f} {error}")
        os._exit(0)


def train(accelerator, folder):
    """One training, whose results are kept."""
    params, (X, y, _) = cases()["rows"]
    net = classifier(accelerator, **params).fit(X, y)
    (folder / "kept.pickle").write_bytes(pickle.dumps(results(net)))


def accelerator_of(backend, seconds):
    options = {"timeout": timedelta(seconds=seconds)}
    if backend != "cpu":
        options["backend"] = backend
        os.environ["LOCAL_RANK"] = "0"  # all on the first GPU
    return Accelerator(cpu=backend == "cpu", kwargs_handlers=[InitProcessGroupKwargs(**options)])


def fork_pair(folder, how, port):
    """Two processes of a launch of their own, one of which is lost: their numbers."""
    processes = []
    for rank in "01":
        processes.append(os.fork())
        if processes[-1] == 0:
            address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ.update(address, WORLD_SIZE="2", RANK=rank, LOCAL_RANK=rank)
            lose_one(accelerator_of("cpu", seconds=4), folder / how, how)
            os._exit(1)
    return processes


def lose(folder, pairs):
    """Pairs of processes, forked from this one: imports take longer than a loss."""
    import torch._dynamo  # noqa: F401 - as the first optimizer does

    processes = [fork_pair(folder, *pair.split(":")) for pair in pairs]
    for first, second in processes:
        os.waitpid(first, 0)
        os.kill(second, signal.SIGKILL)
        os.waitpid(second, 0)


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False  # sums of 10 digits, not of 3
    if what == "lose":
        lose(folder, pairs=sys.argv[3:])
    else:
        accelerator = accelerator_of(sys.argv[3], seconds=120)
        faulthandler.dump_traceback_later(100)  # where one waits that ends the other
        (compare if what == "compare" else train)(accelerator, folder)
        accelerator.end_training()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        faulthandler.cancel_dump_traceback_later()
