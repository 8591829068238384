"""Variance of Gradients: per-sample gradients in closed form, their history and its score."""

import errno
import math
import os
import tempfile

import numpy as np
import torch
from torch import nn

# From this size on, a history is kept in half precision.
_LARGE = 4 * 1024**3
# Numbers scored at a time: the working set of a chunk stays within the cache of a core, or a GPU.
_CHUNK_ON_CPU, _CHUNK_ON_GPU = 1 << 18, 1 << 21


def is_plain_cross_entropy(criterion: nn.Module) -> bool:
    """Whether `criterion` is cross-entropy without class weights or label smoothing."""
    return (
        type(criterion) is nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.label_smoothing == 0
    )


def label_logit_gradient(
    loss: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor, criterion: nn.Module
) -> torch.Tensor:
    """Derivative of each sample's loss with respect to the logit of its given label.

    For plain cross-entropy it is ``p_y - 1``, read off the loss itself since ``loss = -log(p_y)``;
    for any other criterion autograd goes back from the losses to the logits, and no further.

    Parameters
    ----------
    loss : tensor of shape (batch_size,)
        Per-sample losses, attached to the graph of `logits` unless cross-entropy is plain.
    logits : tensor of shape (batch_size, n_classes)
        What the loss was computed from.
    targets : tensor of int64 of shape (batch_size,)
        Codes of the given labels.
    criterion : nn.Module
        The criterion behind `loss`.

    Returns
    -------
    tensor of shape (batch_size,)
        Detached from the graph.
    """
    if is_plain_cross_entropy(criterion):
        return torch.expm1(-loss.detach())
    (gradient,) = torch.autograd.grad(loss.sum(), logits, retain_graph=True)
    return gradient.gather(1, targets[:, None]).squeeze(1)


def head_gradient(logit_gradient: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Gradient of each sample's loss with respect to the head's row (and bias) of its given label.

    ``dL/dz_y * [1, phi]``: for cross-entropy ``(p_y - 1) * [1, phi]``.

    Parameters
    ----------
    logit_gradient : tensor of shape (batch_size,)
        ``dL/dz_y``, see `label_logit_gradient`.
    features : tensor of shape (batch_size, n_features)
        Input of the linear head.

    Returns
    -------
    tensor of shape (batch_size, 1 + n_features)
        Bias first.
    """
    column = logit_gradient[:, None]
    return torch.cat([column, column * features], dim=1)


def activation_coefficients(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradient of the given label's softmax activation, in the basis of the head's rows.

    ``d p_y / d phi = p_y (W_y - sum_k p_k W_k)`` is linear in the rows of W; these are its
    coefficients ``p_y (1[k = y] - p_k)``, so that ``coefficients @ W`` is the gradient.

    Parameters
    ----------
    logits : tensor of shape (batch_size, n_classes)
        Output of the linear head.
    targets : tensor of int64 of shape (batch_size,)
        Codes of the given labels.

    Returns
    -------
    tensor of shape (batch_size, n_classes)
        Coefficients of the rows of W.
    """
    proba = torch.softmax(logits, dim=1)
    column = targets[:, None]
    coefficients = -proba
    coefficients.scatter_add_(1, column, torch.ones_like(column, dtype=proba.dtype))
    return coefficients * proba.gather(1, column)


def choose_storage(
    n_bytes: int, device: str | torch.device | None, n_processes: int = 1
) -> tuple[torch.dtype, str]:
    """Type and place of a history of gradients, from its size.

    Half precision from 4 GiB on; the place is the first of device, main memory and disk of which
    it takes no more than a quarter, a half and all. The type, which results depend on, is chosen
    from the size alone; the place also from the machine.

    Parameters
    ----------
    n_bytes : int
        Size of all rings in float32.
    device : str, torch.device or None
        Where the networks compute.
    n_processes : int, default=1
        Processes that share the rings evenly, each on a machine of its own or so.

    Returns
    -------
    dtype : torch.dtype
        float32 or float16.
    place : {"device", "host", "disk"}
        As for `VarianceOfGradients`.
    """
    dtype = torch.float32
    if n_bytes > _LARGE:
        dtype, n_bytes = torch.float16, n_bytes // 2
    n_bytes //= n_processes
    of_device = torch.device("cpu" if device is None else device)
    if of_device.type == "cuda":
        if n_bytes <= torch.cuda.get_device_properties(of_device).total_memory // 4:
            return dtype, "device"
        return dtype, "host" if n_bytes <= _main_memory() // 2 else "disk"
    return dtype, "device" if n_bytes <= _main_memory() // 2 else "disk"


def _main_memory() -> int:
    """Bytes of main memory; where the system does not say, a cautious guess."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system has these names
        return 8 * 1024**3


def _zeros_on_disk(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    numpy_type = torch.empty(0, dtype=dtype).numpy().dtype
    n_bytes = math.prod(shape) * numpy_type.itemsize
    with tempfile.TemporaryFile(prefix="noisyactive-vog-") as file:
        # Of a disk that turns out to be full in a map, the system ends the process without a word.
        if n_bytes and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            except OSError as error:  # any other: a file system on which nothing can be reserved
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise OSError(
                        error.errno,
                        f"{error.strerror}: the history of gradients takes {n_bytes / 1e9:.3g} GB "
                        f"for each of two networks in {tempfile.gettempdir()}; set the environment "
                        "variable TMPDIR to another folder, or another vog_storage",
                    ) from error
        return torch.from_numpy(np.memmap(file, dtype=numpy_type, mode="w+", shape=shape))


class VarianceOfGradients:
    """History of per-sample gradients over the last epochs, and their variance.

    ``VOG_i = mean over d of std over e of S_ie,d``, the population standard deviation over a window
    of epochs, per dimension, averaged over the dimensions [1]_ [2]_. Small values mark labels that
    a network has settled on.

    The history is one preallocated ring; scoring it goes over blocks of rows with running sums and
    holds no second array of that size.

    Parameters
    ----------
    n_samples : int
        Rows of the data set.
    n_dims : int
        Numbers stored per sample and epoch.
    window : int, default=5
        Number of epochs in the history, at least 2.
    dtype : torch.dtype, default=torch.float32
        Type the ring is stored in. Scores are computed in float32.
    device : str or torch.device, default="cpu"
        Where gradients come from and scores go to.
    place : {"device", "host", "disk"}, default="device"
        Where the ring lies: on the device, in main memory, or in a temporary file that is mapped
        into memory and deleted with the object.

    References
    ----------
    .. [1] Agarwal et al., "Estimating Example Difficulty using Variance of Gradients", CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.01012
    .. [2] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024,
       https://doi.org/10.1007/978-3-031-72120-5_4
    """

    def __init__(
        self,
        n_samples: int,
        n_dims: int,
        window: int = 5,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
        place: str = "device",
    ):
        self.window = window
        shape = (window, n_samples, n_dims)
        if place == "disk":
            self.ring = _zeros_on_disk(shape, dtype)
        else:
            home = device if place == "device" else "cpu"
            self.ring = torch.zeros(shape, dtype=dtype, device=home)
        self._device = device
        self._recorded = torch.zeros((window, n_samples), dtype=torch.bool, device=device)
        self._bases: list[torch.Tensor | None] = [None] * window
        self._epoch = -1

    @property
    def full(self) -> bool:
        """Whether at least `window` epochs have been begun."""
        return self._epoch + 1 >= self.window

    def begin_epoch(self, basis: torch.Tensor | None = None) -> None:
        """Open the slot of a new epoch; the oldest epoch of the ring is dropped.

        Parameters
        ----------
        basis : tensor of shape (n_dims, n_features), default=None
            When given, what is recorded in this epoch are coefficients of its rows: the gradients
            are ``values @ basis``.
        """
        self._epoch += 1
        slot = self._epoch % self.window
        self._recorded[slot] = False
        self._bases[slot] = None if basis is None else basis.detach().to(torch.float32, copy=True)

    def record(self, index: torch.Tensor, values: torch.Tensor) -> None:
        """Store the gradients of a mini-batch in the current epoch.

        Parameters
        ----------
        index : tensor of int64 of shape (batch_size,)
            Rows of the data set.
        values : tensor of shape (batch_size, n_dims)
            Their gradients, or coefficients of the epoch's basis.
        """
        slot = self._epoch % self.window
        if values.dtype != self.ring.dtype:
            limit = torch.finfo(self.ring.dtype).max
            values = values.clamp(-limit, limit).to(self.ring.dtype)
        home = self.ring.device
        self.ring[slot].index_copy_(0, index.to(home), values.to(home))
        self._recorded[slot].index_fill_(0, index, True)

    def scores(self) -> torch.Tensor:
        """Variance of Gradients of every sample.

        Returns
        -------
        tensor of float32 of shape (n_samples,)
            NaN for a sample without a gradient in each of the last `window` epochs.
        """
        n_samples, n_dims = self.ring.shape[1:]
        basis = self._bases[0]
        n_features = n_dims if basis is None else basis.shape[1]
        scores = torch.empty(n_samples, dtype=torch.float32, device=self._device)
        n_rows = max(1, (_CHUNK_ON_GPU if scores.is_cuda else _CHUNK_ON_CPU) // n_features)
        for start in range(0, n_samples, n_rows):
            rows = slice(start, start + n_rows)
            # Sums of the differences to the first epoch: no cancellation where gradients hardly
            # move, and exactly 0 where they do not.
            reference = self._gradients(0, rows)
            total = torch.zeros_like(reference)
            total_squares = torch.zeros_like(reference)
            for slot in range(1, self.window):
                difference = self._gradients(slot, rows).sub_(reference)
                total.add_(difference)
                total_squares.addcmul_(difference, difference)
            variance = total_squares.sub_(total.square_().div_(self.window)).div_(self.window)
            scores[rows] = variance.clamp_(min=0).sqrt_().mean(dim=1)
        return scores.masked_fill_(~self._recorded.all(dim=0), torch.nan)

    def _gradients(self, slot: int, rows: slice) -> torch.Tensor:
        values = self.ring[slot, rows].to(self._device, torch.float32, copy=True)
        basis = self._bases[slot]
        return values if basis is None else values @ basis
