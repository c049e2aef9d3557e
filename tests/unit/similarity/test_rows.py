"""Whole rows: what is chosen on the spot is what the lists of both sides hold."""

from __future__ import annotations

import numpy as np
import pytest

import corated as cr
from corated.neighborhood import engine as engine_module
from corated.neighborhood.cost import rows_pay
from corated.neighborhood.engine import Engine
from corated.similarity.columns import often_rated
from corated.similarity.peaks import GROUP
from corated.similarity.rows import alike_together, is_constant, packed, sums_of

MORE = 200
"""Lists of so many are not found row by row."""


@pytest.fixture(autouse=True)
def rows_wherever_they_can_be(monkeypatch):
    monkeypatch.setattr(engine_module, "rows_pay", lambda *_, **__: True)


def crowd(users: int, items: int, each: int, levels: int) -> cr.Ratings:
    """Make ratings of which many are alike: many in common with many, and values that tie by the hundred."""
    rng = np.random.default_rng(users + items + levels)
    pairs = np.unique(rng.integers(0, users, users * each) * items + rng.integers(0, items, users * each))
    values = rng.integers(0, levels, len(pairs)).astype(np.float64)
    values[:levels] = np.arange(levels)
    if levels == 1:
        values[:] = 7.0
    return cr.Ratings.from_arrays(pairs // items, pairs % items, values)


MEASURES = ["cosine", "jaccard", "dice", "tversky(alpha=1,beta=0)"]


@pytest.mark.jit
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("users", "items", "each", "levels"),
    [(700, 5, 2, 1), (700, 40, 6, 3), (450, 900, 3, 5)],
    ids=["ties", "dense", "sparse"],
)
def test_rows_are_the_best_of_longer_lists(
    measure: str, users: int, items: int, each: int, levels: int
) -> None:
    ratings = crowd(users, items, each, levels)
    check(ratings, measure, (1, 7, 40))


def check(ratings: cr.Ratings, measure: str, lists: tuple[int, ...]) -> None:
    """Compare rows found whole with the beginnings of longer lists, found in the other way."""
    engine = Engine.build(ratings, of="users", measure=measure, min_common=1)
    assert engine.serves_rows(max(lists))
    assert not engine.serves_rows(MORE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "serves_rows", lambda *_: False)
        longer = cr.neighbors(ratings, measure=measure, k=MORE, threads=1)
    assert len(longer) > 0
    for k in lists:
        found = cr.neighbors(ratings, measure=measure, k=k, threads=2)
        rank = np.arange(len(longer)) - np.repeat(longer.indptr[:-1], np.diff(longer.indptr))
        for name in ("neighbor", "value", "n_common"):
            np.testing.assert_array_equal(getattr(found, name), getattr(longer, name)[rank < k])


@pytest.mark.jit
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("users", "items", "each", "levels"),
    [(3_000, 3_000, 8, 4), (400, 60, 30, 6), (300, 900, 300, 3), (300, 900, 300, 1), (24_000, 1_300, 8, 1)],
    ids=["many", "columns", "long", "long and alike", "met twice"],
)
def test_rows_of_other_shapes(measure: str, users: int, items: int, each: int, levels: int) -> None:
    """More groups than are folded; columns; profiles of more than 255 ratings; a thousand events of few."""
    ratings = crowd(users, items, each, levels)
    engine = Engine.build(ratings, of="users", measure=measure, min_common=1)
    layout, padded = engine.layouts[0], -(-engine.n // GROUP) * GROUP
    chosen = often_rated(engine.profiles, sums_of(layout), padded, counts=is_constant(layout))
    assert (len(chosen) > 0) == (users < 1_000)
    events, counts = engine.events(both=False), engine.counts
    is_twice = (events >= 1_000) & (events * 16 <= users) & (counts > 1) & (counts <= 255)
    assert (is_twice.sum() > 1_000) == (users == 24_000)
    assert (ratings.user_counts.max() > 255) == (items == 900)
    check(ratings, measure, (1, 40, 100))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("each", "levels"), [(2, 3), (20, 4), (20, 1)])
def test_rows_of_a_few(measure: str, each: int, levels: int) -> None:
    check(crowd(24, 30, each, levels), measure, (3, 40))


@pytest.mark.jit
@pytest.mark.parametrize("measure", MEASURES)
def test_sums_of_nothing_are_found(measure: str) -> None:
    """Columns leave sums of 0 out; whoever has fewer than k neighbors has those of value 0 too."""
    rng = np.random.default_rng(3)
    users, items = np.divmod(rng.permutation(60 * 50)[:1_500], 50)
    values = np.where(users < 30, 0.0, rng.integers(0, 3, len(users)))
    values[:3] = [0.0, 1.0, 2.0]
    check(cr.Ratings.from_arrays(users, items, values, scale=(0, 2, 1)), measure, (3, 40, 59))


@pytest.mark.parametrize("beta", [1e-10, 3e-12])
def test_values_that_differ_by_next_to_nothing_are_in_order(beta: float) -> None:
    """By less than 32 bits of a value tell, and the other way round than ranks and common ratings."""
    users = np.repeat(np.arange(60), 61 - np.arange(60))
    items = np.concatenate([np.append(0, 100 * user + np.arange(60 - user)) for user in range(60)])
    items[users % 3 == 0] %= 7
    pairs = np.unique(np.stack([users, items]), axis=1)
    ratings = cr.Ratings.from_arrays(*pairs, np.ones(pairs.shape[1]))
    check(ratings, f"tversky(alpha=0.01,beta={beta})", (3, 40, 59))


@pytest.mark.parametrize(
    ("low", "most"), [(10, 511), (700, 63), (3_000, 0)], ids=["side by side", "some alone", "too large"]
)
def test_sums_too_large_for_a_word_with_their_count(low: int, most: int) -> None:
    """Ratings so far from 0 that Σ takes most of a word, or all of it."""
    rng = np.random.default_rng(low)
    each = np.concatenate([rng.integers(1, 6, 200), rng.integers(30, 100, 39), [500]])
    users = np.repeat(np.arange(240), each)
    items = np.concatenate([rng.permutation(900)[:many] for many in each])
    scale = (low, low + 2, 1)
    ratings = cr.Ratings.from_arrays(users, items, rng.integers(low, low + 3, len(users)), scale=scale)
    engine = Engine.build(ratings, of="users", measure="cosine", min_common=1)
    assert engine.serves_rows(40) == (most > 0)
    if engine.serves_rows(40):
        assert packed(sums_of(engine.layouts[0]), 500)[1] == most
        check(ratings, "cosine", (3, 40, 63, 100, 128))


def test_one_with_many_ratings_who_meets_few() -> None:
    """Fewer than are asked for, by sums that stand alone."""
    rng = np.random.default_rng(1)
    users = np.append(np.zeros(300, dtype=np.int64), np.repeat(np.arange(1, 700), 3))
    items = np.append(np.arange(300), rng.integers(280, 3_000, 699 * 3))
    pairs = np.unique(np.stack([users, items]), axis=1)
    values = rng.integers(700, 703, pairs.shape[1])
    ratings = cr.Ratings.from_arrays(*pairs, values, scale=(700, 702, 1))
    check(ratings, "cosine", (5, 20, 40, 100))
    assert 0 < len(cr.neighbors(ratings, measure="cosine", k=100).of(0)) < 20


def test_same_profiles_of_one_rating_stand_together() -> None:
    users, items = np.arange(9), np.array([1, 0, 1, 0, 1, 0, 1, 2, 2])
    values = np.array([1.0, 1, 2, 1, 1, 2, 2, 1, 1])
    both = (np.append(users, 8), np.append(items, 0), np.append(values, 1.0))
    engine = Engine.build(cr.Ratings.from_arrays(*both), of="users", measure="cosine", min_common=1)
    profiles = engine.profiles
    order = alike_together(profiles, np.arange(9))
    assert order.tolist()[-1] == 8
    shown = [(int(profiles.objects[at]), int(profiles.codes[at])) for at in profiles.indptr[order[:-1]]]
    assert shown == sorted(shown)
    assert sorted(order.tolist()) == list(range(9))
    some = np.array([8, 3, 0, 6, 5])  # by their own places, whoever else there is
    within = alike_together(profiles, some)
    assert some[within].tolist() == [label for label in order.tolist() if label in some]


@pytest.mark.parametrize(
    "measure",
    [
        "cosine(shrink=10)",
        "jaccard(shrink=5)",
        "pearson",
        "tversky(alpha=0,beta=0)",
        "tversky(alpha=1e39,beta=1)",
    ],
)
def test_other_searches_are_not_served_by_rows(measure: str) -> None:
    engine = Engine.build(crowd(30, 9, 3, 3), of="users", measure=measure, min_common=1)
    assert not engine.serves_rows(5)


@pytest.mark.parametrize(
    ("subjects", "events", "counts", "pays"),
    [
        (100_000, 10**9, False, True),
        (200_000, 10**10, False, False),
        (200_000, 10**10, True, True),
        (200_000, 10**11, False, True),  # two meet often
        (0, 0, False, True),
    ],
)
def test_where_rows_pay(subjects: int, events: int, counts: bool, pays: bool) -> None:
    assert rows_pay(subjects, events, counts=counts) == pays
