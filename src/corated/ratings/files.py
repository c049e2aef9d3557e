"""Parquet and Arrow files as sources: columns with types, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from corated.errors import DataError
from corated.ratings.frames import StreamSource, TableSource

__all__ = ["ParquetSource", "open_arrow"]

_BATCH_ROWS: Final = 1 << 18


class ParquetSource(TableSource):
    """A Parquet file."""

    def __init__(self, opened: Any, name: str) -> None:
        try:
            self._file = pq.ParquetFile(opened)
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(name, "Parquet", error) from error
        super().__init__(self._file.schema_arrow.names, name)

    def sample(self, column: str) -> pa.Array:  # noqa: D102 - see Source
        return pa.array([], self._file.schema_arrow.field(column).type)

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:  # noqa: D102
        try:
            for batch in self._file.iter_batches(_BATCH_ROWS, columns=list(wanted)):
                yield [batch.column(name) for name in wanted]
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(self.name, "Parquet", error) from error


def open_arrow(opened: Any, name: str) -> StreamSource:
    """Open an Arrow IPC file (Feather) or stream."""
    try:
        try:
            file = pa.ipc.open_file(opened)
        except pa.ArrowInvalid:
            opened.seek(0)
            return _ArrowStream(pa.ipc.open_stream(opened), name)
        batches = (file.get_batch(at) for at in range(file.num_record_batches))
        return _ArrowStream(pa.RecordBatchReader.from_batches(file.schema, batches), name)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(name, "Arrow", error) from error


class _ArrowStream(StreamSource):
    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        try:
            yield from super().batches(wanted)
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(self.name, "Arrow", error) from error


def _damaged(name: str, kind: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: is not a whole {kind} file: {str(error).splitlines()[0]}",
        expected=f"a {kind} file",
        hint="Fetch or write the file again.",
    )
