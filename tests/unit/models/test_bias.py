"""μ + b_u + b_i, and its order."""

import numpy as np
import pytest

import corated as cr
from corated.errors import ParameterError


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(1)
    cells = rng.choice(40 * 15, 300, replace=False)
    return cr.Ratings.from_arrays(
        cells // 15, cells % 15, rng.integers(1, 6, 300).astype(float), scale=(1, 5, 1)
    )


def closed(ratings, reg_u, reg_i):
    """Damped means, item by item and then user by user."""
    rows = ratings.to_arrow().to_pylist()
    mu = np.mean([row["rating"] for row in rows])
    item, user = {}, {}
    for i in range(15):
        own = [row["rating"] - mu for row in rows if row["item_id"] == i]
        item[i] = sum(own) / (reg_i + len(own))
    for u in range(40):
        own = [row["rating"] - mu - item[row["item_id"]] for row in rows if row["user_id"] == u]
        user[u] = sum(own) / (reg_u + len(own)) if own else 0.0
    return mu, user, item


def test_one_round_is_the_closed_form(ratings):
    model = cr.Bias(epochs=1, reg_u=5, reg_i=3).fit(ratings)
    mu, user, item = closed(ratings, 5, 3)
    rows = model.predict(np.repeat(np.arange(40), 15), np.tile(np.arange(15), 40)).to_pylist()
    known = [row for row in rows if row["status"] == "ok"]
    assert len(known) >= 38 * 15
    for row in known:
        expected = mu + user[row["user_id"]] + item[row["item_id"]]
        assert row["value"] == pytest.approx(expected, abs=1e-12)


def test_unknown_ids_leave_the_other_side(ratings):
    model = cr.Bias().fit(ratings)
    both, one, other, none = model.predict([3, 3, 99, 99], [4, 99, 4, 99]).to_pylist()
    assert none["value"] == pytest.approx(np.mean(ratings.values), abs=1e-12)
    assert both["value"] - one["value"] == pytest.approx(other["value"] - none["value"], abs=1e-12)
    assert [row["status"] for row in (both, one, other, none)] == [
        "ok",
        "unknown_item",
        "unknown_user",
        "unknown_user",
    ]
    assert other["support"] == ratings.item_counts[4]


def test_everyone_gets_the_highest_unseen(ratings):
    model = cr.Bias().fit(ratings)
    seen = {(row["user_id"], row["item_id"]) for row in ratings.to_arrow().to_pylist()}
    rows = model.recommend(n=3).to_pylist()
    for user in sorted({row["user_id"] for row in rows}):
        open_ = [item for item in range(15) if (user, item) not in seen]
        found = sorted(model.predict([user] * len(open_), open_).to_pylist(), key=lambda row: -row["value"])
        mine = [row for row in rows if row["user_id"] == user]
        assert [row["score"] for row in mine] == [row["value"] for row in found[:3]]
        assert {row["source"] for row in mine} == {"bias"}


def test_clipping_and_settings(ratings):
    users, items = np.repeat(np.arange(40), 15), np.tile(np.arange(15), 40)
    full = np.where((users < 20) | (items < 8), 5.0, 1.0)  # who is high on both sides would be above 5
    saturated = cr.Ratings.from_arrays(users, items, full, scale=(1, 5, 1))
    steep, clipped = (
        cr.Bias(clip=clip).fit(saturated).predict(users, items).to_arrow()["value"].to_numpy()
        for clip in (False, True)
    )
    assert steep.max() > 5
    assert clipped.max() == 5
    assert (clipped == np.clip(steep, 1, 5)).all()
    with pytest.raises(ParameterError, match="epochs=0"):
        cr.Bias(epochs=0).fit(ratings)
    with pytest.raises(ParameterError, match="reg_u=-1"):
        cr.Bias(reg_u=-1).fit(ratings)
