"""Classification models of torchvision as something that builds networks."""

import difflib
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from torch import nn

from .._image_batches import IMAGENET_MEAN, IMAGENET_STD
from .._numbers import check_int
from ._surgery import replace_head, set_in_channels
from ._transform import EvalTransform
from ._weights import file_of_weights, load_body, read_state_dict, resolve_weights

_WITH_AUXILIARY_OUTPUTS = ("googlenet", "inception_v3")
_OF_FIXED_SIZE = ("vit_", "maxvit_")
_USUAL_SIZE = 224


@dataclass(frozen=True, repr=False)
class TorchvisionFactory:
    """Builds networks of one architecture; made by `torchvision_classifier`.

    It can be compared, copied and pickled. It holds no weights itself, only their name.

    Parameters
    ----------
    name : str
        Name of a classification model of torchvision.
    weights : str, Path or None
        Name among the weights of the model, file of weights, or None for random ones.
    image_size : int or None
        Side of the images that come out of `eval_transform`, in pixels; None keeps their own size.
    options : tuple of (str, object)
        What else torchvision's builder is called with, sorted by name.
    """

    name: str
    weights: str | Path | None
    image_size: int | None
    options: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        weights = str(self.weights) if isinstance(self.weights, Path) else self.weights
        named = [("weights", weights), ("image_size", self.image_size), *self.options]
        arguments = ", ".join(f"{key}={value!r}" for key, value in named)
        return f"torchvision_classifier({self.name!r}, {arguments})"

    def __call__(
        self, num_classes: int, in_channels: int = 3, image_size: int | None = None
    ) -> nn.Module:
        """Build a new network.

        Our classifiers call it, with all arguments read off the data unless they are set, as
        ``module__num_classes`` for instance.

        Parameters
        ----------
        num_classes : int
            Outputs of the head, which is always new.
        in_channels : int, default=3
            Channels of an image. With another number than the weights were trained on, every
            channel gets the sum over the old channels of the first convolution's filters, divided
            by `in_channels`; without weights the first convolution is drawn anew.
        image_size : int, default=None
            Side of the images in pixels, which only vision transformers have to know. None takes
            that of the factory, 224 where it has none.

        Returns
        -------
        nn.Module
            Maps float32 images (n, in_channels, height, width) to logits (n, num_classes), the
            output of one ``nn.Linear``, also in training. Random weights come from torch's global
            generator.

        Raises
        ------
        FileNotFoundError
            If the weights are not on this machine and cannot be downloaded. The message says which
            file to put where.
        ValueError, TypeError
            If an argument is not as described, or the file does not fit the network.
        """
        num_classes = check_int(num_classes, "num_classes", 1)
        in_channels = check_int(in_channels, "in_channels", 1)
        if image_size is not None:
            image_size = check_int(image_size, "image_size", 1)
        size = self._network_size(image_size)
        file = self.weights
        if isinstance(file, str):
            file = file_of_weights(self.name, file)
        state = None if file is None else read_state_dict(file)
        network = self._empty_network(num_classes, size)
        if state is not None:
            load_body(network, state, f"those of {file}")
        if in_channels != 3 and getattr(network, "transform_input", False):
            if state is not None:
                raise ValueError(
                    f"in_channels must be 3 for {self.name} with weights, which rescales red, "
                    f"green and blue itself, got {in_channels}: repeat the channel of grey images, "
                    "or pass transform_input=False."
                )
            cast(Any, network).transform_input = False
        set_in_channels(network, in_channels, keep_weights=state is not None)
        replace_head(network, num_classes)
        return network

    def _network_size(self, image_size: int | None) -> int | None:
        """Side of the images that a network is made for; None where it takes any."""
        if not self.name.startswith(_OF_FIXED_SIZE):
            return None
        if self.image_size is not None and image_size not in (None, self.image_size):
            raise ValueError(
                f"image_size of {self!r} is {self.image_size}, but images of {image_size} pixels "
                "came: pass its eval_transform to the classifier, or resize them yourself."
            )
        return self.image_size or image_size or _USUAL_SIZE

    def _empty_network(self, num_classes: int, size: int | None) -> nn.Module:
        """The architecture with random weights."""
        from torchvision.models import get_model

        arguments: dict[str, Any] = {}
        if self.name in _WITH_AUXILIARY_OUTPUTS:
            # Their weights were trained with inputs that the network rescales; random weights are
            # too, so that parameters saved by one network fit the next.
            arguments = {
                "aux_logits": False,
                "init_weights": self.weights is None,
                "transform_input": True,
            }
        elif self.name.startswith("vit_"):
            arguments = {"image_size": size}
        elif self.name.startswith("maxvit_"):
            arguments = {"input_size": (size, size)}
        arguments |= dict(self.options)
        try:
            return get_model(self.name, weights=None, num_classes=num_classes, **arguments)
        except AssertionError as error:  # how it says that sizes do not go together
            raise ValueError(f"{self.name} cannot be built with {arguments}: {error}") from error

    @property
    def eval_transform(self) -> EvalTransform:
        """What images go through before they are classified.

        Returns
        -------
        nn.Module
            Maps a whole batch (n, channels, height, width) of bytes (uint8), or of floats from 0 to
            1, to normalised float32 on the device of the batch; a ValueError for anything else. It
            can be pickled. With weights it resizes, crops the middle and normalises as these
            weights expect (weights from a file: as the model's default weights do); for another
            `image_size` than theirs, it resizes in proportion. With ``weights=None`` it normalises
            by ImageNet's means and deviations, and resizes to `image_size` only where there is one.
            Images that have not 3 channels are normalised by the averages of these.
        """
        from torchvision.models import get_model_weights
        from torchvision.transforms import InterpolationMode

        size = self.image_size
        if self.weights is None:
            bilinear = InterpolationMode.BILINEAR
            return EvalTransform(size, size, IMAGENET_MEAN, IMAGENET_STD, bilinear)
        preset = _preset(get_model_weights(self.name), self.weights)
        assert size is not None
        return EvalTransform(
            round(size * preset.resize_size[0] / preset.crop_size[0]),
            size,
            preset.mean,
            preset.std,
            preset.interpolation,
            preset.antialias,
        )


def _preset(known: Any, weights: str | Path) -> Any:
    """Preset transforms of the weights; of the default ones for a file."""
    return known["DEFAULT" if isinstance(weights, Path) else weights].transforms()


def torchvision_classifier(
    name: str,
    weights: str | os.PathLike[str] | Enum | None = "DEFAULT",
    *,
    image_size: int | None = None,
    **kwargs: Any,
) -> TorchvisionFactory:
    """Any classification model of torchvision as the `module` of a classifier.

    The head of the model is replaced by a new linear layer with one output per class, and its first
    convolution is adapted to the channels of the images. Networks with auxiliary outputs are built
    without them; SqueezeNet, which has no linear layer, gets one after its last pooling.

    Parameters
    ----------
    name : str
        One of ``torchvision.models.list_models(module=torchvision.models)`` [1]_.
    weights : str, path, torchvision weights or None, default="DEFAULT"
        "DEFAULT" are the best weights that torchvision has for the model; others go by name
        ("IMAGENET1K_V1") or by member (``ResNet18_Weights.IMAGENET1K_V1``). They are downloaded to
        torch.hub's folder, unless they are there, when the first network is built. The path of a
        ``state_dict`` (.pth, .pt, .safetensors) is read as torchvision's own files are; its head is
        not used. None starts from random weights.
    image_size : int, default=None
        Side of the images that come out of `eval_transform`, in pixels. None takes the size that
        the weights were made for; without weights, images keep their own size. A vision
        transformer (ViT, MaxViT) is built for images of this size, others take any.
    **kwargs : dict
        Passed on to torchvision's builder, ``dropout=0.5`` for instance.

    Returns
    -------
    factory : callable
        Called with ``num_classes`` and ``in_channels``, it returns a new network. It has the
        attributes ``name``, ``weights``, ``image_size`` and ``eval_transform``.

    Raises
    ------
    ValueError, TypeError
        If there is no such model, there are no such weights for it, or a size does not suit it.
    FileNotFoundError
        If `weights` is the path of a file that does not exist.

    Notes
    -----
    With pretrained weights the two networks of a co-teaching pair differ in their heads only, to
    begin with. Loading a saved classifier builds the networks first, so it needs the file of the
    weights too, unless its `module` says ``weights=None``.

    References
    ----------
    .. [1] torchvision, https://docs.pytorch.org/vision/stable/models.html#classification; the
       weights are published under licences of their own.

    Examples
    --------
    >>> import torch
    >>> from noisyactive.models import torchvision_classifier
    >>> factory = torchvision_classifier("squeezenet1_1", weights=None, image_size=32)
    >>> network = factory(num_classes=5, in_channels=1)
    >>> images = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    >>> tuple(network(factory.eval_transform(images)).shape)
    (4, 5)
    """
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if not isinstance(name, str):
        raise TypeError(f"name must be the name of a model of torchvision, got {name!r}.")
    if name not in known:
        close = difflib.get_close_matches(name.lower(), known)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
        raise ValueError(f"name must be a classification model of torchvision, got {name!r}{hint}")
    _check_options(name, kwargs)
    resolved = resolve_weights(name, weights)
    return TorchvisionFactory(
        name, resolved, _resolve_size(name, resolved, image_size), tuple(sorted(kwargs.items()))
    )


def _check_options(name: str, options: dict[str, Any]) -> None:
    """Raise for arguments of torchvision's builder that are not to be set here."""
    instead = {
        "num_classes": "it is read off the data, or set as module__num_classes",
        "in_channels": "it is read off the data, or set as module__in_channels",
        "pretrained": "choose weights",
        "progress": "it means nothing here",
        "input_size": "set image_size",
    }
    for option in options.keys() & instead.keys():
        raise TypeError(f"{option} is no parameter of torchvision_classifier: {instead[option]}.")
    if options.get("aux_logits"):
        raise ValueError(
            f"aux_logits must be False: {name} would return several outputs in training."
        )


def _resolve_size(name: str, weights: str | Path | None, image_size: int | None) -> int | None:
    """Side of the images that the networks are to be fed with; None where any will do."""
    from torchvision.models import get_model_weights

    expected = None
    if weights is not None:
        expected = int(_preset(get_model_weights(name), weights).crop_size[0])
    if image_size is None:
        return expected
    image_size = check_int(image_size, "image_size", 1)
    if name.startswith(_OF_FIXED_SIZE) and isinstance(weights, str) and image_size != expected:
        raise ValueError(
            f"image_size must be {expected}, the only size that {name} takes with weights "
            f"{weights!r}; got {image_size}."
        )
    return image_size
