"""Blend: against its definition in plain Python, and its invariants."""

import threading

import numpy as np
import pytest

import corated as cr
from corated.errors import Cancelled, NotFittedError, ParameterError
from corated.models import blend
from corated.neighborhood.run import Run

N_USERS, N_ITEMS = 30, 40
KNN = {"measure": "cosine", "k": 5, "rule": "weighted_votes"}
MEAN = {"measure": "pearson", "k": 8, "rule": "mean", "center": "mean"}


def made():
    """Three models of different reach: what neighbors like, a linear model, what most like."""
    return [cr.UserKNN(**KNN), cr.EASE(reg=5.0), cr.Popularity()]


WEIGHTS = [2.0, 0.5, 0.25]


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(4)
    cells = rng.choice(N_USERS * N_ITEMS, 260, replace=False)
    return cr.Ratings.from_arrays(
        cells // N_ITEMS, cells % N_ITEMS, rng.integers(1, 6, 260).astype(float), scale=(1, 5, 1)
    )


@pytest.fixture
def small(monkeypatch):
    """Pools so small that not every model lists everything."""
    monkeypatch.setattr(blend, "_LEAST_POOL", 6)
    monkeypatch.setattr(blend, "_POOL", 2)


def rows(answer):
    """Rows that show every bit, without the user."""
    return [(r["item_id"], r["rank"], r["score"].hex(), r["support"], r["source"]) for r in answer]


def of_each(model, **options):
    answer = model.recommend(**options).to_pylist()
    return {user: rows(r for r in answer if r["user_id"] == user) for user in {r["user_id"] for r in answer}}


def expected(models, weights, by, user, n, pool, **filters):
    """The definition: [(item, score, support)], the best n."""
    score, support = {}, {}
    for model, weight in zip(models, weights, strict=True):
        listed = model.recommend([user], n=pool, **filters).to_pylist()
        for row in listed:
            least, largest = listed[-1]["score"], listed[0]["score"]
            scaled = (row["score"] - least) / (largest - least) if largest > least else 1.0
            value = scaled if by == "score" else 1 / (60 + row["rank"])
            item = row["item_id"]
            score[item] = score.get(item, 0.0) + weight * value
            support[item] = max(support.get(item, 0), row["support"])
    order = sorted(score, key=lambda item: (-score[item], -support[item], item))
    return [(item, score[item], support[item]) for item in order[:n]]


@pytest.mark.parametrize("by", ["score", "rank"])
@pytest.mark.parametrize("n", [3, 7])
def test_lists_are_the_definition(ratings, small, by, n):
    model = cr.Blend(models=made(), weights=WEIGHTS, by=by).fit(ratings)
    fitted = [one.fit(ratings) for one in made()]
    answer, partly = model.recommend(n=n).to_pylist(), 0
    for user in ratings.users.ids.to_pylist():
        mine = [(r["item_id"], r["score"], r["support"]) for r in answer if r["user_id"] == user]
        assert mine == expected(fitted, WEIGHTS, by, user, n, max(6, 2 * n))
        lists = [{r["item_id"] for r in one.recommend([user], n=max(6, 2 * n))} for one in fitted]
        partly += any(item not in listed for item, _, _ in mine for listed in lists)
    assert {row["source"] for row in answer} == {"blend"}
    assert partly > 10  # items that a model does not list


def test_pools_hold_a_hundred_or_five_times_n(monkeypatch):
    rng = np.random.default_rng(0)
    cells = rng.choice(40 * 400, 3000, replace=False)
    many = cr.Ratings.from_arrays(cells // 400, cells % 400, rng.integers(1, 6, 3000).astype(float))
    model = cr.Blend(models=[cr.EASE(), cr.Popularity()]).fit(many)
    fitted = [cr.EASE().fit(many), cr.Popularity().fit(many)]
    user = many.users.ids[0].as_py()
    for n, pool in ((1, 100), (20, 100), (21, 105), (40, 200)):
        got = [(r["item_id"], r["score"], r["support"]) for r in model.recommend([user], n=n)]
        assert got == expected(fitted, [1, 1], "score", user, n, pool)
    twenty = rows(model.recommend([user], n=20))
    assert rows(model.recommend([user], n=7)) == twenty[:7]


def test_scores_that_are_all_equal_count_in_full():
    given = cr.Ratings.from_arrays([1, 2, 2, 3, 3], [1, 1, 2, 1, 3], [5.0] * 5, scale=(1, 5, 1))
    model = cr.Blend(models=[cr.Popularity()], weights=[0.3]).fit(given)
    found = model.recommend([1]).to_pylist()
    assert [(row["item_id"], row["score"]) for row in found] == [(2, 0.3), (3, 0.3)]


def test_filters_come_before_the_pools(ratings, small):
    model = cr.Blend(models=made(), weights=WEIGHTS).fit(ratings)
    fitted = [one.fit(ratings) for one in made()]
    user, items = ratings.users.ids[1].as_py(), ratings.items.ids.to_pylist()
    for filters in (
        {"items": items[::2]},
        {"exclude": items[:9]},
        {"exclude": {user: items[5:15]}},
        {"min_support": 3},
        {"exclude_seen": False},
    ):
        got = [(r["item_id"], r["score"], r["support"]) for r in model.recommend([user], n=4, **filters)]
        assert got == expected(fitted, WEIGHTS, "score", user, 4, 8, **filters)


@pytest.mark.parametrize("by", ["score", "rank"])
def test_terms_sum_to_the_score(ratings, small, by):
    model = cr.Blend(models=[*made(), cr.UserKNN(**KNN | {"k": 9})], weights=[*WEIGHTS, 1.0], by=by)
    part = model.fit(ratings)._fit.part
    fitted = [one.fit(ratings) for one in made()]
    listed = model.recommend(n=4).to_pylist()
    for row in listed:
        user, item = ratings.users.code(row["user_id"]), ratings.items.code(row["item_id"])
        found = part.account(user, item, 4, Run(1))
        assert found.score == row["score"]
        assert sum(amount for _, amount in found.base) == pytest.approx(found.score, abs=1e-9)
        names = [name for name, _ in found.base]
        assert len(set(names)) == len(names)
        assert set(names) <= {"neighbors", "neighbors (2)", "ease", "popularity"}
        if by == "rank":
            ranks = {r["item_id"]: r["rank"] for r in fitted[1].recommend([row["user_id"]], n=8)}
            amounts = dict(found.base)
            assert ("ease" in amounts) == (row["item_id"] in ranks)
            assert amounts.get("ease", 0.0) == pytest.approx(
                0.5 / (60 + ranks[row["item_id"]]) if "ease" in amounts else 0.0, abs=1e-15
            )


def test_what_no_model_lists_and_what_was_seen(ratings, small):
    model = cr.Blend(models=made()).fit(ratings)
    part, user = model._fit.part, 3
    id = ratings.users.ids[user].as_py()
    all_of = {r["item_id"] for r in model.recommend([id], n=3)} | set(ratings.profile(id))
    named = {r["item_id"] for one in made() for r in one.fit(ratings).recommend([id], n=6)}
    other = next(item for item in ratings.items.ids.to_pylist() if item not in all_of | named)
    found = part.account(user, ratings.items.code(other), 3, Run(1))
    assert np.isnan(found.score)
    assert found.reason == "It is not among the 6 best of any of the models."
    again = {r["item_id"]: r["score"] for r in model.recommend([id], n=3, exclude_seen=False)}
    seen = next(item for item in again if item in ratings.profile(id))
    assert part.account(user, ratings.items.code(seen), 3, Run(1)).score == again[seen]


def test_explained(ratings):
    model = cr.Blend(models=[cr.UserKNN(**KNN), cr.EASE(reg=5.0)], weights=[1, 2]).fit(ratings)
    row = model.recommend([ratings.users.ids[0].as_py()], n=1).to_pylist()[0]
    found = model.explain(row["user_id"], row["item_id"])
    assert found.score == row["score"]
    assert found.rank == 1
    assert dict(found.base).keys() == {"neighbors", "ease"}
    assert str(found)


# -- predictions ------------------------------------------------------------------------------------


def test_predictions_are_weighted_means(ratings):
    models, weights = [cr.UserKNN(**MEAN, fallback=False), cr.BiasedMF(factors=2), cr.Bias()], [3.0, 1.0, 0.0]
    model = cr.Blend(models=models, weights=weights).fit(ratings)
    users, items = [*ratings.users.ids.to_pylist()[:9], 999, 3], [*ratings.items.ids.to_pylist()[:10], 999]
    found = model.predict(users, items).to_pylist()
    knn, mf, _ = (one.clone().fit(ratings).predict(users, items).to_pylist() for one in models)
    without = 0
    for row, a, b in zip(found, knn, mf, strict=True):
        there = [(w, x["value"]) for w, x in ((3.0, a), (1.0, b)) if x["value"] is not None]
        without += len(there) == 1
        assert row["value"] == pytest.approx(
            sum(w * v for w, v in there) / sum(w for w, _ in there), abs=1e-12
        )
        assert row["status"] == b["status"]
        named = [x["support"] for x in (a, b) if x["value"] is not None]
        assert row["support"] == max(named)
    assert without > 2
    only = (
        cr.Blend(models=[cr.UserKNN(**MEAN, fallback=False)]).fit(ratings).predict(users, items).to_pylist()
    )
    assert only == knn
    back = cr.Blend(models=[cr.UserKNN(**MEAN)]).fit(ratings).predict(users, items).to_pylist()
    assert {row["status"] for row in back} >= {"ok", "fallback", "unknown_user", "unknown_item"}
    assert back == cr.UserKNN(**MEAN).fit(ratings).predict(users, items).to_pylist()


def test_predicts_only_where_all_models_do(ratings):
    with pytest.raises(ParameterError, match="Blend predicts no ratings"):
        cr.Blend(models=[cr.Bias(), cr.EASE()]).fit(ratings).predict([1], [1])


# -- newcomers, keeping, invariants -----------------------------------------------------------------


@pytest.mark.parametrize("by", ["score", "rank"])
def test_folding_in_folds_each_model_in(ratings, small, by):
    models = [cr.UserKNN(**KNN), cr.ItemKNN(**KNN), cr.Fallback(models=[cr.ItemKNN(**KNN), cr.Popularity()])]
    models = models[: 2 if by == "score" else 3]
    model = cr.Blend(models=models, by=by).fit(ratings)
    fitted = [one.clone().fit(ratings) for one in models]
    history = ratings.profile(ratings.users.ids[5].as_py())
    for user_id in (None, ratings.users.ids[5].as_py(), 12345):
        answer = model.recommend(history=history, user_id=user_id, n=3).to_pylist()

        class Folded:
            def __init__(self, one):
                self.one = one

            def recommend(self, users, *, n):
                return self.one.recommend(history=history, user_id=user_id, n=n)  # noqa: B023

        got = [(r["item_id"], r["score"], r["support"]) for r in answer]
        assert got == expected([Folded(one) for one in fitted], [1] * len(models), by, None, 3, 6)
    row = answer[0]
    assert model.explain(None, row["item_id"], history=history, user_id=12345, n=3).score == row["score"]
    predictors = cr.Blend(models=[cr.UserKNN(**MEAN), cr.Bias()]).fit(ratings)
    value = predictors.predict(None, [1, 2, 999], history=history).to_arrow()["value"].to_numpy()
    parts = [
        one.fit(ratings).predict(None, [1, 2, 999], history=history)
        for one in (cr.UserKNN(**MEAN), cr.Bias())
    ]
    np.testing.assert_allclose(value, np.mean([p.to_arrow()["value"].to_numpy() for p in parts], axis=0))


@pytest.mark.jit
def test_neighbors_sought_when_asked(ratings):
    for kind, given in (
        (cr.UserKNN, {"k": "2n"}),
        (cr.ItemKNN, {"k": "2n"}),
        (cr.UserKNN, {"scope": "raters"}),
    ):
        model = cr.Blend(models=[kind(**KNN | given), cr.Popularity()]).fit(ratings)
        batch = of_each(model, n=4)
        fitted = [kind(**KNN | given).fit(ratings), cr.Popularity().fit(ratings)]
        for user in batch:
            got = [(item, float.fromhex(score), support) for item, _, score, support, _ in batch[user]]
            assert got == expected(fitted, [1, 1], "score", user, 4, 100)
        assert {user: rows(model.recommend([user], n=4)) for user in batch} == batch


@pytest.mark.parametrize("by", ["score", "rank"])
def test_packed_and_unpacked(ratings, by):
    models = [cr.UserKNN(**KNN), cr.EASE(), cr.BiasedMF(factors=2, reg=0.5), cr.ALS(factors=2)]
    model = cr.Blend(models=[*models, cr.Blend(models=made())], by=by).fit(ratings)
    packed = model._fit.part.pack()
    for array in packed.arrays.values():
        array.flags.writeable = False  # as read from a file
    again = model.clone().fit(ratings)
    object.__setattr__(again._fit, "part", model.clone().unpack(ratings, packed, Run(1)))
    assert of_each(again) == of_each(model)
    history = ratings.profile(ratings.users.ids[0].as_py())
    assert rows(again.recommend(history=history)) == rows(model.recommend(history=history))


def test_threads_blocks_and_batches_change_nothing(ratings, monkeypatch):
    model = cr.Blend(models=made(), weights=WEIGHTS).fit(ratings)
    whole = of_each(model, n=5, threads=1)
    assert of_each(cr.Blend(models=made(), weights=WEIGHTS).fit(ratings), n=5) == whole
    monkeypatch.setattr(blend, "_PLACES", 7 * N_ITEMS)
    assert of_each(model, n=5, threads=3) == whole
    for user in whole:
        assert rows(model.recommend([user], n=5)) == whole[user]
    inside = cr.Fallback(models=[cr.UserKNN(**KNN), cr.Blend(models=made())]).fit(ratings)
    for user in whole:
        items = [row["item_id"] for row in inside.recommend([user], n=N_ITEMS)]
        assert len(items) == len(set(items))


def test_each_option_changes_something(ratings):
    plain = of_each(cr.Blend(models=made()).fit(ratings))
    for changed in (
        cr.Blend(models=made()[:2]),
        cr.Blend(models=made(), weights=[1, 1, 3]),
        cr.Blend(models=made(), by="rank"),
    ):
        assert of_each(changed.fit(ratings)) != plain
    # A model of weight 0 lists nothing, and weights are used as given.
    assert of_each(cr.Blend(models=made(), weights=[1, 1, 0]).fit(ratings)) == of_each(
        cr.Blend(models=made()[:2]).fit(ratings)
    )
    twice = cr.Blend(models=made(), weights=[2, 2, 2]).fit(ratings).recommend().to_pylist()
    once = cr.Blend(models=made()).fit(ratings).recommend().to_pylist()
    assert [row["score"] for row in twice] == [2 * row["score"] for row in once]


@pytest.mark.parametrize("models", [[], None, cr.EASE(), "ab", [1]])
def test_models_are_checked(ratings, models):
    with pytest.raises(ParameterError, match="one recommender or more"):
        cr.Blend(models=models).fit(ratings)


@pytest.mark.parametrize(
    "weights", [1, "aaa", [1], [1, 2, 3, 4], [1, 2, -1], [0, 0, 0], [1, 2, None], [1, 2, float("nan")], {}]
)
def test_weights_are_checked(ratings, weights):
    with pytest.raises(ParameterError, match="weights=") as raised:
        cr.Blend(models=made(), weights=weights).fit(ratings)
    assert "3 numbers from 0 up" in raised.value.expected
    assert raised.value.hint


@pytest.mark.parametrize("by", ["ranks", None, 1, ["score"]])
def test_by_is_checked(ratings, by):
    with pytest.raises(ParameterError, match="by="):
        cr.Blend(models=made(), by=by).fit(ratings)


def test_scores_that_cannot_be_compared_are_refused(ratings):
    closest = cr.UserKNN(measure="cosine", k=3, rule="closest")
    mixed = cr.Fallback(models=[cr.UserKNN(**KNN), cr.Popularity()])
    for model, why in ((closest, "ranks without a score"), (mixed, "mixes the scores")):
        with pytest.raises(ParameterError, match=why) as raised:
            cr.Blend(models=[cr.EASE(), model]).fit(ratings)
        assert 'by="rank"' in raised.value.hint
        answer = cr.Blend(models=[cr.EASE(), model], by="rank").fit(ratings).recommend().to_arrow()
        assert np.isfinite(answer["score"].to_numpy()).all()
        inner = cr.Blend(models=[cr.EASE(), model], by="rank")
        assert len(cr.Blend(models=[inner, cr.Popularity()]).fit(ratings).recommend())


def test_copies_are_fitted(ratings):
    models = made()
    model = cr.Blend(models=models, weights=WEIGHTS).fit(ratings)
    for inner in models:
        with pytest.raises(NotFittedError):
            inner.recommend()
    copy = model.clone()
    assert repr(copy) == repr(model)
    assert repr(model).startswith("Blend(models=[UserKNN(") and "weights=[2.0, 0.5, 0.25]" in repr(model)
    copy.models[1].set_params(reg=1.0)
    copy.set_params(by="rank")
    assert (models[1].reg, model.by) == (5.0, "score")
    assert set(model.get_params()) == {"models", "weights", "by"}


def test_little_data():
    one = cr.Ratings.from_arrays(["u"], ["a"], [5.0], scale=(1, 5, 1))
    model = cr.Blend(models=[cr.Popularity(), cr.BiasedMF()]).fit(one)
    assert len(model.recommend()) == 0  # seen everything
    assert [row["item_id"] for row in model.recommend(exclude_seen=False)] == ["a"]
    assert [row["item_id"] for row in model.recommend(history={}, n=9)] == ["a"]
    with pytest.raises(cr.CoratedError, match='"x"'):
        model.recommend(["x"])
    assert len(model.recommend([])) == 0


def test_more_than_there_is(ratings):
    model = cr.Blend(models=made()).fit(ratings)
    assert model.recommend(n=10**12).to_pylist() == model.recommend(n=N_ITEMS).to_pylist()


def test_progress_and_cancel(ratings, monkeypatch):
    monkeypatch.setattr(blend, "_PLACES", 7 * N_ITEMS)
    model, seen = cr.Blend(models=made()).fit(ratings), []
    model.recommend(progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (ratings.n_users, ratings.n_users)
    assert len(seen) > 2
    stop = threading.Event()
    with pytest.raises(Cancelled):
        model.recommend(progress=lambda done, total: stop.set(), cancel=stop)
    with pytest.raises(Cancelled):
        cr.Blend(models=made()).fit(ratings, cancel=stop)
