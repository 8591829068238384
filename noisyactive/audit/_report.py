"""A report of doubtful labels, and of what else is wrong with data, as one HTML file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._arrays import described
from .._files import as_path, write_whole
from .._html import now, page_template
from .._images import image_finder
from .._numbers import check_int
from .._rows import as_rows
from .._samples import check_samples
from .._text import visible
from .._typing import Samples
from . import _report_content as content
from ._contents import Contents, contents_of, standardised
from ._contradictions import nearest_others
from ._duplicates import duplicate_sets
from ._label_audit import LabelAudit
from ._outliers import outlier_scores
from ._small_classes import small_classes
from ._tables import length_of, names_of

# Of each doubtful label.
_N_NEIGHBOURS = 3


def write_report(
    audit: LabelAudit,
    path: str | os.PathLike[str],
    X: Samples | None = None,
    *,
    groups: ArrayLike | None = None,
    split: ArrayLike | None = None,
    images: str | os.PathLike[str] | Callable[[int], Any] | None = None,
    title: str = "Label audit",
    max_rows: int = 100,
) -> Path:
    """Write a report of an audit: one HTML file without any other, also for printing.

    It contains a summary; labels and doubtful ones of each class; classes too small to be judged;
    the doubtful labels, each with the most similar samples that have other labels; sets of
    duplicates, first those with different labels, across a split or across groups; and outliers.
    Data are shown as text, never as markup.

    Parameters
    ----------
    audit : LabelAudit
        Fitted.
    path : path
        The file. An existing one is replaced when the new one is complete.
    X : object of length n_samples, default=None
        The samples that were judged, or features of them: what is compared to find contradicting
        rows, duplicates and outliers, as `contradicting_rows`, `find_duplicates` and
        `find_outliers` describe it. Of samples that have no distances, only equal ones are found.
        None leaves these parts out.
    groups : array-like of shape (n_samples,), default=None
        Samples that belong together, as images of one patient: duplicates across groups are told.
    split : array-like of shape (n_samples,), default=None
        Part of the data that each sample is in, as "train" and "test": the same.
    images : path or callable, default=None
        A folder with the images, named as the rows of ``audit.issues_``, or ``images(row)``, which
        takes a row number from 0 and returns a PIL image, an array or the path of a file. None
        shows the samples if they are images or texts.
    title : str, default="Label audit"
        Heading of the report.
    max_rows : int, default=100
        Rows that each table lists at most; ``audit.issues_`` has all labels. A row has one image of
        at most 96 by 96 pixels, or, in sets and with similar samples, four.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError, ValueError, NotFittedError
        If a parameter is not as described.
    ImportError
        If Jinja2 is not installed; the extra ``plot`` installs it.
    OSError
        If the file cannot be written.

    See Also
    --------
    noisyactive.inspection.to_html : A report of a cleaning run.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from noisyactive.audit import LabelAudit, write_report
    >>> digits = load_digits()
    >>> audit = LabelAudit(random_state=0).fit(digits.images, digits.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = write_report(audit, f"{folder}/report.html", digits.images)
    ...     report.read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    if not isinstance(audit, LabelAudit):
        raise TypeError(f"audit must be a LabelAudit, got {described(audit)}.")
    check_is_fitted(audit)
    path = as_path(path, "path")
    max_rows = check_int(max_rows, "max_rows", 1)
    if not isinstance(title, str):
        raise TypeError(f"title must be text, got {described(title)}.")
    n_samples = len(audit.issues_)
    if X is not None:
        check_samples(X)
        X = as_rows(X)
        if length_of(X) != n_samples:
            raise ValueError(f"X must hold the {n_samples} samples of audit, got {length_of(X)}.")
    elif groups is not None or split is not None:
        raise ValueError("groups and split are about duplicates: pass X, too.")
    parts = {
        name: names_of(values, name, n_samples)
        for name, values in (("split", split), ("groups", groups))
        if values is not None
    }
    find = image_finder(images, X)
    template = page_template(__package__, "report.html", "write_report")

    contents = None if X is None else contents_of(X)
    samples = content.Samples(audit, parts, find, None if contents is None else contents.texts)
    small = content.small(small_classes(audit.issues_["given"], cv=audit.n_folds_ or 5), max_rows)
    sets = outliers = None
    similar: dict[int, list[int]] = {}
    if contents is not None:
        sets = content.sets_of(samples, duplicate_sets(contents), max_rows)
        if contents.features is not None:
            worst = samples.order[audit.issues_["is_issue"].to_numpy()][:max_rows]
            similar = _similar(X, contents, samples.codes, worst)
            if n_samples > 2:
                scores = outlier_scores(contents.features)
                outliers = content.outliers(audit, samples, scores, max_rows)
    page = template.render(
        title=visible(title),
        written=now(),
        summary=content.summary(audit, sets, outliers, small),
        classes=content.classes(audit, max_rows),
        small=small,
        doubtful=content.doubtful(audit, samples, similar, max_rows),
        sets=sets,
        outliers=outliers,
        has_images=find is not None,
        has_similar=bool(similar),
    )
    file = Path(path)
    write_whole(file, page.encode("utf-8", "backslashreplace"), overwrite=True)
    return file


def _similar(
    X: Any, contents: Contents, codes: NDArray[np.intp], rows: NDArray[np.intp]
) -> dict[int, list[int]]:
    """The most similar samples that have other labels, of some rows."""
    features = standardised(X)
    features = contents.features if features is None else features
    asked, _, others, _ = nearest_others(features, codes, rows, _N_NEIGHBOURS)
    similar: dict[int, list[int]] = {}
    for row, other in zip(rows[asked].tolist(), others.tolist(), strict=True):
        similar.setdefault(row, []).append(other)
    return similar
