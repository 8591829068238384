import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noisyactive.datasets import ImageTable, split_images, split_rows


def long_tail(rng, n=1000):
    return rng.choice(["nv", "mel", "bcc", "df"], n, p=[0.7, 0.2, 0.08, 0.02])


def test_every_class_is_shared_out_but_for_rounding():
    y = long_tail(np.random.RandomState(0))
    ratios = (0.7, 0.1, 0.2)
    parts = split_rows(y, ratios, random_state=0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    for rows, ratio in zip(parts, ratios, strict=True):
        assert (np.diff(rows) > 0).all()
        for label in np.unique(y):
            wanted = ratio * (y == label).sum()
            assert abs((y[rows] == label).sum() - wanted) < 1


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=12, max_size=60),
    st.sampled_from([(0.5, 0.5), (0.7, 0.1, 0.2), (0.8, 0.2)]),
    st.integers(0, 3),
)
def test_no_group_is_in_two_parts(samples, ratios, seed):
    y, groups = np.array(samples).T
    if len(set(groups)) < len(ratios):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes that a part lacks
        try:
            parts = split_rows(y, ratios, groups=groups, random_state=seed)
        except ValueError as error:
            assert "leave nothing for part" in str(error)
            return
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    members = [set(groups[rows]) for rows in parts]
    assert sum(map(len, members)) == len(set(groups))


def test_groups_of_many_sizes_are_shared_out_well():
    rng = np.random.RandomState(0)
    # Lesions with a class each and one to six images, as in dermatology.
    kinds = long_tail(rng, 600)
    sizes = rng.choice([1, 2, 3, 6], 600, p=[0.6, 0.25, 0.1, 0.05])
    lesion = rng.permutation(np.repeat(np.arange(600), sizes))
    y = kinds[lesion]
    ratios = (0.7, 0.1, 0.2)
    for rows, ratio in zip(
        split_rows(y, ratios, groups=lesion, random_state=1), ratios, strict=True
    ):
        for label in np.unique(y):
            wanted = ratio * (y == label).sum()
            assert abs((y[rows] == label).sum() - wanted) <= 2
    named = np.array([f"lesion {i}" for i in lesion], dtype=object)
    by_name = split_rows(y, ratios, groups=named, random_state=1)
    assert sorted({y[r] for r in by_name[2]}) == ["bcc", "df", "mel", "nv"]


def test_lesions_of_ham10000(shared_file):
    with np.load(shared_file("ham10000_28.npz"), allow_pickle=False) as file:
        y, lesion = file["labels"], file["lesion_id"]
    ratios = (0.7, 0.1, 0.2)
    parts = split_rows(y, ratios, groups=lesion, random_state=0)
    assert sum(len(set(lesion[rows])) for rows in parts) == len(set(lesion))
    assert sum(map(len, parts)) == len(y)
    for rows, ratio in zip(parts, ratios, strict=True):
        np.testing.assert_allclose(np.bincount(y[rows]), ratio * np.bincount(y), atol=1.5)


def test_random_state():
    y = long_tail(np.random.RandomState(0))
    state = np.random.get_state()[1].copy()

    def first(random_state):
        return split_rows(y, random_state=random_state)[0].tolist()

    assert first(0) == first(0) != first(1)
    assert first(None) != first(None)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    # No row has a place of its own: over many draws each is in the test part about as often.
    y = y[:200] == "nv"
    tests = [split_rows(y, random_state=i)[2] for i in range(100)]
    counts = np.bincount(np.concatenate(tests), minlength=200)
    assert counts.max() < 45 and counts.min() > 3  # 20 +- 4


def test_tables_use_their_groups_unless_told_otherwise():
    groups = np.repeat(np.arange(20), 5)
    names = [f"{i}.png" for i in range(100)]
    table = ImageTable(names, np.arange(100) % 2, groups=groups, check=False)
    parts = split_images(table, random_state=0)
    assert [len(part) for part in parts] == [70, 10, 20]
    assert sum(len(set(part.groups)) for part in parts) == 20
    by_image = split_images(table, groups=np.arange(100), random_state=0)
    assert sum(len(set(part.groups)) for part in by_image) > 20
    unlabelled = split_images(ImageTable(names, check=False), (0.5, 0.5), random_state=0)
    assert [len(part) for part in unlabelled] == [50, 50]


def test_a_class_that_a_part_lacks_is_named():
    y = ["common"] * 50 + ["rare"] * 2
    with pytest.warns(UserWarning, match=r"part 1 has none of \['rare'\]; part 2 has"):
        split_rows(y, random_state=0)


@pytest.mark.parametrize(
    "ratios", [(0.7, 0.2), (1,), (0.5, 0.5, 0), (1.5, -0.5), "half", [[0.5, 0.5]], 1, None]
)
def test_bad_ratios(ratios):
    with pytest.raises(ValueError, match="ratios must be"):
        split_rows([0, 1] * 10, ratios)


@pytest.mark.parametrize("groups", [[1.0, np.nan], ["a", None], [1, pd.NA], ["a", np.nan]])
def test_groups_with_gaps(groups):
    with pytest.raises(ValueError, match="groups .*(missing values|NaN)"):
        split_rows([0, 1] * 10, groups=groups * 10)


def test_other_bad_input():
    with pytest.raises(ValueError, match="groups must be one for each of the 20 samples, got 2"):
        split_rows([0, 1] * 10, groups=[1, 2])
    with pytest.raises(ValueError, match=r"leave nothing for part 1: .* 20 samples in 1 groups"):
        split_rows([0, 1] * 10, (0.5, 0.5), groups=[1] * 20)
    with pytest.raises(TypeError, match="table must be an ImageTable.*split_rows"):
        split_images(np.zeros((3, 2)))
