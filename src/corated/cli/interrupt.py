"""Ctrl-C that gets through: libraries in between may swallow a KeyboardInterrupt, so it is raised again.

SIGTERM, as sent by batch systems and containers that end a run, is taken for the same wish.
"""

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
    """Which signal came first, if one did."""

    number: int | None = None

    @property
    def pressed(self) -> bool:
        """Whether the run was to stop."""
        return self.number is not None

    @property
    def code(self) -> int:
        """The exit code: 128 and the signal's number, as shells have it."""
        return 128 + (self.number if self.number is not None else signal.SIGINT)


@contextlib.contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Raise KeyboardInterrupt in the main thread for Ctrl-C and SIGTERM, until it has left this block.

    It comes again and again, but not while it is being handled: files are put away, threads come to their
    end.
    """
    seen = Interrupts()
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is not signal.default_int_handler:
        yield seen
        return
    timed = hasattr(signal, "setitimer")

    def raised(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if seen.number is None:
            seen.number = number
        if timed:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        if not _is_handled():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, raised) if timed else None
    signal.signal(signal.SIGINT, raised)
    ends = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ends:
        signal.signal(signal.SIGTERM, raised)
    try:
        yield seen
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, usual)
        if ends:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _is_handled() -> bool:
    """Tell whether an interrupt is being handled right now, in some except or finally."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
