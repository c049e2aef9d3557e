"""Spark gives the bits of one machine: from a few cores, from processes of its own, and where one is lost."""

import os
import signal
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import corated as cr
import corated.spark as cs
from corated.errors import CoratedError, DataError
from corated.evaluation.split import given
from corated.spark import search as search_module
from corated.spark.blocks import blocks_of
from corated.spark.problem import Wish
from corated.spark.search import graph_of
from corated.spark.tasks import run_tasks

pytest.importorskip("pyspark", reason="needs the extra spark: pip install 'corated[spark]'")
pytestmark = [pytest.mark.jit, pytest.mark.filterwarnings("ignore:PySpark does not yet:FutureWarning")]

PAIR = ["id", "neighbor"]


@pytest.fixture(scope="module")
def local():
    """A session of two cores in one process, with nothing compiled that runs once."""
    config = {
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    spark = cs.session("local[2]", config=config)
    spark.sparkContext.setLogLevel("OFF")
    yield spark
    spark.stop()


@pytest.fixture(scope="module")
def small():
    """Ratings with text ids for items, so that order is by code point."""
    made = cr.sample("small").ratings.to_arrow().select(["user_id", "item_id", "rating"])
    items = [f"m{id}" for id in made["item_id"].to_pylist()]
    return cr.Ratings.from_arrays(made["user_id"], items, made["rating"])


@pytest.fixture(scope="module")
def read(local, small, tmp_path_factory):
    """The same ratings on Spark."""
    return cs.read(_frame(local, small), work=tmp_path_factory.mktemp("work"))


def _frame(spark, ratings):
    return spark.createDataFrame(ratings.to_arrow().select(["user_id", "item_id", "rating"]))


def assert_same(found, alone):
    """The same columns, rows, order and bits."""
    found, alone = found.toArrow(), alone.to_arrow()
    assert found.column_names == alone.column_names
    assert found.cast(alone.schema).equals(alone)


def test_neighbors_have_the_bits_of_one_machine(read, small):
    for side, measure, k, least, blocks in [
        ("users", "pearson", 10, 3, 3),
        ("users", "euclidean", 5, 1, 1),
        ("items", "cosine", 7, 1, 4),
        ("items", "jaccard(shrink=5)", 300, 2, 2),
    ]:
        settings = {"of": side, "measure": measure, "k": k, "min_common": least}
        assert_same(cs.neighbors(read, blocks=blocks, **settings), cr.neighbors(small, **settings))


def test_all_pairs_and_the_plan(read, small, tmp_path):
    for side, measure in (("items", "pearson"), ("items", "conditional")):
        found = cs.all_pairs(read, of=side, measure=measure, min_common=2, blocks=2).toArrow()
        cr.all_pairs(small, to=tmp_path / "pairs.parquet", of=side, measure=measure, min_common=2)
        alone = pq.read_table(tmp_path / "pairs.parquet")
        alone = alone.cast(found.schema)
        order = [(name, "ascending") for name in PAIR]
        assert found.sort_by(order).equals(alone.sort_by(order))
    alone, told = cr.plan(small, of="users", k=5), cs.plan(read, of="users", k=5, blocks=3)
    assert (told.n, told.n_ratings, told.events) == (alone.n, alone.n_ratings, alone.events)
    assert (told.blocks, told.tasks, told.merges) == (3, 6, 3)
    assert "6 tasks" in str(told) and told.to_dict()["rows"] == 5 * small.n_users
    assert cs.plan(read, k=5).blocks == 1  # little work, and it fits
    assert cs.plan(read, k=5, memory="401 MB").blocks > 1


def test_recommendations_and_their_worth(read, local, small):
    for model in (
        cr.UserKNN(measure="pearson", k=10, min_common=2, rule="mean", center="mean"),
        cr.ItemKNN(measure="jaccard", k=10),
    ):
        alone = model.clone().fit(small).recommend(n=5)
        assert_same(cs.recommend(read, model, n=5, blocks=3), alone)
    rows = small.to_arrow()
    is_test = [at % 5 == 0 for at in range(len(rows))]
    train, test = (
        cr.Ratings.from_table(rows.filter([keep == which for keep in is_test])) for which in (False, True)
    )
    metrics = ["ndcg@5", "recall@10", "mrr@3"]
    model = cr.UserKNN(k=10)
    found = cs.evaluate(model, _frame(local, train), _frame(local, test), metrics=metrics, blocks=2)
    alone = cr.evaluate(model, given(train, test), metrics=metrics)
    for metric in metrics:
        assert found.value(metric) == pytest.approx(alone.value(metric), rel=1e-12)
    assert found.to_arrow()["users"].to_pylist() == alone.to_arrow()["users"].to_pylist()


def test_a_run_that_died_goes_on(local, small, tmp_path, monkeypatch):
    path = tmp_path / "ratings.parquet"
    pq.write_table(small.to_arrow(), path)
    wanted = {"of": "users", "measure": "msd", "k": 4, "blocks": 3}
    done = []

    def counting(spark, pieces, work):
        done.append(len(pieces))
        if len(done) == 1:
            run_tasks(spark, pieces[:4], work)
            raise KeyboardInterrupt
        return run_tasks(spark, pieces, work)

    monkeypatch.setattr(search_module, "run_tasks", counting)
    with pytest.raises(KeyboardInterrupt):
        cs.neighbors(path, work=tmp_path / "work", **wanted)
    found = cs.neighbors(str(path), work=tmp_path / "work", **wanted)
    assert done == [6, 2, 3]
    assert_same(found, cr.neighbors(small, of="users", measure="msd", k=4))
    cs.neighbors(path, work=tmp_path / "work", **wanted)
    assert done == [6, 2, 3]
    assert not list((tmp_path / "work").rglob("*.arrow"))  # partial lists are gone


def test_bad_ratings_are_refused_as_on_one_machine(local, tmp_path):
    good = [(1, "a", 1.0), (1, "b", 2.0), (2, "a", 3.0), (3, "b", 4.0)]
    bad = [*good, (2, "b", None), (4, "c", float("nan")), (9, "a", -float("inf"))]
    for rows, columns, options in [
        (good, "user_id bigint, thing string, rating double", {}),
        (bad, "user_id bigint, item_id string, rating double", {}),
        (good, "user_id bigint, item_id string, rating double", {"scale": (1, 3, 1)}),
        ([*good, (None, "a", 1.0)], "user_id bigint, item_id string, rating double", {}),
        ([(1, "a", "1"), (2, "b", "x"), (3, "c", "1,5")], "user_id int, item_id string, rating string", {}),
        ([(1.5, "a", 1.0), (2.0, "a", 1.0)], "user_id double, item_id string, rating double", {}),
        ([(1, "", 1.0), (2, "a", 1.0)], "user_id bigint, item_id string, rating double", {}),
        ([(1, [1], 1.0)], "user_id bigint, item_id array<int>, rating double", {}),
        ([], "user_id bigint, item_id string, rating double", {}),
        ([*good, (1, "a", 5.0), (1, "a", 6.0)], "user_id bigint, item_id string, rating double", {}),
    ]:
        frame = local.createDataFrame(rows, columns)
        with pytest.raises(CoratedError) as alone:
            cr.Ratings.from_table(frame.toArrow(), **options)
        with pytest.raises(type(alone.value)) as found:
            made = cs.read(frame, work=tmp_path / "work", **options)
            blocks_of(made, "users", 2)  # where executors see repeats
        assert found.value.expected == alone.value.expected
        of_type = "of type" in alone.value.what  # which Spark names in its own way
        assert found.value.what == alone.value.what or (of_type and "of type" in found.value.what)
    with pytest.raises(DataError, match="1 pair of user and item with more than one rating"):
        cs.neighbors(
            local.createDataFrame([*good, good[0]], "u bigint, item_id string, rating double"), user="u"
        )
    repeated = local.createDataFrame([*good, (1, "a", 4.0)], "user_id bigint, item_id string, rating double")
    for rule in ("max", "mean", "count"):
        made = cs.read(repeated, duplicates=rule, work=tmp_path / "work")
        alone = cr.Ratings.from_table(repeated.toArrow(), duplicates=rule)
        assert (made.n_ratings, made.scale) == (alone.n_ratings, alone.scale)
    assert_same(cs.neighbors(made, measure="euclidean", k=2), cr.neighbors(alone, measure="euclidean", k=2))


def test_awkward_ids_and_ratings_without_a_scale(local, tmp_path):
    text = ["10", "9", "09", "a", "B", "é", "e\u0301", "z", "\uffee", "\U0001f600", " ", "a b"]
    whole = [0, -1, 7, 10, 9, 2**62, -(2**63), 2**63 - 1, 100, 3, 5, 4]
    rows = [
        (text[at % 12], whole[(at * 5 + at // 12) % 12], [1.0, 2.5, 7.123456789, 1e4][(at * 7 + at // 5) % 4])
        for at in range(100)
    ]
    rows = list({row[:2]: row for row in rows}.values())
    frame = local.createDataFrame(rows, "user_id string, item_id bigint, rating double")
    alone = cr.Ratings.from_table(frame.toArrow())
    made = cs.read(frame, work=tmp_path)
    assert made.scale is None and alone.scale is None
    for side, measure in (
        ("users", "jaccard"),
        ("items", "euclidean"),
        ("users", "msd"),
        ("users", "cosine"),
    ):
        settings = {"of": side, "measure": measure, "k": 5}
        assert_same(cs.neighbors(made, blocks=3, **settings), cr.neighbors(alone, **settings))


# -- the full counts ------------------------------------------------------------------------------


def _real(data, name):
    if name == "notebook":
        return cr.sample("notebook").ratings
    file = {"movietweetings-100k": "ratings.dat", "ml-1m-half": "ratings.dat.gz"}[name]
    return cr.read_ratings(data(name) / file)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["movietweetings-100k", "ml-1m-half", "notebook"])
@pytest.mark.parametrize("master", ["local[2]", "local-cluster[2,1,2048]"])
def test_the_grid(data, name, master, tmp_path):
    ratings = _real(data, name)
    pq.write_table(ratings.to_arrow(), tmp_path / "ratings.parquet")
    spark = _started(master)
    try:
        made = cs.read(tmp_path / "ratings.parquet", work=tmp_path / "work", spark=spark)
        for side in ("users", "items"):
            for measure in ("pearson", "euclidean", "cosine", "jaccard"):
                settings = {"of": side, "measure": measure, "k": 20, "min_common": 3}
                alone = cr.neighbors(ratings, **settings)
                for blocks in (1, 3, 16):
                    assert_same(cs.neighbors(made, blocks=blocks, **settings), alone)
                    wish = Wish.of(made, side, measure, 20, 3)
                    for stage in graph_of(made, wish, blocks).stages.values():
                        assert stage["peak"] <= stage["foreseen"]
    finally:
        spark.stop()


@pytest.mark.slow
def test_a_lost_process_changes_nothing(data, tmp_path):
    ratings = _real(data, "ml-1m-half")
    pq.write_table(ratings.to_arrow(), tmp_path / "ratings.parquet")
    spark = _started("local-cluster[2,1,2048]")
    try:
        made = cs.read(tmp_path / "ratings.parquet", work=tmp_path / "work", spark=spark)
        killed = []
        watcher = threading.Thread(target=_kill_one, args=(tmp_path / "work", killed))
        watcher.start()
        found = cs.neighbors(made, measure="pearson", k=40, min_common=3, blocks=16)
        watcher.join()
        assert killed
        assert_same(found, cr.neighbors(ratings, measure="pearson", k=40, min_common=3))
    finally:
        spark.stop()


def _started(master):
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        active.stop()
    spark = cs.session(master, executor_memory="1g")
    spark.sparkContext.setLogLevel("OFF")
    return spark


def _kill_one(work, killed):
    """Kill an executor, with its Python processes, once a few lists are written and many are not."""
    for _ in range(6000):
        written = len(list(work.glob("ratings-*/graph-*/lists/*.arrow")))
        if 3 <= written < 200:
            for process in _descendants(os.getpid()):
                if b"CoarseGrainedExecutorBackend" in Path(f"/proc/{process}/cmdline").read_bytes():
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)
                    return
        time.sleep(0.05)


def _descendants(process):
    """Return the processes that a process started, and theirs."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {process})
