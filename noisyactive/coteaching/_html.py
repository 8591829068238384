"""What notebooks show of a co-teaching classifier."""

from html import escape
from typing import Any


def html_of(net: Any) -> str:
    """HTML for notebooks: how many labels a classifier trusts, and its networks.

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
