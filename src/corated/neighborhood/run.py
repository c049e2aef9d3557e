"""Threads over blocks of work, with progress and a way to stop.

The kernels are serial and release the GIL, so a plain pool of threads is all there is. Which thread takes
which block is left to chance; results must not depend on it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from corated.errors import Cancelled, ParameterError
from corated.progress import Cancel, Progress, silent

__all__ = ["Flag", "Run", "resolve_threads", "run_blocks"]

State = TypeVar("State")
Block = TypeVar("Block")
Flag = npt.NDArray[np.uint8]
"""uint8 (1,): kernels stop at the next query once it is not 0."""

_LOOK = 0.05
"""Seconds between two looks at the cancel event."""


@dataclass(frozen=True)
class Run:
    """How to run: threads, where progress goes, the event that stops it, and the bytes it may take.

    memory_limit : on top of the ratings as given; None for what the process can still get
    at_once : the calling thread is one of them, and looks up only between its blocks. For what is soon over:
        a second thread that is started may wait some milliseconds for a core while the caller only waits
    """

    threads: int
    progress: Progress = silent
    cancel: Cancel = None
    memory_limit: int | None = None
    at_once: bool = False

    def look(self) -> None:
        """Raise `Cancelled` if the event that stops the work is set."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The work was cancelled.")

    def quietly(self) -> Run:
        """Return the same without progress, for a part of the work."""
        return replace(self, progress=silent)

    def within(self, before: int, total: int) -> Run:
        """Return the same for a part of the work, of ``total``, that comes after ``before`` of it."""
        return replace(self, progress=lambda done, _: self.progress(before + done, total))

    def within_users(self, before: int, size: int, users: int) -> Run:
        """Return the same for ``size`` of ``users`` users, who come after ``before`` of them."""

        def report(done: int, total: int) -> object:
            return self.progress(before + done * size // max(total, 1), users)

        return replace(self, progress=report)


def resolve_threads(threads: int | None) -> int:
    """Turn ``threads=`` into a number; None means every core this process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise ParameterError(
            f"threads={threads!r} is not a number of threads.",
            expected="an integer of at least 1, or None for every core",
            hint="leave threads out to use every core",
        )
    return int(threads)


def run_blocks(
    blocks: Iterable[tuple[int, Block]],
    make_state: Callable[[], State],
    work: Callable[[State, Block, Flag], object],
    run: Run,
) -> list[State]:
    """Do ``work`` on every block, each thread with a state of its own; return the states.

    blocks : pairs of (weight, block); weights are what progress counts
    run : progress is called from the calling thread; an exception that it raises stops the work and passes on

    Raises `Cancelled` when the event that stops the work is set. On any way out, all threads have ended.
    """
    waiting = deque(blocks)
    total = sum(weight for weight, _ in waiting)
    flag: Flag = np.zeros(1, dtype=np.uint8)
    done = 0
    lock = threading.Lock()

    def worker(look: Callable[[], object]) -> State:
        nonlocal done
        state = make_state()
        while flag[0] == 0:
            try:
                weight, block = waiting.popleft()
            except IndexError:
                break
            try:
                work(state, block, flag)
            except BaseException:
                flag[0] = 1  # the others need not go on
                raise
            with lock:
                done += weight
            look()
        return state

    def look() -> None:
        run.progress(done, total)
        run.look()

    threads, at_once = max(1, min(run.threads, len(waiting))), run.at_once
    look()
    if at_once and threads == 1:
        return [worker(look)]
    with ThreadPoolExecutor(threads, thread_name_prefix="corated") as pool:
        try:
            futures = [pool.submit(worker, _nothing) for _ in range(threads - at_once)]
            states = [worker(look)] if at_once else []
            _wait(futures, look)
        finally:
            flag[0] = 1  # whoever has finished does not mind, and on the way out the others must stop
        states += [future.result() for future in futures]
    run.progress(done, total)
    return states


def _wait(futures: list[Future[State]], look: Callable[[], object]) -> None:
    """Wait until all are done, or one has failed; look up in between."""
    while True:
        state_of = wait(futures, timeout=_LOOK, return_when=FIRST_EXCEPTION)
        if not state_of.not_done or any(future.exception() for future in state_of.done):
            return
        look()


def _nothing() -> None:
    """Do nothing: only the calling thread looks up."""
