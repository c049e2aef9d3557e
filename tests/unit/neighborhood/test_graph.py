"""The neighbor table: its columns, its ids, its order, and how it refuses."""

import dataclasses
import pickle
import threading

import numpy as np
import pyarrow as pa
import pytest

from corated.errors import Cancelled, IdTypeError, ParameterError, UnknownIdError
from corated.neighborhood import cost as cost_module
from corated.neighborhood.engine import Engine
from corated.neighborhood.graph import Neighbors, neighbors
from corated.ratings.ratings import Ratings
from corated.similarity.measures import get_measure

PEOPLE = {
    "ann": {"a": 1, "b": 2, "c": 3},
    "bob": {"a": 2, "b": 4, "c": 5},
    "cat": {"a": 3, "b": 2, "c": 1, "d": 5},
    "dan": {"d": 1, "e": 4},
    "eve": {"z": 5},
}


def ratings_of(profiles, scale=(1, 5, 1)):
    rows = [(user, item, rating) for user, profile in profiles.items() for item, rating in profile.items()]
    return Ratings.from_arrays(*zip(*rows, strict=True), scale=scale)


@pytest.fixture(scope="module")
def people():
    return ratings_of(PEOPLE)


@pytest.fixture(scope="module")
def many():
    """Enough ratings for many blocks."""
    rng = np.random.default_rng(41)
    users, items = np.divmod(rng.choice(400 * 60, 9000, replace=False), 60)
    return Ratings.from_arrays(users, items, rng.integers(1, 6, 9000), scale=(1, 5, 1))


def test_columns_and_order(people):
    found = neighbors(people, measure="euclidean", threads=1)
    assert found.to_arrow().schema == pa.schema(
        {
            "id": pa.string(),
            "neighbor": pa.string(),
            "rank": pa.int32(),
            "value": pa.float64(),
            "n_common": pa.int64(),
        }
    )
    assert found.to_pylist()[:3] == [
        {"id": "ann", "neighbor": "cat", "rank": 1, "value": np.sqrt(8), "n_common": 3},
        {"id": "ann", "neighbor": "bob", "rank": 2, "value": 3.0, "n_common": 3},
        {"id": "bob", "neighbor": "ann", "rank": 1, "value": 3.0, "n_common": 3},
    ]
    assert [row["id"] for row in found] == sorted(row["id"] for row in found)
    assert "eve" not in {row["id"] for row in found}
    assert len(found) == found.to_arrow().num_rows == found.indptr[-1]


def test_the_defaults_are_pearson_of_users(people):
    found = neighbors(people)
    assert (found.side, found.measure.name, found.k, found.min_common) == ("users", "pearson", 40, 1)
    by_record = neighbors(people, measure=get_measure("pearson"))
    assert found.to_arrow().equals(by_record.to_arrow())
    # dan shares one item with cat: too few for a correlation.
    assert {(row["id"], row["neighbor"]) for row in found} == {
        (u, v) for u in ("ann", "bob", "cat") for v in ("ann", "bob", "cat") if u != v
    }


def test_integer_ids_stay_integers():
    found = neighbors(ratings_of({7: {1: 1}, -3: {1: 2}, 10: {1: 2}}), measure="manhattan")
    assert found.to_arrow().schema.field("id").type == pa.int64()
    assert [(row["id"], row["neighbor"]) for row in found][:2] == [(-3, 10), (-3, 7)]


def test_of_one_subject(people):
    found = neighbors(people, measure="euclidean")
    assert [row["neighbor"] for row in found.of("cat")] == ["ann", "dan", "bob"]
    assert found.of("cat").to_arrow().schema == found.to_arrow().schema
    assert len(found.of("eve")) == 0
    with pytest.raises(UnknownIdError):
        found.of("zoe")
    with pytest.raises(IdTypeError):
        found.of(3)


def test_of_one_of_some_subjects(people):
    found = neighbors(people, measure="euclidean", subjects=["eve", "cat", "cat"])
    assert [row["neighbor"] for row in found.of("cat")] == ["ann", "dan", "bob"]
    assert len(found.of("eve")) == 0
    for other in ("ann", "bob", "dan"):
        with pytest.raises(ParameterError, match="was not among the subjects"):
            found.of(other)
        assert found.of_code(found.ids.code(other)) == slice(0, 0)
    assert len(neighbors(people, subjects=[])) == 0
    assert len(neighbors(people, subjects=iter(["ann"]))) == 2


def test_subjects_that_are_not_there(people):
    with pytest.raises(UnknownIdError, match="zoe"):
        neighbors(people, subjects=["ann", "zoe"])
    with pytest.raises(IdTypeError):
        neighbors(people, subjects=["ann", 3])


@pytest.mark.parametrize("k", [0, -1, "ten", 2.5, None, True, float("nan")])
@pytest.mark.parametrize("name", ["k", "min_common"])
def test_counts_that_are_none(people, name, k):
    with pytest.raises(ParameterError, match=f"{name}="):
        neighbors(people, **{name: k})


@pytest.mark.parametrize("option", [{"of": "movies"}, {"of": None}, {"measure": "nearness"}, {"measure": 3}])
@pytest.mark.parametrize("threads", [None, 1])
def test_other_wrong_options(people, option, threads):
    with pytest.raises(ParameterError):
        neighbors(people, threads=threads, **option)


@pytest.mark.parametrize("threads", [0, -1, "two", 1.0, True])
def test_wrong_threads(people, threads):
    with pytest.raises(ParameterError, match="threads"):
        neighbors(people, threads=threads)


def test_wrong_progress(people):
    with pytest.raises(ParameterError, match="progress"):
        neighbors(people, progress="yes")


def test_more_than_there_are(people):
    whole = neighbors(people, measure="jaccard")
    assert neighbors(people, measure="jaccard", k=10**9).to_arrow().equals(whole.to_arrow())
    assert len(neighbors(people, measure="jaccard", min_common=10**9)) == 0
    assert neighbors(people, measure="jaccard", k=np.int64(1)).to_arrow()["rank"].to_pylist() == [1] * 4


def test_nobody_near():
    for profiles in ({1: {1: 3}}, {1: {1: 3}, 2: {2: 3}}, {1: {1: 3, 2: 3}, 2: {1: 3, 2: 3}}):
        for of in ("users", "items"):
            found = neighbors(ratings_of(profiles), of=of)
            assert len(found) == 0
            assert found.to_arrow().column_names == ["id", "neighbor", "rank", "value", "n_common"]


def test_ratings_on_no_scale():
    loose = ratings_of({1: {1: 0.123, 2: 5.0}, 2: {1: 7.77}}, scale=None)
    assert [row["value"] for row in neighbors(loose, measure="jaccard")] == [0.5, 0.5]
    assert [row["value"] for row in neighbors(loose, measure="euclidean")] == [7.77 - 0.123] * 2
    crooked = ratings_of({1: {1: 0.5, 2: 1.5}, 2: {1: 1.5, 2: 0.5}}, scale=(0.5, 4.5, 1))
    assert len(neighbors(crooked)) == 2
    assert neighbors(crooked, measure="cosine").value.tolist() == [0.6, 0.6]  # (1, 3) and (3, 1) halves
    odd = ratings_of({1: {1: 0.1234567}, 2: {1: 1.1234567}}, scale=(0.1234567, 4.1234567, 1))
    both = neighbors(odd, measure="cosine_common")
    assert both.value.tolist() == [1.0, 1.0]


def test_a_mirror_is_not_a_neighbor(people):
    for measure in ("pearson", "euclidean", "jaccard"):
        for subjects in (None, ["ann", "bob"]):
            found = neighbors(people, measure=measure, subjects=subjects)
            assert all(row["id"] != row["neighbor"] for row in found)


@pytest.mark.parametrize("subjects", [None, [0, 1, 2, 3]])
def test_progress_starts_at_nothing_and_ends_at_all(many, subjects):
    calls = []
    neighbors(many, threads=2, subjects=subjects, progress=lambda done, total: calls.append((done, total)))
    assert calls[0][0] == 0
    assert calls[-1][0] == calls[-1][1] > 0
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert len({total for _, total in calls}) == 1


def test_an_exception_of_the_progress_callback_passes_through(many):
    def stop(done, total):
        raise KeyError("enough")

    before = threading.active_count()
    with pytest.raises(KeyError, match="enough"):
        neighbors(many, threads=2, progress=stop)
    assert threading.active_count() == before


def test_cancelled(many, monkeypatch):
    monkeypatch.setattr(cost_module, "_SMALLEST_BLOCK", 1)
    event = threading.Event()
    assert len(neighbors(many, cancel=event, subjects=[1]))
    event.set()
    select = Engine.select

    def slow(*args):
        threading.Event().wait(0.02)
        return select(*args)

    monkeypatch.setattr(Engine, "select", slow)
    before = threading.active_count()
    with pytest.raises(Cancelled):
        neighbors(many, threads=2, cancel=event)
    assert threading.active_count() == before


@pytest.mark.jit
def test_ratings_are_left_alone_and_can_be_shared(many):
    before = many.to_arrow()
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(neighbors(many, threads=2).to_arrow()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result.equals(results[0]) for result in results)
    assert many.to_arrow().equals(before)


def test_a_graph_is_frozen_and_travels(people):
    found = neighbors(people)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.k = 3
    again = pickle.loads(pickle.dumps(found))
    assert isinstance(again, Neighbors)
    assert again.to_arrow().equals(found.to_arrow())
    assert again.to_pandas().shape == (6, 5)
    assert "pearson" in repr(found)
    assert "<table>" in found._repr_html_()
