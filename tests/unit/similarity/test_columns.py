"""Columns: sums of bytes, carried over, are the sums of products; counts are counted anew."""

from __future__ import annotations

import numpy as np
import pytest

import corated as cr
from corated.neighborhood.engine import Engine
from corated.similarity.columns import Columns, add_columns, columns_of, often_rated, recount
from corated.similarity.peaks import GROUP
from corated.similarity.rows import sums_of


def dense(users: int, items: int, share: float, levels: int) -> tuple[np.ndarray, np.ndarray, cr.Ratings]:
    """Return codes by user and item, where rated, and the ratings: from 1 to the number of levels."""
    rng = np.random.default_rng(users + items)
    rated = rng.random((users, items)) < share
    rated[np.arange(users), np.arange(users) % items] = True
    codes = rng.integers(0, levels, (users, items))
    who, what = np.nonzero(rated)
    values = codes[who, what] + 1.0
    return codes, rated, cr.Ratings.from_arrays(who, what, values, scale=(1, levels, 1))


def prepared(ratings: cr.Ratings, measure: str) -> tuple[Engine, Columns]:
    engine = Engine.build(ratings, of="users", measure=measure, min_common=1)
    return engine, columns_of(engine.profiles, sums_of(engine.layouts[0]), GROUP, counts=measure == "jaccard")


@pytest.mark.parametrize(("measure", "levels"), [("cosine", 5), ("cosine", 30), ("jaccard", 3)])
def test_columns_add_up_to_the_sums(measure: str, levels: int) -> None:
    codes, rated, ratings = dense(40, 50, 0.6, levels)
    engine, columns = prepared(ratings, measure)
    numbers = np.where(rated, 1 if measure == "jaccard" else codes + 1, 0)
    p, has = engine.profiles, columns.slot > 0
    assert has.any()
    few, acc, starts = np.zeros(GROUP, np.uint8), np.zeros(GROUP, np.int32), np.zeros(60, np.int64)
    for u in (0, 17, 39):
        acc[:] = 0
        add_columns(p, columns, u, starts, few, acc, True)
        user = p.rank[u]
        np.testing.assert_array_equal(acc[:40], (numbers[:, has] @ numbers[user, has])[p.rank])
        assert not acc[40:].any()
        assert not few.any()


def test_counts_that_fit_are_not_carried() -> None:
    _, rated, ratings = dense(40, 50, 0.6, 1)
    engine, columns = prepared(ratings, "jaccard")
    p, few = engine.profiles, np.zeros(GROUP, np.uint8)
    add_columns(p, columns, 3, np.zeros(60, np.int64), few, few, False)
    has = columns.slot > 0
    shared = rated[:, has].astype(np.int64) @ rated[p.rank[3], has].astype(np.int64)
    np.testing.assert_array_equal(few[:40], shared[p.rank])


def test_counts_are_counted_anew() -> None:
    _, rated, ratings = dense(40, 50, 0.3, 5)
    p = prepared(ratings, "cosine")[0].profiles
    who, common = np.array([5, 39, 2], dtype=np.uint32), np.array([32, 64, 0], dtype=np.int32)
    mark = np.zeros(50, np.uint8)
    recount(p, 8, who, common, mark, np.uint64(3))
    shared = (rated[p.rank[who]] & rated[p.rank[8]]).sum(axis=1)
    np.testing.assert_array_equal(common, shared)
    assert not mark.any()


@pytest.mark.parametrize(
    ("share", "levels", "padded", "has"),
    [
        (0.6, 5, GROUP, True),
        (0.2, 5, GROUP, False),  # too few for it to pay
        (0.6, 100, GROUP, False),  # numbers too large for bytes
        (0.6, 5, 100 * GROUP, False),  # nobody is rated often
    ],
)
def test_where_columns_pay(share: float, levels: int, padded: int, has: bool) -> None:
    engine, _ = prepared(dense(40, 50, share, levels)[2], "cosine")
    assert (len(often_rated(engine.profiles, sums_of(engine.layouts[0]), padded, counts=False)) > 0) == has
