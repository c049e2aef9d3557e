"""What "alike" means: one short pure function per measure, and the record that describes it.

A measure is a function of integer sums over the co-rated ratings, C, of two profiles: their number n, Σx, Σy,
Σx², Σy², Σxy, Σ(x−y)², Σ|x−y|. The functions here are plain Python on scalars; the kernels compile these
very functions, and `corated.similarity.reference` states each measure a second time, from the ratings
themselves. A function returns NaN where its measure is undefined; NaN never leaves the kernels.

Integers are turned into float64 one by one before any product of them is taken, since the product of two
exact int64 values can pass 2**63.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from corated.errors import ParameterError

__all__ = ["MEASURES", "Measure", "get_measure"]

NAN = math.nan


def pearson(n: int, sx: int, sy: int, sxx: int, syy: int, sxy: int) -> float:
    """(nΣxy − ΣxΣy) / √((nΣx² − (Σx)²)(nΣy² − (Σy)²)), means over the co-rated ratings.

    Undefined for n < 2 (the variance of one number is 0) and where x or y is flat on the overlap.
    Pearson (1895); in this use Resnick et al., "GroupLens", CSCW 1994.
    """
    num = n * sxy - sx * sy
    vx = n * sxx - sx * sx
    vy = n * syy - sy * sy
    root = math.sqrt(float(vx) * float(vy))
    return NAN if vx == 0 or vy == 0 else float(num) / root


def euclidean(sdd: int, step: float) -> float:
    """√Σ(x−y)², a distance: smaller is closer. Defined wherever n ≥ 1."""
    return math.sqrt(float(sdd)) * step


def msd(n: int, sdd: int, step: float) -> float:
    """1 / (1 + Σ(x−y)²/n), from the mean squared difference.

    Shardanand & Maes, "Social information filtering", CHI 1995, in the form Surprise made common.
    """
    return 1.0 / (1.0 + float(sdd) * (step * step) / float(n))


def manhattan(sad: int, step: float) -> float:
    """Σ|x−y|, a distance: smaller is closer. Defined wherever n ≥ 1."""
    return float(sad) * step


def cosine(sxy: int, norm_x: float, norm_y: float) -> float:
    """Σxy / (‖X‖‖Y‖), norms over whole profiles; ``norm`` is the squared norm.

    Undefined where a norm is 0 (a profile of zeros). Salton & McGill (1983).
    """
    root = math.sqrt(norm_x * norm_y)
    return NAN if root == 0.0 else float(sxy) / root


def cosine_common(sxx: int, syy: int, sxy: int) -> float:
    """Σxy / √(Σx²Σy²), norms over the co-rated ratings. Undefined where a norm is 0."""
    root = math.sqrt(float(sxx) * float(syy))
    return NAN if root == 0.0 else float(sxy) / root


def jaccard(n: int, count_x: float, count_y: float) -> float:
    """Co-rated over rated by either: n / (a + b − n). Jaccard (1901)."""
    return float(n) / (count_x + count_y - float(n))


@dataclass(frozen=True)
class Measure:
    """What the engine must know to compute a measure.

    name : the name in calls and tables
    code : the number by which the kernels select it
    sums : the statistics it reads, ``"n"`` first
    over : ``"codes"`` where a shift of the scale changes nothing, else ``"ratings"``
    better : which direction is closer
    side : what it reads of each whole profile: nothing, the squared norm, or the number of ratings
    unit : whether the value is in rating units, so that the scale's step enters
    function : the formula
    """

    name: str
    code: int
    sums: tuple[str, ...]
    over: Literal["codes", "ratings"]
    better: Literal["larger", "smaller"]
    side: Literal["none", "norm", "count"]
    unit: bool
    function: Callable[..., float]

    def __reduce__(self) -> tuple[Callable[[str], Measure], tuple[str]]:
        # A copy must be the very record, since the kernels know only those.
        return get_measure, (self.name,)

    @property
    def sign(self) -> float:
        """+1 where larger is closer, −1 where smaller is."""
        return 1.0 if self.better == "larger" else -1.0


PEARSON, EUCLIDEAN, MSD, MANHATTAN, COSINE, COSINE_COMMON, JACCARD = range(7)

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "pearson",
            PEARSON,
            ("n", "sx", "sy", "sxx", "syy", "sxy"),
            "codes",
            "larger",
            "none",
            False,
            pearson,
        ),
        Measure("euclidean", EUCLIDEAN, ("n", "sdd"), "codes", "smaller", "none", True, euclidean),
        Measure("msd", MSD, ("n", "sdd"), "codes", "larger", "none", True, msd),
        Measure("manhattan", MANHATTAN, ("n", "sad"), "codes", "smaller", "none", True, manhattan),
        Measure("cosine", COSINE, ("n", "sxy"), "ratings", "larger", "norm", False, cosine),
        Measure(
            "cosine_common",
            COSINE_COMMON,
            ("n", "sxx", "syy", "sxy"),
            "ratings",
            "larger",
            "none",
            False,
            cosine_common,
        ),
        Measure("jaccard", JACCARD, ("n",), "codes", "larger", "count", False, jaccard),
    )
}
"""Every built-in measure by name."""


def get_measure(measure: str | Measure) -> Measure:
    """Return the measure of a name; raises `ParameterError` naming the known ones."""
    if isinstance(measure, Measure) and MEASURES.get(measure.name) is measure:
        return measure
    if isinstance(measure, str) and measure in MEASURES:
        return MEASURES[measure]
    raise ParameterError(
        f"Unknown measure {getattr(measure, 'name', measure)!r}.",
        expected=f"one of {', '.join(MEASURES)}",
        hint="choose one of these",
    )
