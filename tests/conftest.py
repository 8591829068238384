import contextlib
import os
import random
import shutil
import socket
import struct
import sys
import zlib
from io import BytesIO

# As many processes as cores run tests: what counts on threads is slower with them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from joblib.externals.loky import get_reusable_executor  # noqa: E402
from PIL import Image  # noqa: E402
from sklearn.datasets import make_blobs  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from noisyactive import UniformLabelNoise  # noqa: E402

# Networks this small are no quicker on several threads, and results depend on their number.
torch.set_num_threads(1)

# A journal waits for the disk after each change, a hundred times in some tests: not in memory. What
# a killed process has written is there in either.
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

# The same examples in every run, however slow the machine; `pytest
# --hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("deterministic")


def pytest_runtest_setup(item):
    """The global generators give each test the same numbers, whichever tests ran before."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def data():
    """Samples, true labels and noisy labels of an easy problem."""
    X, y = make_blobs([60, 40, 15], n_features=4, cluster_std=2.0, random_state=0)
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    return X.astype(np.float32), y, y_noisy


@pytest.fixture
def model():
    return LogisticRegression(max_iter=1000)


@pytest.fixture(scope="session")
def workers():
    """Two processes of joblib for all tests, which have imported what takes seconds.

    One that has done something small before it imports torch seems to leak memory, and is ended.
    """
    get_reusable_executor().shutdown(wait=True)
    modules = "torch._dynamo, noisyactive.cleaning._cleaner, noisyactive.coteaching._vog_classifier"
    joblib.Parallel(n_jobs=2)(joblib.delayed(exec)(f"import {modules}") for _ in range(2))
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.fixture(scope="session")
def free_port():
    """Find ports for servers that listen later, or again; nobody else is given these meanwhile."""
    with contextlib.ExitStack() as stack:

        def find():
            holder = stack.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
            port = holder.getsockname()[1]
            if not sys.platform.startswith("linux"):  # where it would be in the server's way
                holder.close()
            return port

        yield find


def png_that_claims(width, height):
    """A few bytes that a decoder would take gigabytes for."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.fixture
def write_broken_image():
    """Write a file that cannot be shown as an image."""

    def write(path, kind):
        good = BytesIO()
        Image.effect_noise((64, 64), 50).save(good, "PNG")
        match kind:
            case "empty":
                path.write_bytes(b"")
            case "text":
                path.write_text("Hello, I am no image.")
            case "html":
                path.write_text("<!doctype html><script>alert(1)</script>")
            case "svg":
                path.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
            case "truncated":
                path.write_bytes(good.getvalue()[:-500])
            case "garbled":
                data = bytearray(good.getvalue())
                data[100:400] = random.Random(0).randbytes(300)
                path.write_bytes(data)
            case "claims to be huge":
                path.write_bytes(png_that_claims(50_000, 50_000))
            case "claims to be endless":
                path.write_bytes(png_that_claims(2**31 - 1, 2**31 - 1))
            case "claims too much":
                path.write_bytes(png_that_claims(4000, 4000))
            case "too large":
                Image.new("1", (9000, 9000)).save(path)
            case "PostScript":
                path.write_text(
                    "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run showpage\n"
                )
            case "another format":
                Image.new("RGB", (9, 9)).save(path, "PPM")
            case "a folder":
                path.mkdir()
            case "a pipe":
                os.mkfifo(path)
            case "a device":
                path.symlink_to("/dev/zero")
        return path

    return write
