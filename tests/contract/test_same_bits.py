"""The same bits for any number of threads and any order of rows, where there is work for all of them."""

import hashlib

import numpy as np
import pytest

from corated.neighborhood.graph import neighbors
from corated.ratings.ratings import Ratings
from corated.similarity.measures import MEASURES


@pytest.fixture(scope="module")
def orders():
    """60,000 ratings by 2,000 users of 800 items, some far more popular than others, in four orders."""
    rng = np.random.default_rng(21)
    users = rng.zipf(1.3, 200_000) % 2000
    items = rng.zipf(1.2, 200_000) % 800
    _, first = np.unique(users * 800 + items, return_index=True)
    first = rng.permutation(first)[:60_000]
    columns = users[first], items[first], rng.integers(0, 11, len(first))
    orders = [np.random.default_rng(number).permutation(len(first)) for number in range(4)]
    return [Ratings.from_arrays(*(c[order] for c in columns), scale=(0, 10, 1)) for order in orders]


def fingerprint(graph):
    parts = (graph.subjects, graph.indptr, graph.neighbor, graph.value, graph.n_common)
    return [hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for part in parts]


@pytest.mark.jit
@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("measure", MEASURES)
def test_threads_and_row_order_change_no_bit(orders, of, measure):
    seen = []
    for ratings, threads in zip(orders, (1, 2, 5, 5), strict=True):
        found = neighbors(ratings, of=of, measure=measure, k=20, min_common=2, threads=threads)
        seen.append(fingerprint(found))
        assert len(found.neighbor)
    assert seen == [seen[0]] * 4
