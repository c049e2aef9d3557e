"""One file for a manifest and arrays: what is written is what is read, by us and by safetensors."""

import hashlib
import json
import os
import sys
import tracemalloc
from pathlib import Path
from types import MappingProxyType

import hypothesis.extra.numpy as hnp
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

from corated._version import __version__
from corated.errors import ModelFileError, ParameterError
from corated.models.container import (
    FORMAT,
    OLDEST,
    pack_text,
    read_container,
    read_manifest,
    unpack_text,
    write_container,
)

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint32", "float32", "float64"]

names = st.from_regex(r"[A-Za-z0-9._-][A-Za-z0-9._/-]{0,20}", fullmatch=True).filter(
    lambda name: ".." not in name and name != "__metadata__"
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, shapes))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)
contents = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), plain, max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("models") / "model"


def same(got, expected):
    """Equal to the last bit, NaN included."""
    return got.dtype == expected.dtype and got.shape == expected.shape and got.tobytes() == expected.tobytes()


# -- round trips ----------------------------------------------------------------------------------


@given(contents, st.dictionaries(names, arrays, max_size=5))
def test_what_is_written_is_what_is_read(path, content, given_arrays):
    write_container(path, content, given_arrays)
    manifest, found = read_container(path)
    assert manifest == read_manifest(path)
    assert (manifest["format"], manifest["corated"], manifest["content"]) == (FORMAT, __version__, content)
    assert list(found) == sorted(given_arrays)
    for name, array in given_arrays.items():
        assert same(found[name], array)
        assert not found[name].flags.writeable
        assert found[name].flags.aligned
        assert manifest["arrays"][name] == {
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        }


@given(contents, st.dictionaries(names, arrays, max_size=5))
def test_safetensors_reads_it(path, content, given_arrays):
    write_container(path, content, given_arrays)
    found = load_file(path)
    assert set(found) == set(given_arrays)
    assert all(same(found[name], array) for name, array in given_arrays.items())
    with safe_open(path, framework="np") as file:
        text = file.metadata()["manifest"]
        assert file.metadata()["sha256"] == hashlib.sha256(text.encode()).hexdigest()


@given(
    st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, (3, 4, 5))), st.permutations([0, 1, 2])
)
def test_any_order_in_memory(path, array, axes):
    views = {
        "turned": array.transpose(axes),
        "backward": array[::-1, :, ::-2],
        "fortran": np.asfortranarray(array),
        "swapped": array.astype(array.dtype.newbyteorder(">")),
        "spread": np.broadcast_to(array, (2, 3, 4, 5)),
    }
    write_container(path, {}, views)
    _, found = read_container(path)
    for name, view in views.items():
        assert same(found[name], np.ascontiguousarray(view, view.dtype.newbyteorder("<")))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (0, 2**40)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_dimensions_and_no_elements(path, dtype, shape):
    array = np.ones(shape, dtype)
    write_container(path, {}, {"a": array})
    for verify in (True, False):
        found = read_container(path, verify=verify)[1]["a"]
        assert same(found, array)
        assert not found.flags.writeable
    assert load_file(path)["a"].shape == shape


def test_arrays_larger_than_a_piece(path):
    array = np.random.default_rng(1).random((700, 1000))
    turned = array.T
    write_container(path, {}, {"array": array, "turned": turned, "some": array > 0.5})
    _, found = read_container(path)
    assert same(found["array"], array)
    assert same(found["turned"], np.ascontiguousarray(turned))
    assert same(found["some"], array > 0.5)


def test_nothing_at_all(path):
    write_container(path, {}, {})
    assert read_container(path) == (
        {"format": FORMAT, "corated": __version__, "arrays": {}, "content": {}},
        {},
    )
    assert OLDEST <= FORMAT


def test_mappings_and_tuples_come_back_as_dicts_and_lists(path):
    write_container(path, MappingProxyType({"a": MappingProxyType({"b": (1, (2,))})}), MappingProxyType({}))
    assert read_manifest(path)["content"] == {"a": {"b": [1, [2]]}}


@given(contents, st.dictionaries(names, arrays, max_size=5), st.randoms(use_true_random=False))
def test_equal_input_gives_equal_bytes(path, content, given_arrays, random):
    def shuffled(mapping):
        return dict(random.sample(list(mapping.items()), len(mapping)))

    write_container(path, content, given_arrays)
    first = path.read_bytes()
    write_container(path, shuffled(content), shuffled(given_arrays))
    assert path.read_bytes() == first


def test_the_layout_is_that_of_the_format(path):
    """Written out by hand, so that a change of the bytes is seen."""
    write_container(path, {"k": 1}, {"b": np.array([1, 2], np.uint8), "a": np.array([[1.5]], np.float32)})
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    assert (8 + n) % 64 == 0
    assert raw[8 + n :] == np.float32(1.5).tobytes() + b"\1\2"
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in [("a", raw[-6:-2]), ("b", raw[-2:])]}
    of_a = f'{{"dtype": "float32", "sha256": "{hashes["a"]}", "shape": [1, 1]}}'
    of_b = f'{{"dtype": "uint8", "sha256": "{hashes["b"]}", "shape": [2]}}'
    text = (
        f'{{"arrays": {{"a": {of_a}, "b": {of_b}}}, "content": {{"k": 1}}, '
        f'"corated": "{__version__}", "format": 1}}'
    )
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    header = (
        f'{{"__metadata__":{{"manifest":{json.dumps(text)},"sha256":"{sha256}"}},'
        '"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},'
        '"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}'
    )
    assert raw[8 : 8 + n].decode().rstrip(" ") == header


# -- maps -----------------------------------------------------------------------------------------


def test_results_cannot_be_written(path):
    write_container(path, {}, {"a": np.arange(4), "empty": np.zeros(0)})
    for array in read_container(path)[1].values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1
    array = read_container(path)[1]["a"]
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        array.flags.writeable = True


def test_arrays_are_mapped_and_not_loaded(path):
    array = np.zeros(4_000_000)
    write_container(path, {}, {"a": array})
    tracemalloc.start()
    try:
        found = read_container(path)[1]["a"]
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert same(found, array)
    assert taken < array.nbytes / 10


def test_writing_takes_no_second_copy(path):
    array = np.zeros((2000, 2000)).T[:, ::-1]
    tracemalloc.start()
    try:
        write_container(path, {}, {"a": array})
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < array.nbytes / 4


@pytest.mark.skipif(os.name != "posix", reason="a mapped file can be replaced on POSIX")
def test_arrays_outlive_the_file(tmp_path):
    path = tmp_path / "model"
    write_container(path, {"of": "old"}, {"a": np.arange(100_000)})
    _, old = read_container(path)
    write_container(path, {"of": "new"}, {"a": np.arange(5)})
    _, new = read_container(path)
    path.unlink()
    assert old["a"].sum() == 4_999_950_000
    assert new["a"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files in /proc")
def test_no_file_is_left_open(path):
    write_container(path, {}, {"a": np.arange(5)})
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        read_manifest(path)
        read_container(path)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


# -- what cannot be stored --------------------------------------------------------------------------

DEEP = []
for _ in range(200):
    DEEP = [DEEP]
ENDLESS = {}
ENDLESS["a"] = ENDLESS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": {1: 2}}, r"manifest\['a'\] has the key 1"),
        ({"a": float("nan")}, r"manifest\['a'\] is nan"),
        ({"a": [1, float("inf")]}, r"manifest\['a'\]\[1\] is inf"),
        ({"a": {1, 2}}, "of type set"),
        ({"a": b"x"}, "of type bytes"),
        ({"a": np.int64(1)}, "of type int64"),
        ({"a": np.arange(2)}, "of type ndarray"),
        ({"a": DEEP}, "nested"),
        (ENDLESS, "nested"),
        ({"a": "\ud800"}, "UTF-8"),
        ({"a": 10**5000}, "UTF-8"),
        ({"a": "x" * 17_000_000}, "header of 17,000,"),
    ],
)
def test_a_manifest_that_cannot_be_stored(tmp_path, content, said):
    with pytest.raises(ParameterError, match=f"cannot be stored in a model file: .*{said}") as raised:
        write_container(tmp_path / "model", content, {})
    assert raised.value.expected
    assert raised.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["a"]),
        np.zeros(2, np.float16),
        np.zeros(2, np.uint64),
        np.zeros(2, np.uint16),
        np.zeros(2, complex),
        np.zeros(2, "M8[s]"),
        np.zeros(2, [("a", "i4")]),
        [1, 2],
        5,
        None,
    ],
)
def test_an_array_that_cannot_be_stored(tmp_path, array):
    with pytest.raises(ParameterError, match="the array a is of type"):
        write_container(tmp_path / "model", {}, {"a": array})
    assert list(tmp_path.iterdir()) == []


BAD_NAMES = [
    "",
    "a" * 201,
    "../a",
    "a/../b",
    "a..b",
    "/a",
    "a b",
    "a\n",
    "ä",
    "a\\b",
    "__metadata__",
    5,
    None,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_stored(tmp_path, name):
    with pytest.raises(ParameterError, match="cannot be the name of an array"):
        write_container(tmp_path / "model", {}, {name: np.zeros(1)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "a" * 200, "user/ids.bytes", "A-z_0.9", "__a__", "."])
def test_a_name_that_can_be_stored(path, name):
    write_container(path, {}, {name: np.zeros(1)})
    assert list(read_container(path)[1]) == [name]


# -- text -----------------------------------------------------------------------------------------

texts = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])))


@given(texts, st.sampled_from([pa.string(), pa.large_string()]), st.data())
def test_text_comes_back(path, values, kind, data):
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    packed = pack_text(pa.array(values, kind)[start:stop])
    assert {array.dtype for array in packed.values()} <= {np.dtype(np.uint8), np.dtype(np.int64)}
    write_container(path, {}, packed)
    found = unpack_text(read_container(path)[1], name="ids", path=path)
    assert found.type == pa.string()
    assert found.to_pylist() == values[start:stop]
    assert ("valid" in packed) == (None in values[start:stop])
    again = pack_text(pa.array(values[start:stop], pa.string()))
    assert all(same(again[part], packed[part]) for part in packed)


def test_text_below_a_null_is_not_stored():
    hidden = pa.Array.from_buffers(
        pa.string(),
        2,
        [
            pa.array([True, False]).buffers()[1],
            pa.py_buffer(np.array([0, 1, 7], np.int32)),
            pa.py_buffer(b"asecret"),
        ],
    )
    assert hidden.to_pylist() == ["a", None]
    assert pack_text(hidden)["bytes"].tobytes() == b"a"


@pytest.mark.parametrize("array", [pa.array([1]), pa.array([b"a"]), pa.array(["a"]).dictionary_encode()])
def test_only_text_is_packed(array):
    with pytest.raises(TypeError, match="must be a string array"):
        pack_text(array)


def text(content=b"abc", offsets=(0, 1, 3), valid=None, **more):
    packed = {"bytes": np.frombuffer(content, np.uint8), "offsets": np.array(offsets, np.int64), **more}
    return packed if valid is None else {**packed, "valid": np.array(valid, np.uint8)}


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (text(offsets=(0, 1, 4)), "do not span its bytes"),
        (text(offsets=(1, 2, 3)), "do not span its bytes"),
        (text(offsets=(-1, 2, 3)), "do not span its bytes"),
        (text(offsets=()), "do not span its bytes"),
        (text(offsets=(0, 1, 2)), "do not span its bytes"),
        (text(offsets=(0, 5, 3)), "run backward"),
        (text(offsets=(0, 2**62, -(2**62), 3)), "run backward"),
        (text(content=b"\xff\xfe\xfd"), "not UTF-8"),
        (text(content="aé".encode(), offsets=(0, 2, 3)), "not UTF-8"),
        (text(content=b"\xed\xa0\x80"), "not UTF-8"),
        (text(valid=(1,)), "validity"),
        (text(valid=(1, 2)), "validity"),
        (text(valid=(1, 0)), "below a null"),
        ({"bytes": np.zeros(0, np.uint8)}, "not the arrays"),
        (text(other=np.zeros(1)), "not the arrays"),
        (text(offsets=[[0, 3]]), "another shape"),
        ({**text(), "offsets": np.array([0, 3], np.int32)}, "another shape or type"),
        ({**text(), "bytes": np.array(3, np.uint8)}, "another shape or type"),
    ],
)
def test_text_that_is_none(packed, said):
    with pytest.raises(
        ModelFileError, match=f"The model file m is damaged: the text user ids has .*{said}"
    ) as raised:
        unpack_text(packed, name="user ids", path="m")
    assert raised.value.hint
