"""Every pair with something in common, streamed to a Parquet file in bounded memory."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corated.neighborhood.engine import Engine, Of, check_of
from corated.neighborhood.parquet import check_target, opened, passing_on
from corated.neighborhood.run import Flag, Run, resolve_threads, run_blocks
from corated.output import atomic_path
from corated.progress import Cancel, ProgressOption, reporting
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure
from corated.similarity.statistics import Layout
from corated.similarity.tasks import Pairs, Scratch, new_pairs

__all__ = ["AllPairs", "all_pairs"]

Int64s = npt.NDArray[np.int64]

_BLOCK_PAIRS = 1 << 19
"""Pairs a block may have. Not a matter of threads or memory, since blocks decide the order of the rows."""
_EVENTS_PER_PAIR = 16
"""Pair events that weigh as much as one pair written, so that dense data has no long blocks either."""
_ROW_GROUP = 1 << 20
"""Rows that are collected before they are written."""
_LOOK = 0.05
"""Seconds between two looks at the flag while waiting."""


@dataclass(frozen=True)
class AllPairs:
    """What `all_pairs` wrote.

    path : the file; rows : pairs in it; undefined : those of them whose value is null
    seconds : how long it took
    """

    path: Path
    of: Of
    measure: str
    min_common: int
    rows: int
    undefined: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return {**asdict(self), "path": str(self.path)}

    def __str__(self) -> str:
        return (
            f"{self.rows:,} pairs of {self.of} with at least {self.min_common:,} in common, {self.measure}, "
            f"{self.undefined:,} of them undefined: {self.path}, {self.seconds:.1f} s"
        )


def all_pairs(
    ratings: Ratings,
    *,
    to: str | os.PathLike[str],
    of: str = "users",
    measure: str | Measure = "euclidean",
    min_common: int = 1,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> AllPairs:
    """Write every pair with enough in common to a Parquet file: each once, id < neighbor.

    Where the measure depends on who asks, each pair is there twice: ``id`` asks.

    to : the Parquet file, written beside itself and moved into place at the end
    of : ``"users"`` or ``"items"``
    measure : a record of `corated.measures`, or its shorthand, such as ``"pearson(shrink=100)"``
    min_common : pairs with fewer co-rated ratings are left out
    threads : None for every core
    progress, cancel : see `corated.progress`

    Columns: id, neighbor (id < neighbor in the order of ids; text ids as a dictionary), value (float64,
    null where the measure is undefined), n_common (int64). The order of the rows is not sorted, but always
    the same: threads and the order of the ratings' rows play no part.

    Raises `ParameterError`, `DataError`, `OutputError` or `Cancelled`; then, and with Ctrl-C, the file that
    stood there before is unharmed.
    """
    start = time.perf_counter()
    target = check_target(to, "pairs.parquet")
    engine = Engine.build(ratings, of=of, measure=measure, min_common=min_common, valued=False)
    threads = resolve_threads(threads)
    with (
        passing_on() as passing,
        atomic_path(target) as path,
        opened(path, _schema(engine)) as writer,
        reporting(progress, f"pairs of {of}") as report,
    ):
        sink = _Sink(writer, threads)
        _run(engine, sink, Run(threads, passing(report), cancel))
        sink.finish()
    return AllPairs(
        path=target,
        of=check_of(of),
        measure=str(engine.measure),
        min_common=engine.min_common,
        rows=sink.rows,
        undefined=sink.undefined,
        seconds=time.perf_counter() - start,
    )


@dataclass
class _Worker:
    scratch: Scratch
    pairs: Pairs


def _run(engine: Engine, sink: _Sink, run: Run) -> None:
    """Compute all blocks and hand them to the sink."""
    task = engine.task(both=engine.measure.symmetric, screen=False)
    blocks, most = _blocks(engine)
    names = _names(engine)
    schema = _schema(engine)
    # Compiled here, where Ctrl-C can interrupt it, and not in a worker thread.
    flag, nobody = np.zeros(1, dtype=np.uint8), np.zeros(0, dtype=np.int64)
    engine.emit(task, engine.layouts[0], nobody, engine.scratch(), new_pairs(0), flag)

    def make_state() -> _Worker:
        return _Worker(engine.scratch(), new_pairs(most))

    def work(worker: _Worker, block: tuple[int, Layout, Int64s], flag: Flag) -> None:
        number, layout, labels = block
        count = engine.emit(task, layout, labels, worker.scratch, worker.pairs, flag)
        if flag[0] == 0:
            sink.put(number, _batch(worker.pairs, count, names, engine, schema), flag)

    run_blocks(blocks, make_state, work, run)


def _blocks(engine: Engine) -> tuple[list[tuple[int, tuple[int, Layout, Int64s]]], int]:
    """Return the blocks as (events, (number, layout, labels)), and the most pairs that one can have."""
    both = engine.measure.symmetric
    events = engine.events(both=both)
    # A pair with m in common takes m events; where it is met once, a query meets only those after itself.
    others = engine.n - 1 - np.arange(engine.n) if both else engine.n - 1
    pairs = np.minimum(events // engine.min_common, others)
    cost = np.maximum(pairs, events // _EVENTS_PER_PAIR)
    blocks = []
    most = 0
    for number, (_, (layout, labels, _)) in enumerate(engine.blocks(np.arange(engine.n), cost, _BLOCK_PAIRS)):
        blocks.append((int(events[labels].sum()), (number, layout, labels)))
        most = max(most, int(pairs[labels].sum()))
    return blocks, most


def _names(engine: Engine) -> Int64s | npt.NDArray[np.int32]:
    """Return what stands for each label in the file: integer ids themselves, or places in the dictionary."""
    rank = engine.profiles.rank
    if engine.ids.kind == "integer":
        ids: Int64s = engine.ids.ids.to_numpy()[rank]
        return ids
    return rank.astype(np.int32)


def _schema(engine: Engine) -> pa.Schema:
    kind = engine.ids.ids.type
    if engine.ids.kind == "text":
        kind = pa.dictionary(pa.int32(), kind)
    return pa.schema([("id", kind), ("neighbor", kind), ("value", pa.float64()), ("n_common", pa.int64())])


def _batch(
    pairs: Pairs, count: int, names: npt.NDArray[np.integer], engine: Engine, schema: pa.Schema
) -> pa.RecordBatch:
    """Turn emitted pairs into rows; the buffers of ``pairs`` are free for the next block afterwards."""
    first, second = names[pairs.first[:count]], names[pairs.second[:count]]
    ends = [pa.array(first), pa.array(second)]
    if engine.measure.symmetric:
        ends = [pa.array(np.minimum(first, second)), pa.array(np.maximum(first, second))]
    if engine.ids.kind == "text":
        ends = [pa.DictionaryArray.from_arrays(codes, engine.ids.ids) for codes in ends]
    value = pairs.value[:count].copy()
    columns = [*ends, pa.array(value, mask=np.isnan(value)), pa.array(pairs.n[:count].copy())]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Sink:
    """Takes blocks in any order and writes them in theirs; whoever brings the next one writes.

    At most a few blocks wait. The thread with the next block never waits, so there is always one that
    goes on.
    """

    def __init__(self, writer: pq.ParquetWriter, threads: int) -> None:
        self.rows = 0
        self.undefined = 0
        self._writer = writer
        self._most_waiting = threads + 1
        self._waiting: dict[int, pa.RecordBatch] = {}
        self._next = 0
        self._is_writing = False
        self._changed = threading.Condition()
        self._group: list[pa.RecordBatch] = []
        self._group_rows = 0

    def put(self, number: int, batch: pa.RecordBatch, flag: Flag) -> None:
        """Hand over one block; waits while too many wait already and the work is not stopped."""
        with self._changed:
            while number != self._next and len(self._waiting) >= self._most_waiting and flag[0] == 0:
                self._changed.wait(_LOOK)
            self._waiting[number] = batch
            if self._is_writing:
                return
            self._is_writing = True
        while flag[0] == 0:
            with self._changed:
                ready = self._waiting.pop(self._next, None)
                if ready is None:
                    self._is_writing = False
                    return
                self._next += 1
                self._changed.notify_all()
            self._append(ready)

    def finish(self) -> None:
        """Write what is left."""
        self._write_group()

    def _append(self, batch: pa.RecordBatch) -> None:
        self._group.append(batch)
        self._group_rows += batch.num_rows
        if self._group_rows >= _ROW_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        if self._group_rows:
            table = pa.Table.from_batches(self._group)
            self._writer.write_table(table, row_group_size=table.num_rows)
            self.rows += table.num_rows
            self.undefined += table["value"].null_count
        self._group, self._group_rows = [], 0
