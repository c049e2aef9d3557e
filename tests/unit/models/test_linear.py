"""EASE and the walks, against their formulas in NumPy."""

import numpy as np
import pytest

import corated as cr
from corated.errors import DataError, MemoryLimitError, ParameterError
from corated.models import ease, lists

N_USERS, N_ITEMS = 35, 18


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(2)
    cells = rng.choice(N_USERS * N_ITEMS, 260, replace=False)
    return cr.Ratings.from_arrays(
        cells // N_ITEMS, cells % N_ITEMS, rng.integers(1, 6, 260).astype(float), scale=(1, 5, 1)
    )


@pytest.fixture(scope="module")
def dense(ratings):
    x = np.zeros((N_USERS, N_ITEMS))
    for row in ratings.to_arrow().to_pylist():
        x[row["user_id"], row["item_id"]] = row["rating"]
    return x


def best(scores, x, user, n, support):
    """The unseen items with a score, best first, ties by support and id."""
    rows = [(-round(scores[i], 9), -support[i], i) for i in np.flatnonzero(x[user] == 0) if support[i]]
    return [i for _, _, i in sorted(rows)[:n]]


def test_ease_is_the_closed_form(ratings, dense):
    seen, likes = (dense > 0).astype(float), (dense >= 4).astype(float)
    p = np.linalg.inv(seen.T @ seen + 3.0 * np.eye(N_ITEMS))
    b = -p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0.0)
    model = cr.EASE(reg=3.0, like=4).fit(ratings)
    rows = model.recommend(n=4).to_pylist()
    for user in range(N_USERS):
        mine = [row for row in rows if row["user_id"] == user]
        count = int(likes[user].sum())
        scores = likes[user] @ b
        assert [row["item_id"] for row in mine] == best(scores, dense, user, 4, np.full(N_ITEMS, count))
        for row in mine:
            assert row["score"] == pytest.approx(scores[row["item_id"]], abs=1e-6)
            assert row["support"] == count
            assert row["source"] == "ease"


def test_ease_blocks_and_threads_change_nothing(ratings, monkeypatch):
    model = cr.EASE(reg=3.0).fit(ratings)
    whole = model.recommend(n=5, threads=1).to_pylist()
    monkeypatch.setattr(lists, "_SCORES", 7 * N_ITEMS)
    parts = model.recommend(n=5, threads=2).to_pylist()
    assert [(row["user_id"], row["item_id"]) for row in parts] == [
        (row["user_id"], row["item_id"]) for row in whole
    ]
    np.testing.assert_allclose([r["score"] for r in parts], [r["score"] for r in whole], atol=1e-9)


def test_ease_refuses_what_does_not_fit(ratings, monkeypatch):
    monkeypatch.setattr(ease, "available_memory", lambda: 1000)
    with pytest.raises(MemoryLimitError, match="three matrices of 18 × 18"):
        cr.EASE().fit(ratings)


@pytest.mark.parametrize("reg", [0, -1, "much", True, float("nan")])
def test_ease_settings(ratings, reg):
    with pytest.raises(ParameterError, match="reg="):
        cr.EASE(reg=reg).fit(ratings)


@pytest.mark.parametrize(
    ("model", "alpha", "beta"),
    [
        (cr.P3Alpha(alpha=0.8, k=5, like=4), 0.8, 0.0),
        (cr.RP3Beta(alpha=1.3, beta=0.6, k=5, like=4), 1.3, 0.6),
    ],
)
def test_a_walk_of_three_steps(ratings, dense, model, alpha, beta):
    """From each liked item over its raters to the k items that it leads to most."""
    share_of_item = np.divide(dense, dense.sum(axis=0), where=dense > 0, out=np.zeros_like(dense)) ** alpha
    share_of_user = np.divide(dense, dense.sum(axis=1)[:, None], where=dense > 0, out=np.zeros_like(dense))
    step = share_of_item.T @ share_of_user**alpha / (dense > 0).sum(axis=0)[None, :] ** beta
    np.fill_diagonal(step, 0.0)
    common = (dense > 0).T.astype(float) @ (dense > 0)
    for source in range(N_ITEMS):
        order = sorted(range(N_ITEMS), key=lambda i: (-step[source, i], -common[source, i], i))
        step[source, order[5:]] = 0.0
    rows = model.fit(ratings).recommend(n=3).to_pylist()
    likes = (dense >= 4).astype(float)
    for user in range(N_USERS):
        mine = [row for row in rows if row["user_id"] == user]
        scores, support = likes[user] @ step, likes[user] @ (step > 0)
        assert [row["item_id"] for row in mine] == best(scores, dense, user, 3, support)
        for row in mine:
            assert row["score"] == pytest.approx(scores[row["item_id"]], rel=1e-9)
            assert row["support"] == support[row["item_id"]]
            assert row["source"] == type(model).__name__.lower()


@pytest.mark.parametrize("kind", [cr.P3Alpha, cr.RP3Beta])
@pytest.mark.parametrize("scale", [(-2, 2, 1), None])
def test_walks_refuse_negative_ratings_with_a_step_that_can_be_taken(kind, scale):
    values = [-1.0, 2.0, 1.0, -2.0] if scale else [-1.0, 2.00001234, 1.0, -2.0]  # which no scale fits
    negative = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], values, scale=scale)
    with pytest.raises(DataError, match="2 negative of 4 ratings: -1, -2") as failure:
        kind().fit(negative)
    assert "from 0 up" in failure.value.hint and "weight" not in failure.value.hint
    shifted = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], [value + 2.0 for value in values])
    assert len(kind(like=0.0).fit(shifted).recommend()) == 2
