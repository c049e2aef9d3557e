"""Lists made of gathered profiles: those of a model that is fitted to all ratings."""

import dataclasses
import tempfile

import numba
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corated as cr
from corated.errors import DataError, ParameterError
from corated.models.centering import _mean
from corated.spark import lists as lists_module
from corated.spark.folder import Folder
from corated.spark.lists import _Recommend, _settings
from corated.spark.problem import Wish
from corated.spark.search import Graph, graph_name

EXAMPLES = 10 if numba.config.DISABLE_JIT else 60
MODELS = [
    cr.UserKNN(measure="pearson", k=3, min_common=2),
    cr.UserKNN(measure="euclidean", rule="closest", k="2n"),
    cr.UserKNN(rule="votes", k=2, direction="reverse", like=3),
    cr.UserKNN(rule="sum", k=3, like="mean", min_support=2),
    cr.UserKNN(rule="mean", center="mean", measure="msd", k=4, support_shrink=2.0),
    cr.UserKNN(rule="mean", center="zscore", measure="msd", k=4),
    cr.ItemKNN(k=3),
    cr.ItemKNN(measure="jaccard", rule="closest", k=2),
    cr.ItemKNN(rule="sum", direction="reverse", k=3),
    cr.ItemKNN(rule="mean", measure="msd", k=3, min_similarity=0.2),
]


@st.composite
def ratings_and_blocks(draw):
    pairs = st.tuples(st.integers(0, 8), st.integers(0, 7))
    chosen = sorted(draw(st.sets(pairs, min_size=1, max_size=45)))
    values = draw(st.lists(st.integers(1, 5), min_size=len(chosen), max_size=len(chosen)))
    users, items = [user * 3 for user, _ in chosen], [f"i{item}" for _, item in chosen]
    return cr.Ratings.from_arrays(users, items, values, scale=(1, 5, 1)), draw(st.integers(1, 4))


def _graph(found, blocks, folder):
    """Write neighbors that were found on one machine as the files of a cluster."""
    subject = np.repeat(found.subjects, np.diff(found.indptr))
    rank = np.arange(len(subject)) - np.repeat(found.indptr[:-1], np.diff(found.indptr)) + 1
    for number in range(len(blocks)):
        mine = subject % len(blocks) == number
        columns = {
            "code": subject[mine].astype(np.int32),
            "neighbor_code": found.neighbor[mine],
            "rank": rank[mine].astype(np.int32),
            "value": found.value[mine],
            "n_common": found.n_common[mine].astype(np.int64),
        }
        folder.write_parquet(graph_name(number), pa.table(columns))


@given(ratings_and_blocks(), st.sampled_from(MODELS), st.integers(1, 4), st.booleans(), st.integers(1, 60))
@settings(max_examples=EXAMPLES)
def test_lists_have_the_bits_of_one_machine(on_spark, dealt, made, model, n, exclude_seen, gathered):
    ratings, count = made
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists_module, "_GATHERED", gathered)
        folder = Folder(place)
        settings_ = _settings(on_spark(ratings, folder), model, n)
        side, size = settings_.side, ratings.n_users if settings_.side == "users" else ratings.n_items
        users = dealt(ratings, "users", np.arange(ratings.n_users) % count, folder.within("users"))
        subjects = dealt(ratings, side, np.arange(size) % count, folder.within("subjects"))
        found = cr.neighbors(
            ratings, of=side, measure=model.measure, k=settings_.k, min_common=model.min_common
        )
        _graph(found, subjects, folder.within("graph"))
        wish = Wish(side, settings_.measure, settings_.k, settings_.min_common)
        graph = Graph(wish, subjects, folder.within("graph"), {})
        mean = _mean(ratings) if model.center else 0.0
        job = _Recommend(
            settings_, n, exclude_seen, graph, users, folder.within("lists"), ratings.scale, mean
        )
        rows = []
        for number in range(len(users)):
            job(number)
            rows += folder.within("lists").read_parquet(graph_name(number)).to_pylist()
    names, items = ratings.users.ids.to_pylist(), ratings.items.ids.to_pylist()
    got = [
        (names[r["user_code"]], items[r["item_code"]], r["rank"], r["score"], r["support"], r["source"])
        for r in sorted(rows, key=lambda row: (row["user_code"], row["rank"]))
    ]
    alone = model.clone().fit(ratings).recommend(n=n, exclude_seen=exclude_seen).to_pylist()
    assert got == [tuple(row.values()) for row in alone]


@pytest.mark.parametrize(
    "model",
    [
        cr.UserKNN(scope="raters"),
        cr.UserKNN(k="all"),
        cr.UserKNN(everyone=0.5),
        cr.UserKNN(rule="mean", center="baseline"),
        cr.ItemKNN(rule="mean", center="mean"),
        cr.Popularity(),
    ],
    ids=repr,
)
def test_what_needs_all_ratings_in_one_place_is_refused(on_spark, folder, model):
    ratings = cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2])
    with pytest.raises(ParameterError) as raised:
        _settings(on_spark(ratings, folder), model, 3)
    assert "Spark" in str(raised.value) or "Popularity" in str(raised.value)


def test_ageing_needs_times(on_spark, folder):
    ratings = cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2])
    with pytest.raises(DataError, match="times"):
        _settings(on_spark(ratings, folder), cr.UserKNN(half_life=30.0), 3)


def test_neighbors_depend_on_n_where_they_do(on_spark, folder):
    made = on_spark(cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2]), folder)
    assert _settings(made, cr.UserKNN(k="2n"), 7).k == 14
    assert dataclasses.astuple(_settings(made, cr.UserKNN(k=5), 7))[2] == 5
