"""Posterior density of a model of label noise, and its modes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch

# More rows without an answer than this make the estimate no better, only slower.
_MAX_ROWS = 20_000
# Classes that a sample may belong to; with more classes, all others count as one. With 100 and
# 1,000 classes, 10 candidates gave rates within .005 of those that 30 gave.
_MAX_CANDIDATES = 30
# Steps of a fit; with a thousand classes, those after the first 80 hardly move the rate.
_MAX_STEPS = 80
# Rows whose posterior is computed at once.
_BLOCK = 1024


@dataclass(frozen=True)
class NoisePrior:
    """Prior of a noise model, of a strength that does not depend on the number of samples.

    Parameters
    ----------
    log_scale : float, default=1
        Standard deviation of the logarithm of the scale.
    log_scale_mean : float, default=0
        Its mean: above 0, the true class is expected to be plainer than the predictions are.
    targets : float, default=1
        Pseudo-observations on each row of the matrix of where wrong labels go, spread evenly over
        all classes.
    rate : float, default=0
        Of the density ``exp(-rate * x)`` of the share x of wrong labels; 0 is a flat one.
    some_noise : float, default=0
        Of the density ``x ** some_noise``, which expects wrong labels; 0 is a flat one.
    rate_spread : float, default=0
        Standard deviation of the logits of the classes' rates around a common one; 0 gives all
        classes the same.
    n_samples : float, default=inf
        As many samples count at most, however many there are, those with answers not reckoned in:
        the model is not true, and samples without end must not make it certain [1]_.

    References
    ----------
    .. [1] J. W. Miller, D. B. Dunson, "Robust Bayesian Inference via Coarsening", Journal of the
       American Statistical Association, 2019, https://doi.org/10.1080/01621459.2018.1469995
    """

    log_scale: float = 1.0
    log_scale_mean: float = 0.0
    targets: float = 1.0
    rate: float = 0.0
    some_noise: float = 0.0
    rate_spread: float = 0.0
    n_samples: float = math.inf


@dataclass(frozen=True)
class NoiseModel:
    """Model of the given labels: ``P(given = k | x) = sum_j q_j(x) T[j, k]``.

    Parameters
    ----------
    rate : float
        Share of wrong labels; of several rates, their middle one.
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


def place_of(rate: float, scale: float, n_classes: int) -> tuple[float, float]:
    """Log of the scale, and logit of the rate as a share of the highest one."""
    share = min(max(rate * n_classes / (n_classes - 1), 0.01), 0.99)  # 0 and 1 have no logit
    return math.log(scale), math.log(share / (1 - share))


def _positive(proba: torch.Tensor) -> torch.Tensor:
    """A copy as float64, without zeros."""
    return proba.double().clamp(min=1e-6)


@dataclass(frozen=True)
class Parameters:
    """Unconstrained parameters of a noise model; tensors of float64."""

    log_scale: torch.Tensor
    rate: torch.Tensor  # logit of the share of the highest rate
    rate_shift: torch.Tensor  # what is added to it, for each class
    shift: torch.Tensor
    # Their squares are in proportion to the entries of W. The likelihood is about equally curved
    # along all of them, as it is not along logits: a fit takes a fraction of the steps.
    roots: torch.Tensor


@dataclass(frozen=True)
class Fit:
    """Mode of a posterior, over all parameters or over those beside the rate."""

    log_density: float
    model: NoiseModel
    parameters: Parameters


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
class Posterior:
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
    ) -> Posterior:
        """From the arguments of `fit_noise`."""
        rows = _Rows.of(proba, codes, answered)
        unseen = len(codes) - (0 if answered is None else len(answered[0]))
        if unseen > prior.n_samples:
            asked = (rows.likelihood != 1).any(dim=1)
            weight = torch.where(asked, rows.weight, rows.weight * (prior.n_samples / unseen))
            rows = replace(rows, weight=weight)
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

    def near(self, log_scale: float, logit_rate: float) -> Parameters:
        """Where to start; W is the confusion of the sharpened prediction and the given label."""
        scale = torch.tensor(log_scale, dtype=torch.float64)
        shift = torch.zeros(self.rows.n_classes, dtype=torch.float64)
        guess = self.true_class(scale, shift) * self.rows.weight[:, None]
        pseudo = self.prior.targets / (len(shift) - 1)
        confusion = torch.cat([pseudo * self.targets.size, shift[:1]])
        confusion.index_add_(0, self.targets.index.view(-1), guess[:, 1:].reshape(-1))
        roots = self.targets.shares(confusion[:-1].sqrt(), self.rows.n_classes).sqrt()
        rate = torch.tensor(logit_rate, dtype=torch.float64)
        return Parameters(scale, rate, torch.zeros_like(shift), shift, roots)

    def fit(self, start: Parameters, rate: float | None = None) -> Fit:
        """Mode near a start; of a `rate` that is given, the mode of all other parameters."""
        rows, targets, n_classes = self.rows, self.targets, self.rows.n_classes
        n_samples = rows.weight.sum()
        log_scale, rate_logit, rate_shift, shift, roots = (
            part.clone().requires_grad_()
            for part in (start.log_scale, start.rate, start.rate_shift, start.shift, start.roots)
        )
        parameters = [log_scale, shift, roots, *([rate_logit] if rate is None else [])]
        if self.prior.rate_spread:
            parameters.append(rate_shift)
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

        def wrong_of_class() -> torch.Tensor:
            if not self.prior.rate_spread:
                return wrong().expand(n_classes + 1)
            logits = (wrong() / self.max_rate).logit(1e-6) + torch.nn.functional.pad(
                rate_shift, (0, 1)
            )
            return torch.sigmoid(logits) * self.max_rate

        def log_density() -> torch.Tensor:
            shares = targets.shares(roots, n_classes)
            to_given = torch.cat([shares, even]).index_select(0, targets.index.view(-1))
            joint = self.true_class(log_scale, shift) * rows.likelihood
            rates = wrong_of_class().index_select(0, rows.classes.view(-1)).view_as(rows.classes)
            right, others = joint.split([1, joint.shape[1] - 1], dim=1)
            rate_right, rate_others = rates.split([1, rates.shape[1] - 1], dim=1)
            if_wrong = others * rate_others * to_given.view_as(targets.index)
            likelihood = ((1 - rate_right) * right).squeeze(1) + if_wrong.sum(dim=1)
            log_likelihood = (rows.weight * likelihood.log()).sum()
            deviation = (log_scale - self.prior.log_scale_mean) / self.prior.log_scale
            log_prior = -(deviation**2 + shift.square().sum()) / 2
            if self.prior.rate_spread:
                log_prior = log_prior - (rate_shift / self.prior.rate_spread).square().sum() / 2
            if self.prior.some_noise:
                log_prior = log_prior + self.prior.some_noise * wrong().clamp(min=1e-6).log()
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
            rates = wrong_of_class()[:-1]
            transition = rates[:, None] * W + torch.diag(1 - rates)
            model = NoiseModel(wrong().item(), transition, log_scale.exp().item(), shift.detach())
            found = (part.detach() for part in (log_scale, rate_logit, rate_shift, shift, roots))
            return Fit(log_density().item(), model, Parameters(*found))

    def walk(self, mode: Fit, step: float, least: float) -> Iterator[tuple[float, float]]:
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
