"""Nearest-neighbor recommenders, user- and item-based: one implementation, the side is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse

from corated.errors import NotFittedError, ParameterError
from corated.models.base import Answer, Fitted, Recommender, Run
from corated.models.centering import Centered, Centering, Plain, get_centering
from corated.models.kernels import Links, Work, pick_scored, walk_closest, walk_sum
from corated.models.lists import make_seen, new_lists, new_scored, over_users
from corated.models.predict_kernels import Found, Limits, Raters
from corated.models.prediction import (
    FALLBACK,
    OK,
    TOO_FEW,
    UNKNOWN_ITEM,
    UNKNOWN_USER,
    Predicted,
    Sums,
    graph_sums,
    neighbor_sums,
)
from corated.models.rules import (
    RULES,
    Direction,
    Like,
    Rule,
    Scope,
    check_direction,
    check_rule,
    check_scope,
    liked,
    weights,
)
from corated.neighborhood.engine import Engine, Of, check_count
from corated.neighborhood.graph import Neighbors, graph_of
from corated.neighborhood.run import Flag
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure, get_measure
from corated.tables import Table

__all__ = ["FittedKNN", "ItemKNN", "UserKNN"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_PREDICTED = 1 << 21
"""Pairs that are predicted at a time where recommendations are made by prediction."""


@dataclass(frozen=True)
class _Settings:
    """The checked parameters of a fit."""

    side: Of
    measure: Measure
    k: int | None
    min_common: int
    rule: Rule
    scope: Scope
    direction: Direction
    center: Centering
    like: Like
    min_support: int
    min_similarity: float
    clip: bool
    fallback: bool


@dataclass(frozen=True)
class FittedKNN:
    """Neighbors and likes, arranged for the walk; neighbors are None where they depend on n (``k="2n"``).

    engine : compares subjects when a prediction is asked for
    """

    ratings: Ratings
    settings: _Settings
    engine: Engine
    centered: Centered
    raters: Raters
    likes: Links
    graph: Neighbors | None
    near: Links | None
    source: str = "neighbors"

    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `corated.models.base.Fitted`."""
        if self.settings.rule == "mean" or self.settings.scope == "raters":
            return self._answer_by_prediction(codes, min(n, self.ratings.n_items), taken, run)
        ratings, closest = self.ratings, self.settings.rule == "closest"
        near = self._near_for(n, codes, run.quietly()) if self.near is None else self.near
        sources, links = (near, self.likes) if self.settings.side == "users" else (self.likes, near)
        n = min(n, ratings.n_items)
        seen, lists = make_seen(ratings, len(codes), taken), new_lists(len(codes), n)
        walk, least = walk_closest if closest else walk_sum, self.settings.min_support

        def make_state() -> Work:
            return new_scored(n, ratings.n_items)

        def work(state: Work, users: Int64s, first: int, flag: Flag) -> None:
            walk(users, first, sources, links, seen, n, least, state, lists, flag)

        over_users(codes, make_state, work, run)
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), (self.source,), (not closest,))

    def _near_for(self, n: int, codes: Int64s, run: Run) -> Links:
        """Find the 2n neighbors of those asked for (of every item, on the side of items)."""
        everyone = self.settings.side == "items" or len(codes) == self.ratings.n_users
        wanted = None if everyone else np.unique(codes)
        return _near_links(graph_of(self.engine, self.settings.side, 2 * n, wanted, run), self.settings)

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        settings = self.settings
        if settings.k is None:
            raise ParameterError(
                'With k="2n" the neighbors depend on how many recommendations are asked for.',
                expected="a number of neighbors, for predictions",
                hint="fit with a number for k",
            )
        if settings.rule == "closest":
            raise ParameterError(
                'Rule "closest" ranks items without a score, so it predicts no ratings.',
                expected=f"one of {', '.join(rule for rule in RULES if rule != 'closest')}",
                hint='fit with rule="mean" to predict ratings',
            )
        sums = self._sums(users, items, run)
        value = self._values(users, items, sums)
        status = np.full(len(users), OK, dtype=np.uint8)
        status[np.isnan(value)] = TOO_FEW
        status[items < 0] = UNKNOWN_ITEM
        status[users < 0] = UNKNOWN_USER
        without = status != OK
        if settings.fallback and settings.rule == "mean":
            value[without] = self.centered.expected(users[without], items[without])
            status[status == TOO_FEW] = FALLBACK
        if settings.clip and self.ratings.scale is not None:
            np.clip(value, self.ratings.scale.low, self.ratings.scale.high, out=value)
        return Predicted(value, sums.support, status)

    def _sums(self, users: Int64s, items: Int64s, run: Run) -> Sums:
        settings = self.settings
        subjects, objects = (users, items) if settings.side == "users" else (items, users)
        sign, least = settings.measure.sign, settings.min_similarity
        if self.graph is not None:  # no more than k in a row, unless it is of those who have one as theirs
            limits = Limits(self.engine.n, False, sign, least)
            return graph_sums(self.found, subjects, objects, self.raters, limits, run)
        assert settings.k is not None
        limits = Limits(settings.k, False, sign, least)
        return neighbor_sums(self.engine, subjects, objects, self.raters, limits, run)

    @cached_property
    def found(self) -> Found:
        """The neighbors of each subject, as they were found or the other way round."""
        graph = self.graph
        assert graph is not None
        rows, who = np.repeat(graph.subjects, np.diff(graph.indptr)), graph.neighbor.astype(np.int64)
        if self.settings.direction == "reverse":
            rows, who = who, rows
        order = np.argsort(rows, kind="stable")
        starts = np.zeros(len(graph.ids) + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows, minlength=len(graph.ids)), out=starts[1:])
        return Found(starts, who[order], graph.value[order], graph.n_common[order].astype(np.int64))

    def _values(self, users: Int64s, items: Int64s, sums: Sums) -> Floats:
        """Return what the neighbors say of each pair, NaN where they are too few."""
        settings, centered = self.settings, self.centered
        value = sums.total.copy()
        if settings.rule == "votes":
            value = sums.support.astype(np.float64)
        enough = sums.support >= settings.min_support
        if settings.rule == "mean":
            enough &= sums.weight > 0.0
            np.divide(sums.total, sums.weight, out=value, where=enough)
            if centered.spread is not None:
                subject = users if settings.side == "users" else items
                value *= centered.spread[np.maximum(subject, 0)]
            if centered.is_center:
                value += centered.expected(users, items)
        value[~enough] = np.nan
        return value

    def _answer_by_prediction(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank by what is predicted, some users at a time: where each item has neighbors of its own."""
        ratings = self.ratings
        lists = new_lists(len(codes), n)
        seen = make_seen(ratings, len(codes), taken)
        every = np.arange(ratings.n_items)
        size = max(1, _PREDICTED // max(ratings.n_items, 1))
        work = new_scored(n, ratings.n_items)
        flag = np.zeros(1, dtype=np.uint8)
        for first in range(0, len(codes), size):
            part = codes[first : first + size]
            users, items = np.repeat(part, ratings.n_items), np.tile(every, len(part))
            sums = self._sums(users, items, run.quietly())
            value = self._values(users, items, sums)
            pick_scored(part, first, value, sums.support, seen, n, work, lists, flag)
            run.progress(first + len(part), len(codes))
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), (self.source,), (True,))


class _KNN(Recommender):
    """What `UserKNN` and `ItemKNN` share."""

    _side: Of

    def __init__(
        self,
        *,
        measure: str | Measure = "cosine",
        k: int | Literal["2n"] = 40,
        min_common: int = 1,
        rule: str = "weighted_votes",
        like: Like = None,
        min_support: int = 1,
        scope: str = "all",
        direction: str = "forward",
        center: str | Centering | None = None,
        min_similarity: float | None = None,
        clip: bool = False,
        fallback: bool = True,
    ) -> None:
        self.measure = measure
        self.k = k
        self.min_common = min_common
        self.rule = rule
        self.like = like
        self.min_support = min_support
        self.scope = scope
        self.direction = direction
        self.center = center
        self.min_similarity = min_similarity
        self.clip = clip
        self.fallback = fallback

    def _settings(self) -> _Settings:
        """Check the parameters."""
        rule, scope, center = check_rule(self.rule), check_scope(self.scope), get_centering(self.center)
        direction = check_direction(self.direction)
        k = None if isinstance(self.k, str) and self.k == "2n" else check_count("k", self.k)
        if rule != "mean" and not isinstance(center, Plain):
            raise ParameterError(
                f"center={str(center)!r} has no meaning with rule={rule!r}.",
                expected='rule="mean", which measures ratings from a center',
                hint='set rule="mean", or leave center out',
            )
        if direction == "reverse" and (scope == "raters" or k is None or rule == "closest"):
            raise ParameterError(
                f'direction="reverse" cannot be used with scope={scope!r}, k={self.k!r} and rule={rule!r}.',
                expected='scope="all", a number of neighbors, and a rule that adds up',
                hint='set scope="all", a number for k, and another rule',
            )
        if scope == "raters" and (rule == "closest" or k is None):
            raise ParameterError(
                f'scope="raters" cannot be used with rule={rule!r} and k={self.k!r}.',
                expected="a rule that scores each item by itself, and a number of neighbors",
                hint='set scope="all", or another rule',
            )
        return _Settings(
            side=self._side,
            measure=get_measure(self.measure),
            k=k,
            min_common=check_count("min_common", self.min_common),
            rule=rule,
            scope=scope,
            direction=direction,
            center=center,
            like=self.like,
            min_support=check_count("min_support", self.min_support),
            min_similarity=_check_similarity(self.min_similarity),
            clip=_check_switch("clip", self.clip),
            fallback=_check_switch("fallback", self.fallback),
        )

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        settings = self._settings()
        kept = _counted(ratings, settings)
        centered = settings.center.of(ratings, settings.side)
        engine = Engine.build(
            ratings, of=settings.side, measure=settings.measure, min_common=settings.min_common
        )
        likes = _like_links(ratings, kept, settings)
        graph = near = None
        if settings.k is not None and settings.scope == "all":
            graph = graph_of(engine, settings.side, settings.k, None, run)
            near = _near_links(graph, settings)
        raters = _raters(ratings, kept, _worth(settings, centered), settings.side)
        return FittedKNN(ratings, settings, engine, centered, raters, likes, graph, near)

    @property
    def graph(self) -> Neighbors:
        """The neighbors found by ``fit``; raises `NotFittedError` before, or where ``k="2n"`` puts it off."""
        part = self._fitted().part
        graph = getattr(part, "graph", None)
        if graph is None:
            why = (
                'k="2n": its neighbors are found by recommend'
                if self.k == "2n"
                else ('scope="raters": its neighbors depend on the item')
            )
            raise NotFittedError(
                f"This {type(self).__name__} has {why}.", hint='fit it with a number for k and scope="all"'
            )
        assert isinstance(graph, Neighbors)
        return graph


class UserKNN(_KNN):
    """Recommend what similar users like.

    measure : a record of `corated.measures`, or its shorthand, such as ``"pearson(shrink=100)"``
    k : neighbors of each user; ``"2n"`` for twice the number of recommendations asked for
    min_common : co-rated items that a neighbor must share
    rule : see `corated.models.rules.RULES`
    like : the rating from which on a user likes an item; ``"mean"`` for each user's own mean; None for the
        top 30 % of the scale
    min_support : neighbors who must like (or rate) an item
    scope, direction : whom to take; see `corated.models.rules.SCOPES` and ``DIRECTIONS``
    center : what ratings are measured from with rule ``mean``: None, ``"mean"``, ``"zscore"``,
        ``"baseline"``, or a record of `corated.models.centering`
    min_similarity : neighbors who are less similar are left out, 1/(1+d) for a distance d; None for nobody
    clip : whether predicted ratings are cut to the scale;  fallback : whether there is always a prediction

    An item's score is Σ over the user's k neighbors who like it of 1 (``votes``) or of their similarity
    (``weighted_votes``), added up in ascending order of the neighbors' ids.
    """

    _side: Of = "users"

    def similar_users(self, user: Id) -> Table:
        """Return a user's neighbors, best first: id, neighbor, rank, value, n_common."""
        return self.graph.of(user)


class ItemKNN(_KNN):
    """Recommend items that are similar to what the user likes.

    The parameters are those of `UserKNN` with the roles of users and items swapped: k neighbors of each
    item; ``min_support`` counts the user's liked items among an item's neighbors.

    An item's score is Σ over those of its k neighbors that the user likes of 1 (``votes``) or of their
    similarity (``weighted_votes``). Rule ``closest`` goes through the user's liked items, best rated first,
    then by id; each contributes its own neighbors, closest first.
    """

    _side: Of = "items"

    def similar_items(self, item: Id) -> Table:
        """Return an item's neighbors, best first: id, neighbor, rank, value, n_common."""
        return self.graph.of(item)


def _check_similarity(least: float | None) -> float:
    """Return the similarity that a neighbor must have; −∞ for None."""
    if least is None:
        return -np.inf
    if isinstance(least, bool) or not isinstance(least, int | float | np.number) or not np.isfinite(least):
        raise ParameterError(
            f"min_similarity={least!r} cannot be used.",
            expected="a number, or None for every neighbor with a value",
            hint="try min_similarity=0.1",
        )
    return float(least)


def _check_switch(name: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ParameterError(
            f"{name}={value!r} cannot be used.", expected="True or False", hint=f"set {name}=True or False"
        )
    return bool(value)


def _counted(ratings: Ratings, settings: _Settings) -> npt.NDArray[np.bool_]:
    """Tell which ratings neighbors bring in: what they like, or all that they rated."""
    if settings.rule in {"sum", "mean"}:
        return np.ones(ratings.n_ratings, dtype=np.bool_)
    return liked(ratings, settings.like)


def _worth(settings: _Settings, centered: Centered) -> Floats:
    """Return what each rating counts as, in ``by_user`` order."""
    return centered.deviation if settings.rule in {"sum", "mean"} else np.ones(len(centered.deviation))


def _raters(ratings: Ratings, kept: npt.NDArray[np.bool_], worth: Floats, side: Of) -> Raters:
    """Return who rated each object (item or user), of the ratings that count."""
    if side == "items":
        users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        indptr = np.zeros(ratings.n_users + 1, dtype=np.int64)
        np.cumsum(np.bincount(users[kept], minlength=ratings.n_users), out=indptr[1:])
        return Raters(indptr, ratings.by_user.indices[kept], worth[kept])
    order = ratings.by_item.order
    kept, worth = kept[order], worth[order]
    items = np.repeat(np.arange(ratings.n_items), ratings.item_counts)
    indptr = np.zeros(ratings.n_items + 1, dtype=np.int64)
    np.cumsum(np.bincount(items[kept], minlength=ratings.n_items), out=indptr[1:])
    return Raters(indptr, ratings.by_item.indices[kept], worth[kept])


def _like_links(ratings: Ratings, kept: npt.NDArray[np.bool_], settings: _Settings) -> Links:
    """Return the items each user brings in, by item code or best rated first (then by item code)."""
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[kept]
    items = ratings.by_user.indices[kept]
    indptr = np.zeros(ratings.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=ratings.n_users), out=indptr[1:])
    if settings.rule == "closest":
        items = items[np.lexsort((-ratings.values[kept], rows))]  # stable, so items stay ascending
    weight = ratings.values[kept].astype(np.float64) if settings.rule == "sum" else np.ones(len(items))
    return Links(indptr, items, weight)


def _near_links(graph: Neighbors, settings: _Settings) -> Links:
    """Arrange the graph for the walk, without the neighbors that are not similar enough.

    Rule ``closest``: subject → its neighbors, closest first. Otherwise sums are taken in ascending id order:
    user → its neighbors by id; item → the items whose neighbor it is, by id.
    """
    rows = np.repeat(graph.subjects, np.diff(graph.indptr))
    weight = weights(settings.rule, settings.measure, graph.value)
    similar = weights("weighted_votes", settings.measure, graph.value) >= settings.min_similarity
    indptr = np.zeros(len(graph.ids) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows[similar], minlength=len(graph.ids)), out=indptr[1:])
    near = Links(indptr, graph.neighbor[similar], weight[similar])
    if settings.rule == "closest":
        return near
    is_from_subject = (settings.side == "users") == (settings.direction == "forward")
    return _by_target(near) if is_from_subject else _reversed(near)


def _by_target(links: Links) -> Links:
    """Sort each row by target code: sums are taken in ascending id order."""
    n = len(links.indptr) - 1
    matrix = scipy.sparse.csr_array(
        (links.weight.copy(), links.target.copy(), links.indptr), shape=(n, max(n, 1))
    )
    matrix.sort_indices()
    return Links(links.indptr, matrix.indices.astype(np.int32, copy=False), matrix.data)


def _reversed(links: Links) -> Links:
    """Turn item → its neighbors into item → the items it is a neighbor of, ascending."""
    n = len(links.indptr) - 1
    matrix = scipy.sparse.csr_array((links.weight, links.target, links.indptr), shape=(n, n)).tocsc()
    return Links(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), matrix.data)
