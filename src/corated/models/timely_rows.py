"""What `corated.models.timely` walks over: ratings in the order of time, and what they count by their age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.models.rules import DAY, Like, liked
from corated.models.timely_kernels import ByItem, ByUser, Everyone, halvings, weigh
from corated.ratings.ratings import Csr, Ratings

__all__ = ["BEGINNING", "REACH", "Clock", "TimelyRows", "likes_of_all", "made_by", "timely_rows", "top_order"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BEGINNING = -(10**18)
"""A time before all ratings."""
REACH = 40
"""Half-lives after which a rating counts nothing."""


class Clock(NamedTuple):
    """How ratings age: a half-life in microseconds (0.0 for none), the time that is asked about, a unit.

    base : weights are stored in units of 2^base; the bits of scores do not depend on it
    """

    step: float
    at: int
    base: int

    @classmethod
    def of(cls, half_life: float | None, at: int) -> Clock:
        """Return the clock of a half-life in days; in its unit a rating of the time counts 1 to 2."""
        if half_life is None:
            return cls(0.0, at, 0)
        step = max(half_life * DAY, 1.0)  # times are whole microseconds
        return cls(step, at, halvings(at, step)[0])

    @property
    def since(self) -> int:
        """The time from which on ratings count: 40 half-lives before."""
        return BEGINNING if self.step == 0.0 else int(max(self.at - REACH * self.step, BEGINNING))

    def factor(self, size: float = 1.0) -> float:
        """Return what brings a sum of stored weights to the time that is asked about, times a size."""
        if self.step == 0.0:
            return size
        whole, rest = halvings(self.at, self.step)
        return float(np.ldexp(size * np.exp2(-rest), self.base - whole))


def made_by(ratings: Ratings, at: int) -> Ratings:
    """Return the ratings made by a time; users and items keep their codes, also those without any."""
    assert ratings.times is not None
    kept, values = ratings.times <= at, ratings.off_scale_values
    return Ratings(
        ratings.users,
        ratings.items,
        ratings.scale,
        Csr(_starts(kept, ratings.by_user.indptr), ratings.by_user.indices[kept]),
        None if ratings.codes is None else ratings.codes[kept],
        ratings.times[kept],
        off_scale_values=None if values is None else values[kept],
    )


class _Order(NamedTuple):
    """Ratings in the order of time, by user and by item: places in ``by_user`` order, and what is there."""

    of_users: Int64s
    item: npt.NDArray[np.int32]
    time: Int64s
    of_items: Int64s
    user: npt.NDArray[np.int32]
    item_time: Int64s


def _order_of(ratings: Ratings) -> _Order:
    by_user, by_item, n = ratings.by_user, ratings.by_item, ratings.n_ratings
    of_users, of_items, user = np.arange(n), by_item.order, by_item.indices
    times = np.zeros(n, dtype=np.int64) if ratings.times is None else ratings.times
    if ratings.times is not None:  # sorts are stable, so ids ascend where times are equal
        of_users = np.lexsort((times, np.repeat(np.arange(ratings.n_users), ratings.user_counts)))
        items = np.repeat(np.arange(ratings.n_items), np.diff(by_item.indptr))
        place = np.lexsort((times[of_items], items))
        of_items, user = of_items[place], user[place]
    columns = of_users, by_user.indices[of_users], times[of_users], of_items, user, times[of_items]
    return _Order(*_fixed(*columns))


@dataclass(frozen=True)
class TimelyRows:
    """Ratings arranged for the kernels; see `corated.models.timely_kernels.walk_timely`.

    likes : bool, in ``by_user`` order of the ratings
    liked : the likes that count, of each user;  alike : of each item's raters those who have one
    """

    likes: Bools
    by_user: ByUser
    by_item: ByItem
    liked: ByUser
    alike: ByItem


def timely_rows(ratings: Ratings, like: Like, clock: Clock) -> TimelyRows:
    """Arrange ratings, all of which were made by the time of the clock."""
    order = ratings.derived("order of time", lambda: _order_of(ratings))
    likes, starts, of_items = liked(ratings, like), ratings.by_user.indptr, ratings.by_item.indptr
    weight = np.empty(ratings.n_ratings)
    weigh(order.time, likes[order.of_users], clock.step, clock.base, weight)
    by_user = ByUser(starts[:-1], starts[1:], order.item, order.time, *_fixed(weight))
    by_item = ByItem(of_items[:-1], of_items[1:], order.user, order.item_time)
    counts = (weight > 0.0) & (order.time >= clock.since)
    kept = _starts(counts, starts)
    columns = order.item[counts], order.time[counts], weight[counts]
    liked_rows = ByUser(*_fixed(kept[:-1], kept[1:], *columns))
    # Nobody else adds to a score, and the order in which the others are met stays.
    adds = (np.diff(kept) > 0)[order.user]
    kept = _starts(adds, of_items)
    alike = ByItem(*_fixed(kept[:-1], kept[1:], order.user[adds], order.item_time[adds]))
    return TimelyRows(likes, by_user, by_item, liked_rows, alike)


def likes_of_all(ratings: Ratings, likes: Bools, clock: Clock, size: float) -> Everyone:
    """Return what everyone's likes give each item, added up in the order of time, then of users.

    size : what the sums are multiplied by; 0 for nothing
    """
    if size == 0.0:
        score, best = _fixed(np.zeros(0), np.zeros(0, dtype=np.int64))
        return Everyone(score, best, 0.0, 0, 0, 0.0)
    order = ratings.derived("order of time", lambda: _order_of(ratings))
    counts = likes[order.of_items] & (order.item_time >= clock.since)
    times = order.item_time[counts]
    weight = np.empty(len(times))
    weigh(times, np.ones(len(times), dtype=np.bool_), clock.step, clock.base, weight)
    items = np.repeat(np.arange(ratings.n_items), np.diff(ratings.by_item.indptr))[counts]
    total = np.bincount(items, weights=weight, minlength=ratings.n_items).astype(np.float64)
    score, best = _fixed(total, top_order(total))
    return Everyone(score, best, clock.step, clock.base, clock.since, clock.factor(size))


def top_order(score: Floats) -> Int64s:
    """Return the codes of what has a score above 0: larger score first, then the smaller code."""
    order = np.argsort(-score, kind="stable")
    return order[score[order] > 0.0]


def _starts(kept: Bools, indptr: Int64s) -> Int64s:
    """Return where rows begin when only some of their entries are kept."""
    return np.concatenate([[0], np.cumsum(kept)])[indptr].astype(np.int64)


def _fixed(*arrays: npt.NDArray[Any]) -> tuple[Any, ...]:
    """Make arrays read-only, as those of ratings are: kernels are compiled for one kind or the other."""
    for array in arrays:
        array.flags.writeable = False
    return arrays
