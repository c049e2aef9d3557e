"""The oracle itself: against figures worked out by hand, NumPy, SciPy, and its own two ways to add up."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import DataError, IdTypeError, ParameterError, UnknownIdError
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES
from corated.similarity.reference import Neighbor, Recommendation


def ratings_of(profiles, scale=(1, 5, 1)):
    """Ratings from user -> {item: rating}."""
    rows = [(user, item, rating) for user, profile in profiles.items() for item, rating in profile.items()]
    return Ratings.from_arrays(*zip(*rows, strict=True), scale=scale)


PEOPLE = {
    "ann": {1: 1, 2: 2, 3: 3, 9: 5},
    "bob": {1: 2, 2: 4, 3: 5},
    "cat": {1: 3, 2: 3, 3: 3, 4: 4},
    "dan": {4: 1, 9: 2},
    "eve": {7: 1},
}


def test_the_sums_by_hand():
    ratings = ratings_of(PEOPLE)
    s = reference.sums(ratings, "ann", "bob")
    assert s == (3, 6, 11, 14, 45, 25, 9, 5, 4, 3, 39, 45)
    assert all(type(field) is int for field in s)
    assert reference.sums(ratings, 1, 2, of="items")[:6] == (3, 6, 9, 14, 29, 19)
    assert reference.co_rated(ratings, "ann", "dan") == [(9, 5.0, 2.0)]
    assert reference.co_rated(ratings, 4, 9, of="items") == [("dan", 1.0, 2.0)]
    assert reference.co_rated(ratings, "ann", "eve") == []


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("pearson", 9 / math.sqrt(6 * 14)),
        ("euclidean", 3.0),
        ("msd", 1 / (1 + 9 / 3)),
        ("manhattan", 5.0),
        ("cosine", 25 / math.sqrt(39 * 45)),
        ("cosine_common", 25 / math.sqrt(14 * 45)),
        ("jaccard", 3 / 4),
    ],
)
def test_the_measures_by_hand(measure, expected):
    assert reference.value(ratings_of(PEOPLE), "ann", "bob", measure=measure) == (expected, None)


def test_every_reason():
    ratings = ratings_of(PEOPLE)
    for measure in MEASURES:
        assert reference.value(ratings, "ann", "eve", measure=measure) == (None, "nothing in common")
        too_few = reference.value(ratings, "ann", "bob", measure=measure, min_common=4)
        assert too_few == (None, "fewer in common than min_common")
    assert reference.value(ratings, "ann", "dan") == (None, "fewer than 2 in common")
    assert reference.value(ratings, "ann", "cat") == (None, "flat on the overlap")
    assert reference.value(ratings, "cat", "ann") == (None, "flat on the overlap")
    zeros = ratings_of({1: {1: 0, 2: 0}, 2: {1: 3, 2: 4}, 3: {2: 0, 5: 1}}, scale=(0, 5, 1))
    assert reference.value(zeros, 1, 2, measure="cosine") == (None, "a norm is 0")
    assert reference.value(zeros, 2, 1, measure="cosine_common") == (None, "a norm is 0")
    assert reference.value(zeros, 2, 3, measure="cosine") == (0.0, None)
    assert reference.value(zeros, 2, 3, measure="cosine_common") == (None, "a norm is 0")
    assert reference.value(zeros, 1, 2, measure="euclidean") == (5.0, None)


def test_ratings_that_no_unit_makes_whole():
    none = ratings_of({1: {1: 0.123, 2: 0.2}, 2: {1: 0.9, 2: 7.77}}, scale=None)
    assert none.scale is None
    assert reference.value(none, 1, 2, measure="jaccard").value == 1.0
    assert reference.value(none, 1, 2).value == pytest.approx(1.0, rel=1e-12)
    crooked = ratings_of({1: {1: 0.5, 2: 1.5}, 2: {1: 1.5, 2: 0.5}}, scale=(0.5, 4.5, 1))
    assert reference.value(crooked, 1, 2).value == -1.0
    assert reference.value(crooked, 1, 2, measure="cosine").value == 0.6  # (1, 3) and (3, 1) halves
    odd = ratings_of({1: {1: 0.1234567}, 2: {1: 1.1234567}}, scale=(0.1234567, 4.1234567, 1))
    assert reference.value(odd, 1, 2, measure="euclidean").value == 1.0
    for measure in ("cosine", "cosine_common"):
        assert reference.value(odd, 1, 2, measure=measure).value == pytest.approx(1.0, rel=1e-12)
    with pytest.raises(DataError, match="midpoint"):
        reference.value(none, 1, 2, measure="constrained_pearson")


def test_wrong_questions():
    ratings = ratings_of(PEOPLE)
    with pytest.raises(ParameterError, match="Unknown measure"):
        reference.neighbors(ratings, measure="nearness")
    with pytest.raises(ParameterError, match="names no side"):
        reference.neighbors(ratings, of="movies")
    with pytest.raises(UnknownIdError):
        reference.value(ratings, "ann", "zoe")
    with pytest.raises(IdTypeError):
        reference.value(ratings, "1", "2", of="items")
    with pytest.raises(ParameterError, match="Unknown rule"):
        reference.recommend(ratings, [], user="ann", measure="pearson", rule="loudest")


STEPS = {1.0: (1, 10), 0.5: (0.5, 5), 0.1: (0, 1)}
pairs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 9), min_size=n, max_size=n)] * 2)
)


@given(pairs, st.sampled_from(sorted(STEPS)))
@settings(max_examples=150)
def test_values_agree_with_numpy_and_scipy(pair, step):
    low, high = STEPS[step]
    x, y = (low + step * np.array(codes) for codes in pair)
    items = range(len(x))
    profiles = {1: dict(zip(items, x, strict=True)), 2: dict(zip(items, y, strict=True)) | {99: high}}
    ratings = ratings_of(profiles, scale=(low, high, step))

    def got(measure):
        return reference.value(ratings, 1, 2, measure=measure).value

    def close(value):
        return pytest.approx(value, rel=1e-12, abs=1e-12)

    assert got("euclidean") == close(np.linalg.norm(x - y))
    assert got("manhattan") == close(np.abs(x - y).sum())
    assert got("msd") == close(1 / (1 + np.mean((x - y) ** 2)))
    assert got("jaccard") == close(len(x) / (len(x) + 1))
    # A difference of a level matters; one of a rounding error does not, and hides no flat profile.
    if len(set(pair[0])) > 1 and len(set(pair[1])) > 1:
        assert got("pearson") == close(scipy.stats.pearsonr(x, y).statistic)
        assert got("pearson") == close(np.corrcoef(x, y)[0, 1])
    else:
        assert got("pearson") is None
    if x.any() and y.any():
        assert got("cosine_common") == close(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))
    if x.any():
        whole = np.append(y, high)
        assert got("cosine") == close(x @ y / (np.linalg.norm(x) * np.linalg.norm(whole)))


profiles_of_few = st.dictionaries(
    st.integers(-3, 3),
    st.dictionaries(st.integers(1, 6), st.integers(-2, 3), min_size=1, max_size=6),
    min_size=1,
    max_size=6,
)


@given(
    profiles_of_few, st.sampled_from(sorted(MEASURES)), st.sampled_from(["users", "items"]), st.integers(1, 3)
)
@settings(max_examples=150)
def test_one_pass_over_everybody_equals_pair_by_pair(profiles, measure, of, min_common):
    if measure in ("p3alpha", "rp3beta"):
        profiles = {u: {i: abs(x) for i, x in profile.items()} for u, profile in profiles.items()}
    ratings = ratings_of(profiles, scale=(-2, 3, 1))
    ids = list(ratings.users if of == "users" else ratings.items)
    found = reference.neighbors(ratings, of=of, measure=measure, k=100, min_common=min_common)
    assert list(found) == ids
    for u in ids:
        expected = {}
        for v in ids:
            answer = reference.value(ratings, u, v, of=of, measure=measure, min_common=min_common)
            assert (answer.value is None) != (answer.reason is None)
            if v != u and answer.value is not None:
                expected[v] = (answer.value, reference.sums(ratings, u, v, of=of).n)
        assert {row.neighbor: row[1:] for row in found[u]} == expected
        sign = 1 if reference.is_distance(measure) else -1
        keys = [(sign * row.value, -row.n_common, row.neighbor) for row in found[u]]
        assert keys == sorted(keys)


def test_the_order_and_merging():
    near = [
        Neighbor(5, 1.0, 2),
        Neighbor(2, 1.0, 3),
        Neighbor(9, 0.5, 8),
        Neighbor(1, 1.0, 2),
        Neighbor(3, 2.0, 1),
    ]
    assert [row.neighbor for row in reference.merge([near], 9, measure="pearson")] == [3, 2, 1, 5, 9]
    assert [row.neighbor for row in reference.merge([near], 9, measure="euclidean")] == [9, 2, 1, 5, 3]
    parts = [near[:2], [], near[2:]]
    assert reference.merge(parts, 3, measure="pearson") == reference.merge([near], 3, measure="pearson")
    text = [Neighbor("10", 1.0, 1), Neighbor("9", 1.0, 1), Neighbor("é", 1.0, 1), Neighbor("z", 1.0, 1)]
    assert [row.neighbor for row in reference.merge([text], 4, measure="msd")] == ["10", "9", "z", "é"]


def test_subjects_and_k():
    ratings = ratings_of(PEOPLE)
    whole = reference.neighbors(ratings, measure="jaccard")
    some = reference.neighbors(ratings, measure="jaccard", subjects=["dan", "ann", "dan"])
    assert some == {"ann": whole["ann"], "dan": whole["dan"]}
    assert whole["eve"] == []
    assert reference.neighbors(ratings, measure="jaccard", k=1)["ann"] == whole["ann"][:1]


@pytest.mark.parametrize(
    ("scale", "like"),
    [
        ((0, 10, 1), 7),
        ((1, 10, 1), 7),
        ((1, 5, 1), 4),
        ((0.5, 5, 0.5), 3.5),
        ((0, 1, 1), 1),
        ((0, 5, 1), 4),
        ((0, 1, 0.1), 0.7),
        ((3, 3, 1), -math.inf),
    ],
)
def test_the_default_like(scale, like):
    assert reference.default_like(ratings_of({1: {1: scale[0]}}, scale=scale)) == like


FANS = {
    0: {1: 5, 2: 1},
    1: {1: 5, 3: 4, 4: 5, 5: 5},
    2: {2: 5, 3: 5, 6: 4, 7: 3},
    3: {3: 5, 5: 4, 8: 5},
}
NEAR = [Neighbor(2, 0.5, 1), Neighbor(1, 0.25, 1), Neighbor(3, -1.0, 1)]


def recommended(rule, neighbors=NEAR, measure="pearson", **options):
    ratings = ratings_of(FANS)
    return reference.recommend(ratings, neighbors, user=0, measure=measure, rule=rule, **options)


def test_closest_first():
    rows = recommended("closest")
    assert rows == [
        Recommendation(3, None, 3),
        Recommendation(6, None, 1),
        Recommendation(4, None, 1),
        Recommendation(5, None, 2),
        Recommendation(8, None, 1),
    ]
    assert recommended("closest", n=2) == rows[:2]


def test_votes():
    assert [(row.item, row.score, row.support) for row in recommended("votes")] == [
        (3, 3.0, 3),
        (5, 2.0, 2),
        (4, 1.0, 1),
        (6, 1.0, 1),
        (8, 1.0, 1),
    ]
    assert [row.item for row in recommended("votes", like=5)] == [3, 4, 5, 8]
    assert 7 in [row.item for row in recommended("votes", like=3)]


def test_weighted_votes():
    assert [(row.item, row.score) for row in recommended("weighted_votes")] == [
        (6, 0.5),
        (4, 0.25),
        (3, -0.25),
        (5, -0.75),
        (8, -1.0),
    ]
    far = [Neighbor(2, 0.0, 1), Neighbor(1, 1.0, 1), Neighbor(3, 3.0, 1)]
    rows = recommended("weighted_votes", far, "euclidean")
    assert [(row.item, row.score) for row in rows] == [(3, 1.75), (6, 1.0), (5, 0.75), (4, 0.5), (8, 0.25)]


def test_more_support_goes_first_at_equal_scores():
    even = [Neighbor(2, 0.5, 1), Neighbor(1, 0.25, 1), Neighbor(3, 0.25, 1)]
    rows = recommended("weighted_votes", even)
    assert [(row.item, row.score, row.support) for row in rows[1:3]] == [(5, 0.5, 2), (6, 0.5, 1)]


def test_nobody_near_recommends_nothing():
    for rule in ("closest", "votes", "weighted_votes"):
        assert recommended(rule, []) == []


def test_integers_beyond_64_bits_are_still_exact():
    low = 3_000_000_000
    ratings = ratings_of(
        {1: {1: low, 2: low + 1, 3: low}, 2: {1: low + 4, 2: low}, 3: {3: low, 1: low}}, (low, low + 4, 1)
    )
    x, y = (low, low + 1), (low + 4, low)
    dot, xx, yy = (sum(a * b for a, b in zip(*pair, strict=True)) for pair in ((x, y), (x, x), (y, y)))
    expected = float(dot) / math.sqrt(float(xx) * float(yy))
    assert reference.value(ratings, 1, 2, measure="cosine_common") == (expected, None)
    found = reference.neighbors(ratings, measure="cosine_common")
    assert {row.neighbor: row.value for row in found[1]}[2] == expected
    assert reference.sums(ratings, 1, 2, measure="cosine_common").sxy == dot > 2**63
