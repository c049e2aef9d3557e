"""Finding the neighbors of a search in the way that was chosen for it, as one table or part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from corated.neighborhood.cost import block_target, soon_over
from corated.neighborhood.engine import Block, Engine
from corated.neighborhood.run import Flag, Run, run_blocks
from corated.neighborhood.table import Neighbors
from corated.neighborhood.work import ROW_BYTES, Search, Work, fitting_work
from corated.similarity.choosing import close_up, select_rows
from corated.similarity.rows import Lists, Room, Rows, alike_together, new_room, new_rows
from corated.similarity.tasks import Scratch, Task
from corated.similarity.topk import TopK, absorb, new_topk, settle, unpack_rows

__all__ = ["blocks_of", "find", "order_of", "together"]

Int64s = npt.NDArray[np.int64]

_ROWS = 8192
"""Rows that a thread sorts and merges at a time."""


def together(search: Search, run: Run) -> Neighbors:
    """Do a search and return its rows as one table; errors as for `corated.neighbors`."""
    work = fitting_work(search, run)
    parts = find(search, work, run)
    if work.parts == 1:
        return next(parts)
    sizes = np.zeros(len(search.subjects) + 1, dtype=np.int64)
    rows = done = 0
    columns: _Columns = ()
    for part in parts:
        # Room for all rows beforehand, since joining parts would take it twice; but not before the first
        # part, since counting the events took some.
        columns = columns or _columns(work.result // ROW_BYTES)
        here = slice(rows, rows + len(part))
        for whole, found in zip(columns, (part.neighbor, part.value, part.n_common), strict=True):
            whole[here] = found
        sizes[done + 1 : done + 1 + len(part.subjects)] = np.diff(part.indptr)
        rows, done = here.stop, done + len(part.subjects)
        del part  # before the next is made
    for array in columns:
        array.resize(rows, refcheck=False)  # what was too much is given back
    return _table(search, search.subjects, np.cumsum(sizes), columns)


def find(search: Search, work: Work, run: Run) -> Iterator[Neighbors]:
    """Do a search in the way chosen; yield tables of parts of its subjects, in the order of ids.

    There are as many as ``work`` has parts. Raises `Cancelled`.
    """
    _compile(search)
    at_once = soon_over(work.events, in_kernels=not search.engine.is_own)
    run = replace(run, threads=work.threads, at_once=run.at_once or at_once)
    return _all_at_once(search, work, run) if work.both else _part_by_part(search, work, run)


def blocks_of(engine: Engine, queries: Int64s, events: Int64s, threads: int) -> list[tuple[int, Block]]:
    """Cut queries (ascending labels) into blocks to share out among threads."""
    return list(engine.blocks(queries, events, partial(block_target, threads=threads)))


def order_of(search: Search, labels: Int64s) -> Int64s:
    """Return the order in which subjects are served one by one, by their labels.

    Ascending; where rows are found whole, the same profiles of one rating stand together.
    """
    return alike_together(search.engine.profiles, labels) if search.whole_rows else np.argsort(labels)


@dataclass
class _Worker:
    scratch: Scratch
    best: TopK


def _all_at_once(search: Search, work: Work, run: Run) -> Iterator[Neighbors]:
    """Meet each pair once, each thread with a selection for everyone, and merge them."""
    engine, k = search.engine, search.most
    task, events = engine.task(both=True), engine.events(both=True)
    bound, known = engine.most_candidates, engine.known(k)
    blocks = blocks_of(engine, np.arange(engine.n), events, run.threads)

    def make_state() -> _Worker:
        return _Worker(engine.scratch(), new_topk(k, bound, known))

    def serve(worker: _Worker, block: Block, flag: Flag) -> None:
        layout, labels, first = block
        engine.select(task, layout, labels, first, worker.scratch, worker.best, k, flag)

    workers = run_blocks(blocks, make_state, serve, run)
    best = _merged([worker.best for worker in workers], k, run)
    del workers
    for start, stop in pairwise(work.cuts):
        codes = search.subjects[start:stop]
        yield _unpacked(search, codes, best, engine.profiles.label[codes])


def _merged(selections: list[TopK], k: int, run: Run) -> TopK:
    """Settle selections of disjoint candidates and merge them into the first."""
    rows = len(selections[0].size)

    def finish(_: None, start: int, flag: Flag) -> None:  # noqa: ARG001 - rows are short
        stop = min(start + _ROWS, rows)
        for best in selections:
            settle(best, k, start, stop)
        for other in selections[1:]:
            absorb(selections[0], other, k, start, stop)

    starts = [(1, start) for start in range(0, rows, _ROWS)]
    run_blocks(starts, lambda: None, finish, run.quietly())
    return selections[0]


@dataclass(frozen=True)
class _Shared:
    """What all parts of a search share; arrays are by label.

    scratches : those of threads that have ended, for the next
    """

    tasks: list[Task]
    events: Int64s
    bound: Int64s
    known: npt.NDArray[np.float64]
    scratches: list[Scratch]


@dataclass(frozen=True)
class _Whole:
    """The same where rows are found whole."""

    task: Task
    events: Int64s
    bound: Int64s
    rows: Rows
    rooms: list[Room]


def _part_by_part(search: Search, work: Work, run: Run) -> Iterator[Neighbors]:
    """Serve part after part of the subjects; each meets all candidates, piece by piece."""
    engine, codes = search.engine, search.subjects
    events = engine.events(both=False)
    bound, tasks = engine.most_candidates, _tasks(engine, work.pieces)
    shared: _Shared | _Whole
    if search.whole_rows:
        rows = new_rows(engine.profiles, engine.layouts[0], tasks[0], events)
        shared = _Whole(tasks[0], events, np.minimum(bound, search.most), rows, [])
        _compile_whole(search, shared)
        shared.rooms.append(search.room)
    else:
        shared = _Shared(tasks, events, bound, engine.known(search.most), [])
    total, done = int(events[engine.profiles.label[codes]].sum()), 0
    for start, stop in pairwise(work.cuts):
        part = codes[start:stop]
        within = run.within(done, total)
        if isinstance(shared, _Whole):
            yield _served_whole(search, shared, part, within)
        else:
            yield _served(search, shared, part, within)
        done += int(events[engine.profiles.label[part]].sum())


def _served(search: Search, shared: _Shared, codes: Int64s, run: Run) -> Neighbors:
    """Find the neighbors of some subjects; threads share the selection, since rows are each one's own."""
    engine, k = search.engine, search.most
    labels = engine.profiles.label[codes]
    order = order_of(search, labels)
    queries, rows = labels[order], np.empty(len(codes), dtype=np.int64)
    rows[order] = np.arange(len(codes))
    best = new_topk(k, shared.bound[queries], shared.known[queries])

    def make_state() -> Scratch:
        return shared.scratches.pop() if shared.scratches else engine.scratch()

    def serve(scratch: Scratch, block: Block, flag: Flag) -> None:
        layout, labels, first = block
        for task in shared.tasks:
            engine.select(task, layout, labels, first, scratch, best, k, flag)
        settle(best, k, first, first + len(labels))

    blocks = blocks_of(engine, queries, shared.events, run.threads)
    shared.scratches.extend(run_blocks(blocks, make_state, serve, run))
    return _unpacked(search, codes, best, rows)


def _served_whole(search: Search, shared: _Whole, codes: Int64s, run: Run) -> Neighbors:
    """Find the neighbors of some subjects, each written to where it stays; gaps are closed at the end."""
    engine, k = search.engine, search.most
    labels = engine.profiles.label[codes]
    order = order_of(search, labels)
    lists = _new_lists(search, shared.bound[labels])

    def make_state() -> Room:
        return shared.rooms.pop() if shared.rooms else new_room(engine.profiles, k)

    def serve(room: Room, block: Block, flag: Flag) -> None:
        _, labels, first = block
        to = order[first : first + len(labels)]
        select_rows(engine.profiles, shared.rows, shared.task, labels, to, room, lists, k, flag)

    blocks = blocks_of(engine, labels[order], shared.events, run.threads)
    shared.rooms.extend(run_blocks(blocks, make_state, serve, run))
    indptr = np.zeros(len(codes) + 1, dtype=np.int64)
    np.cumsum(lists.size, out=indptr[1:])
    columns = (lists.neighbor, lists.value, lists.common)
    if indptr[-1] < len(lists.neighbor):
        close_up(lists, indptr)
        for array in columns:
            array.resize(int(indptr[-1]), refcheck=False)
    return _table(search, codes, indptr, columns)


def _new_lists(search: Search, bound: Int64s) -> Lists:
    """Return room for rows of so many neighbors at most."""
    start = np.zeros(len(bound) + 1, dtype=np.int64)
    np.cumsum(bound, out=start[1:])
    neighbor, value, common = _columns(int(start[-1]))
    size = np.zeros(len(bound), dtype=np.int64)
    return Lists(start[:-1], size, neighbor, value, common, search.engine.measure.sign)


def _tasks(engine: Engine, pieces: int) -> list[Task]:
    """Return one task for each piece of the candidates."""
    if pieces == 1:
        return [engine.task(both=False)]
    cuts = np.linspace(0, engine.n, pieces + 1).astype(np.int64).tolist()
    return [engine.task(both=False, candidates=(low, high)) for low, high in pairwise(cuts)]


def _compile(search: Search) -> None:
    """Compile (or load) the kernels here, where Ctrl-C can interrupt it, and not in a worker thread."""
    if search.whole_rows:
        return  # as soon as there are rows
    engine, k = search.engine, search.most
    nobody, nothing = np.zeros(0, dtype=np.int64), new_topk(k, np.zeros(1, dtype=np.int64))
    flag = np.zeros(1, dtype=np.uint8)
    engine.select(engine.task(both=True), engine.layouts[0], nobody, 0, engine.scratch(), nothing, k, flag)
    settle(nothing, k, 0, 0)
    absorb(nothing, nothing, k, 0, 0)


def _compile_whole(search: Search, shared: _Whole) -> None:
    """Do the same for whole rows."""
    nobody, nothing = np.zeros(0, dtype=np.int64), _new_lists(search, np.zeros(1, dtype=np.int64))
    profiles, k, flag = search.engine.profiles, search.most, np.zeros(1, dtype=np.uint8)
    select_rows(profiles, shared.rows, shared.task, nobody, nobody, search.room, nothing, k, flag)
    close_up(nothing, np.zeros(2, dtype=np.int64))


def _unpacked(search: Search, codes: Int64s, best: TopK, rows: Int64s) -> Neighbors:
    """Copy settled rows out, one for each code."""
    indptr = np.zeros(len(codes) + 1, dtype=np.int64)
    np.cumsum(best.size[rows], out=indptr[1:])
    total = int(indptr[-1])
    columns = _columns(total)
    unpack_rows(best, rows, search.engine.measure.sign, indptr, *columns)
    return _table(search, codes, indptr, columns)


_Columns = tuple[npt.NDArray[Any], ...]
"""The rows' neighbor (int32), value (float64) and n_common (int32)."""


def _columns(rows: int) -> _Columns:
    return np.empty(rows, dtype=np.int32), np.empty(rows), np.empty(rows, dtype=np.int32)


def _table(search: Search, codes: Int64s, indptr: Int64s, columns: _Columns) -> Neighbors:
    """Make the table of (neighbor, value, n_common)."""
    for array in (codes, indptr, *columns):
        array.flags.writeable = False
    neighbor, value, common = columns
    return Neighbors(
        side=search.side,
        measure=search.engine.measure,
        k=search.k,
        min_common=search.engine.asked,
        ids=search.engine.ids,
        subjects=codes,
        indptr=indptr,
        neighbor=neighbor,
        value=value,
        n_common=common,
    )
