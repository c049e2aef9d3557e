"""The neighbor table: for each subject its k closest, by the total order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import ParameterError
from corated.neighborhood.engine import Engine, Of, check_count, check_of, codes_of
from corated.neighborhood.memory import candidate_bound, check_memory
from corated.neighborhood.run import Flag, resolve_threads, run_blocks
from corated.progress import Cancel, Progress, ProgressOption, check_cancel, reporting, silent
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Ratings
from corated.similarity.kernels import Scratch, new_scratch, select_block
from corated.similarity.measures import Measure
from corated.similarity.profiles import Profiles
from corated.similarity.statistics import Layout
from corated.similarity.topk import TopK, absorb, new_topk, settle, unpack_rows
from corated.tables import Table

__all__ = ["Neighbors", "block_target", "find", "graph_of", "neighbors"]

Int64s = npt.NDArray[np.int64]

_BLOCKS_PER_THREAD = 24
_LARGEST_BLOCK = 20_000_000
"""Pair events a block may have: below 0.1 s of work, since a thread is stopped between queries."""
_SMALLEST_BLOCK = 50_000
_ROWS = 8192
"""Rows that a thread sorts and merges at a time."""


@dataclass(frozen=True, eq=False, repr=False)
class Neighbors(Table):
    """Each subject's nearest neighbors, best first: columns id, neighbor, rank, value, n_common.

    Order of rows: by id, then rank from 1. Among neighbors: better value first, then more common ratings,
    then the smaller id. A subject without any defined neighbor has no rows.

    ids : the subjects, by code
    subjects : int64 (m,), codes of the subjects asked for, ascending
    indptr : int64 (m + 1,), rows of the arrays below
    neighbor : int32, codes;  value : float64;  n_common : int32
    """

    side: Of
    measure: Measure
    k: int
    min_common: int
    ids: IdMap
    subjects: Int64s
    indptr: Int64s
    neighbor: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    n_common: npt.NDArray[np.int32]

    @cached_property
    def _table(self) -> pa.Table:
        return self._rows(np.arange(len(self.subjects)))

    def _rows(self, positions: Int64s) -> pa.Table:
        sizes = self.indptr[positions + 1] - self.indptr[positions]
        ends = np.cumsum(sizes)
        rank = np.arange(int(sizes.sum())) - np.repeat(ends - sizes, sizes)
        at = rank + np.repeat(self.indptr[positions], sizes)
        return pa.table(
            {
                "id": self.ids.take(np.repeat(self.subjects[positions], sizes)),
                "neighbor": self.ids.take(self.neighbor[at]),
                "rank": pa.array((rank + 1).astype(np.int32)),
                "value": pa.array(self.value[at]),
                "n_common": pa.array(self.n_common[at].astype(np.int64)),
            }
        )

    def of_code(self, code: int) -> slice:
        """Return where the neighbors of a subject code stand in the arrays; empty if it was not asked for."""
        at = self._position(code)
        return slice(0, 0) if at is None else slice(int(self.indptr[at]), int(self.indptr[at + 1]))

    def _position(self, code: int) -> int | None:
        """Return where a code stands among the subjects asked for."""
        at = int(np.searchsorted(self.subjects, code))
        return at if at < len(self.subjects) and self.subjects[at] == code else None

    def of(self, subject: Id) -> Table:
        """Return the neighbors of one subject, best first.

        Raises `UnknownIdError` for an id that is not in the data, and `ParameterError` for one that is,
        but was not among the subjects asked for.
        """
        at = self._position(self.ids.code(subject))
        if at is None:
            raise ParameterError(
                f"{subject!r} was not among the subjects when these neighbors were made.",
                hint="call neighbors(...) without subjects=, or with this one in it",
            )
        return Table(self._rows(np.array([at])))

    def __repr__(self) -> str:
        head = (
            f"Neighbors of {self.side}: {self.measure.name}, k={self.k}, min_common={self.min_common}, "
            f"{len(self.subjects):,} subjects, {len(self.neighbor):,} rows"
        )
        return head + "\n" + super().__repr__()


def neighbors(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    subjects: Iterable[Id] | None = None,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Neighbors:
    """Find the k nearest neighbors of every user (or item), exactly.

    of : ``"users"`` or ``"items"``
    measure : a name from `corated.similarity.measures.MEASURES`
    k : neighbors each; fewer where fewer have a value
    min_common : pairs with fewer co-rated ratings are no neighbors
    subjects : the ids to find neighbors for, or one id; None for everyone
    threads : None for every core; the result does not depend on it, to the last bit
    progress, cancel : see `corated.progress`

    Raises `ParameterError`, `UnknownIdError`, `DataError` or `Cancelled`.
    """
    k = check_count("k", k)
    engine = Engine.build(ratings, of=of, measure=measure, min_common=min_common)
    threads = resolve_threads(threads)
    check_cancel(cancel)
    wanted = None if subjects is None else np.unique(codes_of(engine.ids, subjects))
    with reporting(progress, f"neighbors of {of}") as report:
        return graph_of(engine, check_of(of), k, wanted, threads, report, cancel)


def graph_of(
    engine: Engine, side: Of, k: int, codes: Int64s | None, threads: int, progress: Progress, cancel: Cancel
) -> Neighbors:
    """Find the neighbors of all subjects (``codes`` None), or of the ascending ``codes``."""
    best, rows = find(engine, min(k, max(engine.n - 1, 1)), codes, threads, progress, cancel)
    everyone = np.arange(engine.n) if codes is None else codes
    return _graph(engine, side=side, k=k, codes=everyone, best=best, rows=rows)


@dataclass
class _Worker:
    scratch: Scratch
    best: TopK


def find(
    engine: Engine, k: int, codes: Int64s | None, threads: int, progress: Progress, cancel: Cancel
) -> tuple[TopK, Int64s]:
    """Select the best k of all subjects (``codes`` None), or of some; returns (selection, its row by code).

    The selection is settled. For some subjects, rows follow the order of ``codes``.
    """
    both = codes is None
    profiles, task = engine.profiles, engine.task(both=both)
    events = engine.events(both=both)
    if codes is None:
        check_memory(engine, k, threads)
        queries, row_of = np.arange(engine.n), profiles.label
        bound = candidate_bound(engine, np.arange(engine.n))
    else:
        labels = profiles.label[codes]
        order = np.argsort(labels)
        queries = labels[order]
        row_of = np.empty(len(codes), dtype=np.int64)
        row_of[order] = np.arange(len(codes))
        bound = candidate_bound(engine, queries)
    total = int(events[queries].sum())
    blocks = list(engine.blocks(queries, events, block_target(total, threads)))

    def make_state() -> _Worker:
        return _Worker(new_scratch(engine.n, engine.words), new_topk(k, bound))

    def work(worker: _Worker, block: tuple[Layout, Int64s, int], flag: Flag) -> None:
        layout, labels, first = block
        select_block(profiles, layout, task, labels, first, worker.scratch, worker.best, k, flag)

    _compile(profiles, engine, k)
    workers = run_blocks(blocks, make_state, work, threads=threads, progress=progress, cancel=cancel)
    selections = [worker.best for worker in workers]
    rows = len(bound)

    def finish(_: None, start: int, flag: Flag) -> None:  # noqa: ARG001 - rows are short
        stop = min(start + _ROWS, rows)
        for best in selections:
            settle(best, k, start, stop)
        for other in selections[1:]:
            absorb(selections[0], other, k, start, stop)

    starts = [(1, start) for start in range(0, rows, _ROWS)]
    run_blocks(starts, lambda: None, finish, threads=threads, progress=silent, cancel=cancel)
    return selections[0], row_of


def block_target(total: int, threads: int) -> int:
    """Return the pair events of a block: enough blocks to share out, small enough to stop between queries."""
    return min(max(total // (threads * _BLOCKS_PER_THREAD), _SMALLEST_BLOCK), _LARGEST_BLOCK)


def _compile(profiles: Profiles, engine: Engine, k: int) -> None:
    """Compile (or load) the kernels here, where Ctrl-C can interrupt it, and not in a worker thread."""
    nobody, nothing = np.zeros(0, dtype=np.int64), new_topk(k, np.zeros(1, dtype=np.int64))
    scratch = new_scratch(1, engine.words)
    flag = np.zeros(1, dtype=np.uint8)
    select_block(
        profiles,
        engine.layouts[0],
        engine.task(both=True),
        nobody,
        0,
        scratch,
        nothing,
        k,
        flag,
    )
    settle(nothing, k, 0, 0)
    absorb(nothing, nothing, k, 0, 0)


def _graph(engine: Engine, *, side: Of, k: int, codes: Int64s, best: TopK, rows: Int64s) -> Neighbors:
    indptr = np.zeros(len(codes) + 1, dtype=np.int64)
    np.cumsum(best.size[rows], out=indptr[1:])
    total = int(indptr[-1])
    neighbor, common = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int32)
    value = np.empty(total)
    unpack_rows(best, rows, engine.measure.sign, indptr, neighbor, value, common)
    for array in (codes, indptr, neighbor, value, common):
        array.flags.writeable = False
    return Neighbors(
        side=side,
        measure=engine.measure,
        k=k,
        min_common=engine.min_common,
        ids=engine.ids,
        subjects=codes,
        indptr=indptr,
        neighbor=neighbor,
        value=value,
        n_common=common,
    )
