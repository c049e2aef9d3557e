"""Where the rows of a file or a table stand among `Ratings`, which sort them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import CoratedNotice, ParameterError
from corated.ratings.blocks import Text
from corated.ratings.collect import collect
from corated.ratings.frames import open_table
from corated.ratings.options import ReadOptions
from corated.ratings.sources import Place, Source
from corated.ratings.text import TextSource

__all__ = ["row_numbers"]

_ROW = "number of the row"


class _Numbered:
    """A source with one more column: the numbers of its records, from 0."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.headerless, self.is_text = source.name, source.headerless, source.is_text
        self.columns: Sequence[str] = [*source.columns, _ROW]

    def sample(self, column: str) -> pa.Array:
        return pa.array([0]) if column == _ROW else self._source.sample(column)

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        start, place = 0, list(wanted).index(_ROW)
        for arrays in self._source.batches([name for name in wanted if name != _ROW]):
            rows = pa.array(np.arange(start, start + len(arrays[0])))
            start += len(rows)
            yield [*arrays[:place], rows, *arrays[place:]]

    def locate(self, rows: Sequence[int]) -> list[Place]:
        return self._source.locate(rows)


def row_numbers(source: Any, options: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """Return the number of the row, from 0, of each rating in `Ratings.by_user` order.

    source : a text file, or a table in memory;  options : those of `corated.read_ratings`

    The numbers go through the reading as times do. Raises `ParameterError` for options that would merge rows
    or leave some out, and what reading raises.
    """
    for name, only in (("duplicates", "refuse"), ("on_bad", "refuse")):
        if options.get(name, only) != only:
            raise ParameterError(
                f'{name}="{options[name]}" would change which rows there are.',
                expected=f'{name}="{only}": folds of rows in file order need all of them',
                hint="make the rows right first",
            )
    wanted = ReadOptions(**{**options, "time": _ROW, "time_unit": "us", "tz": None})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoratedNotice)  # given when the ratings themselves were read
        opened = _open(Path(source), wanted) if isinstance(source, str | Path) else open_table(source)
        rows = collect(_Numbered(opened), wanted).times
    assert rows is not None
    return rows


def _open(path: Path, options: ReadOptions) -> Source:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic in (b"PAR1", b"ARRO"):
        raise ParameterError(
            f"{path} is not text.", expected="a text file, or a table", hint="read it, and pass the table"
        )
    return TextSource(Text(str(path), lambda: path.open("rb"), options.encoding), options)
