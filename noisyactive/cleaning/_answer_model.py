"""What experts' answers say about labels: those they gave, and those nobody was asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

# Standard deviations of the priors: of the weight of a piece of evidence, and of the label's own.
_WEIGHT_SPREAD = 0.5
_LABEL_SPREAD = 1.0
# Of the density exp(-x * this) of an annotator's error rate x: with hardly any answers, an expert
# is believed to be wrong once in twenty, and answers that fit the evidence make that less.
_TRUST = 20.0
# How often a row may count that chance picked, so that all of them count as much as the others.
_MOST_COUNTS = 3.0
# Nobody is taken to be always right or always wrong.
_LEAST = 1e-9
# Rows that are corrected at once: only the result is as large as the evidence.
_BLOCK = 1024

#: ``learn(posterior, evidence, given, answers) -> (prior, error_rates)``
Learn = Callable[..., tuple[NDArray[np.float64], NDArray[np.float64]]]


@dataclass(frozen=True)
class Answers:
    """Labels that annotators gave, one entry for each; a row may have several.

    Parameters
    ----------
    rows : ndarray of int of shape (n_answers,)
        Rows that were answered for.
    annotators : ndarray of int of shape (n_answers,)
        Who answered, from 0.
    codes : ndarray of int of shape (n_answers,)
        Labels, encoded.
    by_chance : ndarray of bool of shape (n_answers,)
        Whether chance picked the row, and not the query strategy.
    """

    rows: NDArray[np.intp]
    annotators: NDArray[np.intp]
    codes: NDArray[np.intp]
    by_chance: NDArray[np.bool_]

    @classmethod
    def none(cls) -> Answers:
        """No answer."""
        nobody = np.empty(0, dtype=np.intp)
        return cls(nobody, nobody, nobody, np.empty(0, dtype=bool))

    @property
    def n_annotators(self) -> int:
        """One more than the highest number of an annotator."""
        return int(self.annotators.max(initial=-1)) + 1

    def settled(self, codes: NDArray[np.intp]) -> Answers:
        """One answer for each row, its label as it is now, from one annotator.

        Parameters
        ----------
        codes : ndarray of int of shape (n_samples,)
            Labels as they are now.

        Returns
        -------
        Answers
            Rows are sorted.
        """
        rows, place = np.unique(self.rows, return_index=True)
        return Answers(rows, np.zeros_like(rows), codes[rows], self.by_chance[place])

    def log_likelihood(
        self, error_rates: torch.Tensor, n_classes: int
    ) -> tuple[NDArray[np.intp], torch.Tensor]:
        """Rows with answers, and the log-probability of these for each class as the true one.

        An annotator errs at a rate, and then names each other class with equal probability.

        Parameters
        ----------
        error_rates : tensor of float64 of shape (n_annotators,)
            Share of each annotator's answers that is wrong. Those who come after are trusted.
        n_classes : int
            Classes.

        Returns
        -------
        rows : ndarray of int of shape (n_rows,)
            Sorted, each once.
        log_likelihood : tensor of float64 of shape (n_rows, n_classes)
            Logarithm of the probability of all answers to the row.
        """
        rows, place = np.unique(self.rows, return_inverse=True)
        new = max(self.n_annotators - len(error_rates), 0)
        rates = torch.cat([error_rates, torch.zeros(new, dtype=torch.float64)])
        rates = rates[torch.from_numpy(self.annotators)].clamp(_LEAST, 1 - _LEAST)
        of_wrong = (rates / (n_classes - 1)).log()
        of_right = torch.log1p(-rates)
        said = torch.nn.functional.one_hot(torch.from_numpy(self.codes), n_classes)
        each = torch.where(said.bool(), of_right[:, None], of_wrong[:, None])
        total = torch.zeros(len(rows), n_classes, dtype=torch.float64)
        return rows, total.index_add(0, torch.from_numpy(place), each)


def learn_nothing(
    posterior: NDArray[np.float64],
    evidence: Sequence[NDArray[np.float64]],
    given: NDArray[np.intp],
    answers: Answers,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """In the place of `learn_from_answers`: the posterior as it is, and nobody errs."""
    return posterior, np.zeros(answers.n_annotators)


def learn_from_answers(
    posterior: NDArray[np.float64],
    evidence: Sequence[NDArray[np.float64]],
    given: NDArray[np.intp],
    answers: Answers,
    fallible: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correct the probabilities of the true classes by what annotators answered.

    A noise model that is fitted to given labels cannot tell noise from doubt where labels are wrong
    more often for difficult samples. Answers can: they are a sample of true labels with their
    evidence. So the sources of evidence are stacked [1]_ by a conditional logit [2]_::

        P(true = j) ~ posterior_j**w_0 * prod_m evidence_mj**w_m * exp(b * [j = given])

    Annotators err, too: each at a rate of their own, and then they name any other class [3]_ [4]_.
    What is maximised over w, b and these rates is the probability of the answers, so that a wrong
    answer to a sample whose class is plain to see tells of the annotator, and many such answers of
    the evidence. Normal priors around w = (1, 0, 0, ...) and b = 0, the posterior as it is, keep
    few answers from changing much; an exponential one keeps the rates near 0. Rows that were chosen
    for their evidence say little of others, where this does not hold exactly; those that chance
    picked stand for all, and count up to three times. All evidence has to be held out: no model may
    have learned the label of the row that it speaks about.

    Parameters
    ----------
    posterior : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one, from a model of the given labels.
    evidence : sequence of ndarray of shape (n_samples, n_classes)
        Further class probabilities.
    given : ndarray of int of shape (n_samples,)
        Given labels, encoded.
    answers : Answers
        What annotators said.
    fallible : bool, default=True
        Whether annotators may err. If not, their rates are 0.

    Returns
    -------
    prior : ndarray of shape (n_samples, n_classes)
        The corrected probabilities, for rows with answers as if they had none.
    error_rates : ndarray of shape (n_annotators,)
        Share of wrong answers of each annotator.

    References
    ----------
    .. [1] D. H. Wolpert, "Stacked Generalization", Neural Networks, 1992,
       https://doi.org/10.1016/S0893-6080(05)80023-1
    .. [2] D. McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", Frontiers in
       Econometrics, 1974
    .. [3] A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
       the EM Algorithm", Applied Statistics, 1979, https://doi.org/10.2307/2346806
    .. [4] V. C. Raykar et al., "Learning From Crowds", Journal of Machine Learning Research, 2010
    """
    if not len(answers.rows):
        return posterior, np.zeros(0)
    sources = [posterior, *evidence]
    density = _Density(sources, given, answers)

    # Good annotators and bad evidence, or the reverse, may explain the same answers: two modes.
    def annotators(logit: float) -> NDArray[np.float64]:
        return np.full(answers.n_annotators, logit)

    as_it_is = np.append(density.expected, 0.0)
    nobody_errs = annotators(-20.0)
    found = _minimise(lambda some: density.loss(some, nobody_errs)[:2], as_it_is)[1]
    rates = np.zeros(answers.n_annotators)
    if fallible:
        starts = [(found, annotators(-3.0)), (as_it_is, annotators(0.0))]
        fits = [_minimise(density.loss_of_all, np.concatenate(start)) for start in starts]
        best = min(fits, key=lambda fit: fit[0])[1]
        found = best[: len(as_it_is)]
        rates = density.highest * expit(best[len(as_it_is) :])
    weights, belief = torch.from_numpy(found[:-1]), torch.tensor(found[-1])
    labels = torch.from_numpy(given)
    prior = np.empty(posterior.shape)
    for first in range(0, len(given), _BLOCK):
        block = slice(first, first + _BLOCK)
        at_block = [_log(source[block]) for source in sources]
        scores = _scores(at_block, weights, belief, labels[block])
        prior[block] = torch.softmax(scores, dim=1).numpy()
    return prior, rates


class _Density:
    """The density of answers and of the model's parameters, as a loss with its gradient."""

    def __init__(
        self, sources: Sequence[NDArray[np.float64]], given: NDArray[np.intp], answers: Answers
    ) -> None:
        n_classes = sources[0].shape[1]
        rows, first, place = np.unique(answers.rows, return_index=True, return_inverse=True)
        self.logs = np.stack([_log(source[rows]).numpy() for source in sources])
        self.own = np.arange(len(rows)), given[rows]
        self.said = place, answers.codes
        self.annotators = answers.annotators
        self.n_others = n_classes - 1
        self.highest = self.n_others / n_classes  # from here on, answers say nothing any more
        by_chance = answers.by_chance[first]
        times = np.clip((~by_chance).sum() / max(int(by_chance.sum()), 1), 1, _MOST_COUNTS)
        self.count = np.where(by_chance, times, 1.0)
        self.expected = np.eye(len(sources))[0]

    def loss(
        self, found: NDArray[np.float64], logits: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Negative log-density; its gradients by weights and belief, and by the annotators'."""
        weights, belief = found[:-1], found[-1]
        rates = self.highest * expit(logits)
        scores = np.tensordot(weights, self.logs, axes=1)
        scores[self.own] += belief
        log_prior = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        rate = np.clip(rates, _LEAST, 1 - _LEAST)[self.annotators]
        of_wrong, of_right = np.log(rate / self.n_others), np.log1p(-rate)
        log_joint = log_prior.copy()
        np.add.at(log_joint, self.said[0], of_wrong[:, None])
        np.add.at(log_joint, self.said, of_right - of_wrong)
        log_density = np.logaddexp.reduce(log_joint, axis=1, keepdims=True)
        posterior = np.exp(log_joint - log_density)
        unlikely = (weights - self.expected) / _WEIGHT_SPREAD
        loss = _TRUST * rates.sum() - self.count @ log_density[:, 0]
        loss += unlikely @ unlikely / 2 + (belief / _LABEL_SPREAD) ** 2 / 2

        by_score = self.count[:, None] * (np.exp(log_prior) - posterior)
        by_weight = np.tensordot(self.logs, by_score, axes=2) + unlikely / _WEIGHT_SPREAD
        by_belief = by_score[self.own].sum() + belief / _LABEL_SPREAD**2
        right, count = posterior[self.said], self.count[self.said[0]]
        by_answer = count * (right / (1 - rate) - (1 - right) / rate)
        of_answers = np.bincount(self.annotators, by_answer, len(rates))
        by_rate = np.where(rates < _LEAST, 0.0, of_answers) + _TRUST
        by_logit = by_rate * rates * (1 - rates / self.highest)
        return float(loss), np.append(by_weight, by_belief), by_logit

    def loss_of_all(self, parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """`loss`, of weights, belief and the annotators' logits in one array."""
        n_weights = len(self.expected) + 1
        loss, *gradients = self.loss(parameters[:n_weights], parameters[n_weights:])
        return loss, np.concatenate(gradients)


def _minimise(
    loss_of: Callable[[NDArray[np.float64]], tuple[Any, ...]], start: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The least loss near a start, and its parameters."""
    precise = {"maxiter": 100, "ftol": 1e-12, "gtol": 1e-6}
    found = minimize(loss_of, start, jac=True, method="L-BFGS-B", options=precise)
    return float(found.fun), found.x


def with_answers(
    prior: NDArray[np.float64], error_rates: NDArray[np.float64], answers: Answers
) -> NDArray[np.float64]:
    """Probabilities of the true classes, by what `learn_from_answers` found and by the answers.

    Parameters
    ----------
    prior : ndarray of shape (n_samples, n_classes)
        What is to be believed of rows without an answer.
    error_rates : ndarray of shape (n_annotators,)
        Share of wrong answers of each annotator.
    answers : Answers
        What annotators said.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        By Bayes' rule.
    """
    rows, log_likelihood = answers.log_likelihood(torch.from_numpy(error_rates), prior.shape[1])
    posterior = prior.copy()
    posterior[rows] = torch.softmax(_log(prior[rows]) + log_likelihood, dim=1).numpy()
    return posterior


def _log(proba: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(proba).double().clamp(min=1e-6).log()


def _scores(
    log_sources: Sequence[torch.Tensor],
    weights: torch.Tensor,
    belief: torch.Tensor,
    own: torch.Tensor,
) -> torch.Tensor:
    """Logarithms, up to a constant a row, of what is proportional to the probabilities."""
    scores = torch.zeros_like(log_sources[0])
    for weight, source in zip(weights, log_sources, strict=True):
        scores = scores + weight * source
    return scores.scatter_add(1, own[:, None], belief.expand(len(own), 1))
