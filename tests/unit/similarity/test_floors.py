"""What k candidates are certain to reach is never more than what the k-th reaches."""

import numpy as np
import pytest

import corated as cr
from corated.neighborhood.engine import Engine


def made(seed, users=60, items=25, ratings=500):
    rng = np.random.default_rng(seed)
    cells = rng.choice(users * items, ratings, replace=False)
    values = rng.choice([0.0, 1.0, 3.0, 7.0, 10.0], ratings)
    return cr.Ratings.from_arrays(cells // items, cells % items, values)


def floors(ratings, measure, k, min_common=1):
    engine = Engine.build(ratings, of="users", measure=measure, min_common=min_common)
    return engine.known(k)[engine.profiles.label]


@pytest.mark.parametrize(
    "measure", ["cosine", "jaccard", "dice", "tversky(alpha=0.3, beta=1.2)", "conditional"]
)
@pytest.mark.parametrize("k", [1, 4, 15])
def test_the_kth_neighbor_reaches_it(measure, k):
    for seed in range(4):
        ratings = made(seed)
        floor = floors(ratings, measure, k)
        graph = cr.neighbors(ratings, measure=measure, k=k)
        sizes = np.diff(graph.indptr)
        known = floor > -np.inf
        assert known.any()
        assert (sizes[known] == k).all()
        assert (floor[known] <= graph.value[graph.indptr[1:] - 1][known]).all()


def test_it_is_the_value_where_everyone_shares_one_item():
    """Ten users share one item; of 3, 4, … in all, so that jaccard is 1 / (a + b − 1)."""
    rows = [(u, 0) for u in range(10)] + [(u, 100 * u + j) for u in range(10) for j in range(1, u + 3)]
    ratings = cr.Ratings.from_arrays(*np.array(rows).T, np.full(len(rows), 5.0))
    floor = floors(ratings, "jaccard", 3)
    # The three smallest are 3, 4 and 5; with the subject itself among the best, the fourth stands for it.
    np.testing.assert_allclose(floor, [1 / (a + 6 - 1) for a in range(3, 13)], rtol=1e-11)


@pytest.mark.parametrize(
    ("measure", "min_common"),
    [("pearson", 1), ("euclidean", 1), ("cosine", 2), ("cosine(shrink=5)", 1), ("jaccard(shrink=5)", 1)],
)
def test_nothing_is_known_of_others(measure, min_common):
    assert (floors(made(0), measure, 4, min_common) == -np.inf).all()
