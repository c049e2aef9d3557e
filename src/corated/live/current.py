"""The ratings of one moment with all that is kept up about them, and the models that answer from them."""

from __future__ import annotations

import threading
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa

from corated.errors import ParameterError
from corated.live.likes import LiveLikes
from corated.live.near import Near
from corated.live.parts import Asked, Prepared, Source, source_of
from corated.live.state import State
from corated.live.timely import LiveEveryone
from corated.live.weighing import Aged, weighing_of
from corated.models.base import Answer, Fit, Recommendations, Recommender, answer_for
from corated.models.explain import Asked as ReasonAsked
from corated.models.explain import Explanation, explain_all
from corated.models.fallback import Fallback
from corated.models.filters import Filters
from corated.models.rules import Like
from corated.models.timely import TimelySettings
from corated.neighborhood.engine import Of
from corated.neighborhood.run import Run, resolve_threads
from corated.neighborhood.table import schema_of
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure
from corated.tables import Table

__all__ = ["Current", "Question"]

T = TypeVar("T")

_MOST_KEPT = 16
"""Measures that are kept up at a time."""


@dataclass(frozen=True)
class Question:
    """What is asked about a user, in the caller's ids.

    items : what something is to be said about;  at : the time that ages are counted to, None for the latest
    """

    user: Id
    n: int = 10
    at: int | None = None
    filters: Filters = field(default_factory=Filters)
    items: tuple[Id, ...] = ()


class Current:
    """A state, and what is made of it at the first question and kept up from then on.

    Whoever calls holds off writers; several may call at once.

    source : the model in the form in which it answers for one user; None where it is fitted anew
    version : how many writes have changed something
    """

    def __init__(
        self, ratings: Ratings, model: Recommender, catalog: Catalog | None, threads: int | None
    ) -> None:
        assert ratings.scale is not None
        self.model, self.catalog = model, catalog
        self._threads, self.run = resolve_threads(threads), Run(1, at_once=True)
        self.source: Source | None = source_of(model, ratings)
        self.version, self._making = 0, threading.Lock()
        self.shape = ratings  # for its scale: what measures and likes mean depends on nothing else
        self._whole: tuple[int, Ratings] = (0, ratings)
        self._fitted: tuple[int, Recommender] | None = None
        self._titles: tuple[IdMap, pa.Array | None] | None = None
        self.take(State(ratings, ratings.scale, weighing_of(model, ratings)))

    def take(self, state: State) -> None:
        """Go on with a state of the same ratings; what was kept up with the other is made anew."""
        self.state = state
        self._nears: dict[tuple[Of, Measure], Near] = {}
        self._likes: dict[tuple[Like, float | None], LiveLikes] = {}
        self._everyone: LiveEveryone | None = None

    def set_catalog(self, catalog: Catalog | None) -> None:
        """Take another catalog; whoever calls is alone."""
        self.catalog, self._titles, self._fitted = catalog, None, None

    def code(self, side: Of, id: Id) -> int:
        """Return the code of a user or item with ratings; raises `UnknownIdError` for others."""
        state = self.state
        ids, rows = (state.users, state.by_user) if side == "users" else (state.items, state.by_item)
        code = ids.find(id)
        if code < 0 or rows.size(code) == 0:
            raise ids.unknown(id, lambda code: rows.size(code) > 0)
        return code

    def frozen(self) -> Ratings:
        """Return the ratings, made once for each version."""
        with self._making:
            if self._whole[0] != self.version:
                self._whole = (self.version, self.state.ratings())
            return self._whole[1]

    # -- answers ------------------------------------------------------------------------------

    def nearest(self, side: Of, id: Id, measure: Measure, k: int, min_common: int) -> Table:
        """Return the k nearest of a user or item, best first."""
        code = self.code(side, id)
        ids = self.state.users if side == "users" else self.state.items
        found = self.near(side, measure).best(self.state, code, k, min_common)
        known = ids.id_map()
        columns = [
            known.take(np.full(len(found.who), ids.rank[code])),
            known.take(ids.rank[found.who]),
            pa.array(np.arange(1, len(found.who) + 1, dtype=np.int32)),
            pa.array(found.value),
            pa.array(found.n),
        ]
        return Table(pa.Table.from_arrays(columns, schema=schema_of(known)))

    def recommend(self, question: Question) -> Recommendations:
        """Return a user's list."""
        return self._listed(*self._answer(question), question)

    def reasoned(
        self, question: Question, *, anonymous: bool, most: int | None
    ) -> tuple[Recommendations, list[Explanation]]:
        """Return a user's list, and why each of its items is there."""
        fit, answer = self._answer(question)
        listed = self._listed(fit, answer, question)
        items = listed.to_arrow()["item_id"].to_pylist()
        if not items:
            return listed, []
        asked = ReasonAsked(question.user, items[0], question.n)
        plain = None if question.filters else answer
        return listed, explain_all(fit, asked, items, self.run, anonymous=anonymous, most=most, listed=plain)

    @staticmethod
    def _listed(fit: Fit, answer: Answer, question: Question) -> Recommendations:
        users = fit.ratings.users
        return Recommendations(fit, users.take([users.code(question.user)]), question.n, answer)

    def place(self, question: Question, item: Id) -> int:
        """Return the place of an item in a user's list, from 1; 0 where it is not there."""
        rank = int(self.state.items.rank[self.code("items", item)])
        fit, answer = self._answer(question)
        wanted = rank if fit.ratings.items is self.state.items.id_map() else fit.ratings.items.code(item)
        found = np.flatnonzero(answer.lists.item[: int(answer.lists.size[0])] == wanted)
        return int(found[0]) + 1 if len(found) else 0

    def _answer(self, question: Question) -> tuple[Fit, Answer]:
        fit = self.model_for(question)._fitted()
        codes = np.array([fit.ratings.users.code(question.user)])
        return fit, answer_for(fit, fit.part, codes, question.n, question.filters, self.run)

    def model_for(self, question: Question) -> Recommender:
        """Return what answers a question: the model, fitted to the surroundings of its user."""
        code = self.code("users", question.user)
        for item in question.items:
            self.code("items", item)
        if self.source is None:
            if question.at is not None:
                raise ParameterError(
                    "at= was given, and this model is fitted anew.", hint="give the model its own at="
                )
            return self.fitted()
        if question.at is not None and question.at < self.state.latest:
            return self._fitted_at(question.at)
        many = self.state.by_user.size(code) + 2 * question.n
        enough = 2**31 if question.items or question.filters.keys() - {"exclude_seen"} else many
        asked = Asked(code, question.n, enough, question.at)
        return self._fitted_around(self.source.prepared(self, asked), code)

    # -- models -------------------------------------------------------------------------------

    def fitted(self) -> Recommender:
        """Return the model fitted to all ratings, once for each version."""
        ratings = self.frozen()
        with self._making:
            if self._fitted is None or self._fitted[0] != self.version:
                model = self.model.clone()
                model.fit(ratings, catalog=self.catalog, threads=self._threads)
                self._fitted = (self.version, model)
            return self._fitted[1]

    def _fitted_at(self, time: int) -> Recommender:
        """Return the model fitted as of a time before the latest rating; kept by nobody."""
        model = _as_of(self.model, np.datetime64(time, "us"))
        return model.fit(self.frozen(), catalog=self.catalog, threads=self._threads)

    def _fitted_around(self, prepared: Prepared, user: int) -> Recommender:
        """Return the model fitted to those whose profiles it needs."""
        state = self.state
        ranks = np.unique(np.append(state.users.rank[prepared.people], state.users.rank[user]))
        codes = state.users.order[ranks]
        ratings = state.some_ratings(codes)
        fit = Fit(ratings, self.catalog, prepared.part(ratings, codes, self.run), self.model)
        fit.__dict__["titles"] = self._title(ratings.items)
        model = copy(self.model)
        model._fit = fit
        return model

    def _title(self, items: IdMap) -> pa.Array | None:
        """Return titles by rank; they are looked up anew only after a new item."""
        held = self._titles
        if held is None or held[0] is not items:
            held = (items, None if self.catalog is None else self.catalog.aligned(items))
            self._titles = held
        return held[1]

    # -- what is kept up ----------------------------------------------------------------------

    def kept(self, kind: type[T]) -> list[T]:
        """Return what is kept up, of one kind."""
        return [one for one in self.state.kept if isinstance(one, kind)]

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
                made = Near(self.state, self.shape, measure, side)
                self.state.kept.append(made)
                self._nears[key] = made
            return self._nears[key]

    def everyone(self, settings: TimelySettings) -> LiveEveryone:
        """Return what everyone likes these days; see `corated.live.parts.Around`."""
        with self._making:
            if self._everyone is None:
                self._everyone = LiveEveryone(self.state, self.shape, settings)
                self.state.kept.append(self._everyone)
            return self._everyone

    def likes(self, like: Like, half_life: float | None) -> LiveLikes:
        """Return who likes what; see `corated.live.parts.Around`."""
        key = (like, half_life)
        with self._making:
            if key not in self._likes:
                made = LiveLikes(self.state, Aged.of(self.shape, like, half_life, self.state.latest))
                self.state.kept.append(made)
                self._likes[key] = made
            return self._likes[key]


def _as_of(model: Recommender, at: np.datetime64) -> Recommender:
    """Return an unfitted copy of a model that looks from a time, unless it has one of its own."""
    if isinstance(model, Fallback):
        return Fallback(models=[_as_of(one, at) for one in model.models])
    given = model.get_params()["at"]
    return model.clone().set_params(at=at if given is None else given)
