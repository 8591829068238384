"""What a type checker says of a user's script."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).resolve().parents[1]
# Libraries without types, and what is in the package itself, see test_code_quality.py.
SETTINGS = """
[mypy]
strict = True
[mypy-sklearn.*,skorch.*,pandas.*,scipy.*,imblearn.*]
ignore_missing_imports = True
[mypy-noisyactive.*]
follow_imports = silent
"""

RIGHT = '''
"""Samples, labels, oracles and strategies of all kinds that are read."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.linear_model import LogisticRegression
from torch.utils.data import Dataset, TensorDataset

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    GroundTruthOracle,
    InstanceDependentLabelNoise,
    LabelNoiseSampler,
    LongTailSampler,
    NoisyLabelsClassifier,
    UniformLabelNoise,
    find_label_issues,
)
from noisyactive.audit import LabelAudit, find_duplicates, find_outliers, issues_from_proba
from noisyactive.query import Learner, entropy_sampling, rare_entropy_sampling

X = np.zeros((4, 2))
y = np.array([0, 1, 0, 1])
names = ["cat", "dog", "cat", "dog"]
several = [["cat", None], ["dog", "dog"], [None, "cat"], ["dog", None]]
tensor = torch.zeros(4, 2)
frame = pd.DataFrame(X)
series = pd.Series(names)


class Rows(Dataset[tuple[torch.Tensor, int]]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return tensor[row], row % 2


class OwnClassifier:
    def fit(self, X: NDArray[np.float64], y: NDArray[np.int64], C: float = 1) -> "OwnClassifier":
        return self

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.zeros(len(X), dtype=np.int64)

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ones((len(X), 2)) / 2


class OwnNetwork(torch.nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()


def first(classifier: Learner, X: object, n_instances: int = 1) -> NDArray[np.intp]:
    return np.arange(n_instances)


def with_labels(
    classifier: object, X: object, n_instances: int = 1, *, y: NDArray[np.int64]
) -> list[int]:
    return list(range(n_instances))


def by_keyword(classifier: object, X: object, *, n_instances: int) -> list[int]:
    return list(range(n_instances))


def with_metrics(
    classifier: object, X: object, n_instances: int = 1, **kwargs: object
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    return np.arange(n_instances), np.ones(n_instances)


def expert(rows: NDArray[np.intp], X_rows: NDArray[np.float64]) -> Sequence[str | None]:
    return [None if row else "cat" for row in rows]


cleaner = ActiveLabelCleaner(LogisticRegression(), n_rounds=3, round_budget=0.1)
cleaner.fit(X, y, oracle=GroundTruthOracle(y)).predict(X).tolist()
cleaner.fit(frame, series, oracle=expert, validation_data=(frame, series))
cleaner.fit(csr_matrix(X), names, oracle=lambda rows, X_rows: y[rows], groups=names)
cleaner.start(X, several).query().tolist()
cleaner.teach([0, 1], ["cat", None], seconds=[1.5, None], comments=[None, "blurred"])
cleaner.teach(np.array([0, 1]), y[:2], seconds=np.ones(2)).labels_.tolist()
ActiveLabelCleaner(CoTeachingClassifier()).fit(Rows())
ActiveLabelCleaner(OwnClassifier()).score(X, y)
ActiveLabelCleaner(LogisticRegression(), first)
ActiveLabelCleaner(LogisticRegression(), with_labels)
ActiveLabelCleaner(LogisticRegression(), by_keyword)
ActiveLabelCleaner(LogisticRegression(), with_metrics)
ActiveLabelCleaner(LogisticRegression(), "entropy")
ActiveLabelCleaner(LogisticRegression(), entropy_sampling)
ActiveLabelCleaner(LogisticRegression(), rare_entropy_sampling)
ActiveLabelCleaner(LogisticRegression(), lambda classifier, X, n_instances=1: [0])

CoTeachingClassifier().fit(X, y).predict(X)
CoTeachingClassifier(OwnNetwork, train_transform=torch.relu).fit(tensor, tensor.argmax(1))
network = CoTeachingVOGClassifier(classes=["cat", "dog"])
network.fit(Rows(), validation_data=(Rows(), None))
network.mix_ratio, network.to_module()
network.partial_fit(frame, series, sample_weight=[1.0, 2, 3, 4]).refine(frame, several)

find_label_issues(OwnClassifier(), X, y, cv=3)
find_label_issues(None, coo_matrix(X), pd.Categorical(names), cv=[(y[:2], y[2:])])
find_label_issues(LogisticRegression(), ["a text", "another"], ["cat", "dog"])
find_label_issues(cleaner, TensorDataset(tensor), tensor[:, 0]).head()
LabelAudit("precomputed").fit(X, several).issues_.head()
issues_from_proba(names, [[0.1, 0.9]] * 4)
find_duplicates(frame), find_outliers(Rows())

noise = UniformLabelNoise(0.2)
noise.fit(names).transform(series).tolist()
InstanceDependentLabelNoise(0.2).fit_transform(y, tensor)
LabelNoiseSampler(noise).fit_resample(frame, series)
LongTailSampler(10).fit(X, y).fit_resample(X, names)
NoisyLabelsClassifier(OwnClassifier(), noise).fit(frame, series).predict(frame)
'''

WRONG = {
    "a number as text": ('ActiveLabelCleaner(model, n_rounds="3")', "n_rounds"),
    "no classifier": ("find_label_issues(42, X, y)", "Argument 1"),
    "a classifier without predict_proba": ("find_label_issues(HasFit(), X, y)", "predict_proba"),
    "samples that are none": ("find_label_issues(model, 42, y)", "Argument 2"),
    "labels that are none": ("find_label_issues(model, X, 42)", "Argument 3"),
    "no labels": ("find_label_issues(model, X)", '"y"'),
    "a strategy of one argument": ("ActiveLabelCleaner(model, of_proba)", "Argument 2"),
    "a strategy without n_instances": ("ActiveLabelCleaner(model, of_k)", "Argument 2"),
    "a strategy that returns a score": ("ActiveLabelCleaner(model, score)", "Argument 2"),
    "an oracle of one argument": ("ActiveLabelCleaner(model).fit(X, y, oracle=of_rows)", "oracle"),
    "a parameter that is not there": ("ActiveLabelCleaner(model).fit(X, y).teach([0])", "answers"),
    "swapped arguments": ("entropy_sampling(X, model)", "Argument 1"),
    "noise that is a number": ("LabelNoiseSampler(0.4)", "Argument 1"),
    "labels of fit": ("CoTeachingClassifier().fit(X, 42)", "Argument 2"),
}
BEFORE_WRONG = """
import numpy as np
from numpy.typing import NDArray

from noisyactive import (
    ActiveLabelCleaner, CoTeachingClassifier, LabelNoiseSampler, find_label_issues
)
from noisyactive.query import entropy_sampling

X, y = np.zeros((4, 2)), np.arange(4)
model = CoTeachingClassifier()


class HasFit:
    def fit(self, X: object, y: object) -> "HasFit":
        return self


def of_proba(proba: object) -> list[int]: return [0]
def of_k(classifier: object, X: object, k: int = 1) -> list[int]: return [0]
def score(classifier: object, X: object, n_instances: int = 1) -> float: return 0.0
def of_rows(rows: NDArray[np.intp]) -> list[int]: return [0]


"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What mypy says of the two scripts, line by line, in one run."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "mypy.ini").write_text(SETTINGS)
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(BEFORE_WRONG + "\n".join(code for code, _ in WRONG.values()))
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--hide-error-context", "right.py", "wrong.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache/user")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout.splitlines()


def test_right_use_passes(said):
    assert [line for line in said if not line.startswith(("wrong.py:", "Found "))] == []


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_reported(said, case):
    _, about = WRONG[case]
    number = BEFORE_WRONG.count("\n") + 1 + list(WRONG).index(case)
    found = [line for line in said if re.match(rf"wrong\.py:{number}: ", line)]
    assert any("error: " in line for line in found)
    assert about in "\n".join(found)


def test_nothing_else_of_wrong_use_is_reported(said):
    numbers = {int(line.split(":")[1]) for line in said if line.startswith("wrong.py:")}
    first = BEFORE_WRONG.count("\n") + 1
    assert numbers == {*range(first, first + len(WRONG))}
