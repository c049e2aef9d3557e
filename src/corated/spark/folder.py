"""The work folder: files that the driver and all executors see, each written whole or not at all."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from corated.errors import OutputError, ParameterError
from corated.spark.sessions import is_one_machine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Folder", "work_folder"]

N = TypeVar("N")


@dataclass(frozen=True)
class Folder:
    """A folder by its address, as Spark and pyarrow both read it: a path, or ``hdfs://…`` and the like.

    Small enough to travel with every task.
    """

    uri: str

    def within(self, *names: str) -> Folder:
        """Return a folder in this one."""
        return Folder("/".join((self.uri.rstrip("/"), *names)))

    def _open(self, name: str = "") -> tuple[pafs.FileSystem, str]:
        whole = f"{self.uri.rstrip('/')}/{name}" if name else self.uri
        if ":/" not in whole:
            return pafs.LocalFileSystem(), whole
        files, path = pafs.FileSystem.from_uri(whole)
        return files, path

    # -- files --------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        files, path = self._open(name)
        return bool(files.get_file_info(path).type == pafs.FileType.File)

    def names(self) -> set[str]:
        """Return the names of the files in it; none where there is no such folder."""
        files, path = self._open()
        found = files.get_file_info(pafs.FileSelector(path, allow_not_found=True))
        return {info.base_name for info in found if info.type == pafs.FileType.File}

    def left(self, numbers: Iterable[N], name: Callable[[N], str]) -> list[N]:
        """Return those, in their order, whose files are not there yet."""
        there = self.names()
        return [number for number in numbers if name(number) not in there]

    def remove(self) -> None:
        """Remove the folder and what is in it."""
        files, path = self._open()
        if files.get_file_info(path).type == pafs.FileType.Directory:
            files.delete_dir(path)

    def write_parquet(self, name: str, table: pa.Table) -> None:
        """Write a table as one Parquet file."""
        with _Whole(self, name) as sink:
            pq.write_table(table, sink, compression="zstd", row_group_size=1 << 20)

    def write_rows(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
        """Write batches as one Parquet file, as they come; returns how many rows there were."""
        rows = 0
        with _Whole(self, name) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows

    def read_parquet(self, name: str) -> pa.Table:
        """Read a table."""
        files, path = self._open(name)
        with files.open_input_file(path) as source:
            return pq.ParquetFile(source).read(use_threads=False)

    def write_batches(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Write batches as one Arrow file, to be read back batch by batch."""
        options = ipc.IpcWriteOptions(compression="lz4")
        with _Whole(self, name) as sink, ipc.new_file(sink, schema, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)

    def read_batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """Read back what `write_batches` wrote."""
        files, path = self._open(name)
        with files.open_input_file(path) as source:
            reader = ipc.open_file(source)
            for at in range(reader.num_record_batches):
                yield reader.get_batch(at)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write what is known, as the last file of a stage: where it is, the stage is whole."""
        with _Whole(self, name) as sink:
            sink.write(json.dumps(content, indent=1).encode())

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read what is known; None where there is no such file."""
        if not self.has(name):
            return None
        files, path = self._open(name)
        with files.open_input_file(path) as source:
            content: dict[str, Any] = json.loads(source.read())
        return content


class _Whole:
    """A file under a name of its own until it is closed, so that tasks run twice do not harm each other."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._files, self._path = folder._open(name)
        parent, _, last = self._path.rpartition("/")
        self._files.create_dir(parent, recursive=True)
        self._temporary = f"{parent}/_{last}.{uuid.uuid4().hex}"  # a name that Spark does not read

    def __enter__(self) -> pa.NativeFile:
        self._sink = self._files.open_output_stream(self._temporary)
        return self._sink

    def __exit__(self, kind: object, *_: object) -> None:
        self._sink.close()
        if kind is None:
            self._files.move(self._temporary, self._path)
        else:
            self._files.delete_file(self._temporary)


def work_folder(work: str | os.PathLike[str] | None, spark: SparkSession) -> Folder:
    """Return the work folder: the one named, or on one machine a temporary one, removed at the end.

    Raises `ParameterError` where there are several machines and none was named, `OutputError` for one that
    cannot be written.
    """
    master = str(spark.sparkContext.master)
    if work is None:
        if not is_one_machine(master):
            raise ParameterError(
                f"The master is {master}, and no work folder was named.",
                expected="a folder that the driver and every executor can read and write",
                hint='pass work="hdfs://…/run-1" or a mounted folder',
            )
        made = tempfile.mkdtemp(prefix="corated-spark-")
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        return Folder(made)
    given = os.fspath(work)
    folder = Folder(given if ":/" in given else str(Path(given).absolute()))
    try:
        with _Whole(folder, "_written") as sink:
            sink.write(b"")
    except (OSError, pa.ArrowException) as error:
        raise OutputError(
            f"The work folder {work} cannot be written: {error}.",
            hint="name a folder that the driver and every executor can write",
        ) from error
    return folder
