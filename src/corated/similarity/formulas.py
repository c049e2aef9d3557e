"""The formulas of the measures: one short pure function each, and the record that describes it.

A formula is a function of sums over the co-rated ratings, C, of two profiles (their number n, Σx, Σy, Σx²,
Σy², Σxy, Σ(x−y)², Σ|x−y|) and of one number p of the query's whole profile and one q of the candidate's. The
functions here are plain Python on scalars; the kernels compile these very functions, and
`corated.similarity.reference` states each measure a second time, from the ratings themselves. A function
returns NaN where its measure is undefined; NaN never leaves the kernels.

Integers are turned into float64 one by one before any product of them is taken, since the product of two
exact int64 values can pass 2**63. ``add`` is added to the denominator (shrinkage), and is 0 without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

__all__ = ["FORMULAS", "Formula"]

NAN = math.nan


def pearson(n: float, sx: float, sy: float, sxx: float, syy: float, sxy: float, add: float) -> float:
    """(nΣxy − ΣxΣy) / √((nΣx² − (Σx)²)(nΣy² − (Σy)²)), means over the co-rated ratings.

    Undefined for n < 2 (the variance of one number is 0) and where x or y is flat on the overlap.
    """
    num = n * sxy - sx * sy
    vx = n * sxx - sx * sx
    vy = n * syy - sy * sy
    root = math.sqrt(max(float(vx) * float(vy), 0.0))
    return NAN if vx <= 0 or vy <= 0 else float(num) / (root + add)


def euclidean(sdd: float, step: float) -> float:
    """√Σ(x−y)², a distance: smaller is closer. Defined wherever n ≥ 1."""
    return math.sqrt(float(sdd)) * step


def msd(n: float, sdd: float, step: float, add: float) -> float:
    """1 / (1 + Σ(x−y)²/n), from the mean squared difference. Defined wherever n ≥ 1."""
    return 1.0 / (1.0 + float(sdd) * (step * step) / float(n) + add)


def manhattan(sad: float, step: float) -> float:
    """Σ|x−y|, a distance: smaller is closer. Defined wherever n ≥ 1."""
    return float(sad) * step


def cosine(sxy: float, p: float, q: float, add: float) -> float:
    """Σxy / (‖X‖‖Y‖); p and q are the squared norms of the whole profiles. Undefined where one is 0."""
    root = math.sqrt(p * q)
    return NAN if root == 0.0 else float(sxy) / (root + add)


def cosine_common(sxx: float, syy: float, sxy: float, add: float) -> float:
    """Σxy / √(Σx²Σy²), norms over the co-rated ratings. Undefined where a norm is 0."""
    root = math.sqrt(float(sxx) * float(syy))
    return NAN if root == 0.0 else float(sxy) / (root + add)


def tversky(n: float, p: float, q: float, alpha: float, beta: float, add: float) -> float:
    """Tversky's n / (n + α(a − n) + β(b − n)); p and q are the profile sizes a and b. Defined for n ≥ 1."""
    common = float(n)
    return common / (common + alpha * (p - common) + beta * (q - common) + add)


def overlap(n: float, p: float, q: float, add: float) -> float:
    """Overlap n / min(a, b); p and q are the profile sizes a and b. Defined wherever n ≥ 1."""
    return float(n) / (min(p, q) + add)


def log_likelihood(n: float, p: float, q: float, total: float) -> float:
    """Dunning's G² of the 2 × 2 table of n, a, b and N, negative where n N ≤ a b.

    p and q are the profile sizes a and b, ``total`` is N. 0·ln 0 is 0. Defined wherever n ≥ 1.
    """
    both, rest = float(n), total - p - q + float(n)
    # Observed over expected is 1 + excess/(row · column); log1p keeps the digits where they are nearly equal.
    excess = both * total - p * q
    alike, apart = 0.0, 0.0  # added up apart, so that who asks does not change a bit
    for cell, margins in ((both, p * q), (rest, (total - p) * (total - q))):
        if cell > 0.0:
            alike += cell * math.log1p(excess / margins)
    for cell, margins in ((p - both, p * (total - q)), (q - both, (total - p) * q)):
        if cell > 0.0:
            apart += cell * math.log1p(-excess / margins)
    g2 = 2.0 * max(alike + apart, 0.0)
    return g2 if excess > 0.0 else 0.0 - g2


def scaled(sxy: float, p: float, q: float, add: float) -> float:
    """Σxy / (p q), where p is of the query's whole profile and q of the candidate's. Undefined where 0."""
    scale = p * q
    return NAN if scale == 0.0 else float(sxy) / (scale + add)


class Formula(NamedTuple):
    """What the kernels must know to evaluate a formula.

    name : the name of the function
    code : the number by which the kernels select it; CUSTOM for a function of the caller's own
    sums : the statistics it reads, ``"n"`` first
    better : which direction is closer
    whole : what p and q are of the whole profiles: nothing, the squared norm, the number of ratings, or a
        factor that the measure makes
    shrinks : whether it has one denominator that a shrinkage can be added to
    """

    name: str
    code: int
    sums: tuple[str, ...]
    better: Literal["larger", "smaller"]
    whole: Literal["none", "norm", "count", "factor"]
    shrinks: bool
    function: Callable[..., float]


PEARSON, EUCLIDEAN, MSD, MANHATTAN, COSINE, COSINE_COMMON = 0, 1, 2, 3, 4, 5
TVERSKY, OVERLAP, LOG_LIKELIHOOD, SCALED, CUSTOM = 6, 7, 8, 9, 10
_MOMENTS = ("n", "sx", "sy", "sxx", "syy", "sxy")

FORMULAS: dict[str, Formula] = {
    formula.name: formula
    for formula in (
        Formula("pearson", PEARSON, _MOMENTS, "larger", "none", True, pearson),
        Formula("euclidean", EUCLIDEAN, ("n", "sdd"), "smaller", "none", False, euclidean),
        Formula("msd", MSD, ("n", "sdd"), "larger", "none", True, msd),
        Formula("manhattan", MANHATTAN, ("n", "sad"), "smaller", "none", False, manhattan),
        Formula("cosine", COSINE, ("n", "sxy"), "larger", "norm", True, cosine),
        Formula(
            "cosine_common",
            COSINE_COMMON,
            ("n", "sxx", "syy", "sxy"),
            "larger",
            "none",
            True,
            cosine_common,
        ),
        Formula("tversky", TVERSKY, ("n",), "larger", "count", True, tversky),
        Formula("overlap", OVERLAP, ("n",), "larger", "count", True, overlap),
        Formula("log_likelihood", LOG_LIKELIHOOD, ("n",), "larger", "count", False, log_likelihood),
        Formula("scaled", SCALED, ("n", "sxy"), "larger", "factor", True, scaled),
    )
}
"""Every built-in formula by name."""
