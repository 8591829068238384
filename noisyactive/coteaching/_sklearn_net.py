"""skorch's classifier with scikit-learn's conventions: parameters, seeds, labels, files."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import StrOptions
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, LRScheduler
from skorch.history import History
from skorch.utils import to_numpy
from torch.utils.data import DataLoader

from .._arrays import naming
from .._loggers import copy_with_loggers
from .._params import check_params
from .._random import child_seed, draw_seed, isolated_rng
from .._rows import gathered
from .._typing import Samples
from ._callbacks import CosineSchedule, EpochTable, ProgressSteps
from ._default_modules import arguments_from_data, default_module
from ._html import html_of
from ._optimized import OptimizedPair
from ._pair import DataSpec, NetworkPair
from ._process_state import is_small, torch_settings
from ._processes import Processes, check_accelerator, check_device
from ._saved import loadable, options_of, read_spec

# `on_grad_computed` of callbacks that do nothing there.
_NO_OPS = (Callback.on_grad_computed, NeuralNetClassifier.on_grad_computed)

#: Parameters that go to skorch's ``NeuralNet`` as they are, with our defaults.
SKORCH_PARAMS: Mapping[str, Any] = MappingProxyType(
    {
        "callbacks": None,
        "compile": False,
        "criterion": torch.nn.CrossEntropyLoss,
        "device": "cpu",
        "iterator_train": DataLoader,
        "iterator_valid": DataLoader,
        "optimizer": torch.optim.SGD,
        "predict_nonlinearity": "auto",
        "torch_load_kwargs": None,
        "train_split": None,
        "use_caching": "auto",
        "verbose": 0,
        "warm_start": False,
    }
)


SKORCH_CONSTRAINTS: Mapping[str, list[Any]] = MappingProxyType(
    {
        "callbacks": [list, StrOptions({"disable"}), None],
        "compile": ["boolean"],
        "criterion": [callable],
        "device": [str, torch.device, None],
        "iterator_train": [callable],
        "iterator_valid": [callable],
        "optimizer": [callable],
        "predict_nonlinearity": [callable, StrOptions({"auto"}), None],
        "torch_load_kwargs": [Mapping, None],
        "train_split": [callable, None],
        "use_caching": ["boolean", StrOptions({"auto"})],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
    }
)


def _stored_as(name: str) -> property:
    """An attribute kept under a private name, since scikit-learn allows no other in __init__."""
    return property(
        lambda self: getattr(self, name), lambda self, value: setattr(self, name, value)
    )


class PairClassifier(OptimizedPair):
    """Base of the co-teaching classifiers: everything but the training step.

    Not for direct use. It checks parameters, builds and seeds the pair of networks, runs them,
    passes the user's labels to callbacks, and restores the pair from a file.
    """

    _parameter_constraints: dict[str, list[Any]] = {}

    history_ = _stored_as("_history")
    initialized_ = _stored_as("_initialized")
    virtual_params_ = _stored_as("_virtual_params")

    # --- parameters -------------------------------------------------------------------------

    def _get_param_names(self) -> list[str]:
        own = BaseEstimator._get_param_names.__func__(type(self))
        # Set through **kwargs, typos too: `initialize` of a clone has to find and refuse them.
        beside = self._params_to_validate & vars(self).keys()
        return sorted({*own, *SKORCH_PARAMS, *beside})

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, torch.nn.Module) and not name.endswith("_"):
            # skorch would register a torch module as a part of the model, which parameters are not.
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def set_params(self, **params: Any) -> "PairClassifier":
        """Set parameters, also nested ones such as ``module__hidden_features``.

        With another `device`, fitted networks move there.
        """
        moving = self.initialized_ and params.get("device") is not None
        if moving:
            check_device(params["device"])
        new_callbacks = "callbacks" in params
        if new_callbacks:  # skorch would initialize them even before the networks
            self.callbacks = params.pop("callbacks")
        new_optimizer = "optimizer" in params
        for name in list(params):
            if name == "optimizer" or name.startswith(("iterator_train", "iterator_valid")):
                setattr(self, name, params.pop(name))  # skorch refuses it once there are networks
                self._params_to_validate.add(name)
        super().set_params(**params)
        if new_callbacks and self.initialized_:
            self._initialize_callbacks()
        for name, value in params.items():  # skorch changes the built optimizer only
            if name.startswith("optimizer__"):
                setattr(self, name, value)
                self._params_to_validate.add(name)
        if new_optimizer and self.initialized_:
            self._initialize_optimizer()
        elif "lr" in params and self.initialized_:
            self._set_auto_lr()
        if moving:
            self._move()
        return self

    def _move(self) -> None:
        """Take networks, criterion and optimizer to the device that is set."""
        self.module_.to(self.device)
        self.criterion_.to(self.device)
        self.optimizer_.load_state_dict(self.optimizer_.state_dict())  # goes where the weights are
        self._scaler = self._new_scaler()

    def __sklearn_clone__(self) -> "PairClassifier":
        """Clone without fitted state; both share the loggers, which hold open files or runs.

        And the accelerator: there is one in a process.
        """
        bare = object.__new__(type(self))
        bare.__dict__.update(vars(self), callbacks=None, accelerator=None)
        twin = BaseEstimator.__sklearn_clone__(bare)
        twin.callbacks = copy_with_loggers(self.callbacks, self.callbacks)
        twin.accelerator = self.accelerator
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Without the accelerator, which belongs to the processes of one launch.

        skorch pickles networks apart, so that those of a GPU load where there is none. Networks of
        a notebook's class are pickled with the rest: joblib's processes get the class by its code.
        """
        if all(_is_importable(type(one)) for one in self._own_networks()):
            state = super().__getstate__()
        else:
            apart = tuple(self.cuda_dependent_attributes_)
            networks = {name: one for name, one in vars(self).items() if name.startswith(apart)}
            # A copy: Python's processes would share the memory of their weights.
            state = vars(self) | copy.deepcopy(networks)
        return {**state, "accelerator": None, "device": loadable(self.device)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "__cuda_dependent_attributes__" in state:
            super().__setstate__(state)
        else:
            self.__dict__.update(state)

    def _own_networks(self) -> Iterable[torch.nn.Module]:
        """All modules of the pair; none before it is built."""
        return self.module_.modules() if hasattr(self, "module_") else ()

    def _check_params(self) -> None:
        """Raise before anything starts if a parameter has a wrong type or value."""
        constraints = {**SKORCH_CONSTRAINTS, **self._parameter_constraints}
        check_params(self.get_params(deep=False), constraints, type(self).__name__)
        if isinstance(self.callbacks, list):
            for item in self.callbacks:
                callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
                kind = callback if isinstance(callback, type) else type(callback)
                if not (callback is None or issubclass(kind, Callback)):
                    raise TypeError(
                        "callbacks must be a list of skorch callbacks or of pairs (name, "
                        f"callback), got {item!r} in it."
                    )
        check_device(self.device)
        if self.accelerator is not None:
            check_accelerator(self)
        if isinstance(self.module, torch.nn.Module):
            raise TypeError(
                "module must be a class (or a function that returns a new network), got an "
                f"instance of {type(self.module).__name__}: two networks with different initial "
                "weights have to be built from it. Pass the class and its arguments as module__*."
            )

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        own_schedule = any(
            isinstance(part, LRScheduler) or part is LRScheduler
            for item in (self.callbacks if isinstance(self.callbacks, list) else [])
            for part in (item if isinstance(item, tuple) else (item,))
        )
        *others, _ = super()._default_callbacks
        schedule = [] if own_schedule else [("lr_schedule", CosineSchedule())]
        return [*others, *schedule, ("print_log", EpochTable()), ("progress", ProgressSteps())]

    # --- randomness -------------------------------------------------------------------------

    def _torch_settings(self) -> AbstractContextManager[None]:
        """One thread of torch for small networks, so that `n_jobs` does not change last bits."""
        n_dims = len(self.module_.spec.sample_shape)
        return torch_settings(is_small(self.module_, n_dims, self.device))

    # --- building ---------------------------------------------------------------------------

    def initialize(self) -> "PairClassifier":
        """Build the networks, the optimizer and the callbacks, and draw the seed of the run."""
        self._check_params()
        # One stream for all classifiers: with mix_ratio=0, VOG is plain Co-teaching to the bit.
        seed = draw_seed(self.random_state, "coteaching")
        self.seed_ = Processes(self.accelerator).from_main(seed)
        self._n_trainings = 0
        return super().initialize()

    def initialize_module(self) -> "PairClassifier":
        """Build both networks, with what follows from the data filled in."""
        spec = getattr(self, "_spec", None)
        arguments = self.get_params_for("module")
        module = self.module
        if module is None:
            if spec is None:
                raise ValueError(
                    "module=None chooses the networks from the data: call fit, or load_params of "
                    "a fitted classifier, before anything else; or pass module."
                )
            module = default_module(spec.input_shape)
        if spec is None:
            spec = DataSpec((), np.asarray([] if self.classes is None else self.classes))
        else:
            arguments = {**arguments_from_data(module, spec), **arguments}
        with isolated_rng(child_seed(self.seed_, 0), self.device):
            with naming("module"):
                self.module_ = NetworkPair(lambda: module(**arguments), spec)
        if self.channels_last:
            self.module_.to(memory_format=torch.channels_last)
        self._scaler = self._new_scaler()
        return self

    def torch_compile(self, module: Any, name: str) -> Any:
        """With ``compile=True``, compile each network, for training as well as for prediction."""
        if self.compile and isinstance(module, NetworkPair):
            for network in module.networks:
                network.compile(**self.get_params_for("compile"))
        return module

    def initialize_criterion(self) -> "PairClassifier":
        """Build the criterion with one loss per sample, and try it."""
        name = getattr(self.criterion, "__name__", type(self.criterion).__name__)
        wanted = (
            f"criterion must give one loss per sample from logits of shape (n_samples, n_classes) "
            f"when built with reduction='none', as torch.nn.CrossEntropyLoss does; {name}"
        )
        arguments = self.get_params_for("criterion")
        if arguments.setdefault("reduction", "none") != "none":
            raise ValueError(f"{wanted} was given reduction={arguments['reduction']!r}.")
        if isinstance(self.criterion, torch.nn.Module):
            raise TypeError(f"{wanted} is an instance; pass the class and criterion__* arguments.")
        if self.criterion is torch.nn.NLLLoss:
            raise ValueError(f"{wanted} expects log-probabilities.")
        try:
            criterion = self.criterion(**arguments)
            n_classes = max(2, len(self.module_.spec.classes))
            with isolated_rng(0):
                loss = criterion(torch.zeros(2, n_classes), torch.arange(2))
        # A warning of the shapes may be an error here; it is not ignored, for filters of warnings
        # belong to all threads.
        except (TypeError, RuntimeError, ValueError, IndexError, Warning) as error:
            raise ValueError(f"{wanted} does not: {error}") from error
        if loss.shape != (2,):
            raise ValueError(f"{wanted} gives losses of shape {tuple(loss.shape)} for 2 samples.")
        self.criterion_ = criterion
        return self

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Mean loss of averaged logits, as validation reports it."""
        return super().get_loss(y_pred, y_true, X=X, training=training).mean()

    def check_is_fitted(self, attributes: Any = None, *args: Any, **kwargs: Any) -> None:
        """Raise scikit-learn's NotFittedError if there are no networks."""
        if not self.initialized_:
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet: call fit first."
            )

    # --- running ----------------------------------------------------------------------------

    def infer(self, x: Any, **fit_params: Any) -> torch.Tensor:
        """Averaged logits of a batch, in single precision."""
        with self._precision():
            return self.module_(self._network_input(x["X"])).float()

    # --- callbacks ----------------------------------------------------------------------------

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Notify callbacks, with the user's labels; of gradients, one network at a time."""
        if method_name == "on_batch_end":
            X, codes = kwargs["batch"]
            kwargs["batch"] = (X, self.classes_[codes.cpu().numpy()])
        if method_name != "on_grad_computed":
            super().notify(method_name, **kwargs)
            return
        del kwargs["named_parameters"]
        listeners = [self, *(callback for _, callback in self.callbacks_)]
        if all(getattr(one.on_grad_computed, "__func__", None) in _NO_OPS for one in listeners):
            return  # going through all parameters costs more than small networks do
        for part in (*self.module_.networks, self.criterion_):
            parameters = list(part.named_parameters())
            if parameters:
                super().notify(method_name, named_parameters=parameters, **kwargs)

    # --- prediction ---------------------------------------------------------------------------

    def _get_predict_nonlinearity(self) -> Any:
        if self.predict_nonlinearity == "auto":
            return lambda logits: torch.softmax(logits, dim=-1)
        return super()._get_predict_nonlinearity()

    def forward_iter(self, X: Any, training: bool = False, device: str = "cpu") -> Iterator[Any]:
        """Yield averaged logits batch by batch, in the order of X also when `training`."""
        self.check_is_fitted()
        for batch in self.get_iterator(self.get_dataset(X), training=False):
            with self._torch_settings():
                logits = self.evaluation_step(batch, training=training)
            del batch  # so that the next one takes its place in memory
            yield logits.to(device)

    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Class probabilities: softmax of the average of both networks' logits.

        Parameters
        ----------
        X : array-like, tensor or Dataset of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        self.check_is_fitted()
        to_proba, dataset = self._get_predict_nonlinearity(), self.get_dataset(X)
        parts = (to_numpy(to_proba(logits)) for logits in self.forward_iter(dataset))
        proba = gathered(parts, len(dataset))
        if not np.isfinite(proba).all():
            row = int(np.argmin(np.isfinite(proba).all(axis=1)))
            raise FloatingPointError(
                f"The networks' output for X[{row}] is not finite: check that the values of X are "
                "of the size that the networks were trained on."
            )
        return proba

    def predict(self, X: Samples) -> NDArray[Any]:
        """Most probable class of each sample.

        Parameters
        ----------
        X : array-like, tensor or Dataset of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels as they were passed to `fit`.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    # --- notebooks ----------------------------------------------------------------------------

    def _repr_html_inner(self) -> str:
        """scikit-learn's diagram, and the two networks."""
        return super()._repr_html_inner() + html_of(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """scikit-learn's diagram, and the two networks."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += html_of(self)
        return bundle

    # --- files --------------------------------------------------------------------------------

    def save_params(self, *args: Any, **kwargs: Any) -> None:
        """Save the networks and what else is asked for; see skorch's ``NeuralNet``.

        Of the processes of an `accelerator`, all have to call this; the main one writes.
        """
        processes = Processes(self.accelerator)
        if processes.rank == 0:
            super().save_params(*args, **kwargs)
        processes.wait()

    def load_params(
        self,
        f_params: Any = None,
        f_optimizer: Any = None,
        f_criterion: Any = None,
        f_history: Any = None,
        checkpoint: Any = None,
        use_safetensors: bool = False,
        **kwargs: Any,
    ) -> None:
        """Load what `save_params` or a ``Checkpoint`` wrote; see skorch's ``NeuralNet``.

        Sizes and class labels are read from the file first, so a classifier that has never seen
        data can load it.
        """
        self.device = loadable(self.device)
        source = f_params
        if source is None and checkpoint is not None and not self.initialized_:
            if checkpoint.f_history is not None:  # names of files may depend on it
                self.history = History.from_file(checkpoint.f_history_)
            source = checkpoint.get_formatted_files(self).get("f_params")
        if source is not None:
            self._adopt_spec(read_spec(source, use_safetensors))
        optimizer = getattr(self, "optimizer_", None)
        before = None if optimizer is None else optimizer.state_dict()
        super().load_params(
            f_params, f_optimizer, f_criterion, f_history, checkpoint, use_safetensors, **kwargs
        )
        if optimizer is None or before is None:
            return
        if options_of(optimizer.state_dict()) != options_of(before):
            optimizer.load_state_dict(before)
            raise ValueError(
                f"f_optimizer holds the state of another optimizer than {type(optimizer).__name__}."
            )

    def _adopt_spec(self, spec: DataSpec) -> None:
        known = getattr(self, "_spec", None)
        same = (
            self.initialized_
            and known is not None
            and known.input_shape == spec.input_shape
            and len(known.classes) == len(spec.classes)
        )
        self._spec = spec
        if spec.sample_shape:
            self.n_features_in_ = spec.sample_shape[0]
        if not same:
            self.initialize()


def _is_importable(kind: type) -> bool:
    """Whether other processes find a class by its name."""
    return kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__
