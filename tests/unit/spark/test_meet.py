"""Blocks that meet pairwise and are merged: the bits of one machine, whatever the blocks."""

import tempfile

import numba
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corated as cr
from corated.errors import DataError, ParameterError
from corated.spark.folder import Folder
from corated.spark.pairs import _Emit
from corated.spark.pairs import pairs_name as name_of_pairs
from corated.spark.problem import Problem, Wish
from corated.spark.search import _heaviest_first, _Meet, _Merge, _names, graph_name
from corated.spark.size import pairs_of

EXAMPLES = 15 if numba.config.DISABLE_JIT else 80
MEASURES = [
    *(
        "pearson",
        "euclidean",
        "msd(shrink=3)",
        "manhattan",
        "cosine",
        "cosine_common",
        "jaccard",
        "conditional",
    ),
    *("constrained_pearson", "log_likelihood", "asymmetric_cosine(alpha=0.9)", "tversky(alpha=0.2, beta=3)"),
    *("spearman", "centered_cosine", "cosine(weight=binary)", "pearson(adjust=lower_bound(0.8))"),
]
SCALES = [(1, 5, 1), (0, 10, 1), (0.5, 5, 0.5), (0.1234567, 4.1234567, 1), (1, 1, 1), (0, 255, 1)]


@st.composite
def tables(draw, max_users=9, max_items=7):
    """Users, items and ratings on a scale or on none, with ids that are not their codes."""
    pairs = st.tuples(st.integers(0, max_users - 1), st.integers(0, max_items - 1))
    chosen = sorted(draw(st.sets(pairs, min_size=1, max_size=40)))
    scale = draw(st.sampled_from([*SCALES, None]))
    if scale is None:
        value = st.sampled_from([1.0, 2.0, 120.5, 0.001, 7.123456789, 20_000.0])
    else:
        levels = round((scale[1] - scale[0]) / scale[2])
        value = st.integers(0, levels).map(lambda code: scale[0] + code * scale[2])
    values = draw(st.lists(value, min_size=len(chosen), max_size=len(chosen)))
    users = [f"u{pair[0]}" for pair in chosen]
    items = [pair[1] * 7 - 3 for pair in chosen]
    return cr.Ratings.from_arrays(users, items, values, scale=scale)


def _problem(on_spark, ratings, folder, blocks, wish, valued):
    return Problem.of(on_spark(ratings, folder), wish, blocks, valued=valued)


def _wish(on_spark, ratings, folder, side, measure, k, least):
    return Wish.of(on_spark(ratings, folder), side, measure, k, least)


@given(
    tables(),
    st.sampled_from(["users", "items"]),
    st.sampled_from(MEASURES),
    st.integers(1, 6),
    st.integers(1, 3),
    st.data(),
)
@settings(max_examples=EXAMPLES)
def test_lists_have_the_bits_of_one_machine(
    on_spark, dealt, is_exact, ratings, side, measure, k, least, data
):
    n = ratings.n_users if side == "users" else ratings.n_items
    count = data.draw(st.integers(1, n), "blocks")
    of = [
        *range(count),
        *data.draw(st.lists(st.integers(0, count - 1), min_size=n - count, max_size=n - count)),
    ]
    of = data.draw(st.permutations(of), "block of each")
    with tempfile.TemporaryDirectory() as made:
        folder = Folder(made)
        blocks = dealt(ratings, side, of, folder.within("blocks"))
        try:
            wish = _wish(on_spark, ratings, folder, side, measure, k, least)
        except DataError:
            with pytest.raises(DataError):
                cr.neighbors(ratings, of=side, measure=measure, k=k, min_common=least)
            return
        problem = _problem(on_spark, ratings, folder, blocks, wish, True)
        for pair in pairs_of(count):
            _Meet(problem, blocks, folder.within("lists"))(pair)
        found = []
        for number in range(count):
            _Merge(problem, blocks, folder.within("lists"), folder.within("graph"))(number)
            found += folder.within("graph").read_parquet(graph_name(number)).to_pylist()
    ids = (ratings.users if side == "users" else ratings.items).ids.to_pylist()
    got = [
        (ids[row["code"]], ids[row["neighbor_code"]], row["rank"], row["value"].hex(), row["n_common"])
        for row in sorted(found, key=lambda row: (row["code"], row["rank"]))
    ]
    alone = cr.neighbors(ratings, of=side, measure=measure, k=k, min_common=least).to_pylist()
    want = [(row["id"], row["neighbor"], row["rank"], row["value"].hex(), row["n_common"]) for row in alone]
    if is_exact(ratings, measure):
        assert got == want
    else:  # what is as close as that may change places
        assert [(row[0], row[2]) for row in got] == [(row[0], row[2]) for row in want]
        values = [[float.fromhex(row[3]) for row in rows] for rows in (got, want)]
        np.testing.assert_allclose(*values, rtol=1e-12, atol=1e-12)


@given(tables(), st.sampled_from(["users", "items"]), st.sampled_from(MEASURES), st.integers(1, 2), st.data())
@settings(max_examples=EXAMPLES)
def test_pairs_are_those_of_one_machine(on_spark, dealt, ratings, side, measure, least, data):
    n = ratings.n_users if side == "users" else ratings.n_items
    of = np.arange(n) % data.draw(st.integers(1, min(n, 4)), "blocks")
    with tempfile.TemporaryDirectory() as made:
        folder = Folder(made)
        blocks = dealt(ratings, side, of, folder.within("blocks"))
        try:
            wish = _wish(on_spark, ratings, folder, side, measure, 0, least)
        except DataError:
            return  # as on one machine, which the other test shows
        problem = _problem(on_spark, ratings, folder, blocks, wish, False)
        found = []
        for pair in pairs_of(len(blocks)):
            _Emit(problem, blocks, folder.within("pairs"))(pair)
            found += folder.within("pairs").read_parquet(name_of_pairs(*pair)).to_pylist()
        target = f"{made}/pairs.parquet"
        cr.all_pairs(ratings, to=target, of=side, measure=measure, min_common=least)
        alone = pq.read_table(target).to_pylist()
    ids = (ratings.users if side == "users" else ratings.items).ids.to_pylist()
    got = {(ids[r["code"]], ids[r["neighbor_code"]]): (r["value"], r["n_common"]) for r in found}
    want = {(row["id"], row["neighbor"]): (row["value"], row["n_common"]) for row in alone}
    assert len(found) == len(got) == len(alone)
    assert {pair: row[1] for pair, row in got.items()} == {pair: row[1] for pair, row in want.items()}
    for pair, (value, _) in got.items():
        if value is None or want[pair][0] is None:
            assert value is want[pair][0]
        else:
            assert value == pytest.approx(want[pair][0], rel=1e-12, abs=1e-12)


def test_each_pair_of_blocks_meets_once_and_the_heaviest_first(dealt, folder):
    ratings = cr.Ratings.from_arrays([1, 1, 2, 3, 3, 3], [1, 2, 1, 1, 2, 3], [1, 2, 3, 4, 5, 1])
    blocks = dealt(ratings, "users", [0, 1, 2], folder)
    pairs = _heaviest_first(blocks)
    assert sorted(pairs) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    assert pairs[0] == (2, 2) and pairs[-1] == (1, 1)
    assert _names(1, 1) == ("1-1.arrow",)
    assert _names(0, 2) == ("0-2.arrow", "2-0.arrow")


@pytest.mark.parametrize(
    "measure",
    [
        *("adjusted_cosine", "pearson_baseline", "p3alpha", "cosine(weight=bm25)"),
        "msd(weight=minmax(by=item))",
    ],
)
def test_what_needs_more_than_two_profiles_is_refused(on_spark, folder, measure):
    ratings = cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2])
    with pytest.raises(ParameterError, match="cannot be had on Spark"):
        Wish.of(on_spark(ratings, folder), "users", measure, 3, 1)


def test_a_weight_of_the_profiles_themselves_is_taken(on_spark, folder):
    made = on_spark(cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2]), folder)
    assert Wish.of(made, "users", "msd(weight=minmax)", 3, 1).measure.given_weight.by == "user"
    with pytest.raises(ParameterError):
        Wish.of(made, "items", "msd(weight=minmax)", 3, 1)
