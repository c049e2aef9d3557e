"""What routes have in common: the service, ids of the address, paging, and keys that make retries safe."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Header, Path, Query
from fastapi.routing import APIRoute
from starlette.requests import Request

from corated.ratings.ids import INT64_MAX, Id
from corated.serve.answers import ProblemAnswer
from corated.serve.problems import MEDIA_TYPE, Problem
from corated.serve.service import Service, segment

__all__ = [
    "PROBLEMS",
    "Cursor",
    "Fresh",
    "Item",
    "Key",
    "Limit",
    "Measured",
    "Served",
    "User",
    "known_queries",
    "many",
    "measured",
]

_SCHEMA = {"$ref": f"#/components/schemas/{ProblemAnswer.__name__}"}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": about, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
    for status, about in (
        (400, "Not a request that can be read."),
        (401, "A key is needed."),
        (403, "The key may not do this."),
        (404, "There is no such user or item."),
        (409, "There are no ratings yet."),
        (405, "Not a method of this address."),
        (408, "The body did not come in time."),
        (413, "Too much at once."),
        (415, "Not application/json."),
        (421, "Not a name of this service."),
        (422, "Something in it cannot be used; field says what."),
        (429, "Too many requests of this client."),
        (503, "Not now; Retry-After says when."),
    )
}


async def service_of(request: Request) -> Service:
    """Return the service that a request is for."""
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(service_of)]


async def known_queries(request: Request) -> None:
    """Refuse parameters that a route does not know, which may be misspelled ones."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = _names(route.dependant)
    for name in request.query_params:
        if name not in known:
            raise Problem(
                422,
                "unknown_parameter",
                f"There is no parameter {name[:60]!r} here.",
                expected=f"one of {', '.join(sorted(known))}" if known else "none",
                field=f"query/{name[:60]}",
                hint="check the spelling",
            )


def _names(dependant: Any) -> set[str]:
    own = {param.alias for param in dependant.query_params}
    return own.union(*(_names(part) for part in dependant.dependencies))


async def _user(
    service: Served, user: Annotated[str, Path(description="a user's id, percent-encoded")]
) -> Id:
    return service.user(segment(user))


async def _item(
    service: Served, item: Annotated[str, Path(description="an item's id, percent-encoded")]
) -> Id:
    return service.item(segment(item))


User = Annotated[Id, Depends(_user)]
Item = Annotated[Id, Depends(_item)]
Fresh = Annotated[
    int,
    Query(
        alias="min_position",
        ge=0,
        le=INT64_MAX,
        description="answer on everything up to this position, which a write returned; waits a second for it",
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows of a page")]
Cursor = Annotated[str | None, Query(max_length=4096, description="the next of the page before")]


async def _key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            max_length=512,
            description="a name of your own for this write: sent again with it, it is written once",
        ),
    ] = None,
) -> str | None:
    if key is not None and not key.strip():
        raise Problem(422, "parameter", "The Idempotency-Key is empty.", field="header/idempotency-key")
    return key


Key = Annotated[str | None, Depends(_key)]


class Measured(NamedTuple):
    """How neighbors are sought: measure, how many, and in common at least."""

    measure: str | None
    k: int
    min_common: int


async def measured(
    measure: Annotated[
        str | None, Query(max_length=200, description="a measure, such as pearson or cosine(shrink=10)")
    ] = None,
    k: Annotated[int, Query(ge=1, le=INT64_MAX, description="neighbors at most")] = 20,
    min_common: Annotated[int, Query(ge=1, le=2**31 - 1, description="rated in common at least")] = 1,
) -> Measured:
    """Return how neighbors are sought."""
    return Measured(measure, k, min_common)


def many(asked: int, most: int, field: str) -> int:
    """Return how many are asked for; raises `Problem` for more than are answered at once."""
    if asked > most:
        raise Problem(
            422, "too_many", f"{asked:,} were asked for.", expected=f"at most {most:,}", field=field,
            hint="ask for fewer at a time",
        )  # fmt: skip
    return asked
