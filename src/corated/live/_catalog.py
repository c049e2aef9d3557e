"""The catalog that a store keeps beside the ratings: titles, years and genres of items."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from corated.errors import DataError
from corated.live._database import Database
from corated.live._head import Head, sound
from corated.live._records import Item
from corated.live._shape import Shape, check_id, kind_of, stored_id
from corated.ratings.catalog import Catalog
from corated.ratings.ids import IdKind, IdMap, quote_id

__all__ = ["all_items", "begun", "delete_items", "find_item", "item_rows", "items_of", "put_rows"]

_SHOWN = 5
_YEARS = range(-(2**31), 2**31)


def items_of(given: Catalog | Iterable[Item]) -> list[Item]:
    """Return the items of a catalog, or those given."""
    if not isinstance(given, Catalog):
        return list(given)
    return [
        Item(row["item_id"], row["title"], row["year"], tuple(row["genres"] or ()))
        for row in given.to_arrow().to_pylist()
    ]


def item_rows(items: list[Item], kind: IdKind | None) -> list[tuple[str, str | None, int | None, str]]:
    """Return items as they are stored; `IdTypeError`, or `DataError` with the first that do not fit."""
    rows, faults = [], []
    for item in items:
        id = check_id(item.item, kind, "item")
        fault = _fault(item)
        if fault:
            faults.append(f"item {quote_id(item.item)}: {fault}")
        else:
            rows.append((id, item.title, item.year, json.dumps(list(item.genres), ensure_ascii=False)))
    if faults:
        raise DataError(
            f"{len(faults):,} of {len(items):,} items cannot be kept, so none was.",
            rows=faults[:_SHOWN],
            hint="correct them",
        )
    return rows


def _fault(item: Item) -> str:
    year: Any = item.year
    if item.title is not None and not _is_text(item.title):
        return f"the title is {item.title!r}"
    if year is not None and (
        not isinstance(year, int | np.integer) or isinstance(year, bool) or year not in _YEARS
    ):
        return f"the year is {year!r}"
    genres: Any = item.genres
    if isinstance(genres, str) or not all(_is_text(genre) for genre in genres):
        return f"the genres are {item.genres!r}"
    return ""


def _is_text(value: object) -> bool:
    """Tell whether a value is text that both databases can hold."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def put_rows(database: Database, cursor: Any, rows: list[tuple[str, str | None, int | None, str]]) -> None:
    """Put items in place of those with the same ids."""
    cursor.executemany(database.statements.put_item, rows)
    cursor.execute(database.statements.catalog_changed)


def delete_items(database: Database, cursor: Any, ids: list[str]) -> int:
    """Take items out; return how many were there."""
    gone = 0
    for id in ids:
        cursor.execute(database.statements.delete_item, (id,))
        gone += max(0, int(cursor.rowcount))
    if gone:
        cursor.execute(database.statements.catalog_changed)
    return gone


def find_item(database: Database, cursor: Any, shape: Shape, id: object) -> Item | None:
    """Return an item, None where it is not in the catalog; raises `IdTypeError`."""
    cursor.execute(database.statements.item, (check_id(id, shape.item_ids, "item"),))
    found = cursor.fetchone()
    with sound(database):
        return None if found is None else _item(found, shape.item_ids)


def _item(row: Any, kind: IdKind | None) -> Item:
    id, title, year, genres = row
    return Item(stored_id(id, kind), title, year, tuple(json.loads(genres)))


def all_items(database: Database, cursor: Any, head: Head) -> Catalog:
    """Return the whole catalog."""
    kind = head.shape.item_ids
    cursor.execute(database.statements.catalog)
    with sound(database):
        items = [_item(row, kind) for row in cursor.fetchall()]
        if kind == "integer":
            items.sort()  # by number; text is in the order of code points already
        id_type = pa.int64() if kind == "integer" else pa.string()
        return Catalog(
            IdMap(pa.array([item.item for item in items], id_type), "item"),
            pa.array([item.title for item in items], pa.string()),
            pa.array([item.year for item in items], pa.int32()),
            pa.array([list(item.genres) for item in items], pa.list_(pa.string())),
        )


def begun(items: list[Item], shape: Shape) -> IdKind | None:
    """Return the type of item ids that the store has with these items."""
    return shape.item_ids or (kind_of(items[0].item, "item") if items else None)
