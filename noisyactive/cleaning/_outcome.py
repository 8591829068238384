"""What has become of the labels, the model and the budget, and how people see it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._annotators import agreement, pairwise_kappa
from ._items import OpenItem, open_items, open_rows
from ._learner import aligned_proba
from ._rounds import Rounds

if TYPE_CHECKING:
    from ..annotate import Page


class Outcome(Rounds):
    """Base of the cleaner: its results. Not for direct use."""

    # --- the outcome ----------------------------------------------------------------------------

    @property
    def labels_(self) -> NDArray[Any]:
        """The labels as they are now, of shape (n_samples,)."""
        return self.classes_[self._state.codes]

    @property
    def given_labels_(self) -> NDArray[Any]:
        """The labels as they were given, of shape (n_samples,)."""
        return self.classes_[self._state.first_codes]

    @property
    def clean_mask_(self) -> NDArray[np.bool_]:
        """Labels that are trusted, of shape (n_samples,)."""
        return self._trusted()

    @property
    def relabelled_round_(self) -> NDArray[np.intp]:
        """Round of the latest answer with a label, -1 for never; of shape (n_samples,)."""
        return self._state.relabelled_round.copy()

    @property
    def history_(self) -> dict[str, NDArray[Any]]:
        """One entry for the first phase and one for each round."""
        return {key: np.array(column) for key, column in self._state.history.items()}

    @property
    def agreement_(self) -> dict[str, NDArray[Any]]:
        """One entry for each annotator, see the class."""
        return agreement(self._state)

    @property
    def pairwise_kappa_(self) -> NDArray[np.float64]:
        """Cohen's kappa of every two annotators, of shape (n_annotators, n_annotators)."""
        return pairwise_kappa(self._state)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict(X)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities of shape (n_samples, n_classes), in the order of `classes_`."""
        check_is_fitted(self, "estimator_")
        return aligned_proba(self.estimator_, X, self.classes_)

    @property
    def n_features_in_(self) -> int:
        """Number of features that the estimator was fitted to."""
        return self._of_estimator("n_features_in_")

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features that the estimator was fitted to."""
        return self._of_estimator("feature_names_in_")

    def _of_estimator(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before its first fit.")
        return getattr(self.estimator_, name)

    # --- for people -----------------------------------------------------------------------------

    def open_items(self, annotator: str | None = None) -> list[OpenItem]:
        """Rows of the current round that wait for an answer, as people are shown them.

        Parameters
        ----------
        annotator : str, default=None
            Leave out what he or she has answered already.

        Returns
        -------
        list of OpenItem
            The most wanted first; none while no round is under way.
        """
        check_is_fitted(self, "events_")
        self._catch_up()
        rows = open_rows(self._state, annotator)
        names = dict(zip(rows, self.ids_[rows].tolist(), strict=True))
        labels = dict(zip(rows, self.labels_[rows].tolist(), strict=True))
        return open_items(self._state, rows, names, labels)

    def annotate(
        self,
        images: str | os.PathLike[str] | Callable[[int], Any] | None = None,
        *,
        annotator: str | None = None,
        blind: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        open_browser: bool = False,
    ) -> Page:
        """Serve a page on which people answer, while this process goes on with the rounds.

        It needs a `journal`, and the extra ``annotate``. The page is served from a thread::

            with cleaner.annotate():
                while len(cleaner.query()):
                    cleaner.wait()

        Parameters
        ----------
        images : path or callable, default=None
            A folder with the images, named as the ids, or ``images(row)``, which returns a PIL
            image, an array or the path of a file. None shows X, where it holds images, else ids.
        annotator : str, default=None
            Who answers. None asks on the page.
        blind : bool, default=False
            Keep current labels and the model's suggestions from the page.
        host : str, default="127.0.0.1"
            Address to listen on; the default is reached from this machine alone.
        port : int, default=0
            Port to listen on; 0 takes any free one.
        open_browser : bool, default=False
            Whether to open the page in a browser of this machine.

        Returns
        -------
        Page
            With its address, `url`, which is also printed, and `close`.

        Raises
        ------
        ImportError
            If the extra ``annotate`` is not installed.
        ValueError
            If there is no journal.
        OSError
            If the port is taken.

        See Also
        --------
        noisyactive.annotate.serve : The same from another process.
        """
        from ..annotate import images_of, serve  # a higher room, which only people need

        check_is_fitted(self, "events_")
        if self.journal is None:
            raise ValueError("annotate needs a journal, where the page writes the answers.")
        return serve(
            self.journal,
            images_of(self._trainer.X) if images is None else images,
            annotator=annotator,
            blind=blind,
            host=host,
            port=port,
            open_browser=open_browser,
        )

    def to_html(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a report of the run: one HTML file that needs nothing else, also for printing.

        Summary, curves, what has become of each class, every changed label with its image, and the
        parameters and versions to repeat the run.

        Parameters
        ----------
        path : path
            The file; one that is there is replaced.
        **options : dict
            ``images``, ``class_names``, ``title``, ``max_images`` of
            `noisyactive.inspection.to_html`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ImportError
            If the extra ``plot`` is not installed.
        OSError
            If the file cannot be written.
        """
        from ..inspection import to_html  # a higher room, which only people need

        return to_html(self, path, **options)

    # --- inside ---------------------------------------------------------------------------------

    def _latest(self) -> dict[str, Any]:
        """What a progress bar tells."""
        latest = {key: column[-1] for key, column in self._state.history.items() if column}
        facts = {"round": latest["round"], "answers": latest["cost"]}
        return facts if np.isnan(latest["score"]) else {**facts, "score": latest["score"]}
