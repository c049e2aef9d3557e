"""Which column is which: by name, as the caller says or as it is usually called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from corated.errors import DataError
from corated.ratings.notices import Notices, no_header
from corated.ratings.options import ReadOptions
from corated.ratings.sources import Source, an
from corated.ratings.times import is_naive

__all__ = ["Columns", "choose_columns", "is_known_name", "plain_name"]

# Names without case, spaces and signs, most likely first.
_USUAL: Final = {
    "user": (
        "userid user uid reviewerid customerid memberid accountid visitorid raterid personid "
        "username customer member reviewer rater person useridx u"
    ),
    "item": (
        "itemid item movieid movie iid asin parentasin productid product isbn bookid book songid "
        "trackid artistid animeid filmid film gameid businessid articleid recipeid contentid "
        "venueid sku i"
    ),
    "rating": (
        "rating ratings score stars overall bookrating userrating starrating reviewscore "
        "reviewoverall grade preference playcount plays listens weight r"
    ),
    "time": (
        "timestamp time unixreviewtime unixtime ts datetime date createdat ratedat reviewtime "
        "reviewdate eventtime tstamp t"
    ),
}
NAMES: Final = {role: tuple(names.split()) for role, names in _USUAL.items()}
PLAIN: Final = {"user": "user_id", "item": "item_id", "rating": "rating", "time": "timestamp"}
POSITIONS: Final = ("user", "item", "rating", "time")


@dataclass(frozen=True)
class Columns:
    """The chosen columns; a role that is None has no column."""

    user: str
    item: str
    rating: str | None
    time: str | None
    witness: str | None = None  # a second time column, to tell the zone of naive datetimes by

    def wanted(self) -> list[str]:
        """Return the names to read, each once, in order."""
        names = [self.user, self.item, self.rating, self.time, self.witness]
        return list(dict.fromkeys(name for name in names if name is not None))


def plain_name(name: str) -> str:
    """Return a column name without case, spaces, signs and the type that RecBole files append."""
    return re.sub(r"[^0-9a-z]", "", name.split(":")[0].casefold())


def is_known_name(name: str) -> bool:
    """Tell whether a name is a usual one of some role (one letter alone is not enough)."""
    plain = plain_name(name)
    return len(plain) > 1 and any(plain in names for names in NAMES.values())


def choose_columns(source: Source, options: ReadOptions, notices: Notices) -> Columns:
    """Return the columns to read; raises `DataError` where one is missing or named twice."""
    guessed: dict[str, str] = {}
    chosen: dict[str, str | None] = {}
    taken = {getattr(options, role) for role in POSITIONS}
    for position, role in enumerate(POSITIONS):
        given = getattr(options, role)
        if given is False:
            chosen[role] = None
        elif given is not None:
            chosen[role] = _given(source, role, given, taken)
        elif source.headerless:
            chosen[role] = source.columns[position] if position < len(source.columns) else None
        else:
            chosen[role] = _guess(source, role, taken)
            if chosen[role] is not None:
                guessed[role] = str(chosen[role])
    for role in ("user", "item"):
        if chosen[role] is None:
            raise _missing(source, role, taken=chosen.values())
    user, item = str(chosen["user"]), str(chosen["item"])
    if user == item:
        raise DataError(
            f"{source.name}: column {user!r} was named for both users and items.",
            expected="two columns",
            hint="Pass user= and item= with different names.",
        )
    _report(source, guessed, _rivals(source, guessed, {*taken, *chosen.values()}), notices)
    if chosen["rating"] is None and options.rating is not False:
        notices.add(
            f"There is no column of ratings in {source.name}; every rating was taken as 1 "
            f"(rating= names one, rating=False says there is none).",
            warn=True,
        )
    return Columns(user, item, chosen["rating"], chosen["time"], _witness(source, chosen["time"]))


def _given(source: Source, role: str, name: str, taken: set[object]) -> str:
    found = [column for column in source.columns if column == name]
    if len(found) == 1:
        return name
    if found:
        raise DataError(
            f"{source.name}: there are {len(found)} columns called {name!r}.",
            expected="column names that differ",
            hint="Rename all but one of them.",
        )
    raise _missing(source, role, name, taken)


def _guess(source: Source, role: str, taken: set[object]) -> str | None:
    plain: dict[str, list[str]] = {}
    for column in source.columns:
        if column not in taken:
            plain.setdefault(plain_name(column), []).append(column)
    for name in NAMES[role]:
        found = plain.get(name, [])
        if len(found) > 1 and PLAIN[role] in found and found.count(PLAIN[role]) == 1:
            return PLAIN[role]
        if len(found) > 1:
            raise DataError(
                f"{source.name}: {' and '.join(map(repr, found))} could both be the {role} column.",
                expected=f"one column for {role}",
                hint=f"Pass {role}= with the name of one (rename it where the names are the same).",
            )
        if found:
            return found[0]
    return None


def _missing(source: Source, role: str, name: str = "", taken: Iterable[object] = ()) -> DataError:
    columns = list(source.columns)
    others = {known for other in POSITIONS if other != role for known in NAMES[other]}
    # What is another role's, or surely is, was not meant.
    free = [column for column in columns if column not in set(taken) and plain_name(column) not in others]
    by_plain = {plain_name(column): column for column in free}
    close = difflib.get_close_matches(plain_name(name), by_plain, n=1, cutoff=0.5) if name else []
    if not close and not name:
        for known in NAMES[role][:6]:
            close = close or difflib.get_close_matches(known, by_plain, n=1, cutoff=0.6)
    listed = ", ".join(repr(column) for column in columns[:20]) or "none"
    more = f" and {len(columns) - 20:,} more" if len(columns) > 20 else ""
    what = f"there is no column {name!r} for {role}" if name else f"no column looks like the {role} column"
    hint = (
        f"Did you mean {role}={by_plain[close[0]]!r}?" if close else f"Pass {role}= with one of the columns."
    )
    if source.is_text and not close:
        hint += " If the first line is data, put a line of column names before it."
    return DataError(
        f"{source.name}: {what}. The columns are {listed}{more}.",
        expected=f"{an(role)} column, called for instance {PLAIN[role]!r}",
        hint=hint,
    )


def _rivals(source: Source, guessed: dict[str, str], taken: set[object]) -> dict[str, list[str]]:
    """Return for each guessed role the further columns whose names would fit it."""
    free = [column for column in source.columns if column not in taken and is_known_name(column)]
    found = {role: [column for column in free if plain_name(column) in NAMES[role]] for role in guessed}
    return {role: columns for role, columns in found.items() if columns}


def _report(source: Source, guessed: dict[str, str], rivals: dict[str, list[str]], notices: Notices) -> None:
    if source.headerless:
        roles = ", ".join(POSITIONS[: len(source.columns)])
        notices.add(no_header(source.name, roles))
        return
    if not rivals and all(PLAIN[role] == name for role, name in guessed.items()):
        return
    pairs = ", ".join(
        f"{role}={name!r}" + (f" (not {' or '.join(map(repr, rivals[role]))})" if role in rivals else "")
        for role, name in guessed.items()
    )
    notices.add(
        f"Columns of {source.name} were recognized by name: {pairs}; pass these to be sure.", warn=True
    )


def _witness(source: Source, time: str | None) -> str | None:
    """Find a second column of times beside one of naive datetimes."""
    if time is None or source.headerless or not is_naive(source.sample(time)):
        return None
    once = [column for column in source.columns if column != time and list(source.columns).count(column) == 1]
    others = {plain_name(column): column for column in once}
    return next((others[name] for name in NAMES["time"] if name in others), None)
