"""skorch's classifier as a scikit-learn citizen: checked data, labels of any kind, seeds."""

import math
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, LRScheduler
from skorch.dataset import unpack_data
from torch.optim.lr_scheduler import CosineAnnealingLR

from .._loggers import copy_with_loggers
from .._random import child_seed, draw_seed, isolated_rng
from ._display import Steps, Table, html_of
from ._inputs import CheckedInputs
from ._networks import arguments_from_data, default_module
from ._pair import DataFacts, NetworkPair

# `on_grad_computed` of those who do nothing there.
_DEAF = (Callback.on_grad_computed, NeuralNetClassifier.on_grad_computed)


def _stored_as(name: str) -> property:
    """An attribute kept under a private name, since scikit-learn allows no other in __init__."""
    return property(
        lambda self: getattr(self, name), lambda self, value: setattr(self, name, value)
    )


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
        """Leave the optimizer with the learning rate it came with."""
        if not hasattr(self, "schedule_"):
            return
        for group in net.optimizer_.param_groups:
            group["lr"] = group.pop("initial_lr")
        del self.schedule_


class PairClassifier(CheckedInputs):
    """Base of the co-teaching classifiers: everything but the training step.

    Not for direct use. It seeds what it does, builds the pair of networks, runs them, speaks to
    callbacks in the user's labels, and restores the pair from a file.
    """

    _parameter_constraints: dict[str, list[Any]] = {}
    _scaler: torch.amp.GradScaler
    verbose: int

    history_ = _stored_as("_history")
    initialized_ = _stored_as("_initialized")
    virtual_params_ = _stored_as("_virtual_params")

    # --- parameters -------------------------------------------------------------------------

    def _get_param_names(self) -> list[str]:
        own = BaseEstimator._get_param_names.__func__(type(self))
        # What was set beside the signature, typos too: `initialize` is to find them in a clone.
        return sorted({*own, *(self._params_to_validate & vars(self).keys())})

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("train_transform", "eval_transform"):
            # Often a torch module, but no part of the model, as skorch would take it for.
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def set_params(self, **params: Any) -> "PairClassifier":
        """Set parameters, also nested ones such as ``module__hidden_features``."""
        new_callbacks = "callbacks" in params
        if new_callbacks:  # skorch would initialize them even before there is a net
            self.callbacks = params.pop("callbacks")
        super().set_params(**params)
        if new_callbacks and self.initialized_:
            self._initialize_callbacks()
        for name, value in params.items():  # skorch tells a built optimizer, and forgets
            if name.startswith("optimizer__"):
                setattr(self, name, value)
                self._params_to_validate.add(name)
        return self

    def __sklearn_clone__(self) -> "PairClassifier":
        """Clone without memory; loggers go on writing where they write."""
        bare = object.__new__(type(self))
        bare.__dict__.update(vars(self), callbacks=None)
        twin = BaseEstimator.__sklearn_clone__(bare)
        twin.callbacks = copy_with_loggers(self.callbacks, self.callbacks)
        return twin

    def _check_params(self) -> None:
        """Raise before anything starts if a parameter has a wrong type or value."""
        validate_parameter_constraints(
            self._parameter_constraints, self.get_params(deep=False), type(self).__name__
        )
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
        return [*others, *schedule, ("print_log", Table()), ("progress", Steps())]

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple[Any, Any]:
        """Arguments of the optimizer; SGD has momentum 0.9 and weight decay 1e-4 if not set."""
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        if self.optimizer is torch.optim.SGD:
            kwargs = {"momentum": 0.9, "weight_decay": 1e-4, **kwargs}
        return args, kwargs

    # --- randomness -------------------------------------------------------------------------

    def _rng(self, part: int) -> AbstractContextManager[None]:
        return isolated_rng(child_seed(self.seed_, part), self.device)

    # --- building ---------------------------------------------------------------------------

    def initialize(self) -> "PairClassifier":
        """Build the networks, the optimizer and the callbacks, and draw the seed of the run."""
        self._check_params()
        # One stream for all classifiers: with mix_ratio=0, VOG is plain Co-teaching to the bit.
        self.seed_ = draw_seed(self.random_state, "coteaching")
        self._n_trainings = 0
        return super().initialize()

    def initialize_module(self) -> "PairClassifier":
        """Build both networks, with what follows from the data filled in."""
        facts = getattr(self, "_facts", None)
        arguments = self.get_params_for("module")
        module = self.module
        if module is None:
            if facts is None:
                raise ValueError(
                    "module=None chooses the networks from the data: call fit, or load_params of "
                    "a fitted classifier, before anything else; or pass module."
                )
            module = default_module(facts.input_shape)
        if facts is None:
            facts = DataFacts((), np.asarray([] if self.classes is None else self.classes))
        else:
            arguments = {**arguments_from_data(module, facts), **arguments}
        with self._rng(0):
            self.module_ = NetworkPair(lambda: module(**arguments), facts)
        if self.channels_last:
            self.module_.to(memory_format=torch.channels_last)
        half = self.autocast == "float16"
        self._scaler = torch.amp.GradScaler(self._device_type, enabled=half)
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
            n_classes = max(2, len(self.module_.facts.classes))
            with warnings.catch_warnings():  # about the very shapes that are tried out
                warnings.simplefilter("ignore")
                loss = criterion(torch.zeros(2, n_classes), torch.arange(2))
        except (TypeError, RuntimeError, ValueError, IndexError) as error:
            raise ValueError(f"{wanted} does not: {error}") from error
        if loss.shape != (2,):
            raise ValueError(f"{wanted} gives losses of shape {tuple(loss.shape)} for 2 samples.")
        self.criterion_ = criterion
        return self

    def _initialize_optimizer(self, reason: Any = None) -> "PairClassifier":
        """As skorch does, which would announce each beginning beside the progress bar."""
        verbose: int = self.verbose
        self.verbose = verbose if verbose > 1 else 0
        try:
            return super()._initialize_optimizer(reason)
        finally:
            self.verbose = verbose

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Mean loss of averaged logits, as validation reports it."""
        return super().get_loss(y_pred, y_true, X=X, training=training).mean()

    def _end_schedule(self) -> None:
        """Put the learning rate back, also after a training that broke off."""
        for _, callback in self.callbacks_:
            if isinstance(callback, CosineSchedule):
                callback.on_train_end(self)

    # --- running ----------------------------------------------------------------------------

    @property
    def _device_type(self) -> str:
        return torch.device("cpu" if self.device is None else self.device).type

    def _precision(self) -> AbstractContextManager[Any]:
        """Mixed precision, where `autocast` asks for it."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self._device_type, dtype=getattr(torch, self.autocast))

    def infer(self, x: Any, **fit_params: Any) -> torch.Tensor:
        """Averaged logits of a batch, in single precision."""
        with self._precision():
            return self.module_(self._network_input(x["X"])).float()

    def _step_optimizer(self, step_fn: Any) -> None:
        if not self._scaler.is_enabled():
            super()._step_optimizer(step_fn)
            return
        step_fn()
        self._scaler.step(self.optimizer_)
        self._scaler.update()

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Go through the batches once; on a GPU, losses are fetched when all is done.

        There, the history's losses of batches are tensors while the epoch lasts.
        """
        if iterator is None:
            return
        self._set_training(training)
        n_batches = 0
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].detach()
            self.history.record_batch(f"{prefix}_loss", loss if loss.is_cuda else loss.item())
            self.history.record_batch(f"{prefix}_batch_size", len(unpack_data(batch)[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            n_batches += 1
        self.history.record(f"{prefix}_batch_count", n_batches)
        rows = self.history[-1]["batches"][-n_batches:] if n_batches else []
        losses = [row[f"{prefix}_loss"] for row in rows]
        if rows and isinstance(losses[0], torch.Tensor):
            losses = torch.stack(losses).tolist()
            for row, number in zip(rows, losses, strict=True):
                row[f"{prefix}_loss"] = number
        if training and not math.isfinite(sum(losses)):
            raise FloatingPointError(
                f"The loss stopped being finite in epoch {len(self.history)}: lower lr, and check "
                "that the samples of X are finite and of moderate size."
            )

    # --- the boundary to callbacks ------------------------------------------------------------

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Tell callbacks, in the user's labels, and gradients one network at a time."""
        if method_name == "on_batch_end":
            X, codes = kwargs["batch"]
            kwargs["batch"] = (X, self.classes_[codes.cpu().numpy()])
        if method_name != "on_grad_computed":
            super().notify(method_name, **kwargs)
            return
        del kwargs["named_parameters"]
        listeners = [self, *(callback for _, callback in self.callbacks_)]
        if all(getattr(one.on_grad_computed, "__func__", None) in _DEAF for one in listeners):
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
            yield self.evaluation_step(batch, training=training).to(device)

    def predict_proba(self, X: Any) -> NDArray[Any]:
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
        return super().predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:
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
        source = f_params
        if source is None and checkpoint is not None and not self.initialized_:
            source = checkpoint.get_formatted_files(self).get("f_params")
        if source is not None:
            self._adopt_facts(_read_facts(source, use_safetensors))
        super().load_params(
            f_params, f_optimizer, f_criterion, f_history, checkpoint, use_safetensors, **kwargs
        )

    def _adopt_facts(self, facts: DataFacts) -> None:
        known = getattr(self, "_facts", None)
        same = (
            self.initialized_
            and known is not None
            and known.input_shape == facts.input_shape
            and len(known.classes) == len(facts.classes)
        )
        self._facts = facts
        if facts.sample_shape:
            self.n_features_in_ = facts.sample_shape[0]
        if not same:
            self.initialize()


def _read_facts(source: Any, use_safetensors: bool) -> DataFacts:
    """Data facts from a file (or file-like object) of parameters, which is left as found."""
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
    if NetworkPair.FACTS_KEY not in state:
        raise ValueError("f_params holds no parameters saved by a co-teaching classifier.")
    return DataFacts.from_tensor(state[NetworkPair.FACTS_KEY])
