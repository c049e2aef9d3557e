"""GraphFilter: against its definition in dense matrices, and its options."""

import threading

import numpy as np
import pytest

import corated as cr
from corated.errors import Cancelled, MemoryLimitError, ParameterError
from corated.models import graph_filter

N_USERS, N_ITEMS = 30, 20


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(11)
    pairs = np.sort(rng.permutation(N_USERS * N_ITEMS)[:220])
    stars = rng.integers(1, 6, len(pairs)).astype(float)
    return cr.Ratings.from_arrays(pairs // N_ITEMS, pairs % N_ITEMS, stars, scale=(1, 5, 1))


def by_definition(ratings, *, factors, smooth, sharpen, user_power, item_power, alike=0.0, like=4):
    x = np.zeros((ratings.n_users, ratings.n_items))
    for row in ratings.to_arrow().to_pylist():
        x[ratings.users.code(row["user_id"]), ratings.items.code(row["item_id"])] = row["rating"] >= like
    du, di = (np.maximum(x.sum(axis=axis), 1.0) for axis in (1, 0))
    r = du[:, None] ** -user_power * x * di**-item_power
    p = r.T @ r
    v = np.linalg.svd(du[:, None] ** -0.5 * x * di**-0.5)[2][:factors].T
    q = (x * di**-item_power).T @ (x * di**-item_power)
    b = x @ (p + alike * q) + smooth * (x * di**-0.5) @ v @ v.T * di**0.5
    scores = b - sharpen * b @ p + sharpen**2 / 2 * b @ p @ p
    scores[x.sum(axis=1) == 0] = np.nan
    return scores


SETTINGS = [
    {"factors": 5, "smooth": 0.25, "sharpen": 1.0, "user_power": 0.5, "item_power": 0.45},
    {"factors": 1, "smooth": 2.0, "sharpen": 0.0, "user_power": 0.2, "item_power": 0.8},
    {"factors": 19, "smooth": 0.0, "sharpen": 2.0, "user_power": 0.0, "item_power": 0.5},
    {"factors": 7, "smooth": 0.5, "sharpen": 0.7, "user_power": 0.4, "item_power": 0.3, "alike": 0.25},
]


@pytest.mark.parametrize("given", SETTINGS)
def test_the_formula(ratings, given):
    expected = by_definition(ratings, **given)
    rows = cr.GraphFilter(**given).fit(ratings).recommend(n=N_ITEMS, exclude_seen=False).to_pylist()
    assert len(rows) == np.isfinite(expected).sum()
    for row in rows:
        user, item = ratings.users.code(row["user_id"]), ratings.items.code(row["item_id"])
        assert row["score"] == pytest.approx(expected[user, item], abs=1e-9)


def test_shares_add_up_to_the_score_where_users_count_alike(ratings):
    model = cr.GraphFilter(factors=4, alike=0.3).fit(ratings)
    for row in model.recommend(list(ratings.users)[:5], n=3).to_pylist():
        told = model.explain(row["user_id"], row["item_id"]).contributions.to_arrow()["share"].to_pylist()
        assert sum(told) == pytest.approx(row["score"], abs=1e-9)


def test_threads_and_blocks_change_nothing(ratings):
    model = cr.GraphFilter(factors=4).fit(ratings)
    whole = model.recommend(n=5, threads=1).to_arrow()
    assert model.recommend(n=5, threads=3).to_arrow().equals(whole)


def test_each_option_changes_something(ratings):
    def found(**options):
        return tuple(
            cr.GraphFilter(**({"factors": 4} | options))
            .fit(ratings)
            .recommend()
            .to_arrow()["score"]
            .to_pylist()
        )

    others = [
        {"factors": 9},
        {"smooth": 1},
        {"sharpen": 0},
        {"user_power": 0},
        {"item_power": 0},
        {"alike": 0.1},
        {"like": 2},
    ]
    made = [found(), *(found(**options) for options in others)]
    assert len(set(made)) == len(made)


def test_nobody_likes_anything():
    ratings = cr.Ratings.from_arrays([1, 1, 2], [1, 2, 1], [1.0, 2.0, 1.0], scale=(1, 5, 1))
    assert len(cr.GraphFilter().fit(ratings).recommend()) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factors", 0),
        *[(name, -1) for name in ("smooth", "sharpen", "user_power", "item_power", "alike")],
        ("smooth", "x"),
    ],
)
def test_parameters_that_cannot_be_used(ratings, name, value):
    with pytest.raises(ParameterError, match=f"{name}="):
        cr.GraphFilter(**{name: value}).fit(ratings)


def wide(seed=2):
    """Ratings of more users and items than all singular vectors are found of at once."""
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.choice(1600 * 1700, 20_000, replace=False))
    pairs = np.unique(np.concatenate([pairs, np.arange(1600) * 1700, np.arange(1700)]))
    return cr.Ratings.from_arrays(pairs // 1700, pairs % 1700)


@pytest.mark.jit
def test_the_same_where_vectors_are_found_one_by_one(monkeypatch):
    ratings, model = wide(), cr.GraphFilter(factors=6)
    some = list(ratings.users)[:20]
    few = model.fit(ratings).recommend(some, n=5).to_arrow()
    monkeypatch.setattr(graph_filter, "_DENSE", 10_000)
    whole = model.fit(ratings).recommend(some, n=5).to_arrow()
    np.testing.assert_allclose(few["score"].to_numpy(), whole["score"].to_numpy(), rtol=1e-7)
    assert few["item_id"].equals(whole["item_id"])


def test_it_can_be_cancelled_while_it_finds_vectors():
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        cr.GraphFilter(factors=50).fit(wide(), cancel=stop)


def test_what_would_not_fit_is_refused(ratings, monkeypatch):
    monkeypatch.setattr(graph_filter, "available_memory", lambda: 1000)
    with pytest.raises(MemoryLimitError, match="30 users and 20 items with 19 factors"):
        cr.GraphFilter().fit(ratings)
