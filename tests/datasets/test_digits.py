import numpy as np
import pytest
from sklearn.datasets import load_digits

from noisyactive.datasets import load_long_tailed_digits
from noisyactive.quickstart import make_data


def test_is_what_the_quickstart_builds():
    X_train, y_train, _, X_test, y_test = make_data(7)
    digits = load_long_tailed_digits(validation_size=0, test_size=0.3, random_state=7)
    np.testing.assert_array_equal(digits.X_train, X_train)
    np.testing.assert_array_equal(digits.y_train, y_train)
    np.testing.assert_array_equal(digits.X_test, X_test)
    np.testing.assert_array_equal(digits.y_test, y_test)
    assert "X_val" not in digits
    with_validation = load_long_tailed_digits(random_state=7)
    np.testing.assert_array_equal(with_validation.X_train, X_train)


def test_parts_are_real_digits_and_share_none():
    digits = load_long_tailed_digits(imbalance_factor=20, order=range(9, -1, -1), random_state=0)
    X, y = load_digits(return_X_y=True)
    label_of = {image.tobytes(): label for image, label in zip(X.astype(np.uint8), y, strict=True)}
    seen = []
    for part in ("train", "val", "test"):
        images, labels = digits[f"X_{part}"], digits[f"y_{part}"]
        assert images.dtype == np.float32 and images.shape[1:] == (1, 8, 8)
        keys = [image.tobytes() for image in (images * 16).astype(np.uint8)]
        assert [label_of[key] for key in keys] == labels.tolist()
        seen += keys
    assert len(set(seen)) == len(seen)
    counts = np.bincount(digits.y_train)
    assert (np.diff(counts) > 0).all() and counts[9] // counts[0] == 20
    assert np.ptp(np.bincount(digits.y_val)) <= 2
    assert np.ptp(np.bincount(digits.y_test)) <= 2


def test_random_state():
    state = np.random.get_state()[1].copy()
    first = load_long_tailed_digits(random_state=0)
    again = load_long_tailed_digits(random_state=0)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    other = load_long_tailed_digits(random_state=1)
    assert not np.array_equal(first.X_test, other.X_test)
    fresh = [load_long_tailed_digits().X_test for _ in range(2)]
    assert not np.array_equal(*fresh)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"imbalance_factor": 0.5}, "imbalance_factor"),
        ({"test_size": 0}, "test_size must be above 0"),
        ({"test_size": 1.5}, "test_size must be a number"),
        ({"validation_size": -0.1}, "validation_size must be a number"),
        ({"validation_size": "some"}, "validation_size must be a number"),
        ({"validation_size": 0.5, "test_size": 0.5}, "leave something to train on"),
        ({"order": [1, 2]}, "order must hold each of the classes"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        load_long_tailed_digits(**options)
