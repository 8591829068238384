"""The data sets of the study, and the noise that goes into their training labels.

Every loader returns a Bunch: ``X_train, y_train, X_test, y_test`` with labels that are right,
``X_val, y_val`` where there is a validation part, and ``human``, wrong labels that people gave.
"""

import io

import numpy as np
import torch
from PIL import Image
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from noisyactive import (
    InstanceDependentLabelNoise,
    LongTailSampler,
    PairLabelNoise,
    UniformLabelNoise,
)
from noisyactive.datasets import (
    load_isic2019,
    load_long_tailed_digits,
    load_medmnist_npz,
    load_nct_crc,
    split_images,
)

NOISES = {
    "uniform": UniformLabelNoise,
    "pair": PairLabelNoise,
    "instance": InstanceDependentLabelNoise,
}
PROFILES = {"digits": 10, "nct_crc": 100}  # imbalance factor where none is asked for


def load(data, path, imbalance_factor, seed):
    """Load a data set; `imbalance_factor` None leaves class sizes as they are."""
    if data == "digits":
        return load_long_tailed_digits(imbalance_factor or 1, random_state=seed)
    if data == "nct_crc":
        return load_nct(path, imbalance_factor or 1, seed)
    parts = load_isic(path, seed) if data == "isic2019" else load_npz(path)
    if imbalance_factor is not None:
        # Wrong labels that people gave go with their rows.
        rows = np.arange(len(parts.y_train))
        sampler = LongTailSampler(imbalance_factor, random_state=seed)
        rows, parts.y_train = sampler.fit_resample(rows, parts.y_train)
        parts.X_train = parts.X_train[rows]
        parts.human = {name: labels[rows] for name, labels in parts.get("human", {}).items()}
    return parts


def without_test(parts, seed):
    """The same with the validation part to test on, for choosing methods.

    Where there is none, every fifth training sample becomes one.
    """
    if "X_val" in parts:
        return Bunch(**{**parts, "X_test": parts.X_val, "y_test": parts.y_val})
    train, val = train_test_split(
        np.arange(len(parts.y_train)), test_size=0.2, stratify=parts.y_train, random_state=seed
    )
    return Bunch(
        X_train=parts.X_train[train],
        y_train=parts.y_train[train],
        X_test=parts.X_train[val],
        y_test=parts.y_train[val],
        human={name: labels[train] for name, labels in parts.get("human", {}).items()},
    )


def as_features(parts, features):
    """The same with features of a frozen network in the place of images."""
    names = [name for name in ("X_train", "X_val", "X_test") if name in parts]
    return Bunch(**{**parts, **{name: features.transform(parts[name]) for name in names}})


def load_isic(path, seed):
    """ISIC-2019, split as in the paper; no lesion is in two parts."""
    train, val, test = split_images(load_isic2019(path), (0.7, 0.1, 0.2), random_state=seed)
    return from_tables(train, val, test)


def load_nct(path, imbalance_factor, seed):
    """Long-tailed NCT-CRC-HE-100K; `path` holds its folder, and CRC-VAL-HE-7K to test on."""
    table = load_nct_crc(f"{path}/NCT-CRC-HE-100K")
    sampler = LongTailSampler(imbalance_factor, random_state=seed)
    kept = sampler.fit(np.zeros((len(table), 1)), table.targets).sample_indices_
    train, val = split_images(table[kept], (0.8, 0.2), random_state=seed)
    return from_tables(train, val, load_nct_crc(f"{path}/CRC-VAL-HE-7K"))


def from_tables(train, val, test):
    """Bunch of three image tables, each with its labels beside it."""
    return Bunch(
        X_train=train,
        y_train=train.targets,
        X_val=val,
        y_val=val.targets,
        X_test=test,
        y_test=test.targets,
    )


def load_npz(path):
    """An npz file, recognised by the names of its arrays.

    * MedMNIST's own format;
    * ``features`` or ``images``, ``labels`` and ``split`` (0 train, 1 validation, 2 test);
    * ``clean_label``, ``test_labels``, any number of ``*_label*`` that people gave, and either
      ``features`` and ``test_features`` or ``jpeg``, ``offset``, ``test_jpeg``, ``test_offset``.
    """
    with np.load(path, allow_pickle=False) as file:
        names = set(file.files)
        if "train_images" in names:
            return load_medmnist_npz(path)
        arrays = {name: file[name] for name in names}
    if "split" in names:
        X = as_input(arrays["features" if "features" in names else "images"])
        y, split = arrays["labels"].astype(int), arrays["split"]
        parts = {"train": split == 0, "val": split == 1, "test": split == 2}
        return Bunch(
            **{f"X_{part}": X[rows] for part, rows in parts.items()},
            **{f"y_{part}": y[rows] for part, rows in parts.items()},
        )
    if "features" in names:
        X_train, X_test = as_input(arrays["features"]), as_input(arrays["test_features"])
    else:
        X_train = decode(arrays["jpeg"], arrays["offset"])
        X_test = decode(arrays["test_jpeg"], arrays["test_offset"])
    human = {name: arrays[name].astype(int) for name in names if "_label" in name}
    y_test = human.pop("test_labels")
    return Bunch(
        X_train=X_train, y_train=human.pop("clean_label"), X_test=X_test, y_test=y_test, human=human
    )


def as_input(array):
    """Rows as float32, images with channels first."""
    if array.ndim == 2:
        return array.astype(np.float32)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def decode(jpeg, offset):
    """Images that lie one after the other in an array of bytes."""
    files = [jpeg[start:end] for start, end in zip(offset[:-1], offset[1:], strict=True)]
    images = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]
    return as_input(np.stack(images))


def corrupt(parts, noise, noise_rate, seed):
    """Training labels with noise: one draw per seed, into a copy."""
    if noise in NOISES:
        transformer = NOISES[noise](noise_rate, random_state=seed)
        if noise == "instance" and isinstance(parts.X_train, torch.utils.data.Dataset):
            raise SystemExit("--noise instance needs images that lie in memory")
        return transformer.fit_transform(parts.y_train, parts.X_train)
    human = parts.get("human", {})
    if noise not in human:
        raise SystemExit(f"--noise must be one of {[*NOISES, *sorted(human)]}, got {noise}")
    return human[noise].copy()
