"""Ctrl-C that gets through: libraries in between may swallow a KeyboardInterrupt, so it is raised again."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

__all__ = ["Interrupts", "interrupts"]

_AGAIN = 0.2
"""Seconds after which an interrupt that has stopped nothing is raised again."""


@dataclass
class Interrupts:
    """Whether Ctrl-C was pressed."""

    pressed: bool = False


@contextlib.contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Raise KeyboardInterrupt in the main thread for Ctrl-C, again and again until it has left this block.

    While it is being handled (files are put away, threads come to their end) it is not raised again.
    """
    seen = Interrupts()
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is not signal.default_int_handler:
        yield seen
        return
    timed = hasattr(signal, "setitimer")

    def raised(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        seen.pressed = True
        if timed:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        if not _is_handled():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, raised) if timed else None
    signal.signal(signal.SIGINT, raised)
    try:
        yield seen
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, usual)


def _is_handled() -> bool:
    """Tell whether an interrupt is being handled right now, in some except or finally."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
