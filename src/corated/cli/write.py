"""Rows written to a file or to standard output: Parquet, csv or JSON lines, block by block."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import click

from corated.cli.machine import human_bytes
from corated.cli.options import FORMATS, as_record
from corated.cli.show import STDOUT, FirstRows, JsonRows, as_json_text, lines_of, say, show_json
from corated.cli.state import current
from corated.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Output", "Writer", "apart", "writes_rows"]

_ENDINGS: Final = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_FIRST: Final = 20
_ROW_GROUP: Final = 1 << 20
_FORMULA: Final = r"\A[=+\-@\t\r]"


@dataclass(frozen=True)
class Output:
    """Where rows go, and how; ``output`` None: the first lines to the screen."""

    output: str | None
    out_format: str | None
    csv_exact: bool
    as_json: bool

    def __post_init__(self) -> None:
        if self.output is None:
            for name in ("out_format", "csv_exact"):
                if getattr(self, name):
                    raise ParameterError(
                        f"--{name.replace('_', '-')} is for -o, which is missing.", hint="add -o FILE"
                    )
            return
        form = self.format
        if self.to_stdout and self.as_json:
            raise ParameterError(
                "-o - writes the rows to standard output, and --json the summary.", hint="choose one"
            )
        if self.csv_exact and form != "csv":
            raise ParameterError(f"--csv-exact is for csv, and the output is {form}.", hint="leave it out")
        if form == "parquet" and self.to_stdout and sys.stdout.isatty():
            raise ParameterError("Parquet is not for a terminal.", hint="write to a file or through a pipe")

    @property
    def to_stdout(self) -> bool:
        """Whether rows go to standard output, so that the summary must not."""
        return self.output == "-"

    @property
    def format(self) -> str:
        """The format: as given, or told by the file's ending."""
        if self.out_format is not None:
            return self.out_format
        if self.output is None or self.to_stdout:
            return "csv"
        ending = Path(self.output).suffix.lower()
        if ending not in _ENDINGS:
            raise ParameterError(
                f"-o {self.output}: the ending does not tell the format.",
                expected="a file that ends in .parquet, .csv or .jsonl",
                hint="change the ending, or add --out-format",
            )
        return _ENDINGS[ending]

    def keep_apart(self, *read: str | None) -> None:
        """Refuse to write over a file that is read."""
        for path in read:
            with contextlib.suppress(OSError):
                if path and self.output and Path(path).samefile(self.output):
                    raise ParameterError(
                        f"-o {self.output} is read as well, and would be lost.", hint="write to another file"
                    )

    @contextlib.contextmanager
    def opened(self, *, all_rows: bool) -> Iterator[Writer]:
        """Give what takes the rows: a file, standard output, JSON, or the screen for the first of them.

        A file that cannot be written is refused now. It appears under its name when it is whole; what stood
        there before is unharmed until then.
        """
        from corated.output import atomic_path, named

        if self.output is None:
            yield JsonRows() if self.as_json else FirstRows(None if all_rows else _FIRST)
            return
        if self.to_stdout:
            sys.stdout.flush()
            with named(STDOUT):
                with self._writing(sys.stdout.buffer) as writer:
                    yield writer
                sys.stdout.buffer.flush()
            return
        path = Path(self.output)
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe or a device
            with named(path), path.open("wb") as stream, self._writing(stream) as writer:
                yield writer
            return
        with (
            atomic_path(path) as temporary,
            temporary.open("wb") as stream,
            self._writing(stream) as writer,
        ):
            yield writer

    def finish(self, writer: Writer, summary: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Show the rows that are for the screen, and the summary, where it does not disturb the rows."""
        if isinstance(writer, JsonRows):
            writer.finish(summary)
            return
        if self.as_json:
            show_json(summary)
            return
        if isinstance(writer, FirstRows):
            writer.show()
        for line in lines:
            say(line, err=self.to_stdout)
        if self.output is not None and not self.to_stdout:
            say(f"written to {self.output} ({human_bytes(_size(self.output))})")

    @contextlib.contextmanager
    def _writing(self, stream: BinaryIO) -> Iterator[Writer]:
        writer: _Parquet | _Csv | _JsonLines
        if self.format == "csv":
            writer = _Csv(stream, exact=self.csv_exact)
        else:
            writer = _Parquet(stream) if self.format == "parquet" else _JsonLines(stream)
        try:
            yield writer
        except BaseException:
            with contextlib.suppress(Exception):  # the first failure is the one to tell
                writer.close()
            raise
        writer.close()


class Writer(Protocol):
    """Takes tables, all with the same columns."""

    def write(self, table: pa.Table) -> None:
        """Take a table."""


class _Parquet:
    """Row groups of at most a million rows."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._stream, table.schema, compression="zstd", compression_level=1
            )
        self._writer.write_table(table, row_group_size=_ROW_GROUP)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _Csv:
    """Comma-separated, text in quotes, UTF-8; unless exact, text like a formula gets an apostrophe."""

    def __init__(self, stream: BinaryIO, *, exact: bool) -> None:
        self._stream, self._exact = stream, exact
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        import pyarrow.csv

        table = _text_columns(table)
        if not self._exact:
            table = _without_formulas(table)
        if self._writer is None:
            self._writer = pyarrow.csv.CSVWriter(self._stream, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _JsonLines:
    """One JSON object on each line, UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, table: pa.Table) -> None:
        for row in lines_of(table):
            self._stream.write((as_json_text(row) + "\n").encode())

    def close(self) -> None:
        pass


def _text_columns(table: pa.Table) -> pa.Table:
    """Turn dictionary columns into plain text."""
    import pyarrow as pa

    fields = [
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _without_formulas(table: pa.Table) -> pa.Table:
    """Put an apostrophe before text that a spreadsheet would take for a formula, with a notice."""
    import pyarrow as pa
    import pyarrow.compute as pc

    changed = 0
    for at, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        column = table.column(at)
        risky = pc.fill_null(pc.match_substring_regex(column, _FORMULA), False)
        if pc.any(risky).as_py():
            changed += pc.sum(risky).as_py()
            quoted = pc.binary_join_element_wise(
                pa.scalar("'", field.type), column, pa.scalar("", field.type)
            )
            table = table.set_column(at, field, pc.if_else(risky, quoted, column))
    if changed:
        current().notice(
            "Text that starts with = + - or @ got a leading ' in the csv, so that a spreadsheet does not "
            "take it for a formula. --csv-exact leaves it as it is."
        )
    return table


_OPTIONS = (
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        help="Write all rows to a .parquet, .csv or .jsonl file, or - for standard output.",
    ),
    click.option(
        "--out-format",
        type=click.Choice(FORMATS),
        help="Format of -o; by default told by its ending, csv for -.",
    ),
    click.option(
        "--csv-exact",
        is_flag=True,
        help="In csv, leave text that starts with = + - or @ as it is. By default it gets a leading ' "
        "so that a spreadsheet does not take it for a formula.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; with -o, the summary."),
)

writes_rows = as_record(Output, "to", _OPTIONS)
"""Add the options of writing rows to a command, which gets them as one `Output`, ``to``."""


def _size(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return Path(path).stat().st_size
    return None


def apart(output: str, option: str, *read: str | None) -> None:
    """Refuse an output that is standard output, a folder, or a file that is read, before anything is."""
    if output == "-":
        raise ParameterError(
            f"{option} is not written to standard output.", hint=f"give {option} a file's name"
        )
    if Path(output).is_dir() or not Path(output).absolute().parent.is_dir():
        from corated.output import atomic_path

        with atomic_path(output):  # which refuses it in a sentence
            pass
    for path in read:
        with contextlib.suppress(OSError):
            if path and Path(path).samefile(output):
                raise ParameterError(
                    f"{option} {output} is read as well, and would be lost.", hint="write to another file"
                )
