import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from noisyactive.inspection import TransitionMatrixDisplay


def test_true_classes_down_and_given_labels_across(labels):
    y_clean, y_noisy, _ = labels
    display = TransitionMatrixDisplay.from_predictions(y_noisy, y_clean)
    order = ["big", "middle", "rare"]
    expected = confusion_matrix(y_clean, y_noisy, labels=order, normalize="true")
    np.testing.assert_allclose(display.image_.get_array(), expected)
    across = [text.get_text() for text in display.ax_.get_xticklabels()]
    down = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert across == order and down == ["big (120)", "middle (60)", "rare (20)"]
    assert display.ax_.get_xlabel() == "given label"
    assert display.ax_.get_ylabel() == "true class (samples)"


def test_numbers_in_the_cells():
    matrix = [[0.754, 0.246, 0], [0.001, 0.999, 0], [np.nan] * 3]
    display = TransitionMatrixDisplay.from_matrix(matrix, class_names=["a", "b", "c"])
    cells = [[text.get_text() for text in row] for row in display.texts_]
    assert cells == [[".75", ".25", "·"], ["<.01", "1.00", "·"], ["?"] * 3]
    places = [text.get_position() for text in display.texts_[0]]
    assert places == [(0, 0), (1, 0), (2, 0)]


def test_many_classes_get_a_scale_instead_of_numbers():
    display = TransitionMatrixDisplay.from_matrix(np.eye(20))
    assert display.texts_ is None and display.image_.colorbar is not None


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 0]], "shape"),
        ([[0.5, 0.4], [0, 1]], "sum 1"),
        ([[1.5, -0.5], [0, 1]], "not negative"),
        ([[0.9, 0.2], [0.1, 0.8]], "each row"),  # the transpose, as cleanlab has it
    ],
)
def test_what_is_no_transition_matrix_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        TransitionMatrixDisplay.from_matrix(matrix)
