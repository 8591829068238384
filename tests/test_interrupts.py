"""Interrupts at every line of what sets and puts back the state of the process."""

import random
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from noisyactive import _random
from noisyactive._interrupts import interrupts_raised, shielded
from noisyactive._progress import progress, report
from noisyactive._random import isolated_rng
from noisyactive.coteaching import _process_state
from noisyactive.coteaching._pair import evaluating
from noisyactive.coteaching._process_state import eager, torch_settings


@pytest.fixture(autouse=True)
def ctrl_c():
    """Signals as at a terminal: a shell starts background jobs with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted_at(number, work):
    """Send SIGINT before the n-th line or call within what `work` calls; whether it came so far.

    Not in `work` itself, where Python looks for signals in calls only: not between the last line
    of a ``with`` block and the call of ``__exit__``.
    """
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if event in ("line", "call") and frame.f_code is not work.__code__:
            count += 1
            if count == number:
                signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        assert count >= number
        return True
    finally:
        sys.settrace(None)
    assert count < number
    return False


def state(network):
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.compiler.is_compiling(),
        signal.getsignal(signal.SIGINT),
        network.training,
        _process_state._n_blocks,
        report(),
    )


def is_free(lock):
    def take():
        free = lock.acquire(blocking=False)
        if free:
            lock.release()
        return free

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(take).result()


ROWS = torch.ones(3, 2)
BLOCKS = {
    "random": lambda network: isolated_rng(1),
    "torch": lambda network: torch_settings(True),
    "eager": lambda network: eager(),
    "mode": lambda network: evaluating(network),
    "progress": lambda network: progress("training", 1, verbose=0),
    "raised": lambda network: interrupts_raised(),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_at_every_line(name):
    network = torch.nn.Linear(2, 2)

    def work():
        with BLOCKS[name](network):
            network(ROWS)

    assert_leaves_nothing(work, network)


def test_at_every_line_of_blocks_in_blocks():
    network = torch.nn.Linear(2, 2)

    def work():
        with torch_settings(True), isolated_rng(1), evaluating(network):
            network(ROWS)
            with torch_settings(False), isolated_rng(2):
                network(ROWS)

    assert_leaves_nothing(work, network)


def assert_leaves_nothing(work, network):
    work()
    before, number = state(network), 1
    while interrupted_at(number, work):
        assert state(network) == before, number
        assert is_free(_random._lock) and is_free(_process_state._lock), number
        number += 1
    assert state(network) == before and number > 20


def test_another_interrupt_while_one_is_on_its_way():
    calls = []

    def handler(number, frame):
        calls.append(len(calls))
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    before = random.getstate()
    with pytest.raises(KeyboardInterrupt):
        with isolated_rng(1):
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGINT)
    assert calls == [0, 1] and random.getstate() == before
    assert signal.getsignal(signal.SIGINT) is handler


class InterruptedLock:
    """The lock of the global generators, for which somebody who has waited a while gives up."""

    def acquire(self, timeout):
        taken = _random._lock.acquire(timeout=timeout)
        if not taken:
            signal.raise_signal(signal.SIGINT)
        return taken


def test_the_wait_for_a_lock_ends():
    entered, leave = threading.Event(), threading.Event()
    block = isolated_rng(1)
    block._lock = InterruptedLock()

    def hold():
        with isolated_rng(0):
            entered.set()
            leave.wait(600)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        entered.wait(600)
        with pytest.raises(KeyboardInterrupt):
            with block:
                raise AssertionError("the lock was not held")
        leave.set()
        holding.result()
    assert is_free(_random._lock)


def test_an_error_goes_through_the_block():
    @shielded
    def block():
        try:
            yield
        except ValueError as error:
            raise TypeError("another") from error

    with pytest.raises(TypeError, match="another"):
        with block():
            raise ValueError


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_process_that_ignores_interrupts_goes_on_to_do_so(before):
    signal.signal(signal.SIGINT, before)
    with isolated_rng(0):
        assert signal.getsignal(signal.SIGINT) == before
