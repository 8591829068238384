"""How a classifier shows itself while it trains, and in a notebook."""

from __future__ import annotations

from html import escape
from typing import Any

from skorch.callbacks import Callback, PrintLog

from .._progress import report

_SHOWN = ("train_loss", "valid_loss", "valid_acc")


class Table(PrintLog):
    """skorch's table of epochs, from ``verbose=2`` on; 1 shows a bar instead."""

    def _sink(self, text: str, verbose: int) -> None:
        super()._sink(text, verbose > 1)


class Steps(Callback):
    """Tells the progress bar of each epoch; a default callback, so that it comes after scores."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report losses and scores."""
        row = net.history[-1]
        facts = {key.replace("_", " "): row[key] for key in _SHOWN if key in row}
        if report(epoch=len(net.history), **facts):
            raise KeyboardInterrupt  # as skorch's EarlyStopping ends a training


def html_of(net: Any) -> str:
    """What is known of a classifier, beyond its parameters: its networks, whom it trusts.

    Parameters
    ----------
    net : PairClassifier
        Fitted or not.

    Returns
    -------
    str
        HTML; empty before there are networks.
    """
    if not net.initialized_:
        return ""
    parts = []
    if hasattr(net, "clean_mask_"):
        n, total = int(net.clean_mask_.sum()), len(net.clean_mask_)
        parts.append(
            f"<p>Trusts {n:,} of {total:,} labels ({n / total:.1%}); "
            f"forget rate {net.forget_rate_:.3f}.</p>"
        )
    for number, network in enumerate(net.module_.networks, 1):
        n_weights = sum(weights.numel() for weights in network.parameters())
        name = escape(type(network).__name__)
        parts.append(
            f"<details><summary>Network {number}: {name}, {n_weights:,} weights</summary>"
            f"<pre>{escape(repr(network))}</pre></details>"
        )
    return f'<div class="noisyactive-networks">{"".join(parts)}</div>'
