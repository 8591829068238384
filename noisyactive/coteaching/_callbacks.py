"""skorch callbacks that come with the classifiers: learning rate, table of epochs, progress bar."""

from __future__ import annotations

from dis import opmap
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback, PrintLog
from torch.optim.lr_scheduler import CosineAnnealingLR

from .._progress import report

_SHOWN = ("train_loss", "valid_loss", "valid_acc")


def raised_by_callback(interrupt: KeyboardInterrupt) -> bool:
    """Whether a callback has raised it to end the training; otherwise the user has interrupted.

    Parameters
    ----------
    interrupt : KeyboardInterrupt
        Caught.

    Returns
    -------
    bool
        True if it comes from a ``raise`` statement within the notification of callbacks. A signal
        arrives at any other instruction, there too.
    """
    trace, notified = interrupt.__traceback__, False
    while trace is not None and trace.tb_next is not None:
        notified |= trace.tb_frame.f_code is NeuralNet.notify.__code__
        trace = trace.tb_next
    if trace is None or not notified:
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == opmap["RAISE_VARARGS"]


class CosineSchedule(Callback):
    """Cosine annealing from the net's learning rate to 0 over the epochs of one training call."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start a new schedule."""
        for group in net.optimizer_.param_groups:
            group.pop("initial_lr", None)
        self.schedule_ = CosineAnnealingLR(net.optimizer_, T_max=max(1, net._planned_epochs))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the learning rate and move on."""
        net.history.record("lr", self.schedule_.get_last_lr()[0])
        self.schedule_.step()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the optimizer's learning rate, also where an interrupt broke that off."""
        if not hasattr(self, "schedule_"):
            return
        for group in net.optimizer_.param_groups:
            if "initial_lr" in group:
                group["lr"] = group["initial_lr"]
                del group["initial_lr"]
        del self.schedule_


class EpochTable(PrintLog):
    """skorch's table of epochs, from ``verbose=2`` on; 1 shows a bar instead.

    Of several processes, the main one prints it.
    """

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print a line."""
        if net.accelerator is None or net.accelerator.is_main_process:
            super().on_epoch_end(net, **kwargs)

    def _sink(self, text: str, verbose: int) -> None:
        super()._sink(text, verbose > 1)


class ProgressSteps(Callback):
    """Moves the progress bar after each epoch; it runs after the callbacks that score."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report losses and scores."""
        row = net.history[-1]
        shown = {key.replace("_", " "): row[key] for key in _SHOWN if key in row}
        if report(epoch=len(net.history), **shown):
            raise KeyboardInterrupt  # as skorch's EarlyStopping ends a training
