"""skorch's classifier as a scikit-learn citizen: checked data, labels of any kind, seeds."""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import _check_sample_weight, validate_data
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, LRScheduler
from skorch.dataset import Dataset as SkorchDataset
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler
from torch.utils.data import Subset as TorchSubset

from .._labels import find_classes
from .._random import child_seed, draw_seed, isolated_rng
from ._data import (
    IndexedDataset,
    NoLonelySample,
    auto_batch_size,
    collate,
    encode_labels,
    is_lazy,
    labels_of_dataset,
)
from ._networks import arguments_from_data, default_module
from ._pair import DataFacts, NetworkPair


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


class PairClassifier(NeuralNetClassifier):
    """Base of the co-teaching classifiers: everything but the training step.

    Not for direct use. It validates X and y, encodes and decodes labels, hands sample indices along
    inside X, seeds what it does, builds the pair of networks and restores it from a file.
    """

    _parameter_constraints: dict[str, list[Any]] = {}

    history_ = _stored_as("_history")
    initialized_ = _stored_as("_initialized")
    virtual_params_ = _stored_as("_virtual_params")

    # --- parameters -------------------------------------------------------------------------

    def _get_param_names(self) -> list[str]:
        own = BaseEstimator._get_param_names.__func__(type(self))
        # What was set beside the signature, typos too: `initialize` is to find them in a clone.
        return sorted({*own, *(self._params_to_validate & vars(self).keys())})

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
        *others, print_log = super()._default_callbacks
        schedule = [] if own_schedule else [("lr_schedule", CosineSchedule())]
        return [*others, *schedule, print_log]

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
        return self

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

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Mean loss of averaged logits, as validation reports it."""
        return super().get_loss(y_pred, y_true, X=X, training=training).mean()

    # --- data -------------------------------------------------------------------------------

    @property
    def classes_(self) -> NDArray[Any]:
        """Class labels of shape (n_classes,), sorted: the columns of `predict_proba`."""
        facts = getattr(self, "_facts", None)
        if facts is None:
            raise AttributeError(f"{type(self).__name__} has no classes_ before fit.")
        return facts.classes

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: data has been checked on its way into an `IndexedDataset`."""

    def _check_X(self, X: Any, *, reset: bool, min_samples: int = 1) -> Any:
        """Samples as an array or a Dataset."""
        if is_lazy(X):
            return X
        if isinstance(X, list) and X and isinstance(X[0], tuple) and hasattr(X[0][0], "shape"):
            raise TypeError(
                "X is a list of items of a torch Dataset; scikit-learn takes a Dataset apart "
                "unless it is wrapped: skorch.helper.SliceDataset(dataset)."
            )
        if isinstance(X, torch.Tensor):
            X = X.detach().cpu()
            X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
        return validate_data(
            self, X, reset=reset, allow_nd=True, dtype="numeric", ensure_min_samples=min_samples
        )

    def _checked(
        self, X: Any, y: Any, classes: Any = None, *, suffix: str = "", **options: Any
    ) -> tuple[IndexedDataset, NDArray[Any]]:
        """Samples with their labels encoded, all checked, and the classes."""
        if isinstance(X, Dataset) and y is None:
            y = labels_of_dataset(X)
        X = self._check_X(X, **options)
        labels, classes, codes = encode_labels(y, classes, name=f"y{suffix}")
        if len(X) != len(labels):
            raise ValueError(
                f"X{suffix} and y{suffix} have inconsistent lengths: {len(X)} samples, "
                f"{len(labels)} labels."
            )
        return IndexedDataset(X, labels, codes), classes

    def _training_dataset(
        self, X: Any, y: Any, *, reset: bool, classes: Any = None
    ) -> IndexedDataset:
        """Check the training data and remember, when `reset`, what the networks are built for."""
        if not reset:
            return self._checked(X, y, self.classes_, reset=False, min_samples=2)[0]
        known = self.classes if self.classes is not None else classes
        if known is not None:
            known, _ = find_classes(known, name="classes")
        dataset, classes = self._checked(X, y, known, reset=True, min_samples=2)
        present = classes[np.unique(dataset.codes)]
        if len(present) < 2:
            raise ValueError(
                f"y must hold at least 2 classes, got one class only: {present.tolist()}."
            )
        self._facts = DataFacts(tuple(dataset[0][0]["X"].shape), classes)
        return dataset

    def _checked_weights(self, sample_weight: Any, dataset: IndexedDataset) -> torch.Tensor | None:
        """Weights of mean 1, so that the learning rate means the same whatever their scale."""
        if sample_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, dataset, dtype=np.float64)
        if (weights < 0).any() or not weights.any():
            raise ValueError("sample_weight must not be negative, nor zero for all samples.")
        return torch.as_tensor(weights / weights.mean(), dtype=torch.float32, device=self.device)

    @contextmanager
    def _as_before_on_error(self) -> Iterator[None]:
        """Data that is refused leaves a fitted classifier as it was."""
        names = ("_facts", "n_features_in_", "feature_names_in_")
        before = {name: vars(self)[name] for name in names if name in vars(self)}
        try:
            yield
        except BaseException:
            for name in names:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    def _end_schedule(self) -> None:
        """Put the learning rate back, also after a training that broke off."""
        for _, callback in self.callbacks_:
            if isinstance(callback, CosineSchedule):
                callback.on_train_end(self)

    def _validation_dataset(self, validation_data: Any) -> IndexedDataset | None:
        if validation_data is None:
            return None
        if not isinstance(validation_data, tuple) or len(validation_data) != 2:
            raise TypeError("validation_data must be a tuple (X_val, y_val).")
        return self._checked(*validation_data, self.classes_, suffix="_val", reset=False)[0]

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Wrap X in an `IndexedDataset`, unless it is (a subset of) one already."""
        whole = X.dataset if isinstance(X, TorchSubset) else X
        if isinstance(whole, IndexedDataset):
            return X
        if y is None:
            return IndexedDataset(self._check_X(X, reset=False))
        return self._checked(X, y, self.classes_, reset=False)[0]

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Training and validation data; ``validation_data`` of `fit` goes before `train_split`."""
        if self._validation is not None:
            return X, self._validation
        train, valid = super().get_split_datasets(X, y, **fit_params)
        whole = valid.dataset if isinstance(valid, TorchSubset) else valid
        if valid is not None and not isinstance(whole, IndexedDataset):  # a predefined_split
            of_skorch = isinstance(valid, SkorchDataset)
            valid = self._validation_dataset((valid.X, valid.y) if of_skorch else (valid, None))
        return train, valid

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batches of a dataset: shuffled for training, in order otherwise."""
        name = "iterator_train" if training else "iterator_valid"
        iterator = getattr(self, name)
        arguments = self.get_params_for(name)
        batch_size = arguments.pop("batch_size", self.batch_size)
        if batch_size == "auto":
            batch_size = auto_batch_size(len(dataset)) if training else 256
        elif batch_size == -1:
            batch_size = len(dataset)
        if not (isinstance(iterator, type) and issubclass(iterator, DataLoader)):
            return iterator(dataset, batch_size=batch_size, **arguments)
        if "collate_fn" in arguments:
            dataset = _with_single_samples(dataset)
        arguments.setdefault("collate_fn", collate)
        # A generator of its own, so that predicting leaves the global one alone.
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())) if training else 0)
        arguments.setdefault("generator", generator)
        if training and "batch_sampler" not in arguments:
            shuffle = arguments.pop("shuffle", True)
            sampler = arguments.pop("sampler", None)
            if sampler is None:
                sampler = (
                    RandomSampler(dataset, generator=arguments["generator"])
                    if shuffle
                    else SequentialSampler(dataset)
                )
            batches = BatchSampler(sampler, batch_size, arguments.pop("drop_last", False))
            arguments["batch_sampler"] = NoLonelySample(batches)
        elif "batch_sampler" not in arguments:
            arguments["batch_size"] = batch_size
        return iterator(dataset, **arguments)

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
        if facts.input_shape:
            self.n_features_in_ = facts.input_shape[0]
        if not same:
            self.initialize()


def _with_single_samples(dataset: Any) -> Any:
    """Same data for a user's own ``collate_fn``, which expects a list of samples."""
    if isinstance(dataset, TorchSubset):
        return TorchSubset(_with_single_samples(dataset.dataset), dataset.indices)
    return IndexedDataset(dataset.X, dataset.y, dataset.codes, batched=False)


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
