"""The addresses of pages: each stays, and has its JSON beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corated.models.rules import RULES
from corated.serve.api.parts import Served, known_queries, many
from corated.serve.pages.charts import bars, scatter
from corated.serve.pages.exploring import Change, compare_view, nobody_view, whatif_view
from corated.serve.pages.rendering import render
from corated.serve.pages.views import find_view, item_view, pair_view, start_view, user_view, why_view
from corated.serve.problems import Problem
from corated.serve.service import Service
from corated.serve.strict import Answer
from corated.serve.writing import Row, write_one

__all__ = ["router"]

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_queries)])

Id = Annotated[str, Query(max_length=2048)]
Many = Annotated[int, Query(ge=1, le=100)]
MaybeNumber = Annotated[str, Query(pattern=r"^([1-9][0-9]{0,8})?$")]
"""A field of a form that may be left empty."""
Measure = Annotated[str, Query(max_length=200)]
_MEASURES = (
    *("pearson", "cosine", "cosine_common", "jaccard", "msd", "euclidean", "manhattan"),
    *("constrained_pearson", "dice", "overlap", "conditional"),
)
"""Those that answer for one user at once."""


_COOKIE, _REMEMBERED = "corated-position", 60
"""What tells pages of the last write, and for how many seconds."""

_DRAWING = {"bars": bars, "scatter": scatter, "measures": _MEASURES, "rules": RULES}


async def _page(request: Request, service: Service, template: str, view: Callable[[int], Any]) -> Response:
    """Return a view as a page, or as JSON where the address ends so.

    view : called with the position that it must be of: that of what this browser wrote last, if it can be had
    """
    fresh = _written(request)
    try:
        await service.reach(fresh)
    except Problem:  # better an old page, which says of when it is, than none
        fresh = 0
    _, found = await service.ask(lambda: view(fresh))
    path = request.scope["path"]
    if path.endswith(".json"):
        return Answer(found)
    query = request.url.query
    json = f"{path if path != '/' else '/start'}.json{f'?{query}' if query else ''}"
    return render(template, {**_DRAWING, "json": json, "here": path, **found})


@router.get("/")
@router.get("/start.json")
async def start(request: Request, service: Served) -> Response:
    """Show what is served, and the data report in pictures."""
    return await _page(request, service, "start.html", lambda fresh: start_view(service, fresh))


@router.get("/find")
@router.get("/find.json")
async def find(request: Request, service: Served, q: Annotated[str, Query(max_length=512)] = "") -> Response:
    """Find a user or an item."""
    if "\0" in q:
        raise Problem(422, "parameter", "The text has a NUL character.", field="query/q")
    return await _page(request, service, "find.html", lambda fresh: find_view(service, q, 20, fresh))


@router.get("/user")
@router.get("/user.json")
async def user(
    request: Request,
    service: Served,
    id: Id,
    n: Many = 10,
    measure: Measure = "pearson",
    k: Many = 10,
    min_common: Annotated[int, Query(ge=1, le=2**31 - 1)] = 3,
) -> Response:
    """Show a user's history, neighbors and recommendations."""
    who = service.user(id, field="query/id")
    near = {"measure": measure, "k": k, "min_common": min_common}
    return await _page(request, service, "user.html", lambda _: user_view(service, who, n, near))


@router.get("/item")
@router.get("/item.json")
async def item(
    request: Request, service: Served, id: Id, k: Many = 10, measure: Measure = "cosine"
) -> Response:
    """Show an item: who liked it, and what is similar."""
    what = service.item(id, field="query/id")
    return await _page(
        request, service, "item.html", lambda fresh: item_view(service, what, k, measure, fresh)
    )


@router.get("/pair")
@router.get("/pair.json")
async def pair(
    request: Request,
    service: Served,
    a: Id,
    b: Id,
    of: Annotated[str, Query(pattern="^(users|items)$")] = "users",
    measure: Measure = "pearson",
) -> Response:
    """Show what two users, or two items, have in common."""
    parse = service.user if of == "users" else service.item
    one, other = parse(a, field="query/a"), parse(b, field="query/b")
    return await _page(
        request, service, "pair.html", lambda fresh: pair_view(service, (one, other), of, measure, fresh)
    )


@router.get("/why")
@router.get("/why.json")
async def why(request: Request, service: Served, user: Id, item: Id, n: Many = 10) -> Response:
    """Show what a score is made of."""
    who, what = service.user(user, field="query/user"), service.item(item, field="query/item")
    return await _page(request, service, "why.html", lambda _: why_view(service, who, what, n))


@router.get("/whatif")
@router.get("/whatif.json")
async def whatif(
    request: Request,
    service: Served,
    id: Id,
    n: Many = 10,
    drop: Annotated[list[str] | None, Query(max_length=1000)] = None,
    measure: Measure = "",
    k: MaybeNumber = "",
    min_common: MaybeNumber = "",
    rule: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show a user's list as it is beside what it would be."""
    who = service.user(id, field="query/id")
    gone = [service.item(one, field="query/drop") for one in drop or [] if one]
    change = Change(
        gone, measure or None, int(k) if k else None, int(min_common) if min_common else None, rule or None
    )
    return await _page(request, service, "whatif.html", lambda _: whatif_view(service, who, n, change))


@router.get("/compare")
@router.get("/compare.json")
async def compare(
    request: Request,
    service: Served,
    id: Id = "",
    a: Measure = "served",
    b: Measure = "notebook",
    n: Many = 10,
) -> Response:
    """Show a user's lists by two models side by side."""
    if not id:
        return await _page(request, service, "compare.html", lambda _: nobody_view(service, n, (a, b)))
    who = service.user(id, field="query/id")
    return await _page(request, service, "compare.html", lambda _: compare_view(service, who, n, (a, b)))


@router.post("/rate")
async def rate(request: Request, service: Served) -> Response:
    """Write a rating from a form, and go back to the page it was on."""
    form = _form(await request.body())
    user, item = (
        service.user(form.get("user", ""), field="user"),
        service.item(form.get("item", ""), field="item"),
    )
    rating = None if "remove" in form else _number(form.get("rating", ""))
    position = await service.write(lambda: write_one(service, Row(user, item, rating), None))
    if form.get("back") == "item":
        return _wrote(position, f"/item?{urlencode({'id': form['item']})}")
    n = form.get("n", "10")
    many(int(n) if n.isascii() and n.isdigit() and len(n) < 9 else 10**9, 100, "n")
    return _wrote(position, f"/user?{urlencode({'id': form['user'], 'n': n})}#recommendations")


def _wrote(position: int, where: str) -> Response:
    """Go to a page, which waits for what was written, whichever process answers it."""
    response = RedirectResponse(where, 303)
    response.set_cookie(_COOKIE, str(position), max_age=_REMEMBERED, httponly=True, samesite="strict")
    return response


def _written(request: Request) -> int:
    """Return the position of what the browser wrote last; 0 for nothing of late."""
    text = request.cookies.get(_COOKIE, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _form(body: bytes) -> dict[str, str]:
    """Return the fields of a form, the last of those that came twice."""
    try:
        read = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise Problem(422, "form", "The form cannot be read.", field="body") from error
    return {name: values[-1] for name, values in read.items()}


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Problem(
            422, "invalid", f"{text[:30]!r} is no rating.", field="rating", hint="give a number on the scale"
        ) from None
    return number
