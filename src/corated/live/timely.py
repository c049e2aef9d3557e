"""`corated.models.timely.Timely` on the ratings as they are now: its kernels, on live rows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from corated.live.likes import LiveLikes, top_order
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
from corated.models.timely_account import Raters, Told, compared_by, timely_account
from corated.models.timely_kernels import (
    ByItem,
    ByUser,
    Everyone,
    LeftOut,
    Named,
    Now,
    TimelyWork,
    Together,
    new_timely_work,
    walk_timely,
)
from corated.models.timely_rows import REACH, Clock
from corated.neighborhood.run import Run
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.topk import new_topk

__all__ = ["LiveEveryone", "LiveTimely"]

Int64s = npt.NDArray[np.int64]


class LiveEveryone(LiveLikes):
    """What everyone likes these days, and the working memory of those who ask."""

    def __init__(self, state: State, ratings: Ratings, settings: TimelySettings) -> None:
        self._size = settings.everyone
        self._local = threading.local()
        aged = Aged.of(ratings, settings.like, settings.everyone_half_life, state.latest)
        super().__init__(state, aged, REACH)

    def sums(self, state: State, time: int, enough: int) -> Everyone:
        """Return the sums for the kernel, at a time from the latest rating on.

        enough : so many of the best are enough
        """
        clock, (score, votes) = self.clock(time), self.at(state, time)
        order = state.items.order[: len(state.items)]
        best = order[top_order(score[order], votes[order], enough)]
        return Everyone(score, best, clock.step, clock.base, clock.since, clock.factor(self._size))

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
        by_user, by_item, rows = self._by_user, self._by_item, self.state.by_user.arrays
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
            self._now,
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
        return self.everyone.sums(self.state, self.at, enough)

    @property
    def _aged(self) -> Aged:
        aged = self.state.weighing
        assert isinstance(aged, Aged)
        return aged

    @property
    def _clock(self) -> Clock:
        return Clock(self._aged.step, self.at, self._aged.base)

    @property
    def _now(self) -> Now:
        return self.settings.now(self._clock, is_timed=self.state.timed)

    @property
    def _by_user(self) -> ByUser:
        rows = self.state.by_user.arrays
        return ByUser(rows.first, rows.last, rows.other, rows.time, rows.weight)

    @property
    def _by_item(self) -> ByItem:
        columns = self.state.by_item.arrays
        return ByItem(columns.first, columns.last, columns.other, columns.time)

    @cached_property
    def _told(self) -> Told:
        rated, walked = _Rated(self.state, self._aged), (self._by_user, self._by_item, self._by_item)
        return Told(self.settings, self.user, rated, self._clock, self._now, *walked, self._everyone(1))

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - of the one user
        """Tell what the user's score of an item, by rank, is made of; see `corated.models.base.Fitted`."""
        items, users = self.state.items, self.state.users
        account = timely_account(self._told, int(items.order[item]))
        if account.of == "items":
            return replace(account, who=items.rank[account.who])
        if account.source != "neighbors":
            return account
        # Those behind the score are enough: what two have in common does not depend on others.
        ranks = np.sort(users.rank[np.append(account.who, self.user)])
        ratings = self.state.some_ratings(users.order[ranks])
        who, subject = (
            np.searchsorted(ranks, users.rank[account.who]),
            np.searchsorted(ranks, users.rank[self.user]),
        )
        return replace(account, who=who, compared=compared_by(self.settings, ratings, int(subject)))

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Not here: what if is told by a fit."""
        raise NotImplementedError

    def pack(self) -> Packed:
        """Return nothing: it is not kept."""
        return Packed()


@dataclass(frozen=True)
class _Rated:
    """The state as accounts read it; see `corated.models.timely_account.Rated`."""

    state: State
    aged: Aged

    def raters(self, item: int) -> Raters:
        rows, row = self.state.by_item.arrays, self.state.by_item.row(item)
        code = rows.code[row]
        return Raters(rows.other[row], rows.time[row], self.aged.liked[code], self.state.scale.decode(code))

    def ratings_of(self, user: int, items: Int64s) -> npt.NDArray[np.float64]:
        rows, row = self.state.by_user.arrays, self.state.rated(user)
        order = np.argsort(rows.other[row])
        places = order[np.searchsorted(rows.other[row], items, sorter=order)]
        return self.state.scale.decode(rows.code[row][places])

    def item_id(self, item: int) -> Id:
        return self.state.items.id(item)


_NOBODY, _NO_CODES = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
