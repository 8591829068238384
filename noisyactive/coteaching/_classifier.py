"""Co-teaching: two networks that pick for each other what to learn from."""

from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from torch.utils.data import Dataset

from .._params import check_params
from .._proba import accuracy
from .._progress import CallbackSupportMixin, Hooks, with_callbacks
from .._rows import gathered
from .._samples import labels_of_dataset
from .._typing import Labels, Samples
from ._pair import AverageLogits
from ._sklearn_net import SKORCH_PARAMS
from ._training import CoTraining

if TYPE_CHECKING:
    from typing_extensions import Self


class CoTeachingClassifier(CallbackSupportMixin, CoTraining):
    """Co-teaching: two networks that learn from labels of which many are wrong.

    Both networks see the same mini-batches. Each ranks a batch by its own loss and hands the
    samples of smallest loss to the other one, which learns from those alone [1]_. Prediction
    averages the logits of both.

    Parameters
    ----------
    module : type or callable, default=None
        Network class, or a function that returns a new network: it is built twice. It maps a
        float32 batch to logits of shape (n_samples, n_classes). Constructor parameters with usual
        names (``num_classes``, ``in_features``, ``in_channels``, ...) are filled in from the data
        unless set as ``module__*``. None chooses a small multi-layer perceptron for 2-D X and a
        small convolutional network for 4-D X. The perceptron takes sparse rows as they are;
        beyond 16,384 columns (``module__max_features``) several share their weights. Networks that
        have an attribute ``takes_sparse = True`` get sparse COO tensors, others dense batches.
    forget_rate : float in [0, 1) or "auto", default="auto"
        Share of every mini-batch that is discarded once the ramp has ended; best is the share of
        wrong labels. "auto" estimates it during warm-up, see `forget_rate_interval_`.
    ramp_epochs : int or "auto", default="auto"
        Epochs over which the forget rate rises from 0. "auto": 15% of `max_epochs`, 1 to 10.
    exponent : float, default=1
        Shape of that ramp, see `scheduled_forget_rate`.
    warmup_epochs : int or "auto", default="auto"
        With ``forget_rate="auto"``: epochs in which nothing is discarded and the noise rate is
        estimated; the ramp starts after them. "auto": a quarter of `max_epochs`, 5 to 10, but at
        most half of them.
    max_epochs : int or "auto", default="auto"
        Epochs of one call of `fit` or `partial_fit`. "auto": 80 for up to 250 samples, 40 for
        500 to 1,750, 20 from 7,000 on, in proportion between them; 50, as in the paper, for a
        `module` of your own. What "auto" came to is in `schedule_`.
    batch_size : int or "auto", default="auto"
        Samples per mini-batch. "auto" makes about 30 batches an epoch, of 8 to 256 samples (of rows
        and with the default network, to 1024), the last one hardly smaller where they are large; -1
        takes all samples at once. When predicting, "auto" means 256.
    lr : float or "auto", default="auto"
        Learning rate, lowered to 0 along a cosine over the epochs of the call. "auto": with SGD
        ``0.1 * sqrt(batch_size / 512)`` for the default networks and 0.01, as in the paper, for a
        `module` of your own; with another `optimizer` that one's default. An ``LRScheduler``
        among `callbacks` replaces the cosine; ``callbacks__lr_schedule=None`` switches it off.
    train_transform, eval_transform : callable, default=None
        Applied to a batch before it reaches the networks, on their device:
        ``transform(X) -> X`` for a batch as it is loaded, of uint8 if X is. `train_transform` is
        for training, the place for random augmentation (which takes its random numbers from
        torch's global generator, seeded here); `eval_transform` for everything else. Afterwards X
        is cast to float32. torchvision's transforms draw once for a whole batch.
    head : str, default=None
        Dotted name of the linear layer that computes the logits in `module`. None finds it.
    autocast : {"bfloat16", "float16"}, default=None
        Mixed precision for the networks' passes, as in ``torch.autocast``; with "float16" losses
        are scaled. Selection and VOG compute in float32.
    channels_last : bool, default=False
        Memory format of networks and images, quicker for convolutions on most devices.
    preload : bool, default=False
        Copy all of X onto the device once, instead of batch by batch. Of no effect where X is lazy
        or sparse.
    accelerator : accelerate.Accelerator, default=None
        Train data-parallel on the processes of ``accelerate launch``, each with the same X and y
        (``pip install "noisyactive[accelerate]"``). `batch_size` is that of all processes together;
        samples are selected, and batches normalised, as if it were one batch. Each process keeps
        the losses and gradients' history of its own share of the rows; validation data each of them
        scores whole. `device` must be the accelerator's. Afterwards every process has the same,
        ordinary classifier; pickles and copies of it have no accelerator.
    classes : array-like of shape (n_classes,), default=None
        Every possible label, for data from which a rare one may be missing (a fold of
        cross-validation, say). None takes those in y.
    random_state : int, RandomState or None, default=None
        Seeds weights, shuffling, dropout and augmentation. The global random state is left alone.
    **kwargs : dict
        Parameters of skorch's ``NeuralNet``, all of them also keys of `get_params`, `set_params`
        and a grid search:

        * ``device="cpu"``, ``callbacks=None``, ``warm_start=False``, ``compile=False``,
          ``predict_nonlinearity``, ``use_caching``, ``torch_load_kwargs``, ``iterator_train`` and
          ``iterator_valid`` (training batches are shuffled);
        * ``verbose=0``: 1 shows a progress bar with the latest losses, 2 prints a line per epoch;
        * ``optimizer=torch.optim.SGD``: one optimizer steps both networks. SGD has momentum 0.9 and
          weight decay 1e-4 unless set as ``optimizer__*``;
        * ``criterion=torch.nn.CrossEntropyLoss``: a loss on logits that takes
          ``reduction="none"``;
        * ``train_split=None``: skorch's way to hold out a part of the training data, which is then
          not in `clean_mask_`;
        * ``module__*``, ``optimizer__*``, ``criterion__*``, ``iterator_train__*``,
          ``callbacks__*`` and so on.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    clean_mask_ : ndarray of bool of shape (n_samples,)
        Labels that are trusted: picked by the first network in the last epoch.
    selected_ : ndarray of bool of shape (2, n_samples)
        The picks of either network in the last epoch; ``selected_.all(axis=0)`` is a stricter and
        ``selected_.any(axis=0)`` a more generous choice.
    sample_loss_ : ndarray of shape (n_samples,)
        Loss of each sample in the last epoch, mean of both networks.
    forget_rate_ : float
        The forget rate in use: what was set, or the estimate. The latter is lower than the evidence
        says where there is little of it.
    forget_rate_interval_ : tuple (low, high)
        95% interval of an estimated forget rate; absent if it was set. It is wide with few samples
        of many classes, and with samples that are hard to classify; a UserWarning says so if it is
        wider than 0.3. It holds the truth somewhat less often than that (about 9 times in 10 on
        small sets), and it knows nothing of the cases in which the model is wrong: wrong labels
        that look like doubt, as people's do, make estimate and interval too low.
    module_ : NetworkPair
        Both networks as one module.
    schedule_ : dict
        What was set, and what "auto" came to with the data that the networks were built for:
        ``max_epochs``, ``warmup_epochs``, ``ramp_epochs``, ``batch_size``, ``lr``.
    history : skorch.history.History
        One entry per epoch: ``train_loss``, ``forget_rate`` (of that epoch), ``selected_share``,
        ``lr``, and with validation data ``valid_loss`` and ``valid_acc``.
    seed_ : int
        The seed in use, drawn from `random_state`.
    n_features_in_ : int
        Size of the first axis of a sample.

    References
    ----------
    .. [1] Han et al., "Co-teaching: Robust training of deep neural networks with extremely noisy
       labels", NeurIPS 2018, https://doi.org/10.48550/arXiv.1804.06872

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from noisyactive import CoTeachingClassifier, UniformLabelNoise
    >>> X, y = make_blobs(400, cluster_std=0.5, random_state=0)
    >>> y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    >>> net = CoTeachingClassifier(forget_rate=0.4, random_state=0).fit(X, y_noisy)
    >>> bool(net.score(X, y) > 0.95)
    True
    >>> net.clean_mask_.shape
    (400,)
    """

    _parameter_constraints = {
        "forget_rate": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "ramp_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "exponent": [Interval(Real, 0, None, closed="neither")],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            Options(Integral, {-1}),
        ],
        "lr": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "train_transform": [callable, None],
        "eval_transform": [callable, None],
        "head": [str, None],
        "autocast": [StrOptions({"bfloat16", "float16"}), None],
        "channels_last": ["boolean"],
        "preload": ["boolean"],
        "accelerator": [HasMethods(["gather", "reduce", "wait_for_everyone"]), None],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
        "module": [callable, None],
    }

    def __init__(
        self,
        module: Callable[..., torch.nn.Module] | None = None,
        *,
        forget_rate: float | str = "auto",
        ramp_epochs: int | str = "auto",
        exponent: float = 1,
        warmup_epochs: int | str = "auto",
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        lr: float | str = "auto",
        train_transform: Callable[[Any], Any] | None = None,
        eval_transform: Callable[[Any], Any] | None = None,
        head: str | None = None,
        autocast: str | None = None,
        channels_last: bool = False,
        preload: bool = False,
        accelerator: Any = None,
        classes: Labels | None = None,
        random_state: int | np.random.RandomState | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            module,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            classes=classes,
            **{**SKORCH_PARAMS, **kwargs},
        )
        self.forget_rate = forget_rate
        self.ramp_epochs = ramp_epochs
        self.exponent = exponent
        self.warmup_epochs = warmup_epochs
        self.train_transform = train_transform
        self.eval_transform = eval_transform
        self.head = head
        self.autocast = autocast
        self.channels_last = channels_last
        self.preload = preload
        self.accelerator = accelerator
        self.random_state = random_state

    def _check_params(self, epochs: Any = None, lr: Any = None) -> None:
        super()._check_params()
        if self.forget_rate == "auto" and self.warmup_epochs == 0:
            raise ValueError(
                'forget_rate="auto" is estimated during warm-up: warmup_epochs must be at least 1.'
            )
        given = {} if epochs is None else {"epochs": epochs}
        given |= {} if lr is None else {"lr": lr}
        limits = {
            "epochs": self._parameter_constraints["max_epochs"][:1],
            "lr": self._parameter_constraints["lr"][:1],
        }
        check_params(given, {name: limits[name] for name in given}, type(self).__name__)

    # --- training -----------------------------------------------------------------------------

    @with_callbacks
    def fit(
        self,
        X: Samples,
        y: Labels | None = None,
        sample_weight: Labels | None = None,
        *,
        validation_data: tuple[Samples, Labels | None] | None = None,
        epochs: int | None = None,
    ) -> "Self":
        """Build both networks and train them, anew unless `warm_start` is set.

        Parameters
        ----------
        X : array-like, sparse matrix, tensor or torch Dataset of shape (n_samples, ...)
            Samples: rows of features, images (n_samples, channels, height, width), or a Dataset
            whose items are ``x`` or ``(x, y)``. Sparse rows (of any format of SciPy) reach the
            default network as sparse batches, others as dense ones, see `module`.
        y : array-like of shape (n_samples,) or (n_samples, n_annotators), default=None
            Labels of any kind that can be sorted; they replace a Dataset's own. With at least two
            columns, what each annotator said, missing where nothing: their consensus is learned,
            see `noisyactive.audit.AnnotatorConsensus`.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sample counts in the loss that is learned from; only their proportions
            matter. Which labels are trusted, and the estimate of the forget rate, do not depend
            on it.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every epoch; never trained on.
        epochs : int, default=None
            Overrides `max_epochs`.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described, before training starts.
        FloatingPointError
            If the loss stops being finite.
        """
        self._check_params(epochs)
        fresh = not (self.warm_start and self.initialized_)
        with self._as_before_on_error():
            dataset = self._training_dataset(X, y, reset=fresh)
            weights = self._checked_weights(sample_weight, dataset)
            validation = self._validation_dataset(validation_data)
            if fresh:
                self.schedule_ = self._schedule_for(len(dataset), epochs)
                self.initialize()
            else:
                self._follow_params()
        n_epochs = self.schedule_["max_epochs"] if epochs is None else int(epochs)
        hooks = Hooks(self, X, y, n_epochs, "epoch")
        return self._train(dataset, epochs, validation, weights, hooks=hooks)

    def partial_fit(
        self,
        X: Samples,
        y: Labels | None = None,
        classes: Labels | None = None,
        sample_weight: Labels | None = None,
        *,
        validation_data: tuple[Samples, Labels | None] | None = None,
        epochs: int | None = None,
    ) -> "Self":
        """Continue to train the fitted networks; without any, do the same as `fit`.

        The forget rate does not ramp up again, unless the networks were loaded from a file. The
        history of gradients starts anew, since rows may be other samples than before.

        Parameters
        ----------
        X : array-like, tensor or torch Dataset of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_annotators), default=None
            Labels, as for `fit`.
        classes : array-like of shape (n_classes,), default=None
            Every possible label, used in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every epoch.
        epochs : int, default=None
            Overrides `max_epochs`.

        Returns
        -------
        self
            The classifier.
        """
        self._check_params(epochs)
        fresh = getattr(self, "_spec", None) is None
        with self._as_before_on_error():
            dataset = self._training_dataset(X, y, reset=fresh, classes=classes)
            weights = self._checked_weights(sample_weight, dataset)
            validation = self._validation_dataset(validation_data)
            if not self.initialized_:
                self.schedule_ = self._schedule_for(len(dataset))
                self.initialize()
            else:
                self._follow_params()
        self.module_.spec = self._spec
        return self._train(dataset, epochs, validation, weights)

    def refine(
        self,
        X: Samples,
        y: Labels | None = None,
        sample_weight: Labels | None = None,
        *,
        validation_data: tuple[Samples, Labels | None] | None = None,
        epochs: int = 25,
        lr: float | None = None,
    ) -> "Self":
        """Train both fitted networks further, with the plain criterion on all labels given.

        The optimizer is fresh; `clean_mask_` and the other attributes of the training labels stay.

        Parameters
        ----------
        X : array-like, tensor or torch Dataset of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_annotators), default=None
            Labels that are trusted, as for `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every epoch.
        epochs : int, default=25
            Epochs.
        lr : float, default=None
            Learning rate, lowered to 0 along a cosine. None takes the classifier's own.

        Returns
        -------
        self
            The classifier.
        """
        self.check_is_fitted()
        self._check_params(epochs, lr)
        dataset = self._training_dataset(X, y, reset=False)
        weights = self._checked_weights(sample_weight, dataset)
        validation = self._validation_dataset(validation_data)
        self._initialize_optimizer()
        if lr is not None:
            for group in self.optimizer_.param_groups:
                group["lr"] = lr
        try:
            return self._train(dataset, epochs, validation, weights, selecting=False)
        finally:
            self._initialize_optimizer()  # what comes after has its own learning rate

    def score(
        self, X: Samples, y: Labels | None = None, sample_weight: Labels | None = None
    ) -> float:
        """Share of samples whose class is predicted right.

        Parameters
        ----------
        X : array-like, tensor or Dataset of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,), default=None
            True labels. None takes those that a Dataset has.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sample counts.

        Returns
        -------
        float
            Accuracy.
        """
        if isinstance(X, Dataset) and y is None:
            y = labels_of_dataset(X)
        return accuracy(self.predict(X), y, sample_weight)

    # --- what the networks have learned ---------------------------------------------------------

    def extract_features(self, X: Samples) -> NDArray[Any]:
        """Input of the linear heads, both networks' side by side.

        The average of the two networks is one linear head on these features.

        Parameters
        ----------
        X : array-like, tensor or Dataset of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of float32 of shape (n_samples, 2 * n_features)
            Features, computed in evaluation mode.

        Raises
        ------
        ValueError
            If the networks' logits do not come straight from one ``torch.nn.Linear``.
        """
        self.check_is_fitted()
        dataset = self.get_dataset(X)
        return gathered(self._features_of(dataset), len(dataset))

    def _features_of(self, dataset: Any) -> Iterator[NDArray[Any]]:
        self._set_training(False)  # as to predict, which other threads may do meanwhile
        with torch.no_grad(), self._torch_settings():
            for inputs, _ in self.get_iterator(dataset, training=False):
                batch = self._network_input(inputs["X"])
                if self.module_.head_name is None:  # loaded from a file, say
                    self.module_.probe(batch, self.head)
                with self._precision():
                    yield self.module_.features(batch).float().cpu().numpy()

    def to_module(self) -> torch.nn.Module:
        """Copy of the fitted pair as one plain module, for deployment.

        Returns
        -------
        nn.Module
            Maps a float32 batch to the average of both networks' logits; in evaluation mode, on the
            CPU. ``softmax`` of it is `predict_proba`; columns are in the order of `classes_`.
        """
        self.check_is_fitted()
        return AverageLogits(self.module_.networks).cpu().eval()
