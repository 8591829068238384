"""One call of training: warm-up, mutual selection, and which labels are trusted at its end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skorch.dataset import unpack_data
from skorch.utils import FirstStepAccumulator
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import default_collate

from .._arrays import naming
from .._interrupts import interrupts_raised, shielded
from .._progress import Hooks, progress
from .._random import child_seed, isolated_rng
from ._batches import SparseRows, is_lazy, on_device
from ._callbacks import CosineSchedule, raised_by_callback
from ._noise_rate import CrossFit
from ._process_state import may_draw_globally
from ._processes import Processes
from ._schedule import (
    PAPER_EPOCHS,
    PHASES,
    Schedule,
    auto_epochs,
    auto_phases,
)
from ._selection import SampleRecord, count_selected, scheduled_forget_rate, select_clean
from ._shard import Shard, checksum
from ._sklearn_net import PairClassifier
from ._synchronized import synchronized

if TYPE_CHECKING:
    from typing_extensions import Self


# Estimates of the noise rate that are less certain than this deserve a warning.
_WIDE_INTERVAL = 0.3


class _StepOfPair(FirstStepAccumulator):
    """Reports the mean loss of the two networks; what was optimized is the sum."""

    def get_step(self) -> dict[str, Any]:
        step = super().get_step()
        return {**step, "loss": step["loss"] / 2}


class CoTraining(PairClassifier):
    """Base of the co-teaching classifiers: how a pair of networks learns.

    Not for direct use.
    """

    def _train(
        self,
        dataset: Any,
        epochs: int | None,
        validation: Any,
        weights: torch.Tensor | None,
        selecting: bool = True,
        hooks: Hooks | None = None,
    ) -> Self:
        if not hasattr(self, "schedule_"):  # the pair was loaded from a file
            self.schedule_ = self._schedule_for(len(dataset))
            self._set_auto_lr()
        self._planned_epochs = self.schedule_["max_epochs"] if epochs is None else int(epochs)
        self._validation = validation
        self._weights = weights
        self._shard = self._shard_of(dataset)
        self._record: SampleRecord | None = None
        self._crossfit: CrossFit | None = None
        seed = child_seed(self.seed_, 1 + self._n_trainings)
        self._n_trainings += 1
        self._generator = torch.Generator().manual_seed(seed)
        lazy = is_lazy(dataset.X)
        shared = may_draw_globally(self, lazy=lazy)
        rank = self._shard.processes.rank
        with interrupts_raised(), self._cleared_up(), self._shard.processes.watched():
            with (
                # The main process draws what one alone would.
                isolated_rng(child_seed(seed, rank) if rank else seed, self.device)
                if shared
                else nullcontext(),
                self._torch_settings(),
            ):
                if self.preload and not (lazy or isinstance(dataset.X, SparseRows)):
                    X = np.require(dataset.X, requirements="W")  # torch warns of read-only arrays
                    dataset.X = torch.as_tensor(X, device=self.device)
                normalised = any(isinstance(part, _BatchNorm) for part in self.module_.modules())
                loader = self.get_params_for("iterator_train")
                if normalised and loader.get("batch_size", self.batch_size) == 1:
                    raise ValueError("batch_size must be at least 2 with batch normalisation.")
                probe = default_collate([dataset[0], dataset[1]])[0]["X"]
                self.module_.probe(self._network_input(probe), self.head)
                if not (self.train_transform is None and self.eval_transform is None):
                    name = "train_transform or eval_transform"  # samples of other shapes, say
                    with isolated_rng(0, self.device), naming(name):
                        self.module_.probe(
                            self._network_input(probe.clone(), training=True, trying=True),
                            self.head,
                        )
                if selecting:
                    self._begin_selecting(dataset)
                title, verbose = type(self).__name__, self.verbose == 1 and rank == 0
                with (
                    progress(title, self._planned_epochs, verbose=verbose, hooks=hooks),
                    synchronized(self.module_, self._shard, self.device) as self._forward_each,
                ):
                    self._run_epochs(dataset)
        return self

    def _shard_of(self, dataset: Any) -> Shard:
        """The rows that this process keeps, after all processes have agreed on what is trained."""
        processes = Processes(self.accelerator)
        batch_size = self.get_params_for("iterator_train").get("batch_size", self.batch_size)
        if batch_size == "auto":
            batch_size = self._auto_batch_size(len(dataset))
        elif batch_size == -1:
            batch_size = len(dataset)
        shard = Shard(processes, len(dataset), batch_size)
        with processes.watched():
            processes.agree(
                X=(len(dataset), self._spec.sample_shape),
                y=checksum(dataset.codes),
                random_state=self.seed_,
                epochs=self._planned_epochs,
                batch_size=batch_size,
            )
        if processes.count > 1 and shard.fewest < 1:
            raise ValueError(
                f"batch_size={batch_size} leaves nothing to some of {processes.count} processes in "
                f"some batches of {len(dataset)} samples: it is the size of the batch that they "
                "make up together, and must be larger."
            )
        return shard

    def _schedule_for(self, n_samples: int, epochs: int | None = None) -> Schedule:
        """What was set, and what "auto" stands for with so many samples."""
        max_epochs = self.max_epochs if epochs is None else int(epochs)
        if max_epochs == "auto":
            max_epochs = auto_epochs(n_samples) if self.module is None else PAPER_EPOCHS
        batch_size = self.get_params_for("iterator_train").get("batch_size", self.batch_size)
        if batch_size == "auto":
            batch_size = self._auto_batch_size(n_samples)
        elif batch_size == -1:
            batch_size = n_samples
        lr = self._auto_lr(batch_size) if self.lr == "auto" else self.lr
        phases = zip((self.warmup_epochs, self.ramp_epochs), auto_phases(max_epochs), strict=True)
        warmup_epochs, ramp_epochs = (auto if own == "auto" else own for own, auto in phases)
        return Schedule(
            max_epochs=max_epochs,
            warmup_epochs=warmup_epochs,
            ramp_epochs=ramp_epochs,
            batch_size=batch_size,
            lr=lr,
        )

    def _follow_params(self) -> None:
        """Let the schedule follow what was set since the networks were built."""
        if not hasattr(self, "schedule_"):
            return
        schedule = self.schedule_.copy()  # copies of the classifier may share it
        for name in PHASES:
            if (value := getattr(self, name)) != "auto":
                schedule[name] = value
        schedule["lr"] = self._auto_lr() if self.lr == "auto" else self.lr
        self.schedule_ = schedule

    @shielded
    def _cleared_up(self) -> Iterator[None]:
        """Drop the state of one training call and restore the learning rate; after errors too."""
        try:
            yield
        finally:
            for _, callback in self.callbacks_:
                if isinstance(callback, CosineSchedule):
                    callback.on_train_end(self)
            self._forget_training()

    def _run_epochs(self, dataset: Any) -> None:
        """All epochs of a training call, as skorch's `partial_fit` runs them.

        A callback ends them early by raising KeyboardInterrupt, as skorch's ``EarlyStopping``
        does. skorch takes a user's interrupt for the same, and would return a network that looks
        finished; here it is raised.
        """
        self.notify("on_train_begin", X=dataset, y=dataset.y)
        try:
            self.fit_loop(dataset, dataset.y, epochs=self._planned_epochs)
        except KeyboardInterrupt as interrupt:
            if not raised_by_callback(interrupt):
                raise
        self.notify("on_train_end", X=dataset, y=dataset.y)

    def _forget_training(self) -> None:
        """Drop the state of one training call."""
        self._record = self._crossfit = self._validation = self._weights = self._generator = None
        for name in ("_shard", "_forward_each", "_batch_size"):
            self.__dict__.pop(name, None)

    def initialize_module(self) -> Self:
        """Build both networks; delete the fitted attributes of earlier ones."""
        self._n_epochs_selecting = 0
        self._rate_is_estimated = False
        for name in (
            "forget_rate_",
            "forget_rate_interval_",
            "clean_mask_",
            "selected_",
            "sample_loss_",
            "vog_",
        ):
            self.__dict__.pop(name, None)
        super().initialize_module()
        return self

    # --- one call of training -------------------------------------------------------------------

    def _begin_selecting(self, dataset: Any) -> None:
        """Prepare the record of samples, and the estimate of the noise rate."""
        self._record = SampleRecord(len(self._shard.rows), self.device)
        if self.forget_rate != "auto":
            self.forget_rate_ = float(self.forget_rate)
            self.__dict__.pop("forget_rate_interval_", None)
        elif not self._rate_is_estimated:
            self._crossfit = CrossFit(
                dataset.codes, len(self.classes_), self.device, self._generator, self._shard
            )

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Set the forget rate of the epoch; end the warm-up after `warmup_epochs`."""
        super().on_epoch_begin(net, **kwargs)
        self._tau = 0.0
        if self._record is None:
            return
        epoch = self._n_epochs_selecting
        if self._crossfit is not None and epoch >= self.schedule_["warmup_epochs"]:
            self._estimate_forget_rate()
            self._crossfit = None
        if self._crossfit is not None:
            if epoch == self.schedule_["warmup_epochs"] // 2:
                self._crossfit.forget()
        else:
            start = self.schedule_["warmup_epochs"] if self.forget_rate == "auto" else 0
            self._tau = scheduled_forget_rate(
                epoch - start, self.forget_rate_, self.schedule_["ramp_epochs"], self.exponent
            )

    def _estimate_forget_rate(self) -> None:
        assert self._crossfit is not None
        # Machines of different kinds may round differently.
        estimate = self._shard.processes.from_main(self._crossfit.noise_rate())
        self.forget_rate_, self.forget_rate_interval_ = estimate.rate, estimate.interval
        self._rate_is_estimated = True
        low, high = estimate.interval
        if high - low > _WIDE_INTERVAL:
            warnings.warn(
                f"The share of wrong labels is uncertain: {estimate.rate:.2f} is the estimate, and "
                f"the 95% interval goes from {low:.2f} to {high:.2f}. Give forget_rate a number; "
                "noisyactive.audit.audit_sample draws samples whose labels to check for it.",
                UserWarning,
                stacklevel=2,
            )

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Go through the batches once; on a GPU, losses are fetched at the end of the epoch.

        There, the history's losses of batches are tensors while the epoch lasts.
        """
        if iterator is None:
            return
        self._set_training(training)
        n_batches = 0
        try:
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                loss = step["loss"].detach()
                self.history.record_batch(f"{prefix}_loss", loss if loss.is_cuda else loss.item())
                size = self._batch_size if training else len(unpack_data(batch)[1])
                self.history.record_batch(f"{prefix}_batch_size", size)
                self.notify("on_batch_end", batch=batch, training=training, **step)
                n_batches += 1
                del batch, step  # so that the next ones take their place in memory
        finally:  # a history is written to files after interrupts, too
            _fetch(self.history[-1]["batches"], f"{prefix}_loss")
        self.history.record(f"{prefix}_batch_count", n_batches)
        rows = self.history[-1]["batches"][-n_batches:] if n_batches else []
        losses = [row[f"{prefix}_loss"] for row in rows]
        if training and not math.isfinite(sum(losses)):
            raise FloatingPointError(
                f"The loss stopped being finite in epoch {len(self.history)}: lower lr, and check "
                "that the samples of X are finite and of moderate size."
            )

    def get_train_step_accumulator(self) -> FirstStepAccumulator:
        """Report the mean loss of the two networks."""
        return _StepOfPair()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, torch.Tensor]:
        """One mini-batch: forward, mutual selection, and the gradients of both networks."""
        if not self.module_.training:  # a callback has predicted
            self._set_training(True)
        inputs, targets = unpack_data(batch)
        X = self._network_input(inputs["X"], training=True)
        index = on_device(inputs["index"], self.device)
        targets = on_device(targets, self.device)
        with self._precision():
            logits, features = zip(*self._forward_each(X), strict=True)
            losses = [self.criterion_(output, targets).float() for output in logits]
        places = self._shard.places(index)
        # The choice is made for the batch that all processes have together, by each of them.
        whole_index, signs, own = self._shard.whole_batch(index, self._signs(places, losses))
        self._batch_size = len(whole_index)
        picked, learned = self._choose_samples(whole_index, signs)
        values = torch.stack(losses).detach()
        if self._record is not None:
            self._record.store(places, values, picked[:, own])
            if self._crossfit is not None:
                self._crossfit.store(index, list(logits))
            self._remember(places, targets, logits, features, losses)
        # What is minimised is the sum of the losses, each times its share in the mean of a network.
        shares = (learned / learned.sum(dim=1, keepdim=True).clamp(min=1))[:, own]
        if self._weights is not None:  # the choice of samples looks at plain losses
            shares = shares * self._weights[index]
        n_processes = self._shard.processes.count  # gradients are averaged over them
        gradients = self._scaler.scale(shares * n_processes)
        torch.autograd.backward(losses, list(gradients))
        self._scaler.unscale_(self.optimizer_)
        loss = self._shard.processes.total((values.where(learned[:, own], 0) * shares).sum())
        return {"loss": loss, "y_pred": (logits[0] + logits[1]).detach() / 2}

    def _signs(self, places: torch.Tensor, losses: Any) -> list[torch.Tensor]:
        """What the choice of samples looks at, of shape (batch_size,) each: both losses first."""
        return [loss.detach() for loss in losses]

    def _choose_samples(
        self, index: torch.Tensor, signs: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples that each network trusts, and that each learns from: masks (2, batch_size)."""
        everything = index.new_ones((2, len(index)), dtype=torch.bool)
        if self._record is None:
            return everything, everything
        if self._crossfit is not None:
            return everything, self._crossfit.chosen(index)
        n_selected = count_selected(len(index), self._tau)
        picked = torch.zeros_like(everything)
        for network in (0, 1):
            picked[network, self._pick(network, signs, n_selected)] = True
        return picked, picked.flip(0)

    def _pick(self, network: int, signs: list[torch.Tensor], n_selected: int) -> torch.Tensor:
        """Positions in the mini-batch that one network trusts."""
        return select_clean(signs[network], n_selected)

    def _remember(self, places: Any, targets: Any, logits: Any, features: Any, losses: Any) -> None:
        """Keep what later epochs need of a mini-batch; plain Co-teaching needs nothing."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the forget rate and the share of selected samples."""
        super().on_epoch_end(net, **kwargs)
        self.history.record("forget_rate", self._tau)
        if self._record is not None:
            n_picked, n_seen = self._shard.processes.total(self._record.end_epoch()).tolist()
            self.history.record("selected_share", n_picked / (2 * n_seen))
            self._n_epochs_selecting += 1

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Set `selected_`, `clean_mask_` and `sample_loss_`."""
        super().on_train_end(net, X=X, y=y, **kwargs)
        if self._record is None:
            return
        if self._crossfit is not None:
            self._estimate_forget_rate()
            warnings.warn(
                f"Training ended after {self._n_epochs_selecting} epochs, before the end of "
                f"warm-up (warmup_epochs={self.schedule_['warmup_epochs']}): every label was "
                "trusted. Raise max_epochs, lower warmup_epochs, or give forget_rate a number.",
                UserWarning,
                stacklevel=2,
            )
        self.selected_ = self._shard.whole(self._record.selected.T).T.cpu().numpy()
        self.clean_mask_ = self.selected_[0].copy()
        self.sample_loss_ = self._shard.whole(self._record.loss.mean(dim=0)).cpu().numpy()


def _fetch(rows: list[dict[str, Any]], name: str) -> None:
    """Replace an entry of batches that lies on a device by a number, of all batches at once."""
    waiting = [row for row in rows if isinstance(row.get(name), torch.Tensor)]
    if waiting:
        numbers = torch.stack([row[name] for row in waiting]).tolist()
        for row, number in zip(waiting, numbers, strict=True):
            row[name] = number
