"""Recommendations on a cluster: each task gathers what some users' lists are made of, and walks as locally.

A task serves the users of a block, some at a time. It gathers the whole profiles of their neighbors (or, for
models of items, the neighbors of what they rated) from the blocks' files, one after another, and hands them
to the walk of one machine, with codes counted anew in the same order.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import CoratedNotice, ParameterError
from corated.models.base import Fitted, Recommender
from corated.models.centering import Mean, Plain, ZScore
from corated.models.fallback import Fallback, check_models, fitted_fallback
from corated.models.fitted_knn import FittedKNN, fit_knn
from corated.models.knn import ItemKNN, UserKNN
from corated.models.popularity import Popularity
from corated.models.rules import age_weights, liked
from corated.models.settings import Settings
from corated.neighborhood.engine import check_count
from corated.neighborhood.numbers import entries_of
from corated.neighborhood.run import Run
from corated.neighborhood.table import Neighbors
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.similarity.values import means
from corated.spark.blocks import Block, Blocks, blocks_of, read_block
from corated.spark.folder import Folder
from corated.spark.parts import LISTS, answered, part_of
from corated.spark.planning import choose_blocks
from corated.spark.popular import Popular, RecommendPopular, check_popularity, popular_of
from corated.spark.problem import Wish, check_measure
from corated.spark.ratings import SparkRatings, given_ratings
from corated.spark.search import Graph, graph_name, graph_of
from corated.spark.size import PROCESS
from corated.spark.tasks import run_tasks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["lists_of", "recommend"]

Int64s = npt.NDArray[np.int64]

_GATHERED = 2_000_000
"""Ratings of neighbors that a task holds at a time, where one user's do not take more."""
_BYTES_RATING, _BYTES_LINK = 220, 120
"""Bytes for each rating, and each neighbor of an item, while lists are made of them."""


def recommend(
    ratings: SparkRatings | DataFrame | str | os.PathLike[str],
    model: Recommender,
    *,
    n: int = 10,
    exclude_seen: bool = True,
    blocks: int | None = None,
    memory: int | str = "1 GB",
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    work: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """Recommend up to n items to every user; the same bits as ``model.fit(ratings).recommend(n=n)``.

    model : with the parameters wanted, not fitted: a `corated.UserKNN`, `corated.ItemKNN` or
        `corated.Popularity`, or a `corated.Fallback` of one of the first two and the last
    n : items each;  exclude_seen : whether what a user rated is left out
    the other arguments as for `neighbors`

    Returns a DataFrame of user_id, item_id, rank, score, support, source, sorted by user and rank, which
    reads files in the work folder.

    Raises `ParameterError` for parameters that need all ratings in one place: ``scope="raters"``,
    ``k="all"``, ``everyone``, and centers of items or of all ratings; otherwise as `neighbors`.
    """
    made = given_ratings(ratings, user=user, item=item, rating=rating, work=work)
    folder = lists_of(made, model, check_count("n", n), blocks, memory, exclude_seen=exclude_seen)
    found = made.spark.read.parquet(folder.uri)
    users = made.ids("users").toDF("user_id", "user_code")
    items = made.ids("items").toDF("item_id", "item_code")
    found = found.join(users, "user_code").join(items, "item_code").orderBy("user_code", "rank")
    return found.select("user_id", "item_id", "rank", "score", "support", "source")


def lists_of(
    ratings: SparkRatings,
    model: object,
    n: int,
    blocks: int | None,
    memory: int | str,
    *,
    exclude_seen: bool = True,
) -> Folder:
    """Write lists by code, or find them written; returns where."""
    near, popularity = _parts(model)
    if near is None:
        assert popularity is not None
        return _of_popularity(ratings, popularity, n, blocks, memory, exclude_seen)
    settings = _settings(ratings, near, n)
    if popularity is not None:
        check_popularity(ratings, popularity)
    wish = Wish(settings.side, settings.measure, settings.k or 1, settings.min_common)
    graph = graph_of(ratings, wish, choose_blocks(ratings, wish, blocks, memory))
    users = graph.blocks
    if settings.side == "items":
        wish_of_users = replace(wish, side="users")
        users = blocks_of(ratings, "users", choose_blocks(ratings, wish_of_users, blocks, memory))
    popular = None if popularity is None else popular_of(ratings, users, popularity, n)
    key = repr((settings, popularity, n, exclude_seen, len(users), len(graph.blocks)))
    folder, left = _left(ratings, users, key)
    mean = _mean(ratings, settings)
    job = _Recommend(settings, n, exclude_seen, graph, users, folder, ratings.scale, mean, popular)
    run_tasks(ratings.spark, left, job)
    return folder


def _of_popularity(
    ratings: SparkRatings,
    popularity: Popularity,
    n: int,
    blocks: int | None,
    memory: int | str,
    exclude_seen: bool,
) -> Folder:
    """Write the lists of popularity alone."""
    check_popularity(ratings, popularity)
    wish = Wish.of(ratings, "users", "jaccard", 1, 1)
    users = blocks_of(ratings, "users", choose_blocks(ratings, wish, blocks, memory))
    popular = popular_of(ratings, users, popularity, n)
    folder, left = _left(ratings, users, repr((popularity, n, exclude_seen, len(users))))
    run_tasks(ratings.spark, left, RecommendPopular(n, exclude_seen, users, folder, ratings.scale, popular))
    return folder


def _left(ratings: SparkRatings, users: Blocks, key: str) -> tuple[Folder, list[int]]:
    """Return where lists of these settings are, and the blocks of users that have none yet."""
    folder = ratings.folder.within(f"lists-{hashlib.sha256(key.encode()).hexdigest()[:16]}")
    return folder, folder.left(range(len(users)), graph_name)


def _parts(model: object) -> tuple[Recommender | None, Popularity | None]:
    """Return a model's neighbors, and what fills up where they give too few."""
    if isinstance(model, UserKNN | ItemKNN):
        return model, None
    if isinstance(model, Popularity):
        return None, model
    if isinstance(model, Fallback):
        match list(check_models(model.models)):
            case [UserKNN() | ItemKNN() as near]:
                return near, None
            case [UserKNN() | ItemKNN() as near, Popularity() as popularity]:
                return near, popularity
    what = f"{model!r}" if isinstance(model, Fallback) else f"A {type(model).__name__}"
    raise ParameterError(
        f"{what} cannot be had on Spark.",
        expected="a UserKNN, ItemKNN or Popularity, or a Fallback from one of the first two to Popularity",
        hint="other models are fitted on one machine",
    )


def _settings(ratings: SparkRatings, model: object, n: int) -> Settings:
    """Check a model's parameters and that lists can be made of a part of the ratings."""
    if not isinstance(model, UserKNN | ItemKNN):
        raise ParameterError(
            f"A {type(model).__name__} was given for the model.",
            expected="a UserKNN or an ItemKNN",
            hint="other models are fitted on one machine",
        )
    settings = Settings.of(model._side, model.get_params())
    check_measure(settings.measure, settings.side)
    centers = (Plain, Mean, ZScore) if settings.side == "users" else (Plain,)
    refused = {
        'scope="raters"': settings.scope == "raters",
        'k="all"': settings.every,
        f"everyone={settings.everyone:g}": settings.everyone > 0.0,
        f"center={str(settings.center)!r}": not isinstance(settings.center, centers),
    }
    for what, is_refused in refused.items():
        if is_refused:
            raise ParameterError(
                f"{what} of {type(model).__name__} cannot be had on Spark: it needs "
                "all ratings in one place.",
                expected='scope="all", a number of neighbors, no prior, and centers of one user',
                hint="leave it out, or fit the model on one machine",
            )
    age_weights(ratings.empty, settings.half_life, settings.at)
    if not settings.counts_all:
        liked(ratings.empty, settings.like)  # warns here, and not in the executors
    return settings if settings.k is not None else replace(settings, k=2 * n)


def _mean(ratings: SparkRatings, settings: Settings) -> float:
    """Return the mean of all ratings as on one machine: from the first of them, and exact differences."""
    from pyspark.sql import functions as fn

    if not isinstance(settings.center, Mean | ZScore):
        return 0.0
    first = ratings.coded.orderBy("users", "items").select("rating").head()
    rating = fn.col("rating")
    assert first is not None
    if ratings.scale is not None:
        levels = ratings.scale.ratings
        counts = sorted(tuple(row) for row in ratings.coded.groupBy("rating").count().collect())
        start = float(levels[first[0]])
        above: float = sum((float(levels[code]) - start) * n for code, n in counts)
        return start + above / ratings.n_ratings
    over = ratings.coded.agg(fn.sum(rating - fn.lit(float(first[0])))).collect()[0][0]
    return float(first[0]) + float(over) / ratings.n_ratings


# -- in the executors -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Recommend:
    """Makes the lists of one block of users.

    mean : of all ratings, where something is measured from it
    popular : what fills up lists that are short
    """

    settings: Settings
    n: int
    exclude_seen: bool
    graph: Graph
    users: Blocks
    folder: Folder
    scale: Scale | None
    mean: float
    popular: Popular | None = None

    def __call__(self, number: int) -> tuple[int, int]:
        block = read_block(self.users.folder, number)
        parts = self._by_users(number, block) if self.settings.side == "users" else self._by_items(block)
        rows = self.folder.write_rows(graph_name(number), LISTS, parts)
        k = self.settings.k or 1
        gathered = max(_GATHERED, self.graph.blocks.largest * k)
        links = 0 if self.settings.side == "users" else sum(self.graph.blocks.subjects) * k
        held = len(block.objects) + 2 * max(self.users.ratings)
        return rows, PROCESS + _BYTES_RATING * (gathered + held) + _BYTES_LINK * links

    # -- models of users ------------------------------------------------------------------------

    def _by_users(self, number: int, block: Block) -> Iterator[pa.RecordBatch]:
        """Serve users some at a time, so that the profiles of their neighbors fit."""
        edges = self._edges(number, block)
        sizes = self._sizes(np.unique(np.concatenate([edges["subject"], edges["who"]])))
        cost = np.zeros(len(block.subjects) + 1, dtype=np.int64)
        asker = edges["who"] if self.settings.direction == "reverse" else edges["subject"]
        source = edges["subject"] if self.settings.direction == "reverse" else edges["who"]
        row = np.searchsorted(block.subjects, asker)
        known, counts = sizes
        cost[1:] = np.bincount(row, weights=counts[np.searchsorted(known, source)], minlength=len(cost) - 1)
        before = np.cumsum(cost)
        start = 0
        while start < len(block.subjects):
            stop = int(np.searchsorted(before, before[start] + _GATHERED, side="right")) - 1
            stop = min(max(stop, start + 1), len(block.subjects))
            mine = (row >= start) & (row < stop)
            served = block.subjects[start:stop].astype(np.int64)
            wanted = np.unique(np.concatenate([served, source[mine]]))
            profiles = self._gather(wanted)
            part = {name: column[mine] for name, column in edges.items()}
            yield from self._served(profiles, np.unique(profiles.objects), part, served)
            start = stop

    def _edges(self, number: int, block: Block) -> dict[str, npt.NDArray[np.generic]]:
        """Return the neighbors of the block's users, or, the other way round, whose neighbors they are."""
        if self.settings.direction == "forward":
            return _columns(self.graph.folder.read_parquet(graph_name(number)))
        kept = []
        for other in range(len(self.graph.blocks)):
            found = _columns(self.graph.folder.read_parquet(graph_name(other)))
            is_mine = np.isin(found["who"], block.subjects)
            kept.append({name: column[is_mine] for name, column in found.items()})
        joined = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
        order = np.argsort(joined["subject"], kind="stable")
        return {name: column[order] for name, column in joined.items()}

    def _sizes(self, wanted: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], Int64s]:
        """Return the ratings of each user wanted, from the blocks."""
        counts = np.zeros(len(wanted), dtype=np.int64)
        for number in range(len(self.users)):
            block = read_block(self.users.folder, number)
            rows = np.flatnonzero(np.isin(block.subjects, wanted))
            counts[np.searchsorted(wanted, block.subjects[rows])] = np.diff(block.indptr)[rows]
        return wanted, counts

    def _gather(self, wanted: Int64s) -> Block:
        """Return the whole profiles of the users wanted (ascending), from the blocks' files."""
        parts = []
        for number in range(len(self.users)):
            block = read_block(self.users.folder, number)
            parts.append(_rows_of(block, np.flatnonzero(np.isin(block.subjects, wanted))))
        together = Block(
            np.concatenate([part.subjects for part in parts]),
            np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part.indptr) for part in parts]))]),
            np.concatenate([part.objects for part in parts]),
            np.concatenate([part.ratings for part in parts]),
        )
        return _rows_of(together, np.argsort(together.subjects, kind="stable"))

    # -- models of items ------------------------------------------------------------------------

    def _by_items(self, block: Block) -> Iterator[pa.RecordBatch]:
        """Serve all users of the block with the neighbors of what they rated."""
        rated = np.unique(block.objects)
        from_subject = self.settings.rule == "closest" or self.settings.direction == "reverse"
        kept = []
        for number in range(len(self.graph.blocks)):
            found = _columns(self.graph.folder.read_parquet(graph_name(number)))
            leads = np.isin(found["subject"] if from_subject else found["who"], rated)
            kept.append({name: column[leads] for name, column in found.items()})
        edges = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
        order = np.argsort(edges["subject"], kind="stable")
        edges = {name: column[order] for name, column in edges.items()}
        items = np.unique(np.concatenate([rated, edges["subject"], edges["who"]]))
        yield from self._served(block, items, edges, block.subjects.astype(np.int64))

    # -- lists ----------------------------------------------------------------------------------

    def _served(
        self, profiles: Block, items: Int64s, edges: dict[str, npt.NDArray[np.generic]], served: Int64s
    ) -> Iterator[pa.RecordBatch]:
        """Walk from the users served, on these profiles and neighbors alone."""
        if self.popular is not None:
            items = np.union1d(items, self.popular.codes)
        ratings = part_of(profiles, items, self.scale)
        part: Fitted = self._fitted(ratings, edges)
        if self.popular is not None:
            part = fitted_fallback([part, self.popular.fitted(ratings)])
        yield from answered(ratings, part, served, self.n, exclude_seen=self.exclude_seen)

    def _fitted(self, ratings: Ratings, edges: dict[str, npt.NDArray[np.generic]]) -> FittedKNN:
        """Arrange for the walk; what is measured from the mean of all ratings gets that of all."""
        settings = self.settings
        ids = ratings.users if settings.side == "users" else ratings.items
        codes = ids.ids.to_numpy()
        subject = np.searchsorted(codes, edges["subject"])
        subjects, counts = np.unique(subject, return_counts=True)
        graph = Neighbors(
            side=settings.side,
            measure=settings.measure,
            k=settings.k or 1,
            min_common=settings.min_common,
            ids=ids,
            subjects=subjects.astype(np.int64),
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            neighbor=np.searchsorted(codes, edges["who"]).astype(np.int32),
            value=edges["value"].astype(np.float64, copy=False),
            n_common=edges["n"].astype(np.int32, copy=False),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoratedNotice)
            part = fit_knn(ratings, settings, Run(1, at_once=True), graph=graph)
        if isinstance(settings.center, Mean | ZScore):
            own = means(entries_of(ratings, "users"), "rows")
            part = part.changed(centered=replace(part.centered, mu=self.mean, user=own - self.mean))
        return part


def _columns(graph: pa.Table) -> dict[str, npt.NDArray[np.generic]]:
    """Return neighbors by code as arrays: subject, who, value, n."""
    names = {"subject": "code", "who": "neighbor_code", "value": "value", "n": "n_common"}
    columns = {name: graph.column(column).to_numpy() for name, column in names.items()}
    return columns | {"n": columns["n"].astype(np.int32)}


def _rows_of(block: Block, rows: npt.NDArray[np.integer]) -> Block:
    """Return some rows of a block, in the order given."""
    counts = np.diff(block.indptr)[rows]
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    source = np.repeat(block.indptr[rows] - indptr[:-1], counts) + np.arange(int(indptr[-1]))
    return Block(block.subjects[rows], indptr, block.objects[source], block.ratings[source])
