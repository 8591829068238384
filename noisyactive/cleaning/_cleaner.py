"""The estimator that cleans labels with an expert's answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from .._arrays import naming
from .._files import as_path, write_whole
from .._like import labels_like
from .._numbers import check_switch
from .._params import CheckedParams
from .._proba import accuracy, aligned_proba, in_chunks
from .._progress import CallbackSupportMixin, Hooks, progress, report, with_callbacks
from .._rows import take_rows
from .._samples import asking, for_estimator
from .._typing import Classifier, Comments, Labels, Oracle, Samples, Seconds, Strategy
from ..journal import (
    Answered,
    CleaningState,
    Event,
    OpenItem,
    check_answers,
    check_remarks,
    now,
)
from ._annotators import Aggregate, agreement, pairwise_kappa, unused_name
from ._crossfit import CrossFit
from ._loop import CleaningLoop
from ._oracles import oracle_of
from ._parameters import CONSTRAINTS, check_combinations, check_renamed
from ._run_data import check_data
from ._table import csv_of, label_table

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self


_NO_RUN = (
    "This %(name)s is not fitted yet: call start(X, y) before query and teach; "
    "fit(X, y, oracle=...) does all three."
)


class ActiveLabelCleaner(
    CheckedParams, CallbackSupportMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Correct the labels that matter most, round after round, within a budget of answers.

    A classifier is fitted to the labels as they are. In each round a query strategy picks rows
    whose labels are doubtful, an expert answers, labels are corrected, and the model is brought
    up to date [1]_. A label without an answer never changes, and every answer is charged.

    By default, which labels are trusted is decided again after each round. The paper's own way is
    ``ActiveLabelCleaner(net, **PAPER_PARAMS)``.

    Parameters
    ----------
    estimator : classifier
        Cloned. With ``trust="once"``, or ``pool="untrusted"`` and a policy other than "crossfit",
        trusted labels are those of its `clean_mask_` after `fit` (as `CoTeachingVOGClassifier`
        has it, also as the last step of a Pipeline); a classifier without it gets one by confident
        learning on out-of-fold probabilities. The leading steps of a Pipeline that need not be
        fitted (scikit-learn's tag ``requires_fit=False``, as of `FrozenFeatures`) are applied
        once to all samples: models and query strategies get what comes out of them.
    query_strategy : str or callable, default="rare_entropy"
        "bald", "coreset", "entropy", "label_disagreement", "least_confidence", "margin", "random",
        "rare_entropy", or ``strategy(learner, X, n_instances, **kwargs) -> indices into X`` as
        modAL has them; those with a parameter `y` get the current labels of the rows, those with
        `posterior` their `label_posterior_` ("crossfit", else None), those with `random_state` a
        generator.
    n_rounds : int, default=8
        Rounds of questions.
    round_budget : int or float, default=0.02
        Answers per round: a count, or as a float below 1 a share of the samples. With "crossfit",
        half of the first round's rows, rounded down, are picked by chance if any row may be (see
        `pool`): they tell how far labels can be trusted that no strategy would ask about.
    initial_fit : {"noisy", "none"}, default="noisy"
        "noisy": the first phase fits the estimator to the labels as they are. "none": there is no
        model until labels of two classes have been verified, and rounds ask at random until then.
    pool : {"untrusted", "unverified"}, default="unverified"
        Samples that may be queried: those whose labels are not trusted, or all that are not
        verified. Rows that were answered, with a label or without, are not queried again, except
        that "crossfit" asks another annotator, if there is one, where it doubts an answer.
    trust : {"once", "crossfit", "verified", "all"} or CrossFit, default="crossfit"
        Labels that are trained on: those that the first phase trusted, and those verified; those
        that three cross-fitted clones hold for right after each round, answers included, which are
        trusted unless they are more probably wrong (see `CrossFitEnsemble`, which also asks the
        labels of similar samples, where `X` is an array of numbers or sparse); only those verified;
        or all. A `CrossFit` is "crossfit" with some of its parts switched off.
    refit : {"fine_tune", "continue", "scratch"}, default="fine_tune"
        How the model is brought up to date: plain cross-entropy on the fitted model (its
        `refine`, else `partial_fit`, else as "scratch"), its own objective going on
        (`partial_fit`), or a clone fitted anew. Of a Pipeline, the first two train the last step.
    fine_tune_epochs : int, default=25
        Epochs a round of "fine_tune" and "continue"; "crossfit" trains each clone for two thirds
        of them.
    fine_tune_lr : float, default=0.05
        Learning rate of "fine_tune".
    class_balance : float in [0, 1], default=1
        In rounds of "fine_tune" and "scratch", a sample of a class with n samples weighs
        ``n ** -class_balance`` [3]_: 0 treats samples alike, 1 classes (those under 1/32 of the
        mean size count as that large). Only where the classifier takes `sample_weight`, is no
        meta-estimator and has no `class_weight` of its own.
    lower_forget_rate : bool, default=False
        With "continue" and "scratch", and an estimator that has a `forget_rate`: train with that
        of the first phase, less the share of the labels that were corrected since [2]_.
    scoring : str or callable, default="f1_macro"
        Scores the model on validation data, and chooses the best epoch of each round of "fine_tune"
        and "continue" there: the name of a scikit-learn scorer or ``scorer(estimator, X, y)``.
    answers_per_item : int, default=1
        Annotators who have to answer for each row that is asked about. Each answer is charged, so
        a round asks about ``round_budget // answers_per_item`` rows.
    aggregate : {"majority", "model"} or callable, default="majority"
        How their labels become one, with ``answers_per_item`` above 1: the most frequent one; the
        most probable one by how often each annotator errs and, with "crossfit", by the model, if it
        has more than half of the probability [4]_; or ``aggregate(labels) -> label or None``. After
        a tie (None), one more annotator is asked while the budget lasts; then the label stays as it
        was.
    journal : path, default=None
        File that keeps every event as it happens, one SQLite database, see `Journal`. If it is
        there, `start` and `fit` go on with its run; it has to be one of the same data and
        parameters, except that `n_rounds` may grow. Models are fitted again, from the same seeds;
        with the same number of threads, to the same bits. Of `CoTeachingClassifier` and
        `CoTeachingVOGClassifier` that are fine-tuned and have no callbacks, the latest model is
        saved beside the journal, in a folder ``.checkpoint``, which may be deleted.
    n_jobs : int or None, default=None
        Models of ``trust="crossfit"`` that are trained at a time, and folds of confident learning,
        as in joblib: other processes, unless ``joblib.parallel_config`` chooses threads, dask or
        ray. Large arrays are mapped into their memory and not copied. The result is that of 1, but
        for the last bits where `estimator` itself computes in several threads.
    random_state : int, RandomState or None, default=None
        Seeds the strategies and those parts of the estimator that have no seed of their own.
        Round r draws from the child seed (random_state, r). The global random state is left alone.
    verbose : int, default=0
        1 shows a progress bar while models are trained, with answers and score.

    Attributes
    ----------
    labels_ : ndarray or Series of shape (n_samples,)
        The labels as they are now: a Series with the index, name and dtype of `y` if that was one,
        else an array of its dtype; wider only where a class needs it.
    given_labels_ : ndarray or Series of shape (n_samples,)
        The labels as they were given, likewise. Of several annotators, their consensus; with the
        index of a DataFrame.
    label_quality_ : ndarray of shape (n_samples,)
        Probability that the label as it is now is right, by all answers so far. "crossfit" only.
    issues_ : DataFrame of n_samples rows
        The labels as they are now, the worst first, as `find_label_issues` describes it, with the
        index of `to_frame`. "crossfit" only.
    estimator_ : classifier
        The model as it is now, for samples of the kind of `X_train_`; a `CrossFitEnsemble` with
        ``trust="crossfit"``.
    clean_mask_ : ndarray of bool of shape (n_samples,)
        Labels that are trusted: by the first phase (none with ``trust="verified"``, all with
        "all"; with "crossfit" by the latest ensemble), or verified and not doubted by "crossfit".
    relabelled_round_ : ndarray of int of shape (n_samples,)
        Round, from 1, of the latest answer with a label; 0 for one before the first round, -1 for
        never.
    history_ : dict of ndarray
        One entry for the first phase and one for each round: ``round``, ``asked``, ``changed``
        (labels), ``cost`` (answers so far), ``score`` (NaN without validation data).
    validation_codes_ : ndarray of int of shape (n_validation,) or None
        Labels of the validation data, as indices into `classes_`; None without such data.
    validation_predictions_ : list of ndarray or None
        What was predicted for them, likewise, for each entry of `history_`: for intervals of
        scores. None where it is not known, as of rounds before a run was resumed.
    events_ : list
        Events of the run, in order.
    state_ : CleaningState
        What the events add up to: labels, answers and accounts. Not to be changed.
    X_train_ : object of length n_samples
        The samples that the run was started with; of a file, an object that reads its ``[rows]``.
    agreement_ : dict of ndarray
        One entry for each annotator: ``annotator``, ``n_answers``, ``n_labels`` (verified rows that
        they gave a label for), ``n_shared`` (those of them that somebody else labelled, too),
        ``agreement`` (share of the shared ones that is the label now), ``kappa`` (Cohen's, of
        these), ``error_rate`` (share of wrong answers, as "crossfit" estimates it; else NaN).
    pairwise_kappa_ : ndarray of shape (n_annotators, n_annotators)
        Cohen's kappa of every two annotators on the rows that both gave a label for; else NaN.
    ids_ : ndarray of str of shape (n_samples,)
        Names of the rows: those given, or row numbers as text.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    seed_ : int
        The seed in use, drawn from `random_state`.
    n_features_in_ : int
        Number of features, where `estimator_` says so.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where `estimator_` says so.

    See Also
    --------
    Journal : Write answers from another process.
    noisyactive.find_label_issues : Which labels are probably wrong, without any answers.
    noisyactive.query.rank_suspects : A ranked list of doubtful labels, without any loop.

    Notes
    -----
    Where several annotators gave labels before the run, `y` has a column for each. Their consensus
    (see `noisyactive.audit.AnnotatorConsensus`) is the given label, which is trained on and
    corrected. "crossfit" judges it by what each annotator said, and how each of them errs, together
    with the models [4]_: where annotators agree a label needs more evidence to be doubted. Other
    policies see the consensus alone. Experts who answer are told apart from these annotators, also
    where they have the same names.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024,
       https://doi.org/10.1007/978-3-031-72120-5_4
    .. [2] Bernhardt et al., "Active label cleaning for improved dataset quality under resource
       constraints", Nature Communications, 2022, https://doi.org/10.1038/s41467-022-28818-3
    .. [3] Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining", ECCV 2018,
       https://doi.org/10.1007/978-3-030-01216-8_12
    .. [4] V. C. Raykar et al., "Learning From Crowds", Journal of Machine Learning Research, 2010

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner, UniformLabelNoise
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, n_rounds=4, round_budget=5)
    >>> cleaner = cleaner.fit(X, y_noisy, y_clean=y)
    >>> cleaner.history_["cost"].tolist()
    [0, 5, 10, 15, 20]

    With real people, ask and teach:

    >>> cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=3)
    >>> cleaner = cleaner.start(X, y_noisy)
    >>> while len(rows := cleaner.query()):
    ...     answers = [y[row] for row in rows]
    ...     cleaner = cleaner.teach(rows, answers)
    >>> int((cleaner.relabelled_round_ > 0).sum())
    6
    """

    _loop: CleaningLoop

    _parameter_constraints: dict[str, list[Any]] = CONSTRAINTS

    def __init__(
        self,
        estimator: Classifier,
        query_strategy: str | Strategy = "rare_entropy",
        *,
        n_rounds: int = 8,
        round_budget: int | float = 0.02,
        initial_fit: str = "noisy",
        pool: str = "unverified",
        trust: str | CrossFit = "crossfit",
        refit: str = "fine_tune",
        fine_tune_epochs: int = 25,
        fine_tune_lr: float = 0.05,
        class_balance: float = 1,
        lower_forget_rate: bool = False,
        scoring: str | Callable[..., float] = "f1_macro",
        answers_per_item: int = 1,
        aggregate: str | Aggregate = "majority",
        journal: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.n_rounds = n_rounds
        self.round_budget = round_budget
        self.initial_fit = initial_fit
        self.pool = pool
        self.trust = trust
        self.refit = refit
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_lr = fine_tune_lr
        self.class_balance = class_balance
        self.lower_forget_rate = lower_forget_rate
        self.scoring = scoring
        self.answers_per_item = answers_per_item
        self.aggregate = aggregate
        self.journal = journal
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # --- the loop -------------------------------------------------------------------------------

    @with_callbacks
    def fit(
        self,
        X: Samples,
        y: Labels | None = None,
        *,
        oracle: Oracle | None = None,
        y_clean: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        validation_data: tuple[Samples, Labels] | None = None,
        **fit_params: Any,
    ) -> Self:
        """Run all rounds with an oracle; without one, the first phase alone.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes. Those of a file
            (`numpy.memmap`, `h5py.Dataset`, zarr arrays, map-style `datasets.Dataset`) are read
            batch by batch where the estimator is a network, and in chunks for predictions.
        y : array-like of shape (n_samples,) or (n_samples, n_annotators), default=None
            Labels, some of them wrong. Not written to. None takes those that a torch Dataset has.
            With at least two columns, what each annotator said, missing where nothing; every sample
            needs a label of one of them.
        oracle : callable, default=None
            ``oracle(rows, X_rows) -> answers``: a label or None for each row. With
            `answers_per_item` above 1 each call counts as another annotator's.
        y_clean : array-like of shape (n_samples,), default=None
            True labels, for studies: the same as ``oracle=GroundTruthOracle(y_clean)``, and sliced
            as `y` is by cross-validation.
        ids : array-like of str of shape (n_samples,), default=None
            Names of the rows that stay the same (file names, accession numbers).
        groups : array-like of shape (n_samples,), default=None
            Samples that belong together (images of one patient): no model judges labels of a group
            that it learned from. ``trust="once"`` does not need it where the estimator says
            itself which labels to trust.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every round, where it also chooses the best epoch.
        **fit_params : dict
            Parameters of the estimator's `fit`, as `sample_weight`, or ``step__sample_weight`` of
            a Pipeline; with scikit-learn's metadata routing enabled, by what it requests. Those
            of length n_samples are sliced along with the rows.

        Returns
        -------
        self
            The cleaner. If the oracle raises, what was answered before stays, and `query` goes on.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described, before training starts.
        """
        self._checked_params()
        oracle = oracle_of(oracle, y_clean, X)
        others = {"ids": ids, "groups": groups, "validation_data": validation_data}
        n_steps = 1 if oracle is None else 1 + self.n_rounds
        hooks = Hooks(self, X, y, n_steps, "round")
        with progress("Cleaning labels", n_steps, verbose=self.verbose, hooks=hooks):
            loop = self._start(X, y, y_clean, fit_params, **others)
            stop = report(**loop.progress())
            if oracle is None:
                return self
            loop.warn_of_large_budget()
            rows = self.query()
            while len(rows) and not stop:
                with naming("oracle", kinds=(TypeError,)):
                    answers = oracle(rows, take_rows(loop.data.X, rows))
                several = self.answers_per_item > 1
                name = unused_name(loop.state, rows) if several else None
                rows = self.teach(rows, answers, annotator=name).query()
                stop = report(**loop.progress())
        return self

    def start(
        self,
        X: Samples,
        y: Labels | None = None,
        *,
        ids: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        validation_data: tuple[Samples, Labels] | None = None,
        **fit_params: Any,
    ) -> Self:
        """Run the first phase; after it, `query` and `teach` take turns.

        With a `journal` that is there already, the run goes on where it was.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.
        y : array-like of shape (n_samples,) or (n_samples, n_annotators), default=None
            As for `fit`.
        ids : array-like of str of shape (n_samples,), default=None
            As for `fit`.
        groups : array-like of shape (n_samples,), default=None
            As for `fit`.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every round, where it also chooses the best epoch.
        **fit_params : dict
            As for `fit`.

        Returns
        -------
        self
            The cleaner.
        """
        others = {"ids": ids, "groups": groups, "validation_data": validation_data}
        with progress("First phase", 1, verbose=self.verbose):
            loop = self._start(X, y, None, fit_params, **others)
        loop.warn_of_large_budget()
        return self

    def query(self) -> NDArray[np.intp]:
        """Choose the rows to ask an expert about.

        While a round is under way, returns those of its rows that wait for an answer. Otherwise the
        model is brought up to date and the next round begins. Answers that other processes wrote to
        the journal are read first.

        Returns
        -------
        ndarray of int of shape (n_rows,)
            Row numbers from 0, the most wanted first; none once the rounds, the budget or the pool
            have run out. Of pandas objects they take ``X.iloc[rows]``, whatever the index.
        """
        loop = self._current_loop()
        loop.catch_up()
        if not loop.state.open_rows:
            if not loop.state.up_to_date:
                with progress(f"Round {loop.state.round}", 1, verbose=self.verbose):
                    loop.refit()
                    report(**loop.progress())
            loop.ask()
        return np.array(list(loop.state.open_rows), dtype=np.intp)

    def teach(
        self,
        rows: ArrayLike,
        answers: Labels,
        *,
        annotator: str | None = None,
        seconds: Seconds | None = None,
        comments: Comments | None = None,
        only_open: bool = False,
    ) -> Self:
        """Record an expert's answers; the model learns of them at the next `query`.

        Rows that were not asked about may be answered too; that is charged like any answer. For a
        row answered before, the later answer counts; with `answers_per_item` above 1, the later
        one of each annotator. None takes back one's own label. When this returns, the answers are
        in the journal.

        Parameters
        ----------
        rows : array-like of shape (n_rows,)
            Rows of the data set, or their ids, each once.
        answers : sequence of length n_rows
            A class label for each row, or None: charged, and not asked about again.
        annotator : str, default=None
            Who answers; needed with `answers_per_item` above 1.
        seconds : sequence of float of length n_rows, default=None
            Time spent on each row, in seconds; None where it is not known.
        comments : sequence of str of length n_rows, default=None
            A remark on each row, or None.
        only_open : bool, default=False
            Ignore answers to rows that do not wait for one (of this annotator); otherwise they are
            corrections. So a file that is read twice is counted once.

        Returns
        -------
        self
            The cleaner.

        Raises
        ------
        ValueError
            If lengths differ, a row is not of the data set or there twice, or a label is not among
            `classes_`; nothing is recorded then.
        OSError
            If the journal cannot be written; nothing is recorded then.
        RuntimeError
            If another cleaner has gone on with the journal, or this is a copy.
        """
        loop = self._fitted_loop()
        check_switch(only_open, "only_open")
        state = loop.state
        index, labels = check_answers(
            loop.data.rows_of(rows), answers, len(state.codes), state.classes
        )
        remarks = check_remarks(len(index), state.answers_per_item, annotator, seconds, comments)
        loop.answer(Answered(index, labels, *remarks, now()), only_open)
        return self

    def wait(self, timeout: float | None = None, *, poll: float = 0.2) -> bool:
        """Wait until the round is complete, while other processes write answers to the journal.

        Parameters
        ----------
        timeout : float, default=None
            Longest time to wait, in seconds; None waits for ever.
        poll : float, default=0.2
            How often to look, in seconds.

        Returns
        -------
        bool
            Whether no row waits for an answer any more.

        Raises
        ------
        ValueError
            If there is no journal, so that no other process could answer, and rows wait.
        """
        return self._current_loop().wait(timeout, poll)

    def close_round(self) -> Self:
        """End the round although answers are missing; their rows may be queried again.

        Returns
        -------
        self
            The cleaner.
        """
        self._current_loop().close_round()
        return self

    def close(self) -> None:
        """Release the journal, so that another process may run its rounds; `start` resumes."""
        self._fitted_loop().close()

    def open_items(self, annotator: str | None = None) -> list[OpenItem]:
        """Rows of the current round that wait for an answer, as people are shown them.

        Parameters
        ----------
        annotator : str, default=None
            Leave out rows that this annotator has answered already.

        Returns
        -------
        list of OpenItem
            The most wanted first; empty while no round is under way.
        """
        loop = self._current_loop()
        loop.catch_up()
        return loop.open_items(annotator)

    def to_frame(self) -> pd.DataFrame:
        """The labels and how they came about, one row for each sample.

        Returns
        -------
        DataFrame of n_samples rows
            With the index of `y` if that was a Series or DataFrame, else that of a DataFrame `X`,
            else `ids`, else row numbers. ``id`` is there if `ids` were given and are not the index.
            ``given`` and ``label``: labels at first and now; ``changed``: whether they differ;
            ``verified``: whether experts gave the label. ``round`` (missing if there is none),
            ``time`` (in UTC): of the latest answer; ``annotators``: who answered, whoever did last
            last; ``answers`` and ``comment``: what each of them said and remarked last, as "name:
            text". ``quality``: `label_quality_`, and ``suggested``: the class that is most probably
            true; both missing unless "crossfit" knows them. ``why``: a sentence on the label;
            ``trusted``: `clean_mask_`.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from noisyactive import ActiveLabelCleaner
        >>> y = pd.Series(["dog", "cat"] * 10, index=[f"{n}.png" for n in range(20)])
        >>> cleaner = ActiveLabelCleaner(GaussianNB(), trust="all").start([[0], [1]] * 10, y)
        >>> table = cleaner.teach([3], ["dog"], annotator="ana").to_frame()
        >>> table.loc[["3.png", "4.png"], ["given", "label", "why"]]
              given label               why
        3.png   cat   dog   answered by ana
        4.png   dog   dog  no one was asked
        """
        loop = self._fitted_loop()
        data, posterior = loop.data, loop.posterior()
        issues = None if posterior is None else loop.issues(posterior)
        ids = None if data.index is None else data.ids
        return label_table(
            loop.state, loop.events, data.form, loop.trusted(), issues, data.table_index, ids
        )

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table of `to_frame` to a CSV file.

        The file is UTF-8, with one line of names. An apostrophe is put before a text that a
        spreadsheet would take for a formula or would change ("=A1", "00123").

        Parameters
        ----------
        path : path
            The file. It is written whole or not at all; one that is there is replaced.

        Raises
        ------
        ValueError, TypeError
            If it is no path.
        OSError
            If it cannot be written.
        """
        write_whole(as_path(path, "path"), csv_of(self.to_frame()), overwrite=True)

    def _start(
        self,
        X: Samples,
        y: ArrayLike | None,
        y_clean: Any,
        fit_params: dict[str, Any],
        *,
        groups: Any,
        **others: Any,
    ) -> CleaningLoop:
        """Check everything, then begin a run; if that fails, an earlier run stays as it was."""
        params = self._checked_params()
        data = check_data(
            self.estimator, X, y, y_clean, groups=groups, fit_params=fit_params, **others
        )
        if get_config()["enable_metadata_routing"]:
            offered = fit_params if groups is None else {**fit_params, "groups": data.groups}
            routed = process_routing(self, "fit", **offered).estimator.fit
            data = replace(data, fit_params=dict(routed))
        loop = CleaningLoop(params, data)
        loop.start()
        if hasattr(self, "_loop"):
            self._loop.close()
        self._loop = loop
        return loop

    def _checked_params(self) -> SimpleNamespace:
        params = SimpleNamespace(**self.get_params(deep=False))
        check_renamed(params)
        self._validate_params()
        check_combinations(params)
        return params

    def _fitted_loop(self) -> CleaningLoop:
        check_is_fitted(self, msg=_NO_RUN)
        return self._loop

    def _current_loop(self) -> CleaningLoop:
        """The run, with the parameters as they are now: those of rounds may have been changed."""
        loop = self._fitted_loop()
        params = self._checked_params()
        if repr(self.trust) != loop.trust:
            raise ValueError(
                f"trust was {loop.trust} when the run began and cannot change: call start, or "
                "set it back."
            )
        loop.params = params
        return loop

    # --- results --------------------------------------------------------------------------------

    def predict(self, X: Samples) -> NDArray[Any]:
        """Predict the most probable class of each sample.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        check_is_fitted(self, "estimator_")
        with asking():
            return in_chunks(self.estimator_, "predict", for_estimator(X))

    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Predict class probabilities.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        check_is_fitted(self, "estimator_")
        return aligned_proba(self.estimator_, X, self.classes_)

    def score(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Share of samples whose class is predicted right.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sample counts.

        Returns
        -------
        float
            Accuracy.
        """
        return accuracy(self.predict(X), y, sample_weight)

    @property
    def estimator_(self) -> Any:
        """The model as it is now."""
        model = self._of_run("estimator_").model
        if model is None:
            raise AttributeError(
                f"{type(self).__name__} has no estimator_ before labels of two classes are "
                "verified."
            )
        return model

    @property
    def classes_(self) -> NDArray[Any]:
        """Class labels, sorted, of shape (n_classes,)."""
        return self._of_run("classes_").data.classes

    @property
    def labels_(self) -> Any:
        """The labels as they are now, of shape (n_samples,)."""
        data = self._of_run("labels_").data
        return labels_like(data.form, data.classes, self.state_.codes)

    @property
    def given_labels_(self) -> Any:
        """The labels as they were given, of shape (n_samples,)."""
        data = self._of_run("given_labels_").data
        return labels_like(data.form, data.classes, self.state_.given_codes)

    @property
    def label_quality_(self) -> NDArray[np.float64]:
        """Probability that the label as it is now is right, of shape (n_samples,)."""
        codes = self._of_run("label_quality_").state.codes
        return self._posterior("label_quality_")[np.arange(len(codes)), codes]

    @property
    def issues_(self) -> pd.DataFrame:
        """The labels as they are now, the worst first."""
        loop = self._of_run("issues_")
        return loop.issues(self._posterior("issues_"), loop.data.table_index)

    def _posterior(self, name: str) -> NDArray[np.float64]:
        posterior = self._of_run(name).posterior()
        if posterior is None:
            raise AttributeError(
                f'{type(self).__name__} has {name} only with trust="crossfit", which judges every '
                f"label; trust is {self.trust!r}."
            )
        return posterior

    @property
    def clean_mask_(self) -> NDArray[np.bool_]:
        """Labels that are trusted, of shape (n_samples,)."""
        return self._of_run("clean_mask_").trusted()

    @property
    def relabelled_round_(self) -> NDArray[np.intp]:
        """Round of the latest answer with a label, -1 for never; of shape (n_samples,)."""
        return self.state_.relabelled_round.copy()

    @property
    def history_(self) -> dict[str, NDArray[Any]]:
        """One entry for the first phase and one for each round."""
        return {key: np.array(column) for key, column in self.state_.history.items()}

    @property
    def validation_codes_(self) -> NDArray[np.intp] | None:
        """Labels of the validation data, encoded, of shape (n_validation,)."""
        return self._of_run("validation_codes_").training.validation_codes

    @property
    def validation_predictions_(self) -> list[NDArray[np.intp] | None]:
        """What was predicted for the validation data, for each entry of `history_`."""
        return self._of_run("validation_predictions_").predictions()

    @property
    def events_(self) -> list[Event]:
        """What happened, in order."""
        return self._of_run("events_").events

    @property
    def state_(self) -> CleaningState:
        """What the events add up to."""
        return self._of_run("state_").state

    @property
    def agreement_(self) -> dict[str, NDArray[Any]]:
        """One entry for each annotator, see the class."""
        return agreement(self.state_, self._of_run("agreement_").policy.error_rates)

    @property
    def pairwise_kappa_(self) -> NDArray[np.float64]:
        """Cohen's kappa of every two annotators, of shape (n_annotators, n_annotators)."""
        return pairwise_kappa(self.state_)

    @property
    def ids_(self) -> NDArray[np.str_]:
        """Names of the rows, of shape (n_samples,)."""
        return self._of_run("ids_").data.names

    @property
    def seed_(self) -> int:
        """The seed in use."""
        return self._of_run("seed_").seed

    @property
    def X_train_(self) -> Any:
        """The samples that the run was started with; those of a file as rows that are read."""
        return self._of_run("X_train_").data.given_X

    @property
    def n_features_in_(self) -> int:
        """Number of features that the estimator was fitted to."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features that the estimator was fitted to."""
        return self.estimator_.feature_names_in_

    def _of_run(self, name: str) -> CleaningLoop:
        if "_loop" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before its first fit.")
        return self._loop

    # --- scikit-learn ---------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return "_loop" in vars(self)

    def get_metadata_routing(self) -> MetadataRouter:
        """Where `fit` sends its parameters; see scikit-learn's guide to metadata routing.

        Returns
        -------
        MetadataRouter
            The cleaner's own requests (`oracle`, `y_clean`, `ids`, `groups`, `validation_data`)
            and those of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = of_estimator.input_tags
        tags.classifier_tags = of_estimator.classifier_tags
        tags.non_deterministic = of_estimator.non_deterministic
        return tags
