"""The notebook's own pair: .84, 3.32, and a pair that has no correlation."""

import math

import numpy as np
import pytest
import scipy.stats

from corated.neighborhood.graph import neighbors
from corated.neighborhood.pair import pair
from corated.ratings.ratings import Ratings
from corated.similarity import reference

MOVIES = range(101, 110)
USER_35 = [10, 7, 9, 6, 7, 9, 8, 6, 9]
USER_51 = [8, 6, 7, 6, 7, 8, 8, 6, 8]


def ratings_of(profiles):
    """Ratings from user -> {item: rating}, on 1 to 10."""
    rows = [(user, item, rating) for user, profile in profiles.items() for item, rating in profile.items()]
    return Ratings.from_arrays(*zip(*rows, strict=True), scale=(1, 10, 1))


@pytest.fixture(scope="module")
def two():
    """The two users, each with a movie of its own besides the nine."""
    x = dict(zip(MOVIES, USER_35, strict=True)) | {7: 1}
    y = dict(zip(MOVIES, USER_51, strict=True)) | {8: 10}
    return ratings_of({35: x, 51: y})


def one_value(ratings, measure, **options):
    (row,) = neighbors(ratings, measure=measure, subjects=[35], **options).to_pylist()
    return row


def test_pearson_is_84_hundredths(two):
    row = one_value(two, "pearson")
    assert f"{row['value']:.2f}" == "0.84"
    assert (row["neighbor"], row["rank"], row["n_common"]) == (51, 1, 9)
    assert reference.value(two, 35, 51).value == row["value"]
    assert row["value"] == pytest.approx(scipy.stats.pearsonr(USER_35, USER_51).statistic, abs=1e-12)
    assert row["value"] == pytest.approx(np.corrcoef(USER_35, USER_51)[0, 1], abs=1e-12)


def test_euclidean_is_the_root_of_eleven(two):
    row = one_value(two, "euclidean")
    assert row["value"] == math.sqrt(11)
    assert f"{row['value']:.2f}" == "3.32"
    assert reference.value(two, 35, 51, measure="euclidean") == (math.sqrt(11), None)


def test_the_co_rated_table(two):
    table = reference.co_rated(two, 35, 51)
    assert [row.id for row in table] == list(MOVIES)
    assert [row.x for row in table] == USER_35
    assert [row.y for row in table] == USER_51


def test_with_itself(two):
    assert reference.value(two, 35, 35).value == 1.0
    assert reference.value(two, 35, 35, measure="euclidean").value == 0.0


def test_flat_on_the_overlap_is_undefined_with_its_reason():
    flat = dict(zip(range(4), [8, 8, 8, 8], strict=True)) | {50: 3}
    other = dict(zip(range(4), [9, 7, 7, 9], strict=True)) | {60: 5}
    ratings = ratings_of({35: flat, 51: other})
    assert reference.value(ratings, 35, 51) == (None, "flat on the overlap")
    assert reference.value(ratings, 51, 35) == (None, "flat on the overlap")
    assert len(neighbors(ratings, measure="pearson")) == 0
    assert one_value(ratings, "euclidean")["value"] == 2.0
    result = pair(ratings, 35, 51, measure="pearson")
    assert (result.value, result.status, result.n_common) == (None, "flat", 4)
    assert "8" in result.reason


def test_the_pair_under_the_magnifying_glass(two):
    result = pair(two, 35, 51, measure="pearson")
    assert (result.value, result.status) == (one_value(two, "pearson")["value"], "ok")
    sums = reference.sums(two, 35, 51)
    n, low = sums.n, 1  # the sums of Pearson are over codes, rating - 1
    assert result.sums["n"] == n
    assert result.sums["sx"] == sums.sx - low * n
    assert result.sums["sxy"] == sums.sxy - low * (sums.sx + sums.sy) + low * low * n
    assert pair(two, 35, 51, measure="euclidean").value == math.sqrt(11)
