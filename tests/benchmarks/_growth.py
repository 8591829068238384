"""Time and anonymous memory of calls, and how they grow with the number of rows."""

import ctypes
import gc
import math
import os
import sys
import threading
import time

import numpy as np
from test_audit import anonymous


def measured(call):
    """What a call returns, the seconds it takes, and the bytes that it adds at its peak."""
    gc.collect()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would hide what is added
    before = peak = anonymous(os.getpid())
    done = threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.003):
            peak = max(peak, anonymous(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    try:
        answer = call()
    finally:
        seconds = time.perf_counter() - begin
        done.set()
        watcher.join()
    peak = max(peak, anonymous(os.getpid()))
    return answer, seconds, peak - before


def exponent(sizes, values):
    """Slope of the logarithms of values over those of sizes; NaN where values are none."""
    pairs = [(math.log(n), math.log(v)) for n, v in zip(sizes, values, strict=True) if v > 0]
    if len(pairs) < 2:
        return float("nan")
    x, y = np.array(pairs).T
    return float(np.polyfit(x, y, 1)[0])
