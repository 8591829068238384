"""The files and exports of Label Studio, with a real server of it.

Label Studio fixes the versions of many packages, so it is kept in an environment of its own and run
as a command: the one that the environment variable NOISYACTIVE_LABEL_STUDIO names, or
``label-studio`` on the path.
"""

import http.cookiejar
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner
from noisyactive.annotate import read_label_studio, write_label_studio
from noisyactive.cleaning import Journal

COMMAND = os.environ.get("NOISYACTIVE_LABEL_STUDIO") or shutil.which("label-studio")
CLASSES = ["naevus, Clark's", '<b> & "melanoma"', "US$5 $item", "=1+1", " edges ", "子宮\nx"]
IDS = ["a/1", "b c+d&e#f?g%20", "Läsion", "=x", "00123", "f", "g"]
START_SECONDS = 180

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        COMMAND is None, reason="no label-studio on the path or in NOISYACTIVE_LABEL_STUDIO"
    ),
]


class User:
    """Somebody who uses the server: a session with cookies."""

    def __init__(self, url, email):
        self.url, self.email = url, email
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.ProxyHandler({})
        )
        page = "/user/signup/"
        self.send(page)
        self.send(page, form={"email": email, "password": "a long password"})
        self.id = self.call("/api/current-user/whoami")["id"]

    def send(self, path, data=None, *, form=None, method=None):
        headers = {"Referer": self.url}
        for cookie in self.cookies:
            if cookie.name == "csrftoken":
                headers["X-CSRFToken"] = cookie.value
        if form is not None:
            body = urllib.parse.urlencode(form).encode()
        else:
            body = None if data is None else json.dumps(data).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()[:2000]!r}") from error

    def call(self, path, data=None, **options):
        return json.loads(self.send(path, data, **options) or "null")

    def annotate(self, task, *choices, comment=None, **facts):
        result = []
        if choices:
            value = {"choices": list(choices)}
            result.append(
                {"from_name": "answer", "to_name": "shown", "type": "choices", "value": value}
            )
        if comment is not None:
            value = {"text": [comment]}
            result.append(
                {"from_name": "comment", "to_name": "shown", "type": "textarea", "value": value}
            )
        return self.call(f"/api/tasks/{task}/annotations/", {"result": result, **facts})["id"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root") / "my images"
    for number, name in enumerate(IDS):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * number).save(path)
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory, images):
    """Address of a server with no data."""
    home = tmp_path_factory.mktemp("label studio")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "HOME": str(home),
        "LABEL_STUDIO_BASE_DATA_DIR": str(home),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(images.parent),
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "false",
        "OMP_NUM_THREADS": "1",
    }
    command = [COMMAND, "start", "--no-browser", "--data-dir", str(home), "--port", str(port),
               "--internal-host", "127.0.0.1"]  # fmt: skip
    log = home / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for(address, server, log):
    end = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(address, timeout=5):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                pytest.fail("Label Studio did not start:\n" + log.read_text()[-3000:])
            time.sleep(0.5)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A run that asks two people about seven items."""
    path = tmp_path_factory.mktemp("run") / "run.db"
    y = np.array(CLASSES)[np.arange(len(IDS)) % len(CLASSES)]
    X = np.random.default_rng(0).normal(size=(len(IDS), 2))
    cleaner = ActiveLabelCleaner(
        LogisticRegression(),
        n_rounds=1,
        round_budget=2 * len(IDS),
        answers_per_item=2,
        pool="unverified",
        journal=path,
        random_state=0,
    )
    cleaner.start(X, y, ids=IDS).query()
    cleaner.close()
    return Journal(path)


def test_there_and_back(url, images, journal, tmp_path):
    write_label_studio(tmp_path, journal, images=images)
    config = (tmp_path / "config.xml").read_text(encoding="utf-8")
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    ada, bob = User(url, "ada@example.com"), User(url, "bob@example.com")

    # The interface and the tasks are accepted, with their predictions.
    project = ada.call("/api/projects", {"title": "lesions", "label_config": config})["id"]
    ada.call(f"/api/projects/{project}/validate", {"label_config": config})
    imported = ada.call(f"/api/projects/{project}/import", tasks)
    assert (imported["task_count"], imported["prediction_count"]) == (len(IDS), len(IDS))
    stored = ada.call(f"/api/tasks?project={project}&fields=all")["tasks"]
    task_of = {task["data"]["item"]: task["id"] for task in stored}
    assert set(task_of) == set(IDS)
    for task, item in zip(stored, journal.open_items(), strict=True):
        assert task["data"]["item"] == item.item
        assert task["predictions"][0]["score"] == pytest.approx(item.probability)

    # The images are shown.
    storage = {"project": project, "path": str(images), "use_blob_urls": True}
    ada.call("/api/storages/localfiles", storage)
    for task in stored:
        shown = ada.send(task["data"]["image"])
        assert shown == (images / f"{task['data']['item']}.png").read_bytes()

    # Two people annotate.
    a, b, c, d, e, *_ = (task_of[item] for item in IDS)
    ada.annotate(a, "naevus, Clark's", lead_time=2.5)
    ada.annotate(b, '<b> & "melanoma"', comment="unsure\nreally")
    changed = ada.annotate(c, "=1+1")
    again = {"from_name": "answer", "to_name": "shown", "type": "choices",
             "value": {"choices": ["US$5 $item"]}}  # fmt: skip
    ada.call(f"/api/annotations/{changed}/", {"result": [again]}, method="PATCH")
    ada.annotate(d, "cannot tell")
    ada.annotate(e, was_cancelled=True, lead_time=9)
    bob.annotate(a, '" edges "')
    bob.annotate(b, r'"子宮\nx"')
    bob.annotate(c, was_cancelled=True)

    # What they said comes back.
    exports = {}
    for kind in ("JSON", "JSON_MIN"):
        exports[kind] = tmp_path / f"{kind}.json"
        address = f"/api/projects/{project}/export?exportType={kind}&download_all_tasks=true"
        exports[kind].write_bytes(ada.send(address))
    names = {ada.id: "Ada"}
    expected = {
        "Ada": {
            "a/1": "naevus, Clark's",
            IDS[1]: '<b> & "melanoma"',
            "Läsion": "US$5 $item",
            "=x": None,
            "00123": None,
        },
        str(bob.id): {"a/1": " edges ", IDS[1]: "子宮\nx", "Läsion": None},
    }
    found = {}
    for batch in read_label_studio(exports["JSON"], journal, annotators=names):
        said = dict(zip(batch["rows"], batch["answers"], strict=True))
        found[batch["annotator"]] = said
        seconds = dict(zip(batch["rows"], batch["seconds"], strict=True))
        comments = dict(zip(batch["rows"], batch["comments"], strict=True))
        if batch["annotator"] == "Ada":
            assert (seconds["a/1"], seconds["00123"]) == (2.5, 9)
            assert comments == dict.fromkeys(comments) | {IDS[1]: "unsure\nreally"}
        assert len(journal.answer(**batch, only_open=True)) == len(said)
        assert journal.answer(**batch, only_open=True) == []
    assert found == expected

    del expected["Ada"]["00123"], expected[str(bob.id)]["Läsion"]  # skipped: not in JSON-MIN
    found = {
        batch["annotator"]: dict(zip(batch["rows"], batch["answers"], strict=True))
        for batch in read_label_studio(exports["JSON_MIN"], journal, annotators=names)
    }
    assert found == expected
    print(f"Label Studio {ada.call('/api/version')['release']}: {len(IDS)} tasks, "
          f"{len(journal.answers())} answers of {len(expected)} people")  # fmt: skip
