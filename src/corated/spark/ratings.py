"""Ratings on a cluster: checked, ids numbered in their own order, rating codes; all of it in files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from corated.errors import DataError, ParameterError
from corated.ratings.ids import IdMap
from corated.ratings.notices import Notices
from corated.ratings.options import ReadOptions
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import MAX_LEVELS, Scale, infer_scale
from corated.ratings.sources import counted
from corated.spark.folder import Folder, work_folder
from corated.spark.number import numbered
from corated.spark.sessions import need_pyspark, session
from corated.spark.source import Checked, checked

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["SparkRatings", "frame_of", "given_ratings", "read"]

_MOST_SUBJECTS = 2**31 - 1


@dataclass(frozen=True)
class SparkRatings:
    """Who rated what, and how, in a work folder that the driver and the executors see; made by `read`.

    n_users, n_items, n_ratings : as in `corated.Ratings`;  scale : the rating scale, None for none
    notices : what was guessed or decided while reading
    folder : where the files are: ids with their codes, ratings by codes, and what is made of them
    """

    spark: SparkSession
    folder: Folder
    name: str
    n_users: int
    n_items: int
    n_ratings: int
    scale: Scale | None
    notices: tuple[str, ...] = ()

    def size(self, side: str) -> int:
        """Return the number of users or of items."""
        return self.n_users if side == "users" else self.n_items

    def ids(self, side: str) -> DataFrame:
        """Return the ids of a side with their codes: id, code (int, in the order of ids)."""
        return self.spark.read.parquet(self.folder.within(side).uri)

    @property
    def coded(self) -> DataFrame:
        """The ratings: users (int), items (int), rating (int code; double where there is no scale)."""
        return self.spark.read.parquet(self.folder.within("coded").uri)

    @cached_property
    def empty(self) -> Ratings:
        """Ratings of the same scale that nobody gave, for what only depends on the scale."""
        nobody = IdMap.from_ids(np.zeros(0, dtype=np.int64).tolist())
        rows = Csr(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32))
        codes = None if self.scale is None else np.zeros(0, dtype=np.uint8)
        off_scale = np.zeros(0) if self.scale is None else None
        return Ratings(nobody, nobody, self.scale, rows, codes, off_scale_values=off_scale)

    def __repr__(self) -> str:
        scale = "none (any number)" if self.scale is None else str(self.scale)
        return (
            f"SparkRatings(users: {self.n_users:,}, items: {self.n_items:,}, ratings: {self.n_ratings:,}, "
            f"scale: {scale})"
        )


def read(
    ratings: DataFrame | str | os.PathLike[str],
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | Literal[False] | None = None,
    scale: Scale | tuple[float, float, float] | None = None,
    duplicates: str = "refuse",
    on_bad: str = "refuse",
    work: str | os.PathLike[str] | None = None,
    spark: SparkSession | None = None,
) -> SparkRatings:
    """Check ratings, number users and items in the order of their ids, and write ratings by codes.

    ratings : a Spark DataFrame, or where Parquet files of them are
    user, item, rating, scale, on_bad : as for `corated.read_ratings`; columns are recognized by their names
    duplicates : ``refuse``, or ``max``, ``min``, ``mean``, ``sum`` or ``count`` of a pair's ratings
    work : a folder that the driver and all executors can read and write; what is in it of the same ratings
        is used again, so that a run which died goes on. None for a temporary one, on one machine
    spark : the session for a path; None for the active one, or a new `session`

    No users and no ratings come to the driver. Raises `DataError` for what cannot be used, with counts and
    examples, `ParameterError`, `OutputError`, or `MissingExtraError` without pyspark.
    """
    need_pyspark()
    frame, name = frame_of(ratings, spark)
    options = ReadOptions(
        user=user, item=item, rating=rating, time=False, scale=scale, duplicates=duplicates, on_bad=on_bad
    )
    if options.duplicates in ("last", "first"):
        raise ParameterError(
            f'duplicates="{duplicates}" goes by time, and times are not read on Spark.',
            expected='"refuse", "max", "min", "mean", "sum" or "count"',
            hint="keep one rating of each pair before, or choose one of these",
        )
    folder, notices = work_folder(work, frame.sparkSession), Notices()
    fine = checked(frame, options, name, notices)
    asked = repr((options, fine.rows, fine.checksum, fine.frame.dtypes))
    folder = folder.within(f"ratings-{hashlib.sha256(asked.encode()).hexdigest()[:16]}")
    facts = folder.read_json("facts.json")
    if facts is None:
        facts = _write(fine, options, folder, notices)
        folder.write_json("facts.json", facts)
    notices.emit()
    return SparkRatings(
        frame.sparkSession, folder, name,
        facts["users"], facts["items"], facts["ratings"],
        None if facts["scale"] is None else Scale(*facts["scale"]),
        notices.texts(),
    )  # fmt: skip


def given_ratings(ratings: SparkRatings | DataFrame | str | os.PathLike[str], **how: Any) -> SparkRatings:
    """Return ratings that are read already, or read them; keywords that are None do not count.

    Raises `ParameterError` for ways to read what is read already.
    """
    given = {name: value for name, value in how.items() if value is not None}
    if not isinstance(ratings, SparkRatings):
        return read(ratings, **given)
    if given:
        raise ParameterError(
            f"{next(iter(given))}= says how to read ratings, and these are read already.",
            hint="give it to corated.spark.read",
        )
    return ratings


def frame_of(ratings: object, spark: SparkSession | None) -> tuple[DataFrame, str]:
    """Return the DataFrame, and what messages call it."""
    from pyspark.errors import AnalysisException
    from pyspark.sql import DataFrame, SparkSession

    if isinstance(ratings, DataFrame):
        return ratings, "the table"
    if not isinstance(ratings, str | os.PathLike):
        raise ParameterError(
            f"A {type(ratings).__name__} was given for the ratings.",
            expected="a Spark DataFrame, or the path of Parquet files",
            hint="corated.neighbors takes what is in memory; spark.createDataFrame brings it to Spark",
        )
    path = os.fspath(ratings)
    given = spark or SparkSession.getActiveSession() or session()
    try:
        return given.read.parquet(path), path.rstrip("/").rsplit("/", 1)[-1]
    except AnalysisException as error:
        raise DataError(
            f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}",
            expected="a Parquet file, or a folder of them",
            hint="check the path, or read it with spark.read and pass the DataFrame",
        ) from error


# -- writing --------------------------------------------------------------------------------------


def _write(fine: Checked, options: ReadOptions, folder: Folder, notices: Notices) -> dict[str, Any]:
    """Write the ids of both sides and the ratings by codes; return what is known of them."""
    from pyspark.sql import functions as fn

    plain = _merged(fine.frame, options.duplicates)
    sizes = {}
    for side, what in (("users", "user"), ("items", "item")):
        distinct = plain.select(fn.col(what).alias("id")).distinct()
        sizes[side] = _number(distinct, what, fine.rows, folder.within(side))
    scale = _scale(plain, options, notices)
    rating = fn.col("rating")
    if scale is not None:
        rating = fn.rint((rating - scale.low) / scale.step).cast("int")
    read_back = fine.frame.sparkSession.read.parquet
    users = read_back(folder.within("users").uri).toDF("user", "users")
    items = read_back(folder.within("items").uri).toDF("item", "items")
    coded = plain.join(users, "user").join(items, "item").select("users", "items", rating.alias("rating"))
    coded.write.mode("overwrite").parquet(folder.within("coded").uri)
    n_ratings = read_back(folder.within("coded").uri).count()
    if n_ratings < fine.rows:
        notices.add(f"{counted(fine.rows - n_ratings, 'repeated rating')} merged.")
    return {
        **sizes,
        "ratings": n_ratings,
        "scale": None if scale is None else [scale.low, scale.high, scale.step],
    }


def _number(distinct: DataFrame, what: str, rows: int, folder: Folder) -> int:
    """Write the ids of a side with their codes: id, code; return how many there are."""
    from pyspark.sql import functions as fn

    placed = Folder(f"{folder.uri}-placed")
    ids, n = numbered(distinct, [fn.col("id")], rows // 10, "code", placed)
    if n > _MOST_SUBJECTS:
        raise DataError(
            f"There are {n:,} {what}s.",
            expected=f"at most {_MOST_SUBJECTS:,}",
            hint="leave out those with few ratings",
        )
    ids.select("id", "code").write.mode("overwrite").parquet(folder.uri)
    return n


def _merged(frame: DataFrame, rule: str) -> DataFrame:
    """Make one rating of each pair by a rule; left as they are where repeats are refused (later)."""
    from pyspark.sql import functions as fn

    if rule == "refuse":
        return frame
    rating = fn.col("rating")
    if rule in ("max", "min"):
        made: Column = fn.max(rating) if rule == "max" else fn.min(rating)
    elif rule == "count":
        made = fn.count(rating).cast("double")
    else:  # added up from the smallest, so that the order of rows plays no part
        ascending = fn.sort_array(fn.collect_list(rating))
        made = fn.aggregate(ascending, fn.lit(0.0), lambda total, one: total + one)
        if rule == "mean":
            made = made / fn.count(rating)
    return frame.groupBy("user", "item").agg(made.alias("rating"))


def _scale(plain: DataFrame, options: ReadOptions, notices: Notices) -> Scale | None:
    """Return the declared scale or the one that is found; at most 257 ratings come to the driver."""
    declared = options.declared_scale
    if declared is not None and not declared.is_coded():
        notices.add(f"The scale {declared} has more than 256 levels; ratings are kept as floats.")
        return None
    distinct = [row[0] for row in plain.select("rating").distinct().limit(MAX_LEVELS + 1).collect()]
    if declared is not None and declared.contains(distinct).all():
        return declared
    scale = infer_scale(distinct)
    if scale is None:
        notices.add("The ratings are on no scale of at most 256 levels; they are kept as floats.")
    return scale
