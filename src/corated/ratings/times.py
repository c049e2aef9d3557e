"""Times: whatever the caller has becomes int64 microseconds since 1970, UTC."""

from __future__ import annotations

import time as clock
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import DataError
from corated.ratings.notices import Notices, unit_taken
from corated.ratings.options import UNITS, unused
from corated.ratings.sorting import joined
from corated.ratings.sources import SHOWN, Source, counted, is_text, refusal

__all__ = ["TimeCollector", "is_naive", "unit_of"]

Int64s = npt.NDArray[np.int64]

UNIT_NAMES: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# Magnitudes from which a number is of the next smaller unit: the year 5138 as the coarser one,
# the spring of 1973 as the finer one.
_LIMITS: Final = ((1e11, "s"), (1e14, "ms"), (1e17, "us"))
_US: Final = pa.timestamp("us")
_US_UTC: Final = pa.timestamp("us", "UTC")
_SECOND, _DAY = 10**6, 86_400 * 10**6
_LEAVE_OUT: Final = "pass time=False to read without times."


def unit_of(number: float) -> str:
    """Return the unit ("s", "ms", "us", "ns") that a Unix time of this magnitude is in."""
    return next((unit for limit, unit in _LIMITS if abs(number) < limit), "ns")


def is_naive(sample: pa.Array) -> bool:
    """Tell whether a column's first values are dates or times of day without a time zone."""
    kind = sample.type
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    if pa.types.is_date(kind):
        return True
    if is_text(kind) and len(sample):
        return _iso(sample.slice(0, 1), _US) is not None
    return False


class TimeCollector:
    """The times of the ratings: Unix numbers, instants, or naive datetimes; one kind throughout."""

    def __init__(self, source: Source, column: str, unit: str | None, tz: str | None) -> None:
        self._source = source
        self._column = column
        self._unit = unit
        self._tz = tz
        self._kind = ""  # "number", "instant" or "naive"
        self._chunks: list[npt.NDArray[Any]] = []
        self._first_rows: list[int] = []
        self._agrees = True  # as far as a witness was seen, naive times are its instants in UTC
        self._has_witness = False

    def add(self, array: pa.Array, witness: pa.Array | None, first_row: int) -> None:
        """Take in one batch; `witness` is a Unix column beside naive datetimes, if there is one."""
        if not len(array):
            return
        kind, values = self._read(array, first_row)
        if self._kind and kind != self._kind:
            names = {"number": "numbers", "instant": "datetimes with a time zone", "naive": "naive datetimes"}
            raise self._refuse(
                f"the times change from {names[self._kind]} to {names[kind]}.",
                [(first_row, f"{self._column} {array[0].as_py()!r}")],
                "times of one kind",
                f"Convert the column to one kind, or {_LEAVE_OUT}",
            )
        if not self._kind:
            self._refuse_unused(kind)
        self._kind = kind
        self._chunks.append(values)
        self._first_rows.append(first_row)
        if kind == "naive" and witness is not None:
            self._has_witness = True
            self._agrees = self._agrees and _same_instants(values, witness)

    def finish(self, notices: Notices) -> Int64s:
        """Return all times in order of arrival; raises `DataError` for units that cannot be told."""
        if not self._chunks:
            return np.empty(0, np.int64)
        if self._kind == "number":
            times = self._from_numbers(notices)
        else:
            times = joined(self._chunks)
            if self._kind == "naive":
                times = self._from_naive(times, notices)
        now = int(clock.time()) * _SECOND
        if times.size and int(times.max()) > now + _DAY:
            ahead = int((times > now + _DAY).sum())
            notices.add(
                f"{counted(ahead, 'time')} in the future, the last {_show(int(times.max()))}; "
                f"check the unit and the time zone.",
                warn=True,
            )
        return times

    def _refuse_unused(self, kind: str) -> None:
        """Raise `ParameterError` for a setting that times of this kind have no use for."""
        where = f"the times in column {self._column!r}"
        if self._unit is not None and kind != "number":
            raise unused("time_unit", self._unit, f"{where} are datetimes", "Unix times (numbers)")
        if self._tz is not None and kind == "number":
            raise unused("tz", self._tz, f"{where} are Unix times, which are UTC", "datetimes without a zone")
        if self._tz is not None and kind == "instant":
            raise unused("tz", self._tz, f"{where} have a time zone of their own", "datetimes without a zone")

    # -- reading a batch ----------------------------------------------------------------------

    def _read(self, array: pa.Array, first_row: int) -> tuple[str, npt.NDArray[Any]]:
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        kind = array.type
        if is_text(kind):
            return self._read_text(array, first_row)
        if array.null_count:
            self._missing(array.is_null().to_numpy(zero_copy_only=False), first_row)
        if pa.types.is_timestamp(kind):
            target = _US if kind.tz is None else _US_UTC
            values = self._cast(array, target, first_row)
            return "naive" if kind.tz is None else "instant", values
        if pa.types.is_date(kind):
            return "naive", self._cast(array.cast(pa.date32()), _US, first_row)
        if pa.types.is_integer(kind):
            return "number", self._cast(array, pa.int64(), first_row)
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return "number", self._read_floats(array, first_row)
        raise self._refuse(
            f"the times are of type {kind}.",
            [(first_row, f"{self._column} {array[0].as_py()!r}")],
            "Unix times, datetimes, or ISO 8601 text",
            f"Name the column of the times with time=, or {_LEAVE_OUT}",
        )

    def _read_text(self, array: pa.Array, first_row: int) -> tuple[str, npt.NDArray[Any]]:
        text = pc.utf8_trim_whitespace(array.cast(pa.large_string()))
        empty = pc.fill_null(pc.equal(pc.binary_length(text), 0), True)
        if pc.any(empty).as_py():
            self._missing(empty.to_numpy(zero_copy_only=False), first_row)
        for target in (pa.int64(), pa.float64()):
            try:
                numbers = text.cast(target)
            except pa.ArrowInvalid:
                continue
            return "number", numbers.to_numpy() if target == pa.int64() else self._read_floats(
                numbers, first_row
            )
        for name, target in (("naive", _US), ("instant", _US_UTC)):
            values = _iso(text, target)
            if values is not None:
                return name, values
        raise self._unreadable(text, first_row)

    def _unreadable(self, text: pa.Array, first_row: int) -> DataError:
        """Find the rows that are not of the kind of the first readable one."""
        kinds = np.array([_kind_of(text.slice(at, 1)) for at in range(len(text))])
        readable = [kind for kind in ("number", "naive", "instant") if (kinds == kind).any()]
        mixed = len(readable) > 1 and not (kinds == "").any()
        usual = max(readable, key=lambda kind: int((kinds == kind).sum()), default="")
        bad = np.flatnonzero(kinds != usual) if mixed else np.flatnonzero(kinds == "")
        rows = [(first_row + int(at), f"{self._column} {text[int(at)].as_py()!r}") for at in bad[:SHOWN]]
        what = "are of mixed kinds (with and without a time zone, or numbers)" if mixed else "cannot be read"
        return self._refuse(
            f"times in column {self._column!r} {what}.",
            rows,
            "Unix times, or ISO 8601 such as 2013-10-12 23:20:27 or 2013-10-12T23:20:27Z, throughout",
            f"Convert the column, name another with time=, or {_LEAVE_OUT}",
        )

    def _read_floats(self, array: pa.Array, first_row: int) -> npt.NDArray[Any]:
        floats = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        odd = ~np.isfinite(floats)
        if odd.any():
            self._missing(odd, first_row)
        whole = (floats == np.floor(floats)).all() and np.abs(floats).max(initial=0) < 2**63
        numbers: npt.NDArray[Any] = floats.astype(np.int64) if whole else floats
        return numbers

    def _cast(self, array: pa.Array, target: pa.DataType, first_row: int) -> Int64s:
        try:
            # Nanoseconds are cut to microseconds on purpose; only a value out of range is an error.
            if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
                values = array.view(pa.int64()) if array.type.tz is None else array.cast(pa.int64())
                micros: Int64s = np.floor_divide(values.to_numpy(), 1000)
            else:
                micros = array.cast(target).cast(pa.int64()).to_numpy(zero_copy_only=False)
            return micros
        except pa.ArrowInvalid as error:
            raise self._refuse(
                f"times in column {self._column!r} are out of range: {error}.",
                [(first_row, "or a row after it")],
                "times within 292,000 years of 1970",
                f"Correct them, or {_LEAVE_OUT}",
            ) from error

    def _missing(self, which: npt.NDArray[np.bool_], first_row: int) -> None:
        rows = np.flatnonzero(which)
        raise self._refuse(
            f"{counted(len(rows), 'time')} missing in column {self._column!r}.",
            [(first_row + int(row), f"{self._column} missing") for row in rows[:SHOWN]],
            "a time in every row",
            f"Fill them in, or {_LEAVE_OUT}",
        )

    # -- deciding -----------------------------------------------------------------------------

    def _from_numbers(self, notices: Notices) -> Int64s:
        times: Int64s
        unit = self._unit or self._infer_unit()
        numbers = joined(self._chunks)
        largest = max(-float(numbers.min()), float(numbers.max()))
        if unit != "ns" and largest * UNITS[unit] >= 2**63:
            raise self._refuse(
                f"times up to {largest:g} in column {self._column!r} are out of range as {UNIT_NAMES[unit]}.",
                [], "times within 292,000 years of 1970", "Pass another time_unit=.",
            )  # fmt: skip
        if unit == "ns":
            times = np.floor_divide(numbers, 1000).astype(np.int64)
        elif numbers.dtype == np.int64:
            times = numbers
            times *= UNITS[unit]
        else:
            times = np.rint(numbers * UNITS[unit]).astype(np.int64)
        if self._unit is None:
            first, last = _show(int(times.min())), _show(int(times.max()))
            notices.add(unit_taken(self._column, UNIT_NAMES[unit], f"{first} to {last}"))
        return times

    def _infer_unit(self) -> str:
        """Tell the unit by magnitude; zero is zero in every unit."""
        seen: dict[str, tuple[int, str]] = {}
        for chunk, first_row in zip(self._chunks, self._first_rows, strict=True):
            size = np.abs(chunk)
            for start, unit, stop in zip(
                (1e-300, 1e11, 1e14, 1e17), UNITS, (1e11, 1e14, 1e17, np.inf), strict=True
            ):
                if unit in seen:
                    continue
                inside = (size >= start) & (size < stop)
                if inside.any():
                    at = int(np.argmax(inside))
                    seen[unit] = (first_row + at, f"{self._column} {chunk[at]} ({UNIT_NAMES[unit]})")
        if len(seen) > 1:
            raise self._refuse(
                f"times in column {self._column!r} are in mixed units: "
                f"{' and '.join(UNIT_NAMES[unit] for unit in seen)} by their size.",
                list(seen.values()),
                "one unit throughout",
                f"Convert them to one unit, pass time_unit= if they are in one, or {_LEAVE_OUT}",
            )
        return next(iter(seen), "s")

    def _from_naive(self, times: Int64s, notices: Notices) -> Int64s:
        if self._tz is None:
            if self._has_witness and self._agrees:
                notices.add(
                    f"Datetimes in column {self._column!r} are UTC, as the Unix times beside them show."
                )
                return times
            beside = " and differ from the Unix times beside them" if self._has_witness else ""
            raise self._refuse(
                f"datetimes in column {self._column!r} have no time zone{beside}.",
                [(0, f"{self._column} {_show(int(times[0]))}")],
                "Unix times, datetimes with a time zone, or tz=",
                f'Pass tz="UTC" or another time zone, or {_LEAVE_OUT}',
            )
        local = pa.array(times).cast(_US)
        # Where clocks were put back an hour comes twice (the first is taken); where they were put
        # forward an hour is missing (the moment after it is taken).
        instants = pc.assume_timezone(local, self._tz, ambiguous="earliest", nonexistent="latest")
        result: Int64s = instants.cast(pa.int64()).to_numpy(zero_copy_only=False).copy()
        return result

    def _refuse(self, what: str, rows: list[tuple[int, str]], expected: str, hint: str) -> DataError:
        return refusal(self._source, what, rows=rows, expected=expected, hint=hint[0].upper() + hint[1:])


def _same_instants(naive: Int64s, witness: pa.Array) -> bool:
    """Tell whether naive times, read as UTC, are the Unix times of another column (to the second)."""
    if is_text(witness.type):
        try:
            witness = witness.cast(pa.int64())
        except pa.ArrowInvalid:
            return False
    if not pa.types.is_integer(witness.type) or witness.null_count:
        return False
    unix = witness.cast(pa.int64()).to_numpy(zero_copy_only=False)
    unit = unit_of(float(np.abs(unix).max(initial=0)))
    if unit == "s":
        seconds = unix
    else:
        seconds = np.floor_divide(unix, {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit])
    if np.array_equal(np.floor_divide(naive, _SECOND), seconds):
        return True
    only_days = bool((naive % _DAY == 0).all())
    return only_days and np.array_equal(np.floor_divide(naive, _DAY), np.floor_divide(seconds, 86_400))


def _iso(text: pa.Array, target: pa.DataType) -> Int64s | None:
    """Parse ISO 8601 text; None where a value is none, or has (or lacks) a time zone against `target`."""
    for kind in (target, pa.timestamp("ns", target.tz)):
        try:
            values: Int64s = text.cast(kind).cast(pa.int64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            continue
        return values if kind is target else np.floor_divide(values, 1000)
    return None


def _kind_of(one: pa.Array) -> str:
    try:
        one.cast(pa.float64())
        return "number"
    except pa.ArrowInvalid:
        pass
    if _iso(one, _US) is not None:
        return "naive"
    return "instant" if _iso(one, _US_UTC) is not None else ""


def _show(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us").astype("M8[s]")).replace("T", " ")
