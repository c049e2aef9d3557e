"""Pairs and neighbors: the measures of one pair, of one subject with everyone, and the order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure
from corated.similarity.reference.formulas import (
    Answer,
    Sums,
    Whole,
    answer,
    is_distance,
    known,
    setting_of,
    sums_of,
)
from corated.similarity.reference.numbers import Numbers, Side, numbers_of, side_of

__all__ = ["CoRated", "Neighbor", "co_rated", "merge", "neighbors", "sums", "value"]

Int64s = npt.NDArray[np.int64]
Profile = dict[int, tuple[float, float]]
"""By object, ascending: what its rating counts as for who asks, and for a candidate."""


class CoRated(NamedTuple):
    """One thing that both rated (or one person who rated both), and the two ratings."""

    id: Id
    x: float
    y: float


class Neighbor(NamedTuple):
    """One neighbor in a list that is best first."""

    neighbor: Id
    value: float
    n_common: int


# -- pairs ----------------------------------------------------------------------------------------


def co_rated(ratings: Ratings, u: Id, v: Id, *, of: str = "users") -> list[CoRated]:
    """Return what both subjects rated, by ascending id, with the two ratings.

    Raises `UnknownIdError` or `IdTypeError` for an id that is not in the data.
    """
    side = side_of(ratings, of)
    x, y = (
        {
            int(side.other[at]): float(side.rating[at])
            for at in np.flatnonzero(side.subject == side.ids.code(id))
        }
        for id in (u, v)
    )
    return [CoRated(side.other_ids.id(code), x[code], y[code]) for code in sorted(x.keys() & y.keys())]


def sums(ratings: Ratings, u: Id, v: Id, *, of: str = "users", measure: str | Measure = "pearson") -> Sums:
    """Return the sums of two subjects' profiles, added up one rating at a time.

    Raises `UnknownIdError` or `IdTypeError` for an id that is not in the data.
    """
    return _pair(ratings, u, v, of, known(measure))[0]


def value(
    ratings: Ratings,
    u: Id,
    v: Id,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    min_common: int = 1,
) -> Answer:
    """Return the value of a measure, as u sees v, or None and the reason why there is none.

    Raises `ParameterError`, `UnknownIdError`, `IdTypeError` or `DataError`.
    """
    measure = known(measure)
    s, whole, numbers, size = _pair(ratings, u, v, of, measure)
    return answer(setting_of(measure, numbers, size, min_common), s, whole.total)


def _pair(ratings: Ratings, u: Id, v: Id, of: str, measure: Measure) -> tuple[Sums, Whole, Numbers, int]:
    side = side_of(ratings, of)
    numbers = numbers_of(side, measure)
    x, y = (_profile(side, numbers, side.ids.code(id)) for id in (u, v))
    whole_x, whole_y = _whole(x, numbers), _whole(y, numbers)
    both = sorted(x.keys() & y.keys())
    s = sums_of(
        measure,
        [x[code][0] for code in both],
        [y[code][1] for code in both],
        whole_x,
        whole_y,
        numbers.exact,
    )
    return s, whole_x, numbers, len(side.other_ids)


def _profile(side: Side, numbers: Numbers, code: int) -> Profile:
    where = np.flatnonzero(side.subject == code).tolist()
    return {int(side.other[at]): (numbers.x[at], numbers.y[at]) for at in where}


def _whole(profile: Profile, numbers: Numbers) -> Whole:
    x = [mine for mine, _ in profile.values()]
    add = sum if numbers.exact else math.fsum
    return Whole(len(x), add(a * a for a in x), add(x))


# -- neighbors ------------------------------------------------------------------------------------


def neighbors(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    subjects: Iterable[Id] | None = None,
) -> dict[Id, list[Neighbor]]:
    """Return the k nearest neighbors of every subject (or of some), best first.

    Raises `ParameterError`, `UnknownIdError`, `IdTypeError` or `DataError`.
    """
    measure = known(measure)
    side = side_of(ratings, of)
    numbers = numbers_of(side, measure)
    ids = list(side.ids)
    setting = setting_of(measure, numbers, len(side.other_ids), min_common)
    everyone = _Everyone(side, numbers)
    found: dict[Id, list[Neighbor]] = {}
    for subject in ids if subjects is None else sorted(set(subjects)):
        u = side.ids.code(subject)
        candidates: list[Neighbor] = []
        for code, s in everyone.met_by(u, measure):
            got = answer(setting, s, everyone.whole[u].total)
            if got.value is not None:
                candidates.append(Neighbor(ids[code], got.value, s.n))
        found[subject] = _best_first(measure, candidates)[:k]
    return found


def merge(lists: Iterable[Sequence[Neighbor]], k: int, *, measure: str | Measure) -> list[Neighbor]:
    """Merge one subject's neighbors among disjoint candidates into its k nearest among all of them."""
    return _best_first(measure, [neighbor for part in lists for neighbor in part])[:k]


def _best_first(measure: str | Measure, candidates: list[Neighbor]) -> list[Neighbor]:
    """Sort by the total order: better value, then more in common, then the smaller id."""
    sign = 1.0 if is_distance(measure) else -1.0
    return sorted(candidates, key=lambda c: (sign * c.value, -c.n_common, c.neighbor))


class _Everyone:
    """All profiles, to compare one with each: the same as `sums` of every pair."""

    def __init__(self, side: Side, numbers: Numbers) -> None:
        self.side, self.exact = side, numbers.exact
        reach = max((abs(x) for x in numbers.x), default=0)
        self.fits = numbers.exact and 4 * reach**2 * len(numbers.x) < 2**63
        kind = np.int64 if self.fits else object if numbers.exact else np.float64
        self.x, self.y = np.array(numbers.x, dtype=kind), np.array(numbers.y, dtype=kind)
        profiles: list[Profile] = [{} for _ in range(len(side.ids))]
        given = zip(side.subject.tolist(), side.other.tolist(), numbers.x, numbers.y, strict=True)
        for u, j, x, y in given:
            profiles[u][j] = (x, y)
        self.whole = [_whole(profile, numbers) for profile in profiles]

    def met_by(self, u: int, measure: Measure) -> Iterator[tuple[int, Sums]]:
        """Yield the sums of one subject with each other that it has something in common with."""
        subject, other = self.side.subject, self.side.other
        rated = np.zeros(len(self.side.other_ids), dtype=np.bool_)
        given = np.zeros(len(self.side.other_ids), dtype=self.x.dtype)
        mine = subject == u
        rated[other[mine]] = True
        given[other[mine]] = self.x[mine]
        common = rated[other] & ~mine
        who, x, y = subject[common], given[other[common]], self.y[common]
        return self._at_once(u, who, x, y) if self.fits else self._one_by_one(measure, u, who, x, y)

    def _one_by_one(
        self, measure: Measure, u: int, who: Int64s, x: npt.NDArray[Any], y: npt.NDArray[Any]
    ) -> Iterator[tuple[int, Sums]]:
        order = np.argsort(who, kind="stable")  # objects stay ascending
        met, starts = np.unique(who[order], return_index=True)
        xs, ys = x[order].tolist(), y[order].tolist()
        ends = [*starts.tolist(), len(xs)][1:]
        for v, start, end in zip(met.tolist(), starts.tolist(), ends, strict=True):
            pair = (xs[start:end], ys[start:end], self.whole[u], self.whole[v])
            yield v, sums_of(measure, *pair, self.exact)

    def _at_once(self, u: int, who: Int64s, x: Int64s, y: Int64s) -> Iterator[tuple[int, Sums]]:
        """Add up integers in one pass over all ratings."""
        terms = (np.ones_like(x), x, y, x * x, y * y, x * y, (x - y) ** 2, np.abs(x - y))
        totals = [_total(len(self.whole), who, term) for term in terms]
        met = np.flatnonzero(totals[0])
        for v, *row in zip(met.tolist(), *(total[met].tolist() for total in totals), strict=True):
            x_whole, y_whole = self.whole[u], self.whole[v]
            yield v, Sums(*(*row, x_whole.size, y_whole.size, x_whole.norm, y_whole.norm))


def _total(n: int, who: Int64s, terms: Int64s) -> Int64s:
    """Add up the terms of each subject, in 64-bit integers."""
    total = np.zeros(n, dtype=np.int64)
    np.add.at(total, who, terms)
    return total
