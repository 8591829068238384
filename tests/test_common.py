"""scikit-learn's own checks of what an estimator must be."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier


@pytest.mark.slow
# Tiny data sets and few epochs: that VOG had no time to take part is not what is checked here.
@pytest.mark.filterwarnings("ignore:VOG was never used:UserWarning")
# Checks that this scikit-learn does not run (array API, y-only transformers).
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        CoTeachingClassifier(max_epochs=20, ramp_epochs=5, warmup_epochs=5),
        CoTeachingVOGClassifier(max_epochs=20, ramp_epochs=5, warmup_epochs=5),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
