import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier
from noisyactive.inspection import TrainingDynamicsDisplay


def test_lines_are_the_history(net):
    display = TrainingDynamicsDisplay.from_estimator(net)
    drawn = {"selected_share", "forget_rate", "valid_acc", "train_loss", "valid_loss"}
    assert set(display.lines_) == drawn
    for key in drawn:
        line = display.lines_[key]
        assert line.get_xdata().tolist() == list(range(1, 15))
        np.testing.assert_allclose(line.get_ydata(), net.history[:, key])
    upper, lower = display.axes_
    assert {line.axes for key, line in display.lines_.items() if "loss" in key} == {lower}
    assert display.lines_["selected_share"].axes is upper is display.ax_
    assert lower.get_yscale() == "log" and lower.get_xlabel() == "epoch"


def test_the_epoch_where_vog_comes_in_is_marked(net):
    first = net.history[:, "vog_used"].index(True) + 1
    (mark,) = (
        line
        for line in TrainingDynamicsDisplay.from_estimator(net).ax_.lines
        if line.get_label() == "VOG from here"
    )
    assert set(mark.get_xdata()) == {first - 0.5}


def test_tuning_rounds_of_a_cleaner_are_marked(blobs):
    X, y, y_noisy = blobs
    net = CoTeachingVOGClassifier(
        forget_rate=0.3, max_epochs=12, warmup_epochs=4, vog_window=2, random_state=0
    )
    cleaner = ActiveLabelCleaner(
        net, n_rounds=2, round_budget=3, trust="once", fine_tune_epochs=4, random_state=0
    )
    cleaner.fit(X, y_noisy, y_clean=y)
    display = TrainingDynamicsDisplay.from_estimator(cleaner)
    assert len(display.table) == 20
    corners = [  # matplotlib 3.8 draws polygons, later ones rectangles
        patch.get_patch_transform().transform(patch.get_path().vertices)[:, 0]
        for patch in display.axes_[1].patches
    ]
    assert [(x.min(), x.max()) for x in corners] == [(12.5, 16.5), (16.5, 20.5)]
    assert np.isnan(display.lines_["selected_share"].get_ydata()[12:]).all()
    texts = [text.get_text() for text in display.legend_.get_texts()]
    assert texts.count("fine-tuning, by round") == 1


def test_the_networks_of_a_cleaner_one_by_one(blobs):
    X, _, y_noisy = blobs
    net = CoTeachingVOGClassifier(
        forget_rate=0.3, max_epochs=6, warmup_epochs=4, vog_window=2, random_state=0
    )
    cleaner = ActiveLabelCleaner(net, random_state=0).fit(X, y_noisy)
    with pytest.raises(ValueError, match="the cleaner has 3: pass one of them"):
        TrainingDynamicsDisplay.from_estimator(cleaner)
    assert len(TrainingDynamicsDisplay.from_estimator(cleaner.estimator_.latest[0]).table) == 6


def test_scores_can_be_chosen(net):
    display = TrainingDynamicsDisplay.from_estimator(net, scores=[])
    assert "valid_acc" not in display.lines_
    with pytest.raises(ValueError, match=r"\['f1'\] are not among"):
        TrainingDynamicsDisplay.from_estimator(net, scores=["f1"])


def test_draws_on_a_pair_of_axes_and_refuses_others(net):
    figure, pair = plt.subplots(1, 2)
    display = TrainingDynamicsDisplay.from_estimator(net, ax=pair)
    assert list(display.axes_) == list(pair) and display.figure_ is figure
    with pytest.raises(ValueError, match="ax must be two Axes"):
        display.plot(ax=pair[0])


def test_what_was_not_fitted_is_refused():
    with pytest.raises(NotFittedError, match="history"):
        TrainingDynamicsDisplay.from_estimator(CoTeachingVOGClassifier())
    with pytest.raises(TypeError, match="table must be a DataFrame"):
        TrainingDynamicsDisplay([])
