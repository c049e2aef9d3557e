"""How good a model is, judged on a cluster: lists beside what users of a test liked, user by user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.evaluation.ranked import Match, Rankings, Relevance, match
from corated.evaluation.table import Asked, Case, get_metrics
from corated.models.base import Recommender
from corated.models.rules import Like, check_like, default_like
from corated.ratings.notices import Notices
from corated.ratings.options import ReadOptions
from corated.ratings.sources import counted
from corated.spark.lists import lists_of
from corated.spark.ratings import SparkRatings, frame_of, given_ratings
from corated.spark.source import checked
from corated.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Evaluation", "evaluate"]

_METRICS = ("ndcg@10", "recall@10", "hit_rate@10", "mrr@10")
_OF_LISTS = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")
"""How the names of metrics begin that read nothing but where the relevant items stand."""


class Evaluation(Table):
    """What a model comes to: columns metric, value, users, skipped; a row for each metric.

    ``users`` have a value and are in the mean, ``skipped`` have none: they like nothing in the test.

    new_users : test users who are not in training, and were given what is popular
    """

    def __init__(self, rows: list[tuple[str, float | None, int, int]], new_users: int) -> None:
        names, values, users, skipped = zip(*rows, strict=True)
        kinds = [pa.string(), pa.float64(), pa.int64(), pa.int64()]
        arrays = [
            pa.array(column, kind)
            for column, kind in zip((names, values, users, skipped), kinds, strict=True)
        ]
        super().__init__(pa.table(arrays, names=["metric", "value", "users", "skipped"]))
        self.new_users = new_users

    def value(self, metric: str) -> float | None:
        """Return a metric's value, None where it is undefined; raises `ParameterError` if not asked."""
        for row in self.to_pylist():
            if row["metric"] == metric:
                found: float | None = row["value"]
                return found
        raise ParameterError(f"{metric!r} was not asked for.", hint="name it in metrics=")


def evaluate(
    model: Recommender,
    train: SparkRatings | DataFrame | str | os.PathLike[str],
    test: DataFrame | str | os.PathLike[str],
    *,
    metrics: str | Iterable[str] | None = None,
    like: Like = None,
    blocks: int | None = None,
    memory: int | str = "1 GB",
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    work: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Judge the lists that a model makes of ``train`` by what the users of ``test`` like there.

    model : as for `recommend`;  train : what is learned from;  test : later ratings, parted by the caller
    metrics : shorthands of accuracy, such as ``"ndcg@10"``, as in `corated.evaluate`; None for the usual
    like : what is relevant: a rating, ``"mean"`` for the user's own mean in training, None for the top 30 %
        of the scale
    the other arguments as for `recommend`; columns are those of both

    All test users are answered: those who are not in training with what is popular there; items that
    training does not have count as missed. Means are those of `corated.evaluate` on the same split, up to
    the rounding of a sum in another order.

    Raises `ParameterError`, and `DataError` also for repeats in the test.
    """
    asked = _asked(metrics)
    like = check_like(like)
    ours = given_ratings(train, user=user, item=item, rating=rating, work=work)
    places = max(one.n for one in asked)
    n = min(places, ours.n_items)
    rows = _test_rows(ours, test, like, {"user": user, "item": item, "rating": rating})
    lists = ours.spark.read.parquet(lists_of(ours, model, n, blocks, memory).uri)
    judge = _Judge(tuple(str(one) for one in asked), places, ours.n_items, tuple(_popular(ours, n)))
    found = _together(lists, rows).mapInArrow(judge, _schema(asked))
    return Evaluation(*_averaged(found, asked))


def _asked(metrics: str | Iterable[str] | None) -> list[Asked]:
    asked = get_metrics(_METRICS if metrics is None else metrics)
    for one in asked:
        if not one.metric.name.startswith(_OF_LISTS):
            raise ParameterError(
                f"{one} cannot be had on Spark: it reads more than where relevant items stand.",
                expected=f"metrics of accuracy of lists: {', '.join(_OF_LISTS)}",
                hint="leave it out, or evaluate on one machine",
            )
    if not asked:
        raise ParameterError("metrics=[] asks for nothing.", hint="leave metrics out for the usual ones")
    return asked


def _test_rows(ours: SparkRatings, test: Any, like: Like, names: dict[str, str | None]) -> DataFrame:
    """Return for each test user: code (null for a new one), relevant items (code, null if new; rating)."""
    from pyspark.sql import functions as fn

    frame, name = frame_of(test, ours.spark)
    given = {role: column for role, column in names.items() if column is not None}
    options = ReadOptions(time=False, scale=ours.scale, **given)
    rows = checked(frame, options, name, Notices()).frame
    _refuse_other_ids(ours, rows)
    pairs = rows.groupBy("user", "item").count().filter("count > 1").agg(fn.count(fn.lit(1)), fn.sum("count"))
    repeated, repeats = pairs.collect()[0]
    if repeated:
        raise DataError(
            f"{name}: duplicates: {counted(repeated, 'pair')} of user and item with more than one rating "
            f"({counted(repeats - repeated, 'repeated row')}).",
            expected="one rating for each user and item",
            hint="keep one of each",
        )
    rows = rows.join(ours.ids("users").toDF("user", "user_code"), "user", "left")
    rows = rows.join(ours.ids("items").toDF("item", "item_code"), "item", "left")
    rows, is_relevant = _relevant(ours, rows, like)
    relevant = fn.collect_list(fn.when(is_relevant, fn.struct("item_code", "rating")))
    return rows.groupBy("user").agg(fn.first("user_code").alias("user_code"), relevant.alias("relevant"))


def _refuse_other_ids(ours: SparkRatings, rows: DataFrame) -> None:
    kinds = dict(rows.dtypes)
    for what, side in (("user", "users"), ("item", "items")):
        trained = dict(ours.ids(side).dtypes)["id"]
        if trained != kinds[what]:
            names = {"bigint": "integer", "string": "text"}
            raise DataError(
                f"The {what} ids of training are {names[trained]}, those of the test {names[kinds[what]]}.",
                expected="the same type of ids on both sides",
                hint="convert the ids of one side",
            )


def _relevant(ours: SparkRatings, rows: DataFrame, like: Like) -> tuple[DataFrame, Column]:
    """Return the rows, and which of them are relevant."""
    from pyspark.sql import functions as fn

    if like != "mean":
        least = default_like(ours.empty) if like is None else float(like)
        return rows, fn.col("rating") >= fn.lit(float(least))
    value = fn.col("rating")
    if ours.scale is not None:
        levels = fn.array(*(fn.lit(float(level)) for level in ours.scale.ratings))
        value = fn.element_at(levels, fn.col("rating") + 1)
    coded = ours.coded.select("users", value.alias("rating"))
    means = coded.groupBy("users").agg(fn.avg("rating").alias("mean")).withColumnRenamed("users", "user_code")
    overall = float(coded.agg(fn.avg("rating")).collect()[0][0])
    rows = rows.join(means, "user_code", "left")
    mean = fn.coalesce("mean", fn.lit(overall))
    # As in `liked`: the mean of equal ratings can come out above them.
    return rows, fn.col("rating") >= mean - 1e-9 * fn.greatest(fn.lit(1.0), fn.abs(mean))


def _popular(ours: SparkRatings, n: int) -> list[int]:
    """Return the items that most users like, for those of whom nothing is known."""
    from pyspark.sql import functions as fn

    least = default_like(ours.empty)
    if ours.scale is not None:
        least = float(np.searchsorted(ours.scale.ratings, least))
    votes = ours.coded.filter(fn.col("rating") >= fn.lit(float(least))).groupBy("items").count()
    return [row[0] for row in votes.orderBy(fn.desc("count"), "items").limit(n).collect()]


def _together(lists: DataFrame, rows: DataFrame) -> DataFrame:
    """Put each test user's list beside what is relevant: user_code, listed (best first), relevant."""
    from pyspark.sql import functions as fn

    by_rank = fn.array_sort(fn.collect_list(fn.struct("rank", "item_code")))
    in_order = fn.transform(by_rank, lambda place: place.item_code)
    listed = lists.groupBy("user_code").agg(in_order.alias("listed"))
    return rows.join(listed, "user_code", "left").select("user_code", "listed", "relevant")


def _schema(asked: list[Asked]) -> str:
    return ", ".join(["is_new boolean", *(f"m{at} double" for at in range(len(asked)))])


def _averaged(found: DataFrame, asked: list[Asked]) -> tuple[list[tuple[str, float | None, int, int]], int]:
    """Average over users; those without a value are skipped, never taken as 0."""
    from pyspark.sql import functions as fn

    aggregates = [fn.count(fn.lit(1)).alias("all"), fn.sum(fn.col("is_new").cast("int")).alias("new")]
    for at in range(len(asked)):
        has = ~fn.isnan(f"m{at}")
        aggregates += [fn.sum(fn.when(has, fn.col(f"m{at}"))).alias(f"s{at}")]
        aggregates += [fn.sum(has.cast("int")).alias(f"n{at}")]
    row = found.agg(*aggregates).collect()[0]
    rows = []
    for at, one in enumerate(asked):
        users = row[f"n{at}"] or 0
        mean = row[f"s{at}"] / users if users else None
        rows.append((str(one), mean, users, row["all"] - users))
    return rows, row["new"] or 0


# -- in the executors -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judge:
    """Calculates metrics of a batch of users.

    places : of the lists;  popular : the list of new users
    """

    metrics: tuple[str, ...]
    places: int
    n_items: int
    popular: tuple[int, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        functions = [_function(one) for one in get_metrics(self.metrics)]
        for batch in batches:
            is_new = np.array([code is None for code in batch.column(0).to_pylist()], dtype=np.bool_)
            found = match(self._rankings(batch, is_new), self._relevance(batch))
            values = [pa.array(function(found)) for function in functions]
            names = ["is_new", *(f"m{at}" for at in range(len(values)))]
            yield pa.RecordBatch.from_arrays([pa.array(is_new), *values], names=names)

    def _rankings(self, batch: pa.RecordBatch, is_new: npt.NDArray[np.bool_]) -> Rankings:
        listed = batch.column(1).to_pylist()
        lists = [self.popular if new else (row or ()) for row, new in zip(listed, is_new, strict=True)]
        return Rankings.of_lists(lists, self.places)

    def _relevance(self, batch: pa.RecordBatch) -> Relevance:
        """Return what is relevant; items that training does not have get codes that no list has."""
        rows = []
        for given in batch.column(2).to_pylist():
            new = iter(range(self.n_items, self.n_items + len(given)))
            codes = (next(new) if one["item_code"] is None else one["item_code"] for one in given)
            rows.append({code: one["rating"] for code, one in zip(codes, given, strict=True)})
        return Relevance.of_rows(rows, self.n_items)


def _function(one: Asked) -> Callable[[Match], npt.NDArray[np.float64]]:
    """Return a metric as a function of where relevant items stand, which is all that it reads."""

    def of(found: Match) -> npt.NDArray[np.float64]:
        case = Case(found.rankings, found.relevance, None, np.zeros(0, dtype=np.int64))  # type: ignore[arg-type]
        value = one.metric.function(case, one.n)
        assert isinstance(value, np.ndarray)
        return value

    return of
