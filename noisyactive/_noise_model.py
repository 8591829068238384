"""Model of label noise, fitted to given labels and held-out class probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

# More rows without a true label than this make the estimate no better, only slower.
_MAX_ROWS = 20_000
# Three starts: the likelihood can have a mode for "sharp posterior, many wrong labels" and one for
# "flat posterior, few".
_STARTS = ((0.0, -1.0), (0.7, 0.0), (1.4, 0.0))
# Rates whose density is below exp(-8) of the highest one do not count.
_NEGLIGIBLE = 8.0


@dataclass(frozen=True)
class NoisePrior:
    """Prior of a noise model, of a strength that does not depend on the number of samples.

    Parameters
    ----------
    log_scale : float, default=1
        Standard deviation of the logarithm of the scale, whose mean is 0.
    targets : float, default=1
        Pseudo-observations on each row of the matrix of where wrong labels go, spread evenly over
        all classes.
    rate : float, default=0
        Of the density ``exp(-rate * x)`` of the share x of wrong labels; 0 is a flat one.
    """

    log_scale: float = 1.0
    targets: float = 1.0
    rate: float = 0.0


# For the rate alone. With a hundred rows and ten classes, the free matrix of where wrong labels go
# has as many entries as there are wrong labels: its mode explains honest errors as a pattern of
# noise. Hardly critical: targets from 50 to 200, rates from 0 to 4 and a log-scale of 0.7 gave mean
# errors from .044 to .048 on 126 small sets.
RATE_PRIOR = NoisePrior(log_scale=0.5, targets=50.0, rate=2.0)


@dataclass(frozen=True)
class NoiseModel:
    """Model of the given labels: ``P(given = k | x) = sum_j q_j(x) T[j, k]``.

    Parameters
    ----------
    rate : float
        Share of wrong labels.
    transition : tensor of float64 of shape (n_classes, n_classes)
        ``T[j, k] = P(given = k | true = j)``.
    scale : float
        Factor of the log-probabilities.
    shift : tensor of float64 of shape (n_classes,)
        What is added to them; ``q = softmax(scale * log(proba) + shift)``.
    """

    rate: float
    transition: torch.Tensor
    scale: float
    shift: torch.Tensor

    def posterior(self, proba: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Probability of each class to be the true one, given the sample and its label.

        Parameters
        ----------
        proba : tensor of shape (n_samples, n_classes)
            Held-out class probabilities.
        codes : tensor of int64 of shape (n_samples,)
            Given labels.

        Returns
        -------
        tensor of float64 of shape (n_samples, n_classes)
            By Bayes' rule, ``q_j(x) T[j, given]`` in proportion.
        """
        log_q = torch.log_softmax(_log(proba) * self.scale + self.shift, dim=1)
        return torch.softmax(log_q + self.transition.log()[:, codes].T, dim=1)


def fit_noise(
    proba: torch.Tensor,
    codes: torch.Tensor,
    true_codes: torch.Tensor | None = None,
    start: tuple[float, float] | None = None,
    prior: NoisePrior = NoisePrior(),
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
    ``(C - 1) / C``, where labels would say nothing any more.

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
    true_codes : tensor of int64 of shape (n_samples,), default=None
        True labels where they are known, -1 elsewhere. None: none is known.
    start : tuple (rate, scale), default=None
        Where to start, as from an estimate for similar probabilities: it is the mode near there
        that is found. None starts in three places and takes the best, for three times the time.
    prior : NoisePrior, default=NoisePrior()
        The prior, if not the one described.

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
    posterior = _Posterior.of(proba, codes, true_codes, prior)
    starts = _STARTS if start is None else [_place_of(*start, proba.shape[1])]
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
    posterior = _Posterior.of(proba, codes, None, prior)
    first_step = posterior.max_rate / (4 * math.sqrt(len(codes)))
    modes: list[_Fit] = []
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


def _place_of(rate: float, scale: float, n_classes: int) -> tuple[float, float]:
    """Log of the scale, and logit of the rate as a share of the highest one."""
    share = min(max(rate * n_classes / (n_classes - 1), 0.01), 0.99)  # 0 and 1 have no logit
    return math.log(scale), math.log(share / (1 - share))


def _log(proba: torch.Tensor) -> torch.Tensor:
    return proba.double().clamp(min=1e-6).log()


@dataclass(frozen=True)
class _Parameters:
    """Unconstrained parameters of a noise model; tensors of float64."""

    log_scale: torch.Tensor
    rate: torch.Tensor  # logit of the share of the highest rate
    shift: torch.Tensor
    targets: torch.Tensor  # logits of W; its diagonal is not used


@dataclass(frozen=True)
class _Fit:
    """Mode of a posterior, over all parameters or over those beside the rate."""

    log_density: float
    model: NoiseModel
    parameters: _Parameters


@dataclass(frozen=True)
class _Posterior:
    """Posterior density of the parameters, given the labels."""

    log_proba: torch.Tensor
    codes: torch.Tensor
    possible: torch.Tensor  # classes that may be the true one, of each row
    weight: torch.Tensor
    prior: NoisePrior

    @classmethod
    def of(
        cls,
        proba: torch.Tensor,
        codes: torch.Tensor,
        true_codes: torch.Tensor | None,
        prior: NoisePrior,
    ) -> _Posterior:
        """From the arguments of `fit_noise`; too many rows without a true label are thinned out."""
        if len(codes) == 0:
            raise ValueError("The noise rate cannot be estimated without held-out predictions.")
        if true_codes is None:
            true_codes = torch.full_like(codes, -1)
        weight = torch.ones(len(codes), dtype=torch.float64)
        unseen = (true_codes < 0).nonzero().squeeze(1)
        if len(unseen) > _MAX_ROWS:
            generator = torch.Generator().manual_seed(0)
            kept = unseen[torch.randperm(len(unseen), generator=generator)[:_MAX_ROWS]]
            weight[kept] = len(unseen) / _MAX_ROWS
            rows = torch.cat([(true_codes >= 0).nonzero().squeeze(1), kept])
            proba, codes, true_codes, weight = (
                part[rows] for part in (proba, codes, true_codes, weight)
            )
        # Of a row whose true class is known, only that class counts.
        possible = torch.nn.functional.one_hot(true_codes.clamp(min=0), proba.shape[1]).bool()
        possible |= (true_codes < 0)[:, None]
        return cls(_log(proba), codes, possible, weight, prior)

    @property
    def n_classes(self) -> int:
        return self.log_proba.shape[1]

    @property
    def max_rate(self) -> float:
        """From here on, labels say nothing any more."""
        return (self.n_classes - 1) / self.n_classes

    def near(self, log_scale: float, logit_rate: float) -> _Parameters:
        """Where to start; W is the confusion of the sharpened prediction and the given label."""
        given = torch.nn.functional.one_hot(self.codes, self.n_classes).double()
        guess = torch.softmax(self.log_proba * math.exp(log_scale), dim=1)
        confusion = self.prior.targets + guess.T @ (given * self.weight[:, None])
        diagonal = torch.eye(self.n_classes, dtype=torch.bool)
        return _Parameters(
            torch.tensor(log_scale, dtype=torch.float64),
            torch.tensor(logit_rate, dtype=torch.float64),
            torch.zeros(self.n_classes, dtype=torch.float64),
            confusion.log().masked_fill(diagonal, 0),
        )

    def fit(self, start: _Parameters, rate: float | None = None) -> _Fit:
        """Mode near a start; of a `rate` that is given, the mode of all other parameters."""
        n_samples, diagonal = self.weight.sum(), torch.eye(self.n_classes, dtype=torch.bool)
        log_scale, rate_logit, shift, target_logits = (
            part.clone().requires_grad_()
            for part in (start.log_scale, start.rate, start.shift, start.targets)
        )
        parameters = [log_scale, shift, target_logits, *([rate_logit] if rate is None else [])]
        optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

        def transition() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            log_targets = torch.log_softmax(target_logits.masked_fill(diagonal, -torch.inf), dim=1)
            wrong = torch.sigmoid(rate_logit) * self.max_rate
            if rate is not None:
                wrong = torch.tensor(rate, dtype=torch.float64)
            return wrong, log_targets, (1 - wrong) * diagonal + wrong * log_targets.exp()

        def log_density() -> torch.Tensor:
            wrong, log_targets, matrix = transition()
            true_class = torch.softmax(self.log_proba * log_scale.exp() + shift, dim=1)
            likelihood = (true_class * matrix[:, self.codes].T * self.possible).sum(dim=1)
            log_likelihood = (self.weight * likelihood.log()).sum()
            log_prior = -((log_scale / self.prior.log_scale) ** 2 + shift.square().sum()) / 2
            pseudo = self.prior.targets / (self.n_classes - 1)
            log_prior = log_prior + pseudo * log_targets[~diagonal].sum()
            return log_likelihood + log_prior - self.prior.rate * wrong

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = -log_density() / n_samples
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
        with torch.no_grad():
            wrong, _, matrix = transition()
            model = NoiseModel(wrong.item(), matrix, log_scale.exp().item(), shift.detach())
            found = (part.detach() for part in (log_scale, rate_logit, shift, target_logits))
            return _Fit(log_density().item(), model, _Parameters(*found))

    def walk(self, mode: _Fit, step: float, least: float) -> Iterator[tuple[float, float]]:
        """Rates at doubling distances from a mode, and their log density, while it is not least.

        Each fit starts from the one before. The last one is below `least`, or at the end of the
        range.
        """
        fit, rate = mode, mode.model.rate
        while fit.log_density > least:
            following = min(max(rate + step, 0.0), self.max_rate)
            if following == rate:
                return
            fit, rate = self.fit(fit.parameters, following), following
            yield rate, fit.log_density
            step *= 2
