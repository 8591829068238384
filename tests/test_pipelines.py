"""Networks as steps of other people's pipelines: scikit-learn's and imbalanced-learn's."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as ImbalancedPipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_blobs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import estimator_html_repr

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    LabelNoiseSampler,
    LongTailSampler,
    NoisyLabelsClassifier,
    UniformLabelNoise,
    find_label_issues,
)

QUICK = {"max_epochs": 6, "warmup_epochs": 2, "ramp_epochs": 2, "vog_window": 2, "random_state": 0}
NET = CoTeachingVOGClassifier(**QUICK)
NOISE = UniformLabelNoise(0.4, exact=True, random_state=0)


@pytest.fixture
def blobs():
    return make_blobs([40, 40, 20], n_features=4, random_state=0)


def to_images(X):
    return np.asarray(X).reshape(len(X), 1, 2, 2)


def test_a_pipeline_is_the_network_on_scaled_samples(blobs):
    X, y = blobs
    X = X * [1, 10, 100, 1000]
    pipeline = make_pipeline(StandardScaler(), NET).fit(X, y)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    net = clone(NET).fit(scaled, y)
    assert_allclose(pipeline.predict_proba(X), net.predict_proba(scaled), atol=1e-5)
    assert_array_equal(pipeline.predict(X), net.predict(scaled))
    assert_array_equal(pipeline[-1].clean_mask_, net.clean_mask_)
    assert pipeline.score(X, y) == accuracy_score(y, net.predict(scaled)) > 0.9
    assert_array_equal(pipeline.classes_, [0, 1, 2])


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), NET),
        NoisyLabelsClassifier(make_pipeline(StandardScaler(), NET), NOISE),
        make_pipeline(StandardScaler(), ActiveLabelCleaner(NET, n_rounds=0, random_state=0)),
    ],
    ids=["net", "noisy", "cleaner"],
)
def test_copies_are_the_same_to_the_bit(blobs, model):
    X, y = blobs
    fitted = clone(model).fit(X, y)
    expected = fitted.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)
    assert_array_equal(clone(fitted).fit(X, y).predict_proba(X), expected)
    unfitted = pickle.loads(pickle.dumps(model))
    assert_array_equal(unfitted.fit(X, y).predict_proba(X), expected)


@pytest.mark.parametrize("state", ["unfitted", "fitted"])
def test_diagram_of_a_notebook(blobs, state):
    pipeline = make_pipeline(StandardScaler(), NoisyLabelsClassifier(NET, NOISE))
    if state == "fitted":
        pipeline.fit(*blobs)
    html = estimator_html_repr(pipeline)
    for step in ("StandardScaler", "NoisyLabelsClassifier", "CoTeachingVOGClassifier"):
        assert step in html


class TestDataFrames:
    @pytest.fixture
    def frame(self, blobs):
        X, y = blobs
        frame = pd.DataFrame(X[:, :2], columns=["age", "dose"])
        frame["site"] = np.array(["north", "south", "west"])[(y + (X[:, 2] > 0)) % 3]
        return frame, np.array(["benign", "naevus", "melanoma"])[y]

    @pytest.fixture
    def columns(self):
        return make_column_transformer(
            (StandardScaler(), ["age", "dose"]),
            (OneHotEncoder(sparse_output=False), ["site"]),
            verbose_feature_names_out=False,
        )

    def test_columns_of_several_kinds(self, frame, columns):
        X, y = frame
        pipeline = make_pipeline(columns, NET).fit(X, y)
        numbers = X[["age", "dose"]]
        by_hand = ((numbers - numbers.mean()) / numbers.std(ddof=0)).join(
            pd.get_dummies(X["site"], dtype=float)
        )
        net = clone(NET).fit(by_hand.to_numpy(), y)
        assert_array_equal(pipeline.predict(X), net.predict(by_hand.to_numpy()))
        assert pipeline.score(X, y) > 0.8
        # Columns of a DataFrame are found by their names; rows by their places.
        mixed = X[["site", "dose", "age"]].set_axis(range(len(X), 0, -1))
        assert_array_equal(pipeline.predict_proba(mixed), pipeline.predict_proba(X))

    @pytest.mark.parametrize("how", ["set_output", "config"])
    def test_names_reach_the_network(self, frame, columns, how):
        X, y = frame
        pipeline = make_pipeline(columns, NET)
        names = ["age", "dose", "site_north", "site_south", "site_west"]
        plain = clone(pipeline).fit(X, y).predict_proba(X)
        if how == "set_output":
            pipeline.set_output(transform="pandas").fit(X, y)
            proba = pipeline.predict_proba(X)
        else:
            with config_context(transform_output="pandas"):
                proba = pipeline.fit(X, y).predict_proba(X)
        assert pipeline[-1].feature_names_in_.tolist() == names
        assert_array_equal(proba, plain)


class TestImages:
    def test_a_transformer_may_make_images_of_rows(self, blobs):
        X, y = blobs
        pipeline = make_pipeline(StandardScaler(), FunctionTransformer(to_images), NET).fit(X, y)
        net = clone(NET).fit(to_images(StandardScaler().fit_transform(X)), y)
        scaled = to_images(pipeline[0].transform(X))
        assert_array_equal(pipeline.predict_proba(X), net.predict_proba(scaled))
        assert any(isinstance(m, torch.nn.Conv2d) for m in pipeline[-1].module_.modules())


class Recording(CoTeachingVOGClassifier):
    """Keeps what it was fitted to."""

    def fit(self, X, y=None, **fit_params):
        self.seen_ = X, y
        return super().fit(X, y, **fit_params)


class TestImbalancedLearn:
    @pytest.mark.parametrize("images", [False, True])
    def test_validation_folds_keep_every_row_and_label(self, blobs, images):
        X, y = blobs
        X[:, 0] = np.arange(len(y))  # which row this is
        if images:
            X = to_images(X)
        before = X.copy(), y.copy()
        scored = []

        def row_numbers(X):
            return X.reshape(len(X), -1)[:, 0].astype(int)

        def recording_scorer(estimator, X_val, y_val):
            rows = row_numbers(X_val)
            assert_array_equal(y_val, y[rows])
            assert_array_equal(X_val, X[rows])
            scored.append(rows)
            return estimator.score(X_val, y_val)

        pipeline = ImbalancedPipeline(
            [
                ("tail", LongTailSampler(imbalance_factor=4, random_state=0)),
                ("noise", LabelNoiseSampler(NOISE)),
                ("net", Recording(**QUICK)),
            ]
        )
        result = cross_validate(
            pipeline,
            X,
            y,
            cv=StratifiedKFold(4),
            scoring=recording_scorer,
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
        for rows, expected in zip(scored, result["indices"]["test"], strict=True):
            assert_array_equal(rows, expected)
        for fitted, train in zip(result["estimator"], result["indices"]["train"], strict=True):
            X_fit, y_fit = fitted["net"].seen_
            rows = row_numbers(X_fit)
            assert set(rows) <= set(train)
            # 15 rows are left of the rarest class: a tail 15, 7.5, 3.75 of whole samples.
            assert_array_equal(np.bincount(y[rows]), [15, 7, 3])
            assert_array_equal(fitted["noise"].noise_.flip_mask_, y_fit != y[rows])
            # 40% of 15, 7 and 3 labels, to the nearest whole number.
            assert_array_equal(np.bincount(y[rows][y_fit != y[rows]]), [6, 3, 1])
            assert fitted["net"].clean_mask_.shape == (25,)
        assert_array_equal(X, before[0])
        assert_array_equal(y, before[1])

    def test_between_their_samplers_and_transformers(self, blobs):
        """The same as every step by hand; names of features go through."""
        X, y = blobs
        frame = pd.DataFrame(X, columns=list("abcd"))
        pipeline = ImbalancedPipeline(
            [
                ("scale", StandardScaler().set_output(transform="pandas")),
                ("tail", LongTailSampler(imbalance_factor=4, random_state=0)),
                ("noise", LabelNoiseSampler(NOISE)),
                ("more", RandomOverSampler(random_state=0)),
                ("net", NET),
            ]
        ).fit(frame, y)
        scaled = StandardScaler().fit_transform(X)
        tail = LongTailSampler(imbalance_factor=4, random_state=0).fit_resample(scaled, y)
        noisy = clone(NOISE).fit_transform(tail[1])
        more = RandomOverSampler(random_state=0).fit_resample(tail[0], noisy)
        net = clone(NET).fit(*more)
        assert_array_equal(pipeline.predict_proba(frame), net.predict_proba(scaled))
        assert pipeline["net"].feature_names_in_.tolist() == list("abcd")

    def test_noise_and_its_cleaning_in_one_pipeline(self, blobs):
        X, y = blobs
        cleaner = ActiveLabelCleaner(
            CoTeachingClassifier(max_epochs=4, forget_rate=0.4, ramp_epochs=2, random_state=0),
            n_rounds=2,
            round_budget=5,
            pool="unverified",
            fine_tune_epochs=1,
            random_state=0,
        )
        pipeline = Pipeline([("scale", StandardScaler()), ("clean", cleaner)])
        pipeline = ImbalancedPipeline([("noise", LabelNoiseSampler(NOISE)), *pipeline.steps])
        pipeline.fit(X, y, clean__y_clean=y)
        y_noisy = clone(NOISE).fit_transform(y)
        bought = pipeline["clean"].relabelled_round_ > 0
        assert bought.sum() == 10
        assert_array_equal(pipeline["clean"].labels_, np.where(bought, y, y_noisy))
        assert pipeline.score(X, y) > 0.8


class TestTexts:
    """Strings go through a vectoriser into the networks, as sparse rows."""

    WORDS = {"beach": "sand sea wave sun shell", "city": "tram street shop roof sun"}
    MODEL = make_pipeline(TfidfVectorizer(), clone(NET).set_params(forget_rate=0.2))

    @pytest.fixture(params=["list", "array", "objects", "Series"])
    def texts(self, request):
        rng = np.random.RandomState(0)
        y = np.array(["beach", "city"])[np.arange(80) % 2]
        texts = [" ".join(rng.choice(self.WORDS[label].split(), 6)) for label in y]
        kinds = {
            "list": lambda: texts,
            "array": lambda: np.array(texts),
            "objects": lambda: np.array(texts, dtype=object),
            "Series": lambda: pd.Series(texts, index=range(80, 0, -1)),
        }
        return kinds[request.param](), y

    def test_cross_validation_and_search(self, texts):
        assert cross_val_score(self.MODEL, *texts, cv=2).min() > 0.9
        grid = {"tfidfvectorizer__min_df": [1, 2], "coteachingvogclassifier__mix_ratio": [0, 0.5]}
        assert set(GridSearchCV(self.MODEL, grid, cv=2).fit(*texts).best_params_) == set(grid)

    @pytest.mark.parametrize("texts", ["list"], indirect=True)
    def test_a_column_of_hugging_face(self, texts):
        datasets = pytest.importorskip("datasets")
        column = datasets.Dataset.from_dict({"text": texts[0]})["text"]
        y_noisy = clone(NOISE).set_params(noise_rate=0.1).fit_transform(texts[1])
        model = make_pipeline(TfidfVectorizer(), LogisticRegression())
        tables = [find_label_issues(model, X, y_noisy, random_state=0) for X in (column, texts[0])]
        pd.testing.assert_frame_equal(*tables)
        cleaner = ActiveLabelCleaner(model, n_rounds=1, round_budget=8, random_state=0)
        runs = [clone(cleaner).fit(X, y_noisy, y_clean=texts[1]) for X in (column, texts[0])]
        np.testing.assert_array_equal(*(run.predict_proba(column) for run in runs))

    def test_audit_and_cleaner(self, texts):
        X, y = texts
        y_noisy = clone(NOISE).set_params(noise_rate=0.1).fit_transform(y)
        wrong = y_noisy != y
        issues = find_label_issues(self.MODEL, X, y_noisy, random_state=0)
        rows = X.index if isinstance(X, pd.Series) else np.arange(80)
        assert issues.loc[rows[wrong], "is_issue"].all()
        cleaner = ActiveLabelCleaner(
            self.MODEL, n_rounds=2, round_budget=8, fine_tune_epochs=2, random_state=0
        )
        cleaner.fit(X, y_noisy, y_clean=y)
        assert (cleaner.labels_ != y).sum() < wrong.sum()
        assert cleaner.score(X, y) > 0.9
