"""Tables in memory: any frame, Arrow data, or columns of Python values."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import NarwhalsError

from corated.errors import CoratedError, DataError, ParameterError
from corated.ratings.sources import SHOWN, Place, Source

__all__ = ["StreamSource", "TableSource", "column_names", "open_columns", "open_table"]

BATCH_ROWS: Final = 1 << 20
_IN_ARROW: Final = (pa.Array, pa.ChunkedArray)
_NARROW: Final = (np.float16, np.float32)


def open_table(table: Any) -> Source:
    """Make a source of a frame, Arrow data or a mapping of columns; raises `ParameterError` for others."""
    if isinstance(table, pa.Table):
        return ArrowSource(table)
    if isinstance(table, pa.RecordBatch):
        return ArrowSource(pa.table(table))
    if isinstance(table, pa.RecordBatchReader):
        return StreamSource(table)
    if isinstance(table, Mapping):
        return open_columns(table)
    if _is_pandas(table):
        return PandasSource(table)
    if hasattr(table, "__arrow_c_stream__"):
        return StreamSource(pa.RecordBatchReader.from_stream(table))
    try:
        frame = nw.from_native(table, pass_through=True)
        if isinstance(frame, nw.DataFrame):
            return FrameSource(frame)
    except NarwhalsError as error:
        raise DataError(
            f"the table: cannot be used: {_first_line(error)}",
            expected="a frame with columns of different names",
            hint="Correct the frame, or pass a dict of the columns.",
        ) from error
    if isinstance(frame, nw.LazyFrame):
        raise ParameterError(
            f"{type(table).__name__} is lazy: it has no rows yet.",
            expected="a frame in memory",
            hint="Call .collect() and pass the result.",
        )
    raise ParameterError(
        f"{type(table).__name__} is no table of ratings.",
        expected="a frame (pandas, polars, …), Arrow data, a dict of columns, or a path",
        hint="Convert it to one of these, or use from_arrays for columns.",
    )


def open_columns(columns: Mapping[Any, Any], name: str = "the table") -> Source:
    """Make a source of columns by name; raises `ParameterError` where their lengths differ."""
    held: dict[str, Any] = {}
    for key, values in columns.items():
        sized = hasattr(values, "__len__")
        if isinstance(values, str | bytes) or not (sized or isinstance(values, Iterable)):
            raise _no_column(str(key), f"{type(values).__name__} {str(values)[:40]!r}")
        if getattr(values, "ndim", 1) != 1:
            raise _no_column(str(key), f"{type(values).__name__} {np.shape(values)!s}")
        held[str(key)] = values if sized else list(values)
    lengths = {key: len(values) for key, values in held.items()}
    if len(set(lengths.values())) > 1:
        raise ParameterError(
            "the columns differ in length: " + ", ".join(f"{key} {n:,}" for key, n in lengths.items()) + ".",
            expected="columns of one length",
            hint="Pass one value for each rating in every column.",
        )
    return ColumnsSource(held, name)


def _no_column(key: str, got: str) -> ParameterError:
    return ParameterError(
        f"{key} is {got}, not a column.",
        expected="a list or a one-dimensional array",
        hint=f"Pass one value for each rating in {key}.",
    )


def column_names(table: Any) -> list[str]:
    """Return the names of a table's columns in memory (of pandas with its named index); [] of a path."""
    if _is_pandas(table):
        return list(PandasSource(table).columns)
    if isinstance(table, Mapping):
        return [str(name) for name in table]
    names = getattr(table, "column_names", None)  # Arrow
    return [str(name) for name in (names if names is not None else getattr(table, "columns", ()))]


class TableSource:
    """What the sources in memory have in common."""

    headerless = False
    is_text = False

    def __init__(self, columns: Sequence[Any], name: str = "the table") -> None:
        self.name = name
        self.columns: Sequence[str] = [str(column) for column in columns]

    def locate(self, rows: Sequence[int]) -> list[Place]:  # noqa: D102 - see Source
        return [(f"row {row} (from 0)", "") for row in rows]


class ArrowSource(TableSource):
    """An Arrow table."""

    def __init__(self, table: pa.Table, name: str = "the table") -> None:
        super().__init__(table.column_names, name)
        self._table = table

    def sample(self, column: str) -> pa.Array:
        head = self._table.slice(0, 8).column(column)
        return _whole(head)

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        for batch in self._table.select(list(wanted)).to_batches(max_chunksize=BATCH_ROWS):
            yield batch.columns


class StreamSource(TableSource):
    """Batches that pass once: a database result, a reader, another process."""

    def __init__(self, reader: pa.RecordBatchReader, name: str = "the table") -> None:
        super().__init__(reader.schema.names, name)
        self._reader = reader

    def sample(self, column: str) -> pa.Array:  # noqa: D102 - see Source
        return pa.array([], self._reader.schema.field(column).type)

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:  # noqa: D102
        places = [self._reader.schema.get_field_index(column) for column in wanted]
        for batch in self._reader:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                part = batch.slice(start, BATCH_ROWS)
                yield [part.column(place) for place in places]


class ColumnsSource(TableSource):
    """Columns of Python values, NumPy or Arrow arrays, or Series; converted when they are read."""

    def __init__(self, columns: Mapping[str, Any], name: str) -> None:
        super().__init__(list(columns), name)
        self._held = dict(columns)

    def sample(self, column: str) -> pa.Array:
        return _whole(as_column(self._held[column][:8], column, self))

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        arrays = {
            name: as_column(self._held[name], name, self, is_id=at < 2) for at, name in enumerate(wanted)
        }
        yield from ArrowSource(pa.table(arrays)).batches(wanted)


class PandasSource(TableSource):
    """A pandas frame: its columns, whose names may repeat, and after them the named levels of its index."""

    def __init__(self, frame: Any, name: str = "the table") -> None:
        names = [str(column) for column in frame.columns]
        levels = [(at, str(level)) for at, level in enumerate(frame.index.names) if level is not None]
        self._levels = {level: at for at, level in levels if level not in names}
        super().__init__([*names, *self._levels], name)
        self._frame = frame

    def _column(self, name: str) -> Any:
        at = self.columns.index(name)
        if at < self._frame.shape[1]:
            return self._frame.iloc[:, at]
        return self._frame.index.get_level_values(self._levels[name]).to_series()

    def sample(self, column: str) -> pa.Array:
        return _whole(as_column(self._column(column).head(8), column, self))

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        arrays = {
            name: as_column(self._column(name), name, self, is_id=at < 2) for at, name in enumerate(wanted)
        }
        yield from ArrowSource(pa.table(arrays)).batches(wanted)


class FrameSource(TableSource):
    """A frame of another library: only the wanted columns are converted, the others may be anything."""

    def __init__(self, frame: nw.DataFrame[Any], name: str = "the table") -> None:
        super().__init__(frame.columns, name)
        self._frame = frame

    def sample(self, column: str) -> pa.Array:
        return _whole(as_column(self._frame.get_column(column).head(8), column, self))

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        arrays = {
            name: as_column(self._frame.get_column(name), name, self, is_id=at < 2)
            for at, name in enumerate(wanted)
        }
        yield from ArrowSource(pa.table(arrays)).batches(wanted)


def as_column(
    values: Any, name: str, source: TableSource, *, is_id: bool = False
) -> pa.Array | pa.ChunkedArray:
    """Turn a column of any kind into Arrow; raises `DataError` where its values are of mixed types.

    Integers and floats mix in ratings, not in ids: 1 and 1.0 may or may not be meant as one.
    """
    try:
        return _taken(values, name, source, is_id=is_id)
    except CoratedError:
        raise
    except (
        pa.ArrowException,
        NarwhalsError,
        ArithmeticError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:
        kind = getattr(values, "dtype", None) or type(values).__name__
        raise DataError(
            f"{source.name}: column {name!r} of type {kind} cannot be used: {_first_line(error)}",
            expected="numbers, text or datetimes",
            hint="Convert the column first.",
        ) from error


def _taken(values: Any, name: str, source: TableSource, *, is_id: bool) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, _IN_ARROW):
        return values
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and not dtype.isnative:  # written on a machine of the other byte order
        values = np.asarray(values).astype(dtype.newbyteorder("="))
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OUS":
        return pa.array(values)
    if not isinstance(values, list | tuple | range | np.ndarray):
        series = nw.from_native(values, series_only=True, pass_through=True)
        if isinstance(series, nw.Series):
            if series.dtype != nw.Object and not _is_object(series.to_native()):
                return series.to_arrow()
            values = series.to_list()
        elif hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
            return pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
        else:
            values = list(values)
    values = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return _from_objects(values, name, source, is_id=is_id)


def _from_objects(values: list[Any], name: str, source: TableSource, *, is_id: bool) -> pa.Array:
    """Turn Python values into Arrow: one type, or a refusal that names two."""
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if not _is_missing(value):
            first.setdefault(_family(value), row)
    kinds = set(first)
    if kinds == {"integer", "float"} and not is_id:
        kinds = {"number"}
    if len(kinds) > 1:
        shown = sorted(first.items(), key=lambda pair: pair[1])[:2]
        places = source.locate([row for _, row in shown])
        raise DataError(
            f"{source.name}: column {name!r} has values of mixed types: {shown[0][0]} and {shown[1][0]}.",
            expected="one type in a column",
            rows=[
                f"{place[0]}: {values[row]!r} is {kind}"
                for place, (kind, row) in zip(places, shown, strict=True)
            ],
            hint="Convert the column to one type first, such as str or int.",
        )
    plain = [None if _is_missing(value) else value for value in values]
    if kinds <= {"number", "float"}:
        # A narrow float by its shortest decimal, as in a column of such floats.
        plain = [float(str(value)) if isinstance(value, _NARROW) else value for value in plain]
    try:
        return pa.array(plain, pa.float64()) if kinds == {"number"} else pa.array(plain)
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        OverflowError,
        UnicodeError,
    ) as error:
        if kinds == {"integer"} and all(value is None or abs(value) < 10**76 for value in plain):
            return pa.array(plain, pa.decimal256(76))  # past 64 bits: judged, with their rows, as ids are
        rows = [row for row, value in enumerate(plain) if _is_beyond_floats(value)] or list(first.values())[
            :1
        ]
        raise DataError(
            f"{source.name}: column {name!r} cannot be used: {error}.",
            expected="numbers, text or datetimes",
            rows=[f"row {row} (from 0): {values[row]!r}" for row in rows[:SHOWN]],
            hint="Convert the column first.",
        ) from error


def _family(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, int | np.integer):
        return "integer"
    if isinstance(value, float | np.floating):
        return "float"
    if isinstance(value, str):
        return "text"
    return type(value).__name__


def _is_beyond_floats(value: object) -> bool:
    return isinstance(value, int | np.integer) and abs(int(value)) > 2**53


def _is_missing(value: object) -> bool:
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")


def _is_object(series: Any) -> bool:
    return str(getattr(series, "dtype", "")) == "object"


def _is_pandas(table: Any) -> bool:
    pandas = sys.modules.get("pandas")  # nobody can have made a frame without it
    return pandas is not None and isinstance(table, pandas.DataFrame)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") + "."


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
