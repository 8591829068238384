"""Where the image of a sample comes from."""

import numpy as np
import pytest
from PIL import Image

from noisyactive._images import image_finder


def test_a_folder_is_searched_by_id(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "lesion.png")
    find = image_finder(tmp_path, np.zeros((2, 4, 4)))
    assert find(1, "lesion") == tmp_path / "lesion.png"
    assert find(1, "another") is None


def test_a_function_is_called_with_the_row():
    find = image_finder(lambda row: f"file of row {row}", None)
    assert find(7, "lesion") == "file of row 7"


def test_samples_are_shown_if_they_are_images():
    X = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    find = image_finder(None, X)
    assert (np.asarray(find(1, "lesion")) == X[1]).all()
    assert image_finder(None, X.reshape(2, 16)) is None
    assert image_finder(None, None) is None


def test_what_gives_no_images(tmp_path):
    with pytest.raises(TypeError, match="a folder, a callable or None, got 5"):
        image_finder(5, None)
    with pytest.raises(FileNotFoundError, match="no folder"):
        image_finder(tmp_path / "missing", None)
