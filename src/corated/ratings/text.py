"""Text tables as a source: blocks of records parsed by Arrow, errors with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv

from corated.errors import DataError
from corated.ratings.blocks import Block, Dialect, Text, records
from corated.ratings.options import ReadOptions
from corated.ratings.sniff import sniff
from corated.ratings.sources import SHOWN, Place, cut

__all__ = ["TextSource"]

_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())


class TextSource:
    """A csv, tsv or .dat text; every column arrives as text, ids and ratings dictionary-encoded."""

    is_text = True

    def __init__(self, text: Text, options: ReadOptions) -> None:
        self.name = text.name
        self._text = text
        self._dialect: Dialect = sniff(text, options)
        self.columns: Sequence[str] = self._dialect.columns
        self.headerless = self._dialect.header_lines == 0
        self._starts: list[int] = []  # the number of the first record of each block

    def sample(self, column: str) -> pa.Array:  # noqa: D102 - see Source
        for block in self._text.blocks(self._dialect, 1 << 16):
            try:
                table = self._parse(block, [column], [])
            except DataError:
                break  # reported, with its line, when the text is read
            return table.column(0).combine_chunks()
        return pa.array([], pa.string())

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:  # noqa: D102
        self._starts = []
        n_records = 0
        for block in self._text.blocks(self._dialect):
            self._starts.append(n_records)
            if block.data.isspace():
                continue
            # Ids and ratings repeat; times hardly do.
            table = self._parse(block, wanted, wanted[:3]).combine_chunks()
            n_records += table.num_rows
            if self._dialect.quoted and table.num_rows < block.data.count(b"\n") and b'"' in block.data:
                self._text.check_strictly(block, self._dialect)
            for batch in table.to_batches():
                yield batch.columns

    def locate(self, rows: Sequence[int]) -> list[Place]:  # noqa: D102
        found: dict[int, Place] = {}
        bounds = [*self._starts, max(rows, default=0) + 1]
        blocks = self._text.blocks(self._dialect)
        for (start, end), block in zip(pairwise(bounds), blocks, strict=False):
            here = {row for row in rows if start <= row < end}
            if not here:
                continue
            for number, (line, text, _) in enumerate(records(block, self._dialect), start):
                if number in here:
                    found[number] = (f"line {line}", cut(text))
            if len(found) == len(set(rows)):
                break
        return [found.get(row, (f"record {row + 1}", "")) for row in rows]

    def _parse(self, block: Block, wanted: Sequence[str], repeating: Sequence[str]) -> pa.Table:
        names = _distinct(self.columns)
        places = [names[self.columns.index(column)] for column in wanted]
        kinds: dict[str, Any] = {
            place: _DICTIONARY if column in repeating else pa.string()
            for place, column in zip(places, wanted, strict=True)
        }
        try:
            table = pacsv.read_csv(
                pa.BufferReader(block.data),
                read_options=pacsv.ReadOptions(column_names=names, block_size=max(len(block.data), 1) + 1),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._dialect.separator,
                    quote_char='"' if self._dialect.quoted else False,
                    newlines_in_values=self._dialect.quoted,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=kinds, include_columns=places, strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._explain(block, error) from error
        return table

    def _explain(self, block: Block, error: pa.ArrowInvalid) -> DataError:
        """Find out which line Arrow could not parse, and why."""
        if re.search("UTF-?8", str(error), re.IGNORECASE):
            return self._not_utf8()
        expected = len(self.columns)
        ragged = [record for record in records(block, self._dialect) if record[2] != expected]
        if not ragged:
            return DataError(
                f"{self.name}: cannot be parsed: {error}.",
                expected=f"{expected} columns in every row",
                hint="Check the delimiter and the quotes.",
            )
        line, _, got = ragged[0]
        measure = "first line" if self.headerless else "header"
        hint = "Correct these lines"
        hint += " (a delimiter inside a field needs quotes)." if self._dialect.quoted else "."
        return DataError(
            f"{self.name}: line {line:,} has {got} columns, the {measure} has {expected}.",
            expected=f"{expected} columns in every row: {', '.join(self.columns[:8])}",
            rows=[f"line {number}: {cut(text)}" for number, text, _ in ragged[:SHOWN]],
            hint=hint,
        )

    def _not_utf8(self) -> DataError:
        offset, line, byte = self._text.offset_of_bad_byte()
        return DataError(
            f"{self.name}: byte {offset:,} (0x{byte:02x}, on line {line:,}) is not UTF-8.",
            expected="text in UTF-8",
            hint='Pass encoding="latin-1" or the encoding that it is in.',
        )


def _distinct(columns: Sequence[str]) -> list[str]:
    """Return a name for each column; those of the file may repeat or be empty."""
    return [f"c{at}" for at in range(len(columns))]
