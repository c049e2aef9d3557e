"""What a score of `corated.models.timely.Timely` is made of: neighbors, the user's own ratings, everyone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corated.models.account import Account, Compared
from corated.models.knn import UserKNN
from corated.models.settings import Settings
from corated.models.timely_kernels import meet, sitting_weight, stored_weight, weigh
from corated.ratings.ids import quote_id

if TYPE_CHECKING:
    from corated.models.timely import FittedTimely

__all__ = ["timely_account"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NAMED = 5
"""Sittings with items of the user's that are told one by one beside neighbors."""


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


def timely_account(part: FittedTimely, user: int, item: int) -> Account:
    """Return what the score of a pair of codes is made of, with the bits that the kernels give it."""
    alike, beside = _alike(part, user, item), _beside(part, user, item)
    now, before = part.now, _everyone(part, user, item)
    share, brought = alike.similarity * alike.weight, beside.amount * now.sittings
    score = _total(share) * now.factor + before + _total(beside.amount) * now.sittings
    of_everyone = [("everyone's likes", before)] if part.settings.everyone > 0.0 else []
    if len(alike.who):
        return Account(
            "neighbors",
            score,
            base=(*of_everyone, *_terms(part, beside, brought)),
            who=alike.who,
            similarity=alike.similarity,
            rating=alike.rating,
            share=share * now.factor,
            n_common=alike.n_common,
            compared=_compared(part, user),
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
    return Account("neighbors", np.nan, reason=why, compared=_compared(part, user))


def _total(amounts: Floats) -> float:
    return float(np.add.accumulate(amounts)[-1]) if len(amounts) else 0.0  # one after another, as kernels do


def _alike(part: FittedTimely, user: int, item: int) -> _Alike:
    known = part.known
    common = np.zeros(known.n_users, dtype=np.int32)
    people = np.empty(known.n_users + 1, dtype=np.uint32)
    many = int(meet(part.rows.by_user, part.rows.alike, user, common, people))
    place = np.zeros(known.n_users, dtype=np.int64)
    place[people[:many]] = np.arange(many)
    common[user] = 0
    row = slice(int(known.by_item.indptr[item]), int(known.by_item.indptr[item + 1]))
    raters, at = known.by_item.indices[row], known.by_item.order[row]
    time = np.zeros(len(at), dtype=np.int64) if known.times is None else known.times[at]
    kept = np.flatnonzero((common[raters] > 0) & part.rows.likes[at] & (time >= part.now.since))
    kept = kept[np.argsort(place[raters[kept]])]
    who, at, weight = raters[kept].astype(np.int64), at[kept], np.empty(len(kept))
    weigh(time[kept], np.ones(len(kept), dtype=np.bool_), part.clock.step, part.clock.base, weight)
    n_common, counts = common[who].astype(np.int64), known.user_counts
    similarity = n_common / np.sqrt(counts[user] * counts[who])
    return _Alike(who, n_common, similarity, known.values[at], weight)


def _beside(part: FittedTimely, user: int, item: int) -> _Beside:
    known, rows, raters, now = part.known, part.rows.by_user, part.rows.by_item, part.now
    first, last = int(rows.first[user]), int(rows.last[user])
    if now.sittings > 0.0:
        first += int(np.searchsorted(rows.time[first:last], now.sitting_since))
    else:
        first = last
    own = slice(int(raters.first[item]), int(raters.last[item]))
    rated = np.zeros(known.n_users, dtype=np.bool_)
    rated[raters.user[own]] = True
    rated[user] = False
    times = np.zeros(known.n_users, dtype=np.int64)
    times[raters.user[own]] = raters.time[own]
    found: list[tuple[int, int, float]] = []
    for at in range(last - 1, first - 1, -1):
        other = int(rows.item[at])
        row = slice(int(raters.first[other]), int(raters.last[other]))
        who = raters.user[row]
        many = int(np.count_nonzero(rated[who] & (np.abs(raters.time[row] - times[who]) <= now.window)))
        if many and other != item:
            weight = float(sitting_weight(int(rows.time[at]), row.stop - row.start, now))
            found.append((other, many, weight * many))
    items = np.array([one[0] for one in found], dtype=np.int64)
    mine = slice(int(known.by_user.indptr[user]), int(known.by_user.indptr[user + 1]))
    rating = known.values[mine][np.searchsorted(known.by_user.indices[mine], items)]
    many_each = np.array([one[1] for one in found], dtype=np.int64)
    return _Beside(items, many_each, rating, np.array([one[2] for one in found]))


def _everyone(part: FittedTimely, user: int, item: int) -> float:
    """Return what everyone else's likes add."""
    everyone, rows = part.everyone, part.rows.by_user
    if not len(everyone.score):
        return 0.0
    first, last = int(rows.first[user]), int(rows.last[user])
    own = 0.0
    for at in np.flatnonzero(rows.item[first:last] == item) + first:
        if rows.weight[at] > 0.0 and rows.time[at] >= everyone.since:
            own = float(stored_weight(int(rows.time[at]), everyone.step, everyone.base))
    return (float(everyone.score[item]) - own) * everyone.factor


def _terms(part: FittedTimely, beside: _Beside, brought: Floats) -> list[tuple[str, float]]:
    """Name what the user's own ratings bring along: the largest one by one, the others together."""
    order = np.argsort(-brought, kind="stable")
    named, others = order[:_NAMED], order[_NAMED:]
    ids = part.known.items
    terms = [
        (f"sittings with item {quote_id(ids.id(int(beside.item[at])))}", float(brought[at])) for at in named
    ]
    if len(others):
        noun = "another item" if len(others) == 1 else f"{len(others):,} other items"
        terms.append((f"sittings with {noun}", math.fsum(brought[others])))
    return terms


def _compared(part: FittedTimely, user: int) -> Compared:
    """Return how neighbors were found, as a `UserKNN` would say it."""
    given = UserKNN(measure="cosine(weight=binary)", k="all", half_life=part.settings.half_life)
    settings = replace(Settings.of("users", given.get_params()), everyone=part.settings.everyone)
    return Compared(part.known, settings, user, as_neighbor_sees=False)
