import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from noisyactive import PairLabelNoise
from noisyactive.inspection import noise_report


def test_matrix_is_the_row_normalised_confusion_matrix(labels):
    y_clean, y_noisy, _ = labels
    _, matrix = noise_report(y_noisy, y_clean)
    order = ["big", "middle", "rare"]
    assert matrix.index.tolist() == matrix.columns.tolist() == order
    expected = confusion_matrix(y_clean, y_noisy, labels=order, normalize="true")
    np.testing.assert_allclose(matrix, expected)


def test_rates_by_true_class_and_by_given_label(labels):
    y_clean, y_noisy, _ = labels
    rates, _ = noise_report(y_noisy, y_clean)
    wrong = y_noisy != y_clean
    for name in ("big", "middle", "rare"):
        row = rates.loc[name]
        assert row["samples"] == (y_clean == name).sum()
        assert row["noise_rate"] == pytest.approx(wrong[y_clean == name].mean())
        assert row["given"] == (y_noisy == name).sum()
        assert row["given_noise_rate"] == pytest.approx(wrong[y_noisy == name].mean())
    assert rates.index.tolist() == ["big", "middle", "rare", "total"]
    assert rates.loc["total", "noise_rate"] == rates.loc["total", "given_noise_rate"]
    assert rates.loc["total", "noise_rate"] == pytest.approx(wrong.mean())


def test_convention_is_that_of_the_noise_transformers():
    y = np.repeat([0, 1, 2], [50, 30, 20])  # in the order of their sizes
    noise = PairLabelNoise(0.4, exact=True, random_state=0)
    _, matrix = noise_report(noise.fit_transform(y), y)
    np.testing.assert_allclose(matrix, noise.transition_matrix_)
    assert matrix.loc[0, 1] == 0.4 and matrix.loc[1, 0] == 0


def test_a_class_without_true_samples_has_no_rate():
    rates, matrix = noise_report(["a", "b"], ["a", "a"])
    assert np.isnan(rates.loc["b", "noise_rate"]) and rates.loc["b", "given_noise_rate"] == 1
    assert matrix.loc["b"].isna().all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="y_noisy and y_clean must be of the same length"):
        noise_report([0, 1], [0, 1, 1])
