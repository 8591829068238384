"""Small networks for data that came without one, and constructor arguments read off the data."""

import inspect
import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from ._pair import DataSpec

_N_CLASSES = ("num_classes", "n_classes", "num_outputs", "n_outputs", "out_features", "output_dim")
_N_FEATURES = ("in_features", "n_features", "num_features", "n_inputs", "input_dim", "input_size")
_N_CHANNELS = ("in_channels", "n_channels", "num_channels", "in_chans")

# Beyond these, a batch of sparse rows is not made dense.
_MANY_FEATURES = 2048


class Standardize(nn.Module):
    """Features less their mean, in units that make their spreads comparable.

    A column whose standard deviation is within a factor of `limit` of the median one keeps that
    proportion: leading principal components say more than the last ones do, and pixels at the edge
    less than those in the middle. Any other is brought to that factor; without that, a column in
    other units would drown the rest. A constant column becomes 0, exactly.

    Mean and variance are those of all rows trained on so far [1]_, and the same in training and in
    prediction. Batch normalisation has those of the batch in training, so that an outlier or a rare
    value in a small batch changes the rest of it; and in prediction moving averages that start at
    0, which, for a column with a large mean, are far off for hundreds of batches.

    Parameters
    ----------
    n_features : int
        Columns.
    limit : float, default=10
        Largest factor between the spread of a column and the median spread.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance:
       Analysis and Recommendations", The American Statistician, 1983,
       https://doi.org/10.1080/00031305.1983.10483115
    """

    count: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, n_features: int, limit: float = 10):
        super().__init__()
        self.limit = limit
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("variance", torch.ones(n_features))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Features of the shape of X; in training mode, X counts among the rows trained on."""
        if self.training:
            self.learn(X)
        return (X - self.mean) * self.factors()

    def factors(self) -> torch.Tensor:
        """What deviations from the mean are multiplied by, of shape (n_features,)."""
        spread = self.variance.sqrt()
        varies = spread > 0
        typical = spread.where(varies, torch.nan).nanmedian()
        kept = (spread / typical).clamp(1 / self.limit, self.limit)
        return torch.where(varies, kept / spread, 0)

    @torch.no_grad()
    def learn(self, X: torch.Tensor) -> None:
        """Count rows, dense or sparse, among those trained on."""
        # Deviations from a row, and not X, are summed up: they keep the digits that float32 has of
        # a small variation around a large mean, and are 0 in a constant column.
        first = X[0].to_dense() if X.is_sparse else X[0]
        self.mean.copy_(torch.where(self.count == 0, first, self.mean))
        self.count += len(X)
        share = len(X) / self.count
        if X.is_sparse:
            step, within = _moments_of_sparse(X, self.mean)
        else:
            deviation = X - self.mean
            step = deviation.mean(dim=0)
            # On a CPU, `var` of columns takes 5 to 15 times as long.
            within = deviation.sub_(step).square_().mean(dim=0)
        self.variance.lerp_(within, share).addcmul_(step.square(), share - share.square())
        self.mean.addcmul_(step, share)


def _moments_of_sparse(X: torch.Tensor, centre: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of the deviations from `centre`, and their variance, for every column."""
    columns, values = X.indices()[1], X.values()
    deviation = values - centre[columns]
    n_empty = len(X) - torch.bincount(columns, minlength=len(centre)).to(values.dtype)
    step = (-centre * n_empty).index_add_(0, columns, deviation) / len(X)
    # A second pass, as in the dense case: the mean square less the squared mean loses digits.
    squares = (centre + step).square() * n_empty
    squares.index_add_(0, columns, (deviation - step[columns]).square())
    return step, squares / len(X)


class WideLinear(nn.Module):
    """Linear layer without bias for many columns, which suits sparse rows.

    Columns beyond `max_features` share weights: feature hashing [1]_. Each weight then serves
    equally many columns, which are drawn from torch's global generator, with random signs. Memory
    and time no longer grow with the columns, and a network of a pair mixes up other columns than
    its peer.

    Parameters
    ----------
    in_features : int
        Columns.
    out_features : int
        Outputs.
    max_features : int
        Columns that have weights of their own.

    References
    ----------
    .. [1] K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg, "Feature Hashing for
       Large Scale Multitask Learning", ICML 2009, https://doi.org/10.1145/1553374.1553516
    """

    place: torch.Tensor | None
    sign: torch.Tensor | None

    def __init__(self, in_features: int, out_features: int, max_features: int):
        super().__init__()
        n_places = min(in_features, max_features)
        # Of this shape, and not that of nn.Linear, the weights of a column lie side by side.
        self.weight = nn.Parameter(torch.empty(n_places, out_features))
        nn.init.uniform_(self.weight, -(n_places**-0.5), n_places**-0.5)  # as nn.Linear does
        hashed = in_features > max_features
        self.register_buffer("place", torch.randperm(in_features) % n_places if hashed else None)
        self.register_buffer("sign", torch.randint(2, (in_features,)) * 2.0 - 1 if hashed else None)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Outputs of shape (n_samples, out_features) for dense rows."""
        if self.place is not None and self.sign is not None:
            X = X.new_zeros(len(X), len(self.weight)).index_add(1, self.place, X * self.sign)
        return X @ self.weight

    def of_entries(
        self, starts: torch.Tensor, columns: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Outputs for sparse rows.

        Parameters
        ----------
        starts : tensor of int64 of shape (n_samples,)
            Where the entries of each row start.
        columns : tensor of int64 of shape (n_entries,)
            Column of each entry.
        values : tensor of float32 of shape (n_entries,)
            The entries.

        Returns
        -------
        tensor of shape (n_samples, out_features)
            Outputs.
        """
        if self.place is not None and self.sign is not None:
            columns, values = self.place[columns], values * self.sign[columns]
        return functional.embedding_bag(
            columns, self.weight, starts, mode="sum", per_sample_weights=values
        )


class SmallMLP(nn.Module):
    """Multi-layer perceptron for rows of features, whose columns `Standardize` makes comparable.

    Rows may be a sparse tensor: it is not made dense, and the result is the same.

    Parameters
    ----------
    in_features : int
        Columns.
    num_classes : int
        Classes.
    hidden_features : int, default=128
        Width of both hidden layers.
    dropout : float, default=0
        Share of the last features that dropout leaves out, as `bald_sampling` needs it.
    max_features : int, default=16384
        Columns that have weights of their own in the first layer; more share them, see
        `WideLinear`. On 8,000 texts with 221,180 words and pairs of words, macro F1 was 0.63 with
        16,384 and 0.56 with 4,096, in 0.4 of the time.
    """

    #: Batches may be sparse tensors.
    takes_sparse = True

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden_features: int = 128,
        dropout: float = 0,
        max_features: int = 16384,
    ):
        super().__init__()
        wide = in_features > min(_MANY_FEATURES, max_features)
        self.body = nn.Sequential(
            Standardize(in_features),
            WideLinear(in_features, hidden_features, max_features)
            if wide
            else nn.Linear(in_features, hidden_features, bias=False),
            nn.BatchNorm1d(hidden_features),
            nn.ReLU(),
            nn.Linear(hidden_features, hidden_features, bias=False),
            nn.BatchNorm1d(hidden_features),
            nn.ReLU(),
            *([nn.Dropout(dropout)] if dropout else []),
        )
        self.head = nn.Linear(hidden_features, num_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n_samples, num_classes)."""
        if X.is_sparse and not isinstance(self.body[1], WideLinear):
            X = X.to_dense()
        if X.is_sparse:
            return self.head(self.body[2:](self._first_layer(X)))
        return self.head(self.body(X))

    def _first_layer(self, X: torch.Tensor) -> torch.Tensor:
        """What the first two layers make of sparse rows.

        The sum over deviations from the mean is that over entries less that over the mean.
        """
        standardize, linear = cast(Standardize, self.body[0]), cast(WideLinear, self.body[1])
        if self.training:
            standardize.learn(X)
        (rows, columns), factors = X.indices(), standardize.factors()
        starts = torch.searchsorted(rows, torch.arange(len(X), device=X.device))
        sums = linear.of_entries(starts, columns, X.values() * factors[columns])
        return sums - linear((standardize.mean * factors)[None])


class SmallConvNet(nn.Module):
    """Convolutional network sized to the image: the larger the image, the more stages.

    Every stage halves the image and is twice as wide as the one before, up to 256 channels, until
    about 4 x 4 positions are left, which are averaged.

    Parameters
    ----------
    in_channels : int
        Channels of an image.
    num_classes : int
        Classes.
    image_size : int
        Shorter side of an image, in pixels.
    base_channels : int, default=32
        Channels of the first stage.
    dropout : float, default=0
        Share of the last features that dropout leaves out, as `bald_sampling` needs it.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int,
        base_channels: int = 32,
        dropout: float = 0,
    ):
        super().__init__()
        n_stages = min(6, max(1, round(math.log2(max(image_size, 1) / 4)))) + 1
        layers: list[nn.Module] = [nn.BatchNorm2d(in_channels, affine=False)]
        width_in = in_channels
        for stage in range(n_stages):
            width = min(256, base_channels * 2**stage)
            layers += [
                nn.Conv2d(width_in, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            if stage < n_stages - 1:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            width_in = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width_in, num_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n_samples, num_classes)."""
        return self.head(self.body(X))


def default_module(input_shape: tuple[int, ...]) -> type[nn.Module]:
    """Network class for data of this shape: a small MLP for rows, a small CNN for images.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, ``(n_features,)`` or ``(channels, height, width)``.

    Returns
    -------
    type
        `SmallMLP` or `SmallConvNet`.

    Raises
    ------
    ValueError
        For any other shape, and for images whose channels come last.
    """
    if len(input_shape) == 1:
        return SmallMLP
    if len(input_shape) == 2:
        raise ValueError(
            f"module=None offers networks for X of 2 or 4 dimensions, got samples of shape "
            f"{input_shape}; if these are grey images, give them a channel: X[:, None]."
        )
    if len(input_shape) != 3:
        raise ValueError(
            f"module=None offers networks for X of 2 or 4 dimensions, got samples of shape "
            f"{input_shape}; pass module."
        )
    channels, height, width = input_shape
    if channels > 4 and width <= 4 < height:
        raise ValueError(
            f"X must be of shape (n_samples, channels, height, width), got samples of shape "
            f"{input_shape}, which look channels-last; pass X.transpose(0, 3, 1, 2), or a module "
            "of your own."
        )
    return SmallConvNet


def arguments_from_data(module: Callable[..., nn.Module], spec: DataSpec) -> dict[str, Any]:
    """Constructor arguments of a network that follow from the data.

    Parameters
    ----------
    module : type or callable
        Network class or factory.
    spec : DataSpec
        The data.

    Returns
    -------
    dict
        Those of the usual names for the number of classes, features, channels and for the image
        size that `module` has as explicit parameters.
    """
    known: dict[str, int] = dict.fromkeys(_N_CLASSES, len(spec.classes))
    if len(spec.input_shape) == 1:
        known |= dict.fromkeys(_N_FEATURES, spec.input_shape[0])
    elif len(spec.input_shape) == 3:
        known |= dict.fromkeys(_N_CHANNELS, spec.input_shape[0])
        known["image_size"] = min(spec.input_shape[1:])
    try:
        parameters = inspect.signature(module).parameters
    except ValueError:  # built-in types have none that could be read
        return {}
    return {name: value for name, value in known.items() if name in parameters}
