"""Users: what is recommended to them, who is near, and their ratings, in and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from corated.ratings.ids import Id
from corated.serve.answers import (
    DoneAnswer,
    ErasedAnswer,
    NearAnswer,
    RatingAnswer,
    RatingsAnswer,
    RecommendationsAnswer,
    WrittenAnswer,
    rows_of,
)
from corated.serve.api.asking import answer_user, why_empty
from corated.serve.api.parts import (
    PROBLEMS,
    Cursor,
    Fresh,
    Item,
    Key,
    Limit,
    Measured,
    Served,
    User,
    known_queries,
    many,
    measured,
)
from corated.serve.bodies import OneRating, RatingsBody, UserRatingsBody, Wishes
from corated.serve.paging import after, page_of
from corated.serve.problems import Problem
from corated.serve.service import Service, unknown
from corated.serve.strict import Answer
from corated.serve.writing import Row, write_one, write_rows

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["users"], responses=PROBLEMS, dependencies=[Depends(known_queries)])


async def _wishes(
    genre: Annotated[list[str] | None, Query(description="only items of this genre, or one of these")] = None,
    first_year: Annotated[
        int | None, Query(ge=-9999, le=99_999, description="only items from this year on")
    ] = None,
    last_year: Annotated[
        int | None, Query(ge=-9999, le=99_999, description="only items up to this year")
    ] = None,
    min_support: Annotated[int, Query(ge=0, le=2**31 - 1, description="support of an item at least")] = 0,
    diversity: Annotated[float, Query(ge=0.0, le=1.0, description="0 ranks by score alone")] = 0.0,
) -> Wishes:
    return Wishes(
        genres=genre,
        first_year=first_year,
        last_year=last_year,
        exclude=None,
        min_support=min_support,
        diversity=diversity,
    )


@router.get("/users/{user}/recommendations", response_model=RecommendationsAnswer)
async def recommendations(
    service: Served,
    user: User,
    wishes: Annotated[Wishes, Depends(_wishes)],
    n: Annotated[int, Query(ge=1, le=2**31 - 1, description="items at most")] = 10,
    explain: Annotated[bool, Query(description="with each item, what its score is made of")] = False,
    popular: Annotated[bool, Query(description="an unknown user gets what is popular")] = False,
    fresh: Fresh = 0,
) -> Answer:
    """Recommend items to a user."""
    many(n, service.settings.max_n, "query/n")
    position, (status, items) = await service.ask(
        lambda: answer_user(service, user, n, wishes.filters(), explain=explain, popular=popular),
        min_position=fresh,
    )
    if status == "unknown_user":
        raise unknown("user", user)
    reason = {} if items else {"reason": why_empty(service, user, wishes.filters())}
    return Answer({"position": position, "user_id": user, "items": items, **reason})


@router.get("/users/{user}/neighbors", response_model=NearAnswer)
async def neighbors(
    service: Served, user: User, asked: Annotated[Measured, Depends(measured)], fresh: Fresh = 0
) -> Answer:
    """Find who rated most alike."""
    many(asked.k, service.settings.max_n, "query/k")
    measure = asked.measure or "pearson"

    def work() -> list[dict[str, Any]]:
        index = service.index
        if index is None:
            raise unknown("user", user)
        return rows_of(index.neighbors(user, measure=measure, k=asked.k, min_common=asked.min_common), "id")

    position, rows = await service.ask(work, min_position=fresh)
    return Answer({"position": position, "id": user, "measure": measure, "neighbors": rows})


# -- ratings ----------------------------------------------------------------------------------------


def _profile(service: Service, user: Id) -> dict[Id, float]:
    index = service.index
    found = {} if index is None else index.profile(user)
    if not found:
        raise unknown("user", user)
    return found


@router.get("/users/{user}/ratings", response_model=RatingsAnswer)
async def ratings(
    service: Served, user: User, limit: Limit = 100, cursor: Cursor = None, fresh: Fresh = 0
) -> Answer:
    """List a user's ratings by item id."""
    last = after(cursor)
    position, found = await service.ask(lambda: _profile(service, user), min_position=fresh)
    ids = list(found)
    here, following = page_of(ids, last, limit)
    rows = [{"item_id": item, "rating": found[item], **titled(service, item)} for item in ids[here]]
    return Answer(
        {"position": position, "user_id": user, "total": len(ids), "ratings": rows, "next": following}
    )


def titled(service: Service, item: Id) -> dict[str, str]:
    """Return the title of an item, nothing where there is none."""
    index = service.index
    catalog = None if index is None else index.catalog
    return {"title": catalog.title(item)} if catalog is not None and item in catalog else {}


@router.get("/users/{user}/ratings/{item}", response_model=RatingAnswer)
async def rating(service: Served, user: User, item: Item, fresh: Fresh = 0) -> Answer:
    """Tell what a user rated an item."""
    position, found = await service.ask(lambda: _profile(service, user), min_position=fresh)
    if item not in found:
        raise Problem(404, "unknown_rating", "The user has not rated the item.", field="path/item")
    return Answer({"position": position, "user_id": user, "item_id": item, "rating": found[item]})


@router.put("/users/{user}/ratings/{item}", response_model=DoneAnswer)
async def rate(service: Served, user: User, item: Item, body: OneRating, key: Key = None) -> Answer:
    """Write a rating, in place of one that there is. It is durable when this answers, and counts at once."""
    row = Row(user, item, body.rating, body.time)
    return Answer({"position": await service.write(lambda: write_one(service, row, key))})


@router.delete("/users/{user}/ratings/{item}", response_model=DoneAnswer)
async def remove(service: Served, user: User, item: Item, key: Key = None) -> Answer:
    """Take out a rating; that there is none is no error."""
    row = Row(user, item, None)
    return Answer({"position": await service.write(lambda: write_one(service, row, key))})


@router.post("/users/{user}/ratings", response_model=WrittenAnswer)
async def rate_many(service: Served, user: User, body: UserRatingsBody, key: Key = None) -> Answer:
    """Write ratings of one user; see POST /v1/ratings."""
    many(len(body.ratings), service.settings.max_rows, "body/ratings")
    rows = [Row(user, row.item, row.rating, row.time) for row in body.ratings]
    return Answer(await service.write(lambda: write_rows(service, rows, key)))


@router.post("/ratings", response_model=WrittenAnswer)
async def rate_all(service: Served, body: RatingsBody, key: Key = None) -> Answer:
    """Write and take out ratings: all that can be, together. Each row is told what became of it."""
    many(len(body.ratings), service.settings.max_rows, "body/ratings")
    rows = [Row(row.user, row.item, row.rating, row.time) for row in body.ratings]
    return Answer(await service.write(lambda: write_rows(service, rows, key)))


@router.delete("/users/{user}", response_model=ErasedAnswer, tags=["administration"])
async def erase(service: Served, user: User) -> Answer:
    """Erase a user: ratings, log, idempotency keys. complete is false while readers hold old pages."""

    def work() -> dict[str, Any]:
        found = service.embedded.erase(user)
        service.forget()
        return {
            "position": found.position,
            "ratings": found.ratings,
            "logged": found.logged,
            "keys": found.keys,
            "complete": found.complete,
        }

    return Answer(await service.write(work))
