"""Networks learn the consensus of several annotators."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.audit import AnnotatorConsensus

QUICK = {
    "max_epochs": 6,
    "forget_rate": 0.1,
    "ramp_epochs": 2,
    "warmup_epochs": 2,
    "random_state": 0,
}
NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture
def table(blobs):
    """Labels of blobs by three annotators of several qualities, each of them for most samples."""
    _, y, _ = blobs
    rng = np.random.default_rng(0)
    said = np.where(
        rng.random((len(y), 3)) < [0.95, 0.7, 0.6], y[:, None], rng.integers(3, size=(len(y), 3))
    )
    missing = rng.random(said.shape) < 0.3
    missing[missing.all(axis=1), 0] = False
    labels = np.where(missing, None, NAMES[said].astype(object))
    return pd.DataFrame(labels, columns=["Ann", "Bob", "Cyd"])


@pytest.mark.parametrize("kind", [CoTeachingClassifier, CoTeachingVOGClassifier])
def test_the_same_as_fitting_to_the_consensus(blobs, table, kind):
    X, y, _ = blobs
    consensus = AnnotatorConsensus().fit(table).consensus_
    window = {} if kind is CoTeachingClassifier else {"vog_window": 2}
    net = kind(**QUICK, **window).fit(X, table)
    plain = clone(net).fit(X, consensus)
    assert_array_equal(net.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(net.clean_mask_, plain.clean_mask_)
    assert net.clean_mask_.shape == (len(y),)
    assert net.classes_.tolist() == NAMES.tolist()
    assert (net.predict(X) == NAMES[y]).mean() > 0.9
    for again in (pickle.loads(pickle.dumps(net)), clone(net).fit(X, table.to_numpy())):
        assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def test_going_on_and_other_containers(blobs, table):
    X, y, _ = blobs
    codes = table.apply(lambda column: column.map({name: i for i, name in enumerate(NAMES)}))
    consensus = AnnotatorConsensus().fit(codes).consensus_
    net = CoTeachingClassifier(**QUICK).fit(torch.from_numpy(X), codes.to_numpy(dtype=float))
    plain = clone(net).fit(X, consensus)
    for step in ("partial_fit", "refine"):
        getattr(net, step)(X, codes, epochs=1)
        getattr(plain, step)(X, consensus, epochs=1)
        assert_array_equal(net.predict_proba(X), plain.predict_proba(X))


def test_labels_that_are_not_among_the_classes(blobs, table):
    net = CoTeachingClassifier(classes=["ant", "bee"], **QUICK)
    with pytest.raises(ValueError, match=r"not among the classes.*cat"):
        net.fit(blobs[0], table)
    assert not hasattr(net, "classes_")
