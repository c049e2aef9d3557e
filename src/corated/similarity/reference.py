"""The slow, obvious version of everything: the definition that every fast path is compared with.

Each measure is stated here a second time, from the ratings themselves and apart from the kernels and the
functions they compile. Sums are exact integers, counted in steps of the rating scale; a value is one
expression in float64, each integer turned into a float before anything is multiplied; a selection is
Python's ``sorted``. Nothing is packed, relabeled, cached or shared between threads. Ids are the caller's.

It is quick enough to check hundreds of subjects of a hundred thousand ratings in seconds, and no more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale

__all__ = [
    "Answer",
    "CoRated",
    "Neighbor",
    "Reason",
    "Recommendation",
    "Rule",
    "Sums",
    "co_rated",
    "default_like",
    "is_distance",
    "merge",
    "neighbors",
    "recommend",
    "sums",
    "value",
]

Int64s = npt.NDArray[np.int64]

Reason = Literal[
    "nothing in common",
    "fewer in common than min_common",
    "fewer than 2 in common",
    "flat on the overlap",
    "a norm is 0",
]
"""Why a pair has no value."""

Rule = Literal["closest", "votes", "weighted_votes"]


class CoRated(NamedTuple):
    """One thing that both rated (or one person who rated both), and the two ratings."""

    id: Id
    x: float
    y: float


class Sums(NamedTuple):
    """The sums of a pair of profiles, in steps of the scale; the last four are of whole profiles.

    x and y are ``rating / step`` where the scale's lowest rating is a multiple of its step, else steps above
    the lowest rating (the sums of differences, and Pearson's, are the same in both).
    """

    n: int
    sx: int
    sy: int
    sxx: int
    syy: int
    sxy: int
    sdd: int
    sad: int
    count_x: int
    count_y: int
    norm_x: int
    norm_y: int


class Answer(NamedTuple):
    """A value, or None and the reason why there is none."""

    value: float | None
    reason: Reason | None


class Neighbor(NamedTuple):
    """One neighbor in a list that is best first."""

    neighbor: Id
    value: float
    n_common: int


class Recommendation(NamedTuple):
    """One item in a list that is best first; ``support`` is how many of the neighbors like it."""

    item: Id
    score: float | None
    support: int


# -- the measures ---------------------------------------------------------------------------------


def _pearson(s: Sums, _: float) -> Answer:
    if s.n < 2:
        return Answer(None, "fewer than 2 in common")
    vx = s.n * s.sxx - s.sx**2
    vy = s.n * s.syy - s.sy**2
    if vx == 0 or vy == 0:
        return Answer(None, "flat on the overlap")
    return Answer(float(s.n * s.sxy - s.sx * s.sy) / math.sqrt(float(vx) * float(vy)), None)


def _euclidean(s: Sums, step: float) -> Answer:
    return Answer(math.sqrt(float(s.sdd)) * step, None)


def _msd(s: Sums, step: float) -> Answer:
    return Answer(1.0 / (1.0 + float(s.sdd) * (step * step) / float(s.n)), None)


def _manhattan(s: Sums, step: float) -> Answer:
    return Answer(float(s.sad) * step, None)


def _cosine(s: Sums, _: float) -> Answer:
    if s.norm_x == 0 or s.norm_y == 0:
        return Answer(None, "a norm is 0")
    return Answer(float(s.sxy) / math.sqrt(float(s.norm_x) * float(s.norm_y)), None)


def _cosine_common(s: Sums, _: float) -> Answer:
    if s.sxx == 0 or s.syy == 0:
        return Answer(None, "a norm is 0")
    return Answer(float(s.sxy) / math.sqrt(float(s.sxx) * float(s.syy)), None)


def _jaccard(s: Sums, _: float) -> Answer:
    return Answer(float(s.n) / float(s.count_x + s.count_y - s.n), None)


_FORMULAS: dict[str, Callable[[Sums, float], Answer]] = {
    "pearson": _pearson,
    "euclidean": _euclidean,
    "msd": _msd,
    "manhattan": _manhattan,
    "cosine": _cosine,
    "cosine_common": _cosine_common,
    "jaccard": _jaccard,
}
_DISTANCES = ("euclidean", "manhattan")


_OF_WHOLE_RATINGS = ("cosine", "cosine_common")  # a shift of the scale changes these


def is_distance(measure: str) -> bool:
    """Tell whether smaller values of a measure are closer; raises `ParameterError` for an unknown one."""
    _formula(measure)
    return measure in _DISTANCES


def _formula(measure: str) -> Callable[[Sums, float], Answer]:
    if measure not in _FORMULAS:
        raise ParameterError(
            f"Unknown measure {measure!r}.",
            expected=f"one of {', '.join(_FORMULAS)}",
            hint="choose one of these",
        )
    return _FORMULAS[measure]


def _answer(measure: str, s: Sums, step: float, min_common: int) -> Answer:
    if s.n == 0:
        return Answer(None, "nothing in common")
    if s.n < min_common:
        return Answer(None, "fewer in common than min_common")
    return _formula(measure)(s, step)


# -- pairs ----------------------------------------------------------------------------------------


class _Side(NamedTuple):
    """All ratings as seen from one side: rating i is between ``subject[i]`` and ``other[i]``.

    unit : the rating in steps, as in `Sums`;  rating : the rating itself
    counts, norms : by subject, the number of its ratings and the sum of their squared units
    """

    ids: IdMap
    other_ids: IdMap
    subject: Int64s
    other: Int64s
    unit: Int64s
    counts: Int64s
    norms: Int64s
    rating: npt.NDArray[np.float64]


def _side(ratings: Ratings, of: str, measure: str = "pearson") -> _Side:
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    items = ratings.by_user.indices.astype(np.int64)
    units = np.zeros(len(items), dtype=np.int64)
    if ratings.scale is not None and ratings.codes is not None:
        if measure in _OF_WHOLE_RATINGS:
            units = ratings.codes.astype(np.int64) * _parts(ratings.scale) + _low(ratings.scale)
        else:
            units = ratings.codes.astype(np.int64) + (ratings.scale.low_units or 0)
    if of == "users":
        subjects, others, subject, other = ratings.users, ratings.items, users, items
    elif of == "items":
        subjects, others, subject, other = ratings.items, ratings.users, items, users
    else:
        raise ParameterError(
            f"of={of!r} names no side.", expected='of="users" or of="items"', hint="choose one of them"
        )
    count = _total(len(subjects), subject, np.ones_like(units))
    norm = _total(len(subjects), subject, units * units)
    return _Side(subjects, others, subject, other, units, count, norm, ratings.values)


def _parts(scale: Scale) -> int:
    """Return into how many parts a step is cut so that all ratings are whole numbers of them."""
    return Fraction(scale.low / scale.step).limit_denominator(1000).denominator


def _low(scale: Scale) -> int:
    return round(scale.low / scale.step * _parts(scale))


def _step(ratings: Ratings, measure: str) -> float:
    """Return the scale's step; raises `DataError` where the measure is not exact on these ratings."""
    _formula(measure)
    if ratings.scale is None:
        if measure == "jaccard":
            return 1.0
        raise DataError(
            f"{measure} is exact only for ratings on a scale.", hint="declare a scale= when reading"
        )
    if measure in _OF_WHOLE_RATINGS:
        exact = ratings.scale.low / ratings.scale.step * _parts(ratings.scale)
        if abs(exact - round(exact)) > 1e-9 * max(1.0, abs(exact)):
            raise DataError(f"{measure} needs ratings that are small multiples of one unit.")
    return ratings.scale.step


def co_rated(ratings: Ratings, u: Id, v: Id, *, of: str = "users") -> list[CoRated]:
    """Return what both subjects rated, by ascending id, with the two ratings.

    Raises `UnknownIdError` or `IdTypeError` for an id that is not in the data.
    """
    side = _side(ratings, of)
    x, y = (dict(_profile(side, side.ids.code(id), side.rating)) for id in (u, v))
    return [
        CoRated(side.other_ids.id(code), float(x[code]), float(y[code]))
        for code in sorted(x.keys() & y.keys())
    ]


def sums(ratings: Ratings, u: Id, v: Id, *, of: str = "users", measure: str = "pearson") -> Sums:
    """Return the sums of two subjects' profiles, added up one rating at a time in Python's integers.

    Ratings are counted in steps of the scale, for the cosines in parts of a step that make all of them whole.

    Raises `UnknownIdError` or `IdTypeError` for an id that is not in the data.
    """
    side = _side(ratings, of, measure)
    x, y = (dict(_profile(side, side.ids.code(id), side.unit)) for id in (u, v))
    both = [(int(x[code]), int(y[code])) for code in sorted(x.keys() & y.keys())]
    return Sums(
        n=len(both),
        sx=sum(a for a, _ in both),
        sy=sum(b for _, b in both),
        sxx=sum(a * a for a, _ in both),
        syy=sum(b * b for _, b in both),
        sxy=sum(a * b for a, b in both),
        sdd=sum((a - b) ** 2 for a, b in both),
        sad=sum(abs(a - b) for a, b in both),
        count_x=len(x),
        count_y=len(y),
        norm_x=sum(int(a) ** 2 for a in x.values()),
        norm_y=sum(int(b) ** 2 for b in y.values()),
    )


def _profile(
    side: _Side, code: int, values: npt.NDArray[np.int64] | npt.NDArray[np.float64]
) -> Iterator[tuple[int, int | float]]:
    for at in np.flatnonzero(side.subject == code):
        yield int(side.other[at]), values[at].item()


def value(
    ratings: Ratings, u: Id, v: Id, *, of: str = "users", measure: str = "pearson", min_common: int = 1
) -> Answer:
    """Return the value of a measure for two subjects, or None and the reason why there is none.

    Raises `ParameterError`, `UnknownIdError`, `IdTypeError` or `DataError`.
    """
    step = _step(ratings, measure)
    return _answer(measure, sums(ratings, u, v, of=of, measure=measure), step, min_common)


# -- neighbors ------------------------------------------------------------------------------------


def neighbors(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str = "pearson",
    k: int = 40,
    min_common: int = 1,
    subjects: Iterable[Id] | None = None,
) -> dict[Id, list[Neighbor]]:
    """Return the k nearest neighbors of every subject (or of some), best first.

    Raises `ParameterError`, `UnknownIdError`, `IdTypeError` or `DataError`.
    """
    step = _step(ratings, measure)
    side = _side(ratings, of, measure)
    ids = list(side.ids)
    found: dict[Id, list[Neighbor]] = {}
    for subject in ids if subjects is None else sorted(set(subjects)):
        candidates: list[Neighbor] = []
        for code, pair in _with_everyone(side, side.ids.code(subject)):
            answer = _answer(measure, pair, step, min_common)
            if answer.value is not None:
                candidates.append(Neighbor(ids[code], answer.value, pair.n))
        found[subject] = _best_first(measure, candidates)[:k]
    return found


def merge(lists: Iterable[Sequence[Neighbor]], k: int, *, measure: str) -> list[Neighbor]:
    """Merge one subject's neighbors among disjoint candidates into its k nearest among all of them."""
    return _best_first(measure, [neighbor for part in lists for neighbor in part])[:k]


def _best_first(measure: str, candidates: list[Neighbor]) -> list[Neighbor]:
    """Sort by the total order: better value, then more in common, then the smaller id."""
    sign = 1.0 if is_distance(measure) else -1.0
    return sorted(candidates, key=lambda c: (sign * c.value, -c.n_common, c.neighbor))


def _with_everyone(side: _Side, u: int) -> Iterator[tuple[int, Sums]]:
    """Yield the sums of one subject with each other subject that it has something in common with.

    The same as `sums` for each of them, in one pass over all ratings.
    """
    reach = int(np.abs(side.unit).max(initial=1))
    if 2 * reach**2 * len(side.unit) >= 2**63:
        raise ParameterError(f"Ratings of {reach:,} steps are too large for sums in 64 bits.")
    rated = np.zeros(len(side.other_ids), dtype=np.bool_)
    given = np.zeros(len(side.other_ids), dtype=np.int64)
    mine = side.subject == u
    rated[side.other[mine]] = True
    given[side.other[mine]] = side.unit[mine]

    common = rated[side.other]
    who, x, y = side.subject[common], given[side.other[common]], side.unit[common]
    n = _total(len(side.ids), who, np.ones_like(x))
    totals = [
        _total(len(side.ids), who, term) for term in (x, y, x * x, y * y, x * y, (x - y) ** 2, np.abs(x - y))
    ]
    met = np.flatnonzero(n)
    whole = (side.counts[[u] * len(met)], side.counts[met], side.norms[[u] * len(met)], side.norms[met])
    columns = [column.tolist() for column in (n[met], *(total[met] for total in totals), *whole)]
    for code, row in zip(met.tolist(), zip(*columns, strict=True), strict=True):
        if code != u:
            yield code, Sums(*row)


def _total(n: int, who: Int64s, terms: Int64s) -> Int64s:
    """Add up the terms of each subject, in 64-bit integers."""
    total = np.zeros(n, dtype=np.int64)
    np.add.at(total, who, terms)
    return total


# -- recommendations ------------------------------------------------------------------------------


def default_like(ratings: Ratings) -> float:
    """Return the rating from which on a rating is a like: the top 30 % of the scale, rounded to a level.

    7 on 0–10 and on 1–10, 4 on 1–5; half a level rounds up. On a scale of one level and on none, every
    rating is a like: minus infinity.
    """
    if ratings.scale is None or ratings.scale.levels == 1:
        return -math.inf
    return float(ratings.scale.decode((7 * (ratings.scale.levels - 1) + 5) // 10))


def recommend(
    ratings: Ratings,
    neighbors: Sequence[Neighbor],
    *,
    user: Id,
    measure: str,
    rule: str = "votes",
    like: float | None = None,
    n: int = 10,
) -> list[Recommendation]:
    """Return up to n items for a user, out of what its neighbors like and it has not rated.

    neighbors : best first, as `neighbors` gives them for this user and this measure
    rule : ``closest``: each neighbor in turn gives the items it likes, best rated first, then by id, each
        item once, without a score; ``votes``: how many neighbors like it; ``weighted_votes``: the sum of
        those neighbors' values, of ``1 / (1 + d)`` for a distance, added up by ascending id
    like : the least rating that is a like; by default `default_like`

    Order: larger score, then more support, then the smaller id. Raises `ParameterError`, `UnknownIdError`,
    `IdTypeError` or `DataError`.
    """
    if rule not in get_args(Rule):
        raise ParameterError(f"Unknown rule {rule!r}.", expected=f"one of {', '.join(get_args(Rule))}")
    like = default_like(ratings) if like is None else like
    seen = ratings.profile(user)
    liked = [
        (
            neighbor,
            [(rating, item) for item, rating in ratings.profile(neighbor.neighbor).items() if rating >= like],
        )
        for neighbor in neighbors
    ]
    support: dict[Id, int] = {}
    score: dict[Id, float] = {}
    for neighbor, items in sorted(liked, key=lambda pair: pair[0].neighbor):
        weight = 1.0
        if rule == "weighted_votes":
            weight = 1.0 / (1.0 + neighbor.value) if is_distance(measure) else neighbor.value
        for _, item in items:
            if item not in seen:
                support[item] = support.get(item, 0) + 1
                score[item] = score.get(item, 0.0) + weight
    if rule == "closest":
        turns = [
            item for _, items in liked for _, item in sorted(items, key=lambda pair: (-pair[0], pair[1]))
        ]
        first = list(dict.fromkeys(item for item in turns if item not in seen))
        return [Recommendation(item, None, support[item]) for item in first[:n]]
    order = sorted(support, key=lambda item: (-score[item], -support[item], item))
    return [Recommendation(item, score[item], support[item]) for item in order[:n]]
