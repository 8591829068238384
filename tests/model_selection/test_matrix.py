import numpy as np
import pytest

from noisyactive import UniformLabelNoise
from noisyactive.model_selection import uniform_transition_matrix


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_it_is_the_matrix_of_the_noise_that_it_names(n_classes):
    y = np.repeat(np.arange(n_classes), 20_000)
    noise = UniformLabelNoise(0.3, exact=True, random_state=0)
    noise.fit_transform(y)
    matrix = uniform_transition_matrix(0.3, n_classes)
    np.testing.assert_allclose(matrix, noise.transition_matrix_, atol=0.01)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)


@pytest.mark.parametrize("noise_rate", [-0.1, 1, np.nan, "0.4", True, None])
def test_impossible_rates(noise_rate):
    with pytest.raises(ValueError, match=r"noise_rate must be a number in \[0, 1\)"):
        uniform_transition_matrix(noise_rate, 3)


@pytest.mark.parametrize("n_classes", [1, 0, 2.5, "3", True])
def test_impossible_numbers_of_classes(n_classes):
    with pytest.raises(ValueError, match="n_classes must be an int of at least 2"):
        uniform_transition_matrix(0.1, n_classes)
