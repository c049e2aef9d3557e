"""Beyond being right: by hand, and against plain loops."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import corated as cr
from corated import evaluation as ev
from corated.errors import ParameterError

# Item 0 was rated by all four users, 1 by two, 2 and 3 by one.
TRAIN = cr.Ratings.from_arrays([1, 1, 1, 2, 2, 3, 4, 4], [0, 1, 2, 0, 1, 0, 0, 3], [5] * 8)
GENRES = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)


def items(*lists):
    return ev.Rankings.of_lists(lists, 12).items


def test_exposure_and_coverage():
    lists = items([0, 1], [0], [])
    assert ev.exposure(lists, 4).tolist() == [2, 1, 0, 0]
    assert ev.catalog_coverage(lists, 4) == 0.5
    assert ev.user_coverage(lists) == pytest.approx(2 / 3)
    # What training does not have is no part of the catalog.
    assert ev.catalog_coverage(items([7, 0]), 4) == 0.25


def test_novelty_in_bits():
    found = ev.novelty(items([0], [1], [3], [0, 1, 2], [], [3, 9], [9]), TRAIN)
    np.testing.assert_allclose(found, [0, 1, 2, 1, np.nan, 2, np.nan], atol=1e-15)


def test_popularity_lift():
    # Profiles: user 1 has items rated by 4, 2 and 1; user 3 one rated by 4.
    found = ev.popularity_lift(items([3], [0, 1], [0], [], [0]), TRAIN, np.array([0, 2, 2, 0, -1]))
    np.testing.assert_allclose(found, [1 / (7 / 3), 3 / 4, 1, np.nan, np.nan])


def test_gini():
    assert ev.gini(items([0, 1], [2, 3]), 4) == 0.0
    assert ev.gini(items([0], [0], [0]), 4) == 0.75  # 1 − 1/N for one of N
    assert np.isnan(ev.gini(items([]), 4))


@given(st.lists(st.lists(st.integers(0, 7), unique=True, max_size=8), min_size=1, max_size=8))
def test_gini_is_half_the_relative_mean_difference(lists):
    counts = ev.exposure(items(*lists), 8)
    if counts.sum():
        mean_difference = np.abs(counts[:, None] - counts[None, :]).mean()
        assert ev.gini(items(*lists), 8) == pytest.approx(mean_difference / (2 * counts.mean()))


def test_intra_list_diversity():
    found = ev.intra_list_diversity(items([0, 1], [0, 2], [0, 1, 2], [0, 3], [0], [3, 0, 1, 9]), GENRES)
    np.testing.assert_allclose(found, [0.5, 1.0, (0.5 + 1 + 1) / 3, np.nan, np.nan, 0.5], atol=1e-7)


@given(
    st.lists(st.lists(st.integers(0, 11), unique=True, max_size=12), min_size=1, max_size=4),
    st.lists(st.sets(st.integers(0, 3)), min_size=10, max_size=10),
)
def test_intra_list_diversity_as_defined(lists, sets):
    genres = np.array([[genre in one for genre in range(4)] for one in sets])
    for row, value in zip(lists, ev.intra_list_diversity(items(*lists), genres), strict=True):
        described = [sets[item] for item in row if item < 10 and sets[item]]
        apart = [1 - len(a & b) / len(a | b) for a, b in combinations(described, 2)]
        assert value == pytest.approx(np.mean(apart), abs=1e-6) if apart else np.isnan(value)


def test_intra_list_diversity_of_many_lists_is_made_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    lists = np.array([rng.permutation(200)[:10] for _ in range(300)], dtype=np.int32)
    genres = rng.random((200, 9)) < 0.3
    whole = ev.intra_list_diversity(lists, genres)
    monkeypatch.setattr("corated.evaluation.beyond._PAIRS", 700)
    np.testing.assert_array_equal(whole, ev.intra_list_diversity(lists, genres))


def test_serendipity_is_right_and_not_what_popularity_tells():
    lists = ev.Rankings.of_lists([[5, 1, 2], [0, 5], [5], []], 4)
    popular = ev.Rankings.of_lists([[0, 1], [0, 1], [0, 1], [0, 1]], 4)
    found = ev.match(lists, ev.Relevance.of_rows([{5, 1}, {0}, {}, {5}], 9))
    np.testing.assert_array_equal(ev.serendipity(found, popular, 4), [1 / 4, 0, np.nan, 0])
    # With one place popularity tells item 0 alone.
    np.testing.assert_array_equal(ev.serendipity(found, popular, 1), [1, 0, np.nan, 0])


def test_serendipity_is_precision_less_what_popularity_gives_too():
    rng = np.random.default_rng(1)
    lists = ev.Rankings.of_lists([rng.permutation(20)[:8].tolist() for _ in range(50)], 8)
    found = ev.match(
        lists, ev.Relevance.of_rows([set(rng.permutation(20)[:5].tolist()) for _ in range(50)], 20)
    )
    nothing = ev.Rankings.of_lists([[]] * 50, 8)
    np.testing.assert_array_equal(ev.serendipity(found, nothing, 8), ev.precision(found, 8))
    assert ev.serendipity(found, lists, 8).tolist() == [0.0] * 50


@given(st.lists(st.lists(st.integers(0, 7), unique=True, max_size=5), max_size=6))
def test_personalization_as_defined(lists):
    shared = [1 - len(set(a) & set(b)) / 5 for a, b in combinations([row for row in lists if row], 2)]
    found = ev.personalization(items(*lists), 5)
    assert found == pytest.approx(np.mean(shared), abs=1e-12) if shared else np.isnan(found)


BEYOND = [
    "catalog_coverage",
    "user_coverage",
    "novelty",
    "popularity_lift",
    "gini",
    "diversity",
    "serendipity",
]


def case(**more):
    rankings = ev.Rankings.of_lists([[0, 1], [2, 3], []], 2)
    return ev.Case(
        rankings, ev.Relevance.of_rows([{0}, {3}, {}], 4), TRAIN, np.array([2, -1, 0]),
        **{"genres": GENRES, "baseline": ev.Rankings.of_lists([[0], [0], [0]], 2), **more},
    )  # fmt: skip


def test_by_their_names():
    found = {name: ev.get_metric(f"{name}@2").of(case()) for name in [*BEYOND, "personalization"]}
    means = {name: value.mean for name, value in found.items()}
    assert means == {
        "catalog_coverage": 1.0, "user_coverage": pytest.approx(2 / 3), "novelty": pytest.approx(1.25),
        "popularity_lift": 0.75, "gini": 0.0, "diversity": pytest.approx(0.5), "serendipity": 0.25,
        "personalization": 1.0,
    }  # fmt: skip
    assert (found["popularity_lift"].users, found["popularity_lift"].skipped) == (1, 2)
    assert (found["gini"].per_user, found["gini"].users) == (None, 3)
    assert ev.get_metric("catalog_coverage@1").of(case()).mean == 0.5


def test_what_is_missing_is_named():
    for name, words in (("diversity", "a catalog with genres"), ("serendipity", "popularity's lists")):
        with pytest.raises(ParameterError, match=f"{name}@2 needs {words}"):
            ev.get_metric(f"{name}@2").of(case(genres=None, baseline=None))
    with pytest.raises(ParameterError, match="rmse needs predicted ratings"):
        ev.get_metric("rmse").of(case())


def test_errors_by_their_names():
    errors = ev.RatingErrors(1.5, 1.0, 4, 0, {"ok": 4})
    assert ev.get_metric("rmse").of(case(errors=errors)).mean == 1.5
    assert ev.get_metric("mae").of(case(errors=errors)).mean == 1.0
    assert ev.METRICS["rmse"].better == "smaller"


def test_what_is_undefined_is_none_in_the_table():
    empty = ev.Case(
        ev.Rankings.of_lists([[], []], 2), ev.Relevance.of_rows([{}, {}], 4), TRAIN, np.array([0, 1])
    )
    for name in ("gini", "personalization", "novelty", "ndcg"):
        assert ev.get_metric(f"{name}@2").of(empty).mean is None


def test_on_a_sample_popularity_is_popular_and_the_same_for_all():
    made = cr.sample(size="small")
    split = ev.by_time(made.ratings)
    lists = {
        "popular": cr.Popularity().fit(split.train).recommend(n=10),
        "near": cr.UserKNN(measure="cosine", k=5, rule="votes").fit(split.train).recommend(n=10),
    }
    found = {}
    for name, table in lists.items():
        top = ev.rankings_of(split, table, n=10).items
        lift = ev.averaged(ev.popularity_lift(top, split.train, split.user_codes)).mean
        found[name] = (
            lift, ev.personalization(top, 10), ev.catalog_coverage(top, split.train.n_items),
            -ev.gini(top, split.train.n_items), ev.averaged(ev.novelty(top, split.train)).mean,
        )  # fmt: skip
    assert found["popular"][0] > 1.2 and found["popular"][0] > found["near"][0]
    assert all(one < other for one, other in zip(found["popular"][1:], found["near"][1:], strict=True))
