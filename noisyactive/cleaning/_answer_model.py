"""What experts' answers say about labels: those they gave, and those nobody was asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

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
    n_classes = posterior.shape[1]
    rows, place = np.unique(answers.rows, return_index=True)
    sources = [posterior, *evidence]
    at_answered = [_log(source[rows]) for source in sources]
    labels = torch.from_numpy(given)
    own = labels[rows]
    by_chance = answers.by_chance[place]
    times = np.clip((~by_chance).sum() / max(by_chance.sum(), 1), 1, _MOST_COUNTS)
    count = torch.from_numpy(np.where(by_chance, times, 1.0))
    expected = torch.eye(len(sources), dtype=torch.float64)[0]
    highest = (n_classes - 1) / n_classes  # from here on, answers say nothing any more

    def loss_of(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
        weights, belief, logits = parameters
        rates = highest * torch.sigmoid(logits)
        log_proba = torch.log_softmax(_scores(at_answered, weights, belief, own), dim=1)
        log_proba = log_proba + answers.log_likelihood(rates, n_classes)[1]
        loss = -(count * torch.logsumexp(log_proba, dim=1)).sum() + _TRUST * rates.sum()
        loss = loss + ((weights - expected) / _WEIGHT_SPREAD).square().sum() / 2
        return loss + (belief / _LABEL_SPREAD).square() / 2

    # Good annotators and bad evidence, or the reverse, may explain the same answers: two modes.
    def annotators(logit: float) -> torch.Tensor:
        return torch.full((answers.n_annotators,), logit, dtype=torch.float64)

    as_it_is = [expected, torch.zeros((), dtype=torch.float64)]
    reliable = _minimise(lambda found: loss_of([*found, annotators(-20.0)]), as_it_is)[1]
    weights, belief = reliable
    rates = np.zeros(answers.n_annotators)
    if fallible:
        starts = [*reliable, annotators(-3.0)], [*as_it_is, annotators(0.0)]
        fits = [_minimise(loss_of, start) for start in starts]
        weights, belief, logits = min(fits, key=lambda fit: fit[0])[1]
        rates = (highest * torch.sigmoid(logits)).numpy()
    prior = np.empty(posterior.shape)
    for first in range(0, len(given), _BLOCK):
        block = slice(first, first + _BLOCK)
        at_block = [_log(source[block]) for source in sources]
        scores = _scores(at_block, weights, belief, labels[block])
        prior[block] = torch.softmax(scores, dim=1).numpy()
    return prior, rates


def _minimise(
    loss_of: Callable[[Sequence[torch.Tensor]], torch.Tensor], start: Sequence[torch.Tensor]
) -> tuple[float, list[torch.Tensor]]:
    """The least loss near a start, and its parameters."""
    parameters = [part.clone().requires_grad_() for part in start]
    optimizer = torch.optim.LBFGS(parameters, max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(parameters)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    found = [part.detach() for part in parameters]
    return float(loss_of(found)), found


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
