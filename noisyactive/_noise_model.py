"""Model of label noise, fitted to given labels and held-out class probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

# More rows without an answer than this make the estimate no better, only slower.
_MAX_ROWS = 20_000
# Classes that a sample may belong to; with more classes, all others count as one. With 100 and
# 1,000 classes, 10 candidates gave rates within .005 of those that 30 gave.
_MAX_CANDIDATES = 30
# Steps of a fit; with a thousand classes, those after the first 80 hardly move the rate.
_MAX_STEPS = 80
# Changes of the log density that end a fit: of a mode, and of a point of a profile.
_TOLERANCE = 1e-7
_PROFILE_TOLERANCE = 1e-2
# Rows whose posterior is computed at once.
_BLOCK = 1024
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
        log_given = self.transition.T.log() + self.shift
        posterior = torch.empty(proba.shape, dtype=torch.float64)
        # By blocks: only what is returned is as large as `proba`.
        for rows in torch.arange(len(proba)).split(_BLOCK):
            log_proba = _positive(proba[rows]).log()
            posterior[rows] = torch.softmax(log_proba * self.scale + log_given[codes[rows]], dim=1)
        return posterior


def fit_noise(
    proba: torch.Tensor,
    codes: torch.Tensor,
    answered: tuple[torch.Tensor, torch.Tensor] | None = None,
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
    posterior = _Posterior.of(proba, codes, answered, prior, _TOLERANCE)
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
    posterior = _Posterior.of(proba, codes, None, prior, _PROFILE_TOLERANCE)
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


def _positive(proba: torch.Tensor) -> torch.Tensor:
    """A copy as float64, without zeros."""
    return proba.double().clamp(min=1e-6)


@dataclass(frozen=True)
class _Parameters:
    """Unconstrained parameters of a noise model; tensors of float64."""

    log_scale: torch.Tensor
    rate: torch.Tensor  # logit of the share of the highest rate
    shift: torch.Tensor
    # Their squares are in proportion to the entries of W. The likelihood is about equally curved
    # along all of them, as it is not along logits: a fit takes a fraction of the steps.
    roots: torch.Tensor


@dataclass(frozen=True)
class _Fit:
    """Mode of a posterior, over all parameters or over those beside the rate."""

    log_density: float
    model: NoiseModel
    parameters: _Parameters


@dataclass(frozen=True)
class _Rows:
    """Samples with their candidates for the true class: some classes, and all others as one.

    Parameters
    ----------
    proba : tensor of float64 of shape (n_samples, n_candidates)
        Class probabilities; of all others, their mean.
    classes : tensor of int64 of shape (n_samples, n_candidates)
        Candidates, first the given label; `n_classes` stands for all others.
    likelihood : tensor of float64 of shape (n_samples, n_candidates)
        Probability of what experts answered; 1 where they were not asked.
    weight : tensor of float64 of shape (n_samples,)
        How many samples each stands for.
    n_classes, n_others : int
        Classes, and how many of them are not among the candidates of a sample.
    """

    proba: torch.Tensor
    classes: torch.Tensor
    likelihood: torch.Tensor
    weight: torch.Tensor
    n_classes: int
    n_others: int

    @classmethod
    def of(
        cls,
        proba: torch.Tensor,
        codes: torch.Tensor,
        answered: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> _Rows:
        """From the arguments of `fit_noise`; too many rows without an answer are thinned out."""
        if len(codes) == 0:
            raise ValueError("The noise rate cannot be estimated without held-out predictions.")
        n_classes = proba.shape[1]
        rows, likelihood = answered or (codes[:0], torch.ones(0, n_classes, dtype=torch.float64))
        weight = torch.ones(len(codes), dtype=torch.float64)
        asked = torch.zeros(len(codes), dtype=torch.bool)
        asked[rows] = True
        unseen = (~asked).nonzero().squeeze(1)
        if len(unseen) > _MAX_ROWS:
            generator = torch.Generator().manual_seed(0)
            kept = unseen[torch.randperm(len(unseen), generator=generator)[:_MAX_ROWS]]
            weight[kept] = len(unseen) / _MAX_ROWS
            chosen = torch.cat([rows, kept])
            proba, codes, weight = proba[chosen], codes[chosen], weight[chosen]
            rows = torch.arange(len(rows))

        # Where q times likelihood is highest. A likelihood of 0 leaves the order of q.
        score = _positive(proba)
        total = score.sum(dim=1)
        expected = (score[rows] * likelihood).sum(dim=1)
        score[rows] *= likelihood.clamp(min=1e-12)
        score.scatter_(1, codes[:, None], torch.inf)
        classes = score.topk(min(n_classes, _MAX_CANDIDATES), dim=1).indices
        of_class = _positive(proba.gather(1, classes))
        of_answer = torch.ones_like(of_class)
        of_answer[rows] = likelihood.gather(1, classes[rows])
        n_others = n_classes - classes.shape[1]
        if n_others:
            mass = total - of_class.sum(dim=1)
            of_others = torch.ones_like(mass)
            of_others[rows] = (expected - (of_class * of_answer)[rows].sum(dim=1)) / mass[rows]
            of_class = torch.cat([of_class, mass[:, None] / n_others], dim=1)
            of_answer = torch.cat([of_answer, of_others[:, None].clamp(min=0)], dim=1)
            classes = torch.nn.functional.pad(classes, (0, 1), value=n_classes)
        return cls(of_class, classes, of_answer, weight, n_classes, n_others)


@dataclass(frozen=True)
class _Targets:
    """Where wrong labels may go: the entries of the matrix W that are free.

    Pairs of a candidate and a given label have an entry of their own where they occur. Those of a
    class that do not occur share one: nothing but the prior, which is even, speaks about them.

    Parameters
    ----------
    index : tensor of int64 of shape (n_samples, n_candidates - 1)
        Entry of each candidate but the given label; one more than the last for all others.
    cells : tensor of int64 of shape (n_pairs,)
        Where pairs are in the flattened matrix; theirs are the first entries.
    owner : tensor of int64 of shape (n_entries,)
        True class of each entry.
    size : tensor of float64 of shape (n_entries,)
        Number of pairs that share it.
    """

    index: torch.Tensor
    cells: torch.Tensor
    owner: torch.Tensor
    size: torch.Tensor

    @classmethod
    def of(cls, rows: _Rows) -> _Targets:
        """From the samples."""
        n_pairs = rows.classes.shape[1] - (rows.n_others > 0)
        pairs = rows.classes[:, 1:n_pairs] * rows.n_classes + rows.classes[:, :1]
        cells, index = torch.unique(pairs, return_inverse=True)
        of_pair = cells // rows.n_classes
        n_unseen = rows.n_classes - 1 - of_pair.bincount(minlength=rows.n_classes)
        sharing = n_unseen.nonzero().squeeze(1)
        owner = torch.cat([of_pair, sharing])
        size = torch.cat([torch.ones_like(of_pair), n_unseen[sharing]]).double()
        if rows.n_others:
            index = torch.nn.functional.pad(index, (0, 1), value=len(owner))
        return cls(index, cells, owner, size)

    def shares(self, roots: torch.Tensor, n_classes: int) -> torch.Tensor:
        """Entries of W, each over all pairs that share it; those of a class add up to 1."""
        squares = roots.square()
        total = torch.zeros(n_classes, dtype=torch.float64).index_add(0, self.owner, squares)
        return squares / total.index_select(0, self.owner)

    def matrix(self, shares: torch.Tensor, n_classes: int) -> torch.Tensor:
        """W, of shape (n_classes, n_classes)."""
        n_pairs = len(self.cells)
        each = torch.zeros(n_classes, dtype=torch.float64)
        each[self.owner[n_pairs:]] = (shares / self.size)[n_pairs:]
        matrix = each[:, None].repeat(1, n_classes)
        matrix.view(-1)[self.cells] = shares[:n_pairs]
        return matrix.fill_diagonal_(0)


@dataclass(frozen=True)
class _Posterior:
    """Posterior density of the parameters, given the labels and the experts' answers."""

    rows: _Rows
    targets: _Targets
    prior: NoisePrior
    tolerance: float

    @classmethod
    def of(
        cls,
        proba: torch.Tensor,
        codes: torch.Tensor,
        answered: tuple[torch.Tensor, torch.Tensor] | None,
        prior: NoisePrior,
        tolerance: float,
    ) -> _Posterior:
        """From the arguments of `fit_noise`."""
        rows = _Rows.of(proba, codes, answered)
        return cls(rows, _Targets.of(rows), prior, tolerance)

    @property
    def max_rate(self) -> float:
        """From here on, labels say nothing any more."""
        return (self.rows.n_classes - 1) / self.rows.n_classes

    def true_class(self, log_scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Probabilities q of the candidates, of shape (n_samples, n_candidates).

        All others are evenly probable, and their shift is the mean one.
        """
        of_others = shift.logsumexp(dim=0) + math.log(max(self.rows.n_others, 1) / len(shift))
        shifts = torch.cat([shift, of_others[None]])
        chosen = shifts.index_select(0, self.rows.classes.view(-1)).view_as(self.rows.classes)
        return torch.softmax(self.log_proba * log_scale.exp() + chosen, dim=1)

    @cached_property
    def log_proba(self) -> torch.Tensor:
        return self.rows.proba.log()

    def near(self, log_scale: float, logit_rate: float) -> _Parameters:
        """Where to start; W is the confusion of the sharpened prediction and the given label."""
        scale = torch.tensor(log_scale, dtype=torch.float64)
        shift = torch.zeros(self.rows.n_classes, dtype=torch.float64)
        guess = self.true_class(scale, shift) * self.rows.weight[:, None]
        pseudo = self.prior.targets / (len(shift) - 1)
        confusion = torch.cat([pseudo * self.targets.size, shift[:1]])
        confusion.index_add_(0, self.targets.index.view(-1), guess[:, 1:].reshape(-1))
        roots = self.targets.shares(confusion[:-1].sqrt(), self.rows.n_classes).sqrt()
        return _Parameters(scale, torch.tensor(logit_rate, dtype=torch.float64), shift, roots)

    def fit(self, start: _Parameters, rate: float | None = None) -> _Fit:
        """Mode near a start; of a `rate` that is given, the mode of all other parameters."""
        rows, targets, n_classes = self.rows, self.targets, self.rows.n_classes
        n_samples = rows.weight.sum()
        log_scale, rate_logit, shift, roots = (
            part.clone().requires_grad_()
            for part in (start.log_scale, start.rate, start.shift, start.roots)
        )
        parameters = [log_scale, shift, roots, *([rate_logit] if rate is None else [])]
        optimizer = torch.optim.LBFGS(
            parameters,
            max_iter=_MAX_STEPS,
            history_size=10,
            tolerance_change=self.tolerance / n_samples.item(),
            line_search_fn="strong_wolfe",
        )
        even = torch.full((1,), 1 / (n_classes - 1), dtype=torch.float64)

        def wrong() -> torch.Tensor:
            if rate is not None:
                return torch.tensor(rate, dtype=torch.float64)
            return torch.sigmoid(rate_logit) * self.max_rate

        def log_density() -> torch.Tensor:
            shares = targets.shares(roots, n_classes)
            to_given = torch.cat([shares, even]).index_select(0, targets.index.view(-1))
            joint = self.true_class(log_scale, shift) * rows.likelihood
            if_wrong = (joint[:, 1:] * to_given.view_as(targets.index)).sum(dim=1)
            likelihood = (1 - wrong()) * joint[:, 0] + wrong() * if_wrong
            log_likelihood = (rows.weight * likelihood.log()).sum()
            log_prior = -((log_scale / self.prior.log_scale) ** 2 + shift.square().sum()) / 2
            pseudo = self.prior.targets / (n_classes - 1)
            log_prior = log_prior + pseudo * (targets.size * (shares / targets.size).log()).sum()
            return log_likelihood + log_prior - self.prior.rate * wrong()

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = -log_density() / n_samples
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
        with torch.no_grad():
            W = targets.matrix(targets.shares(roots, n_classes), n_classes)
            transition = (wrong() * W).fill_diagonal_(1 - wrong().item())
            model = NoiseModel(wrong().item(), transition, log_scale.exp().item(), shift.detach())
            found = (part.detach() for part in (log_scale, rate_logit, shift, roots))
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
