"""The caller's ids and the codes that stand for them inside."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import DataError, IdTypeError, UnknownIdError
from corated.ratings.sources import an, is_text

__all__ = ["MAX_ID_BYTES", "IdKind", "IdMap", "quote_id"]

IdKind = Literal["integer", "text"]
Id = int | str

MAX_ID_BYTES: Final = 512
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
# One value that an integer prints as: no sign but a minus, no leading zero.
CANONICAL: Final = r"\A(?:0|-?[1-9][0-9]*)\z"
_CANONICAL_PY: Final = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
# Below this many ids a binary search for each is quicker than hashing the whole map.
_FEW: Final = 256
_PADDED_WIDTHS: Final = range(1, 33)


def quote_id(value: object) -> str:
    """Render an id for a message: text in double quotes (cut at 60 characters), numbers bare."""
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:57] + "…"
        return json.dumps(shown, ensure_ascii=False)
    return str(value)


@dataclass(frozen=True, eq=False)
class IdMap:
    """The caller's ids and their codes 0..n-1.

    The ids are unique and ascending, integers by number and text by code point, so a code is also
    the id's rank; the order of the rows the ids came from plays no part.

    Attributes
    ----------
    ids : the ids by code, ``pyarrow.int64`` or ``pyarrow.string`` (``large_string`` past 2 GiB)
    what : "user" or "item", for messages
    """

    ids: pa.Array
    what: str = "user"

    def __post_init__(self) -> None:
        kind = self.ids.type
        if not (pa.types.is_int64(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise TypeError(f"ids must be an int64 or string array, not {kind}")
        if self.ids.null_count:
            raise ValueError("ids must not be null")

    @classmethod
    def from_ids(cls, ids: Iterable[Id] | pa.Array, what: str = "user") -> IdMap:
        """Make a map of the distinct ids among `ids`, in any order and with repeats.

        Raises `DataError` for ids that are neither all integers nor all text.
        """
        array = ids if isinstance(ids, pa.Array) else as_id_array(list(ids), what)
        unique = pc.unique(array)
        return cls(unique.take(pc.array_sort_indices(unique)), what)

    @property
    def kind(self) -> IdKind:
        """Return "integer" or "text"."""
        return "integer" if pa.types.is_int64(self.ids.type) else "text"

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Id]:
        yield from self.ids.to_pylist()

    def __contains__(self, id: object) -> bool:
        return self._is_own_type(id) and self._find(id) >= 0

    def __repr__(self) -> str:
        shown = ", ".join(quote_id(value.as_py()) for value in self.ids[:4])
        more = ", …" if len(self) > 4 else ""
        return f"IdMap({len(self):,} {self.what} ids, {self.kind}: {shown}{more})"

    def id(self, code: int) -> Id:
        """Return the id of one code; raises `IndexError` outside 0..n-1 (also below zero)."""
        if not 0 <= code < len(self):
            raise IndexError(f"code {code} is outside 0..{len(self) - 1}")
        value: Id = self.ids[int(code)].as_py()
        return value

    def take(self, codes: npt.ArrayLike) -> pa.Array:
        """Return the ids of many codes, in the order of the codes; raises `IndexError` outside 0..n-1."""
        indices = np.asarray(codes)
        if indices.size == 0:
            return self.ids.slice(0, 0)
        if indices.min() < 0 or indices.max() >= len(self):
            raise IndexError(f"a code is outside 0..{len(self) - 1}")
        return self.ids.take(pa.array(indices))

    def code(self, id: object) -> int:
        """Return the code of one id.

        Raises `IdTypeError` where the id is of another type than the ids in the data, and
        `UnknownIdError` where there is no such id; both name a near miss where there is one.
        """
        if not self._is_own_type(id):
            raise self._wrong_type(id)
        found = self._find(id)
        if found < 0:
            raise UnknownIdError(
                f"There is no {self.what} {quote_id(id)} among the {len(self):,} {self.what} ids.",
                expected=f"one of the {self.what} ids in the data, such as {self._examples()}",
                hint=self._near_miss(id) or f"Check the id, or leave this {self.what} out.",
            )
        return found

    def codes(self, ids: Iterable[Any] | pa.Array) -> npt.NDArray[np.int64]:
        """Return the codes of many ids, in their order; -1 stands for an id that is not in the data.

        Raises `IdTypeError` where an id is of another type than the ids in the data.
        """
        if isinstance(ids, str | bytes):
            raise IdTypeError(
                f"codes() was given the single id {quote_id(ids)}.",
                expected="a list or an array of ids",
                hint="Use code() for one id.",
            )
        return self.codes_in(self.as_array(ids))

    def codes_in(self, array: pa.Array) -> npt.NDArray[np.int64]:
        """Return the codes of what `as_array` made: -1 also for null, an id that no stored one can be."""
        if self.kind == "integer":
            return self._integer_codes(array)
        if len(array) <= _FEW:
            found = [-1 if value is None else self._find(value) for value in array.to_pylist()]
            return np.array(found, np.int64)
        places = pc.index_in(array.cast(self.ids.type), value_set=self.ids)
        result: npt.NDArray[np.int64] = places.fill_null(-1).to_numpy().astype(np.int64)
        return result

    def parse(self, text: str) -> Id:
        """Turn text from a command line or an address into an id of the stored type.

        Raises `IdTypeError` where the ids are integers and the text is not one written plainly.
        """
        if self.kind == "text":
            return text
        if _CANONICAL_PY.match(text) and INT64_MIN <= int(text) <= INT64_MAX:
            return int(text)
        raise IdTypeError(
            f"{quote_id(text)} is not {an(self.what)} id: the {self.what} ids in the data are integers.",
            expected=f"an integer, such as {self._examples()}",
            hint=self._near_miss(text) or f"Give the {self.what} id as a plain integer.",
        )

    # -- looking up ---------------------------------------------------------------------------

    def _is_own_type(self, id: object) -> bool:
        if self.kind == "text":
            return isinstance(id, str)
        return isinstance(id, int | np.integer) and not isinstance(id, bool)

    def _find(self, id: Any) -> int:
        """Binary search for an id of the right type; -1 where it is absent."""
        if self.kind == "integer":
            if not INT64_MIN <= int(id) <= INT64_MAX:
                return -1
            known = self.ids.to_numpy()
            at = int(np.searchsorted(known, np.int64(id)))
            return at if at < len(known) and known[at] == id else -1
        low, high = 0, len(self.ids)
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle].as_py() < id:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.ids) and self.ids[low].as_py() == id else -1

    def _integer_codes(self, array: pa.Array) -> npt.NDArray[np.int64]:
        known = self.ids.to_numpy()
        if not len(known):
            return np.full(len(array), -1, np.int64)
        asked = array.fill_null(0).to_numpy(zero_copy_only=False)
        at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        found = (known[at] == asked) & array.is_valid().to_numpy(zero_copy_only=False)
        result: npt.NDArray[np.int64] = np.where(found, at, -1).astype(np.int64)
        return result

    def as_array(self, ids: Iterable[Any] | pa.Array) -> pa.Array:
        """Turn any iterable of ids into an Arrow array of the map's type, or refuse."""
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        if isinstance(ids, np.ndarray):
            ids = self._flat(ids)
        if isinstance(ids, np.ndarray) and ids.dtype != object:
            ids = ids.tolist() if ids.dtype.kind in "US" else pa.array(ids)
        elif not isinstance(ids, pa.Array) and hasattr(ids, "__arrow_c_stream__"):
            ids = pa.chunked_array(ids).combine_chunks()
        if not isinstance(ids, pa.Array):
            values = list(ids)
            for value in values:
                if not self._is_own_type(value):
                    raise self._wrong_type(value)
            if self.kind == "text":
                return pa.array([_encodable(value) for value in values], pa.large_string())
            return self._nulling(values)
        if pa.types.is_dictionary(ids.type):
            if pa.types.is_string_view(ids.type.value_type):  # of polars; Arrow cannot decode these
                ids = ids.dictionary.cast(pa.large_string()).take(ids.indices)
            else:
                ids = ids.dictionary_decode()
        if ids.null_count:
            raise self._wrong_type(None)
        right = pa.types.is_integer if self.kind == "integer" else is_text
        if len(ids) and not right(ids.type):
            raise self._wrong_type(ids[0].as_py())
        target = pa.int64() if self.kind == "integer" else pa.large_string()
        try:
            return ids.cast(target)
        except pa.ArrowInvalid:
            return self._nulling(ids.to_pylist())

    def _flat(self, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array of one dimension in this machine's byte order, or refuse."""
        if ids.ndim > 1:
            raise IdTypeError(
                f"The {self.what} ids are an array of {ids.ndim} dimensions.",
                expected="a list, or an array of one dimension",
                hint="Flatten it first: ids.ravel().",
            )
        return np.atleast_1d(ids).astype(ids.dtype.newbyteorder("="), copy=False)

    def _nulling(self, values: Sequence[Any]) -> pa.Array:
        """Make an integer array in which what is past int64, and so cannot be an id here, is null."""
        return pa.array([int(v) if INT64_MIN <= int(v) <= INT64_MAX else None for v in values], pa.int64())

    # -- explaining ---------------------------------------------------------------------------

    def _examples(self) -> str:
        return ", ".join(quote_id(value.as_py()) for value in self.ids[:3]) or "(there are none)"

    def _wrong_type(self, id: object) -> IdTypeError:
        if isinstance(id, np.ndarray):
            return IdTypeError(
                f"An array of {id.ndim} dimensions was given for one {self.what} id.",
                expected=f"an id, such as {self._examples()}",
                hint=f"Give one {self.what} id.",
            )
        stored = "integers" if self.kind == "integer" else "text"
        return IdTypeError(
            f"The {self.what} id {quote_id(id)} is of type {type(id).__name__}, "
            f"but the {self.what} ids in the data are {stored}.",
            expected=f"{'an integer' if self.kind == 'integer' else 'text'}, such as {self._examples()}",
            hint=self._near_miss(id) or f"Give {self.what} ids as {stored}.",
        )

    def _near_miss(self, id: Any) -> str:
        """Name an id in the data that was probably meant, or return nothing."""
        if isinstance(id, bool) or id is None:
            return ""
        if self.kind == "integer":
            try:
                number = int(str(id).strip()) if isinstance(id, str) else int(id)
            except (TypeError, ValueError, OverflowError):
                return ""
            is_there = id == number or isinstance(id, str)
            return f"Did you mean the integer {number}?" if is_there and self._find(number) >= 0 else ""
        for guess in _text_guesses(id):
            if guess != id and self._find(guess) >= 0:
                return f"Did you mean {quote_id(guess)}?"
        return ""


def _text_guesses(id: object) -> Iterator[str]:
    """Yield the ways in which an id may have been written: trimmed, padded, composed."""
    text = str(int(id)) if isinstance(id, float) and id.is_integer() else str(id)
    yield text
    yield text.strip()
    yield unicodedata.normalize("NFC", text)
    yield unicodedata.normalize("NFD", text)
    digits = text.strip().lstrip("0") or "0"
    if digits.isdecimal():
        yield from (digits.zfill(width) for width in _PADDED_WIDTHS)


def _encodable(text: str) -> str | None:
    """Return the text, or None for lone surrogates, which no stored id can contain."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return str(text)


def as_id_array(values: Sequence[Any], what: str) -> pa.Array:
    """Turn Python ids into an int64 or string array; raises `DataError` naming both types of a mixture."""
    seen: dict[type, int] = {}
    for row, value in enumerate(values):
        seen.setdefault(type(value), row)
    groups = {_family(kind): row for kind, row in reversed(seen.items())}
    if len(groups) > 1:
        (first, row), (second, other) = sorted(groups.items(), key=lambda group: group[1])[:2]
        raise DataError(
            f"The {what} ids are of mixed types: {first} and {second}.",
            expected=f"all {what} ids integers, or all of them text",
            rows=[
                f"row {n} (from 0): {values[n]!r} is {name}" for n, name in ((row, first), (other, second))
            ],
            hint=f"Convert the {what} ids to one type first, such as str.",
        )
    family = next(iter(groups), "integers")
    if family == "text":
        return pa.array([str(value) for value in values], pa.large_string()).cast(pa.string())
    if family != "integers":
        raise DataError(
            f"The {what} ids are {family}.",
            expected="integers or text",
            rows=[f"row 0 (from 0): {values[0]!r}"],
            hint=f"Convert the {what} ids to integers or to text first.",
        )
    for row, value in enumerate(values):
        if not INT64_MIN <= int(value) <= INT64_MAX:
            raise DataError(
                f"The {what} id {value} is beyond the 64-bit integers.",
                expected="integers from -2**63 to 2**63 - 1, or text",
                rows=[f"row {row} (from 0): {value}"],
                hint=f"Convert the {what} ids to text.",
            )
    return pa.array([int(value) for value in values], pa.int64())


def _family(kind: type) -> str:
    if issubclass(kind, bool | np.bool_):
        return "booleans"
    if issubclass(kind, int | np.integer):
        return "integers"
    if issubclass(kind, str):
        return "text"
    if issubclass(kind, float | np.floating):
        return "floats"
    return f"of type {kind.__name__}"
