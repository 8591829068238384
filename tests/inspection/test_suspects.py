import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from noisyactive import UniformLabelNoise
from noisyactive.audit import LabelAudit
from noisyactive.datasets import ImageTable
from noisyactive.inspection import SuspectsDisplay
from noisyactive.query import rank_suspects

N = 12


@pytest.fixture
def suspects():
    """Images of one grey each, labels, and probabilities that contradict some of them."""
    rng = np.random.RandomState(0)
    X = np.broadcast_to(np.arange(N, dtype=np.uint8)[:, None, None] * 20, (N, 6, 6)).copy()
    y = np.array(["cat", "dog", "owl"])[rng.randint(3, size=N)]
    return X, y, rng.dirichlet([0.3] * 3, size=N)


def greys(display):
    return [int(cell.images[0].get_array().max()) for cell in display.axes_]


def captions(cell):
    return [text.get_text() for text in cell.texts]


def test_shows_the_most_suspicious_first(suspects):
    X, y, proba = suspects
    display = SuspectsDisplay.from_predictions(X, y, proba, n_images=5)
    rows = rank_suspects(y, proba)[:5]
    assert greys(display) == [20 * row for row in rows]
    classes = np.array(["cat", "dog", "owl"])
    for cell, row in zip(display.axes_, rows, strict=True):
        given, suggested = captions(cell)
        best = proba[row].argmax()
        assert given.startswith(f"{y[row]} (") and suggested.startswith(f"→ {classes[best]} (")
        assert cell.get_xlabel() == f"row {row}"
    np.testing.assert_allclose(display.p_suggested, proba[rows].max(axis=1))
    given_column = np.searchsorted(classes, y[rows])
    np.testing.assert_allclose(display.p_given, proba[rows, given_column])


def test_probabilities_are_not_rounded_to_certainty():
    X, y = np.zeros((2, 4, 4), dtype=np.uint8), [0, 1]
    display = SuspectsDisplay.from_predictions(X, y, [[0.001, 0.999], [1.0, 0.0]])
    assert captions(display.axes_[1]) == ["0 (<1%)", "→ 1 (>99%)"]
    assert captions(display.axes_[0]) == ["1 (0%)", "→ 0 (100%)"]


@pytest.mark.parametrize("kind", ["grey", "channel", "tensor", "float", "rgb"])
def test_arrays_of_every_shape(suspects, kind):
    X, y, proba = suspects
    given = {
        "grey": X,
        "channel": X[:, None],
        "tensor": torch.as_tensor(X[:, None]),
        "float": X[:, None] / 255.0,
        "rgb": np.repeat(X[:, None], 3, axis=1),
    }[kind]
    display = SuspectsDisplay.from_predictions(given, y, proba, n_images=N)
    order = rank_suspects(y, proba)
    if kind == "float":  # black is the smallest value and white the largest
        assert greys(display) == [round(row * 255 / (N - 1)) for row in order]
    else:
        assert greys(display) == [20 * row for row in order]


def test_image_table_is_read_only_where_it_is_shown(suspects, tmp_path):
    X, y, proba = suspects
    paths = [tmp_path / f"{row:02}.png" for row in range(N)]
    for path, image in zip(paths, X, strict=True):
        Image.fromarray(image).save(path)
    table = ImageTable(paths, y, ids=[path.name for path in paths])
    rows = rank_suspects(y, proba)
    for row in rows[3:]:
        paths[row].unlink()  # nobody looks at these
    paths[rows[1]].write_bytes(b"no image")
    display = SuspectsDisplay.from_predictions(table, y, proba, n_images=3)
    assert [cell.get_xlabel() for cell in display.axes_] == [paths[row].name for row in rows[:3]]
    assert not display.axes_[1].images
    assert "is not an image" in captions(display.axes_[1])[0].replace("\n", " ")
    assert display.axes_[0].images and display.axes_[2].images


def test_ids_names_and_classes(suspects):
    X, y, proba = suspects
    ids = [f"patient/{row}/a-very-long-name-of-a-file-{row:03}.png" for row in range(N)]
    display = SuspectsDisplay.from_predictions(
        X, y, proba[:, ::-1], classes=["owl", "dog", "cat"], class_names=["O", "D", "C"], ids=ids
    )
    rows = rank_suspects(y, proba)
    assert display.rows.tolist() == rows.tolist()
    assert display.given == [label[0].upper() for label in y[rows]]
    under = display.axes_[0].get_xlabel()
    assert under.startswith("…") and under.endswith(f"{rows[0]:03}.png")


def test_more_images_than_samples_show_all(suspects):
    assert len(SuspectsDisplay.from_predictions(*suspects, n_images=100).axes_) == N


def test_takes_the_place_of_given_axes(suspects):
    figure, (left, right) = plt.subplots(1, 2)
    display = SuspectsDisplay.from_predictions(*suspects, n_images=4, ax=right)
    figure.canvas.draw()
    assert display.ax_ is right and display.figure_ is figure
    assert all(
        cell.get_window_extent().x0 >= right.get_window_extent().x0 for cell in display.axes_
    )
    assert not left.child_axes


@pytest.mark.parametrize("X", [np.zeros((N, 3)), pd.DataFrame(np.zeros((N, 3))), [[0.0]] * N])
def test_tables_are_no_images(suspects, X):
    _, y, proba = suspects
    with pytest.raises(TypeError, match="X must hold images"):
        SuspectsDisplay.from_predictions(X, y, proba)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_images": 0}, "n_images must be an int of at least 1"),
        ({"ids": ["a"]}, "ids must be as long as y, 12, got 1"),
        ({"X": np.zeros((3, 4, 4))}, "X must be as long as y, 12, got 3"),
        ({"class_names": ["a"]}, "class_names must hold a name for each of the 3 classes"),
        ({"proba": np.ones((N, 3))}, "proba"),
    ],
)
def test_bad_input_is_named(suspects, changed, message):
    X, y, proba = suspects
    with pytest.raises(ValueError, match=message):
        SuspectsDisplay.from_predictions(**{"X": X, "y": y, "proba": proba, **changed})


def test_an_estimator_judges_images_that_it_did_not_learn():
    digits = load_digits()
    images, y = digits.images[:400], digits.target[:400]
    y_noisy = UniformLabelNoise(0.2, random_state=0).fit_transform(y)
    flat = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    model = make_pipeline(flat, KNeighborsClassifier(5))
    display = SuspectsDisplay.from_estimator(
        model, images, y_noisy, n_images=20, cv=4, random_state=0
    )
    audit = LabelAudit(model, cv=4, random_state=0).fit(images, y_noisy)
    assert (y_noisy != y)[display.rows].mean() > 0.8
    assert display.rows.tolist() == audit.issues_.index[:20].tolist()
    np.testing.assert_array_equal(display.p_given, audit.label_quality_[display.rows])
    assert display.suggested == audit.issues_["suggested"][:20].astype(str).tolist()
    plt.close(display.figure_)
