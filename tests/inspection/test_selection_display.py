import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from noisyactive.inspection import SelectionDisplay


def widths(display):
    return {label: [bar.get_width() for bar in bars] for label, bars in display.bars_.items()}


def test_parts_of_each_class_from_the_largest_down(labels):
    y_clean, y_noisy, trusted = labels
    display = SelectionDisplay.from_predictions(y_noisy, trusted, y_clean)
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    sizes = sorted(((y_noisy == name).sum(), name) for name in np.unique(y_noisy))[::-1]
    assert names == [f"{name} ({size})" for size, name in sizes]
    top, bottom = display.ax_.get_ylim()[::-1]
    assert top < bottom  # the first class is on top
    right = y_noisy == y_clean
    parts = {
        "found: right, trusted": right & trusted,
        "wrongly trusted": ~right & trusted,
        "missed: right, not trusted": right & ~trusted,
        "wrong, not trusted": ~right & ~trusted,
    }
    found = widths(display)
    assert list(found) == list(parts)
    for label, members in parts.items():
        expected = [members[y_noisy == name].mean() for _, name in sizes]
        np.testing.assert_allclose(found[label], expected)
    np.testing.assert_allclose(np.sum(list(found.values()), axis=0), 1)


def test_right_labels_found_are_written_beside_the_bars(labels):
    y_clean, y_noisy, trusted = labels
    display = SelectionDisplay.from_predictions(y_noisy, trusted, y_clean)
    beside = display.ax_.child_axes[0].get_yticklabels()
    right = (y_noisy == y_clean) & (y_noisy == "rare")
    assert beside[2].get_text() == f"{(right & trusted).sum()} of {right.sum()}"


def test_wrong_and_missed_are_hatched(labels):
    y_clean, y_noisy, trusted = labels
    bars = SelectionDisplay.from_predictions(y_noisy, trusted, y_clean).bars_
    hatches = [container[0].get_hatch() for container in bars.values()]
    assert not hatches[0] and hatches[1] and hatches[2] and hatches[1] != hatches[2]


def test_without_true_labels(labels):
    _, y_noisy, trusted = labels
    found = widths(SelectionDisplay.from_predictions(y_noisy, trusted))
    assert list(found) == ["trusted", "not trusted"]
    assert found["trusted"][0] == pytest.approx(trusted[y_noisy == "big"].mean())


def test_from_network_pipeline_and_cleaner(net, blobs, make_cleaner):
    X, y, y_noisy = blobs
    display = SelectionDisplay.from_estimator(net, y_noisy, y, class_names=["a", "b", "c"])
    assert display.report["trusted"].iloc[-1] == net.clean_mask_.sum()
    assert set(display.report.index) == {"a", "b", "c", "total"}
    same = SelectionDisplay.from_estimator(make_pipeline("passthrough", net), y_noisy, y)
    assert same.report["found"].tolist() == display.report["found"].tolist()
    cleaner = make_cleaner(n_rounds=1).set_params(trust="once").fit(X, y_noisy, y_clean=y)
    display = SelectionDisplay.from_estimator(cleaner, cleaner.labels_, y)
    assert display.report["trusted"].iloc[-1] == cleaner.clean_mask_.sum()


def test_a_classifier_without_verdict_is_refused(blobs):
    X, _, y_noisy = blobs
    with pytest.raises(NotFittedError, match="clean_mask_.*LogisticRegression has none"):
        SelectionDisplay.from_estimator(LogisticRegression().fit(X, y_noisy), y_noisy)
    with pytest.raises(TypeError, match="report must be a table"):
        SelectionDisplay({"samples": [1]})
