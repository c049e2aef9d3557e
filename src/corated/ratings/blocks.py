"""Text as blocks of whole records: UTF-8 bytes, one delimiter byte, the number of the first line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from corated.errors import DataError

__all__ = ["Block", "Dialect", "Text", "records"]

BLOCK_BYTES: Final = 8 << 20
MAX_RECORD_BYTES: Final = 64 << 20
GZIP_MAGIC: Final = b"\x1f\x8b"
# Stands for a delimiter of several characters, such as "::", once inside.
ONE_BYTE: Final = "\x1f"
_BOM: Final = codecs.BOM_UTF8


class Dialect(NamedTuple):
    """How a text is written."""

    delimiter: str  # one or more characters
    quoted: bool  # double quotes enclose fields
    columns: tuple[str, ...]
    header_lines: int  # physical lines up to the end of the header, 0 without one

    @property
    def separator(self) -> str:
        """The delimiter as it is inside the blocks: one character of one byte."""
        return self.delimiter if len(self.delimiter.encode()) == 1 else ONE_BYTE


class Block(NamedTuple):
    """Whole records, header left out."""

    data: bytes
    first_line: int  # the number of its first physical line, from 1


class Text:
    """A readable text, opened anew for every pass; decompressed and turned into UTF-8."""

    def __init__(self, name: str, opener: Callable[[], BinaryIO], encoding: str | None) -> None:
        self.name = name
        self._opener = opener
        self._encoding = None if encoding is None or _is_utf8(encoding) else encoding

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes, as UTF-8."""
        return next(self.pieces(n_bytes), b"")

    def pieces(self, n_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Yield the text in pieces of about so many bytes, as UTF-8 without a byte order mark."""
        decoder = codecs.getincrementaldecoder(self._encoding)() if self._encoding else None
        at = 0
        with self._opener() as raw:
            stream = _decompressed(raw)
            while piece := self._read(stream, n_bytes, at):
                at += len(piece)
                if decoder is not None:
                    yield self._decode(decoder, piece, at - len(piece)).removeprefix(_BOM)
                else:
                    yield piece.removeprefix(_BOM) if at == len(piece) else piece
            if decoder is not None:
                yield self._decode(decoder, b"", at, final=True)

    def blocks(self, dialect: Dialect, n_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Yield the records; raises `DataError` for NUL bytes, unclosed quotes and broken compression."""
        delimiter, separator = dialect.delimiter.encode(), dialect.separator.encode()
        rest, line, skip = b"", 1, dialect.header_lines
        only_returns: bool | None = None  # lines that end in a carriage return alone
        partial = b""  # what may be the beginning of a delimiter
        for piece in self.pieces(n_bytes):
            if delimiter != separator:
                piece = (partial + piece).replace(delimiter, separator)
                partial = _beginning(piece, delimiter)
                piece = piece[: len(piece) - len(partial)]
            data = rest + piece
            if only_returns is None and (b"\n" in data or b"\r" in data[:-1]):
                only_returns = b"\n" not in data
            if only_returns:
                data = data.replace(b"\r", b"\n")
            if b"\0" in piece:
                raise self._nul_byte(data, line)
            while skip and b"\n" in data:
                data = data[data.index(b"\n") + 1 :]
                skip, line = skip - 1, line + 1
            end = 0 if skip else _end_of_records(data, dialect)
            if end:
                yield Block(data[:end], line)
                line += data.count(b"\n", 0, end)
            rest = data[end:]
            if len(rest) > MAX_RECORD_BYTES:
                self._check_quotes(rest, dialect, line)
                raise self._endless(rest, line)
        rest += partial
        if rest and not skip:
            if dialect.quoted and rest.count(b'"') % 2:
                self._check_quotes(rest, dialect, line)
            yield Block(rest, line)

    def check_strictly(self, block: Block, dialect: Dialect) -> None:
        """Refuse text after a closing quote: where fields span lines, a quote was left open before."""
        reader = _csv_reader(block.data, dialect, strict=True)
        start = 0
        try:
            for _ in reader:
                start = reader.line_num
        except csv.Error as error:
            if "expected after" in str(error):
                raise self._unclosed(block.data, start, block.first_line) from None

    def offset_of_bad_byte(self) -> tuple[int, int, int]:
        """Return offset (from 0), line (from 1) and value of the first byte that is not UTF-8."""
        at = line = 0
        rest = b""
        for piece in self.pieces():
            data = rest + piece
            try:
                _, used = codecs.utf_8_decode(data, "strict", False)
            except UnicodeDecodeError as error:
                lines = line + data.count(b"\n", 0, error.start)
                return at + error.start, lines + 1, data[error.start]
            line += data.count(b"\n", 0, used)
            at, rest = at + used, data[used:]
        return at, line + 1, rest[0] if rest else 0

    def _read(self, stream: BinaryIO, n_bytes: int, at: int) -> bytes:
        try:
            return stream.read(n_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"{self.name}: the compressed data breaks off or is damaged after {at:,} bytes: {error}.",
                expected="a whole gzip file",
                hint="Fetch or compress the file again.",
            ) from error
        except OSError as error:
            raise DataError(
                f"{self.name}: cannot be read: {error.strerror or error}.",
                expected="a readable file",
                hint="Check the file and its permissions.",
            ) from error

    def _decode(
        self, decoder: codecs.IncrementalDecoder, piece: bytes, at: int, *, final: bool = False
    ) -> bytes:
        try:
            return decoder.decode(piece, final).encode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.name}: byte {at + error.start:,} is not {self._encoding} ({error.reason}).",
                expected=f"text in {self._encoding}",
                hint="Pass the right encoding=, or leave it out for UTF-8.",
            ) from error

    def _nul_byte(self, data: bytes, line: int) -> DataError:
        at = line + data.count(b"\n", 0, data.index(b"\0"))
        return DataError(
            f"{self.name}: line {at:,} contains a NUL byte.",
            expected="text without NUL bytes",
            rows=[f"line {at}: {_line_at(data, data.index(0))!r}"],
            hint='Clean the file; if it is UTF-16, pass encoding="utf-16".',
        )

    def _check_quotes(self, rest: bytes, dialect: Dialect, line: int) -> None:
        """Refuse a quoted field that the end of the file leaves open."""
        start = 0
        reader = _csv_reader(rest, dialect, strict=True)
        try:
            for _ in reader:
                start = reader.line_num
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                raise self._unclosed(rest, start, line) from None

    def _unclosed(self, data: bytes, start: int, first_line: int) -> DataError:
        lines = data.split(b"\n", start + 1)
        text = lines[start][:200].decode("utf-8", "replace") if start < len(lines) else ""
        return DataError(
            f"{self.name}: a quote on line {first_line + start:,} is not closed.",
            expected='every field that opens with " closed by " before the next delimiter',
            rows=[f"line {first_line + start}: {text.rstrip()}"],
            hint="Close the quote, or double it where it belongs to the text.",
        )

    def _endless(self, data: bytes, line: int) -> DataError:
        return DataError(
            f"{self.name}: the record on line {line:,} is more than {MAX_RECORD_BYTES:,} bytes long.",
            expected="a text with one rating on a line",
            rows=[f"line {line}: {data[:100].decode('utf-8', 'replace')}"],
            hint="Check that this is a text file of ratings, and its quotes.",
        )


def records(block: Block, dialect: Dialect) -> Iterator[tuple[int, str, int]]:
    """Yield (line number, text of its first line, number of fields) for each record of a block."""
    lines = block.data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not dialect.quoted or b'"' not in block.data:
        for at, text in enumerate(lines):
            if text:
                shown = text.replace(dialect.separator, dialect.delimiter)
                yield block.first_line + at, shown, text.count(dialect.separator) + 1
        return
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=dialect.separator)
    start = 0
    for fields in reader:
        if fields:
            shown = lines[start].replace(dialect.separator, dialect.delimiter)
            yield block.first_line + start, shown, len(fields)
        start = reader.line_num


def _end_of_records(data: bytes, dialect: Dialect) -> int:
    """Return where the last whole record of some data ends (0: there is none)."""
    end = data.rfind(b"\n") + 1
    if not dialect.quoted or data.count(b'"', 0, end) % 2 == 0:
        return end
    # A quoted line end, or a quote inside an unquoted field: go through the records.
    reader = _csv_reader(data[:end], dialect)
    lines_of_whole, last = 0, 0
    try:
        for _ in reader:
            lines_of_whole, last = last, reader.line_num
    except csv.Error:
        pass
    # The last record may be open; the next block brings its end.
    position = 0
    for _ in range(lines_of_whole):
        position = data.index(b"\n", position) + 1
    return position


def _csv_reader(data: bytes, dialect: Dialect, *, strict: bool = False) -> csv._reader:  # type: ignore[name-defined]
    # Lines end at "\n" only, as they are counted here.
    text = io.StringIO(data.decode("utf-8", "replace"), newline="\n")
    return csv.reader(text, delimiter=dialect.separator, strict=strict)


def _beginning(data: bytes, delimiter: bytes) -> bytes:
    """Return the longest end of some data that may begin a delimiter."""
    for length in range(len(delimiter) - 1, 0, -1):
        if data.endswith(delimiter[:length]):
            return delimiter[:length]
    return b""


def _decompressed(raw: BinaryIO) -> BinaryIO:
    start = raw.read(2)
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if start == GZIP_MAGIC else raw  # type: ignore[return-value]


def _line_at(data: bytes, at: int) -> str:
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    return data[start : end if end >= 0 else len(data)][:200].decode("utf-8", "replace")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
