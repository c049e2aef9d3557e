"""How many like each item now, and what these likes count by their age; kept up with what is written."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.live.state import State
from corated.live.weighing import Aged
from corated.models.popularity import FittedPopularity
from corated.models.timely_rows import BEGINNING, Clock
from corated.ratings.ratings import Ratings

__all__ = ["LiveLikes", "top_order"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


UNDERFLOW: Final = 1075.0
"""Half-lives after which 2^(−age / half-life) is 0 in float64."""
_FORWARD = 4.0
"""Half-lives after which likes that count nothing any more are taken out."""


class _Like(NamedTuple):
    time: int
    item: int


class LiveLikes:
    """How many like each item, and Σ of what their likes count, in the order of time, then of users.

    By item code: score : float64, in the unit of ``aged``;  votes : int64

    reach : half-lives after which a like counts nothing, and is no vote
    since : likes from before are not among them: so long before the latest rating, or up to four more
    """

    def __init__(self, state: State, aged: Aged, reach: float = UNDERFLOW) -> None:
        self.aged, self._reach = aged, reach
        self._make(state)

    def clock(self, at: int) -> Clock:
        """Return the clock of the sums, at a time."""
        return Clock(self.aged.step, at, self.aged.base)

    def _first(self, at: int) -> int:
        """Return the time from which likes count."""
        return BEGINNING if self.aged.step == 0.0 else int(max(at - self._reach * self.aged.step, BEGINNING))

    def _make(self, state: State) -> None:
        """Add everything up anew."""
        rows, n = state.by_item.arrays, state.by_item.n
        self.since = self._first(state.latest)
        items, at = state.by_item.entries()
        weight = self._weights(rows.code[at], rows.time[at], self.since)
        size = n + (n >> 3) + 16
        self.score = np.bincount(items, weights=weight, minlength=size).astype(np.float64)
        self.votes = np.bincount(items[weight > 0.0], minlength=size)
        likes = zip(rows.time[at[weight > 0.0]].tolist(), items[weight > 0.0].tolist(), strict=True)
        self._likes = sorted(_Like(*one) for one in likes) if self.aged.step else []

    def _weights(self, codes: npt.NDArray[np.uint8], times: Int64s, since: int) -> Floats:
        return np.where(times >= since, self.aged.weights(codes, times), 0.0)

    def touched(self, state: State, user: int, item: int) -> None:
        """Follow a change of one rating; see `corated.live.state.Kept`."""
        first, moved = self._first(state.latest), self.aged.moved(state.latest)
        if moved is not None or first < self.since:
            self.aged = self.aged if moved is None else moved
            self._make(state)
            return
        if item >= len(self.score):
            self.score = np.concatenate([self.score, np.zeros(item + 16)])
            self.votes = np.concatenate([self.votes, np.zeros(item + 16, dtype=np.int64)])
        rows, at = state.by_user.arrays, state.rated(user)
        own = np.flatnonzero(rows.other[at] == item)
        if len(own) and self.aged.step:  # one that was taken out, or no like, does no harm in the list
            insort(self._likes, _Like(int(rows.time[at][own[0]]), item))
        self._count(state, item, self.since, self.score, self.votes)
        if self.aged.step and first > self.since + _FORWARD * self.aged.step:
            gone = self._between(self.since, first)
            self.since = first
            del self._likes[: bisect_left(self._likes, _Like(first, -1))]
            for other in gone:
                self._count(state, other, first, self.score, self.votes)

    def _count(self, state: State, item: int, since: int, score: Floats, votes: Int64s) -> None:
        """Add up the likes of an item, one after another, as when all are."""
        rows, row = state.by_item.arrays, state.by_item.row(item)
        weight = self._weights(rows.code[row], rows.time[row], since)
        score[item] = np.cumsum(weight)[-1] if len(weight) else 0.0
        votes[item] = np.count_nonzero(weight)

    def _between(self, since: int, until: int) -> set[int]:
        """Return the items with likes of a stretch of time."""
        ends = (bisect_left(self._likes, _Like(time, -1)) for time in (since, until))
        return {like.item for like in self._likes[slice(*ends)]}

    def at(self, state: State, time: int) -> tuple[Floats, Int64s]:
        """Return scores and votes as they are at a time from the latest rating on, by item code."""
        first, score, votes = self._first(time), self.score, self.votes
        gone = self._between(self.since, first) if first > self.since else ()
        if gone:
            score, votes = score.copy(), votes.copy()
            for item in gone:
                self._count(state, item, first, score, votes)
        return score, votes

    def differences(self, state: State) -> list[str]:
        """Tell what differs from likes counted anew."""
        n = state.by_item.n
        score, votes = np.zeros(n), np.zeros(n, dtype=np.int64)
        for item in range(n):
            self._count(state, item, self.since, score, votes)
        same = np.array_equal(score, self.score[:n]) and np.array_equal(votes, self.votes[:n])
        return [] if same else ["What likes come to differs from the ratings."]

    def part(self, state: State, ratings: Ratings, time: int, enough: int) -> FittedPopularity:
        """Return what answers for users of ``ratings``, whose items are all that ever came, by rank.

        time : that ages are counted to;  enough : so many of the best are enough
        """
        order = state.items.order[: len(state.items)]
        by_code, votes_by_code = self.at(state, time)
        score, votes = by_code[order] * self.clock(time).factor(), votes_by_code[order]
        return FittedPopularity(ratings, votes, score, top_order(score, votes, enough))


def top_order(score: Floats, votes: Int64s, size: int) -> Int64s:
    """Return the places of the best, larger score first, then more votes, then the smaller place.

    size : at least so many, or all that have votes
    """
    some = np.flatnonzero(votes > 0)
    if len(some) > 4 * size:
        cut = np.partition(score[some], len(some) - size)[len(some) - size]
        some = some[score[some] >= cut]
    order: Int64s = some[np.lexsort((-votes[some], -score[some]))]
    return order
