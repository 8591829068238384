"""The window of images with more than 8 bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from noisyactive._images import window_of


def tissue(seed=0, shape=(256, 256)):
    return np.random.RandomState(seed).normal(1500, 300, shape).clip(200, 4000)


@pytest.mark.parametrize("value", [65535, -30000])
@pytest.mark.parametrize("side", [1, 12, 80])
def test_a_burnt_in_patch_does_not_spoil_the_window(value, side):
    clean = tissue()
    marked = clean.copy()
    marked[:side, :side] = value
    np.testing.assert_allclose(window_of(marked), window_of(clean), atol=60)


def test_marks_on_both_sides_with_smooth_edges():
    clean = tissue()
    marked = clean.copy()
    marked[5:45, 5:45] = 65535
    marked[100:140, 100:140] = -60000
    marked[4, 5:45] = np.linspace(4000, 65535, 40)  # a letter's edge
    np.testing.assert_allclose(window_of(marked), window_of(clean), atol=60)


def test_what_belongs_to_the_image_stays():
    rng = np.random.RandomState(0)
    stained = rng.exponential(3, (256, 256))  # few bright pixels, of all brightnesses
    cells = rng.choice(stained.size, 600, replace=False)
    stained.flat[cells] = rng.uniform(20, 4000, 600)
    assert window_of(stained)[1] > 3000
    drawing = np.zeros((64, 64))
    drawing[10:12, 10:50] = 1
    assert window_of(drawing) == (0, 1)
    halves = np.concatenate([tissue(), tissue() + 50_000])
    low, high = window_of(halves)
    assert low < 1500 and high > 51_500


@given(
    arrays.arrays(
        st.sampled_from(["<u2", "<i4", "<f4", "<f8"]),
        st.tuples(st.integers(0, 12), st.integers(1, 12)),
    )
)
def test_any_values_have_a_window_within_them(values):
    low, high = window_of(values)
    finite = values[np.isfinite(values)]
    assert low <= high
    if finite.size:
        assert finite.min() <= low and high <= finite.max()
