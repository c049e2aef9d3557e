"""Which column is which: what is suggested, and what is told where several could be meant."""

import warnings

import pytest

from corated.errors import CoratedNotice, DataError
from corated.ratings.read import read_ratings

SEVERAL = ["user", "user_id", "item", "item_id", "rating", "score"]


def table(*names):
    return {name: [at + 1, at + 2] for at, name in enumerate(names)}


def refused(names, **options):
    with pytest.raises(DataError) as caught:
        read_ratings(table(*names), **options)
    return caught.value


@pytest.mark.parametrize(
    ("names", "options", "role"),
    [
        (["user_id", "rating"], {}, "item"),
        (["item_id", "rating"], {}, "user"),
        (["user_id", "timestamp", "rating"], {}, "item"),
        (["xitem", "rating"], {"user": "xitem"}, "item"),
        (["user_id", "ratin", "rating"], {"item": "ratings", "rating": "ratin"}, "item"),
    ],
)
def test_no_column_of_another_role_is_suggested(names, options, role):
    error = refused(names, **options)
    assert f"Pass {role}= with one of the columns." in error.hint
    assert "Did you mean" not in str(error)
    assert f"Expected: {'an item' if role == 'item' else 'a user'} column" in str(error)


def test_a_near_miss_is_suggested():
    assert "Did you mean item='itm'?" in refused(["user_id", "itm", "rating"]).hint
    assert "Did you mean rating='rating'?" in refused(["user_id", "item_id", "rating"], rating="ratings").hint


def test_articles(tmp_path):
    with pytest.raises(DataError, match="an item id in every row"):
        read_ratings({"user_id": [1, 2], "item_id": [1, None], "rating": [1, 2]})


def test_several_columns_that_could_be_meant_are_told():
    with pytest.warns(CoratedNotice, match="recognized by name") as told:
        ratings = read_ratings(table(*SEVERAL))
    assert len(told) == 1
    (notice,) = ratings.notices
    assert "user='user_id' (not 'user'), item='item_id' (not 'item'), rating='rating' (not 'score')" in notice
    assert list(ratings.users) == [2, 3]


@pytest.mark.parametrize(
    "options",
    [
        {"user": "user_id", "item": "item_id", "rating": "rating"},
        {"user": "user", "item": "item", "rating": "score", "time": False},
    ],
)
def test_nothing_is_told_where_the_caller_has_said_it(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_ratings(table(*SEVERAL), **options).notices == ()


def test_a_column_of_one_role_is_no_rival_of_another():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_ratings(table("user_id", "item_id", "rating", "title", "x")).notices == ()
