"""Progress bars: one for the outermost call that was asked for one, and none by default."""

import re

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier
from noisyactive._progress import _current, progress, report

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
    ActiveLabelCleaner(NET, n_rounds=1, round_budget=3, tune_epochs=2).fit(X, y, y_clean=y)
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
        net, n_rounds=3, round_budget=4, pool="unverified", tune_epochs=2, verbose=1
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
            assert _current.get()._bar.n == pytest.approx(0.5 + 0.5 / 4)
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
