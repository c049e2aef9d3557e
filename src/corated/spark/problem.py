"""What is compared and how, decided on the driver, small enough to travel with every task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.neighborhood.engine import check_count, check_of
from corated.neighborhood.numbers import integers_of, unit_of
from corated.similarity.adjustments import LowerBound
from corated.similarity.custom import Custom
from corated.similarity.measures import CenteredCosine, Measure, Spearman, get_measure
from corated.similarity.profiles import MISSING
from corated.similarity.statistics import Layout, plan_layouts
from corated.similarity.tasks import MAX_DEFERRED
from corated.similarity.weights import Binary, Center, MinMax, ZScore

if TYPE_CHECKING:
    from corated.neighborhood.engine import Of
    from corated.spark.blocks import Blocks
    from corated.spark.ratings import SparkRatings

__all__ = ["Problem", "Wish", "check_measure"]


@dataclass(frozen=True)
class Wish:
    """What is wanted, checked: a side, a measure, k neighbors (0 for all pairs), ``min_common``."""

    side: Of
    measure: Measure
    k: int
    min_common: int

    @classmethod
    def of(cls, ratings: SparkRatings, of: str, measure: str | Measure, k: int, min_common: int) -> Wish:
        """Check what is wanted; raises `ParameterError`, or `DataError` for a measure without its scale."""
        side, made = check_of(of), check_measure(get_measure(measure), of)
        integers_of(ratings.empty, made)
        return cls(side, made, check_count("k", k) if k else 0, check_count("min_common", min_common))


def check_measure(measure: Measure, side: str) -> Measure:
    """Return a measure that can be had from profiles a block at a time.

    Raises `ParameterError` for those that mix in numbers of all who rated the same: they would need the
    profiles of the other side whole as well.
    """
    weight = measure.given_weight
    of_rows = isinstance(measure, CenteredCosine | Spearman) or measure.values != "profiles"
    if isinstance(weight, Center | ZScore | MinMax):
        of_rows = of_rows and f"{weight.by}s" == side
    elif weight is not None:
        of_rows = of_rows and isinstance(weight, Binary)
    if of_rows and not isinstance(measure, Custom):
        return measure
    raise ParameterError(
        f"{measure} of {side} cannot be had on Spark: it needs more than the two profiles of a pair.",
        expected="a measure of two profiles, such as pearson, euclidean, msd, cosine, spearman or jaccard",
        hint="take one of these, or corated.neighbors on one machine",
    )


@dataclass(frozen=True)
class Problem:
    """A neighborhood problem on blocks.

    n, n_objects : how many subjects there are, and how many objects
    integers : the integer that each rating code stands for; None for float64 sums
    layouts : how integers are packed, for the largest profile of all; empty for float64 sums
    unit : one of these numbers, in rating units;  levels : of the scale, 1 where there is none
    ratings_of_codes : float64 (levels,); None where blocks hold ratings themselves
    effective, least : see `corated.neighborhood.engine.Engine`
    """

    wish: Wish
    n: int
    n_objects: int
    integers: npt.NDArray[np.int64] | None
    layouts: list[Layout]
    unit: float
    levels: int
    ratings_of_codes: npt.NDArray[np.float64] | None
    effective: int
    least: int

    @classmethod
    def of(cls, ratings: SparkRatings, wish: Wish, blocks: Blocks, *, valued: bool) -> Problem:
        """Decide how sums are made, as `corated.neighborhood.numbers.numbers_of` does on one machine.

        valued : only pairs that have a value matter
        """
        measure, layouts = wish.measure, []
        integers = integers_of(ratings.empty, measure)
        if integers is not None:
            try:
                layouts = plan_layouts(measure.sums, integers, blocks.largest)
            except ParameterError:
                integers = None  # too large to be packed; float64 takes them
        least = 4 if isinstance(measure.adjustment, LowerBound) else measure.least
        other = "items" if wish.side == "users" else "users"
        return cls(
            wish,
            ratings.size(wish.side),
            ratings.size(other),
            integers,
            layouts,
            1.0 if integers is None else unit_of(ratings.scale, measure),
            1 if ratings.scale is None else ratings.scale.levels,
            None if ratings.scale is None else ratings.scale.ratings,
            max(wish.min_common, least) if valued else wish.min_common,
            least,
        )

    @property
    def most(self) -> int:
        """The most neighbors that one can have."""
        return min(self.wish.k, max(self.n - 1, 1))

    @property
    def words(self) -> int:
        """Words of the widest layout; those of the widest family for float64 sums."""
        return self.layouts[-1].words if self.layouts else 8

    @property
    def can_defer(self) -> bool:
        """Whether a query's longest lists are put off."""
        is_small = 2 <= self.effective <= MAX_DEFERRED + 1
        return self.integers is not None and is_small and self.levels <= MISSING
