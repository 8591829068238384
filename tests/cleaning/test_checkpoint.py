"""What is saved beside a journal may hold anything: the run is the same."""

import hashlib
import json
import random
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier
from noisyactive.cleaning import _checkpoint

NET = CoTeachingVOGClassifier(
    max_epochs=4, forget_rate=0.3, ramp_epochs=2, warmup_epochs=2, vog_window=2, batch_size=15
)


def start(path, trust):
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    y = np.arange(30) % 3
    cleaner = ActiveLabelCleaner(
        NET, n_rounds=1, round_budget=3, fine_tune_epochs=1, trust=trust, random_state=0,
        journal=path,
    )  # fmt: skip
    cleaner.start(X, y)
    proba, trusted = cleaner.predict_proba(X), cleaner.clean_mask_
    cleaner.close()
    return proba, trusted


@pytest.fixture(params=["once", "crossfit"])
def saved(request, tmp_path):
    path = tmp_path / "run.db"
    expected = start(path, request.param)
    folder = path.with_name("run.db.checkpoint")
    shutil.copytree(folder, tmp_path / "whole")
    loaded = []

    def resume():
        """Go on with the run; whether the checkpoint was taken."""
        loaded.clear()
        for ours, theirs in zip(start(path, request.param), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        return loaded[-1]

    load = _checkpoint.load
    with pytest.MonkeyPatch.context() as patch:

        def watched(*arguments):
            kept = load(*arguments)
            loaded.append(kept is not None)
            return kept

        patch.setattr(_checkpoint, "load", watched)
        yield folder, tmp_path / "whole", resume


def restore(folder, whole):
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)


def test_damaged_bytes_are_trained_again(saved):
    folder, whole, resume = saved
    assert resume()
    chance = random.Random(0)
    names = sorted(file.name for file in whole.iterdir())
    chosen = chance.sample(names, min(len(names), 4))
    for name in ["index.json", *chosen]:
        restore(folder, whole)
        content = bytearray((folder / name).read_bytes())
        match chance.randrange(3):
            case 0:
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(7)
            case 1:
                del content[chance.randrange(len(content)) :]
            case 2:
                content[0:8] = chance.randbytes(8)
        (folder / name).write_bytes(bytes(content))
        assert not resume(), name


def signed(folder, index):
    """Write an index, and hashes that agree with what is there."""
    index["files"] = {name: hash_of((folder / name).read_bytes()) for name in index["files"]}
    text = json.dumps(index, sort_keys=True)
    content = {"index": index, "hash": hash_of(text.encode())}
    (folder / "index.json").write_text(json.dumps(content))


def hash_of(data):
    return hashlib.sha256(data).hexdigest()


def test_arrays_that_do_not_fit_are_trained_again(saved):
    """Hashes that agree say nothing of the shapes."""
    folder, whole, resume = saved
    index = json.loads((whole / "index.json").read_text())["index"]
    for change in (
        lambda array: array[..., :-1] if array.ndim else np.zeros(2),
        lambda array: array.astype(np.uint8),
    ):
        restore(folder, whole)
        (file,) = folder.glob("*.arrays")
        save_file({k: change(v).copy() for k, v in load_file(file).items()}, file)
        signed(folder, index)
        resume()  # the files are whole, but the outcome is that of a new training
    restore(folder, whole)
    weights = next(folder.glob("*.weights"))
    save_file(
        {k: v[..., :1].copy() if v.ndim else v for k, v in load_file(weights).items()}, weights
    )
    signed(folder, index)
    assert not resume()


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.update(models=[]),
        lambda index: index.update(models=index["models"] * 9),
        lambda index: index["files"].update({"/dev/zero": ""}),
        lambda index: index["files"].clear(),
        lambda index: index["models"][0]["scalars"].update(predict_proba=1),
        lambda index: index["models"][0]["scalars"].update(__class__=1),
        lambda index: index["models"][0].update(scalars=[]),
        lambda index: index["models"][0].update(best={"valid_loss": 1}, scalars={"a": {"x": 1}}),
        lambda index: index.update(key="../elsewhere"),
        lambda index: index.update(key=[]),
    ],
)
def test_an_index_that_nobody_wrote_is_ignored(saved, change):
    folder, whole, resume = saved
    index = json.loads((whole / "index.json").read_text())["index"]
    files = dict(index["files"])
    change(index)
    text = json.dumps(index, sort_keys=True)
    content = {"index": index, "hash": hash_of(text.encode())}
    (folder / "index.json").write_text(json.dumps(content))
    assert not resume()
    assert files.keys() == {file.name for file in whole.iterdir()} - {"index.json"}


def test_nesting_without_end(saved):
    folder, _, resume = saved
    (folder / "index.json").write_text("[" * 200_000)
    assert not resume()
