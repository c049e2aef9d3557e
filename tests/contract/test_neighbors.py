"""What every backend must give: the oracle's neighbors, values and counts, to what is promised of them."""

import functools

import numba
import numpy as np
import pytest

from corated.errors import DataError
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES


def made(sizes, n_items, scale, seed, levels=None, name=int):
    """Random ratings: a user for each size, few levels if asked; ids by ``name``, not in order."""
    rng = np.random.default_rng(seed)
    low, high, step = scale
    top = round((high - low) / step)
    palette = np.arange(top + 1) if levels is None else rng.choice(top + 1, levels, replace=False)
    users = rng.permutation(len(sizes) * 3)[: len(sizes)].tolist()
    rows = [
        (name(user), name(int(item)), round(low + step * int(rng.choice(palette)), 10))
        for user, size in zip(users, sizes, strict=True)
        for item in rng.choice(n_items, min(size, n_items), replace=False)
    ]
    return Ratings.from_arrays(*zip(*rows, strict=True), scale=scale)


def sizes(n, largest, seed=0):
    return np.random.default_rng(seed).integers(1, largest + 1, n).tolist()


SMALL = {
    "whole stars": lambda: made(sizes(25, 12), 15, (1, 5, 1), 1),
    "zeros": lambda: made(sizes(25, 12), 15, (0, 10, 1), 2, levels=3),
    "half stars": lambda: made(sizes(20, 10), 12, (0.5, 5, 0.5), 3),
    "tenths": lambda: made(sizes(20, 10), 12, (0, 1, 0.1), 4),
    "below zero": lambda: made(sizes(20, 10), 12, (-10, 10, 1), 5, levels=4),
    "one level": lambda: made(sizes(20, 10), 12, (1, 1, 1), 6),
    "text ids": lambda: made(sizes(20, 10), 12, (1, 10, 1), 7, levels=2, name=str),
    "one user": lambda: made([9], 9, (1, 5, 1), 8),
    "one item": lambda: made([1] * 9, 1, (1, 5, 1), 9),
    "nothing in common": lambda: Ratings.from_arrays(range(9), range(9), [3] * 9, scale=(1, 5, 1)),
    "three words": lambda: made([3, 700, 1200, 1300], 1400, (0, 255, 1), 10),
}
LARGE = {
    "a crowd": lambda: made(sizes(400, 6), 8, (1, 3, 1), 11),
    "a market": lambda: made(sizes(600, 60), 400, (0, 10, 1), 12),
    "long lists": lambda: made([1500, 1600, 900, 40, 1200], 2000, (0, 255, 1), 13),
}
QUESTIONS = [{"k": 2, "min_common": 1}, {"k": 70, "min_common": 3}]


@functools.cache
def case(name):
    return {**SMALL, **LARGE}[name]()


@functools.cache
def everybody(name, of, measure):
    """The oracle's neighbors of (up to 40 of) the subjects among everybody; None where it refuses."""
    ratings = case(name)
    ids = list(ratings.users if of == "users" else ratings.items)
    subjects = ids[:: max(1, len(ids) // 40)]
    try:
        return reference.neighbors(ratings, of=of, measure=measure, subjects=subjects, k=len(ids))
    except DataError:
        return None


def check(backend, rows_of, assert_lists, name, of, measure):
    ratings, wanted = case(name), everybody(name, of, measure)
    for question in QUESTIONS:
        if wanted is None:
            with pytest.raises(DataError):
                backend(ratings, of=of, measure=measure, **question)
            continue
        answer = backend(ratings, of=of, measure=measure, **question)
        graphs = answer if isinstance(answer, list) else [answer]
        got = {subject: found for graph in graphs for subject, found in rows_of(graph).items()}
        assert len(got) == len(ratings.users if of == "users" else ratings.items)
        least = question["min_common"]
        enough = {id: [row for row in rows if row.n_common >= least] for id, rows in wanted.items()}
        assert_lists(ratings, measure, got, enough, question["k"])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", SMALL)
def test_small(backend, rows_of, assert_lists, name, measure):
    function, quick = backend
    check(function, rows_of, assert_lists, name, "users", measure)
    if name != "three words" or (quick and not numba.config.DISABLE_JIT):  # a million pairs of items
        check(function, rows_of, assert_lists, name, "items", measure)


@pytest.mark.jit
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", LARGE)
def test_large(quick_backend, rows_of, assert_lists, name, measure):
    for of in ("users", "items"):
        check(quick_backend, rows_of, assert_lists, name, of, measure)
