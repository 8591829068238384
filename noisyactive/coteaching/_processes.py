"""Processes that train together, and what they tell each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

#: What an accelerator calls the precisions that it may be set to, and `autocast` does.
MIXED_PRECISIONS = {"no": None, "bf16": "bfloat16", "fp16": "float16"}


def check_accelerator(net: Any) -> None:
    """Raise a ValueError if a classifier cannot train with its accelerator.

    Parameters
    ----------
    net : PairClassifier
        Whose parameters are looked at.
    """
    accelerator = net.accelerator
    kind = str(getattr(accelerator.distributed_type, "value", accelerator.distributed_type))
    if kind != "NO" and not kind.startswith("MULTI_"):
        raise ValueError(
            f"accelerator must run data-parallel training (each process has whole networks), or a "
            f"single process, got distributed_type {kind}."
        )
    if accelerator.mixed_precision not in MIXED_PRECISIONS:
        raise ValueError(
            f"accelerator must have mixed_precision 'no', 'bf16' or 'fp16', got "
            f"{accelerator.mixed_precision!r}."
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError(
            "accelerator must have gradient_accumulation_steps=1, since samples are selected in "
            "each mini-batch; batch_size is the size of the batch of all processes together."
        )
    device = torch.device("cpu" if net.device is None else net.device)
    if device.type != accelerator.device.type:
        raise ValueError(
            f"device must be that of the accelerator, {str(accelerator.device)!r} here: pass "
            f"device=accelerator.device; got {str(device)!r}."
        )
    if accelerator.num_processes > 1 and net.train_split is not None:
        raise ValueError(
            "train_split must be None with several processes of an accelerator; give fit "
            "validation_data."
        )


def check_device(device: str | torch.device | None) -> None:
    """Raise a ValueError unless torch can compute there.

    Parameters
    ----------
    device : str, torch.device or None
        What is asked for; None is no demand.
    """
    if device is None:
        return
    try:
        there = not torch.empty(0, device=device).is_meta
    except (RuntimeError, TypeError, AssertionError) as error:
        raise ValueError(f"device must be one that torch finds here: {error}.") from error
    if not there:
        raise ValueError(f"device must be one that holds data, got {device!r}.")


class Processes:
    """The processes that train together, and how they exchange tensors.

    Parameters
    ----------
    accelerator : accelerate.Accelerator, default=None
        Knows the processes. None stands for this one alone; nothing is exchanged then.

    Attributes
    ----------
    count : int
        How many there are.
    rank : int
        Number of this one; 0 is the main process, which writes files and shows progress.
    """

    def __init__(self, accelerator: Any = None):
        self._accelerator = accelerator
        self.count = 1 if accelerator is None else int(accelerator.num_processes)
        self.rank = 0 if accelerator is None else int(accelerator.process_index)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over all processes."""
        return values if self.count == 1 else self._accelerator.reduce(values, reduction="sum")

    def gather(self, values: torch.Tensor, capacity: int) -> tuple[torch.Tensor, int]:
        """Rows of all processes, in the order of their ranks.

        Parameters
        ----------
        values : tensor of shape (n_own, n_columns)
            Rows of this process.
        capacity : int
            At least the largest `n_own` of all, the same number on each process.

        Returns
        -------
        rows : tensor of shape (n_all, n_columns)
            Rows of all.
        start : int
            Where this process's rows begin.
        """
        if self.count == 1:
            return values, 0
        padded = values.new_zeros((capacity, values.shape[1] + 1))
        padded[: len(values), 0] = 1  # a real row
        padded[: len(values), 1:] = values
        parts = self._accelerator.gather(padded)
        real = parts[:, 0] == 1
        start = int(real[: self.rank * capacity].sum())
        return parts[real, 1:], start

    def from_main(self, value: Any) -> Any:
        """The main process's value of a small object."""
        if self.count == 1:
            return value
        values = [value]
        torch.distributed.broadcast_object_list(values, src=0)
        return values[0]

    def agree(self, **values: Any) -> None:
        """Raise a ValueError on every process unless all have the same values.

        Parameters
        ----------
        **values : object
            What has to be the same, by its name for the user; what its ``repr`` shows counts.
        """
        if self.count == 1:
            return
        everywhere: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(everywhere, {k: repr(v) for k, v in values.items()})
        for name in values:
            if len({own[name] for own in everywhere}) > 1:
                raise ValueError(
                    f"Every process must be given the same data and parameters; {name} differs: "
                    f"{', '.join(own[name] for own in everywhere)}."
                )

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            self._accelerator.wait_for_everyone()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say it clearly when the connection to another process is lost, or it does not answer."""
        try:
            yield
        except RuntimeError as error:
            if self.count == 1 or not _is_of_connection(error):
                raise
            raise RuntimeError(
                f"Training on {self.count} processes stopped: another process has ended or did not "
                "answer in time. Its own error, if it had one, is in its output. Start all of them "
                "again, from a checkpoint if there is one; how long a process waits is set by "
                "Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=...)])."
            ) from error


def _is_of_connection(error: RuntimeError) -> bool:
    names = "gloo", "nccl", "connection", "application timeout"  # the last is gloo's in torch 2.6
    of_backend = any(name in str(error).lower() for name in names)
    return of_backend or isinstance(error, torch.distributed.DistError)
