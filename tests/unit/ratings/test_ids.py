import numpy as np
import pyarrow as pa
import pytest

from corated.errors import DataError, IdTypeError, UnknownIdError
from corated.ratings.ids import IdMap


@pytest.fixture
def integers():
    return IdMap.from_ids([30, -2, 7, 7, 0], "user")


@pytest.fixture
def texts():
    return IdMap.from_ids(["b", "0104257", "é", "e\u0301", "Z", "😀", "\uffee", "a/b %2F"], "item")


def test_ids_ascend_and_codes_are_ranks(integers, texts):
    assert list(integers) == [-2, 0, 7, 30]
    assert list(texts) == sorted(["b", "0104257", "é", "e\u0301", "Z", "😀", "\uffee", "a/b %2F"])
    for ids in (integers, texts):
        assert [ids.code(one) for one in ids] == list(range(len(ids)))
        assert [ids.id(code) for code in range(len(ids))] == list(ids)
        assert ids.codes(list(ids)).tolist() == list(range(len(ids)))
        assert ids.take(np.arange(len(ids))[::-1]).to_pylist() == list(ids)[::-1]


def test_types(integers, texts):
    assert (integers.kind, texts.kind) == ("integer", "text")
    assert integers.ids.type == pa.int64()
    assert texts.ids.type == pa.string()
    assert type(integers.id(0)) is int
    assert "4 user ids, integer: -2, 0, 7, 30" in repr(integers)
    assert "8 item ids, text" in repr(texts)


def test_membership_is_by_type(integers, texts):
    assert 7 in integers
    assert np.int32(7) in integers
    assert 8 not in integers
    assert "7" not in integers
    assert True not in IdMap.from_ids([1])
    assert "b" in texts
    assert 104257 not in texts


def test_numpy_integers_are_integers(integers):
    assert integers.code(np.uint8(30)) == 3
    assert integers.codes(np.array([30, 5, -2], np.int16)).tolist() == [3, -1, 0]
    assert integers.codes(pa.array([7], pa.uint64())).tolist() == [2]


def test_unknown_ids(integers, texts):
    with pytest.raises(UnknownIdError, match="no user 31 among the 4 user ids"):
        integers.code(31)
    with pytest.raises(UnknownIdError, match='no item "c"'):
        texts.code("c")
    assert integers.codes([1, 7, 2**70]).tolist() == [-1, 2, -1]
    assert integers.codes(pa.array([2**64 - 1, 7], pa.uint64())).tolist() == [-1, 2]
    with pytest.raises(UnknownIdError):
        integers.code(2**70)
    assert texts.codes(["c", "b", "\ud800"]).tolist() == [-1, texts.code("b"), -1]


@pytest.mark.parametrize("few", [True, False])
def test_codes_of_few_and_of_many(texts, few):
    asked = ["b", "nobody", "0104257"] * (1 if few else 200)
    assert texts.codes(asked).tolist() == [texts.code("b"), -1, texts.code("0104257")] * (len(asked) // 3)
    assert texts.codes(pa.array(asked).dictionary_encode()).tolist() == texts.codes(asked).tolist()
    assert texts.codes(np.array(asked)).tolist() == texts.codes(asked).tolist()
    assert texts.codes(np.array(asked, object)).tolist() == texts.codes(asked).tolist()


def test_no_ids_at_all(integers):
    assert integers.codes([]).dtype == np.int64
    assert len(integers.codes([])) == 0
    assert len(integers.take([])) == 0
    empty = IdMap(pa.array([], pa.int64()))
    assert empty.codes([1]).tolist() == [-1]
    with pytest.raises(UnknownIdError):
        empty.code(1)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("7", "Did you mean the integer 7"),
        (" 7", "Did you mean the integer 7"),
        (7.0, "Did you mean the integer 7"),
        ("31", "Give user ids as integers"),
        (True, "Give user ids as integers"),
        (None, "Give user ids as integers"),
        (7.5, "Give user ids as integers"),
        (b"7", "Give user ids as integers"),
    ],
)
def test_wrong_type_where_ids_are_integers(integers, asked, hint):
    for call in (integers.code, lambda one: integers.codes([0, one])):
        with pytest.raises(IdTypeError, match="the user ids in the data are integers") as caught:
            call(asked)
        assert hint in str(caught.value)
        assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (104257, 'Did you mean "0104257"'),
        (np.int64(104257), 'Did you mean "0104257"'),
        (104257.0, 'Did you mean "0104257"'),
        (9, "Give item ids as text"),
        (None, "Give item ids as text"),
    ],
)
def test_wrong_type_where_ids_are_text(texts, asked, hint):
    with pytest.raises(IdTypeError, match="the item ids in the data are text") as caught:
        texts.code(asked)
    assert hint in str(caught.value)
    with pytest.raises(IdTypeError):
        texts.codes(np.array([1, 2]))


def test_near_misses_of_text():
    ids = IdMap.from_ids(["caf\u00e9", "0007"], "item")
    for asked, meant in (("cafe\u0301", "caf\u00e9"), ("7", "0007"), (" 0007 ", "0007")):
        with pytest.raises(UnknownIdError, match=f'Did you mean "{meant}"'):
            ids.code(asked)


def test_one_id_is_no_list_of_ids(texts):
    with pytest.raises(IdTypeError, match=r"Use code\(\) for one id"):
        texts.codes("b")


def test_nulls_are_not_ids(texts):
    with pytest.raises(IdTypeError):
        texts.codes(pa.array(["b", None]))


@pytest.mark.parametrize("code", [-1, 4, 10**12])
def test_codes_outside_are_refused(integers, code):
    with pytest.raises(IndexError):
        integers.id(code)
    with pytest.raises(IndexError):
        integers.take([0, code])


def test_parse_gives_the_stored_type(integers, texts):
    assert integers.parse("-2") == -2
    assert integers.parse("12345") == 12345  # a well-formed id need not be in the data
    assert texts.parse("0104257") == "0104257"
    for wrong in ("007", "7.0", " 7", "+7", "", "seven", "9" * 30, "-0", "1_0", "٧"):
        with pytest.raises(IdTypeError, match="is not a user id: the user ids in the data are integers"):
            integers.parse(wrong)
    with pytest.raises(IdTypeError, match="Did you mean the integer 7"):
        integers.parse("007")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "1"], "mixed types: integers and text"),
        (["1", 2], "mixed types: text and integers"),
        ([1, 1.0], "mixed types: integers and floats"),
        ([True], "are booleans"),
        ([1.5], "are floats"),
        ([(1, 2)], "are of type tuple"),
        ([2**63], "beyond the 64-bit integers"),
    ],
)
def test_from_ids_refuses(values, message):
    with pytest.raises(DataError, match=message):
        IdMap.from_ids(values)


def test_frozen(integers):
    with pytest.raises(AttributeError):
        integers.what = "item"


@pytest.mark.parametrize("array", [pa.array([1.5]), pa.array([1, None]), pa.array([1], pa.int32())])
def test_only_proper_arrays(array):
    with pytest.raises((TypeError, ValueError)):
        IdMap(array)
