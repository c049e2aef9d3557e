"""Kernels of prediction: what the neighbors who rated a thing make of it, for pairs that are asked for.

A *subject* is the one whose neighbors are asked (a user, or an item when the roles are swapped), an *object*
what they rated (an item, or a user). Codes throughout; code == rank.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import kernel
from corated.similarity.topk import keep_best, tie_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int32]
Flag = npt.NDArray[np.uint8]

__all__ = ["Asked", "Desk", "Found", "Limits", "Raters", "near_rows", "score_pairs"]


class Found(NamedTuple):
    """The pairs of some subjects, one subject after another.

    starts : int64 (subjects + 1,);  who : int64 (m,), codes of the others
    value : float64, as the measure gives it, NaN where undefined;  n : int64, co-rated counts
    """

    starts: Ints
    who: Ints
    value: Floats
    n: Ints


class Asked(NamedTuple):
    """What is asked of each subject: int64 (subjects + 1,), int64 objects, int64 places in the answer."""

    starts: Ints
    object: Ints
    place: Ints


class Raters(NamedTuple):
    """Who rated each object: int64 (objects + 1,), int32, codes ascending.

    worth : float64, what the rating says;  counts : float64, how much it counts
    """

    indptr: Ints
    who: Codes
    worth: Floats
    counts: Floats


class Limits(NamedTuple):
    """Whom to ask.

    k : neighbors at most, of those who rated the object;  sign : 1.0, or −1.0 for distances
    least : the similarity a neighbor must have;  is_counted : whether a neighbor weighs 1, and not that
    """

    k: int
    sign: float
    least: float
    is_counted: bool


class Desk(NamedTuple):
    """Working memory of a thread; ``key`` is NaN between subjects.

    key : float64 (n,), by code, what neighbors are ordered by;  n : int64 (n,)
    who, row : (n,), the raters of the object at hand that are neighbors, and where they stand among all
    keys, ties : (n,), what those are ordered by
    """

    key: Floats
    n: Ints
    who: Ints
    row: Ints
    keys: Floats
    ties: Ints


@kernel
def _lay_out(found: Found, index: int, limits: Limits, desk: Desk) -> None:
    """Put the neighbors of one subject, by code, on the desk: those that are similar enough."""
    for p in range(found.starts[index], found.starts[index + 1]):
        value = found.value[p]
        weight = value if limits.sign > 0.0 else 1.0 / (1.0 + value)
        if weight >= limits.least:  # false for NaN
            v = found.who[p]
            desk.key[v], desk.n[v] = value * limits.sign, found.n[p]


@kernel
def _last_of_best(desk: Desk, k: int, many: int) -> tuple[float, int]:
    """Return what the k-th best of the neighbors at hand is ordered by; the worst where there are fewer."""
    if many <= k:
        return -np.inf, -1
    for j in range(many):
        v = desk.who[j]
        desk.keys[j], desk.ties[j] = desk.key[v], tie_of(desk.n[v], v)
    keep_best(desk.keys, desk.ties, 0, many, k)
    return desk.keys[k - 1], desk.ties[k - 1]


@kernel
def score_pairs(
    found: Found,
    asked: Asked,
    raters: Raters,
    limits: Limits,
    desk: Desk,
    total: Floats,
    weight: Floats,
    support: Ints,
    cancel: Flag,
) -> None:
    """Add up similarity × worth over the neighbors that rated each object asked for, in order of codes.

    total, weight, support : by place: Σ s w, Σ |s|, and how many; s is the similarity, 1/(1 + d) for a
        distance d, times what the rating counts
    """
    for index in range(len(asked.starts) - 1):
        if cancel[0] != 0:
            return
        first, last = asked.starts[index], asked.starts[index + 1]
        if first == last or found.starts[index] == found.starts[index + 1]:
            continue
        _lay_out(found, index, limits, desk)
        for at in range(first, last):
            thing, place, many = asked.object[at], asked.place[at], 0
            for j in range(raters.indptr[thing], raters.indptr[thing + 1]):
                v = np.int64(raters.who[j])
                desk.who[many], desk.row[many] = v, j
                many += int(desk.key[v] == desk.key[v])
            last_key, last_tie = _last_of_best(desk, limits.k, many)
            for j in range(many):
                v, row = desk.who[j], desk.row[j]
                key = desk.key[v]
                if key > last_key or (key == last_key and tie_of(desk.n[v], v) >= last_tie):
                    s = key if limits.sign > 0.0 else 1.0 / (1.0 - key)
                    s = raters.counts[row] if limits.is_counted else s * raters.counts[row]
                    total[place] += s * raters.worth[row]
                    weight[place] += abs(s)
                    support[place] += 1
        for p in range(found.starts[index], found.starts[index + 1]):
            desk.key[found.who[p]] = np.nan


@kernel
def near_rows(found: Found, limits: Limits, dense: Floats, indptr: Ints, who: Codes, weight: Floats) -> None:
    """Write the neighbors of each subject out in ascending order of codes, as far as they are similar enough.

    dense : float64 (n,), NaN; working memory
    indptr, who, weight : rows of the answer, with room for all
    """
    indptr[0] = 0
    for index in range(len(found.starts) - 1):
        for p in range(found.starts[index], found.starts[index + 1]):
            value = found.value[p]
            s = value if limits.sign > 0.0 else 1.0 / (1.0 + value)
            if s >= limits.least:  # false for NaN
                dense[found.who[p]] = 1.0 if limits.is_counted else s
        out = indptr[index]
        for v in range(len(dense)):
            if dense[v] == dense[v]:
                who[out], weight[out] = v, dense[v]
                dense[v] = np.nan
                out += 1
        indptr[index + 1] = out
