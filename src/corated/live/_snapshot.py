"""All ratings of one moment, batch by batch, while others write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import StoreError
from corated.live._closing import Closing
from corated.live._database import Database
from corated.live._head import Head, read_head, sound
from corated.live._shape import Shape
from corated.ratings.ids import IdKind, IdMap
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale

__all__ = ["Snapshot", "schema_of"]

_TIME = pa.timestamp("us", "UTC")


def schema_of(shape: Shape) -> pa.Schema:
    """Return the columns user_id, item_id, rating and, where ratings have times, timestamp."""
    fields = [
        pa.field("user_id", _type_of(shape.user_ids)),
        pa.field("item_id", _type_of(shape.item_ids)),
        pa.field("rating", pa.float64()),
    ]
    return pa.schema([*fields, pa.field("timestamp", _TIME)] if shape.timed else fields)


def _type_of(kind: IdKind | None) -> pa.DataType:
    return pa.int64() if kind == "integer" else pa.string()


class Snapshot(Closing):
    """All ratings of one moment, as record batches by ascending (user, item) as text; a context manager.

    position : of the last change that is in it
    schema : user_id, item_id, rating and, where ratings have times, timestamp (µs, UTC)

    Can be gone through more than once before it is closed; others write meanwhile.
    """

    def __init__(self, database: Database, batch: int) -> None:
        self._database, self._batch = database, batch
        self._stack = ExitStack()
        self._cursor: Any = self._stack.enter_context(database.reading(snapshot=True))
        try:
            self.head: Head = read_head(database, self._cursor)
        except BaseException:
            self.close()
            raise
        self.position = self.head.position
        self.schema = schema_of(self.head.shape)

    @property
    def scale(self) -> Scale | None:
        """The scale of the store at that moment."""
        return self.head.shape.scale

    def close(self) -> None:
        """Let the database forget the moment."""
        self._cursor = None
        self._stack.close()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._cursor is None:
            raise StoreError("This snapshot was closed.", hint="read() again")
        database = self._database
        with database.told():
            for rows in database.stream(self._cursor, database.statements.ratings, self._batch):
                with sound(database):
                    batch = self._record_batch(rows)
                yield batch

    def _record_batch(self, rows: list[Any]) -> pa.RecordBatch:
        columns = list(zip(*rows, strict=True))
        arrays = [
            _ids(columns[0], self.schema.field(0).type),
            _ids(columns[1], self.schema.field(1).type),
            pa.array(columns[2], pa.float64()),
        ]
        if self.head.shape.timed:
            arrays.append(pa.array(columns[3], pa.int64()).cast(_TIME))
        return pa.record_batch(arrays, schema=self.schema)

    def table(self) -> pa.Table:
        """Return all rows."""
        return pa.Table.from_batches(list(self), self.schema)

    def ratings(self) -> Ratings:
        """Return the ratings as the models take them.

        Raises `StoreError` where the store has no scale yet.
        """
        shape = self.head.shape
        if shape.scale is None:
            raise StoreError(
                "This store has no scale yet, and no ratings.",
                hint="open it with scale=(low, high, step), or import ratings first",
            )
        table = self.table()
        with sound(self._database):
            return _ratings_of(table, shape, shape.scale)


def _ids(values: tuple[str, ...], kind: pa.DataType) -> pa.Array:
    array = pa.array(values, pa.string())
    return array if kind == pa.string() else array.cast(kind)


def _ratings_of(table: pa.Table, shape: Shape, scale: Scale) -> Ratings:
    """Return rows of distinct (user, item) as ratings."""
    users, who = _coded(table["user_id"], "user")
    items, what = _coded(table["item_id"], "item")
    order = np.lexsort((what, who))
    indptr = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(who, minlength=len(users)), out=indptr[1:])
    times = table["timestamp"].cast(pa.int64()).to_numpy()[order] if shape.timed else None
    codes = scale.encode(table["rating"].to_numpy())[order]
    return Ratings(users, items, scale, Csr(indptr, what[order].astype(np.int32)), codes, times)


def _coded(column: pa.ChunkedArray, what: str) -> tuple[IdMap, npt.NDArray[np.int64]]:
    """Return the ids of a column, and the code of each row."""
    encoded = column.dictionary_encode()  # one dictionary for all chunks
    if not encoded.num_chunks:
        return IdMap(pa.array([], column.type), what), np.zeros(0, dtype=np.int64)
    found = encoded.chunk(encoded.num_chunks - 1).dictionary
    order = pc.array_sort_indices(found)
    rank = np.empty(len(found), dtype=np.int64)
    rank[order.to_numpy()] = np.arange(len(found))
    places = [chunk.indices.to_numpy() for chunk in encoded.chunks]
    return IdMap(found.take(order), what), rank[np.concatenate(places)]
