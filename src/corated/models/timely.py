"""Timely: who rated alike and what they like these days, what everyone likes, what goes together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corated.errors import DataError
from corated.models.answers import Answer, new_lists
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.history import Profile, with_profile
from corated.models.kernels import Least
from corated.models.lists import over_users
from corated.models.packed import Packed
from corated.models.request import Request
from corated.models.rules import DAY, Like, check_amount, check_like, instant
from corated.models.timely_account import Raters, Told, compared_by, timely_account
from corated.models.timely_kernels import (
    Everyone,
    LeftOut,
    Named,
    Now,
    TimelyWork,
    new_timely_work,
    walk_timely,
)
from corated.models.timely_rows import (
    BEGINNING,
    Clock,
    TimelyRows,
    likes_of_all,
    made_by,
    timely_rows,
)
from corated.models.timely_together import found_together
from corated.neighborhood.run import Flag
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.topk import new_topk

if TYPE_CHECKING:
    from corated.models.account import Account

__all__ = ["SOURCES", "FittedTimely", "Timely", "TimelySettings", "fit_timely"]

Int64s = npt.NDArray[np.int64]

SOURCES = ("neighbors", "sittings", "everyone")
"""What gives rows, by the numbers of the kernels."""


class Timely(Recommender):
    """Recommend what those who rated alike like these days, what everyone likes, and what goes together.

    like : see `corated.models.knn.UserKNN`
    half_life : days in which what a like of a neighbor counts falls to half; None for no ageing
    everyone : e, what everyone's likes are multiplied by;  everyone_half_life : as ``half_life``, for these
    sittings : f, what sittings are multiplied by
    sitting_half_life : days in which what a user's own rating brings along falls to half; None for no ageing
    window : days between two ratings of one sitting, at most
    at : the time age is counted from, and after which ratings do not exist; None for the latest rating

    An item's score is A + e P + f Q:

    - A = Σ over the other users v who like it of s(u, v) · 2^(−age / ``half_life``). s(u, v) = n/√(a b), n
      items both rated of the a that u rated and the b that v did: the cosine of who rated what
    - P = Σ over the other users who like it of 2^(−age / ``everyone_half_life``)
    - Q = Σ over the other items j that u rated of 2^(−age / ``sitting_half_life``) / √(raters of j), age that
      of u's rating, times the number of other users who rated it and j within ``window`` of each other

    A rating older than 40 half-lives counts nothing. ``support`` is the number of users behind A, ``source``
    "neighbors" where there are any, else "sittings" where Q is above 0, else "everyone"; items for which
    nothing speaks are no candidates. Ratings without times do not age and know no sittings.

    Sums are taken one after another: in A by neighbors as the user's ratings, in the order of time, and then
    their raters lead to them; in P by time, then by user id; in Q from the user's latest rating to the first.
    """

    def __init__(
        self,
        *,
        like: Like = None,
        half_life: float | None = 2.0,
        everyone: float = 0.05,
        everyone_half_life: float | None = 1.0,
        sittings: float = 3.0,
        sitting_half_life: float | None = 1.0,
        window: float = 1.0,
        at: object = None,
    ) -> None:
        self.like = like
        self.half_life = half_life
        self.everyone = everyone
        self.everyone_half_life = everyone_half_life
        self.sittings = sittings
        self.sitting_half_life = sitting_half_life
        self.window = window
        self.at = at

    def learn(self, ratings: Ratings, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.learn`."""
        return fit_timely(ratings, TimelySettings.of(self))

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - quick to make anew
        """See `Recommender.unpack`."""
        return self.learn(ratings, run)


# -- parameters -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class TimelySettings:
    """The checked parameters of a `Timely`; ``at`` in microseconds, None for the latest rating."""

    like: Like
    half_life: float | None
    everyone: float
    everyone_half_life: float | None
    sittings: float
    sitting_half_life: float | None
    window: float
    at: int | None

    @classmethod
    def of(cls, model: Timely) -> TimelySettings:
        """Check parameters; raises `ParameterError` for one that cannot be used."""
        names = ("half_life", "everyone_half_life", "sitting_half_life")
        made: dict[str, Any] = {name: _half_life(name, getattr(model, name)) for name in names}
        for name in ("everyone", "sittings", "window"):
            made[name] = check_amount(name, getattr(model, name), "a number from 0 up", least=0.0)
        return cls(like=check_like(model.like), at=None if model.at is None else instant(model.at), **made)

    def now(self, clock: Clock, *, is_timed: bool) -> Now:
        """Return what the kernels are told; ``clock`` is that of ``half_life``."""
        own = Clock.of(self.sitting_half_life, clock.at)
        return Now(
            clock.at,
            clock.since,
            clock.factor(),
            self.sittings if is_timed else 0.0,
            own.since,
            own.step,
            int(min(self.window * DAY, -BEGINNING)),
        )


def _half_life(name: str, value: object) -> float | None:
    return (
        None if value is None else check_amount(name, value, "days above 0, or None for no ageing", above=0.0)
    )


# -- answering ------------------------------------------------------------------------------------


def fit_timely(ratings: Ratings, settings: TimelySettings) -> FittedTimely:
    """Arrange everything; raises `DataError` for ``at`` where ratings have no times."""
    is_timed, at = ratings.times is not None, settings.at
    if at is not None and not is_timed:
        raise DataError(
            "at= says from when to look, and these ratings have no times.",
            expected="a column of times",
            hint="read the ratings with their times, or leave at out",
        )
    latest = int(ratings.times.max()) if ratings.times is not None and ratings.n_ratings else 0
    at = latest if at is None else at
    known = made_by(ratings, at) if at < latest else ratings
    clock = Clock.of(settings.half_life if is_timed else None, at)
    rows = timely_rows(known, settings.like, clock)
    of_all = Clock.of(settings.everyone_half_life if is_timed else None, at)
    everyone = likes_of_all(known, rows.likes, of_all, settings.everyone)
    now = settings.now(clock, is_timed=is_timed)
    return FittedTimely(ratings, known, settings, clock, rows, everyone, now)


@dataclass(frozen=True)
class FittedTimely:
    """Ratings in the order of time, ready for the walk.

    ratings : whose users are answered;  known : those of them that exist at the time that is asked about
    clock : how likes of neighbors age
    """

    ratings: Ratings
    known: Ratings
    settings: TimelySettings
    clock: Clock
    rows: TimelyRows
    everyone: Everyone
    now: Now

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        n, many = min(request.n, self.ratings.n_items), len(request.codes)
        named = Named(new_lists(many, n), np.zeros(many * n, dtype=np.uint8))
        seen, rows = request.seen(self.ratings), self.rows
        together = found_together(rows, self.now, request.codes, run)
        starts = seen.indptr
        starts.flags.writeable = False
        left_out = LeftOut(starts[:-1], starts[1:], seen.items, seen.taken_indptr, seen.taken)

        def make_work() -> TimelyWork:
            marks = request.marks(self.ratings.n_items)
            return new_timely_work(self.ratings.n_users, marks, new_topk(n, np.array([self.ratings.n_items])))

        def work(state: TimelyWork, users: Int64s, first: int, flag: Flag) -> None:
            walk_timely(
                users,
                first,
                rows.by_user,
                rows.liked,
                rows.alike,
                rows.by_item,
                together,
                self.now,
                self.everyone,
                left_out,
                n,
                Least(1, request.min_support),
                state,
                named,
                flag,
            )

        over_users(request.codes, make_work, work, run)
        return Answer(named.lists, n, named.source, SOURCES, (True, True, True))

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - the same for all n
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        rows, rated = self.rows, _Rated(self.known, self.rows.likes)
        walked = rows.by_user, rows.by_item, rows.alike, self.everyone
        told = Told(self.settings, user, rated, self.clock, self.now, *walked)
        account = timely_account(told, item)
        if account.source != "neighbors":
            return account
        return replace(account, compared=compared_by(self.settings, self.known, user))

    def fold_in(self, profile: Profile, run: Run) -> Folded:  # noqa: ARG002 - nothing takes long
        """Answer for a profile as fitted with that user among the others; see `corated.models.base.Fitted`.

        Its ratings count as made at the time of the latest, or at the time that is asked about, if that is
        earlier.
        """
        if profile.times is None and self.ratings.times is not None and self.ratings.n_ratings:
            latest = min(self.now.at, int(self.ratings.times.max()))
            profile = replace(profile, times=np.full(len(profile.items), latest))
        ratings, code = with_profile(self.ratings, profile)
        return Folded(fit_timely(ratings, self.settings), code)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed()


@dataclass(frozen=True)
class _Rated:
    """Ratings as accounts read them; see `corated.models.timely_account.Rated`."""

    ratings: Ratings
    likes: npt.NDArray[np.bool_]

    def raters(self, item: int) -> Raters:
        ratings, by_item = self.ratings, self.ratings.by_item
        row = slice(int(by_item.indptr[item]), int(by_item.indptr[item + 1]))
        at = by_item.order[row]
        time = np.zeros(len(at), dtype=np.int64) if ratings.times is None else ratings.times[at]
        return Raters(by_item.indices[row], time, self.likes[at], ratings.values[at])

    def ratings_of(self, user: int, items: Int64s) -> npt.NDArray[np.float64]:
        by_user = self.ratings.by_user
        row = slice(int(by_user.indptr[user]), int(by_user.indptr[user + 1]))
        return self.ratings.values[row][np.searchsorted(by_user.indices[row], items)]

    def item_id(self, item: int) -> Id:
        return self.ratings.items.id(item)
