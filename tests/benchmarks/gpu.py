"""What a GPU brings: images a second against loops by hand, VOG's share, memory, quality.

    python tests/benchmarks/gpu.py speed quality agreement --data FOLDER --out gpu.jsonl

FOLDER holds ``ham10000_28.npz`` and ``cifar10n_lt.npz``, as ``examples/paper/data.py`` describes
them; sets that are not there are skipped. Each line is printed, and written to the file, at once:

* ``speed``: an epoch of full co-teaching with VOG, batches of 256, for the default network and
  ResNet18, beside a loop by hand for two such networks; images on the device and in main memory,
  with TF32 and with bfloat16; the median epoch of three trainings, which take turns;
* ``quality``: macro F1 on clean test images after a short training, for one network on all labels,
  for two, and for co-teaching with VOG;
* ``agreement``: verdicts and predictions of a small training on the GPU and on the CPU, beside two
  trainings on the CPU whose images differ in the last digits.

``--device cpu`` tries the script without a GPU; its figures mean nothing.
"""

import argparse
import io
import json
import statistics
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import f1_score
from skorch.callbacks import Callback
from torch.nn.functional import cross_entropy, pad

from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.coteaching._default_modules import SmallConvNet
from noisyactive.models import torchvision_classifier

BATCH = 256
RESNET18 = torchvision_classifier("resnet18", weights=None)


# --- data ---------------------------------------------------------------------------------------


def ham10000(folder, seed):
    file = np.load(folder / "ham10000_28.npz")
    X, y, split = file["images"].transpose(0, 3, 1, 2), file["labels"], file["split"]
    X, y, X_test, y_test = X[split == 0], y[split == 0], X[split == 2], y[split == 2]
    return X.copy(), y, UniformLabelNoise(0.4, random_state=seed).fit_transform(y), X_test, y_test


def cifar10n(folder, seed):
    file = np.load(folder / "cifar10n_lt.npz")
    X, X_test = (decoded(file[f"{part}jpeg"], file[f"{part}offset"]) for part in ("", "test_"))
    return X, file["clean_label"], file["worse_label"], X_test, file["test_labels"]


def decoded(jpeg, offset):
    files = [jpeg[start:end] for start, end in zip(offset[:-1], offset[1:], strict=True)]
    images = [np.asarray(Image.open(io.BytesIO(file.tobytes()))) for file in files]
    return np.stack(images).transpose(0, 3, 1, 2).copy()


SETS = {"HAM10000 28x28": ham10000, "CIFAR-10N 32x32": cifar10n}


def scaled(X):
    return X.float() / 255


def augmented(X):
    """Flipped from left to right at random, and moved by up to two pixels."""
    flipped = torch.rand(len(X), 1, 1, 1, device=X.device) < 0.5
    X = torch.where(flipped, X.flip(-1), X)
    down, right = torch.randint(5, (2,)).tolist()
    height, width = X.shape[-2:]
    return scaled(pad(X, (2, 2, 2, 2))[..., down : down + height, right : right + width])


# --- contestants --------------------------------------------------------------------------------


def new_network(network, X, n_classes):
    if network == "ResNet18":
        return RESNET18(num_classes=n_classes, in_channels=X.shape[1])
    return SmallConvNet(X.shape[1], n_classes, X.shape[2])


class Epochs(Callback):
    """Seconds from the end of one epoch to that of the next."""

    def __init__(self, device):
        self.device = device

    def on_train_begin(self, net, **kwargs):
        self.ends_ = []

    def on_epoch_end(self, net, **kwargs):
        self.ends_.append(now(self.device))


def now(device):
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def ours(network, X, y, device, epochs, bfloat16=False, **params):
    """Seconds of each epoch from the fourth on, when VOG is in use."""
    watch = Epochs(device)
    settings = {
        "module": RESNET18 if network == "ResNet18" else None,
        "device": device,
        "max_epochs": epochs,
        "warmup_epochs": 1,
        "ramp_epochs": 1,
        "vog_window": 2,
        "forget_rate": 0.4,
        "batch_size": BATCH,
        "lr": 0.01,
        "train_transform": scaled,
        "eval_transform": scaled,
        "autocast": "bfloat16" if bfloat16 else None,
        "channels_last": bfloat16,
        "random_state": 0,
        "callbacks": [watch],
    }
    net = CoTeachingVOGClassifier(**{**settings, **params}).fit(X, y)
    if net.mix_ratio > 0 and not net.history[-1, "vog_used"]:
        raise AssertionError("VOG was not in use.")
    watch = next(part for _, part in net.callbacks_ if isinstance(part, Epochs))
    return np.diff(watch.ends_)[2:]


def by_hand(network, X, y, device, epochs, bfloat16=False, on_host=False, n_networks=2):
    """The same for co-teaching as one would write it in a script, and with nothing else."""
    torch.manual_seed(0)
    n_classes = int(y.max()) + 1
    networks = [new_network(network, X, n_classes).to(device) for _ in range(n_networks)]
    if bfloat16:
        networks = [one.to(memory_format=torch.channels_last) for one in networks]
    parameters = [p for one in networks for p in one.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4)
    X, y = torch.from_numpy(X), torch.from_numpy(y).long().to(device)
    X = X if on_host else X.to(device)
    ends = []
    for _ in range(epochs):
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(X)).split(BATCH):
            there = rows.to(device, non_blocking=True)
            x, target = X[rows if on_host else there], y[there]
            x = scaled(x.to(device, non_blocking=True))
            if bfloat16:
                x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
                logits = [one(x) for one in networks]
                losses = [cross_entropy(z.float(), target, reduction="none") for z in logits]
            kept = int(0.6 * len(rows))
            picks = [loss.detach().argsort()[:kept] for loss in losses]
            loss = losses[0][picks[1]].mean() + losses[1][picks[0]].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()
        ends.append(now(device))
    return np.diff(ends)[2:]


# --- what is measured ---------------------------------------------------------------------------


def speed(name, data, options, write):
    X, _, y, *_ = data
    device, epochs = options.device, options.epochs
    loop, net = partial(by_hand, epochs=epochs), partial(ours, epochs=epochs)
    contestants = {
        "by hand, on the device": loop,
        "by hand, in main memory": partial(loop, on_host=True),
        "by hand, bfloat16": partial(loop, bfloat16=True),
        "ours, on the device": partial(net, preload=True),
        "ours, in main memory": net,
        "ours, bfloat16": partial(net, preload=True, bfloat16=True),
        "ours, without VOG": partial(net, preload=True, mix_ratio=0),
        "ours, VOG of activations": partial(net, preload=True, vog_gradient="activation"),
        "ours, VOG in main memory": partial(net, preload=True, vog_storage="float32:host"),
    }
    against = {
        "ours, on the device": "by hand, on the device",
        "ours, in main memory": "by hand, in main memory",
        "ours, bfloat16": "by hand, bfloat16",
        "ours, without VOG": "by hand, on the device",
        "ours, VOG of activations": "ours, without VOG",
        "ours, VOG in main memory": "ours, without VOG",
    }
    for network in options.networks:
        seconds, memory = {label: [] for label in contestants}, {}
        for turn in range(options.turns):
            for label, run in contestants.items():
                if device == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                seconds[label] += list(run(network, X, y, device))
                if device == "cuda" and not turn:
                    memory[label] = torch.cuda.max_memory_allocated() / 2**20
        middle = {label: statistics.median(epochs) for label, epochs in seconds.items()}
        for label, epoch in middle.items():
            other = against.get(label)
            write(
                part="speed",
                data=name,
                network=network,
                model=label,
                images_a_second=round(len(X) / epoch),
                ms_a_batch=round(1000 * epoch / -(-len(X) // BATCH), 2),
                spread=round(max(seconds[label]) / min(seconds[label]), 2),
                times=other and round(epoch / middle[other], 3),
                of=other,
                peak_MiB=round(memory.get(label, 0)),
            )
        vog = 1 - middle["ours, without VOG"] / middle["ours, on the device"]
        write(part="speed", data=name, network=network, share_of_VOG=round(vog, 3))


def quality(name, data, options, write):
    X, y, y_noisy, X_test, y_test = data
    for network in options.networks:
        common = {
            "module": RESNET18 if network == "ResNet18" else None,
            "device": options.device,
            "max_epochs": options.quality_epochs,
            "batch_size": BATCH,
            "lr": 0.05,
            "train_transform": augmented,
            "eval_transform": scaled,
            "preload": True,
            "random_state": options.seed,
        }
        nothing_dropped = {"mix_ratio": 0, "forget_rate": 0}
        contestants = {
            "one network, all labels": None,
            "two networks, all labels": {**common, **nothing_dropped},
            "co-teaching": {**common, "mix_ratio": 0},
            "co-teaching with VOG": common,
        }
        for label, params in contestants.items():
            start = time.perf_counter()
            row = {}
            if params is None:
                predicted = one_network(network, X, y_noisy, X_test, common)
            else:
                net = CoTeachingVOGClassifier(**params).fit(X, y_noisy)
                predicted = net.predict(X_test)
                if net.forget_rate_:
                    right, trusted = y_noisy == y, net.clean_mask_
                    row["noise_rate"] = round(float((~right).mean()), 3)
                    row["forget_rate"] = round(net.forget_rate_, 3)
                    row["precision_of_trust"] = round(float(right[trusted].mean()), 3)
                    row["right_found"] = round(float(trusted[right].mean()), 3)
            write(
                part="quality",
                data=name,
                network=network,
                model=label,
                seed=options.seed,
                epochs=options.quality_epochs,
                macro_f1=round(float(f1_score(y_test, predicted, average="macro")), 3),
                accuracy=round(float((predicted == y_test).mean()), 3),
                seconds=round(time.perf_counter() - start, 1),
                **row,
            )


def one_network(network, X, y, X_test, params):
    """Predictions of a plain network with the same schedule and augmentation."""
    device, epochs = params["device"], params["max_epochs"]
    torch.manual_seed(params["random_state"])
    net = new_network(network, X, int(y.max()) + 1).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=params["lr"], momentum=0.9, weight_decay=1e-4)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    X, y = torch.from_numpy(X).to(device), torch.from_numpy(y).long().to(device)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).to(device).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(net(augmented(X[rows])), y[rows]).backward()
            optimizer.step()
        cosine.step()
    net.eval()
    with torch.no_grad():
        parts = torch.from_numpy(X_test.copy()).split(BATCH)
        return np.concatenate([net(scaled(x.to(device))).argmax(1).cpu().numpy() for x in parts])


def agreement(name, data, options, write):
    X, _, y, X_test, _ = data
    X, y = (
        scaled(torch.from_numpy(X[: options.agreement_rows])).numpy(),
        y[: options.agreement_rows],
    )
    digits = np.random.RandomState(0).choice([-1, 1], X.shape).astype(np.float32) * 1e-6
    X_test = scaled(torch.from_numpy(X_test.copy())).numpy()

    def fitted(device, X=X, tf32=True):
        torch.backends.cudnn.allow_tf32 = tf32
        start = now(device)
        net = CoTeachingVOGClassifier(
            max_epochs=12, warmup_epochs=5, vog_window=3, random_state=0, device=device
        ).fit(X, y)
        seconds = now(device) - start
        return net, net.predict(X_test), seconds

    expected, predicted, seconds = fitted("cpu")
    others = {
        "CPU, images times 1 +- 1e-6": ("cpu", X * (1 + digits), True),
        "GPU, single precision": (options.device, X, False),
        "GPU, TF32": (options.device, X, True),
    }
    for label, (device, images, tf32) in others.items():
        net, found, own = fitted(device, images, tf32)
        write(
            part="agreement",
            data=name,
            n=len(X),
            of=label,
            verdicts=round(float((net.clean_mask_ == expected.clean_mask_).mean()), 4),
            predictions=round(float((found == predicted).mean()), 4),
            forget_rates=[round(expected.forget_rate_, 4), round(net.forget_rate_, 4)],
            vog_correlation=round(float(np.corrcoef(net.vog_, expected.vog_)[0, 1]), 4),
            cpu_seconds=round(seconds, 2),
            own_seconds=round(own, 2),
            cpu_threads=torch.get_num_threads(),
        )


PARTS = {"speed": speed, "quality": quality, "agreement": agreement}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of .npz files")
    parser.add_argument("--out", type=Path, default=Path("gpu.jsonl"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--sets", nargs="+", default=[*SETS], choices=SETS)
    parser.add_argument("--networks", nargs="+", default=["default", "ResNet18"])
    parser.add_argument("--rows", type=int, default=10**9, help="training images at most")
    parser.add_argument("--epochs", type=int, default=6, help="of a training for speed")
    parser.add_argument("--turns", type=int, default=3, help="trainings of each for speed")
    parser.add_argument("--quality-epochs", type=int, default=25)
    parser.add_argument("--agreement-rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=10)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "The share of wrong labels is uncertain")
    if options.device == "cuda":
        print(torch.cuda.get_device_name(), torch.__version__, flush=True)

    def write(**row):
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")

    sets = {}
    for name in options.sets:
        try:
            X, y, y_noisy, *test = SETS[name](options.data, options.seed)
        except FileNotFoundError as error:
            print(f"{name} is skipped: {error}", flush=True)
            continue
        rows = np.random.RandomState(options.seed).permutation(len(y))[: options.rows]
        sets[name] = X[rows], y[rows], y_noisy[rows], *test
    for part in options.parts:
        for name, data in sets.items():
            PARTS[part](name, data, options, write)


if __name__ == "__main__":
    main()
