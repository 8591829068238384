"""The labelling page on a desk and on a phone, photographed in Chromium.

``python examples/annotate_screenshots.py`` writes annotate.png and annotate_phone.png, which the
guide shows. It needs ``pip install "noisyactive[annotate]" playwright`` and Chromium. The lesions
are drawings.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from noisyactive.annotate import serve
from noisyactive.journal import Asked, JournalWriter, Refitted, Started

CLASSES = np.array(
    [
        "actinic keratosis",
        "basal cell carcinoma",
        "benign keratosis",
        "dermatofibroma",
        "melanocytic nevus",
        "melanoma",
        "vascular lesion",
    ]
)
N_ROWS, N_ASKED = 40, 12
DEVICES = {
    "annotate": {"viewport": {"width": 1280, "height": 800}},
    "annotate_phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
    },
}


def draw_lesion(row, width=600, height=450):
    """A spot with a ragged edge on skin."""
    rng = np.random.default_rng(row)

    def clouds(size):
        coarse = rng.random((height // size + 2, width // size + 2)) * 255
        image = Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.BICUBIC)
        return np.asarray(image, dtype=float)[..., None] / 255 - 0.5

    y, x = np.mgrid[:height, :width]
    away = np.hypot((x - width / 2) / (0.28 * width), (y - height / 2) / (0.3 * height))[..., None]
    spot = 1 / (1 + np.exp(12 * (away - 1 + 0.6 * clouds(90) + 0.3 * clouds(30))))
    skin = np.array([221, 172, 166]) + 16 * clouds(120)
    brown = np.array([104, 72, 52]) + 70 * clouds(60) + 40 * clouds(14)
    pixels = skin + spot * (brown - skin) + rng.normal(0, 3, (height, width, 1))
    return pixels.clip(0, 255).astype(np.uint8).transpose(2, 0, 1) / 255


def start_round(path):
    """A journal whose first round asks about twelve lesions."""
    codes = np.arange(N_ROWS) % len(CLASSES)
    ids = np.array([f"lesion-{1900 + 7 * row}" for row in range(N_ROWS)])
    suggested, runner_up = codes[:N_ASKED] + 3, codes[:N_ASKED] + 5
    writer = JournalWriter(path, {}, {})
    writer.draft(CLASSES, codes, ids, 1)
    writer.publish([Started(0), Refitted(0.0)])
    question = Asked(
        tuple(range(N_ASKED)),
        tuple(CLASSES[suggested % len(CLASSES)].tolist()),
        (0.87, 0.51, 0.93) * 4,
        48,
        runner_up=tuple(CLASSES[runner_up % len(CLASSES)].tolist()),
        runner_up_probability=(0.08, 0.4, 0.04) * 4,
    )
    writer.write(question, 2)
    return writer


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write (here)")
    folder = parser.parse_args().folder
    chromium = os.environ.get("NOISYACTIVE_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, device in DEVICES.items():
            with tempfile.TemporaryDirectory() as kept:
                path = Path(kept) / "lesions.db"
                writer = start_round(path)
                with serve(path, draw_lesion, annotator="Dr Ada Byron") as page:
                    tab = browser.new_page(**device)
                    tab.goto(page.url)
                    for _ in range(4):
                        tab.wait_for_selector("#panel[aria-busy=false]")
                        tab.wait_for_timeout(4000)  # somebody looks
                        tab.locator("#accept").click()
                    tab.wait_for_timeout(500)
                    tab.mouse.move(0, 0)
                    tab.screenshot(path=folder / f"{name}.png")
                    tab.close()
                writer.close()
        browser.close()


if __name__ == "__main__":
    main()
