"""What a place that ratings come from must offer, and the rendering of its rows in errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from corated.errors import DataError

__all__ = ["Place", "Source", "an", "counted", "cut", "refusal"]

SHOWN = 5
Place = tuple[str, str]


class Source(Protocol):
    """Columns that arrive in batches, and the places of their rows for messages."""

    name: str  # as messages call it: "ratings.csv", "the table"
    columns: Sequence[str]  # every column there is, in order
    headerless: bool  # columns are known by position: user, item, rating, time
    is_text: bool  # every column arrives as text

    def sample(self, column: str) -> pa.Array:
        """Return the first values of a column, as many as are at hand (none is fine)."""

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        """Yield the wanted columns, users and items first, in the order asked, batch by batch."""

    def locate(self, rows: Sequence[int]) -> list[Place]:
        """Return for each record (from 0, ascending) its place ("line 7") and its text if at hand."""


def counted(n: int, noun: str) -> str:
    """Return "1 rating", "2 ratings": a count with its noun."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def an(noun: str) -> str:
    """Return a noun with its article: "an item", "a user"."""
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"


def cut(text: str) -> str:
    """Return text short enough for a line of a message."""
    return text if len(text) <= 120 else text[:119] + "…"


def refusal(
    source: Source, what: str, *, rows: Sequence[tuple[int, str]], expected: str, hint: str
) -> DataError:
    """Make the error for some bad records: (record from 0, what was got) each; five are shown."""
    shown = sorted(rows)[:SHOWN]
    places = source.locate([row for row, _ in shown])
    lines = [f"{place}: {text or got}" for (place, text), (_, got) in zip(places, shown, strict=True)]
    return DataError(f"{source.name}: {what}", expected=expected, rows=lines, hint=hint)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
