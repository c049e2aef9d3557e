"""Items: what is similar, who rated them, and the catalog, in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query

from corated.live.store import Item as StoredItem
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id
from corated.serve.answers import (
    CatalogAnswer,
    DoneAnswer,
    ItemAnswer,
    NearAnswer,
    RaterAnswer,
    SearchAnswer,
    rows_of,
)
from corated.serve.api.parts import (
    PROBLEMS,
    Cursor,
    Fresh,
    Item,
    Limit,
    Measured,
    Served,
    known_queries,
    many,
    measured,
)
from corated.serve.bodies import CatalogItem, ItemRow, ItemsBody
from corated.serve.finding import find
from corated.serve.paging import after, page_of
from corated.serve.problems import Problem
from corated.serve.service import Service, unknown
from corated.serve.strict import Answer

__all__ = ["raters", "router"]

router = APIRouter(prefix="/v1", tags=["items"], responses=PROBLEMS, dependencies=[Depends(known_queries)])


@router.get("/items/{item}/similar", response_model=NearAnswer)
async def similar(
    service: Served, item: Item, asked: Annotated[Measured, Depends(measured)], fresh: Fresh = 0
) -> Answer:
    """Find the items that were rated most alike."""
    many(asked.k, service.settings.max_n, "query/k")
    measure = asked.measure or "cosine"

    def work() -> list[dict[str, Any]]:
        index = service.index
        if index is None:
            raise unknown("item", item)
        found = index.similar_items(item, measure=measure, k=asked.k, min_common=asked.min_common)
        rows = rows_of(found, "id")
        titles = index.catalog
        if titles is not None:
            for row in rows:
                row |= {"title": titles.title(row["neighbor"])} if row["neighbor"] in titles else {}
        return rows

    position, rows = await service.ask(work, min_position=fresh)
    return Answer({"position": position, "id": item, "measure": measure, "neighbors": rows})


@router.get("/items/{item}/ratings", response_model=RaterAnswer)
async def item_ratings(service: Served, item: Item, limit: Limit = 100, fresh: Fresh = 0) -> Answer:
    """Tell who rated an item, the highest first; of a fit that is some seconds old at most."""
    _, (position, total, rows) = await service.ask(
        lambda: raters(service, item, limit, fresh), min_position=fresh
    )
    return Answer({"position": position, "item_id": item, "total": total, "ratings": rows})


def raters(
    service: Service, item: Id, limit: int, min_position: int = 0
) -> tuple[int, int, list[dict[str, Any]]]:
    """Return the position, how many rated an item, and the first of them: higher first, then smaller id."""
    if service.index is None:
        raise unknown("item", item)
    snapshot = service.snapshot(min_position)
    ratings = snapshot.ratings
    code = ratings.items.code(item)
    here = slice(int(ratings.by_item.indptr[code]), int(ratings.by_item.indptr[code + 1]))
    assert ratings.scale is not None and ratings.codes is not None  # a store has a scale
    users = ratings.by_item.indices[here]
    values = ratings.scale.decode(ratings.codes[ratings.by_item.order[here]])
    order = np.lexsort((users, -values))[:limit]
    ids = ratings.users.take(users[order]).to_pylist()
    rows = [
        {"user_id": user, "rating": rating} for user, rating in zip(ids, values[order].tolist(), strict=True)
    ]
    return snapshot.position, len(users), rows


@router.get("/items", response_model=CatalogAnswer)
async def catalog(service: Served, limit: Limit = 100, cursor: Cursor = None, fresh: Fresh = 0) -> Answer:
    """List the catalog by item id."""
    last = after(cursor)

    def work() -> dict[str, Any]:
        found = _catalog(service)
        if found is None:
            return {"total": 0, "items": [], "next": None}
        ids = _Ids(found)
        here, following = page_of(ids, last, limit)
        return {"total": len(found), "items": items_of(found, here), "next": following}

    position, made = await service.ask(work, min_position=fresh)
    return Answer({"position": position, **made})


class _Ids(Sequence[Id]):
    """The ids of a catalog, one at a time: a page needs a few of many."""

    def __init__(self, catalog: Catalog) -> None:
        self._ids = catalog.ids.ids

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, at: Any) -> Any:
        return self._ids[at].as_py()


def _catalog(service: Service) -> Catalog | None:
    index = service.index
    if index is not None:
        return index.catalog
    found = service.embedded.store.catalog()
    return found if len(found) else None


def items_of(catalog: Catalog, here: slice) -> list[dict[str, Any]]:
    """Return some rows of a catalog."""
    rows = catalog.to_arrow().slice(here.start, max(here.stop - here.start, 0)).to_pylist()
    return [
        {"item": row["item_id"], "title": row["title"], "year": row["year"], "genres": row["genres"] or []}
        for row in rows
    ]


@router.get("/items/{item}", response_model=ItemAnswer)
async def catalog_item(service: Served, item: Item) -> Answer:
    """Tell what the catalog has of an item."""
    position = service.embedded.position
    found = await service.look(lambda: service.embedded.store.item(item))
    if found is None:
        raise unknown("item", item, "in the catalog")
    return Answer(
        {
            "position": position,
            "item": found.item,
            "title": found.title,
            "year": found.year,
            "genres": list(found.genres),
        }
    )


@router.put("/items/{item}", response_model=DoneAnswer)
async def put_item(service: Served, item: Item, body: ItemRow) -> Answer:
    """Put an item into the catalog, in place of what there is of it."""
    return await _put(service, [_stored(item, body)])


@router.post("/items", response_model=DoneAnswer)
async def put_items(service: Served, body: ItemsBody) -> Answer:
    """Put items into the catalog: all of them, or none."""
    many(len(body.items), service.settings.max_rows, "body/items")
    return await _put(service, [_stored(row.item, row) for row in body.items])


def _stored(item: Id, row: ItemRow | CatalogItem) -> StoredItem:
    return StoredItem(item, row.title, row.year, tuple(row.genres))


async def _put(service: Service, items: list[StoredItem]) -> Answer:
    await service.write(lambda: service.embedded.put_items(items))
    return Answer({"position": service.embedded.position})


@router.delete("/items/{item}", response_model=DoneAnswer)
async def delete_item(service: Served, item: Item) -> Answer:
    """Take an item out of the catalog, not out of the ratings; that it is not in it is no error."""

    def work() -> int:
        service.embedded.store.delete_items([item])
        return service.embedded.refresh()

    return Answer({"position": await service.write(work)})


@router.get("/search", response_model=SearchAnswer)
async def search(
    service: Served,
    q: Annotated[str, Query(min_length=1, max_length=512, description="a part of a title, or an id")],
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    fresh: Fresh = 0,
) -> Answer:
    """Find items by title or id, and users by id."""
    if "\0" in q:
        raise Problem(422, "parameter", "The text has a NUL character.", field="query/q")
    position, found = await service.ask(lambda: find(service, q, limit, fresh), min_position=fresh)
    return Answer({"position": position, **found})
