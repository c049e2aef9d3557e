"""One pass over all pairs: how many share how much, how many of them have a value, and who is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.neighborhood.engine import Block, Engine
from corated.neighborhood.find import blocks_of
from corated.neighborhood.own import statistics_of, swapped
from corated.neighborhood.run import Flag, Run, run_blocks
from corated.neighborhood.tally_kernels import STATES, VALUED, Counts, new_counts, tally_block, tally_buffer
from corated.similarity.custom import Custom
from corated.similarity.formulas import CUSTOM
from corated.similarity.kernels import Buffer, new_buffer, sum_block
from corated.similarity.measures import Measure
from corated.similarity.tasks import Scratch, Task

__all__ = ["Tally", "as_if_defined", "dead_of", "is_always_defined", "is_certain", "tally"]

Int64s = npt.NDArray[np.int64]
_PAIRS = 1 << 15
"""Pairs that a function of the caller's own gets at a time."""
_SAFE = 1e150
"""Products and quotients of two numbers between 1 / this and this are neither 0 nor infinite."""
_ALWAYS = ("euclidean", "msd", "manhattan", "tversky", "overlap", "log_likelihood")
"""Formulas that are defined wherever anything is shared."""


@dataclass(frozen=True)
class Tally:
    """Counts over all unordered pairs of subjects that share something.

    pairs : int64 (largest overlap + 1, STATES), by how many they share and by state, see
        `corated.neighborhood.tally_kernels`
    most : int64 (n,) by label, the most that a subject shares with anyone
    reach : int64 (n,) by label, the most that it shares with one for whom it has a value; 0 for none
    """

    pairs: Int64s
    most: Int64s
    reach: Int64s


def is_always_defined(measure: Measure) -> bool:
    """Tell whether a measure is defined for all pairs that share something, whatever the ratings."""
    return measure.formula.code != CUSTOM and measure.formula.name in _ALWAYS


def is_certain(engine: Engine) -> bool:
    """Tell whether every pair that shares something is sure to have a value, without looking at any."""
    formula = engine.measure.formula
    if is_always_defined(engine.measure):
        return True
    if formula.whole not in ("norm", "factor"):
        return False
    has_any = engine.counts > 0
    sides = (engine.base.p[has_any], engine.base.q[has_any])
    return all(bool(((side >= 1 / _SAFE) & (side <= _SAFE)).all()) for side in sides)


def as_if_defined(found: Tally) -> Tally:
    """Return the counts of a measure that is defined for every pair, from those of another."""
    pairs = np.zeros_like(found.pairs)
    pairs[:, VALUED] = found.pairs.sum(axis=1)
    return Tally(pairs, found.most, found.most)


def dead_of(engine: Engine) -> npt.NDArray[np.uint8]:
    """Return by label, uint8 (n,), 1 for profiles that have no value with anyone: flat, or all zeros."""
    profiles, numbers, formula = engine.profiles, engine.numbers, engine.measure.formula
    dead = np.zeros(engine.n, dtype=np.uint8)
    if engine.is_own or is_always_defined(engine.measure):
        return dead
    if formula.whole in ("norm", "factor"):
        dead[engine.base.p == 0.0] = 1
        return dead
    values = profiles.values if numbers.integers is None else numbers.integers[profiles.codes]
    counts = engine.counts
    starts = profiles.indptr[:-1][counts > 0]
    alike: npt.ArrayLike = 0.0
    if formula.name == "pearson":
        alike = np.repeat(values[starts], counts[counts > 0])
    dead[counts > 0] = np.logical_and.reduceat(values == alike, starts)
    return dead


@dataclass
class _Worker:
    scratch: Scratch
    buffer: Buffer
    counts: Counts


def tally(engine: Engine, run: Run) -> Tally:
    """Count all pairs; the engine is built with a ``min_common`` of 1, and not for valued pairs only.

    Raises `Cancelled`.
    """
    profiles = engine.profiles
    # Pairs that share one thing are most of all, and where one is too few they need no evaluation.
    least = min(engine.base.least, 2)
    task = engine.task(both=True, screen=False)._replace(min_common=least, deferred=0)
    dead = dead_of(engine)
    # Nobody shares more than the second largest profile; the kernel counts at 1 in any case.
    largest = int(np.sort(np.append(engine.counts, (1, 1)))[-2])

    def make_state() -> _Worker:
        return _Worker(
            engine.scratch(), new_buffer(_PAIRS if engine.is_own else 1), new_counts(engine.n, largest)
        )

    def work(worker: _Worker, block: Block, flag: Flag) -> None:
        layout, labels, _ = block
        if engine.is_own:
            _tally_own(engine, task, block, worker, dead, flag)
        else:
            tally_block(profiles, layout, task, labels, worker.scratch, dead, worker.counts, flag)

    nobody = (engine.layouts[0], np.zeros(0, dtype=np.int64), 0)
    work(make_state(), nobody, np.zeros(1, dtype=np.uint8))  # compiles here, where Ctrl-C can interrupt it
    blocks = blocks_of(engine, np.arange(engine.n), engine.events(both=True), run.threads)
    workers = run_blocks(blocks, make_state, work, run)
    found = [worker.counts for worker in workers]
    pairs = np.sum([counts.pairs for counts in found], axis=0).reshape(-1, STATES)
    most = np.max([counts.most for counts in found], axis=0).astype(np.int64)
    reach = np.max([counts.reach for counts in found], axis=0).astype(np.int64)
    return Tally(pairs, np.maximum(most, _shares(engine)), reach)


def _tally_own(
    engine: Engine, task: Task, block: Block, worker: _Worker, dead: npt.NDArray[np.uint8], flag: Flag
) -> None:
    """Count the pairs of some queries for a measure of the caller's own."""
    measure, buffer = engine.measure, worker.buffer
    assert isinstance(measure, Custom)
    layout, labels, _ = block
    buffer.state[:] = 0
    while count := int(sum_block(engine.profiles, layout, task, labels, 0, worker.scratch, buffer, flag)):
        found = statistics_of(measure, engine.numbers, buffer, count)
        buffer.key[:count] = measure.evaluate(found)
        back = buffer.key[:count] if measure.symmetric else measure.evaluate(swapped(found))
        buffer.back[:count] = back
        tally_buffer(buffer, count, dead, worker.counts)


def _shares(engine: Engine) -> Int64s:
    """Return by label 1 for those who share anything with anyone, else 0."""
    profiles = engine.profiles
    shared = (np.diff(profiles.rater_ptr) > 1)[profiles.objects]
    before = np.zeros(len(shared) + 1, dtype=np.int64)
    np.cumsum(shared, out=before[1:])
    return (before[profiles.indptr[1:]] > before[profiles.indptr[:-1]]).astype(np.int64)
