"""What each rating counts as: values made from whole profiles, as arrays.

Every function takes `Entries` and returns float64 (nnz,) in their order. Sums are sequential, in ascending
order of users and items, so a number does not depend on the orientation: what is computed of users is the
same to the last bit whether they are the rows or the columns. A difference below `ROUNDING` of the largest
rating around is what rounding left of 0, and counts as 0: whether a profile has a norm depends on it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.errors import DataError

__all__ = [
    "ROUNDING",
    "Axis",
    "Baseline",
    "Entries",
    "baseline",
    "center",
    "means",
    "mid_ranks",
    "minmax",
    "refuse_negative",
    "residuals",
    "shifted",
    "walk",
    "zscore",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Axis = Literal["rows", "columns"]

ROUNDING: Final = 1e-12
"""Differences of less than this part of the largest number around are taken for 0."""


class Entries(NamedTuple):
    """Ratings by profile: row r is ``objects[indptr[r]:indptr[r + 1]]``, ascending.

    indptr : int64 (rows + 1,);  objects : integers (nnz,)
    values : float64 (nnz,), the ratings
    n_objects : the number of columns;  rows : whose profiles they are
    """

    indptr: npt.NDArray[np.int64]
    objects: npt.NDArray[np.integer[Any]]
    values: Floats
    n_objects: int
    rows: Literal["users", "items"]


class _Groups(NamedTuple):
    """The entries by row or by column.

    of : integers (nnz,), the group of each entry
    first : float64 (groups,), the first value of each group, 0 for an empty one
    sizes : float64 (groups,), the number of entries, at least 1
    """

    of: npt.NDArray[np.integer[Any]]
    first: Floats
    sizes: Floats

    def sums(self, terms: Floats) -> Floats:
        """Add up the terms of each group, one after another: float64 (groups,)."""
        return np.bincount(self.of, weights=terms, minlength=len(self.first)).astype(np.float64, copy=False)

    def largest(self, terms: Floats) -> Floats:
        """Return the largest of each group, 0 for an empty one: float64 (groups,)."""
        most = np.full(len(self.first), -np.inf)
        np.maximum.at(most, self.of, terms)
        return np.where(np.isneginf(most), 0.0, most)


def _groups(entries: Entries, axis: Axis) -> _Groups:
    counts = np.diff(entries.indptr)
    if axis == "rows":
        of: npt.NDArray[np.integer[Any]] = np.repeat(np.arange(len(counts)), counts)
    else:
        of = entries.objects
        counts = np.bincount(of, minlength=entries.n_objects)
    first = np.zeros(len(counts))
    first[of[::-1]] = entries.values[::-1]  # the last assignment stays, which is the first entry
    return _Groups(of, first, np.maximum(counts, 1).astype(np.float64))


# -- deviations -----------------------------------------------------------------------------------


def means(entries: Entries, axis: Axis) -> Floats:
    """Return the mean of each row or column: float64 (rows,) or (n_objects,); 0 for an empty one.

    It is x₀ + Σ(x − x₀)/n, x₀ the first value: the mean of equal numbers is that number, exactly.
    """
    return _means(entries, _groups(entries, axis))


def _means(entries: Entries, groups: _Groups) -> Floats:
    return groups.first + groups.sums(entries.values - groups.first[groups.of]) / groups.sizes


def center(entries: Entries, axis: Axis) -> Floats:
    """Return x − x̄, x̄ the mean of the row or of the column; exactly 0 where it is flat."""
    return _center(entries, _groups(entries, axis))


def _center(entries: Entries, groups: _Groups) -> Floats:
    return _clean(entries.values - _means(entries, groups)[groups.of], entries, groups)


def _clean(differences: Floats, entries: Entries, groups: _Groups) -> Floats:
    """Turn what rounding left of 0 into 0, as measured by the largest value of each group."""
    largest = groups.largest(np.abs(entries.values))
    return np.where(np.abs(differences) <= ROUNDING * largest[groups.of], 0.0, differences)


def shifted(entries: Entries) -> Floats:
    """Return x minus the rating of the row that is nearest its mean, the first of those equally near.

    For measures that a shift does not change: numbers around 0 lose fewer digits in sums of squares, and
    differences of ratings are exact where a difference from the mean is rounded. 0 where the two differ by
    less than `ROUNDING` of themselves.
    """
    groups = _groups(entries, "rows")
    order = np.lexsort((np.abs(entries.values - _means(entries, groups)[groups.of]), groups.of))
    nearest = np.zeros(len(groups.first))
    filled = np.diff(entries.indptr) > 0
    nearest[filled] = entries.values[order[entries.indptr[:-1][filled]]]
    by = nearest[groups.of]
    differences = entries.values - by
    # Not of the row's largest, as in `center`: small ratings beside a huge one may still differ.
    alike = np.abs(differences) <= ROUNDING * np.maximum(np.abs(entries.values), np.abs(by))
    return np.where(alike, 0.0, differences)


def zscore(entries: Entries, axis: Axis) -> Floats:
    """Return (x − x̄)/σ, mean and population standard deviation of the row or column; 0 where it is flat."""
    groups = _groups(entries, axis)
    deviations = _center(entries, groups)
    sigma = np.sqrt(groups.sums(deviations * deviations) / groups.sizes)[groups.of]
    scores: Floats = np.divide(deviations, sigma, out=np.zeros_like(deviations), where=sigma > 0.0)
    return scores


def minmax(entries: Entries, axis: Axis) -> Floats:
    """Return (x − min)/(max − min), of the row or column: from 0 to 1; 0 where it is flat."""
    groups = _groups(entries, axis)
    low = -groups.largest(-entries.values)[groups.of]
    span = groups.largest(entries.values)[groups.of] - low
    scaled: Floats = np.divide(entries.values - low, span, out=np.zeros_like(span), where=span > 0.0)
    return scaled


def mid_ranks(entries: Entries) -> Floats:
    """Return 2·rank − (a + 1) within each row of a ratings: integers, which add up to 0.

    Ranks ascend with the ratings from 1; equal ratings share the average of their ranks.
    """
    counts = np.diff(entries.indptr)
    row = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((entries.values, row))
    ascending, n = entries.values[order], len(order)
    begins = np.ones(n, dtype=np.bool_)
    begins[1:] = (ascending[1:] != ascending[:-1]) | (row[1:] != row[:-1])  # rows are sorted already
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], n)
    run = np.cumsum(begins) - 1
    before = entries.indptr[:-1][row]
    # The ranks of a run are start + 1 … end, counted from the beginning of its row.
    twice = (starts + 1 + ends)[run] - 2 * before - (counts + 1)[row]
    ranks = np.empty(n)
    ranks[order] = twice
    return ranks


# -- baseline -------------------------------------------------------------------------------------


class Baseline(NamedTuple):
    """μ + b_u + b_i: the mean of all ratings, and how far each user and item lies above it.

    user, item : float64, by code
    """

    mu: float
    user: Floats
    item: Floats


def baseline(entries: Entries, epochs: int, reg_u: float, reg_i: float) -> Baseline:
    """Fit r ≈ μ + b_u + b_i by alternating least squares, items first, from zeros.

    In each epoch b_i = Σ_u (r − μ − b_u)/(reg_i + c_i), then b_u = Σ_i (r − μ − b_i)/(reg_u + c_u), with c
    the numbers of ratings. Koren, "Factor in the neighbors", TKDD 2010, section 2.1, as in Surprise.
    """
    users, items = _sides(entries)
    mu = _mean_of_all(entries, users)
    above = entries.values - mu
    b_user, b_item = np.zeros(len(users.first)), np.zeros(len(items.first))
    for _ in range(epochs):
        b_item = items.sums(above - b_user[users.of]) / (reg_i + items.sizes)
        b_user = users.sums(above - b_item[items.of]) / (reg_u + users.sizes)
    return Baseline(mu, b_user, b_item)


def residuals(entries: Entries, epochs: int, reg_u: float, reg_i: float) -> Floats:
    """Return r − (μ + b_u + b_i), what `baseline` leaves of each rating."""
    fit = baseline(entries, epochs, reg_u, reg_i)
    users, items = _sides(entries)
    left = entries.values - (fit.mu + fit.user[users.of] + fit.item[items.of])
    largest = np.abs(entries.values).max(initial=0.0)
    return np.where(np.abs(left) <= ROUNDING * largest, 0.0, left)


def _sides(entries: Entries) -> tuple[_Groups, _Groups]:
    """Return the entries by user and by item."""
    rows, columns = _groups(entries, "rows"), _groups(entries, "columns")
    return (rows, columns) if entries.rows == "users" else (columns, rows)


def _mean_of_all(entries: Entries, users: _Groups) -> float:
    """Return the mean of all ratings, added up user by user, as differences from one of them."""
    if not len(entries.values):
        return 0.0
    first = float(users.first[int(users.of.min())])
    total = np.cumsum(users.sums(entries.values - first))[-1]
    return first + float(total) / len(entries.values)


# -- walks ----------------------------------------------------------------------------------------


def walk(entries: Entries, alpha: float) -> Floats:
    """Return x^α / R^(α/2), R the sum of the column, 0 where that is 0.

    So that Σ z_i z_j over what i and j have in common is Σ x_i^α x_j^α / R^α: the share of a random walk
    from i to j, up to a factor of i; see `corated.similarity.measures.P3Alpha`. Raises `DataError` for
    negative values.
    """
    refuse_negative(entries.values, "A random walk")
    columns = _groups(entries, "columns")
    total = columns.sums(entries.values)
    power = np.divide(1.0, total ** (alpha / 2.0), out=np.zeros_like(total), where=total > 0.0)
    shares: Floats = entries.values**alpha * power[columns.of]
    return shares


def refuse_negative(values: Floats, what: str) -> None:
    """Raise `DataError` with the first negative values, where there are any.

    what : what cannot use them, as the message begins
    """
    below = np.flatnonzero(values < 0.0)
    if len(below):
        shown = ", ".join(f"{value:g}" for value in values[below[:5]])
        raise DataError(
            f"{what} cannot use {len(below):,} negative of {len(values):,} ratings: {shown}"
            f"{', …' if len(below) > 5 else '.'}",
            expected="ratings of at least 0",
            hint='shift the ratings, use weight="minmax" or "binary", or use a measure that takes negative '
            'ratings, such as "pearson"',
        )
