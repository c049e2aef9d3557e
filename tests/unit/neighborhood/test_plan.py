"""What a plan says is what happens: events and bytes exactly, pairs nearly, and advice that helps."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import corated as cr
from corated.errors import DataError, ParameterError
from corated.neighborhood import cost as cost_module
from corated.neighborhood import find as find_module
from corated.neighborhood import memory as memory_module
from corated.neighborhood import plan as module
from corated.neighborhood.all_pairs import all_pairs
from corated.neighborhood.engine import Engine
from corated.neighborhood.graph import neighbors
from corated.neighborhood.plan import available_memory, plan
from corated.ratings.ratings import Ratings
from corated.ratings.sample import sample
from corated.similarity import reference
from corated.similarity.topk import new_topk


@pytest.fixture(scope="module")
def few():
    """So few subjects that nothing is estimated."""
    rng = np.random.default_rng(51)
    users, items = np.divmod(rng.choice(15 * 12, 70, replace=False), 12)
    return Ratings.from_arrays(users, items, rng.integers(1, 6, 70), scale=(1, 5, 1))


@pytest.fixture(scope="module")
def many():
    return sample(users=3_000, items=800, ratings=40_000, seed=5).ratings


@pytest.mark.parametrize("of", ["users", "items"])
def test_events_are_the_ratings_in_common(few, of):
    ids = list(few.users if of == "users" else few.items)
    common = [reference.sums(few, a, b, of=of).n for at, a in enumerate(ids) for b in ids[at + 1 :]]
    planned = plan(few, of=of, measure="euclidean")
    assert planned.events == sum(common)
    assert planned.pairs == sum(n > 0 for n in common)
    assert plan(few, of=of, min_common=3).pairs == sum(n >= 3 for n in common)
    # One rating in common is none to correlate.
    assert plan(few, of=of, measure="pearson").pairs == sum(n >= 2 for n in common)
    assert (planned.n, planned.n_ratings) == (len(ids), 70)


def test_rows_of_few_are_counted(few):
    for least in (1, 2):
        found = neighbors(few, k=3, measure="euclidean", min_common=least)
        assert plan(few, k=3, measure="euclidean", min_common=least).rows == len(found)
        assert plan(few, k=3, measure="pearson", min_common=least).rows == len(
            neighbors(few, k=3, measure="euclidean", min_common=2)
        )


@pytest.mark.jit
@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("least", [1, 2, 4])
def test_pairs_and_rows_are_near(many, tmp_path, of, least):
    planned = plan(many, of=of, measure="euclidean", min_common=least, k=30)
    done = all_pairs(many, to=tmp_path / "p", of=of, min_common=least)
    assert done.rows > 1_000
    assert planned.pairs == pytest.approx(done.rows, rel=0.3)
    found = neighbors(many, of=of, min_common=least, k=30, measure="euclidean")
    assert planned.rows == pytest.approx(len(found), rel=0.4)


@pytest.mark.parametrize(
    ("of", "measure", "k", "least"), [("users", "pearson", 40, 1), ("items", "jaccard", 7, 3)]
)
def test_bytes_are_those_of_the_arrays(many, of, measure, k, least):
    engine = Engine.build(many, of=of, measure=measure, min_common=least)
    planned = plan(many, of=of, measure=measure, k=k, min_common=least, threads=2)
    bound = engine.most_candidates

    def size(arrays):
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))

    one = new_topk(k, bound)
    # A few arrays have an entry or two more than there are subjects.
    assert planned.strategy == "both"
    assert planned.bytes_thread == pytest.approx(size(engine.scratch()) + size(one), abs=64)
    whole, base = engine.numbers.whole, engine.base
    arranged = size(engine.profiles) + size(engine.popular) + size((whole.count, whole.sum, whole.norm))
    arranged += sum(a.nbytes for a in (base.p, base.q, base.bound) if len(a) and a is not whole.count)
    arranged += size(many.by_item) if of == "items" else 0
    assert arranged <= planned.bytes_profiles <= arranged + 8 * engine.n
    assert planned.words == engine.words


@pytest.fixture
def runs(monkeypatch):
    """How many blocks each run had, as they come."""
    counts, run_blocks = [], find_module.run_blocks

    def record(blocks, make_state, work, run):
        if blocks and isinstance(blocks[0][1], tuple):  # not the merging
            counts.append(len(blocks))
        return run_blocks(blocks, make_state, work, run)

    monkeypatch.setattr(find_module, "run_blocks", record)
    return counts


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("memory_limit", [None, 5_000_000])
def test_blocks_are_those_of_the_run(many, threads, memory_limit, runs, monkeypatch):
    monkeypatch.setattr(Engine, "select", lambda *args: None)
    neighbors(many, threads=threads, memory_limit=memory_limit)
    planned = plan(many, threads=threads, memory_limit=memory_limit)
    assert sum(runs) == planned.blocks
    assert len(runs) == (planned.parts if planned.strategy == "one-sided" else 1)
    assert planned.parts > 2 or memory_limit is None


def test_blocks_of_whole_rows_are_those_of_the_run(runs, monkeypatch):
    """Of many with one rating, whose order is another one in the run."""
    rng = np.random.default_rng(5)
    each = np.append(np.ones(3_000, dtype=np.int64), np.full(200, 20))
    pairs = np.unique(np.stack([np.repeat(np.arange(3_200), each), rng.integers(0, 50, each.sum())]), axis=1)
    ratings = Ratings.from_arrays(*pairs, rng.integers(1, 6, pairs.shape[1]))
    monkeypatch.setattr(cost_module, "_SMALLEST_BLOCK", 700)
    monkeypatch.setattr(cost_module, "_BLOCKS_PER_THREAD", 10**6)
    neighbors(ratings, measure="cosine", threads=2)
    assert [plan(ratings, measure="cosine", threads=2).blocks] == runs
    assert runs[0] > 100


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_blocks_grow_smaller_toward_the_end(threads):
    left, sizes = 300_000_000, []
    while left > 0:
        sizes.append(cost_module.block_target(left, threads))
        left -= sizes[-1]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 300_000_000 // (4 * threads)
    assert sizes[0] <= cost_module._LARGEST_BLOCK
    assert sizes[-1] == cost_module._SMALLEST_BLOCK
    assert len(sizes) <= cost_module.most_blocks(300_000_000, 1)


def test_each_option_changes_something(many):
    base = plan(many, k=10, threads=2)
    assert plan(many, of="items", k=10, threads=2).n == 800
    wide = Ratings.from_arrays([1] * 700 + [2] * 700, [*range(700)] * 2, [0, 255] * 700, scale=(0, 255, 1))
    assert plan(wide, measure="jaccard").words < plan(wide, measure="pearson").words
    assert plan(many, k=40, threads=2).bytes_thread > base.bytes_thread
    assert plan(many, k=40, threads=2).rows > base.rows
    assert plan(many, k=10, threads=2, min_common=5).pairs < base.pairs / 2
    assert plan(many, k=10, threads=2, min_common=15).events < base.events
    assert plan(many, k=10, threads=1).seconds > base.seconds
    assert plan(many, k=10, threads=1).bytes_peak < base.bytes_peak


def test_threads_beyond_the_blocks_take_no_memory(few):
    assert plan(few, threads=64).bytes_peak == plan(few, threads=1).bytes_peak


def test_nobody_has_anything_in_common():
    planned = plan(Ratings.from_arrays([1, 2], [3, 4], [5, 5]))
    assert (planned.events, planned.pairs, planned.rows) == (0, 0, 0)
    assert planned.fits


def test_nothing_is_compared(many, monkeypatch):
    monkeypatch.setattr(Engine, "select", None)
    monkeypatch.setattr(find_module, "run_blocks", None)
    assert plan(many).pairs > 0


def test_a_few_lines_and_json(many):
    planned = plan(many, of="items", measure="euclidean", k=7, min_common=2, threads=3)
    lines = str(planned).splitlines()
    assert lines[0] == "neighbors of 800 items: euclidean, k=7, min_common=2"
    assert f"{planned.events:,} pair events" in lines[1]
    assert lines[2].endswith("on 3 threads, both")
    assert len(lines) == 4
    assert json.loads(json.dumps(planned.to_dict())) == dataclasses.asdict(planned)


def test_wrong_options(few):
    for options in (
        {"k": 0},
        {"k": "ten"},
        {"min_common": 0},
        {"of": "x"},
        {"measure": "x"},
        {"threads": -1},
    ):
        with pytest.raises(ParameterError):
            plan(few, **options)
    ratings = Ratings.from_arrays([1, 1, 2], [1, 2, 1], [0.123, 17.7, 3999.0])
    with pytest.raises(DataError):
        plan(ratings, measure="constrained_pearson")
    assert plan(ratings, measure="jaccard").events == 1


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_999, "1 MB"), (1.5e9, "1.5 GB"), (2e15, "2,000 TB")],
)
def test_sizes(n, text):
    assert memory_module.size_of(n).replace("2e+03", "2,000") == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123, "0.01 s"), (3.44, "3.4 s"), (99, "99 s"), (600, "10 min"), (7200, "2.0 h")]
)
def test_times(seconds, text):
    assert module._seconds(seconds) == text


def test_memory_of_containers(tmp_path):
    own = tmp_path / "own"
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5\n")
    (tmp_path / "a" / "memory.max").write_text("1000\n")
    (tmp_path / "a" / "memory.current").write_text("400\n")
    (tmp_path / "a" / "memory.stat").write_text("anon 3\ninactive_file 100\n")
    own.write_text("0::/a/b\n")
    assert list(memory_module._container_memory(tmp_path, own)) == [700]
    old = tmp_path / "memory" / "c"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("2000")
    (old / "memory.usage_in_bytes").write_text("500")
    own.write_text("3:cpu,cpuacct:/c\n4:memory:/c\n")
    assert list(memory_module._container_memory(tmp_path, own)) == [1500]
    assert list(memory_module._container_memory(tmp_path, tmp_path / "none")) == []


def test_fields_of_files(tmp_path):
    path = tmp_path / "f"
    path.write_text("\nTotal: 7 kB\nOdd: x\n")
    assert memory_module._field(path, "Total:") == 7
    assert memory_module._field(path, "Odd:") is None
    assert memory_module._field(path, "None:") is None
    assert memory_module._field(tmp_path / "none", "Total:") is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_limit_on_the_process_counts():
    code = (
        "import resource; from corated.neighborhood.memory import _field, available_memory, Path;"
        "used = _field(Path('/proc/self/status'), 'VmSize:') * 1024;"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY));"
        "print(available_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) <= 50_000_000


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="reads /proc")
def test_memory_of_this_machine():
    assert 0 < available_memory() <= memory_module._field(Path("/proc/meminfo"), "MemTotal:") * 1024


def test_more_neighbors_than_there_are_take_no_more(many):
    assert plan(many, k=10**9).bytes_peak == plan(many, k=many.n_users - 1).bytes_peak


def test_nobody_has_more_candidates_than_the_bound():
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2, 3], [1, 2, 1, 2, 1], [1, 2, 3, 4, 5])
    engine = Engine.build(ratings, of="users", measure="euclidean", min_common=1)
    by_user = dict(zip(engine.profiles.rank, engine.most_candidates, strict=True))
    assert by_user == {0: 2, 1: 2, 2: 2}
    engine = Engine.build(ratings, of="users", measure="pearson", min_common=2)
    by_user = dict(zip(engine.profiles.rank, engine.most_candidates, strict=True))
    assert by_user == {0: 1, 1: 1, 2: 0}
