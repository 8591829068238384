"""Which wrong labels are found: `noisyactive.audit` and cleanlab, by the same probabilities.

    pip install cleanlab
    python examples/paper/label_issues.py [FEATURES.npz ...] [--seeds 0 1]

Labels of several data sets are made wrong in four ways, or are those that people gave; a classifier
predicts each sample by clones that did not learn it, and both tools get these predictions. Of
cleanlab's scores the best one counts, which a user could not know. Printed are, for each data set,
noise and classifier, the area under the ROC curve and the average precision of the ranking,
precision and recall of the labels flagged, and the seconds that judging takes. Files are npz files
as `study.py` takes them.
"""

import argparse
import inspect
import pkgutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
from data import load_npz
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from noisyactive import (
    InstanceDependentLabelNoise,
    PairLabelNoise,
    TransitionLabelNoise,
    UniformLabelNoise,
)
from noisyactive.audit import LabelAudit, issues_from_proba
from noisyactive.datasets import load_long_tailed_digits

NOISES = ("uniform", "pair", "class", "instance")


def mixed_table():
    """Numbers, categories and gaps: cell nuclei, half of the columns in words."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(0)
    for name in X.columns[::2]:
        X[name] = pd.qcut(X[name], 5, labels=["tiny", "small", "middle", "large", "huge"])
    return X.mask(rng.random(X.shape) < 0.05), y.to_numpy()


def texts():
    """Paragraphs of documentation, and the package that each is from."""
    found = {}
    for name in ("numpy", "pandas", "scipy", "sklearn", "torch"):
        package = __import__(name)
        modules = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
        objects = [package, *(getattr(package, m, None) for m in modules if m[0] != "_")]
        members = [one for o in objects if o is not None for _, one in sorted(vars(o).items())]
        for member in filter(callable, members):
            for paragraph in (inspect.getdoc(member) or "").split("\n\n"):
                if len(paragraph) > 150 and ">>>" not in paragraph:
                    found.setdefault(paragraph.replace(name, "it"), name)
    paragraphs = list(found)
    return paragraphs, np.array([found[one] for one in paragraphs])


def data_sets(files):
    """(name, X, true labels, labels of people by name)."""
    digits = load_long_tailed_digits(10, random_state=0)
    yield "digits", digits.X_train.reshape(len(digits.y_train), -1), digits.y_train, {}
    yield "table", *mixed_table(), {}
    yield "text", *texts(), {}
    for file in files:
        parts = load_npz(file)
        yield Path(file).stem, parts.X_train, parts.y_train, parts.get("human", {})


def wrong_labels(kind, X, y, seed):
    """Labels with 30% noise, or so."""
    classes = np.unique(y)
    if kind == "uniform":
        return UniformLabelNoise(0.3, random_state=seed).fit_transform(y)
    if kind == "pair":
        return PairLabelNoise(0.3, random_state=seed).fit_transform(y)
    if kind == "class":
        rng = np.random.default_rng(seed)
        rates = rng.permutation(np.linspace(0.05, 0.5, len(classes)))
        matrix = rng.dirichlet(np.full(len(classes), 0.5), len(classes))
        np.fill_diagonal(matrix, 1e-9)
        matrix *= (rates / matrix.sum(axis=1))[:, None]
        np.fill_diagonal(matrix, 1 - rates)
        return TransitionLabelNoise(matrix, random_state=seed).fit_transform(y)
    if not isinstance(X, np.ndarray):
        first = classifier("lr", X)[0].fit_transform(X)
        X = TruncatedSVD(20, random_state=0).fit_transform(first)
    return InstanceDependentLabelNoise(0.3, random_state=seed).fit_transform(y, X)


def classifier(name, X):
    """A classifier for samples of that kind, or None."""
    mixed, text = isinstance(X, pd.DataFrame), isinstance(X, list)
    if name == "hgb":
        if text:
            return None
        columns = "from_dtype" if mixed else None
        return HistGradientBoostingClassifier(
            max_iter=50, categorical_features=columns, random_state=0
        )
    last = LogisticRegression(max_iter=300)
    if name == "forest":
        last = RandomForestClassifier(min_samples_leaf=3, random_state=0)
    if text:
        return make_pipeline(TfidfVectorizer(min_df=2), last)
    first = OneHotEncoder(handle_unknown="ignore", min_frequency=10) if mixed else StandardScaler()
    return make_pipeline(first, last)


def by_cleanlab(codes, proba):
    """Quality and flags of cleanlab's recommended calls, and the best of its scores."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    begin = time.perf_counter()
    flagged = find_label_issues(codes, proba)
    scores = [get_label_quality_scores(codes, proba)]
    seconds = time.perf_counter() - begin
    for method in ("normalized_margin", "confidence_weighted_entropy"):
        scores.append(get_label_quality_scores(codes, proba, method=method))
    scores.append(get_label_quality_scores(codes, proba, adjust_pred_probs=True))
    return scores, flagged, seconds


def row_of(wrong, scores, flagged, seconds):
    """The numbers of one tool, the ranking's for the best of its scores."""
    hits = (flagged & wrong).sum()
    return {
        "auroc": max(roc_auc_score(wrong, -score) for score in scores),
        "ap": max(average_precision_score(wrong, -score) for score in scores),
        "precision": hits / max(flagged.sum(), 1),
        "recall": hits / wrong.sum(),
        "seconds": seconds,
    }


def compare(X, y, y_noisy, model, seed):
    """A row for each tool."""
    classes, codes = np.unique(y_noisy, return_inverse=True)
    proba = LabelAudit(model, random_state=seed, n_jobs=1).fit(X, y_noisy).held_out_proba_
    wrong = y_noisy != y
    begin = time.perf_counter()
    issues = issues_from_proba(y_noisy, proba).sort_index()
    seconds = time.perf_counter() - begin
    quality, flagged = issues["quality"].to_numpy(), issues["is_issue"].to_numpy()
    return {
        "noisyactive": row_of(wrong, [quality], flagged, seconds),
        "cleanlab": row_of(wrong, *by_cleanlab(codes, proba)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--models", nargs="+", default=["lr", "forest", "hgb"])
    parser.add_argument("--noise", nargs="+", default=NOISES)
    arguments = parser.parse_args()
    rows = []
    for name, X, y, people in data_sets(arguments.files):
        for kind in (*arguments.noise, *people):
            for model_name in arguments.models:
                model = classifier(model_name, X)
                if model is None:
                    continue
                of_seeds = []
                for seed in arguments.seeds:
                    y_noisy = people[kind] if kind in people else wrong_labels(kind, X, y, seed)
                    found = compare(X, y, y_noisy, model, seed)
                    of_seeds.append(pd.DataFrame(found).T.rename_axis("tool"))
                mean = pd.concat(of_seeds).groupby("tool").mean()
                key = {"data": name, "noise": kind, "model": model_name}
                rows.append(mean.assign(**key).set_index(list(key), append=True))
                cell = mean.round(3)
                print(name, kind, model_name, cell.to_dict("split")["data"], flush=True)
    table = pd.concat(rows).unstack("tool").reorder_levels([1, 0], axis=1)
    print(table.sort_index(axis=1, ascending=[True, False]).round(3).to_string())
    print(table.mean().unstack(0).round(3).to_string())


if __name__ == "__main__":
    main()
