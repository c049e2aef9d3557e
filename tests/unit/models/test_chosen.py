"""Chosen: what it judges models by, what it takes, and that it answers as that."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corated as cr
from corated.errors import ModelFileError, NotFittedError, ParameterError
from corated.evaluation import by_time
from corated.evaluation.split import parted
from corated.models import chosen
from corated.models.container import read_container, write_container

DAY = 86_400
START = 1_700_000_000


def world_of(seed, *, users=90, items=40, many=1600, timed=True):
    """Ratings by taste: those of even number like even items more."""
    rng = np.random.default_rng(seed)
    cells = np.sort(rng.choice(users * items, many, replace=False))
    who, what = cells // items, cells % items
    values = np.clip(np.round(7 - 4 * ((who + what) % 2) + rng.normal(0, 1.5, many)), 1, 10)
    times = START + 3600 * rng.integers(0, 1200, many) if timed else None
    return cr.Ratings.from_arrays(who, what, values, times, scale=(1, 10, 1))


MODELS = [cr.Popularity(), cr.UserKNN(k=10), cr.Timely(half_life=90), cr.ItemKNN(k=5), cr.Bias()]


@pytest.fixture(scope="module")
def world():
    return world_of(1)


@pytest.fixture(scope="module")
def timeless():
    return world_of(1, timed=False)


def ndcg(model, ratings, late, like=None, n=10):
    """What evaluation makes of a model on the same split."""
    found = cr.evaluate(
        model, parted(ratings, late, "late"), metrics=[f"ndcg@{n}"], known_only=True, like=like
    )
    (row,) = found.to_pylist()
    return row["value"]


def rows(table):
    return table.to_pylist()


@pytest.mark.parametrize("n", [10, 3])
@pytest.mark.parametrize("like", [None, 5, "mean"])
def test_scores_are_what_evaluation_finds(world, n, like):
    model = cr.Chosen(models=MODELS, n=n, like=like).fit(world)
    cut = np.partition(world.times, 1439)[1439]  # 90 % of 1600
    expected = {repr(one): ndcg(one, world, world.times > cut, like, n) for one in MODELS}
    if like == "mean":  # evaluation goes by the mean in training
        assert set(model.scores) == set(expected)
        return
    assert model.scores == pytest.approx(expected, abs=1e-12)


def test_scores_without_times_are_of_a_tenth_at_random(timeless):
    models = [one for one in MODELS if not isinstance(one, cr.Timely)]
    model = cr.Chosen(models=models, seed=5).fit(timeless)
    late = np.zeros(1600, dtype=bool)
    late[np.random.Generator(np.random.PCG64(5)).permutation(1600)[:160]] = True
    assert model.scores == pytest.approx({repr(one): ndcg(one, timeless, late) for one in models}, abs=1e-12)
    assert model.scores != cr.Chosen(models=models, seed=6).fit(timeless).scores


@pytest.mark.parametrize("seed", range(6))
def test_the_best_is_taken_and_answers(seed):
    world = world_of(seed)
    model = cr.Chosen(models=MODELS).fit(world)
    best = max(model.scores, key=model.scores.get)
    assert repr(model.chosen) == best
    alone = next(one for one in MODELS if repr(one) == best).clone().fit(world)
    assert rows(model.recommend()) == rows(alone.recommend()) == rows(model.chosen.recommend())
    history = {3: 9, 8: 2}
    assert rows(model.recommend(history=history)) == rows(alone.recommend(history=history))
    row = rows(alone.recommend([0], n=3))[2]
    assert str(model.explain(0, row["item_id"])) == str(alone.explain(0, row["item_id"]))
    assert model.why_not(0, row["item_id"], n=2).sentence == alone.why_not(0, row["item_id"], n=2).sentence


def test_several_are_taken_somewhere():
    taken = {repr(cr.Chosen(models=MODELS).fit(world_of(seed)).chosen) for seed in range(6)}
    assert len(taken) > 1


def test_the_first_of_equals(world):
    models = [cr.UserKNN(k=10), cr.UserKNN(k=10, min_common=1), cr.UserKNN(k=10, clip=True)]
    model = cr.Chosen(models=models).fit(world)
    assert len(set(model.scores.values())) == 1
    assert model.chosen.clip is False
    assert list(model.scores) == ["UserKNN(k=10)", "UserKNN(k=10) (2)", "UserKNN(k=10, clip=True)"]
    assert cr.Chosen(models=models[::-1]).fit(world).chosen.clip is True


def test_the_first_where_too_few_can_be_asked():
    def late_likers(many):
        rows = [(user, item, 5, START) for user in range(many) for item in range(9)]
        rows += [(user, 9, 8, START + DAY) for user in range(many)]
        return cr.Ratings.from_arrays(*zip(*rows, (999, 9, 5, START), strict=True), scale=(1, 10, 1))

    model = cr.Chosen(models=MODELS).fit(late_likers(19))
    assert model.scores == {}
    assert repr(model.chosen) == "Popularity()"
    model = cr.Chosen(models=MODELS).fit(late_likers(20))
    assert set(model.scores) == {repr(one) for one in MODELS}
    assert cr.Chosen(models=MODELS, like=9).fit(late_likers(20)).scores == {}


def test_what_is_only_in_the_latest_does_not_count():
    """Items that the past does not have can be listed by nobody, and users nobody knows are asked nothing."""
    rows = [(user, item, 9 - item % 5, START) for user in range(30) for item in range(user % 3, 12)]
    late = [(user, 0, 9, START + DAY) for user in range(30) if user % 3 > 0]
    new = [(user, 77, 9, START + DAY) for user in range(3)] + [(888, 5, 9, START + DAY)]
    made = [cr.Ratings.from_arrays(*zip(*part, strict=True), scale=(1, 10, 1)) for part in
            (rows + late, rows + late + new)]  # fmt: skip
    plain, other = (cr.Chosen(models=MODELS, last=0.08).fit(ratings).scores for ratings in made)
    assert plain == other
    assert len(plain) > 0


@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
def test_nothing_to_hold_back():
    """All at one time, hardly any ratings, none."""
    for rows_ in ([(1, 1, 5, START)], [(u, i, 9, START) for u in range(30) for i in range(5)]):
        world = cr.Ratings.from_arrays(*zip(*rows_, strict=True), scale=(1, 10, 1))
        model = cr.Chosen(models=MODELS).fit(world)
        assert (model.scores, repr(model.chosen)) == ({}, "Popularity()")
    nothing = world.where(np.zeros(world.n_ratings, dtype=bool))
    assert repr(cr.Chosen(models=MODELS).fit(nothing).chosen) == "Popularity()"


def test_who_is_asked(world, monkeypatch):
    """Users and items that the past does not have are not asked about; so many users, by chance."""
    late = world.times > np.partition(world.times, 1439)[1439]
    seen = []
    plain = chosen._trial
    monkeypatch.setattr(chosen, "_trial", lambda *given: seen.append(plain(*given)) or seen[-1])
    cr.Chosen(models=MODELS[:2], users=25).fit(world)
    cr.Chosen(models=MODELS[:2], users=25, seed=1).fit(world)
    few, other = seen
    assert len(few.users) == len(few.counts) == 25
    assert (np.diff(few.users) > 0).all()
    assert few.users.tolist() != other.users.tolist()
    expected = world.where(~late)
    assert few.before.to_arrow() == expected.to_arrow()
    likes = set()
    table = world.to_arrow().to_pydict()
    for u, i, v, is_late in zip(table["user_id"], table["item_id"], table["rating"], late, strict=True):
        if is_late and v >= 7 and u in expected.users.ids.to_pylist() and i in expected.items.ids.to_pylist():
            likes.add((u, i))
    row, item = np.divmod(few.likes, expected.n_items)
    asked = expected.users.take(few.users).to_pylist()
    found = set(zip([asked[r] for r in row], expected.items.take(item).to_pylist(), strict=True))
    assert found == {(u, i) for u, i in likes if u in asked}
    assert {u for u, _ in likes} >= set(asked)


def test_models_that_go_by_time_are_not_tried_without(timeless):
    of_time = [
        cr.Timely(), cr.Fallback(models=[cr.Timely(), cr.Popularity()]), cr.UserKNN(half_life=3),
        cr.Popularity(at="2024-01-01"), cr.Timely(half_life=None, everyone_half_life=None),
    ]  # fmt: skip
    plain = [cr.UserKNN(), cr.Timely(half_life=None, everyone_half_life=None, sittings=0)]
    model = cr.Chosen(models=[*of_time, *plain]).fit(timeless)
    assert set(model.scores) == {repr(one) for one in plain}
    assert type(cr.Chosen(models=[*of_time, plain[0]]).fit(timeless).chosen) is cr.UserKNN
    only = cr.Chosen(models=[cr.Timely(), cr.Timely(half_life=9)]).fit(timeless)
    assert len(only.scores) == 2
    assert set(cr.Chosen(models=[cr.UserKNN(half_life=3), *plain]).fit(world_of(1)).scores) > {repr(plain[0])}


@given(st.permutations(range(1600)), st.sampled_from([1, 2]))
@settings(max_examples=4)
def test_the_order_of_rows_plays_no_part(order, threads):
    table = world_of(3).to_arrow().take(order)
    shuffled = cr.Ratings.from_table(table, scale=(1, 10, 1))
    model, other = (cr.Chosen(models=MODELS[:3], users=30) for _ in range(2))
    assert model.fit(shuffled, threads=threads).scores == other.fit(world_of(3)).scores


def test_predictions_are_those_of_the_chosen(world):
    plain = cr.Chosen(models=[cr.Bias(), cr.Bias(epochs=1)]).fit(world)
    users, items = [0, 1, 99], [3, 4, 5]
    assert rows(plain.predict(users, items)) == rows(plain.chosen.predict(users, items))
    with pytest.raises(ParameterError, match="predicts no ratings"):
        cr.Chosen(models=[cr.Popularity(), cr.Bias()], last=0.001).fit(world).predict(users, items)
    # Votes are no ratings, so evaluation must not take them for such.
    votes = cr.evaluate(cr.Chosen(models=[cr.UserKNN()]), world, metrics=["rmse"])
    means = cr.evaluate(cr.Chosen(models=[cr.Bias()]), world, metrics=["rmse"])
    assert rows(votes)[0]["value"] is None
    assert rows(means)[0]["value"] is not None


def test_not_fitted_and_set_since(world):
    model = cr.Chosen(models=MODELS[:2])
    for name in ("chosen", "scores"):
        with pytest.raises(NotFittedError):
            getattr(model, name)
    model.fit(world)
    before = model.scores, repr(model.chosen)
    model.set_params(models=[cr.Bias()])
    model.chosen.set_params(like=3)
    assert (model.scores, repr(model.chosen)) == before
    copied = model.clone()
    assert copied.models[0] is not model.models[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": []}, {"models": [cr.Bias]}, {"models": cr.Bias()}, {"n": 0}, {"users": 0}, {"users": 2.5},
        {"last": 0}, {"last": 1}, {"last": "0.1"}, {"seed": -1}, {"seed": 0.5}, {"seed": True},
        {"like": "yes"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_parameter_is_refused(world, wrong):
    (name,) = wrong
    with pytest.raises(ParameterError, match=f"{name}="):
        cr.Chosen(**{"models": MODELS} | wrong).fit(world)


# -- the preset -----------------------------------------------------------------------------------


def test_best_without_times_tries_what_does_not_go_by_them(timeless):
    model = cr.preset("best").fit(timeless)
    assert repr(model.chosen) == repr(model.models[0]) and model.scores == {}


@pytest.mark.jit
def test_best_finds_what_goes_by_days_on_movietweetings(data):
    """The protocol of section 9 of the published results: neighbors that do not age have .073 there."""
    ratings = cr.read_ratings(data("movietweetings-100k") / "ratings.dat")
    split = by_time(ratings, quantile=0.8)
    model = cr.preset("best")
    assert repr(model.fit(split.train).chosen) == "Timely()"
    (found,) = cr.evaluate(model, split, metrics=["ndcg@10"], known_only=True).to_pylist()
    assert found["value"] > 0.08
    (found,) = cr.evaluate(model, ratings, metrics=["ndcg@10"], known_only=True).to_pylist()
    assert found["value"] == pytest.approx(0.1415, abs=0.001)


# -- files ----------------------------------------------------------------------------------------


def test_files_keep_the_choice(world, tmp_path, monkeypatch):
    model = cr.Chosen(models=MODELS).fit(world)
    cr.save(model, tmp_path / "kept")
    monkeypatch.setattr(chosen._Trial, "score", None)  # nothing is judged again
    loaded = cr.load(tmp_path / "kept")
    assert loaded.scores == model.scores
    assert repr(loaded.chosen) == repr(model.chosen)
    assert rows(loaded.recommend()) == rows(model.recommend())
    few = cr.Chosen(models=MODELS).fit(world_of(2, users=10, many=100))
    cr.save(few, tmp_path / "kept")
    assert cr.load(tmp_path / "kept").scores == {}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"chosen": 5}, "chose a model that it does not have"),
        ({"chosen": -1}, "chose a model that it does not have"),
        ({"chosen": True}, "chose a model that it does not have"),
        ({"chosen": "0"}, "chose a model that it does not have"),
        ({"scores": [0.5]}, "a score, from 0 to 1"),
        ({"scores": [0.5, None, 0.1, 2.0, 0.1]}, "a score, from 0 to 1"),
        ({"scores": [0.5, None, 0.1, 1, 0.1]}, "a score, from 0 to 1"),
        ({"scores": "none"}, "a score, from 0 to 1"),
        ({"parts": []}, "other than the model that it chose"),
        ({"parts": [{}, {}]}, "other than the model that it chose"),
        ({"parts": [{"mu": 1.0}]}, "not those that such a model has"),
        ({"more": 1}, "not those that such a model has"),
    ],
)
def test_a_file_whose_choice_makes_no_sense_is_refused(world, tmp_path, facts, said):
    path = tmp_path / "kept"
    cr.save(cr.Chosen(models=MODELS, last=0.0001).fit(world), path)
    manifest, arrays = read_container(path)
    content = manifest["content"]
    content["facts"] = content["facts"] | facts
    write_container(path, content, {name: array.copy() for name, array in arrays.items()})
    with pytest.raises(ModelFileError, match=said):
        cr.load(path)
