"""How many like each item now, and what these likes count by their age; kept up with what is written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corated.live.state import State
from corated.live.weighing import is_like
from corated.models.popularity import FittedPopularity
from corated.models.request import Request
from corated.models.rules import Like
from corated.ratings.ratings import Ratings

__all__ = ["LiveLikes", "top_order"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DAY = 86_400_000_000


class LiveLikes:
    """Votes for each item, and their sum as they count by their age; by item code.

    half_life : days; None where age plays no part
    """

    def __init__(
        self, state: State, ratings: Ratings, like: Like, half_life: float | None, base: int | None = None
    ) -> None:
        self._like, self._half_life = like, half_life
        self._liked = is_like(ratings, state.scale, like)
        self._span = None if half_life is None else float(half_life) * _DAY
        self._base = state.latest if base is None else base
        n = state.by_item.n
        self.votes = np.zeros(n + 16, dtype=np.int64)
        self.score = np.zeros(n + 16)
        rows, counts = state.by_item.arrays, state.by_item.counts
        items = np.repeat(np.arange(n), counts)
        source = np.repeat(rows.first[:n] - (np.cumsum(counts) - counts), counts) + np.arange(len(items))
        likes = self._liked[rows.code[source]]
        items, source = items[likes], source[likes]
        self.votes[:n] = np.bincount(items, minlength=n)
        self.score[:n] = np.bincount(items, weights=self._weight(rows.time[source]), minlength=n)

    def _weight(self, times: Int64s) -> Floats:
        """Return what likes count at the time that this was made; the ratio of two is that at any time."""
        if self._span is None:
            return np.ones(len(times))
        return np.exp2((times - self._base) / self._span)

    def touched(self, state: State, user: int, item: int) -> None:  # noqa: ARG002 - of `Kept`
        """Follow a change of one rating; see `corated.live.state.Kept`."""
        if item >= len(self.votes):
            self.votes = np.concatenate([self.votes, np.zeros(item + 16, dtype=np.int64)])
            self.score = np.concatenate([self.score, np.zeros(item + 16)])
        rows = state.by_item.arrays
        row = slice(int(rows.first[item]), int(rows.last[item]))
        likes = self._liked[rows.code[row]]
        self.votes[item] = np.count_nonzero(likes)
        # One after another, as when this was made, so that the order of writes plays no part.
        weights = self._weight(rows.time[row][likes])
        self.score[item] = np.cumsum(weights)[-1] if len(weights) else 0.0

    def differences(self, state: State, ratings: Ratings) -> list[str]:
        """Tell what differs from likes counted anew."""
        fresh = LiveLikes(state, ratings, self._like, self._half_life, base=self._base)
        n = state.by_item.n
        same = np.array_equal(fresh.votes[:n], self.votes[:n]) and np.array_equal(
            fresh.score[:n], self.score[:n]
        )
        return [] if same else ["Likes differ from the same counted anew."]

    def part(self, state: State, ratings: Ratings, request_size: int) -> FittedPopularity:
        """Return what answers for users of ``ratings``, whose items are all that ever came, by rank.

        request_size : so many of the best are enough
        """
        order = state.items.order[: len(state.items)]
        votes = self.votes[order]
        factor = 1.0 if self._span is None else float(np.exp2((self._base - state.latest) / self._span))
        score = self.score[order] * factor
        return FittedPopularity(ratings, votes, score, top_order(score, votes, request_size))


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


def enough(request: Request, seen: int) -> int:
    """Return how many of the best are enough for a request."""
    return 2**31 if request.barred is not None else request.n + seen
