"""What a search on a cluster will take, told before it runs: blocks, tasks, bytes, pair events, seconds."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from corated.errors import MemoryLimitError, ParameterError
from corated.neighborhood.engine import check_count
from corated.neighborhood.memory import bytes_of, size_of
from corated.similarity.measures import Measure
from corated.spark.blocks import degrees
from corated.spark.number import parallelism
from corated.spark.problem import Wish
from corated.spark.ratings import SparkRatings, given_ratings
from corated.spark.size import PROCESS, merge_bytes, pair_bytes, tasks_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Plan", "choose_blocks", "plan"]

_TASKS_PER_CORE = 3
_MOST_BLOCKS = 1024
_EVENTS_WORTH_A_TASK = 200_000_000
"""Pair events below which cutting work for one more core costs more than it gains."""
_NS_EVENT, _NS_CUT = 4.0, 3000.0
"""For each pair event, and for each rating while blocks are cut."""
_SECONDS_A_TASK, _SECONDS_A_SEARCH = 0.3, 5.0
"""Sending a task, reading two blocks and writing two files, at least; the stages before the first one."""


@dataclass(frozen=True)
class Plan:
    """What `neighbors` with the same arguments will take; see `plan`.

    n, n_ratings : subjects and ratings;  events : pair events, each unordered pair once; exact
    blocks, tasks, merges : of the subjects; pairs of blocks, each a task; tasks that merge
    cores : tasks that can run at the same time now
    bytes_task : the most that a task takes, its Python process included; bytes_process : of which the process
    bytes_read : what all tasks read of block files, before compression; bytes_lists : what they write
    rows : of the result, at most;  seconds : a rough estimate on these cores
    """

    of: str
    measure: str
    k: int
    min_common: int
    n: int
    n_ratings: int
    events: int
    blocks: int
    tasks: int
    merges: int
    cores: int
    bytes_task: int
    bytes_process: int
    bytes_read: int
    bytes_lists: int
    rows: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"neighbors of {self.n:,} {self.of}: {self.measure}, k={self.k}, "
                f"min_common={self.min_common}",
                f"  work    {self.events:,} pair events, {self.blocks:,} blocks, {self.tasks:,} tasks and "
                f"{self.merges:,} that merge, {self.cores:,} at a time",
                f"  time    about {self.seconds:,.0f} s on these cores",
                f"  memory  at most {size_of(self.bytes_task)} a task, {size_of(self.bytes_process)} of it "
                f"the Python process",
                f"  files   {size_of(self.bytes_read)} read, {size_of(self.bytes_lists)} written at most",
            ]
        )


def plan(
    ratings: SparkRatings | DataFrame | str | os.PathLike[str],
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    blocks: int | None = None,
    memory: int | str = "1 GB",
    work: str | os.PathLike[str] | None = None,
) -> Plan:
    """Tell what `neighbors` with these arguments will take, without doing it.

    The ratings are read and numbered, if they are not yet, and their pair events counted.
    """
    made = given_ratings(ratings, work=work)
    wish = Wish.of(made, of, measure, k, min_common)
    count = choose_blocks(made, wish, blocks, memory)
    n, events = made.size(wish.side), _events(made, wish.side)
    cores, tasks = parallelism(made.spark), tasks_of(count)
    most = min(wish.k, max(n - 1, 1))
    rating = 9 if made.scale is not None else 16
    return Plan(
        of=wish.side,
        measure=str(wish.measure),
        k=wish.k,
        min_common=wish.min_common,
        n=n,
        n_ratings=made.n_ratings,
        events=events // 2,
        blocks=count,
        tasks=tasks,
        merges=count,
        cores=cores,
        bytes_task=task_bytes(made, wish, count),
        bytes_process=PROCESS,
        bytes_read=rating * made.n_ratings * (count + 1) + 4 * n * count,
        bytes_lists=20 * n * min(most * count, n),
        rows=n * most,
        seconds=_SECONDS_A_SEARCH
        + made.n_ratings * _NS_CUT * 1e-9 / cores
        + (events / 2 * _NS_EVENT * 1e-9 + _SECONDS_A_TASK * (tasks + count)) / min(cores, tasks),
    )


def task_bytes(ratings: SparkRatings, wish: Wish, count: int) -> int:
    """Return the most bytes of a task, with so many blocks of equal size."""
    n = ratings.size(wish.side)
    blocks = min(2, count)
    subjects, entries = -(-n * blocks // count), -(-ratings.n_ratings * blocks // count)
    k = min(wish.k, max(n - 1, 1))
    pair = pair_bytes(subjects, entries, k, 3, floats=True, deferred=wish.min_common > 1)
    return max(pair, merge_bytes(-(-n // count), k))


def choose_blocks(ratings: SparkRatings, wish: Wish, blocks: int | None, memory: int | str) -> int:
    """Return how many blocks there will be: those asked for, or what memory and cores ask for.

    Raises `MemoryLimitError` where no number of blocks is enough.
    """
    n, limit = ratings.size(wish.side), bytes_of(memory)
    assert limit is not None
    if blocks is not None:
        return min(check_count("blocks", blocks), n)
    if limit <= PROCESS:
        raise ParameterError(
            f"memory={memory!r} is less than a Python process with the kernels takes.",
            expected=f"more than {size_of(PROCESS)}",
            hint='try memory="1 GB"',
        )
    cores = parallelism(ratings.spark)
    wanted = min(cores * _TASKS_PER_CORE, 1 + _events(ratings, wish.side) // _EVENTS_WORTH_A_TASK)
    count = 1
    while count < n and (task_bytes(ratings, wish, count) > limit or tasks_of(count) < wanted):
        count += 1
        if count > _MOST_BLOCKS:
            break
    if task_bytes(ratings, wish, count) > limit:
        raise MemoryLimitError(
            f"A task would take {size_of(task_bytes(ratings, wish, count))} with {count:,} blocks, more than "
            f"memory={size_of(limit)}.",
            hint="raise memory, or lower k",
        )
    return count


def _events(ratings: SparkRatings, side: str) -> int:
    """Return the pair events, each pair from both sides."""
    from pyspark.sql import functions as fn

    total = degrees(ratings, side).agg(fn.sum("events")).collect()[0][0]
    return int(total) - ratings.n_ratings
