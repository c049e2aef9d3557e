"""Every pair with something in common on a cluster: each pair of blocks writes its pairs to a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from corated.similarity.measures import Measure
from corated.similarity.tasks import new_pairs
from corated.spark.blocks import Block, Blocks, blocks_of, read_block
from corated.spark.folder import Folder
from corated.spark.meet import Meeting, meeting
from corated.spark.planning import choose_blocks
from corated.spark.problem import Problem, Wish
from corated.spark.ratings import SparkRatings, given_ratings
from corated.spark.size import pair_bytes, pairs_of
from corated.spark.tasks import run_tasks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["all_pairs"]

_PAIRS = pa.schema(
    [
        ("code", pa.int32()),
        ("neighbor_code", pa.int32()),
        ("value", pa.float64()),
        ("n_common", pa.int64()),
    ]
)
_BLOCK_PAIRS = 1 << 19
"""Pairs that are held at a time."""


def all_pairs(
    ratings: SparkRatings | DataFrame | str | os.PathLike[str],
    *,
    of: str = "users",
    measure: str | Measure = "euclidean",
    min_common: int = 1,
    blocks: int | None = None,
    memory: int | str = "1 GB",
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    work: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """Find every pair with enough in common: each once, id < neighbor; the same bits as `corated.all_pairs`.

    Where the measure depends on who asks, each pair is there twice: ``id`` asks.

    of, measure, min_common : as for `corated.all_pairs`;  the other arguments and errors as for `neighbors`

    Returns a DataFrame of id, neighbor, value (null where the measure is undefined), n_common, in no order,
    which reads files in the work folder. The driver sees none of it. A run that died goes on where it was.
    """
    made = given_ratings(ratings, user=user, item=item, rating=rating, work=work)
    wish = Wish.of(made, of, measure, 0, min_common)
    parts = blocks_of(made, wish.side, choose_blocks(made, wish, blocks, memory))
    key = hashlib.sha256(repr((wish, len(parts))).encode()).hexdigest()[:16]
    folder = made.folder.within(f"pairs-{key}")
    problem = Problem.of(made, wish, parts, valued=False)
    left = folder.left(pairs_of(len(parts)), lambda pair: pairs_name(*pair))
    run_tasks(made.spark, left, _Emit(problem, parts, folder))
    found = made.spark.read.parquet(folder.uri)
    ids = made.ids(wish.side)
    found = found.join(ids, "code").join(ids.toDF("neighbor", "neighbor_code"), "neighbor_code")
    return found.select("id", "neighbor", "value", "n_common")


def pairs_name(first: int, second: int) -> str:
    """Return the name of the file with the pairs of two blocks."""
    return f"part-{first:05d}-{second:05d}.parquet"


# -- in the executors -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Emit:
    """Writes every pair of two blocks."""

    problem: Problem
    blocks: Blocks
    folder: Folder

    def __call__(self, pair: tuple[int, int]) -> tuple[int, int]:
        problem = self.problem
        first, second = (read_block(self.blocks.folder, number) for number in pair)
        met: list[tuple[Block, Block | None]] = [(first, None if pair[0] == pair[1] else second)]
        if not problem.wish.measure.symmetric and pair[0] != pair[1]:
            met.append((second, first))
        rows = self.folder.write_rows(
            pairs_name(*pair),
            _PAIRS,
            (batch for ends in met for batch in _emitted(meeting(problem, *ends), problem)),
        )
        subjects = sum(self.blocks.subjects[number] for number in set(pair))
        ratings = sum(self.blocks.ratings[number] for number in set(pair))
        is_float = problem.integers is None
        bytes_ = pair_bytes(subjects, ratings, 0, problem.words, floats=is_float, deferred=problem.can_defer)
        return rows, bytes_ + _BLOCK_PAIRS * 200


def _emitted(met: Meeting, problem: Problem) -> Iterator[pa.RecordBatch]:
    """Yield the pairs of a meeting: of each query with whom it meets."""
    engine, symmetric = met.engine, problem.wish.measure.symmetric
    task, scratch = engine.task(both=symmetric, screen=False), engine.scratch()
    events = engine.events(both=symmetric)
    others = len(met.codes)
    most = np.minimum(events // engine.min_common, others)
    flag = np.zeros(1, dtype=np.uint8)
    for cost, (layout, labels, _) in engine.blocks(met.queries, most, _BLOCK_PAIRS):
        room = new_pairs(cost)
        count = engine.emit(task, layout, labels, scratch, room, flag)
        first, second = met.codes[room.first[:count]], met.codes[room.second[:count]]
        if symmetric:
            first, second = np.minimum(first, second), np.maximum(first, second)
        value = room.value[:count]
        columns = [
            pa.array(first),
            pa.array(second),
            pa.array(value, mask=np.isnan(value)),
            pa.array(room.n[:count]),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_PAIRS)
