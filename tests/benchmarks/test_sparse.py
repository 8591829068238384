"""Time and memory of sparse text: `pytest tests/benchmarks/test_sparse.py`.

50,000 documents of 100,000 terms, which would be 20 GB if they were dense. Needs Linux.
"""

import multiprocessing
import resource
import sys
import time

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise

N_DOCUMENTS, N_TERMS, N_CLASSES, LENGTH = 50_000, 100_000, 10, 100


def documents():
    """Words by Zipf's law, a tenth of them from the vocabulary of the class; unit length."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=N_DOCUMENTS)
    words = (N_TERMS ** rng.random((N_DOCUMENTS, LENGTH), dtype=np.float32)).astype(np.int32) - 1
    own = rng.random(words.shape, dtype=np.float32) < 0.1
    words = np.where(own, 500 + y[:, None] * 500 + words % 500, words)
    indptr = np.arange(0, words.size + 1, LENGTH)
    X = sp.csr_matrix((np.ones(words.size, np.float32), words.ravel(), indptr))
    X.resize(N_DOCUMENTS, N_TERMS)
    X.sum_duplicates()
    X.data = np.log1p(X.data)
    X.data /= np.repeat(np.sqrt(X.multiply(X).sum(axis=1).A1), np.diff(X.indptr))
    return X, y


def work(pipe):
    torch.set_num_threads(1)
    X, y = documents()
    y_noisy = UniformLabelNoise(0.2, random_state=0).fit_transform(y)
    net = CoTeachingVOGClassifier(
        max_epochs=6, warmup_epochs=2, vog_window=2, vog_gradient="activation", random_state=0
    )
    start = time.perf_counter()
    net.fit(X[:-5000], y_noisy[:-5000])
    seconds = time.perf_counter() - start
    accuracy = net.score(X[-5000:], y[-5000:])
    pipe.send((seconds, accuracy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in kB")
def test_many_documents(figure):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    theirs.close()
    seconds, accuracy, megabytes = ours.recv()
    process.join()
    figure("50,000 x 100,000 sparse, peak MB of the process", f"{megabytes:.0f}", "< 1000")
    figure("... seconds an epoch", f"{seconds / 6:.1f}", "")
    figure("... accuracy with 20% wrong labels", f"{accuracy:.3f}", "")
    assert megabytes < 1000
