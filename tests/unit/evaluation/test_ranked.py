"""Lists and what was relevant: from models, from tables and dicts of ids, by any definition of a like."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import corated as cr
from corated import evaluation as ev
from corated.errors import DataError, IdTypeError, ParameterError
from corated.models.answers import Answer, new_lists

TRAIN = cr.Ratings.from_arrays(
    [1, 1, 2, 2, 2, 3], ["b", "c", "b", "d", "f", "c"], [9, 3, 8, 8, 8, 5], scale=(0, 10, 1)
)
TEST = cr.Ratings.from_arrays(
    [1, 1, 2, 5, 5, 5], ["a", "d", "c", "b", "a", "e"], [7, 6, 8, 10, 0, 6], scale=(0, 10, 1)
)
SPLIT = ev.given(TRAIN, TEST)  # training has b c d f = 0 1 2 3; a and e are new: 4 and 5


def rows(relevance):
    return [
        dict(zip(relevance.items[start:stop].tolist(), relevance.values[start:stop].tolist(), strict=True))
        for start, stop in zip(relevance.indptr[:-1], relevance.indptr[1:], strict=True)
    ]


def test_relevant_is_what_the_test_likes():
    found = ev.relevance_of(SPLIT)  # 7 and more on a scale to 10
    assert rows(found) == [{4: 7.0}, {1: 8.0}, {0: 10.0}]
    assert found.n_items == 4
    assert rows(ev.relevance_of(SPLIT, like=6)) == [{2: 6.0, 4: 7.0}, {1: 8.0}, {0: 10.0, 5: 6.0}]
    everything = ev.relevance_of(SPLIT, like=0)
    assert rows(everything) == [{2: 6.0, 4: 7.0}, {1: 8.0}, {0: 10.0, 4: 0.0, 5: 6.0}]
    assert everything.counts.tolist() == [2, 1, 3]
    for start, stop in zip(everything.indptr[:-1], everything.indptr[1:], strict=True):
        assert (np.diff(everything.items[start:stop]) > 0).all()


def test_a_like_above_the_own_mean_goes_by_the_mean_in_training():
    # Means 6, 8; user 5 is new, and the mean of all training is 41/6 = 6.83.
    assert rows(ev.relevance_of(SPLIT, like="mean")) == [{2: 6.0, 4: 7.0}, {1: 8.0}, {0: 10.0}]


def test_users_who_like_nothing_have_an_empty_row():
    found = ev.relevance_of(SPLIT, like=8)
    assert found.counts.tolist() == [0, 1, 1]
    skipped = ev.averaged(ev.recall(ev.match(ev.rankings_of(SPLIT, {}, n=3), found), 3))
    assert (skipped.mean, skipped.users, skipped.skipped) == (0.0, 2, 1)


def test_what_is_no_like_is_refused():
    with pytest.raises(ParameterError, match="like='often' cannot be used"):
        ev.relevance_of(SPLIT, like="often")


LISTS = {1: ["d", "zzz", "a"], 5: ["b", "f"], 9: ["b", "b"]}
TABLE = {
    "user_id": [5, 1, 9, 1, 5, 1],
    "item_id": ["f", "a", "b", "d", "b", "zzz"],
    "rank": [2, 3, 1, 1, 1, 2],
}
EXPECTED = [[2, 6, 4], [-1, -1, -1], [0, 3, -1]]


@pytest.mark.parametrize(
    "lists",
    [LISTS, TABLE, pd.DataFrame(TABLE), pl.DataFrame(TABLE)],
    ids=["dict", "columns", "pandas", "polars"],
)
def test_lists_of_ids(lists):
    found = ev.rankings_of(SPLIT, lists, n=5)
    assert found.items.tolist() == EXPECTED
    assert found.asked == 5
    assert ev.rankings_of(SPLIT, lists, n=2).items.tolist() == [row[:2] for row in EXPECTED]


def test_tables_without_ranks_are_in_order():
    table = {"user_id": [1, 5, 1], "item_id": ["d", "b", "a"]}
    assert ev.rankings_of(SPLIT, table, n=5).items.tolist() == [[2, 4], [-1, -1], [0, -1]]
    categories = pd.DataFrame(table).astype({"item_id": "category"})
    assert ev.rankings_of(SPLIT, categories, n=5).items.tolist() == [[2, 4], [-1, -1], [0, -1]]


def test_lists_of_a_model_are_its_lists():
    model = cr.Popularity(like=0).fit(TRAIN)
    table = model.recommend(n=3)
    found = ev.rankings_of(SPLIT, table, n=3)
    expected = {1: ["d", "f"], 2: ["c"], 5: []}  # who is not in training is not in the table
    codes = {id: code for code, id in enumerate(TRAIN.items)}
    assert [[int(c) for c in row if c >= 0] for row in found.items] == [
        [codes[id] for id in row] for row in expected.values()
    ]
    unknown = model.recommend([1, 2, 5], n=3, on_unknown="fallback")
    assert (ev.rankings_of(SPLIT, unknown, n=3).items >= 0).sum(axis=1).tolist() == [2, 1, 3]


def test_an_item_twice_is_refused_by_its_id():
    with pytest.raises(DataError, match='The list of user 1 has item "d" twice'):
        ev.rankings_of(SPLIT, {1: ["d", "a", "d"]}, n=5)
    with pytest.raises(DataError, match='The list of user 5 has item "e" twice'):
        ev.rankings_of(SPLIT, {1: ["d"], 5: ["e", "e"]}, n=5)
    # Below the cut, and where neither side has it, it can do no harm.
    assert ev.rankings_of(SPLIT, {1: ["d", "a", "d"]}, n=2).items[0].tolist() == [2, 4]
    assert ev.rankings_of(SPLIT, {1: ["x", "x"]}, n=2).items[0].tolist() == [6, 6]


def test_lists_that_cannot_be_read_are_refused():
    with pytest.raises(IdTypeError):
        ev.rankings_of(SPLIT, {"1": ["d"]}, n=5)
    with pytest.raises(IdTypeError):
        ev.rankings_of(SPLIT, {1: [4]}, n=5)
    with pytest.raises(IdTypeError):
        ev.rankings_of(SPLIT, {"user_id": [1, None], "item_id": ["d", "b"]}, n=5)
    with pytest.raises(DataError, match="The lists have no column item_id: user_id, movie"):
        ev.rankings_of(SPLIT, pd.DataFrame({"user_id": [1], "movie": ["d"]}), n=5)
    with pytest.raises(ParameterError, match="n=0 cannot be used"):
        ev.rankings_of(SPLIT, LISTS, n=0)


def test_answers_of_models_in_codes():
    lists = new_lists(2, 3)
    lists.item[:] = [7, 8, 9, 4, 5, 6]
    lists.size[:] = [3, 1]
    found = ev.Rankings.of_answer(Answer.of(lists, 3, "test"), 5, np.array([9, 9]))
    assert found.items.tolist() == [[7, 8, 9], [4, -1, -1]]
    assert (found.rows, found.asked, found.candidates.tolist()) == (2, 5, [9, 9])
    assert lists.item.tolist() == [7, 8, 9, 4, 5, 6]


def test_new_items_are_missed_by_every_model():
    found = ev.match(
        ev.rankings_of(SPLIT, cr.Popularity(like=0).fit(TRAIN).recommend(n=3), n=3), ev.relevance_of(SPLIT)
    )
    assert ev.recall(found, 3).tolist() == [0.0, 1.0, 0.0]
    known = SPLIT.known(users=False)
    again = ev.match(ev.rankings_of(known, {2: ["c"], 5: ["b"]}, n=3), ev.relevance_of(known))
    assert np.isnan(ev.recall(again, 3)).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("half_life", "ndcg", "hit_rate"), [(None, 0.0602, 0.2287), (7, 0.1289, 0.3368), (1, 0.1395, 0.3514)]
)
def test_popularity_on_movietweetings_as_measured_with_numpy_alone(data, half_life, ndcg, hit_rate):
    split = ev.by_time(cr.read_ratings(data("movietweetings-100k") / "ratings.dat")).known()
    lists = cr.Popularity(like=7, half_life=half_life).fit(split.train).recommend(n=10)
    found = ev.match(ev.rankings_of(split, lists, n=10), ev.relevance_of(split, like=7))
    assert ev.averaged(ev.ndcg(found, 10)).mean == pytest.approx(ndcg, abs=5e-5)
    assert ev.averaged(ev.hit_rate(found, 10)).mean == pytest.approx(hit_rate, abs=7e-5)
    assert ev.averaged(ev.ndcg(found, 10)).users == 3162
