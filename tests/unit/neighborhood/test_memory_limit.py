"""Any size in a given memory: the same bits, no more bytes than foreseen, and refusals with the figures."""

import itertools
import re
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest

from corated.errors import MemoryLimitError, ParameterError
from corated.neighborhood import cost as cost_module
from corated.neighborhood import engine as engine_module
from corated.neighborhood import work as work_module
from corated.neighborhood.engine import Engine
from corated.neighborhood.graph import Wanted, neighbor_parts, neighbors, search_of
from corated.neighborhood.memory import bytes_of
from corated.neighborhood.plan import plan
from corated.ratings.ratings import Ratings
from corated.ratings.sample import sample
from corated.similarity.measures import MEASURES


@pytest.fixture(scope="module")
def many():
    return sample(users=900, items=400, ratings=9_000, seed=5).ratings


def made(n_users, n_items, n_ratings, name=int):
    rng = np.random.default_rng(61)
    users, items = np.divmod(rng.choice(n_users * n_items, n_ratings, replace=False), n_items)
    columns = [[name(id) for id in ids.tolist()] for ids in (users, items)]
    return Ratings.from_arrays(*columns, rng.integers(1, 6, n_ratings), scale=(1, 5, 1))


@pytest.fixture
def small_parts(monkeypatch):
    """Parts and pieces as they are with a thousand times the ratings."""
    monkeypatch.setattr(work_module, "_LEAST_PART", 20_000)
    monkeypatch.setattr(work_module, "_WRITTEN_PART", 200_000)
    monkeypatch.setattr(cost_module, "_SMALLEST_BLOCK", 2_000)
    monkeypatch.setattr(cost_module, "_PIECE_BYTES", 1_500)
    monkeypatch.setattr(cost_module, "_ENTRIES_PER_VISIT", 0)


def bits(graph):
    arrays = (graph.subjects, graph.indptr, graph.neighbor, graph.value, graph.n_common)
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


def limits(ratings, **options):
    """Limits from ample to the least that is not refused, with the plan for each."""
    limit = plan(ratings, **options).bytes_peak
    found = []
    while True:
        try:
            planned = plan(ratings, memory_limit=limit, **options)
        except MemoryLimitError:
            return found
        if not planned.fits:
            return found
        found.append((limit, planned))
        limit = int(limit * 0.85)


@pytest.mark.jit
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize(
    ("measure", "least", "in_rows"),
    [
        *((name, 1, False) for name in MEASURES),
        *((name, least, False) for name, least in (("pearson", 3), ("msd", 2))),
        *((name, 1, True) for name in ("cosine", "jaccard", "dice", "tversky")),
    ],
)
def test_limits_threads_and_files_change_no_bit(many, tmp_path, monkeypatch, of, measure, least, in_rows):
    monkeypatch.setattr(engine_module, "rows_pay", lambda *_, **__: in_rows)
    options = {"of": of, "measure": measure, "min_common": least, "k": 12}
    loose = neighbors(many, threads=1, **options)
    table = loose.to_arrow()
    assert len(loose) > 2_000
    strategies = set()
    for to in (None, tmp_path / "graph.parquet"):
        threads = itertools.cycle((1, 2, 3))
        for limit, planned in limits(many, to=to, threads=3, **options):
            found = neighbors(many, to=to, memory_limit=limit, threads=next(threads), **options)
            strategies.add((planned.strategy, planned.parts > 1))
            if to is None:
                assert bits(found) == bits(loose)
                assert found.to_arrow().equals(table)
            else:
                assert pq.read_table(to).equals(table)
                assert found.rows == len(loose)
    wanted = Wanted(of, measure, 12, least)
    search = search_of(many, wanted, None, in_parts=True)
    pieces = work_module.work_of(search, 1, 1).pieces
    assert search.whole_rows == in_rows
    if in_rows:
        assert pieces == 1
        assert ("one-sided", True) in strategies
        assert {strategy for strategy, _ in strategies} == {"one-sided"}
    else:
        assert pieces > 2
        assert {("both", False), ("both", True), ("one-sided", True)} <= strategies


@pytest.mark.jit
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("of", ["users", "items"])
def test_some_subjects_in_parts(many, tmp_path, of):
    ids = (many.users if of == "users" else many.items).ids.to_pylist()
    for subjects in (ids[::2], ids, ids[7:8], []):
        loose = neighbors(many, of=of, subjects=subjects, k=12)
        search = search_of(many, Wanted(of, k=12, subjects=subjects), None, in_parts=False)
        least = work_module.held(search.engine) + work_module.work_of(search, 1, 0).to_take
        limit = max(least, work_module.preparation(many, of))
        tight = neighbors(many, of=of, subjects=subjects, k=12, memory_limit=limit)
        assert bits(tight) == bits(loose)
        done = neighbors(many, of=of, subjects=subjects, k=12, memory_limit=limit, to=tmp_path / "p")
        assert pq.read_table(tmp_path / "p").equals(loose.to_arrow())
        assert (done.subjects, done.rows) == (len(subjects), len(loose))


@pytest.mark.usefixtures("small_parts")
def test_parts_are_handed_on_in_order(many):
    whole = neighbors(many, k=5)
    limit = limits(many, k=5, to="p")[-1][0]
    parts = list(neighbor_parts(many, Wanted(k=5), memory_limit=limit))
    assert len(parts) > 3
    assert np.concatenate([part.subjects for part in parts]).tolist() == list(range(900))
    assert np.concatenate([part.value for part in parts]).tobytes() == whole.value.tobytes()
    assert sum(part.without_neighbors for part in parts) == whole.without_neighbors


@pytest.mark.jit
@pytest.mark.parametrize("to", [None, "graph.parquet"])
@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_peak_is_not_passed(tmp_path, of, to, threads):
    subjects = {"users": 800, "items": 800} | {of: 3_000}
    ratings = sample(ratings=40_000, seed=5, **subjects).ratings
    to = to and tmp_path / to
    neighbors(ratings, of=of, to=to, threads=threads)  # compiling takes memory too
    found = limits(ratings, of=of, to=to, threads=threads)
    assert len({planned.strategy for _, planned in found}) == 2
    for limit, planned in found:
        tracemalloc.start()
        neighbors(ratings, of=of, to=to, threads=threads, memory_limit=limit)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        to_take = limit - planned.bytes_profiles
        assert peak < to_take + 300_000  # objects of Python, which a plan does not count
        if to is None:
            assert peak > 0.5 * (planned.bytes_peak - planned.bytes_profiles)


@pytest.mark.jit
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("measure", "ratings"), [("jaccard", 30_000), ("cosine", 30_000), ("cosine", 120_000)]
)
def test_the_peak_of_whole_rows_is_not_passed(measure, ratings, threads):
    ratings = sample(users=3_000, items=500, ratings=ratings, seed=5).ratings
    options = {"measure": measure, "threads": threads, "k": 12}
    neighbors(ratings, **options)  # compiling takes memory too
    found = limits(ratings, **options)
    assert search_of(ratings, Wanted(measure=measure, k=12), None, in_parts=False).whole_rows
    for limit, planned in found:
        tracemalloc.start()
        neighbors(ratings, memory_limit=limit, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        to_take = limit - planned.bytes_profiles
        assert 0.4 * (planned.bytes_peak - planned.bytes_profiles) < peak < to_take + 300_000


@pytest.mark.jit
@pytest.mark.parametrize("measure", ["jaccard", "cosine", "euclidean"])
def test_the_peak_for_a_few_of_many_is_not_passed(measure):
    ratings = sample(users=60_000, items=5_000, ratings=200_000, seed=3).ratings
    few = {"measure": measure, "k": 5, "subjects": ratings.users.ids[::1_200].tolist()}
    neighbors(ratings, threads=1, **few)  # compiling takes memory too
    search = search_of(ratings, Wanted(**few), None, in_parts=False)
    tracemalloc.start()
    neighbors(ratings, threads=1, **few)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < work_module.work_of(search, 1, None).to_take + 300_000


@pytest.mark.jit
@pytest.mark.parametrize("to", [None, "graph.parquet"])
def test_what_a_plan_says_fits_runs_and_nothing_else(many, tmp_path, to):
    to = to and tmp_path / to
    enough, refused = plan(many, to=to).bytes_peak, 0
    while enough - refused > 1:  # the least limit that a plan takes, to the byte
        middle = (enough + refused) // 2
        try:
            fits = plan(many, to=to, memory_limit=middle).fits
        except MemoryLimitError:
            fits = False
        enough, refused = (middle, refused) if fits else (enough, middle)
    neighbors(many, to=to, memory_limit=enough)
    with pytest.raises(MemoryLimitError):
        neighbors(many, to=to, memory_limit=refused)


def figures(text):
    """The sizes in a message, in bytes."""
    return [bytes_of(size) for size in re.findall(r"[\d.]+ [kMG]?B\b", text)]


def test_a_refusal_has_the_figures_and_the_next_step(many):
    planned = plan(many, k=300)
    limit = planned.bytes_result + planned.bytes_profiles
    with pytest.raises(MemoryLimitError) as raised:
        neighbors(many, k=300, memory_limit=limit)
    needed, arranged, working, result, given = figures(raised.value.what)
    assert raised.value.what.startswith("300 neighbors of 900 users take at least ")
    assert given == pytest.approx(limit, rel=0.01)
    assert needed == pytest.approx(arranged + working + result, rel=0.02)
    assert needed > given
    assert result == pytest.approx(planned.bytes_result, rel=0.01)
    assert arranged == pytest.approx(planned.bytes_profiles, rel=0.01)
    assert raised.value.hint == 'to="graph.parquet" would fit'
    told = plan(many, k=300, memory_limit=limit)
    assert not told.fits
    assert told.advice == f"{raised.value.hint}."
    assert f"does not fit: {told.advice}" in str(told)
    assert plan(many, k=300, memory_limit=limit, to="graph.parquet").fits


@pytest.mark.jit
def test_advice_helps(monkeypatch):
    """Whatever is advised fits, be it a file, fewer neighbors or more in common."""
    ratings = sample(users=4_000, items=3_000, ratings=9_000, seed=3).ratings
    monkeypatch.setattr(work_module, "check_preparation", lambda *args: None)
    monkeypatch.setattr("corated.neighborhood.graph.check_preparation", lambda *args: None)
    monkeypatch.setattr(work_module, "_LEAST_PART", 0)
    told, limits = set(), [700_000, *range(1_200_000, 1_500_000, 20_000), 2_000_000, 3_000_000]
    for to in (None, "graph.parquet"):
        for k, limit in itertools.product((5, 60, 3_999), limits):
            planned = plan(ratings, k=k, to=to, memory_limit=limit, threads=1)
            if planned.fits:
                assert planned.advice == ""
                continue
            told.add(planned.advice)
            changes = dict(re.findall(r'(\w+)=("[\w.]+"|\d+)', planned.advice))
            if changes:
                asked = {"k": k, "to": to} | {name: eval(value) for name, value in changes.items()}
                assert "would fit" in planned.advice
                assert plan(ratings, memory_limit=limit, threads=1, **asked).fits
            else:
                assert planned.advice.startswith("raise memory_limit, or take a machine")
    assert {'to="graph.parquet" would fit.', "k=10 would fit."} <= told
    assert any("min_common=" in advice for advice in told)
    assert any(advice.startswith("raise") for advice in told)


def test_ratings_too_many_to_rearrange_are_refused_before(many, monkeypatch):
    monkeypatch.setattr(Engine, "build", None)
    for ask in (neighbors, plan):
        with pytest.raises(
            MemoryLimitError, match="Rearranging 9,000 ratings for neighbors of users"
        ) as raised:
            ask(many, memory_limit=100_000)
        needed, given = figures(raised.value.what)
        assert needed == pytest.approx(work_module.preparation(many, "users"), rel=0.01)
        assert given == 100_000
        assert raised.value.hint


@pytest.mark.jit
@pytest.mark.parametrize("of", ["users", "items"])
def test_rearranging_takes_what_is_foreseen(of):
    Engine.build(sample(size="small").ratings, of=of, measure="centered_cosine", min_common=3)
    for users, items, ratings in ((20_000, 300, 60_000), (500, 400, 60_000), (300, 20_000, 60_000)):
        fresh = sample(users=users, items=items, ratings=ratings, seed=1).ratings
        tracemalloc.start()
        engine = Engine.build(fresh, of=of, measure="centered_cosine", min_common=1)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert 0.7 * work_module.preparation(fresh, of) < peak < work_module.preparation(fresh, of)
        assert kept <= work_module.held(engine) + 50_000


def test_what_there_is_is_the_limit_where_none_is_given(many, monkeypatch):
    monkeypatch.setattr(work_module, "_HARDLY_ANY", 0)  # or nobody would look
    monkeypatch.setattr(work_module, "available_memory", lambda: 1_000)
    for options in ({}, {"subjects": many.users.ids.to_pylist()}, {"to": "p"}):
        with pytest.raises(MemoryLimitError, match=r"; 900 B are available(.|\n)*Next step: "):
            neighbors(many, **options)
    monkeypatch.setattr("corated.neighborhood.graph.check_preparation", lambda *args: None)
    with pytest.raises(MemoryLimitError, match=r"40 neighbors of 900 users(.|\n)*; 900 B are available"):
        neighbors(many, subjects=many.users.ids.to_pylist())
    room = plan(many).bytes_peak
    monkeypatch.setattr(work_module, "available_memory", lambda: int(room / 0.9))
    assert len(neighbors(many, subjects=many.users.ids.to_pylist()))
    monkeypatch.setattr(work_module, "available_memory", lambda: None)
    assert plan(many).fits
    assert len(neighbors(many))


def test_fewer_threads_where_all_would_not_fit(many, small_parts):
    one, eight = plan(many, threads=1), plan(many, threads=8)
    assert (one.threads, eight.threads) == (1, 8)
    assert eight.bytes_peak > one.bytes_peak
    between = plan(many, threads=8, memory_limit=eight.bytes_peak - 1)
    assert (between.strategy, between.threads) == ("both", 7)


def test_one_sided_is_said_to_take_longer(many):
    loose = plan(many, threads=2)
    tight = plan(many, threads=2, memory_limit=limits(many, threads=2)[-1][0])
    assert (loose.strategy, tight.strategy) == ("both", "one-sided")
    assert tight.seconds > loose.seconds
    assert tight.parts > loose.parts == 1
    assert f"one-sided in {tight.parts} parts" in str(tight)
    assert f"limit {tight.bytes_limit / 1e6:.3g} MB" in str(tight)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (7, 7),
        (np.int64(10**12), 10**12),
        ("7", 7),
        ("1 GB", 10**9),
        ("1gb", 10**9),
        ("1G", 10**9),
        ("512 MB", 512_000_000),
        (" 1.5 GiB ", 3 << 29),
        ("2Ki", 2048),
        (".5 kB", 500),
        ("3TB", 3 * 10**12),
        ("10 B", 10),
        (None, None),
    ],
)
def test_sizes_in_words(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    "wrong", ["", "much", "1 XB", "-1 GB", "1 iB", "1,5 GB", "GB", 0, -5, "0 GB", 1.5, True, [1], "1 GB 2"]
)
@pytest.mark.parametrize("ask", [neighbors, plan])
def test_what_is_no_amount_of_memory(many, ask, wrong):
    with pytest.raises(ParameterError, match=r"memory_limit=(.|\n)*Expected: (.|\n)*Next step: "):
        ask(many, memory_limit=wrong)
