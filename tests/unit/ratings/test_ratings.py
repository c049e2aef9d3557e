import pickle
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from corated.errors import CoratedNotice, DataError, IdTypeError, ParameterError, UnknownIdError
from corated.ratings.ratings import ByItem, Csr, Ratings
from corated.ratings.scale import Scale
from corated.ratings.sorting import INT32_MAX, joined, pair_order, stable_order

USERS = [3, 1, 3, 2]
ITEMS = ["b", "a", "a", "c"]
VALUES = [1.0, 5.0, 2.5, 0.0]
COLUMNS = {"user_id": USERS, "item_id": ITEMS, "rating": VALUES}
ROWS = [
    {"user_id": 1, "item_id": "a", "rating": 5.0},
    {"user_id": 2, "item_id": "c", "rating": 0.0},
    {"user_id": 3, "item_id": "a", "rating": 2.5},
    {"user_id": 3, "item_id": "b", "rating": 1.0},
]


@pytest.fixture
def ratings():
    return Ratings.from_arrays(USERS, ITEMS, VALUES)


def test_structure(ratings):
    assert list(ratings.users) == [1, 2, 3]
    assert list(ratings.items) == ["a", "b", "c"]
    assert ratings.scale == Scale(0, 5, 0.5)
    assert ratings.by_user.indptr.tolist() == [0, 1, 2, 4]
    assert ratings.by_user.indices.tolist() == [0, 2, 0, 1]
    assert ratings.codes.tolist() == [10, 0, 5, 2]
    assert ratings.values.tolist() == [5, 0, 2.5, 1]
    assert ratings.times is None
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings, len(ratings)) == (3, 3, 4, 4)
    assert ratings.user_counts.tolist() == [1, 1, 2]
    assert ratings.item_counts.tolist() == [2, 1, 1]


def test_types(ratings):
    kinds = [ratings.by_user.indptr, ratings.by_user.indices, ratings.codes, ratings.values]
    assert [array.dtype for array in kinds] == [np.int64, np.int32, np.uint8, np.float64]
    assert [array.dtype for array in ratings.by_item] == [np.int64, np.int32, np.int64]
    assert ratings.user_counts.dtype == ratings.item_counts.dtype == np.int64


def test_by_item(ratings):
    by_item = ratings.by_item
    assert isinstance(by_item, ByItem)
    assert by_item.indptr.tolist() == [0, 2, 3, 4]
    assert by_item.indices.tolist() == [0, 2, 2, 1]
    assert ratings.codes[by_item.order].tolist() == [10, 5, 2, 0]
    assert ratings.by_item is by_item


def test_by_item_is_built_once_by_many_threads():
    made = Ratings.from_arrays(np.repeat(np.arange(300), 100), np.tile(np.arange(100), 300), None)
    found = []
    threads = [threading.Thread(target=lambda: found.append(made.by_item)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1


def test_nothing_can_be_changed(ratings):
    timed = Ratings.from_arrays([1], [1], [1], [1_381_620_027])
    arrays = [*ratings.by_user, *ratings.by_item, ratings.codes, ratings.values, timed.times]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        ratings.scale = None


def test_the_input_is_neither_changed_nor_kept():
    users, items = np.array([1, 2]), np.array([5, 5])
    values, times = np.array([0.25, 1 / 3]), np.array([1_381_620_027_000_000, 1_381_620_028_000_000])
    stamps = times.astype("M8[us]")
    before = [array.copy() for array in (users, items, values, times, stamps)]
    made = Ratings.from_arrays(users, items, values, times)
    stamped = Ratings.from_arrays(users, items, values, stamps, tz="UTC")
    for array, kept in zip((users, items, values, times, stamps), before, strict=True):
        assert np.array_equal(array, kept)
        assert array.flags.writeable
        array[:] = array[::-1].copy()
    assert made.times.tolist() == stamped.times.tolist() == before[3].tolist()
    assert made.values.tolist() == before[2].tolist()
    assert list(made.users) == [1, 2]


def test_rows_out(ratings):
    assert ratings.to_arrow().to_pylist() == ROWS
    assert pa.table(ratings).to_pylist() == ROWS
    assert pl.DataFrame(ratings).to_dicts() == ROWS
    timed = Ratings.from_arrays([1], [1], [1], [1_381_620_027]).to_arrow()
    assert timed.schema.field("timestamp").type == pa.timestamp("us", "UTC")
    assert str(timed["timestamp"][0].as_py()) == "2013-10-12 23:20:27+00:00"


def test_ratings_read_from_ratings(ratings):
    again = Ratings.from_table(ratings)
    assert again.to_arrow().equals(ratings.to_arrow())


def test_profile(ratings):
    assert ratings.profile(3) == {"a": 2.5, "b": 1.0}
    assert list(ratings.profile(3)) == ["a", "b"]
    with pytest.raises(UnknownIdError):
        ratings.profile(4)
    with pytest.raises(IdTypeError):
        ratings.profile("3")


def test_pictures(ratings):
    assert repr(ratings) == (
        "Ratings(users: 3 (integer ids), items: 3 (text ids), ratings: 4, scale: 0 to 5 by 0.5)"
    )
    with pytest.warns(CoratedNotice):
        page = Ratings.from_table({"user": [1], "<i>": ["<b>"]}, item="<i>")._repr_html_()
    assert "<th>users</th><td>1 (integer ids)</td>" in page
    assert "&lt;" not in repr(ratings)
    assert "no column of ratings" in page


def test_pickling(ratings):
    ratings.by_item  # noqa: B018 - built, and not carried along
    again = pickle.loads(pickle.dumps(ratings))
    assert again.to_arrow().equals(ratings.to_arrow())
    assert again.scale == ratings.scale
    assert not again.codes.flags.writeable
    assert np.array_equal(again.by_item.order, ratings.by_item.order)


def test_check_is_the_report(ratings, monkeypatch):
    asked = []
    module = SimpleNamespace(check=lambda given: asked.append(given) or "report")
    monkeypatch.setitem(__import__("sys").modules, "corated.ratings.check", module)
    assert ratings.check() == "report"
    assert asked == [ratings]


def test_parts_must_fit():
    good = Ratings.from_arrays([1], [1], [1])
    with pytest.raises(ValueError, match="one entry for each rating"):
        Ratings(good.users, good.items, good.scale, good.by_user, np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="one row for each user"):
        Ratings(
            good.users, good.items, good.scale, Csr(np.zeros(5, np.int64), good.by_user.indices), good.codes
        )


# -- tables of every kind ---------------------------------------------------------------------


class OnlyAStream:
    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


TABLE = pa.table(COLUMNS)


@pytest.mark.parametrize(
    "table",
    [
        COLUMNS,
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).astype({"item_id": "category"}),
        pd.DataFrame(COLUMNS).astype({"item_id": object, "rating": object}),
        pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
        pd.DataFrame(COLUMNS).convert_dtypes(),
        pd.DataFrame(COLUMNS).iloc[::-1],
        pd.DataFrame(COLUMNS, index=[9, 9, 8, 8]),
        pl.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS, schema_overrides={"item_id": pl.Categorical}),
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(max_chunksize=1),
        OnlyAStream(TABLE),
        TABLE.set_column(1, "item_id", TABLE["item_id"].dictionary_encode()),
        TABLE.set_column(1, "item_id", TABLE["item_id"].cast(pa.large_string())),
        TABLE.set_column(1, "item_id", TABLE["item_id"].cast(pa.string_view())),
        TABLE.set_column(0, "user_id", TABLE["user_id"].cast(pa.uint8())),
        TABLE.set_column(2, "rating", TABLE["rating"].cast(pa.decimal128(5, 2))),
        TABLE.set_column(2, "rating", TABLE["rating"].cast(pa.string())),
        TABLE.set_column(2, "rating", TABLE["rating"].cast(pa.float32())),
        {"user_id": np.array(USERS), "item_id": np.array(ITEMS), "rating": pd.Series(VALUES)},
        {"user_id": tuple(USERS), "item_id": np.array(ITEMS, object), "rating": pl.Series(VALUES)},
        {"user_id": pa.chunked_array([USERS[:1], USERS[1:]]), "item_id": iter(ITEMS), "rating": VALUES},
    ],
    ids=lambda table: type(table).__name__,
)
def test_tables(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Ratings.from_table(table)
    assert made.to_arrow().to_pylist() == ROWS
    assert made.scale == Scale(0, 5, 0.5)
    assert made.notices == ()


def test_polars_lazy_frames_are_no_tables():
    with pytest.raises((ParameterError, TypeError)):
        Ratings.from_table(pl.DataFrame(COLUMNS).lazy())


@pytest.mark.parametrize("table", [5, "ratings.csv", None, [1, 2]])
def test_no_table(table):
    with pytest.raises(ParameterError, match="no table of ratings"):
        Ratings.from_table(table)


def test_a_frame_is_not_changed():
    frame = pd.DataFrame({**COLUMNS, "junk": [{}, 1, "x", None]})
    before = frame.copy(deep=True)
    Ratings.from_table(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_unused_categories_are_no_ids():
    items = pd.Categorical(["x", "y"], categories=["z", "y", "x"])
    assert list(Ratings.from_arrays([1, 2], items, [1, 2]).items) == ["x", "y"]
    ratings = pa.DictionaryArray.from_arrays([1, 2], [99.0, 1.0, 2.0])
    made = Ratings.from_arrays([1, 2], ["x", "y"], ratings)
    assert made.scale == Scale(1, 2, 1)


def test_dictionaries_with_nulls_and_repeats():
    items = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["x", "x", "y"]))
    assert list(Ratings.from_arrays([1, 2, 3], items, [1, 2, 3]).items) == ["x", "y"]
    items = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["x", None]))
    with pytest.raises(DataError, match="item ids are missing in 1 row"):
        Ratings.from_arrays([1, 2], items, [1, 2])


# -- ids --------------------------------------------------------------------------------------


def test_text_in_a_table_stays_text():
    made = Ratings.from_arrays(["2", "10"], ["007", "7"], [1, 2])
    assert list(made.users) == ["10", "2"]
    assert list(made.items) == ["007", "7"]


def test_declared_types():
    made = Ratings.from_arrays(["2", "10"], [7, 8], [1, 2], ids={"user": "integer", "item": "text"})
    assert list(made.users) == [2, 10]
    assert list(made.items) == ["7", "8"]
    assert Ratings.from_arrays([2], [7], [1], ids="text").users.kind == "text"
    with pytest.raises(ParameterError, match="ids is 'number'"):
        Ratings.from_arrays([2], [7], [1], ids="number")
    with pytest.raises(ParameterError, match="a key of ids is 'movie'"):
        Ratings.from_arrays([2], [7], [1], ids={"movie": "text"})


def test_declared_integers_must_be_integers():
    with pytest.raises(DataError, match="user ids are not integers in 1 row") as caught:
        Ratings.from_arrays(["2", "x"], [7, 8], [1, 2], ids="integer")
    assert "row 1" in str(caught.value)
    with pytest.raises(DataError, match="two user ids would become the integer 7"):
        Ratings.from_arrays(["7", "007"], [7, 8], [1, 2], ids="integer")
    assert list(Ratings.from_arrays(["2.0", "003"], [7, 8], [1, 2], ids="integer").users) == [2, 3]


IDS = [
    "",
    "a b",
    "a/b",
    "%2F",
    "é",
    "e\u0301",
    "😀",
    "-1",
    "0",
    "00",
    "A",
    "a",
    "\t",
    "NaN",
    "null",
    "'; drop",
]


def test_ids_come_back_exactly():
    ids = IDS[1:]
    made = Ratings.from_arrays(ids, ids, [1] * len(ids))
    assert list(made.users) == sorted(ids)
    assert all(made.profile(one) == {one: 1.0} for one in ids)


def test_negative_and_zero_ids_are_labels():
    made = Ratings.from_arrays([-1, 0, -(2**63)], [2**63 - 1, 0, -1], [1, 2, 3])
    assert list(made.users) == [-(2**63), -1, 0]
    assert made.profile(-1) == {2**63 - 1: 1}


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([1, "1"], "mixed types: integer and text"),
        ([1, 2.0], "mixed types: integer and float"),
        (["x", 2], "mixed types: text and integer"),
        ([True, False], "of type bool"),
        ([True, 1], "mixed types: boolean and integer"),
        ([1, None], "user ids are missing in 1 row"),
        (["x", None], "user ids are missing in 1 row"),
        (["x", float("nan")], "user ids are missing in 1 row"),
        (["x", ""], "user ids are empty in 1 row"),
        ([None, None], "user ids are missing in 2 rows"),
        ([1.0, 123.5], "no exact integers in 1 row"),
        ([1.0, 2.0**60], "no exact integers in 1 row"),
        ([1.0, float("inf")], "no exact integers in 1 row"),
        ([1, 2**63], "beyond the 64-bit integers"),
        ([1, 10**30], "beyond the 64-bit integers"),
        ([1, 10**100], "cannot be used"),
        ([b"x", b"y"], "of type binary"),
        (["x", "y" * 513], "513 bytes long"),
        (["x", "é" * 257], "514 bytes long"),
        (["x", "a\0b"], "NUL byte"),
        (["x", "\ud800"], "cannot be used"),
        ([(1,), (2,)], "user ids are of type list"),
    ],
)
def test_ids_that_cannot_be_used(users, message):
    with pytest.raises(DataError, match=message) as caught:
        Ratings.from_arrays(users, ["x", "y"], [1, 2])
    assert "row" in str(caught.value)
    assert "Next step:" in str(caught.value)


def test_ids_of_512_bytes_are_fine():
    assert Ratings.from_arrays(["x" * 512, "é" * 256], [1, 2], [1, 2]).n_users == 2


def test_whole_floats_are_integers_with_a_notice():
    with pytest.warns(CoratedNotice, match="taken as integers"):
        made = Ratings.from_arrays(np.array([123.0, 5.0]), [1, 2], [1, 2])
    assert list(made.users) == [5, 123]


def test_huge_integers_declared_text():
    made = Ratings.from_arrays([1, 10**30], [2**64 - 1, 3], [1, 2], ids="text")
    assert list(made.users) == ["1", str(10**30)]
    unsigned = pa.array([2**64 - 1, 3], pa.uint64())
    assert list(Ratings.from_arrays([1, 2], unsigned, [1, 2], ids="text").items) == [str(2**64 - 1), "3"]
    with pytest.raises(DataError, match="beyond the 64-bit integers") as caught:
        Ratings.from_arrays([1, 2], unsigned, [1, 2])
    assert "row 0" in str(caught.value)


# -- ratings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1, float("nan"), None], "2 missing"),
        ([1, float("inf"), float("-inf")], "2 infinite"),
        (["1", "five", "NaN"], "1 not a number, 1 missing|1 missing .*, 1 not a number"),
        (["1", "1_0", "0x10"], "2 not a number"),
        (pa.array([1, None, None]), "2 missing"),
        (pa.array(["1", None, ""]).dictionary_encode(), "2 missing"),
        (np.array([1, np.nan, np.inf], np.float32), "1 missing .*, 1 infinite"),
        (pd.Series([1, pd.NA, None], dtype="Int64"), "2 missing"),
    ],
    ids=str,
)
def test_ratings_that_cannot_be_used(values, found):
    with pytest.raises(DataError, match=found) as caught:
        Ratings.from_arrays([1, 2, 3], [1, 2, 3], values)
    assert "2 ratings cannot be used" in str(caught.value)
    assert "row 1 (from 0)" in str(caught.value)
    with pytest.warns(CoratedNotice, match="2 rows left out"):
        made = Ratings.from_arrays([1, 2, 3], [1, 2, 3], values, on_bad="drop")
    assert made.to_arrow().to_pylist() == [{"user_id": 1, "item_id": 1, "rating": 1.0}]


def test_dropping_drops_only_ratings():
    with pytest.raises(DataError, match="user ids are missing in 1 row"):
        Ratings.from_arrays([1, 2, None], [1, 2, 3], [1, float("nan"), 2], on_bad="drop")
    with pytest.raises(DataError, match="every row was left out"):
        Ratings.from_arrays([1, 2], [1, 2], [None, None], on_bad="drop")


def test_rows_are_numbered_as_given_after_dropping():
    with pytest.raises(DataError) as caught:
        Ratings.from_arrays([1, 2, 2, 3, 3], [1, 1, 1, 1, 1], [None, 1, None, 2, 2], on_bad="drop")
    assert [row[:5] for row in caught.value.rows] == ["row 3", "row 4"]


def test_ratings_of_a_wrong_type():
    with pytest.raises(DataError, match="the ratings are of type timestamp"):
        Ratings.from_arrays([1], [1], np.array(["2013-10-12"], "M8[s]"))
    with pytest.raises(DataError, match="mixed types"):
        Ratings.from_arrays([1, 2], [1, 2], [1, "2"])


def test_zero_is_a_rating():
    made = Ratings.from_arrays([1, 2], [1, 1], [0, -0.0])
    assert made.values.tolist() == [0, 0]
    assert not np.signbit(made.values).any()
    assert made.scale.levels == 1


def test_booleans_are_likes():
    assert Ratings.from_arrays([1, 2], [1, 1], [True, False]).values.tolist() == [1, 0]


def test_implicit():
    with pytest.warns(CoratedNotice, match="no column of ratings"):
        made = Ratings.from_table({"user_id": [1, 2], "item_id": [1, 1]})
    assert made.values.tolist() == [1, 1]
    assert made.scale == Scale(1, 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Ratings.from_table(COLUMNS, rating=False).values.tolist() == [1, 1, 1, 1]
        assert Ratings.from_arrays(USERS, ITEMS).values.tolist() == [1, 1, 1, 1]


def test_declared_scale():
    made = Ratings.from_arrays([1, 2], [1, 1], [2, 4], scale=(1, 5, 1))
    assert made.scale == Scale(1, 5, 1)
    assert made.codes.tolist() == [1, 3]
    with pytest.raises(DataError, match="1 off the declared scale") as caught:
        Ratings.from_arrays([1, 2], [1, 1], [2, 7], scale=(1, 5, 1))
    assert "row 1 (from 0): rating 7" in str(caught.value)
    assert "1 to 5 by 1" in str(caught.value)


def test_off_any_scale():
    values = np.linspace(0, 1, 1000)
    made = Ratings.from_arrays(np.arange(1000), np.zeros(1000, int), values)
    assert made.scale is None
    assert made.codes is None
    assert np.array_equal(made.values, values)
    assert made.profile(999) == {0: 1.0}
    thirds = Ratings.from_arrays([1, 2], [1, 1], [0, 1 / 3])
    assert thirds.scale is None
    wide = Ratings.from_arrays([1, 2], [1, 1], [0, 99.9], scale=(0, 100, 0.1))
    assert wide.scale is None
    assert any("more than 256 levels" in notice for notice in wide.notices)


def test_many_levels_after_few():
    batches = [
        pa.record_batch(
            {"user_id": [n * 1000 + u for u in range(300)], "item_id": [1] * 300, "rating": values}
        )
        for n, values in enumerate([[1.0, 2.0, 3.0] * 100, [u / 7 for u in range(300)]])
    ]
    made = Ratings.from_table(pa.RecordBatchReader.from_batches(batches[0].schema, batches))
    assert made.scale is None
    assert np.array_equal(made.values[:300], np.tile([1.0, 2, 3], 100))


def test_lonely_data_are_noticed():
    assert any("one user" in notice for notice in Ratings.from_arrays([1], [1], [1]).notices)
    assert any("one item" in notice for notice in Ratings.from_arrays([1], [1], [1]).notices)
    assert any("one level" in notice for notice in Ratings.from_arrays([1], [1], [3]).notices)


# -- columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("userId", "movieId", "rating", "timestamp"),
        ("User-ID", "ISBN", "Book-Rating", "Date"),
        ("reviewerID", "asin", "overall", "unixReviewTime"),
        ("user", "product_id", "stars", "time"),
        (" USER ", "Item", "Score", "ts"),
        ("user_id:token", "item_id:token", "rating:float", "timestamp:float"),
    ],
)
def test_names_are_guessed_and_reported(names):
    table = dict(zip(names, ([1], [2], [3], [1_381_620_027]), strict=True))
    with pytest.warns(CoratedNotice, match="recognized by name"):
        made = Ratings.from_table(table)
    assert made.to_arrow().to_pylist()[0]["rating"] == 3
    assert made.times.tolist() == [1_381_620_027_000_000]
    assert any(f"user={names[0]!r}" in notice for notice in made.notices)


def test_given_names():
    table = {"a": [1], "b": [2], "c": [3], "rating": [9], "user_id": [8]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Ratings.from_table(table, user="a", item="b", rating="c", time=False)
    assert made.profile(1) == {2: 3.0}


def test_a_given_column_is_not_guessed_again():
    table = {"user_id": [1], "user": ["x"], "rating": [3]}
    made = Ratings.from_table(table, user="user_id", item="user", time=False)
    assert made.profile(1) == {"x": 3.0}


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ({"usr_id": [1], "mov": [2]}, {}, "Did you mean user='usr_id'"),
        (
            {"user_id": [1], "mov": [2]},
            {},
            "no column looks like the item column. The columns are 'user_id', 'mov'",
        ),
        (COLUMNS, {"rating": "ratting"}, "Did you mean rating='rating'"),
        (COLUMNS, {"time": "when"}, "no column 'when' for time"),
        (COLUMNS, {"user": "item_id", "item": "item_id"}, "named for both users and items"),
        ({"user_id": [1], "User-ID": [1], "item_id": [1]}, {}, None),
        ({"userId": [1], "User-ID": [1], "item_id": [1]}, {}, "could both be the user column"),
    ],
)
def test_missing_columns(table, options, message):
    if message is None:
        with pytest.warns(CoratedNotice):
            assert Ratings.from_table(table, **options).n_users == 1
        return
    with pytest.raises(DataError, match=message):
        Ratings.from_table(table, **options)


def test_two_columns_of_one_name():
    table = pa.table([[1], [2], [3]], names=["user_id", "item_id", "item_id"])
    with pytest.raises(DataError, match="could both be the item column"):
        Ratings.from_table(table)
    with pytest.raises(DataError, match="there are 2 columns called 'item_id'"):
        Ratings.from_table(table, item="item_id")


@pytest.mark.parametrize("option", ["user", "item", "rating", "time"])
def test_names_are_text(option):
    with pytest.raises(ParameterError, match=f"{option} is 3"):
        Ratings.from_table(COLUMNS, **{option: 3})


def test_columns_of_different_length():
    with pytest.raises(ParameterError, match="differ in length: user_id 2, item_id 3"):
        Ratings.from_arrays([1, 2], [1, 2, 3])
    with pytest.raises(ParameterError, match="not a column"):
        Ratings.from_arrays("ab", [1, 2])
    with pytest.raises(ParameterError, match="not a column"):
        Ratings.from_arrays(np.ones((2, 2)), [1, 2])


@pytest.mark.parametrize(
    "table", [pd.DataFrame(columns=list(COLUMNS)), TABLE.slice(0, 0), {n: [] for n in COLUMNS}]
)
def test_nothing_to_read(table):
    with pytest.raises(DataError, match="no rows"):
        Ratings.from_table(table)


# -- order ------------------------------------------------------------------------------------


def test_orders():
    keys = np.array([3, 1, 3, 0, 1])
    for widest in (INT32_MAX, 2):
        order = stable_order(keys, 4, widest_int32=widest)
        assert order.tolist() == [3, 1, 4, 0, 2]
    assert stable_order(keys, 4, widest_int32=2).dtype == np.int64
    assert stable_order(keys, 4).dtype == np.int32
    assert pair_order(np.array([0, 0, 1]), np.array([0, 0, 0]), 2, 1) is None
    assert pair_order(np.array([0, 0, 1]), np.array([1, 0, 0]), 2, 2).tolist() == [1, 0, 2]


def test_joining_owns_its_memory():
    base = np.arange(6)
    view = base[:3]
    assert joined([view]).base is None
    assert joined([view, base[3:]]).tolist() == [0, 1, 2, 3, 4, 5]
    own = np.arange(3)
    assert joined([own]) is own
    assert joined([np.array([1]), np.array([0.5])]).tolist() == [1, 0.5]
    assert len(joined([])) == 0


def test_where_keeps_ids_scale_and_times():
    timed = Ratings.from_arrays(USERS, ITEMS, VALUES, [4, 3, 2, 1], scale=(0, 5, 0.5))
    some = timed.where(timed.values > 0.5)
    assert some.to_arrow().drop(["timestamp"]).to_pylist() == [row for row in ROWS if row["rating"] > 0.5]
    assert some.times.tolist() == [3_000_000, 2_000_000, 4_000_000]
    assert (list(some.users), list(some.items)) == ([1, 3], ["a", "b"])
    assert (some.users.what, some.items.what) == ("user", "item")
    assert some.scale == timed.scale
    assert some.by_user.indices.dtype == np.int32
    assert some.by_item.indptr.tolist() == [0, 2, 3]
    assert timed.n_ratings == 4
    same = timed.where(np.ones(4, dtype=bool))
    assert same.to_arrow() == timed.to_arrow()
    with pytest.raises(ValueError, match="read-only"):
        some.codes[0] = 0


def test_where_off_a_scale_and_without_times():
    floats = Ratings.from_arrays([1, 1, 2], [1, 2, 3], [0.123456, 2.5, 1e6])
    some = floats.where([False, True, True])
    assert some.values.tolist() == [2.5, 1e6]
    assert (some.scale, some.times, some.codes) == (None, None, None)
    assert list(some.items) == [2, 3]


def test_where_nothing_is_left(ratings):
    timed = Ratings.from_arrays([1], [1], [1], [1_381_620_027])
    for one in (ratings, timed):
        none = one.where(np.zeros(len(one), dtype=bool))
        assert (none.n_users, none.n_items, none.n_ratings) == (0, 0, 0)
        assert "ratings: 0" in repr(none)


@pytest.mark.parametrize("mask", [[True], [0, 1, 1, 0], True, np.ones((4, 1), dtype=bool), ["a"] * 4])
def test_where_wants_one_bool_for_each_rating(ratings, mask):
    with pytest.raises(ParameterError, match=r"one for each rating, in by_user order"):
        ratings.where(mask)
