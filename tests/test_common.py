"""scikit-learn's own checks of what an estimator must be."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from torch import nn

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    InstanceDependentLabelNoise,
    LabelNoiseSampler,
    LongTailSampler,
    NoisyLabelsClassifier,
    PairLabelNoise,
    TransitionLabelNoise,
    UniformLabelNoise,
)
from noisyactive.models import FrozenFeatures

NOISE = UniformLabelNoise(0.1, random_state=0)
MODEL = LogisticRegression()
KINDS = ("dense", "sparse")
QUICK = {"max_epochs": 6, "ramp_epochs": 1, "warmup_epochs": 2, "batch_size": 32}

ESTIMATORS = [
    CoTeachingClassifier(**QUICK),
    CoTeachingVOGClassifier(**QUICK, vog_window=2, forget_rate=0.1),
    ActiveLabelCleaner(MODEL),
    ActiveLabelCleaner(make_pipeline(StandardScaler(), MODEL), pool="unverified", trust="all"),
    ActiveLabelCleaner(make_pipeline(FrozenFeatures(nn.Flatten()), MODEL), trust="once"),
    NoisyLabelsClassifier(MODEL, NOISE),
    LabelNoiseSampler(NOISE),
    LongTailSampler(imbalance_factor=2, random_state=0),
    FrozenFeatures(nn.Flatten()),
]


def expected_failures(estimator):
    if isinstance(estimator, CoTeachingClassifier):
        # A weight of 2 makes a sample count twice in the batch that it is drawn into; twice in the
        # data, it is drawn into two batches. scikit-learn says the same of its SGDClassifier.
        reason = "mini-batches are drawn by row"
        return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in KINDS}
    return {}


@pytest.mark.slow
# Tiny data sets and few epochs: that VOG had no time to take part is not what is checked here.
@pytest.mark.filterwarnings("ignore:VOG was never used:UserWarning")
# Checks that this scikit-learn does not run (array API, y-only transformers).
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "noise",
    [
        InstanceDependentLabelNoise(0.1),
        PairLabelNoise(0.1),
        TransitionLabelNoise([[0.9, 0.1], [0.2, 0.8]]),
        UniformLabelNoise(0.1),
    ],
    ids=lambda noise: type(noise).__name__,
)
# Of transformers of y, scikit-learn runs a single check, and says that it skips the others.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks_of_transformers_of_y(noise):
    check_estimator(noise)
