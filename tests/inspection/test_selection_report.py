import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from noisyactive.inspection import selection_report


def test_agrees_with_scikit_learn_in_each_class(labels):
    y_clean, y_noisy, trusted = labels
    report = selection_report(y_noisy, trusted, y_clean)
    members = {name: y_noisy == name for name in np.unique(y_noisy)}
    members["total"] = np.ones(len(y_noisy), dtype=bool)
    for name, rows in members.items():
        expected = precision_recall_fscore_support(
            (y_noisy == y_clean)[rows], trusted[rows], pos_label=True, average="binary"
        )
        found = report.loc[name, ["precision", "recall", "f1"]]
        np.testing.assert_allclose(found.to_numpy(dtype=float), expected[:3])


def test_counts_and_order(labels):
    y_clean, y_noisy, trusted = labels
    report = selection_report(y_noisy, trusted, y_clean)
    sizes = pd.Series(y_noisy).value_counts()  # largest first
    assert report.index.tolist() == [*sizes.index, "total"]
    assert report["samples"].tolist() == [*sizes, 200]
    assert report["trusted"].to_dict() == {
        **pd.Series(y_noisy[trusted]).value_counts(),
        "total": trusted.sum(),
    }
    np.testing.assert_allclose(report["share"], report["trusted"] / report["samples"])


def test_guess_is_the_share_of_the_truly_clean_samples_of_a_class_that_was_found(labels):
    y_clean, y_noisy, trusted = labels
    rare = (y_clean == "rare") & (y_noisy == y_clean)
    report = selection_report(y_noisy, trusted, y_clean)
    assert report.loc["rare", "guess_percent"] == pytest.approx(100 * trusted[rare].mean())


def test_without_true_labels():
    report = selection_report([3, 3, 5], [True, False, True])
    assert report.columns.tolist() == ["samples", "trusted", "share"]
    assert report.index.tolist() == [3, 5, "total"]
    assert report["share"].tolist() == [0.5, 1.0, 2 / 3]


def test_a_share_of_nothing_is_not_a_number():
    report = selection_report(["a", "a", "b"], [True, True, False], ["a", "a", "c"])
    assert report.index.tolist() == ["a", "b", "c", "total"]
    assert report.loc["c", "samples"] == 0 and np.isnan(report.loc["c", "share"])
    assert np.isnan(report.loc["b", "precision"]) and np.isnan(report.loc["b", "recall"])
    assert report.loc["total", "precision"] == 1.0


@pytest.mark.parametrize("names", [["ant", "bee"], {7: "bee", 2: "ant"}])
def test_names_by_label_or_in_the_order_of_sorted_labels(names):
    report = selection_report([7, 7, 2], [True, True, True], class_names=names)
    assert report.index.tolist() == ["bee", "ant", "total"]


def test_labels_of_many_kinds():
    for y in ([True, False, True], [1.0, 2.0, 1.0], pd.Categorical(["x", "y", "x"])):
        report = selection_report(y, [True, False, False])
        assert report["samples"].tolist() == [2, 1, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0, 1]), "clean_mask must hold a boolean for each of the 2 samples"),
        (([0, 1], [True]), "clean_mask"),
        (([0, 1], [True, False], [0]), "y and y_clean must be of the same length"),
        (([0, 1], [True, False], ["0", "1"]), "y and y_clean must hold labels of one kind"),
        (([0, 1], [True, False], [0, None]), "y_clean must have no missing values"),
        (([0, 1], [True, False], None, ["a"]), "class_names must hold a name for each of the 2"),
        (([0, 1], [True, False], None, {0: "a"}), r"none for \[1\]"),
        (([0, 1], [True, False], None, ["a", "a"]), "class_names must differ"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        selection_report(*arguments)


def test_a_string_is_no_list_of_names():
    with pytest.raises(ValueError, match="class_names must be a sequence"):
        selection_report([0, 1], [True, False], class_names="ab")
