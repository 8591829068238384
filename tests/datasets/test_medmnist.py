import sys

import numpy as np
import pytest

from noisyactive.datasets import fetch_medmnist, load_medmnist_npz


def arrays(shape=(5, 5), labels=1):
    rng = np.random.RandomState(0)
    made = {}
    for split, n in [("train", 7), ("val", 3), ("test", 4)]:
        made[f"{split}_images"] = rng.randint(0, 256, (n, *shape), dtype=np.uint8)
        made[f"{split}_labels"] = rng.randint(0, 2, (n, labels), dtype=np.uint8)
    return made


@pytest.mark.parametrize("shape", [(28, 20), (28, 20, 3), (28, 28, 28)])
def test_arrays_are_those_of_the_file(tmp_path, shape):
    made = arrays(shape)
    np.savez(tmp_path / "some.npz", **made)
    data = load_medmnist_npz(tmp_path / "some.npz")
    for split in ("train", "val", "test"):
        X, images = data[f"X_{split}"], made[f"{split}_images"]
        assert X.dtype == np.uint8
        n_channels = 3 if shape[-1] == 3 else 1
        assert X.shape == (len(images), n_channels, *shape[: 2 if n_channels == 3 else None])
        for channel in range(n_channels):
            expected = images[..., channel] if n_channels == 3 else images
            np.testing.assert_array_equal(X[:, channel], expected)
        assert data[f"y_{split}"].tolist() == made[f"{split}_labels"][:, 0].tolist()


def test_real_file(shared_file):
    data = load_medmnist_npz(shared_file("pneumoniamnist.npz"))
    assert data.X_train.shape == (4708, 1, 28, 28)
    # Numbers of images as the MedMNIST v2 paper lists them, and their classes in its file.
    assert [len(data.y_train), len(data.y_val), len(data.y_test)] == [4708, 524, 624]
    assert np.bincount(data.y_test).tolist() == [234, 390]


def change(**changes):
    made = arrays()
    made.update(changes)
    return {name: array for name, array in made.items() if array is not None}


@pytest.mark.parametrize(
    "made, message",
    [
        (arrays(labels=14), "train_labels holds 14 labels an image; multi-label"),
        (change(val_images=None), r"lacks the arrays \['val_images'\]"),
        (change(test_labels=np.zeros((9, 1), int)), r"test_labels must be .* shape \(4, 1\)"),
        (change(train_labels=np.zeros((7, 1))), "train_labels must be integers"),
        (change(train_images=np.zeros((7, 5, 5))), "train_images must be bytes"),
        (change(val_images=np.zeros((3, 25), np.uint8)), "val_images must be bytes"),
        (change(val_labels=np.array([{}, {}, {}])), "path must be an npz file of MedMNIST"),
    ],
    ids=["multi-label", "missing", "length", "floats", "float images", "flat", "pickle"],
)
def test_bad_arrays(tmp_path, made, message):
    np.savez(tmp_path / "some.npz", **made)
    with pytest.raises(ValueError, match=message):
        load_medmnist_npz(tmp_path / "some.npz")


def test_other_files(tmp_path):
    np.savez(tmp_path / "whole.npz", **arrays())
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "truncated.npz").write_bytes(whole[: len(whole) // 2])
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("text")
    (tmp_path / "empty.npz").write_text("")
    for name in ("truncated.npz", "array.npy", "text.npz", "empty.npz"):
        with pytest.raises(ValueError, match=f"path must be an npz file of MedMNIST; .*{name}"):
            load_medmnist_npz(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_medmnist_npz(tmp_path / "nothing.npz")


def test_fetch_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "medmnist", None)
    with pytest.raises(ImportError, match=r'pip install "noisyactive\[medmnist\]"'):
        fetch_medmnist("pneumoniamnist")


def test_fetch_checks_before_it_downloads(tmp_path):
    pytest.importorskip("medmnist")
    with pytest.raises(ValueError, match="name must be one of .*'dermamnist'.* got 'nothing'"):
        fetch_medmnist("nothing", root=tmp_path)
    with pytest.raises(ValueError, match=r"size must be one of \[28, 64, 128, 224\]"):
        fetch_medmnist("dermamnist", 32, root=tmp_path)
    with pytest.raises(ValueError, match="chestmnist has several labels"):
        fetch_medmnist("chestmnist", root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_fetch_takes_a_file_that_is_there(shared_file):
    pytest.importorskip("medmnist")
    path = shared_file("pneumoniamnist.npz")
    data = fetch_medmnist("PneumoniaMNIST", root=path.parent)
    np.testing.assert_array_equal(data.X_val, load_medmnist_npz(path).X_val)
    assert data.target_names == ["normal", "pneumonia"]
