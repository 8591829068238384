from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def shared_file():
    """Real files that lie beside some checkouts."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{name} is not in the folder of shared data beside the repository")
        return path

    return find


@pytest.fixture
def pixels():
    """Colour images (n, height, width, channels) without any symmetry."""
    return np.random.RandomState(0).randint(0, 256, (6, 20, 30, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path, pixels):
    """The same images as PNG files."""
    paths = [tmp_path / f"image{i}.png" for i in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def spoil(tmp_path):
    """Files that are no images: missing, truncated, text."""
    rng = np.random.RandomState(1)
    whole = tmp_path / "whole.jpg"
    Image.fromarray(rng.randint(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole, quality=95)
    truncated = tmp_path / "truncated.jpg"
    truncated.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    text = tmp_path / "text.png"
    text.write_text("not an image")
    return {"missing": tmp_path / "missing.png", "truncated": truncated, "text": text}
