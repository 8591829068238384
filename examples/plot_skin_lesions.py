"""From a folder of image files to the labels that deserve a second look.
======================================================================

Photographs of skin lesions, say, and a CSV file with a label for each, of which some are wrong:

    python examples/plot_skin_lesions.py --images FOLDER --labels labels.csv

The CSV file has the columns ``image`` (path in the folder) and ``label``; with ``--group-column``,
images of one patient or one lesion stay on one side of the split. Files that cannot be read are
named and left out. Two networks pretrained on ImageNet then learn by Co-teaching VOG, with the
paper's augmentation, and the labels that they doubt most are shown beside what they suggest.
``--backbone NAME`` trains small networks on the features of a frozen one instead: a model of
torchvision, or ``timm/NAME``, with its own weights or those of a file (``--weights FILE``).

Without arguments the script makes a folder of its own: scikit-learn's digits 0 to 3 as PNG files,
of whose training labels it replaces 30%, and networks that start from nothing. That takes less than
a minute on one core; ``--quick`` tries that it runs, with few images and epochs.
"""

import argparse
import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score

from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.datasets import ImageTable, paper_transforms, split_images
from noisyactive.models import FrozenFeatures, torchvision_classifier


def write_digits(folder, n_images):
    """A folder of PNG files and a CSV file, as a hospital might hand them over."""
    from PIL import Image

    X, y = load_digits(n_class=4, return_X_y=True)
    with open(folder / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        for i, (pixels, digit) in enumerate(zip(X[:n_images], y[:n_images], strict=True)):
            grey = Image.fromarray((pixels.reshape(8, 8) * 15).astype(np.uint8))
            grey.resize((48, 48), Image.Resampling.BICUBIC).save(folder / f"{i:03}.png")
            rows.writerow([f"{i:03}.png", ["zero", "one", "two", "three"][digit]])
    return folder, folder / "labels.csv"


def load(images, labels, size, group_column=None):
    """Training and test images, an eighth larger than networks see them, to crop from."""
    table = ImageTable.from_csv(
        labels,
        images,
        group_column=group_column,
        size=round(size * 256 / 224),
        on_error="skip",
    )
    return split_images(table, (0.75, 0.25), random_state=0)


def train_networks(train, y, size, **options):
    """Two networks that have learned from the labels `y` what can be trusted in them."""
    train_transform, eval_transform = paper_transforms(size)
    net = CoTeachingVOGClassifier(
        torchvision_classifier("resnet18", weights=options.pop("weights")),
        train_transform=train_transform,
        eval_transform=eval_transform,
        random_state=0,
        **options,
    )
    return net.fit(train, y)


def train_on_features(train, test, y, backbone, weights, device, **options):
    """The same on features of a frozen network, and what these are."""
    features = FrozenFeatures(
        backbone, weights=weights, device=device, num_workers=options.pop("num_workers")
    )
    train, test = features.transform(train), features.transform(test)
    net = CoTeachingVOGClassifier(device=device, random_state=0, **options)
    return net.fit(train, y), train, test


def most_doubted(net, train, y):
    """Rows that are not trusted and predicted otherwise, the largest loss first."""
    suggested = net.predict(train)
    rows = np.flatnonzero(~net.clean_mask_ & (suggested != y))
    return rows[np.argsort(-net.sample_loss_[rows], kind="stable")], suggested


def plot(train, y, rows, suggested):
    """Sheet of images with the label given and the one suggested; replaced labels are in blue."""
    import matplotlib.pyplot as plt

    n_shown = max(1, min(24, len(rows)))
    n_rows = -(-n_shown // 8)
    n_columns = -(-n_shown // n_rows)  # as many in every row, or one less in the last
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(11, 0.6 + 1.6 * n_rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, row in zip(axes.flat, rows, strict=False):
        image, filed = train[int(row)]
        axis.imshow(image.permute(1, 2, 0).numpy())
        right = "#0072B2" if filed != y[row] else "#555555"
        axis.set_title(f"{y[row]}\n→ {suggested[row]}", fontsize=10, color=right)
    figure.suptitle("Labels that deserve a second look: as given → as suggested")
    return figure


def main():
    """Load, train, report, plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of images; default: digits")
    parser.add_argument("--labels", type=Path, help="CSV file with the columns image and label")
    parser.add_argument("--group-column", help="column of patients or lesions")
    parser.add_argument("--noise-rate", type=float, help="share of training labels to replace")
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--backbone", help="train on features of this frozen network")
    parser.add_argument("--weights", help="weights of the network: a name or a file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="see that it runs, on few digits")
    options = parser.parse_args()
    if (options.images is None) != (options.labels is None):
        parser.error("--images and --labels go together")

    with tempfile.TemporaryDirectory() as folder:
        if options.images is None:
            torch.set_num_threads(1)  # networks this small are no quicker on several
            size, noise_rate = 32, 0.3 if options.noise_rate is None else options.noise_rate
            n_images, epochs, warmup_epochs = (80, 7, 2) if options.quick else (320, 12, 6)
            train, test = load(*write_digits(Path(folder), n_images), size)
            settings = {"max_epochs": epochs, "warmup_epochs": warmup_epochs, "ramp_epochs": 3}
            settings |= {"batch_size": 20}
            settings |= {"mix_ratio": 0.5, "lr": 0.005}
            weights, n_workers = options.weights, 0
        else:
            size, noise_rate = options.size, options.noise_rate or 0
            train, test = load(options.images, options.labels, size, options.group_column)
            settings = {"max_epochs": options.epochs}
            weights = options.weights or (None if options.backbone else "DEFAULT")
            n_workers = min(4, os.cpu_count() or 1)  # decode while the networks compute
        noise = UniformLabelNoise(noise_rate, random_state=0)
        y = noise.fit_transform(train.targets)
        X_train, X_test = train, test
        if options.backbone is not None:
            settings |= {"weights": weights, "num_workers": n_workers, "device": options.device}
            net, X_train, X_test = train_on_features(train, test, y, options.backbone, **settings)
        else:
            if n_workers:
                names = ["iterator_train__num_workers", "iterator_valid__num_workers"]
                settings |= dict.fromkeys(names, n_workers)
            net = train_networks(train, y, size, weights=weights, device=options.device, **settings)
        rows, suggested = most_doubted(net, X_train, y)
        score = f1_score(test.targets, net.predict(X_test), average="macro")
        print(f"{len(train)} images to train on, {len(test)} to test on: {net.classes_.tolist()}")
        print(f"share of wrong labels, estimated: {net.forget_rate_:.2f}")
        print(
            f"labels trusted: {net.clean_mask_.sum()}; doubted and predicted otherwise: {len(rows)}"
        )
        if noise_rate > 0:
            wrong = y != train.targets
            print(f"labels replaced: {wrong.sum()}; among the doubted ones: {wrong[rows].sum()}")
            fixed = suggested[rows] == train.targets[rows]
            print(f"suggestions that are the label before replacing: {fixed.sum()}")
        print(f"macro F1 on the test labels as they are in the file: {score:.2f}")
        try:
            figure = plot(train, y, rows, suggested)
        except ModuleNotFoundError:
            print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
            return
    figure.savefig("skin_lesions.png", dpi=120)
    print("Figure: skin_lesions.png")


if __name__ == "__main__":
    main()
