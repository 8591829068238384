"""Model of label noise, fitted to given labels and held-out class probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from ._noise_posterior import Fit, NoiseModel, NoisePrior, Posterior, place_of

# Change of the log density that ends the fit of a point of a profile.
_PROFILE_TOLERANCE = 1e-2
# Three starts: the likelihood can have a mode for "sharp posterior, many wrong labels" and one for
# "flat posterior, few".
_STARTS = ((0.0, -1.0), (0.7, 0.0), (1.4, 0.0))
# Rates whose density is below exp(-8) of the highest one do not count.
_NEGLIGIBLE = 8.0

FLAT_PRIOR = NoisePrior()
# For the rate alone. With a hundred rows and ten classes, the free matrix of where wrong labels go
# has as many entries as there are wrong labels: its mode explains honest errors as a pattern of
# noise. Hardly critical: targets from 50 to 200, rates from 0 to 4 and a log-scale of 0.7 gave mean
# errors from .044 to .048 on 126 small sets.
RATE_PRIOR = NoisePrior(log_scale=0.5, targets=50.0, rate=2.0)
# For labels nobody answered for. A network that predicts noisy labels exactly explains them without
# any noise: the prior, which then decides, expects wrong labels and true classes plainer than the
# predictions, and each class has its own rate. Chosen among eight on digits, texts, a table and
# features of images, with five kinds of noise.
AUDIT_PRIOR = NoisePrior(
    log_scale=0.4,
    log_scale_mean=1.0,
    targets=5.0,
    some_noise=20.0,
    rate_spread=1.0,
    n_samples=500.0,
)


def fit_noise(
    proba: torch.Tensor,
    codes: torch.Tensor,
    answered: tuple[torch.Tensor, torch.Tensor] | None = None,
    start: tuple[float, float] | None = None,
    prior: NoisePrior = FLAT_PRIOR,
    tolerance: float = 1e-3,
) -> NoiseModel:
    """Fit the model of the given labels, from class probabilities that did not see them.

    Fits ``P(given = k | x) = sum_j q_j(x) T[j, k]`` to the given labels, with
    ``q = softmax(a * log(proba) + b)`` and ``T = (1 - rate) * I + rate * W``. Networks trained on
    noisy labels, and not for long, are less sure of the true class than they could be: ``a``
    sharpens and ``b`` (one number per class) shifts their probabilities, as temperature and vector
    scaling do [1]_. ``T[j, k] = P(given = k | true = j)`` is a transition matrix as in forward
    correction [2]_, with one noise rate for all classes and a free matrix W of where wrong labels
    go. The estimate is the posterior mode: standard normal priors on ``log(a)`` and ``b``, a
    Dirichlet prior with one pseudo-observation on each row of W, and a flat one on the rate up to
    ``(C - 1) / C``, where labels would say nothing any more. An answer about a sample multiplies
    ``q_j(x) T[j, k]`` by its likelihood.

    With more than 30 classes, each sample takes part with its given label, its most probable other
    classes, and all others as one class, whose probability is spread evenly over them and whose
    wrong labels go anywhere. So time and memory grow with the samples, and hardly with the classes.

    It needs held-out probabilities: on samples that a network has memorised, wrong labels look
    right. The rate comes out too low where wrong labels look like doubt between classes (pair
    noise, human errors, a network that predicts the probabilities of the noisy labels exactly).
    Probabilities that carry no information about the true class leave the rate undetermined: any
    value up to ``(C - 1) / C`` may come out.

    Parameters
    ----------
    proba : tensor of shape (n_samples, n_classes)
        Held-out class probabilities.
    codes : tensor of int64 of shape (n_samples,)
        Encoded given labels.
    answered : tuple (rows, likelihood), default=None
        What experts answered. ``rows``, a tensor of int64 of shape (n_answered,), are the samples
        that they were asked about, each of them once. ``likelihood``, a tensor of float64 of shape
        (n_answered, n_classes), holds the probability of the answers if each class were the true
        one: 1 for one class and 0 for all others, if experts never err. None: nobody was asked.
    start : tuple (rate, scale), default=None
        Where to start, as from an estimate for similar probabilities: it is the mode near there
        that is found. None starts in three places and takes the best, for three times the time.
    prior : NoisePrior, default=FLAT_PRIOR
        The prior, if not the one described.
    tolerance : float, default=1e-3
        Change of the log density by a step that ends the fit. With this, posteriors on real data
        differ from those at the mode by about .02 at most.

    Returns
    -------
    NoiseModel
        The estimate.

    Raises
    ------
    ValueError
        If there are no samples.

    References
    ----------
    .. [1] Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
       https://doi.org/10.48550/arXiv.1706.04599
    .. [2] Patrini et al., "Making Deep Neural Networks Robust to Label Noise: A Loss Correction
       Approach", CVPR 2017, https://doi.org/10.1109/CVPR.2017.240
    """
    posterior = Posterior.of(proba, codes, answered, prior, tolerance)
    starts = _STARTS if start is None else [place_of(*start, proba.shape[1])]
    fits = [posterior.fit(posterior.near(*place)) for place in starts]
    return max(fits, key=lambda fit: fit.log_density).model


@dataclass(frozen=True)
class RateEstimate:
    """Share of wrong labels.

    Parameters
    ----------
    rate : float
        Median of the posterior, which makes the expected absolute error least.
    interval : tuple (low, high)
        The narrowest one that holds every rate of the 95% of highest density.
    """

    rate: float
    interval: tuple[float, float]


def estimate_rate(
    proba: torch.Tensor, codes: torch.Tensor, prior: NoisePrior = RATE_PRIOR
) -> RateEstimate:
    """Estimate the share of wrong labels and its uncertainty, by the model of `fit_noise`.

    From few samples the model may fit about as well with many wrong labels and sharp predictions as
    with none and doubtful ones. So the estimate is the median of the rate's posterior, and not its
    mode. For each rate, its density is that of the best parameters beside it (a profile of the
    posterior, as a profile likelihood [1]_), computed for rates at doubling distances from each
    mode and interpolated in between.

    Intervals take the model for true, and the other parameters for known once the rate is: they
    hold the truth somewhat less often than they say. The prior has a price where wrong labels all
    go to one class: of 30% such labels it found up to 5 points too many.
    Pair noise may pass for doubt where there are less than some hundred wrong labels per class.

    Parameters
    ----------
    proba : tensor of shape (n_samples, n_classes)
        Held-out class probabilities.
    codes : tensor of int64 of shape (n_samples,)
        Encoded given labels.
    prior : NoisePrior, default=RATE_PRIOR
        The prior. By default the matrix of where wrong labels go stays close to an even one unless
        hundreds of wrong labels say otherwise, and the rate is drawn towards 0 where there is
        little evidence.

    Returns
    -------
    RateEstimate
        Rate and interval.

    Raises
    ------
    ValueError
        If there are no samples.

    References
    ----------
    .. [1] D. R. Cox, N. Reid, "Parameter Orthogonality and Approximate Conditional Inference",
       Journal of the Royal Statistical Society B, 1987,
       https://doi.org/10.1111/j.2517-6161.1987.tb01422.x
    """
    posterior = Posterior.of(proba, codes, None, prior, _PROFILE_TOLERANCE)
    first_step = posterior.max_rate / (4 * math.sqrt(len(codes)))
    modes: list[Fit] = []
    for fit in (posterior.fit(posterior.near(*place)) for place in _STARTS):
        if all(abs(fit.model.rate - mode.model.rate) > first_step / 10 for mode in modes):
            modes.append(fit)
    highest = max(mode.log_density for mode in modes)
    profile = {}
    for mode in modes:
        if mode.log_density > highest - _NEGLIGIBLE:
            profile[mode.model.rate] = mode.log_density
            for direction in (-first_step, first_step):
                profile |= dict(posterior.walk(mode, direction, highest - _NEGLIGIBLE))
    return _summary(np.array(sorted(profile.items())))


def _summary(profile: np.ndarray) -> RateEstimate:
    """Median and interval of a density, of which rows of rate and log density are known."""
    rates, log_density = profile.T
    log_density -= log_density.max()
    fine = np.concatenate([np.linspace(*pair, 100, endpoint=False) for pair in pairwise(rates)])
    fine = np.append(fine, rates[-1])
    density = np.exp(PchipInterpolator(rates, log_density)(fine))
    mass = density * np.gradient(fine)
    mass /= mass.sum()
    median = fine[np.searchsorted(mass.cumsum(), 0.5)]
    order = np.argsort(-density)
    held = fine[order[: np.searchsorted(mass[order].cumsum(), 0.95) + 1]]
    return RateEstimate(float(median), (float(held.min()), float(held.max())))
