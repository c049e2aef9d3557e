"""Pages of long lists: a cursor says after which id to go on, so that writes in between skip nothing."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Sequence
from typing import TypeVar

from corated.ratings.ids import Id
from corated.serve.problems import Problem

__all__ = ["after", "cursor_of", "page_of"]

T = TypeVar("T")


def cursor_of(id: Id) -> str:
    """Return the cursor of what comes after an id."""
    return base64.urlsafe_b64encode(json.dumps([id], ensure_ascii=True).encode()).decode().rstrip("=")


def after(cursor: str | None) -> Id | None:
    """Return the id of a cursor; raises `Problem` for what is none."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        made = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        made = None
    if isinstance(made, list) and len(made) == 1 and type(made[0]) in (int, str):
        return made[0]  # type: ignore[no-any-return]
    raise Problem(
        422,
        "cursor",
        "The cursor is none of this service.",
        field="query/cursor",
        hint="give the next of an answer, as it is, or leave cursor out for the first page",
    )


def page_of(ids: Sequence[Id], last: Id | None, limit: int) -> tuple[slice, str | None]:
    """Return where the page after an id stands among ascending ids, and the cursor of the next."""
    if last is not None and len(ids) and type(last) is not type(ids[0]):
        raise Problem(422, "cursor", "The cursor is of ids of another type.", field="query/cursor")
    first = 0 if last is None else bisect_right(ids, last)
    end = min(first + limit, len(ids))
    return slice(first, end), cursor_of(ids[end - 1]) if first < end < len(ids) else None
