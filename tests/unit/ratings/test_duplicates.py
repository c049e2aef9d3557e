import itertools

import numpy as np
import pytest

from corated.errors import CoratedNotice, DataError, ParameterError
from corated.ratings.duplicates import TiedTimes, merge
from corated.ratings.ratings import Ratings

USERS = [1, 1, 1, 2, 1, 2]
ITEMS = [7, 8, 7, 7, 7, 9]
VALUES = [3, 5, 1, 4, 4, 2]
TIMES = [30, 10, 20, 5, 10, 6]


def read(rule, values=VALUES, times=TIMES, **options):
    return Ratings.from_arrays(USERS, ITEMS, values, times, duplicates=rule, **options)


@pytest.mark.parametrize(
    ("rule", "rating", "time"),
    [("last", 3, 30), ("first", 4, 10), ("max", 4, 10), ("min", 1, 20), ("mean", 8 / 3, 30), ("sum", 8, 30)],
)
def test_rules(rule, rating, time):
    ratings = read(rule)
    assert ratings.n_ratings == 4
    assert ratings.profile(1) == {7: rating, 8: 5}
    assert ratings.profile(2) == {7: 4, 9: 2}
    assert ratings.times[0] == time * 10**6
    assert any(f'2 repeated ratings merged by duplicates="{rule}"' in notice for notice in ratings.notices)


def test_count_is_a_rating_of_its_own():
    ratings = read("count")
    assert ratings.values.tolist() == [3, 1, 1, 1]
    assert ratings.times[0] == 30 * 10**6
    implicit = Ratings.from_arrays(USERS, ITEMS, duplicates="count")
    assert implicit.profile(1) == {7: 3, 8: 1}


def test_rules_do_not_see_the_order_of_rows():
    rows = list(zip(USERS, ITEMS, VALUES, TIMES, strict=True))
    for rule in ("last", "first", "max", "min", "mean", "sum", "count"):
        found = {
            str(Ratings.from_arrays(*zip(*order, strict=True), duplicates=rule).to_arrow().to_pylist())
            for order in itertools.islice(itertools.permutations(rows), 0, 720, 37)
        }
        assert len(found) == 1, rule


def test_sums_do_not_see_the_order_of_rows():
    values = [0.1, 0.2, 0.3, 1e16, -1e16, 0.7]
    sums = {
        Ratings.from_arrays([1] * 6, [1] * 6, order, duplicates="sum").values[0].hex()
        for order in itertools.permutations(values)
    }
    assert len(sums) == 1


def test_refused_by_default():
    with pytest.raises(DataError, match="1 pair of user and item with more than one rating") as caught:
        read("refuse")
    message = str(caught.value)
    assert "2 repeated rows" in message
    assert [line.strip() for line in caught.value.rows] == [
        "row 0 (from 0): user 1, item 7, rating 3",
        "row 2 (from 0): user 1, item 7, rating 1",
        "row 4 (from 0): user 1, item 7, rating 4",
    ]
    assert 'duplicates="last"' in message


def test_only_five_rows_are_shown():
    with pytest.raises(DataError, match="1,000 pairs") as caught:
        Ratings.from_arrays(list(range(1000)) * 2, [1] * 2000, [1] * 2000)
    assert len(caught.value.rows) == 5


def test_exact_repeats_are_duplicates_too():
    with pytest.raises(DataError, match="more than one rating"):
        Ratings.from_arrays([1, 1], [1, 1], [5, 5])


@pytest.mark.parametrize("rule", ["last", "first"])
def test_time_must_decide(rule):
    with pytest.raises(DataError, match="no times for duplicates"):
        read(rule, times=None)
    with pytest.raises(DataError, match="cannot decide for 1 pair: the times are equal") as caught:
        read(rule, times=[10, 10, 10, 5, 10, 6])
    assert len(caught.value.rows) == 3


def test_only_the_deciding_times_must_differ():
    assert read("last", times=[30, 10, 10, 5, 10, 6]).profile(1)[7] == 3
    with pytest.raises(DataError, match="times are equal"):
        read("first", times=[30, 10, 10, 5, 10, 6])


def test_a_tie_by_rating_keeps_the_latest_time():
    for rule in ("max", "min"):
        ratings = Ratings.from_arrays([1, 1, 1], [1, 1, 1], [4, 4, 4], [3, 9, 6], duplicates=rule)
        assert ratings.times.tolist() == [9 * 10**6]


def test_mean_and_sum_may_leave_the_scale():
    assert read("mean").scale is None
    assert read("mean").codes is None
    halves = Ratings.from_arrays([1, 1, 2], [1, 1, 1], [3, 4, 5], duplicates="mean")
    assert halves.values.tolist() == [3.5, 5]
    assert halves.scale.step == 0.5
    with pytest.warns(CoratedNotice, match="off the declared scale 1 to 5 by 1"):
        off = read("sum", scale=(1, 5, 1))
    assert off.scale.high == 8
    inside = read("max", scale=(1, 5, 1))
    assert (inside.scale.low, inside.scale.high) == (1, 5)


def test_no_such_rule():
    with pytest.raises(ParameterError, match="duplicates is 'newest'"):
        read("newest")


def test_merge_leaves_single_rows_alone():
    starts = np.array([True, True, False, True])
    merged = merge(starts, np.array([1.0, 2, 3, 4]), np.array([5, 6, 7, 8]), "last")
    assert merged.kept.tolist() == [0, 2, 3]
    assert merged.values is None
    with pytest.raises(TiedTimes) as caught:
        merge(starts, np.array([1.0, 2, 3, 4]), np.array([5, 6, 6, 8]), "last")
    assert caught.value.rows.tolist() == [1, 2]
