"""Selecting and merging by the total order: value, then common ratings, then id."""

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.similarity.topk import (
    RANK_MASK,
    TopK,
    merge_topk,
    new_topk,
    offer_row,
    offer_rows,
    settle,
    tie_of,
)

KEYS = st.sampled_from([-2.0, -1.0, -0.5, -0.0, 0.0, 0.25, 0.5, 1.0, 1.0 + 2**-52, math.inf, -1e300])
COUNTS = st.sampled_from([1, 2, 3, 40, 2**30, 2**31 - 1])
RANKS = st.sampled_from([0, 1, 2, 2**31, RANK_MASK - 1]) | st.integers(0, 60)


def candidates(max_size=40, keys=KEYS):
    """Lists of (key, n, rank), each rank once: the ids are distinct."""
    return st.lists(st.tuples(keys, COUNTS, RANKS), max_size=max_size, unique_by=lambda c: c[2])


def ordered(entries, k):
    """The definition: Python's sort by larger key, larger n, smaller rank."""
    return sorted(entries, key=lambda c: (-c[0], -c[1], c[2]))[:k]


def selection(rows):
    """A selection whose rows hold these candidates, in this order."""
    made = new_topk(max(map(len, rows), default=0), np.array([len(row) for row in rows], dtype=np.int64))
    for v, row in enumerate(rows):
        for at, (key, n, rank) in enumerate(row, start=int(made.base[v])):
            made.key[at], made.tie[at] = key, tie_of(n, rank)
        made.size[v] = len(row)
    return made


def settled(rows, k):
    made = selection(rows)
    settle(made, k, 0, len(rows))
    return made


def contents(best, v=0):
    """Row v as a list of (key, n, rank)."""
    span = slice(int(best.base[v]), int(best.base[v] + best.size[v]))
    return [
        (float(key), int(tie) >> 32, RANK_MASK - (int(tie) & RANK_MASK))
        for key, tie in zip(best.key[span], best.tie[span], strict=True)
    ]


@given(candidates(), st.integers(1, 45))
@settings(max_examples=200)
def test_settle_is_sorting(entries, k):
    assert contents(settled([entries], k)) == ordered(entries, k)


@given(st.lists(candidates(max_size=8), min_size=3, max_size=3), st.integers(1, 10))
@settings(max_examples=100)
def test_settle_touches_only_its_rows(rows, k):
    made = selection(rows)
    settle(made, k, 1, 2)
    assert contents(made, 0) == [tuple(entry) for entry in rows[0]]
    assert contents(made, 1) == ordered(rows[1], k)
    assert contents(made, 2) == [tuple(entry) for entry in rows[2]]


@given(candidates(), st.integers(1, 45), st.data())
@settings(max_examples=200)
def test_merge_is_sorting_associative_and_commutative(entries, k, data):
    owner = data.draw(st.lists(st.integers(0, 2), min_size=len(entries), max_size=len(entries)))
    parts = [[c for c, o in zip(entries, owner, strict=True) if o == part] for part in range(3)]
    a, b, c = (settled([part], k) for part in parts)
    expected = ordered(entries, k)
    for x, y, z in itertools.permutations((a, b, c)):
        assert contents(merge_topk(merge_topk(x, y, k), z, k)) == expected
        assert contents(merge_topk(x, merge_topk(y, z, k), k)) == expected


@given(
    st.lists(st.tuples(candidates(max_size=6), candidates(max_size=6)), min_size=1, max_size=5),
    st.integers(1, 7),
)
@settings(max_examples=100)
def test_merge_keeps_subjects_apart(rows, k):
    # The ranks of both halves are made distinct, since candidates are disjoint.
    left = [[(key, n, 2 * (rank % 1000)) for key, n, rank in a] for a, _ in rows]
    right = [[(key, n, 2 * (rank % 1000) + 1) for key, n, rank in b] for _, b in rows]
    merged = merge_topk(settled(left, k), settled(right, k), k)
    for v, (a, b) in enumerate(zip(left, right, strict=True)):
        assert contents(merged, v) == ordered(a + b, k)


def test_merge_with_nothing():
    some, nothing = settled([[(1.0, 2, 3), (0.5, 9, 1)]], 5), settled([[]], 5)
    assert contents(merge_topk(some, nothing, 5)) == contents(merge_topk(nothing, some, 5)) == contents(some)
    assert contents(merge_topk(nothing, nothing, 5)) == []


def test_ties_at_the_cut():
    same_value = [(1.0, 2, 9), (1.0, 3, 8), (1.0, 3, 4), (1.0, 2, 1), (0.5, 50, 0)]
    for entries in itertools.permutations(same_value):
        assert contents(settled([list(entries)], 2)) == [(1.0, 3, 4), (1.0, 3, 8)]
        assert contents(settled([list(entries)], 3)) == [(1.0, 3, 4), (1.0, 3, 8), (1.0, 2, 1)]


def cramped(rows, k, spare):
    """An empty selection that must shrink after each k + spare candidates."""
    base = np.arange(rows + 1, dtype=np.int64) * (k + spare)
    empty = (np.zeros(rows, np.int64), np.full(rows, -np.inf), np.zeros(rows, np.int64))
    return TopK(np.empty(base[-1]), np.empty(base[-1], np.int64), base, *empty, np.full(rows, -np.inf))


def columns(entries):
    """Candidates as the arrays that are offered: key, n, who, and the rank of each who."""
    key = np.array([key for key, _, _ in entries], dtype=np.float64)
    n = np.array([n for _, n, _ in entries], dtype=np.int64)
    rank = np.array([rank for _, _, rank in entries], dtype=np.int64)
    return key, n, np.arange(len(entries), dtype=np.uint32), rank


@given(candidates(max_size=60, keys=KEYS | st.just(math.nan)), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=200)
def test_one_row_keeps_the_best_of_what_it_is_offered(entries, k, spare):
    best = cramped(3, k, spare)
    key, n, who, rank = columns(entries)
    at = 0
    while at < len(entries):
        at = offer_row(best, k, 1, key, n, who, rank, at, len(entries))
    settle(best, k, 0, 3)
    assert contents(best, 1) == ordered([c for c in entries if not math.isnan(c[0])], k)
    assert contents(best, 0) == contents(best, 2) == []


@given(
    st.lists(candidates(max_size=12, keys=KEYS | st.just(math.nan)), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(1, 3),
)
@settings(max_examples=200)
def test_many_rows_keep_the_best_of_what_they_are_offered(rows, k, spare):
    best = cramped(len(rows), k, spare)
    for turn in range(max(map(len, rows))):
        # One candidate for every row that has a turn left, by the common rank of the turn.
        offered = [(v, row[turn]) for v, row in enumerate(rows) if turn < len(row)]
        key, n, _, _ = columns([entry for _, entry in offered])
        who = np.array([v for v, _ in offered], dtype=np.uint32)
        at = 0
        while at < len(offered):
            at = offer_rows(best, k, turn, key, n, who, at, len(offered))
    settle(best, k, 0, len(rows))
    for v, row in enumerate(rows):
        offers = [(key, n, turn) for turn, (key, n, _) in enumerate(row) if not math.isnan(key)]
        assert contents(best, v) == ordered(offers, k)


def test_what_is_known_elsewhere_keeps_out_what_is_below_it_only():
    known = np.array([0.5])
    best = new_topk(2, np.array([9]), known)
    key, n, who = np.array([0.4, 0.5, 0.6, 0.7, 0.5]), np.full(5, 3), np.arange(5, dtype=np.uint32)
    j = 0
    while j < 5:
        j = offer_row(best, 2, 0, key, n, who, np.arange(5), j, 5)
    assert best.size[0] == 4  # 0.4 is below what is known
    settle(best, 2, 0, 1)
    assert best.key[:2].tolist() == [0.7, 0.6]


def test_a_full_row_raises_what_is_known_for_everyone():
    known = np.array([-np.inf])
    one, other = (new_topk(1, np.array([50]), known) for _ in range(2))
    many = len(one.key)
    key, n, who = np.linspace(0, 1, many), np.full(many, 1), np.arange(many, dtype=np.uint32)
    assert offer_row(one, 1, 0, key, n, who, np.arange(many), 0, many) == many
    assert known[0] == 1.0
    low = np.zeros(1)
    assert offer_row(other, 1, 0, low, n, who, np.arange(many), 0, 1) == 1
    assert other.size[0] == 0
