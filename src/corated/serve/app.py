"""The application: routes, errors, the OpenAPI document, and the guard around it all."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from corated._version import __version__
from corated.errors import CoratedError
from corated.serve import operations
from corated.serve.api import administration, asking, items, users
from corated.serve.guard import Guard
from corated.serve.keys import KeyFile
from corated.serve.links import add_links
from corated.serve.logs import log
from corated.serve.pages import add_pages
from corated.serve.pages.rendering import error_page
from corated.serve.problems import INTERNAL, Problem, problem_of
from corated.serve.service import Service

__all__ = ["build", "document"]

_ABOUT = """Who rated alike, exactly, and what follows from it.

Ids are the caller's own, of the stored type: percent-encoded in an address, as they are in a body.
Every answer has the log position that it is at least of; a write returns the one from which it counts.
Errors are problem details (RFC 9457) with a `code`, the `field` and the `next_step`.
"""
_ROUTERS = (users.router, asking.router, items.router, administration.router, operations.router)


def build(service: Service, keys: KeyFile | None = None) -> ASGIApp:
    """Return the application of a service.

    keys : without, everybody who reaches it may do everything
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        service.start()
        yield
        service.close()

    app = FastAPI(
        title="Corated",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    for router in _ROUTERS:
        app.include_router(router)
    add_pages(app, service)
    for kind, handler in (
        (Problem, _of_problem),
        (Exception, _of_anything),
        (CoratedError, _of_corated),
        (RequestValidationError, _of_validation),
        (HTTPException, _of_http),
    ):
        app.add_exception_handler(kind, handler)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    operations.watch(service)
    return Guard(app, service, keys)


# -- errors -----------------------------------------------------------------------------------------


def _told(request: Request, problem: Problem) -> Response:
    request.scope["problem"] = problem.code
    if "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/v1/"):
        return error_page(problem)
    return problem.response(request.scope["request_id"])


def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _told(request, error)


def _of_anything(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Tell nothing of it but the id of the request; the guard logs it."""
    return _told(request, INTERNAL)


def _of_corated(request: Request, error: Exception) -> Response:
    assert isinstance(error, CoratedError)
    problem = problem_of(error)
    if problem.status >= 500:
        log("store", level=logging.WARNING, error=error, request_id=request.scope["request_id"])
    return _told(request, problem)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        problem = Problem(
            405,
            "method",
            f"{request.method} is none of the methods here.",
            expected=(error.headers or {}).get("Allow", ""),
            field="method",
            headers=dict(error.headers or {}),
        )
    elif error.status_code == 404:
        problem = Problem(
            404, "no_such_address", "There is nothing at this address.", field="path",
            hint="GET /docs lists what there is; ids in addresses are percent-encoded",
        )  # fmt: skip
    else:
        problem = Problem(error.status_code, "http", str(error.detail))
    return _told(request, problem)


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    first = found[0]
    where = [str(part) for part in _where(first["loc"], error.body)]
    message = str(first["msg"])
    if where == ["body"] and error.body is None:
        message = "A JSON body is needed"
    rows = [f"{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in found[:5]] if len(found) > 1 else []
    hint = "GET /docs says what each field takes"
    return _told(request, Problem(422, "invalid", f"{message}.", field="/".join(where), rows=rows, hint=hint))


def _where(place: tuple[Any, ...], body: Any) -> list[Any]:
    """Return a place without the names of alternatives that were tried there."""
    if not place or place[0] != "body":
        return list(place)
    found, here = ["body"], body
    for part in place[1:]:
        is_there = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        if not is_there and not isinstance(here, dict):
            break  # the name of an alternative
        found.append(part)
        if not is_there:
            break  # what is missing
        here = here[part]
    return found


# -- what OpenAPI says ------------------------------------------------------------------------------


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        made["components"]["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "corated key create makes one"}
        }
        made["security"] = [{}, {"key": []}]
        for name in ("HTTPValidationError", "ValidationError"):
            made["components"]["schemas"].pop(name, None)
        add_links(made)
        app.openapi_schema = made
    return app.openapi_schema
