"""How many labels are wrong, estimated from what networks predict on samples held out from them."""

import math

import torch

# More rows than this make the estimate no better, only slower.
_MAX_ROWS = 20_000
# Three starts: the likelihood can have a mode for "sharp posterior, many wrong labels" and one for
# "flat posterior, few".
_STARTS = ((0.0, -1.0), (0.7, 0.0), (1.4, 0.0))


def estimate_noise_rate(proba: torch.Tensor, codes: torch.Tensor) -> float:
    """Share of wrong labels, from class probabilities of networks that did not see these labels.

    Fits ``P(given = k | x) = sum_j q_j(x) T[j, k]`` to the given labels, with
    ``q = softmax(a * log(proba) + b)`` and ``T = (1 - rate) * I + rate * W``. Networks trained on
    noisy labels, and not for long, are less sure of the true class than they could be: ``a``
    sharpens and ``b`` (one number per class) shifts their probabilities, as temperature and vector
    scaling do [1]_. ``T[j, k] = P(given = k | true = j)`` is a transition matrix as in forward
    correction [2]_, with one noise rate for all classes and a free matrix W of where wrong labels
    go. The estimate is the rate at the posterior mode: standard normal priors on ``log(a)`` and
    ``b``, a Dirichlet prior with one pseudo-observation on each row of W, and a flat one on the
    rate up to ``(C - 1) / C``, where labels would say nothing any more.

    It needs held-out probabilities: on samples that a network has learned by heart, wrong labels
    look right. It errs on the low side where wrong labels look like honest doubt between classes
    (pair noise, human errors), and it says 0 for probabilities that say nothing, as it would for
    a network that told the probabilities of the noisy labels exactly: noise and doubt are then the
    same thing.

    Parameters
    ----------
    proba : tensor of shape (n_samples, n_classes)
        Held-out class probabilities.
    codes : tensor of int64 of shape (n_samples,)
        Encoded given labels.

    Returns
    -------
    float in [0, 1)
        Estimated share of wrong labels.

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
    if len(codes) > _MAX_ROWS:
        rows = torch.randperm(len(codes))[:_MAX_ROWS]
        proba, codes = proba[rows], codes[rows]
    log_proba = proba.double().clamp(min=1e-6).log()
    fits = [_fit_noise_rate(log_proba, codes, *start) for start in _STARTS]
    return min(fits)[1]


def _fit_noise_rate(
    log_proba: torch.Tensor, codes: torch.Tensor, log_scale: float, logit_rate: float
) -> tuple[float, float]:
    """Posterior mode near a start: its negative log density per sample, and its noise rate."""
    n_samples, n_classes = log_proba.shape
    max_rate = (n_classes - 1) / n_classes
    diagonal = torch.eye(n_classes, dtype=torch.bool)
    given = torch.nn.functional.one_hot(codes, n_classes).double()
    # W starts as the confusion of the sharpened prediction and the given label.
    confusion = 1 + torch.softmax(log_proba * math.exp(log_scale), dim=1).T @ given
    scale = torch.tensor(log_scale, dtype=torch.float64, requires_grad=True)
    rate_logit = torch.tensor(logit_rate, dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
    target_logits = confusion.log().masked_fill(diagonal, 0).requires_grad_()
    parameters = [scale, rate_logit, shift, target_logits]
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

    def negative_log_density() -> torch.Tensor:
        log_targets = torch.log_softmax(target_logits.masked_fill(diagonal, -torch.inf), dim=1)
        rate = torch.sigmoid(rate_logit) * max_rate
        true_class = torch.softmax(log_proba * scale.exp() + shift, dim=1)
        right = (true_class * given).sum(dim=1)
        wrong = (true_class @ log_targets.exp() * given).sum(dim=1)
        log_likelihood = torch.log((1 - rate) * right + rate * wrong).sum()
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
        return negative_log_density().item(), torch.sigmoid(rate_logit).item() * max_rate


class CrossFit:
    """Held-out predictions of two networks that each learn from one half of the samples.

    Both networks see every mini-batch; each learns from its half alone and predicts the other half
    in passing, so that held-out probabilities cost no pass of their own.

    Parameters
    ----------
    codes : tensor of int64 of shape (n_samples,)
        Encoded labels; each class is halved.
    n_classes : int
        Classes.
    device : str or torch.device
        Where the networks compute.
    """

    def __init__(self, codes: torch.Tensor, n_classes: int, device: str | torch.device):
        shuffled = torch.randperm(len(codes))
        by_class = shuffled[torch.argsort(codes[shuffled], stable=True)]
        half = torch.empty(len(codes), dtype=torch.int64)
        half[by_class] = torch.arange(len(codes)) % 2
        self._codes = codes
        #: Which network learns from each sample.
        self.half = half.to(device)
        self._sum = torch.zeros((len(codes), n_classes), device=device)
        self._count = torch.zeros(len(codes), device=device)

    def forget(self) -> None:
        """Drop the predictions gathered so far: the networks have learned since."""
        self._sum.zero_()
        self._count.zero_()

    def lessons(self, index: torch.Tensor) -> list[torch.Tensor]:
        """Positions in a mini-batch that each network learns from: those of its own half."""
        half = self.half[index]
        return [(half == network).nonzero().squeeze(1) for network in (0, 1)]

    def store(self, index: torch.Tensor, logits: list[torch.Tensor]) -> None:
        """Gather the held-out predictions of a mini-batch.

        Parameters
        ----------
        index : tensor of int64 of shape (batch_size,)
            Rows of the data set.
        logits : list of two tensors of shape (batch_size, n_classes)
            Logits of both networks.
        """
        own = self.half[index].bool()[:, None]
        held_out = torch.where(own, logits[0].detach(), logits[1].detach())
        self._sum[index] += torch.softmax(held_out.float(), dim=1)
        self._count[index] += 1

    def noise_rate(self) -> float:
        """Estimate the share of wrong labels from what has been gathered."""
        held_out = self._count > 0
        proba = self._sum[held_out] / self._count[held_out][:, None]
        return estimate_noise_rate(proba.cpu(), self._codes[held_out.cpu()])
