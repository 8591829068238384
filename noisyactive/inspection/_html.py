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
from .._numbers import check_int
from .._text import label_text, visible
from ..cleaning import ActiveLabelCleaner
from . import _report_content as content
from ._changes import changes_of
from ._classes import ClassNames, class_keys
from ._fitted import check_cleaner
from ._report_figures import figures_of
from ._style import require_matplotlib


def to_html(
    cleaner: ActiveLabelCleaner,
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | Callable[[int], Any] | None = None,
    class_names: ClassNames = None,
    title: str = "Label cleaning report",
    max_images: int = 200,
) -> Path:
    """Write a report of a cleaning run: one HTML file without any other, also for printing.

    It contains a summary; score and answers of each round; given, verified and changed labels of
    each class; every changed label with image, old and new value, annotator, time, round and
    comment; and the parameters and versions to repeat the run. Data are shown as text, never as
    markup.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        After `start` or `fit`; the run may still go on. Answers that other processes wrote to the
        journal are included after `query` or `wait` has read them.
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
        are listed without an image.

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
    """
    check_cleaner(cleaner)
    path = as_path(path, "path")
    max_images = check_int(max_images, "max_images", 0)
    if not isinstance(title, str):
        raise TypeError(f"title must be text, got {described(title)}.")
    keys = class_keys(cleaner.classes_, class_names)
    names = [visible(label_text(key)) for key in keys]
    find = image_finder(images, cleaner.X_train_)
    require_matplotlib("to_html")
    template = page_template(__package__, "report.html", "to_html")

    changes = changes_of(cleaner)
    n_shown = 0 if find is None else min(len(changes), max_images)
    page = template.render(
        title=visible(str(title)),
        written=now(),
        summary=content.summary(cleaner),
        figures=figures_of(cleaner),
        rounds=content.rounds(cleaner),
        classes=content.classes(cleaner, names),
        people=content.people(cleaner),
        changes=[
            content.described(
                change,
                names,
                thumbnail(find, change.row, change.item)
                if find is not None and number < n_shown
                else Thumbnail("", False, ""),
            )
            for number, change in enumerate(changes)
        ],
        side=SIDE,
        n_shown=n_shown,
        n_left_out=0 if find is None else len(changes) - n_shown,
        has_comments=any(change.comments for change in changes),
        parameters=content.parameters(cleaner),
        provenance=content.provenance(cleaner),
    )
    file = Path(path)
    write_whole(file, page.encode("utf-8", "backslashreplace"), overwrite=True)
    return file
