import json
import shlex

import pytest

import corated as cr

pytestmark = pytest.mark.jit


@pytest.fixture(scope="module")
def data(ratings):
    return cr.read_ratings(ratings)


# -- evaluate ---------------------------------------------------------------------------------


def plain(value):
    """Without what differs from run to run."""
    return {k: v for k, v in value.items() if k not in ("fit_seconds", "answer_seconds", "memory_bytes")}


def test_evaluate_is_what_the_library_says(run, ratings, data):
    found = run("evaluate", ratings, "--json").json
    assert plain(found) == json.loads(json.dumps(plain(cr.evaluate(cr.preset("best"), data).to_dict())))
    text = run("evaluate", ratings).out
    assert (
        "ndcg@10" in text and "popularity" in text and "by_time(quantile=0.8)" in text and "Fitted in" in text
    )


def test_options_of_evaluate_reach_the_library(run, ratings, catalog, data):
    found = run(
        "evaluate", ratings, "--split", "last:2", "--metrics", "ndcg@5, diversity@5", "--known-only",
        "--like", 8, "--catalog", catalog, "--preset", "notebook", "--json",
    ).json  # fmt: skip
    model = cr.preset("notebook").set_params(like=8.0)
    titles = cr.read_catalog(catalog, ids=data)
    expected = cr.evaluate(
        model,
        data,
        split="last:2",
        metrics=["ndcg@5", "diversity@5"],
        known_only=True,
        like=8,
        catalog=titles,
    )
    assert found["metrics"] == expected.to_pylist() and found["model"] == repr(model)
    assert found["split"] == "leave_last(n=2)"


def test_errors_of_predicted_ratings_and_folds(run, ratings, data):
    options = ["--preset", "surprise-knnbaseline", "--split", "folds:3", "--metrics", "rmse,mae"]
    found = run("evaluate", ratings, *options, "--json").json
    expected = cr.evaluate(cr.preset("surprise-knnbaseline"), data, split="folds:3", metrics=["rmse", "mae"])
    assert {row["metric"]: row["value"] for row in found["metrics"]} == {
        "rmse": expected.value("rmse"), "mae": expected.value("mae"),
    }  # fmt: skip
    assert sum(found["predictions_by_status"].values()) == data.n_ratings


# -- compare ------------------------------------------------------------------------------------


def test_compare_is_what_the_library_says(run, ratings, data, tmp_path):
    page = tmp_path / "report.html"
    found = run(
        "compare", ratings, "--model", "the best=best", "--model", "near=best --measure cosine --k 5",
        "--model", "items=--by items --no-fallback", "--metrics", "ndcg@5,gini@5", "--reference", "near",
        "--seed", 3, "--html", page, "--json",
    ).json  # fmt: skip
    near = cr.UserKNN(**{**cr.preset("best").models[0].models[0].get_params(), "measure": "cosine", "k": 5})
    items = cr.ItemKNN(**{**cr.preset("best").models[0].models[0].get_params(), "min_support": 1})
    models = {
        "the best": cr.preset("best"),
        "near": cr.Fallback(models=[near, cr.Popularity()]),
        "items": items,
    }
    expected = cr.compare(models, data, metrics=["ndcg@5", "gini@5"], reference="near", seed=3)
    assert [plain(row) for row in found["rows"]] == [plain(row) for row in expected]
    assert found["models"] == expected.models and found["html"] == str(page)
    assert "<svg" in page.read_text(encoding="utf-8")
    text = run("compare", ratings, "--model", "a=best", "--metric", "recall@3", "--html", page).out
    assert "by recall@3" in text and f"written to {page}" in text and "95 % interval" in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--model", "best"], "does not say a name and a model"),
        (["--model", "=best"], "does not say a name and a model"),
        (["--model", "a="], "does not say a name and a model"),
        (["--model", "a=bset"], "bset"),
        (["--model", "a=best --kk 3"], "--kk"),
        (["--model", "a=best --k x"], "--k x cannot be used"),
        (["--model", "a='best"], "close the quotes"),
        (["--model", "a=notebook --k 3"], "is a fixed method"),
        (["--model", "a=best", "--model", "a=notebook"], "is there twice"),
        (["--model", "popularity=best"], "name of a baseline"),
        (["--model", "a=best", "--reference", "b"], "There is no model 'b'"),
        (["--model", "a=best", "--metric", "gini@5"], "--metric ndcg@10"),
        (["--model", "a=best", "--split", "lst:1"], "--split lst:1 cannot be used"),
        (["--model", "a=best", "--metrics", "ndgc@5"], "did you mean ndcg"),
        (["--model", "a=best", "--html", "-"], "not written to standard output"),
        ([], "--model"),
    ],
)
def test_what_cannot_be_compared(run, ratings, args, words):
    ran = run("compare", ratings, *args, code=2)
    assert words in ran.err and ran.out == ""


def test_outputs_do_not_overwrite_what_is_read(run, ratings):
    before = ratings.read_bytes()
    for args in (
        ("compare", ratings, "--model", "a=best", "--html", ratings),
        ("tune", ratings, "--storage", ratings),
    ):
        assert "is read as well" in run(*args, code=2).err
    assert ratings.read_bytes() == before
    assert (
        "does not exist" in run("compare", ratings, "--model", "a=best", "--html", "/none/x.html", code=1).err
    )


# -- tune ---------------------------------------------------------------------------------------


def test_tune_finds_what_evaluate_is_then_asked_about(run, ratings, data, tmp_path):
    space = ["--space", "k=3:30:log", "--space", "measure=cosine,tversky(alpha=1, beta=0.5)"]
    args = ["tune", ratings, *space, "--space", "half-life=5:50", "--min-support", 1, "--split", "random:0.3"]
    args += ["--metric", "ndcg@5", "--known-only", "--seed", 2]
    found = run(*args, "--trials", 4, "--json").json
    best = max(found["trials"], key=lambda row: row["value"])
    assert found["best_value"] == best["value"] and len(found["trials"]) == 4
    assert all(3 <= row["k"] <= 30 and 5 <= row["half_life"] <= 50 for row in found["trials"])
    assert {row["measure"] for row in found["trials"]} <= {"cosine", "tversky(alpha=1, beta=0.5)"}
    options = shlex.split(found["options"])
    assert options[options.index("--min-support") + 1] == "1"
    told = run("evaluate", ratings, *options, "--split", "random:0.3", "--metrics", "ndcg@5", "--json").json
    assert told["model"] == found["best_model"]
    # In two goes, and as text.
    storage = tmp_path / "trials.log"
    run(*args, "--trials", 2, "--storage", storage)
    text = run(*args, "--trials", 4, "--storage", storage).out
    assert found["options"] in text and "4 trials" in text
    assert "another model" in run(*args, "--trials", 4, "--storage", storage, "--everyone", 0.1, code=2).err


def test_by_default_the_usual_is_searched_less_what_is_set(run, ratings, csv):
    rows = run("tune", ratings, "--trials", 1, "--metric", "recall@5", "--json").json["trials"]
    assert {"k", "measure", "everyone", "half_life"} < set(rows[0])
    rows = run("tune", ratings, "--trials", 1, "--k", 5, "--half-life", 9, "--no-pruning", "--json").json[
        "trials"
    ]
    assert not {"k", "half_life"} & set(rows[0]) and {"measure", "everyone"} < set(rows[0])
    timeless = csv(*(f"{u},{i},{(u * i) % 5 + 1}" for u in range(1, 30) for i in range(1, 12)))
    args = ["tune", timeless, "--trials", 1, "--split", "random:0.2", "--json"]
    assert "half_life" not in run(*args).json["trials"][0]
    every = ["--k", 5, "--measure", "cosine", "--everyone", 0]
    assert "nothing is left to search" in run(*args, *every, code=2).err
    assert "--split random:0.2" in run("tune", timeless, "--trials", 1, code=3).err


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("k", "cannot be searched"),
        ("kk=1:5", "cannot be searched"),
        ("k=", "cannot be searched"),
        ("k=1:x", "--k x cannot be used"),
        ("k=5:1", "the smaller one first"),
        ("rule=vote", "vote"),
        ("measure=cosin", "cosin"),
        ("preset=best,notebook", "cannot be searched"),
    ],
)
def test_spaces_that_are_none(run, ratings, space, words):
    ran = run("tune", ratings, "--space", space, code=2)
    assert words in ran.err and ran.out == ""


# -- playing the log --------------------------------------------------------------------------


def _untimed(row):
    return {k: v for k, v in row.items() if not k.endswith("_seconds")}


def test_a_log_is_played(run, ratings, data):
    from corated.evaluation import prequential

    found = run("compare", ratings, "--model", "a=best", "--split", "prequential:0.7:0.9", "--json").json
    expected = prequential({"a": cr.preset("best")}, data, start=0.7, stop=0.9).to_dict()
    assert [_untimed(row) for row in found["rows"]] == [_untimed(row) for row in expected["rows"]]
    assert found["facts"] == expected["facts"] and found["protocol"] == "prequential"
    text = run("evaluate", ratings, "--split", "prequential:0.9", "--like", 8).out
    assert "Prequential:" in text and "popularity, half-life 1 day" in text and "the model" in text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("evaluate", ["--split", "prequential:all"]),
        ("evaluate", ["--split", "prequential:0.2:0.4:0.6"]),
        ("evaluate", ["--split", "prequential:1.5"]),
        ("evaluate", ["--split", "prequential", "--metrics", "rmse"]),
        ("evaluate", ["--split", "prequential", "--known-only"]),
        ("compare", ["--model", "a=best", "--split", "prequential", "--html", "page.html"]),
        ("compare", ["--model", "a=best", "--split", "prequential", "--reference", "a"]),
    ],
)
def test_what_a_played_log_has_no_use_for_is_refused(run, ratings, command, words):
    found = run(command, ratings, *words, code=2)
    assert "Next step:" in found.err and "prequential" in found.err
