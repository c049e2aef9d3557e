"""`read_ratings`: a path, standard input, an open file or a table becomes `Ratings`."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, cast

import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.ratings.blocks import Text
from corated.ratings.collect import collect
from corated.ratings.files import ParquetSource, open_arrow
from corated.ratings.frames import open_table
from corated.ratings.options import ReadOptions
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.ratings.sources import Source
from corated.ratings.text import TextSource

__all__ = ["PARQUET", "read_ratings"]

# A pipe is kept in memory up to this size, beyond it in a temporary file: errors look back for lines.
_SPOOL_BYTES: Final = 64 << 20
PARQUET: Final = b"PAR1"
_ARROW: Final = (b"ARROW1", b"\xff\xff\xff\xff")


def read_ratings(
    source: str | os.PathLike[str] | BinaryIO | Any,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | Literal[False] | None = None,
    time: str | Literal[False] | None = None,
    format: str | None = None,
    scale: Scale | tuple[float, float, float] | None = None,
    duplicates: str = "refuse",
    time_unit: str | None = None,
    tz: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    ids: str | Mapping[str, str] | None = None,
    on_bad: str = "refuse",
) -> Ratings:
    """Read ratings from a file, standard input ("-"), an open binary file, or a table in memory.

    Text may be ``.dat`` (``user::item::rating::time``), csv (comma, semicolon, bar), tsv, or
    MovieLens 100K's tab-separated files without a header, each also gzipped; Parquet and Arrow
    (IPC, Feather) are told by their content. Without a header the columns are user, item,
    rating[, time]. With one, the usual names are recognized and what was guessed is warned of
    (`CoratedNotice`) and kept in `Ratings.notices`; columns that are not needed are not read.

    Of a pandas frame the named levels of the index count as columns. Floats of 16 and 32 bits are
    taken by their shortest decimals, so .1 is .1.

    Parameters
    ----------
    source : the path, "-", open file, frame, Arrow data or dict of columns
    user, item, rating, time : names of columns; ``rating=False``: every rating is 1;
        ``time=False``: no times
    format : "dat", "csv", "tsv", "parquet" or "arrow", where the content does not tell
    scale : (low, high, step); a rating off it is refused. By default inferred from the ratings
    duplicates : what to do where a user rated an item twice: "refuse", "last" or "first" (by
        time), "max", "min", "mean", "sum", "count"
    time_unit : "s", "ms", "us" or "ns" of Unix times; by default told by their size
    tz : time zone of datetimes without one, such as "Europe/Berlin". Like `time_unit`, refused where
        it has no use
    encoding : of text, by default UTF-8
    delimiter : between columns of text, by default recognized
    ids : "integer" or "text", or ``{"user": …, "item": …}``. By default a column of text is
        integers only if every id is written as an integer prints
    on_bad : "refuse", or "drop" to leave out rows whose rating is missing, not finite, not a
        number, an integer of 2**53 or more, or off the declared scale

    Raises
    ------
    DataError : the ratings cannot be used; names file, lines (from 1) or rows (from 0) and what to do
    ParameterError : a setting that cannot be used
    """
    options = ReadOptions(
        user=user, item=item, rating=rating, time=time, format=format, scale=scale,
        duplicates=duplicates, time_unit=time_unit, tz=tz, encoding=encoding, delimiter=delimiter,
        ids=ids, on_bad=on_bad,
    )  # fmt: skip
    if isinstance(source, str | os.PathLike) and os.fspath(source) != "-":
        path = Path(source)
        return _read_file(str(source), lambda: _open(path), lambda: pa.OSFile(str(path), "rb"), options)
    if isinstance(source, str) or hasattr(source, "read"):
        stream, name = _binary(source)
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            shutil.copyfileobj(stream, spool, 1 << 20)
            return _read_file(
                name,
                lambda: cast(BinaryIO, _Rewound(spool)),
                lambda: pa.BufferReader(_Rewound(spool).read()),
                options,
            )
    _refuse_text_options(options)
    return collect(open_table(source), options)


def _read_file(
    name: str, opener: Callable[[], BinaryIO], arrow_opener: Callable[[], pa.NativeFile], options: ReadOptions
) -> Ratings:
    """Read a file that can be opened more than once."""
    with opener() as opened:
        kind = options.format or _kind_of(opened.read(8))
    if kind in ("parquet", "arrow"):
        _refuse_text_options(options)
        # Arrow's own file: its threads must not call back into Python.
        with arrow_opener() as native:
            typed: Source = ParquetSource(native, name) if kind == "parquet" else open_arrow(native, name)
            return collect(typed, options)
    return collect(TextSource(Text(name, opener, options.encoding), options), options)


def _kind_of(start: bytes) -> str:
    if start.startswith(PARQUET):
        return "parquet"
    return "arrow" if start.startswith(_ARROW) else "text"


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: there is no such file.", expected="a file of ratings", hint=_nearby(path)
        ) from error
    except IsADirectoryError as error:
        raise _a_folder(path) from error
    except OSError as error:
        if path.is_dir():  # some systems say only that permission is denied
            raise _a_folder(path) from error
        raise DataError(
            f"{path}: cannot be opened: {error.strerror or error}.",
            expected="a readable file",
            hint="Check the path and its permissions.",
        ) from error


def _a_folder(path: Path) -> DataError:
    return DataError(
        f"{path}: is a folder.", expected="a file of ratings", hint="Name one of the files inside."
    )


def _nearby(path: Path) -> str:
    """Name a file beside the missing one that may be meant."""
    import difflib

    if not path.parent.is_dir():
        return f"Check the path: there is no folder {path.parent}."
    close = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    return f"Did you mean {path.parent / close[0]}?" if close else "Check the path."


def _binary(source: Any) -> tuple[BinaryIO, str]:
    """Return the bytes of standard input or of an open file, and what to call them."""
    if isinstance(source, str):
        return sys.stdin.buffer, "standard input"
    name = getattr(source, "name", None)
    shown = name if isinstance(name, str) else "the open file"
    if isinstance(source, io.TextIOBase):
        buffer = getattr(source, "buffer", None)
        return (buffer if buffer is not None else io.BytesIO(source.read().encode())), shown
    return source, shown


class _Rewound:
    """A spooled file from its beginning; leaving it keeps the spool open for another pass."""

    def __init__(self, spool: Any) -> None:
        self._spool = spool
        self.read = spool.read
        self.seek = spool.seek
        spool.seek(0)

    def __enter__(self) -> _Rewound:
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the spool open."""


def _refuse_text_options(options: ReadOptions) -> None:
    for name in ("encoding", "delimiter"):
        if getattr(options, name) is not None:
            raise ParameterError(
                f"{name} was given, but the ratings are not text.",
                expected=f"{name} only with csv, tsv or .dat",
                hint=f"Leave {name} out.",
            )
