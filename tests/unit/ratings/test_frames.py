"""Columns in memory: narrow and foreign types, indexes, names that repeat, and what is no column at all."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corated.errors import CoratedNotice, DataError, ParameterError
from corated.ratings.frames import column_names
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings
from corated.ratings.scale import Scale

USERS, ITEMS, VALUES = [1, 2, 3], [1, 1, 2], [1, 2, 3]


def frame(**columns):
    return pd.DataFrame({"user_id": USERS, "item_id": ITEMS, "rating": VALUES, **columns})


def refused(error, *arrays, **options):
    with pytest.raises(error) as caught:
        Ratings.from_arrays(*arrays, **options)
    assert caught.value.hint
    return str(caught.value)


# -- narrow floats ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("form", ["array", "list", "pandas", "polars", "arrow", "dictionary", "parquet"])
def test_narrow_floats_are_taken_by_their_shortest_decimals(dtype, form, tmp_path):
    narrow = np.array([0.1, 0.2, 0.3], dtype)
    columns = {"user_id": USERS, "item_id": ITEMS, "rating": narrow}
    if form in ("array", "list"):
        ratings = Ratings.from_arrays(USERS, ITEMS, narrow if form == "array" else list(narrow))
    elif form == "parquet":
        pq.write_table(pa.table(columns), tmp_path / "r.parquet")
        ratings = read_ratings(tmp_path / "r.parquet")
    elif form == "dictionary":
        ratings = read_ratings(pa.table({**columns, "rating": pa.array(narrow).dictionary_encode()}))
    else:
        make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[form]
        ratings = read_ratings(make(columns))
    assert ratings.scale == Scale(0.1, 0.3, 0.1)
    assert ratings.values.tolist() == [0.1, 0.2, 0.3]


def test_narrow_floats_beside_wide_ones_and_integers_and_on_a_declared_scale():
    narrow = np.float32(0.1)
    assert Ratings.from_arrays(USERS, ITEMS, [narrow, 1, 0.3]).values.tolist() == [0.1, 1, 0.3]
    values = np.array([0.1, 0.2, 0.3], "f4")
    assert Ratings.from_arrays(USERS, ITEMS, values, scale=(0, 1, 0.1)).codes.tolist() == [1, 2, 3]
    message = refused(DataError, USERS, ITEMS, np.array([0.1, np.nan, np.inf], "f4"))
    assert "1 missing (empty or NaN), 1 infinite" in message


def test_many_narrow_floats_are_each_their_own_decimal():
    values = np.random.default_rng(1).random(1000).astype("f4")
    ratings = Ratings.from_arrays(range(1000), [1] * 1000, values)
    assert ratings.scale is None
    assert ratings.values.tolist() == [float(str(value)) for value in values]


@pytest.mark.parametrize(("dtype", "id"), [("f4", 2**24), ("f2", 2**11), ("f8", 2**53)])
def test_float_ids_that_may_have_lost_digits_are_refused(dtype, id):
    message = refused(DataError, np.array([1, id, 3], dtype), ITEMS, VALUES)
    assert "user ids are floats and no exact integers in 1 row" in message and "row 1 (from 0)" in message
    with pytest.warns(CoratedNotice, match="taken as integers"):
        assert list(Ratings.from_arrays(np.array([1, id - 1, 3], dtype), ITEMS, VALUES).users) == [
            1,
            3,
            id - 1,
        ]


# -- columns that are none, or of a foreign type ----------------------------------------------


@pytest.mark.parametrize("scalar", [1, None, 2.5, "abc", np.int64(3)])
def test_a_scalar_is_no_column(scalar):
    message = refused(ParameterError, scalar, ITEMS, VALUES)
    assert message.startswith(f"user_id is {type(scalar).__name__} ") and "not a column" in message
    assert "Expected: a list or a one-dimensional array" in message


def test_columns_of_the_other_byte_order():
    columns = {
        "user_id": np.array(USERS, ">i8"),
        "item_id": np.array(["a", "b", "c"], ">U3"),
        "rating": np.array([0.5, 1, 2], ">f4"),
        "timestamp": np.array([1, 2, 3], ">M8[s]"),
    }
    for table in (columns, pd.DataFrame({**columns, "item_id": list("abc")})):
        ratings = read_ratings(table, tz="UTC")
        assert list(ratings.users) == USERS
        assert ratings.values.tolist() == [0.5, 1, 2]
        assert ratings.times.tolist() == [10**6, 2 * 10**6, 3 * 10**6]


@pytest.mark.parametrize(
    "column",
    [
        np.array([1j, 2, 3]),
        np.array([(1, 2)] * 3, "i4,i4"),
        np.array([1, 2, 3], "M8[m]"),
        [{1: 2}] * 3,
        pl.Series([object()] * 3),
    ],
)
@pytest.mark.parametrize("at", range(4))
def test_what_arrow_cannot_hold_is_told_with_its_column(column, at):
    columns = [USERS, ITEMS, VALUES, VALUES]
    columns[at] = column
    name = ("user_id", "item_id", "rating", "timestamp")[at]
    message = refused(DataError, *columns)
    assert f"the table: column '{name}'" in message and "cannot be used" in message


def test_what_arrow_refuses_while_ratings_are_taken_is_told_with_the_types(monkeypatch):
    def fail(*_):
        raise pa.ArrowNotImplementedError("no kernel for this type\nand more")

    monkeypatch.setattr("corated.ratings.levels.RatingCollector.add", fail)
    message = refused(DataError, USERS, ITEMS, VALUES)
    assert "a column cannot be used: no kernel for this type." in message
    assert "'rating' int64" in message


def test_string_views():
    views = pa.array(["1", "2.5", "4"], pa.string_view())
    assert Ratings.from_arrays(USERS, ITEMS, views).values.tolist() == [1, 2.5, 4]


# -- frames -----------------------------------------------------------------------------------


def test_column_names_that_repeat():
    table = pd.DataFrame([[1, 2, 3, 4]], columns=["user_id", "user_id", "item_id", "rating"])
    with pytest.raises(DataError, match=r"'user_id' and 'user_id' could both be the user column") as caught:
        read_ratings(table)
    assert "rename it" in caught.value.hint
    with pytest.raises(DataError, match="there are 2 columns called 'user_id'"):
        read_ratings(table, user="user_id")
    spare = table.set_axis(["x", "x", "item_id", "rating"], axis=1).assign(user_id=7)
    assert read_ratings(spare).to_arrow().to_pylist() == [{"user_id": 7, "item_id": 3, "rating": 4.0}]


@pytest.mark.parametrize("levels", [["user_id"], ["item_id"], ["user_id", "item_id"], ["rating", "item_id"]])
def test_ids_in_a_named_index(levels):
    expected = read_ratings(frame()).to_arrow()
    assert read_ratings(frame().set_index(levels)).to_arrow().equals(expected)
    assert Ratings.from_table(frame().set_index(levels), user="user_id").to_arrow().equals(expected)


def test_an_index_of_text_and_one_whose_name_a_column_has():
    named = frame(item_id=pd.Categorical(["a", "b", "a"])).set_index("item_id")
    assert list(read_ratings(named).items) == ["a", "b"]
    both = frame()
    both.index = pd.Index([7, 8, 9], name="user_id")
    assert list(read_ratings(both).users) == USERS


def test_the_names_of_a_table_include_a_named_index():
    assert column_names(frame().set_index("item_id")) == ["user_id", "rating", "item_id"]
    assert column_names(pl.DataFrame({"a": [1]})) == ["a"]
    assert column_names(pa.table({"a": [1]})) == ["a"]
    assert column_names({"a": [1], 2: [1]}) == ["a", "2"]
    assert column_names("ratings.csv") == []


def test_a_lazy_frame_says_collect():
    with pytest.raises(ParameterError, match="LazyFrame is lazy") as caught:
        read_ratings(pl.from_pandas(frame()).lazy())
    assert ".collect()" in caught.value.hint


# -- numbers at the edge of floats ------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [1, 2**53 + 1, 2**53],
        [1, -(2**53) - 1, -(2**53)],
        [1, 2**70, 2**70 + 1],
        np.array([1, 2**63, 2**63 + 1], "u8"),
        ["1", str(2**53 + 1), f"+{2**53}"],
        pa.array([1, 2**53 + 1, 2**53]).cast(pa.decimal128(30)),
        pa.array([1, 2**53 + 1, 2**53]).dictionary_encode(),
    ],
)
def test_integers_that_floats_would_merge_are_refused_with_their_rows(values):
    message = refused(DataError, USERS, ITEMS, values)
    assert "2 ratings cannot be used: 2 too large for an exact float (an integer of 2**53 or more)" in message
    assert "row 1 (from 0): rating " in message and "row 2 (from 0): rating " in message
    shown = values[1].as_py() if isinstance(values, pa.Array) else values[1]
    assert str(shown).strip("'") in message
    with pytest.warns(CoratedNotice, match="2 rows left out"):
        assert Ratings.from_arrays(USERS, ITEMS, values, on_bad="drop").values.tolist() == [1]


def test_large_integers_beside_floats_are_refused_with_their_rows():
    message = refused(DataError, USERS, ITEMS, [1.5, 2, 2**53 + 1])
    assert f"row 2 (from 0): {2**53 + 1}" in message and "row 0" not in message


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "values",
    [[1e300] * 3, [1e300, 1, 2], [-1.7e308, 1.7e308, 0.0], ["1e300", "1", "2"], [1e308, 1e308, 1e307]],
)
def test_huge_ratings_overflow_nowhere(values):
    ratings = Ratings.from_arrays(USERS, ITEMS, values)
    floats = [float(value) for value in values]
    assert ratings.values.tolist() == floats
    report = ratings.check()
    assert (report.lowest, report.highest) == (min(floats), max(floats))
    assert report.mean == pytest.approx(sum(value / 3 for value in floats), rel=1e-12)
    assert all(len(line) <= 80 for line in str(report).splitlines())
    assert report._repr_html_()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_sum_beyond_the_largest_float_is_refused():
    message = refused(DataError, [1, 1], [1, 1], [1.7e308] * 2, duplicates="sum")
    assert 'duplicates="sum" makes 1 rating larger than the largest float' in message


def test_the_message_of_bad_ratings_names_the_setting_once():
    message = refused(DataError, USERS, ITEMS, [1, np.nan, 2])
    assert 'on_bad="drop"' in message and "--on-bad" not in message
