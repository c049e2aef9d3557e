"""What a score of `corated.models.timely.Timely` is made of: neighbors, the user's own ratings, everyone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from corated.models.account import Account, Compared
from corated.models.knn import UserKNN
from corated.models.settings import Settings
from corated.models.timely_kernels import (
    ByItem,
    ByUser,
    Everyone,
    Now,
    meet,
    sitting_weight,
    stored_weight,
    weigh,
)
from corated.models.timely_rows import Clock
from corated.ratings.ids import Id, quote_id
from corated.ratings.ratings import Ratings

if TYPE_CHECKING:
    from corated.models.timely import TimelySettings

__all__ = ["Rated", "Raters", "Told", "compared_by", "timely_account"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NAMED = 5
"""Sittings with items of the user's that are told one by one beside neighbors."""


class Raters(NamedTuple):
    """Who rated an item, in any order: codes of users, times, whether it is a like, ratings."""

    user: npt.NDArray[np.int32]
    time: Int64s
    liked: npt.NDArray[np.bool_]
    rating: Floats


class Rated(Protocol):
    """Ratings by the codes that the kernels know, which need not be ranks."""

    def raters(self, item: int) -> Raters:
        """Return who rated an item."""
        ...

    def ratings_of(self, user: int, items: Int64s) -> Floats:
        """Return a user's ratings of some items, all of which the user has rated."""
        ...

    def item_id(self, item: int) -> Id:
        """Return the id of an item."""
        ...


@dataclass(frozen=True)
class Told:
    """All that scores of one user are made of, as the kernels have it; see `corated.models.timely_kernels`.

    clock : how likes of neighbors age;  by_user : whose weights are of that clock
    alike : raters of each item, without those who like nothing maybe
    """

    settings: TimelySettings
    user: int
    rated: Rated
    clock: Clock
    now: Now
    by_user: ByUser
    by_item: ByItem
    alike: ByItem
    everyone: Everyone

    @property
    def row(self) -> slice:
        """Where the user's ratings are."""
        return slice(int(self.by_user.first[self.user]), int(self.by_user.last[self.user]))

    def sizes(self, users: Int64s) -> Int64s:
        """Return how many ratings some users have."""
        return self.by_user.last[users] - self.by_user.first[users]

    @cached_property
    def met(self) -> tuple[npt.NDArray[np.int32], Int64s]:
        """What others have rated in common with the user, and in which place they are met."""
        n_users = len(self.by_user.first)
        common = np.zeros(n_users, dtype=np.int32)
        people = np.empty(n_users + 1, dtype=np.uint32)
        many = int(meet(self.by_user, self.alike, self.user, common, people))
        place = np.zeros(n_users, dtype=np.int64)
        place[people[:many]] = np.arange(many)
        common[self.user] = 0
        return common, place


@dataclass(frozen=True)
class _Alike:
    """The neighbors behind a score, in the order in which they are met: codes, counts, values, ratings."""

    who: Int64s
    n_common: Int64s
    similarity: Floats
    rating: Floats
    weight: Floats


@dataclass(frozen=True)
class _Beside:
    """The user's own ratings that have sittings with an item, the latest first: codes, counts, ratings."""

    item: Int64s
    many: Int64s
    rating: Floats
    amount: Floats


def timely_account(told: Told, item: int) -> Account:
    """Return what the user's score of an item is made of, with the bits that the kernels give it.

    Codes are those of the kernels, and nobody is said to be compared: see `compared_by`.
    """
    alike, beside = _alike(told, item), _beside(told, item)
    now, before = told.now, _everyone(told, item)
    share, brought = alike.similarity * alike.weight, beside.amount * now.sittings
    score = _total(share) * now.factor + before + _total(beside.amount) * now.sittings
    of_everyone = [("everyone's likes", before)] if told.settings.everyone > 0.0 else []
    if len(alike.who):
        return Account(
            "neighbors",
            score,
            base=(*of_everyone, *_terms(told, beside, brought)),
            who=alike.who,
            similarity=alike.similarity,
            rating=alike.rating,
            share=share * now.factor,
            n_common=alike.n_common,
        )
    if len(beside.item):
        return Account(
            "sittings",
            score,
            base=tuple(of_everyone),
            of="items",
            who=beside.item,
            similarity=np.full(len(beside.item), np.nan),
            rating=beside.rating,
            share=brought,
            n_common=beside.many,
        )
    if before > 0.0:
        return Account("everyone", score, base=tuple(of_everyone))
    why = "Nobody else likes it of late, and nobody rated it in one sitting with what the user rated of late."
    return Account("neighbors", np.nan, reason=why)


def compared_by(settings: TimelySettings, ratings: Ratings, user: int) -> Compared:
    """Return how neighbors were found, as a `UserKNN` would say it; ``user`` is a code of the ratings."""
    return Compared(ratings, _found_by(settings.half_life, settings.everyone), user, as_neighbor_sees=False)


@lru_cache
def _found_by(half_life: float | None, everyone: float) -> Settings:
    given = UserKNN(measure="cosine(weight=binary)", k="all", half_life=half_life)
    return replace(Settings.of("users", given.get_params()), everyone=everyone)


def _total(amounts: Floats) -> float:
    return float(np.add.accumulate(amounts)[-1]) if len(amounts) else 0.0  # one after another, as kernels do


def _alike(told: Told, item: int) -> _Alike:
    (common, place), raters = told.met, told.rated.raters(item)
    kept = np.flatnonzero((common[raters.user] > 0) & raters.liked & (raters.time >= told.now.since))
    kept = kept[np.argsort(place[raters.user[kept]])]
    who, weight = raters.user[kept].astype(np.int64), np.empty(len(kept))
    weigh(raters.time[kept], np.ones(len(kept), dtype=np.bool_), told.clock.step, told.clock.base, weight)
    n_common, mine = common[who].astype(np.int64), told.row.stop - told.row.start
    similarity = n_common / np.sqrt(mine * told.sizes(who))
    return _Alike(who, n_common, similarity, raters.rating[kept], weight)


def _beside(told: Told, item: int) -> _Beside:
    rows, raters, now, row = told.by_user, told.by_item, told.now, told.row
    first, last = row.start, row.stop
    if now.sittings > 0.0:
        first += int(np.searchsorted(rows.time[row], now.sitting_since))
    else:
        first = last
    own = slice(int(raters.first[item]), int(raters.last[item]))
    rated = np.zeros(len(rows.first), dtype=np.bool_)
    rated[raters.user[own]] = True
    rated[told.user] = False
    times = np.zeros(len(rows.first), dtype=np.int64)
    times[raters.user[own]] = raters.time[own]
    found: list[tuple[int, int, float]] = []
    for at in range(last - 1, first - 1, -1):
        other = int(rows.item[at])
        beside = slice(int(raters.first[other]), int(raters.last[other]))
        who = raters.user[beside]
        many = int(np.count_nonzero(rated[who] & (np.abs(raters.time[beside] - times[who]) <= now.window)))
        if many and other != item:
            weight = float(sitting_weight(int(rows.time[at]), beside.stop - beside.start, now))
            found.append((other, many, weight * many))
    items = np.array([one[0] for one in found], dtype=np.int64)
    many_each = np.array([one[1] for one in found], dtype=np.int64)
    rating = told.rated.ratings_of(told.user, items)
    return _Beside(items, many_each, rating, np.array([one[2] for one in found]))


def _everyone(told: Told, item: int) -> float:
    """Return what everyone else's likes add."""
    everyone, rows, row = told.everyone, told.by_user, told.row
    if not len(everyone.score):
        return 0.0
    own = 0.0
    for at in np.flatnonzero(rows.item[row] == item) + row.start:
        if rows.weight[at] > 0.0 and rows.time[at] >= everyone.since:
            own = float(stored_weight(int(rows.time[at]), everyone.step, everyone.base))
    return (float(everyone.score[item]) - own) * everyone.factor


def _terms(told: Told, beside: _Beside, brought: Floats) -> list[tuple[str, float]]:
    """Name what the user's own ratings bring along: the largest one by one, the others together."""
    order = np.argsort(-brought, kind="stable")
    named, others = order[:_NAMED], order[_NAMED:]
    terms = [
        (f"sittings with item {quote_id(told.rated.item_id(int(beside.item[at])))}", float(brought[at]))
        for at in named
    ]
    if len(others):
        noun = "another item" if len(others) == 1 else f"{len(others):,} other items"
        terms.append((f"sittings with {noun}", math.fsum(brought[others])))
    return terms
