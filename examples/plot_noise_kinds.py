"""Kinds of label noise, and the matrices behind them.
===================================================

What a reader learns: "40% of the labels are wrong" says little about what is wrong with them. With
uniform noise every other class is as likely. With pair noise each class is taken for one other, as
one disease for the one it resembles. A transition matrix says it exactly: mistakes of one's own
readers go in here, and here rare classes are taken for the most frequent one, as a tired reader
does. Instance-dependent noise hits the samples that are hard, so that a matrix, an average over
each class, hides the pattern.

The matrices are T[i, j] = P(label = j | true class = i), counted from the labels drawn.

Run it with ``python examples/plot_noise_kinds.py``; it takes a few seconds.
"""

import numpy as np
from sklearn.datasets import load_digits

from noisyactive import (
    InstanceDependentLabelNoise,
    LongTailSampler,
    PairLabelNoise,
    TransitionLabelNoise,
    UniformLabelNoise,
)
from noisyactive.inspection import TransitionMatrixDisplay, noise_report


def make_noise():
    """Four ways to be wrong about four labels in ten."""
    towards_zero = 0.55 * np.eye(10)
    towards_zero[:, 0] += 0.45  # whatever it is, it is taken for a zero
    return {
        "uniform": UniformLabelNoise(0.4, random_state=0),
        "pair": PairLabelNoise(0.4, random_state=0),
        "transition matrix:\ntaken for the most frequent": TransitionLabelNoise(
            towards_zero, random_state=0
        ),
        "instance-dependent": InstanceDependentLabelNoise(0.4, random_state=0),
    }


def main():
    """Draw noisy labels of each kind, print what was drawn, and plot."""
    X, y = LongTailSampler(imbalance_factor=10, random_state=0).fit_resample(
        *load_digits(return_X_y=True)
    )
    drawn = {}
    for name, noise in make_noise().items():
        needs_X = isinstance(noise, InstanceDependentLabelNoise)
        drawn[name] = noise.fit_transform(y, X) if needs_X else noise.fit_transform(y)
        rates, _ = noise_report(drawn[name], y)
        print(name.replace("\n", " "))
        print(rates.round(2).to_string(), end="\n\n")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure, axes = plt.subplots(2, 2, figsize=(9, 8.4), layout="constrained")
    for ax, (name, y_noisy) in zip(axes.flat, drawn.items(), strict=True):
        TransitionMatrixDisplay.from_predictions(y_noisy, y, ax=ax)
        ax.set_title(name)
    figure.savefig("noise_kinds.png", dpi=120)
    print("Figure: noise_kinds.png")


if __name__ == "__main__":
    main()
