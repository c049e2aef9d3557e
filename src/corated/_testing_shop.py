"""The small world that recommenders are tested in, and what is looked at in it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from corated.errors import CoratedError
from corated.ratings.ratings import Ratings

__all__ = [
    "ALL",
    "COLUMNS",
    "LAST",
    "NOBODY",
    "SEEN_ALL",
    "STATUSES",
    "Data",
    "Rows",
    "of_user",
    "raises",
    "ranked",
    "shop",
    "state",
]

Rows = list[dict[str, Any]]

ALL = 1000
"""More items than there are."""
SEEN_ALL, LAST, NOBODY = 3, 29, 4
"""Users: one who has rated every item, the one of the largest id, and one who is not there."""
COLUMNS = ["user_id", "item_id", "rank", "score", "support", "source"]
STATUSES = {"ok", "fallback", "unknown_user", "unknown_item", "too_few"}


@dataclass(frozen=True)
class Data:
    """Ratings as rows: user, item, rating, seconds since 1970."""

    rows: tuple[tuple[Any, Any, float, int], ...]

    def ratings(self) -> Ratings:
        users, items, values, times = zip(*self.rows, strict=True)
        return Ratings.from_arrays(users, items, values, times, scale=(1, 10, 1), time_unit="s")

    def of(self, user: Any) -> dict[Any, float]:
        """Return what a user rated."""
        return {item: value for u, item, value, _ in self.rows if u == user}

    def without(self, user: Any) -> Data:
        return Data(tuple(row for row in self.rows if row[0] != user))

    def renamed(self, user: Callable[[Any], Any], item: Callable[[Any], Any]) -> Data:
        return Data(tuple((user(u), item(i), value, time) for u, i, value, time in self.rows))


@cache
def shop() -> Data:
    """Make a small world: ten users, thirteen items, taste in two camps; ids are no row numbers."""
    rng, rows = random.Random(5), []
    users, items = [3, 5, 7, 8, 11, 12, 17, 20, 23, LAST], [10 * k + 4 for k in range(1, 14)]
    for u, user in enumerate(users):
        for i, item in enumerate(items):
            if user == SEEN_ALL or rng.random() < 0.55:
                value = min(10, max(1, round(8 - 5 * ((u + i) % 2) + rng.gauss(0, 1.5))))
                age = 0 if user == LAST or (u, i) == (0, 0) else rng.randrange(1, 400)
                rows.append((user, item, float(value), 1_700_000_000 - 86_400 * age))
    return Data(tuple(rows))


def of_user(rows: Iterable[dict[str, Any]], user: Any) -> Rows:
    return [row for row in rows if row["user_id"] == user]


def ranked(rows: Rows) -> Rows:
    """Return rows with new ranks, user by user."""
    many: dict[Any, int] = {}
    made = []
    for row in rows:
        many[row["user_id"]] = many.get(row["user_id"], 0) + 1
        made.append(row | {"rank": many[row["user_id"]]})
    return made


def state(ratings: Ratings) -> list[Any]:
    """Return all that ratings hold, copied."""
    arrays = [*ratings.by_user, *ratings.by_item, ratings.codes, ratings.times, ratings.values]
    return [
        ratings.to_arrow().to_pydict(),
        ratings.users.ids.to_pylist(),
        ratings.items.ids.to_pylist(),
        *(None if array is None else np.array(array).tobytes() for array in arrays),
    ]


def raises(kind: type[Exception], call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Check that a call raises an error of a kind, whose message says something."""
    try:
        call(*args, **kwargs)
    except kind as error:
        assert str(error).strip()
        assert not isinstance(error, CoratedError) or error.what, error
    else:
        raise AssertionError(f"{call} with {args} {kwargs} raised no {kind.__name__}")
