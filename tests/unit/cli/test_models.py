"""Commands that keep models and answer by kept ones: what they print is what the library gives."""

import json

import pyarrow.parquet as pq
import pytest

import corated as cr
from corated.cli import options
from corated.cli.model_options import Model, model_fields
from corated.models.files import inspect
from corated.models.presets import PRESETS


@pytest.fixture(scope="module")
def data(ratings):
    return cr.read_ratings(ratings)


@pytest.fixture(scope="module")
def titles(catalog, data):
    return cr.read_catalog(catalog, ids=data)


@pytest.fixture(scope="module")
def model(data, titles, tmp_path_factory):
    """A model with a catalog, and its file."""
    path = tmp_path_factory.mktemp("models") / "model.corated"
    made = cr.preset("best").models[0].fit(data, catalog=titles)
    cr.save(made, path)
    return made, path


@pytest.fixture(scope="module")
def predictor(data, titles, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "predictor"
    made = cr.UserKNN(measure="pearson", k=9, rule="mean", center="mean").fit(data, catalog=titles)
    cr.save(made, path)
    return made, path


def rows_of(table):
    return table.to_arrow().to_pylist()


def unsaid(**said):
    return Model(**{**dict.fromkeys(model_fields()), "no_fallback": False, **said})


# -- fit ----------------------------------------------------------------------------------------------


def test_what_is_fitted_is_kept(run, ratings, catalog, data, titles, tmp_path):
    path = tmp_path / "some.name"
    told = run("fit", ratings, "--catalog", catalog, "-o", path, "--json").json
    loaded = cr.load(path)
    expected = cr.preset("best").fit(data, catalog=titles)
    assert rows_of(loaded.recommend()) == rows_of(expected.recommend())
    assert told["model"] == repr(expected) and told["bytes"] == path.stat().st_size
    assert (told["users"], told["items"], told["ratings"]) == (60, 40, 900)
    assert told["catalog_items"] == 40 and told["output"] == str(path) and told["seconds"] >= 0
    out = run("fit", ratings, "-o", path).out
    for part in (
        f"written to {path} (",
        "900 ratings of 60 users and 40 items",
        repr(expected),
        "peak memory",
    ):
        assert part in out
    assert cr.load(path).catalog is None
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("preset", options.PRESETS)
def test_every_preset_is_fitted_and_kept(run, ratings, data, tmp_path, preset):
    path = tmp_path / "model"
    run("fit", ratings, "--preset", preset, "-o", path)
    expected = cr.preset(preset).fit(data)
    assert rows_of(cr.load(path).recommend(n=5)) == rows_of(expected.recommend(n=5))


def test_the_presets_are_those_of_the_library():
    assert tuple(PRESETS) == options.PRESETS


@pytest.mark.parametrize(
    ("args", "params"),
    [
        (["--k", "3"], {"k": 3}),
        (["--k", "all", "--min-common", "6"], {"k": "all", "min_common": 6}),
        (["--half-life", "30"], {"half_life": 30.0}),
        (["--everyone", "0.5"], {"everyone": 0.5}),
        (["--measure", "msd", "--min-support", "1"], {"measure": "msd", "min_support": 1}),
    ],
)
def test_options_of_a_model_change_what_is_fitted(run, ratings, tmp_path, args, params):
    path, plain = tmp_path / "model", tmp_path / "plain"
    run("fit", ratings, *args, "-o", path)
    run("fit", ratings, "--k", "100", "-o", plain)
    near = cr.load(path).models[0].get_params()
    assert {name: near[name] for name in params} == params
    assert near == cr.preset("best").models[0].models[0].get_params() | params
    assert rows_of(cr.load(path).recommend()) != rows_of(cr.load(plain).recommend())


def test_options_are_about_the_neighbors_of_best():
    assert repr(unsaid().build()) == repr(cr.preset("best"))
    neighbors, *_ = cr.preset("best").models
    assert repr(unsaid(k=100).build()) == repr(neighbors)
    assert [model.like for model in unsaid(like=6.0).build().models] == [6.0, 6.0]
    assert repr(unsaid(no_fallback=True).build()) == repr(neighbors.models[0])


def test_a_half_life_is_for_what_fills_up_too():
    made = unsaid(half_life=30.0).build()
    assert [model.half_life for model in made.models] == [30.0, 30.0]
    assert unsaid(no_fallback=True, by="items", half_life=3.0).build().get_params()["half_life"] == 3.0


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "best"])
@pytest.mark.parametrize("option", [["--k", "5"], ["--half-life", "9"], ["--no-fallback"], ["--by", "items"]])
def test_presets_are_fixed_methods(run, ratings, tmp_path, preset, option):
    err = run("fit", ratings, "--preset", preset, *option, "-o", tmp_path / "m", code=2).err
    assert f"--preset {preset} is a fixed method, which {option[0]} would change." in err
    assert not list(tmp_path.iterdir())


def test_a_like_that_changes_nothing_is_refused(run, ratings, tmp_path):
    args = ["--preset", "surprise-knnbasic", "--like", "7", "-o", tmp_path / "m"]
    assert "goes by all ratings, so --like changes nothing" in run("fit", ratings, *args, code=2).err
    run("fit", ratings, "--preset", "tois-userknn", "--like", "7", "-o", tmp_path / "m")
    assert cr.load(tmp_path / "m").like == 7.0


@pytest.mark.parametrize(
    ("output", "code", "told"),
    [
        ("-", 2, "A model is not written to standard output"),
        (".", 1, "is a folder"),
        ("none/model", 1, "does not exist"),
    ],
)
def test_where_no_model_can_be_kept(run, ratings, tmp_path, monkeypatch, output, code, told):
    monkeypatch.chdir(tmp_path)
    ran = run("fit", ratings, "-o", output, code=code)
    assert told in ran.err and "Next step: " in ran.err and "notice" not in ran.err


def test_what_is_read_is_not_written_over(run, ratings, catalog):
    before = ratings.read_bytes(), catalog.read_bytes()
    for target in (ratings, catalog):
        assert "would be lost" in run("fit", ratings, "--catalog", catalog, "-o", target, code=2).err
    assert (ratings.read_bytes(), catalog.read_bytes()) == before
    assert "Missing option" in run("fit", ratings, code=2).err


def test_a_model_goes_through_a_process_of_its_own(shell, ratings, tmp_path):
    path = tmp_path / "model"
    assert shell("fit", "-", "-o", path, input=ratings.read_bytes()).code == 0
    ran = shell("recommend", "--model", path, "7", "--json")
    assert ran.json["rows"] == rows_of(cr.load(path).recommend(7))


# -- inspect ------------------------------------------------------------------------------------------


def test_inspect(run, model):
    _, path = model
    told = run("inspect", path, "--json").json
    assert told == inspect(path).to_dict()
    assert told["class"] == "Fallback" and told["users"] == 60
    out = run("inspect", path).out
    for part in (
        "model    Fallback",
        "k = 100",
        "900 of 60 users",
        "1 to 10 by 1",
        "catalog  40 items",
        "SHA",
    ):
        assert (part in out) == (part != "SHA")


@pytest.mark.parametrize("command", ["inspect", "recommend", "predict", "similar", "explain"])
def test_files_that_are_no_models_exit_4(run, ratings, tmp_path, model, command):
    rest = {"recommend": [], "predict": [1, "x"], "similar": [1], "explain": [1, "x"]}
    damaged = tmp_path / "damaged"
    damaged.write_bytes(model[1].read_bytes()[:-100])
    for path, told in (
        (ratings, 'is no model file of Corated: it begins with "'),
        (damaged, "is cut short"),
        (tmp_path / "no", "no model"),
    ):
        args = [path] if command == "inspect" else ["--model", path, *rest[command]]
        ran = run(command, *args, code=4)
        assert told in ran.err and "Next step: " in ran.err and not ran.out
    args = ["-"] if command == "inspect" else ["--model", "-", *rest[command]]
    assert "standard input" in run(command, *args, code=2).err


# -- recommend ----------------------------------------------------------------------------------------


def test_a_kept_model_recommends_as_it_would_fitted_now(run, ratings, catalog, model):
    made, path = model
    ran = run("recommend", "--model", path, "--json")
    now = run("recommend", ratings, "--catalog", catalog, "--k", "100", "--json")
    assert ran.json["rows"] == now.json["rows"] == rows_of(made.recommend())
    assert ran.json["summary"]["model"] == now.json["summary"]["model"]
    assert ran.err == ""
    some = run("recommend", "--model", path, "7", "3", "-n", "4", "--json").json["rows"]
    assert some == rows_of(made.recommend([7, 3], n=4))


def test_a_file_of_users_for_a_kept_model(run, model, tmp_path):
    made, path = model
    ran = run("recommend", "--model", path, "--users", "-", "--json", input="7\n3\n")
    assert ran.json["rows"] == rows_of(made.recommend([7, 3]))
    out = tmp_path / "lists.parquet"
    run("recommend", "--model", path, "-o", out)
    assert pq.read_table(out).to_pylist() == rows_of(made.recommend())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--scale", "1:10"], "--scale says how RATINGS are read"),
        (["--duplicates", "refuse"], "--duplicates says how RATINGS are read"),
        (["--no-time"], "--no-time says how RATINGS are read"),
        (["--catalog", "movies.dat"], "--catalog says how a model is fitted"),
        (["--preset", "best"], "--preset says how a model is fitted"),
        (["--k", "7"], "--k says how a model is fitted"),
        (["--no-fallback"], "--no-fallback says how a model is fitted"),
    ],
)
@pytest.mark.parametrize("command", ["recommend", "predict", "explain"])
def test_what_a_kept_model_has_of_its_own_is_refused(run, model, command, args, told):
    ran = run(command, "--model", model[1], *args, "1", "x", code=2)
    assert told in ran.err and f"corated fit takes {args[0]}" in ran.err


def test_ratings_beside_a_model_are_refused(run, ratings, model):
    for first in (ratings, "-"):
        err = run("recommend", first, "--model", model[1], code=2).err
        assert f"RATINGS ({first}) and --model were both given" in err
    assert "is not a user id" in run("recommend", "--model", model[1], "nofile", code=2).err
    assert "There is no user 999" in run("recommend", "--model", model[1], "999", code=2).err


def test_neither_ratings_nor_a_model(run):
    for command in ("recommend", "predict", "similar", "explain"):
        err = run(command, code=2).err
        assert "Missing argument 'RATINGS', or --model." in err and f"corated {command} --help" in err


def ids_file(path, ids):
    path.write_text("".join(f"{id}\n" for id in ids))
    return path


def test_filters(run, model, data, tmp_path):
    made, path = model
    items = data.items.ids.to_pylist()
    some, none = ids_file(tmp_path / "some", items[:9]), ids_file(tmp_path / "none", items[5:30])
    genre, other = sorted(set(made.catalog.genres.flatten().to_pylist()))[:2]
    asked = {
        ("--genre", genre): {"genres": genre},
        ("--genre", genre, "--genre", other): {"genres": [genre, other]},
        ("--years", "1990-1999"): {"years": (1990, 1999)},
        ("--years", "2000-"): {"years": (2000, None)},
        ("--years", "-1990"): {"years": (None, 1990)},
        ("--years", "2004"): {"years": (2004, 2004)},
        ("--items", some): {"items": items[:9]},
        ("--exclude", none): {"exclude": items[5:30]},
        ("--include-seen",): {"exclude_seen": False},
        ("--diversity", "0.7"): {"diversity": 0.7},
    }
    plain = rows_of(made.recommend())
    for args, filters in asked.items():
        ran = run("recommend", "--model", path, *args, "--json").json["rows"]
        assert ran == rows_of(made.recommend(**filters)), args
        assert ran != plain, args


def test_filters_of_a_model_fitted_now(run, ratings, catalog, data, titles):
    args = ["--catalog", catalog, "--years", "1990-", "--include-seen", "--json"]
    expected = cr.preset("best").fit(data, catalog=titles).recommend(years=(1990, None), exclude_seen=False)
    assert run("recommend", ratings, *args).json["rows"] == rows_of(expected)


@pytest.mark.parametrize("option", [["--genre", "Drama"], ["--years", "1990-"], ["--diversity", "0.5"]])
def test_filters_that_need_a_catalog(run, ratings, data, tmp_path, option):
    err = run("recommend", ratings, *option, code=2).err
    assert f"{option[0]} goes by the catalog" in err and "Next step: add --catalog FILE" in err
    cr.save(cr.preset("best").fit(data), tmp_path / "m")
    err = run("recommend", "--model", tmp_path / "m", *option, code=2).err
    assert "fitted with --catalog" in err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--genre", "Dramma"], "No item has the genre 'Dramma'"),
        (["--years", "90s"], "--years 90s are no years."),
        (["--years", "-"], "--years - are no years."),
        (["--years", "1990-1999-2000"], "are no years."),
        (["--years", "2000-1990"], "--years 2000-1990 allows nothing: it ends before it begins."),
        (["--years", "2000-1990"], "Next step: try --years 1990-2000"),
        (["--diversity", "2"], "Expected: a number from 0 to 1"),
        (["--diversity", "nan"], "--diversity nan cannot be used."),
        (["--history", "-", "7"], "users were named too"),
        (["--history", "-", "--exclude", "-"], "Standard input cannot be both"),
    ],
)
def test_filters_that_cannot_be_used(run, model, args, told):
    ran = run("recommend", "--model", model[1], *args, code=2, input="")
    assert told in ran.err and "Next step: " in ran.err


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        ("--half-life", "0"),
        *((name, bad) for name in ("--half-life", "--everyone") for bad in ("-3", "x", "inf")),
    ],
)
def test_amounts_that_cannot_be_used(run, ratings, option, bad):
    err = run("recommend", ratings, option, bad, code=2).err
    assert f"error: {option} {bad} cannot be used.\nExpected: a number " in err


def test_unknown_items_in_a_filter(run, model, tmp_path):
    err = run("recommend", "--model", model[1], "--items", ids_file(tmp_path / "f", ["nix"]), code=2).err
    assert 'There is no item "nix"' in err
    assert "there are no ids" in run("recommend", "--model", model[1], "--exclude", "-", code=3, input="").err


@pytest.mark.parametrize("header", ["", "item_id,rating\n", "movie,stars\n"])
@pytest.mark.parametrize("tabs", [False, True])
def test_the_history_of_somebody_who_is_not_in_the_data(run, model, data, tmp_path, header, tabs):
    made, path = model
    items = data.items.ids.to_pylist()[::7]
    text = header + "".join(f"{item}, {at + 4}\r\n" for at, item in enumerate(items))
    text = text.replace(",", "\t") if tabs else text
    file = tmp_path / "mine.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    expected = rows_of(made.recommend(history={item: at + 4 for at, item in enumerate(items)}, n=6))
    assert expected
    for given, extra in ((file, {}), ("-", {"input": text.encode()})):
        ran = run("recommend", "--model", path, "--history", given, "-n", 6, "--json", **extra).json
        assert ran["rows"] == expected and ran["summary"]["users"] == 1


def test_a_history_where_ratings_are_all_alike(run, csv, tmp_path):
    path = csv("1,a,1", "1,b,1", "2,a,1", "2,b,1", "2,c,1", "3,c,1", "3,a,1")
    ran = run("recommend", path, "--history", "-", "--json", input="item\na\nb\n").json["rows"]
    made = cr.preset("best").fit(cr.read_ratings(path))
    assert ran == rows_of(made.recommend(history=["a", "b"])) and ran


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("", 3, "standard input: there are no lines."),
        ("a\n", 3, "1 of 1 lines are not item,rating"),
        ("0000001,7\nb,8,9\n", 3, "line 2: b,8,9"),
        ('"0000001,7\n', 3, "is no csv"),
        ("{0},7\n{0},8\n", 3, "an item comes twice"),
        ("{0},7\n{1},x\n", 3, "a rating is no number"),
        ("{0},7\n{1},inf\n", 3, "a rating is no number"),
        ("{0},77\n", 2, "which is off the scale"),
        ("nix,7\n", 2, "are not in the data"),
        (b"\xff,1\n", 3, "is not UTF-8"),
    ],
)
def test_histories_that_cannot_be_used(run, model, data, text, code, told):
    if isinstance(text, str):
        text = text.format(*data.items.ids.to_pylist()[:2]).encode()
    ran = run("recommend", "--model", model[1], "--history", "-", code=code, input=text)
    assert told in ran.err and "Next step: " in ran.err


# -- predict ------------------------------------------------------------------------------------------


def test_predict(run, ratings, catalog, predictor, data):
    made, path = predictor
    item = data.items.id(3)
    ran = run("predict", "--model", path, 7, item, "--json").json
    titled = [{**row, "title": made.catalog.title(item)} for row in rows_of(made.predict([7], [item]))]
    assert ran["rows"] == titled
    assert ran["summary"]["pairs"] == 1 and ran["summary"]["model"] == repr(made)
    now = cr.preset("surprise-knnbaseline").fit(data).predict([7], [item])
    assert run("predict", ratings, 7, item, "--json").json["rows"] == rows_of(now)
    changed = cr.preset("surprise-knnbaseline").clone().set_params(k=3, measure="pearson", fallback=False)
    ran = run("predict", ratings, 7, item, "--k", 3, "--measure", "pearson", "--no-fallback", "--json")
    assert ran.json["rows"] == rows_of(changed.fit(data).predict([7], [item]))
    by_items = run("predict", ratings, 7, item, "--by", "items", "--json").json
    assert by_items["summary"]["model"].startswith("ItemKNN(") and by_items["rows"] != ran.json["rows"]
    assert "1 pair in" in run("predict", "--model", path, 7, item).out


@pytest.mark.parametrize("header", ["", "user_id,item_id\n"])
def test_pairs_are_answered_in_their_order_known_or_not(run, predictor, data, tmp_path, header):
    made, path = predictor
    items = data.items.ids.to_pylist()
    users, asked = [7, 3, 99, 7], [items[0], items[9], items[1], "nix"]
    text = header + "".join(f"{user},{item}\n" for user, item in zip(users, asked, strict=True))
    expected = rows_of(made.predict(users, asked))
    ran = run("predict", "--model", path, "--pairs", "-", "--json", input=text).json
    assert [{k: v for k, v in row.items() if k != "title"} for row in ran["rows"]] == expected
    assert ran["rows"][0]["title"] == made.catalog.title(items[0]) and ran["rows"][3]["title"] is None
    assert ran["summary"]["rows_by_status"]["unknown_user"] == 1
    file, out = tmp_path / "pairs.tsv", tmp_path / "out.jsonl"
    file.write_text(text.replace(",", "\t"))
    run("predict", "--model", path, "--pairs", file, "-o", out)
    assert [json.loads(line) for line in out.read_text().splitlines()] == ran["rows"]
    assert (
        "would be lost"
        in run("predict", "--model", path, "--pairs", file, "-o", file, "--out-format", "csv", code=2).err
    )


@pytest.mark.parametrize(
    ("args", "input", "code", "told"),
    [
        (["1"], None, 2, "1 id given, and a user and an item are wanted"),
        (["1", "x", "y"], None, 2, "3 ids given"),
        (["1", "x", "--pairs", "-"], "", 2, "Pairs are given on the command line and in a file"),
        (["bob", "x"], None, 2, '"bob" is not a user id'),
        (["--pairs", "-"], "1,x\nbob,y\n", 2, "line 2: bob"),
        (["--pairs", "-"], "1,x\n1\n", 3, "line 2: 1"),
        (["--pairs", "-"], "", 3, "there are no lines"),
    ],
)
def test_pairs_that_cannot_be_predicted(run, predictor, args, input, code, told):
    ran = run("predict", "--model", predictor[1], *args, code=code, input=input)
    assert told in ran.err and "Next step: " in ran.err and not ran.out


def test_a_model_that_ranks_predicts_nothing(run, model, data):
    err = run("predict", "--model", model[1], 1, data.items.id(0), code=2).err
    assert "Fallback predicts no ratings" in err
    assert "Next step: keep one that does: corated fit RATINGS --preset surprise-knnbaseline -o FILE" in err
    assert "UserKNN(" not in err and "=" not in err


@pytest.mark.parametrize("preset", ["best", "notebook", "tois-userknn"])
def test_a_preset_that_ranks_predicts_nothing(run, ratings, data, tmp_path, preset):
    """Which rule has no values is said of presets too; other rules' scores are answered."""
    kept = tmp_path / "m"
    run("fit", ratings, "--preset", preset, "-o", kept)
    asked = 1, data.items.id(0)
    if preset == "tois-userknn":
        assert len(run("predict", "--model", kept, *asked, "--json").json["rows"]) == 1
        return
    err = run("predict", ratings, *asked, "--preset", preset, code=2).err
    assert f"Next step: leave --preset {preset} out, or give --preset surprise-knnbaseline" in err
    assert "predicts no ratings" in run("predict", "--model", kept, *asked, code=2).err


# -- similar ------------------------------------------------------------------------------------------


def test_similar_by_ratings(run, ratings, catalog, data, titles):
    item = data.items.id(4)
    ran = run("similar", ratings, item, "--json").json
    expected = cr.neighbors(data, of="items", measure="cosine", k=10, subjects=[item])
    assert ran["rows"] == rows_of(expected)
    assert ran["summary"] == {"of": "items", "measure": "cosine", "k": 10, "rows": 10, "output": None}
    args = ["--measure", "pearson", "--min-common", "3", "-k", "4", "--catalog", catalog]
    ran = run("similar", ratings, item, *args, "--json").json["rows"]
    expected = cr.neighbors(data, of="items", measure="pearson", min_common=3, k=4, subjects=[item])
    assert ran == [{**row, "title": titles.title(row["neighbor"])} for row in rows_of(expected)]
    users = run("similar", ratings, 7, "--of", "users", "-k", "3", "--json").json["rows"]
    assert users == rows_of(cr.neighbors(data, of="users", measure="cosine", k=3, subjects=[7]))


def test_similar_by_the_graph_of_a_model(run, model, data, tmp_path):
    made, path = model
    graph = made._fitted().part.parts[0].graph
    assert run("similar", "--model", path, 7, "-k", 100, "--json").json["rows"] == rows_of(graph.of(7))
    ran = run("similar", "--model", path, 7)
    assert len(ran.out.splitlines()) == 12 and "10 neighbors among users: jaccard" in ran.out
    ran = run("similar", "--model", path, 7, "-k", 500)
    assert "notice: The model keeps 100 neighbors each" in ran.err
    assert "compares no items" in run("similar", "--model", path, 7, "--of", "items", code=2).err
    item = data.items.id(4)
    walk = tmp_path / "walk"
    cr.save(cr.RP3Beta(k=7).fit(data, catalog=made.catalog), walk)
    rows = run("similar", "--model", walk, item, "--json").json["rows"]
    expected = cr.neighbors(data, of="items", measure="rp3beta", k=7, subjects=[item])
    titled = [{**row, "title": made.catalog.title(row["neighbor"])} for row in rows_of(expected)]
    assert rows == titled
    later = tmp_path / "later"
    cr.save(cr.UserKNN(scope="raters", measure="msd", min_common=2).fit(data), later)
    rows = run("similar", "--model", later, 7, "-k", 6, "--json").json["rows"]
    assert rows == rows_of(cr.neighbors(data, measure="msd", min_common=2, k=6, subjects=[7]))
    cr.save(cr.Popularity().fit(data), later)
    assert "Popularity compares no users or items" in run("similar", "--model", later, 7, code=2).err


def test_similar_to_nobody(run, ratings, model):
    assert 'There is no item "7"' in run("similar", ratings, 7, code=2).err
    assert "There is no user 999" in run("similar", "--model", model[1], 999, code=2).err
    assert "2 ids given, and one is wanted" in run("similar", ratings, 7, 8, code=2).err
    err = run("similar", "--model", model[1], 7, "--measure", "msd", code=2).err
    assert "--measure says how a model is fitted" in err


# -- explain ------------------------------------------------------------------------------------------


def test_explain(run, ratings, catalog, model):
    made, path = model
    listed = rows_of(made.recommend(7))
    item = listed[0]["item_id"]
    assert run("explain", "--model", path, 7, item).out == f"{made.explain(7, item)}\n"
    told = run("explain", "--model", path, 7, item, "--json").json
    assert told == json.loads(json.dumps(made.explain(7, item).to_dict()))
    assert told["score"] == listed[0]["score"]
    hidden = run("explain", "--model", path, 7, item, "--anonymous", "--json").json
    assert hidden == json.loads(json.dumps(made.explain(7, item, anonymous=True).to_dict())) != told
    assert run("explain", ratings, "--catalog", catalog, 7, item, "--json").json == told


def test_why_not(run, model, data):
    made, path = model
    listed = {row["item_id"] for row in rows_of(made.recommend(7))}
    item = next(id for id in data.items if id not in listed)
    assert run("explain", "--model", path, 7, item, "--why-not").out == f"{made.why_not(7, item)}\n"
    first = rows_of(made.recommend(7))[0]["item_id"]
    ran = run("explain", "--model", path, 7, first, "--why-not", "--years", "1800-1801", "--json").json
    assert ran == json.loads(json.dumps(made.why_not(7, first, years=(1800, 1801)).to_dict()))
    assert ran["status"] == "filtered" and ran["filters"] == ["years"]
    out = run("explain", "--model", path, 7, first, "--why-not", "--years", "1800-1801").out
    year = made.catalog.aligned_years(data.items)[data.items.code(first)]
    assert out.endswith(f"({year})” is left out by --years.\n")
    ran = run("explain", "--model", path, 7, first, "--why-not", "-n", 1, "--json").json
    assert ran["status"] == "listed" and ran["n"] == 1


def test_what_if(run, model):
    made, path = model
    item = rows_of(made.recommend(7))[-1]["item_id"]
    assert run("explain", "--model", path, 7, item, "--what-if").out == f"{made.what_if(7, item)}\n"
    told = run("explain", "--model", path, 7, item, "--what-if", "--json").json
    assert told == json.loads(json.dumps(made.what_if(7, item).to_dict()))
    err = run("explain", "--model", path, 7, item, "--what-if", "-n", 1, code=2).err
    assert "is not among the 1" in err and "--why-not" in err


def test_explain_to_somebody_who_is_not_in_the_data(run, model, data):
    made, path = model
    ids = data.items.ids.to_pylist()
    history = {ids[0]: 9.0, ids[3]: 8.0}
    text = "".join(f"{item},{rating}\n" for item, rating in history.items())
    for args, found in (
        ([], made.explain(None, ids[5], history=history)),
        (["--why-not"], made.why_not(None, ids[5], history=history)),
    ):
        out = run("explain", "--model", path, "--history", "-", ids[5], *args, input=text).out
        assert out == f"{found}\n"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["7"], "1 id given."),
        (["7", "x", "y"], "3 ids given."),
        (["7", "nix"], 'There is no item "nix"'),
        (["999", "ITEM"], "There is no user 999"),
        (["7", "x", "--why-not", "--what-if"], "are two questions"),
        (["7", "x", "--what-if", "--anonymous"], "--anonymous is for"),
        (["7", "x", "--years", "1990-"], "--years is for --why-not"),
        (["7", "x", "--include-seen", "--what-if"], "--include-seen is for --why-not"),
        (["7", "x", "--history", "-"], "ITEM, for the user of --history"),
    ],
)
def test_questions_that_cannot_be_answered(run, model, data, args, told):
    args = [data.items.id(0) if arg == "ITEM" else arg for arg in args]
    ran = run("explain", "--model", model[1], *args, code=2, input="")
    assert told in ran.err and not ran.out
