"""Catalogs as columns: which column is which, and what titles, years and genres say."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.ratings.notices import Notices
from corated.ratings.sources import Place

__all__ = [
    "Chosen",
    "Columns",
    "Rows",
    "choose_columns",
    "rows_from_columns",
    "split_genres",
    "year_of_title",
]

# Best first, in lower case and without anything but letters and digits.
_ITEM = (
    *("itemid", "movieid", "productid", "bookid", "isbn", "asin", "songid", "trackid", "artistid"),
    *("gameid", "animeid", "businessid", "id", "item", "movie", "product", "book"),
)
_TITLE = (
    *("title", "itemtitle", "movietitle", "booktitle", "itemname", "moviename", "productname", "name"),
    *("movie", "item", "product", "book"),
)
_GENRES = ("genres", "genre", "categories", "category")
_YEAR = (
    *("year", "releaseyear", "publicationyear", "yearofpublication", "date", "releasedate", "released"),
    "published",
)

# "(1999)", "(1999-)", "(1975-1979)", "(2010/II)", and what may follow: a kind such as "(TV)", spaces.
_TITLE_YEAR = re.compile(r"\(([12][0-9]{3})(?:\s?[-–—/][^()]*)?\)\s*(?:\([A-Za-z]{1,4}\)\s*)*\Z")
_ANY_YEAR = re.compile(r"(?<![0-9])[12][0-9]{3}(?![0-9])")
_NO_GENRES = {"(no genres listed)", "no genres listed", "unknown", "n/a", "\\n"}


@dataclass(frozen=True)
class Columns:
    """The column names that the caller gave; None is to be guessed."""

    item: str | None = None
    title: str | None = None
    genres: str | None = None
    year: str | None = None

    def refuse_any(self, why: str) -> None:
        """Raise `ParameterError` if a name was given where there are no names."""
        for role in ("item", "title", "genres", "year"):
            name = getattr(self, role)
            if name is not None:
                raise ParameterError(
                    f"{role}={name!r} cannot be used: {why}",
                    hint="Leave the column names out, or give format= if this is another format.",
                )


@dataclass
class Rows:
    """A catalog cut into columns, with the place of every row; a `Source` of its ids."""

    name: str
    is_text: bool
    ids: list[Any] | pa.Array = field(default_factory=list)
    titles: list[str | None] = field(default_factory=list)
    years: list[int | None] = field(default_factory=list)
    genres: list[list[str]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    notices: Notices = field(default_factory=Notices)
    columns: Sequence[str] = ("item_id",)
    headerless: bool = False

    def add(self, place: int, id: str, title: str, year: int | None, genres: list[str]) -> None:
        """Append one row of a text file."""
        self.places.append(place)
        self.ids.append(id)
        self.titles.append(title or None)
        self.years.append(year)
        self.genres.append(genres)

    def place(self, at: int) -> str:
        """Return where a row stands, for messages."""
        return f"{'line' if self.is_text else 'row'} {self.places[at]}"

    def sample(self, column: str) -> pa.Array:  # noqa: ARG002 - there is one column
        """Return the ids."""
        return pa.array(self.ids, pa.large_string()) if self.is_text else self.ids

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        """Yield the ids in one batch."""
        yield [self.sample(name) for name in wanted]

    def locate(self, rows: Sequence[int]) -> list[Place]:
        """Return the places of some rows."""
        return [(self.place(row), "") for row in rows]


def year_of_title(title: str | None) -> int | None:
    """Return the year in parentheses at the end of a title: the first one of a span."""
    found = _TITLE_YEAR.search(title) if title else None
    return int(found.group(1)) if found else None


def split_genres(text: str | None, separator: str) -> list[str]:
    """Return the genres in a text, each once, in its order; none for what says that there are none."""
    if text is None or text.strip().lower() in _NO_GENRES:
        return []
    return list(dict.fromkeys(part.strip() for part in text.split(separator) if part.strip()))


@dataclass(frozen=True)
class Chosen:
    """Positions of the columns that are read."""

    item: int
    title: int
    genres: int | None
    year: int | None


def choose_columns(names: Sequence[str], given: Columns, rows: Rows) -> Chosen:
    """Return which column is which; guesses are added to the notices of `rows`.

    Raises `DataError` where the id or the title has no column, `ParameterError` where a given name
    is not there.
    """
    at: dict[str, int | None] = {}
    for role, known in (("item", _ITEM), ("title", _TITLE), ("genres", _GENRES), ("year", _YEAR)):
        name = getattr(given, role)
        if name is not None and name not in names:
            raise ParameterError(
                f"{rows.name}: there is no column {name!r} for {role}=.",
                expected="one of " + ", ".join(repr(other) for other in names),
            )
        if name is None:
            # A column that the caller gave to another role is not free.
            free = [
                other
                for position, other in enumerate(names)
                if position not in at.values() and other not in vars(given).values()
            ]
            name = _best(free, known)
            if name is not None:
                rows.notices.add(f"{role}={name!r} was recognized by its name.")
        if name is not None and list(names).count(name) > 1:
            raise DataError(
                f"{rows.name}: {list(names).count(name)} columns are named {name!r}.", hint="Rename one."
            )
        at[role] = None if name is None else list(names).index(name)
    item, title = at["item"], at["title"]
    if item is None or title is None:
        role = "item" if item is None else "title"
        raise DataError(
            f"{rows.name}: there is no column for the {'item id' if item is None else 'title'}.",
            expected="columns such as item_id, title, genres, year",
            rows=[f"columns found: {', '.join(repr(name) for name in names) or 'none'}"],
            hint=f"Name the column, {role}='…', or check the delimiter and that there is a header.",
        )
    return Chosen(item, title, at["genres"], at["year"])


def _best(names: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the name that comes first among the known ones, whatever its case and punctuation."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(re.sub(r"[^a-z0-9]", "", name.lower()), name)
    return next((plain[word] for word in known if word in plain), None)


def rows_from_columns(chosen: Chosen, column: Callable[[int], Sequence[Any]], rows: Rows) -> Rows:
    """Fill all but the ids of `rows` from the chosen columns, each fetched by its position."""
    rows.titles = [None if _is_null(cell) else str(cell) for cell in column(chosen.title)]
    rows.genres = [[]] * len(rows.titles) if chosen.genres is None else _genre_lists(column(chosen.genres))
    rows.years = [year_of_title(text) for text in rows.titles]
    if chosen.year is not None:
        stated = [_year_of_cell(cell) for cell in column(chosen.year)]
        rows.years = [own or other for own, other in zip(stated, rows.years, strict=True)]
    return rows


def _is_null(cell: Any) -> bool:
    return cell is None or cell == "" or cell != cell


def _genre_lists(cells: Sequence[Any]) -> list[list[str]]:
    """Return genres from lists, or from texts cut at the first of ``| ; ,`` that occurs in any."""
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip().lower() not in _NO_GENRES]
    separator = next((mark for mark in "|;," if any(mark in text for text in texts)), "|")
    lists: list[list[str]] = []
    for cell in cells:
        if isinstance(cell, list | tuple):
            lists.append([str(genre) for genre in cell if not _is_null(genre)])
        else:
            lists.append(split_genres(None if _is_null(cell) else str(cell), separator))
    return lists


def _year_of_cell(cell: Any) -> int | None:
    """Return the year in a number, a date or a text such as "1995-01-01" or "01-Jan-1995"."""
    if isinstance(cell, datetime.date):
        return cell.year
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return int(cell) if cell == cell and 1000 <= cell <= 2999 and cell == int(cell) else None
    found = _ANY_YEAR.search(str(cell)) if isinstance(cell, str) else None
    return int(found.group()) if found else None
