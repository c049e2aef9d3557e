"""Catalogs: what the items are called, when they came out and what they are about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corated.errors import CoratedError, DataError, IdTypeError, ParameterError, UnknownIdError
from corated.ratings._catalog_columns import Columns, Rows, choose_columns, rows_from_columns
from corated.ratings._catalog_text import decoded, rows_from_text
from corated.ratings.idcolumn import IdCollector
from corated.ratings.ids import IdKind, IdMap, quote_id
from corated.tables import Table

if TYPE_CHECKING:
    from corated.ratings.ratings import Ratings

__all__ = ["Catalog", "CatalogFormat", "read_catalog"]

CatalogFormat = Literal["dat", "item", "csv", "tsv", "parquet", "arrow"]
_FORMATS: tuple[CatalogFormat, ...] = ("dat", "item", "csv", "tsv", "parquet", "arrow")
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Catalog:
    """Titles, years and genres of items, in ascending order of their ids.

    Attributes
    ----------
    ids : the item ids
    titles : text, as given; null where there is none
    years : int32, null where there is none
    genres : lists of text, empty where there are none
    notices : what was guessed while reading
    """

    ids: IdMap
    titles: pa.Array
    years: pa.Array
    genres: pa.Array
    notices: tuple[str, ...] = ()

    def title(self, id: int | str) -> str:
        """Return an item's title, or its id as text where there is none.

        Raises `IdTypeError` for an id of another type than the catalog's.
        """
        try:
            found = self.titles[self.ids.code(id)].as_py()
        except IdTypeError:
            raise
        except UnknownIdError:
            found = None
        return str(id) if found is None else str(found)

    def aligned(self, items: IdMap) -> pa.Array:
        """Return the titles of the items in a map, in the order of its codes, null where missing.

        Raises `DataError` where the map's ids are of another type than the catalog's.
        """
        return self.titles.take(self._rows_of(items))

    def aligned_genres(self, items: IdMap) -> pa.Array:
        """Return the genres of the items in a map, in the order of its codes, null where missing."""
        return self.genres.take(self._rows_of(items))

    def aligned_years(self, items: IdMap) -> pa.Array:
        """Return the years of the items in a map, in the order of its codes, null where missing."""
        return self.years.take(self._rows_of(items))

    def _rows_of(self, items: IdMap) -> pa.Array:
        """Return the row of each item, null where the catalog has none."""
        if items.kind != self.ids.kind:
            raise DataError(
                f"The catalog's item ids are {self.ids.kind}, those of the ratings are {items.kind}.",
                expected="one type for both",
                hint="Read the catalog with ids=ratings.",
            )
        codes = self.ids.codes(items.ids)
        return pa.array(codes, mask=codes < 0)

    def to_arrow(self) -> pa.Table:
        """Return a table: item_id, title, year, genres."""
        return pa.table(
            {"item_id": self.ids.ids, "title": self.titles, "year": self.years, "genres": self.genres}
        )

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: object) -> bool:
        return id in self.ids

    def __repr__(self) -> str:
        years = pc.min_max(self.years)
        first, last = years["min"].as_py(), years["max"].as_py()
        kinds = pc.count_distinct(self.genres.flatten()).as_py()
        span = f", years {first}–{last}" if first is not None else ""
        return f"Catalog({len(self):,} items, {self.ids.kind} ids{span}, {kinds} genres)"

    def _repr_html_(self) -> str:
        return Table(self.to_arrow())._repr_html_()


def read_catalog(
    source: Any,
    *,
    ids: IdMap | Ratings | IdKind | None = None,
    encoding: str | None = None,
    item: str | None = None,
    title: str | None = None,
    genres: str | None = None,
    year: str | None = None,
    format: CatalogFormat | None = None,
) -> Catalog:
    """Read a catalog of items from a file, an Arrow table or any frame.

    Files: ``id::title (year)::genre|genre`` (.dat), ml-100k's u.item, csv and tsv with a header,
    Parquet, Arrow; gzip or not. Text is UTF-8, or Latin-1 with a notice where it is not. Columns that
    are not named are guessed by their names, which ``Catalog.notices`` tells; further columns are left
    alone. A year comes from its column, else from the end of the title, as in "Alien (1979)".

    `ids` is the type of the item ids: the ratings they belong to (or their `IdMap`), "integer" or
    "text". Without it a text column is integers only if every one of its values is one, plainly
    written; ids in frames keep their type.

    Raises `DataError`, with file and line, for what cannot be read and for two different rows of one
    item, `ParameterError` for a column or format that is not there.
    """
    if format is not None and format not in _FORMATS:
        raise ParameterError(f"There is no format {format!r}.", expected="one of " + ", ".join(_FORMATS))
    kind, items = _wanted_ids(ids)
    given = Columns(item, title, genres, year)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        rows = _rows_from_file(path, format, encoding, given)
    else:
        if encoding is not None or format is not None:
            raise ParameterError("encoding= and format= are for files.", hint="Leave them out.")
        rows = _rows_from_table(_as_table(source), "the table", given)
    catalog = _build(rows, kind, items)
    rows.notices.emit()
    return catalog


def _wanted_ids(ids: Any) -> tuple[IdKind | None, IdMap | None]:
    """Return the type of ids to make, and the ratings' items if they were given."""
    if isinstance(ids, Mapping):
        ids = ids.get("item")
    if ids is None or (isinstance(ids, str) and ids in ("integer", "text")):
        return ids, None  # type: ignore[return-value]
    items = ids if isinstance(ids, IdMap) else getattr(ids, "items", None)
    if not isinstance(items, IdMap):
        raise ParameterError(
            f"ids is {ids!r}.",
            expected='the ratings, their IdMap of items, "integer" or "text"',
            hint="Leave ids out to have it judged by the catalog alone.",
        )
    return items.kind, items


def _rows_from_file(path: Path, form: CatalogFormat | None, encoding: str | None, given: Columns) -> Rows:
    """Read a file, judged by its first bytes unless a format is given."""
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        if form is None and magic.startswith(b"PAR1"):
            form = "parquet"
        elif form is None and magic == b"ARROW1":
            form = "arrow"
        if form != "parquet" and form != "arrow":
            text, notice = decoded(path, encoding)
            rows = rows_from_text(text, path, form, given)
            if notice:
                rows.notices.add(notice, warn=True)
            return rows
        table = pq.read_table(path) if form == "parquet" else _read_ipc(path, magic)
    except CoratedError:
        raise
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}.",
            expected="a catalog: .dat, u.item, csv, tsv, Parquet or Arrow",
            hint="Check the path.",
        ) from error
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable {form} file: {error}.", hint="Write it again.") from error
    return _rows_from_table(table, str(path), given)


def _read_ipc(path: Path, magic: bytes) -> pa.Table:
    opened = pa.ipc.open_file if magic == b"ARROW1" else pa.ipc.open_stream
    with pa.OSFile(str(path)) as file, opened(file) as reader:
        return reader.read_all()


def _as_table(source: Any) -> pa.Table:
    """Turn a frame, or a mapping of columns, into an Arrow table; a pandas index becomes a column."""
    try:
        if isinstance(source, pa.Table):
            return source
        if isinstance(source, Mapping) or hasattr(source, "__arrow_c_stream__"):
            return pa.table(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(
            f"The table cannot be turned into Arrow: {error}.",
            expected="columns of one type each",
            hint="Convert the column to one type first, such as str.",
        ) from error
    raise ParameterError(
        f"A catalog cannot be read from {type(source).__name__}.",
        expected="a path, a pandas, polars or pyarrow table, or a mapping of columns",
    )


def _rows_from_table(table: pa.Table, where: str, given: Columns) -> Rows:
    """Return the rows of a table, numbered from 0."""
    rows = Rows(where, is_text=False, places=list(range(table.num_rows)))
    chosen = choose_columns(table.column_names, given, rows)
    rows_from_columns(chosen, lambda at: table.column(at).to_pylist(), rows)
    ids = table.column(chosen.item)
    rows.ids = (ids.unify_dictionaries() if pa.types.is_dictionary(ids.type) else ids).combine_chunks()
    return rows


def _build(rows: Rows, kind: IdKind | None, items: IdMap | None) -> Catalog:
    """Make the catalog: ids typed, one row for each, ascending."""
    if not rows.titles:
        raise DataError(
            f"{rows.name}: there are no items.",
            expected="at least one row with an item's id and title",
            hint="Check that this is the catalog and that it was written whole.",
        )
    collector = IdCollector("item", rows, kind, rows.notices)
    collector.add(rows.sample("item_id"), 0)
    ids, chunks = collector.finish()
    codes = chunks[0]
    first = np.full(len(ids), len(codes), np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    _refuse_conflicts(rows, ids, codes, first)
    if items is not None and len(items) and not (ids.codes(items.ids) >= 0).any():
        rows.notices.add(
            f"{rows.name}: not one of the {len(items):,} items of the ratings is in this catalog; it has ids "
            f"such as {quote_id(ids.id(0))}, they have ids such as {quote_id(items.id(0))}. Titles will be "
            f"missing. Check that the two belong together.",
            warn=True,
        )
    return Catalog(
        ids,
        pa.array([rows.titles[at] for at in first], pa.string()),
        pa.array([rows.years[at] for at in first], pa.int32()),
        pa.array([rows.genres[at] for at in first], pa.list_(pa.string())),
        rows.notices.texts(),
    )


def _refuse_conflicts(
    rows: Rows, ids: IdMap, codes: npt.NDArray[np.int32], first: npt.NDArray[np.int64]
) -> None:
    """Refuse two rows of one item, unless they say the same."""
    again = np.flatnonzero(first[codes] != np.arange(len(codes)))
    pairs = [(int(first[codes[at]]), int(at)) for at in again]
    conflicts = [
        (one, other)
        for one, other in pairs
        if (rows.titles[one], rows.years[one], rows.genres[one])
        != (rows.titles[other], rows.years[other], rows.genres[other])
    ]
    if conflicts:
        raise DataError(
            f"{rows.name}: {len(conflicts):,} rows give an item a second time, and differently.",
            expected="one row for each item",
            rows=[
                f"{quote_id(ids.id(int(codes[one])))}: {rows.place(one)} {rows.titles[one]!r}, "
                f"{rows.place(other)} {rows.titles[other]!r}"
                for one, other in conflicts[:_SHOWN]
            ],
            hint="Keep one row of each item; if this file is not the catalog, give the one that is.",
        )
    if pairs:
        rows.notices.add(f"{len(pairs):,} rows repeated an item word for word and were left out.")
