"""The kernels where sums are widest, lists longest and words most: against the oracle, exactly."""

import dataclasses

import numpy as np
import pytest

from corated.neighborhood import cost as cost_module
from corated.neighborhood.engine import Engine
from corated.neighborhood.find import find
from corated.neighborhood.graph import neighbors
from corated.neighborhood.run import Run
from corated.neighborhood.work import Search, work_of
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES, get_measure
from corated.similarity.statistics import plan_layouts


def ratings_of(profiles, scale):
    """Ratings from one array of (item, rating) rows for each user 0, 1, …"""
    users = np.repeat(np.arange(len(profiles)), [len(profile) for profile in profiles])
    rows = np.concatenate(profiles)
    return Ratings.from_arrays(users, rows[:, 0].astype(np.int64), rows[:, 1], scale=scale)


@pytest.fixture
def assert_equal(rows_of, assert_lists):
    """A function that compares some subjects' neighbors, asked for among all and alone, with the oracle's.

    questions : (k, min_common), at least one
    """

    def compare(ratings, measure, *questions, subjects=None):
        everybody = reference.neighbors(ratings, measure=measure, subjects=subjects, k=ratings.n_users)
        for k, min_common in questions:
            options = {"measure": measure, "threads": 1, "k": k, "min_common": min_common}
            found = rows_of(neighbors(ratings, **options), list(everybody))
            enough = {
                id: [row for row in rows if row.n_common >= min_common] for id, rows in everybody.items()
            }
            assert_lists(ratings, measure, found, enough, k)
            assert rows_of(neighbors(ratings, subjects=list(everybody), **options)) == found
        return found

    return compare


OF_INTEGERS = [name for name in MEASURES if get_measure(name).values != "profiles"]
"""Measures whose sums are packed."""


def extreme_profiles(sizes, low, high):
    """Users who rated the first items, everything at an end of the scale but for a rating or two.

    A first and a last rating apart keep nobody flat; the sums stay within a hair of the largest there are.
    """
    profiles = []
    for number, size in enumerate(sizes):
        for end, other in ((high, low), (low, high)):
            values = np.full(size, end, dtype=np.float64)
            values[number % size] = other
            values[-1 - number % size] = (low + high) // 2
            profiles.append(np.column_stack([np.arange(size), values]))
        profiles.append(np.column_stack([np.arange(size), np.where(np.arange(size) % 2, low, high)]))
    return profiles


@pytest.mark.jit
@pytest.mark.parametrize("measure", OF_INTEGERS)
@pytest.mark.parametrize(
    "scale", [(0, 255, 1), (1, 10, 1), (-255, 0, 1), (-128, 127, 1), (0, 1, 1), (1, 256, 1)]
)
def test_sums_at_the_capacity_of_every_layout(measure, scale, assert_equal):
    low, high, _ = scale
    over, sums = get_measure(measure).values, get_measure(measure).sums
    codes = np.arange(high - low + 1)
    integers = {"ratings": codes + low, "midpoint": 2 * codes - (high - low), "nothing": 0 * codes}
    layouts = plan_layouts(sums, integers.get(over, codes), 3000)
    sizes = {at for layout in layouts for at in (layout.capacity - 1, layout.capacity, layout.capacity + 1)}
    ratings = ratings_of(extreme_profiles(sorted(s for s in sizes if 2 <= s <= 3001), low, high), scale)
    found = assert_equal(ratings, measure, (100, 2))
    assert any(found.values())


def test_three_words_are_needed_and_right(assert_equal):
    rng = np.random.default_rng(1)
    sizes = [3, 40, 700, 1100, 1101, 1400]
    profiles = [
        np.column_stack([rng.choice(1500, size, replace=False), rng.integers(200, 256, size)])
        for size in sizes
    ]
    ratings = ratings_of(profiles, (0, 255, 1))
    engine = Engine.build(ratings, of="users", measure="pearson", min_common=1)
    assert [layout.words for layout in engine.layouts] == [2, 3]
    assert engine.layouts[0].capacity < 1100
    for measure in ("pearson", "cosine_common", "cosine"):
        assert_equal(ratings, measure, (10, 1))


@pytest.mark.jit
def test_pearson_where_the_product_of_variances_passes_64_bits(assert_equal):
    rng = np.random.default_rng(2)
    items = np.arange(30_000)
    profiles = [np.column_stack([items, rng.choice([0, 9], len(items))]) for _ in range(3)]
    ratings = ratings_of(profiles, (0, 9, 1))
    sums = reference.sums(ratings, 0, 1)
    assert (sums.n * sums.sxx - sums.sx**2) * (sums.n * sums.syy - sums.sy**2) > 2**63
    found = assert_equal(ratings, "pearson", (2, 1))
    assert all(abs(float.fromhex(value)) < 0.1 for rows in found.values() for _, value, _ in rows)


@pytest.mark.jit
@pytest.mark.parametrize(
    "measure",
    [
        *("pearson", "euclidean", "msd", "manhattan", "cosine", "cosine_common", "jaccard"),
        *("conditional", "log_likelihood", "spearman", "p3alpha"),
    ],
)
def test_more_candidates_than_a_chunk_and_than_a_list_has_room_for(measure, assert_equal):
    # Three levels on three items: nearly all candidates tie, so n and id decide who is in.
    rng = np.random.default_rng(3)
    n = 2600
    profiles = [
        np.column_stack([rng.choice(3, size, replace=False), rng.integers(0, 3, size)])
        for size in rng.integers(1, 4, n)
    ]
    ratings = ratings_of(profiles, (0, 2, 1))
    subjects = [int(s) for s in rng.choice(n, 12, replace=False)] + [0, n - 1]
    assert_equal(ratings, measure, (1, 1), (40, 2), (300, 1), (n, 1), subjects=subjects)


@pytest.mark.jit
def test_candidates_in_64_bits_are_the_same():
    """Where candidate and code do not fit 32 bits together, they travel in 64."""
    rng = np.random.default_rng(4)
    profiles = [
        np.column_stack([rng.choice(30, size, replace=False), rng.integers(1, 6, size)])
        for size in rng.integers(1, 30, 80)
    ]
    engine = Engine.build(ratings_of(profiles, (1, 5, 1)), of="users", measure="pearson", min_common=2)
    raters = engine.profiles.raters.astype(np.uint64)
    wide = dataclasses.replace(engine.numbers, profiles=engine.profiles._replace(raters=raters))
    for codes in (None, np.arange(0, 80, 3)):
        narrow, other = (
            everything_found(Search(one, "users", k=10, codes=codes))
            for one in (engine, dataclasses.replace(engine, numbers=wide))
        )
        assert narrow == other
        assert narrow


def everything_found(search):
    parts = find(search, work_of(search, 1, None), Run(threads=1))
    return [row for part in parts for row in part.to_pylist()]


def test_blocks_of_one_query_and_many_threads(monkeypatch, rows_of):
    monkeypatch.setattr(cost_module, "_SMALLEST_BLOCK", 1)
    monkeypatch.setattr(cost_module, "_BLOCKS_PER_THREAD", 10**6)
    rng = np.random.default_rng(5)
    profiles = [
        np.column_stack([rng.choice(12, size, replace=False), rng.integers(1, 4, size)])
        for size in rng.integers(1, 12, 40)
    ]
    ratings = ratings_of(profiles, (1, 3, 1))
    for measure in ("pearson", "euclidean"):
        expected = rows_of(reference.neighbors(ratings, measure=measure, k=5, min_common=2))
        for threads in (1, 2, 7):
            got = neighbors(ratings, measure=measure, k=5, min_common=2, threads=threads)
            assert rows_of(got) == expected


@pytest.mark.jit
@pytest.mark.parametrize("measure", ["spearman", "spearman(adjust=shrink_add(3))"])
def test_ranks_of_long_profiles_are_exact_on_small_overlaps(measure, assert_equal):
    """Doubled ranks of 2,000 ratings on an overlap of a few: sums of floats, and still to the last bit."""
    rng = np.random.default_rng(6)
    profiles = [
        np.column_stack([start + rng.permutation(2010)[:2000], rng.integers(1, 11, 2000)])
        for start in (0, 0, 1990, 1990, 3980)
    ]
    found = assert_equal(ratings_of(profiles, (1, 10, 1)), measure, (5, 2))
    assert any(0 < n < 30 for rows in found.values() for _, _, n in rows)
