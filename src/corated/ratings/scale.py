"""The rating scale: a few evenly spaced levels, so that a rating is a small integer inside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError

__all__ = ["MAX_LEVELS", "Scale", "as_scale", "infer_scale"]

MAX_LEVELS: Final = 256
STEPS: Final = (1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.01)
# How far a rating may lie from its level, in units of the rating.
TOLERANCE: Final = 1e-9

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scale:
    """The levels low, low + step, …, high.

    Raises `ParameterError` where the three numbers do not make a scale.
    """

    low: float
    high: float
    step: float = 1.0

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, _finite(getattr(self, name), name))
        if self.step <= 0:
            raise _not_a_scale(f"step is {self.step:g}", "a step above 0")
        if self.high < self.low:
            raise _not_a_scale(f"high ({self.high:g}) is below low ({self.low:g})", "high at or above low")
        span = (self.high - self.low) / self.step
        if abs(span - round(span)) * self.step > TOLERANCE:
            raise _not_a_scale(
                f"{self.high:g} is not reached from {self.low:g} in steps of {self.step:g}",
                "high = low + a whole number of steps",
            )

    @property
    def levels(self) -> int:
        """The number of levels."""
        return round((self.high - self.low) / self.step) + 1

    @property
    def low_units(self) -> int | None:
        """`low` in steps, where that is an integer within 1e-9; else None."""
        units = self.low / self.step
        return round(units) if abs(units - round(units)) <= TOLERANCE else None

    @property
    def midpoint(self) -> float:
        """The middle of the scale, in rating units: (low + high) / 2."""
        return (self.low + self.high) / 2

    def is_coded(self) -> bool:
        """Tell whether the levels fit the one-byte codes (at most 256)."""
        return self.levels <= MAX_LEVELS

    def contains(self, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Tell for each rating whether it is on the scale, within 1e-9 rating units."""
        ratings = np.asarray(values, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.rint((ratings - self.low) / self.step)
            near = np.abs(ratings - (self.low + steps * self.step)) <= TOLERANCE
            inside = (steps >= 0) & (steps <= self.levels - 1)
        result: npt.NDArray[np.bool_] = near & inside
        return result

    def encode(self, values: npt.ArrayLike) -> Codes:
        """Return the codes (rating - low) / step as uint8, in the shape of `values`.

        Raises `DataError` where a rating is off the scale, with the first five and their positions.
        """
        if not self.is_coded():
            raise _not_a_scale(f"{self} has {self.levels:,} levels", f"at most {MAX_LEVELS} levels for codes")
        ratings = np.asarray(values, np.float64)
        on_scale = self.contains(ratings)
        if not on_scale.all():
            off = np.flatnonzero(~on_scale)
            raise DataError(
                f"{len(off):,} of {ratings.size:,} ratings are off the scale.",
                expected=f"ratings on {self}",
                rows=[f"position {at} (from 0): {ratings.ravel()[at]:.10g}" for at in off[:5]],
                hint="Correct them, or declare another scale.",
            )
        return np.rint((ratings - self.low) / self.step).astype(np.uint8)

    def decode(self, codes: npt.ArrayLike) -> Floats:
        """Return the ratings low + code * step as float64, rounded to 10 decimals (so .3 is .3)."""
        decoded: Floats = self.ratings[np.asarray(codes)]
        return decoded

    @property
    def ratings(self) -> Floats:
        """The rating of every level, ascending: float64[levels]."""
        ratings = self.low + np.arange(self.levels) * self.step
        with np.errstate(over="ignore"):
            rounded = np.round(ratings, 10)
        # Rounding multiplies first, which is too much for a rating like 1e300.
        levels: Floats = np.where(np.isfinite(rounded), rounded, ratings) + 0.0
        return levels

    def __str__(self) -> str:
        if self.levels == 1:
            return f"{self.low:g} (one level)"
        return f"{self.low:g} to {self.high:g} by {self.step:g}"


def infer_scale(values: npt.ArrayLike) -> Scale | None:
    """Find the scale of some finite ratings, in any order and with repeats.

    It runs from the smallest to the largest rating by the largest step of 1, .5, .25, .2, .1, .05,
    .01 that fits every rating within 1e-9. None: no step fits or there would be more than 256
    levels (or there are no ratings).
    """
    distinct = np.unique(np.asarray(values, np.float64))
    if distinct.size == 0 or distinct.size > MAX_LEVELS:
        return None
    low, high = float(distinct[0]), float(distinct[-1])
    for step in STEPS:
        span = (high - low) / step
        if span > MAX_LEVELS - 0.5:
            return None
        steps = np.rint((distinct - low) / step)
        if np.all(np.abs(distinct - (low + steps * step)) <= TOLERANCE):
            return Scale(low, high, step)
    return None


def as_scale(scale: Scale | tuple[float, float, float] | None) -> Scale | None:
    """Turn what a caller may give as `scale=` into a `Scale`; raises `ParameterError`."""
    if scale is None or isinstance(scale, Scale):
        return scale
    if isinstance(scale, tuple | list) and len(scale) in (2, 3):
        return Scale(*scale)
    raise _not_a_scale(f"scale is {scale!r}", "(low, high, step), such as (1, 5, 1)")


def _finite(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise _not_a_scale(f"{name} is {value!r}", "three numbers")
    if not math.isfinite(value):
        raise _not_a_scale(f"{name} is {value}", "three finite numbers")
    return float(value)


def _not_a_scale(got: str, expected: str) -> ParameterError:
    return ParameterError(
        f"This is not a rating scale: {got}.", expected=expected, hint="Give scale=(low, high, step)."
    )
