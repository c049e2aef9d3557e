"""A snapshot written to a file: Parquet, csv or JSON lines, in memory for one batch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from corated.errors import ParameterError
from corated.live._snapshot import Snapshot
from corated.output import atomic_path, named

__all__ = ["ExportFormat", "export"]

ExportFormat = Literal["parquet", "csv", "jsonl"]
_BY_ENDING: dict[str, ExportFormat] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def export(snapshot: Snapshot, path: str | os.PathLike[str], format: ExportFormat | None) -> int:
    """Write all ratings; a file that stood there is replaced when all is written. Returns how many there are.

    Raises `ParameterError` for a format that is none, and `OutputError`.
    """
    chosen = _format(path, format)
    written = 0
    with (
        atomic_path(path) as temporary,
        named(path, temporary),
        _WRITERS[chosen](temporary, snapshot.schema) as write,
    ):
        for batch in snapshot:
            write(batch)
            written += len(batch)
    return written


def _format(path: str | os.PathLike[str], format: str | None) -> ExportFormat:
    for known in get_args(ExportFormat):
        if format == known:
            return known  # type: ignore[no-any-return]
    found = _BY_ENDING.get(Path(path).suffix.lower())
    if format is None and found is not None:
        return found
    raise ParameterError(
        f"The format of {os.fspath(path)} is not known." if format is None else f"format={format!r}.",
        expected=f"one of {', '.join(get_args(ExportFormat))}",
        hint="pass one as format=, or end the name in .parquet, .csv or .jsonl",
    )


Write = Callable[[pa.RecordBatch], object]


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer.write_batch


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    """Text in quotes, times as ISO 8601 with Z."""
    with pacsv.CSVWriter(path, schema) as writer:
        yield writer.write_batch


@contextmanager
def _jsonl(path: Path, schema: pa.Schema) -> Iterator[Write]:
    """One object on each line, times as ISO 8601 with Z."""
    timed = "timestamp" in schema.names
    with path.open("w", encoding="utf-8", newline="\n") as file:

        def write(batch: pa.RecordBatch) -> None:
            if timed:
                at = schema.get_field_index("timestamp")
                batch = batch.set_column(at, "timestamp", batch.column(at).cast(pa.string()))
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())

        yield write


_WRITERS = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
