"""A column of ratings, taken in batch by batch: one byte each while there are few distinct values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import DataError
from corated.ratings.scale import MAX_LEVELS, Scale
from corated.ratings.sorting import joined
from corated.ratings.sources import SHOWN, Source, counted, is_text, refusal

__all__ = ["RatingCollector", "RatingColumn"]

# What can be wrong with a rating.
FAULTS: Final = (
    "",
    "missing (empty or NaN)",
    "not a number",
    "infinite",
    "off the declared scale",
    "too large for an exact float (an integer of 2**53 or more)",
)
MISSING, NOT_A_NUMBER, INFINITE, OFF_SCALE, TOO_LARGE = 1, 2, 3, 4, 5
_EXACT: Final = float(2**53)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+(?:\.0*)?\Z")

_NARROW: Final = (pa.float16(), pa.float32())

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass
class RatingColumn:
    """Ratings as places in a short list of levels (at most 256), or else as they are."""

    levels: Floats | None
    stored: npt.NDArray[Any]  # uint8 places in `levels`; float64 ratings where that is None

    def floats(self) -> Floats:
        """Return the ratings themselves."""
        return self.stored if self.levels is None else self.levels[self.stored]

    def distinct(self) -> Floats:
        """Return the distinct ratings that occur, or more than 256 values where there are that many."""
        if self.levels is None:
            return self.stored
        return self.levels[np.flatnonzero(np.bincount(self.stored, minlength=len(self.levels)))]

    def reorder(self, order: npt.NDArray[Any]) -> None:
        """Bring the ratings into another order (or keep some of them)."""
        self.stored = self.stored[order]


class RatingCollector:
    """Finds ratings that cannot be used, and stores the others."""

    def __init__(self, source: Source, scale: Scale | None) -> None:
        self._source = source
        self._scale = scale
        self._places: dict[float, int] | None = {}
        self._chunks: list[npt.NDArray[Any]] = []
        self._bad: list[tuple[int, str]] = []
        self._decimal_commas = False
        self.faults: Counter[str] = Counter()

    def add(self, array: pa.Array, first_row: int) -> Bools | None:
        """Take in one batch; return which of its rows are bad (stored as 0), or None where none is."""
        indices, values, texts = self._distinct(array, first_row)
        faults = self._faults_of(values, texts, is_exact=_is_exact(array.type))
        bad: Bools | None = None
        if faults.any():
            rows = np.flatnonzero(faults[indices])
            if rows.size:
                bad = np.zeros(len(indices), np.bool_)
                bad[rows] = True
                self._note(rows, faults[indices[rows]], lambda row: _shown(array[row].as_py()), first_row)
            values = np.where(faults > 0, 0.0, values)
        self._store(indices, values)
        return bad

    def drop_last(self, bad: Bools) -> None:
        """Take the bad rows out of the batch added last."""
        self._chunks[-1] = self._chunks[-1][~bad]

    def found(self) -> str:
        """Return what was wrong, with counts."""
        return ", ".join(f"{self.faults[kind]:,} {kind}" for kind in FAULTS if kind in self.faults)

    def refuse(self) -> DataError:
        """Make the error for the bad rows so far."""
        scale = f" on {self._scale}" if self._scale is not None else ""
        return refusal(
            self._source,
            f"{counted(self.faults.total(), 'rating')} cannot be used: {self.found()}.",
            rows=self._bad,
            expected=f"a finite number{scale} in every row",
            hint=self._hint(),
        )

    def _hint(self) -> str:
        hint = 'Correct these rows, or pass on_bad="drop" to leave them out.'
        if self._decimal_commas:
            hint = "Write decimals with a point (3.5), not a comma. " + hint
        return hint

    def finish(self) -> RatingColumn:
        """Return all ratings, in order of arrival."""
        chunks, self._chunks = self._chunks, []
        if self._places is None:
            return RatingColumn(None, joined(chunks))
        levels = np.array(list(self._places), np.float64)
        return RatingColumn(levels, joined(chunks))

    def _distinct(self, array: pa.Array, first_row: int) -> tuple[npt.NDArray[Any], Floats, pa.Array | None]:
        """Return places, distinct values (NaN where there is none) and, for text, how each was written."""
        kind = array.type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not _is_number(kind) and not is_text(kind):
            raise refusal(
                self._source,
                f"the ratings are of type {kind}.",
                rows=[(first_row, f"rating {array[0].as_py()!r}")] if len(array) else [],
                expected="numbers",
                hint="Name the column of the ratings with rating=, or pass rating=False for none.",
            )
        if pa.types.is_string_view(array.type):
            array = array.cast(pa.large_string())
        if _is_number(kind):
            if pa.types.is_dictionary(array.type):
                array = array.dictionary_decode()
            if pa.types.is_boolean(kind):
                array = array.cast(pa.int8())
            array = _widened(array) if kind in _NARROW else array.cast(pa.float64(), safe=False)
            array = array.fill_null(float("nan"))
            array = pa.array(array.to_numpy(zero_copy_only=False) + 0.0)  # -0.0 becomes 0.0
        encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
        values = encoded.dictionary
        places = encoded.indices
        if places.null_count:
            places = places.fill_null(len(values))
            values = pa.concat_arrays([values, pa.array([None], values.type)])
        indices = places.to_numpy(zero_copy_only=False)
        if _is_number(kind):
            return indices, values.to_numpy(zero_copy_only=False), None
        return indices, _parse_all(values), values

    def _faults_of(self, values: Floats, texts: pa.Array | None, *, is_exact: bool) -> npt.NDArray[np.int8]:
        """Return for each distinct value its place in `FAULTS`, 0 for none."""
        faults = np.zeros(len(values), np.int8)
        unset = np.isnan(values)
        faults[unset] = MISSING
        for place in np.flatnonzero(np.abs(values) >= _EXACT).tolist():
            if is_exact or (texts is not None and _INTEGER.match(texts[place].as_py().strip())):
                faults[place] = TOO_LARGE
        if texts is not None:
            for place in np.flatnonzero(unset).tolist():
                text = (texts[place].as_py() or "").strip().lower()
                if text.lstrip("+-") not in ("", "nan"):
                    faults[place] = NOT_A_NUMBER
                    self._decimal_commas |= not np.isnan(_parse(text.replace(",", ".", 1)))
        faults[np.isinf(values)] = INFINITE
        if self._scale is not None:
            faults[(faults == 0) & ~self._scale.contains(values)] = OFF_SCALE
        return faults

    def _note(
        self,
        rows: npt.NDArray[Any],
        faults: npt.NDArray[np.int8],
        got: Callable[[int], str],
        first_row: int,
    ) -> None:
        for fault, count in enumerate(np.bincount(faults, minlength=len(FAULTS)).tolist()):
            if count:
                self.faults[FAULTS[fault]] += count
        for row in rows[: SHOWN - len(self._bad)].tolist():
            self._bad.append((first_row + row, f"rating {got(row)}"))

    def _store(self, indices: npt.NDArray[Any], values: Floats) -> None:
        if self._places is not None:
            if len(values) > MAX_LEVELS:
                self._widen()
            else:
                for value in values.tolist():
                    self._places.setdefault(value, len(self._places))
                if len(self._places) > MAX_LEVELS:
                    self._widen()
        if self._places is None:
            self._chunks.append(values[indices])
        else:
            places = np.array([self._places[value] for value in values.tolist()], np.uint8)
            self._chunks.append(places[indices])

    def _widen(self) -> None:
        """Go over to the ratings themselves: there are more than 256 distinct ones."""
        assert self._places is not None
        levels = np.array(list(self._places), np.float64)
        self._chunks = [levels[chunk] for chunk in self._chunks]
        self._places = None


def _widened(array: pa.Array) -> pa.Array:
    """Make doubles of narrow floats by their shortest decimals: .1 in 32 bits was meant as .1.

    Cast bit by bit it would be 0.10000000149, on no scale.
    """
    if array.type == pa.float16():  # Arrow has few functions for these
        distinct, places = np.unique(array.to_numpy(zero_copy_only=False), return_inverse=True)
        wide = np.array([float(str(value)) for value in distinct], np.float64)
        return pa.array(wide[places], mask=array.is_null().to_numpy(zero_copy_only=False))
    encoded = pc.dictionary_encode(array)
    return encoded.dictionary.cast(pa.string()).cast(pa.float64()).take(encoded.indices)


def _shown(value: object) -> str:
    """Render a rating as it came: floats short, integers whole, text quoted."""
    if value is None:
        return "nan"
    if isinstance(value, float):
        return f"{value:.10g}"
    return repr(value) if isinstance(value, str) else str(value)


def _parse_all(texts: pa.Array) -> Floats:
    """Read numbers as people write them in files; NaN for what is none."""
    try:
        fast = pc.cast(pc.utf8_trim_whitespace(texts), pa.float64())
        numbers: Floats = fast.to_numpy(zero_copy_only=False) + 0.0
        return numbers
    except pa.ArrowInvalid:
        return np.array([_parse(text or "") for text in texts.to_pylist()], np.float64) + 0.0


def _parse(text: str) -> float:
    if "_" in text or not text.isascii():
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _is_exact(kind: pa.DataType) -> bool:
    """Tell whether a type has digits that a double may not hold."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )
