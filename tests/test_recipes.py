"""The recipes of docs/recipes.md run on files like those that they name."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from PIL import Image

from noisyactive import UniformLabelNoise

TEXT = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", TEXT, re.M | re.S))
# Fewer and larger steps than a reader's.
QUICK = "max_epochs=6, warmup_epochs=2, batch_size=60, vog_window=2, forget_rate=0.2, lr=0.1, "
N = 120
WORDS = {"well": "calm warm soft dry clear", "ill": "cough fever rash pale clear"}

pytestmark = pytest.mark.slow


@pytest.fixture
def labels():
    truth = np.array(["well", "ill"])[np.arange(N) % 2]
    return truth, UniformLabelNoise(0.2, exact=True, random_state=0).fit_transform(truth)


@pytest.fixture
def files(tmp_path, monkeypatch, labels):
    """A folder with all that the recipes read."""
    monkeypatch.chdir(tmp_path)
    truth, given = labels
    rng = np.random.default_rng(0)
    ill = truth == "ill"
    index = pd.Index([f"v{i}" for i in range(N, 0, -1)], name="id")
    rows = pd.DataFrame({"age": rng.normal(50 + 20 * ill, 5), "dose": rng.lognormal(9, 1, N)})
    rows.assign(label=given).set_index(index).to_csv("rows.csv")
    images = rng.integers(100, size=(N, 28, 28, 3)) + 100 * ill[:, None, None, None]
    np.savez("images.npz", images=images.astype(np.uint8), labels=given)
    Path("images").mkdir()
    for i, image in enumerate(images.astype(np.uint8)):
        Image.fromarray(image).save(f"images/{i}.png")
    names = [f"{i}.png" for i in range(N)]
    patients = np.arange(N) // 2
    pd.DataFrame({"image": names, "label": given, "patient": patients}).to_csv(
        "labels.csv", index=False
    )
    np.save("labels.npy", given)
    np.save("embeddings.npy", rng.normal(2 * ill[:, None], 1, (N, 16)).astype(np.float32))
    texts = [" ".join(rng.choice(WORDS[label].split(), 8)) for label in truth]
    pd.DataFrame({"text": texts, "label": given}).to_csv("reports.csv", index=False)
    counts = rng.poisson(np.where(np.arange(40) < 20, ill[:, None], ~ill[:, None]))
    sp.save_npz("counts.npz", sp.csr_array(counts))
    visits = rows.assign(
        site=np.where(rng.random(N) < 0.9, np.where(ill, "north", "south"), "west"),
        date=pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(300, size=N), unit="D"),
        note=texts,
        label=given,
    )
    visits.loc[::7, "age"] = np.nan
    visits.loc[::11, ["note", "date"]] = None
    visits.set_index(index.rename("visit_id")).to_csv("visits.csv")
    return index


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_runs(recipe, files, labels):
    if recipe == "Mixed tables":
        pytest.importorskip("skrub")
    truth, given = labels
    asked = []

    def ask(rows, samples):
        asked.extend(rows)
        return truth[rows]

    code = RECIPES[recipe].replace("CoTeachingVOGClassifier(", f"CoTeachingVOGClassifier({QUICK}")
    assert code.count(QUICK) == 1
    code = code.replace(f"{QUICK})", f"{QUICK.removesuffix(', ')})")
    namespace = {"ask": ask}
    exec(code, namespace)
    if "cleaner" in namespace:
        cleaner = namespace["cleaner"]
        assert len(asked) == len(set(asked)) == 40
        assert (np.asarray(cleaner.labels_) != truth).sum() < (given != truth).sum()
    if "issues" in namespace:
        assert len(namespace["issues"]) == N
    if Path("cleaned.csv").exists():
        cleaned = pd.read_csv("cleaned.csv", index_col=0)
        assert cleaned.index.tolist() == files.tolist()
        assert set(namespace["issues"].index) == set(files)
    if "test" in namespace:
        assert len(namespace["net"].predict(namespace["test"])) == len(namespace["test"])
    elif "net" in namespace:
        assert hasattr(namespace["net"], "clean_mask_") or "cleaner" in namespace


def test_every_kind_of_data_has_one():
    assert len(RECIPES) >= 7
    headings = re.findall(r"^## (.+)$", TEXT, re.M)
    assert headings == list(RECIPES)
