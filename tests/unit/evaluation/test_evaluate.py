"""A model judged: by the metric functions applied by hand, on published figures, on any split and threads."""

import threading

import numpy as np
import pytest

import corated as cr
from corated import evaluation as ev
from corated.errors import Cancelled, DataError, ParameterError
from corated.evaluation.judging import lists_of
from corated.evaluation.split_rules import again, splits_of
from corated.neighborhood.run import Run

pytestmark = pytest.mark.jit


@pytest.fixture(scope="module")
def made():
    return cr.sample(users=150, items=80, ratings=3000, seed=4)


@pytest.fixture(scope="module")
def ratings(made):
    return made.ratings


@pytest.fixture(scope="module")
def split(ratings):
    """A split whose test has users and items that training does not have."""
    split = ev.by_time(ratings)
    assert split.new_users > 2
    return split


NEAR = cr.UserKNN(measure="cosine", k=20)


def test_as_the_metrics_applied_by_hand_to_recommend(split, made):
    names = ["ndcg@5", "recall@10", "map_capped@3", "novelty@10", "gini@5", "diversity@4", "serendipity@10"]
    found = cr.evaluate(NEAR, split, metrics=names, catalog=made.catalog)
    users = split.test.users.ids
    lists, popular = (
        ev.rankings_of(
            split, model.clone().fit(split.train).recommend(users, n=10, on_unknown="fallback"), n=10
        )
        for model in (NEAR, cr.Popularity())
    )
    from corated.models.filters import genre_bits

    genres = genre_bits(split.train, made.catalog)[1]
    case = ev.Case(
        lists, ev.relevance_of(split), split.train, split.user_codes, genres=genres, baseline=popular
    )
    for name, row in zip(names, found, strict=True):
        expected = ev.get_metric(name).of(case)
        assert (row["metric"], row["value"], row["users"], row["skipped"]) == (
            name, expected.mean, expected.users, expected.skipped,
        )  # fmt: skip
        if expected.per_user is not None:
            column = found.per_user.to_arrow()[name].to_numpy()
            np.testing.assert_array_equal(column, expected.per_user)
    by_hand = ev.Case(popular, case.relevance, split.train, split.user_codes)
    assert found.to_pylist()[0]["popularity"] == ev.get_metric("ndcg@5").of(by_hand).mean


def test_new_users_get_what_recommend_gives_them(split):
    model = cr.preset("best").fit(split.train)
    users = split.test.users.ids
    expected = ev.rankings_of(split, model.recommend(users, n=7, on_unknown="fallback"), n=7)
    found = lists_of(model._fitted().part, split, 7, Run(1))
    np.testing.assert_array_equal(found.items[:, : expected.items.shape[1]], expected.items)
    assert (found.items[:, expected.items.shape[1] :] == -1).all()
    # Candidates are the training items that a user has not rated there.
    for row, user in enumerate(users.to_pylist()):
        seen = len(split.train.profile(user)) if user in split.train.users else 0
        assert found.candidates[row] == split.train.n_items - seen


def test_means_over_users_are_the_values(split):
    found = cr.evaluate(cr.Popularity(half_life=30), split)
    table = found.per_user.to_arrow()
    assert table["user_id"].to_pylist() == split.test.users.ids.to_pylist()
    assert {"ndcg@10", "recall@10", "novelty@10"} < set(table.column_names)
    assert not {"gini@10", "rmse", "catalog_coverage@10"} & set(table.column_names)
    for name in table.column_names[1:]:
        values = table[name].drop_null().to_numpy()
        row = next(row for row in found if row["metric"] == name)
        assert values.mean() == pytest.approx(row["value"], abs=1e-15)
        assert (len(values), table[name].null_count) == (row["users"], row["skipped"])


def test_strata_of_users_part_the_mean_and_of_items_the_relevant(split):
    found = cr.evaluate(NEAR, split, metrics=["recall@10", "gini@10"])
    rows = {(row["side"], row["stratum"]): row for row in found.strata}
    users = [row for (side, _), row in rows.items() if side == "users"]
    assert {row["stratum"] for row in users} == {"new", "light", "heavy"}
    assert sum(row["size"] for row in users) == split.test.n_users
    total = sum(row["value"] * row["users"] for row in users if row["users"])
    assert total / sum(row["users"] for row in users) == pytest.approx(found.value("recall@10"))
    # In a test of popular items alone.
    parts = ev.strata(split).items
    for name in ("popular", "rare"):
        mask = parts[name][split.test.by_user.indices]
        some = ev.given(split.train, split.test.where(mask))
        expected = cr.evaluate(NEAR, some, metrics="recall@10")
        assert rows["items", name]["value"] == pytest.approx(expected.value("recall@10"))
        assert rows["items", name]["users"] == expected.to_pylist()[0]["users"]


def test_errors_of_those_that_predict_ratings(split):
    model = cr.UserKNN(measure="msd", rule="mean", center="mean")
    found = cr.evaluate(model, split)
    pairs = split.test.to_arrow()
    predicted = model.fit(split.train).predict(pairs["user_id"], pairs["item_id"])
    expected = ev.rating_errors(predicted, split.test.values)
    assert found.errors == expected
    assert (found.value("rmse"), found.value("mae")) == (expected.rmse, expected.mae)
    assert "unknown_user" in " ".join(found.notes)


@pytest.mark.parametrize(
    "model",
    [
        cr.UserKNN(rule="votes"),
        cr.UserKNN(rule="mean", k="2n"),
        cr.UserKNN(rule="mean", center="zeros"),
        cr.Popularity(),
        cr.preset("best"),
        cr.EASE(),
    ],
    ids=["votes", "2n", "zeros", "popularity", "best", "ease"],
)
def test_scores_are_no_ratings(split, model):
    found = cr.evaluate(model, split)
    assert found.errors is None and "rmse" not in found.to_arrow()["metric"].to_pylist()
    found = cr.evaluate(model, split, metrics=["ndcg@3", "rmse"])
    assert found.value("rmse") is None and found.notes[-1].startswith("The model predicts no ratings")


def test_the_area_under_the_curve_is_of_all_candidates(split):
    found = cr.evaluate(cr.UserKNN(k="all", everyone=1e-9), split, metrics=["auc", "ndcg@5"])
    lists = lists_of(
        cr.UserKNN(k="all", everyone=1e-9).learn(split.train, Run(1)), split, split.train.n_items, Run(1)
    )
    case = ev.Case(lists, ev.relevance_of(split), split.train, split.user_codes)
    assert found.value("auc") == ev.get_metric("auc").of(case).mean > 0.5


def test_what_is_to_be_minded_is_told(split, ratings):
    notes = " ".join(cr.evaluate(NEAR, split).notes)
    assert f"{split.new_users:,} of {split.test.n_users:,} test users are not in training" in notes
    assert "older than the latest" not in notes
    leaky = " ".join(cr.evaluate(NEAR, ratings, split="last:1").notes)
    assert "older than the latest rating in training" in leaky
    known = cr.evaluate(NEAR, split, known_only=True)
    assert f"{split.known().left_out:,} of {split.test.n_ratings:,} test ratings" in known.notes[0]
    assert len(known.per_user) == split.known().test.n_users
    assert "like nothing in the test" in " ".join(cr.evaluate(NEAR, split, like=10).notes)


def test_popularity_beside_is_popularity_itself(split):
    found = cr.evaluate(cr.Popularity(like=8), split, like=8)
    for row in found:
        assert row["value"] == row["popularity"]


def test_the_same_on_any_number_of_threads_and_the_model_stays(split):
    fitted = NEAR.clone().fit(split.test)
    before = fitted.recommend(n=3).to_arrow()
    one, two = (cr.evaluate(fitted, split, threads=threads) for threads in (1, 3))
    assert one.to_arrow().equals(two.to_arrow())
    assert one.per_user.to_arrow().equals(two.per_user.to_arrow())
    assert fitted.recommend(n=3).to_arrow().equals(before)


def test_folds_are_averaged_user_by_user(ratings):
    folds = ev.k_folds(ratings, k=3, seed=2)
    found = cr.evaluate(cr.Bias(), ratings, split="folds:3:2", metrics=["ndcg@5", "gini@5", "rmse"])
    parts = [cr.evaluate(cr.Bias(), fold, metrics=["ndcg@5", "gini@5", "rmse"]) for fold in folds]
    assert found.value("rmse") == pytest.approx(np.mean([one.value("rmse") for one in parts]))
    assert found.value("gini@5") == pytest.approx(np.mean([one.value("gini@5") for one in parts]))
    values = {}
    for part in parts:
        for row in part.per_user:
            if row["ndcg@5"] is not None:
                values.setdefault(row["user_id"], []).append(row["ndcg@5"])
    means = {user: np.mean(mine) for user, mine in values.items()}
    assert found.value("ndcg@5") == pytest.approx(np.mean(list(means.values())))
    assert {r["user_id"]: r["ndcg@5"] for r in found.per_user if r["ndcg@5"] is not None} == pytest.approx(
        means
    )
    assert found.split == "k_folds(k=3, seed=2)" and found.errors.pairs == ratings.n_ratings
    assert found.strata.to_pylist()[0]["size"] == sum(p.strata.to_pylist()[0]["size"] for p in parts)


@pytest.mark.parametrize(
    ("said", "make"),
    [
        (None, ev.by_time),
        ("time", ev.by_time),
        ("time:0.7", lambda r: ev.by_time(r, quantile=0.7)),
        ("last:2", lambda r: ev.leave_last(r, 2)),
        ("one:3", lambda r: ev.leave_one_out(r, seed=3)),
        ("random:0.1:5", lambda r: ev.at_random(r, share=0.1, seed=5)),
        ("users:0.3", lambda r: ev.at_random(r, share=0.3, of="users")),
        (lambda r: ev.leave_last(r, 1), lambda r: ev.leave_last(r, 1)),
    ],
)
def test_splits_in_words(ratings, said, make):
    (found,) = splits_of(ratings, said)
    expected = make(ratings)
    assert (found.name, found.test.to_arrow().equals(expected.test.to_arrow())) == (expected.name, True)


def test_a_time_in_words(ratings):
    at = str(np.datetime64(int(np.median(ratings.times)), "us").astype("M8[D]"))
    assert splits_of(ratings, f"time:{at}")[0].name == ev.by_time(ratings, at=at).name


@pytest.mark.parametrize("said", ["tim:0.8", "last:x", "random:a:b", "folds:", "", 5, "last:1:2", "time:x"])
def test_splits_that_are_none(ratings, said):
    if said == "folds:":
        assert len(splits_of(ratings, said)) == 5
        return
    with pytest.raises(ParameterError):
        splits_of(ratings, said)


def test_what_cannot_be_split_or_judged(ratings, split):
    with pytest.raises(ParameterError, match="A split and a rule"):
        cr.evaluate(NEAR, split, split="last:1")
    with pytest.raises(ParameterError, match="cannot be split or evaluated on"):
        cr.evaluate(NEAR, "ratings.dat")
    with pytest.raises(ParameterError, match="call the class"):
        cr.evaluate(cr.UserKNN, ratings)
    with pytest.raises(ParameterError, match="asks for nothing"):
        cr.evaluate(NEAR, ratings, metrics=[])
    with pytest.raises(ParameterError, match="diversity@5 needs a catalog"):
        cr.evaluate(NEAR, ratings, metrics="diversity@5")
    with pytest.raises(ParameterError, match="was not asked for"):
        cr.evaluate(NEAR, ratings, metrics="ndcg@5").value("ndcg@10")
    timeless = cr.Ratings.from_arrays([1, 1, 2], [1, 2, 1], [5, 4, 3])
    with pytest.raises(DataError, match=r'split="random:0\.2"'):
        cr.evaluate(NEAR, timeless)


@pytest.mark.parametrize(
    "make",
    [
        lambda r: ev.by_time(r, quantile=0.7),
        lambda r: ev.leave_last(r, 2),
        lambda r: ev.leave_one_out(r, seed=3),
        lambda r: ev.at_random(r, share=0.1, seed=5, of="users"),
        lambda r: ev.at_random(r, share=0.1, seed=5),
    ],
)
def test_the_training_part_is_split_in_the_same_way(ratings, make):
    outer = make(ratings)
    inner = again(outer, None)
    assert inner.name == outer.name
    assert inner.train.n_ratings + inner.test.n_ratings == outer.train.n_ratings
    assert again(ev.k_folds(ratings, k=4, seed=1)[2], None).name == "at_random(share=0.25, seed=1)"
    assert again(ev.given(outer.train, outer.test), None).name == "by_time(quantile=0.8)"


def test_progress_and_cancel(split):
    seen = []
    cr.evaluate(NEAR, split, progress=lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {2000} and seen[-1] == (2000, 2000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        cr.evaluate(NEAR, split, cancel=cancel)

    def stop(done, total):
        if done > 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cr.evaluate(NEAR, split, progress=stop)


def test_lists_longer_than_there_are_items(split):
    found = cr.evaluate(NEAR, split, metrics=["precision@200", "recall@200"])
    assert 0 < found.value("precision@200") < found.value("recall@200")


def test_text_html_and_json(split):
    import json

    found = cr.evaluate(NEAR, split)
    assert repr(NEAR) in str(found) and "popularity" in str(found) and "Fitted in" in str(found)
    html = cr.evaluate(cr.UserKNN(measure="jaccard"), split)._repr_html_()
    assert "<table>" in html and "&#x27;jaccard&#x27;" in html
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["metrics"] == found.to_pylist() and told["notes"] == list(found.notes)
    assert told["fit_seconds"] > 0 and (told["memory_bytes"] is None or told["memory_bytes"] >= 0)


@pytest.mark.parametrize(
    ("half_life", "ndcg", "hits"), [(None, 0.0602, 0.2287), (7, 0.1289, 0.3368), (1, 0.1395, 0.3514)]
)
def test_popularity_on_movietweetings_as_measured_before(data, half_life, ndcg, hits):
    ratings = cr.read_ratings(data("movietweetings-100k") / "ratings.dat")
    found = cr.evaluate(
        cr.Popularity(half_life=half_life), ratings, known_only=True, metrics=["ndcg@10", "hit_rate@10"]
    )
    assert found.value("ndcg@10") == pytest.approx(ndcg, abs=0.003)
    assert found.value("hit_rate@10") == pytest.approx(hits, abs=0.003)
    assert found.to_pylist()[0]["users"] == 3162
