"""A column of ids, taken in batch by batch and turned into an `IdMap` and codes."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.ratings.ids import CANONICAL, INT64_MAX, INT64_MIN, MAX_ID_BYTES, IdMap, quote_id
from corated.ratings.notices import Notices
from corated.ratings.sources import SHOWN, Source, an, counted, is_text, refusal

__all__ = ["IdCollector"]

Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

# Distinct values of batches are merged when they are this many, or as many as are known already.
_PENDING: Final = 1 << 20
# From here a float of so many bits may have lost digits of an id.
_EXACT_FLOAT: Final = {16: float(2**11), 32: float(2**24), 64: float(2**53)}
_DECIMAL: Final = r"\A(?:0|-?[1-9][0-9]*)(?:\.[0-9]+)?\z"
_WHOLE: Final = re.compile(r"(-?[0-9]+)(?:\.0+)?\Z")
_ZERO_FRACTION: Final = r"\.0\z"  # as floats print


class IdCollector:
    """The ids of one side ("user" or "item"): small codes in order of arrival, then sorted ones."""

    def __init__(self, what: str, source: Source, declared: str | None, notices: Notices) -> None:
        self.what = what
        self._source = source
        self._declared = declared
        self._notices = notices
        self._chunks: list[Int32s] = []
        self._distinct: pa.Array | None = None
        self._pending: list[pa.Array] = []  # one for each of the last chunks
        self._missing: list[tuple[int, str]] = []
        self._n_missing = 0
        self._fractional: list[tuple[int, str]] = []
        self._n_fractional = 0
        self._were_floats = False

    def add(self, array: pa.Array, first_row: int) -> None:
        """Take in one batch, whose first record has the given number."""
        array = self._own_type(array, first_row)
        if not pa.types.is_dictionary(array.type):
            array = pc.dictionary_encode(array)
        values = array.dictionary
        indices = array.indices
        if values.null_count:
            indices = pc.if_else(pc.take(values.is_valid(), indices), indices, None)
            values = values.fill_null("" if is_text(values.type) else 0)
        if indices.null_count:
            missing = np.flatnonzero(indices.is_null().to_numpy(zero_copy_only=False))
            self._note_missing(first_row + missing)
            indices = indices.fill_null(0)
            if not len(values):  # nothing but nulls: the place of a value that is refused later
                values = pa.array(["" if is_text(values.type) else 0], values.type)
        target = pa.large_string() if is_text(values.type) else pa.int64()
        try:
            values = values.cast(target)
        except pa.ArrowInvalid:
            values = self._beyond_int64(values, indices, first_row)
        self._pending.append(values)
        self._chunks.append(indices.to_numpy(zero_copy_only=False).astype(np.int32))
        if sum(map(len, self._pending)) > max(_PENDING, 0 if self._distinct is None else len(self._distinct)):
            self._merge()

    def finish(self) -> tuple[IdMap, list[Int32s]]:
        """Return the map and the final codes in chunks; raises `DataError` for ids that cannot be used."""
        self._merge()
        self._refuse_bad_rows()
        assert self._distinct is not None
        used = np.zeros(len(self._distinct), np.bool_)
        for chunk in self._chunks:
            used[chunk] = True
        kept = np.flatnonzero(used)
        distinct = self._judge(self._distinct.take(pa.array(kept)), kept)
        order = pc.array_sort_indices(distinct).to_numpy()
        codes = np.full(len(used), -1, np.int32)
        codes[kept[order]] = np.arange(len(order), dtype=np.int32)
        for at, chunk in enumerate(self._chunks):
            self._chunks[at] = codes[chunk]
        ids = distinct.take(pa.array(order))
        if pa.types.is_large_string(ids.type) and ids.nbytes < 2**31 - 1:
            ids = ids.cast(pa.string())
        if self._were_floats:
            self._notices.add(
                f"The {self.what} ids are floats without a fraction; they were taken as integers "
                f'(ids={{"{self.what}": "text"}} keeps them as text).',
                warn=True,
            )
        chunks, self._chunks = self._chunks, []
        return IdMap(ids, self.what), chunks

    # -- batches ------------------------------------------------------------------------------

    def _own_type(self, array: pa.Array, first_row: int) -> pa.Array:
        """Check the column's type; floats become integers where they are whole."""
        kind = array.type
        values = kind.value_type if pa.types.is_dictionary(kind) else kind
        if is_text(values):
            return array.cast(pa.large_string()) if pa.types.is_string_view(kind) else array
        if pa.types.is_integer(values):
            return array
        if pa.types.is_floating(values):
            return self._whole(array.dictionary_decode() if values is not kind else array, first_row)
        if pa.types.is_null(kind):
            return array.cast(pa.int64())
        if pa.types.is_decimal(kind) and kind.scale == 0:
            return self._from_decimals(array, first_row)
        raise refusal(
            self._source,
            f"the {self.what} ids are of type {values}.",
            rows=[(first_row, f"{self.what} id {array[0].as_py()!r}")] if len(array) else [],
            expected="integers or text",
            hint=f"Convert the {self.what} ids to integers or to text first.",
        )

    def _from_decimals(self, array: pa.Array, first_row: int) -> pa.Array:
        """Integers that may be past int64: text where that is declared."""
        values = array.to_pylist()
        if self._declared == "text":
            return pa.array([None if value is None else str(value) for value in values], pa.large_string())
        beyond = [at for at, v in enumerate(values) if v is not None and not INT64_MIN <= v <= INT64_MAX]
        if beyond:
            raise self._refuse_beyond(
                [(first_row + at, f"{self.what} id {values[at]}") for at in beyond[:SHOWN]]
            )
        return array.cast(pa.int64())

    def _whole(self, array: pa.Array, first_row: int) -> pa.Array:
        exact = _EXACT_FLOAT[array.type.bit_width]
        floats = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing = np.isnan(floats)
        with np.errstate(invalid="ignore"):
            bad = ~missing & ((floats != np.floor(floats)) | (np.abs(floats) >= exact))
        rows = np.flatnonzero(bad)
        self._n_fractional += len(rows)
        for row in rows[: SHOWN - len(self._fractional)]:
            self._fractional.append((first_row + int(row), f"{self.what} id {float(floats[row])!r}"))
        self._were_floats = True
        whole = np.where(bad | missing, 0, floats).astype(np.int64)
        return pa.array(whole, mask=missing)

    def _beyond_int64(self, values: pa.Array, indices: pa.Array, first_row: int) -> pa.Array:
        """Unsigned integers past int64: text where that is declared, refused otherwise."""
        if self._declared == "text":
            return values.cast(pa.large_string())
        beyond = np.array([value > INT64_MAX for value in values.to_pylist()], np.bool_)
        at = np.flatnonzero(beyond[indices.to_numpy(zero_copy_only=False)])
        raise self._refuse_beyond([(first_row + int(row), f"an id past {INT64_MAX}") for row in at[:SHOWN]])

    def _note_missing(self, rows: npt.NDArray[Any]) -> None:
        self._n_missing += len(rows)
        for row in rows[: SHOWN - len(self._missing)]:
            self._missing.append((int(row), f"{self.what} id missing"))

    def _merge(self) -> None:
        """Bring the values of the last batches into one list, and their chunks to its codes."""
        if not self._pending:
            return
        known = [] if self._distinct is None else [self._distinct]
        parts = [*known, *self._pending]
        if len({part.type for part in parts}) > 1:  # integers past int64 among declared text
            parts = [part.cast(pa.large_string()) for part in parts]
        encoded = pc.dictionary_encode(pa.concat_arrays(parts))
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        start = sum(map(len, known))
        first = len(self._chunks) - len(self._pending)
        for at, values in enumerate(self._pending, first):
            self._chunks[at] = codes[start : start + len(values)][self._chunks[at]]
            start += len(values)
        self._distinct = encoded.dictionary
        self._pending = []

    # -- judging every distinct id -------------------------------------------------------------

    def _judge(self, distinct: pa.Array, kept: npt.NDArray[Any]) -> pa.Array:
        """Decide between integers and text; `kept` are the arrival codes of the distinct ids."""
        if pa.types.is_int64(distinct.type):
            if self._declared == "text":
                return distinct.cast(pa.large_string())
            return distinct
        self._refuse_unusable(distinct, kept)
        if self._declared == "integer":
            return self._declared_integers(distinct, kept)
        if self._declared == "text" or not self._source.is_text or not len(distinct):
            return distinct
        canonical = _matches(distinct, CANONICAL)
        if canonical.all():
            return self._integers(distinct, kept)
        if _matches(distinct, _DECIMAL).all():
            return self._written_floats(distinct, canonical, kept)
        return distinct

    def _refuse_unusable(self, distinct: pa.Array, kept: npt.NDArray[Any]) -> None:
        length = pc.binary_length(distinct).to_numpy(zero_copy_only=False)
        if length.size and length.max() > MAX_ID_BYTES:
            raise self._refuse(
                kept[length > MAX_ID_BYTES],
                f"the longest {self.what} id is {length.max():,} bytes long.",
                expected=f"{self.what} ids of at most {MAX_ID_BYTES} bytes in UTF-8",
                hint="Check the delimiter and the quotes, or shorten the ids.",
            )
        if (length == 0).any():
            raise self._refuse(
                kept[length == 0],
                f"{self.what} ids are empty in {{n}}.",
                expected=f"{an(self.what)} id in every row",
                hint="Remove these rows, or fill in the ids.",
            )
        unprintable = ["\0", "\n", "\r"] if self._source.is_text else ["\0"]
        for sign in unprintable:
            holds = pc.match_substring(distinct, sign).to_numpy(zero_copy_only=False)
            if holds.any():
                name = "a NUL byte" if sign == "\0" else "a line end"
                raise self._refuse(
                    kept[holds],
                    f"the {self.what} ids contain {name}.",
                    expected="ids on one line" if name == "a line end" else "text without NUL bytes",
                    hint="Look for a quote that is not closed." if name == "a line end" else "Clean the ids.",
                )

    def _integers(self, distinct: pa.Array, kept: npt.NDArray[Any]) -> pa.Array:
        try:
            return distinct.cast(pa.int64())
        except pa.ArrowInvalid:
            inside = [INT64_MIN <= int(value) <= INT64_MAX for value in distinct.to_pylist()]
            bad = np.flatnonzero(~np.array(inside))
            raise self._refuse_beyond(self._rows_of(kept[bad])) from None

    def _written_floats(self, distinct: pa.Array, canonical: Bools, kept: npt.NDArray[Any]) -> pa.Array:
        """Judge a text column in which every id is a number and some have a decimal point."""
        declare = (
            f'Convert the ids to integers, or declare ids={{"{self.what}": "text"}} to keep them as text.'
        )
        whole = _matches(distinct, _ZERO_FRACTION)
        if not (whole | canonical).all():
            raise self._refuse(
                kept[~(whole | canonical)],
                f"{self.what} ids are numbers with a fraction, not integers, in {{n}}.",
                expected=f"{self.what} ids that are integers or text",
                hint=declare,
            )
        if canonical.any():
            raise self._refuse(
                np.concatenate([kept[canonical][:1], kept[whole][:1]]),
                f"the {self.what} ids are a mixture of integers and floats "
                f"({distinct.filter(pa.array(canonical))[0]} and {distinct.filter(pa.array(whole))[0]}).",
                expected=f"{self.what} ids of one type",
                hint=declare,
            )
        self._were_floats = True
        return self._integers(pc.replace_substring_regex(distinct, _ZERO_FRACTION, ""), kept)

    def _declared_integers(self, distinct: pa.Array, kept: npt.NDArray[Any]) -> pa.Array:
        if _matches(distinct, CANONICAL).all():
            return self._integers(distinct, kept)
        found = [_WHOLE.match(text) for text in distinct.to_pylist()]
        bad = np.array([match is None for match in found], np.bool_)
        if bad.any():
            raise self._refuse(
                kept[bad],
                f"{self.what} ids are not integers in {{n}}.",
                expected=f"integers, as declared for {self.what} ids",
                hint=f'Correct them, or declare ids={{"{self.what}": "text"}}.',
            )
        plain = [str(int(match[1])) for match in found if match is not None]
        seen: dict[str, int] = {}
        for at, text in enumerate(plain):
            if seen.setdefault(text, at) != at:
                raise self._refuse(
                    kept[[seen[text], at]],
                    f"two {self.what} ids would become the integer {text}.",
                    expected="ids that differ as integers",
                    hint=f'Declare ids={{"{self.what}": "text"}} to keep them apart.',
                )
        return self._integers(pa.array(plain, pa.large_string()), kept)

    # -- refusing -----------------------------------------------------------------------------

    def _refuse_bad_rows(self) -> None:
        if self._n_missing:
            raise refusal(
                self._source,
                f"{self.what} ids are missing in {counted(self._n_missing, 'row')}.",
                rows=self._missing,
                expected=f"{an(self.what)} id in every row",
                hint="Remove these rows, or fill in the ids.",
            )
        if self._n_fractional:
            raise refusal(
                self._source,
                f"{self.what} ids are floats and no exact integers in {counted(self._n_fractional, 'row')}.",
                rows=self._fractional,
                expected="integers or text (a float like 123.0 is taken as 123)",
                hint=f"Convert the {self.what} ids to integers or to text first.",
            )

    def _rows_of(self, arrival_codes: npt.NDArray[Any]) -> list[tuple[int, str]]:
        """Find the first records with these ids (by arrival code)."""
        assert self._distinct is not None
        wanted = np.zeros(len(self._distinct), np.bool_)
        wanted[arrival_codes] = True
        rows: list[tuple[int, str]] = []
        start = 0
        for chunk in self._chunks:
            for at in np.flatnonzero(wanted[chunk]):
                code = chunk[at]
                rows.append(
                    (start + int(at), f"{self.what} id {quote_id(self._distinct[int(code)].as_py())}")
                )
                if len(rows) == SHOWN:
                    return rows
            start += len(chunk)
        return rows

    def _refuse(self, arrival_codes: npt.NDArray[Any], what: str, *, expected: str, hint: str) -> Exception:
        rows = self._rows_of(arrival_codes)
        if "{n}" in what:
            n = sum(int(np.isin(chunk, arrival_codes).sum()) for chunk in self._chunks)
            what = what.format(n=counted(n, "row"))
        return refusal(self._source, what, rows=rows, expected=expected, hint=hint)

    def _refuse_beyond(self, rows: list[tuple[int, str]]) -> Exception:
        return refusal(
            self._source,
            f"the {self.what} ids go beyond the 64-bit integers.",
            rows=rows,
            expected="integers from -2**63 to 2**63 - 1, or text",
            hint=f'Declare ids={{"{self.what}": "text"}} to keep these ids as text.',
        )


def _matches(values: pa.Array, pattern: str) -> Bools:
    result: Bools = pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
    return result
