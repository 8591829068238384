"""A model of annotators' labels: what each of them says of each class, and what is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax

# Before any label is seen, one in four is expected to be wrong, by this many labels' weight for
# each class: who labels at all is more often right than wrong, which tells a class from its name.
_TRUST = 0.75
_TRUST_WEIGHT = 2.0
# However many labels there are, what is expected keeps a tenth of their weight. Two labels of each
# sample do not tell confusion matrices from frequencies of classes: without this, frequent classes
# lose samples to rare ones, and the consensus is worse than either label.
_REMAINS = 0.1
# A classifier is never surer than this: a zero would outvote any number of people.
_DOUBT = 1e-3
_MAX_STEP = 0.5
_FIRST_STEPS = 20
SHRINKAGE, MAX_ITER, TOL = 16.0, 1000, 1e-4


@dataclass(frozen=True)
class CrowdModel:
    """What was found about labels of several annotators.

    Attributes
    ----------
    posterior : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one.
    confusion : ndarray of shape (n_annotators, n_classes, n_classes)
        ``confusion[a, j, k] = P(a says k | true=j)``.
    scale : float
        Factor of a classifier's log-probabilities; 0 without a classifier.
    shift : ndarray of shape (n_classes,)
        What is added to them; without a classifier, how frequent classes are, as logarithms.
    n_iter : int
        Iterations.
    converged : bool
        Whether they came to an end.
    """

    posterior: NDArray[np.float64]
    confusion: NDArray[np.float64]
    scale: float
    shift: NDArray[np.float64]
    n_iter: int
    converged: bool


def fit_crowd(
    codes: NDArray[np.intp],
    n_classes: int,
    proba: NDArray[np.float64] | None = None,
    answered: tuple[NDArray[np.intp], NDArray[np.float64]] | None = None,
    *,
    shrinkage: float = SHRINKAGE,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
) -> CrowdModel:
    """Fit by EM who says what of which class, and what is true.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples, n_annotators)
        What each annotator says of each sample, encoded; -1 for nothing.
    n_classes : int
        Classes, at least 2.
    proba : ndarray of shape (n_samples, n_classes) or None
        A classifier's probabilities of each class, from which the labels are independent given the
        true class. None: all samples have the same ones, the frequencies of the classes.
    answered : tuple (rows, log_likelihood), default=None
        What else is known: some samples, each once, and for each class the log-probability of what
        is known if it were the true one, of shape (n_rows, n_classes).
    shrinkage : float, default=16
        Weight of what is expected of an annotator, in labels; see `confusions`.
    max_iter : int, default=1000
        Largest number of iterations.
    tol : float, default=1e-4
        Change of a probability below which they end.

    Returns
    -------
    CrowdModel
        The fit.
    """
    n_items, n_annotators = codes.shape
    items, annotators = np.nonzero(codes >= 0)
    given = codes[items, annotators]
    cells = np.bincount(items * n_classes + given, minlength=n_items * n_classes)
    votes = cells.reshape(n_items, n_classes).astype(np.float64)
    votes = votes + votes.sum(axis=0) / votes.sum()  # ties, and samples without labels
    posterior = votes / votes.sum(axis=1, keepdims=True)
    said = _said(codes, n_classes)
    limits = (shrinkage, max_iter, tol)
    model = _em(said, posterior, None, answered, n_annotators, *limits)
    if proba is None:
        return model
    # What annotators say together is where to begin: EM that begins by believing a sure classifier
    # which knows nothing would find that it is the annotators who know nothing.
    return _em(said, model.posterior, _log_proba(proba), answered, n_annotators, *limits)


def crowd_posterior(
    codes: NDArray[np.intp],
    proba: NDArray[np.float64],
    confusion: NDArray[np.float64],
    scale: float,
    shift: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probability of each class to be the true one, by annotators and a classifier.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples, n_annotators)
        What each annotator says of each sample, encoded; -1 for nothing.
    proba : ndarray of shape (n_samples, n_classes)
        The classifier's probabilities.
    confusion, scale, shift
        As in `CrowdModel`.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        By Bayes' rule.
    """
    heard = _said(codes, proba.shape[1]).T.tocsr()
    posterior: NDArray[np.float64] = softmax(
        scale * _log_proba(proba) + shift + heard @ _log_says(confusion), axis=1
    )
    return posterior


def _said(codes: NDArray[np.intp], n_classes: int) -> csr_array:
    """Who says what of which sample: both steps of EM are products with this matrix."""
    items, annotators = np.nonzero(codes >= 0)
    labels = annotators * n_classes + codes[items, annotators]
    shape = (codes.shape[1] * n_classes, len(codes))
    return csr_array((np.ones(len(items)), (labels, items)), shape=shape)


def _log_says(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probability of each label of each annotator, one after the other, for each true class."""
    result: NDArray[np.float64] = (
        np.log(confusion).transpose(0, 2, 1).reshape(-1, confusion.shape[1])
    )
    return result


def _log_proba(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    mixed = (1 - _DOUBT) * proba + _DOUBT / proba.shape[1]
    result: NDArray[np.float64] = np.log(mixed / mixed.sum(axis=1, keepdims=True))
    return result


def _em(
    said: csr_array,
    posterior: NDArray[np.float64],
    log_proba: NDArray[np.float64] | None,
    answered: tuple[NDArray[np.intp], NDArray[np.float64]] | None,
    n_annotators: int,
    shrinkage: float,
    max_iter: int,
    tol: float,
) -> CrowdModel:
    """EM from a posterior on."""
    n_items, n_classes = posterior.shape
    heard = said.T.tocsr()
    log_scale, shift = 0.0, np.zeros(n_classes)
    if log_proba is not None:
        for _ in range(_FIRST_STEPS):
            log_scale, shift = belief_step(log_proba, posterior, log_scale, shift)
    for n_iter in range(1, max_iter + 1):  # noqa: B007
        counts = (said @ posterior).reshape(n_annotators, n_classes, n_classes)
        confusion = confusions(counts.transpose(0, 2, 1), shrinkage)
        if log_proba is None:
            scale, shift = 0.0, np.log((posterior.sum(axis=0) + 1) / (n_items + n_classes))
            log_prior = shift[None]
        else:
            log_scale, shift = belief_step(log_proba, posterior, log_scale, shift)
            scale = np.exp(log_scale)
            log_prior = log_softmax(scale * log_proba + shift, axis=1)
        scores = log_prior + heard @ _log_says(confusion)
        if answered is not None:
            scores[answered[0]] += answered[1]
        before, posterior = posterior, softmax(scores, axis=1)
        if converged := bool(np.abs(posterior - before).max() < tol):
            break
    return CrowdModel(posterior, confusion, float(scale), shift, n_iter, converged)


def confusions(counts: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    """What each annotator says of each class, where there are few labels of most annotators.

    Each level is what is expected of the one below. All annotators together have a share of labels
    that are right, and a confusion matrix. Each annotator has an ability, a share of its own. From
    both follows what is expected of the annotator: the odds of a right label are those of all
    annotators for this class, times how much better the annotator's odds are over all classes;
    wrong labels go where those of all annotators go. Each row of the annotator's own matrix departs
    from it as far as there are labels that say so.

    Parameters
    ----------
    counts : ndarray of shape (n_annotators, n_classes, n_classes)
        Expected number of samples of each class (rows) that each annotator gave each label.
    shrinkage : float
        Weight of what is expected of an annotator, in labels.

    Returns
    -------
    ndarray of shape (n_annotators, n_classes, n_classes)
        Probabilities, none of them 0; the labels of each annotator and class sum to 1.
    """
    n_classes = counts.shape[1]
    every = np.arange(n_classes)
    right, n_labels = counts[:, every, every].sum(axis=1), counts.sum(axis=(1, 2))
    usual = (right.sum() + _TRUST_WEIGHT * _TRUST) / (n_labels.sum() + _TRUST_WEIGHT)
    pooled = _mixed(counts.sum(axis=0), _even(usual, n_classes), _TRUST_WEIGHT)
    ability = (right + shrinkage * usual) / (n_labels + shrinkage)
    odds = (_odds(ability) / _odds(usual))[:, None] * _odds(pooled[every, every])
    correct = odds / (1 + odds)
    wrong = pooled / (1 - pooled[every, every])[:, None]
    wrong[every, every] = 0
    expected = (1 - correct)[:, :, None] * wrong
    expected[:, every, every] = correct
    return _mixed(counts, expected, shrinkage)


def _even(right: float, n_classes: int) -> NDArray[np.float64]:
    """A confusion matrix that treats all classes alike."""
    wrong = (1 - right) / (n_classes - 1)
    return np.full((n_classes, n_classes), wrong) + (right - wrong) * np.eye(n_classes)


def _mixed(
    counts: NDArray[np.float64], expected: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """Rows of counts as probabilities, drawn towards what is expected."""
    total = counts.sum(axis=-1, keepdims=True)
    weights = weight + _REMAINS * total
    result: NDArray[np.float64] = (counts + weights * expected) / (total + weights)
    return result


def _odds(share: Any) -> Any:
    return share / (1 - share)


def belief_step(
    log_proba: NDArray[np.float64],
    posterior: NDArray[np.float64],
    scale: float,
    shift: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """A step towards how far a classifier's probabilities are to be believed.

    What is believed is ``softmax(exp(scale) * log_proba + shift)``. A step is one of Newton's
    method for `scale`, and one of iterative scaling for `shift`, which makes all classes as
    frequent as they are in `posterior`.

    Parameters
    ----------
    log_proba : ndarray of shape (n_samples, n_classes)
        Logarithms of its probabilities.
    posterior : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one.
    scale : float
        Log of the exponent of the probabilities so far; its prior is standard normal.
    shift : ndarray of shape (n_classes,)
        What has been added to their logarithms so far.

    Returns
    -------
    tuple (scale, shift)
        The same, after the step.
    """
    exponent = np.exp(scale)
    believed = softmax(exponent * log_proba + shift, axis=1)
    mean = (believed * log_proba).sum(axis=1)
    slope = exponent * ((posterior * log_proba).sum() - mean.sum()) - scale
    spread = (believed * log_proba**2).sum() - (mean**2).sum()
    step = np.clip(slope / (exponent**2 * spread + 1), -_MAX_STEP, _MAX_STEP)
    # One sample more of each class: a class that nobody names must not be ruled out.
    shift = shift + np.log((posterior.sum(axis=0) + 1) / (believed.sum(axis=0) + 1))
    return float(scale + step), shift


def information(
    posterior: NDArray[np.float64], confusion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much one more label of each annotator is expected to tell about the true class.

    Parameters
    ----------
    posterior : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one.
    confusion : ndarray of shape (n_annotators, n_classes, n_classes)
        What each annotator says of each class.

    Returns
    -------
    ndarray of shape (n_samples, n_annotators)
        Mutual information of label and true class, in bits.
    """
    n_annotators, n_classes, _ = confusion.shape
    says = posterior @ confusion.transpose(1, 0, 2).reshape(n_classes, -1)
    doubt = entropy(says.reshape(len(posterior), n_annotators, n_classes))
    return np.maximum(doubt - posterior @ entropy(confusion).T, 0)


def entropy(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of probabilities along the last axis, in bits."""
    logs = np.log2(proba, out=np.zeros_like(proba), where=proba > 0)
    result: NDArray[np.float64] = -(proba * logs).sum(axis=-1)
    return result
