"""Whether rounds are run, seen without disturbing whoever runs them."""

import subprocess
import sys
import threading

import pytest

from noisyactive.journal._lock import RunnerLock, is_held

HOLD = """
import sys
from pathlib import Path
from noisyactive.journal._lock import RunnerLock
lock = RunnerLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db.lock"


def ask_elsewhere(path):
    code = "import sys; from pathlib import Path; from noisyactive.journal._lock import is_held;"
    code += "print(is_held(Path(sys.argv[1])))"
    return subprocess.check_output([sys.executable, "-c", code, path], text=True).strip()


def test_in_this_process(path):
    assert not is_held(path) and not path.exists()
    lock = RunnerLock(path)
    assert is_held(path)
    assert ask_elsewhere(path) == "True"  # looking did not give it up
    lock.release()
    assert not is_held(path)
    assert ask_elsewhere(path) == "False"


def test_in_another_process_until_it_dies(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        assert is_held(path) and is_held(path)
        with pytest.raises(BlockingIOError):
            RunnerLock(path)
        other.kill()
    assert not is_held(path)


def test_looking_while_it_is_taken_never_gives_it_up(path):
    stop = threading.Event()

    def look():
        while not stop.is_set():
            is_held(path)

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(50):
            lock = RunnerLock(path)
            assert is_held(path)
            lock.release()
        lock = RunnerLock(path)
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join()
    assert ask_elsewhere(path) == "True"
    lock.release()
