"""The plan for many images: examples/scale.py."""

import importlib.util
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

PATH = Path(__file__).resolve().parents[1] / "examples" / "scale.py"


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("scale", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module  # where its dataclasses look their types up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scale"]


@pytest.fixture(scope="module")
def units(scale):
    names = [one.name for one in fields(scale.Units)]
    return scale.Units(**{name: 0.001 * number for number, name in enumerate(names, 1)})


def by_name(needs):
    return {need.resource.split(":")[0]: need for need in needs}


def test_a_plan_that_was_computed_by_hand(scale, units):
    a = scale.Assumptions(
        n_images=1000, image_size=10, n_channels=2, n_classes=5, n_features=99, epochs=4,
        fine_tune_epochs=3, vog_window=6, n_rounds=2, round_budget=0.1, trusted=0.5,
        seconds_per_answer=36, n_accelerators=2, speed_up=10,
    )  # fmt: skip
    needs = {need.resource: need for need in scale.plan(units, a)}
    # Two models' worth of images: 8,000 image-epochs, then 3,000 in each of 3 trainings.
    seconds = 8_000 * 0.001 + 9_000 * 0.002 + 5_000 * 0.003
    found = needs["accelerators: training and predictions"]
    assert found.needed == pytest.approx(seconds / 20 / 3600)
    assert found.limit == 720
    read = (8_000 + 9_000 + 5_000 + 1_000) * 200 / 1e9
    assert needs["disk: reading images"].needed == pytest.approx(read / 3600)
    assert needs["people: answers"].needed == pytest.approx(200 * 36 / 3600)
    assert needs["people: answers"].limit == 20 * 6 * 30
    alone = 1000 * (0.005 + 2 * 5 * 0.004) + 200 * 0.006
    assert needs["one process: judging, queries, journal"].needed == pytest.approx(alone / 3600)
    memory = 1000 * (0.007 + 5 * 0.008) / 1e9
    assert needs["main memory: labels and probabilities"].needed == pytest.approx(memory)
    history = 2 * 2 * 6 * 100 * 1000 * 2 / 3
    disk = (1000 * (200 + 0.009) + history) / 1e9
    assert needs["disk: images, gradients, journal"].needed == pytest.approx(disk)
    assert scale.shards(list(needs.values()), replace(a, shard_gb=1e-4))[0] == 2


@given(st.integers(1, 10**9), st.integers(2, 50))
def test_needs_are_linear_in_the_images(scale, units, n_images, times):
    one = by_name(scale.plan(units, scale.Assumptions(n_images=n_images)))
    many = by_name(scale.plan(units, scale.Assumptions(n_images=n_images * times)))
    for name, need in one.items():
        assert many[name].needed == pytest.approx(times * need.needed)
        assert many[name].limit == need.limit


def test_what_breaks_first_depends_on_what_there_is(scale, units):
    units = replace(units, class_bytes=24, row_bytes=300, query_seconds=1e-8, start_seconds=1e-4)
    small = scale.Assumptions(memory_gb=16, n_people=10_000, n_accelerators=10_000)
    needs = scale.plan(units, small)
    assert needs[0].resource.startswith("main memory")
    parts = scale.shards(needs, small)[1]
    fits = replace(small, n_images=small.n_images // parts)
    (memory,) = (n for n in scale.plan(units, fits) if n.resource.startswith("main memory"))
    assert memory.share <= 1
    alone = replace(small, memory_gb=1e6, n_people=1, round_budget=0.5)
    assert scale.plan(units, alone)[0].resource.startswith("people")
    text = "\n".join(scale.report(units, alone))
    assert "First to break is people: answers" in text
    assert "All fits" in "\n".join(scale.report(units, replace(alone, n_images=100)))


def test_every_assumption_is_an_argument(scale):
    assert all(one.metadata["help"] for one in fields(scale.Assumptions))
    found, quick = scale.parsed(["--n-images", "7", "--round-budget", "0.5", "--quick"])
    assert quick
    assert found == scale.Assumptions(n_images=7, round_budget=0.5)


def test_measured_here(scale, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scale.py", "--quick", "--image-size", "8"])
    measured = {}

    def remembered(assumptions, **sizes):
        measured.update(vars(units := measure(assumptions, **sizes)))
        return units

    measure = scale.measure
    monkeypatch.setattr(scale, "measure", remembered)
    scale.main()
    assert min(measured.values()) >= 0
    assert measured["train_seconds"] > 0
    # Three tables of class probabilities in double precision are kept, and some are at work.
    assert 16 <= measured["class_bytes"] <= 80
    lines = capsys.readouterr().out
    assert "100,000,000 images" in lines
    assert "First to break" in lines or "All fits" in lines
