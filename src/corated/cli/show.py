"""Results on standard output: text, tables and strict JSON."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corated.cli.words import printable
from corated.output import named

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "STDOUT",
    "FirstRows",
    "JsonRows",
    "as_json_text",
    "count",
    "lines_of",
    "plain",
    "say",
    "show_json",
    "show_rows",
]

_NOTHING: Final = "–"
STDOUT: Final = "- (standard output)"
"""What standard output is called where it cannot be written."""


def say(text: str = "", *, err: bool = False) -> None:
    """Print text, with control characters escaped."""
    with contextlib.nullcontext() if err else named(STDOUT):
        click.echo(printable(text), err=err)


def show_json(value: Any) -> None:
    """Print a value as strict JSON."""
    with named(STDOUT):
        click.echo(json.dumps(plain(value), indent=2, ensure_ascii=_ascii(), allow_nan=False))


def as_json_text(row: Mapping[str, Any], *, ascii: bool = False) -> str:
    """Write one row as JSON on one line."""
    return json.dumps(plain(row), ensure_ascii=ascii, allow_nan=False)


class JsonRows:
    """One JSON object, printed while its rows are made: ``{"rows": [...], "summary": {...}}``."""

    def __init__(self) -> None:
        self._ascii = _ascii()
        self._between = '{"rows": [\n'

    def write(self, table: pa.Table) -> None:
        """Print the rows of a table."""
        with named(STDOUT):
            for row in lines_of(table):
                click.echo(self._between + as_json_text(row, ascii=self._ascii), nl=False)
                self._between = ",\n"

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Print the summary and the end."""
        start = self._between if self._between.startswith("{") else "\n"
        text = json.dumps(plain(summary), indent=2, ensure_ascii=self._ascii, allow_nan=False)
        with named(STDOUT):
            click.echo(f'{start}],\n"summary": {text}}}')


class FirstRows:
    """The first rows of a result, to be shown at the end."""

    def __init__(self, most: int | None) -> None:
        self._most, self._held, self._all = most, 0, 0
        self._kept: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        """Keep what is to be shown of a table, and count the rest."""
        self._all += table.num_rows
        part = table if self._most is None else table.slice(0, self._most - self._held)
        if part.num_rows:
            self._kept.append(part)
            self._held += part.num_rows

    def show(self) -> None:
        """Print the rows."""
        rows = [row for part in self._kept for row in part.to_pylist()]
        if rows:
            show_rows(rows, self._kept[0].column_names)
        if self._held < self._all:
            say(f"… the first {self._held:,} of {self._all:,} rows; -o FILE writes all")


def count(number: int, noun: str) -> str:
    """Write a number of things: ``1 user``, ``2 users``."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table: ruled on a terminal, aligned text elsewhere."""
    cells = [[printable(_cell(row[name])) for name in columns] for row in rows]
    right = [_is_number([row[name] for row in rows]) for name in columns]
    with named(STDOUT):
        (_ruled if sys.stdout.isatty() else _aligned)(cells, columns, right)


def _aligned(cells: Sequence[Sequence[str]], columns: Sequence[str], right: Sequence[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in ([*columns], *cells):
        parts = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        click.echo("  ".join(parts).rstrip())


def plain(value: Any) -> Any:
    """Turn a value into what strict JSON has: not-a-number and infinity become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a NumPy scalar
        return plain(value.item())
    return value


def _ruled(cells: Sequence[Sequence[str]], columns: Sequence[str], right: Sequence[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, is_right in zip(columns, right, strict=True):
        table.add_column(name, justify="right" if is_right else "left", overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)


def _is_number(values: Sequence[object]) -> bool:
    """Tell whether a column has numbers, and nothing else."""
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, int | float) for value in present)


def _cell(value: object) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _ascii() -> bool:
    """Tell whether standard output cannot take every letter."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return not encoding.startswith("utf")


def lines_of(table: pa.Table, size: int = 1 << 14) -> Iterator[dict[str, Any]]:
    """Yield the rows of an Arrow table as dictionaries, a few at a time."""
    for start in range(0, table.num_rows, size):
        yield from table.slice(start, size).to_pylist()
