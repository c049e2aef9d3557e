"""`corated.models.timely.Timely` on the ratings as they are now: its kernels, on live rows."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.live.likes import top_order
from corated.live.state import State
from corated.live.weighing import Aged
from corated.models.account import Account
from corated.models.answers import Answer, new_lists
from corated.models.base import Folded
from corated.models.history import Profile
from corated.models.kernels import FREE, Least
from corated.models.packed import Packed
from corated.models.request import Request
from corated.models.timely import SOURCES, TimelySettings
from corated.models.timely_kernels import (
    ByItem,
    ByUser,
    Everyone,
    LeftOut,
    Named,
    TimelyWork,
    Together,
    new_timely_work,
    walk_timely,
    weigh,
)
from corated.models.timely_rows import Clock
from corated.neighborhood.run import Run
from corated.ratings.ratings import Ratings
from corated.similarity.topk import new_topk

__all__ = ["LiveEveryone", "LiveTimely"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_FORWARD = 4.0
"""Half-lives after which likes that count nothing any more are taken out."""


class _Like(NamedTuple):
    time: int
    item: int


class LiveEveryone:
    """What everyone's likes give each item, in the order of time, then of users; kept up with writes.

    Likes from before ``since`` are in no sum: 40 half-lives before the latest rating, or up to four more.
    """

    def __init__(self, state: State, ratings: Ratings, settings: TimelySettings) -> None:
        self._aged = Aged.of(ratings, settings, settings.everyone_half_life, state.latest)
        self.size = settings.everyone
        self._local = threading.local()
        self._make(state)

    def clock(self, at: int) -> Clock:
        """Return the clock of the sums, at a time."""
        return Clock(self._aged.step, at, self._aged.base)

    def _make(self, state: State) -> None:
        """Add everything up anew."""
        rows, n = state.by_item.arrays, state.by_item.n
        self.since = self.clock(state.latest).since
        counts = state.by_item.counts
        items = np.repeat(np.arange(n), counts)
        source = np.repeat(rows.first[:n] - (np.cumsum(counts) - counts), counts) + np.arange(len(items))
        weight = self._weights(rows.code[source], rows.time[source], self.since)
        self.score = np.zeros(n + (n >> 3) + 16)
        self.score[:n] = np.bincount(items, weights=weight, minlength=n)
        counted = np.flatnonzero(weight > 0.0)
        likes = zip(rows.time[source[counted]].tolist(), items[counted].tolist(), strict=True)
        self._likes = sorted(_Like(*one) for one in likes) if self._aged.step else []

    def _weights(self, codes: npt.NDArray[np.uint8], times: Int64s, since: int) -> Floats:
        out = np.empty(len(codes))
        weigh(times, self._aged.liked[codes] & (times >= since), self._aged.step, self._aged.base, out)
        return out

    def touched(self, state: State, user: int, item: int) -> None:
        """Follow a change of one rating; see `corated.live.state.Kept`."""
        if item >= len(self.score):
            self.score = np.concatenate([self.score, np.zeros(item + 16)])
        clock = self.clock(state.latest)
        moved = self._aged.moved(state.latest)
        if moved is not None or clock.since < self.since:
            self._aged = self._aged if moved is None else moved
            self._make(state)
            return
        rows, at = state.by_user.arrays, state.rated(user)
        own = np.flatnonzero(rows.other[at] == item)
        if len(own) and self._aged.step:  # one that was taken out, or no like, does no harm in the list
            insort(self._likes, _Like(int(rows.time[at][own[0]]), item))
        self.score[item] = self._sum(state, item, self.since)
        if self._aged.step and clock.since > self.since + _FORWARD * self._aged.step:
            gone = self._between(self.since, clock.since)
            self.since = clock.since
            del self._likes[: bisect_left(self._likes, _Like(self.since, -1))]
            for other in gone:
                self.score[other] = self._sum(state, other, self.since)

    def _sum(self, state: State, item: int, since: int) -> float:
        """Add up the likes of an item, one after another, as when all are."""
        rows = state.by_item.arrays
        row = slice(int(rows.first[item]), int(rows.last[item]))
        weight = self._weights(rows.code[row], rows.time[row], since)
        return float(np.cumsum(weight)[-1]) if len(weight) else 0.0

    def _between(self, since: int, until: int) -> set[int]:
        """Return the items with likes of a stretch of time."""
        ends = (bisect_left(self._likes, _Like(time, -1)) for time in (since, until))
        return {like.item for like in self._likes[slice(*ends)]}

    def at(self, state: State, time: int, enough: int) -> Everyone:
        """Return the sums for the kernel, at a time from the latest rating on.

        enough : so many of the best are enough
        """
        clock, score = self.clock(time), self.score
        if clock.since > self.since:
            gone = self._between(self.since, clock.since)
            if gone:
                score = score.copy()
                for item in gone:
                    score[item] = self._sum(state, item, clock.since)
        n = len(state.items)
        order = state.items.order[:n]
        by_rank = score[order]
        best = order[top_order(by_rank, (by_rank > 0.0).astype(np.int64), enough)]
        return Everyone(score, best, clock.step, clock.base, clock.since, clock.factor(self.size))

    def differences(self, state: State) -> list[str]:
        """Tell what differs from sums made anew."""
        kept, since = self.score[: state.by_item.n].copy(), self.since
        anew = [self._sum(state, item, since) for item in range(state.by_item.n)]
        return (
            [] if np.array_equal(kept, anew) else ["What everyone likes differs from the same added up anew."]
        )

    def work(self, state: State, n: int) -> TimelyWork:
        """Return this thread's working memory, with room for everyone and a list of n."""
        users, items = state.by_user.n, state.by_item.n
        work: TimelyWork | None = getattr(self._local, "work", None)
        if work is None or len(work.common) < users or len(work.met) < items + 1:
            marks = np.full(items + (items >> 3) + 16, FREE, dtype=np.int64)
            work = new_timely_work(users + (users >> 3) + 16, marks, new_topk(1, np.ones(1, dtype=np.int64)))
            self._local.work = work
        work.base.mark[:] = FREE
        base = work.base._replace(best=new_topk(n, np.array([items])), rank=state.items.rank)
        return work._replace(base=base)


@dataclass(frozen=True)
class LiveTimely:
    """Answers for one user; lists are of items by rank, as `State.some_ratings` numbers them.

    user : in the state;  at : the time that is asked about
    """

    state: State
    settings: TimelySettings
    everyone: LiveEveryone
    user: int
    at: int

    def answer(self, request: Request, run: Run) -> Answer:  # noqa: ARG002 - it takes no time
        """Rank up to n items for the user; see `corated.models.base.Fitted`."""
        state, n = self.state, min(request.n, len(self.state.items))
        rows, columns = state.by_user.arrays, state.by_item.arrays
        aged = state.weighing
        assert isinstance(aged, Aged)
        by_user = ByUser(rows.first, rows.last, rows.other, rows.time, rows.weight)
        by_item = ByItem(columns.first, columns.last, columns.other, columns.time)
        taken = _NOBODY if request.left_out is None else state.items.order[request.left_out.items]
        starts = np.zeros_like(rows.first) if not request.exclude_seen else rows.first
        ends = starts if not request.exclude_seen else rows.last
        left_out = LeftOut(starts, ends, rows.other, np.array([0, len(taken)]), taken)
        own = state.by_user.size(self.user) + len(taken)
        everyone = self._everyone(2**31 if request.barred is not None else n + own)
        work = self.everyone.work(state, n)
        if request.barred is not None:
            work.base.mark[state.items.order[np.flatnonzero(request.barred)]] = np.iinfo(np.int64).max
        named = Named(new_lists(1, n), np.zeros(n, dtype=np.uint8))
        walk_timely(
            np.array([self.user]),
            0,
            by_user,
            by_user,
            by_item,
            by_item,
            Together(_NOBODY, _NOBODY, _NO_CODES, _NO_CODES),
            self.settings.now(Clock(aged.step, self.at, aged.base), is_timed=state.timed),
            everyone,
            left_out,
            n,
            Least(1, request.min_support),
            work,
            named,
            np.zeros(1, dtype=np.uint8),
        )
        answer = Answer(named.lists, n, named.source, SOURCES, (True, True, True))
        return answer.some(np.zeros(len(request.codes), dtype=np.int64)) if len(request.codes) > 1 else answer

    def _everyone(self, enough: int) -> Everyone:
        if self.settings.everyone == 0.0:
            return Everyone(np.zeros(0), _NOBODY, 0.0, 0, 0, 0.0)
        return self.everyone.at(self.state, self.at, enough)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:
        """Not here: reasons are told by a fit."""
        raise NotImplementedError

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Not here: what if is told by a fit."""
        raise NotImplementedError

    def pack(self) -> Packed:
        """Return nothing: it is not kept."""
        return Packed()


_NOBODY, _NO_CODES = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
