"""Selection in a mini-batch, against a second implementation written from the paper's text."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noisyactive.coteaching._selection import count_selected, scheduled_forget_rate, select_clean


def select_by_the_book(loss, vog, R, m):
    """R1 smallest losses, then the R2 smallest VOG among the rest; R1 + R2 = R, R2 = [m R]."""
    R2 = int(np.floor(m * R + 1e-9))
    batch = range(len(loss))
    by_loss = sorted(batch, key=lambda b: (loss[b], b))[: R - R2]
    rest = [b for b in batch if b not in by_loss]
    by_vog = sorted(rest, key=lambda b: (np.isnan(vog[b]), vog[b], b))[:R2]
    return set(by_loss), set(by_vog)


# Few distinct values, so that ties are common.
values = st.integers(0, 4).map(float)


@given(data=st.data(), m=st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]) | st.floats(0, 1))
def test_mixed_selection_is_that_of_the_paper(data, m):
    n = data.draw(st.integers(1, 30))
    loss = data.draw(st.lists(values, min_size=n, max_size=n))
    vog = data.draw(st.lists(values | st.just(np.nan), min_size=n, max_size=n))
    R = data.draw(st.integers(1, n))
    picks = select_clean(torch.tensor(loss), R, torch.tensor(vog), m).tolist()
    by_loss, by_vog = select_by_the_book(loss, vog, R, m)
    assert len(picks) == len(set(picks)) == R
    # Sorting puts ties of NaN in any order; which of several unknown VOG is taken does not matter.
    assert set(picks[: len(by_loss)]) == by_loss
    chosen = picks[len(by_loss) :]
    np.testing.assert_array_equal(
        np.sort([vog[b] for b in chosen]), np.sort([vog[b] for b in by_vog])
    )
    if not any(np.isnan(vog[b]) for b in by_vog):
        assert set(chosen) == by_vog


def test_mix_ratio_of_zero_is_loss_alone_and_of_one_is_vog_alone():
    loss, vog = torch.tensor([1.0, 2, 3, 4]), torch.tensor([4.0, 3, 2, 1])
    assert set(select_clean(loss, 2, vog, 0.0).tolist()) == {0, 1}
    assert set(select_clean(loss, 2, vog, 1.0).tolist()) == {2, 3}
    assert set(select_clean(loss, 2, None, 1.0).tolist()) == {0, 1}


@given(st.integers(1, 1000), st.integers(0, 99))
def test_count_selected_is_the_exact_floor(batch_size, percent):
    exact = max(1, (100 - percent) * batch_size // 100)
    assert count_selected(batch_size, percent / 100) == exact


@pytest.mark.parametrize("exponent", [0.5, 1, 2])
def test_forget_rate_ramps_continuously_to_its_end(exponent):
    taus = [scheduled_forget_rate(e, 0.4, 10, exponent) for e in range(13)]
    expected = [0.4 * min((e / 10) ** exponent, 1) for e in range(13)]
    np.testing.assert_allclose(taus, expected)
    assert scheduled_forget_rate(-1, 0.4) == 0
    assert scheduled_forget_rate(0, 0.4, ramp_epochs=0) == 0.4
