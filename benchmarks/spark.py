"""What a cluster of processes takes: ratings made in the executors, read, cut into blocks, and met.

The driver has 512 MB, which would not hold the ratings. Half of them are on one item in a hundred, so that
there is something to be balanced. ``--compare`` does the same on one machine and compares every bit.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import corated as cr
import corated.spark as cs
from corated.spark.problem import Wish
from corated.spark.search import graph_of
from record import RESULTS, keep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--master", default="local-cluster[2,1,2048]")
    parser.add_argument("--ratings", type=int, default=50_000_000)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--of", default="items")
    parser.add_argument("--measure", default="pearson")
    parser.add_argument("--k", type=int, default=40)
    parser.add_argument("--min-common", type=int, default=3)
    parser.add_argument("--blocks", type=int)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    config = {"spark.sql.shuffle.partitions": 32}
    spark = cs.session(options.master, driver_memory="512m", executor_memory="1g", config=config)
    spark.sparkContext.setLogLevel("ERROR")
    found: dict[str, Any] = {
        name: getattr(options, name) for name in ("master", "ratings", "users", "items", "of", "measure", "k")
    }
    frame = made(spark, options.ratings, options.users, options.items)
    start = time.perf_counter()
    ratings = cs.read(frame, work=options.work)
    found["read_seconds"] = noted("read", start)
    assert ratings.n_ratings == options.ratings
    if not options.read_only:
        settings = {"of": options.of, "measure": options.measure, "k": options.k}
        settings["min_common"] = options.min_common
        start = time.perf_counter()
        plan = cs.plan(ratings, blocks=options.blocks, **settings)
        print(plan, file=sys.stderr)
        found["plan_seconds"], found["plan"] = noted("plan", start), plan.to_dict()
        start = time.perf_counter()
        graph = cs.neighbors(ratings, blocks=plan.blocks, **settings)
        found["rows"] = graph.count()
        found["neighbors_seconds"] = noted("neighbors", start)
        wish = Wish.of(ratings, options.of, options.measure, options.k, options.min_common)
        found["stages"] = graph_of(ratings, wish, plan.blocks).stages
        if options.compare:
            alone = cr.neighbors(cr.Ratings.from_table(frame.toArrow()), **settings).to_arrow()
            found["same_bits"] = graph.toArrow().cast(alone.schema).equals(alone)
    print(found)
    keep("spark", found, options.results)


def made(spark: Any, ratings: int, users: int, items: int) -> Any:
    """Return distinct pairs with ratings from 1 to 5, half of them on one item in a hundred."""
    from pyspark.sql import functions as fn

    few = max(items // 100, 1)
    rows = spark.range(ratings).withColumn("user", fn.col("id") % users)
    turn = fn.floor(fn.col("id") / users)
    place = fn.pmod(fn.xxhash64("user"), fn.lit(items)) + fn.floor(turn / 2)
    often, seldom = place % few, fn.lit(few) + place % (items - few)
    item = fn.when(turn % 2 == 0, often).otherwise(seldom)
    rating = fn.pmod(fn.xxhash64("id"), fn.lit(5)) + 1
    return rows.select(
        fn.col("user").alias("user_id"), item.alias("item_id"), rating.cast("int").alias("rating")
    )


def noted(what: str, start: float) -> float:
    seconds = time.perf_counter() - start
    print(f"{what}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return round(seconds, 1)


if __name__ == "__main__":
    main()
