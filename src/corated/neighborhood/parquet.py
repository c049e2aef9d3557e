"""Parquet files as results: their names, and how one is opened and left."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corated.errors import ParameterError
from corated.progress import Progress

__all__ = ["check_target", "opened", "passing_on"]

_OTHER_ENDINGS = {
    *(".csv", ".tsv", ".txt", ".dat", ".gz", ".json", ".jsonl", ".ndjson"),
    *(".arrow", ".feather", ".ipc", ".npy", ".npz", ".xlsx"),
}
"""Endings of names that promise another format than Parquet."""


def check_target(to: object, example: str) -> Path:
    """Return the path to write to; refuses what is none, and names that promise another format."""
    expected = f"the path of a file, such as {example}"
    if not isinstance(to, str | os.PathLike) or not isinstance(os.fspath(to), str) or not os.fspath(to):
        raise ParameterError(f"to={to!r} is no path.", expected=expected, hint=f'try to="{example}"')
    path = Path(to)
    if path.suffix.lower() in _OTHER_ENDINGS:
        raise ParameterError(
            f"The output {path} ends in {path.suffix}, and what is written is Parquet.",
            expected=expected,
            hint=f"write to {path.with_suffix('.parquet')}; pyarrow, pandas and Polars read it",
        )
    return path


class _FromCaller(Exception):  # noqa: N818 - a wrapping, gone before anybody sees it
    """An OSError of the caller's own progress function, on its way past what writes the output."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


@contextlib.contextmanager
def passing_on() -> Iterator[Callable[[Progress], Progress]]:
    """Give a wrapping for a progress function whose errors must not be taken for those of the output."""

    def passing(report: Progress) -> Progress:
        def passed(done: int, total: int) -> None:
            try:
                report(done, total)
            except OSError as error:
                raise _FromCaller(error) from error

        return passed

    try:
        yield passing
    except _FromCaller as wrapped:
        raise wrapped.error from None


@contextlib.contextmanager
def opened(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Open a Parquet file to write; after a failure inside, one more in closing it is not told."""
    writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1)
    try:
        yield writer
    except BaseException:
        with contextlib.suppress(OSError, pa.ArrowException):
            writer.close()
        raise
    writer.close()
