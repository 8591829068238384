import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.inspection import LossVOGDisplay


def test_marks_are_where_loss_and_vog_are(net, blobs):
    _, y, y_noisy = blobs
    display = LossVOGDisplay.from_estimator(net, y_noisy, y)
    right = y_noisy == y
    rare = y == np.bincount(y).argmin()
    kinds = {
        "right label": right & ~rare,
        "wrong label": ~right,
        "right label, rare class": right & rare,
    }
    for kind, members in kinds.items():
        for trusted in (True, False):
            rows = members & (net.clean_mask_ == trusted)
            expected = np.column_stack([net.sample_loss_, net.vog_])[rows]
            np.testing.assert_allclose(display.points_[kind, trusted].get_offsets(), expected)
    assert sum(len(points.get_offsets()) for points in display.points_.values()) == len(y)


def test_trusted_is_filled_and_kinds_have_their_own_marks(net, blobs):
    _, y, y_noisy = blobs
    points = LossVOGDisplay.from_estimator(net, y_noisy, y).points_
    for (_, trusted), collection in points.items():
        assert bool(len(collection.get_facecolor())) == trusted
    shapes = {
        kind: str(collection.get_paths()[0].vertices) for (kind, _), collection in points.items()
    }
    assert len(set(shapes.values())) == 3


def test_without_true_labels_rare_classes_are_those_given_rarely(net, blobs):
    _, _, y_noisy = blobs
    display = LossVOGDisplay.from_estimator(net, y_noisy)
    rare = y_noisy == np.bincount(y_noisy).argmin()
    assert (display.kind == np.where(rare, "rare class", "frequent class")).all()


def test_rare_classes_can_be_named(net, blobs):
    _, y, y_noisy = blobs
    display = LossVOGDisplay.from_estimator(net, y_noisy, rare_classes=[0, 2])
    assert (display.kind == "rare class").sum() == np.isin(y_noisy, [0, 2]).sum()
    with pytest.raises(ValueError, match="rare_classes has labels that are not among"):
        LossVOGDisplay.from_estimator(net, y_noisy, rare_classes=[9])


def test_networks_without_vog_are_refused(blobs):
    X, _, y_noisy = blobs
    plain = CoTeachingClassifier(forget_rate=0.2, max_epochs=1).fit(X, y_noisy)
    with pytest.raises(NotFittedError, match="vog_"):
        LossVOGDisplay.from_estimator(plain, y_noisy)
    unused = CoTeachingVOGClassifier(mix_ratio=0, forget_rate=0.2, max_epochs=1).fit(X, y_noisy)
    with pytest.raises(ValueError, match="no VOG of any sample: fit it with mix_ratio above 0"):
        LossVOGDisplay.from_estimator(unused, y_noisy)


def test_labels_of_other_samples_are_refused(net, blobs):
    _, _, y_noisy = blobs
    with pytest.raises(ValueError, match="clean_mask_ of the estimator must hold a boolean"):
        LossVOGDisplay.from_estimator(net, y_noisy[1:])


def test_bad_arrays_are_named():
    three = np.zeros(3)
    with pytest.raises(ValueError, match="same shape"):
        LossVOGDisplay(three, three, three > 0, np.array(["wrong label"]))
    with pytest.raises(ValueError, match="kind must be among"):
        LossVOGDisplay(three, three, three > 0, np.array(["odd"] * 3))
