"""What must hold for any ratings: what goes in comes out, whatever the order, the form and the blocks."""

import csv
import io
import math
import warnings
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corated.ratings import blocks
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings
from corated.ratings.scale import STEPS, infer_scale
from corated.ratings.sorting import stable_order

pytestmark = pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
integers = st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1))
levels = st.sampled_from([0.0, 1.0, 2.0, 3.5, 4.0, 5.0])
floats = st.floats(-1e6, 1e6, allow_nan=False)


def triples(users, items, ratings):
    """Ratings with distinct (user, item): a dict from pair to rating."""
    return st.dictionaries(st.tuples(users, items), ratings, min_size=1, max_size=30)


any_ratings = st.one_of(
    triples(integers, integers, levels), triples(texts, integers, levels), triples(integers, texts, floats)
)


def columns(pairs):
    users, items = zip(*pairs, strict=True)
    return list(users), list(items), list(pairs.values())


def as_dict(ratings):
    table = ratings.to_arrow()
    keys = zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True)
    return dict(zip(keys, table["rating"].to_pylist(), strict=True))


def same(one, other):
    assert one.to_arrow().equals(other.to_arrow())
    assert one.scale == other.scale
    assert one.users.ids.equals(other.users.ids)
    assert one.items.ids.equals(other.items.ids)
    for a, b in zip((*one.by_user, *one.by_item), (*other.by_user, *other.by_item), strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)


@given(any_ratings)
def test_what_goes_in_comes_out(pairs):
    ratings = Ratings.from_arrays(*columns(pairs))
    found = as_dict(ratings)
    assert list(found) == sorted(pairs)
    assert all(math.isclose(found[pair], pairs[pair], abs_tol=1e-9) for pair in pairs)
    if ratings.scale is None:
        assert found == {pair: pairs[pair] + 0.0 for pair in pairs}


@given(any_ratings, st.randoms(use_true_random=False))
def test_the_order_of_rows_plays_no_part(pairs, random):
    shuffled = list(pairs.items())
    random.shuffle(shuffled)
    same(Ratings.from_arrays(*columns(pairs)), Ratings.from_arrays(*columns(dict(shuffled))))


@given(any_ratings)
def test_both_ways_hold_the_same(pairs):
    ratings = Ratings.from_arrays(*columns(pairs))
    by_item, by_user = ratings.by_item, ratings.by_user
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    items = np.repeat(np.arange(ratings.n_items), ratings.item_counts)
    assert np.array_equal(users[by_item.order], by_item.indices)
    assert np.array_equal(by_user.indices[by_item.order], items)
    assert np.array_equal(np.diff(by_item.indptr), ratings.item_counts)
    for row in range(ratings.n_users):
        assert np.all(np.diff(by_user.indices[by_user.indptr[row] : by_user.indptr[row + 1]]) > 0)
    for row in range(ratings.n_items):
        assert np.all(np.diff(by_item.indices[by_item.indptr[row] : by_item.indptr[row + 1]]) > 0)


@given(any_ratings, st.integers(1, 5))
def test_batches_play_no_part(pairs, size):
    users, items, values = columns(pairs)
    table = pa.table({"user_id": users, "item_id": items, "rating": values})
    same(Ratings.from_arrays(users, items, values), Ratings.from_table(table.to_reader(max_chunksize=size)))


one_line = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff"), min_size=1, max_size=6
).map(lambda text: "x" + text)


@settings(max_examples=60)
@given(triples(one_line, one_line, levels), st.integers(1, 40), st.sampled_from(["\n", "\r\n"]))
def test_quoted_csv_in_blocks_of_any_size(pairs, size, line_end):
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator=line_end)
    writer.writerow(["user_id", "item_id", "rating"])
    writer.writerows([user, item, rating] for (user, item), rating in pairs.items())
    read = blocks.Text.blocks
    with mock.patch.object(blocks.Text, "blocks", lambda self, dialect, n=0: read(self, dialect, size)):
        found = read_ratings(io.BytesIO(written.getvalue().encode()), ids="text", delimiter=",")
    same(found, Ratings.from_arrays(*columns(pairs)))


plain = st.text("abc0189:é😀", min_size=1, max_size=5).filter(
    lambda s: "::" not in s and ":" not in (s[0], s[-1])
)


@settings(max_examples=60)
@given(triples(plain, plain, levels), st.integers(1, 20))
def test_dat_in_blocks_of_any_size(pairs, size):
    content = "".join(f"{user}::{item}::{rating:g}\n" for (user, item), rating in pairs.items())
    read = blocks.Text.blocks
    with mock.patch.object(blocks.Text, "blocks", lambda self, dialect, n=0: read(self, dialect, size)):
        found = read_ratings(io.BytesIO(content.encode()), ids="text", format="dat")
    same(found, Ratings.from_arrays(*columns(pairs)))


@given(st.lists(st.text("-0123456789", min_size=1, max_size=4), min_size=1, max_size=10, unique=True))
def test_text_ids_are_integers_only_if_all_are_canonical(ids):
    def canonical(text):
        try:
            return str(int(text)) == text
        except ValueError:
            return False

    content = "user_id,item_id,rating\n" + "".join(f"{one},1,3\n" for one in ids)
    found = read_ratings(io.BytesIO(content.encode())).users
    if all(map(canonical, ids)):
        assert list(found) == sorted(map(int, ids))
    else:
        assert list(found) == sorted(ids)


@given(st.one_of(st.lists(integers, min_size=1), st.lists(texts, min_size=1)))
def test_id_maps(ids):
    made = IdMap.from_ids(ids)
    assert list(made) == sorted(set(ids))
    assert made.take(made.codes(ids)).to_pylist() == ids
    assert [made.code(one) for one in ids] == made.codes(ids).tolist()


@given(
    st.sampled_from(STEPS),
    st.integers(-1000, 1000),
    st.lists(st.integers(0, 255), min_size=1, max_size=20),
)
def test_a_scale_is_found_where_there_is_one(step, units, codes):
    values = np.round((units + np.array(codes)) * step, 10)
    scale = infer_scale(values)
    assert scale is not None
    assert scale.step >= step or scale.levels == 1
    assert np.allclose(scale.decode(scale.encode(values)), values, rtol=0, atol=1e-9)
    assert (scale.low, scale.high) == (values.min(), values.max())


@given(st.lists(st.integers(0, 9), max_size=50))
def test_counting_sort_is_stable(keys):
    keys = np.array(keys, np.int32)
    assert np.array_equal(stable_order(keys, 10), np.argsort(keys, kind="stable"))


many = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), levels, st.integers(0, 10**6)), min_size=1, max_size=40
)


@given(many, st.sampled_from(["max", "min", "mean", "sum", "count"]))
def test_duplicates_against_the_obvious(rows, rule):
    groups = {}
    for user, item, rating, time in rows:
        groups.setdefault((user, item), []).append((rating, time))
    obvious = {"max": max, "min": min, "mean": lambda v: sum(v) / len(v), "sum": sum, "count": len}[rule]
    expected = {pair: obvious([rating for rating, _ in group]) for pair, group in groups.items()}
    ratings = Ratings.from_arrays(*zip(*rows, strict=True), duplicates=rule, time_unit="s")
    found = as_dict(ratings)
    assert list(found) == sorted(expected)
    assert all(math.isclose(found[pair], expected[pair], abs_tol=1e-9) for pair in expected)
    for (pair, group), time in zip(sorted(groups.items()), ratings.times.tolist(), strict=True):
        deciding = [t for r, t in group if rule not in ("max", "min") or r == expected[pair]]
        assert time == max(deciding) * 10**6


@given(many, st.sampled_from(["first", "last"]))
def test_duplicates_by_time_against_the_obvious(rows, rule):
    rows = list(
        {(user, item, time): (user, item, rating, time) for user, item, rating, time in rows}.values()
    )
    expected = {}
    for user, item, rating, _ in sorted(rows, key=lambda row: row[3], reverse=rule == "first"):
        expected[user, item] = rating
    found = as_dict(Ratings.from_arrays(*zip(*rows, strict=True), duplicates=rule, time_unit="s"))
    assert found == expected


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content):
    """Anything at all is either read or refused with a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_ratings(io.BytesIO(content))
        except ValueError as error:
            assert type(error).__name__ == "DataError"
            assert "Next step" in str(error)


@settings(max_examples=80)
@given(
    st.text('12,;:"\n\r\té\0 a.', max_size=60), st.sampled_from(["user_id,item_id,rating\n", "", "1::2::3\n"])
)
@example('\r\r"\n', "user_id,item_id,rating\n")  # line ends of two kinds around a quote
def test_no_text_breaks_the_reader(content, start):
    test_no_bytes_break_the_reader.hypothesis.inner_test((start + content).encode())
