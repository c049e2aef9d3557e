"""UserKNN, ItemKNN, Popularity, Fallback and presets: by hand, against the oracle, and their invariants."""

import copy
import pickle
import threading

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corated as cr
from corated.errors import (
    Cancelled,
    CoratedNotice,
    DataError,
    IdTypeError,
    MemoryLimitError,
    NotFittedError,
    ParameterError,
    UnknownIdError,
)
from corated.models.rules import default_like, liked
from corated.similarity import reference
from corated.similarity.measures import MEASURES

ANN_LIKES = [("ann", "a", 9), ("ann", "b", 8)]
OTHERS = [
    ("bob", "a", 9), ("bob", "b", 8), ("bob", "c", 10), ("bob", "d", 7), ("bob", "e", 3),
    ("cat", "a", 9), ("cat", "b", 7), ("cat", "d", 9), ("cat", "f", 7),
    ("dan", "a", 2), ("dan", "g", 10), ("dan", "h", 1),
]  # fmt: skip


def table(rows, scale=(1, 10, 1)):
    users, items, values = zip(*rows, strict=True)
    return cr.Ratings.from_arrays(users, items, values, scale=scale)


@pytest.fixture(scope="module")
def taste():
    return table(ANN_LIKES + OTHERS)


def listed(result, user):
    return [(r["item_id"], r["score"], r["support"]) for r in result if r["user_id"] == user]


def test_votes_counts_the_neighbors_who_like(taste):
    model = cr.UserKNN(measure="euclidean", k=2, rule="votes").fit(taste)
    assert [r["neighbor"] for r in model.similar_users("ann")] == ["bob", "cat"]
    assert listed(model.recommend(["ann"]), "ann") == [("d", 2.0, 2), ("c", 1.0, 1), ("f", 1.0, 1)]


def test_weighted_votes_turn_a_distance_into_a_weight(taste):
    result = cr.UserKNN(measure="euclidean", k=2, rule="weighted_votes").fit(taste).recommend(["ann"])
    assert listed(result, "ann") == [("d", 1.0 + 0.5, 2), ("c", 1.0, 1), ("f", 0.5, 1)]


def test_closest_lists_each_neighbor_in_turn_best_rated_first(taste):
    result = cr.UserKNN(measure="euclidean", k=3, rule="closest").fit(taste).recommend(["ann"])
    assert listed(result, "ann") == [("c", None, 1), ("d", None, 2), ("f", None, 1), ("g", None, 1)]
    assert [r["rank"] for r in result] == [1, 2, 3, 4]


def test_closest_stops_at_n(taste):
    result = cr.UserKNN(measure="euclidean", k=3, rule="closest").fit(taste).recommend(["ann"], n=2)
    assert [r["item_id"] for r in result] == ["c", "d"]
    assert result.n == 2
    assert result.short == 0


def test_item_votes_count_the_users_liked_items_near_the_candidate(taste):
    model = cr.ItemKNN(measure="jaccard", k=2, rule="votes").fit(taste)
    near = {item: {r["neighbor"] for r in model.similar_items(item)} for item in "cdefgh"}
    expected = {i: len(near[i] & {"a", "b"}) for i in near}
    got = {item: score for item, score, _ in listed(model.recommend(["ann"]), "ann")}
    assert got == {item: votes for item, votes in expected.items() if votes}


def test_item_closest_goes_through_the_liked_items_best_rated_first(taste):
    model = cr.ItemKNN(measure="jaccard", k=3, rule="closest").fit(taste)
    walked = [r["neighbor"] for item in ("a", "b") for r in model.similar_items(item)]
    expected = [item for item in dict.fromkeys(walked) if item not in "ab"]
    assert [item for item, _, _ in listed(model.recommend(["ann"]), "ann")] == expected


def test_like_changes_who_votes(taste):
    def votes(like):
        model = cr.UserKNN(measure="euclidean", k=2, rule="votes", like=like).fit(taste)
        return {item: score for item, score, _ in listed(model.recommend(["ann"]), "ann")}

    assert votes(9) == {"c": 1.0, "d": 1.0}
    assert votes(3) == {"d": 2.0, "c": 1.0, "e": 1.0, "f": 1.0}
    assert votes("mean") == {"c": 1.0, "d": 1.0}  # bob's mean is 7.4, cat's 8.0


def test_min_support_leaves_out_what_few_like(taste):
    model = cr.UserKNN(measure="euclidean", k=2, rule="votes", min_support=2).fit(taste)
    assert listed(model.recommend(["ann"]), "ann") == [("d", 2.0, 2)]


def test_like_mean_survives_rounding():
    # The sum of three tenths of 0.1 is above 0.3, and so is the mean above 0.1.
    rows = [("u", "a", 0.1), ("u", "b", 0.1), ("v", "a", 0.1), ("v", "b", 0.1), ("v", "c", 0.1)]
    ratings = table(rows, scale=(0.1, 0.7, 0.1))
    result = cr.UserKNN(measure="euclidean", rule="votes", like="mean").fit(ratings).recommend(["u"])
    assert [r["item_id"] for r in result] == ["c"]
    large = cr.Ratings.from_arrays([1] * 999 + [2], [*range(999), 0], [123456.7] * 999 + [1.0])
    assert liked(large, "mean").all()


def test_like_mean_is_not_lenient():
    ratings = table([("v", f"i{k:02}", 7 if k else 8) for k in range(20)])
    assert liked(ratings, "mean").tolist() == [True] + [False] * 19  # the mean is 7.05


@pytest.mark.parametrize(
    ("scale", "like"),
    [
        ((0, 10, 1), 7),
        ((1, 10, 1), 7),
        ((1, 5, 1), 4),
        ((0.5, 5, 0.5), 3.5),
        ((0, 5, 1), 4),
        ((0, 15, 1), 11),
        ((1, 1, 1), -np.inf),
    ],
)
def test_default_like_is_the_top_of_the_scale(scale, like):
    assert default_like(table([("u", "i", scale[0])], scale=scale)) == like


def test_popularity_ranks_by_likes_less_what_was_seen(taste):
    result = cr.Popularity().fit(taste).recommend(["ann", "dan"], n=3)
    assert listed(result, "ann") == [("d", 2.0, 2), ("c", 1.0, 1), ("f", 1.0, 1)]
    assert listed(result, "dan") == [("b", 3.0, 3), ("d", 2.0, 2), ("c", 1.0, 1)]


def test_fallback_fills_up_and_says_who(taste):
    model = cr.Fallback(models=[cr.UserKNN(measure="euclidean", k=1, rule="votes"), cr.Popularity()])
    rows = model.fit(taste).recommend(["ann"], n=4).to_pylist()
    assert [(r["item_id"], r["source"]) for r in rows] == [
        ("c", "neighbors"),
        ("d", "neighbors"),
        ("f", "popularity"),
        ("g", "popularity"),
    ]
    assert [r["rank"] for r in rows] == [1, 2, 3, 4]


def test_fallbacks_nest(taste):
    inner = cr.Fallback(models=[cr.UserKNN(measure="euclidean", k=1, rule="closest"), cr.Popularity()])
    outer = cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=1, min_common=2, rule="votes"), inner])
    rows = outer.fit(taste).recommend(["ann"], n=10).to_pylist()
    items = [r["item_id"] for r in rows]
    assert len(items) == len(set(items))
    assert set(items) == set("cdfg")  # every unseen item that somebody likes
    assert [r["score"] is None for r in rows if r["source"] == "neighbors"][:2] == [False, False]


def test_titles_come_from_the_catalog(taste):
    catalog = cr.read_catalog({"item_id": ["c", "d"], "title": ["Sea", "Sky"]}, ids=taste)
    rows = cr.Popularity().fit(taste, catalog=catalog).recommend(["ann"], n=3).to_pylist()
    assert [r["title"] for r in rows] == ["Sky", "Sea", None]


def test_users_come_in_the_order_asked(taste):
    result = cr.Popularity().fit(taste).recommend(["dan", "ann"], n=1)
    assert [r["user_id"] for r in result] == ["dan", "ann"]
    assert result.users == 2


def test_who_has_seen_everything_gets_nothing():
    ratings = table([("u", "a", 9), ("u", "b", 9), ("v", "a", 9)])
    result = cr.preset("best").fit(ratings).recommend()
    assert [(r["user_id"], r["item_id"], r["source"]) for r in result] == [("v", "b", "popularity")]
    assert result.short == 2
    assert result.by_source == {"neighbors": 0, "popularity": 1}


def test_blocks_give_the_same_rows(taste):
    model = cr.preset("best").fit(taste)
    whole = model.recommend(n=3).to_pylist()
    for block in (1, 2, 3, 100):
        parts = [row for part in model.recommend_blocks(n=3, block=block) for row in part]
        assert parts == whole


def test_unknown_users_and_types(taste):
    model = cr.Popularity().fit(taste)
    with pytest.raises(UnknownIdError, match="zoe"):
        model.recommend(["zoe"])
    with pytest.raises(IdTypeError):
        model.recommend([7])


def test_before_fit():
    with pytest.raises(NotFittedError, match="fit"):
        cr.UserKNN().recommend()
    with pytest.raises(NotFittedError, match="fit"):
        cr.UserKNN().similar_users(1)


@pytest.mark.parametrize(
    ("settings_", "word"),
    [
        ({"k": 0}, "k=0"), ({"k": -1}, "k=-1"), ({"k": "ten"}, "k='ten'"), ({"k": True}, "k=True"),
        ({"min_common": 0}, "min_common=0"), ({"rule": "best"}, "closest, votes"),
        ({"measure": "person"}, "pearson"), ({"like": "often"}, "like='often'"),
        ({"like": float("nan")}, "nan"), ({"min_support": 0}, "min_support=0"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used(taste, settings_, word):
    with pytest.raises(ParameterError, match=word.replace("(", r"\(")):
        cr.UserKNN(**settings_).fit(taste)


def test_n_must_be_a_count(taste):
    model = cr.Popularity().fit(taste)
    for n in (0, -1, "ten", 2.5, True):
        with pytest.raises(ParameterError, match="n="):
            model.recommend(n=n)


def test_parameters_as_in_scikit_learn(taste):
    model = cr.UserKNN(measure="msd", k=7)
    copy = model.clone()
    assert copy.get_params() == model.get_params()
    assert copy.set_params(k=3) is copy
    assert (copy.k, model.k) == (3, 7)
    with pytest.raises(ParameterError, match="nearest"):
        model.set_params(nearest=3)
    assert model.fit(taste) is model
    assert repr(model) == "UserKNN(measure='msd', k=7)"


SHORTHANDS = {
    "cosine(shrink=10)": cr.measures.Cosine(shrink=10),
    "cosine(weight=bm25)": cr.measures.Cosine(weight="bm25"),
    "pearson(adjust=shrink_add(2))": cr.measures.Pearson(adjust=cr.measures.ShrinkAdd(2)),
    "euclidean(weight=zscore)": cr.measures.Euclidean(weight=cr.measures.ZScore()),
    "conditional": cr.measures.Conditional(),
    "rp3beta(beta=0.2)": cr.measures.RP3Beta(beta=0.2),
}


@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN])
@pytest.mark.parametrize("shorthand", SHORTHANDS)
def test_a_measure_is_a_record_or_its_shorthand(taste, kind, shorthand):
    record = SHORTHANDS[shorthand]
    models = [kind(measure=measure, k=2).fit(taste) for measure in (shorthand, record)]
    rows = [model.recommend().to_pylist() for model in models]
    assert rows[0] == rows[1] != []
    assert [model.get_params()["measure"] for model in models] == [shorthand, record]
    for model in models:
        again = model.clone().fit(taste)
        assert again.get_params() == model.get_params()
        assert again.recommend().to_pylist() == rows[0]
        assert pickle.loads(pickle.dumps(model)).recommend().to_pylist() == rows[0]
        assert model.graph.measure == record


def test_parameters_of_a_measure_change_lists(taste):
    def scores(measure):
        model = cr.UserKNN(measure=measure, k=2).fit(taste)
        return {r["item_id"]: r["score"] for r in model.recommend(["ann"])}

    plain, shrunk = scores("cosine"), scores("cosine(shrink=10)")
    assert plain.keys() == shrunk.keys()
    # All her neighbors have two items in common with her.
    assert all(shrunk[item] == pytest.approx(plain[item] * 2 / 12) for item in plain)


def test_a_neighbors_weight_is_what_the_asker_sees(taste):
    """bob has rated 5 items, ann 2, both of them among his: n / b is 2/5 for her and 2/2 for him."""
    model = cr.UserKNN(measure="conditional", k=5, rule="weighted_votes").fit(taste)
    seen = {(r["id"], r["neighbor"]): r["value"] for r in model.graph}
    assert (seen["ann", "bob"], seen["bob", "ann"]) == (2 / 5, 1.0)
    got = {r["item_id"]: r["score"] for r in model.recommend(["ann"])}
    assert got["c"] == seen["ann", "bob"] and got["g"] == seen["ann", "dan"]


def test_negative_similarities_count_against(taste):
    own = cr.measures.Custom(lambda n, sdd: 1.0 - sdd, title="mine")
    model = cr.UserKNN(measure=own, k=5, rule="weighted_votes").fit(taste)
    seen = {r["neighbor"]: r["value"] for r in model.similar_users("ann")}
    got = {r["item_id"]: r["score"] for r in model.recommend(["ann"])}
    assert got["g"] == seen["dan"] < 0 < got["c"] == seen["bob"]


def test_a_measure_that_cannot_be_used_is_refused_by_fit(taste):
    for measure in ("euclidean(shrink=3)", "cosine(weight=bm26)", "tversky(alpha=-1)", None, cr.UserKNN):
        with pytest.raises(ParameterError):
            cr.UserKNN(measure=measure).fit(taste)


def test_every_preset_fits_and_clones(taste):
    from corated.models.presets import PRESETS

    for name in PRESETS:
        model = cr.preset(name)
        again = model.clone().fit(taste).recommend(n=2).to_pylist()
        assert again == model.fit(taste).recommend(n=2).to_pylist()
    with pytest.raises(ParameterError, match="best"):
        cr.preset("worst")


def test_notebook_preset_takes_twice_n_neighbors():
    rows = [("me", "x", 5), *((f"n{v}", "x", 5 + (v > 3)) for v in range(8))]
    rows += [(f"n{v}", f"i{v}", 9) for v in range(8)]
    result = cr.preset("notebook").fit(table(rows)).recommend(["me"], n=2)
    assert [r["item_id"] for r in result] == ["i0", "i1"]
    everyone = cr.preset("notebook").fit(table(rows)).recommend(n=2)
    assert [r["item_id"] for r in everyone if r["user_id"] == "me"] == ["i0", "i1"]


@st.composite
def small_ratings(draw):
    n_users, n_items = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    cell = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    cells = draw(st.sets(cell, min_size=1, max_size=30))
    return cr.Ratings.from_arrays(
        *zip(*[(u, f"{i:03}", draw(st.integers(1, 5))) for u, i in sorted(cells)], strict=True),
        scale=(1, 5, 1),
    )


@given(
    small_ratings(), st.sampled_from(["closest", "votes", "weighted_votes"]),
    st.sampled_from([
        "pearson", "euclidean", "cosine", "jaccard", "conditional", "cosine(shrink=10)", "spearman",
        "pearson(adjust=shrink_add(3))", "euclidean(weight=binary)",
    ]),
    st.integers(1, 5), st.integers(1, 4),
    st.sampled_from([1, 2]),
)  # fmt: skip
@settings(max_examples=120)
def test_user_based_lists_equal_the_oracle(ratings, rule, measure, k, n, threads):
    model = cr.UserKNN(measure=measure, k=k, rule=rule, like=4.0).fit(ratings, threads=threads)
    result = model.recommend(n=n, threads=threads)
    graph = reference.neighbors(ratings, of="users", measure=measure, k=k, min_common=1)
    for user in ratings.users.ids.to_pylist():
        expected = reference.recommend(
            ratings, graph[user], measure=measure, rule=rule, like=4.0, n=n, user=user
        )
        got = [(r["item_id"], r["score"], r["support"]) for r in result if r["user_id"] == user]
        assert got == [(row.item, row.score, row.support) for row in expected]


@given(
    small_ratings(), st.sampled_from([cr.UserKNN, cr.ItemKNN]), st.sampled_from(["closest", "weighted_votes"])
)
@settings(max_examples=60)
def test_lists_obey_the_rules(ratings, kind, rule):
    model = cr.Fallback(models=[kind(k=3, rule=rule), cr.Popularity()]).fit(ratings)
    n = 3
    rows = model.recommend(n=n).to_pylist()
    liked = {r["item_id"] for r in ratings.to_arrow().to_pylist() if r["rating"] >= default_like(ratings)}
    for user in ratings.users.ids.to_pylist():
        items = [r["item_id"] for r in rows if r["user_id"] == user]
        seen = set(ratings.profile(user))
        assert not set(items) & seen
        assert len(items) == len(set(items))
        if kind is cr.UserKNN:  # its candidates are what somebody likes, as for popularity
            assert set(items) <= liked
            assert len(items) == min(n, len(liked - seen))
        else:
            assert len(items) >= min(n, len(liked - seen))
        assert [r["rank"] for r in rows if r["user_id"] == user] == list(range(1, len(items) + 1))


@pytest.mark.jit
@pytest.mark.parametrize("rule", ["closest", "votes", "weighted_votes"])
def test_long_lists_equal_the_oracle(rule):
    """Enough users for several blocks, and enough candidates that the best are cut more than once."""
    ratings = cr.sample(users=700, items=300, ratings=20_000, seed=5).ratings
    model = cr.UserKNN(measure="cosine", k=40, rule=rule).fit(ratings)
    result = model.recommend(n=7).to_arrow().to_pylist()
    chosen = ratings.users.ids.to_pylist()[::23]
    graph = reference.neighbors(ratings, of="users", measure="cosine", k=40, min_common=1, subjects=chosen)
    for user in chosen:
        expected = reference.recommend(ratings, graph[user], measure="cosine", rule=rule, n=7, user=user)
        got = [(r["item_id"], r["score"], r["support"]) for r in result if r["user_id"] == user]
        assert got == [(row.item, row.score, row.support) for row in expected]


def test_a_refit_that_fails_leaves_the_model_as_it_was(taste):
    other = table([("ann", "a", 1), ("bob", "a", 9), ("bob", "z", 9), ("eve", "z", 9)])
    off = cr.Ratings.from_arrays([1, 2, 1], [1, 1, 2], [0.123, 7.77, 1e4])
    stopped = threading.Event()
    stopped.set()
    needs_scale = {"measure": "constrained_pearson"}
    fallback = cr.Fallback(models=[cr.UserKNN(**needs_scale), cr.Popularity()])
    for model in (cr.UserKNN(**needs_scale), cr.ItemKNN(**needs_scale), fallback, cr.UserKNN(k="2n")):
        model.fit(taste)
        before = model.recommend().to_pylist()
        with pytest.raises(Cancelled):
            model.fit(other, cancel=stopped)
        if getattr(model, "k", None) != "2n":  # that finds out when it looks for neighbors
            with pytest.raises(DataError):
                model.fit(off)
        assert model.ratings is taste
        assert model.recommend().to_pylist() == before


def test_parameters_take_effect_with_the_next_fit(taste):
    model = cr.UserKNN(measure="euclidean", k=2, rule="votes").fit(taste)
    before = model.recommend(["ann"]).to_pylist()
    model.set_params(measure="cosine", rule="closest", min_support="x", k="no", like=10)
    assert model.recommend(["ann"]).to_pylist() == before
    with pytest.raises(ParameterError, match="k='no'"):
        model.fit(taste)
    assert model.recommend(["ann"]).to_pylist() == before


@pytest.mark.parametrize("name", ["best", "notebook"])
def test_more_than_there_is(taste, name):
    model = cr.preset(name).fit(taste)
    result = model.recommend(n=10**12)
    assert result.n == 2**31 - 1
    assert result.short == taste.n_users
    assert result.to_pylist() == model.recommend(n=50).to_pylist()
    assert [r for part in model.recommend_blocks(n=10**30) for r in part] == result.to_pylist()


def test_lists_that_would_not_fit_are_refused(taste, monkeypatch):
    model = cr.Popularity().fit(taste)
    monkeypatch.setattr("corated.models.base.available_memory", lambda: 100)
    with pytest.raises(MemoryLimitError, match="recommend_blocks"):
        model.recommend(n=10)


def test_likes_above_the_scale_are_noticed():
    stars = table([("u", "a", 5), ("v", "a", 4), ("v", "b", 5)], scale=(1, 5, 1))
    with pytest.warns(CoratedNotice, match="like=7, and the scale ends at 5"):
        assert len(cr.preset("notebook").fit(stars).recommend()) == 0


def test_catalogs_that_do_not_fit(taste):
    with pytest.raises(ParameterError, match="read_catalog"):
        cr.Popularity().fit(taste, catalog={"a": 1})
    numbers = cr.read_catalog({"item_id": [1, 2], "title": ["A", "B"]})
    with pytest.raises(IdTypeError, match="ids=ratings"):
        cr.Popularity().fit(taste, catalog=numbers)


def test_what_is_no_ratings():
    for call in (cr.UserKNN().fit, cr.neighbors):
        with pytest.raises(ParameterError, match="from_table"):
            call({"user_id": [1], "item_id": [2]})


def test_ids_may_come_in_any_form(taste):
    model = cr.Popularity().fit(taste)
    one = model.recommend(["ann"]).to_pylist()
    category = pl.Series(["ann"], dtype=pl.Categorical)
    forms = ("ann", ("ann",), np.array(["ann"]), np.array("ann"), pa.array(["ann"]), pa.scalar("ann"))
    for asked in (*forms, list(pa.array(["ann"])), iter(["ann"]), category):
        assert model.recommend(asked).to_pylist() == one
    numbers = cr.Ratings.from_arrays([1, 1, 2], [1, 2, 1], [9, 9, 9])
    for asked in (2, np.int64(2), [np.int32(2)], pa.array([2]), np.array([2])):
        assert cr.Popularity().fit(numbers).recommend(asked).to_pylist()[0]["item_id"] == 2
        assert len(cr.neighbors(numbers, measure="jaccard", subjects=asked)) == 1
    with pytest.raises(UnknownIdError, match="7"):
        cr.neighbors(numbers, subjects=pa.array([2, 7]))


def test_fallback_names_each_of_three_models(taste):
    models = [
        cr.UserKNN(measure="euclidean", k=1, rule="closest", min_support=1, like=10),
        cr.Popularity(like=10),
        cr.Popularity(),
    ]
    model = cr.Fallback(models=models)
    result = model.fit(taste).recommend(["ann"], n=9)
    assert [(r["item_id"], r["source"], r["score"]) for r in result] == [
        ("c", "neighbors", None),
        ("g", "popularity", 1.0),
        ("d", "popularity", 2.0),
        ("f", "popularity", 1.0),
    ]
    for inner in models:
        with pytest.raises(NotFittedError):
            inner.recommend()
    copy = model.clone()
    copy.models[1].set_params(like=3)
    assert models[1].like == 10


def test_a_fallback_leaves_out_all_that_others_listed():
    """The inner fallback must not repeat what either the outer or its own first model listed."""
    rows = [(v, f"{v}{i}", 9 - i) for v in "bcd" for i in range(3)] + [(v, "x", 9) for v in "abcd"]
    inner = cr.Fallback(models=[cr.Popularity(like=9), cr.Popularity(like=8), cr.Popularity(like=7)])
    outer = cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=1, rule="votes", like=7), inner])
    items = [r["item_id"] for r in outer.fit(table(rows)).recommend(["a"], n=9)]
    assert sorted(items) == sorted(f"{v}{i}" for v in "bcd" for i in range(3))


@pytest.mark.parametrize("models", [[], cr.UserKNN(), [1], "ab", None])
def test_fallback_needs_models(taste, models):
    with pytest.raises(ParameterError, match="one recommender or more"):
        cr.Fallback(models=models).fit(taste)


def test_progress_of_blocks_rises_to_everyone(taste):
    seen = []
    list(
        cr.Popularity()
        .fit(taste)
        .recommend_blocks(block=1, progress=lambda done, total: seen.append((done, total)))
    )
    assert seen == sorted(seen)
    assert seen[-1] == (taste.n_users, taste.n_users)


def test_blocks_check_before_the_first():
    with pytest.raises(NotFittedError):
        cr.Popularity().recommend_blocks()
    model = cr.Popularity().fit(cr.Ratings.from_arrays([1], [1], [1]))
    for wrong in ({"n": 0}, {"block": 0}, {"threads": 0}, {"cancel": 3}):
        with pytest.raises(ParameterError):
            model.recommend_blocks(**wrong)


def test_results_cannot_be_written(taste):
    graph = cr.UserKNN(k=2).fit(taste).graph
    for array in (graph.value, graph.neighbor, graph.n_common, graph.indptr, graph.subjects):
        assert not array.flags.writeable
    assert graph == graph and graph != cr.neighbors(taste) and hash(graph)


def test_nothing_is_changed_by_a_cancelled_fit_that_takes_no_time(taste):
    stopped = threading.Event()
    stopped.set()
    model = cr.Popularity()
    with pytest.raises(Cancelled):
        model.fit(taste, cancel=stopped)
    with pytest.raises(NotFittedError):
        model.recommend()


@pytest.mark.parametrize("name", ["best", "notebook"])
def test_fitted_models_can_be_copied(taste, name):
    model = cr.preset(name).fit(taste)
    before = model.recommend(n=3).to_pylist()
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert copied.recommend(n=3).to_pylist() == before


def test_measures_are_copied_as_themselves():
    for kind in MEASURES.values():
        measure = kind()
        assert pickle.loads(pickle.dumps(measure)) == measure
        assert copy.deepcopy(measure) == measure


def test_arrays_are_no_parameters(taste):
    model = cr.UserKNN(k=np.array([1, 2]))
    assert "array" in repr(model)
    with pytest.raises(ParameterError, match="k=array"):
        model.fit(taste)
