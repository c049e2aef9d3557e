"""Saved models that are damaged or made by hand to do harm: refused in a sentence, or as they were."""

import json
import os
import random
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import corated as cr
from corated.errors import CoratedError, ModelFileError
from corated.models.biased_mf import BiasedMF
from corated.models.blend import Blend
from corated.models.container import read_container, write_container
from corated.models.files import inspect

LONG = 60
MODELS = {
    "users": lambda: cr.UserKNN(k=6, rule="mean", center="mean", half_life=500),
    "items": lambda: cr.ItemKNN(rule="closest", like=5, k=4),
    "a distance": lambda: cr.UserKNN(measure="euclidean", k=3, min_common=2),
    "raters": lambda: cr.UserKNN(scope="raters", rule="mean", measure="pearson_baseline(epochs=2)"),
    "walk": lambda: cr.RP3Beta(k=5),
    "ease": cr.EASE,
    "mf": lambda: BiasedMF(factors=2, epochs=1),
    "several": lambda: cr.Fallback(
        models=[cr.ItemKNN(measure="cosine(weight=bm25)", k=3), cr.Bias(), cr.Popularity(at="2016-01-01")]
    ),
    "blend": lambda: Blend(models=[cr.UserKNN(k=4), cr.Popularity()], by="rank"),
}


@pytest.fixture(scope="module")
def world():
    return cr.sample(users=14, items=11, ratings=80, seed=9)


@pytest.fixture(scope="module")
def saved(world, tmp_path_factory):
    """The bytes of each model's file, and its answers."""
    folder, found = tmp_path_factory.mktemp("saved"), {}
    for at, (name, make) in enumerate(MODELS.items()):
        model = make().fit(world.ratings, catalog=world.catalog if at % 2 else None)
        cr.save(model, folder / "model")
        found[name] = (folder / "model").read_bytes(), answers(model)
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.corated"


def answers(model):
    users, items = model.ratings.users.ids.to_pylist(), model.ratings.items.ids.to_pylist()
    tables = [model.recommend(n=4), model.recommend(users[:3], n=20, exclude_seen=False)]
    if hasattr(model._fit.part, "predict") and getattr(model, "rule", "") != "closest":
        tables.append(model.predict(users, (items * 2)[: len(users)]))
    return [table.to_arrow().to_pydict() for table in tables]


def told(error):
    """Whether an error is a sentence for whoever has the file."""
    return isinstance(error, CoratedError) and error.what.endswith(".") and "\n" not in error.what


# -- chance damage ------------------------------------------------------------------------------------


def damage(raw, rng):
    """Return the bytes after some mishap, which may leave them as they are."""
    raw, n = bytearray(raw), len(raw)
    start, size = rng.randrange(n), rng.choice([1, 2, 8, 64, 500])
    kind = rng.randrange(7)
    if kind == 0:
        for _ in range(rng.choice([1, 1, 3, 50])):
            raw[rng.randrange(n)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del raw[rng.choice([start, n - size]) :]
    elif kind == 2:
        raw += bytes(rng.choice([bytes(size), rng.randbytes(size), raw[:size]]))
    elif kind == 3:
        other = rng.randrange(n)
        here, there = slice(start, start + size), slice(other, other + size)
        raw[here], raw[there] = raw[there], raw[here]
    elif kind == 4:
        raw[start : start + size] = bytes(size)
    elif kind == 5:
        del raw[start : start + size]
    else:
        raw[start:start] = rng.randbytes(size)
    return bytes(raw)


@pytest.mark.parametrize("times", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damage_is_seen_or_does_nothing(saved, path, times):
    rng, refused = random.Random(times), 0
    for at in range(times):
        name = list(saved)[at % len(saved)]
        raw, expected = saved[name]
        path.write_bytes(damage(raw, rng))
        try:
            model = cr.load(path)
        except ModelFileError as error:
            assert told(error)
            refused += 1
        else:
            assert answers(model) == expected
    assert refused > 0.9 * times


# -- files made by hand, whose hashes are right -------------------------------------------------------


def rewritten(raw, path, change):
    """Write a file after a change of its content and arrays, with hashes that are right."""
    path.write_bytes(raw)
    manifest, arrays = read_container(path)
    content, arrays = manifest["content"], {name: array.copy() for name, array in arrays.items()}
    change(content, arrays)
    path.unlink()
    write_container(path, content, arrays)


def put(name, at, value):
    def change(content, arrays):
        arrays[name].flat[at] = value

    return change


def swap(name, one, other):
    def change(content, arrays):
        array = arrays[name]
        array.flat[one], array.flat[other] = array.flat[other].copy(), array.flat[one].copy()

    return change


def instead(name, make):
    def change(content, arrays):
        arrays[name] = make(arrays[name])

    return change


def say(*keys, value):
    def change(content, arrays):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def parameter(name, value):
    return say("model", "parameters", name, value=value)


def gone(name):
    return lambda content, arrays: arrays.pop(name)


def row_of_two(content, arrays):
    """Where the first subject with two neighbors has them."""
    return int(arrays["model/graph/indptr"][np.flatnonzero(np.diff(arrays["model/graph/indptr"]) > 1)[0]])


def to_itself(content, arrays):
    indptr = arrays["model/graph/indptr"]
    subject = int(np.flatnonzero(np.diff(indptr))[0])
    arrays["model/graph/neighbor"][indptr[subject]] = subject


def out_of_order(content, arrays):
    at = row_of_two(content, arrays)
    for name in ("neighbor", "value", "n_common"):
        array = arrays[f"model/graph/{name}"]
        array[at], array[at + 1] = array[at + 1].copy(), array[at].copy()


def twice(content, arrays):
    indptr = arrays["model/graph/indptr"]
    last = int(indptr[np.flatnonzero(np.diff(indptr) > 1)[0] + 1]) - 1
    for name in ("neighbor", "n_common"):
        arrays[f"model/graph/{name}"][last] = arrays[f"model/graph/{name}"][last - 1]
    value = arrays["model/graph/value"]
    value[last] = np.nextafter(value[last - 1], -np.inf)


def ties_by_larger_id(content, arrays):
    at = row_of_two(content, arrays)
    for name in ("value", "n_common"):
        arrays[f"model/graph/{name}"][at + 1] = arrays[f"model/graph/{name}"][at]
    neighbor = arrays["model/graph/neighbor"]
    neighbor[at : at + 2] = sorted(neighbor[at : at + 2], reverse=True)


def renamed(content, arrays):
    arrays["model/more"] = arrays.pop("model/graph/value")


def nested(content, arrays):
    inner = content["model"]
    for _ in range(15):
        inner = {"class": "Fallback", "parameters": {"models": [{"model": inner}]}}
    content["model"] = inner


def a_thousand(content, arrays):
    one = {"model": {"class": "Popularity", "parameters": {}}}
    content["model"] = {"class": "Fallback", "parameters": {"models": [one] * 1000}}
    content["facts"] = {"parts": [{}] * 1000}


HOSTILE = {
    "indptr falls": (put("ratings/indptr", 1, 10**6), "ratings/indptr does not cut"),
    "indptr starts late": (put("ratings/indptr", 0, 1), "ratings/indptr does not cut"),
    "indptr ends early": (put("ratings/indptr", -1, 3), "ratings/indptr does not cut"),
    "indptr below zero": (put("ratings/indptr", 1, -5), "ratings/indptr does not cut"),
    "an item that there is not": (put("ratings/indices", 3, 11), "names items that there are not"),
    "an item below zero": (put("ratings/indices", 3, -1), "names items that there are not"),
    "items not ascending": (swap("ratings/indices", 0, 1), "not distinct and ascending"),
    "a code off the scale": (put("ratings/codes", 5, 250), "has the code 250"),
    "ids not ascending": (swap("users/ids", 0, 1), "ids in users are not unique and ascending"),
    "an id twice": (put("users/ids", 1, 1), "ids in users are not unique and ascending"),
    "an id as text twice": (
        lambda c, a: a.update({"items/bytes": np.tile(a["items/bytes"][:7], len(a["items/bytes"]) // 7)}),
        "ids in items are not unique and ascending",
    ),
    "text that runs backward": (put("items/offsets", 2, 1), "items has offsets that run backward"),
    "text that is none": (put("items/bytes", 0, 255), "items has bytes that are not UTF-8"),
    "too few users": (instead("users/ids", lambda ids: ids[:-1]), "ratings/indptr has"),
    "no users": (gone("users/ids"), "text users has not the arrays"),
    "no indptr": (gone("ratings/indptr"), "the array ratings/indptr is missing"),
    "two dimensions": (instead("ratings/indices", lambda a: a.reshape(-1, 1)), "ratings/indices has"),
    "wide indices": (instead("ratings/indices", lambda a: a.astype(np.int64)), "is of int64, and is to be"),
    "wide codes": (instead("ratings/codes", lambda a: a.astype(np.int32)), "is of int32, and is to be"),
    "floats for times": (instead("ratings/times", lambda a: a.astype(np.float64)), "is of float64, and"),
    "other times": (put("ratings/times", 0, 2**62), "its times do not run"),
    "no times": (gone("ratings/times"), "its times do not run"),
    "a scale of NaN": (say("ratings", "scale", value=[1, "nan", 1]), "its scale is no rating scale"),
    "a scale of a million": (
        say("ratings", "scale", value=[1, 1_000_000, 1]),
        "its scale is no rating scale",
    ),
    "a step of nothing": (say("ratings", "scale", value=[1, 10, 0]), "its scale is no rating scale"),
    "a step of next to nothing": (say("ratings", "scale", value=[1, 1, 5e-324]), "its scale is no"),
    "a scale without end": (say("ratings", "scale", value=[-1e308, 1e308, 5e-324]), "its scale is no"),
    "no scale": (say("ratings", "scale", value=None), "the array ratings/values is missing"),
    "values that are not finite": (
        lambda c, a: (
            say("ratings", "scale", value=None)(c, a),
            a.update({"ratings/values": np.full(len(a.pop("ratings/codes")), np.nan)}),
        ),
        "ratings/values has numbers that are not finite",
    ),
    "ratings told otherwise": (say("ratings", value=[]), "its ratings are not told as ratings are"),
    "notices of numbers": (say("ratings", "notices", value=[1]), "its notices are not text"),
    "a neighbor that there is not": (put("model/graph/neighbor", 0, 14), "names users that there are not"),
    "a neighbor below zero": (put("model/graph/neighbor", 0, -1), "names users that there are not"),
    "a neighbor of itself": (to_itself, "a neighbor of itself"),
    "a neighbor twice": (twice, "has a neighbor twice"),
    "not closest first": (out_of_order, "are not in order, the closest first"),
    "ties the wrong way": (ties_by_larger_id, "are not in order, the closest first"),
    "a value that is none": (put("model/graph/value", 3, np.nan), "values that are not numbers"),
    "nothing in common": (put("model/graph/n_common", 0, 0), "more or fewer in common than there can be"),
    "everything in common": (put("model/graph/n_common", 0, 2**31 - 1), "more or fewer in common"),
    "graph indptr falls": (put("model/graph/indptr", 2, 10**9), "model/graph/indptr does not cut"),
    "subjects that there are not": (put("model/graph/subjects", -1, 99), "does not name every one"),
    "subjects twice": (put("model/graph/subjects", 1, 0), "does not name every one"),
    "more neighbors than k": (parameter("k", 2), "and k is 2"),
    "no graph": (lambda c, a: [a.pop(n) for n in [*a] if "graph" in n], "model/graph/subjects is missing"),
    "a graph that nothing needs": (parameter("k", "2n"), "there is no use for its array model/graph"),
    "an array more": (lambda c, a: a.update(more=np.zeros(3)), "there is no use for its array more"),
    "an array renamed": (renamed, "model/graph/value is missing"),
    "facts that there are not": (say("facts", value={"mu": 1.0}), "not those that such a model has"),
    "facts that are none": (say("facts", value=[1]), "facts about its model are not told by name"),
    "an unknown class": (say("model", "class", value="SVD"), "it is of the class 'SVD', and known are"),
    "a class to do harm": (say("model", "class", value="os.system"), "of the class 'os.system'"),
    "a class by its place": (say("model", "class", value="corated.models.knn.UserKNN"), "of the class"),
    "a class that is no text": (say("model", "class", value=["UserKNN"]), "of the class"),
    "another class": (say("model", "class", value="Popularity"), "Popularity has no parameter 'k|'center'"),
    "its base class": (say("model", "class", value="Recommender"), "of the class 'Recommender'"),
    "no class": (say("model", value={}), "a model in it is not told as models are"),
    "parameters in a list": (say("model", "parameters", value=[5]), "are not told by name"),
    "a parameter more": (parameter("__class__", "x"), "UserKNN has no parameter '__class__'"),
    "an odd parameter": (parameter("\u202e" * 90, 1), r"no parameter '\\u202e"),
    "k below zero": (parameter("k", -5), "UserKNN cannot be made again: k=-5 cannot be used"),
    "k as text": (parameter("k", "40"), "k='40' cannot be used"),
    "k as a fraction": (parameter("k", 2.5), "k=2.5 cannot be used"),
    "k beyond all": (parameter("k", 10**300), "UserKNN's k is beyond the 64-bit integers"),
    "k as a list": (parameter("k", [3]), r"k=\[3\] cannot be used"),
    "k as a model": (
        parameter("k", {"model": {"class": "Popularity", "parameters": {}}}),
        r"k=Popularity\(\) cannot",
    ),
    "min_common below one": (parameter("min_common", 0), "min_common=0 cannot be used"),
    "more in common than kept": (parameter("min_common", 9), "more or fewer in common"),
    "a rule of its own": (parameter("rule", "eval"), "unknown rule 'eval'"),
    "a measure that is code": (parameter("measure", "__import__('os').system('true')"), "unknown measure"),
    "a measure of one's own": (parameter("measure", "custom(print)"), "unknown measure"),
    "a measure in brackets": (parameter("measure", "(" * 5000), "unknown measure"),
    "a measure beyond all": (parameter("measure", "x" * 50_000), "measure is text of 50,000 characters"),
    "a record of another kind": (parameter("measure", {"centering": "mean"}), "mean is no measure"),
    "a record that is none": (parameter("measure", {"measure": "nothing"}), "measure is no measure"),
    "a tag that is none": (
        parameter("measure", {"pickle": "gASVBQAAAAAAAABLAS4="}),
        "told as parameters are",
    ),
    "two tags": (parameter("at", {"datetime": "2016-01-01", "tuple": []}), "told as parameters are"),
    "a time that is none": (parameter("at", {"datetime": "soon"}), "at is no datetime"),
    "a time without end": (parameter("at", {"datetime64": "999999999999-01-01"}), "at is no datetime64"),
    "a measure without end": (
        parameter("measure", "pearson_baseline(epochs=1000000000)"),
        "asks for 1,000,000,000 rounds",
    ),
    "a centering without end": (
        parameter("center", {"centering": "baseline(epochs=1000000000)"}),
        "asks for 1,000,000,000 rounds",
    ),
    "a half-life of nothing": (parameter("half_life", 0), "half_life=0 cannot be used"),
    "half-lives": (parameter("half_life", [1, 2]), r"half_life=\[1, 2\] cannot be used"),
    "everyone below zero": (parameter("everyone", -1), "everyone=-1 cannot be used"),
    "clip that is neither": (parameter("clip", 1), "clip=1 cannot be used"),
    "lists within lists": (
        parameter("like", json.loads("[" * 60 + "]" * 60)),
        "UserKNN's like is nested too deeply",
    ),
    "models within models": (nested, "nested too deeply|too many models within models"),
    "a thousand models": (a_thousand, "too many models within models"),
    "a part more": (lambda c, a: c.update(more=1), "does not have the parts of a model"),
    "a catalog that is not there": (say("catalog", value={"notices": []}), "catalog/items"),
    "a catalog of another kind": (say("catalog", value="movies.dat"), "its catalog is not told"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_makes_no_sense_is_refused_though_its_hashes_are_right(saved, path, what):
    change, said = HOSTILE[what]
    rewritten(saved["users"][0], path, change)
    start = time.perf_counter()
    for verify in (True, False):
        with pytest.raises(ModelFileError, match=said) as raised:
            cr.load(path, verify=verify)
        error = raised.value
        assert told(error) and str(path) in error.what and error.hint
        assert len(error.what) < len(str(path)) + 400
    assert time.perf_counter() - start < LONG


def integers_for_text(content, arrays):
    arrays.pop("catalog/items/bytes")
    arrays["catalog/items/ids"] = np.arange(arrays.pop("catalog/items/offsets").size - 1)


OTHERS = {
    "ease of another shape": (
        "ease",
        instead("model/weights", lambda a: a[:, :-1].copy()),
        "model/weights has",
    ),
    "ease that is not finite": ("ease", put("model/weights", 3, np.inf), "numbers that are not finite"),
    "ease without a regularization": ("ease", parameter("reg", "500"), "reg='500' cannot be used"),
    "factors that are not told": ("mf", parameter("factors", 3), "model/user has 14 × 3 entries"),
    "a spread of nothing": ("mf", say("facts", "spread", value=0.0), "spread is not above 0"),
    "a mean as text": ("mf", say("facts", "mu", value="1"), "mu is no number"),
    "parts less": ("several", lambda c, a: c["facts"]["parts"].pop(), "facts about other than 3 models"),
    "bias as a list": (
        "several",
        lambda c, a: c["model"]["parameters"]["models"][1]["model"]["parameters"].update(reg_u=[1]),
        "reg_u=.* cannot be used",
    ),
    "no models": ("several", parameter("models", []), r"models=\[\] cannot be used"),
    "models that are none": ("several", parameter("models", [1, 2, 3]), "models=.* cannot be used"),
    "models missing": ("several", lambda c, a: c["model"]["parameters"].clear(), "a parameter .* is missing"),
    "weights of text": ("blend", parameter("weights", "ab"), "weights='ab' cannot be used"),
    "a catalog of other ids": (
        "items",
        integers_for_text,
        "of another type than those of its ratings",
    ),
    "a catalog of fewer years": (
        "items",
        instead("catalog/years", lambda a: a[:-1].copy()),
        "catalog/years has",
    ),
    "genres past the end": (
        "items",
        put("catalog/genres-from", -1, 2**40),
        "catalog/genres-from does not cut",
    ),
    "a flag that is neither": ("items", put("catalog/has-year", 0, 7), "bytes other than 0 and 1"),
    "more titles than items": (
        "items",
        instead("catalog/titles/offsets", lambda a: np.append(a, a[-1])),
        "titles",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_models_that_make_no_sense(saved, path, what):
    name, change, said = OTHERS[what]
    rewritten(saved[name][0], path, change)
    with pytest.raises(ModelFileError, match=said) as raised:
        cr.load(path)
    assert told(raised.value)


ODD = (0, -1, 1, 2, 3, 7, 100, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63), 10**30)
ODD_JSON = (*ODD, 0.0, -0.5, 1e-300, 1e300, 5e-324, None, True, "", "all", "2n", "mean", "x", [], [[]], {})


def places(content, at=()):
    """Every place in JSON, as a path of keys."""
    found = [at] if at else []
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inner:
        found += places(value, (*at, key)) if isinstance(value, dict | list) else [(*at, key)]
    return found


def tampered(content, arrays, rng):
    """Change something, anywhere."""
    if rng.random() < 0.4:
        *way, key = rng.choice(places(content))
        holder = content
        for step in way:
            holder = holder[step]
        if rng.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = rng.choice(ODD_JSON)
        return
    name = rng.choice(sorted(arrays))
    array, kind = arrays[name], rng.randrange(6)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = array[: rng.randrange(array.shape[0] + 1)].copy()
    elif kind == 2:
        arrays[name] = np.concatenate([array, array[:2]])
    elif kind == 3:
        arrays[name] = array.astype(rng.choice([np.int64, np.int32, np.uint8, np.float64, np.float32]))
    elif kind == 4:
        rng.shuffle(array)
    elif array.size:
        limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
        fits = [n for n in ODD if limits is None or limits.min <= n <= limits.max]
        value = rng.choice(fits if limits else [*fits, np.nan, np.inf, -np.inf, 1e-300, 1e300])
        array.flat[rng.randrange(array.size)] = value


@pytest.mark.jit
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("times", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_whatever_is_changed_by_hand_the_answer_is_a_sentence_or_a_table(saved, path, times):
    """Values may be changed so that they make sense: then it is another model, and it answers."""
    rng, refused = random.Random(-times), 0
    for at in range(times):
        raw, _ = saved[list(saved)[at % len(saved)]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rewritten(raw, path, lambda content, arrays: tampered(content, arrays, rng))
            try:
                inspect(path)
            except ModelFileError as error:
                assert told(error)
            try:
                model = cr.load(path, verify=bool(at % 3))
            except CoratedError as error:
                assert told(error), error
                refused += 1
                continue
            try:
                answers(model)
            except CoratedError as error:
                assert told(error), error
    assert refused > 0.5 * times


# -- saving that is cut off ---------------------------------------------------------------------------

WRITER = """
import sys
import corated as cr
target, first = sys.argv[1], int(sys.argv[2])
world = cr.sample(users=300, items=200, ratings=6_000, seed=1)
models = [cr.Popularity().fit(world.ratings), cr.EASE().fit(world.ratings, catalog=world.catalog)]
print("writing", flush=True)
at = first
while True:
    cr.save(models[at % 2], target)
    at += 1
"""


def writer(path, first=0):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "writing\n"
    return process


def whole(path, world):
    """Assert that a file is one of the two that are written, whole."""
    model = cr.load(path)
    assert type(model) in (cr.Popularity, cr.EASE)
    assert model.ratings.to_arrow().equals(world.ratings.to_arrow())
    assert (model.catalog is None) == (type(model) is cr.Popularity)
    return model


@pytest.fixture(scope="module")
def larger():
    return cr.sample(users=300, items=200, ratings=6_000, seed=1)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_while_saving(path, larger, times):
    rng = random.Random(times)
    cr.save(cr.Popularity().fit(larger.ratings), path)
    for _ in range(times):
        process = writer(path)
        time.sleep(rng.random() * 0.1)
        process.kill()
        process.communicate(timeout=LONG)
        whole(path, larger)
        for left in path.parent.glob("*.tmp"):
            left.unlink()
        assert [left.name for left in path.parent.iterdir()] == [path.name]


def test_two_who_save_at_once_and_one_who_loads(path, larger):
    cr.save(cr.Popularity().fit(larger.ratings), path)
    writers = [writer(path, first) for first in (0, 1)]
    kinds, end = set(), time.monotonic() + LONG
    try:
        while len(kinds) < 2 and time.monotonic() < end:
            kinds |= {type(whole(path, larger)) for _ in range(10)}
    finally:
        for process in writers:
            process.kill()
            process.communicate(timeout=LONG)
    assert kinds == {cr.Popularity, cr.EASE}
    whole(path, larger)


def test_threads_that_save_at_once(path, world):
    models = [cr.UserKNN(k=k).fit(world.ratings) for k in (2, 3, 4, 5)]
    expected = {model.k: answers(model) for model in models}
    failures = []

    def work(model):
        try:
            for _ in range(10):
                cr.save(model, path)
                loaded = cr.load(path)
                assert answers(loaded) == expected[loaded.k]
        except BaseException as error:  # noqa: BLE001 - a thread's failure is to be the test's
            failures.append(error)

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [left.name for left in path.parent.iterdir()] == [path.name]
