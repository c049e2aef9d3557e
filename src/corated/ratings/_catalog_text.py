"""Catalogs as text: bytes decoded, lines cut into columns. Nothing is judged about ids here."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NoReturn

from corated.errors import DataError, ParameterError
from corated.ratings._catalog_columns import (
    Columns,
    Rows,
    choose_columns,
    rows_from_columns,
    split_genres,
    year_of_title,
)

__all__ = ["TextFormat", "decoded", "rows_from_text"]

TextFormat = Literal["dat", "item", "csv", "tsv"]

# The genres of MovieLens 100K in the order of u.item's flags.
_ML100K_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller"),
    *("War", "Western"),
)
_SHOWN = 60
# user::item::rating::time, which would pass for id::title::genres.
_RATING = re.compile(r"[^:]+::[^:]+::-?[0-9.]+::[0-9]+\Z")


def decoded(path: Path, encoding: str | None) -> tuple[str, str]:
    """Return a file's text, and a notice where there is one to give.

    Gzip or not; in `encoding`, or else in UTF-8, and failing that in Latin-1 with a notice.
    """
    notice = ""
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path} is a damaged gzip file: {error}.", hint="Fetch or compress it again."
            ) from error
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding is None:
        encoding = "utf-16"
    try:
        text = raw.decode(encoding or "utf-8")
    except LookupError as error:
        raise ParameterError(
            f"There is no encoding named {encoding!r}.", expected="a name such as utf-8, latin-1, cp1252"
        ) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        where = f"{path}, line {line}: byte {raw[error.start]:#04x} at offset {error.start:,} is not"
        if encoding is not None:
            raise DataError(
                f"{where} {encoding}.",
                expected=f"text in {encoding}",
                hint="Give the file's own encoding, such as encoding='latin-1', or none to have it found.",
            ) from error
        text = raw.decode("latin-1")
        notice = f"{where} UTF-8, so the file was read as Latin-1. Give encoding= to choose another."
    nul = text.find("\0")
    if nul >= 0:
        raise DataError(
            f"{path}, line {text.count(chr(10), 0, nul) + 1}: there is a NUL character.",
            expected="a text file: .dat, csv, tsv or u.item",
            hint="Check that this is the catalog, and its encoding.",
        )
    return text.removeprefix("\ufeff"), notice


def rows_from_text(text: str, path: Path, form: TextFormat | None, given: Columns) -> Rows:
    """Cut a catalog's text into rows; raises `DataError` naming the line."""
    if not text.strip():
        raise DataError(
            f"{path} is empty.",
            expected="a catalog: one item a line, with its id and title",
            hint="Check the path, or fetch the file again.",
        )
    lines = text.replace("\r\n", "\n").split("\n")
    first = next(line for line in lines if line.strip())
    if form is None:
        form = _sniff(first, path)
    if form in ("dat", "item"):
        given.refuse_any(f"{path} has no named columns.")
    if form == "dat":
        return _dat(lines, path)
    if form == "item":
        return _item(lines, path)
    delimiter = "\t" if form == "tsv" else _delimiter(first)
    return _separated(text, path, delimiter, given)


def _sniff(first: str, path: Path) -> TextFormat:
    """Judge the format by the first line, then by the name."""
    fields = first.split("|")
    if len(fields) > 6 and all(flag.strip() in ("0", "1") for flag in fields[6:]):
        return "item"
    name = path.name.removesuffix(".gz")
    if "::" in first and (name.endswith(".dat") or not re.search(r"[,;\t]", first.split("::")[0])):
        return "dat"
    return "tsv" if name.endswith(".tsv") else "csv"


def _delimiter(header: str) -> str:
    """Return the delimiter that cuts the header into the most columns; a comma if none does."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def _fault(path: Path, number: int, line: str, what: str, expected: str, hint: str) -> NoReturn:
    shown = line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
    raise DataError(f"{path}, line {number}: {what}", expected=expected, rows=[shown], hint=hint)


def _numbered(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with its number from 1."""
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _dat(lines: list[str], path: Path) -> Rows:
    """Cut ``id::title::genre|genre``: at the first and at the last ``::``, as titles may hold one."""
    rows = Rows(str(path), is_text=True)
    sample = [line for line in lines[:100] if line.strip()]
    if all(_RATING.match(line) for line in sample):
        _fault(
            path,
            1,
            sample[0],
            "these are ratings, not a catalog.",
            "id::title (year)::genre|genre",
            "Read it with read_ratings, or give the catalog's file.",
        )

    for number, line in _numbered(lines):
        id, found, rest = line.partition("::")
        if not found:
            _fault(
                path,
                number,
                line,
                "there is no '::' in the line.",
                "id::title (year)::genre|genre",
                "Mend the line, or give format= if this is another format.",
            )
        title, found, genres = rest.rpartition("::")
        if not found or (year_of_title(title) is None and year_of_title(genres) is not None):
            # No genres: what follows the last '::' still belongs to the title.
            title, genres = rest, ""
        rows.add(number, id, title, year_of_title(title), split_genres(genres, "|"))

    return rows


def _item(lines: list[str], path: Path) -> Rows:
    """Cut ml-100k's ``id|title|release date|video date|address|flag|flag...``."""
    names = _genre_names(path)
    width = 5 + len(names)
    rows = Rows(str(path), is_text=True)

    for number, line in _numbered(lines):
        fields = line.split("|")
        flags = fields[-len(names) :]
        # From the right, as a title may hold a bar.
        if len(fields) < width or any(flag.strip() not in ("0", "1") for flag in flags):
            _fault(
                path,
                number,
                line,
                f"there are {len(fields)} fields, or the last {len(names)} are not 0 or 1.",
                f"id|title|release date|video date|address and {len(names)} genre flags",
                "Mend the line; genre names are read from a u.genre in the same folder.",
            )
        head = fields[: len(fields) - width + 2]
        title, released = "|".join(head[1:]), fields[len(head)]
        year = year_of_title(title)
        if year is None and (dated := re.search(r"\b[12][0-9]{3}\Z", released.strip())):
            year = int(dated.group())
        genres = [name for name, flag in zip(names, flags, strict=True) if flag.strip() == "1"]
        rows.add(number, head[0], title, year, split_genres("|".join(genres), "|"))

    return rows


def _genre_names(path: Path) -> list[str]:
    """Return the genre names in the order of the flags: those of a u.genre beside, or MovieLens's."""
    beside = path.with_name("u.genre")
    if not beside.is_file():
        return list(_ML100K_GENRES)
    names: dict[int, str] = {}
    for number, line in enumerate(decoded(beside, None)[0].splitlines(), 1):
        name, found, at = line.rpartition("|")
        if not line.strip():
            continue
        if not found or not at.strip().isdecimal():
            _fault(beside, number, line, "this is not a genre.", "name|number", "Mend or remove the file.")
        names[int(at)] = name
    if sorted(names) != list(range(len(names))) or not names:
        raise DataError(
            f"{beside} does not number its genres from 0.",
            expected="name|number, numbers 0, 1, 2 …",
            hint="Mend or remove the file; without it the genres of MovieLens 100K are taken.",
        )
    return [names[at] for at in sorted(names)]


def _separated(text: str, path: Path, delimiter: str, given: Columns) -> Rows:
    """Cut csv or tsv with a header, quoted where needed."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    records: list[list[str]] = []
    places: list[int] = []
    start = 1
    try:
        for record in reader:
            begun, start = start, reader.line_num + 1
            if not record:
                continue
            if not header:
                header = record
                continue
            if len(record) != len(header):
                _fault(
                    path,
                    begun,
                    delimiter.join(record),
                    f"there are {len(record)} fields.",
                    f"{len(header)} fields, as in the header",
                    "Mend the line; a field that holds the delimiter or a line break belongs in quotes.",
                )
            records.append(record)
            places.append(begun)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {start}: {error}.",
            expected=f"fields separated by {delimiter!r}, with quotes closed and doubled inside",
            hint="Mend the line; a quote was probably opened there and never closed.",
        ) from error
    rows = Rows(str(path), is_text=True)
    chosen = choose_columns(header, given, rows)
    rows_from_columns(chosen, lambda at: [record[at] for record in records], rows)
    rows.ids, rows.places = [record[chosen.item] for record in records], places
    return rows
