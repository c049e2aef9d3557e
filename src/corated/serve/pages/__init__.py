"""Pages for people, and the page of the API. Each works without scripts and has its JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Header
from starlette.requests import Request
from starlette.responses import Response

from corated.serve.pages.documenting import operations
from corated.serve.pages.rendering import asset, render
from corated.serve.service import Service
from corated.serve.strict import Answer

__all__ = ["add_pages"]


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the page of the API, and those for people where the settings have them."""
    app.add_api_route("/openapi.json", _document, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/static/{name}", _asset, include_in_schema=False)
    if service.settings.pages:
        from corated.serve.pages.routes import router

        app.include_router(router)


async def _document(request: Request) -> Answer:
    return Answer(request.app.openapi())


async def _docs(request: Request) -> Response:
    document = request.app.openapi()
    about = document["info"]["description"].strip().split("\n\n")
    return render("docs.html", {"about": about, "operations": operations(document), "here": "/docs"})


async def _asset(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    return asset(name, if_none_match)
