"""What `neighbors` will take, told before it runs: pair events, memory, seconds."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from corated.neighborhood.cost import Counts, seconds_of
from corated.neighborhood.engine import Engine, Of
from corated.neighborhood.find import blocks_of, order_of
from corated.neighborhood.graph import Wanted, search_of
from corated.neighborhood.memory import available_memory, bytes_of, size_of
from corated.neighborhood.parquet import check_target
from corated.neighborhood.run import resolve_threads
from corated.neighborhood.work import Search, Work, advice, held, preparation, room_for_work, work_of
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure

__all__ = ["Plan", "available_memory", "plan"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SAMPLE_EVENTS = 10_000_000
"""Pair events that the estimate of pairs may count for real."""
_SAMPLE_MOST = 48
_SAMPLE_LEAST = 8


@dataclass(frozen=True)
class Plan:
    """What `neighbors` with the same arguments will take; see `plan`.

    strategy : ``"both"``: each pair is met once and serves both sides, and each thread keeps a selection for
        everyone; ``"one-sided"``: subjects are served part by part, which takes less memory
    threads : how many will run, where all that were asked for would take too much
    n, n_ratings : subjects, and ratings between them and their objects
    events : ratings in common, over all pairs that are visited; exact
    pairs : pairs with at least ``min_common`` in common; estimated from a few subjects
    rows : rows of the result; estimated likewise, pairs that are flat or zero not taken off
    parts : of the subjects, served one after another; blocks : pieces of work in them
    words : 8-byte words of one pair's sums
    bytes_profiles : the ratings rearranged; exact, and already there when the plan is
    bytes_thread : the most that each thread takes; bytes_part : one part; bytes_result : the result
    bytes_peak : the most at one time, on top of the ratings as given
    bytes_limit : the ``memory_limit``, or None
    bytes_available : what this process can still get, None where the system does not tell
    seconds : a rough estimate, with kernels that are compiled already
    fits : whether `neighbors` will run; otherwise it raises `MemoryLimitError`
    advice : what to change where it does not fit; empty where it does
    """

    of: Of
    measure: str
    k: int
    min_common: int
    strategy: Literal["both", "one-sided"]
    threads: int
    n: int
    n_ratings: int
    events: int
    pairs: int
    rows: int
    parts: int
    blocks: int
    words: int
    bytes_profiles: int
    bytes_thread: int
    bytes_part: int
    bytes_result: int
    bytes_peak: int
    bytes_limit: int | None
    bytes_available: int | None
    seconds: float
    fits: bool
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return asdict(self)

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        parts = f" in {self.parts:,} parts" if self.parts > 1 else ""
        pairs = f"{self.events:,} pair events, about {_round(self.pairs):,} pairs, {self.blocks:,} blocks"
        lines = [
            f"neighbors of {self.n:,} {self.of}: {self.measure}, k={self.k}, min_common={self.min_common}",
            f"  work    {pairs}",
            f"  time    about {_seconds(self.seconds)} on {threads}, {self.strategy}{parts}",
            f"  memory  at most {size_of(self.bytes_peak)}: ratings {size_of(self.bytes_profiles)}, "
            f"each thread {size_of(self.bytes_thread)}, {self._rest()}",
        ]
        return "\n".join([*lines, *([] if self.fits else [f"  does not fit: {self.advice}"])])

    def _rest(self) -> str:
        kept = f"result {size_of(self.bytes_result)}; " if self.strategy == "both" else ""
        if self.bytes_limit is not None:
            return f"{kept}limit {size_of(self.bytes_limit)}"
        there = "unknown" if self.bytes_available is None else size_of(self.bytes_available)
        return f"{kept}available {there}"


def plan(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    to: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    memory_limit: int | str | None = None,
) -> Plan:
    """Tell what `neighbors` with these arguments will take, without doing it; nothing is written.

    Arguments and errors as for `neighbors`, with which it agrees on whether the work fits. The ratings are
    rearranged as `neighbors` would do, and kept so; the rest is arithmetic, and counting for a few dozen
    subjects.
    """
    asked, limit = resolve_threads(threads), bytes_of(memory_limit)
    if to is not None:
        check_target(to, "graph.parquet")
    search = search_of(ratings, Wanted(of, measure, k, min_common), limit, in_parts=to is not None)
    engine, available = search.engine, available_memory()
    taken = held(engine)
    room = room_for_work(limit, taken)
    work = work_of(search, asked, room)
    events = engine.events(both=True)
    met, pairs, rows = _estimate(engine, search.k)
    n_ratings = len(engine.profiles.objects)
    accumulators = engine.n * 8 * max(engine.words, 1)
    counts = Counts(int(events.sum()), met, pairs, rows, engine.n, n_ratings, accumulators)
    return Plan(
        of=search.side,
        measure=str(engine.measure),
        k=search.k,
        min_common=engine.asked,
        strategy="both" if work.both else "one-sided",
        threads=work.threads,
        n=engine.n,
        n_ratings=n_ratings,
        events=counts.events,
        pairs=pairs,
        rows=rows,
        parts=work.parts,
        blocks=_blocks(search, work),
        words=engine.words,
        bytes_profiles=taken,
        bytes_thread=work.thread,
        bytes_part=work.part,
        bytes_result=work.result,
        bytes_peak=max(taken + work.to_take, preparation(ratings, search.side)),
        bytes_limit=limit,
        bytes_available=available,
        seconds=seconds_of(counts, both=work.both, threads=work.threads, whole=search.rows_of),
        fits=work.fits(room),
        advice="" if work.fits(room) else f"{advice(search, room, limit)}.",
    )


def _blocks(search: Search, work: Work) -> int:
    """Count the pieces of work."""
    engine, codes = search.engine, search.subjects
    events = engine.events(both=work.both)
    if work.both:
        return len(blocks_of(engine, np.arange(engine.n), events, work.threads))
    count = 0
    for start, stop in pairwise(work.cuts):
        labels = engine.profiles.label[codes[start:stop]]
        count += len(blocks_of(engine, labels[order_of(search, labels)], events, work.threads))
    return count


def _estimate(engine: Engine, k: int) -> tuple[int, int, int]:
    """Estimate the pairs with anything in common, those with ``min_common``, and the rows of the result.

    For a few subjects the pairs are counted; how many pairs come from so many events changes slowly
    with the size of a profile, by which labels are ordered, so between the few it is interpolated.
    """
    events = engine.events(both=False)
    if not events.any():
        return 0, 0, 0
    chosen = _sample(events)
    counted = np.array([_count(engine, int(label)) for label in chosen], dtype=np.float64)
    shares = counted / np.maximum(events[chosen], 1)[:, None]
    labels = np.arange(engine.n)
    met, kept, valued = (np.interp(labels, chosen, column) * events for column in shares.T)
    return round(met.sum() / 2), round(kept.sum() / 2), round(np.minimum(valued, k).sum())


def _sample(events: Int64s) -> Int64s:
    """Choose labels, ascending: half of them evenly, half where the events are."""
    n = len(events)
    heavy = float(np.sum(events.astype(np.float64) ** 2)) / float(events.sum())
    half = int(np.clip(_SAMPLE_EVENTS / heavy, _SAMPLE_LEAST, _SAMPLE_MOST)) // 2
    if n <= 2 * half:
        return np.flatnonzero(events)
    steps = (np.arange(half) + 0.5) / half
    reached = np.cumsum(events)
    where = np.searchsorted(reached, steps * reached[-1])
    first = int(np.argmax(events > 0))
    evenly = first + (steps * (n - first)).astype(np.int64)
    return np.unique(np.concatenate([where, evenly]))


def _count(engine: Engine, label: int) -> tuple[int, int, int]:
    """Count those whom one has anything, ``min_common``, or enough for a value in common with."""
    p = engine.profiles
    columns = p.objects[p.indptr[label] : p.indptr[label + 1]]
    raters = [p.raters[p.rater_ptr[column] : p.rater_ptr[column + 1]] >> p.shift for column in columns]
    common = np.bincount(np.concatenate(raters), minlength=engine.n)
    common[label] = 0
    least = engine.min_common
    enough = max(least, 2) if "sx" in engine.measure.sums else least  # one rating has no variance
    met, kept, valued = (np.count_nonzero(common >= some) for some in (1, least, enough))
    return int(met), int(kept), int(valued)


def _seconds(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1g} s" if seconds < 1 else f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _round(n: int) -> int:
    """Round an estimate to two digits."""
    return int(float(f"{n:.2g}"))
