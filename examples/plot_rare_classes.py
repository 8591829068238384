"""Why small losses drop rare classes, and when the Variance of Gradients does not.
================================================================================

What a reader learns: Co-teaching trusts labels of small loss. Early on, a network is bad at rare
classes, so their correct labels have large losses, just as wrong labels have. The Variance of
Gradients (VOG) asks something else: does the gradient of a sample still move from epoch to epoch?
That of a label which nothing else contradicts settles, be the class rare or not.

Top: loss against VOG of every sample, after Co-teaching VOG; what was trusted is drawn filled.
Bottom: for each digit, from the most frequent to the rarest, which correct labels were found, which
were missed, and which wrong ones were trusted, by Co-teaching and by Co-teaching VOG.

The price shows too: of the labels that VOG trusts, more are wrong, in the rare classes above all.
It pays where rare classes are learned late; where they are as easy as the others, or hardly any
labels are wrong, there is nothing for it to mend.

Run it with ``python examples/plot_rare_classes.py``; it takes about a quarter of a minute.
``--quick`` tries that it runs, with few epochs.
"""

import argparse

import numpy as np
import torch

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.datasets import load_long_tailed_digits
from noisyactive.inspection import LossVOGDisplay, SelectionDisplay, selection_report


def main():
    """Train both, print what they trusted, and plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    quick = parser.parse_args().quick
    settings = {"max_epochs": 8, "warmup_epochs": 2, "batch_size": 64} if quick else {}
    torch.set_num_threads(1)
    digits = load_long_tailed_digits(random_state=0)
    y = digits.y_train
    y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    nets = {
        "Co-teaching": CoTeachingClassifier(random_state=0, **settings),
        "Co-teaching VOG": CoTeachingVOGClassifier(mix_ratio=1, random_state=0, **settings),
    }
    for name, net in nets.items():
        net.fit(digits.X_train, y_noisy)
        print(f"{name}: macro recall on test data", end=" ")
        predicted = net.predict(digits.X_test)
        recalls = [(predicted[digits.y_test == c] == c).mean() for c in net.classes_]
        print(f"{np.mean(recalls):.3f}")
        print(selection_report(y_noisy, net.clean_mask_, y).round(2).to_string(), end="\n\n")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure = plt.figure(figsize=(9, 9), layout="constrained")
    axes = figure.subplot_mosaic([["scatter"], ["Co-teaching"], ["Co-teaching VOG"]])
    LossVOGDisplay.from_estimator(nets["Co-teaching VOG"], y_noisy, y, ax=axes["scatter"])
    for name, net in nets.items():
        SelectionDisplay.from_estimator(net, y_noisy, y, ax=axes[name])
        axes[name].set_title(name, loc="right")
    figure.savefig("rare_classes.png", dpi=120)
    print("Figure: rare_classes.png")


if __name__ == "__main__":
    main()
