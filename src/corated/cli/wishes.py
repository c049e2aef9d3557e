"""What recommendations are wanted: filters, some variety, the history of somebody who is not in the data."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from corated.cli.options import Amount, Years, as_record
from corated.cli.people import subjects, text_of
from corated.cli.source import Data
from corated.errors import CoratedError, DataError, ParameterError

if TYPE_CHECKING:
    from corated.models.filters import Filters
    from corated.models.history import History
    from corated.ratings.ids import IdMap

__all__ = ["Wishes", "fields_of", "one_stdin", "wishes_options"]

_SHOWN = 5


@dataclass(frozen=True)
class Wishes:
    """What may be recommended, and to whom if it is nobody in the data."""

    genre: tuple[str, ...]
    years: tuple[int | None, int | None] | None
    items: str | None
    exclude: str | None
    include_seen: bool
    diversity: float | None
    history: str | None

    @property
    def inputs(self) -> tuple[str | None, ...]:
        """The files that are read."""
        return self.items, self.exclude, self.history

    def filters(self, data: Data, *, is_kept: bool) -> Filters:
        """Return the filters as the library has them; ``is_kept`` tells that the model is of a file."""
        for option, given in (
            ("--genre", self.genre),
            ("--years", self.years),
            ("--diversity", self.diversity),
        ):
            if given and data.catalog is None:
                step = "keep a model that was fitted with --catalog" if is_kept else "add --catalog FILE"
                raise ParameterError(f"{option} goes by the catalog, and there is none.", hint=step)
        found: Filters = {}
        if self.genre:
            found["genres"] = list(self.genre)
        if self.years is not None:
            found["years"] = self.years
        if self.items is not None:
            found["items"] = subjects(data.ratings.items, (), self.items, "")
        if self.exclude is not None:
            found["exclude"] = subjects(data.ratings.items, (), self.exclude, "")
        if self.include_seen:
            found["exclude_seen"] = False
        if self.diversity is not None:
            found["diversity"] = self.diversity
        return found

    def history_of(self, data: Data) -> History | None:
        """Read the history, if there is one: item and rating, or the item alone where all rate alike."""
        if self.history is None:
            return None
        scale, ids = data.ratings.scale, data.ratings.items
        width = 1 if scale is not None and scale.levels == 1 else 2
        rows = fields_of(self.history, ("item", "rating")[:width], ids)
        if width == 1:
            return [ids.parse(row[0]) for _, row in rows]
        name, made = _name(self.history), {}
        for place, (item, rating) in rows:
            id = ids.parse(item)
            if id in made:
                raise DataError(
                    f"{name}: an item comes twice.",
                    expected="each item once",
                    rows=[f"{place}: {item},{rating}"],
                    hint="Keep the rating that counts.",
                )
            made[id] = _number(rating, f"{place}: {item},{rating}", name)
        return made


wishes_options = as_record(
    Wishes,
    "wishes",
    (
        click.option(
            "--genre", multiple=True, metavar="GENRE",
            help="Only items of this genre, as the catalog has it; several add up.",
        ),
        click.option(
            "--years", type=Years(), metavar="YEARS",
            help="Only items of these years: 1990-1999, 2010- or -1980.",
        ),
        click.option("--items", metavar="FILE", help="Only the items in this file, one id a line."),
        click.option("--exclude", metavar="FILE", help="None of the items in this file, one id a line."),
        click.option("--include-seen", is_flag=True, help="Also what the user has rated."),
        click.option(
            "--diversity", type=Amount(least=0.0, most=1.0, example="0.3"), metavar="X",
            help="From 0 to 1: how much an item loses for sharing genres with those before it.",
        ),
        click.option(
            "--history", metavar="FILE",
            help="For somebody who is not in the data: a file of item,rating; - for standard input.",
        ),
    ),
)  # fmt: skip
"""Add the options to a command, which gets them as one `Wishes`, ``wishes``."""


def one_stdin(*inputs: str | None) -> None:
    """Refuse to read two things from standard input."""
    if inputs.count("-") > 1:
        raise ParameterError("Standard input cannot be both of two files.", hint="put one of them in a file")


def fields_of(file: str, names: tuple[str, ...], *ids: IdMap) -> list[tuple[str, list[str]]]:
    """Return (place, fields) of each line of a file of comma- or tab-separated values.

    A first line that names its fields is left out: one with a word for a rating, or without ids that there
    are. ``ids`` are those of the first fields. Raises `DataError` for a line of other fields, and for a file
    that cannot be read.
    """
    name, form = _name(file), ",".join(names)
    text = text_of(file, name, f"{form} in each line")
    delimiter = "\t" if "\t" in text.split("\n", 1)[0] else ","
    rows = []
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        for row in reader:
            fields = [field.strip() for field in row]
            if any(fields):
                rows.append((f"line {reader.line_num}", fields))
    except csv.Error as error:
        raise DataError(f"{name}: is no csv: {error}.", hint="Check the quotes in it.") from error
    if rows and _is_header(rows[0][1], names, ids):
        rows = rows[1:]
    wrong = [f"{place}: {delimiter.join(row)}" for place, row in rows if len(row) != len(names) or "" in row]
    if wrong or not rows:
        raise DataError(
            f"{name}: {len(wrong):,} of {len(rows):,} lines are not {form}."
            if rows
            else f"{name}: there are no lines.",
            expected=f"{form} in each line, with commas or tabs between them",
            rows=wrong[:_SHOWN],
            hint="Correct these lines." if rows else "Check that this is the right file.",
        )
    return rows


def _is_header(row: list[str], names: tuple[str, ...], ids: tuple[IdMap, ...]) -> bool:
    """Tell whether a first line names fields."""
    if len(row) != len(names):
        return False
    if names[-1] == "rating" and not _is_number(row[-1]):
        return True
    return not any(_is_known(known, field) for known, field in zip(ids, row, strict=False)) and any(
        word in row[0].lower() for word in ("user", "item", "movie", "id")
    )


def _is_known(ids: IdMap, text: str) -> bool:
    try:
        return ids.parse(text) in ids
    except CoratedError:
        return False


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(text: str, row: str, name: str) -> float:
    if not _is_number(text):
        raise DataError(
            f"{name}: a rating is no number.",
            expected="a finite number",
            rows=[row],
            hint="Correct this line.",
        )
    return float(text)


def _name(file: str) -> str:
    return "standard input" if file == "-" else file
