"""Model files that cannot be used: refused with a reason, whatever their bytes; writing that is cut off."""

import contextlib
import errno
import hashlib
import io
import json
import os
import pickle
import random
import re
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pyarrow as pa
import pytest

from corated._version import __version__
from corated.errors import ModelFileError
from corated.models.container import (
    FORMAT,
    pack_text,
    read_container,
    read_manifest,
    write_container,
)

LONG = 60


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


def refused(path, said, *, expected="", verify=True, read=(read_manifest, read_container)):
    """Assert that reading is refused with this sentence and a next step; returns the error."""
    for reading in read:
        with pytest.raises(ModelFileError, match=said) as raised:
            reading(path)
        error = raised.value
        assert str(path) in error.what
        assert error.hint.endswith(".")
        assert str(error).splitlines()[-1] == f"Next step: {error.hint}"
        assert error.exit_code == 4
        assert expected in error.expected
    return error


# -- no model file ----------------------------------------------------------------------------------


def test_it_is_a_value_error():
    assert issubclass(ModelFileError, ValueError)


def test_absent(path):
    assert "save the model" in refused(path, f"^There is no model file {path}").hint


def test_a_link_that_goes_nowhere(path, tmp_path):
    path.symlink_to(tmp_path / "none")
    refused(path, "^There is no model file")


def test_a_folder(tmp_path):
    refused(tmp_path, "is a folder", expected="a file that Corated saved")


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as POSIX has them")
def test_a_pipe_is_not_waited_for(path):
    os.mkfifo(path)
    refused(path, "is not a regular file")


def test_below_a_file(path):
    path.write_bytes(b"x")
    refused(path / "model", "could not be read: Not a directory|There is no model file")


def test_a_name_that_no_file_has():
    with pytest.raises(ModelFileError, match="No file can have the name"):
        read_manifest("a\0b")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(path):
    write_container(path, {}, {})
    path.chmod(0)
    assert "right to read" in refused(path, "could not be read: Permission denied").hint


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails(path, number, monkeypatch):
    write_container(path, {}, {})

    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(path), "open", fail)
    refused(path, f"could not be read: {os.strerror(number)}")


def test_empty(path):
    path.write_bytes(b"")
    refused(path, "is empty")


# -- another format ---------------------------------------------------------------------------------


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def saved(save):
    file = io.BytesIO()
    save(file, np.array([Evil()], object))
    return file.getvalue()


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil", "x")


WITH_CODE = {
    **{
        f"pickle {n}": (lambda path, n=n: path.write_bytes(pickle.dumps(Evil(), n)), "a pickle")
        for n in range(6)
    },
    "pickled dict 0": (lambda path: path.write_bytes(pickle.dumps({"a": 1}, 0)), "a pickle"),
    "pickled list 1": (lambda path: path.write_bytes(pickle.dumps([1], 1)), "a pickle"),
    "npz": (lambda path: path.write_bytes(saved(np.savez)), "a zip archive"),
    "zip": (zipped, "a zip archive"),
    "npy": (lambda path: path.write_bytes(saved(np.save)), r"\.npy"),
    "gzip": (lambda path: path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0"), "compressed data"),
    "zlib": (lambda path: path.write_bytes(b"x\x9c" + bytes(100)), "compressed data"),
}


@pytest.mark.parametrize("kind", WITH_CODE)
def test_a_file_that_may_contain_code_is_never_opened(path, kind):
    write, named = WITH_CODE[kind]
    write(path)
    refused(path, f"{named}.*may contain code, so it is never opened")


@pytest.mark.parametrize(
    "content", [b"x", b"PAR1" + bytes(100), b"(see below)", b"user,item\n1,2\n", bytes(200), b"\xff" * 100]
)
def test_another_format(path, content):
    path.write_bytes(content)
    refused(path, "is no model file of Corated")


def test_safetensors_of_another_program(path):
    from safetensors.numpy import save_file

    for metadata in (None, {"format": "np"}):
        save_file({"a": np.zeros(3)}, path, metadata=metadata)
        refused(path, "is a safetensors file of another program")


# -- files made by hand -----------------------------------------------------------------------------


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def of_array(data, dtype="float64", code="F64", shape=None, offsets=None):
    """An array's two descriptions: in the manifest and in the header."""
    size = np.dtype(dtype).itemsize
    shape = [len(data) // size] if shape is None else shape
    offsets = [0, len(data)] if offsets is None else offsets
    return (
        {"dtype": dtype, "shape": shape, "sha256": sha256(data)},
        {"dtype": code, "shape": shape, "data_offsets": offsets},
    )


def write_raw(path, arrays=None, data=b"", *, manifest=None, text=None, header=None, metadata=None):
    """Write a file whose hashes are right, whatever it holds; returns where its arrays begin."""
    arrays = arrays or {}
    whole = {
        "format": FORMAT,
        "corated": "0.1.0",
        "arrays": {name: told for name, (told, _) in arrays.items()},
        "content": {},
        **(manifest or {}),
    }
    text = json.dumps(whole) if text is None else text
    told = {"manifest": text, "sha256": sha256(text.encode()), **(metadata or {})}
    entries = {name: entry for name, (_, entry) in arrays.items()}
    raw = (header or json.dumps({"__metadata__": told, **entries})).encode()
    raw += b" " * (-len(raw) % 8)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return 8 + len(raw)


TEN = np.arange(10.0).tobytes()


def test_the_hand_is_right(path):
    """What is written by hand is read, so that the refusals below are for the reasons they name."""
    write_raw(path, {"a": of_array(TEN)}, TEN)
    assert read_container(path)[1]["a"].tolist() == list(range(10))


@pytest.mark.parametrize("length", [1, 7, 8, 9, 20, 40, 300, 500])
def test_cut_short(path, length):
    write_container(path, {"a": 1}, {"a": np.arange(10), "b": np.arange(20)})
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    if length <= 8:
        refused(path, f"is no model file of Corated: it has {length} bytes")
    else:
        n = int.from_bytes(whole[:8], "little")
        refused(path, f"is cut short: it has {length} bytes", expected=f"more than {8 + n:,} bytes")


def test_cut_short_in_the_arrays(path):
    write_container(path, {"a": 1}, {"a": np.arange(1000)})
    whole = path.read_bytes()
    for missing in (1, 7999):
        path.write_bytes(whole[:-missing])
        said = f"is cut short: it has {len(whole) - missing:,} bytes"
        refused(path, said, expected=f"{len(whole):,} bytes")


def test_too_long(path):
    write_container(path, {"a": 1}, {"a": np.arange(10)})
    path.write_bytes(path.read_bytes() + bytes(3))
    refused(path, "is damaged: it has .* bytes, 3 more than belong to it")


def test_a_damaged_array_is_named(path):
    write_container(path, {}, {"a": np.arange(10), "users/bytes": np.zeros(300_000, np.uint8)})
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    refused(path, "the array users/bytes does not have the SHA-256", read=[read_container])
    assert read_container(path, verify=False)[1]["users/bytes"][-1] == 1
    assert read_manifest(path)["content"] == {}


def test_a_damaged_manifest(path):
    write_container(path, {"a": "something"}, {"a": np.arange(10)})
    path.write_bytes(path.read_bytes().replace(b"something", b"somewhere"))
    refused(path, "is damaged: its manifest does not have the SHA-256")


def test_a_newer_format(path):
    write_raw(
        path,
        {"a": of_array(TEN, code="F7")},
        TEN,
        manifest={"format": FORMAT + 1, "corated": "7.3.0", "more": 1},
        metadata={"more": "1"},
    )
    error = refused(path, f"needs a newer corated: it is of format {FORMAT + 1}, written by corated 7.3.0")
    assert f"this corated {__version__} reads format" in error.what
    assert error.hint == "Install corated 7.3.0 or newer."


@pytest.mark.parametrize("version", [None, "1; rm -rf /", "x" * 100, 5])
def test_a_newer_format_of_an_odd_version(path, version):
    write_raw(path, manifest={"format": 99, "corated": version})
    assert refused(path, "is of format 99, and this").hint == "Install a newer corated."


def test_an_older_format(path):
    write_raw(path, manifest={"format": 0})
    assert "Fit the model again" in refused(path, "too old: it is of format 0, written by").hint


@pytest.mark.parametrize("number", [None, "1", 1.0, True, 10**400, [1]])
def test_no_format(path, number):
    write_raw(path, manifest={"format": number})
    refused(path, "does not tell its format")


HOSTILE = {
    "2**60 elements": {"shape": [2**60]},
    "2**60 elements in two": {"shape": [2**30, 2**30]},
    "beyond 64 bits": {"shape": [2**62, 2**62, 2**62]},
    "wraps around to 80 bytes": {"shape": [2**61 + 10]},
    "as large in the file": {"shape": [2**60], "offsets": [0, 2**62]},
    "2**60 bytes in the file": {"shape": [2**57], "offsets": [0, 2**60]},
    "fewer than there are": {"shape": [9]},
    "more than there are": {"shape": [11]},
    "negative": {"shape": [-10]},
    "negative twice": {"shape": [-5, -2]},
    "fraction": {"shape": [10.0]},
    "bool": {"shape": [10, True]},
    "text": {"shape": ["10"]},
    "no list": {"shape": 10},
    "null": {"shape": {}},
    "thousands of digits": {"shape": [10**4000, 10**4000]},
    "thousands of digits in offsets": {"offsets": [0, 10**4299]},
    "many dimensions": {"shape": [1] * 40 + [10]},
    "a million dimensions": {"shape": [10**18] * 500_000},
    "empty, but vast": {"shape": [0, 2**61], "offsets": [0, 0], "data": b""},
    "empty, but vast in all": {"shape": [2**62, 2**62, 0], "offsets": [0, 0], "data": b""},
    "offsets turned": {"offsets": [80, 0]},
    "one offset": {"offsets": [80]},
    "three offsets": {"offsets": [0, 80, 80]},
    "negative offset": {"offsets": [-80, 0]},
    "gap at the start": {"offsets": [8, 88]},
    "unknown type": {"code": "F99"},
    "type of none": {"code": None},
    "another type of this size": {"code": "I64"},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_shapes_take_no_memory(path, what):
    given = {**HOSTILE[what]}
    data = given.pop("data", TEN)
    write_raw(path, {"a": of_array(data, **given)}, data)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        refused(path, "The model file .* is (damaged|cut short): ")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 40 * size
    finally:
        tracemalloc.stop()


def test_a_vast_shape_says_what_it_asks_for(path):
    write_raw(path, {"a": of_array(TEN, shape=[2**56])}, TEN)
    refused(path, "the shape of the array a asks for 576,460,752,303,423,488 bytes, and it has 80 bytes")


@pytest.mark.skipif(not hasattr(os, "truncate"), reason="needs sparse files")
def test_a_file_larger_than_memory_is_mapped(path):
    """64 GiB of zeros that take no room on the disk: reading them without `verify` loads nothing."""
    n = 2**33
    told, entry = of_array(b"", shape=[n], offsets=[0, 8 * n])
    start = write_raw(path, {"a": (told, entry)})
    try:
        os.truncate(path, start + 8 * n)
    except OSError as error:
        pytest.skip(f"no sparse file of this size here: {error}")
    array = read_container(path, verify=False)[1]["a"]
    assert (array.shape, array[0], array[-1]) == ((n,), 0, 0)
    os.truncate(path, start)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"a": [0, 40], "b": [40, 80]}, None),
        ({"a": [40, 80], "b": [0, 40]}, None),
        ({"a": [0, 40], "b": [32, 80]}, "b overlaps"),
        ({"a": [0, 80], "b": [0, 80]}, "overlaps"),
        ({"a": [0, 32], "b": [40, 80]}, "b has a gap before it"),
        ({"a": [8, 40], "b": [40, 80]}, "a has a gap before it"),
        ({"a": [0, 40], "b": [40, 72]}, "8 more than belong to it"),
        ({"a": [0, 40], "b": [40, 88]}, "cut short"),
        ({"a": [0, 0], "b": [0, 80]}, None),
        ({"a": [80, 80], "b": [0, 80]}, None),
        ({"a": [40, 40], "b": [0, 80]}, "overlaps"),
    ],
)
def test_extents(path, entries, said):
    arrays = {
        name: of_array(TEN[start:end], shape=[(end - start) // 8], offsets=[start, end])
        for name, (start, end) in entries.items()
    }
    write_raw(path, arrays, TEN)
    if said:
        refused(path, said)
    else:
        found = read_container(path)[1]
        assert {name: found[name].tobytes() for name in found} == {
            name: TEN[start:end] for name, (start, end) in entries.items()
        }


def test_an_odd_place(path):
    """Unaligned arrays would be read by other compiled kernels, or slowly."""
    data = b"\1" + TEN
    arrays = {"a": of_array(b"\1", "uint8", "U8"), "b": of_array(TEN, offsets=[1, 81])}
    write_raw(path, arrays, data)
    refused(path, "the array b begins at an odd place")


def test_a_bool_that_is_neither(path):
    data = b"\0\1\2"
    write_raw(path, {"a": of_array(data, "bool", "BOOL")}, data)
    refused(path, "the array a is of bool, and has bytes other than 0 and 1", read=[read_container])


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "../a", "a/../../b", "/etc/passwd", "a b", "C:\\a", "é", "a\0", "\ud800"]
)
def test_names_like_paths(path, name):
    write_raw(path, {name: of_array(TEN)}, TEN)
    error = refused(path, "cannot be the name of an array")
    assert str(error).isascii()
    assert len(error.what) < len(str(path)) + 200


def test_header_and_manifest_disagree(path):
    told, entry = of_array(TEN)
    for mine, theirs in [({"a": told}, {}), ({}, {"a": entry}), ({"a": told}, {"b": entry})]:
        text = json.dumps({"format": FORMAT, "corated": "0.1.0", "arrays": mine, "content": {}})
        header = {"__metadata__": {"manifest": text, "sha256": sha256(text.encode())}, **theirs}
        write_raw(path, header=json.dumps(header), data=TEN)
        refused(path, "disagree on whether there is an array (a|b)")
    write_raw(path, {"a": (told, {**entry, "shape": [2, 5]})}, TEN)
    refused(path, "disagree on the array a")


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("change", ["none", "list", "missing", "more"])
def test_descriptions_of_another_form(path, at, change):
    both = [{**told} for told in of_array(TEN)]
    if change == "missing":
        both[at].pop("shape")
    elif change == "more":
        both[at]["more"] = 1
    else:
        both[at] = None if change == "none" else ["dtype", "shape", "sha256"]
    write_raw(path, {"a": tuple(both)}, TEN)
    refused(path, "the array a is not described as arrays are")


@pytest.mark.parametrize("dtype", ["object", "complex128", "str", "float16", "|O", None, 5, ["i4"]])
def test_types_that_are_not_stored(path, dtype):
    told, entry = of_array(TEN)
    write_raw(path, {"a": ({**told, "dtype": dtype}, entry)}, TEN)
    refused(path, "the array a is of a type that is not stored here")


@pytest.mark.parametrize("value", [None, 5, "", "x" * 64, "0" * 63])
def test_hashes_of_another_form(path, value):
    told, entry = of_array(TEN)
    write_raw(path, {"a": ({**told, "sha256": value}, entry)}, TEN)
    refused(path, "the array a is not described")


@pytest.mark.parametrize(
    "manifest", [{"more": 1}, {"arrays": []}, {"content": None}, {"content": [1]}, {"corated": 5}]
)
def test_a_manifest_of_another_form(path, manifest):
    write_raw(path, manifest=manifest)
    refused(path, "does not have the parts of a manifest")


BAD_JSON = {
    "twice": ('{"format": 1, "format": 1}', 'has the key "format" twice'),
    "twice deep": ('{"format": 1, "content": {"a": [{"b": 1, "b": 2}]}}', 'has the key "b" twice'),
    "twice by escape": ('{"format": 1, "\\u0066ormat": 1}', 'has the key "format" twice'),
    "nan": ('{"format": 1, "content": {"a": NaN}}', "has NaN for a number"),
    "infinity": ('{"format": 1, "content": {"a": -Infinity}}', "has -Infinity for a number"),
    "beyond floats": ('{"format": 1, "content": {"a": 1e999}}', "has a number beyond the floats, 1e999"),
    "digits": ('{"a": ' + "1" * 5000 + "}", "is not JSON"),
    "deep": ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "is nested too deeply"),
    "deep dicts": ('{"a":' * 100_000 + "1" + "}" * 100_000, "is nested too deeply"),
    "no object": ("[1]", "is no JSON object"),
    "no JSON": ("{'a': 1}", "is not JSON"),
    "two": ("{} {}", "is not JSON"),
    "nothing": ("", "is not JSON"),
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_json_of_the_manifest(path, what):
    text, said = BAD_JSON[what]
    write_raw(path, text=text)
    refused(path, f"is damaged: its manifest {re.escape(said)}")


@pytest.mark.parametrize("what", [what for what, (text, _) in BAD_JSON.items() if text[:1] == "{"])
def test_json_of_the_header(path, what):
    text, said = BAD_JSON[what]
    write_raw(path, header=text)
    refused(path, f"is damaged: its header {re.escape(said)}")


def test_a_header_that_is_not_utf8(path):
    path.write_bytes(struct.pack("<Q", 8) + b'{"\xff": 1}')
    refused(path, "its header is not JSON")


@pytest.mark.parametrize("text", [None, 5, ["a"], "\ud800"])
def test_a_manifest_that_is_no_text(path, text):
    header = json.dumps({"__metadata__": {"manifest": text, "sha256": sha256(b"")}})
    write_raw(path, header=header)
    refused(path, "its manifest does not have the SHA-256")


@pytest.mark.parametrize("n", [17 * 2**20, 2**40, 2**63, 2**64 - 1])
def test_a_vast_header_is_not_read(path, n):
    path.write_bytes(struct.pack("<Q", n) + b'{"__metadata__":{"manifest":"')
    refused(path, f"its header would be {n:,} bytes long")


def test_metadata_besides(path):
    write_raw(path, metadata={"more": "1"})
    refused(path, "has metadata besides the manifest")


# -- mutations --------------------------------------------------------------------------------------


def flip_bits(raw, rng):
    for _ in range(rng.choice([1, 1, 1, 2, 10])):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return raw


def set_bytes(raw, rng):
    for _ in range(rng.choice([1, 1, 3, 20])):
        raw[rng.randrange(len(raw))] = rng.choice(
            [0, 9, 32, 34, 48, 57, 92, 123, 125, 255, rng.randrange(256)]
        )
    return raw


def set_length(raw, rng):
    n = int.from_bytes(raw[:8], "little")
    new = n + rng.choice([-64, -8, -1, 1, 8, 64, rng.randrange(-n, 2**20)])
    raw[:8] = struct.pack("<Q", min(max(0, new), 2**64 - 1))
    return raw


def cut(raw, rng):
    return raw[: rng.randrange(len(raw))]


def append(raw, rng):
    return raw + rng.randbytes(rng.choice([1, 8, 1000]))


def remove(raw, rng):
    start = rng.randrange(len(raw))
    del raw[start : start + rng.choice([1, 8, 100])]
    return raw


def insert(raw, rng):
    at = rng.randrange(len(raw))
    raw[at:at] = rng.choice([b" ", b"0", b"00", b"-", b"{", b'"', rng.randbytes(8)])
    return raw


def swap(raw, rng):
    n = rng.choice([1, 8, 40])
    a, b = sorted(rng.randrange(len(raw) - n) for _ in range(2))
    if b - a >= n:
        raw[a : a + n], raw[b : b + n] = raw[b : b + n], raw[a : a + n]
    return raw


def edit_number(raw, rng):
    """Change a number in the header's text, at times with a new hash of the manifest."""
    n = int.from_bytes(raw[:8], "little")
    text = raw[8 : 8 + n].decode("latin-1")
    found = list(re.finditer(r"(?<=[\[,: ])\d+(?=[\],} ])", text))
    if not found:
        return raw
    number = rng.choice(found)
    old = int(number[0])
    changes = [old + 1, old - 1, -old, old * 2, 0, 2**60, 2**63, 2**64 + old]
    new = str(rng.choice([*changes, f"{old}.0", f"{old}e0", "true", "1e999"]))
    # A new hash for what is not the caller's own, since that may be any number.
    with_hash = number.start() < text.find('\\"content\\"') and rng.random() < 0.5
    text = text[: number.start()] + new + text[number.end() :]
    inner = re.search(r'"manifest":("(?:[^"\\]|\\.)*")', text)
    if with_hash and inner:
        with contextlib.suppress(ValueError):  # changed before, so that it is no JSON
            sha = sha256(json.loads(inner[1].encode("latin-1")).encode())
            text = re.sub(r'(?<="sha256":")\w{64}', sha, text, count=1)
    return bytearray(struct.pack("<Q", len(text)) + text.encode("latin-1")) + raw[8 + n :]


MUTATIONS = [flip_bits, set_bytes, set_length, cut, append, remove, insert, swap, edit_number]


def content_and_arrays():
    rng = np.random.default_rng(1)
    return {"kind": "knn", "k": 40, "shrink": 2.5, "of": ["users", None, True, "é"]}, {
        "indptr": np.arange(20),
        "indices": rng.integers(0, 20, 60, np.int32),
        "weights": rng.random((6, 10)),
        "narrow": rng.random(7).astype(np.float32),
        "flags": rng.random(9) > 0.5,
        "codes": rng.integers(0, 10, (3, 5), np.uint8),
        "empty": np.zeros((0, 4)),
        "number": np.array(3.5),
        **{f"ids/{part}": array for part, array in pack_text(pa.array(["a", "bé", "", None])).items()},
    }


def exact(array):
    return array.dtype.str, array.shape, array.tobytes()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutations(path, count):
    """Whatever is changed: it is refused, or what is read is what was written. Nothing else happens."""
    write_container(path, *content_and_arrays())
    whole = path.read_bytes()
    manifest, arrays = read_container(path)
    expected = manifest, {name: exact(array) for name, array in arrays.items()}
    rng = random.Random(count)
    outcomes = {"refused": 0, "read": 0}
    for n in range(count):
        mutated = bytearray(whole)
        for _ in range(rng.choice([1, 1, 1, 2])):
            mutated = rng.choice(MUTATIONS)(mutated, rng) if len(mutated) > 1000 else mutated
        path.unlink()  # what is mapped stays as it is
        path.write_bytes(mutated)
        try:
            manifest, arrays = read_container(path)
        except ModelFileError as error:
            assert error.hint
            outcomes["refused"] += 1
        else:
            assert (manifest, {name: exact(array) for name, array in arrays.items()}) == expected, n
            outcomes["read"] += 1
    assert outcomes["refused"] > 0.8 * count
    assert outcomes["read"] > 0


# -- writing that is cut off ------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="limits and signals as POSIX has them")

WRITER = """
import sys
import numpy as np
from corated.errors import OutputError
from corated.models.container import write_container

target = sys.argv[1]

def write(n):
    write_container(target, {"of": n}, {"a": np.full(1_000_000, n), "b": np.full((3, 5), n, np.float32)})
"""
ENDLESSLY = """
n = 1
while True:
    write(n)
    if n == 1:
        print("writing", flush=True)
    n += 1
"""
LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    write(2)
except OutputError as error:
    print(error)
"""


@posix
@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_any_moment(path, times):
    """Each time the file is one that was written, whole."""
    rng = random.Random(times)
    for _ in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER + ENDLESSLY, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "writing\n"
        time.sleep(rng.random() * 0.1)
        process.kill()
        process.communicate(timeout=LONG)
        manifest, arrays = read_container(path)
        n = manifest["content"]["of"]
        assert n >= 1
        assert (arrays["a"] == n).all()
        assert (arrays["b"] == n).all()
        for left in path.parent.glob("*.tmp"):
            left.unlink()
        assert [left.name for left in path.parent.iterdir() if left.suffix != ".tmp"] == [path.name]


@posix
def test_a_disk_that_takes_no_more(path):
    """A limit on the size of files stands in for a full disk: a write fails in the middle."""
    write_container(path, {"of": "old"}, {"a": np.arange(5)})
    done = subprocess.run(
        [sys.executable, "-c", WRITER + LIMITED, str(path)],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=True,
    )
    assert done.stdout.startswith(f"The output {path} could not be written: File too large.")
    assert "Next step: make room" in done.stdout
    assert [left.name for left in path.parent.iterdir()] == [path.name]
    manifest, arrays = read_container(path)
    assert manifest["content"] == {"of": "old"}
    assert arrays["a"].tolist() == [0, 1, 2, 3, 4]
