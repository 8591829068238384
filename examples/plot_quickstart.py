"""Learn from labels of which 40% are wrong, and see which ones to trust.

scikit-learn's digits, made long-tailed (the most frequent digit is ten times as frequent as the
rarest) and given 40% wrong labels. Three ways to learn from them:

* plain cross-entropy: the same two networks, trusting every label;
* Co-teaching: each network trusts the labels of small loss and hands them to the other one;
* Co-teaching VOG: each network trusts the labels whose gradient has settled.

Small losses look past the rare classes: a rare sample is hard, so its label looks wrong. The
Variance of Gradients (VOG) finds more of their correct labels. Nobody tells the networks how many
labels are wrong; they estimate it.

Run it with ``python examples/plot_quickstart.py``; it takes about half a minute.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from noisyactive import (
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    LongTailSampler,
    UniformLabelNoise,
)


def make_data(random_state):
    """Long-tailed digits with noisy training labels and a clean test set."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 1, 8, 8)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=random_state
    )
    sampler = LongTailSampler(imbalance_factor=10, random_state=random_state)
    X_train, y_train = sampler.fit_resample(X_train, y_train)
    y_noisy = UniformLabelNoise(0.4, random_state=random_state).fit_transform(y_train)
    return X_train, y_train, y_noisy, X_test, y_test


def make_classifiers(random_state):
    """The three ways to learn."""
    return {
        "Cross-entropy": CoTeachingClassifier(forget_rate=0, random_state=random_state),
        "Co-teaching": CoTeachingClassifier(random_state=random_state),
        "Co-teaching VOG": CoTeachingVOGClassifier(mix_ratio=1, random_state=random_state),
    }


def describe(classifier, y_train, y_noisy, X_test, y_test):
    """How well a fitted classifier does, and how well it tells right labels from wrong ones."""
    right = y_noisy == y_train
    trusted = classifier.clean_mask_
    rarest = np.argsort(np.bincount(y_train), kind="stable")[:3]
    rare = np.isin(y_train, rarest)
    return {
        "macro F1": f1_score(y_test, classifier.predict(X_test), average="macro"),
        "found": trusted[right].mean(),
        "found, rare": trusted[right & rare].mean(),
        "precision": right[trusted].mean(),
    }


def compare(random_state):
    """Fit all three on one draw of the data; return them, a table of results, and the data."""
    X_train, y_train, y_noisy, X_test, y_test = make_data(random_state)
    classifiers = make_classifiers(random_state)
    table = {}
    for name, classifier in classifiers.items():
        classifier.fit(X_train, y_noisy)
        table[name] = describe(classifier, y_train, y_noisy, X_test, y_test)
    return classifiers, table, y_train, y_noisy


def mean_table(tables):
    """Mean of several tables, entry by entry."""
    return {
        name: {key: np.mean([table[name][key] for table in tables]) for key in row}
        for name, row in tables[0].items()
    }


def print_table(table):
    """Print one row per method."""
    columns = list(next(iter(table.values())))
    print("".join(["".ljust(16), *(column.rjust(13) for column in columns)]))
    for name, row in table.items():
        print("".join([name.ljust(16), *(f"{row[column]:13.2f}" for column in columns)]))


def plot(classifiers, y_train, y_noisy):
    """Left: correct labels found, by class. Right: loss and VOG of every sample."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    sizes = np.bincount(y_train)
    order = np.argsort(-sizes, kind="stable")
    is_right = y_noisy == y_train
    styles = [("Co-teaching", -0.2, "#56B4E9"), ("Co-teaching VOG", 0.2, "#D55E00")]
    for name, shift, color in styles:
        trusted = classifiers[name].clean_mask_
        found = [trusted[is_right & (y_train == label)].mean() for label in order]
        left.bar(np.arange(len(order)) + shift, found, width=0.4, color=color, label=name)
    left.set_xticks(range(len(order)), [f"{label}\n{sizes[label]}" for label in order])
    left.set(
        xlabel="digit, and its number of training images",
        ylabel="share of correct labels found",
        title="Which correct labels are trusted",
        ylim=(0, 1.12),
    )
    left.legend(loc="upper right", ncols=2, frameon=False)

    vog = classifiers["Co-teaching VOG"]
    rare = np.isin(y_train, order[-3:])
    groups = [
        ("wrong label", ~is_right, "#999999", "x"),
        ("correct label", is_right & ~rare, "#0072B2", "o"),
        ("correct label, three rarest digits", is_right & rare, "#D55E00", "^"),
    ]
    for name, members, color, marker in groups:
        right.scatter(
            vog.sample_loss_[members], vog.vog_[members], s=18, c=color, marker=marker, label=name
        )
    right.set(
        xscale="log",
        yscale="log",
        xlabel="loss in the last epoch",
        ylabel="Variance of Gradients",
        title="What the networks see of each label",
    )
    right.legend(loc="upper left", fontsize="small")
    return figure


def main():
    """Compare, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="mean over several draws")
    seeds = parser.parse_args().seeds
    tables = []
    for seed in seeds:
        classifiers, table, y_train, y_noisy = compare(seed)
        tables.append(table)
        wrong = (y_noisy != y_train).mean()
        estimate = classifiers["Co-teaching VOG"].forget_rate_
        print(f"{len(y_train)} images, {wrong:.1%} of the labels wrong, estimated {estimate:.1%}")
    print_table(mean_table(tables))
    print("found: share of the correct labels that is trusted (rare: in the three rarest digits)")
    print("precision: share of the trusted labels that is correct")
    try:
        figure = plot(classifiers, y_train, y_noisy)
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure.savefig("quickstart.png", dpi=120)
    print("Figure: quickstart.png")


if __name__ == "__main__":
    main()
