"""What the sums of a measure are over, on given ratings: exact integers, or float64 numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.similarity.measures import Measure, Whole
from corated.similarity.profiles import Profiles, add_up, arrange, relabeled, with_values
from corated.similarity.statistics import Layout, plan_layouts
from corated.similarity.tasks import ALL, DIFFERENCES, DOT, FIELDS, INTEGERS, MOMENTS
from corated.similarity.values import Entries, shifted

__all__ = [
    "Numbers",
    "counted",
    "entries_of",
    "float_numbers",
    "integers_of",
    "numbers_of",
    "parts_of",
    "profiles_of",
    "unit_of",
    "whole_of",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_MOST_PARTS = 1000


@dataclass(frozen=True)
class Numbers:
    """Profiles and the way their sums are added up.

    layouts : how integers are packed, by ascending capacity; one without words for float64 sums
    integers : the integer that each rating code stands for; None for float64 sums
    family : of `corated.similarity.tasks`
    unit : one of these numbers, in rating units
    whole : facts of the whole profiles, by label, in these numbers
    """

    profiles: Profiles
    layouts: list[Layout]
    integers: Int64s | None
    family: int
    unit: float
    whole: Whole


def numbers_of(ratings: Ratings, side: str, measure: Measure) -> Numbers:
    """Return the numbers of a measure on the users or the items of some ratings.

    Raises `DataError` where the measure needs a scale that the ratings do not have.
    """
    profiles = profiles_of(ratings, side)
    total = ratings.n_items if side == "users" else ratings.n_users
    integers = integers_of(ratings, measure)
    if integers is not None:
        largest = int(np.diff(profiles.indptr).max(initial=1))
        try:
            layouts = plan_layouts(measure.sums, integers, largest)
        except ParameterError:
            integers = None  # too large to be packed; float64 takes them
        else:
            counts = np.diff(profiles.indptr).astype(np.float64)
            whole = Whole(counts, np.empty(len(counts)), np.empty(len(counts)), total)
            add_up(profiles, integers.astype(np.float64), whole.sum, whole.norm)
            return Numbers(profiles, layouts, integers, INTEGERS, unit_of(ratings.scale, measure), whole)
    place = relabeled(profiles, _rows(ratings, side)[0])
    given, values = (made[place] for made in _floats(ratings, side, measure))
    return float_numbers(profiles, measure, given, values, total)


def float_numbers(profiles: Profiles, measure: Measure, given: Floats, values: Floats, total: int) -> Numbers:
    """Return numbers that are summed up in float64.

    given, values : by entry of the profiles, what `counted` returns;  total : the size of the other side
    """
    family = _family(measure.sums)
    where = np.array([FIELDS[family].index(name) for name in measure.sums], dtype=np.int64)
    zeros = np.zeros(len(where), dtype=np.int64)
    layout = Layout(np.zeros((1, 1), dtype=np.int64), where, zeros, zeros, zeros, 0, 2**31 - 1)
    whole = whole_of(profiles, given, values, total)
    return Numbers(with_values(profiles, values), [layout], None, family, 1.0, whole)


def integers_of(ratings: Ratings, measure: Measure) -> Int64s | None:
    """Return the integer that each rating code stands for in the sums of a measure; None for float64 sums.

    Raises `DataError` where the measure needs a scale that the ratings do not have.
    """
    scale = ratings.scale
    levels = 1 if scale is None else scale.levels
    if measure.values == "nothing":
        return np.zeros(levels, dtype=np.int64)
    if measure.values == "midpoint" and scale is None:
        raise DataError(
            f"The measure {measure.name!r} needs the midpoint of a scale, and these ratings are on none.",
            expected="ratings of low + code × step, at most 256 levels, as scale=(low, high, step) declares",
            hint='read with scale= after rounding, or use measure="pearson", which has its own middle',
        )
    if measure.values == "profiles" or (measure.given_weight is None and scale is None):
        return None
    if measure.given_weight is not None:
        return np.ones(levels, dtype=np.int64) if measure.given_weight.name == "binary" else None
    assert scale is not None
    codes = np.arange(scale.levels, dtype=np.int64)
    if measure.values == "codes":
        return codes
    if measure.values == "midpoint":
        return 2 * codes - (scale.levels - 1)
    parts, low = parts_of(scale)
    return codes * parts + low if parts else None


def parts_of(scale: Scale) -> tuple[int, int]:
    """Return into how many parts a step is cut so that all ratings are whole, and the lowest in parts.

    (0, 0) where a thousand are not enough, or the ratings are too far from 0.
    """
    for parts in range(1, _MOST_PARTS + 1):
        low = scale.low / scale.step * parts
        if abs(low) < 2**31 and abs(low - round(low)) <= 1e-9 * max(1.0, abs(low)):
            return parts, round(low)
    return 0, 0


def unit_of(scale: Scale | None, measure: Measure) -> float:
    """Return what one of the integers is in rating units."""
    if scale is None or measure.given_weight is not None:
        return 1.0
    parts = {"ratings": max(parts_of(scale)[0], 1), "midpoint": 2}.get(measure.values, 1)
    return scale.step / parts


def _floats(ratings: Ratings, side: str, measure: Measure) -> tuple[Floats, Floats]:
    """Return the weighted ratings, and what they count as, in the order of the side's rows."""
    return counted(entries_of(ratings, side), measure)


def counted(entries: Entries, measure: Measure) -> tuple[Floats, Floats]:
    """Return the weighted ratings, and what they count as, in the order of the entries."""
    weight = measure.given_weight
    if weight is not None:
        entries = entries._replace(values=weight.apply(entries))
    values = measure.transform(entries)
    if measure.formula.name == "pearson" and measure.values == "codes":
        # A shift changes nothing, and numbers around 0 lose fewer digits.
        values = shifted(entries._replace(values=values))
    return entries.values, values


def entries_of(ratings: Ratings, side: str) -> Entries:
    """Return the ratings by user or by item, in rating units."""
    indptr, objects = _rows(ratings, side)
    if side == "users":
        return Entries(indptr, objects, ratings.values, ratings.n_items, "users")
    return Entries(indptr, objects, ratings.values[ratings.by_item.order], ratings.n_users, "items")


def _rows(ratings: Ratings, side: str) -> tuple[Int64s, npt.NDArray[np.int32]]:
    rows = ratings.by_user if side == "users" else ratings.by_item
    return rows.indptr, rows.indices


def _family(sums: tuple[str, ...]) -> int:
    """Return the narrowest family of float64 sums that has them all."""
    return next(f for f in (DOT, DIFFERENCES, MOMENTS, ALL) if set(sums) <= set(FIELDS[f]))


def whole_of(profiles: Profiles, given: npt.NDArray[Any], values: npt.NDArray[Any], total: int) -> Whole:
    """Add up whole profiles, by label; integers exactly, up to 2**53.

    given : the ratings, of which the sums are;  values : what they count as, of which the norms are
    """
    counts = np.diff(profiles.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    numbers = values.astype(np.float64)
    sums = np.bincount(rows, weights=given.astype(np.float64), minlength=len(counts))
    norms = np.bincount(rows, weights=numbers * numbers, minlength=len(counts))
    return Whole(counts.astype(np.float64), sums.astype(np.float64), norms.astype(np.float64), total)


def profiles_of(ratings: Ratings, side: str) -> Profiles:
    """Arrange one side of the ratings for the kernels; kept with the ratings, since every call needs it."""

    def make() -> Profiles:
        codes = ratings.codes if ratings.codes is not None else np.zeros(ratings.n_ratings, dtype=np.uint8)
        levels = ratings.scale.levels if ratings.scale is not None else 1
        if side == "users":
            return arrange(ratings.by_user.indptr, ratings.by_user.indices, codes, ratings.n_items, levels)
        by_item = ratings.by_item
        return arrange(by_item.indptr, by_item.indices, codes[by_item.order], ratings.n_users, levels)

    return ratings.derived(("profiles", side), make)
