"""Write questions to a CSV file for a spreadsheet, and read the answers."""

from __future__ import annotations

import csv
import io
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._cells import guarded
from .._files import as_path, write_whole
from .._images import ImageFolder
from .._numbers import check_switch
from ._slips import refuse_slips
from ._spreadsheet import DELIMITERS, read_table
from ._wording import BETWEEN, Answer, Wording, batches, written

if TYPE_CHECKING:
    from ..cleaning import ActiveLabelCleaner
    from ..journal import Journal

COLUMNS = (
    "id", "image", "label", "suggested", "probability", "reason", "choices",
    "answer", "annotator", "comment", "seconds",
)  # fmt: skip
NEEDED, OPTIONAL = ("id", "answer"), ("annotator", "comment", "seconds")  # columns that are read
SHOWN = ("label", "choices")  # and those that are looked at, since answers may be there by mistake


def write_queries(
    path: str | os.PathLike[str],
    cleaner: ActiveLabelCleaner | Journal,
    *,
    images: str | os.PathLike[str] | None = None,
    annotator: str | None = None,
    delimiter: str = ",",
    overwrite: bool = False,
) -> None:
    """Write the samples that wait for an answer to a CSV file, for people to fill in.

    There is one line for each sample, the most doubtful first. Its columns are ``id``, ``image``,
    ``label`` (current label), ``suggested`` (the class that the model predicts), ``probability``
    (of that class), ``reason`` (why it is asked about), ``choices`` (possible answers) and, to be
    filled in, ``answer`` (one of the choices; "cannot tell" is one), ``annotator``, ``comment`` and
    ``seconds`` (time spent).

    The file is UTF-8 with a byte order mark, which Excel needs. An apostrophe is put before a cell
    that a spreadsheet would take for a formula or would change ("00123") [1]_; `read_answers`
    removes it. A label that could be misread (one with spaces around it, for example) is in
    quotation marks; the answer is written as in the choices.

    Parameters
    ----------
    path : path
        The file. It is written whole or not at all.
    cleaner : ActiveLabelCleaner or Journal
        The run.
    images : path, default=None
        A folder with the images, named as the items are, with or without their suffixes. The
        column ``image`` holds the path of each image, or is empty if there is none.
    annotator : str, default=None
        Who will answer: samples with an answer of this annotator are left out, and the column
        ``annotator`` is filled in.
    delimiter : {",", ";", tab}, default=","
        Separator of the columns. Excel needs ";" in countries where a comma is the decimal mark.
    overwrite : bool, default=False
        Whether to replace an existing file, with the answers in it.

    Raises
    ------
    ValueError
        If `delimiter` is not one of these, `annotator` is not one line of text, or several images
        fit the id of an item.
    TypeError
        If `cleaner` is neither a cleaner nor a journal, or its classes are not strings, numbers or
        booleans.
    FileExistsError
        If the file exists and `overwrite` is False.
    OSError
        If it cannot be written, or there is no such folder of images.

    See Also
    --------
    read_answers : Read the file after it was filled in.

    References
    ----------
    .. [1] OWASP Foundation, "CSV Injection",
       https://owasp.org/www-community/attacks/CSV_Injection

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner
    >>> from noisyactive.annotate import read_answers, write_queries
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, n_rounds=1, round_budget=2, pool="unverified")
    >>> rows = cleaner.start(X, y).query()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "round 1.csv")
    ...     write_queries(path, cleaner)
    ...     table = pd.read_csv(path)  # an expert's spreadsheet
    ...     table["answer"] = ["2", "cannot tell"]
    ...     table.to_csv(path, index=False)
    ...     for batch in read_answers(path, cleaner):
    ...         cleaner = cleaner.teach(**batch, only_open=True)
    >>> table["choices"][0]
    '0 | 1 | 2 | cannot tell'
    >>> int(cleaner.labels_[rows[0]]), cleaner.open_items()
    (2, [])
    """
    path = as_path(path, "path")
    check_switch(overwrite, "overwrite")
    if not isinstance(delimiter, str) or delimiter not in DELIMITERS:
        raise ValueError(f"delimiter must be one of {DELIMITERS}, got {delimiter!r}.")
    if annotator is not None and not (
        isinstance(annotator, str) and annotator.isprintable() and annotator.strip()
    ):
        raise ValueError(f"annotator must be text in one line, got {annotator!r}.")
    wording = Wording(cleaner)
    folder = None if images is None else ImageFolder(images, "images")
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in cleaner.open_items(annotator):
        image = None if folder is None else folder.path_of(item.item)
        cells = {
            "id": written(item.item),
            "image": "" if image is None else str(image),
            "label": wording.text_of(item.label),
            "suggested": wording.text_of(item.suggested),
            "reason": item.reason,
            "annotator": annotator or "",
        }
        cells = {name: guarded(cell) for name, cell in cells.items()}
        cells["choices"] = BETWEEN.join(guarded(choice) for choice in wording.choices)
        cells["probability"] = "" if item.probability is None else f"{item.probability:.3f}"
        writer.writerow([cells.get(column, "") for column in COLUMNS])
    data = text.getvalue().encode("utf-8-sig", errors="backslashreplace")  # of a file's name
    write_whole(path, data, overwrite=overwrite)


def read_answers(
    path: str | os.PathLike[str], cleaner: ActiveLabelCleaner | Journal
) -> list[dict[str, Any]]:
    """Read the answers in a file of `write_queries`, or in another file with such columns.

    The columns ``id`` and ``answer`` are required, ``annotator``, ``comment`` and ``seconds`` are
    optional, in any order; other columns are ignored, and so are lines without an answer. The
    separator (comma, semicolon or tab) and the encoding (UTF-8, UTF-16, else Windows code page
    1252) are detected. A label that a spreadsheet has changed is understood if only one class can
    be meant: 1.0 or 1,0 for 1, TRUE for "true", 1 for "01". An id must not be changed.

    A file in which answers stand elsewhere is refused: a ``label`` that its item never had, or a
    choice in ``comment`` or ``choices``, beside an empty ``answer``.

    Parameters
    ----------
    path : path
        The file.
    cleaner : ActiveLabelCleaner or Journal
        The run that the file belongs to.

    Returns
    -------
    list of dict
        One for each annotator, with the keyword arguments of `ActiveLabelCleaner.teach` and
        `Journal.answer`: rows (ids), answers, annotator, seconds, comments. Pass them on with
        ``only_open=True``, so that a file that is read twice counts once.

    Raises
    ------
    ValueError
        If an answer is not among the choices, an id is not of this run or has two answers of one
        annotator, a required annotator is missing, answers stand in another column, or this is not
        such a file. The message gives the number of the line, as a spreadsheet counts.
    TypeError
        If `cleaner` is neither a cleaner nor a journal.
    OSError
        If the file cannot be read.

    See Also
    --------
    write_queries : The file, with an example.
    """
    wording = Wording(cleaner)
    answers: list[Answer] = []
    line_of: dict[tuple[str, str | None], int] = {}
    lines = list(read_table(as_path(path, "path"), NEEDED, (*OPTIONAL, *SHOWN)))
    for number, cells in lines:
        if not cells["answer"]:
            continue
        try:
            answer = _read_answer(cells, wording)
            first = line_of.setdefault((answer.item, answer.annotator), number)
            if first != number:
                raise ValueError(f"the id {answer.item!r} is in line {first} already")
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}.") from error
        answers.append(answer)
    try:
        refuse_slips(lines, cleaner, wording)
    except ValueError as error:
        raise ValueError(f"{path}, {error}.") from error
    return batches(answers)


def _read_answer(cells: dict[str, str], wording: Wording) -> Answer:
    if not cells["id"]:
        raise ValueError(f"there is an answer, {cells['answer']!r}, but no id")
    return wording.answer(
        cells["id"],
        cells["answer"],
        annotator=cells["annotator"] or None,
        seconds=_seconds(cells["seconds"]),
        comment=cells["comment"] or None,
    )


def _seconds(text: str) -> float | None:
    if not text:
        return None
    with suppress(ValueError):
        seconds = float(text.replace(",", "."))
        if 0 <= seconds < math.inf:
            return seconds
    raise ValueError(f"seconds must be a number of at least 0, got {text!r}")
