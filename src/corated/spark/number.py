"""Numbering rows in a total order without bringing them together: sort by ranges, count, add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corated.spark.folder import Folder

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["numbered", "parallelism"]

_LOW_BITS = (1 << 33) - 1
"""Where `monotonically_increasing_id` counts inside a partition."""
_MOST_PARTS = 512
_ROWS_PER_PART = 100_000


def parallelism(spark: SparkSession) -> int:
    """Return how many tasks can run at the same time."""
    return max(1, spark.sparkContext.defaultParallelism)


def numbered(
    frame: DataFrame, order: list[Column], rows: int, name: str, folder: Folder
) -> tuple[DataFrame, int]:
    """Add a column ``name`` (int) that counts the rows from 0 in an order, and write the result.

    Returns the rows with it, and how many there are.

    order : what the rows are sorted by; no two rows may be equal in it
    rows : about how many there are, for the number of parts
    folder : where it is written

    The driver sees one number for each part of the sort.
    """
    from pyspark.sql import functions as fn

    spark = frame.sparkSession
    parts = min(_MOST_PARTS, max(1, rows // _ROWS_PER_PART))
    by_range = frame.repartitionByRange(parts, *order).sortWithinPartitions(*order)
    within = fn.monotonically_increasing_id().bitwiseAND(fn.lit(_LOW_BITS))
    placed = by_range.withColumn("_part", fn.spark_partition_id()).withColumn("_at", within)
    placed.write.mode("overwrite").parquet(folder.uri)
    written = spark.read.parquet(folder.uri)
    sizes: dict[int, int] = {row[0]: row[1] for row in written.groupBy("_part").count().collect()}
    before, pairs = 0, []
    for part in sorted(sizes):
        pairs += [fn.lit(part), fn.lit(before)]
        before += sizes[part]
    offset = fn.create_map(*pairs)[fn.col("_part")]
    return written.withColumn(name, (offset + fn.col("_at")).cast("int")).drop("_part", "_at"), before
