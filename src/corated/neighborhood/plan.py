"""What `neighbors` will take, told before it runs: pair events, memory, seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from corated.neighborhood.engine import Engine, Of, check_count, check_of
from corated.neighborhood.graph import block_target
from corated.neighborhood.memory import available_memory, memory_of, size_of
from corated.neighborhood.run import resolve_threads
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure

__all__ = ["Plan", "available_memory", "plan"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Nanoseconds of one core: a fit to 126 runs of `neighbors` (three data sets, both sides, every measure,
# min_common of 1, 3 and 10; x86-64), which it meets within a factor of two, the estimate of pairs included.
_NS_EVENT = 0.65
"""One co-rated rating of one pair added up."""
_NS_MET = 0.3
"""One pair with something in common looked at and cleared."""
_NS_PAIR = 6.2
"""One pair with enough in common evaluated and offered to both sides."""
_NS_ROW = 130.0
"""One row of the result sorted, merged and copied out."""
_NS_SUBJECT = 125.0
_NS_RATING = 40.0
_SECONDS_AT_LEAST = 0.001

_SAMPLE_EVENTS = 10_000_000
"""Pair events that the estimate of pairs may count for real."""
_SAMPLE_MOST = 48
_SAMPLE_LEAST = 8
_MARGIN = 0.9
"""The part of the available memory that a plan may use."""


@dataclass(frozen=True)
class Plan:
    """What `neighbors` with the same arguments will take; see `plan`.

    n, n_ratings : subjects, and ratings between them and their objects
    events : ratings in common, over all pairs that are visited; exact
    pairs : pairs with at least ``min_common`` in common; estimated from a few subjects
    rows : rows of the result; estimated likewise, pairs that are flat or zero not taken off
    blocks : pieces of work; words : 8-byte words of one pair's sums
    bytes_profiles : the ratings rearranged; exact, and already there when the plan is
    bytes_thread : the most that each thread takes; bytes_result : the most that the result takes
    bytes_peak : the most at one time, on top of what the process uses without it
    bytes_available : what this process can still get, None where the system does not tell
    seconds : a rough estimate, with kernels that are compiled already
    fits : whether what is still to be taken is there
    advice : what to change where it does not fit; empty where it does
    """

    of: Of
    measure: str
    k: int
    min_common: int
    threads: int
    n: int
    n_ratings: int
    events: int
    pairs: int
    rows: int
    blocks: int
    words: int
    bytes_profiles: int
    bytes_thread: int
    bytes_result: int
    bytes_peak: int
    bytes_available: int | None
    seconds: float
    fits: bool
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return asdict(self)

    def __str__(self) -> str:
        there = "unknown" if self.bytes_available is None else size_of(self.bytes_available)
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        pairs = f"{self.events:,} pair events, about {_round(self.pairs):,} pairs, {self.blocks:,} blocks"
        lines = [
            f"neighbors of {self.n:,} {self.of}: {self.measure}, k={self.k}, min_common={self.min_common}",
            f"  work    {pairs}",
            f"  time    about {_seconds(self.seconds)} on {threads}",
            f"  memory  at most {size_of(self.bytes_peak)}: ratings {size_of(self.bytes_profiles)}, "
            f"each thread {size_of(self.bytes_thread)}, result {size_of(self.bytes_result)}; "
            f"available {there}",
        ]
        return "\n".join([*lines, *([] if self.fits else [f"  does not fit: {self.advice}"])])


def plan(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    threads: int | None = None,
) -> Plan:
    """Tell what `neighbors` with these arguments will take, without doing it.

    Arguments and errors as for `neighbors`. The ratings are rearranged as `neighbors` would do, and kept so;
    the rest is arithmetic, and counting for a few dozen subjects.
    """
    k = check_count("k", k)
    engine = Engine.build(ratings, of=of, measure=measure, min_common=min_common)
    threads = resolve_threads(threads)
    events = engine.events(both=True)
    total = int(events.sum())
    target = block_target(total, threads)
    met, pairs, rows = _estimate(engine, k)
    blocks = sum(1 for _ in engine.blocks(np.arange(engine.n), events, target))
    memory = memory_of(engine, k, max(1, min(threads, blocks)))
    available = available_memory()
    fits = available is None or memory.to_take <= available * _MARGIN
    return Plan(
        of=check_of(of),
        measure=engine.measure.name,
        k=k,
        min_common=engine.min_common,
        threads=threads,
        n=engine.n,
        n_ratings=len(engine.profiles.objects),
        events=total,
        pairs=pairs,
        rows=rows,
        blocks=blocks,
        words=engine.words,
        bytes_profiles=memory.profiles,
        bytes_thread=memory.thread,
        bytes_result=memory.result,
        bytes_peak=memory.profiles + memory.to_take,
        bytes_available=available,
        seconds=_time(engine, threads, total, met, pairs, rows),
        fits=fits,
        advice="" if available is None or fits else _advice(engine, k, threads, int(available * _MARGIN)),
    )


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


def _time(engine: Engine, threads: int, events: int, met: int, pairs: int, rows: int) -> float:
    """Return the seconds of the work; selecting is shared among threads, what surrounds it is not."""
    shared = events * _NS_EVENT + met * _NS_MET + pairs * _NS_PAIR
    alone = rows * _NS_ROW + engine.n * _NS_SUBJECT + len(engine.profiles.objects) * _NS_RATING
    return _SECONDS_AT_LEAST + (shared / threads + alone) * 1e-9


def _advice(engine: Engine, k: int, threads: int, room: int) -> str:
    """Name the first change that makes it fit: fewer threads, fewer neighbors, more in common."""
    tries = [(1, k, engine.min_common), (1, min(k, 10), engine.min_common)]
    tries += [(1, min(k, 10), least) for least in (3, 10) if least > engine.min_common]
    for fewer, smaller, least in tries:
        if memory_of(replace(engine, min_common=least), smaller, fewer).to_take <= room:
            changes = [f"threads={fewer}"] if threads > 1 else []
            changes += [f"k={smaller}"] if smaller < k else []
            changes += [f"min_common={least}"] if least > engine.min_common else []
            return f"{' and '.join(changes)} would fit."
    return "ask for a part of the subjects at a time with subjects=, or take a machine with more memory."


def _seconds(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1g} s" if seconds < 1 else f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _round(n: int) -> int:
    """Round an estimate to two digits."""
    return int(float(f"{n:.2g}"))
