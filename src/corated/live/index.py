"""A live index: ratings in memory that count the moment they are written, and exact answers from them."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.live.likes import LiveLikes
from corated.live.lock import ReadWriteLock
from corated.live.near import Near
from corated.live.parts import Asked, Source, source_of
from corated.live.state import Change, State
from corated.live.verify import Verified, verify
from corated.live.weighing import weighing_of
from corated.models.base import Fit, Recommendations, Recommender, answer_for
from corated.models.explain import Explanation
from corated.models.filters import Filters, check_catalog, check_filters
from corated.models.prediction import Predictions
from corated.models.presets import preset
from corated.models.rules import Like, instant
from corated.models.why import WhyNot
from corated.neighborhood.engine import Of, check_count, check_ratings
from corated.neighborhood.run import Run, resolve_threads
from corated.neighborhood.table import schema_of
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale, as_scale
from corated.similarity.measures import Measure, get_measure
from corated.tables import Table

__all__ = ["LiveIndex", "Rating"]

Int64s = npt.NDArray[np.int64]
T = TypeVar("T")

_MOST_KEPT = 16
"""Measures that are kept up at a time."""


@dataclass(frozen=True)
class Rating:
    """One rating to write: None for the rating takes it out.

    time : a datetime, its ISO text or UTC microseconds; None for now, where ratings have times
    """

    user: Id
    item: Id
    rating: float | None
    time: Any = None


class LiveIndex:
    """Ratings that are added to, changed and taken out, and answers for one user on the ratings as they are.

    ratings : what it begins with; see `LiveIndex.empty` to begin with nothing
    model : an unfitted recommender; None for ``preset("best")``
    catalog : titles, genres and years, for answers and filters
    threads : of what is fitted anew; None for every core

    An answer is what the model would answer if it were fitted to the same ratings, and a rating counts in the
    next answer. Models of neighbors by a measure of exact integers answer at once (``is_live``): `UserKNN`
    with ``scope="all"``, without ``everyone`` or a baseline, `Popularity`, `Timely`, and a `Fallback` or
    `Chosen` of them. Others are fitted anew by the first question after a write.

    Safe in any number of threads: readers go on beside each other, and a writer waits for those inside.

    Raises `DataError` for ratings on no scale: their sums are not exact.
    """

    def __init__(
        self,
        ratings: Ratings,
        *,
        model: Recommender | None = None,
        catalog: Catalog | None = None,
        threads: int | None = None,
    ) -> None:
        ratings = check_ratings(ratings)
        if ratings.scale is None:
            raise DataError(
                "These ratings are on no scale, so sums over them are not exact.",
                expected="ratings of low + code × step, at most 256 levels",
                hint="read them with scale=(low, high, step), after rounding",
            )
        self._model = _copied(preset("best") if model is None else model)
        self._catalog = check_catalog(ratings, catalog)
        self._threads, self._run = resolve_threads(threads), Run(1, at_once=True)
        self._lock, self._making = ReadWriteLock(), threading.Lock()
        self._version, self._journal = 0, None  # type: tuple[int, list[Change] | None]
        self._codes = {rating: code for code, rating in enumerate(ratings.scale.ratings.tolist())}
        self._source: Source | None = source_of(self._model, ratings)
        self._begin(State(ratings, ratings.scale, weighing_of(self._model, ratings)), ratings)

    @classmethod
    def empty(
        cls,
        *,
        scale: Scale | tuple[float, float, float],
        user_ids: str = "text",
        item_ids: str = "text",
        timed: bool = True,
        model: Recommender | None = None,
        catalog: Catalog | None = None,
    ) -> LiveIndex:
        """Begin with nothing.

        scale : (low, high, step), which all ratings must be on
        user_ids, item_ids : "text" or "integer";  timed : whether ratings have times
        """
        made = as_scale(scale)
        assert made is not None
        nothing = Csr(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32))
        times = np.zeros(0, dtype=np.int64) if timed else None
        ids = (_no_ids(user_ids, "user"), _no_ids(item_ids, "item"))
        ratings = Ratings(*ids, made, nothing, np.zeros(0, dtype=np.uint8), times)
        return cls(ratings, model=model, catalog=catalog)

    def _begin(self, state: State, ratings: Ratings) -> None:
        """Take a state for what is now."""
        self.state = state
        self._shape = ratings  # for its scale: what measures and likes mean depends on nothing else
        self._nears: dict[tuple[Of, Measure], Near] = {}
        self._likes: dict[tuple[Like, float | None], LiveLikes] = {}
        self._whole: tuple[int, Ratings] | None = (self._version, ratings)
        self._fitted: tuple[int, Recommender] | None = None
        self._titles: tuple[IdMap, pa.Array | None] | None = None

    # -- what there is --------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """How many writes have changed something; an answer made after a write has at least its version."""
        return self._version

    @property
    def model(self) -> Recommender:
        """The model, with its parameters."""
        return self._model

    @property
    def is_live(self) -> bool:
        """Whether the model answers at once, without a fit."""
        return self._source is not None

    @property
    def n_ratings(self) -> int:
        """The number of ratings."""
        return self.state.n_ratings

    @property
    def n_users(self) -> int:
        """The number of users with ratings."""
        return self.state.active_users

    @property
    def n_items(self) -> int:
        """The number of items with ratings."""
        return self.state.active_items

    def __len__(self) -> int:
        return self.n_ratings

    def __repr__(self) -> str:
        return (
            f"LiveIndex({self.n_ratings:,} ratings of {self.n_users:,} users on {self.n_items:,} items, "
            f"{self.state.scale}; {self._model!r})"
        )

    def ratings(self) -> Ratings:
        """Return the ratings as they are now, frozen."""
        with self._lock.reading():
            return self._frozen()

    def profile(self, user: Id) -> dict[Id, float]:
        """Return one user's ratings, item id to rating, by ascending item id; empty for an unknown user."""
        with self._lock.reading():
            code = self.state.users.find(user)
            if code < 0:
                return {}
            rows, here = self.state.by_user.arrays, self.state.rated(code)
            order = np.argsort(self.state.items.rank[rows.other[here]])
            items = rows.other[here][order].tolist()
            values = self.state.scale.decode(rows.code[here][order]).tolist()
            return {self.state.items.id(item): value for item, value in zip(items, values, strict=True)}

    def _frozen(self) -> Ratings:
        """Return the ratings, made once for each version; inside the lock."""
        with self._making:
            if self._whole is None or self._whole[0] != self._version:
                self._whole = (self._version, self.state.ratings())
            return self._whole[1]

    # -- writing --------------------------------------------------------------------------------

    def rate(self, user: Id, item: Id, rating: float, *, time: Any = None) -> int:
        """Write a rating, in place of one that there is; returns the version from which it counts.

        time : a datetime, its ISO text, or UTC microseconds; None for now

        Raises `DataError` for a rating off the scale, `IdTypeError`, and `ParameterError` for a time that
        is none or that ratings here do not have. Nothing is written then.
        """
        return self.write([Rating(user, item, rating, time)])

    def remove(self, user: Id, item: Id) -> int:
        """Take out a rating, if it is there; returns the version from which it is gone."""
        return self.write([Rating(user, item, None)])

    def remove_user(self, user: Id) -> int:
        """Take out all ratings of a user; returns the version from which they are gone."""
        return self._remove_all("users", user)

    def remove_item(self, item: Id) -> int:
        """Take out all ratings of an item; returns the version from which they are gone."""
        return self._remove_all("items", item)

    def write(self, ratings: Iterable[Rating | tuple[Any, ...]]) -> int:
        """Write and take out ratings, all of them or, where one is refused, none; in their order.

        ratings : `Rating`, or tuples (user, item, rating) or (user, item, rating, time)

        Returns the version from which they count; errors as for `rate`.
        """
        checked = [self._checked(one if isinstance(one, Rating) else Rating(*one)) for one in ratings]
        with self._lock.writing():
            state = self.state
            for user, item, code, time in checked:
                if code is None and (state.users.find(user) < 0 or state.items.find(item) < 0):
                    continue
                self._apply(Change(state.user_code(user), state.item_code(item), code, time))
            return self._version

    def _apply(self, change: Change) -> None:
        if self.state.apply(change):
            self._version += 1
            if self._journal is not None:
                self._journal.append(change)

    def _checked(self, one: Rating) -> tuple[Id, Id, int | None, int]:
        state = self.state
        user, item = state.users.check(one.user), state.items.check(one.item)
        if one.rating is None:
            return user, item, None, 0
        code = self._codes.get(one.rating) if type(one.rating) in (int, float) else None
        if code is None:
            code = _code(state.scale, user, item, one.rating)
        return user, item, code, self._time(one.time)

    def _time(self, time: Any) -> int:
        if not self.state.timed:
            if time is not None:
                raise ParameterError(
                    f"time={time!r} was given, and the ratings here have no times.",
                    hint="leave it out, or begin with ratings that have times",
                )
            return 0
        if time is None:
            return clock.time_ns() // 1000
        if isinstance(time, int | np.integer) and not isinstance(time, bool):
            return int(time)
        return instant(time, hint="leave it out for now")

    def _remove_all(self, side: Of, id: Id) -> int:
        with self._lock.writing():
            state = self.state
            ids, rows = (state.users, state.by_user) if side == "users" else (state.items, state.by_item)
            code = ids.find(id)
            if code >= 0:
                here = slice(int(rows.arrays.first[code]), int(rows.arrays.last[code]))
                for other in rows.arrays.other[here].tolist():
                    user, item = (code, other) if side == "users" else (other, code)
                    self._apply(Change(user, item, None, 0))
            return self._version

    def compact(self) -> None:
        """Lay everything out anew, without the holes that growing rows leave; readers and writers go on.

        What is written meanwhile is written again on what was made.
        """
        with self._lock.writing():
            if self._journal is not None:
                return  # somebody is at it
            self._journal = []
        try:
            with self._lock.reading():
                ratings = self._frozen()
                known, mark = self.state, len(self._journal or ())
            made = State(ratings, known.scale, known.weighing)
            with self._lock.writing():
                for change in (self._journal or [])[mark:]:
                    user = made.user_code(known.users.id(change.user))
                    item = made.item_code(known.items.id(change.item))
                    made.apply(Change(user, item, change.code, change.time))
                frozen = self._whole
                self._begin(made, ratings)
                self._whole = frozen
        finally:
            self._journal = None

    # -- asking ---------------------------------------------------------------------------------

    def neighbors(
        self, user: Id, *, measure: str | Measure = "pearson", k: int = 40, min_common: int = 1
    ) -> Table:
        """Return a user's k nearest, best first: columns id, neighbor, rank, value, n_common.

        Parameters, order and errors as for `corated.neighbors`; `ParameterError` for measures that depend on
        other ratings than those of the two, such as means of items.
        """
        return self._nearest("users", user, measure, k, min_common)

    def similar_items(
        self, item: Id, *, measure: str | Measure = "cosine", k: int = 40, min_common: int = 1
    ) -> Table:
        """Return an item's k nearest, best first, as `neighbors` does for a user."""
        return self._nearest("items", item, measure, k, min_common)

    def _nearest(self, side: Of, id: Id, measure: str | Measure, k: int, min_common: int) -> Table:
        made, k, least = get_measure(measure), check_count("k", k), check_count("min_common", min_common)
        with self._lock.reading():
            return self._nearest_now(side, id, made, k, least)

    def _nearest_now(self, side: Of, id: Id, measure: Measure, k: int, least: int) -> Table:
        """Return neighbors; inside the lock."""
        code = self._known(side, id)
        ids = self.state.users if side == "users" else self.state.items
        found = self.near(side, measure).best(self.state, code, k, least)
        kind = ids.id_map()
        names = [ids.id(other) for other in found.who.tolist()]
        columns = [
            pa.array([ids.id(code)] * len(names), kind.ids.type),
            pa.array(names, kind.ids.type),
            pa.array(np.arange(1, len(names) + 1, dtype=np.int32)),
            pa.array(found.value),
            pa.array(found.n),
        ]
        return Table(pa.Table.from_arrays(columns, schema=schema_of(kind)))

    def recommend(
        self, user: Id, *, n: int = 10, at: Any = None, **filters: Unpack[Filters]
    ) -> Recommendations:
        """Recommend up to n items to a user, on the ratings as they are now.

        at : the time that ages are counted to; None for the latest rating
        filters : see `corated.models.filters.Filters`

        Columns, order and errors as for `corated.models.base.Recommender.recommend`.
        """
        n, checked = check_count("n", n), check_filters(filters)
        with self._lock.reading():
            return self._recommend_now(user, n, at, checked)

    def _recommend_now(
        self, user: Id, n: int, at: Any = None, filters: Filters | None = None
    ) -> Recommendations:
        """Return recommendations; inside the lock."""
        checked = Filters() if filters is None else filters
        fit = self._model_for(user, n, (), at, checked)._fitted()
        codes = np.array([fit.ratings.users.code(user)])
        found = answer_for(fit, fit.part, codes, n, checked, self._run)
        return Recommendations(fit, fit.ratings.users.take(codes), n, found)

    def place(self, user: Id, item: Id, *, n: int = 10, at: Any = None) -> int:
        """Return the place of an item among the n recommended to a user, from 1; 0 where it is not there."""
        n = check_count("n", n)
        with self._lock.reading():
            code = self.state.items.rank[self._known("items", item)]
            model = self._model_for(user, n, (), at, Filters())
            fit = model._fitted()
            users = np.array([fit.ratings.users.code(user)])
            lists = answer_for(fit, fit.part, users, n, Filters(), self._run).lists
            wanted = code if fit.ratings.n_items == len(self.state.items) else fit.ratings.items.code(item)
            found = np.flatnonzero(lists.item[: int(lists.size[0])] == wanted)
            return int(found[0]) + 1 if len(found) else 0

    def predict(self, user: Id, items: Iterable[Id]) -> Predictions:
        """Predict what a user would rate items; see `corated.models.base.Recommender.predict`."""
        items = list(items)
        known = tuple(item for item in items if self.state.items.find(item) >= 0)
        return self._asked(user, 10, known, {}, lambda model: model.predict([user] * len(items), items))

    def explain(
        self, user: Id, item: Id, *, n: int = 10, anonymous: bool = False, most: int | None = None
    ) -> Explanation:
        """Tell what the score of an item for a user is made of; see `Recommender.explain`."""
        return self._asked(
            user,
            n,
            (item,),
            {},
            lambda model: model.explain(user, item, n=n, anonymous=anonymous, most=most),
        )

    def why_not(self, user: Id, item: Id, *, n: int = 10, **filters: Unpack[Filters]) -> WhyNot:
        """Tell why an item is not among the n of a user; see `Recommender.why_not`."""
        checked = check_filters(filters)
        return self._asked(user, n, (item,), checked, lambda model: model.why_not(user, item, n=n, **checked))

    def fitted(self) -> Recommender:
        """Return the model fitted to the ratings as they are now; made once for each version."""
        with self._lock.reading():
            return self._refitted()

    def _asked(
        self, user: Id, n: int, items: tuple[Id, ...], filters: Filters, ask: Callable[[Recommender], T]
    ) -> T:
        """Let the model that answers for a user answer."""
        with self._lock.reading():
            return ask(self._model_for(user, n, items, None, filters))

    def _model_for(self, user: Id, n: int, items: tuple[Id, ...], at: Any, filters: Filters) -> Recommender:
        """Return what answers for a user; inside the lock."""
        time = None if at is None else self._time(at)
        code = self._known("users", user)
        wanted = tuple(self._known("items", item) for item in items)
        if self._source is None:
            if at is not None:
                raise ParameterError(
                    f"at={at!r} cannot be used: this model is fitted anew.", hint="give the model its own at="
                )
            return self._refitted()
        many = self.state.by_user.size(code) + 2 * n
        enough = 2**31 if filters.keys() - {"exclude_seen"} else many
        return self._around(self._source, Asked(code, n, wanted, enough, time))

    def verify(self, *, users: int = 100, seed: int = 0) -> Verified:
        """Compare the index with a fit on its ratings, read anew; writers wait meanwhile.

        users : so many, drawn by ``seed``, have their neighbors and recommendations compared, bit for bit
            but for what is aged, of which scores are compared to 1e-9

        Raises nothing for a difference: see `Verified.ok`.
        """
        users = check_count("users", users, 0)
        with self._lock.reading():
            return verify(self, self._frozen(), users, seed)

    def kept(self, kind: type[T]) -> list[T]:
        """Return what is kept up, of one kind."""
        return [one for one in self.state.kept if isinstance(one, kind)]

    def _known(self, side: Of, id: Id) -> int:
        """Return the code of a user or item with ratings; raises `UnknownIdError` for others."""
        ids, rows = (
            (self.state.users, self.state.by_user)
            if side == "users"
            else (self.state.items, self.state.by_item)
        )
        code = ids.find(id)
        if code < 0 or rows.size(code) == 0:
            raise ids.unknown(id, lambda code: rows.size(code) > 0)
        return code

    def _around(self, source: Source, asked: Asked) -> Recommender:
        """Return the model fitted to a user's surroundings."""
        state = self.state
        prepared = source.prepared(self, asked)
        codes = np.unique(np.append(state.users.rank[prepared.people], state.users.rank[asked.user]))
        codes = state.users.order[codes]
        ratings = state.some_ratings(codes)
        part = prepared.part(ratings, codes, self._run)
        model = copy(self._model)
        fit = Fit(ratings, self._catalog, part, self._model)
        fit.__dict__["titles"] = self._title(ratings.items)
        model._fit = fit
        return model

    def _title(self, items: IdMap) -> pa.Array | None:
        """Return titles by rank; they are looked up anew only after a new item."""
        held = self._titles
        if held is None or held[0] is not items:
            held = (items, None if self._catalog is None else self._catalog.aligned(items))
            self._titles = held
        return held[1]

    def _refitted(self) -> Recommender:
        ratings = self._frozen()
        with self._making:
            if self._fitted is None or self._fitted[0] != self._version:
                model = self._model.clone()
                model.fit(ratings, catalog=self._catalog, threads=self._threads)
                self._fitted = (self._version, model)
            return self._fitted[1]

    # -- what is kept up, made at the first question ----------------------------------------------

    def near(self, side: Of, measure: Measure) -> Near:
        """Return what compares subjects by a measure; see `corated.live.parts.Around`."""
        key = (side, measure)
        found = self._nears.get(key)
        if found is not None:
            return found
        with self._making:
            if key not in self._nears:
                while len(self._nears) >= _MOST_KEPT:
                    self.state.kept.remove(self._nears.pop(next(iter(self._nears))))
                made = Near(self.state, self._shape, measure, side)
                self.state.kept.append(made)
                self._nears[key] = made
            return self._nears[key]

    def likes(self, like: Like, half_life: float | None) -> LiveLikes:
        """Return who likes what; see `corated.live.parts.Around`."""
        key = (like, half_life)
        with self._making:
            if key not in self._likes:
                made = LiveLikes(self.state, self._shape, like, half_life)
                self.state.kept.append(made)
                self._likes[key] = made
            return self._likes[key]


def _copied(model: Recommender) -> Recommender:
    """Return an unfitted copy of a model."""
    if not isinstance(model, Recommender):
        raise ParameterError(
            f"model={model!r} cannot be used.", expected="a recommender", hint="for example UserKNN(k=40)"
        )
    return model.clone()


def _no_ids(kind: str, what: str) -> IdMap:
    kinds = {"text": pa.string(), "integer": pa.int64()}
    if kind not in kinds:
        raise ParameterError(
            f"{what}_ids={kind!r} is no kind of ids.", expected='"text" or "integer"', hint="choose one"
        )
    return IdMap(pa.array([], kinds[kind]), what)


def _code(scale: Scale, user: Id, item: Id, rating: Any) -> int:
    """Return the code of a rating; raises `DataError` for one that is off the scale."""
    is_number = isinstance(rating, int | float | np.number) and not isinstance(rating, bool | np.bool_)
    if not is_number or not scale.contains(rating):
        raise DataError(
            f"The rating {rating!r} of {user!r} for {item!r} is off the scale.",
            expected=f"ratings on {scale}",
            hint="correct it, or begin with another scale",
        )
    return int(scale.encode(np.array([rating], dtype=np.float64))[0])
