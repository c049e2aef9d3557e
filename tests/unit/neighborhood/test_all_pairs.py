"""Every pair once, as a file: equal to the oracle, the same for any threads, whole or not at all."""

import json
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from corated.errors import Cancelled, OutputError, ParameterError
from corated.neighborhood import all_pairs as module
from corated.neighborhood.all_pairs import all_pairs
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES, get_measure


def table(n_users, n_items, scale, seed, name=int):
    """Columns of random ratings, few levels so that flat overlaps occur."""
    rng = np.random.default_rng(seed)
    low, high, step = scale
    levels = rng.choice(round((high - low) / step) + 1, 3, replace=False)
    rows = [
        (name(user), name(int(item)), round(low + step * int(rng.choice(levels)), 10))
        for user in rng.permutation(n_users).tolist()
        for item in rng.choice(n_items, rng.integers(1, n_items // 2), replace=False)
    ]
    return list(zip(*rows, strict=True))


@pytest.fixture
def few_per_block(monkeypatch):
    """Many small blocks and row groups, so that order and handing over are put to work."""
    monkeypatch.setattr(module, "_BLOCK_PAIRS", 16)
    monkeypatch.setattr(module, "_ROW_GROUP", 50)


@pytest.fixture
def old(tmp_path):
    """A file that stands at the target already."""
    path = tmp_path / "pairs.parquet"
    path.write_bytes(b"old")
    return path


def is_untouched(old):
    return old.read_bytes() == b"old" and [path.name for path in old.parent.iterdir()] == [old.name]


@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("scale", "name"), [((0, 10, 1), int), ((0.5, 5, 0.5), str)])
def test_equal_to_the_oracle(tmp_path, few_per_block, is_exact, measure, of, scale, name):
    ratings = Ratings.from_arrays(*table(18, 14, scale, 5, name), scale=scale)
    done = all_pairs(ratings, to=tmp_path / "p", of=of, measure=measure, min_common=2, threads=2)
    written = pq.read_table(tmp_path / "p").to_pylist()
    ids = list(ratings.users if of == "users" else ratings.items)
    wanted = {}
    kind = get_measure(measure)
    for at, a in enumerate(ids):
        for b in ids[at + 1 :] if kind.symmetric else [*ids[:at], *ids[at + 1 :]]:
            n = reference.sums(ratings, a, b, of=of).n
            if n >= 2:
                wanted[a, b] = (reference.value(ratings, a, b, of=of, measure=measure).value, n)
    got = {(row["id"], row["neighbor"]): (row["value"], row["n_common"]) for row in written}
    if is_exact(ratings, kind):
        assert got == wanted
    else:
        assert {pair: n for pair, (_, n) in got.items()} == {pair: n for pair, (_, n) in wanted.items()}
        for pair, (value, _) in wanted.items():
            assert got[pair][0] == (None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12))
    assert len(written) == len(wanted) == done.rows
    assert done.undefined == sum(value is None for value, _ in wanted.values())
    if measure == "pearson":
        assert done.undefined > 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [(int, pa.int64()), (str, pa.dictionary(pa.int32(), pa.string()))],
    ids=["integer", "text"],
)
def test_columns(tmp_path, name, kind):
    ratings = Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6, name))
    all_pairs(ratings, to=tmp_path / "p")
    schema = pq.read_table(tmp_path / "p").schema
    assert schema.names == ["id", "neighbor", "value", "n_common"]
    assert schema.types == [kind, kind, pa.float64(), pa.int64()]


def test_the_same_rows_for_any_threads_and_any_order_of_the_ratings(tmp_path, few_per_block):
    columns = table(60, 20, (1, 5, 1), 7)
    first = None
    for seed, threads in ((None, 1), (None, 2), (None, 5), (8, 1), (9, 3)):
        order = (
            range(len(columns[0]))
            if seed is None
            else np.random.default_rng(seed).permutation(len(columns[0]))
        )
        ratings = Ratings.from_arrays(*([column[at] for at in order] for column in columns), scale=(1, 5, 1))
        all_pairs(ratings, to=tmp_path / "p", measure="pearson", threads=threads)
        written = pq.read_table(tmp_path / "p")
        first = first or written
        assert written.equals(first)
    assert pq.ParquetFile(tmp_path / "p").num_row_groups > 5


@pytest.mark.jit
def test_on_real_ratings(tmp_path, data):
    """Pairs and counts as SciPy's product of the 0/1 matrix has them."""
    ratings = read_ratings(data("ml-latest-small") / "ratings.csv")
    by_user = ratings.by_user
    ones = np.ones(len(by_user.indices), dtype=np.int64)
    matrix = scipy.sparse.csr_array((ones, by_user.indices, by_user.indptr))
    common = scipy.sparse.triu(matrix @ matrix.T, k=1).tocoo()
    enough = common.data >= 3
    done = all_pairs(ratings, to=tmp_path / "p", min_common=3)
    written = pq.read_table(tmp_path / "p")
    codes = [ratings.users.codes(written[name].combine_chunks()) for name in ("id", "neighbor")]
    order = np.lexsort(codes[::-1])
    wanted = np.lexsort((common.col[enough], common.row[enough]))
    assert done.rows == len(order) == len(wanted) > 100_000
    assert (codes[0][order] == common.row[enough][wanted]).all()
    assert (codes[1][order] == common.col[enough][wanted]).all()
    assert (written["n_common"].to_numpy()[order] == common.data[enough][wanted]).all()


def test_nobody_has_anything_in_common(tmp_path):
    done = all_pairs(Ratings.from_arrays([1, 2, 3], [4, 5, 6], [1, 2, 3]), to=tmp_path / "p")
    assert (done.rows, done.undefined) == (0, 0)
    assert pq.read_table(tmp_path / "p").num_rows == 0
    assert all_pairs(Ratings.from_arrays([1], [2], [3]), to=tmp_path / "q").rows == 0
    assert pq.read_table(tmp_path / "q").column_names == ["id", "neighbor", "value", "n_common"]


def test_more_in_common_than_anybody_has(tmp_path):
    ratings = Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6))
    assert all_pairs(ratings, to=tmp_path / "p", min_common=10_000).rows == 0


def test_the_summary(tmp_path):
    done = all_pairs(
        Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6)), to=str(tmp_path / "p"), measure="pearson"
    )
    assert done.path == tmp_path / "p"
    assert (done.of, done.measure, done.min_common) == ("users", "pearson", 1)
    read = json.loads(json.dumps(done.to_dict()))
    assert read["rows"] == done.rows > 0
    assert read["path"] == str(tmp_path / "p")
    assert f"{done.rows:,} pairs of users" in str(done)
    assert f"{done.undefined:,} of them undefined" in str(done)


def test_progress_counts_up_to_the_whole(tmp_path, few_per_block):
    calls = []
    ratings = Ratings.from_arrays(*table(30, 20, (1, 5, 1), 6))
    all_pairs(ratings, to=tmp_path / "p", progress=lambda done, total: calls.append((done, total)))
    (total,) = {total for _, total in calls}
    counts = ratings.item_counts
    assert total == (counts * (counts - 1) // 2).sum()
    assert calls[0] == (0, total)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)


def test_stopped_by_its_progress(old):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        all_pairs(Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6)), to=old, progress=stop)
    assert is_untouched(old)


def test_cancelled(old):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        all_pairs(dense(2_000, 40), to=old, cancel=cancel)
    assert is_untouched(old)


def dense(n_users, n_items):
    """Every user rated every item: two million pairs of 2,000 users, which takes a moment."""
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    return Ratings.from_arrays(users, items, (users * 7 + items) % 5, scale=(0, 4, 1))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"measure": "nearness"}, ParameterError),
        ({"of": "people"}, ParameterError),
        ({"min_common": 0}, ParameterError),
        ({"threads": 0}, ParameterError),
        ({"progress": "yes"}, ParameterError),
    ],
)
def test_wrong_options_touch_nothing(old, options, error):
    with pytest.raises(error):
        all_pairs(Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6)), to=old, **options)
    assert is_untouched(old)


def test_the_old_file_is_replaced(old):
    done = all_pairs(Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6)), to=old)
    assert pq.read_metadata(old).num_rows == done.rows
    assert [path.name for path in old.parent.iterdir()] == [old.name]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        all_pairs(Ratings.from_arrays(*table(12, 9, (1, 5, 1), 6)), to=tmp_path / "none" / "p")


class Recorder:
    """Stands in for a Parquet writer."""

    def __init__(self):
        self.numbers = []

    def write_table(self, table, row_group_size):
        self.numbers += table["value"].to_pylist()


def batch(number):
    return pa.RecordBatch.from_pydict({"value": pa.array([number])})


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_blocks_in_flight_are_bounded_and_written_in_order(monkeypatch):
    monkeypatch.setattr(module, "_ROW_GROUP", 1)
    writer, flag = Recorder(), np.zeros(1, dtype=np.uint8)
    sink = module._Sink(writer, threads=2)
    for number in (3, 1, 4):
        sink.put(number, batch(number), flag)
    late = threading.Thread(target=sink.put, args=(2, batch(2), flag))
    late.start()
    late.join(0.2)
    assert late.is_alive()  # three wait already, and none of them is next
    assert writer.numbers == []
    sink.put(0, batch(0), flag)
    late.join(30)
    wait_until(lambda: len(writer.numbers) == 5)
    assert writer.numbers == [0, 1, 2, 3, 4]
    assert sink.rows == 5


def test_a_stop_lets_go_of_those_who_wait(monkeypatch):
    monkeypatch.setattr(module, "_ROW_GROUP", 1)
    writer, flag = Recorder(), np.zeros(1, dtype=np.uint8)
    sink = module._Sink(writer, threads=1)
    for number in (1, 2):
        sink.put(number, batch(number), flag)
    late = threading.Thread(target=sink.put, args=(3, batch(3), flag))
    late.start()
    flag[0] = 1
    late.join(30)
    assert not late.is_alive()
    assert writer.numbers == []


@pytest.mark.parametrize("least", [1, 3])
def test_blocks_hold_what_they_promise(least, few_per_block):
    ratings = Ratings.from_arrays(*table(40, 20, (1, 5, 1), 6))
    engine = module.Engine.build(ratings, of="users", measure="pearson", min_common=least)
    blocks, most = module._blocks(engine)
    labels = np.concatenate([labels for _, (_, _, labels) in blocks])
    assert (np.diff(labels) > 0).all()
    assert [number for _, (number, _, _) in blocks] == list(range(len(blocks)))
    assert sum(weight for weight, _ in blocks) == engine.events(both=True).sum()
    assert most <= 16 + engine.n
    assert len(blocks) > 3
