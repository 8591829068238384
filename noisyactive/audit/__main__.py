"""Find wrong labels in a table: ``python -m noisyactive.audit labels.csv --label COLUMN``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .._cells import table_as_csv
from .._files import write_whole
from ._label_audit import LabelAudit
from ._page import page_of

_EPILOG = """\
Writes TABLE-issues.csv, all rows with the most doubtful label first, and TABLE-issues.html, a
report to look at. By default the other columns of the table are what a classifier judges by.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m noisyactive.audit", description=__doc__.split(":")[0] + ".", epilog=_EPILOG
    )
    add = parser.add_argument
    add("table", type=Path, help="CSV file, UTF-8, with a header")
    add("--label", required=True, metavar="COLUMN", help="column of the labels")
    add("--id", metavar="COLUMN", help="column that names the rows (default: row numbers from 0)")
    add("--group", metavar="COLUMN", help="column of what belongs together, as a patient")
    by = parser.add_mutually_exclusive_group()
    by.add_argument("--features", type=Path, metavar="FILE.npy", help="a row of numbers for each")
    proba = "class probabilities by models that did not learn the labels; columns as labels sorted"
    by.add_argument("--proba", type=Path, metavar="FILE.npy", help=proba)
    add("--cv", type=int, default=5, help="folds (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the folds (default: %(default)s)")
    add("--out", type=Path, metavar="STEM", help="beginning of the files' names")
    return parser


def _column(table: pd.DataFrame, name: str | None, option: str) -> Any:
    if name is not None and name not in table.columns:
        raise ValueError(f"{option} {name!r} is no column of the table: {list(table.columns)}.")
    return None if name is None else table[name]


def _is_whole(label: str) -> bool:
    digits = label.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(label)) == label


def _array(file: Path) -> Any:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except EOFError as error:
        raise ValueError(f"{file} is empty.") from error
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise ValueError(f"{file} must hold one array with a row for each label.")
    return array


def _audit(arguments: argparse.Namespace) -> LabelAudit:
    """Read what the command names, and judge the labels."""
    table = pd.read_csv(arguments.table, index_col=False)
    # As they are written: 007 is no number, and "None" may be a class.
    named = [one for one in (arguments.label, arguments.id, arguments.group) if one in table]
    texts = pd.read_csv(
        arguments.table,
        index_col=False,
        usecols=named,
        dtype=str,
        keep_default_na=False,
        na_values=[""],
    )
    table[texts.columns] = texts
    y = _column(table, arguments.label, "--label")
    names = _column(table, arguments.id, "--id")
    groups = _column(table, arguments.group, "--group")
    if empty := int(y.isna().sum()):
        raise ValueError(f"{empty} rows of the column {arguments.label!r} have no label.")
    if all(_is_whole(label) for label in y.unique()):
        y = y.astype(int)  # so that 2 is before 10, as in the columns of --proba
    if names is not None:
        y = y.set_axis(pd.Index(names))
    if arguments.proba is not None:
        return LabelAudit("precomputed").fit(_array(arguments.proba), y)
    settings = {"cv": arguments.cv, "random_state": arguments.seed}
    if arguments.features is not None:
        X = _array(arguments.features)
        X = X.reshape(len(X), -1)
        estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        return LabelAudit(estimator, **settings).fit(X, y, groups=groups)
    used = [one for one in (arguments.label, arguments.id, arguments.group) if one is not None]
    X = table.drop(columns=used)
    if not X.shape[1]:
        raise ValueError(
            "The table has no columns to judge by: pass --features or --proba, numbers of each row."
        )
    texts = X.select_dtypes(exclude=["number", "bool"]).columns
    for name in texts:  # the most frequent values; all others are missing
        frequent = X[name].value_counts().index[:200]
        X[name] = pd.Categorical(X[name], frequent)
    boosting = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=50, random_state=arguments.seed
    )
    return LabelAudit(boosting, **settings).fit(X, y, groups=groups)


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments. None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 with a message on what was wrong.
    """
    arguments = _parser().parse_args(argv)
    stem = arguments.out or arguments.table.with_suffix("")
    try:
        audit = _audit(arguments)
        issues = audit.issues_.rename_axis(arguments.id or "row")
        csv, page = (stem.with_name(f"{stem.name}-issues.{kind}") for kind in ("csv", "html"))
        write_whole(csv, table_as_csv(issues), overwrite=True)
        report = page_of(audit, f"Labels of {arguments.table.name}").encode()
        write_whole(page, report, overwrite=True)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{int(audit.issues_['is_issue'].sum()):,} of {len(issues):,} labels are doubtful.")
    print(f"{csv}\n{page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
