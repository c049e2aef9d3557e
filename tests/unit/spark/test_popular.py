"""What is popular, voted block by block: the lists of a model that is fitted to all ratings."""

import tempfile

import numba
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corated as cr
from corated.errors import ParameterError
from corated.spark.folder import Folder
from corated.spark.lists import _parts, _Recommend, _settings
from corated.spark.popular import Popular, RecommendPopular, _Vote, check_popularity
from corated.spark.problem import Wish
from corated.spark.search import Graph, graph_name

EXAMPLES = 10 if numba.config.DISABLE_JIT else 50
RATINGS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 7), st.integers(1, 5)),
    min_size=2,
    max_size=45,
    unique_by=lambda row: row[:2],
)


def _ratings(rows, is_exact):
    users, items, values = zip(*sorted(rows), strict=True)
    values = [value if is_exact else value + 0.123456 * (at % 3) for at, value in enumerate(values)]
    scale = (1, 5, 1) if is_exact else None
    return cr.Ratings.from_arrays(users, [f"i{item}" for item in items], values, scale=scale)


def _popular(ratings, users, model, n, folder):
    """Vote in each block, and add up as Spark does."""
    job = _Vote(model, users, folder, ratings.scale)
    votes = np.zeros(ratings.n_items, dtype=np.int64)
    for number in range(len(users)):
        rows, _ = job(number)
        found = folder.read_parquet(f"block-{number:05d}.parquet")
        assert rows == found.num_rows
        np.add.at(votes, found["item"].to_numpy(), found["votes"].to_numpy())
    best = np.lexsort((np.arange(len(votes)), -votes))
    best = best[votes[best] > 0][: 2 * n + users.largest]
    return Popular(best, votes[best])


def _rows(folder, count, ratings):
    names, items = ratings.users.ids.to_pylist(), ratings.items.ids.to_pylist()
    rows = [row for at in range(count) for row in folder.read_parquet(graph_name(at)).to_pylist()]
    return [
        (names[r["user_code"]], items[r["item_code"]], r["rank"], r["score"], r["support"], r["source"])
        for r in sorted(rows, key=lambda row: (row["user_code"], row["rank"]))
    ]


@given(
    RATINGS,
    st.booleans(),
    st.sampled_from([None, 3, "mean", 99]),
    st.integers(1, 4),
    st.booleans(),
    st.integers(1, 4),
)
@settings(max_examples=EXAMPLES)
@pytest.mark.filterwarnings("ignore:Nobody likes anything")
def test_popular_lists_have_the_bits_of_one_machine(dealt, rows, is_exact, like, n, exclude_seen, count):
    ratings, model = _ratings(rows, is_exact), cr.Popularity(like=like)
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(place)
        users = dealt(ratings, "users", np.arange(ratings.n_users) % count, folder.within("users"))
        popular = _popular(ratings, users, model, n, folder.within("votes"))
        job = RecommendPopular(n, exclude_seen, users, folder.within("lists"), ratings.scale, popular)
        for number in range(len(users)):
            job(number)
        got = _rows(folder.within("lists"), len(users), ratings)
    alone = model.clone().fit(ratings).recommend(n=n, exclude_seen=exclude_seen).to_pylist()
    assert got == [tuple(row.values()) for row in alone]


@given(RATINGS, st.booleans(), st.sampled_from(["users", "items"]), st.integers(1, 5), st.booleans())
@settings(max_examples=EXAMPLES)
def test_short_lists_are_filled_up_as_on_one_machine(on_spark, dealt, rows, is_exact, side, n, exclude_seen):
    ratings, count = _ratings(rows, is_exact), 3
    kind = cr.UserKNN if side == "users" else cr.ItemKNN
    near = kind(measure="jaccard", k=2, rule="weighted_votes", like=3)
    model = cr.Fallback(models=[near, cr.Popularity(like=2)])
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(place)
        size = ratings.n_users if side == "users" else ratings.n_items
        users = dealt(ratings, "users", np.arange(ratings.n_users) % count, folder.within("users"))
        subjects = dealt(ratings, side, np.arange(size) % count, folder.within("subjects"))
        settings_ = _settings(on_spark(ratings, folder), near, n)
        found = cr.neighbors(ratings, of=side, measure="jaccard", k=2)
        _write_graph(found, subjects, folder.within("graph"))
        graph = Graph(Wish(side, settings_.measure, 2, 1), subjects, folder.within("graph"), {})
        popular = _popular(ratings, users, model.models[1], n, folder.within("votes"))
        job = _Recommend(
            settings_, n, exclude_seen, graph, users, folder.within("lists"), ratings.scale, 0.0, popular
        )
        for number in range(len(users)):
            job(number)
        got = _rows(folder.within("lists"), len(users), ratings)
    alone = model.clone().fit(ratings).recommend(n=n, exclude_seen=exclude_seen).to_pylist()
    assert got == [tuple(row.values()) for row in alone]


def _write_graph(found, blocks, folder):
    table = {
        "code": np.repeat(found.subjects, np.diff(found.indptr)).astype(np.int32),
        "neighbor_code": found.neighbor,
        "value": found.value,
        "n_common": found.n_common.astype(np.int64),
    }
    for number in range(len(blocks)):
        mine = table["code"] % len(blocks) == number
        folder.write_parquet(graph_name(number), pa.table({name: kept[mine] for name, kept in table.items()}))


def test_the_parts_of_a_model():
    near, popularity = cr.ItemKNN(), cr.Popularity()
    assert _parts(near) == (near, None)
    assert _parts(popularity) == (None, popularity)
    assert _parts(cr.Fallback(models=[near])) == (near, None)
    assert _parts(cr.Fallback(models=[near, popularity])) == (near, popularity)
    for model in (
        cr.preset("best"),
        cr.Fallback(models=[popularity, near]),
        cr.Fallback(models=[near, near, popularity]),
        cr.BiasedMF(),
        "pearson",
    ):
        with pytest.raises(ParameterError, match="cannot be had on Spark"):
            _parts(model)


def test_popularity_that_ages_needs_times(on_spark, folder):
    made = on_spark(cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2]), folder)
    check_popularity(made, cr.Popularity(like=2))
    for model in (cr.Popularity(half_life=3.0), cr.Popularity(at="2026-01-01")):
        with pytest.raises(ParameterError, match="times are not read there"):
            check_popularity(made, model)
    with pytest.raises(ParameterError, match="like='much'"):
        check_popularity(made, cr.Popularity(like="much"))
