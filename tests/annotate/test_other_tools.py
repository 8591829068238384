"""The guide's way to CVAT and back, with the library that writes its format."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guide" / "people.md").read_text(encoding="utf-8")
IDS = [f"lesion {row}" for row in range(20)]


def test_cvat_by_datumaro(tmp_path, monkeypatch):
    pytest.importorskip("datumaro")
    [recipe] = re.findall(r"^import datumaro as dm\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    export, read = recipe.strip().split("\n\n")
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for name in IDS:
        Image.new("RGB", (8, 8)).save(f"images/{name}.png")
    cleaner = ActiveLabelCleaner(
        LogisticRegression(), n_rounds=1, round_budget=6, trust="all", random_state=0
    )
    X = np.random.default_rng(0).normal(size=(20, 2))
    rows = cleaner.start(X, ["melanoma", "naevus"] * 10, ids=IDS).query()
    asked = cleaner.ids_[rows].tolist()
    code = f"import datumaro as dm\n{export}"
    namespace = {"cleaner": cleaner}
    exec(code, namespace)

    tasks = ElementTree.parse("tasks/default.xml")
    images = list(tasks.iter("image"))
    assert [image.get("name") for image in images] == [f"{name}.png" for name in asked]
    assert not list(tasks.iter("tag"))  # nothing is answered that nobody has answered
    labels = [label.findtext("name") for label in tasks.iter("label")]
    assert labels == ["melanoma", "naevus", "cannot tell"]

    said = ["naevus", "cannot tell", "melanoma"]  # somebody answers the first three
    for image, label in zip(images, said, strict=False):
        ElementTree.SubElement(image, "tag", label=label, source="manual")
    Path("answers").mkdir()
    tasks.write("answers/annotations.xml")
    shutil.copytree("tasks/images", "answers/images")
    for _ in range(2):  # what is read twice counts once
        exec(read, namespace)
    answers = cleaner.state_.answers
    assert [answers[row]["Ada"] for row in rows[:3]] == ["naevus", None, "melanoma"]
    assert [item.item for item in cleaner.open_items()] == asked[3:] and cleaner.state_.cost == 3
