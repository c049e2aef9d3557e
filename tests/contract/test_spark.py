"""Spark gives the bits of one machine: from a few cores, from processes of its own, and where one is lost."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import corated as cr
import corated.spark as cs
from corated.cli.app import app
from corated.errors import CoratedError, DataError
from corated.evaluation.split import given
from corated.spark import search as search_module
from corated.spark.blocks import blocks_of, read_block
from corated.spark.problem import Wish
from corated.spark.search import graph_of
from corated.spark.size import PROCESS
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
    assert_equal(found.toArrow(), alone.to_arrow())


def assert_equal(found, alone):
    """The same tables, where text may be kept as a dictionary."""
    assert found.column_names == alone.column_names
    plain = pa.schema([(field.name, getattr(field.type, "value_type", field.type)) for field in alone.schema])
    assert found.cast(plain).equals(alone.cast(plain))


SIX = {
    "local[2]": [
        ("movietweetings-100k", "users", "pearson", 3),
        ("movietweetings-100k", "items", "jaccard", 1),
        ("ml-1m-half", "items", "cosine", 3),
    ],
    "local-cluster[2,1,2048]": [
        ("movietweetings-100k", "users", "euclidean", 3),
        ("movietweetings-100k", "users", "pearson", 1),
        ("movietweetings-100k", "users", "jaccard", 16),
    ],
}
"""Cases of the grid, which `make soak` runs whole."""


def assert_case(spark, ratings, case, folder):
    """One case of the grid has the bits of one machine."""
    _, side, measure, blocks = case
    path = folder / "ratings.parquet"
    if not path.exists():
        pq.write_table(ratings.to_arrow(), path)
    made = cs.read(path, work=folder / "work", spark=spark)
    settings = {"of": side, "measure": measure, "k": 20, "min_common": 3}
    assert_same(cs.neighbors(made, blocks=blocks, **settings), cr.neighbors(ratings, **settings))


@pytest.mark.parametrize("case", SIX["local[2]"], ids=str)
def test_neighbors_have_the_bits_of_one_machine(local, data, case, tmp_path):
    assert_case(local, _real(data, case[0]), case, tmp_path)


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
    assert cs.plan(read, k=5, memory=f"{PROCESS // 10**6 + 1} MB").blocks > 1


def test_recommendations_and_their_worth(read, local, small):
    for model in (
        cr.UserKNN(measure="pearson", k=10, min_common=2, rule="mean", center="mean"),
        cr.Fallback(models=[cr.ItemKNN(measure="jaccard", k=3, min_support=2), cr.Popularity(like="mean")]),
        cr.Popularity(),
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


GOOD = [(1, "a", 1.0), (1, "b", 2.0), (2, "a", 3.0), (3, "b", 4.0)]
NAMES = ["user_id", "item_id", "rating"]
KINDS = [pa.int64(), pa.string(), pa.float64()]


def _table(rows, kinds=KINDS, names=NAMES):
    columns = zip(*rows, strict=True) if rows else [[], [], []]
    made = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.table(made, names=names)


BAD = {
    "no item column": (_table(GOOD, names=["user_id", "thing", "rating"]), {}),
    "no number": (_table([*GOOD, (2, "b", None), (4, "c", float("nan")), (9, "a", -float("inf"))]), {}),
    "off the scale": (_table(GOOD), {"scale": (1, 3, 1)}),
    "no user": (_table([*GOOD, (None, "a", 1.0)]), {}),
    "text": (_table([(1, "a", "1"), (2, "b", "x"), (3, "c", "1,5")], [*KINDS[:2], pa.string()]), {}),
    "fractions": (_table([(1.5, "a", 1.0), (2.0, "a", 1.0)], [pa.float64(), *KINDS[1:]]), {}),
    "empty id": (_table([(1, "", 1.0), (2, "a", 1.0)]), {}),
    "lists": (_table([(1, [1], 1.0)], [pa.int64(), pa.list_(pa.int32()), pa.float64()]), {}),
    "nothing": (_table([]), {}),
    "repeats": (_table([*GOOD, (1, "a", 5.0), (1, "a", 6.0), (3, "b", 1.0)]), {}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_ratings_are_refused_as_on_one_machine(local, tmp_path, name):
    table, options = BAD[name]
    with pytest.raises(CoratedError) as alone:
        cr.Ratings.from_table(table, **options)
    with pytest.raises(type(alone.value)) as found:
        made = cs.read(local.createDataFrame(table), work=tmp_path, **options)
        assert name == "repeats"
        blocks_of(made, "users", 2)  # where executors see them
    assert found.value.expected == alone.value.expected
    if name == "lists":  # whose type Spark names in its own way
        assert "of type" in found.value.what and "of type" in alone.value.what
    else:
        assert found.value.what == alone.value.what
        # Spark has no rows by number: of repeats it shows each pair.
        shown = 2 if name == "repeats" else len(alone.value.rows)
        assert len(found.value.rows) == shown


def test_repeats_are_refused_by_a_search_or_merged(local, tmp_path):
    twice = local.createDataFrame(_table([*GOOD, GOOD[0]], names=["u", "item_id", "rating"]))
    with pytest.raises(DataError, match="1 pair of user and item with more than one rating"):
        cs.neighbors(twice, user="u")
    table = _table([*GOOD, (1, "a", 4.0)])
    for rule in ("max", "mean", "count"):
        made = cs.read(local.createDataFrame(table), duplicates=rule, work=tmp_path)
        alone = cr.Ratings.from_table(table, duplicates=rule)
        assert (made.n_ratings, made.scale) == (alone.n_ratings, alone.scale)
    assert_same(cs.neighbors(made, measure="euclidean", k=2), cr.neighbors(alone, measure="euclidean", k=2))


def test_what_is_half_of_everything_is_no_tasks_alone(local, tmp_path):
    rows = [(user, item, 1.0 + user % 5) for user in range(400) for item in ("all", f"i{user % 200}")]
    made = cs.read(local.createDataFrame(_table(rows)), work=tmp_path)
    for side, most in (("users", 1 / 15), ("items", 1 / 5)):
        blocks = blocks_of(made, side, 6)
        parts = [read_block(blocks.folder, number) for number in range(6)]
        counts = np.array([np.bincount(part.objects, minlength=400) for part in parts])
        met = counts @ counts.T - np.diag(counts.sum(axis=1))
        met[np.diag_indices(6)] //= 2
        assert met[np.triu_indices(6)].max() <= most * met[np.triu_indices(6)].sum()
    assert_same(
        cs.neighbors(made, of="items", measure="cosine", k=5, blocks=6),
        cr.neighbors(cr.Ratings.from_table(_table(rows)), of="items", measure="cosine", k=5),
    )


def test_the_command_line_on_spark_writes_what_it_writes_alone(local, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(small.to_arrow(), "ratings.parquet")
    rows = zip(*(small.to_arrow()[name].to_pylist() for name in NAMES), strict=True)
    Path("ratings.dat").write_text("".join(f"{user}::{item}::{rating:g}\n" for user, item, rating in rows))
    model = ["-n", "5", "--measure", "pearson", "--k", "9", "--min-common", "2", "--min-support", "3"]
    _corated("recommend", "ratings.parquet", *model, "-o", "alone.parquet")
    alone = pq.read_table("alone.parquet")
    for name in ("ratings.parquet", "ratings.dat"):
        out = f"out-{name}"
        args = ["--engine", "spark", "--work", "work", "--blocks", "2", "-o", out, "--json"]
        told = json.loads(_corated("recommend", name, *model, *args))
        found = pq.read_table(out)
        assert_equal(found, alone)
        assert (told["users"], told["rows"]) == (small.n_users, len(alone))
        assert told["users_with_fewer_than_n"] == 0 and set(told["rows_by_source"]) == {
            "neighbors",
            "popularity",
        }
    assert "has files already" in _corated(
        "recommend", "ratings.dat", "--engine", "spark", "-o", "out-ratings.dat", code=1
    )


def _corated(*args, code=0):
    """Run the command line in this process; return what it printed."""
    ran = CliRunner().invoke(app, list(args), prog_name="corated")
    assert ran.exit_code == code, ran.output
    return ran.output if code else ran.stdout


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


# -- processes of their own ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    """A session of two executors, each a process with one core, and their Python processes."""
    spark = _started("local-cluster[2,1,2048]")
    yield spark
    spark.stop()


@pytest.mark.parametrize("case", SIX["local-cluster[2,1,2048]"], ids=str)
def test_processes_give_the_bits_of_one_machine(cluster, data, case, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "cluster"
    folder.mkdir(exist_ok=True)
    assert_case(cluster, _real(data, case[0]), case, folder)


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
