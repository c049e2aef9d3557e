"""Strata part the test's users and items by what training has of them."""

import numpy as np
import pytest

import corated as cr
from corated import evaluation as ev


def test_by_hand():
    # Users 0 to 9 have 1 … 10 training ratings; user 10 is new.
    users = [user for user in range(10) for _ in range(user + 1)]
    items = [item for user in range(10) for item in range(user + 1)]
    train = cr.Ratings.from_arrays(users, items, [5] * 55)
    test = cr.Ratings.from_arrays(range(11), [20] * 5 + [0, 1, 2, 3, 4, 5], [5] * 11)
    found = ev.strata(ev.given(train, test))
    # 90 % of the ten users have nine ratings or fewer.
    assert {name: np.flatnonzero(mask).tolist() for name, mask in found.users.items()} == {
        "new": [0, 1, 2, 10],
        "light": [3, 4, 5, 6, 7],
        "heavy": [8, 9],
    }
    # Item i has 10 − i ratings: 10 + 9 + 8 = 27 is less than half of 55, so the fourth is needed too.
    assert list(test.items) == [0, 1, 2, 3, 4, 5, 20]
    assert {name: np.flatnonzero(mask).tolist() for name, mask in found.items.items()} == {
        "popular": [0, 1, 2, 3],
        "rare": [4, 5, 6],
    }


def test_equally_popular_items_by_id():
    train = cr.Ratings.from_arrays([1, 1, 1, 1], [4, 3, 2, 1], [5] * 4)
    found = ev.strata(ev.given(train, cr.Ratings.from_arrays([2] * 4, [1, 2, 3, 4], [5] * 4)))
    assert found.items["popular"].tolist() == [True, True, False, False]


@pytest.mark.parametrize("make", [ev.by_time, ev.leave_last, lambda r: ev.at_random(r, of="users")])
def test_every_user_and_item_is_in_one_stratum(make):
    split = make(cr.sample(size="small").ratings)
    found = ev.strata(split)
    for masks, n in ((found.users, split.test.n_users), (found.items, split.test.n_items)):
        assert sum(mask.astype(int) for mask in masks.values()).tolist() == [1] * n
        assert all(mask.dtype == bool for mask in masks.values())


def test_masks_are_for_values_by_user():
    split = ev.leave_last(cr.sample(size="small").ratings)
    lists = ev.rankings_of(split, cr.Popularity().fit(split.train).recommend(n=10), n=10)
    hits = ev.hit_rate(ev.match(lists, ev.relevance_of(split)), 10)
    parts = [ev.averaged(hits[mask]) for mask in ev.strata(split).users.values()]
    whole = ev.averaged(hits)
    assert sum(part.users for part in parts) == whole.users
    assert sum((part.mean or 0) * part.users for part in parts) == pytest.approx(whole.mean * whole.users)
