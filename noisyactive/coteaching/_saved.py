"""What files of parameters say about the data they were trained on."""

from typing import Any

import torch

from ._pair import DataSpec, NetworkPair


def options_of(state: dict[str, Any]) -> list[set[str]]:
    """Names of an optimizer's options, apart from what schedules add."""
    return [set(group) - {"initial_lr"} for group in state["param_groups"]]


def loadable(device: Any) -> Any:
    """A device by a name that torch loads files to; "cpu:0", as accelerators say, is none."""
    return "cpu" if str(device) == "cpu:0" else device


def read_spec(source: Any, use_safetensors: bool) -> DataSpec:
    """Data spec from a file of parameters; a file-like object keeps its position."""
    start = source.tell() if hasattr(source, "tell") else None
    if not use_safetensors:
        state = torch.load(source, map_location="cpu", weights_only=True)
    elif start is None:
        from safetensors.torch import load_file

        state = load_file(source)
    else:
        from safetensors.torch import load

        state = load(source.read())
    if start is not None:
        source.seek(start)
    if NetworkPair.SPEC_KEY not in state:
        raise ValueError("f_params holds no parameters saved by a co-teaching classifier.")
    return DataSpec.from_tensor(state[NetworkPair.SPEC_KEY])
