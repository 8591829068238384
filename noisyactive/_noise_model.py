"""Model of label noise, fitted to given labels and held-out class probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

# More rows without a true label than this make the estimate no better, only slower.
_MAX_ROWS = 20_000
# Three starts: the likelihood can have a mode for "sharp posterior, many wrong labels" and one for
# "flat posterior, few".
_STARTS = ((0.0, -1.0), (0.7, 0.0), (1.4, 0.0))


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
    starts = _STARTS if start is None else [_place_of(*start, proba.shape[1])]
    fits = [_fit(_log(proba), codes, possible, weight, *place) for place in starts]
    return min(fits, key=lambda fit: fit[0])[1]


def _place_of(rate: float, scale: float, n_classes: int) -> tuple[float, float]:
    """Log of the scale, and logit of the rate as a share of the highest one."""
    share = min(max(rate * n_classes / (n_classes - 1), 0.01), 0.99)  # 0 and 1 have no logit
    return math.log(scale), math.log(share / (1 - share))


def _log(proba: torch.Tensor) -> torch.Tensor:
    return proba.double().clamp(min=1e-6).log()


def _fit(
    log_proba: torch.Tensor,
    codes: torch.Tensor,
    possible: torch.Tensor,
    weight: torch.Tensor,
    log_scale: float,
    logit_rate: float,
) -> tuple[float, NoiseModel]:
    """Posterior mode near a start, and its negative log density per sample."""
    n_samples, n_classes = weight.sum(), log_proba.shape[1]
    max_rate = (n_classes - 1) / n_classes
    diagonal = torch.eye(n_classes, dtype=torch.bool)
    given = torch.nn.functional.one_hot(codes, n_classes).double()
    # W starts as the confusion of the sharpened prediction and the given label.
    guess = torch.softmax(log_proba * math.exp(log_scale), dim=1)
    confusion = 1 + guess.T @ (given * weight[:, None])
    scale = torch.tensor(log_scale, dtype=torch.float64, requires_grad=True)
    rate_logit = torch.tensor(logit_rate, dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
    target_logits = confusion.log().masked_fill(diagonal, 0).requires_grad_()
    parameters = [scale, rate_logit, shift, target_logits]
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

    def transition() -> tuple[torch.Tensor, torch.Tensor]:
        log_targets = torch.log_softmax(target_logits.masked_fill(diagonal, -torch.inf), dim=1)
        rate = torch.sigmoid(rate_logit) * max_rate
        return log_targets, (1 - rate) * diagonal + rate * log_targets.exp()

    def negative_log_density() -> torch.Tensor:
        log_targets, matrix = transition()
        true_class = torch.softmax(log_proba * scale.exp() + shift, dim=1)
        likelihood = (true_class * matrix[:, codes].T * possible).sum(dim=1)
        log_likelihood = (weight * likelihood.log()).sum()
        log_prior = -(scale**2 + shift.square().sum()) / 2
        log_prior = log_prior + log_targets[~diagonal].sum() / (n_classes - 1)
        return -(log_likelihood + log_prior) / n_samples

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = negative_log_density()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    with torch.no_grad():
        rate = torch.sigmoid(rate_logit).item() * max_rate
        model = NoiseModel(rate, transition()[1].detach(), scale.exp().item(), shift.detach())
        return negative_log_density().item(), model
