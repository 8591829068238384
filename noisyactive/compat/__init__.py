"""Bridges to other active-learning libraries: modAL and scikit-activeml."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._skactiveml import as_skactiveml, from_skactiveml

if TYPE_CHECKING:
    from ._modal import ActiveLearner
    from ._modal_committee import Committee

__all__ = ["ActiveLearner", "Committee", "as_skactiveml", "from_skactiveml"]


def __getattr__(name: str) -> Any:
    # modAL is imported when one of its classes is asked for, so that nothing else depends on it.
    modules = {"ActiveLearner": "._modal", "Committee": "._modal_committee"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(modules[name], __name__), name)
    except (AttributeError, ImportError) as error:
        raise ImportError(
            f"noisyactive.compat.{name} is a subclass of modAL's; it needs "
            f'pip install "modAL-python>=0.4.1,<0.4.2" ({error}).'
        ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
