"""What the kernels take: the task, the working memory of a thread, and room for pairs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.profiles import MISSING, Popular

__all__ = [
    "ALL",
    "CHUNK",
    "DIFFERENCES",
    "DOT",
    "FIELDS",
    "INTEGERS",
    "MAX_DEFERRED",
    "MOMENTS",
    "Pairs",
    "Scratch",
    "Task",
    "new_pairs",
    "new_scratch",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint32]
Raters = npt.NDArray[np.unsignedinteger[Any]]
Flag = npt.NDArray[np.uint8]

MAX_DEFERRED = 16
"""The most lists that a query can put off; see `corated.similarity.accumulate`."""
CHUNK = 1024
"""Pairs finalized together: their sums and values stay in the first-level cache."""

INTEGERS, DOT, MOMENTS, DIFFERENCES, ALL = range(5)
"""Families of sums: packed integers, or those sums that are added up in float64."""
FIELDS: dict[int, tuple[str, ...]] = {
    INTEGERS: (),
    DOT: ("n", "sxy"),
    MOMENTS: ("n", "sx", "sy", "sxx", "syy", "sxy"),
    DIFFERENCES: ("n", "sdd", "sad"),
    ALL: ("n", "sx", "sy", "sxx", "syy", "sxy", "sdd", "sad"),
}
"""The float64 sums of each family, in the order in which they lie side by side."""


class Task(NamedTuple):
    """What to compute: a formula with its numbers, and which candidates a query meets.

    formula : the formula's code;  sign : +1 where larger values are closer, −1 for distances
    step : the scale's step, for formulas in rating units
    alpha, beta, total : numbers of a formula;  add : added to its denominator
    adjust, amount : the adjustment of values; see `corated.similarity.adjustments`
    least : pairs with fewer co-rated ratings have no value
    p, q : float64 (n,) by label, what the formula reads of the query's and the candidate's whole profile, or
        unused
    bound : float64 (n,) by label, for screening: the factor of each profile in a bound of the value; unused
        where there is no screening
    screen : how candidates are screened; see `corated.similarity.finalize`
    symmetric : whether the value of (u, v) is that of (v, u)
    family : how sums are added up: packed integers, or a family of float64 sums
    whole : whether float64 sums are of whole numbers and lose nothing
    min_common : pairs with fewer co-rated ratings are left out
    both : visit each unordered pair once, from its lighter side, and serve both sides;
        otherwise a query meets every candidate and only the query is served
    low, high : int64 (objects,), the range of each column of raters that holds the candidates
    deferred : how many of a query's longest lists are put off: 0, or ``min_common - 1``
    popular : where candidates are looked up for them
    """

    formula: int
    sign: float
    step: float
    alpha: float
    beta: float
    total: float
    add: float
    adjust: int
    amount: float
    least: int
    p: Floats
    q: Floats
    bound: Floats
    screen: int
    symmetric: bool
    family: int
    whole: bool
    min_common: int
    both: bool
    low: Ints
    high: Ints
    deferred: int
    popular: Popular


class Scratch(NamedTuple):
    """Working memory of one thread; accumulators are all zero between queries.

    acc : int64 (n * words,), the packed sums of each candidate; facc : float64 (n * fields,), sums in float64
    touched : uint32 (n + 1,), candidates met by the current query, in order of meeting
    passed : int64 (n + 1,), the sums of those that passed the screen; empty where there is none
    late, longest : int64 (MAX_DEFERRED,), the entries put off, and the lengths of their lists
    row : int64 (256 * 3,), a row of the table with zeros for `MISSING`
    who : uint32 (CHUNK,); n : int64 (CHUNK,); words : int64 (3, CHUNK)
    sums : int64 (8, CHUNK), or fsums : float64 (8, CHUNK)
    key, back : float64 (CHUNK,), the value for the query, and for the candidate
    """

    acc: Ints
    facc: Floats
    touched: Labels
    passed: Ints
    late: Ints
    longest: Ints
    row: Ints
    who: Labels
    words: Ints
    sums: Ints
    fsums: Floats
    key: Floats
    back: Floats


class Pairs(NamedTuple):
    """Emitted pairs: labels of both, the value (NaN where undefined) and the co-rated count."""

    first: Labels
    second: Labels
    value: Floats
    n: Ints


def new_scratch(n: int, words: int, family: int = INTEGERS, *, screens: bool = True) -> Scratch:
    """Return working memory for n subjects and layouts of at most ``words`` words, or a float64 family.

    screens : whether pairs are screened
    """
    return Scratch(
        np.zeros(n * words, dtype=np.int64),
        np.zeros(n * len(FIELDS[family])),
        np.empty(n + 1, dtype=np.uint32),
        np.empty(n + 1 if screens else 0, dtype=np.int64),
        np.zeros(MAX_DEFERRED, dtype=np.int64),
        np.zeros(MAX_DEFERRED, dtype=np.int64),
        np.zeros((MISSING + 1) * 3, dtype=np.int64),
        np.empty(CHUNK, dtype=np.uint32),
        np.empty((3, CHUNK), dtype=np.int64),
        np.empty((8, CHUNK), dtype=np.int64),
        np.empty((8, CHUNK)),
        np.empty(CHUNK),
        np.empty(CHUNK),
    )


def new_pairs(capacity: int) -> Pairs:
    """Return room for ``capacity`` emitted pairs."""
    return Pairs(
        np.empty(capacity, dtype=np.uint32),
        np.empty(capacity, dtype=np.uint32),
        np.empty(capacity, dtype=np.float64),
        np.empty(capacity, dtype=np.int64),
    )
