"""Co-teaching regularised by the Variance of Gradients."""

import warnings
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from .._typing import Labels
from ._classifier import CoTeachingClassifier
from ._schedule import PAPER_EPOCHS, PAPER_LR
from ._selection import select_clean
from ._vog import (
    VarianceOfGradients,
    activation_coefficients,
    choose_storage,
    head_gradient,
    label_logit_gradient,
)

#: The hyper-parameters of Khanal et al. (MICCAI 2024, https://doi.org/10.1007/978-3-031-72120-5_4):
#: ``CoTeachingVOGClassifier(module, forget_rate=0.5, mix_ratio=0.2, **PAPER_PARAMS)``. The paper
#: sets ``forget_rate`` to the true noise rate and chooses ``mix_ratio`` for each data set.
PAPER_PARAMS: Mapping[str, Any] = MappingProxyType(
    {
        "max_epochs": PAPER_EPOCHS,
        "batch_size": 256,
        "lr": PAPER_LR,
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 1e-4,
        "ramp_epochs": 10,
        "exponent": 1,
        "warmup_epochs": 10,
    }
)


#: Values of ``vog_storage`` beside "auto", and what they stand for.
_STORAGES = {
    kind + suffix: (getattr(torch, kind), place)
    for kind in ("float32", "float16")
    for suffix, place in (("", "device"), (":host", "host"), (":disk", "disk"))
}


class CoTeachingVOGClassifier(CoTeachingClassifier):
    """Co-teaching whose choice of clean samples is regularised by the Variance of Gradients.

    Samples of rare classes have large losses whether their labels are right or wrong, so plain
    Co-teaching throws them away. Here a share `mix_ratio` of every choice is made by another sign
    of a right label: a gradient that has hardly moved over the last epochs [1]_. It is read off the
    training passes and costs none of its own.

    Parameters
    ----------
    module : type or callable, default=None
        Network class or factory, as for `CoTeachingClassifier`; its logits must come straight from
        one ``torch.nn.Linear`` unless ``mix_ratio=0``.
    mix_ratio : float in [0, 1], default=0.2
        Share of the selected samples that is chosen by smallest VOG; the others by smallest loss.
        0 is plain Co-teaching.
    vog_window : int, default=5
        Epochs over which the variance is taken, at least 2.
    vog_gradient : {"head", "activation"}, default="head"
        "head": gradient of the loss with respect to the head's row (and bias) of the given label.
        "activation": gradient of the given label's softmax activation with respect to the features;
        stored as one number per class and epoch.
    vog_storage : str, default="auto"
        Type of the history, "float32" or "float16", and where it lies: on the device, or with
        ``":host"`` appended in main memory, with ``":disk"`` in a temporary file that is mapped
        into memory. It holds ``2 * vog_window * n_samples * (n_features + 1)`` numbers for "head",
        ``n_classes`` in place of ``n_features + 1`` for "activation". "auto" takes half precision
        from 4 GiB on, and the first place that is large enough.
    forget_rate, ramp_epochs, exponent, max_epochs, batch_size, lr, train_transform, \
eval_transform, head, autocast, channels_last, preload, accelerator, classes, random_state, **kwargs
        As for `CoTeachingClassifier`.
    warmup_epochs : int or "auto", default="auto"
        Epochs before VOG is used (plain Co-teaching until then), and before anything is discarded
        with ``forget_rate="auto"``.

    Attributes
    ----------
    vog_ : ndarray of shape (n_samples,)
        VOG of each sample over the last `vog_window` epochs, mean of both networks. NaN where it is
        not known: with ``mix_ratio=0``, or after fewer epochs than the window.
    clean_mask_, selected_, sample_loss_, forget_rate_, forget_rate_interval_, classes_, \
module_, schedule_, history, seed_, n_features_in_
        As for `CoTeachingClassifier`; the history also has ``vog_used``.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024,
       https://doi.org/10.1007/978-3-031-72120-5_4

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise
    >>> X, y = make_blobs([300, 100, 30], cluster_std=0.5, random_state=0)
    >>> y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    >>> net = CoTeachingVOGClassifier(mix_ratio=0.5, random_state=0).fit(X, y_noisy)
    >>> trusted = net.clean_mask_
    >>> bool((y_noisy == y)[trusted].mean() > 0.9)
    True
    """

    _parameter_constraints = {
        **CoTeachingClassifier._parameter_constraints,
        "mix_ratio": [Interval(Real, 0, 1, closed="both")],
        "vog_window": [Interval(Integral, 2, None, closed="left")],
        "vog_gradient": [StrOptions({"head", "activation"})],
        "vog_storage": [StrOptions({"auto", *_STORAGES})],
    }

    def __init__(
        self,
        module: Callable[..., torch.nn.Module] | None = None,
        *,
        mix_ratio: float = 0.2,
        vog_window: int = 5,
        vog_gradient: str = "head",
        vog_storage: str = "auto",
        forget_rate: float | str = "auto",
        ramp_epochs: int | str = "auto",
        exponent: float = 1,
        warmup_epochs: int | str = "auto",
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        lr: float | str = "auto",
        train_transform: Callable[[Any], Any] | None = None,
        eval_transform: Callable[[Any], Any] | None = None,
        head: str | None = None,
        autocast: str | None = None,
        channels_last: bool = False,
        preload: bool = False,
        accelerator: Any = None,
        classes: Labels | None = None,
        random_state: int | np.random.RandomState | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            module,
            forget_rate=forget_rate,
            ramp_epochs=ramp_epochs,
            exponent=exponent,
            warmup_epochs=warmup_epochs,
            max_epochs=max_epochs,
            batch_size=batch_size,
            lr=lr,
            train_transform=train_transform,
            eval_transform=eval_transform,
            head=head,
            autocast=autocast,
            channels_last=channels_last,
            preload=preload,
            accelerator=accelerator,
            classes=classes,
            random_state=random_state,
            **kwargs,
        )
        self.mix_ratio = mix_ratio
        self.vog_window = vog_window
        self.vog_gradient = vog_gradient
        self.vog_storage = vog_storage

    def _begin_selecting(self, dataset: Any) -> None:
        super()._begin_selecting(dataset)
        self._vog: list[torch.Tensor] | None = None
        self._vog_was_used = False
        self._vog_histories: list[VarianceOfGradients] = []
        if self.mix_ratio == 0:
            return
        heads = self.module_.require_head()
        n_dims = len(self.classes_) if self._activation else heads[0].in_features + 1
        if self.vog_storage == "auto":
            n_numbers = len(heads) * self.vog_window * len(dataset) * n_dims
            dtype, place = choose_storage(4 * n_numbers, self.device, self._shard.processes.count)
        else:
            dtype, place = _STORAGES[self.vog_storage]
        self._vog_histories = [
            VarianceOfGradients(
                len(self._shard.rows),
                n_dims,
                self.vog_window,
                dtype=dtype,
                device=self.device,
                place=place,
            )
            for _ in heads
        ]

    def _forget_training(self) -> None:
        super()._forget_training()
        self._vog, self._vog_histories = None, []

    @property
    def _activation(self) -> bool:
        return self.vog_gradient == "activation"

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Score the history of gradients, once an epoch, and open its next slot."""
        super().on_epoch_begin(net, **kwargs)
        if self._record is None:
            return
        ready = self._n_epochs_selecting >= self.schedule_["warmup_epochs"]
        ready &= all(history.full for history in self._vog_histories)
        self._vog = [h.scores() for h in self._vog_histories] if ready else None
        for history, head in zip(self._vog_histories, self.module_.heads(), strict=False):
            history.begin_epoch(head.weight if self._activation else None)

    def _signs(self, places: torch.Tensor, losses: Any) -> list[torch.Tensor]:
        vog = self._vog or []
        return [*super()._signs(places, losses), *(scores[places] for scores in vog)]

    def _pick(self, network: int, signs: list[torch.Tensor], n_selected: int) -> torch.Tensor:
        vog = signs[2 + network] if self._vog else None
        return select_clean(signs[network], n_selected, vog, self.mix_ratio)

    def _remember(self, places: Any, targets: Any, logits: Any, features: Any, losses: Any) -> None:
        for network, history in enumerate(self._vog_histories):
            output = logits[network]
            if self._activation:
                gradient = activation_coefficients(output.detach().float(), targets)
            else:
                column = label_logit_gradient(losses[network], output, targets, self.criterion_)
                gradient = head_gradient(column, features[network].detach().float())
            history.record(places, gradient)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record whether VOG was used."""
        super().on_epoch_end(net, **kwargs)
        if self._record is not None:
            self.history.record("vog_used", bool(self._vog))
            self._vog_was_used |= bool(self._vog)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Set `vog_`, beside the attributes of the base class."""
        super().on_train_end(net, X=X, y=y, **kwargs)
        if self._record is None:
            return
        scores = [history.scores() for history in self._vog_histories]
        self.vog_ = (
            self._shard.whole(torch.stack(scores).mean(dim=0)).cpu().numpy()
            if scores
            else np.full(len(self.clean_mask_), np.nan, dtype=np.float32)
        )
        if self.mix_ratio > 0 and not self._vog_was_used:
            warnings.warn(
                f"VOG was never used: training ended after {self._n_epochs_selecting} epochs, and "
                f"VOG needs warmup_epochs={self.schedule_['warmup_epochs']} and "
                f"vog_window={self.vog_window} epochs before it. Raise max_epochs, or lower "
                "warmup_epochs or vog_window.",
                UserWarning,
                stacklevel=2,
            )
