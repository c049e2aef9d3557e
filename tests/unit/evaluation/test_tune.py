"""Searching: on the training part alone, the same in one go or in several, and without a word of Optuna's."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

import corated as cr
from corated import evaluation as ev
from corated.errors import Cancelled, DataError, MissingExtraError, OutputError, ParameterError
from corated.evaluation.space import read_space

pytestmark = pytest.mark.jit

SPACE = {"k": (2, 60, "log"), "measure": ["cosine", "jaccard"], "everyone": (0.0, 0.1)}


@pytest.fixture(scope="module")
def ratings():
    return cr.sample(users=500, items=80, ratings=6000, seed=4).ratings


@pytest.fixture(scope="module")
def split(ratings):
    return ev.at_random(ratings, share=0.3, seed=1)


@pytest.fixture(scope="module")
def tuned(split):
    return cr.tune(cr.UserKNN, SPACE, split, metric="ndcg@5", trials=14)


def same(one, other):
    return one.to_arrow().drop(["seconds"]).equals(other.to_arrow().drop(["seconds"]))


def test_the_best_is_what_it_says_it_is(tuned, split):
    complete = [row for row in tuned if row["state"] == "complete"]
    best = max(complete, key=lambda row: row["value"])
    assert tuned.best_value == best["value"]
    assert tuned.best_params == {name: best[name] for name in SPACE}
    assert isinstance(tuned.best, cr.UserKNN) and tuned.best.get_params().items() >= tuned.best_params.items()
    with pytest.raises(cr.CoratedError, match="has not been fitted"):
        tuned.best.recommend()
    # On the split of the training part, it comes to the same.
    inner = ev.at_random(split.train, share=0.3, seed=1)
    found = cr.evaluate(tuned.best, inner, metrics="ndcg@5")
    assert found.value("ndcg@5") == pytest.approx(tuned.best_value, abs=1e-12)
    assert best["users"] == inner.test.n_users


def test_values_are_in_the_space(tuned):
    assert len(tuned) == 14 and tuned.to_arrow()["trial"].to_pylist() == list(range(14))
    for row in tuned:
        assert 2 <= row["k"] <= 60 and isinstance(row["k"], int)
        assert row["measure"] in SPACE["measure"] and 0.0 <= row["everyone"] <= 0.1
    assert sum(tuned.by_state.values()) == 14


def test_some_trials_are_left_early(split):
    found = cr.tune(cr.UserKNN, {"k": (1, 200)}, split, metric="ndcg@5", trials=30)
    assert found.by_state["pruned"] >= 1 and found.by_state["complete"] >= 8
    most = max(row["users"] for row in found)
    for row in found:
        assert row["users"] == most if row["state"] == "complete" else row["users"] < most


def test_without_pruning_all_are_judged_by_all(split):
    found = cr.tune(cr.UserKNN, SPACE, split, metric="ndcg@5", trials=10, pruning=False)
    assert found.by_state == {"complete": 10, "pruned": 0, "failed": 0}


def test_the_test_is_never_looked_at(split):
    """Other ratings in the test change nothing."""
    other = ev.given(split.train, split.test.where(split.test.values > 5), name=split.name)
    one, two = (cr.tune(cr.UserKNN, SPACE, s, metric="ndcg@5", trials=4) for s in (split, other))
    assert same(one, two)
    seen = []

    class Watched(cr.Popularity):
        def learn(self, ratings, run):
            seen.append(ratings)
            return super().learn(ratings, run)

    cr.tune(lambda half_life: Watched(half_life=half_life), {"half_life": (1.0, 9.0)}, split, trials=2)
    assert seen
    pairs = {(row["user_id"], row["item_id"]) for row in split.test.to_arrow().to_pylist()}
    for ratings in seen:
        assert not pairs & {(row["user_id"], row["item_id"]) for row in ratings.to_arrow().to_pylist()}


def test_ratings_are_split_as_evaluate_splits_them(ratings):
    found = cr.tune(cr.Popularity, {"half_life": (1.0, 90.0, "log")}, ratings, trials=2)
    assert found.split.name == "by_time(quantile=0.8)" == cr.evaluate(found.best, found.split).split
    assert found.split.test.to_arrow().equals(ev.by_time(ratings).test.to_arrow())
    assert found.split.train.n_ratings > ev.by_time(found.split.train).train.n_ratings
    assert "by_time(quantile=0.8) of the training part" in found.notes[0]
    last = cr.tune(cr.Popularity, {"half_life": (1.0, 90.0)}, ratings, trials=2, split="last:1")
    assert "leave_last(n=1) of the training part" in last.notes[0] and "older than" in last.notes[1]


def test_in_several_goes_on_any_threads_as_in_one(tuned, split, tmp_path):
    path, seen = tmp_path / "trials.log", []
    cr.tune(cr.UserKNN, SPACE, split, metric="ndcg@5", trials=3, storage=path, threads=1)
    cancel = threading.Event()

    def stop(done, total):
        seen.append((done, total))
        if done == 9:
            cancel.set()

    with pytest.raises(Cancelled):
        cr.tune(
            cr.UserKNN, SPACE, split, metric="ndcg@5", trials=14, storage=path, progress=stop, cancel=cancel
        )
    assert seen == [(at, 14) for at in range(3, 10)]
    with path.open("ab") as file:  # what a run leaves that is ended while it writes
        file.write(b'{"op_code":')
    found = cr.tune(cr.UserKNN, SPACE, split, metric="ndcg@5", trials=14, storage=path, threads=3)
    assert same(found, tuned)
    # All are there already.
    again = cr.tune(cr.UserKNN, SPACE, split, metric="ndcg@5", trials=14, storage=str(path))
    assert again.to_arrow().equals(found.to_arrow())


@pytest.mark.skipif(os.name == "nt", reason="signals as on Unix")
def test_a_run_that_is_killed_goes_on(tmp_path):
    path = tmp_path / "trials.log"
    code = f"""
import os, signal, sys
import corated as cr
ratings = cr.sample(users=60, items=40, ratings=900, seed=3).ratings
die = sys.argv[1] == "die"
made = []
def make(half_life):
    made.append(half_life)
    if die and len(made) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return cr.Popularity(half_life=half_life)
found = cr.tune(make, {{"half_life": (1.0, 90.0)}}, ratings, trials=6, storage={str(path)!r})
print(found.to_arrow()["half_life"].to_pylist())
"""
    killed = subprocess.run([sys.executable, "-c", code, "die"], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    done = subprocess.run([sys.executable, "-c", code, "no"], check=True, capture_output=True, text=True)
    path.unlink()
    whole = subprocess.run([sys.executable, "-c", code, "no"], check=True, capture_output=True, text=True)
    assert done.stdout == whole.stdout and done.stdout.count(",") == 5


def test_another_seed_tries_others(tuned, split):
    other = cr.tune(cr.UserKNN, SPACE, split, metric="ndcg@5", trials=2, seed=1)
    assert other.to_arrow()["k"].to_pylist() != tuned.to_arrow()["k"].to_pylist()[:2]


def test_errors_of_predicted_ratings_are_to_be_small(split):
    model = cr.UserKNN(rule="mean", center="mean", measure="msd")
    found = cr.tune(model, {"k": [1, 40], "min_common": (1, 3)}, split, metric="rmse", trials=6)
    values = [row["value"] for row in found if row["state"] == "complete"]
    assert found.best_value == min(values)
    inner = ev.at_random(split.train, share=0.3, seed=1)
    assert cr.evaluate(found.best, inner).value("rmse") == pytest.approx(found.best_value, abs=1e-12)
    assert found.best.get_params()["center"] == "mean"


def test_choices_of_any_kind(split):
    measures = [cr.measures.Pearson(shrink=10), "cosine", cr.measures.Cosine(weight="binary")]
    space = {"measure": measures, "like": [None, 7, "mean"], "clip": [True, False]}
    found = cr.tune(cr.UserKNN(k=5), space, split, trials=5)
    for name, value in found.best_params.items():
        assert any(value is one for one in space[name])
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(told["trials"]) == 5 and told["best_model"] == repr(found.best)
    assert found.to_arrow()["like"].type == "string"


def test_settings_that_the_model_refuses_are_noted(split):
    space = {"measure": ["euclidean", "cosine(shrink=5)", "euclidean(shrink=5)"]}
    found = cr.tune(cr.UserKNN, space, split, trials=9)
    failed = [row for row in found if row["state"] == "failed"]
    assert failed and all(row["measure"] == "euclidean(shrink=5)" and row["value"] is None for row in failed)
    assert "distance" in failed[0]["reason"]
    with pytest.raises(DataError, match="None of 3 trials has a value"):
        cr.tune(cr.UserKNN, {"measure": ["euclidean(shrink=5)"]}, split, trials=3)
    with pytest.raises(DataError, match="predicts none"):
        cr.tune(cr.Popularity, {"half_life": (1.0, 2.0)}, split, metric="rmse", trials=2)


def test_optuna_says_nothing_and_stays_as_it_is(tmp_path):
    code = f"""
import logging, sys, warnings
warnings.simplefilter("error")
import optuna
import corated as cr
before = optuna.logging.get_verbosity(), list(logging.getLogger("optuna").handlers)
ratings = cr.sample(users=60, items=40, ratings=900, seed=3).ratings
for storage in (None, {str(tmp_path / "trials.log")!r}):
    cr.tune(cr.Popularity, {{"half_life": (1.0, 9.0)}}, ratings, trials=2, storage=storage)
assert (optuna.logging.get_verbosity(), list(logging.getLogger("optuna").handlers)) == before
assert not any(handler.filters for handler in before[1])
print("here", file=sys.stderr)
optuna.create_study()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = done.stderr.splitlines()
    assert (done.returncode, done.stdout, said[0], len(said)) == (0, "", "here", 2), done.stderr
    assert "A new study created" in said[1]


def test_optuna_is_loaded_when_it_is_needed_and_missed_when_it_is_not_there(split, monkeypatch):
    code = "import sys, corated as cr; cr.tune, cr.evaluate; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'corated\[tune\]'"):
        cr.tune(cr.Popularity, {"half_life": (1.0, 2.0)}, split, trials=1)


def test_files_that_are_no_trials_or_others(split, ratings, tmp_path):
    path = tmp_path / "trials.log"
    space = {"half_life": (1.0, 9.0)}
    cr.tune(cr.Popularity, space, split, trials=1, storage=path)
    kept = path.read_bytes()
    for what, call in {
        "metric": lambda: cr.tune(cr.Popularity, space, split, trials=1, storage=path, metric="mrr@5"),
        "space": lambda: cr.tune(cr.Popularity, {"half_life": (1.0, 8.0)}, split, trials=1, storage=path),
        "seed": lambda: cr.tune(cr.Popularity, space, split, trials=1, storage=path, seed=2),
        "model": lambda: cr.tune(cr.UserKNN, space, split, trials=1, storage=path),
        "validation": lambda: cr.tune(cr.Popularity, space, ratings, trials=1, storage=path),
    }.items():
        with pytest.raises(ParameterError, match=f"has trials of another {what}"):
            call()
    assert path.read_bytes() == kept
    for text in (b"user,item\n1,2\n", b'{"a": 1}\n', b"x", b"\x00\xff\n"):
        path.write_bytes(text)
        with pytest.raises(DataError, match="is no file of trials"):
            cr.tune(cr.Popularity, space, split, trials=1, storage=path)
        assert path.read_bytes() == text
    with pytest.raises(OutputError, match="cannot be used"):
        cr.tune(cr.Popularity, space, split, trials=1, storage=tmp_path / "none" / "trials.log")
    with pytest.raises(OutputError, match="cannot be used"):
        cr.tune(cr.Popularity, space, split, trials=1, storage=tmp_path)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, "names no parameters"),
        ([("k", (1, 2))], "names no parameters"),
        ({"k": 5}, "cannot be searched"),
        ({"k": (5,)}, "cannot be searched"),
        ({"k": (1, 5, "lin")}, "cannot be searched"),
        ({"k": (5, 5)}, "the smaller one first"),
        ({"k": (0, 5, "log")}, "above 0"),
        ({"k": (1.0, float("inf"))}, "finite ends"),
        ({"k": []}, "cannot be searched"),
        ({"k": [1, 1]}, "has a choice twice"),
        ({"k": (True, 5)}, "cannot be searched"),
        ({"value": (1, 5)}, "no name of a parameter"),
    ],
)
def test_spaces_that_are_none(space, words):
    with pytest.raises(ParameterError, match=words):
        read_space(space)


def test_spaces_as_text():
    space = read_space({"k": (10, 500, "log"), "half_life": (0.5, 90), "clip": [True, 1]})
    assert [str(one) for one in space.values()] == ["(10, 500, log; int)", "(0.5, 90; float)", "[True, 1]"]


def test_what_cannot_be_searched(split):
    space = {"half_life": (1.0, 2.0)}
    for metric in ("novelty@5", "gini@5", "catalog_coverage@5", "personalization@5"):
        with pytest.raises(ParameterError, match="nothing can be searched by it"):
            cr.tune(cr.Popularity, space, split, metric=metric)
    with pytest.raises(ParameterError, match="Popularity has no parameter 'k'"):
        cr.tune(cr.Popularity, {"k": (1, 2)}, split)
    with pytest.raises(ParameterError, match="Popularity has no parameter 'k'"):
        cr.tune(cr.Popularity(), {"k": (1, 2)}, split)
    with pytest.raises(ParameterError, match="is no model"):
        cr.tune(lambda half_life: None, space, split)
    with pytest.raises(ParameterError, match="makes no models"):
        cr.tune("popularity", space, split)
    with pytest.raises(ParameterError, match="There are 5 splits"):
        cr.tune(cr.Popularity, space, split.train, split="folds:5")
    with pytest.raises(ParameterError, match="trials=0"):
        cr.tune(cr.Popularity, space, split, trials=0)
