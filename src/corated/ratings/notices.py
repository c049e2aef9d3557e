"""What was decided for the caller while reading: kept with the ratings, and warned of where it matters."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from corated.errors import CoratedNotice

__all__ = ["Notices"]

_PACKAGE = str(Path(__file__).resolve().parent.parent)


class Notices:
    """Sentences in the order they came up; those marked are also given to `warnings`."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._warned: list[str] = []

    def add(self, text: str, *, warn: bool = False) -> None:
        """Keep a sentence; with `warn` it becomes a `CoratedNotice` once reading has succeeded."""
        self._texts.append(text)
        if warn:
            self._warned.append(text)

    def texts(self) -> tuple[str, ...]:
        """Return every sentence, in order."""
        return tuple(self._texts)

    def emit(self) -> None:
        """Warn of the marked sentences, at the line of the caller outside this package."""
        level = 2
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
            frame = frame.f_back
            level += 1
        for text in self._warned:
            warnings.warn(text, CoratedNotice, stacklevel=level)
