"""Reading ratings and a catalog: one record of options and one decorator for every command that reads."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from corated.cli.options import (
    DUPLICATES,
    ON_BAD,
    READ_FORMATS,
    TIME_UNITS,
    Decorator,
    ReadingOption,
    Scale,
    as_record,
)
from corated.cli.state import current
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated import Catalog, Ratings

__all__ = ["READING_OPTIONS", "Reading", "read_catalog", "reads_ratings"]

_TABS = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class Reading:
    """Where ratings come from and how they are to be read."""

    path: str
    user: str | None
    item: str | None
    rating: str | None
    time: str | None
    no_rating: bool
    no_time: bool
    format: str | None
    scale: tuple[float, float, float] | None
    duplicates: str
    time_unit: str | None
    tz: str | None
    encoding: str | None
    delimiter: str | None
    ids: str | None
    on_bad: str

    def __post_init__(self) -> None:
        for name in ("rating", "time"):
            if getattr(self, name) is not None and getattr(self, f"no_{name}"):
                raise ParameterError(
                    f"--{name} names a column and --no-{name} says there is none.", hint="choose one"
                )

    def ratings(self, *, remarks: bool = True) -> Ratings:
        """Read the ratings and show notices; ``remarks`` adds what is odd about the data as a whole."""
        import corated as cr

        read = cr.read_ratings(
            self.path,
            user=self.user,
            item=self.item,
            rating=False if self.no_rating else self.rating,
            time=False if self.no_time else self.time,
            format=self.format,
            scale=self.scale,
            duplicates=self.duplicates,
            time_unit=self.time_unit,
            tz=self.tz,
            encoding=self.encoding,
            delimiter=_TABS.get(self.delimiter, self.delimiter) if self.delimiter else None,
            ids=_id_kinds(self.ids),
            on_bad=self.on_bad,
        )
        for text in read.notices:
            current().notice(text)
        for text in _remarks(read) if remarks else ():
            current().notice(text)
        return read


def read_catalog(path: str | None, ratings: Ratings) -> Catalog | None:
    """Read a catalog to go with ratings, if there is one; its notices are shown."""
    if path is None:
        return None
    import corated as cr

    if path == "-":
        raise ParameterError("--catalog cannot be standard input.", hint="put the catalog in a file")
    catalog = cr.read_catalog(path, ids=ratings)
    for text in catalog.notices:
        current().notice(text)
    return catalog


def _id_kinds(text: str | None) -> str | dict[str, str] | None:
    """Turn ``text`` or ``user=text,item=integer`` into what `read_ratings` takes."""
    if text is None or "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    return {what.strip(): kind.strip() for what, _, kind in pairs}


def _remarks(ratings: Ratings) -> list[str]:
    """Return what is odd about the data as a whole and was not told while reading: nothing in common."""
    if ratings.n_users < 2 or int(ratings.item_counts.max(initial=0)) > 1:
        return []
    return [
        f"{found.message} {found.hint}" for found in ratings.check().warnings if found.code == "no_overlap"
    ]


_option = functools.partial(click.option, cls=ReadingOption)

READING_OPTIONS: tuple[Decorator, ...] = (
    _option("--user", metavar="NAME", help="Column of user ids; usual names are recognized."),
    _option("--item", metavar="NAME", help="Column of item ids."),
    _option("--rating", metavar="NAME", help="Column of ratings."),
    _option("--no-rating", is_flag=True, help="There are no ratings: each row counts as 1."),
    _option("--time", metavar="NAME", help="Column of times."),
    _option("--no-time", is_flag=True, help="Do not read times."),
    _option(
        "--format",
        type=click.Choice(READ_FORMATS),
        help="Format of RATINGS, where its content does not tell.",
    ),
    _option(
        "--scale",
        type=Scale(),
        metavar="LOW:HIGH:STEP",
        help="Rating scale; by default read off the ratings.",
    ),
    _option(
        "--duplicates",
        type=click.Choice(DUPLICATES),
        default="refuse",
        show_default=True,
        help="What to do where a user rated an item twice; last and first go by time.",
    ),
    _option(
        "--time-unit",
        type=click.Choice(TIME_UNITS),
        help="Unit of Unix times; by default told by their size.",
    ),
    _option("--tz", metavar="ZONE", help="Time zone of datetimes without one, such as Europe/Berlin."),
    _option("--encoding", metavar="NAME", help="Encoding of text; UTF-8 by default."),
    _option(
        "--delimiter", metavar="TEXT", help="What separates columns; by default recognized. \\t is a tab."
    ),
    _option(
        "--ids", metavar="KINDS", help="Type of ids: integer, text, or for example user=integer,item=text."
    ),
    _option(
        "--on-bad",
        type=click.Choice(ON_BAD),
        default="refuse",
        show_default=True,
        help="What to do with rows whose rating is missing, not a number or off the scale.",
    ),
)

reads_ratings = as_record(Reading, "reading", (click.argument("path", metavar="RATINGS"), *READING_OPTIONS))
"""Add RATINGS and the options of reading to a command, which gets them as one `Reading`, ``reading``."""
