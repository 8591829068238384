"""What an expert's answers say about the labels that nobody was asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

# Standard deviations of the priors: of the weight of a piece of evidence, and of the label's own.
_WEIGHT_SPREAD = 0.5
_LABEL_SPREAD = 1.0
# Rows that are corrected at once: only the result is as large as the evidence.
_BLOCK = 1024


def learn_from_answers(
    posterior: NDArray[np.float64],
    evidence: Sequence[NDArray[np.float64]],
    given: NDArray[np.intp],
    true: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Correct the probabilities of the true classes by what an expert answered.

    A noise model that is fitted to given labels cannot tell noise from doubt where labels are wrong
    more often for difficult samples. Answers can: they are a sample of true labels with their
    evidence. So the sources of evidence are stacked [1]_ by a conditional logit [2]_::

        P(true = j) ~ posterior_j**w_0 * prod_m evidence_mj**w_m * exp(b * [j = given])

    The weights w and b, how far labels are to be believed, are fitted to the rows with an answer.
    Normal priors around w = (1, 0, 0, ...) and b = 0, the posterior as it is, keep few answers from
    changing much. That rows were chosen by their evidence does not matter: what is modelled is the
    class given the evidence. All of it has to be held out: no model may have learned the label of
    the row that it speaks about.

    Parameters
    ----------
    posterior : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one, from a model of the given labels.
    evidence : sequence of ndarray of shape (n_samples, n_classes)
        Further class probabilities.
    given : ndarray of int of shape (n_samples,)
        Given labels, encoded.
    true : ndarray of int of shape (n_samples,)
        The expert's labels, encoded; -1 where there is none.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        The corrected posterior; without any answer, the posterior itself.

    References
    ----------
    .. [1] D. H. Wolpert, "Stacked Generalization", Neural Networks, 1992,
       https://doi.org/10.1016/S0893-6080(05)80023-1
    .. [2] D. McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", Frontiers in
       Econometrics, 1974
    """
    answered = np.flatnonzero(true >= 0)
    if not len(answered):
        return posterior
    sources = [posterior, *evidence]
    expected = torch.eye(len(sources), dtype=torch.float64)[0]
    weights = expected.clone().requires_grad_()
    belief = torch.zeros((), dtype=torch.float64, requires_grad=True)
    at_answered = [_log(source[answered]) for source in sources]
    labels = torch.from_numpy(given)
    own, truth = labels[answered], torch.from_numpy(true[answered])
    optimizer = torch.optim.LBFGS([weights, belief], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        scores = _scores(at_answered, weights, belief, own)
        loss = torch.nn.functional.cross_entropy(scores, truth, reduction="sum")
        loss = loss + ((weights - expected) / _WEIGHT_SPREAD).square().sum() / 2
        loss = loss + (belief / _LABEL_SPREAD).square() / 2
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    corrected = np.empty(posterior.shape)
    with torch.no_grad():
        for start in range(0, len(given), _BLOCK):
            rows = slice(start, start + _BLOCK)
            at_rows = [_log(source[rows]) for source in sources]
            scores = _scores(at_rows, weights, belief, labels[rows])
            corrected[rows] = torch.softmax(scores, dim=1).numpy()
    return corrected


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
