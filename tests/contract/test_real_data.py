"""Real ratings: neighbors, values and counts of hundreds of users and items, equal to the oracle's."""

import csv
import gc

import numpy as np
import pytest

from corated.neighborhood.graph import neighbors
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES

SUBJECTS = [40, pytest.param(300, marks=pytest.mark.slow)]
QUESTIONS = [{"k": 40, "min_common": 1}, {"k": 7, "min_common": 3}, {"k": 120, "min_common": 2}]


def _movietweetings(folder):
    for line in (folder / "ratings.dat").read_text(encoding="utf-8").splitlines():
        user, item, rating, _ = line.split("::")
        yield int(user), item, int(rating)


def _ml_100k(folder):
    for line in (folder / "u.data").read_text(encoding="utf-8").splitlines():
        user, item, rating, _ = line.split("\t")
        yield int(user), int(item), int(rating)


def _ml_latest_small(folder):
    with (folder / "ratings.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield int(row["userId"]), int(row["movieId"]), float(row["rating"])


SETS = {
    "movietweetings-100k": (_movietweetings, (0, 10, 1)),
    "ml-100k": (_ml_100k, (1, 5, 1)),
    "ml-latest-small": (_ml_latest_small, (0.5, 5, 0.5)),
}


@pytest.fixture(scope="module", params=SETS)
def orders(request, data):
    """The same ratings twice: rows as they are in the file, and shuffled."""
    read, scale = SETS[request.param]
    rows = list(read(data(request.param)))
    shuffled = [rows[at] for at in np.random.default_rng(31).permutation(len(rows))]
    return [Ratings.from_arrays(*zip(*some, strict=True), scale=scale) for some in (rows, shuffled)]


@pytest.fixture
def no_garbage():
    """Without the collector, which would look through millions of the oracle's tuples again and again."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.jit
@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("many", SUBJECTS)
def test_equal_to_the_oracle(orders, rows_of, assert_lists, of, measure, many):
    straight, shuffled = orders
    ids = list(straight.users if of == "users" else straight.items)
    subjects = [ids[at] for at in np.random.default_rng(32).choice(len(ids), many, replace=False)]
    everything = reference.neighbors(straight, of=of, measure=measure, k=len(ids), subjects=subjects)
    for question in QUESTIONS:
        least, k = question["min_common"], question["k"]
        enough = {id: [row for row in found if row.n_common >= least] for id, found in everything.items()}
        one = neighbors(straight, of=of, measure=measure, threads=1, **question)
        two = neighbors(shuffled, of=of, measure=measure, threads=2, **question)
        some = neighbors(shuffled, of=of, measure=measure, threads=2, subjects=subjects, **question)
        assert rows_of(one, subjects) == rows_of(some, subjects)
        assert_lists(straight, measure, rows_of(one, subjects), enough, k)
        assert one.value.tobytes() == two.value.tobytes()
        assert (one.neighbor == two.neighbor).all()
        assert (one.n_common == two.n_common).all()
