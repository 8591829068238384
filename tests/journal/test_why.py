"""Why a row is asked about, in words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noisyactive.journal._why import percent, why


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nevus", None, None), "a check of its label"),
        (("nevus", "melanoma", 0.87), "the model disagrees with the label: 87% melanoma"),
        (("nevus", "nevus", 0.93), "a check; the model agrees with the label: 93% nevus"),
        (
            ("nevus", "vascular lesion", 0.51, "melanoma", 0.4),
            "the model is unsure: 51% vascular lesion, 40% melanoma",
        ),
        (("nevus", "nevus", 0.51), "the model is unsure: 51% nevus"),
        ((1.0, 2.0, 0.999), "the model disagrees with the label: over 99% 2"),
    ],
)
def test_words(arguments, words):
    assert why(*arguments) == words
    assert why(*arguments, by_chance=True) == "a random check"
    assert why(*arguments, by_chance=True, is_tie=True) == "its annotators disagree"


@given(st.floats(0.2, 1), st.floats(0, 1))
def test_no_numbers_that_contradict_each_other(first, share):
    second = min(first, share * (1 - first))
    numbers = [int(n) for n in re.findall(r"(\d+)%", why("a", "b", first, "c", second))]
    assert sum(numbers) <= 100 and numbers == sorted(numbers, reverse=True)
    assert numbers[0] == pytest.approx(100 * first, abs=1)


@given(st.floats(0, 1))
def test_nothing_is_called_certain_or_impossible_that_is_not(probability):
    text = percent(probability)
    assert (text == "100%") == (probability == 1) and (text == "0%") == (probability == 0)
