"""What was decided for the caller while reading: kept with the ratings, and warned of where it matters."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path

from corated.errors import CoratedNotice

__all__ = ["Notices", "brief", "no_header", "unit_taken"]

_PACKAGE = str(Path(__file__).resolve().parent.parent)


def no_header(name: str, roles: str) -> str:
    """Say that columns were taken by their position."""
    return f"{name} has no header; its columns were taken as {roles}."


def unit_taken(column: str, unit: str, span: str) -> str:
    """Say that a unit of time was told by magnitude."""
    return f"Times in column {column!r} were taken as {unit} since 1970, UTC: {span} (time_unit= overrules)."


def brief(text: str) -> str | None:
    """Return what remains on a screen of the two notices that plain files always have; None for others."""
    headerless = re.search(r" (has no header; its columns were taken as .*)", text)
    if headerless:
        return f"The file {headerless[1]}"
    unit = re.match(
        r"(Times in column .* were taken as \w+) since 1970, .*( \(time_unit= overrules\)\.)", text
    )
    return f"{unit[1]}{unit[2]}" if unit else None


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
