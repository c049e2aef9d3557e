"""Profiles arranged for the kernels, against the same built entry by entry."""

from __future__ import annotations

import numpy as np
import pytest

from corated.similarity.profiles import add_up, arrange, stable_order, walked


def made(n: int, m: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[list[int]]]:
    """Return a CSR matrix of codes, some rows of it empty, and its rows as lists of (object, code)."""
    rng = np.random.default_rng(n + m)
    rated = rng.random((n, m)) < share * rng.random(n)[:, None]
    rated[n // 2] = False
    rows, objects = np.nonzero(rated)
    codes = rng.integers(0, 7, len(rows)).astype(np.uint8)
    indptr = np.concatenate([[0], np.cumsum(rated.sum(axis=1))])
    return indptr, objects.astype(np.int32), codes, [np.flatnonzero(row).tolist() for row in rated]


@pytest.mark.parametrize("frozen", [False, True])
def test_entries_stand_in_both_orientations(frozen: bool) -> None:
    indptr, objects, codes, rows = made(30, 12, 0.8)
    for array in (indptr, objects, codes):
        array.flags.writeable = not frozen
    p = arrange(indptr, objects, codes, 12, 7)
    sizes = [len(row) for row in rows]
    assert p.rank.tolist() == sorted(range(30), key=lambda row: (sizes[row], row))
    assert p.label[p.rank].tolist() == list(range(30))
    columns: list[list[int]] = [[] for _ in range(12)]
    for label, row in enumerate(p.rank):
        here = slice(p.indptr[label], p.indptr[label + 1])
        assert p.objects[here].tolist() == rows[row]
        np.testing.assert_array_equal(p.codes[here], codes[indptr[row] : indptr[row + 1]])
        for column, code in zip(p.objects[here], p.codes[here], strict=True):
            columns[column].append(label << p.shift | int(code))
    for column, raters in enumerate(columns):
        assert p.raters[p.rater_ptr[column] : p.rater_ptr[column + 1]].tolist() == raters
    for label in range(30):
        for entry in range(p.indptr[label], p.indptr[label + 1]):
            assert p.raters[p.after[entry] - 1] >> p.shift == label
            assert p.rater_ptr[p.objects[entry]] < p.after[entry] <= p.rater_ptr[p.objects[entry] + 1]


def test_raters_that_are_walked_past() -> None:
    p = arrange(*made(30, 12, 0.8)[:3], 12, 7)
    both, all_of_them = np.zeros(30, dtype=np.int64), np.zeros(30, dtype=np.int64)
    walked(p, True, both)
    walked(p, False, all_of_them)
    many = np.diff(p.rater_ptr)
    rows = np.repeat(np.arange(30), np.diff(p.indptr))
    for total, start in ((both, p.after), (all_of_them, p.rater_ptr[p.objects])):
        events = (p.rater_ptr[p.objects + 1] - start).astype(np.float64)
        np.testing.assert_array_equal(total, np.bincount(rows, weights=events, minlength=30))
    assert all_of_them.sum() == (many * many).sum()
    assert both.sum() == (many * (many - 1)).sum() // 2


def test_whole_profiles_add_up() -> None:
    p = arrange(*made(30, 12, 0.8)[:3], 12, 7)
    numbers, sums, norms = np.arange(7) * 2.0 - 3.0, np.full(30, np.nan), np.full(30, np.nan)
    add_up(p, numbers, sums, norms)
    rows = np.repeat(np.arange(30), np.diff(p.indptr))
    np.testing.assert_array_equal(sums, np.bincount(rows, weights=numbers[p.codes], minlength=30))
    np.testing.assert_array_equal(norms, np.bincount(rows, weights=numbers[p.codes] ** 2, minlength=30))


@pytest.mark.parametrize("below", [1, 2, 2**16 - 1, 2**16, 2**16 + 1, 2**33, 2**50])
def test_order_is_stable_at_any_size_of_numbers(below: int) -> None:
    rng = np.random.default_rng(below)
    few = rng.integers(0, below, 40)
    keys = np.concatenate([rng.choice(few, 300), [0, below - 1]])
    assert stable_order(keys, below).tolist() == np.argsort(keys, kind="stable").tolist()
    assert stable_order(keys[:0], below).tolist() == []
