"""How a text is written: delimiter, header, quotes; told from its first lines."""

from __future__ import annotations

import csv
import io
import re
from typing import Final

from corated.errors import DataError
from corated.ratings.blocks import Dialect, Text
from corated.ratings.columns import is_known_name
from corated.ratings.options import ReadOptions

__all__ = ["sniff"]

HEAD_BYTES: Final = 1 << 16
_LINES: Final = 50
# In order of preference where they split lines equally well; a space only as the last resort.
DELIMITERS: Final = ("::", "\t", ",", ";", "|", " ")
NAMES: Final = {"::": '"::"', "\t": "a tab", ",": "a comma", ";": "a semicolon", "|": "a bar", " ": "a space"}
_POSITIONS: Final = ("user", "item", "rating", "time")


def sniff(text: Text, options: ReadOptions) -> Dialect:
    """Return how a text is written; raises `DataError` where it is empty or not a table."""
    head = text.head(HEAD_BYTES)
    _refuse_other_formats(text.name, head)
    lines = _first_lines(head)
    if not lines:
        raise DataError(
            f"{text.name}: is empty.",
            expected="a table of ratings",
            hint="Check that this is the right file, and that it was written whole.",
        )
    skipped = _blank_lines_before(head)
    delimiter = _delimiter(text.name, lines, options)
    first = _fields(lines[0], delimiter, quoted=delimiter != "::")
    named = {name for name in (options.user, options.item, options.rating, options.time) if name}
    has_header = _is_header([field.strip() for field in first], named)
    if not has_header:
        quoted = delimiter not in ("::", "\t")
        names = list(_POSITIONS[: len(first)]) + [f"column {n}" for n in range(5, len(first) + 1)]
        return Dialect(delimiter, quoted, tuple(names), 0)
    # Outside quotes a header is one line; a quoted name that goes on is counted by the csv module.
    header_lines = 1
    if len(delimiter) == 1 and '"' in lines[0]:
        reader = csv.reader(io.StringIO("\n".join(_lines(head)), newline=""), delimiter=delimiter)
        for row in reader:
            if row:
                first, header_lines = row, reader.line_num - skipped
                break
    names = [field.strip() for field in first]
    return Dialect(delimiter, delimiter != "::", tuple(names), skipped + header_lines)


def _first_lines(head: bytes) -> list[str]:
    """Return the first whole lines that are not blank."""
    lines = _lines(head)
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]  # cut by the size of the sample
    return [line for line in lines if line.strip()][:_LINES]


def _lines(head: bytes) -> list[str]:
    """Decode leniently: what is not UTF-8 is found, with its place, when it is read."""
    return re.split("\r\n|\n|\r", head.decode("utf-8", "replace"))


def _blank_lines_before(head: bytes) -> int:
    count = 0
    for line in _lines(head):
        if line.strip():
            break
        count += 1
    return count


def _delimiter(name: str, lines: list[str], options: ReadOptions) -> str:
    given = options.delimiter or {"dat": "::", "tsv": "\t"}.get(options.format or "")
    best = _best(lines)
    if given is not None:
        if len(_fields(lines[0], given, quoted=given != "::")) > 1:
            return given
        shown = NAMES.get(given, repr(given))
        hint = f"Pass delimiter={best!r}, or leave it out." if best else "Look at the file's first lines."
        better = f"; {NAMES[best]} makes {len(_fields(lines[0], best, quoted=True))}" if best else ""
        raise DataError(
            f"{name}: the first line is one column when split at {shown}{better}.",
            expected="at least a user and an item column",
            rows=[f"line 1: {lines[0][:200]}"],
            hint=hint,
        )
    if best is None:
        raise DataError(
            f"{name}: no delimiter was recognized: the first line is one column.",
            expected='columns separated by "::", a tab, a comma, a semicolon, a bar or a space',
            rows=[f"line {at}: {line[:200]}" for at, line in enumerate(lines[:3], 1)],
            hint="Pass delimiter= with the sign between the columns.",
        )
    return best


def _best(lines: list[str]) -> str | None:
    """Return the delimiter that splits the lines alike and into most columns."""
    counts = {d: [len(_fields(line, d, quoted=d != "::")) for line in lines] for d in DELIMITERS}
    alike = {d: min(n) for d, n in counts.items() if min(n) == max(n) and min(n) > 1 and d != " "}
    if alike.get("::", 0) >= 3:
        return "::"
    if alike:
        return max(alike, key=lambda d: alike[d])  # the first of equals
    split = {d: n[0] for d, n in counts.items() if n[0] > 1 and d != " "}
    if split:
        return max(split, key=lambda d: split[d])
    spaces = counts[" "]
    return " " if min(spaces) == max(spaces) and spaces[0] in (3, 4) else None


def _fields(line: str, delimiter: str, *, quoted: bool) -> list[str]:
    if len(delimiter) > 1 or not quoted:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _is_header(fields: list[str], named: set[str]) -> bool:
    """Tell a header from a row: it holds a usual or a given name, or no number where ratings stand."""
    if any(field in named for field in fields) or sum(map(is_known_name, fields)) > 1:
        return True
    if len(fields) < 3:
        return not any(_is_number(field) for field in fields)
    return not _is_number(fields[2]) and not any(_is_number(field) for field in fields[3:4])


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return field == ""
    return True


def _refuse_other_formats(name: str, head: bytes) -> None:
    found, hint = "", ""
    if head.startswith(b"PK\x03\x04"):
        found, hint = "a zip archive (or a spreadsheet)", "Unpack it first and read the file inside."
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
        found, hint = "UTF-16 text", 'Pass encoding="utf-16".'
    elif head.startswith(b"SQLite format 3\0"):
        found, hint = "an SQLite database", "Export the ratings as csv."
    elif head.lstrip()[:1] in (b"{", b"["):
        found, hint = "JSON", "Read it with pandas or polars and pass the frame."
    elif head.startswith((b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        found, hint = "compressed, but not with gzip", "Unpack it first, or compress it with gzip."
    if found:
        raise DataError(
            f"{name}: is {found}.", expected="csv, tsv, .dat, Parquet or Arrow, text also as .gz", hint=hint
        )
