"""Finding an item or a user by a few letters: titles that begin with them, then those that have them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap
from corated.serve.service import Service

__all__ = ["find"]


def find(service: Service, text: str, limit: int, min_position: int = 0) -> dict[str, Any]:
    """Return up to ``limit`` items (id, title, year, genres) and users (ids) that a text may be meant for.

    Items: those of this id first, then titles that begin with the text, then those that have it in them, each
    by id. Users: by id, the shortest first.
    """
    index = service.index
    text = text.strip()
    if index is None or not text:
        return {"items": [], "users": []}
    catalog, ratings = index.catalog, service.snapshot(min_position).ratings
    titled = _by_title(catalog, text, limit) if catalog is not None else []
    known = {row["item"] for row in titled}
    near = [id for id in _by_id(ratings.items, text, limit) if id not in known]
    first = [_plain(id, catalog) for id in near if str(id) == text]
    others = [_plain(id, catalog) for id in near if str(id) != text and catalog is None]
    named = [*first, *titled, *others]
    return {"items": named[:limit], "users": _by_id(ratings.users, text, limit)}


def _plain(id: Id, catalog: Catalog | None) -> dict[str, Any]:
    if catalog is not None and id in catalog:
        at = catalog.ids.code(id)
        row = catalog.to_arrow().slice(at, 1).to_pylist()[0]
        return {"item": id, "title": row["title"], "year": row["year"], "genres": row["genres"] or []}
    return {"item": id, "title": None, "year": None, "genres": []}


def _by_title(catalog: Catalog, text: str, limit: int) -> list[dict[str, Any]]:
    titles = catalog.titles
    begins = pc.starts_with(titles, text, ignore_case=True).fill_null(False)
    has = pc.and_not(pc.match_substring(titles, text, ignore_case=True).fill_null(False), begins)
    rows: list[int] = []
    for mask in (begins, has):
        rows += pc.indices_nonzero(mask)[: limit - len(rows)].to_pylist()
    found = catalog.to_arrow().take(pa.array(rows, pa.int64())).to_pylist()
    return [
        {"item": row["item_id"], "title": row["title"], "year": row["year"], "genres": row["genres"] or []}
        for row in found
    ]


def _by_id(ids: IdMap, text: str, limit: int) -> list[Id]:
    """Return ids that begin with a text: the shortest first, then in their order."""
    names = ids.ids.cast(pa.string())
    at = pc.indices_nonzero(pc.starts_with(names, text))
    if not len(at):
        return []
    lengths = pc.utf8_length(names.take(at))
    order = pc.sort_indices(
        pa.table({"length": lengths, "at": at}), [("length", "ascending"), ("at", "ascending")]
    )
    found: list[Id] = ids.ids.take(at.take(order[:limit])).to_pylist()
    return found
