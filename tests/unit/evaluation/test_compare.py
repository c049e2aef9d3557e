"""Models beside each other: what is sure, against SciPy and by hand; the same in one run as alone."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import corated as cr
from corated import evaluation as ev
from corated.errors import ParameterError

pytestmark = pytest.mark.jit

RECENT = "popularity, half-life 7 days"
MODELS = {
    "near": cr.UserKNN(measure="cosine", k=20),
    "again": cr.UserKNN(measure="cosine", k=20),
    "walk": cr.P3Alpha(),
    "bias": cr.Bias(),
}


@pytest.fixture(scope="module")
def ratings():
    return cr.sample(users=150, items=80, ratings=3000, seed=4).ratings


@pytest.fixture(scope="module")
def found(ratings):
    return cr.compare(MODELS, ratings, metrics=["ndcg@5", "recall@5", "gini@5", "rmse"], reference="near")


# -- intervals, tests, corrections --------------------------------------------------------------


def test_the_interval_is_that_of_scipy():
    rng = np.random.default_rng(1)
    values = np.column_stack([rng.normal(0.1, 1, 157), (rng.random(157) < 0.2).astype(float)])
    low, high = ev.bootstrap_interval(values, resamples=1000, seed=7)
    for at in range(2):
        theirs = scipy.stats.bootstrap(
            (values[:, at],), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(7)
        ).confidence_interval
        np.testing.assert_allclose([low[at], high[at]], theirs, rtol=0, atol=1e-12)


def test_the_interval_is_that_of_the_normal_where_there_are_many():
    values = np.random.default_rng(2).normal(0.5, 2.0, (4000, 1))
    low, high = ev.bootstrap_interval(values, level=0.9)
    error = values.std() / 4000**0.5
    np.testing.assert_allclose(
        [low[0], high[0]], values.mean() + np.array([-1.645, 1.645]) * error, atol=0.1 * error
    )


def test_users_drawn_in_parts_are_the_same(monkeypatch):
    values = np.random.default_rng(3).random((90, 3))
    whole = ev.bootstrap_interval(values, resamples=200)
    monkeypatch.setattr("corated.evaluation.inference._DRAWN", 1000)
    np.testing.assert_allclose(ev.bootstrap_interval(values, resamples=200), whole, rtol=0, atol=1e-14)


def test_holm_by_hand():
    # Ordered .01 .02 .03 .04 of four: ×4, ×3, ×2, ×1 gives .04 .06 .06 .04, and none is below one before it.
    assert ev.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert ev.holm([0.01, None, 0.6, 0.5]) == [0.03, None, 1.0, 1.0]
    assert ev.holm([]) == [] and ev.holm([None]) == [None] and ev.holm([0.2]) == [0.2]


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_bonferroni_for_the_smallest_and_keeps_the_order(p):
    corrected = ev.holm(p)
    assert all(one >= before for one, before in zip(corrected, p, strict=True))
    if p:
        assert min(corrected) == min(1.0, len(p) * min(p))
    order = sorted(range(len(p)), key=lambda at: p[at])
    assert [corrected[at] for at in order] == sorted(corrected)


def test_a_pair_by_hand_and_by_scipy():
    ours, theirs = np.array([0.5, 1.0, 0.0, np.nan, 0.25]), np.array([0.0, 0.5, 0.25, 0.9, np.nan])
    (pair,) = ev.paired(ours[:, None], theirs)
    assert (pair.users, pair.difference) == (3, pytest.approx(0.25))
    differences = np.array([0.5, 0.5, -0.25])
    assert pair.p == pytest.approx(scipy.stats.ttest_rel(ours[:3], theirs[:3]).pvalue)
    assert pair.effect == pytest.approx(0.25 / np.sqrt(((differences - 0.25) ** 2).sum() / 2))
    assert -0.25 <= pair.low <= 0.25 <= pair.high <= 0.5


def test_pairs_that_are_too_few_or_all_alike():
    nothing = ev.paired(np.full((3, 1), np.nan), np.zeros(3))[0]
    assert nothing == ev.Paired(None, None, None, None, None, 0)
    one = ev.paired(np.array([[0.5], [np.nan]]), np.zeros(2))[0]
    assert one == ev.Paired(0.5, 0.5, 0.5, None, None, 1)
    same = ev.paired(np.ones((4, 1)), np.ones(4))[0]
    assert same == ev.Paired(0.0, 0.0, 0.0, 1.0, 0.0, 4)
    alike = ev.paired(np.ones((4, 1)), np.zeros(4))[0]
    assert alike == ev.Paired(1.0, 1.0, 1.0, 0.0, None, 4)


def test_models_with_values_for_other_users_do_not_disturb_each_other():
    rng = np.random.default_rng(5)
    values, reference = rng.random((60, 3)), rng.random(60)
    values[:20, 1] = np.nan
    together = ev.paired(values, reference, seed=3)
    for at in range(3):
        alone = ev.paired(values[:, at : at + 1], reference, seed=3)[0]
        np.testing.assert_allclose(
            [together[at].low, together[at].high], [alone.low, alone.high], rtol=0, atol=1e-14
        )
        assert (together[at].p, together[at].users) == (alone.p, alone.users)


# -- models ---------------------------------------------------------------------------------------


def rows(found, metric="ndcg@5"):
    return {row["model"]: row for row in found if row["metric"] == metric}


def test_a_model_and_itself_do_not_differ(found):
    row = rows(found)["again"]
    assert [row[name] for name in ("difference", "low", "high", "p", "p_holm", "effect")] == [
        0,
        0,
        0,
        1,
        1,
        0,
    ]
    assert row["value"] == rows(found)["near"]["value"]


def test_each_has_what_evaluate_gives_it_alone(found, ratings):
    for name, model in MODELS.items():
        alone = cr.evaluate(model, ratings, metrics=["ndcg@5", "recall@5", "gini@5", "rmse"])
        for row in alone:
            assert (
                rows(found, row["metric"])[name]["value"] == row["value"] == found.value(name, row["metric"])
            )
        mine = [row["recall@5"] for row in found.per_user if row["model"] == name]
        assert mine == alone.per_user.to_arrow()["recall@5"].to_pylist()
        strata = [row for row in found.strata if row["model"] == name]
        assert [{k: v for k, v in row.items() if k != "model"} for row in strata] == alone.strata.to_pylist()


def test_the_difference_is_that_of_the_values_by_user(found):
    table = found.per_user.to_pandas().pivot(index="user_id", columns="model", values="ndcg@5")
    for name, row in rows(found).items():
        if name == "near":
            assert row["difference"] is row["low"] is row["p"] is row["p_holm"] is None
            continue
        differences = (table[name] - table["near"]).dropna().to_numpy()
        assert row["difference"] == pytest.approx(differences.mean(), abs=1e-15)
        assert row["low"] <= row["difference"] <= row["high"]
        if name != "again":
            assert row["p"] == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue)
            assert row["effect"] == pytest.approx(differences.mean() / differences.std(ddof=1))
    others = [row for name, row in rows(found).items() if name != "near"]
    assert [row["p_holm"] for row in others] == ev.holm([row["p"] for row in others])


def test_only_the_metric_that_decides_is_tested(found):
    assert found.metric == "ndcg@5"
    assert all(row["p"] is None for row in found if row["metric"] != "ndcg@5")
    other = {row["model"]: row for row in found.against("walk", "recall@5")}
    assert set(other) == {*MODELS, "popularity", RECENT} - {"walk"}
    assert other["near"]["difference"] == pytest.approx(
        found.value("near", "recall@5") - found.value("walk", "recall@5")
    )
    assert other["near"]["reference"] == "walk" and other["near"]["metric"] == "recall@5"


def test_popularity_is_always_there_and_known_as_baseline(found, ratings):
    assert list(rows(found)) == ["popularity", RECENT, *MODELS]
    assert [row["baseline"] for row in rows(found).values()] == [True, True] + [False] * 4
    for name, model in {"popularity": cr.Popularity(), RECENT: cr.Popularity(half_life=7)}.items():
        assert found.value(name) == cr.evaluate(model, ratings, metrics="ndcg@5").value("ndcg@5")
    timeless = cr.Ratings.from_arrays(
        *(ratings.to_arrow()[name] for name in ("user_id", "item_id", "rating"))
    )
    without = cr.compare({"bias": cr.Bias()}, timeless, split="random:0.2", metrics="ndcg@5")
    assert list(rows(without)) == ["popularity", "bias"]


def test_by_default_the_best_baseline_is_the_reference(ratings):
    found = cr.compare({"bias": cr.Bias()}, ratings, metrics=["ndcg@5"])
    best = max(("popularity", RECENT), key=found.value)
    assert found.reference == best
    assert found.ranked() == sorted(rows(found), key=lambda name: -found.value(name))


def test_the_same_on_any_number_of_threads(ratings):
    one, two = (
        cr.compare({"near": MODELS["near"], "walk": cr.P3Alpha()}, ratings, metrics="ndcg@5", threads=threads)
        for threads in (1, 3)
    )
    took = ["fit_seconds", "answer_seconds", "memory_bytes"]
    assert one.to_arrow().drop(took).equals(two.to_arrow().drop(took))
    assert one.per_user.to_arrow().equals(two.per_user.to_arrow())


def test_another_seed_draws_others(ratings):
    first, other = (
        rows(cr.compare({"bias": cr.Bias()}, ratings, metrics="ndcg@5", reference="popularity", seed=seed))[
            "bias"
        ]
        for seed in (0, 1)
    )
    assert first["low"] != other["low"] and first["p"] == other["p"]


def test_one_fit_at_a_time(ratings):
    alive = []

    class Watched(cr.Popularity):
        def learn(self, ratings, run):
            import gc

            gc.collect()
            assert not [part for part in alive if part() is not None]
            part = super().learn(ratings, run)
            import weakref

            alive.append(weakref.ref(part))
            return part

    cr.compare({"one": Watched(), "two": Watched()}, ratings, metrics="ndcg@5")
    assert len(alive) >= 2


def test_over_folds(ratings):
    found = cr.compare({"bias": cr.Bias()}, ratings, split="folds:2", metrics=["ndcg@5", "rmse"])
    alone = cr.evaluate(cr.Bias(), ratings, split="folds:2", metrics=["ndcg@5", "rmse"])
    assert found.value("bias") == alone.value("ndcg@5") and found.value("bias", "rmse") == alone.value("rmse")
    assert len(found.per_user) == 3 * len(alone.per_user)


def test_what_cannot_be_compared(ratings):
    for models in (
        {},
        [cr.Bias()],
        {"a": cr.Bias},
        {"": cr.Bias()},
        {"popularity": cr.Bias()},
        {1: cr.Bias()},
    ):
        with pytest.raises(ParameterError):
            cr.compare(models, ratings)
    for metric in ("gini@5", "rmse"):
        with pytest.raises(ParameterError, match="one value for all users together"):
            cr.compare({"bias": cr.Bias()}, ratings, metric=metric)
    with pytest.raises(ParameterError, match="There is no model 'x'"):
        cr.compare({"bias": cr.Bias()}, ratings, reference="x")
    with pytest.raises(ParameterError, match="seed=-1"):
        cr.compare({"bias": cr.Bias()}, ratings, seed=-1)


def test_the_metric_that_decides_is_added_where_it_is_missing(ratings):
    found = cr.compare({"bias": cr.Bias()}, ratings, metric="mrr@3", metrics=["gini@5"])
    assert found.metric == "mrr@3" and found.metrics == ["mrr@3", "gini@5"]
