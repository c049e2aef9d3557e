"""What each rating counts as in the sums of a measure: the oracle's own statement of units and weights."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.similarity.measures import Measure
from corated.similarity.weights import Weight

__all__ = ["SETS", "Numbers", "Side", "numbers_of", "side_of"]

Int64s = npt.NDArray[np.int64]
Reals = Sequence[int] | Sequence[float]

SETS = ("jaccard", "dice", "overlap", "tversky", "conditional", "log_likelihood")
_OF_DIFFERENCES = ("pearson", "euclidean", "msd", "manhattan")  # a shift of the scale changes nothing
_OF_RATINGS = ("cosine", "cosine_common", "asymmetric_cosine")
_NOTHING = 1e-12
"""A difference of less than this part of the largest rating around is what rounding left of 0."""


class Side(NamedTuple):
    """All ratings as seen from one side: rating i is ``rating[i]``, of ``subject[i]`` and ``other[i]``.

    users, items : the same codes by name;  code : its code on the scale, None off a scale
    """

    of: Literal["users", "items"]
    ids: IdMap
    other_ids: IdMap
    subject: Int64s
    other: Int64s
    users: Int64s
    items: Int64s
    rating: npt.NDArray[np.float64]
    code: Int64s | None
    scale: Scale | None


class Numbers(NamedTuple):
    """What rating i counts as: whole numbers where they are exact, else floats.

    x, y : as a rating of who asks, and of a candidate; the same but for walks
    exact : whether they are integers
    unit : one of these numbers in rating units, or in ranks
    """

    x: Reals
    y: Reals
    exact: bool
    unit: float


def side_of(ratings: Ratings, of: str) -> Side:
    """Lay out the ratings of the users or the items; raises `ParameterError` for another side."""
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    items = ratings.by_user.indices.astype(np.int64)
    code = None if ratings.codes is None else ratings.codes.astype(np.int64)
    rest = (users, items, ratings.values, code, ratings.scale)
    if of == "users":
        return Side("users", ratings.users, ratings.items, users, items, *rest)
    if of == "items":
        return Side("items", ratings.items, ratings.users, items, users, *rest)
    raise ParameterError(
        f"of={of!r} names no side.", expected='of="users" or of="items"', hint="choose one of them"
    )


def numbers_of(side: Side, measure: Measure) -> Numbers:
    """Return what each rating counts as in the sums of a measure.

    Raises `DataError` where the measure has no meaning for these ratings.
    """
    weight = measure.parameters().get("weight")
    if measure.name in _MADE:
        floats = _weighted(side, weight)
        x, y = _MADE[measure.name](side, floats, measure.parameters())
        is_ranks = measure.name == "spearman"
        return Numbers(x, y, is_ranks, 0.5 if is_ranks else 1.0)
    if measure.name == "constrained_pearson" and side.scale is None:
        raise DataError(
            "constrained_pearson needs the midpoint of a scale.", hint="declare a scale= when reading"
        )
    if weight is None and side.scale is not None and side.code is not None:
        exact = _units(side.code, side.scale, measure.name)
        if exact is not None:
            return exact
    if measure.name in SETS or (weight is not None and weight.name == "binary"):
        ones = [1] * len(side.rating)
        return Numbers(ones, ones, True, 1.0)
    floats = _weighted(side, weight)
    return Numbers(floats, floats, False, 1.0)


# -- exact numbers --------------------------------------------------------------------------------


def _units(code: Int64s, scale: Scale, name: str) -> Numbers | None:
    """Count ratings in units that make all of them whole; None where there is no such unit."""
    step = scale.step
    if name == "constrained_pearson":
        twice: list[int] = (2 * code - (scale.levels - 1)).tolist()
        return Numbers(twice, twice, True, step / 2)
    if name in _OF_RATINGS:
        parts = Fraction(scale.low / step).limit_denominator(1000).denominator
        low = scale.low / step * parts
        if abs(low - round(low)) > 1e-9 * max(1.0, abs(low)):
            return None
        whole: list[int] = (code * parts + round(low)).tolist()
        return Numbers(whole, whole, True, step / parts)
    shifted: list[int] = (code + (scale.low_units or 0)).tolist()
    return Numbers(shifted, shifted, True, step)


# -- weights --------------------------------------------------------------------------------------


def _weighted(side: Side, weight: Weight | None) -> list[float]:
    """Return the ratings in rating units, weighted; raises `DataError` where a weight has no meaning."""
    x: list[float] = side.rating.tolist()
    if weight is None:
        return x
    given = weight.parameters()
    if weight.name == "binary":
        return [1.0] * len(x)
    if weight.name == "tfidf":
        return _tfidf(side, x, **given)
    if weight.name == "bm25":
        return _bm25(side, x, **given)
    groups = side.users if given["by"] == "user" else side.items
    return _each_group(groups, x, {"center": _centered, "zscore": _zscores, "minmax": _scaled}[weight.name])


def _each_group(
    groups: Int64s, x: Sequence[float], function: Callable[[list[float]], Iterable[float]]
) -> list[float]:
    """Apply a function to the numbers of each group at a time."""
    found = list(x)
    for where in _members(groups).values():
        for at, number in zip(where, function([x[at] for at in where]), strict=True):
            found[at] = number
    return found


def _members(groups: Int64s) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for at, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(at)
    return members


def _centered(x: list[float]) -> list[float]:
    mean = math.fsum(x) / len(x)
    return _settled([value - mean for value in x], x)


def _settled(differences: list[float], x: list[float]) -> list[float]:
    """Turn what rounding left of 0 into 0."""
    largest = max(abs(value) for value in x)
    return [0.0 if abs(value) <= _NOTHING * largest else value for value in differences]


def _zscores(x: list[float]) -> list[float]:
    deviations = _centered(x)
    sigma = math.sqrt(math.fsum(value**2 for value in deviations) / len(x))
    return [value / sigma if sigma else 0.0 for value in deviations]


def _scaled(x: list[float]) -> list[float]:
    low, high = min(x), max(x)
    return [(value - low) / (high - low) if high > low else 0.0 for value in x]


def _idf(side: Side, kind: str) -> list[float]:
    """Return the inverse document frequency of each rating's object; the subjects are the documents."""
    n, df = len(side.ids), Counter(side.other.tolist())
    forms: dict[str, Callable[[int], float]] = {
        "smooth": lambda d: math.log(n / (1 + d)),
        "base": lambda d: math.log(n / d),
        "bm25": lambda d: math.log((n - d + 0.5) / (d + 0.5)),
        "unary": lambda d: 1.0,
    }
    return [forms[kind](df[j]) for j in side.other.tolist()]


def _lengths(side: Side, x: list[float]) -> list[float]:
    """Return, for each rating, the sum of its subject's ratings."""
    return _each_group(side.subject, x, lambda row: [math.fsum(row)] * len(row))


def _tfidf(side: Side, x: list[float], tf: str, idf: str) -> list[float]:
    if tf in ("sqrt", "log", "freq"):
        _refuse_negative(x, f"tfidf({tf})")
    if tf == "sqrt":
        tfs = [math.sqrt(value) for value in x]
    elif tf == "log":
        tfs = [math.log(1 + value) for value in x]
    elif tf == "freq":
        tfs = [value / length if length else 0.0 for value, length in zip(x, _lengths(side, x), strict=True)]
    else:
        tfs = [1.0] * len(x) if tf == "binary" else x
    return [t * i for t, i in zip(tfs, _idf(side, idf), strict=True)]


def _bm25(side: Side, x: list[float], variant: str, k1: float | None, b: float | None) -> list[float]:
    _refuse_negative(x, "bm25")
    usual_k1, usual_b = (100.0, 0.8) if variant == "implicit" else (1.2, 0.75)
    k1, b = usual_k1 if k1 is None else k1, usual_b if b is None else b
    idf = _idf(side, "bm25" if variant == "similaripy" else "smooth")
    average = math.fsum(x) / len(side.ids)
    return [
        value * (k1 + 1) / (k1 * (1 - b + b * length / average) + value) * i if value else 0.0
        for value, length, i in zip(x, _lengths(side, x), idf, strict=True)
    ]


def _refuse_negative(x: Sequence[float], what: str) -> None:
    if any(value < 0 for value in x):
        raise DataError(f"{what} needs ratings of at least 0.", hint="shift the ratings")


# -- numbers that depend on whole profiles ---------------------------------------------------------

_Pair = tuple[Reals, Reals]


def _by_own_mean(side: Side, x: list[float], _: dict[str, Any]) -> _Pair:
    made = _each_group(side.subject, x, _centered)
    return made, made


def _by_other_mean(side: Side, x: list[float], _: dict[str, Any]) -> _Pair:
    made = _each_group(side.other, x, _centered)
    return made, made


def _ranks(side: Side, x: list[float], _: dict[str, Any]) -> _Pair:
    """Return twice the mid-rank in the whole profile, less a + 1."""
    made = [0] * len(x)
    for where in _members(side.subject).values():
        row = sorted(x[at] for at in where)
        for at in where:
            # Ranks left + 1 … right are shared, so twice their mean is left + right + 1.
            made[at] = bisect_left(row, x[at]) + bisect_right(row, x[at]) + 1 - (len(row) + 1)
    return made, made


def _residuals(side: Side, x: list[float], given: dict[str, Any]) -> _Pair:
    """Return what is left of r after μ + b_u + b_i, by alternating least squares, items first."""
    mu = math.fsum(x) / len(x) if x else 0.0
    user, item = side.users.tolist(), side.items.tolist()
    of_user, of_item = _members(side.users), _members(side.items)
    b_user, b_item = dict.fromkeys(of_user, 0.0), dict.fromkeys(of_item, 0.0)
    for _ in range(int(given["epochs"])):
        for i, where in of_item.items():
            b_item[i] = math.fsum(x[at] - mu - b_user[user[at]] for at in where) / (
                given["reg_i"] + len(where)
            )
        for u, where in of_user.items():
            b_user[u] = math.fsum(x[at] - mu - b_item[item[at]] for at in where) / (
                given["reg_u"] + len(where)
            )
    left = [x[at] - (mu + b_user[user[at]] + b_item[item[at]]) for at in range(len(x))]
    made = _settled(left, x) if x else left
    return made, made


def _shares(side: Side, x: list[float], given: dict[str, Any]) -> _Pair:
    """Return the steps of a walk: from i to u (x_ui / Σ_u x_ui)^α, from u to j (x_uj / Σ_j x_uj)^α."""
    _refuse_negative(x, "a random walk")

    def share(row: list[float]) -> list[float]:
        total = math.fsum(row)
        return [math.pow(value / total, given["alpha"]) if total > 0 else 0.0 for value in row]

    return _each_group(side.subject, x, share), _each_group(side.other, x, share)


_MADE: dict[str, Callable[[Side, list[float], dict[str, Any]], _Pair]] = {
    "centered_cosine": _by_own_mean,
    "adjusted_cosine": _by_other_mean,
    "spearman": _ranks,
    "pearson_baseline": _residuals,
    "p3alpha": _shares,
    "rp3beta": _shares,
}
