"""What a piece of work takes: seconds, and memory as far as it can be told."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Watch", "watching"]

_EVERY = 0.01
"""Seconds between two looks at the memory."""
_STATM = Path("/proc/self/statm")


class Watch:
    """What has been taken since the start; ``memory`` is final when `watching` has ended.

    memory : bytes that the process had beyond what it had at the start, at the fullest moment seen; None
        where the system does not tell
    """

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._before = _resident()
        self._most = self._before

    def look(self) -> None:
        """Note the memory of this moment."""
        now = _resident()
        if now is not None and self._most is not None:
            self._most = max(self._most, now)

    @property
    def memory(self) -> int | None:
        """See the class."""
        return None if self._most is None or self._before is None else self._most - self._before

    def lap(self) -> float:
        """Return the seconds since the start, or since the last lap."""
        now = time.perf_counter()
        seconds, self._start = now - self._start, now
        return seconds


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch what the block takes.

    Memory is looked at every hundredth of a second, of the whole process, so it is a rough figure: short
    peaks can be missed, other threads count, and what an earlier model left to the process and is used again
    does not.
    """
    gc.collect()
    watch, ended = Watch(), threading.Event()

    def look() -> None:
        while not ended.wait(_EVERY):
            watch.look()

    thread = threading.Thread(target=look, name="corated-memory", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
        watch.look()


def _resident() -> int | None:
    """Return the bytes of memory that the process has, where the system tells."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
