"""Two profiles beside each other: what they share, the sums, and the value that the kernels give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.neighborhood.engine import Engine, Of
from corated.neighborhood.own import statistics_of
from corated.ratings.ratings import Ratings
from corated.similarity.custom import Custom
from corated.similarity.finalize import evaluate
from corated.similarity.kernels import new_buffer
from corated.similarity.measures import AsymmetricCosine, Measure, get_measure
from corated.similarity.statistics import STATISTICS
from corated.similarity.tasks import INTEGERS, new_scratch

__all__ = ["Comparison", "Profile", "Unit", "compare"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Numbers = Int64s | Floats
Unit = Literal["nothing", "codes", "ratings", "midpoint", "values"]


class Profile(NamedTuple):
    """One profile, or the part of it that is shared, by ascending object.

    objects : their codes;  given : float64, the ratings;  counted : int64 or float64, what they count as
    """

    objects: npt.NDArray[np.integer]
    given: Floats
    counted: Numbers


@dataclass(frozen=True)
class Comparison:
    """Two subjects, a and b, as a measure sees them.

    labels : of the two, in the kernels' order
    whole, shared : their profiles, and what these share
    """

    engine: Engine
    labels: tuple[int, int]
    whole: tuple[Profile, Profile]
    shared: tuple[Profile, Profile]

    @property
    def n(self) -> int:
        """How many they share."""
        return len(self.shared[0].objects)

    @cached_property
    def sums(self) -> dict[str, float]:
        """The sums that the measure reads, x of a and y of b: integers where they are exact.

        Those of a measure of the caller's own are in rating units, as it reads them.
        """
        measure = self.engine.measure
        if not isinstance(measure, Custom):
            return _sums(measure, *(side.counted for side in self.shared))
        sides = self.shared[0].counted, self.shared[1].counted
        if self.engine.numbers.unit == 1.0 or not self.n:
            found: Mapping[str, Any] = _sums(measure, *sides)
        else:
            read = self._read(measure, self.labels, sides)
            found = {name: float(read[name][0]) for name in measure.sums}
        return {"n": self.n, **{name: found[name] for name in measure.sums[1:] if name in measure.reads}}

    @cached_property
    def norms(self) -> tuple[float, float] | None:
        """Σx² of both whole profiles, where the measure reads them: integers where they are exact."""
        measure, numbers = self.engine.measure, self.engine.numbers
        reads = measure.formula.whole == "norm" or isinstance(measure, AsymmetricCosine)
        if isinstance(measure, Custom):
            reads = not {"norm_x", "norm_y"}.isdisjoint(measure.reads)
        if not reads:
            return None
        if numbers.integers is None:
            one, other = (float(numbers.whole.norm[label]) for label in self.labels)
            return one, other
        one, other = (sum(value * value for value in side.counted.tolist()) for side in self.whole)
        if isinstance(measure, Custom) and numbers.unit != 1.0:
            return one * numbers.unit**2, other * numbers.unit**2
        return one, other

    @property
    def unit(self) -> Unit:
        """What is summed up; see `corated.neighborhood.pair.PairResult`."""
        measure, is_exact = self.engine.measure, self.engine.numbers.integers is not None
        if measure.values == "nothing":
            return "nothing"
        if measure.given_weight is not None or measure.values == "profiles":
            return "values"
        if is_exact or isinstance(measure, Custom):
            return measure.values
        # A shift changes no correlation, and is chosen so that few digits are lost.
        return "values" if measure.formula.name == "pearson" else "ratings"

    @cached_property
    def value(self) -> float:
        """The measure's value, to the last bit that of the kernels; NaN where it is undefined."""
        measure, numbers = self.engine.measure, self.engine.numbers
        if self.n == 0:
            return math.nan
        if isinstance(measure, Custom):
            return float(measure.evaluate(self._read(measure, *self._met))[0])
        labels, sides = self._met
        scratch = new_scratch(0, 0)
        sums = scratch.sums if numbers.family == INTEGERS else scratch.fsums
        for row, total in enumerate(_sums(measure, *sides).values()):
            sums[row, 0] = total
        scratch.sums[0, 0], scratch.who[0] = self.n, labels[1]
        task = self.engine.task(both=False, screen=False)
        evaluate(self.engine.profiles, task, labels[0], scratch, np.uint64(1))
        return float(scratch.key[0]) * task.sign

    @property
    def _turned(self) -> bool:
        """Whether the kernels meet the pair from b: where who asks plays no part, from the lighter side."""
        return self.engine.measure.symmetric and self.labels[0] > self.labels[1]

    @property
    def _met(self) -> tuple[tuple[int, int], tuple[Numbers, Numbers]]:
        """The labels and the numbers in common, as the kernels meet them."""
        one, other = (side.counted for side in self.shared)
        return (
            ((self.labels[1], self.labels[0]), (other, one)) if self._turned else (self.labels, (one, other))
        )

    def _read(
        self, measure: Custom, labels: tuple[int, int], sides: tuple[Numbers, Numbers]
    ) -> dict[str, Floats]:
        """Return what a measure of the caller's own reads, by name, in rating units."""
        buffer = new_buffer(1)
        buffer.first[0], buffer.second[0], buffer.n[0] = *labels, self.n
        for row, total in enumerate(_sums(measure, *sides).values()):
            buffer.sums[row, 0] = total
        return statistics_of(measure, self.engine.numbers, buffer, 1)


def compare(ratings: Ratings, side: Of, measure: str | Measure, codes: tuple[int, int]) -> Comparison:
    """Put two subjects, given by their codes, beside each other.

    Raises `ParameterError` for an unknown measure, and `DataError` where it cannot use these ratings.
    """
    engine = _engine(ratings, side, measure)
    labels = int(engine.profiles.label[codes[0]]), int(engine.profiles.label[codes[1]])
    a, b = (_profile(ratings, side, engine, code) for code in codes)
    _, in_a, in_b = np.intersect1d(a.objects, b.objects, assume_unique=True, return_indices=True)
    return Comparison(engine, labels, (a, b), (_part(a, in_a), _part(b, in_b)))


class _Slot:
    """The engine used last: one pair after the other is asked for by the same measure."""

    def __init__(self) -> None:
        self.held: Engine | None = None


def _engine(ratings: Ratings, side: Of, measure: str | Measure) -> Engine:
    measure = get_measure(measure)
    slot = ratings.derived(("engine of pairs", side), _Slot)
    held = slot.held
    if held is None or held.measure != measure:
        held = slot.held = Engine.build(ratings, of=side, measure=measure, min_common=1, valued=False)
    return held


def _profile(ratings: Ratings, side: Of, engine: Engine, code: int) -> Profile:
    p, numbers, label = engine.profiles, engine.numbers, int(engine.profiles.label[code])
    span = slice(int(p.indptr[label]), int(p.indptr[label + 1]))
    counted = p.values[span] if numbers.integers is None else numbers.integers[p.codes[span]]
    rows = ratings.by_user if side == "users" else ratings.by_item
    inside = slice(int(rows.indptr[code]), int(rows.indptr[code + 1]))
    at = inside if side == "users" else ratings.by_item.order[inside]
    if ratings.scale is not None and ratings.codes is not None:
        given = ratings.scale.decode(ratings.codes[at])  # `Ratings.values` would decode them all
    else:
        given = ratings.values[at]
    return Profile(rows.indices[inside], given, counted)


def _part(profile: Profile, at: npt.NDArray[np.intp]) -> Profile:
    return Profile(profile.objects[at], profile.given[at], profile.counted[at])


def _sums(measure: Measure, x: Numbers, y: Numbers) -> dict[str, float]:
    """Add up in ascending order of objects, as the kernels do: integers exactly, floats one after another."""
    found: dict[str, float] = {}
    for name in measure.sums:
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float64 the kernels have infinity, too
            terms = STATISTICS[name](x, y)  # type: ignore[arg-type]
            if name == "n" or terms.dtype.kind == "i":
                found[name] = int(terms.sum())
            else:
                found[name] = float(np.add.accumulate(terms)[-1]) + 0.0 if len(terms) else 0.0
    return found
