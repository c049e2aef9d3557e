"""Progress and cancellation: how long work reports how far it is, and how it is stopped.

``progress=`` is ``True`` (a bar on standard error) or a callable ``progress(done, total)``, which may raise
to cancel. ``cancel=`` is a `threading.Event`. Ctrl-C in the main thread does the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from corated.errors import ParameterError

__all__ = ["Cancel", "Progress", "ProgressOption", "check_cancel", "reporting", "silent"]

Progress = Callable[[int, int], object]
ProgressOption = bool | Progress | None
Cancel = threading.Event | None


@contextmanager
def reporting(progress: ProgressOption, what: str) -> Iterator[Progress]:
    """Turn a ``progress=`` argument into a callable; with ``True``, show a bar while inside."""
    if progress is None or progress is False:
        yield silent
    elif progress is True:
        with _bar(what) as show:
            yield show
    elif callable(progress):
        yield progress
    else:
        raise ParameterError(
            f"progress={progress!r} is neither True nor a callable.",
            expected="progress=True, or a function of (done, total)",
            hint="pass True for a bar on standard error",
        )


def silent(done: int, total: int) -> None:
    """Report nothing."""


def check_cancel(cancel: Cancel) -> Cancel:
    """Return a ``cancel=`` argument; raises `ParameterError` for what is no event."""
    if cancel is None or hasattr(cancel, "is_set"):
        return cancel
    raise ParameterError(
        f"cancel={cancel!r} is no event.", expected="a threading.Event", hint="pass threading.Event()"
    )


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
