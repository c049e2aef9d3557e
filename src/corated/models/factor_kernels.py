"""Kernels of factor models: ridge regressions row by row, and scores of users by items.

A *row* is a user or an item, whose own numbers are sought; the *others* are those of the other side, whose
numbers are known at that moment. Every sum is sequential, so neither threads nor blocks show in a result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import allocating, inlined, kernel

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Flag = npt.NDArray[np.uint8]

__all__ = ["Desk", "Entries", "Ridge", "influence", "score_all", "score_some", "solve_rows"]

_TILE = 1024
"""Items whose scores are added up at a time: they stay in the first cache."""
_SINGULAR = 1e-14
"""Pivots below this, of what stood on the diagonal, are taken for 0."""


class Entries(NamedTuple):
    """Ratings row by row: int64 (rows + 1,), int32 codes of the others, float64 what they should come to."""

    indptr: Ints
    other: Codes
    target: Floats


class Ridge(NamedTuple):
    """What a row's numbers x solve: (base + weight · Σ z zᵀ) x = Σ target · z, over its ratings.

    features : float64 (others, d), z of each of the others;  base : float64 (d, d), symmetric
    """

    features: Floats
    base: Floats
    weight: float


class Desk(NamedTuple):
    """Working memory of a thread: float64 (d, d), (d,) and (d,)."""

    matrix: Floats
    right: Floats
    before: Floats


@inlined
def _add(total: Floats, factor: float, values: Floats) -> None:
    for j in range(len(total)):
        total[j] += factor * values[j]


@allocating
def _factorize(row: int, entries: Entries, ridge: Ridge, desk: Desk) -> None:
    """Put the Cholesky factor U of a row's matrix UᵀU in the upper half of ``desk.matrix``.

    A direction in which the matrix is singular to rounding gets an infinite pivot, so that nothing is said
    of it.
    """
    z, matrix, d = ridge.features, desk.matrix, len(desk.right)
    matrix[:] = ridge.base
    for at in range(entries.indptr[row], entries.indptr[row + 1]):
        other = entries.other[at]
        for a in range(d):
            scaled = ridge.weight * z[other, a]
            for c in range(a + 1):
                matrix[a, c] += scaled * z[other, c]
    for a in range(d):
        desk.before[a] = matrix[a, a]
        for c in range(a):
            matrix[c, a] = matrix[a, c]
    for a in range(d):
        pivot = matrix[a, a]
        matrix[a, a] = np.sqrt(pivot) if pivot > _SINGULAR * desk.before[a] else np.inf
        for c in range(a + 1, d):
            matrix[a, c] /= matrix[a, a]
        for c in range(a + 1, d):
            _add(matrix[c, c:], -matrix[a, c], matrix[a, c:])


@kernel
def _solve(desk: Desk) -> None:
    """Solve in place for ``desk.right`` by the factor in ``desk.matrix``."""
    matrix, right, d = desk.matrix, desk.right, len(desk.right)
    for a in range(d):
        right[a] /= matrix[a, a]
        for c in range(a + 1, d):
            right[c] -= matrix[a, c] * right[a]
    for a in range(d - 1, -1, -1):
        for c in range(a + 1, d):
            right[a] -= matrix[a, c] * right[c]
        right[a] /= matrix[a, a]


@allocating
def solve_rows(
    first: int, last: int, entries: Entries, ridge: Ridge, desk: Desk, out: Floats, cancel: Flag
) -> None:
    """Solve for the numbers of rows ``first`` to ``last``; those of a row without ratings are 0.

    out : float64 (rows, d)
    """
    z, right, d = ridge.features, desk.right, len(desk.right)
    for row in range(first, last):
        if cancel[0] != 0:
            return
        right[:] = 0.0
        if entries.indptr[row] < entries.indptr[row + 1]:
            _factorize(row, entries, ridge, desk)
            for at in range(entries.indptr[row], entries.indptr[row + 1]):
                other, target = entries.other[at], entries.target[at]
                for a in range(d):
                    right[a] += target * z[other, a]
            _solve(desk)
        out[row] = right


@kernel
def influence(row: int, entries: Entries, ridge: Ridge, desk: Desk, out: Floats) -> None:
    """Write what each of a row's ratings adds to x · goal, which ``desk.right`` holds: they sum to it.

    x = A⁻¹ Σ target · z, so x · goal = Σ target · (z · A⁻¹ goal).
    """
    z, d, first = ridge.features, len(desk.right), entries.indptr[row]
    _factorize(row, entries, ridge, desk)
    _solve(desk)
    for at in range(first, entries.indptr[row + 1]):
        value = 0.0
        for a in range(d):
            value += z[entries.other[at], a] * desk.right[a]
        out[at - first] = entries.target[at] * value


@kernel
def score_all(users: Ints, own: Floats, theirs: Floats, out: Floats, first: int, cancel: Flag) -> None:
    """Write Σ_k own[user, k] · theirs[k, item] for all items, in ascending order of k.

    theirs : float64 (d, items);  out : float64 (rows, items);  first : the row of the first user
    """
    d, n_items = theirs.shape
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user = users[index]
        for start in range(0, n_items, _TILE):
            stop = min(start + _TILE, n_items)
            row = out[first + index, start:stop]
            row[:] = 0.0
            for k in range(d):
                factor, column = own[user, k], theirs[k, start:stop]
                for j in range(stop - start):
                    row[j] += factor * column[j]


@kernel
def score_some(users: Ints, items: Ints, own: Floats, theirs: Floats, out: Floats) -> None:
    """Write the same for pairs of codes, bit for bit; 0 where a code is below 0."""
    for at in range(len(users)):
        value = 0.0
        if users[at] >= 0 and items[at] >= 0:
            for k in range(theirs.shape[0]):
                value += own[users[at], k] * theirs[k, items[at]]
        out[at] = value
