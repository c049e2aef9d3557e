"""Templates and assets: escaped by default, from this package alone."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from corated._version import __version__
from corated.serve.problems import Problem

__all__ = ["asset", "error_page", "render"]

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def number(value: float | None, digits: int = 3) -> str:
    """Write a number for people: whole ones with commas, others with a few digits, a dash for none."""
    if value is None:
        return "–"
    if float(value).is_integer():
        written = f"{int(value):,}"
    else:
        written = f"{value:.{digits}f}" if abs(value) >= 0.001 else f"{value:.2e}"
    return written.replace("-", "−")


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["number"] = number
_ENVIRONMENT.globals.update(version=__version__, json=None, here="")


def _assets() -> dict[str, tuple[bytes, str, str]]:
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        content = path.read_bytes()
        found[path.name] = (content, _TYPES[path.suffix], f'"{sha256(content).hexdigest()[:16]}"')
    return found


_ASSETS = _assets()
"""What is served, by name: nothing else can be asked for."""


def asset(name: str, known: str | None) -> Response:
    """Return an asset, or that it is unchanged; raises `Problem` where there is none of the name."""
    if name not in _ASSETS:
        raise Problem(404, "no_such_address", "There is nothing at this address.", field="path")
    content, kind, tag = _ASSETS[name]
    headers = {"ETag": tag, "Cache-Control": "max-age=300"}
    if known == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


def render(template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status)


def error_page(problem: Problem) -> HTMLResponse:
    """Return the page of a problem."""
    shown = {"expected": "", "next_step": "", **problem.to_dict()}
    page = render("error.html", {"problem": shown}, problem.status)
    page.headers.update(problem.headers)
    return page
