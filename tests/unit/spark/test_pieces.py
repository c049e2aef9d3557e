"""The small parts: the work folder, figures, sessions, metrics of a batch, what is exported."""

import builtins
import dataclasses
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import corated as cr
import corated.spark as cs
from corated.errors import MissingExtraError, ParameterError
from corated.evaluation.ranked import Rankings, Relevance, match
from corated.evaluation.table import METRICS
from corated.spark.folder import Folder
from corated.spark.judging import _asked, _Judge
from corated.spark.problem import Problem, Wish
from corated.spark.sessions import is_one_machine
from corated.spark.size import PROCESS, merge_bytes, pair_bytes, pairs_of, tasks_of
from corated.spark.tasks import told


def test_files_are_whole_or_not_there(folder):
    folder.write_json("facts.json", {"a": 1})

    def broken():
        yield pa.record_batch({"x": pa.array([1])})
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        folder.write_batches("list.arrow", pa.schema([("x", pa.int64())]), broken())
    with pytest.raises(RuntimeError, match="lost"):
        folder.write_rows("rows.parquet", pa.schema([("x", pa.int64())]), broken())
    assert folder.names() == {"facts.json"}
    assert folder.read_json("facts.json") == {"a": 1}
    assert folder.read_json("others.json") is None
    assert not folder.has("list.arrow")


def test_what_is_written_is_read(folder):
    table = pa.table({"x": [1, 2, 3]})
    folder.write_parquet("table.parquet", table)
    assert folder.read_parquet("table.parquet").equals(table)
    folder.write_batches("list.arrow", table.schema, iter(table.to_batches(max_chunksize=2)))
    assert [batch.num_rows for batch in folder.read_batches("list.arrow")] == [2, 1]
    assert folder.write_rows("rows.parquet", table.schema, iter(table.to_batches(max_chunksize=1))) == 3
    assert folder.read_parquet("rows.parquet").equals(table)
    folder.write_json("table.parquet", {})  # in place of what stood there
    assert folder.read_json("table.parquet") == {}
    folder.remove()
    folder.remove()
    assert folder.names() == set()


def test_a_folder_is_a_path_or_an_address(tmp_path):
    Folder(tmp_path.as_uri()).write_json("a.json", {"b": 2})
    assert Folder(str(tmp_path)).within().read_json("a.json") == {"b": 2}
    assert Folder("hdfs://host/run/").within("a", "b").uri == "hdfs://host/run/a/b"


def test_every_pair_of_blocks_is_a_task():
    assert pairs_of(1) == [(0, 0)]
    assert pairs_of(3) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    assert all(tasks_of(n) == len(pairs_of(n)) for n in range(1, 9))


def test_bytes_grow_with_what_is_held():
    base = pair_bytes(1000, 10_000, 10, 1, floats=False, deferred=False)
    assert base > PROCESS
    for changed in (
        pair_bytes(1001, 10_000, 10, 1, floats=False, deferred=False),
        pair_bytes(1000, 10_001, 10, 1, floats=False, deferred=False),
        pair_bytes(1000, 10_000, 11, 1, floats=False, deferred=False),
        pair_bytes(1000, 10_000, 10, 2, floats=False, deferred=False),
        pair_bytes(1000, 10_000, 10, 1, floats=True, deferred=False),
        pair_bytes(1000, 10_000, 10, 1, floats=False, deferred=True),
    ):
        assert changed > base
    assert PROCESS < merge_bytes(10, 5) < merge_bytes(11, 5) < merge_bytes(11, 6)


@pytest.mark.parametrize(
    ("master", "is_one"),
    [
        *[("local", True), ("local[*]", True), ("local[2,3]", True), ("local-cluster[2,1,2048]", True)],
        *[("yarn", False), ("spark://h:7077", False), ("k8s://x", False), ("localhost", False)],
    ],
)
def test_masters_of_one_machine(master, is_one):
    assert is_one_machine(master) is is_one


def test_without_pyspark_there_is_the_command_that_installs_it(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "pyspark":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for call in (
        cs.session,
        lambda: cs.neighbors("ratings.parquet"),
        lambda: cs.plan("ratings.parquet"),
    ):
        with pytest.raises(MissingExtraError, match=r"pyspark is not installed") as raised:
            call()
        assert "pip install 'corated[spark]'" in str(raised.value)


def test_importing_loads_no_pyspark_and_names_are_functions():
    code = (
        "import sys, corated.spark as cs\n"
        "assert 'pyspark' not in sys.modules\n"
        "for name in reversed(cs.__all__): assert callable(getattr(cs, name)), name\n"
        "assert 'pyspark' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(cs.__all__) <= set(dir(cs))
    with pytest.raises(AttributeError, match="nothing"):
        cs.nothing  # noqa: B018


def test_what_executors_lack_is_said():
    errors = pytest.importorskip("pyspark.errors")
    for text, kind, said in (
        ("x\nModuleNotFoundError: No module named 'corated'", MissingExtraError, "executors have no corated"),
        ("x\nFileNotFoundError: /a/b\ny", OSError, "FileNotFoundError: /a/b"),
    ):
        with pytest.raises(kind, match=said), told():
            raise errors.PySparkException(text)
    with pytest.raises(errors.PySparkException, match="other"), told():
        raise errors.PySparkException("other")


def test_a_problem_that_cannot_be_packed_is_of_floats_on_all_blocks(on_spark, dealt, folder):
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 2], [1, 2, 3, 4])
    blocks = dealt(ratings, "users", [0, 1], folder)
    made = on_spark(ratings, folder)
    wish = Wish.of(made, "users", "pearson", 5, 1)
    packed = Problem.of(made, wish, blocks, valued=True)
    assert packed.integers is not None and packed.effective == 2 and packed.most == 1
    assert Problem.of(made, wish, blocks, valued=False).effective == 1
    huge = dataclasses.replace(blocks, largest=2**31)
    floats = Problem.of(made, wish, huge, valued=True)
    assert floats.integers is None and floats.layouts == [] and floats.unit == 1.0


def test_metrics_of_a_batch_are_those_of_one_machine():
    names = ["ndcg@3", "recall@2", "map@3", "ndcg_rating@3", "mrr@1", "hit_rate@2", "precision@3"]
    listed = [[0, 2], [1, 0, 3], None, []]
    relevant = [[(2, 4.0), (None, 5.0)], [], [(1, 3.0), (4, 2.0)], [(None, 1.0), (None, 2.0)]]
    codes = [3, 0, None, 7]
    batch = pa.record_batch(
        {
            "user_code": pa.array(codes, pa.int32()),
            "listed": pa.array(listed, pa.list_(pa.int32())),
            "relevant": pa.array(
                [[{"item_code": code, "rating": rating} for code, rating in row] for row in relevant],
                pa.list_(pa.struct([("item_code", pa.int32()), ("rating", pa.float64())])),
            ),
        }
    )
    (found,) = _Judge(tuple(names), 3, 5, (4, 0, 1))(iter([batch]))
    assert found.column("is_new").to_pylist() == [False, False, True, False]
    lists = Rankings.of_lists([[0, 2], [1, 0, 3], [4, 0, 1], []], 3)
    rows = Relevance.of_rows([{2: 4.0, 5: 5.0}, {}, {1: 3.0, 4: 2.0}, {5: 1.0, 6: 2.0}], 5)
    for at, asked in enumerate(_asked(names)):
        case = type("Case", (), {"match": match(lists, rows)})
        want = METRICS[asked.metric.name].function(case, asked.n)
        np.testing.assert_array_equal(found.column(f"m{at}").to_numpy(), want)


@pytest.mark.parametrize("metrics", [["gini@10"], ["rmse"], ["auc"], []])
def test_metrics_that_read_more_than_lists_are_refused(metrics):
    with pytest.raises(ParameterError):
        _asked(metrics)
