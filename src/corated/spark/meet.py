"""Two blocks meet: an engine over both, in which the subjects of the one ask and those of the other answer.

The profiles of both are put together by code, so codes rank as they do among all. Lists of raters have the
subjects of the second block alone; a query of the first then walks past all of them, each pair is met once,
and its value serves both. A block that meets itself is the case of one machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.neighborhood.engine import Engine, task_of
from corated.neighborhood.numbers import Numbers, counted, float_numbers, whole_of
from corated.ratings.ids import IdMap
from corated.similarity.profiles import Profiles, arrange, popular, relabeled
from corated.similarity.tasks import INTEGERS
from corated.similarity.values import Entries
from corated.spark.blocks import Block
from corated.spark.problem import Problem

__all__ = ["Meeting", "meeting"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Meeting:
    """An engine, and who asks in it.

    queries : int64, labels of those who ask, ascending
    codes : int32, by label, the subjects' own codes
    place : int64, by label, the row of a subject in its block
    asks : bool, by label: whether a subject is of the first block
    bound : int64, by label, how many candidates each can have at most
    """

    engine: Engine
    queries: Int64s
    codes: npt.NDArray[np.int32]
    place: Int64s
    asks: Bools
    bound: Int64s


@dataclass(frozen=True)
class _Both:
    """Two blocks in one, by code: rows of objects (counted from 0), and which rows are of the second."""

    subjects: npt.NDArray[np.int32]
    place: Int64s
    indptr: Int64s
    objects: npt.NDArray[np.int32]
    ratings: npt.NDArray[np.generic]
    n_objects: int
    is_second: Bools
    is_first: Bools


def meeting(problem: Problem, first: Block, second: Block | None) -> Meeting:
    """Make ready what a pair of blocks needs; ``second`` is None where a block meets itself."""
    both = _joined(first, second)
    numbers = _numbers(problem, both)
    if second is not None:
        numbers = replace(numbers, profiles=_answering(numbers.profiles, both.is_second))
    profiles = numbers.profiles
    lookup = popular(profiles) if problem.can_defer else popular(profiles, limit=0)
    measure, wish = problem.wish.measure, problem.wish
    deferred = problem.effective - 1 if problem.can_defer else 0
    engine = Engine(
        measure=measure,
        ids=IdMap(pa.array(both.subjects.astype(np.int64))),
        numbers=numbers,
        asked=wish.min_common,
        min_common=problem.effective,
        base=task_of(measure, numbers, problem.effective, problem.least, lookup, deferred),
    )
    rank = profiles.rank
    asks = both.is_first[rank]
    bound = _bound(profiles, asks, second is not None) // problem.effective
    others = np.where(asks, int(both.is_second.sum()), int(both.is_first.sum())) - int(second is None)
    return Meeting(
        engine,
        np.flatnonzero(asks),
        both.subjects[rank],
        both.place[rank],
        asks,
        np.minimum(bound, others).astype(np.int64),
    )


def _joined(first: Block, second: Block | None) -> _Both:
    """Put two blocks together by code, and count objects from 0, in their order."""
    parts = [first] if second is None else [first, second]
    subjects = np.concatenate([part.subjects for part in parts])
    of = np.repeat(np.arange(len(parts)), [len(part.subjects) for part in parts])
    place = np.concatenate([np.arange(len(part.subjects)) for part in parts])
    order = np.argsort(subjects, kind="stable")
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    objects = np.concatenate([part.objects for part in parts])
    ratings = np.concatenate([part.ratings for part in parts])
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    indptr = np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int64)
    if second is not None:
        source = np.repeat(starts[order] - indptr[:-1], counts[order]) + np.arange(len(objects))
        objects, ratings = objects[source], ratings[source]
    is_there = np.zeros(int(objects.max(initial=-1)) + 1, dtype=np.bool_)
    is_there[objects] = True
    number = (np.cumsum(is_there, dtype=np.int32) - 1).astype(np.int32)
    n_objects = int(is_there.sum())
    is_first = of[order] == 0
    is_second = is_first if second is None else ~is_first
    return _Both(
        subjects[order], place[order], indptr, number[objects], ratings, n_objects, is_second, is_first
    )


def _answering(profiles: Profiles, is_second: Bools) -> Profiles:
    """Return profiles in whose lists of raters only the second block's subjects are left."""
    kept = is_second[profiles.rank][(profiles.raters >> profiles.shift).astype(np.int64)]
    before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    rater_ptr = before[profiles.rater_ptr]
    values = profiles.rater_values
    return profiles._replace(
        raters=profiles.raters[kept],
        rater_ptr=rater_ptr,
        after=rater_ptr[:-1][profiles.objects],
        rater_values=values[kept] if len(values) else values,
    )


def _bound(profiles: Profiles, asks: Bools, is_two: bool) -> Int64s:
    """Return, by label, how many ratings of those it can meet each subject shares at most."""
    answering = np.diff(profiles.rater_ptr)
    everyone = np.bincount(profiles.objects, minlength=len(answering))
    per_entry = answering[profiles.objects] - (0 if is_two else 1)
    asking = (everyone - answering)[profiles.objects] if is_two else per_entry
    total = np.zeros((2, len(profiles.objects) + 1), dtype=np.int64)
    np.cumsum(per_entry, out=total[0, 1:])
    np.cumsum(asking, out=total[1, 1:])
    mine, theirs = total[:, profiles.indptr[1:]] - total[:, profiles.indptr[:-1]]
    bound: Int64s = np.where(asks, mine, theirs)
    return bound


# -- numbers --------------------------------------------------------------------------------------


def _numbers(problem: Problem, both: _Both) -> Numbers:
    """Return what the sums are over; as `corated.neighborhood.numbers.numbers_of` on all ratings."""
    is_coded = both.ratings.dtype == np.uint8
    codes = both.ratings if is_coded else np.zeros(len(both.ratings), dtype=np.uint8)
    profiles = arrange(both.indptr, both.objects, codes, both.n_objects, problem.levels)  # type: ignore[arg-type]
    if problem.integers is not None:
        made = problem.integers[profiles.codes].astype(np.float64)
        whole = whole_of(profiles, made, made, problem.n_objects)
        return Numbers(profiles, problem.layouts, problem.integers, INTEGERS, problem.unit, whole)
    place = relabeled(profiles, both.indptr)
    given, values = (made[place] for made in _floats(problem, both))
    return float_numbers(profiles, problem.wish.measure, given, values, problem.n_objects)


def _floats(problem: Problem, both: _Both) -> tuple[Floats, Floats]:
    """Return the weighted ratings, and what they count as, in the order of the rows."""
    scale = problem.ratings_of_codes
    ratings = both.ratings.astype(np.float64) if scale is None else scale[both.ratings]
    entries = Entries(both.indptr, both.objects, ratings, both.n_objects, problem.wish.side)
    return counted(entries, problem.wish.measure)
