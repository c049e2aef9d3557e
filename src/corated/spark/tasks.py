"""Tasks that are one piece of work each: sent out by number, answered with one row of figures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from corated.errors import MissingExtraError, OutputError
from corated.neighborhood.memory import peak_memory

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Done", "run_tasks", "told"]

Piece = TypeVar("Piece")
_SCHEMA = "task int, rows bigint, foreseen bigint, peak bigint, seconds double"


@dataclass(frozen=True)
class Done:
    """What a task did: rows it wrote, bytes foreseen for it, the most its process had meanwhile, seconds."""

    task: int
    rows: int
    foreseen: int
    peak: int
    seconds: float


def run_tasks(
    spark: SparkSession, pieces: Sequence[Piece], work: Callable[[Piece], tuple[int, int]]
) -> list[Done]:
    """Do ``work`` on every piece, each a task of its own, in the order given; return what they did.

    work : writes its result to a file, and returns (rows, bytes foreseen); done again where a task is lost
    """
    if not pieces:
        return []
    given = list(pieces)

    def do(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                start = time.perf_counter()
                _forget_peak()
                rows, foreseen = work(given[number])
                row = (number, rows, foreseen, peak_memory() or 0, time.perf_counter() - start)
                names = ["task", "rows", "foreseen", "peak", "seconds"]
                kinds = [pa.int32(), pa.int64(), pa.int64(), pa.int64(), pa.float64()]
                columns = [pa.array([value], kind) for value, kind in zip(row, kinds, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=names)

    numbers = spark.range(0, len(given), 1, len(given))
    with told():
        return [Done(**row.asDict()) for row in numbers.mapInArrow(do, _SCHEMA).collect()]


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say in a sentence what executors lack, where that is why a task failed."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        text = str(error)
        if "No module named 'corated'" in text:
            raise MissingExtraError(
                "The executors have no corated.",
                expected="the package, in the driver's version, in the Python that executors run",
                hint="install it there, or set PYSPARK_PYTHON to an interpreter that has it",
            ) from error
        if "FileNotFoundError" in text:
            raise OutputError(
                f"An executor did not find a file of the work folder: {_line(text)}",
                expected="a folder that the driver and every executor can read and write",
                hint='pass work="hdfs://…/run-1" or a folder mounted everywhere',
            ) from error
        raise


def _line(text: str) -> str:
    """Return the line of a trace that names the error."""
    return next(line.strip() for line in text.splitlines() if "FileNotFoundError" in line)


def _forget_peak() -> None:
    """Have the system count the most memory from now on, where it can, and give back what is unused."""
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
