"""Histories: what they may be, what they are answered with, and the ids of those who are folded in."""

import numpy as np
import pytest

import corated as cr
from corated.errors import DataError, IdTypeError, ParameterError, UnknownIdError
from corated.models.history import Profile, alone, read_profile, with_profile
from corated.models.rules import age_weights

ROWS = [
    (10, "a", 9), (10, "b", 3), (20, "a", 8), (20, "c", 9), (20, "d", 7),
    (30, "b", 9), (30, "c", 2), (30, "d", 9), (40, "a", 9), (40, "d", 8), (40, "e", 10),
]  # fmt: skip
DAY = 86_400


@pytest.fixture(scope="module")
def ratings():
    return cr.Ratings.from_arrays(*zip(*ROWS, strict=True), scale=(1, 10, 1))


@pytest.fixture(scope="module")
def ones():
    """Ratings that are all alike."""
    return cr.Ratings.from_arrays([1, 1, 2, 2, 3], ["a", "b", "a", "c", "c"])


# -- what a history may be --------------------------------------------------------------------------


def read(ratings, history, user_id=None):
    profile = read_profile(ratings, history, user_id)
    return profile.id, profile.code, profile.items.tolist(), profile.values.tolist()


def test_a_history_is_read_in_the_order_of_items(ratings):
    assert read(ratings, {"d": 7, "a": 9}) == (None, -1, [0, 3], [9.0, 7.0])
    assert read(ratings, {"d": np.int8(7), "a": np.float32(9)}, 30) == (30, 2, [0, 3], [9.0, 7.0])
    assert read(ratings, {"b": 1}, 35) == (35, -1, [1], [1.0])
    assert read(ratings, {}) == (None, -1, [], [])


def test_items_alone_where_ratings_are_all_alike(ones):
    for history in (["c", "a"], ("a", "c"), {"a", "c"}, np.array(["a", "c"]), iter("ca"), {"a": 1, "c": 1.0}):
        assert read(ones, history) == (None, -1, [0, 2], [1.0, 1.0])
    assert read(ones, []) == (None, -1, [], [])


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ("a", ParameterError, "history='a' cannot be used.*ratings by item id.*for example history="),
        (7, ParameterError, "history=7 cannot be used"),
        (b"a", ParameterError, "cannot be used"),
        (["a", "b"], ParameterError, "items without ratings, and ratings here are not all alike"),
        ({"a": 11}, ParameterError, 'rates "a" with 11, which is off the scale.*ratings on'),
        ({"b": 5, "a": 2.5}, ParameterError, 'rates "a" with 2.5, which is off the scale'),
        ({"a": "9"}, ParameterError, "rates \"a\" with '9'.*a finite number.*or leave the item out"),
        ({"a": None}, ParameterError, 'rates "a" with None'),
        ({"a": True}, ParameterError, 'rates "a" with True'),
        ({"a": float("nan")}, ParameterError, 'rates "a" with nan'),
        ({"a": float("inf")}, ParameterError, 'rates "a" with inf'),
        ({"x": 5}, UnknownIdError, '1 of the 1 items of the history are not in the data: "x".*such as "a"'),
        ({"w": 5, "a": 5, "x": 5, "y": 5, "z": 5}, UnknownIdError, '4 of the 5.*"w", "x", "y", …'),
        ({1: 5}, IdTypeError, "1"),
    ],
)
def test_histories_that_cannot_be_used(ratings, history, error, message):
    with pytest.raises(error, match="(?s)" + message):
        read_profile(ratings, history, None)
    with pytest.raises(error, match="(?s)" + message):
        cr.Popularity().fit(ratings).recommend(history=history)


def test_an_item_twice(ones):
    with pytest.raises(ParameterError, match="names an item twice"):
        read_profile(ones, ["a", "b", "a"], None)


def test_items_alone_need_a_scale_of_one_level():
    counts = cr.Ratings.from_arrays([1, 1, 2], ["a", "b", "a"], [1.0, 12345.678, 0.3])
    assert counts.scale is None
    with pytest.raises(ParameterError, match="items without ratings"):
        read_profile(counts, ["a"], None)
    assert read(counts, {"a": 1e9}) == (None, -1, [0], [1e9])  # no scale to be off


def test_whose_history_it_is(ratings):
    with pytest.raises(IdTypeError):
        read_profile(ratings, {"a": 9}, "10")
    with pytest.raises(ParameterError, match="can be no id"):
        read_profile(ratings, {"a": 9}, 2**70)
    model = cr.Popularity().fit(ratings)
    for user in (None, 10, 35, -1):
        assert {row["user_id"] for row in model.recommend(history={"a": 9}, user_id=user)} == {user}
    with pytest.raises(ParameterError, match="user_id says whose history it is"):
        model.recommend([10], user_id=10)
    with pytest.raises(ParameterError, match="users and history were both given"):
        model.recommend([10], history={"a": 9})
    with pytest.raises(ParameterError, match="users and history were both given"):
        cr.Bias().fit(ratings).predict([10], ["a"], history={"a": 9})


def test_a_profile_without_some_of_its_ratings():
    profile = Profile(1, 0, np.array([2, 5, 7]), np.array([1.0, 2.0, 3.0]))
    rest = profile.without(1)
    assert (rest.items.tolist(), rest.values.tolist()) == ([2, 7], [1.0, 3.0])
    assert profile.items.tolist() == [2, 5, 7]


# -- among the others -------------------------------------------------------------------------------


def rows_of(ratings):
    return [(row["user_id"], row["item_id"], row["rating"]) for row in ratings.to_arrow().to_pylist()]


@pytest.mark.parametrize("user", [5, 15, 30, 35, 99, None])
@pytest.mark.parametrize("history", [{"b": 4.0, "e": 9.0}, {"c": 1.0}, {}], ids=str)
def test_with_a_profile_is_a_fit_with_that_user(ratings, user, history):
    found, code = with_profile(ratings, read_profile(ratings, history, user))
    name = 41 if user is None else user
    others = [row for row in rows_of(ratings) if row[0] != name]
    assert rows_of(found) == sorted([*others, *((name, item, value) for item, value in history.items())])
    assert found.users.id(code) == name
    assert found.items is ratings.items
    assert found.scale == ratings.scale
    assert rows_of(ratings) == sorted(ROWS)  # as they were


def test_alone_is_one_user_on_all_items(ratings):
    found = alone(ratings, read_profile(ratings, {"e": 9, "b": 4}, 30))
    assert rows_of(found) == [(30, "b", 4.0), (30, "e", 9.0)]
    assert found.n_items == ratings.n_items


@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN, cr.EASE])
def test_ratings_off_a_scale(kind):
    users, items = [1, 1, 2, 2, 3, 3, 3], ["a", "b", "a", "c", "a", "b", "c"]
    values = [1.0, 7.25, 1e5, 0.3, 2.0, 3.3, 44.0]
    counts = cr.Ratings.from_arrays(users, items, values)
    assert counts.scale is None
    without = cr.Ratings.from_arrays(users[:4], items[:4], values[:4])
    model = kind().fit(without if kind is cr.UserKNN else counts)
    folded = model.recommend(history={"a": 2.0, "b": 3.3, "c": 44.0}, user_id=3, exclude_seen=False)
    expected = kind().fit(counts).recommend([3], exclude_seen=False).to_pylist()
    assert [row["item_id"] for row in folded] == [row["item_id"] for row in expected]
    for row, known in zip(folded, expected, strict=True):
        assert row["score"] == pytest.approx(known["score"], abs=1e-12)


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ([1, 2, 2**63 - 1], 0),
        ([-(2**63), 5, 2**63 - 1], -(2**63) + 1),
        ([-(2**63), -(2**63) + 1, 7, 2**63 - 1], -(2**63) + 2),
        ([4], 5),
        (["b", "a"], "b~"),
        (["~", "~~"], "~~~"),
        (["\U0010ffff"], "\U0010ffff~"),
    ],
)
def test_somebody_without_an_id_gets_one_that_nobody_has(known, new):
    ratings = cr.Ratings.from_arrays(known, ["x"] * len(known), [5] * len(known))
    found, code = with_profile(ratings, read_profile(ratings, {"x": 5}, None))
    assert found.users.id(code) == new
    assert sorted(found.users.ids.to_pylist()) == found.users.ids.to_pylist()
    assert found.n_users == len(known) + 1


@pytest.mark.parametrize("like", [None, "mean", 5])
@pytest.mark.parametrize("rule", ["weighted_votes", "mean", "closest"])
@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN])
def test_a_history_of_nothing(ratings, kind, rule, like):
    """Nobody is similar to who has rated nothing; what everyone likes is all there is."""
    model = kind(measure="cosine", rule=rule, like=like).fit(ratings)
    assert len(model.recommend(history={})) == 0
    if rule == "weighted_votes":
        rows = model.set_params(everyone=1.0).fit(ratings).recommend(history={}).to_pylist()
        assert {row["source"] for row in rows} == {"everyone"}
        assert len(rows) == 5 if like != "mean" else len(rows) > 0


# -- ageing -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dated():
    """Ratings of the days 0, 2, 10 and 10 after the first of January 2024, UTC."""
    return cr.Ratings.from_arrays(
        [1, 1, 2, 3], ["a", "b", "a", "c"], [9, 8, 7, 9],
        [1_704_067_200 + DAY * day for day in (0, 2, 10, 10)], scale=(1, 10, 1), time_unit="s",
    )  # fmt: skip


def test_ageing_halves(dated):
    assert age_weights(dated, None).tolist() == [1.0] * 4
    assert age_weights(dated, 4).tolist() == [2**-2.5, 2**-2.0, 1.0, 1.0]
    assert age_weights(dated, 8, "2024-01-19").tolist() == [2**-2.25, 2**-2.0, 0.5, 0.5]
    assert age_weights(dated, 2, "2024-01-03").tolist() == [0.5, 1.0, 0.0, 0.0]
    assert age_weights(dated, None, "2024-01-03").tolist() == [1.0, 1.0, 0.0, 0.0]
    assert age_weights(dated, 1e-3).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_times_in_any_form(dated):
    from datetime import UTC, datetime, timedelta, timezone

    expected = age_weights(dated, 2, "2024-01-03").tolist()
    plus_two = timezone(timedelta(hours=2))
    for at in (
        "2024-01-03T00:00", "2024-01-03T00:00:00Z", "2024-01-03T02:00+02:00", datetime(2024, 1, 3),
        datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 3, 2, tzinfo=plus_two),
        np.datetime64("2024-01-03"), np.datetime64("2024-01-03T00:00:00", "ns"),
    ):  # fmt: skip
        assert age_weights(dated, 2, at).tolist() == expected


@pytest.mark.parametrize(
    ("half_life", "at", "message"),
    [
        (0, None, "half_life=0 cannot be used.*a number of days above 0"),
        (-1, None, "half_life=-1"),
        (float("nan"), None, "half_life=nan"),
        (float("inf"), None, "half_life=inf"),
        ("week", None, "half_life='week'"),
        (True, None, "half_life=True"),
        (3, "yesterday", "at='yesterday' is no time.*a datetime, or text such as.*leave it out"),
        (3, 1_700_000_000, "at=1700000000 is no time"),
        (None, float("nan"), "at=nan is no time"),
        (3, np.datetime64("NaT"), "at=.*NaT.* is no time"),
        (3, "2024-13-01", "at='2024-13-01' is no time"),
    ],
)
def test_ages_that_cannot_be_used(dated, half_life, at, message):
    with pytest.raises(ParameterError, match="(?s)" + message):
        age_weights(dated, half_life, at)
    for kind in (cr.UserKNN, cr.ItemKNN, cr.Popularity):
        with pytest.raises(ParameterError, match="(?s)" + message):
            kind(half_life=half_life, at=at).fit(dated)


@pytest.mark.parametrize("given", [{"half_life": 3}, {"at": "2024-01-01"}], ids=str)
def test_ages_need_times(ratings, given):
    with pytest.raises(DataError, match="Ratings have an age where they have times, and these have none"):
        cr.Popularity(**given).fit(ratings)
    with pytest.raises(DataError, match=r"(?s)a column of times.*leave half_life and at out"):
        cr.UserKNN(**given).fit(ratings)


def test_a_history_is_as_new_as_the_newest_rating(dated):
    """Item-based: what it brings in does not age; user-based: nothing of one's own counts."""
    model = cr.ItemKNN(measure="jaccard", rule="votes", half_life=1.0).fit(dated)
    (row,) = model.recommend(history={"b": 9})
    assert (row["item_id"], row["score"]) == ("a", 1.0)
    (row,) = model.recommend(history={"b": 9}, user_id=1)  # whose own rating of b is eight days old
    assert (row["item_id"], row["score"]) == ("a", 1.0)
    (row,) = cr.UserKNN(measure="jaccard", rule="votes", half_life=1.0).fit(dated).recommend(history={"b": 9})
    assert (row["item_id"], row["score"]) == ("a", 2.0**-10)


def test_what_comes_later_does_not_count(dated):
    """Looking from the third of January, user 2 has not yet rated a."""
    rows = cr.Popularity(at="2024-01-03").fit(dated).recommend([3]).to_pylist()
    assert [(row["item_id"], row["score"], row["support"]) for row in rows] == [("a", 1.0, 1), ("b", 1.0, 1)]
    rows = cr.UserKNN(measure="jaccard", at="2024-01-03", everyone=1.0).fit(dated).recommend([2]).to_pylist()
    assert [(row["item_id"], row["source"]) for row in rows] == [("b", "neighbors")]
