"""Threads over blocks: each done once, and every way to stop ends all threads."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from corated.errors import Cancelled, ParameterError
from corated.neighborhood.run import Run, resolve_threads, run_blocks

LONG = 30  # seconds after which a test gives up; nothing here is meant to take one


def run(blocks, work, *, make_state=list, threads=2, progress=lambda done, total: None, cancel=None):
    return run_blocks(blocks, make_state, work, Run(threads, progress, cancel))


def until_stopped(state, block, flag):
    """Work as a kernel does: until the flag is set."""
    end = time.monotonic() + LONG
    while flag[0] == 0:
        assert time.monotonic() < end, "nobody set the flag"
        time.sleep(0.001)


others = set()


@pytest.fixture(autouse=True)
def _others():
    """Note the threads there are before a test; they are not of its work."""
    others.clear()
    others.update(threading.enumerate())


def no_thread_is_left():
    return not [t for t in threading.enumerate() if t.name.startswith("corated") and t not in others]


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_every_block_is_done_once(threads):
    states = run([(1, number) for number in range(200)], lambda s, b, _: s.append(b), threads=threads)
    assert len(states) <= threads
    assert sorted(block for state in states for block in state) == list(range(200))
    assert no_thread_is_left()


def test_no_more_threads_than_blocks():
    made = []
    states = run(
        [(1, 1), (1, 2)], lambda s, b, _: s.append(b), threads=8, make_state=lambda: made.append(1) or []
    )
    assert len(states) == len(made) == 2


def test_no_blocks():
    calls = []
    states = run([], until_stopped, progress=lambda *call: calls.append(call))
    assert states == [[]]
    assert calls[-1] == (0, 0)


def test_states_belong_to_one_thread_each():
    states = run([(1, b) for b in range(100)], lambda s, b, _: s.append(threading.get_ident()), threads=4)
    assert all(len(set(state)) <= 1 for state in states)


def test_progress_counts_weights_from_the_calling_thread():
    calls = []

    def progress(done, total):
        assert threading.current_thread() is threading.main_thread()
        calls.append((done, total))

    run([(weight, weight) for weight in (5, 1, 7)], lambda s, b, _: s.append(b), progress=progress)
    assert calls[0] == (0, 13)
    assert calls[-1] == (13, 13)
    assert calls == sorted(calls)


def test_an_error_in_a_worker_passes_on_and_stops_the_others():
    def work(state, block, flag):
        if block == 1:
            raise ZeroDivisionError("block one")
        until_stopped(state, block, flag)

    with pytest.raises(ZeroDivisionError, match="block one"):
        run([(1, number) for number in range(8)], work, threads=3)
    assert no_thread_is_left()


def test_an_error_in_making_a_state_passes_on():
    def fail():
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        run([(1, 1)], until_stopped, make_state=fail)
    assert no_thread_is_left()


def test_cancel_stops_the_work():
    cancel = threading.Event()
    started = threading.Event()
    done = []

    def work(state, block, flag):
        started.set()
        until_stopped(state, block, flag)
        done.append(block)

    def cancel_when_started():
        started.wait(LONG)
        cancel.set()

    helper = threading.Thread(target=cancel_when_started)
    helper.start()
    with pytest.raises(Cancelled):
        run([(1, number) for number in range(50)], work, cancel=cancel)
    helper.join()
    assert len(done) <= 2  # those under way, and none after
    assert no_thread_is_left()


def test_a_cancel_from_before_stops_at_once():
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run([(1, 1)], until_stopped, cancel=cancel)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_progress_may_raise(error):
    def stop(done, total):
        raise error("enough")

    with pytest.raises(error, match="enough"):
        run([(1, number) for number in range(50)], until_stopped, progress=stop)
    assert no_thread_is_left()


def test_progress_may_raise_later():
    calls = []

    def stop(done, total):
        calls.append(done)
        if len(calls) > 2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run([(1, 1)], until_stopped, progress=stop)
    assert calls == [0, 0, 0]


def test_threads():
    assert resolve_threads(3) == 3
    assert 1 <= resolve_threads(None) <= os.cpu_count()
    for wrong in (0, -1, 1.5, "2", True):
        with pytest.raises(ParameterError, match="threads="):
            resolve_threads(wrong)


LARGE_RUN = """
import numpy as np, pyarrow as pa
from corated.neighborhood.graph import neighbors
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale

def made(n, each):
    # everyone rated every second of 2 * each items: n² / 4 pairs with all of them in common
    items = (2 * np.arange(each) + np.arange(n)[:, None] % 2).astype(np.int32).ravel()
    indptr = np.arange(n + 1) * each
    codes = np.random.default_rng(0).integers(0, 10, n * each).astype(np.uint8)
    users, kinds = IdMap(pa.array(range(n))), IdMap(pa.array(range(2 * each)), "item")
    return Ratings(users, kinds, Scale(1, 10), Csr(indptr, items), codes)

def progress(done, total):
    if done * 20 > total:
        raise SystemExit("the interrupt came too late to mean anything")
    print("working", flush=True)

neighbors(made(50, 10), threads=2)
neighbors(made(30_000, 200), threads=2, progress=progress)
print("finished", flush=True)
"""


@pytest.mark.jit
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are sent as POSIX has them")
def test_ctrl_c_ends_the_work():
    process = subprocess.Popen(
        [sys.executable, "-c", LARGE_RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "working\n", process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONG)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT
    assert err.strip().endswith("KeyboardInterrupt")
    assert "finished" not in out


# -- the calling thread takes part -----------------------------------------------------------------------


def at_once(blocks, work, *, threads=2, progress=lambda done, total: None, cancel=None):
    return run_blocks(blocks, list, work, Run(threads, progress, cancel, at_once=True))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_caller_does_a_share_of_what_is_soon_over(threads):
    meeting = threading.Barrier(threads)  # nobody goes on before all have a block

    def work(state, block, flag):
        state.append((threading.get_ident(), block))
        if block < threads:
            meeting.wait(LONG)

    states = at_once([(1, number) for number in range(50)], work, threads=threads)
    who = {ident for state in states for ident, _ in state}
    assert threading.get_ident() in who and len(who) == len(states) == threads
    assert sorted(block for state in states for _, block in state) == list(range(50))
    assert no_thread_is_left()


@pytest.mark.parametrize("threads", [1, 3])
def test_the_caller_reports_and_looks_up_between_its_blocks(threads):
    calls, cancel = [], threading.Event()

    def progress(done, total):
        calls.append((done, total))
        if done >= 3:
            cancel.set()

    with pytest.raises(Cancelled):
        at_once(
            [(1, number) for number in range(1000)],
            lambda *_: None,
            threads=1,
            progress=progress,
            cancel=cancel,
        )
    assert calls == [(0, 1000), (1, 1000), (2, 1000), (3, 1000)]

    done = []
    at_once([(2, 0), (3, 1)], lambda *_: None, threads=threads, progress=lambda *call: done.append(call))
    assert done[0] == (0, 5) and done[-1] == (5, 5) and done == sorted(done)
    assert no_thread_is_left()


@pytest.mark.parametrize("mine", [True, False])
def test_a_failure_in_either_thread_ends_both(mine):
    caller = threading.get_ident()

    def work(state, block, flag):
        if (threading.get_ident() == caller) == mine:
            raise ValueError("broken")
        until_stopped(state, block, flag)

    with pytest.raises(ValueError, match="broken"):
        at_once([(1, number) for number in range(8)], work)
    assert no_thread_is_left()
