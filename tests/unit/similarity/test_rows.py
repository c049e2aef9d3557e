"""Whole rows: what is chosen on the spot is what the lists of both sides hold."""

from __future__ import annotations

import numpy as np
import pytest

import corated as cr
from corated.neighborhood import engine as engine_module
from corated.neighborhood.cost import rows_pay
from corated.neighborhood.engine import Engine

MORE = 200
"""Lists of so many are not found row by row."""


@pytest.fixture(autouse=True)
def rows_wherever_they_can_be(monkeypatch):
    monkeypatch.setattr(engine_module, "rows_pay", lambda *_: True)


def crowd(users: int, items: int, each: int, levels: int) -> cr.Ratings:
    """Make ratings of which many are alike: many in common with many, and values that tie by the hundred."""
    rng = np.random.default_rng(users + items + levels)
    pairs = np.unique(rng.integers(0, users, users * each) * items + rng.integers(0, items, users * each))
    values = rng.integers(0, levels, len(pairs)).astype(np.float64)
    values[:levels] = np.arange(levels)
    return cr.Ratings.from_arrays(pairs // items, pairs % items, values)


@pytest.mark.parametrize("measure", ["cosine", "jaccard", "dice", "tversky(alpha=1,beta=0)"])
@pytest.mark.parametrize(
    ("users", "items", "each", "levels"),
    [(700, 5, 2, 1), (700, 40, 6, 3), (450, 900, 3, 5)],
    ids=["ties", "dense", "sparse"],
)
def test_rows_are_the_best_of_longer_lists(
    measure: str, users: int, items: int, each: int, levels: int
) -> None:
    ratings = crowd(users, items, each, levels)
    engine = Engine.build(ratings, of="users", measure=measure, min_common=1)
    assert engine.serves_rows(7)
    assert not engine.serves_rows(MORE)
    longer = cr.neighbors(ratings, measure=measure, k=MORE, threads=1)
    for k in (1, 7, 40):
        found = cr.neighbors(ratings, measure=measure, k=k, threads=2)
        rank = np.arange(len(longer)) - np.repeat(longer.indptr[:-1], np.diff(longer.indptr))
        for name in ("neighbor", "value", "n_common"):
            np.testing.assert_array_equal(getattr(found, name), getattr(longer, name)[rank < k])


@pytest.mark.parametrize(
    "measure", ["cosine(shrink=10)", "jaccard(shrink=5)", "pearson", "tversky(alpha=0,beta=0)"]
)
def test_other_searches_are_not_served_by_rows(measure: str) -> None:
    engine = Engine.build(crowd(30, 9, 3, 3), of="users", measure=measure, min_common=1)
    assert not engine.serves_rows(5)


@pytest.mark.parametrize(
    ("subjects", "ratings", "events", "pays"),
    [
        (29_858, 810_128, 60_900_000, True),  # few meet
        (2_999, 487_650, 196_000_000, True),  # most meet often
        (53_968, 712_337, 586_000_000, False),  # in between
        (16_554, 100_000, 1_000_000, False),  # short profiles
        (0, 0, 0, True),
    ],
)
def test_where_rows_pay(subjects, ratings, events, pays):
    assert rows_pay(subjects, ratings, events) == pays
