import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from noisyactive.inspection import cleaning_report


def test_rounds_are_counted_as_they_were_taught(make_cleaner, blobs):
    X, y, y_noisy = blobs
    cleaner = make_cleaner().start(X, y_noisy, validation_data=(X, y))
    labels, log, scores = y_noisy.copy(), [], []
    while len(rows := cleaner.query()):
        scores.append(cleaner.history_["score"][-1])
        answers = [None if number == 0 else y[row] for number, row in enumerate(rows)]
        told = rows[1:]
        log.append((len(rows), int((labels[told] != y[told]).sum())))
        labels[told] = y[told]
        cleaner.teach(rows, answers)
    scores.append(cleaner.history_["score"][-1])

    report = cleaning_report(cleaner)
    assert report.index.tolist() == [0, 1, 2, 3]
    assert report["asked"].tolist() == [0, *(asked for asked, _ in log)]
    assert report["answers"].tolist() == report["answered"].tolist() == report["asked"].tolist()
    assert report["changed"].tolist() == [0, *(changed for _, changed in log)]
    np.testing.assert_allclose(report["hit_rate"], [np.nan, *(c / a for a, c in log)])
    assert report["cost"].tolist() == np.cumsum([0, *(asked for asked, _ in log)]).tolist()
    np.testing.assert_array_equal(report["score"], scores)
    np.testing.assert_allclose(report["gain"], np.array(scores) - scores[0])


def test_answers_per_point_of_the_score(make_cleaner, blobs):
    X, y, y_noisy = blobs
    scores = iter([0.5, 0.6, 0.45, 0.75])
    cleaner = make_cleaner(scoring=lambda *_: next(scores))
    cleaner.fit(X, y_noisy, y_clean=y, validation_data=(X, y))
    # 6 answers for 10 points, nothing after 12, 18 answers for 25 points
    expected = [np.nan, 0.6, np.nan, 0.72]
    np.testing.assert_allclose(cleaning_report(cleaner)["answers_per_point"], expected)


def test_without_validation_data_there_are_no_scores(make_cleaner, blobs):
    X, y, y_noisy = blobs
    report = cleaning_report(make_cleaner().fit(X, y_noisy, y_clean=y))
    assert report[["score", "gain", "answers_per_point"]].isna().all(axis=None)


def test_several_annotators_answer_for_the_same_rows(make_cleaner, blobs):
    X, y, y_noisy = blobs
    cleaner = make_cleaner(answers_per_item=2, n_rounds=1).fit(X, y_noisy, y_clean=y)
    last = cleaning_report(cleaner).iloc[-1]
    assert (last["asked"], last["answered"], last["answers"]) == (3, 3, 6)
    assert last["hit_rate"] == last["changed"] / 3


def test_bad_input_is_named(make_cleaner):
    with pytest.raises(TypeError, match="cleaner must be an ActiveLabelCleaner, got dict"):
        cleaning_report({})
    with pytest.raises(NotFittedError):
        cleaning_report(make_cleaner())
