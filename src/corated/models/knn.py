"""Nearest-neighbor recommenders, user- and item-based: one implementation, the side is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse

from corated.errors import NotFittedError
from corated.models.base import Answer, Fitted, Recommender, Run
from corated.models.kernels import Links, Work, new_work, walk_closest, walk_sum
from corated.models.lists import make_seen, new_lists, over_users
from corated.models.rules import Like, Rule, check_rule, liked, weights
from corated.neighborhood.engine import Engine, Of, check_count
from corated.neighborhood.graph import Neighbors, graph_of
from corated.neighborhood.run import Flag
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure, get_measure
from corated.similarity.topk import new_topk
from corated.tables import Table

__all__ = ["ItemKNN", "UserKNN"]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Settings:
    """The checked parameters of a fit."""

    side: Of
    measure: Measure
    k: int | None
    min_common: int
    rule: Rule
    min_support: int


@dataclass(frozen=True)
class _FittedKNN:
    """Neighbors and likes, arranged for the walk; neighbors are None where they depend on n (``k="2n"``)."""

    ratings: Ratings
    settings: _Settings
    likes: Links
    graph: Neighbors | None
    near: Links | None

    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `corated.models.base.Fitted`."""
        ratings, closest = self.ratings, self.settings.rule == "closest"
        near = self._near_for(n, codes, run.quietly()) if self.near is None else self.near
        sources, links = (near, self.likes) if self.settings.side == "users" else (self.likes, near)
        n = min(n, ratings.n_items)
        seen, lists = make_seen(ratings, len(codes), taken), new_lists(len(codes), n)
        walk, least = walk_closest if closest else walk_sum, self.settings.min_support

        def make_state() -> Work:
            return new_work(ratings.n_items, new_topk(n, np.array([ratings.n_items])))

        def work(state: Work, users: Int64s, first: int, flag: Flag) -> None:
            walk(users, first, sources, links, seen, n, least, state, lists, flag)

        over_users(codes, make_state, work, run)
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), ("neighbors",), (not closest,))

    def _near_for(self, n: int, codes: Int64s, run: Run) -> Links:
        """Find the 2n neighbors of those asked for (of every item, on the side of items)."""
        everyone = self.settings.side == "items" or len(codes) == self.ratings.n_users
        wanted = None if everyone else np.unique(codes)
        return _near_links(_find(self.ratings, self.settings, 2 * n, wanted, run), self.settings)


def _find(ratings: Ratings, settings: _Settings, k: int, codes: Int64s | None, run: Run) -> Neighbors:
    engine = Engine.build(ratings, of=settings.side, measure=settings.measure, min_common=settings.min_common)
    return graph_of(engine, settings.side, k, codes, run)


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
    ) -> None:
        self.measure = measure
        self.k = k
        self.min_common = min_common
        self.rule = rule
        self.like = like
        self.min_support = min_support

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        settings = _Settings(
            self._side,
            get_measure(self.measure),
            None if isinstance(self.k, str) and self.k == "2n" else check_count("k", self.k),
            check_count("min_common", self.min_common),
            check_rule(self.rule),
            check_count("min_support", self.min_support),
        )
        likes = _like_links(ratings, liked(ratings, self.like), best_first=settings.rule == "closest")
        if settings.k is None:
            return _FittedKNN(ratings, settings, likes, None, None)
        graph = _find(ratings, settings, settings.k, None, run)
        return _FittedKNN(ratings, settings, likes, graph, _near_links(graph, settings))

    @property
    def graph(self) -> Neighbors:
        """The neighbors found by ``fit``; raises `NotFittedError` before, or where ``k="2n"`` puts it off."""
        graph = getattr(self._fitted().part, "graph", None)
        if graph is None:
            raise NotFittedError(
                f'This {type(self).__name__} has k="2n": its neighbors are found by recommend.',
                hint="fit it with a number for k",
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
    min_support : neighbors who must like an item

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


def _like_links(ratings: Ratings, likes: npt.NDArray[np.bool_], *, best_first: bool) -> Links:
    """Return the items each user likes, by item code or best rated first (then by item code)."""
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[likes]
    items = ratings.by_user.indices[likes]
    indptr = np.zeros(ratings.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=ratings.n_users), out=indptr[1:])
    if best_first:
        items = items[np.lexsort((-ratings.values[likes], rows))]  # stable, so items stay ascending
    return Links(indptr, items, np.ones(len(items)))


def _near_links(graph: Neighbors, settings: _Settings) -> Links:
    """Arrange the graph for the walk.

    Rule ``closest``: subject → its neighbors, closest first. Otherwise sums are taken in ascending id order:
    user → its neighbors by id; item → the items whose neighbor it is, by id.
    """
    sizes = np.zeros(len(graph.ids), dtype=np.int64)
    sizes[graph.subjects] = np.diff(graph.indptr)
    indptr = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=indptr[1:])
    near = Links(indptr, graph.neighbor, weights(settings.rule, settings.measure, graph.value))
    if settings.rule == "closest":
        return near
    return _by_target(near) if settings.side == "users" else _reversed(near)


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
