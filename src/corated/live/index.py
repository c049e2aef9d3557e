"""A live index: ratings in memory that count the moment they are written, and exact answers from them."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, Unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.live.current import Current, Question
from corated.live.ids import LiveIds
from corated.live.lock import ReadWriteLock
from corated.live.parts import source_of
from corated.live.rows import LiveRows
from corated.live.state import Change, State
from corated.live.verify import Verified, verify
from corated.models.base import Recommendations, Recommender
from corated.models.chosen import Chosen
from corated.models.explain import Explanation
from corated.models.filters import Filters, check_catalog, check_filters
from corated.models.prediction import Predictions
from corated.models.presets import preset
from corated.models.rules import instant
from corated.models.settings import check_switch
from corated.models.why import WhyNot
from corated.neighborhood.engine import Of, check_count, check_ratings
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale, as_scale
from corated.similarity.measures import Measure, get_measure
from corated.tables import Table

__all__ = ["LiveIndex", "Rating"]

Int64s = npt.NDArray[np.int64]
T = TypeVar("T")


class Rating(NamedTuple):
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
    choice : of a `Chosen`, the place of the model to take; None to let it choose, once, by the ratings that
        the index begins with, among those of its models that answer at once

    An answer is what the model would answer if it were fitted to the same ratings, and a rating counts in the
    next answer. Models of neighbors by a measure of exact integers answer at once (``is_live``): `UserKNN`
    with ``scope="all"``, without ``everyone`` or a baseline, `Popularity`, a `Fallback` of them, `Timely`,
    and a `Chosen` of any of these. Others are fitted anew by the first question after a write.

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
        choice: int | None = None,
    ) -> None:
        ratings = check_ratings(ratings)
        if ratings.scale is None:
            raise DataError(
                "These ratings are on no scale, so sums over them are not exact.",
                expected="ratings of low + code × step, at most 256 levels",
                hint="read them with scale=(low, high, step), after rounding",
            )
        model, self._choice = _settled(preset("best") if model is None else model, ratings, choice, threads)
        self._current = Current(ratings, model, check_catalog(ratings, catalog), threads)
        self._lock = ReadWriteLock()
        self._journal: list[Change] | None = None
        self._codes = {rating: code for code, rating in enumerate(ratings.scale.ratings.tolist())}

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

    # -- what there is --------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """How many writes have changed something; an answer made after a write has at least its version."""
        return self._current.version

    @property
    def model(self) -> Recommender:
        """The model, with its parameters."""
        return self._current.model

    @property
    def is_live(self) -> bool:
        """Whether the model answers at once, without a fit."""
        return self._current.source is not None

    @property
    def choice(self) -> int | None:
        """The place of the model among those that a `Chosen` was given; None where there was no choice."""
        return self._choice

    @property
    def timed(self) -> bool:
        """Whether ratings have times."""
        return self._current.state.timed

    @property
    def catalog(self) -> Catalog | None:
        """The catalog, None where there is none."""
        return self._current.catalog

    def set_catalog(self, catalog: Catalog | None) -> None:
        """Take another catalog, for answers from now on."""
        with self._lock.writing():
            self._current.set_catalog(check_catalog(self._current.shape, catalog))

    @property
    def n_ratings(self) -> int:
        """The number of ratings."""
        return self._current.state.n_ratings

    @property
    def n_users(self) -> int:
        """The number of users with ratings."""
        return self._current.state.active_users

    @property
    def n_items(self) -> int:
        """The number of items with ratings."""
        return self._current.state.active_items

    def __len__(self) -> int:
        return self.n_ratings

    def __repr__(self) -> str:
        return (
            f"LiveIndex({self.n_ratings:,} ratings of {self.n_users:,} users on {self.n_items:,} items, "
            f"{self._current.state.scale}; {self._current.model!r})"
        )

    def ratings(self) -> Ratings:
        """Return the ratings as they are now, frozen."""
        with self._lock.reading():
            return self._current.frozen()

    def n_rated(self, user: Id) -> int:
        """Return how many items a user has rated; 0 for an unknown user."""
        with self._lock.reading():
            state = self._current.state
            code = state.users.find(user)
            return state.by_user.size(code) if code >= 0 else 0

    def profile(self, user: Id) -> dict[Id, float]:
        """Return one user's ratings, item id to rating, by ascending item id; empty for an unknown user."""
        with self._lock.reading():
            state = self._current.state
            code = state.users.find(user)
            return {} if code < 0 else self._row(state.by_user, code, state.items)

    def raters(self, item: Id) -> dict[Id, float]:
        """Return one item's ratings, user id to rating, by ascending user id; empty for an unknown item."""
        with self._lock.reading():
            state = self._current.state
            code = state.items.find(item)
            return {} if code < 0 else self._row(state.by_item, code, state.users)

    def _row(self, rows: LiveRows, code: int, others: LiveIds) -> dict[Id, float]:
        here = rows.row(code)
        order = np.argsort(others.rank[rows.arrays.other[here]])
        found = rows.arrays.other[here][order].tolist()
        values = self._current.state.scale.decode(rows.arrays.code[here][order]).tolist()
        return {others.id(other): value for other, value in zip(found, values, strict=True)}

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

    def write(self, ratings: Iterable[tuple[Any, ...]]) -> int:
        """Write and take out ratings, all of them or, where one is refused, none; in their order.

        ratings : (user, item, rating) or (user, item, rating, time) each, as `Rating` has them

        Returns the version from which they count; errors as for `rate`.
        """
        checked = [self._checked(Rating(*one)) for one in ratings]
        with self._lock.writing():
            state = self._current.state
            for user, item, code, time in checked:
                if code is None and (state.users.find(user) < 0 or state.items.find(item) < 0):
                    continue
                self._apply(Change(state.user_code(user), state.item_code(item), code, time))
            return self._current.version

    def _apply(self, change: Change) -> None:
        if self._current.state.apply(change):
            self._current.version += 1
            if self._journal is not None:
                self._journal.append(change)

    def _checked(self, one: Rating) -> tuple[Id, Id, int | None, int]:
        state = self._current.state
        user, item = state.users.check(one.user), state.items.check(one.item)
        if one.rating is None:
            return user, item, None, 0
        code = self._codes.get(one.rating) if type(one.rating) in (int, float) else None
        if code is None:
            code = _code(state.scale, user, item, one.rating)
        return user, item, code, self._time(one.time)

    def _time(self, time: Any) -> int:
        if not self._current.state.timed:
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
            state = self._current.state
            ids, rows = (state.users, state.by_user) if side == "users" else (state.items, state.by_item)
            code = ids.find(id)
            if code >= 0:
                for other in rows.arrays.other[rows.row(code)].tolist():
                    user, item = (code, other) if side == "users" else (other, code)
                    self._apply(Change(user, item, None, 0))
            return self._current.version

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
                ratings = self._current.frozen()
                known, mark = self._current.state, len(self._journal or ())
            made = State(ratings, known.scale, known.weighing)
            with self._lock.writing():
                for change in (self._journal or [])[mark:]:
                    user = made.user_code(known.users.id(change.user))
                    item = made.item_code(known.items.id(change.item))
                    made.apply(Change(user, item, change.code, change.time))
                self._current.take(made)
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
            return self._current.nearest(side, id, made, k, least)

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
            return self._current.recommend(Question(user, n, self._at(at), checked))

    def reasoned(
        self,
        user: Id,
        *,
        n: int = 10,
        anonymous: bool = False,
        most: int | None = None,
        **filters: Unpack[Filters],
    ) -> tuple[Recommendations, list[Explanation]]:
        """Recommend, and tell of each row why it is there, on the same ratings.

        Parameters, order and errors as for `recommend` and `explain`; ranks in explanations are those in the
        list without filters.
        """
        n, checked = check_count("n", n), check_filters(filters)
        anonymous = check_switch("anonymous", anonymous)
        with self._lock.reading():
            return self._current.reasoned(Question(user, n, None, checked), anonymous=anonymous, most=most)

    def place(self, user: Id, item: Id, *, n: int = 10, at: Any = None) -> int:
        """Return the place of an item among the n recommended to a user, from 1; 0 where it is not there."""
        n = check_count("n", n)
        with self._lock.reading():
            return self._current.place(Question(user, n, self._at(at)), item)

    def predict(self, user: Id, items: Iterable[Id]) -> Predictions:
        """Predict what a user would rate items; see `corated.models.base.Recommender.predict`."""
        items = list(items)
        return self._asked(Question(user), lambda model: model.predict([user] * len(items), items))

    def explain(
        self, user: Id, item: Id, *, n: int = 10, anonymous: bool = False, most: int | None = None
    ) -> Explanation:
        """Tell what the score of an item for a user is made of; see `Recommender.explain`."""
        asked = Question(user, n, items=(item,))
        return self._asked(
            asked, lambda model: model.explain(user, item, n=n, anonymous=anonymous, most=most)
        )

    def why_not(self, user: Id, item: Id, *, n: int = 10, **filters: Unpack[Filters]) -> WhyNot:
        """Tell why an item is not among the n of a user; see `Recommender.why_not`."""
        checked = check_filters(filters)
        asked = Question(user, n, None, checked, (item,))
        return self._asked(asked, lambda model: model.why_not(user, item, n=n, **checked))

    def fitted(self) -> Recommender:
        """Return the model fitted to the ratings as they are now; made once for each version."""
        with self._lock.reading():
            return self._current.fitted()

    def _asked(self, question: Question, ask: Callable[[Recommender], T]) -> T:
        """Let the model that answers for a user answer."""
        with self._lock.reading():
            return ask(self._current.model_for(question))

    def _at(self, at: Any) -> int | None:
        return None if at is None else self._time(at)

    def verify(self, *, users: int = 100, seed: int = 0) -> Verified:
        """Compare the index with a fit on its ratings, read anew; writers wait meanwhile.

        users : so many, drawn by ``seed``, have their neighbors and recommendations compared, bit for bit
            but for what is aged, of which scores are compared to 1e-9

        Raises nothing for a difference: see `Verified.ok`.
        """
        users = check_count("users", users, 0)
        with self._lock.reading():
            return verify(self._current, users, seed)


def _settled(
    model: Recommender, ratings: Ratings, choice: int | None, threads: int | None
) -> tuple[Recommender, int | None]:
    """Return an unfitted copy of a model, of a `Chosen` that of the model it chooses, and its place."""
    if not isinstance(model, Recommender):
        raise ParameterError(
            f"model={model!r} cannot be used.", expected="a recommender", hint="for example UserKNN(k=40)"
        )
    if not isinstance(model, Chosen):
        return model.clone(), None
    if choice is None:
        at_once = [at for at, one in enumerate(model.models) if source_of(one, ratings) is not None]
        places = at_once or list(range(len(model.models)))
        few = model.clone().set_params(models=[model.models[at] for at in places])
        choice = places[few.fit(ratings, threads=threads).place]
    return model.models[choice].clone(), choice


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
