"""Features of a frozen network, as a transformer of scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array as check_numbers
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from .. import _typing
from .._arrays import described, naming
from .._params import CheckedParams
from .._progress import progress, report
from ._backbones import Backbone, build_backbone
from ._feature_cache import FeatureCache, describe_transform
from ._samples_in_batches import Batch, Samples, first_of, read_samples


class FrozenFeatures(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, CheckedParams, BaseEstimator
):
    """Features that a pretrained network computes, for any classifier that comes after it.

    The network is not trained. In a pipeline inside `ActiveLabelCleaner` or `find_label_issues`,
    features are computed once and not once a fold and a round: so it is for every leading step of a
    pipeline that need not be fitted (scikit-learn's tag ``requires_fit=False``).

    Parameters
    ----------
    backbone : str, path, torch.nn.Module or callable
        What computes the features:

        - the name of a classification model of torchvision [1]_, as "resnet50": the input of its
          last linear layer;
        - the name of a model of timm [2]_, "timm/NAME", or NAME where torchvision has none of that
          name, or "hf-hub:OWNER/NAME" (the extra ``timm``): what it returns with
          ``num_classes=0``;
        - the folder of a text encoder, or "OWNER/NAME" of one that Hugging Face has, as
          sentence-transformers [3]_ reads them (the extra ``text``); a folder of a plain
          transformer is averaged over the tokens. A ``SentenceTransformer`` may be passed, too;
        - any nn.Module that returns one row of numbers for each sample (or has them as the
          ``pooler_output`` of what it returns), or a callable without arguments that returns
          such a module. A module that is passed is copied, and stays as it is.
    weights : str, path or torchvision weights, default=None
        None takes the backbone's own: the default pretrained weights of a name, which are
        downloaded unless they are on this machine, or those that an nn.Module has. Otherwise a name
        among torchvision's weights of the model, the path or ``file://`` URL of a ``state_dict``
        (.pth, .pt, .safetensors), or, for names, "random", always the same ones (torchvision's
        networks then take images in their own size).
    eval_transform : callable, default=None
        Maps a batch of samples, a tensor (n, ...) on `device`, to what the network takes. Images
        that differ in size go through it one by one, and have to be of one size afterwards. None
        resizes, crops and normalises images as the weights of a name expect; samples of an
        nn.Module become float32 and are left as they are.
    batch_size : int, default=32
        Samples that are computed at a time.
    device : str or torch.device, default="cpu"
        Where to compute, as "cuda".
    autocast : {"bfloat16", "float16"}, default=None
        Mixed precision, as in ``torch.autocast``. None computes in the precision of the weights.
    cache : path, default=None
        Folder in which features are kept, one file of type safetensors for each batch. They are
        found again by what the batch holds, the weights and the repr of the network, the transform
        and `autocast`, whatever the `device`; from there they come to the same bits. None keeps
        none.
    column : str, default=None
        The column that holds the samples, of a DataFrame or a Dataset of Hugging Face. None takes
        the only one that can be meant.
    num_workers : int, default=0
        Processes that read images ahead, as in torch's ``DataLoader``.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        Size of the second axis of X, where X is an array.
    feature_names_in_ : ndarray of str
        Names of the columns, where X is a DataFrame of numbers.

    See Also
    --------
    torchvision_classifier : The same networks, to be trained.

    Notes
    -----
    Features of a sample may differ in their last bits between batches of other samples or sizes,
    between devices, and between versions of torch, as a network's outputs always do. The cache
    keeps whole batches, so that the same X with the same `batch_size` gives the same bits with and
    without it; of samples that come in other batches, it knows nothing. What a module's own code
    computes is not looked at: choose another folder after changing it.

    References
    ----------
    .. [1] torchvision, https://docs.pytorch.org/vision/stable/models.html#classification
    .. [2] R. Wightman, "PyTorch Image Models", 2019, https://doi.org/10.5281/zenodo.4414861
    .. [3] N. Reimers, I. Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese
       BERT-Networks", EMNLP 2019, https://doi.org/10.18653/v1/D19-1410

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from noisyactive.models import FrozenFeatures
    >>> images = np.random.RandomState(0).randint(256, size=(8, 3, 32, 32), dtype=np.uint8)
    >>> features = FrozenFeatures("squeezenet1_1", weights="random")  # pretrained ones are better
    >>> features.fit_transform(images).shape
    (8, 512)
    >>> model = make_pipeline(features, StandardScaler(), LogisticRegression())
    >>> model.fit(images, [0, 1] * 4).predict(images).shape
    (8,)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "backbone": [str, os.PathLike, torch.nn.Module, callable],
        "weights": "no_validation",  # type: ignore[dict-item]
        "eval_transform": [callable, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "autocast": [StrOptions({"bfloat16", "float16"}), None],
        "cache": [str, os.PathLike, None],
        "column": "no_validation",  # type: ignore[dict-item]
        "num_workers": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        backbone: str | os.PathLike[str] | torch.nn.Module | Callable[[], torch.nn.Module],
        *,
        weights: str | os.PathLike[str] | Enum | None = None,
        eval_transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
        batch_size: int = 32,
        device: str | torch.device = "cpu",
        autocast: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        column: str | None = None,
        num_workers: int = 0,
        verbose: int = 0,
    ):
        self.backbone = backbone
        self.weights = weights
        self.eval_transform = eval_transform
        self.batch_size = batch_size
        self.device = device
        self.autocast = autocast
        self.cache = cache
        self.column = column
        self.num_workers = num_workers
        self.verbose = verbose

    def fit(self, X: _typing.Samples, y: _typing.Labels | None = None) -> FrozenFeatures:
        """Check the parameters and X, and compute the features of the first sample; learn nothing.

        Parameters
        ----------
        X : object of length n_samples
            As for `transform`.
        y : object, default=None
            Ignored.

        Returns
        -------
        self
            The transformer.

        Raises
        ------
        ValueError, TypeError
            If a parameter or X is not as described.
        FileNotFoundError
            If weights are not on this machine and cannot be downloaded. The message says which
            file to put where.
        """
        backbone = self._backbone()
        self._n_features_out = self._compute(backbone, first_of(self._read(X, reset=True))).shape[1]
        return self

    def fit_transform(
        self, X: _typing.Samples, y: _typing.Labels | None = None
    ) -> NDArray[np.float32]:
        """The same as `fit` and `transform`, with one pass less.

        Parameters
        ----------
        X : object of length n_samples
            As for `transform`.
        y : object, default=None
            Ignored.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_features)
            The features.
        """
        features = self._features(X, reset=True)
        self._n_features_out = features.shape[1]
        return features

    def transform(self, X: _typing.Samples) -> NDArray[np.float32]:
        """Compute features; `fit` need not be called before.

        Parameters
        ----------
        X : object of length n_samples
            Images: an array or tensor (n_samples, channels, height, width) of bytes or of floats
            from 0 to 1, a sequence of paths, PIL images or arrays, an `ImageTable` or any other
            torch Dataset (items ``x`` or ``(x, ...)``), or a Dataset of Hugging Face with a column
            of images. Texts, for a text encoder: a sequence of str, a Series, or a DataFrame or
            Dataset of Hugging Face with a column of texts. For an nn.Module, arrays of any shape.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_features)
            The features; a DataFrame after ``set_output(transform="pandas")``.

        Raises
        ------
        ValueError, TypeError
            If X is nothing that the backbone takes, or features are not finite.
        OSError
            If an image cannot be read.
        """
        return self._features(X, reset=False)

    def _features(self, X: Any, *, reset: bool) -> NDArray[np.float32]:
        backbone = self._backbone()
        samples = self._read(X, reset=reset)
        cache = self._open_cache(backbone)
        n_batches = -(-samples.n_samples // self.batch_size)
        found: NDArray[np.float32] | None = None
        done = 0
        with progress("Computing features", n_batches, verbose=self.verbose):
            for batch in samples.batches(self.batch_size, self.num_workers):
                part = self._of_batch(backbone, batch, cache)
                if found is None:
                    found = np.empty((samples.n_samples, part.shape[1]), dtype=np.float32)
                found[done : done + len(part)] = part
                done += len(part)
                report(samples=done)
        assert found is not None  # there is at least one sample
        return found

    def _of_batch(
        self, backbone: Backbone, batch: Batch, cache: FeatureCache | None
    ) -> NDArray[np.float32]:
        if cache is None:
            return self._compute(backbone, batch)
        return cache.get(batch, lambda batch: self._compute(backbone, batch))

    def _compute(self, backbone: Backbone, batch: Batch) -> NDArray[np.float32]:
        """Features of a batch."""
        with torch.inference_mode(), self._precision():
            if backbone.reads == "texts":
                encode: Any = backbone.network.encode
                found = encode(
                    batch, batch_size=len(batch), show_progress_bar=False, convert_to_tensor=True
                )
            else:
                with naming("X" if self.eval_transform is None else "eval_transform"):
                    prepared = self._prepared(backbone, batch)
                found = backbone.network(prepared)
        if not isinstance(found, torch.Tensor):
            found = getattr(found, "pooler_output", None)
        if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != len(batch):
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else "no tensor"
            raise ValueError(
                f"backbone must return a tensor of shape (n_samples, n_features), got {shape} for "
                f"{len(batch)} samples: put layers behind it, as nn.Flatten."
            )
        features: NDArray[np.float32] = found.float().cpu().numpy()
        if not np.isfinite(features).all():
            raise ValueError(
                "backbone returned NaN or infinity"
                + ("." if self.autocast is None else f': try autocast=None, not "{self.autocast}".')
            )
        return features

    def _prepared(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """A batch as the network takes it."""
        transform = self.eval_transform or backbone.transform
        if not isinstance(batch, torch.Tensor):  # images of several sizes
            if transform is None:
                raise ValueError("X holds images of several sizes: pass eval_transform.")
            images = [image for image in batch if isinstance(image, torch.Tensor)]
            return torch.cat([self._changed(transform, image[None]) for image in images])
        if transform is not None:
            return self._changed(transform, batch)
        batch = _to(batch, self.device)
        if batch.dtype == torch.uint8 and batch.ndim == 4:
            raise ValueError(
                "X holds bytes of images, and nothing says how this backbone takes them: pass "
                "eval_transform, noisyactive.datasets.paper_transforms()[1] for instance."
            )
        return batch if batch.is_floating_point() else batch.float()

    def _changed(self, transform: Any, batch: torch.Tensor) -> torch.Tensor:
        changed = transform(_to(batch, self.device))
        if not isinstance(changed, torch.Tensor):
            raise TypeError(f"eval_transform must return a tensor, got {described(changed)}.")
        return changed

    def _precision(self) -> AbstractContextManager[Any]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=getattr(torch, self.autocast))

    def _backbone(self) -> Backbone:
        """The network, built when it is needed first."""
        self._validate_params()
        if self.column is not None and not isinstance(self.column, str):
            raise TypeError(f"column must be the name of a column or None, got {self.column!r}.")
        try:
            device = torch.device(self.device)
            torch.empty(0, device=device)  # raises now where there is no such device
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device: {error}") from error
        wanted = (self.backbone, self.weights, str(device))
        built = vars(self).get("_built")
        if built is None or not _same(built[0], wanted):
            built = self._built = wanted, build_backbone(self.backbone, self.weights, device)
        backbone: Backbone = built[1]
        return backbone

    def _read(self, X: Any, *, reset: bool) -> Samples:
        def check_array(X: Any) -> NDArray[Any]:
            if reset or hasattr(self, "n_features_in_"):
                return validate_data(self, X, reset=reset, dtype="numeric", allow_nd=True)
            return check_numbers(X, dtype="numeric", allow_nd=True, input_name="X")

        backbone = self._backbone()
        return read_samples(X, backbone.reads, self.column, check_array)

    def _open_cache(self, backbone: Backbone) -> FeatureCache | None:
        if self.cache is None:
            return None
        transform = self.eval_transform or backbone.transform
        parts = (backbone.digest, describe_transform(transform), str(self.autocast))
        return FeatureCache(self.cache, *parts)

    def __getstate__(self) -> dict[str, Any]:
        """Without the network, which is built again."""
        state = dict(super().__getstate__())
        state.pop("_built", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _to(tensor: torch.Tensor, device: Any) -> torch.Tensor:
    """A tensor on a device, in single precision where it holds fractions."""
    if tensor.is_floating_point() and tensor.dtype != torch.float32:
        return tensor.to(device, torch.float32)
    return tensor.to(device)


def _same(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    """Whether parameters are what a network was built from; a module is compared by identity."""
    return all(
        a is b or (isinstance(a, (str, os.PathLike)) and a == b)
        for a, b in zip(before, now, strict=True)
    )
