"""Ids given as text, on the command line or in a file of one a line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from corated.cli.show import count
from corated.cli.state import current
from corated.errors import DataError, IdTypeError, ParameterError, UnknownIdError

if TYPE_CHECKING:
    from corated import Ratings
    from corated.ratings.ids import Id, IdMap

__all__ = ["ids_from", "note_excess", "subjects", "text_of"]

_SHOWN = 5


def subjects(ids: IdMap, given: Sequence[str], file: str | None, ratings_path: str) -> list[Id] | None:
    """Return the ids that were asked for, each once in the order given; None where none were.

    Raises `UnknownIdError` naming the first that are not in the data, and `DataError` for a file that
    cannot be read.
    """
    if given and file is not None:
        raise ParameterError("Ids are given on the command line and in a file.", hint="choose one")
    if file is None:
        return ids_from(ids, [("", text) for text in given], "The command line") if given else None
    if file == "-" and ratings_path == "-":
        raise ParameterError(
            "Standard input cannot be both the ratings and the ids.", hint="put one of them in a file"
        )
    name = "standard input" if file == "-" else file
    lines = _lines(file, name)
    if not lines:
        raise DataError(
            f"{name}: there are no ids.", expected=f"one {ids.what} id on each line", hint="Check the file."
        )
    return ids_from(ids, lines, name)


def ids_from(ids: IdMap, named: Sequence[tuple[str, str]], where: str) -> list[Id]:
    """Turn (place, text) pairs into ids that are in the data, each once."""
    parsed: dict[int, Id] = {}
    wrong: dict[int, UnknownIdError] = {}
    for at, (_, text) in enumerate(named):
        try:
            parsed[at] = ids.parse(text)
        except IdTypeError as error:
            wrong[at] = error
    codes = ids.codes(list(parsed.values()))
    absent = [at for at, code in zip(parsed, codes.tolist(), strict=True) if code < 0]
    for at in absent[:_SHOWN]:
        wrong[at] = _unknown(ids, parsed[at])
    if wrong:
        first = wrong[min(wrong)]
        if len(named) == 1:
            raise first
        bad = len(wrong) + len(absent[_SHOWN:])
        raise type(first)(
            f"{where}: {bad:,} of {len(named):,} {ids.what} ids are not in the ratings.",
            expected=first.expected,
            rows=[f"{named[at][0]}{named[at][1]}" for at in sorted(wrong)[:_SHOWN]],
            hint=first.hint,
        )
    once = list(dict.fromkeys(parsed.values()))
    if len(once) < len(parsed):
        again = len(parsed) - len(once)
        current().notice(f"{where}: {count(again, f'repeated {ids.what} id')}, answered once.")
    return once


def _unknown(ids: IdMap, id: Id) -> UnknownIdError:
    """Return the error of an id that is not in the data, with its near miss."""
    try:
        ids.code(id)
    except UnknownIdError as error:
        return error
    raise AssertionError(f"{id!r} is in the data")


def _lines(file: str, name: str) -> list[tuple[str, str]]:
    """Return ("line 3: ", text) for each line that is not empty."""
    text = text_of(file, name, "ids in UTF-8, one a line")
    return [
        (f"line {at}: ", line.rstrip("\r")) for at, line in enumerate(text.split("\n"), 1) if line.strip()
    ]


def text_of(file: str, name: str, expected: str) -> str:
    """Return the text of a file, or of standard input for -; raises `DataError` where it has none."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{name}: cannot be read: {error.strerror or error}.", expected=expected, hint="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: is not UTF-8 at byte {error.start:,}.", expected=expected, hint="Save it as UTF-8."
        ) from error


def note_excess(ratings: Ratings, side: str, k: int | str | None, n: int | None = None) -> None:
    """Notice where more is asked for than there can be."""
    others = (ratings.n_users if side == "users" else ratings.n_items) - 1
    if isinstance(k, int) and k > others:
        one = "user" if side == "users" else "item"
        current().notice(f"k={k}, but there {_are(others, f'other {one}')}: each gets those there are.")
    if n is not None and n > ratings.n_items:
        current().notice(f"n={n}, but there {_are(ratings.n_items, 'item')}: each gets those there are.")


def _are(number: int, noun: str) -> str:
    return f"{'is' if number == 1 else 'are'} {count(number, noun)}"
