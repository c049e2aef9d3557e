"""Result tables: Arrow inside, the caller's own frame library outside.

pandas and polars are not dependencies; ``to_pandas`` and ``to_polars`` use the caller's.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from corated.errors import MissingExtraError

__all__ = ["Table"]

_SHOWN = 10


class Table:
    """A materialized, immutable result table.

    It can be handed to anything that reads the Arrow C stream interface (pandas, polars, DuckDB,
    pyarrow) and to the caller's frame library by ``to_pandas()`` and ``to_polars()``.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def to_arrow(self) -> pa.Table:
        """Return the rows as a :class:`pyarrow.Table`."""
        return self._table

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame; raises `MissingExtraError` without pandas."""
        try:
            import pandas  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("pandas is not installed.", hint="pip install pandas") from error
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Return the rows as a polars DataFrame; raises `MissingExtraError` without polars."""
        try:
            import polars
        except ImportError as error:
            raise MissingExtraError("polars is not installed.", hint="pip install polars") from error
        return polars.from_arrow(self.to_arrow())

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries, in order."""
        rows: list[dict[str, Any]] = self.to_arrow().to_pylist()
        return rows

    @property
    def column_names(self) -> list[str]:
        """The column names, in order."""
        names: list[str] = self.to_arrow().column_names
        return names

    def __len__(self) -> int:
        return int(self.to_arrow().num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.to_arrow().to_batches(max_chunksize=1024):
            yield from batch.to_pylist()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        table = self.to_arrow()
        head = table.slice(0, _SHOWN).to_pylist()
        names = table.column_names
        cells = [[_cell(row[name]) for name in names] for row in head]
        widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(names)]
        lines = ["  ".join(name.ljust(w) for name, w in zip(names, widths, strict=True)).rstrip()]
        lines += ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        if table.num_rows > _SHOWN:
            lines.append(f"… {table.num_rows:,} rows")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table = self.to_arrow()
        head = table.slice(0, _SHOWN).to_pylist()
        names = table.column_names
        header = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(row[name]))}</td>" for name in names) + "</tr>"
            for row in head
        )
        more = f"<p>{table.num_rows:,} rows</p>" if table.num_rows > _SHOWN else ""
        return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> str:
    """Render one value on one line: null as a dash, floats to six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    # What came with the data must not break the line or speak to the terminal.
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)
