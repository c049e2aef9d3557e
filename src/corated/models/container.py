"""One file for a manifest and named arrays, in the safetensors format.

The file is eight bytes with the header's length, a JSON header, and the arrays' bytes, little-endian, one
after the other. Any reader of safetensors opens it. Corated's manifest is JSON text in the header's
``__metadata__``, beside its SHA-256; it holds a SHA-256 of every array::

    {"format": 1, "corated": "0.1.0",
     "arrays": {name: {"dtype": "float64", "shape": [3, 2], "sha256": "..."}},
     "content": what the caller gave}

The hashes tell damage, not intent: whoever can write the file can write hashes too. So nothing of a file is
ever run, sizes are compared with the file's length before anything is allocated, and it is for the caller
to check what the arrays mean.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated._version import __version__
from corated.errors import ModelFileError, ParameterError
from corated.models._container_check import (
    DTYPES,
    FORMAT,
    LENGTH_BYTES,
    MAX_DIMENSIONS,
    MAX_HEADER,
    METADATA,
    OLDEST,
    Stored,
    check_header,
    damaged,
    is_name,
    opened,
    sha256_of,
)
from corated.output import atomic_path

__all__ = [
    "FORMAT",
    "OLDEST",
    "pack_text",
    "read_container",
    "read_manifest",
    "unpack_text",
    "write_container",
]

_Array = npt.NDArray[Any]
# The first array begins at a multiple of this, and the wider types come first: all are aligned.
_ALIGNED: Final = 64
_CHUNK: Final = 2**20
_MAX_DEPTH: Final = 100


def write_container(
    path: str | os.PathLike[str], manifest: Mapping[str, Any], arrays: Mapping[str, _Array]
) -> None:
    """Write a manifest and arrays; a failure at any moment leaves the old file or the new one, whole.

    Equal input gives equal bytes. Arrays of any memory order are written in C order, without a second
    copy of them.

    Parameters
    ----------
    manifest : what `read_manifest` gives under "content": plain JSON, with text for keys and finite numbers
    arrays : by name, of 1 to 200 characters A-Z a-z 0-9 . _ / -; bool, uint8, int8, int16, int32, int64,
        uint32, float32 or float64

    Raises
    ------
    ParameterError : for what cannot be stored
    OutputError : where the file cannot be written
    """
    content = _plain(manifest, "manifest", _MAX_DEPTH)
    for name, array in arrays.items():
        _check_array(name, array)
    header, order = _header_of(content, arrays)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(header)
        for name in order:
            for chunk in _chunks(arrays[name]):
                file.write(chunk)


def read_manifest(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Return the manifest, after all checks that do without reading the arrays.

    That is: format, the manifest's hash, and that the arrays fill the file as described, without gaps.
    Raises `ModelFileError`.
    """
    shown = _path(path)
    with opened(shown) as file:
        return check_header(file, shown).manifest


def read_container(
    path: str | os.PathLike[str], *, verify: bool = True
) -> tuple[Mapping[str, Any], dict[str, _Array]]:
    """Return the manifest and the arrays by name, read-only and mapped from the file.

    The arrays stay what they are also when the file is replaced, as `write_container` does. Where another
    program shortens or changes the file itself, they change, or the process ends; that holds of any map.

    Parameters
    ----------
    verify : compare every array with its SHA-256, reading the file once. Without, damage to an array's
        contents goes unseen.

    Raises
    ------
    ModelFileError : for a file that is absent, damaged, of another format, or of a newer one
    """
    shown = _path(path)
    with opened(shown) as file:
        checked = check_header(file, shown)
        if verify:
            for stored in checked.arrays:
                _verify(file, stored, shown)
        try:
            mapped = mmap.mmap(file.fileno(), checked.length, access=mmap.ACCESS_READ)
        except ValueError as error:  # shorter than it was a moment ago
            raise damaged(shown, "it was shortened while it was read") from error
    arrays = {stored.name: _view(mapped, stored) for stored in checked.arrays}
    return checked.manifest, {name: arrays[name] for name in sorted(arrays)}


def _path(path: str | os.PathLike[str]) -> Path:
    shown = Path(path)
    if "\0" in str(shown):
        raise ModelFileError(f"No file can have the name {str(shown)!r}.", hint="Give another file.")
    return shown


# -- writing --------------------------------------------------------------------------------------


def _header_of(content: Any, arrays: Mapping[str, _Array]) -> tuple[bytes, list[str]]:
    """Return all that comes before the arrays, and the arrays' names in the order of the file."""
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    described = {
        name: {
            "dtype": arrays[name].dtype.name,
            "shape": list(arrays[name].shape),
            "sha256": _sha256(arrays[name]),
        }
        for name in order
    }
    manifest = {"format": FORMAT, "corated": __version__, "arrays": described, "content": content}
    try:
        text = json.dumps(manifest, sort_keys=True, ensure_ascii=False, allow_nan=False)
        entries: dict[str, Any] = {METADATA: {"manifest": text, "sha256": sha256_of(text)}}
    except ValueError as error:  # half of a surrogate pair, or an integer of thousands of digits
        raise _cannot("the manifest is no JSON in UTF-8", "text that UTF-8 has, and numbers") from error
    at = 0
    for name in order:
        end = at + arrays[name].nbytes
        code, _ = DTYPES[arrays[name].dtype.name]
        entries[name] = {"dtype": code, "shape": list(arrays[name].shape), "data_offsets": [at, end]}
        at = end
    header = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-(LENGTH_BYTES + len(header)) % _ALIGNED)
    if len(header) > MAX_HEADER:
        raise _cannot(
            f"the manifest makes a header of {len(header):,} bytes", f"at most {MAX_HEADER:,} bytes"
        )
    return len(header).to_bytes(LENGTH_BYTES, "little") + header, order


def _chunks(array: _Array) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the array's bytes as they are stored, a piece at a time, copying at most that piece."""
    _, dtype = DTYPES[array.dtype.name]
    in_pieces: dict[str, Any] = {
        "flags": ["external_loop", "buffered", "zerosize_ok"],
        "op_flags": [["readonly", "contig"]],
        "op_dtypes": [dtype],
        "order": "C",
        "casting": "equiv",
        "buffersize": _CHUNK // dtype.itemsize,
    }
    pieces: Iterator[Any] = iter(np.nditer(array, **in_pieces))
    for piece in pieces:
        yield piece.view(np.uint8)


def _sha256(array: _Array) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(array):
        digest.update(chunk)
    return digest.hexdigest()


def _check_array(name: object, array: object) -> None:
    if not is_name(name):
        raise _cannot(
            f"{name!r} cannot be the name of an array", "1 to 200 of A-Z a-z 0-9 . _ / -, and no path"
        )
    if not isinstance(array, np.ndarray) or array.dtype.name not in DTYPES:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise _cannot(f"the array {name} is of type {kind}", "an array of " + ", ".join(DTYPES))
    if array.ndim > MAX_DIMENSIONS:
        raise _cannot(f"the array {name} has {array.ndim} dimensions", f"at most {MAX_DIMENSIONS}")


def _plain(value: object, where: str, depth: int) -> Any:
    """Return this as JSON gives it back; refuses what would come back as something else."""
    if depth == 0:
        raise _cannot(f"the manifest is nested more than {_MAX_DEPTH} deep", "plain JSON")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _cannot(f"{where} has the key {key!r}", "keys that are text")
        return {key: _plain(inner, f"{where}[{key!r}]", depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{where}[{at}]", depth - 1) for at, inner in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise _cannot(f"{where} is {value}", "finite numbers")
    if value is not None and not isinstance(value, str | int | float):
        raise _cannot(f"{where} is of type {type(value).__name__}", "plain JSON")
    return value


def _cannot(got: str, expected: str) -> ParameterError:
    return ParameterError(
        f"This cannot be stored in a model file: {got}.",
        expected=expected,
        hint="Turn it into plain numbers, text, lists and dicts first, or leave it out.",
    )


# -- reading --------------------------------------------------------------------------------------


def _verify(file: BufferedReader, stored: Stored, path: Path) -> None:
    """Compare an array with its hash.

    It is read rather than looked at through the map, since there a failing disk would end the process.
    """
    digest, buffer, left = hashlib.sha256(), memoryview(bytearray(min(_CHUNK, stored.size))), stored.size
    is_sound = True
    file.seek(stored.start)
    while left:
        n = file.readinto(buffer[: min(len(buffer), left)])
        if not n:
            raise damaged(path, "it was shortened while it was read")
        digest.update(buffer[:n])
        if stored.dtype.kind == "b":
            is_sound &= int(np.frombuffer(buffer[:n], np.uint8).max()) <= 1
        left -= n
    if digest.hexdigest() != stored.sha256:
        raise damaged(path, f"the array {stored.name} does not have the SHA-256 that it was saved with")
    if not is_sound:
        raise damaged(path, f"the array {stored.name} is of bool, and has bytes other than 0 and 1")


def _view(mapped: mmap.mmap, stored: Stored) -> _Array:
    if not stored.size:
        empty = np.empty(stored.shape, stored.dtype)
        empty.flags.writeable = False
        return empty
    flat = np.frombuffer(mapped, stored.dtype, stored.size // stored.dtype.itemsize, stored.start)
    return flat.reshape(stored.shape)


# -- text -----------------------------------------------------------------------------------------


def pack_text(text: pa.Array) -> dict[str, _Array]:
    """Turn a string array into arrays to store.

    Returns
    -------
    "bytes": uint8[total], the UTF-8 of all, one after the other; "offsets": int64[n + 1], where each begins;
    and, where there are nulls, "valid": uint8[n], 0 for null and 1 else. Equal text gives equal arrays.
    """
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        raise TypeError(f"text must be a string array, not {text.type}")
    packed: dict[str, _Array] = {}
    if text.null_count:
        packed["valid"] = text.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)
        text = pc.fill_null(text, "")  # below a null there may be any bytes
    text = text.cast(pa.large_string())
    if not len(text):
        return {"bytes": np.zeros(0, np.uint8), "offsets": np.zeros(1, np.int64)}
    _, starts, data = text.buffers()
    offsets = np.frombuffer(starts, np.int64, len(text) + 1, text.offset * 8)
    first, last = int(offsets[0]), int(offsets[-1])
    content = np.frombuffer(data, np.uint8, last - first, first) if last > first else np.zeros(0, np.uint8)
    return {"bytes": content, "offsets": offsets - first, **packed}


def unpack_text(packed: Mapping[str, _Array], *, name: str, path: str | os.PathLike[str]) -> pa.Array:
    """Return the string array that was packed, checked: offsets, validity, and that it is UTF-8.

    Parameters
    ----------
    packed : as `pack_text` makes it; the bytes are not copied
    name, path : what the text is called, and the file that it is from, for the message

    Returns
    -------
    ``pyarrow.string``, or ``pyarrow.large_string`` from 2 GiB on

    Raises
    ------
    ModelFileError : where the arrays are not text
    """
    reason = _why_no_text(packed)
    if reason:
        raise damaged(Path(path), f"the text {name} has {reason}")
    content, offsets, valid = packed["bytes"], packed["offsets"], packed.get("valid")
    n = len(offsets) - 1
    bitmap = None if valid is None else pa.array(valid.astype(bool)).buffers()[1]
    buffers = [
        bitmap,
        pa.py_buffer(np.ascontiguousarray(offsets)),
        pa.py_buffer(np.ascontiguousarray(content)),
    ]
    text = pa.Array.from_buffers(pa.large_string(), n, buffers)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid as error:
        raise damaged(Path(path), f"the text {name} has bytes that are not UTF-8") from error
    return text.cast(pa.string()) if len(content) < 2**31 else text


def _why_no_text(packed: Mapping[str, _Array]) -> str:
    """Complete the sentence "the text has ...", or return nothing where the arrays fit together."""
    kinds = {"bytes": np.uint8, "offsets": np.int64, "valid": np.uint8}
    if not {"bytes", "offsets"} <= set(packed) <= set(kinds):
        return "not the arrays that make text"
    if any(array.ndim != 1 or array.dtype != kinds[part] for part, array in packed.items()):
        return "arrays of another shape or type than text has"
    offsets, valid = packed["offsets"], packed.get("valid")
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(packed["bytes"]):
        return "offsets that do not span its bytes"
    if (offsets[1:] < offsets[:-1]).any():
        return "offsets that run backward"
    if valid is None:
        return ""
    if len(valid) != len(offsets) - 1 or (valid > 1).any():
        return "a validity that does not fit"
    return "bytes below a null" if (np.diff(offsets)[valid == 0] != 0).any() else ""
