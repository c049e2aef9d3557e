"""Neighbors on a cluster: pairs of blocks meet, each subject's lists are merged by the total order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.neighborhood.cost import block_target
from corated.similarity.measures import Measure
from corated.similarity.topk import RANK_MASK, TopK, absorb, new_topk, settle, unpack_rows
from corated.spark.blocks import Blocks, blocks_of, read_block
from corated.spark.folder import Folder
from corated.spark.meet import Meeting, meeting
from corated.spark.planning import choose_blocks
from corated.spark.problem import Problem, Wish
from corated.spark.ratings import SparkRatings, given_ratings
from corated.spark.size import merge_bytes, pair_bytes, pairs_of
from corated.spark.tasks import run_tasks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Graph", "graph_of", "named", "neighbors"]

_LIST = pa.schema([("row", pa.int32()), ("other", pa.int32()), ("key", pa.float64()), ("n", pa.int32())])
_GRAPH = pa.schema(
    [
        ("code", pa.int32()),
        ("neighbor_code", pa.int32()),
        ("rank", pa.int32()),
        ("value", pa.float64()),
        ("n_common", pa.int64()),
    ]
)
_BATCH = 1 << 18


def neighbors(
    ratings: SparkRatings | DataFrame | str | os.PathLike[str],
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    blocks: int | None = None,
    memory: int | str = "1 GB",
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    work: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """Find the k nearest neighbors of every user (or item), exactly; the same bits as `corated.neighbors`.

    ratings : what `read` returned, a Spark DataFrame, or a path of Parquet files
    of, measure, k, min_common : as for `corated.neighbors`
    blocks : into how many the users (or items) are cut; None for as many as ``memory`` and the cores ask for
    memory : what one task may take, its Python process included, as ``"1 GB"``
    user, item, rating, work : how to read what is not read yet, see `read`

    Returns a DataFrame of id, neighbor, rank, value, n_common, sorted by id and rank, which reads files in
    the work folder. A run that died goes on where it was, given the same ratings and ``work``.

    Raises `ParameterError`, `DataError`, `MemoryLimitError` where blocks of one subject would still be too
    large, or `MissingExtraError`.
    """
    made = given_ratings(ratings, user=user, item=item, rating=rating, work=work)
    wish = Wish.of(made, of, measure, k, min_common)
    graph = graph_of(made, wish, choose_blocks(made, wish, blocks, memory))
    return named(made, graph)


@dataclass(frozen=True)
class Graph:
    """Neighbors by code, in files: one for each block of subjects.

    stages : what the tasks of each stage took: peak bytes and the bytes foreseen
    """

    wish: Wish
    blocks: Blocks
    folder: Folder
    stages: dict[str, dict[str, float]]


def graph_name(number: int) -> str:
    """Return the name of the file with the neighbors of a block."""
    return f"part-{number:05d}.parquet"


def graph_of(ratings: SparkRatings, wish: Wish, count: int) -> Graph:
    """Find neighbors, or return those that are there already."""
    blocks = blocks_of(ratings, wish.side, count)
    key = hashlib.sha256(repr((wish, len(blocks))).encode()).hexdigest()[:16]
    folder = ratings.folder.within(f"graph-{key}")
    stages = folder.read_json("facts.json")
    if stages is None:
        lists, graph = folder.within("lists"), folder.within("graph")
        problem = Problem.of(ratings, wish, blocks, valued=True)
        there = lists.names()
        pairs = [pair for pair in _heaviest_first(blocks) if not set(_names(*pair)) <= there]
        met = run_tasks(ratings.spark, pairs, _Meet(problem, blocks, lists))
        left = graph.left(range(len(blocks)), graph_name)
        merged = run_tasks(ratings.spark, left, _Merge(problem, blocks, lists, graph))
        stages = {
            name: {
                "tasks": len(done),
                "rows": sum(one.rows for one in done),
                "foreseen": max((one.foreseen for one in done), default=0),
                "peak": max((one.peak for one in done), default=0),
                "longest": max((one.seconds for one in done), default=0.0),
                "seconds": sum(one.seconds for one in done),
            }
            for name, done in (("meet", met), ("merge", merged))
        }
        folder.write_json("facts.json", stages)
        lists.remove()
    return Graph(wish, blocks, folder.within("graph"), stages)


def named(ratings: SparkRatings, graph: Graph) -> DataFrame:
    """Return neighbors with the caller's ids, sorted by id and rank."""
    found = ratings.spark.read.parquet(graph.folder.uri)
    ids = ratings.ids(graph.wish.side)
    found = found.join(ids, "code").join(ids.toDF("neighbor", "neighbor_code"), "neighbor_code")
    return found.orderBy("code", "rank").select("id", "neighbor", "rank", "value", "n_common")


def _heaviest_first(blocks: Blocks) -> list[tuple[int, int]]:
    """Return the pairs of blocks, those with the most pair events first, so that the last are short."""
    events = blocks.events
    return sorted(pairs_of(len(blocks)), key=lambda pair: -(events[pair[0]] + events[pair[1]]))


def _names(first: int, second: int) -> tuple[str, ...]:
    """Return the files that a pair of blocks writes: the lists of each with candidates of the other."""
    return tuple(dict.fromkeys((f"{first}-{second}.arrow", f"{second}-{first}.arrow")))


# -- in the executors -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Meet:
    """Finds the best k of each subject of two blocks among those of the other."""

    problem: Problem
    blocks: Blocks
    lists: Folder

    def __call__(self, pair: tuple[int, int]) -> tuple[int, int]:
        problem, k = self.problem, self.problem.most
        first, second = (read_block(self.blocks.folder, number) for number in pair)
        met = meeting(problem, first, None if pair[0] == pair[1] else second)
        best = _select(met, k)
        rows = 0
        for name, mine in zip(_names(*pair), (met.asks, ~met.asks), strict=False):
            labels = np.flatnonzero(mine)
            labels = labels[np.argsort(met.place[labels])]
            rows += self._write(name, met, best, labels)
        subjects = sum(self.blocks.subjects[number] for number in set(pair))
        ratings = sum(self.blocks.ratings[number] for number in set(pair))
        is_float = problem.integers is None
        bytes_ = pair_bytes(subjects, ratings, k, problem.words, floats=is_float, deferred=problem.can_defer)
        return rows, bytes_

    def _write(self, name: str, met: Meeting, best: TopK, labels: npt.NDArray[np.int64]) -> int:
        """Write settled rows: the row in the block, the other's code, the key and the count."""
        ids = met.engine.ids.ids.to_numpy()

        def batches() -> Iterator[pa.RecordBatch]:
            before = np.concatenate([[0], np.cumsum(best.size[labels])])
            start = 0
            while start < len(labels):
                stop = int(np.searchsorted(before, before[start] + _BATCH, side="right")) - 1
                stop = min(max(stop, start + 1), len(labels))
                indptr = before[start : stop + 1] - before[start]
                total = int(indptr[-1])
                other, key, n = np.empty(total, np.int32), np.empty(total), np.empty(total, np.int32)
                unpack_rows(best, labels[start:stop], 1.0, indptr, other, key, n)
                row = np.repeat(np.arange(start, stop, dtype=np.int32), np.diff(indptr))
                columns = [pa.array(row), pa.array(ids[other].astype(np.int32)), pa.array(key), pa.array(n)]
                yield pa.RecordBatch.from_arrays(columns, schema=_LIST)
                start = stop

        self.lists.write_batches(name, _LIST, batches())
        return int(best.size[labels].sum())


def _select(met: Meeting, k: int) -> TopK:
    """Offer each pair to both its sides; returns settled selections, by label."""
    engine = met.engine
    task, scratch = engine.task(both=True), engine.scratch()
    best, flag = new_topk(k, met.bound), np.zeros(1, dtype=np.uint8)
    events = engine.events(both=True)
    for _, (layout, labels, first) in engine.blocks(met.queries, events, partial(block_target, threads=1)):
        engine.select(task, layout, labels, first, scratch, best, k, flag)
    settle(best, k, 0, engine.n)
    return best


@dataclass(frozen=True)
class _Merge:
    """Merges the lists of one block's subjects, and writes them with ranks."""

    problem: Problem
    blocks: Blocks
    lists: Folder
    graph: Folder

    def __call__(self, number: int) -> tuple[int, int]:
        k = self.problem.most
        subjects = read_block(self.blocks.folder, number).subjects
        n = len(subjects)
        best = new_topk(k, np.full(n, k, dtype=np.int64))
        for other in range(len(self.blocks)):
            absorb(best, self._list(f"{number}-{other}.arrow", n), k, 0, n)
        indptr = np.concatenate([[0], np.cumsum(best.size)])
        total = int(indptr[-1])
        # Codes fill 32 bits, and ranks in ties count from 0.
        neighbor, value, n_common = np.empty(total, np.int32), np.empty(total), np.empty(total, np.int32)
        unpack_rows(best, np.arange(n), self.problem.wish.measure.sign, indptr, neighbor, value, n_common)
        rank = np.arange(1, total + 1) - np.repeat(indptr[:-1], best.size)
        columns = [
            pa.array(np.repeat(subjects, best.size)),
            pa.array(neighbor),
            pa.array(rank.astype(np.int32)),
            pa.array(value),
            pa.array(n_common.astype(np.int64)),
        ]
        self.graph.write_parquet(graph_name(number), pa.Table.from_arrays(columns, schema=_GRAPH))
        return total, merge_bytes(n, k)

    def _list(self, name: str, n: int) -> TopK:
        """Read lists as settled rows of a selection."""
        batches = list(self.lists.read_batches(name))
        table = pa.Table.from_batches(batches, schema=_LIST)
        row, other, key, common = (column.to_numpy() for column in table.columns)
        size = np.bincount(row, minlength=n).astype(np.int64)
        base = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        tie = (common.astype(np.int64) << 32) | (RANK_MASK - other.astype(np.int64))
        nothing = np.full(n, -np.inf)
        return TopK(key, tie, base, size, nothing, np.zeros(n, dtype=np.int64), nothing)
