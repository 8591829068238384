"""A report of a cleaning run as one HTML file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .._arrays import described
from .._files import as_path, write_whole
from .._html import now, page_template
from .._images import SIDE, Thumbnail, image_finder, thumbnail
from .._numbers import check_int, check_switch
from .._text import label_text, visible
from ..cleaning import ActiveLabelCleaner
from ..journal import Journal
from . import _report_content as content
from . import _report_people as people
from . import _report_samples as samples
from ._changes import changes_of
from ._classes import ClassNames, class_keys
from ._data_problems import data_problems
from ._people import agreements_of, not_told, people_of
from ._record import record_of
from ._remaining import remaining_of
from ._report_figures import figures_of
from ._report_provenance import parameters, provenance
from ._scores import scores_of
from ._style import require_matplotlib

# Rows of each table of duplicates and outliers, and samples of a set, that are shown.
_MAX_PROBLEMS = 20
_MAX_OF_SET = 6


def to_html(
    cleaner: ActiveLabelCleaner | Journal,
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | Callable[[int], Any] | None = None,
    class_names: ClassNames = None,
    title: str = "Label cleaning report",
    max_images: int = 200,
    compare_samples: bool = True,
) -> Path:
    """Write a report of a cleaning run: one HTML file without any other, also for printing.

    It answers in words: how many labels are probably still wrong among those that nobody verified
    (see `remaining_errors`); which labels were changed to which; what could not be told, and why;
    what the answers have brought and cost; what each person did, and how far those agree who have
    answered for the same samples; which samples are there twice, or are unlike all others. It lists
    every changed label with image, old and new value, annotator, time, round and comment, and the
    parameters and versions to repeat the run. Data are shown as text, never as markup.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner or Journal
        After `start` or `fit`; the run may still go on. Answers that other processes wrote to the
        journal are included after `query` or `wait` has read them. Of a journal alone, without the
        cleaner, what needs samples or a model is left out.
    path : path
        The file. An existing one is replaced when the new one is complete.
    images : path or callable, default=None
        A folder with the images, named as the ids, or ``images(row)``, which returns a PIL image,
        an array or the path of a file. None shows the samples if they are images.
    class_names : mapping or sequence of str, default=None
        Names of the classes: by label, or in the order of ``classes_``. None shows the labels.
    title : str, default="Label cleaning report"
        Heading of the report.
    max_images : int, default=200
        Number of changed labels that are shown with an image of at most 96 by 96 pixels; the rest
        are listed without an image. As many of those that could not be told.
    compare_samples : bool, default=True
        Whether all samples are read and compared, to find duplicates and outliers as
        `noisyactive.audit` does. Of more than 50,000 (200,000 with faiss), which would take long,
        only exact duplicates are found.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError, ValueError, NotFittedError
        If a parameter is not as described, or the cleaner was not started.
    ImportError
        If matplotlib or Jinja2 is not installed; the extra ``plot`` installs both.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner, UniformLabelNoise
    >>> from noisyactive.inspection import to_html
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=5, random_state=0)
    >>> cleaner = cleaner.fit(X, y_noisy, y_clean=y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_html(cleaner, f"{folder}/report.html")
    ...     report.read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'

    Later, from the journal that a cleaner has kept: ``to_html(Journal("run.db"), "report.html")``.
    """
    record = record_of(cleaner)
    path = as_path(path, "path")
    max_images = check_int(max_images, "max_images", 0)
    check_switch(compare_samples, "compare_samples")
    if not isinstance(title, str):
        raise TypeError(f"title must be text, got {described(title)}.")
    keys = class_keys(record.classes, class_names)
    names = [visible(label_text(key)) for key in keys]
    find = image_finder(images, record.X)
    require_matplotlib("to_html")
    template = page_template(__package__, "report.html", "to_html")

    def picture_of(row: int, wanted: bool = True) -> Thumbnail:
        if find is None or not wanted:
            return Thumbnail("", False, "")
        return thumbnail(find, row, str(record.ids[row]))

    left, scores, changes = remaining_of(record), scores_of(record), changes_of(record)
    untold = not_told(record)
    n_shown = 0 if find is None else min(len(changes), max_images)
    problems = None
    if compare_samples and record.X is not None:
        problems = samples.problems(
            record, data_problems(record), names, picture_of, _MAX_PROBLEMS, _MAX_OF_SET
        )
    page = template.render(
        title=visible(str(title)),
        written=now(),
        summary=content.summary(record, left, scores),
        remaining=content.remaining(record, left),
        parts=content.parts(record, left),
        n_samples=len(record.ids),
        figures=figures_of(record, scores),
        matrix=content.matrix(record, names),
        classes=content.classes(record, left, names),
        untold=[
            samples.described_not_told(one, names, picture_of(one.row, number < max_images))
            for number, one in enumerate(untold)
        ],
        rounds=content.rounds(record, scores),
        cost=content.cost(record, scores),
        n_validation=scores.n_samples,
        has_scores=content.has_scores(scores),
        class_scores=content.class_scores(scores, names),
        people=people.annotators(people_of(record)),
        agreements=people.agreements(agreements_of(record)),
        problems=problems,
        changes=[
            samples.described(change, names, picture_of(change.row, number < n_shown))
            for number, change in enumerate(changes)
        ],
        side=SIDE,
        has_images=find is not None,
        n_shown=n_shown,
        n_left_out=0 if find is None else len(changes) - n_shown,
        has_comments=any(change.comments for change in changes),
        parameters=parameters(record),
        provenance=provenance(record),
    )
    file = Path(path)
    write_whole(file, page.encode("utf-8", "backslashreplace"), overwrite=True)
    return file
