"""What `serve` takes, and what a process that serves the page has to load."""

import json
import subprocess
import sys

import httpx
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from noisyactive import ActiveLabelCleaner, UniformLabelNoise
from noisyactive.annotate import serve
from noisyactive.journal import Journal

HEAVY = ("torch", "sklearn", "skorch", "scipy", "pandas", "matplotlib", "noisyactive.cleaning")


@pytest.fixture
def run(tmp_path, model):
    """A cleaner on images that waits for answers, and the true labels."""
    X, y = load_digits(n_class=3, return_X_y=True)
    X, y = X[::5].reshape(-1, 1, 8, 8) / 16, y[::5]
    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1))
    cleaner = ActiveLabelCleaner(
        make_pipeline(flat, model),
        n_rounds=1,
        round_budget=3,
        pool="unverified",
        refit="scratch",
        journal=tmp_path / "run.db",
    )
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    yield cleaner.start(X, y_noisy), y
    cleaner.close()


def get_image(page, row):
    with httpx.Client() as client:
        assert client.get(page.url).status_code == 200
        return client.get(f"{page.url.split('?')[0]}api/images/{row}")


def test_of_a_cleaner_x_is_shown_and_answers_complete_the_round(run):
    cleaner, y = run
    rows = cleaner.query()
    with serve(cleaner, annotator="Ada") as page:
        image = get_image(page, rows[0])
        assert image.headers["content-type"] == "image/png", image.text
        cleaner.teach(rows, y[rows], annotator="Ada")
        assert cleaner.wait(timeout=60)
    with pytest.raises(httpx.ConnectError):
        httpx.get(page.url)


@pytest.mark.parametrize("kind", [str, Journal])
def test_of_a_journal_images_have_to_be_named(run, kind):
    cleaner, _ = run
    rows = cleaner.query()
    with serve(kind(cleaner.journal)) as page:
        refused = get_image(page, rows[0])
    assert refused.status_code == 422 and "no images" in refused.json()["error"]


def test_what_cannot_be_served(run, model, tmp_path):
    cleaner, _ = run
    with pytest.raises(NotFittedError, match="call start or fit"):
        serve(ActiveLabelCleaner(model, journal=tmp_path / "other.db"))
    cleaner.set_params(journal=None)
    with pytest.raises(ValueError, match="needs a cleaner with a journal"):
        serve(cleaner)
    with pytest.raises(TypeError, match="must be an ActiveLabelCleaner, a Journal or a path"):
        serve(model)


SERVE = """
import json, sys, urllib.request
from noisyactive.annotate.__main__ import main
from noisyactive.annotate import _server

class Page(_server.Page):
    def wait(self):
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        base = self.url.split("?")[0]
        opener.open(self.url).read()
        state = json.load(opener.open(base + "api/state"))
        image = opener.open(f"{base}api/images/{state['items'][0]['row']}")
        status = open("/proc/self/status").read()  # ru_maxrss would count the parent's memory too
        peak = int(status.split("VmHWM:")[1].split()[0])
        loaded = [name for name in HEAVY if name in sys.modules]
        print(json.dumps([loaded, image.headers["content-type"], peak]))

_server.Page = Page
sys.exit(main([JOURNAL, "--images", FOLDER, "--port", "0", "--no-browser"]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_process_that_serves_a_journal_loads_no_torch(run, tmp_path):
    from PIL import Image

    cleaner, _ = run
    images = tmp_path / "images"
    images.mkdir()
    for row in cleaner.query():
        Image.new("RGB", (64, 64)).save(images / f"{row}.png")
    names = {"HEAVY": HEAVY, "JOURNAL": str(cleaner.journal), "FOLDER": str(images)}
    script = "".join(f"{name} = {value!r}\n" for name, value in names.items()) + SERVE
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    loaded, media_type, peak = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    assert media_type == "image/png"
    assert peak / 1024 < 150  # MB
