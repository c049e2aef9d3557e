"""What a model file says about itself, checked before anything is made of it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from corated._version import __version__
from corated.errors import ModelFileError

__all__ = [
    "DTYPES",
    "FORMAT",
    "LENGTH_BYTES",
    "MAX_DIMENSIONS",
    "MAX_HEADER",
    "METADATA",
    "OLDEST",
    "Checked",
    "JsonError",
    "Stored",
    "check_header",
    "damaged",
    "is_name",
    "opened",
    "read_strictly",
    "sha256_of",
]

FORMAT: Final = 1
"""The format that is written."""
OLDEST: Final = 1
"""The oldest format that is read."""

LENGTH_BYTES: Final = 8
# What is parsed from JSON takes up to some twenty times its text, so this is also a limit on memory.
MAX_HEADER: Final = 16 * 2**20
MAX_DIMENSIONS: Final = 32  # what NumPy 1 allows
_HUGE: Final = 2**63
METADATA: Final = "__metadata__"
DTYPES: Final = {
    "bool": ("BOOL", np.dtype("?")),
    "uint8": ("U8", np.dtype("u1")),
    "int8": ("I8", np.dtype("i1")),
    "int16": ("I16", np.dtype("<i2")),
    "int32": ("I32", np.dtype("<i4")),
    "int64": ("I64", np.dtype("<i8")),
    "uint32": ("U32", np.dtype("<u4")),
    "float32": ("F32", np.dtype("<f4")),
    "float64": ("F64", np.dtype("<f8")),
}
"""The types of arrays by NumPy's name: the name in safetensors, and the bytes as they are stored."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/-]{0,199}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_VERSION: Final = re.compile(r"[0-9A-Za-z.+!-]{1,40}")
_START: Final = b'{"__metadata__":{"manifest":'
_OURS: Final = "a file that Corated saved a model to"
_AGAIN: Final = "Copy the file again from where it is whole, or save the model again."
_OTHER: Final = "Check the path, or save the model again with Corated."

# How files that may hold code begin; none of them is ever handed to a library that would run it.
_WITH_CODE: Final = (
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "a zip archive, as .npz and .pt files are"),
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, as joblib writes it too"),
    (re.compile(rb"(?:\((?:dp|lp|ip|i)|[}\])]q|c[\w.]+\n[\w.]+\n)"), "a pickle, as joblib writes it too"),
    (re.compile(rb"\x93NUMPY"), "an array of NumPy (.npy)"),
    (re.compile(rb"\x1f\x8b|x[\x01\x5e\x9c\xda]|BZh|\xfd7zXZ|\x5d\x00\x00|\x04\x22\x4d\x18"),
     "compressed data, as joblib writes them too"),
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """An array in the file: `size` bytes from byte `start` of the file."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Checked:
    """A header that is sound: the manifest, the arrays in the order of the file, and the file's length."""

    manifest: dict[str, Any]
    arrays: tuple[Stored, ...]
    length: int


class JsonError(ValueError):
    """JSON that Python would take and that is refused; completes a sentence about what has it."""


def is_name(name: object) -> bool:
    """Tell whether this can be an array's name: 1 to 200 of A-Z a-z 0-9 . _ / - and never like a path up."""
    return (
        isinstance(name, str) and _NAME.fullmatch(name) is not None and ".." not in name and name != METADATA
    )


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8, in hexadecimal; raises `UnicodeEncodeError` where it has none."""
    return hashlib.sha256(text.encode()).hexdigest()


def damaged(path: Path, what: str) -> ModelFileError:
    """Return the error of a damaged file; `what` says what is wrong with which part."""
    return ModelFileError(f"The model file {path} is damaged: {what}.", hint=_AGAIN)


def _cut_short(path: Path, length: int, expected: str) -> ModelFileError:
    return ModelFileError(
        f"The model file {path} is cut short: it has {length:,} bytes.", expected=expected, hint=_AGAIN
    )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a model file for reading; any `OSError` inside the block becomes a `ModelFileError`."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise ModelFileError(f"The model file {path} is a folder.", expected=_OURS, hint=_OTHER)
        if not stat.S_ISREG(kind):  # a pipe would be waited for
            raise ModelFileError(f"The model file {path} is not a regular file.", expected=_OURS, hint=_OTHER)
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise ModelFileError(
            f"There is no model file {path}.", expected=_OURS, hint="Check the path, or save the model first."
        ) from error
    except OSError as error:
        may_not = error.errno in (errno.EACCES, errno.EPERM)
        raise ModelFileError(
            f"The model file {path} could not be read: {os.strerror(error.errno) if error.errno else error}.",
            hint="Get the right to read it, or give another file." if may_not else "Give another file.",
        ) from error


def check_header(file: BufferedReader, path: Path) -> Checked:
    """Read and check everything but the arrays' contents.

    Reads the header only. Raises `ModelFileError`, and nothing else, for whatever the bytes may be.
    """
    length = os.fstat(file.fileno()).st_size
    header, data_start = _read_header(file, path, length)
    manifest = _manifest_of(header, path)
    arrays = _arrays_of(header, manifest["arrays"], data_start, path)
    end = arrays[-1].start + arrays[-1].size if arrays else data_start
    if length < end:
        raise _cut_short(path, length, f"{end:,} bytes")
    if length > end:
        raise damaged(path, f"it has {length:,} bytes, {length - end:,} more than belong to it")
    return Checked(manifest, arrays, length)


def _read_header(file: BufferedReader, path: Path, length: int) -> tuple[dict[str, Any], int]:
    """Return the JSON header and where the arrays begin."""
    if length == 0:
        raise ModelFileError(f"The model file {path} is empty.", expected=_OURS, hint=_AGAIN)
    start = file.read(LENGTH_BYTES + len(_START))
    n = int.from_bytes(start[:LENGTH_BYTES], "little")
    body = start[LENGTH_BYTES:]
    if not body.startswith(b"{"):
        _refuse_other(file, start, path, length)
    if n > MAX_HEADER:
        raise damaged(path, f"its header would be {n:,} bytes long, and at most {MAX_HEADER:,} are allowed")
    if LENGTH_BYTES + n > length:
        if _START.startswith(body) or body.startswith(_START):
            raise _cut_short(path, length, f"more than {LENGTH_BYTES + n:,} bytes")
        _refuse_other(file, start, path, length)
    file.seek(LENGTH_BYTES)
    text = file.read(n)
    if len(text) < n:
        raise _cut_short(path, LENGTH_BYTES + len(text), f"{length:,} bytes")
    return _parse(text, "header", path), LENGTH_BYTES + n


def _refuse_other(file: BufferedReader, start: bytes, path: Path, length: int) -> NoReturn:
    """Raise the error of a file that is of another format, naming the formats people might try."""
    file.seek(max(0, length - 1))
    last = file.read(1)
    for pattern, name in _WITH_CODE:
        if pattern.match(start) and (start[:1] not in b"()]}c" or last == b"."):
            raise ModelFileError(
                f"The file {path} is {name}, and no model file of Corated: such a file may contain code, "
                "so it is never opened.",
                expected=_OURS,
                hint=_OTHER,
            )
    got = f"begins with {_shown(start[:LENGTH_BYTES])}" if length > LENGTH_BYTES else f"has {length} bytes"
    raise ModelFileError(
        f"The file {path} is no model file of Corated: it {got}.", expected=_OURS, hint=_OTHER
    )


def _shown(start: bytes) -> str:
    """Return bytes as text in quotes, with codes in place of those that are no printable ASCII."""
    return '"' + "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in start) + '"'


# -- JSON -----------------------------------------------------------------------------------------


def read_strictly(text: str) -> Any:
    """Read JSON in which no key comes twice, and numbers are numbers.

    Raises `JsonError` for others, and what `json.loads` does for what is no JSON.
    """
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite)


def _parse(text: bytes | str, part: str, path: Path) -> dict[str, Any]:
    """Parse JSON strictly: UTF-8, an object, no key twice, only numbers that are numbers."""
    try:
        found = read_strictly(text.decode() if isinstance(text, bytes) else text)
    except JsonError as error:
        raise damaged(path, f"its {part} {error}") from error
    except RecursionError as error:
        raise damaged(path, f"its {part} is nested too deeply") from error
    except ValueError as error:  # not JSON, not UTF-8, or an integer of thousands of digits
        raise damaged(path, f"its {part} is not JSON") from error
    if not isinstance(found, dict):
        raise damaged(path, f"its {part} is no JSON object")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise JsonError(f"has the key {_quoted(key)} twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise JsonError(f"has {name} for a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JsonError(f"has a number beyond the floats, {digits[:30]}")
    return number


# -- the manifest ---------------------------------------------------------------------------------


def _manifest_of(header: dict[str, Any], path: Path) -> dict[str, Any]:
    metadata = header.get(METADATA)
    if not isinstance(metadata, dict) or "manifest" not in metadata:
        raise ModelFileError(
            f"The file {path} is a safetensors file of another program: it has no manifest of Corated.",
            expected=_OURS,
            hint=_OTHER,
        )
    text = metadata["manifest"]
    try:
        is_whole = isinstance(text, str) and metadata.get("sha256") == sha256_of(text)
    except UnicodeEncodeError:
        is_whole = False
    if not is_whole:
        raise damaged(path, "its manifest does not have the SHA-256 that it was saved with")
    manifest = _parse(text, "manifest", path)
    _check_format(manifest, path)
    if set(metadata) != {"manifest", "sha256"}:
        raise damaged(path, "its header has metadata besides the manifest")
    if set(manifest) != {"format", "corated", "arrays", "content"} or not (
        isinstance(manifest["corated"], str)
        and isinstance(manifest["arrays"], dict)
        and isinstance(manifest["content"], dict)
    ):
        raise damaged(path, "its manifest does not have the parts of a manifest")
    return manifest


def _check_format(manifest: dict[str, Any], path: Path) -> None:
    number, version = manifest.get("format"), manifest.get("corated")
    if type(number) is not int or abs(number) >= _HUGE:
        raise damaged(path, "its manifest does not tell its format")
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        version = ""
    reads = f"corated {__version__} reads {_span(OLDEST, FORMAT)}"
    by = f", written by corated {version}" if version else ""
    if number > FORMAT:
        raise ModelFileError(
            f"The model file {path} needs a newer corated: it is of format {number}{by}, and this {reads}.",
            hint=f"Install corated {version} or newer." if version else "Install a newer corated.",
        )
    if number < OLDEST:
        raise ModelFileError(
            f"The model file {path} is too old: it is of format {number}{by}, and this {reads}.",
            hint="Fit the model again and save it.",
        )


def _span(first: int, last: int) -> str:
    return f"format {first}" if first == last else f"formats {first} to {last}"


# -- the arrays -----------------------------------------------------------------------------------


def _arrays_of(
    header: dict[str, Any], described: dict[str, Any], data_start: int, path: Path
) -> tuple[Stored, ...]:
    """Return the arrays in the order of the file, which they fill from `data_start` without gaps."""
    entries = {name: entry for name, entry in header.items() if name != METADATA}
    for name in (*entries, *described):
        if not is_name(name):
            raise damaged(path, f"{_quoted(name)} cannot be the name of an array")
        if name not in entries or name not in described:
            raise damaged(path, f"its header and its manifest disagree on whether there is an array {name}")
    found = [_array_of(name, entries[name], described[name], path) for name in entries]
    found.sort(key=lambda array: (array.start, array.size))
    end = 0
    for array in found:
        if array.start != end:
            beside = "overlaps what is before it" if array.start < end else "has a gap before it"
            raise damaged(path, f"the array {array.name} {beside}")
        if (data_start + array.start) % array.dtype.itemsize:
            raise damaged(path, f"the array {array.name} begins at an odd place")
        end += array.size
    return tuple(Stored(a.name, a.dtype, a.shape, data_start + a.start, a.size, a.sha256) for a in found)


def _array_of(name: str, entry: Any, described: Any, path: Path) -> Stored:
    """Return one array, its start counted from where the arrays begin."""
    wrong = damaged(path, f"the array {name} is not described as arrays are")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise wrong
    if not isinstance(described, dict) or set(described) != {"dtype", "shape", "sha256"}:
        raise wrong
    kind, shape, sha256 = described["dtype"], described["shape"], described["sha256"]
    if not isinstance(kind, str) or kind not in DTYPES:
        raise damaged(path, f"the array {name} is of a type that is not stored here")
    if not isinstance(sha256, str) or _SHA256.fullmatch(sha256) is None:
        raise wrong
    code, dtype = DTYPES[kind]
    offsets = entry["data_offsets"]
    if not _are_counts(shape) or not _are_counts(entry["shape"]) or not _are_counts(offsets):
        raise wrong
    if len(shape) > MAX_DIMENSIONS or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise wrong
    if entry["dtype"] != code or entry["shape"] != shape:
        raise damaged(path, f"its header and its manifest disagree on the array {name}")
    # Python's integers do not wrap around, and nothing is allocated for what a shape asks for.
    asked, size = math.prod(shape) * dtype.itemsize, offsets[1] - offsets[0]
    if asked != size:
        raise damaged(
            path, f"the shape of the array {name} asks for {_bytes(asked)}, and it has {_bytes(size)}"
        )
    if math.prod(max(n, 1) for n in shape) * dtype.itemsize >= _HUGE:  # empty, yet too much for NumPy
        raise damaged(path, f"the shape of the array {name} is beyond what an array can have")
    return Stored(name, dtype, tuple(shape), offsets[0], size, sha256)


def _are_counts(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < _HUGE for n in numbers)


def _quoted(text: str) -> str:
    """Render text of the file for a message: in ASCII and not long, whatever it is."""
    return json.dumps(text if len(text) <= 60 else text[:57] + "...")


def _bytes(number: int) -> str:
    return f"{number:,} bytes" if number < _HUGE else "2**63 bytes or more"
