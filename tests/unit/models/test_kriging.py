"""Kriging: against the dense solution of its equations, its invariants, and its error on MovieLens 100K."""

import numpy as np
import pytest

import corated as cr
from corated.errors import MemoryLimitError, ParameterError
from corated.models import kriging

N_USERS, N_ITEMS = 25, 18
SHARP = {"tolerance": 1e-6, "steps": 500}


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(5)
    pairs = np.sort(rng.permutation(N_USERS * N_ITEMS)[:180])
    stars = rng.integers(1, 6, len(pairs)).astype(float)
    return cr.Ratings.from_arrays(pairs // N_ITEMS, pairs % N_ITEMS, stars, scale=(1, 5, 1))


def values(model, users, items):
    return model.predict(users, items).to_arrow()["value"].to_numpy()


def by_definition(ratings, *, ratings_u, ratings_i, both, taste, own, noise, reg_u=15.0, reg_i=10.0):
    """Predict all pairs by forming the covariance of all ratings and solving for the weights, in float64."""
    n, m = ratings.n_users, ratings.n_items
    users, items = np.repeat(np.arange(n), ratings.user_counts), ratings.by_user.indices
    given = ratings.values
    mu, of_user, of_item = given.mean(), np.zeros(n), np.zeros(m)
    for _ in range(10):
        for i in range(m):
            of_item[i] = (given - mu - of_user[users])[items == i].sum() / (reg_i + (items == i).sum())
        for u in range(n):
            of_user[u] = (given - mu - of_item[items])[users == u].sum() / (reg_u + (users == u).sum())
    left = given - mu - of_user[users] - of_item[items]
    rated, marks = np.zeros((n, m)), np.zeros((n, m))
    rated[users, items], marks[users, items] = 1.0, left / np.sqrt(np.mean(left**2))

    def cosines(rows):
        norm = np.linalg.norm(rows, axis=1)
        return (rows @ rows.T) / np.outer(norm, norm)

    s = cosines(np.hstack([rated, ratings_u * marks]))
    t = cosines(np.vstack([rated, ratings_i * marks]).T)

    def covariance(u, i, v, j):
        like = s[np.ix_(u, v)]
        return both * like * t[np.ix_(i, j)] + taste * like + own * (u[:, None] == v[None, :])

    weight = np.linalg.solve(covariance(users, items, users, items) + noise * np.eye(len(left)), left)
    every = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    return mu + of_user[every[0]] + of_item[every[1]] + covariance(*every, users, items) @ weight


SETTINGS = [
    {"ratings_u": 0.66, "ratings_i": 0.33, "both": 0.4, "taste": 0.1, "own": 0.1, "noise": 0.7},
    {"ratings_u": 2.0, "ratings_i": 0.0, "both": 1.5, "taste": 0.0, "own": 0.3, "noise": 0.2},
    {"ratings_u": 0.0, "ratings_i": 1.0, "both": 0.2, "taste": 0.5, "own": 0.0, "noise": 2.0},
]


@pytest.mark.parametrize("given", SETTINGS)
def test_it_solves_its_equations(ratings, given):
    model = cr.Kriging(**given, **SHARP).fit(ratings)
    users, items = np.repeat(np.arange(N_USERS), N_ITEMS), np.tile(np.arange(N_ITEMS), N_USERS)
    np.testing.assert_allclose(values(model, users, items), by_definition(ratings, **given), atol=2e-5)


def test_threads_change_no_bit(ratings):
    users, items = np.repeat(np.arange(N_USERS), N_ITEMS), np.tile(np.arange(N_ITEMS), N_USERS)
    one, three = (values(cr.Kriging().fit(ratings, threads=n), users, items) for n in (1, 3))
    assert (one == three).all()


def test_the_unit_of_ratings_plays_no_part(ratings):
    rows = ratings.to_arrow()
    users, items = rows["user_id"].to_numpy(), rows["item_id"].to_numpy()
    tens = cr.Ratings.from_arrays(users, items, ratings.values * 20 - 10, scale=(10, 90, 20))
    here, there = (values(cr.Kriging(**SHARP).fit(given), users, items) for given in (ratings, tens))
    np.testing.assert_allclose(there, here * 20 - 10, atol=1e-3)


def test_each_option_changes_something(ratings):
    users, items = np.repeat(np.arange(N_USERS), N_ITEMS), np.tile(np.arange(N_ITEMS), N_USERS)

    def found(**options):
        return tuple(values(cr.Kriging(**options).fit(ratings), users, items).tolist())

    others = [
        {"ratings_u": 2.0}, {"ratings_i": 2.0}, {"both": 3.0}, {"taste": 1.0}, {"own": 1.0}, {"noise": 0.05},
        {"reg_u": 1.0}, {"reg_i": 1.0}, {"tolerance": 0.5}, {"steps": 1},
    ]  # fmt: skip
    made = [found(), *(found(**options) for options in others)]
    assert len(set(made)) == len(made)
    wild = {"noise": 0.01, "both": 9.0}
    assert max(found(**wild)) > 5.0 >= max(found(**wild, clip=True))


def test_flat_ratings_and_nobody():
    flat = cr.Ratings.from_arrays([1, 1, 2], [1, 2, 1], [3.0, 3.0, 3.0], scale=(1, 5, 1))
    assert values(cr.Kriging().fit(flat), [2, 9, 1], [2, 1, 9]).tolist() == pytest.approx([3.0] * 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, -0.1) for name in ("ratings_u", "ratings_i", "taste", "own", "reg_u", "reg_i")],
        *[(name, 0) for name in ("both", "noise", "tolerance", "steps")],
        *[("both", wrong) for wrong in (float("nan"), float("inf"), "x", None, True)],
        ("clip", 1),
    ],
)
def test_parameters_that_cannot_be_used(ratings, name, value):
    with pytest.raises(ParameterError, match=f"{name}="):
        cr.Kriging(**{name: value}).fit(ratings)


def test_what_would_not_fit_is_refused(ratings, monkeypatch):
    monkeypatch.setattr(kriging, "available_memory", lambda: 1000)
    with pytest.raises(MemoryLimitError, match="25 users and 18 items takes"):
        cr.Kriging().fit(ratings)


@pytest.mark.jit
def test_on_five_folds_of_movielens(data):
    """Published: 0.915 for nearest neighbors (MyMediaLite), 0.911 for factors; see docs/models.md."""
    users, items, stars = np.loadtxt(data("ml-100k") / "u.data", dtype=np.int64)[:, :3].T
    order = np.arange(100_000)
    np.random.RandomState(0).shuffle(order)
    found = []
    for test in order.reshape(5, -1):
        train = np.setdiff1d(order, test)
        given = cr.Ratings.from_arrays(
            users[train], items[train], stars[train].astype(float), scale=(1, 5, 1)
        )
        error = values(cr.Kriging(clip=True).fit(given), users[test], items[test]) - stars[test]
        found.append((np.sqrt(np.mean(error**2)), np.mean(np.abs(error))))
    assert np.mean(found, axis=0) == pytest.approx([0.8812, 0.6927], abs=0.001)
