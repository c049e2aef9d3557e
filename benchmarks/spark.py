"""What a cluster of processes takes: ratings that the driver could not hold, and one machine beside it.

``large``: ratings made in the executors, by `corated.sample` for each partition and seeded by its number,
are read, cut into blocks and met; the driver has 512 MB. ``growth``: the notebook-size sample in 1, 3 and 16
blocks. Both are compared with one machine in every bit, unless ``--no-compare``. What was found before stays
in the results under other names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import corated as cr
import corated.spark as cs
from corated.spark.problem import Wish
from corated.spark.search import graph_of
from record import RESULTS, keep

PER_PARTITION = 1_000_000
SCHEMA = "user_id bigint, item_id bigint, rating double"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["large", "growth"])
    parser.add_argument("--master", default="local-cluster[2,1,2048]")
    parser.add_argument("--ratings", type=int, default=50_000_000)
    parser.add_argument("--users", type=int, help="one for 100 ratings by default")
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--of", default="items")
    parser.add_argument("--measure", default="pearson")
    parser.add_argument("--k", type=int, default=40)
    parser.add_argument("--min-common", type=int, default=3)
    parser.add_argument("--blocks", type=int)
    parser.add_argument("--work", type=Path, help="a folder for files; a temporary one by default")
    parser.add_argument("--no-compare", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="corated-spark-") as made:
        work = options.work or Path(made)
        found = large(options, work) if options.part == "large" else growth(options, work)
    name = f"{options.part}-{options.ratings}" if options.part == "large" else f"growth {options.master}"
    found["pyspark"] = version("pyspark")
    print(json.dumps(found, indent=1))
    before = options.results / "spark.json"
    runs = json.loads(before.read_text(encoding="utf-8"))["runs"] if before.exists() else {}
    keep("spark", {"runs": runs | {name: found}}, options.results)


# -- ratings that the driver could not hold -------------------------------------------------------


def large(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    spark = session(options.master)
    found: dict[str, Any] = {
        name: getattr(options, name) for name in ("master", "ratings", "items", "of", "measure", "k")
    }
    found |= {"driver_memory": "512m", "load_before": load()}
    settings = {"of": options.of, "measure": options.measure, "k": options.k}
    settings["min_common"] = options.min_common
    path = work / "ratings.parquet"
    if not path.exists():
        with timed(found, "make_seconds"):
            made(spark, options.ratings, options.users or options.ratings // 100, options.items, str(path))
    with timed(found, "read_seconds"):
        ratings = cs.read(path, work=work)
    assert ratings.n_ratings == options.ratings
    with timed(found, "plan_seconds"):
        plan = cs.plan(ratings, blocks=options.blocks, **settings)
    print(plan, file=sys.stderr)
    found |= {"users": ratings.n_users, "plan": plan.to_dict()}
    with timed(found, "neighbors_seconds"):
        graph = cs.neighbors(ratings, blocks=plan.blocks, **settings)
        found["rows"] = graph.count()
    wish = Wish.of(ratings, options.of, options.measure, options.k, options.min_common)
    found["stages"] = graph_of(ratings, wish, plan.blocks).stages
    found["peaks"] = peaks(spark)
    found["load_after"] = load()
    graph.write.parquet(str(work / "graph"), mode="overwrite")
    spark.stop()
    if not options.no_compare:
        found["one_machine"] = beside(path, work / "graph", settings)
    return found


def made(spark: Any, ratings: int, users: int, items: int, path: str) -> None:
    """Write a sample for each partition: users of its own, items counted from the most rated."""
    parts = max(1, ratings // PER_PARTITION)
    numbers = spark.range(0, parts, 1, parts)
    numbers.mapInArrow(_sampler(ratings, users, items, parts), SCHEMA).write.parquet(path)


def _sampler(
    ratings: int, users: int, items: int, parts: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def sampled(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import numpy as np

        from corated import sample

        for batch in batches:
            for part in batch.column(0).to_pylist():
                mine = [(part + 1) * all // parts - part * all // parts for all in (ratings, users)]
                one = sample(ratings=mine[0], users=mine[1], items=items, seed=part).ratings
                place = np.empty(one.n_items, np.int64)
                place[np.argsort(-one.item_counts, kind="stable")] = np.arange(one.n_items)
                first = part * users // parts
                user = first + np.repeat(np.arange(one.n_users), one.user_counts)
                rating = one.scale.ratings[one.codes]
                columns = [pa.array(user), pa.array(place[one.by_user.indices]), pa.array(rating)]
                names = ["user_id", "item_id", "rating"]
                yield from pa.table(columns, names=names).to_batches(max_chunksize=100_000)

    return sampled


# -- growth with the number of blocks -------------------------------------------------------------


def growth(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    path = work / "notebook.parquet"
    pq.write_table(cr.sample("notebook").ratings.to_arrow().drop_columns("timestamp"), path)
    settings = {"of": "users", "measure": options.measure, "k": options.k}
    settings["min_common"] = options.min_common
    spark = session(options.master)
    found: dict[str, Any] = {"master": options.master, **settings, "load_before": load(), "blocks": {}}
    with timed(found, "read_seconds"):
        ratings = cs.read(path, work=work)
    cs.neighbors(
        ratings, blocks=2, **settings | {"measure": "msd"}
    ).count()  # processes started, kernels loaded
    for blocks in (1, 3, 16):
        one: dict[str, Any] = {}
        with timed(one, "seconds"):
            graph = cs.neighbors(ratings, blocks=blocks, **settings)
            one["rows"] = graph.count()
        wish = Wish.of(ratings, "users", options.measure, options.k, options.min_common)
        one["stages"] = graph_of(ratings, wish, blocks).stages
        graph.write.parquet(str(work / f"graph-{blocks}"), mode="overwrite")
        found["blocks"][str(blocks)] = one
    found |= {"peaks": peaks(spark), "load_after": load()}
    spark.stop()
    for blocks, one in found["blocks"].items():
        alone = beside(path, work / f"graph-{blocks}", settings)
        one["same_bits"] = alone.pop("same_bits")
    return found | {"one_machine": alone}


# -- what it took ---------------------------------------------------------------------------------


def session(master: str) -> Any:
    config = {"spark.sql.shuffle.partitions": 32, "spark.driver.extraJavaOptions": "-XX:+UseSerialGC"}
    spark = cs.session(master, driver_memory="512m", executor_memory="1g", config=config)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def beside(path: Path, graph: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Do the same on one machine, with as many threads as it has cores, and compare every bit."""
    found: dict[str, Any] = {}
    with timed(found, "read_seconds"):
        ratings = cr.Ratings.from_table(pq.read_table(path))
    cr.neighbors(cr.sample("small").ratings, **settings)  # kernels loaded
    with timed(found, "neighbors_seconds"):
        alone = cr.neighbors(ratings, **settings).to_arrow()
    found["threads"], found["peak_bytes"] = os.cpu_count(), high_water("self")
    rows = pq.read_table(graph)
    order = [("id", "ascending"), ("rank", "ascending")]
    found["same_bits"] = rows.cast(alone.schema).sort_by(order).equals(alone.sort_by(order))
    return found


def peaks(spark: Any) -> dict[str, int]:
    """Return the most bytes that each kind of process has had: the driver's two, and the largest others."""
    java = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    found = {"driver_java": high_water(str(java)), "driver_python": high_water("self")}
    runtime = spark.sparkContext._jvm.java.lang.Runtime.getRuntime()
    found["driver_heap_limit"] = int(runtime.maxMemory())
    for process in _children(java):
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        kind = "executor_java" if b"CoarseGrained" in command else "executor_python"
        if kind == "executor_java" or b"pyspark" in command:
            found[kind] = max(found.get(kind, 0), high_water(str(process)))
    return found


def high_water(process: str) -> int:
    """Return the most bytes of memory that a process has had (VmHWM)."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def _children(process: int) -> list[int]:
    """Return the processes that a process started, and theirs."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):  # threads come and go
            for child in (task / "children").read_text(encoding="utf-8").split():
                found += [int(child), *_children(int(child))]
    return found


def load() -> float:
    """Return the processes that wanted a core in the last minute."""
    return round(os.getloadavg()[0], 2)


class timed:  # noqa: N801
    """Notes the seconds of a block under a name."""

    def __init__(self, found: dict[str, Any], name: str) -> None:
        self._found, self._name = found, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._start
        self._found[self._name] = round(seconds, 1)
        print(f"{self._name}: {seconds:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
