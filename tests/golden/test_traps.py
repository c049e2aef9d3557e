"""Mistakes that other libraries make, each as a test that ours does not: one comment says whose and which.

Found by reading their code in 2026; versions move on, and the traps stay.
"""

import math
import random
from fractions import Fraction

import numpy as np
import pytest

import corated as cr
from corated.errors import DataError, IdTypeError, ParameterError, UnknownIdError

SIGNED = cr.measures.Custom(lambda n, sdd: 1.0 - sdd, title="one less squared difference")


def table(rows, scale=(1, 10, 1), **more):
    return cr.Ratings.from_arrays(*zip(*rows, strict=True), scale=scale, **more)


def items_of(result, user=None):
    return [row["item_id"] for row in result if user is None or row["user_id"] == user]


def value_of(ratings, one, other, measure, of="users"):
    for row in cr.neighbors(ratings, of=of, measure=measure, k=99, subjects=[one]):
        if row["neighbor"] == other:
            return row["value"]
    return None


def of_profiles(profiles, scale=(1, 10, 1)):
    """Ratings of users from 1, a row of item 0, 1, … each; None for no rating."""
    return table(
        [(u, i, r) for u, row in enumerate(profiles, 1) for i, r in enumerate(row) if r is not None], scale
    )


@pytest.fixture(scope="module")
def crowd():
    """Two hundred ratings, many ties."""
    rng = random.Random(1)
    cells = rng.sample([(u, i) for u in range(1, 31) for i in range(1, 16)], 200)
    return table([(u, i, rng.randint(1, 5)) for u, i in cells], (1, 5, 1))


# -- Surprise ---------------------------------------------------------------------------------------


def test_flat_users_on_a_fine_scale_have_no_correlation():
    # Surprise compares n·Σx² − (Σx)² with 0 in floats: on a grid of 0.1 it is below 0 at times, which is NaN.
    rng = random.Random(0)
    profiles = [[rng.randint(10, 50) / 10] * 7 for _ in range(40)]
    profiles += [[rng.randint(10, 50) / 10 for _ in range(7)] for _ in range(10)]
    graph = cr.neighbors(of_profiles(profiles, (1, 5, 0.1)), measure="pearson", k=60)
    assert {row["id"] for row in graph} == {row["neighbor"] for row in graph} == set(range(41, 51))
    assert all(-1 <= row["value"] <= 1 for row in graph)


@pytest.mark.parametrize(
    "measure",
    ["pearson", "cosine", "cosine_common", "constrained_pearson", "adjusted_cosine", "centered_cosine",
     "pearson_baseline", "asymmetric_cosine", "spearman"],
)  # fmt: skip
def test_no_variance_and_no_norm_are_undefined_everywhere(measure):
    # Surprise gives 0 for a flat Pearson, and divides by 0 for pearson_baseline and for cosine of zeros.
    ratings = of_profiles([[0, 0, 0], [0, 0, 0], [0, 0, None]], (0, 10, 1))
    expected = [1.0] * 6 if measure == "constrained_pearson" else []  # which measures from the midpoint, 5
    assert [row["value"] for row in cr.neighbors(ratings, measure=measure, k=9)] == pytest.approx(expected)


def test_one_item_in_common_is_not_the_closest():
    # Surprise: a stranger with one co-rated item has cosine 1.0 and comes before everybody.
    ratings = of_profiles([[9, 8, 7, 6], [9, 8, 7, 6], [9, None, None, None]])
    graph = cr.neighbors(ratings, measure="cosine_common", k=2, subjects=[1]).to_pylist()
    assert [(row["neighbor"], row["value"], row["n_common"]) for row in graph] == [(2, 1.0, 4), (3, 1.0, 1)]
    assert len(cr.neighbors(ratings, measure="cosine_common", min_common=2, subjects=[1])) == 1
    shrunk = cr.neighbors(
        ratings, measure="cosine_common(adjust=shrink_mul(5))", k=2, subjects=[1]
    ).to_pylist()
    assert shrunk[0]["value"] > 2 * shrunk[1]["value"]


def test_lists_are_ranked_before_anything_is_clipped():
    # Surprise clips predictions first: the best of a list are all 5.0, in the order of the file.
    ratings = of_profiles([[5, 5, 5, None, None], [1, 1, 1, 4, 5], [2, 1, 1, 4, 5]], (1, 5, 1))
    model = cr.UserKNN(measure="msd", rule="mean", center="mean", clip=True).fit(ratings)
    rows = model.recommend([1]).to_pylist()
    assert [row["item_id"] for row in rows] == [4, 3]
    assert rows[0]["score"] > rows[1]["score"] > 5
    assert [row["value"] for row in model.predict([1, 1], [3, 4])] == [5.0, 5.0]


def test_what_cannot_be_predicted_is_not_listed():
    # Surprise answers with the global mean where it knows nothing, which outranks honest low scores.
    ratings = table([(1, "a", 9), (2, "a", 9), (2, "b", 2), (3, "c", 9), (4, "d", 9)])
    model = cr.UserKNN(measure="msd", rule="mean", scope="raters").fit(ratings)
    assert items_of(model.recommend([1])) == ["b"]
    rows = model.predict([1, 1, 77], ["b", "c", "b"]).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "fallback", "unknown_user"]


@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN])
@pytest.mark.parametrize("scope", ["all", "raters"])
def test_nobody_predicts_their_own_ratings(kind, scope):
    # Surprise counts a user as the nearest rater of what they rated, so that training errors look splendid.
    ratings = of_profiles([[10, 1, 9], [1, 10, 2], [2, 9, 1]])
    other = of_profiles([[10, 1, 2], [1, 10, 2], [2, 9, 1]])
    options = {"measure": "jaccard", "rule": "mean", "scope": scope}
    for rated in (ratings, other):  # who are near does not depend on the rating, so it must not matter
        (row,) = kind(**options).fit(rated).predict([1], [2]).to_pylist()
        assert (row["value"], row["support"]) == (((2 + 1) / 2, 2) if kind is cr.UserKNN else (11 / 2, 2))


def test_k_neighbors_are_k_and_support_counts_who_took_part():
    # Surprise takes k first, then skips similarities of 0 and below, and its min_k counts what is left.
    rows = [(1, "x", 5), (2, "x", 5), (3, "x", 7), (4, "x", 8), *((u, "t", 9) for u in (2, 3, 4))]
    options = {"measure": SIGNED, "rule": "weighted_votes", "k": 2, "like": 7}
    (row,) = cr.UserKNN(**options).fit(table(rows)).recommend([1])
    assert (row["score"], row["support"]) == (1.0 - 3.0, 2)
    (row,) = cr.UserKNN(**options, min_similarity=0.0).fit(table(rows)).recommend([1])
    assert (row["score"], row["support"]) == (1.0, 1)
    assert len(cr.UserKNN(**options, min_similarity=0.0, min_support=2).fit(table(rows)).recommend([1])) == 0


@pytest.mark.parametrize("name", ["best", "surprise-knnbasic", "lenskit-item", "bars-itemcf"])
def test_the_order_of_rows_does_not_decide_ties(crowd, name):
    # Surprise numbers users and items as they appear, and keeps the first of equals: shuffling changes lists.
    rows = [tuple(row.values())[:3] for row in crowd.to_arrow().to_pylist()]
    expected = cr.preset(name).fit(crowd).recommend(n=5).to_pylist()
    for seed in (1, 2):
        random.Random(seed).shuffle(rows)
        assert cr.preset(name).fit(table(rows, (1, 5, 1))).recommend(n=5).to_pylist() == expected


def test_a_pair_that_is_rated_twice_counts_once():
    # Surprise and implicit add duplicates up without a word; SAR misses them where the two ratings differ.
    rows = [(1, "a", 9), (1, "a", 8), (2, "a", 9)]
    with pytest.raises(DataError, match=r"(?i)duplicate|twice|more than once"):
        table(rows)
    kept = table(rows, duplicates="max")
    assert (kept.n_ratings, kept.profile(1)) == (2, {"a": 9})


def test_ids_of_another_type_are_an_error():
    # Surprise takes "2" for an unknown user where ids are integers, and answers with the global mean.
    model = cr.UserKNN(rule="mean").fit(of_profiles([[9, 8], [9, 7]]))
    for call in (lambda: model.recommend(["2"]), lambda: model.predict(["2"], [0])):
        with pytest.raises(IdTypeError, match="Did you mean the integer 2"):
            call()


# -- implicit and RecTools --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN, cr.P3Alpha, cr.Popularity])
def test_seen_items_do_not_come_back_to_fill_a_list(kind):
    # implicit sets the score of seen items to 0 and leaves them in: short lists end with them (RecTools too).
    ratings = of_profiles([[9, 9, 9, None], [9, 9, None, 9], [9, 9, 9, 9]])
    result = kind().fit(ratings).recommend(n=4)
    assert [(row["user_id"], row["item_id"]) for row in result] == [(1, 3), (2, 2)]
    assert result.short == 3


def test_weights_of_zero_make_no_nan():
    # implicit: who has seen all but one of the items has idf 0, and what only they have seen becomes NaN.
    ratings = of_profiles([[5, 5, 5, None], [None, None, 5, 5], [None, None, 5, 5]])
    for of in ("users", "items"):
        for weight in ("tfidf", "bm25", "zscore", "center"):
            graph = cr.neighbors(ratings, of=of, measure=f"cosine(weight={weight})", k=9)
            assert all(math.isfinite(row["value"]) for row in graph)
    result = cr.ItemKNN(measure="cosine(weight=tfidf)").fit(ratings).recommend()
    assert all(math.isfinite(row["score"]) for row in result)


def test_filters_do_not_lengthen_the_list(crowd):
    # implicit asks for N plus the number of filtered items, and returns as many.
    model = cr.ItemKNN(measure="jaccard").fit(crowd)
    for exclude in ([1], [1, 2, 3, 4, 5], list(range(1, 14))):
        for user in (1, 2, 3):
            rows = model.recommend([user], n=3, exclude=exclude).to_pylist()
            assert len(rows) <= 3 and not {row["item_id"] for row in rows} & set(exclude)


def test_filters_hold_for_everyone_who_is_answered_together(crowd):
    # A seen item has two reasons to be left out, and the one must not undo the other for the next user.
    model = cr.Popularity().fit(crowd)
    assert not set(items_of(model.recommend(n=15, exclude=[1, 2], threads=1))) & {1, 2}


def test_ids_come_in_any_list(crowd):
    # implicit's similar_items fails on a Python list, where its recommend does not.
    model = cr.UserKNN(measure="jaccard").fit(crowd)
    expected = model.recommend([3, 4]).to_pylist()
    for users in ((3, 4), np.array([3, 4]), range(3, 5), iter([3, 4]), np.array([3, 4], np.uint8)):
        assert model.recommend(users).to_pylist() == expected


@pytest.mark.parametrize("of", ["users", "items"])
def test_nobody_takes_up_a_place_among_their_own_neighbors(crowd, of):
    # implicit and similaripy keep the diagonal: of K neighbors one is the item itself.
    graph = cr.neighbors(crowd, of=of, measure="cosine", k=5).to_pylist()
    assert all(row["id"] != row["neighbor"] for row in graph)
    counts = {id: sum(row["id"] == id for row in graph) for id in {row["id"] for row in graph}}
    assert set(counts.values()) == {5}


def test_unused_places_are_no_rows():
    # implicit writes what it did not fill as pairs of row 0 and column 0 with value 0.
    ratings = table([(0, 0, 5), (1, 0, 5), (2, 9, 5)])
    graph = cr.neighbors(ratings, measure="jaccard", k=50).to_pylist()
    assert [(row["id"], row["neighbor"]) for row in graph] == [(0, 1), (1, 0)]
    assert len(cr.UserKNN(measure="jaccard", k=50).fit(ratings).recommend(n=50)) == 0


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.float32, np.float64, object])
def test_ratings_of_any_number_type(kind):
    # implicit has no kernel for integer ratings ("No matching signature").
    values = np.array([9, 7, 9, 8, 10]).astype(kind)
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2, 2], [1, 2, 1, 2, 3], values, scale=(1, 10, 1))
    assert items_of(cr.UserKNN().fit(ratings).recommend()) == [3]


def test_a_profile_of_zeros_is_similar_to_nobody():
    # implicit divides by the norm of a row of stored zeros: NaN similarities.
    ratings = of_profiles([[0, 0, None], [0, 5, 5], [5, 5, 5]], (0, 5, 1))
    graph = cr.neighbors(ratings, measure="cosine", k=9).to_pylist()
    assert {(row["id"], row["neighbor"]) for row in graph} == {(2, 3), (3, 2)}
    assert items_of(cr.UserKNN(measure="cosine").fit(ratings).recommend([1])) == []


def test_parameters_are_kept_with_the_model(crowd, tmp_path):
    # implicit's load() brings K back as an array and forgets K1 and B.
    model = cr.ItemKNN(measure="cosine(weight=bm25(k1=50, b=0.3))", k=7).fit(crowd)
    cr.save(model, tmp_path / "m")
    loaded = cr.load(tmp_path / "m")
    assert repr(loaded) == repr(model)
    assert type(loaded.k) is int


# -- LensKit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["centered_cosine", "cosine", "pearson"])
def test_the_threshold_is_the_same_for_a_history(crowd, measure):
    # LensKit compares min_sim with similarities that are not normalized when a history is given.
    rows = [tuple(row.values())[:3] for row in crowd.to_arrow().to_pylist()]
    without = table([row for row in rows if row[0] != 30], (1, 5, 1))
    history = crowd.profile(30)
    for least in (0.05, 0.2, 0.5):
        model = cr.UserKNN(measure=measure, min_similarity=least)
        expected = model.clone().fit(crowd).recommend([30], n=15).to_pylist()
        assert model.fit(without).recommend(history=history, user_id=30, n=15).to_pylist() == expected


def test_flat_and_single_ratings_are_told():
    # LensKit gives users with flat profiles, or one rating, no scores, and says nothing.
    ratings = of_profiles([[5, 5, 5, None], [9, None, None, None], [3, 7, 9, 8], [4, 7, 8, 9]])
    model = cr.preset("lenskit-user").fit(ratings)
    assert [row["status"] for row in model.predict([1, 2], [3, 3])] == ["too_few", "too_few"]
    assert model.recommend([1, 2]).short == 2
    assert "No variance on the 3 items in common" in str(cr.pair(ratings, 1, 3, measure="pearson"))
    votes = cr.preset("best").fit(ratings).recommend([1, 2]).to_pylist()  # who agree on what they rated
    assert {row["user_id"] for row in votes} == {1, 2}


def test_neighbors_of_negative_similarity_may_count():
    # LensKit cannot be asked for negative similarities; similaripy drops them below its threshold of 0.
    ratings = of_profiles([[1, 5, 9, None], [9, 5, 1, 1], [8, 6, 2, 3]])
    options = {"measure": "pearson", "rule": "mean", "center": "mean"}
    (row,) = cr.UserKNN(**options).fit(ratings).recommend([1])
    assert row["support"] == 2 and row["score"] > 5  # those who disagree rate it low
    assert len(cr.UserKNN(**options, min_similarity=0.0).fit(ratings).recommend([1])) == 0
    assert min(r["value"] for r in cr.neighbors(ratings, measure="pearson")) < -0.9


def test_ties_at_the_end_of_a_list_go_by_what_is_shared():
    # LensKit and sparse_dot_topn sort by value alone: who happens to come first stays in.
    ratings = of_profiles([[9, 8, 7], [9, None, None], [9, 8, None], [9, 8, 7]])
    graph = cr.neighbors(ratings, measure="euclidean", k=2, subjects=[1]).to_pylist()
    assert [(row["neighbor"], row["value"]) for row in graph] == [(4, 0.0), (3, 0.0)]


def test_unknown_items_of_a_history_are_refused_by_name(crowd):
    # LensKit masks unknown items of a history, and its kernel reads the numbers behind the mask.
    for kind in (cr.ItemKNN, cr.UserKNN, cr.EASE):
        with pytest.raises(UnknownIdError, match="99"):
            kind().fit(crowd).recommend(history={1: 5, 99: 5})


def test_k_bounds_what_is_kept(crowd):
    # LensKit keeps every positive pair unless told otherwise; Cornac's k cuts nothing.
    for model in (cr.UserKNN(k=3), cr.ItemKNN(k=3)):
        graph = model.fit(crowd).graph
        assert max(np.diff(graph.indptr)) == 3
        assert len(graph) <= 3 * len(graph.ids)


# -- Cornac -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["pearson", "centered_cosine"])
def test_no_correlation_is_made_of_nothing(measure):
    # Cornac puts 1e-8 where a centered rating is 0: a flat 7, 7, 7 has "Pearson" .98 with 9, 10, 9.
    ratings = of_profiles([[7, 7, 7], [9, 10, 9], [5, 4, 5], [None, None, 3]])
    assert all(1 not in (row["id"], row["neighbor"]) for row in cr.neighbors(ratings, measure=measure, k=9))
    if measure == "pearson":
        assert all(
            4 not in (row["id"], row["neighbor"]) for row in cr.neighbors(ratings, measure=measure, k=9)
        )


def test_pearson_is_that_of_the_overlap():
    # Cornac centers by whole profiles and divides by norms of the overlap, which is no correlation.
    ratings = of_profiles([[2, 5, 9, None, 1], [3, 4, 10, 10, None]])
    x, y = [2, 5, 9], [3, 4, 10]
    assert value_of(ratings, 1, 2, "pearson") == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-15)


def test_ties_do_not_prefer_high_ratings():
    # Cornac evicts the lowest rating among equally similar neighbors, so predictions come out too high.
    rows = [(1, "x", 5), (2, "x", 5), (3, "x", 5), (2, "t", 1), (3, "t", 10)]
    model = cr.UserKNN(measure="msd", rule="mean", scope="raters", k=1)
    (row,) = model.fit(table(rows)).predict([1], ["t"])
    assert row["value"] == 1.0  # the smaller id, whatever it rated
    (row,) = model.fit(table([*rows[:3], (2, "t", 10), (3, "t", 1)])).predict([1], ["t"])
    assert row["value"] == 10.0


def test_without_a_center_ratings_are_averaged_as_they_are():
    # Cornac predicts from centered ratings also with mean_centered=False.
    ratings = of_profiles([[1, 1, None], [1, 1, 9], [1, 1, 7]])
    (row,) = cr.UserKNN(measure="msd", rule="mean").fit(ratings).predict([1], [2])
    assert row["value"] == 8.0


def test_a_seed_costs_no_threads():
    # Cornac works on one thread as soon as a seed is given; here threads change no bit.
    rng = random.Random(4)
    cells = rng.sample([(u, i) for u in range(90) for i in range(20)], 700)
    ratings = table([(u, i, rng.randint(1, 5)) for u, i in cells], (1, 5, 1))
    one, many = (cr.BiasedMF(factors=3, epochs=2, seed=1).fit(ratings, threads=t).recommend() for t in (1, 4))
    assert one.to_pylist() == many.to_pylist()


# -- similaripy and sparse_dot_topn -----------------------------------------------------------------


def test_sums_that_cancel_to_zero_are_met_once():
    # similaripy takes a sum of 0 for "not met yet": after +1 and −1 an item is listed twice.
    rows = [(1, "x", 5), (2, "x", 5), (3, "x", 5 + 2**0.5), (4, "x", 5), *((u, "t", 9) for u in (2, 3, 4))]
    ratings = cr.Ratings.from_arrays(*zip(*rows, strict=True))
    sim = cr.measures.Custom(lambda n, sdd: np.where(sdd > 1, -1.0, 1.0), title="sign")
    (row,) = cr.UserKNN(measure=sim, rule="weighted_votes").fit(ratings).recommend([1])
    assert (row["item_id"], row["score"], row["support"]) == ("t", 1.0, 3)
    (row,) = cr.UserKNN(measure=sim, k=2).fit(table([*rows[:2], (3, "x", 7), *rows[4:6]])).recommend([1])
    assert (row["item_id"], row["score"], row["support"]) == ("t", 0.0, 2)


def test_ratings_of_zero_are_ratings_and_input_is_left_alone():
    # similaripy removes stored zeros from the caller's own matrix, and with them genuine ratings of 0.
    users, items, values = (
        np.array(c) for c in ([1, 1, 2, 2, 2], [1, 2, 1, 2, 3], [0.0, 9.0, 0.0, 9.0, 9.0])
    )
    before = [array.copy() for array in (users, items, values)]
    ratings = cr.Ratings.from_arrays(users, items, values, scale=(0, 10, 1))
    assert items_of(cr.UserKNN(measure="euclidean").fit(ratings).recommend([1])) == [3]
    assert (ratings.n_ratings, ratings.profile(1)) == (5, {1: 0.0, 2: 9.0})
    (row,) = cr.neighbors(ratings, measure="euclidean", subjects=[1])
    assert row["n_common"] == 2
    for array, old in zip((users, items, values), before, strict=True):
        assert (array == old).all() and array.flags.writeable


def test_sums_are_exact_where_float32_is_not():
    # similaripy adds up in float32: beyond 2^24 the last digits are lost, and equal values differ.
    rng = random.Random(3)
    x, y = ([rng.randint(180, 255) for _ in range(4000)] for _ in range(2))
    n, sx, sy = 4000, sum(x), sum(y)
    sxy, sxx, syy = (sum(a * b for a, b in zip(p, q, strict=True)) for p, q in ((x, y), (x, x), (y, y)))
    assert sxx > 2**24
    exact = Fraction(n * sxy - sx * sy) ** 2 / Fraction((n * sxx - sx**2) * (n * syy - sy**2))
    value = value_of(of_profiles([x, y], (0, 255, 1)), 1, 2, "pearson")
    assert abs(value) == pytest.approx(math.sqrt(exact), rel=1e-14)


# -- recommenderlab, RecBole, SAR, Gorse ------------------------------------------------------------


def test_opponents_do_not_vote_for_an_item():
    # recommenderlab maps similarities to (s + 1)/2: opponents weigh 0, and the unrelated one half.
    ratings = of_profiles([[1, 5, 9, None, None], [9, 5, 1, 9, None], [1, 5, 9, None, 9], [5, 9, 5, 1, 1]])
    rows = cr.UserKNN(measure="pearson", rule="weighted_votes").fit(ratings).recommend([1]).to_pylist()
    assert [(row["item_id"], row["score"]) for row in rows] == [(4, 1.0), (3, -1.0)]


def test_weights_of_both_signs_do_not_blow_up():
    # recommenderlab divides by the signed sum of similarities: near 0 where they cancel.
    ratings = of_profiles([[1, 5, 9, None], [1, 5, 9, 9], [9, 5, 2, 2], [2, 5, 9, 8]])
    model = cr.UserKNN(measure="pearson", rule="mean", center="mean").fit(ratings)
    (row,) = model.recommend([1])
    deviations = [abs(r - np.mean(p)) for r, p in ((9, [1, 5, 9, 9]), (2, [9, 5, 2, 2]), (8, [2, 5, 9, 8]))]
    assert abs(row["score"] - 5) <= max(deviations)


@pytest.mark.parametrize("option", [{"min_support": 2}, {"min_common": 5}, {"min_similarity": 0.4}], ids=str)
def test_each_limit_works_alone(crowd, option):
    # recommenderlab's min_predictive fails unless min_matching is set too.
    plain, limited = cr.UserKNN(measure="jaccard", k=4), cr.UserKNN(measure="jaccard", k=4, **option)
    assert plain.fit(crowd).recommend(n=15).to_pylist() != limited.fit(crowd).recommend(n=15).to_pylist()


def test_a_user_is_not_matched_with_themselves_in_new_data(crowd):
    # recommenderlab: a known user who is given again is their own nearest neighbor (a FIXME in its code).
    model = cr.UserKNN(measure="jaccard", k=4).fit(crowd)
    for user in (1, 2, 3):
        given = model.recommend(history=crowd.profile(user), user_id=user).to_pylist()
        assert given == model.recommend([user]).to_pylist()


@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN, cr.Popularity, cr.P3Alpha, cr.EASE])
def test_ratings_are_not_ignored(crowd, kind):
    # RecBole's ItemKNN and Gorse take every rating for 1.
    rows = [tuple(row.values())[:3] for row in crowd.to_arrow().to_pylist()]
    turned = table([(u, i, 6 - r) for u, i, r in rows], (1, 5, 1))
    assert kind().fit(crowd).recommend().to_pylist() != kind().fit(turned).recommend().to_pylist()


def test_constructors_do_no_work():
    # RecBole fits in the constructor: a model cannot be made without data, nor checked before.
    model = cr.UserKNN(measure="no such measure", k=-3)
    with pytest.raises(ParameterError, match="no such measure"):
        model.fit(of_profiles([[9, 8], [9, 7]]))


def test_seen_items_of_negative_score_stay_out():
    # SAR adds score × −∞ for seen items: +∞ where a score is negative, NaN where it is 0.
    ratings = of_profiles([[1, 5, 9, None], [9, 5, 1, 9], [8, 6, 2, 8]])
    rows = cr.UserKNN(measure="pearson", rule="sum").fit(ratings).recommend([1]).to_pylist()
    assert [row["item_id"] for row in rows] == [3]
    assert rows[0]["score"] < 0 and math.isfinite(rows[0]["score"])


@pytest.mark.parametrize("measure", ["cosine", "jaccard", "log_likelihood"])
def test_heavy_raters_are_not_everybodys_neighbors(measure):
    # Gorse adds up what is shared without regard to length: who rates everything is near to all.
    rows = [(0, i, 8) for i in range(60)]
    rows += [(u, 3 * (u // 3) + i, 8) for u in range(1, 30) for i in range(3)]
    graph = cr.neighbors(table(rows), measure=measure, k=1).to_pylist()
    assert [row["neighbor"] for row in graph if row["id"] != 0].count(0) == 0


def test_what_everyone_rated_is_not_dropped():
    # Gorse drops items whose idf is 0 or less: those that everybody has.
    ratings = of_profiles([[9, 9, None], [9, 9, 9], [9, None, 9], [9, 9, None]])
    found = cr.ItemKNN(measure="cosine(weight=tfidf)").fit(ratings).recommend(exclude_seen=False)
    assert 0 in items_of(cr.Popularity().fit(ratings).recommend([1], exclude_seen=False))
    assert {row["item_id"] for row in found} == {0, 1, 2}
