"""How the weights of a pair of networks are learned: their optimizer, and the precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from .._arrays import naming
from ._inputs import CheckedInputs
from ._processes import MIXED_PRECISIONS
from ._schedule import PAPER_LR, auto_lr, default_lr

# Options of an optimizer that exclude `fused`.
_LOOPS = {"foreach", "differentiable"}


class OptimizedPair(CheckedInputs):
    """Base of the co-teaching classifiers: the optimizer of both networks, mixed precision.

    Not for direct use.
    """

    _scaler: torch.amp.GradScaler
    device: Any
    verbose: int

    # --- optimizer --------------------------------------------------------------------------

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple[Any, Any]:
        """Arguments of the optimizer; SGD has momentum 0.9 and weight decay 1e-4 if not set.

        For the default networks it is torch's fused one, which takes a quarter of the time. It is
        wrong, without a word, where a gradient lies in another order than its weights, and breaks
        off where weights get their first gradient late: a module of one's own, or callbacks, may
        bring about both.
        """
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        if self.optimizer is torch.optim.SGD:
            kwargs = {"momentum": 0.9, "weight_decay": 1e-4, **kwargs}
            plain = self.module is None and not self.callbacks and not self.channels_last
            plain &= all(weights.requires_grad for weights in self.module_.parameters())
            if plain and self._device_type in ("cpu", "cuda") and not _LOOPS & kwargs.keys():
                kwargs = {"fused": True, **kwargs}
        if kwargs["lr"] == "auto":
            kwargs["lr"] = self._auto_lr()
        return args, kwargs

    def _auto_lr(self, batch_size: int | None = None) -> float:
        """What lr="auto" stands for; before there are data, the paper's.

        It follows from the batch size that the networks were built for, unless one is given.
        """
        if self.optimizer is not torch.optim.SGD:
            return default_lr(self.optimizer) or PAPER_LR
        if batch_size is None and hasattr(self, "schedule_"):
            batch_size = self.schedule_["batch_size"]
        return PAPER_LR if self.module is not None or batch_size is None else auto_lr(batch_size)

    def _set_auto_lr(self) -> None:
        """Let the optimizer have it, or `optimizer__lr`, where `lr` is "auto"."""
        if self.lr == "auto":
            for group in self.optimizer_.param_groups:
                group["lr"] = self.get_params_for("optimizer").get("lr", self._auto_lr())

    def _initialize_optimizer(self, reason: Any = None) -> "OptimizedPair":
        """As skorch does, but without its message beside the progress bar."""
        verbose: int = self.verbose
        self.verbose = verbose if verbose > 1 else 0
        try:
            super()._initialize_optimizer(reason)
        finally:
            self.verbose = verbose
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> "OptimizedPair":
        """Build the optimizer of both networks."""
        with naming("optimizer"):
            super().initialize_optimizer(*args, **kwargs)
        if not isinstance(self.optimizer_, torch.optim.Optimizer):
            raise TypeError(
                f"optimizer must build a torch.optim.Optimizer, got {self.optimizer_!r}."
            )
        return self

    def _step_optimizer(self, step_fn: Any) -> None:
        if not self._scaler.is_enabled():
            super()._step_optimizer(step_fn)
            return
        step_fn()
        self._scaler.step(self.optimizer_)
        self._scaler.update()

    # --- precision --------------------------------------------------------------------------

    @property
    def _device_type(self) -> str:
        return torch.device("cpu" if self.device is None else self.device).type

    def _precision(self) -> AbstractContextManager[Any]:
        """Mixed precision, where `autocast` asks for it."""
        if self._mixed_precision is None:
            return nullcontext()
        return torch.autocast(self._device_type, dtype=getattr(torch, self._mixed_precision))

    @property
    def _mixed_precision(self) -> str | None:
        if self.autocast is not None or self.accelerator is None:
            return self.autocast
        return MIXED_PRECISIONS[self.accelerator.mixed_precision]

    def _new_scaler(self) -> torch.amp.GradScaler:
        half = self._mixed_precision == "float16"
        return torch.amp.GradScaler(self._device_type, enabled=half)
