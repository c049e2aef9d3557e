"""Blocks: the profiles of some users (or items), whole, each block one file that tasks read.

Subjects are dealt to blocks like cards, from the one that costs most to the one that costs least, forth and
back: so blocks have about as many subjects, ratings and pair events each, and no task has the heaviest
alone. What meets what inside a pair of blocks is bounded by the ratings of both, so a heavy item is no
task's burden alone either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError
from corated.ratings.ids import quote_id
from corated.ratings.sources import SHOWN, counted
from corated.spark.folder import Folder
from corated.spark.number import numbered
from corated.spark.ratings import SparkRatings
from corated.spark.tasks import told

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Block", "Blocks", "block_name", "blocks_of", "degrees", "read_block"]

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


def block_name(number: int) -> str:
    """Return the name of a block's file."""
    return f"block-{number:05d}.parquet"


@dataclass(frozen=True)
class Block:
    """Profiles of some subjects: row r is ``objects[indptr[r]:indptr[r + 1]]``.

    subjects : int32, codes, ascending;  indptr : int64;  objects : int32, codes, ascending within a row
    ratings : uint8 codes, or float64 ratings where there is no scale
    """

    subjects: Int32s
    indptr: Int64s
    objects: Int32s
    ratings: npt.NDArray[Any]


@dataclass(frozen=True)
class Blocks:
    """One side of the ratings in blocks.

    folder : where their files are
    subjects, ratings, events : of each block; events: Σ over its ratings of the raters of what is rated
    largest : ratings of the largest profile
    """

    side: str
    folder: Folder
    subjects: tuple[int, ...]
    ratings: tuple[int, ...]
    events: tuple[int, ...]
    largest: int

    def __len__(self) -> int:
        return len(self.subjects)


def other(side: str) -> str:
    """Return the other side."""
    return "items" if side == "users" else "users"


def degrees(ratings: SparkRatings, side: str) -> DataFrame:
    """Return the ratings and pair events of each subject: subject, n, events; kept in a file."""
    from pyspark.sql import functions as fn

    folder = ratings.folder.within(f"degrees-{side}")
    if not folder.has("_SUCCESS"):
        raters = ratings.coded.groupBy(other(side)).agg(fn.count(fn.lit(1)).alias("raters"))
        met = ratings.coded.select("users", "items").join(raters, other(side))
        counts = met.groupBy(fn.col(side).alias("subject")).agg(
            fn.count(fn.lit(1)).cast("int").alias("n"), fn.sum("raters").alias("events")
        )
        counts.write.mode("overwrite").parquet(folder.uri)
    return ratings.spark.read.parquet(folder.uri)


def blocks_of(ratings: SparkRatings, side: str, count: int) -> Blocks:
    """Return a side in so many blocks, written at the first call; raises `DataError` for duplicates."""
    from pyspark.sql import functions as fn

    count = max(1, min(count, ratings.size(side)))
    folder = ratings.folder.within(f"blocks-{side}-{count}")
    facts = folder.read_json("facts.json")
    if facts is None:
        dealt = _deal(degrees(ratings, side), ratings, count, folder.within("dealt"))
        entries = ratings.coded.join(dealt, fn.col(side) == fn.col("subject"))
        entries = entries.select("block", "subject", fn.col(other(side)).alias("object"), "rating")
        placed = _one_partition_each(entries, count).sortWithinPartitions("block", "subject", "object")
        schema = "block int, repeats bigint, pairs bigint, users array<int>, items array<int>"
        is_coded = ratings.scale is not None
        with told():
            written = placed.mapInArrow(_writer(folder, side, is_coded), schema).collect()
        _refuse_repeats(ratings, written)
        facts = _facts(ratings, side, folder, count)
        folder.write_json("facts.json", facts)
    known = {name: tuple(facts[name]) for name in ("subjects", "ratings", "events")}
    return Blocks(side, folder, **known, largest=facts["largest"])


def _deal(counts: DataFrame, ratings: SparkRatings, count: int, folder: Folder) -> DataFrame:
    """Give each subject a block: subject, n, events, block."""
    from pyspark.sql import functions as fn

    total = counts.agg(fn.sum("events")).collect()[0][0]
    cost = fn.col("n") / float(ratings.n_ratings) + fn.col("events") / float(total)
    order = [fn.col("cost").desc(), fn.col("subject")]
    size = counts.count()
    ranked, _ = numbered(counts.withColumn("cost", cost), order, size, "rank", Folder(f"{folder.uri}-ranked"))
    place, turn = fn.col("rank") % count, fn.floor(fn.col("rank") / count) % 2
    block = fn.when(turn == 0, place).otherwise(count - 1 - place).cast("int")
    dealt = ranked.select("subject", "n", "events", block.alias("block"))
    dealt.write.mode("overwrite").parquet(folder.uri)
    return counts.sparkSession.read.parquet(folder.uri).select("subject", "block")


def _one_partition_each(entries: DataFrame, count: int) -> DataFrame:
    """Bring each block's rows into one partition."""
    from pyspark.sql import functions as fn

    if hasattr(entries, "repartitionById"):  # pyspark 4.1
        return entries.repartitionById(count, fn.col("block"))
    return entries.repartition(count, "block")  # by hash: some partitions have several, which is fine too


def _facts(ratings: SparkRatings, side: str, folder: Folder, count: int) -> dict[str, Any]:
    from pyspark.sql import functions as fn

    dealt = ratings.spark.read.parquet(folder.within("dealt").uri)
    of_each = fn.count(fn.lit(1)), fn.sum("n"), fn.sum("events"), fn.max("n")
    rows = sorted(tuple(row) for row in dealt.groupBy("block").agg(*of_each).collect())
    assert [row[0] for row in rows] == list(range(count))
    _, subjects, entries, events, largest = zip(*rows, strict=True)
    return {
        "side": side, "subjects": subjects, "ratings": entries, "events": events, "largest": max(largest)
    }  # fmt: skip


def _refuse_repeats(ratings: SparkRatings, written: list[Any]) -> None:
    """Raise `DataError` where a user has several ratings of an item, with counts and examples."""
    from pyspark.sql import functions as fn

    repeats, pairs = sum(row.repeats for row in written), sum(row.pairs for row in written)
    if not repeats:
        return
    found = sorted({pair for row in written for pair in zip(row.users, row.items, strict=True)})[:SHOWN]
    names: list[dict[int, Any]] = []
    for side, at in (("users", 0), ("items", 1)):
        wanted = ratings.ids(side).filter(fn.col("code").isin([pair[at] for pair in found]))
        names.append({row.code: row.id for row in wanted.collect()})
    raise DataError(
        f"{ratings.name}: duplicates: {counted(pairs, 'pair')} of user and item with more than one rating "
        f"({counted(repeats, 'repeated row')}).",
        expected="one rating for each user and item",
        rows=[f"user {quote_id(names[0][user])}, item {quote_id(names[1][item])}" for user, item in found],
        hint='Pass duplicates="max", "min", "mean", "sum" or "count".',
    )


# -- in the executors -----------------------------------------------------------------------------


def _writer(
    folder: Folder, side: str, is_coded: bool
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return what writes the blocks of a partition, whose rows come sorted by block, subject, object."""

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: list[pa.RecordBatch] = []
        for batch in batches:
            numbers = batch.column(0).to_numpy()
            cuts = np.flatnonzero(np.diff(numbers)) + 1
            for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(numbers)], strict=True):
                part = batch.slice(start, stop - start)
                if held and part.num_rows and held[0].column(0)[0] != part.column(0)[0]:
                    yield _write_block(held, folder, side, is_coded)
                    held = []
                held += [part] if part.num_rows else []
        if held:
            yield _write_block(held, folder, side, is_coded)

    return write


def _write_block(held: list[pa.RecordBatch], folder: Folder, side: str, is_coded: bool) -> pa.RecordBatch:
    """Write one block, and tell how many repeats there are, with the first ones."""
    rows = pa.Table.from_batches(held)
    number = rows.column(0)[0].as_py()
    subject, obj = (rows.column(at).to_numpy() for at in (1, 2))
    rating = rows.column(3).cast(pa.uint8() if is_coded else pa.float64())
    again = np.flatnonzero((np.diff(subject) == 0) & (np.diff(obj) == 0))
    begins = np.diff(again, prepend=-2) > 1
    ends = {side: subject[again[begins]][:SHOWN], other(side): obj[again[begins]][:SHOWN]}
    if not len(again):
        kept = {"subject": rows.column(1), "object": rows.column(2), "rating": rating}
        folder.write_parquet(block_name(number), pa.table(kept))
    lists = pa.list_(pa.int32())
    columns = [
        pa.array([number], pa.int32()),
        pa.array([len(again)], pa.int64()),
        pa.array([int(begins.sum())], pa.int64()),
        pa.array([ends["users"].tolist()], lists),
        pa.array([ends["items"].tolist()], lists),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["block", "repeats", "pairs", "users", "items"])


def read_block(folder: Folder, number: int) -> Block:
    """Read a block."""
    rows = folder.read_parquet(block_name(number))
    subject = rows.column("subject").to_numpy()
    starts = np.flatnonzero(np.diff(subject, prepend=-1))
    return Block(
        subject[starts],
        np.append(starts, len(subject)).astype(np.int64),
        rows.column("object").to_numpy(),
        rows.column("rating").to_numpy(),
    )
