import matplotlib.pyplot as plt
import numpy as np
import pytest

from noisyactive.inspection import CleaningCurveDisplay

ANSWERS = [0, 10, 20]
SCORES = np.array([[0.5, 0.7, 0.8], [0.6, 0.7, 0.9], [0.7, 0.7, 1.0]])


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_mean_and_one_standard_deviation_over_seeds():
    display = CleaningCurveDisplay({"coreset": (ANSWERS, SCORES)}, score_name="macro F1").plot()
    (line,), (band,) = display.lines_, display.bands_
    np.testing.assert_allclose(line.get_xydata(), [(0, 0.6), (10, 0.7), (20, 0.9)])
    corners = band.get_paths()[0].vertices
    at_the_end = corners[corners[:, 0] == 20, 1]
    assert at_the_end.min() == pytest.approx(0.8) and at_the_end.max() == pytest.approx(1.0)
    label = display.ax_.get_ylabel()
    assert "macro F1" in label and "1 standard deviation, 3 seeds" in label
    assert display.ax_.get_xlabel() == "labels bought"


def test_one_seed_has_no_band():
    display = CleaningCurveDisplay({"coreset": (ANSWERS, SCORES[0])}).plot()
    assert display.bands_ == [None]
    assert display.curves["coreset"][1].shape == (1, 3)
    assert "seeds" not in display.ax_.get_ylabel()


def test_methods_differ_by_more_than_their_colour():
    curves = {f"method {number}": (ANSWERS, SCORES) for number in range(7)}
    lines = CleaningCurveDisplay(curves).plot().lines_
    for look in ("get_color", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 7


def test_ceiling_is_a_dashed_line_in_the_legend():
    display = CleaningCurveDisplay({"coreset": (ANSWERS, SCORES)}, ceiling=0.97).plot()
    assert set(display.ceiling_.get_ydata()) == {0.97}
    assert display.ceiling_.is_dashed()
    assert texts(display.legend_) == ["coreset", "all labels clean"]


def test_from_cleaners(make_cleaner, blobs):
    X, y, y_noisy = blobs

    def run(strategy, seed):
        cleaner = make_cleaner(query_strategy=strategy, random_state=seed)
        return cleaner.fit(X, y_noisy, y_clean=y, validation_data=(X, y))

    cleaners = {"entropy": [run("entropy", 0), run("random", 1)], "random": run("random", 2)}
    display = CleaningCurveDisplay.from_cleaners(cleaners)
    assert display.score_name == "macro F1"
    for line, seeds in zip(
        display.lines_, [cleaners["entropy"], [cleaners["random"]]], strict=True
    ):
        assert line.get_xdata().tolist() == seeds[0].history_["cost"].tolist()
        mean = np.mean([cleaner.history_["score"] for cleaner in seeds], axis=0)
        np.testing.assert_allclose(line.get_ydata(), mean)
    assert display.bands_[0] is not None and display.bands_[1] is None


def test_seeds_are_averaged_as_far_as_all_went(make_cleaner, blobs):
    X, y, y_noisy = blobs
    runs = [
        make_cleaner(n_rounds=n).fit(X, y_noisy, y_clean=y, validation_data=(X, y)) for n in (1, 3)
    ]
    assert len(CleaningCurveDisplay.from_cleaners({"a": runs}).curves["a"][0]) == 2


def test_a_cleaner_without_scores_is_named(make_cleaner, blobs):
    X, y, y_noisy = blobs
    cleaner = make_cleaner().fit(X, y_noisy, y_clean=y)
    with pytest.raises(ValueError, match=r"cleaners\['mine'\] has no scores: pass validation_data"):
        CleaningCurveDisplay.from_cleaners({"mine": cleaner})


@pytest.mark.parametrize(
    ("curves", "error", "message"),
    [
        ({}, TypeError, "curves must map names"),
        ({"a": [1, 2, 3]}, TypeError, r"curves\['a'\] must be a pair"),
        ({"a": ([0, 1], [1, 2, 3])}, ValueError, r"curves\['a'\] must hold answers of shape"),
        ({"a": ([0, 1], [np.nan] * 2)}, ValueError, "only NaN"),
    ],
)
def test_bad_curves_are_named(curves, error, message):
    with pytest.raises(error, match=message):
        CleaningCurveDisplay(curves)


def test_bad_ceilings_and_cleaners_are_named():
    with pytest.raises(TypeError, match="ceiling must be a number"):
        CleaningCurveDisplay({"a": ([0], [1])}, ceiling="high")
    with pytest.raises(TypeError, match=r"cleaners\['a'\] must be an ActiveLabelCleaner"):
        CleaningCurveDisplay.from_cleaners({"a": [3]})
    with pytest.raises(ValueError, match="has no cleaner"):
        CleaningCurveDisplay.from_cleaners({"a": []})


def test_draws_on_given_axes():
    figure, (_, right) = plt.subplots(1, 2)
    display = CleaningCurveDisplay({"a": (ANSWERS, SCORES)})
    assert display.plot(ax=right) is display
    assert display.ax_ is right and display.figure_ is figure
