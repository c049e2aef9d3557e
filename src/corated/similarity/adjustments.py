"""Adjustments: how much a value is to be trusted, given how many ratings it rests on.

Each is a record with a shorthand, such as ``"shrink_mul(100)"``; `adjusted` applies one to a value. On a
distance they are refused: they would bring thin pairs closer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

from corated.similarity.records import Record, check_number

__all__ = [
    "ADJUSTMENTS",
    "Adjustment",
    "LowerBound",
    "ShrinkAdd",
    "ShrinkMul",
    "ShrinkMul1",
    "Significance",
    "adjusted",
]

NONE, SHRINK_MUL, SHRINK_MUL1, SIGNIFICANCE, LOWER_BOUND, SHRINK_ADD = range(6)


def adjusted(value: float, n: int, kind: int, amount: float) -> float:
    """Return the value after an adjustment that is a function of the value and n; NaN where undefined.

    kind, amount : as in the records, `Adjustment.code` and `Adjustment.amount`
    """
    if kind == SHRINK_MUL:
        return value * (float(n) / (float(n) + amount))
    if kind == SHRINK_MUL1:
        return value * ((float(n) - 1.0) / (float(n) - 1.0 + amount))
    if kind == SIGNIFICANCE:
        return value * (min(float(n), amount) / amount)
    if kind == LOWER_BOUND:
        if n < 4:
            return math.nan
        most = 1.0 - 1.0 / (2.0 * float(n))
        return math.tanh(math.atanh(min(max(value, -most), most)) - amount / math.sqrt(float(n) - 3.0))
    return value


@dataclass(frozen=True)
class Adjustment(Record):
    """What all adjustments share.

    code : the number by which the kernels select it
    """

    code: ClassVar[int]

    @property
    def amount(self) -> float:
        """The number that the kernels take."""
        raise NotImplementedError

    @property
    def add(self) -> float:
        """What is added to the measure's denominator."""
        return 0.0


@dataclass(frozen=True)
class ShrinkMul(Adjustment):
    """Value × n / (n + s): pairs with little in common are drawn to 0. Bell & Koren, ICDM 2007."""

    name: ClassVar[str] = "shrink_mul"
    code: ClassVar[int] = SHRINK_MUL
    s: float = 100.0

    def __post_init__(self) -> None:
        check_number(self, "s", above=0.0)

    @property
    def amount(self) -> float:
        """The number s."""
        return self.s


@dataclass(frozen=True)
class ShrinkMul1(Adjustment):
    """Value × (n − 1) / (n − 1 + s). Koren, TKDD 2010; Surprise's and MyMediaLite's Pearson."""

    name: ClassVar[str] = "shrink_mul1"
    code: ClassVar[int] = SHRINK_MUL1
    s: float = 100.0

    def __post_init__(self) -> None:
        check_number(self, "s", above=0.0)

    @property
    def amount(self) -> float:
        """The number s."""
        return self.s


@dataclass(frozen=True)
class ShrinkAdd(Adjustment):
    """+ s in the denominator of the measure. Ferrari Dacrema et al., TOIS 2021.

    For `Pearson` the denominator is √((nΣx² − (Σx)²)(nΣy² − (Σy)²)), in squared ratings.
    """

    name: ClassVar[str] = "shrink_add"
    code: ClassVar[int] = SHRINK_ADD
    s: float = 10.0

    def __post_init__(self) -> None:
        check_number(self, "s", above=0.0)

    @property
    def amount(self) -> float:
        """Nothing: it enters the formula itself."""
        return 0.0

    @property
    def add(self) -> float:
        """The number s."""
        return self.s


@dataclass(frozen=True)
class Significance(Adjustment):
    """Value × min(n, γ) / γ: full weight from γ co-rated ratings on. Herlocker et al., SIGIR 1999."""

    name: ClassVar[str] = "significance"
    code: ClassVar[int] = SIGNIFICANCE
    gamma: float = 50.0

    def __post_init__(self) -> None:
        check_number(self, "gamma", above=0.0)

    @property
    def amount(self) -> float:
        """The number γ."""
        return self.gamma


@dataclass(frozen=True)
class LowerBound(Adjustment):
    """The lower end of Fisher's z interval of a Pearson correlation: tanh(atanh r − z/√(n − 3)).

    level : of the two-sided interval; z is the standard normal quantile of (1 + level) / 2

    Undefined for n < 4; |r| is capped at 1 − 1/(2n). Fisher (1921). For `Pearson` only.
    """

    name: ClassVar[str] = "lower_bound"
    code: ClassVar[int] = LOWER_BOUND
    level: float = 0.95

    def __post_init__(self) -> None:
        check_number(self, "level", above=0.0, below=1.0)

    @property
    def amount(self) -> float:
        """The quantile z."""
        return NormalDist().inv_cdf((1.0 + self.level) / 2.0)


ADJUSTMENTS: dict[str, type[Adjustment]] = {
    kind.name: kind for kind in (ShrinkMul, ShrinkMul1, ShrinkAdd, Significance, LowerBound)
}
"""Every adjustment by the name in its shorthand."""
