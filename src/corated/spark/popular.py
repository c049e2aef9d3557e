"""What is popular on a cluster: each block of users votes, and a few items come to the driver."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import ParameterError
from corated.models.popularity import FittedPopularity, Popularity
from corated.models.rules import check_like, liked
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.spark.blocks import Blocks, block_name, read_block
from corated.spark.folder import Folder
from corated.spark.parts import LISTS, answered, part_of
from corated.spark.ratings import SparkRatings
from corated.spark.search import graph_name
from corated.spark.size import PROCESS
from corated.spark.tasks import run_tasks

__all__ = ["Popular", "RecommendPopular", "check_popularity", "popular_of"]

Int64s = npt.NDArray[np.int64]

_BYTES_RATING = 60
"""Bytes for each rating of a block while its likes are counted."""
_BYTES_SERVED, _BYTES_PLACE = 100, 120
"""Bytes for each rating, and each place of a list, while lists are made of what is popular."""


@dataclass(frozen=True)
class Popular:
    """The items that most users like, as many as anybody's list can need.

    codes : int64, best first;  votes : int64, the users who like each
    """

    codes: Int64s
    votes: Int64s

    def fitted(self, ratings: Ratings) -> FittedPopularity:
        """Return what answers on a part of the ratings, whose item ids are codes, these among them."""
        order = np.searchsorted(ratings.items.ids.to_numpy(), self.codes)
        votes = np.zeros(ratings.n_items, dtype=np.int64)
        votes[order] = self.votes
        return FittedPopularity(ratings, votes, votes.astype(np.float64), order)


def check_popularity(ratings: SparkRatings, model: Popularity) -> None:
    """Raise `ParameterError` for parameters that cannot be used, or need times; warns as on one machine."""
    if model.half_life is not None or model.at is not None:
        raise ParameterError(
            "Popularity that ages cannot be had on Spark: times are not read there.",
            expected="half_life=None and at=None",
            hint="leave them out, or fit the model on one machine",
        )
    liked(ratings.empty, model.like)


def popular_of(ratings: SparkRatings, users: Blocks, model: Popularity, n: int) -> Popular:
    """Count likes in the executors; the items that lists of n can need come to the driver."""
    from pyspark.sql import functions as fn

    key = hashlib.sha256(repr((check_like(model.like), len(users))).encode()).hexdigest()[:16]
    folder = ratings.folder.within(f"votes-{key}")
    left = folder.left(range(len(users)), block_name)
    run_tasks(ratings.spark, left, _Vote(model, users, folder, ratings.scale))
    votes = ratings.spark.read.parquet(folder.uri).groupBy("item").agg(fn.sum("votes").alias("votes"))
    # Some are on a list already, or were rated.
    most = 2 * n + users.largest
    best = votes.orderBy(fn.desc("votes"), "item").limit(most).collect()
    codes, counts = (np.array([row[at] for row in best], dtype=np.int64) for at in (0, 1))
    return Popular(codes, counts)


# -- in the executors -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Vote:
    """Counts the likes of one block of users by item."""

    model: Popularity
    users: Blocks
    folder: Folder
    scale: Scale | None

    def __call__(self, number: int) -> tuple[int, int]:
        block = read_block(self.users.folder, number)
        items = np.unique(block.objects)
        ratings = part_of(block, items, self.scale)
        likes = liked(ratings, self.model.like)
        votes = np.bincount(ratings.by_user.indices[likes], minlength=len(items)).astype(np.int64)
        found = pa.table({"item": items[votes > 0], "votes": votes[votes > 0]})
        self.folder.write_parquet(block_name(number), found)
        return found.num_rows, PROCESS + _BYTES_RATING * len(block.objects)


@dataclass(frozen=True)
class RecommendPopular:
    """Makes the lists of one block of users of what is popular."""

    n: int
    exclude_seen: bool
    users: Blocks
    folder: Folder
    scale: Scale | None
    popular: Popular

    def __call__(self, number: int) -> tuple[int, int]:
        """Write the lists of a block; return how many rows there are, and the bytes foreseen."""
        block = read_block(self.users.folder, number)
        ratings = part_of(block, np.union1d(block.objects, self.popular.codes), self.scale)
        served = block.subjects.astype(np.int64)
        part = self.popular.fitted(ratings)
        batches = answered(ratings, part, served, self.n, exclude_seen=self.exclude_seen)
        rows = self.folder.write_rows(graph_name(number), LISTS, batches)
        return rows, PROCESS + _BYTES_SERVED * len(block.objects) + _BYTES_PLACE * len(served) * self.n
