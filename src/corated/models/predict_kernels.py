"""Kernels of prediction: what the neighbors who rated a thing make of it, for pairs that are asked for.

A *subject* is the one whose neighbors are asked (a user, or an item when the roles are swapped), an *object*
what they rated (an item, or a user). Codes throughout; code == rank.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import kernel
from corated.similarity.topk import RANK_MASK, TopK, offer_row, settle

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
    worth, counts : float64 (n,), of the object at hand
    keys, common, who : (n,), candidates
    best : one row with room for n
    rank : int64 (n,), code == rank
    """

    key: Floats
    n: Ints
    worth: Floats
    counts: Floats
    keys: Floats
    common: Ints
    who: Labels
    best: TopK
    rank: Ints


@kernel
def _select(desk: Desk, k: int, many: int) -> int:
    """Bring the best k of the candidates to the first row of ``best``, best first; returns how many."""
    best = desk.best
    best.size[0] = 0
    best.floor[0] = -np.inf
    best.known[0] = -np.inf
    j = 0
    while j < many:
        j = offer_row(best, k, 0, desk.keys, desk.common, desk.who, desk.rank, j, many)
    settle(best, k, 0, 1)
    return int(best.size[0])


@kernel
def _lay_out(found: Found, index: int, limits: Limits, desk: Desk) -> None:
    """Put the neighbors of one subject, by code, on the desk: those that are similar enough."""
    first, last = found.starts[index], found.starts[index + 1]
    many = 0
    for p in range(first, last):
        value = found.value[p]
        weight = value if limits.sign > 0.0 else 1.0 / (1.0 + value)
        if weight >= limits.least:  # false for NaN
            v = found.who[p]
            desk.keys[many], desk.common[many], desk.who[many] = value * limits.sign, found.n[p], v
            many += 1
    for j in range(many):
        v = np.int64(desk.who[j])
        desk.key[v], desk.n[v] = desk.keys[j], desk.common[j]


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
    """Add up similarity × worth over the neighbors that rated each object asked for.

    In ascending order of codes where all of them count, closest first where the k best had to be chosen.

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
                if desk.key[v] == desk.key[v]:
                    desk.keys[many], desk.common[many], desk.who[many] = desk.key[v], desk.n[v], v
                    desk.worth[v], desk.counts[v] = raters.worth[j], raters.counts[j]
                    many += 1
            if many > limits.k:
                many = _select(desk, limits.k, many)
                for near in range(many):
                    desk.who[near] = RANK_MASK - (desk.best.tie[near] & RANK_MASK)
            for j in range(many):
                v = np.int64(desk.who[j])
                s = desk.key[v] if limits.sign > 0.0 else 1.0 / (1.0 - desk.key[v])
                s = desk.counts[v] if limits.is_counted else s * desk.counts[v]
                total[place] += s * desk.worth[v]
                weight[place] += abs(s)
            support[place] = many
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
