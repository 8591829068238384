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
from .._files import check_folder, write_whole
from .._images import ImageFolder
from ._label_audit import LabelAudit
from ._report import write_report

_EPILOG = """\
Writes TABLE-issues.csv, all rows with the most doubtful label first, and TABLE-issues.html, a
report to look at: doubtful labels beside similar samples, duplicates, outliers. By default the
other columns of the table are what a classifier judges by, and what the report compares: numbers,
and words of which each comes often. Texts and images need --features, as of a pretrained network,
or --proba. With both, features are only compared.
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
    add("--split", metavar="COLUMN", help="column of the part of the data, as train and test")
    add("--features", type=Path, metavar="FILE.npy", help="numbers or images, one for each row")
    proba = "class probabilities by models that did not learn the labels; columns as labels sorted"
    add("--proba", type=Path, metavar="FILE.npy", help=proba)
    add("--images", type=Path, metavar="FOLDER", help="images for the report, named as the ids")
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


def _read_csv(file: Path, **options: Any) -> pd.DataFrame:
    try:
        return pd.read_csv(file, index_col=False, **options)
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as a CSV file in UTF-8: {error}") from error


def _array(file: Path, option: str, n_rows: int) -> Any:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f"{file} cannot be read as an array: {error}") from error
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise ValueError(f"{file} must hold one array with a row for each label.")
    if len(array) != n_rows:
        raise ValueError(
            f"{option} {file} has {len(array)} rows, and the table {n_rows}: they must be the same "
            "samples in the same order."
        )
    return array


def _audit(arguments: argparse.Namespace) -> tuple[LabelAudit, dict[str, Any]]:
    """Read what the command names, and judge the labels; the audit, and what to compare."""
    table = _read_csv(arguments.table)
    # As they are written: 007 is no number, and "None" may be a class.
    options = (arguments.label, arguments.id, arguments.group, arguments.split)
    named = [one for one in options if one in table]
    texts = _read_csv(
        arguments.table, usecols=named, dtype=str, keep_default_na=False, na_values=[""]
    )
    table[texts.columns] = texts
    y = _column(table, arguments.label, "--label")
    names = _column(table, arguments.id, "--id")
    groups = _column(table, arguments.group, "--group")
    split = _column(table, arguments.split, "--split")
    for option, column in (("--label", y), ("--group", groups), ("--split", split)):
        if column is not None and (empty := int(column.isna().sum())):
            raise ValueError(
                f"{option} {column.name!r} is empty in {empty} of {len(y)} rows: fill them in, or "
                "leave them out."
            )
    if all(_is_whole(label) for label in y.unique()):
        y = y.astype(int)  # so that 2 is before 10, as in the columns of --proba
    if names is not None:
        y = y.set_axis(pd.Index(names))
    X = None if arguments.features is None else _array(arguments.features, "--features", len(y))
    compared = {"X": X, "groups": groups, "split": split}
    if arguments.proba is not None:
        if X is None and not (groups is None and split is None):
            raise ValueError("--group and --split need --features beside --proba, to compare.")
        proba = _array(arguments.proba, "--proba", len(y))
        return LabelAudit("precomputed").fit(proba, y), compared
    settings = {"cv": arguments.cv, "random_state": arguments.seed}
    if X is not None:
        estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        rows = X.reshape(len(X), -1)
        return LabelAudit(estimator, **settings).fit(rows, y, groups=groups), compared
    X = table.drop(columns=[one for one in options if one is not None])
    if not X.shape[1]:
        raise ValueError(
            "The table has no columns to judge by: pass --features or --proba, numbers of each row."
        )
    compared["X"] = X.copy()  # as it is: rare values make rows different
    texts = X.select_dtypes(exclude=["number", "bool"]).columns
    for name in texts:  # the most frequent values; all others are missing
        frequent = X[name].value_counts().index[:200]
        X[name] = pd.Categorical(X[name].where(X[name].isin(frequent)), frequent)
    boosting = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=50, random_state=arguments.seed
    )
    return LabelAudit(boosting, **settings).fit(X, y, groups=groups), compared


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
        check_folder(stem)  # before any work
        if arguments.images is not None:
            ImageFolder(arguments.images, "--images")
        audit, compared = _audit(arguments)
        issues = audit.issues_.rename_axis(arguments.id or "row")
        csv, page = (stem.with_name(f"{stem.name}-issues.{kind}") for kind in ("csv", "html"))
        write_whole(csv, table_as_csv(issues), overwrite=True)
        title = f"Labels of {arguments.table.name}"
        write_report(audit, page, images=arguments.images, title=title, **compared)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{int(audit.issues_['is_issue'].sum()):,} of {len(issues):,} labels are doubtful.")
    print(f"{csv}\n{page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
