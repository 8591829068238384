"""Progress bars: one for the outermost call that was asked for one, and none by default."""

import re

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier
from noisyactive._progress import _current, progress, report
from noisyactive.datasets import ImageTable

NET = CoTeachingClassifier(max_epochs=4, forget_rate=0.2, ramp_epochs=2, random_state=0)


@pytest.fixture
def data():
    X, y = make_blobs(60, random_state=0)
    return X.astype(np.float32), y


def bars(capsys):
    """Title, and percentages in the order in which they were shown, of each bar."""
    shown = capsys.readouterr()
    assert not shown.out
    found = {}
    for title, percentage in re.findall(r"([\w ]+?) +(\d+)%\|", shown.err):
        found.setdefault(title, []).append(int(percentage))
    return found, shown.err


def test_silent_by_default(data, capsys):
    X, y = data
    NET.fit(X, y)
    ActiveLabelCleaner(NET, n_rounds=1, round_budget=3, fine_tune_epochs=2).fit(X, y, y_clean=y)
    assert capsys.readouterr() == ("", "")


def test_a_net_shows_its_epochs(data, capsys):
    X, y = data
    net = CoTeachingClassifier(**{**NET.get_params(), "verbose": 1})
    net.fit(X, y, validation_data=(X, y))
    found, text = bars(capsys)
    assert list(found) == ["CoTeachingClassifier"]
    assert found["CoTeachingClassifier"][0] == 0
    assert found["CoTeachingClassifier"][-1] == 100
    assert "epoch 4" in text
    assert f"valid acc {net.history[-1, 'valid_acc']:.3g}" in text
    assert "<" in text  # time left


def test_the_table_of_epochs_is_one_step_further(data, capsys):
    X, y = data
    CoTeachingClassifier(**{**NET.get_params(), "verbose": 2}).fit(X, y)
    shown = capsys.readouterr()
    assert not shown.err
    assert shown.out.count("\n") == 2 + 4


def test_a_cleaner_has_one_bar_for_all_that_it_calls(data, capsys):
    X, y = data
    net = CoTeachingClassifier(**{**NET.get_params(), "verbose": 1})
    cleaner = ActiveLabelCleaner(
        net, n_rounds=3, round_budget=4, pool="unverified", fine_tune_epochs=2, verbose=1
    ).fit(X, y, y_clean=y, validation_data=(X, y))
    found, text = bars(capsys)
    assert list(found) == ["Cleaning labels"]
    percentages = found["Cleaning labels"]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    score = cleaner.history_["score"][-1]
    assert f"round 3, answers 12, score {score:.3g}" in text


def test_each_step_of_practice_has_its_bar(data, capsys):
    X, y = data
    cleaner = ActiveLabelCleaner(
        LogisticRegression(), n_rounds=1, round_budget=4, pool="unverified", verbose=1
    ).start(X, y)
    assert bars(capsys)[0]["First phase"][-1] == 100
    rows = cleaner.query()
    assert bars(capsys)[0] == {}  # nothing to train
    cleaner.teach(rows, y[rows]).query()
    assert bars(capsys)[0]["Round 1"][-1] == 100


def test_the_check_of_images(tmp_path, capsys):
    for number in range(3):
        Image.new("L", (4, 4), number).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.iterdir())
    ImageTable(paths)
    assert bars(capsys)[0] == {}
    ImageTable(paths, verbose=1, n_jobs=2)
    found, text = bars(capsys)
    assert found["Checking images"][-1] == 100
    assert "images 3" in text


def test_a_broken_training_leaves_no_bar_behind(data):
    X, y = data

    def oracle(rows, X_rows):
        raise ConnectionError

    cleaner = ActiveLabelCleaner(
        LogisticRegression(), n_rounds=1, round_budget=4, pool="unverified", verbose=1
    )
    with pytest.raises(ConnectionError):
        cleaner.fit(X, y, oracle=oracle)
    assert _current.get() is None


def test_parts_of_parts(capsys):
    with progress("outer", 2, verbose=1):
        with progress("inner", 5, verbose=1):
            for _ in range(7):  # more than was planned
                report(loss=0.12345, name="x")
        with progress("again", 2, verbose=0):  # the same stretch: nothing goes backwards
            report()
        report()
        with progress("inner", 4, verbose=0):
            report()
            assert _current.get().bar.n == pytest.approx(0.5 + 0.5 / 4)
    found, _ = bars(capsys)
    assert list(found) == ["outer"]
    assert found["outer"][-1] == 100


class TestNotebook:
    def test_both_networks_and_whom_they_trust(self, data):
        X, y = data
        net = CoTeachingClassifier(**NET.get_params())
        assert "noisyactive-networks" not in net._repr_mimebundle_()["text/html"]
        net.fit(X, y)
        for html in (net._repr_mimebundle_()["text/html"], net._repr_html_()):
            n_trusted = net.clean_mask_.sum()
            assert f"Trusts {n_trusted} of 60 labels ({n_trusted / 60:.1%})" in html
            assert html.count("<summary>Network") == 2
            n_weights = sum(p.numel() for p in net.module_.networks[0].parameters())
            assert html.count(f"{n_weights:,} weights") == 2

    def test_what_a_network_says_of_itself_is_escaped(self, data):
        import torch

        class Hostile(torch.nn.Linear):
            def extra_repr(self):
                return "<script>alert(1)</script>"

        X, y = data
        net = CoTeachingClassifier(
            Hostile, module__in_features=2, module__out_features=3, max_epochs=2, forget_rate=0.1
        )
        html = net.fit(X, y)._repr_mimebundle_()["text/html"]
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html


class Recorder:
    """A callback as scikit-learn's protocol has it; it may ask to stop."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.log, self.scores, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.log.append("setup")

    def teardown(self, estimator, context):
        self.log.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.log.append(f"{context.task_name} begins")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.log.append(f"{context.task_name} ends")
        if hasattr(fitted_estimator, "score"):
            self.scores.append(fitted_estimator.score(X, y))
        return self.log.count(f"{context.task_name} ends") == self.stop_after


class TestCallbacksOfScikitLearn:
    pytestmark = pytest.mark.skipif(
        not hasattr(CoTeachingClassifier, "set_callbacks"), reason="needs scikit-learn 1.9"
    )

    def test_on_a_net(self, data):
        X, y = data
        recorder = Recorder()
        net = CoTeachingClassifier(**NET.get_params()).set_callbacks(recorder).fit(X, y)
        epochs = ["epoch begins", "epoch ends"] * 4
        assert recorder.log == ["setup", "fit begins", *epochs, "fit ends", "teardown"]
        assert recorder.scores[-1] == net.score(X, y)
        net.partial_fit(X, y, epochs=1)
        assert len(recorder.log) == 12  # of fit alone

    def test_on_a_net_that_is_told_to_stop(self, data):
        X, y = data
        recorder = Recorder(stop_after=2)
        net = CoTeachingClassifier(**NET.get_params()).set_callbacks(recorder).fit(X, y)
        assert len(net.history) == 2
        assert net.clean_mask_.shape == (60,)
        assert recorder.log[-3:] == ["epoch ends", "fit ends", "teardown"]

    def test_on_a_cleaner(self, data):
        X, y = data
        recorder = Recorder()
        ActiveLabelCleaner(
            LogisticRegression(), n_rounds=2, round_budget=4, pool="unverified"
        ).set_callbacks(recorder).fit(X, y, y_clean=y)
        rounds = ["round begins", "round ends"] * 3
        assert recorder.log == ["setup", "fit begins", *rounds, "fit ends", "teardown"]

    def test_on_a_cleaner_that_is_told_to_stop(self, data):
        X, y = data
        recorder = Recorder(stop_after=2)
        cleaner = ActiveLabelCleaner(
            LogisticRegression(), n_rounds=5, round_budget=4, pool="unverified"
        ).set_callbacks(recorder)
        cleaner.fit(X, y, y_clean=y)
        assert cleaner.history_["round"].tolist() == [0, 1]
        assert recorder.log[-1] == "teardown"

    def test_through_a_search(self, data):
        X, y = data
        recorder = Recorder()
        model = make_pipeline(StandardScaler(), CoTeachingClassifier(**NET.get_params()))
        search = GridSearchCV(model, {"coteachingclassifier__lr": [0.1, 0.2]}, cv=2)
        search.set_callbacks(recorder).fit(X, y)
        assert recorder.log.count("epoch ends") == (2 * 2 + 1) * 4

    def test_a_training_that_breaks_off(self, data):
        X, y = data
        recorder = Recorder()
        net = CoTeachingClassifier(**NET.get_params(), optimizer__lr=1e20).set_callbacks(recorder)
        with pytest.raises(FloatingPointError):
            net.fit(X, y)
        assert recorder.log[-1] == "teardown"
        assert _current.get() is None
