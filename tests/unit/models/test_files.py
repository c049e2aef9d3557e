"""A kept model answers as the one that was fitted, to the last bit; what cannot be kept is refused."""

import copy
import dataclasses
import importlib.util
import json
import pkgutil
import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import corated as cr
import corated.models
from corated.errors import ModelFileError, NotFittedError, OutputError, ParameterError
from corated.measures import ADJUSTMENTS, BM25, MEASURES, WEIGHTS, Center, Custom, ShrinkAdd, get_measure
from corated.models._file_check import _KEPT
from corated.models._file_model import KNOWN
from corated.models.als import ALS
from corated.models.biased_mf import BiasedMF
from corated.models.blend import Blend
from corated.models.centering import CENTERINGS, Baseline, get_centering
from corated.models.container import FORMAT, OLDEST, read_container, read_manifest, write_container
from corated.models.files import inspect
from corated.models.presets import PRESETS

AT = datetime(2016, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture(scope="module")
def world():
    return cr.sample(users=30, items=25, ratings=320, seed=5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.corated"


def kept(model, path):
    cr.save(model, path)
    return cr.load(path)


MODELS = {
    **PRESETS,
    "bias": lambda: cr.Bias(epochs=3, reg_u=1 / 3, clip=True),
    "ease": lambda: cr.EASE(reg=7),
    "als": lambda: ALS(factors=4, iterations=2, alpha=3),
    "kriging": lambda: cr.Kriging(steps=5, clip=True),
    "graph filter": lambda: cr.GraphFilter(factors=4),
    "biased mf": lambda: BiasedMF(factors=3, epochs=2, clip=True),
    "blend": lambda: Blend(models=[cr.UserKNN(k=4), cr.Popularity()], weights=(0.1 + 0.2, 2), by="rank"),
    "blend of predictors": lambda: Blend(
        models=[cr.UserKNN(k=4, rule="mean"), cr.Bias()], weights=np.array([0.1, 0.2])
    ),
    "p3alpha": lambda: cr.P3Alpha(alpha=0.7, k=5),
    "rp3beta": lambda: cr.RP3Beta(beta=0.1),
    "popularity": lambda: cr.Popularity(half_life=300.5, at=AT),
    "items closest": lambda: cr.ItemKNN(rule="closest", like="mean", k=6),
    "items raters votes": lambda: cr.ItemKNN(scope="raters", rule="votes"),
    "all": lambda: cr.UserKNN(k="all", everyone=0.01, half_life=np.float64(100.0)),
    "items all": lambda: cr.ItemKNN(k="all", rule="sum"),
    "a distance": lambda: cr.UserKNN(measure=cr.measures.Euclidean(), k=np.int64(7), rule="votes"),
    "aged": lambda: cr.UserKNN(at=np.datetime64("2016-01-01T00:00:00.5"), half_life=30),
    "records": lambda: cr.UserKNN(
        measure=cr.measures.Cosine(weight=BM25(k1=1 / 3), adjust=ShrinkAdd(0.1)),
        rule="mean",
        center=Baseline(epochs=2, reg_u=0.0),
        support_shrink=0.5,
    ),
    "zscore": lambda: cr.UserKNN(measure="pearson", rule="mean", center="zscore", min_common=2),
    "a model in a model": lambda: cr.Fallback(
        models=[cr.Fallback(models=[cr.ItemKNN(k=3), cr.EASE()]), cr.Bias(), cr.Popularity()]
    ),
}


def answers(model):
    """Everything that a model answers, as tables that show every bit."""
    ratings = model.ratings
    users, items = ratings.users.ids.to_pylist(), ratings.items.ids.to_pylist()
    history = dict(zip(items[:4], ratings.values[:4].tolist(), strict=True))
    found = {
        "recommend": model.recommend(n=7),
        "again": model.recommend(users[:2], n=30, exclude_seen=False, exclude=items[:2]),
        "newcomer": model.recommend(history=history, n=5),
    }
    if hasattr(model._fit.part, "predict") and getattr(model, "rule", "") != "closest":
        pairs = [u for u in users[:9] for _ in items], items * 9
        found["predict"] = model.predict(*pairs)
    if getattr(model._fit.part, "graph", None) is not None:
        found["graph"] = model._fit.part.graph
    return {name: table.to_arrow() for name, table in found.items()}


def explanations(model, pairs):
    return [model.explain(user, item).to_dict() for user, item in pairs]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("with_catalog", [False, True])
def test_it_answers_to_the_last_bit_as_the_one_that_was_kept(world, path, name, with_catalog):
    model = MODELS[name]().fit(world.ratings, catalog=world.catalog if with_catalog else None)
    loaded = kept(model, path)
    assert type(loaded) is type(model)
    expected, got = answers(model), answers(loaded)
    assert expected["recommend"].num_rows
    for what, table in expected.items():
        assert got[what].schema == table.schema
        assert got[what].equals(table), what
    pairs = [(row["user_id"], row["item_id"]) for row in expected["recommend"].slice(0, 60).to_pylist()[::5]]
    assert str(explanations(loaded, pairs)) == str(explanations(model, pairs))
    if with_catalog:
        filtered = {"genres": ["Drama", "Comedy"], "years": (2000, None), "diversity": 0.4}
        assert loaded.recommend(**filtered).to_arrow().equals(model.recommend(**filtered).to_arrow())


@pytest.mark.parametrize("name", MODELS)
def test_parameters_come_back_as_they_were(world, path, name):
    model = MODELS[name]().fit(world.ratings)
    loaded = kept(model, path)

    def same(left, right):
        if isinstance(left, cr.Recommender):
            return type(left) is type(right) and same(left.get_params(), right.get_params())
        if isinstance(left, dict):
            return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
        if isinstance(left, list | tuple):
            return type(left) is type(right) and all(map(same, left, right))
        if isinstance(left, np.ndarray):
            return left.tolist() == right
        return left == right and (type(left) is type(right) or isinstance(left, np.generic))

    assert same(model.get_params(), loaded.get_params())


def test_ratings_and_catalog_come_back(world, path):
    model = cr.UserKNN().fit(world.ratings, catalog=world.catalog)
    loaded = kept(model, path)
    before, after = model.ratings, loaded.ratings
    assert after.to_arrow().equals(before.to_arrow())
    assert (after.scale, after.notices, repr(after)) == (before.scale, before.notices, repr(before))
    assert (after.users.what, after.items.what) == ("user", "item")
    assert after.users.ids.type == before.users.ids.type and after.items.ids.type == before.items.ids.type
    for mine, theirs in zip(after.by_item, before.by_item, strict=True):
        assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype
    for array in (*after.by_user, after.codes, after.times):
        assert not array.flags.writeable
    assert loaded.catalog.to_arrow().equals(world.catalog.to_arrow())
    assert loaded.catalog.notices == world.catalog.notices


def test_a_loaded_model_is_fitted_again(world, path):
    model = cr.UserKNN(k=5).fit(world.ratings)
    loaded = kept(model, path)
    other = cr.sample(users=20, items=15, ratings=120, seed=6).ratings
    for again in (loaded.clone().fit(other), loaded.set_params(k=3).fit(other)):
        expected = cr.UserKNN(k=again.k).fit(other)
        assert again.recommend().to_arrow().equals(expected.recommend().to_arrow())
    assert kept(loaded, path).recommend().to_arrow().equals(loaded.recommend().to_arrow())


def test_what_was_fitted_is_kept_and_not_what_was_set_since(world, path):
    model = cr.Fallback(models=[cr.UserKNN(k=5), cr.Popularity()]).fit(world.ratings)
    expected = model.recommend().to_arrow()
    model.models[0].set_params(k=2, rule="votes")
    model.models.append(cr.Bias())
    loaded = kept(model, path)
    assert loaded.models[0].k == 5 and len(loaded.models) == 2
    assert loaded.recommend().to_arrow().equals(expected)


def test_a_file_may_be_written_over_while_its_model_answers(world, path):
    model = cr.UserKNN(k=5).fit(world.ratings)
    loaded = kept(model, path)
    cr.save(cr.Popularity().fit(world.ratings), path)
    assert loaded.recommend().to_arrow().equals(model.recommend().to_arrow())
    cr.save(loaded, path)
    path.unlink()
    assert loaded.recommend(n=3).to_arrow().equals(model.recommend(n=3).to_arrow())


def test_equal_models_make_equal_files(world, tmp_path):
    for name in ("one", "two"):
        model = cr.preset("best").fit(world.ratings, catalog=world.catalog)
        cr.save(model, tmp_path / name)
    cr.save(cr.load(tmp_path / "one"), tmp_path / "three")
    one, two, three = ((tmp_path / name).read_bytes() for name in ("one", "two", "three"))
    assert one == two == three


def test_a_process_of_its_own_gives_the_same(world, path):
    model = cr.UserKNN(measure="pearson", rule="mean", center="mean").fit(world.ratings)
    cr.save(model, path)
    code = (
        "import sys, corated as cr; model = cr.load(sys.argv[1]); "
        "print([x.hex() for x in model.recommend().to_arrow()['score'].to_pylist()])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    expected = [x.hex() for x in model.recommend().to_arrow()["score"].to_pylist()]
    assert done.stdout.strip() == str(expected)


# -- data of every kind -------------------------------------------------------------------------------

DATA = {
    "text ids": (["é", "z", "a", "𝄞", "a"], ["1", "01", " ", "01", "1"], [1, 2, 3, 4, 5]),
    "integers": ([-(2**63), 2**63 - 1, 0, 5], [3, 3, -4, -4], [1, 2, 5, 5]),
    "counts": ([1, 2, 3, 1], [1, 1, 1, 2], [0.37, 1e12, 3.3333, -4.0]),
    "one level": ([1, 2, 3, 1], [1, 1, 1, 2], [7, 7, 7, 7]),
    "tenths": ([1, 2, 3, 1, 2], [1, 1, 1, 2, 2], [0.1, 0.3, 1.7, 0.2, 0.3]),
    "one rating": ([1], ["x"], [4]),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("times", [None, [5, 4, 3, 2, 1]])
def test_ratings_of_every_kind(path, name, times):
    users, items, values = DATA[name]
    times = None if times is None else [time * 10**8 for time in times[: len(users)]]
    ratings = cr.Ratings.from_arrays(users, items, values, times)
    model = cr.UserKNN(measure="jaccard", k=2, like=0).fit(ratings)
    loaded = kept(model, path)
    assert loaded.ratings.to_arrow().equals(ratings.to_arrow())
    assert loaded.ratings.scale == ratings.scale
    assert loaded.recommend().to_arrow().equals(model.recommend().to_arrow())
    facts = inspect(path)
    assert (facts.users, facts.items, facts.ratings) == (ratings.n_users, ratings.n_items, ratings.n_ratings)


def test_no_ratings_at_all(path):
    ratings = cr.Ratings.from_arrays([1, 2], ["a", "b"], [3, 4]).where(np.zeros(2, bool))
    for model in (cr.Popularity(), cr.UserKNN()):
        loaded = kept(model.fit(ratings), path)
        assert len(loaded.recommend()) == 0 and loaded.ratings.n_ratings == 0


@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
def test_a_catalog_with_gaps(path):
    ratings = cr.Ratings.from_arrays([1, 1, 2, 3], [1, 2, 2, 3], [3, 4, 5, 4])
    table = {
        "item_id": [2, 9, 1],
        "title": ["zwei \u202e", None, "eins (1999)"],
        "genres": [["a", "b"], [], ["b"]],
        "year": [None, 2001, None],
    }
    catalog = cr.read_catalog(pa.table(table), ids=ratings)
    model = cr.Popularity(like=1).fit(ratings, catalog=catalog)
    loaded = kept(model, path)
    assert loaded.catalog.to_arrow().equals(catalog.to_arrow())
    assert loaded.recommend().to_arrow().equals(model.recommend().to_arrow())
    assert inspect(path).catalog == 3
    genres = pa.array([None, ["a", None], []], pa.list_(pa.string()))
    odd = dataclasses.replace(catalog, genres=genres)
    assert kept(cr.Popularity().fit(ratings, catalog=odd), path).catalog.genres.equals(genres)


# -- what cannot be kept ------------------------------------------------------------------------------


class Own(cr.UserKNN):
    pass


class Popularity(cr.Recommender):
    def learn(self, ratings, run):
        return cr.Popularity().learn(ratings, run)

    def unpack(self, ratings, packed, run):
        raise AssertionError


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Own, "A Own cannot be kept: it is no recommender of Corated"),
        (Popularity, "A Popularity cannot be kept"),
        (lambda: cr.Fallback(models=[Own()]), "A Own cannot be kept"),
        (lambda: cr.UserKNN(measure=Custom(lambda n: n)), r"UserKNN\(measure=…\) .* a function of your own"),
    ],
)
def test_what_cannot_be_written_down_is_refused(world, path, model, said):
    path.write_bytes(b"before")
    fitted = model().fit(world.ratings)
    with pytest.raises(ParameterError, match=said) as raised:
        cr.save(fitted, path)
    assert raised.value.expected and raised.value.hint.endswith(".")
    assert path.read_bytes() == b"before"


def test_deeper_than_it_would_be_read(world, path):
    model = cr.Popularity()
    for _ in range(12):
        model = cr.Fallback(models=[model])
    model.fit(world.ratings)
    with pytest.raises(ParameterError, match="nested more than"):
        cr.save(model, path)
    with pytest.raises(ParameterError, match="cannot be kept: it has too many models"):
        cr.save(cr.Fallback(models=[cr.Popularity()] * 200).fit(world.ratings), path)
    assert not path.exists()


def test_what_was_made_by_hand_and_makes_no_sense_is_not_written(world, path):
    made = copy.copy(world.ratings)
    by_user = made.by_user._replace(indices=made.by_user.indices[::-1].copy())
    object.__setattr__(made, "by_user", by_user)
    model = cr.Popularity().fit(made)
    with pytest.raises(ParameterError, match="the items of a user are not distinct and ascending"):
        cr.save(model, path)
    assert not path.exists()


def test_not_fitted(path):
    with pytest.raises(NotFittedError, match="This UserKNN has not been fitted"):
        cr.save(cr.UserKNN(), path)
    assert not path.exists()


@pytest.mark.parametrize("given", [None, 5, "model"])
def test_no_model_or_no_path(world, path, given):
    with pytest.raises(ParameterError, match="was given to be kept"):
        cr.save(given, path)
    if given != "model":
        with pytest.raises(ParameterError, match="is no path"):
            cr.save(cr.Popularity().fit(world.ratings), given)
        for reading in (cr.load, inspect):
            with pytest.raises(ParameterError, match="is no path"):
                reading(given)


def test_a_folder_that_is_not_there(world, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        cr.save(cr.Popularity().fit(world.ratings), tmp_path / "none" / "model")
    with pytest.raises(ModelFileError, match="There is no model file"):
        cr.load(tmp_path / "none" / "model")


# -- shorthands ---------------------------------------------------------------------------------------

NUMBERS = (1 / 3, 1e-7, 1e22, 0.1, 5e-324, 2)


def _records():
    weights = [None, *(kind() for kind in WEIGHTS.values())]
    weights += [BM25("tois", k1=1 / 3, b=0.1 + 0.2), Center(by="item")]
    adjustments = [None, *(kind() for kind in ADJUSTMENTS.values())]
    adjustments += [kind(0.1 + 0.2) for kind in ADJUSTMENTS.values()]
    for kind in MEASURES.values():
        fields = {field.name for field in dataclasses.fields(kind)}
        combinations = [{}]
        for name, values in (("weight", weights), ("adjust", adjustments)):
            if name in fields:
                combinations = [{**one, name: value} for one in combinations for value in values]
        combinations += [
            {name: value}
            for name in fields & {"shrink", "alpha", "beta", "reg_u", "reg_i"}
            for value in NUMBERS
        ]
        for given in combinations:
            try:
                yield kind(**given)
            except ParameterError:  # not every adjustment goes with every measure
                continue


def test_every_measure_is_what_its_shorthand_says():
    records = list(_records())
    assert {record.name for record in records} == set(MEASURES) and len(records) > 500
    assert {type(record.given_weight) for record in records} == {type(None), *WEIGHTS.values()}
    assert {type(record.adjustment) for record in records} == {type(None), *ADJUSTMENTS.values()}
    for record in records:
        assert get_measure(str(record)) == record


def test_every_centering_is_what_its_shorthand_says():
    for record in [kind() for kind in CENTERINGS.values()] + [Baseline(3, 1 / 3, 5e-324)]:
        assert get_centering(str(record)) == record


@pytest.mark.parametrize(
    "at",
    [
        "2016-01-01",
        AT,
        datetime(2016, 1, 1),
        datetime(2016, 7, 1, 3, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime(2016, 1, 1, tzinfo=UTC),
        np.datetime64("2016-01-01"),
        np.datetime64("2016-01-01T01:02:03.123456789"),
    ],
)
def test_times_come_back(world, path, at):
    model = cr.Popularity(at=at, half_life=10).fit(world.ratings)
    loaded = kept(model, path)
    assert loaded.at == (at.astype("M8[us]") if isinstance(at, np.datetime64) else at)
    assert loaded.recommend().to_arrow().equals(model.recommend().to_arrow())


# -- every recommender --------------------------------------------------------------------------------


def test_every_recommender_can_be_kept():
    """A new recommender goes into `KNOWN`, what it keeps into `_KEPT`, and an example into `MODELS`."""
    for module in pkgutil.iter_modules(corated.models.__path__):
        importlib.import_module(f"corated.models.{module.name}")

    def below(kind):
        return {kind, *(one for sub in kind.__subclasses__() for one in below(sub))}

    ours = {
        kind
        for kind in below(cr.Recommender)
        if kind.__module__.startswith("corated.models.") and not kind.__name__.startswith("_")
    } - {cr.Recommender}
    assert {kind.__name__: kind.__module__ for kind in ours} == dict(KNOWN)
    assert set(_KEPT) == ours
    tried = set()
    for make in MODELS.values():
        waiting = [make()]
        while waiting:
            model = waiting.pop()
            tried.add(type(model))
            waiting += getattr(model, "models", ())
    assert tried == ours


# -- looking into a file ------------------------------------------------------------------------------


def test_what_a_file_says_of_itself(world, path):
    model = cr.UserKNN(measure=cr.measures.Pearson(shrink=100), k=5).fit(world.ratings, catalog=world.catalog)
    cr.save(model, path)
    facts = inspect(path)
    told = facts.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["class"] == "UserKNN" and told["parameters"]["measure"] == "pearson(shrink=100)"
    assert told["parameters"]["k"] == 5 and set(told["parameters"]) == set(model.get_params())
    assert (told["users"], told["items"], told["ratings"]) == (30, 25, 320)
    assert told["scale"] == {"low": 1.0, "high": 10.0, "step": 1.0}
    assert told["catalog_items"] == len(world.catalog)
    assert told["bytes"] == path.stat().st_size
    assert (told["format"], told["corated"]) == (read_manifest(path)["format"], cr.__version__)
    _, arrays = read_container(path)
    assert {one["name"]: (one["bytes"], tuple(one["shape"])) for one in told["arrays"]} == {
        name: (array.nbytes, array.shape) for name, array in arrays.items()
    }
    times = np.array([told["first_time"][:-1], told["last_time"][:-1]], "M8[us]")
    assert times.astype(np.int64).tolist() == [world.ratings.times.min(), world.ratings.times.max()]
    text = str(facts)
    for part in (
        "model    UserKNN\n",
        "\n  k = 5\n",
        "\n  measure = pearson(shrink=100)\n",
        "320 of 30 users",
        "1 to 10 by 1",
        "model/graph",
    ):
        assert part in text
    assert "catalog  none" in str(_facts_of(cr.Popularity().fit(world.ratings), path))


def _facts_of(model, path):
    cr.save(model, path)
    return inspect(path)


def test_models_within_models_are_shown(world, path):
    model = cr.Fallback(models=[cr.UserKNN(center=None), cr.Popularity(at=AT)])
    facts = _facts_of(model.fit(world.ratings), path)
    told = str(facts)
    assert told.startswith("model    Fallback\n  models\n    UserKNN\n      at = None\n")
    assert f"\n    Popularity\n      at = {AT.isoformat()}\n      half_life = None\n" in told
    assert facts.to_dict()["parameters"]["models"][1]["class"] == "Popularity"


def test_times_that_no_calendar_has(path):
    ratings = cr.Ratings.from_arrays([1], [1], [1], [10**9])
    late = dataclasses.replace(ratings, times=np.array([2**60]))
    assert _facts_of(cr.Popularity().fit(late), path).to_dict()["first_time"] == f"{2**60} µs"


def test_looking_takes_nothing_that_computes(world, path):
    cr.save(cr.preset("best").fit(world.ratings), path)
    code = (
        "import sys; from corated.models.files import inspect; str(inspect(sys.argv[1])); "
        "print({'numba', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- files of older and newer versions ----------------------------------------------------------------


def test_a_parameter_that_came_later_has_its_default(world, path):
    model = cr.UserKNN(k=5).fit(world.ratings)
    cr.save(model, path)
    manifest, arrays = read_container(path)
    content = manifest["content"]
    del content["model"]["parameters"]["everyone"]
    write_container(path, content, {name: array.copy() for name, array in arrays.items()})
    loaded = cr.load(path)
    assert loaded.everyone == 0.0
    assert loaded.recommend().to_arrow().equals(model.recommend().to_arrow())


# -- golden files -------------------------------------------------------------------------------------

GOLDEN = Path(__file__).parents[2] / "golden" / "models"


@pytest.fixture(scope="module")
def golden():
    spec = importlib.util.spec_from_file_location("golden_models", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("number", range(OLDEST, FORMAT + 1))
def test_files_of_every_format_that_is_read_answer_as_they_did(golden, number, path):
    file = GOLDEN / f"format-{number}.corated"
    assert file.stat().st_size < 100_000
    loaded = cr.load(file)
    expected = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert golden.answers(loaded) == expected
    assert set(expected) == {"recommend", "genres", "history", "predict"} and all(expected.values())
    assert inspect(file).format == number
    assert golden.answers(kept(loaded, path)) == expected


def test_what_is_written_now_is_what_was_written_under_this_number(path):
    """A change of what is written needs a new number, or old files are read as something else."""
    file = GOLDEN / f"format-{FORMAT}.corated"
    cr.save(cr.load(file), path)
    (before, old), (after, new) = read_container(file), read_container(path)
    assert before["arrays"] == after["arrays"]
    assert all(old[name].tobytes() == new[name].tobytes() for name in old)
    for content in (before["content"], after["content"]):
        content["model"] = None  # which may have more parameters by now
    assert before["content"] == after["content"]


def test_the_model_of_the_golden_file_is_fitted_to_the_same_still(golden, path):
    cr.save(golden.fitted(), path)
    expected = json.loads((GOLDEN / f"format-{FORMAT}.json").read_text(encoding="utf-8"))
    assert golden.answers(cr.load(path)) == expected
