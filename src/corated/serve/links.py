"""What the answer of one operation is good for in another, as links of the OpenAPI document."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["add_links"]

_USERS, _ITEMS = "/v1/users/{user}", "/v1/items/{item}"
_RATING = f"{_USERS}/ratings/{{item}}"
_PATH_USER, _PATH_ITEM = "$request.path.user", "$request.path.item"
_FOUND_USER, _FOUND_ITEM = "$response.body#/users/0", "$response.body#/items/0/item"
_POSITION, _NEXT = "$response.body#/position", "$response.body#/next"


class _Link(NamedTuple):
    """From an operation to another: where each parameter of the other comes from."""

    source: tuple[str, str]
    target: tuple[str, str]
    parameters: dict[str, str]


_PAIR = {"user": _PATH_USER, "item": _PATH_ITEM}
_LINKS = (
    _Link(("put", _RATING), ("get", _RATING), {**_PAIR, "min_position": _POSITION}),
    _Link(("put", _RATING), ("delete", _RATING), _PAIR),
    _Link(("delete", _RATING), ("get", _RATING), {**_PAIR, "min_position": _POSITION}),
    *(
        _Link(("put", _RATING), ("get", f"{_USERS}/{what}"), {"user": _PATH_USER, "min_position": _POSITION})
        for what in ("recommendations", "neighbors", "ratings")
    ),
    *(
        _Link(("put", _RATING), ("get", f"{_ITEMS}/{what}"), {"item": _PATH_ITEM, "min_position": _POSITION})
        for what in ("similar", "ratings")
    ),
    _Link(("put", _RATING), ("get", "/v1/explain"), {**_PAIR, "min_position": _POSITION}),
    _Link(("put", _RATING), ("delete", _USERS), {"user": _PATH_USER}),
    _Link(("delete", _USERS), ("get", f"{_USERS}/ratings"), {"user": _PATH_USER, "min_position": _POSITION}),
    _Link(
        ("get", f"{_USERS}/recommendations"),
        ("get", "/v1/explain"),
        {"user": _PATH_USER, "item": "$response.body#/items/0/item_id"},
    ),
    _Link(
        ("get", f"{_USERS}/recommendations"),
        ("put", _RATING),
        {"user": _PATH_USER, "item": "$response.body#/items/0/item_id"},
    ),
    _Link(
        ("get", f"{_USERS}/neighbors"),
        ("get", f"{_USERS}/recommendations"),
        {"user": "$response.body#/neighbors/0/neighbor"},
    ),
    _Link(
        ("get", f"{_ITEMS}/similar"),
        ("get", f"{_ITEMS}/similar"),
        {"item": "$response.body#/neighbors/0/neighbor"},
    ),
    _Link(("get", f"{_USERS}/ratings"), ("get", f"{_USERS}/ratings"), {"user": _PATH_USER, "cursor": _NEXT}),
    *(
        _Link(("get", "/v1/search"), ("get", f"{_USERS}/{what}"), {"user": _FOUND_USER})
        for what in ("recommendations", "neighbors", "ratings")
    ),
    *(
        _Link(("get", "/v1/search"), ("get", path), {"item": _FOUND_ITEM})
        for path in (_ITEMS, f"{_ITEMS}/similar", f"{_ITEMS}/ratings")
    ),
    _Link(("get", "/v1/search"), ("put", _RATING), {"user": _FOUND_USER, "item": _FOUND_ITEM}),
    _Link(
        ("post", "/v1/ratings"),
        ("get", _RATING),
        {
            "user": "$request.body#/ratings/0/user",
            "item": "$request.body#/ratings/0/item",
            "min_position": _POSITION,
        },
    ),
    _Link(
        ("post", "/v1/recommendations"),
        ("get", "/v1/explain"),
        {"user": "$response.body#/users/0/user_id", "item": "$response.body#/users/0/items/0/item_id"},
    ),
    _Link(("post", "/v1/items"), ("get", _ITEMS), {"item": "$request.body#/items/0/item"}),
    _Link(("get", "/v1/items"), ("put", _ITEMS), {"item": "$response.body#/items/0/item"}),
    _Link(("get", "/v1/items"), ("get", "/v1/items"), {"cursor": _NEXT}),
    _Link(("get", "/v1/items"), ("get", f"{_ITEMS}/ratings"), {"item": "$response.body#/items/0/item"}),
    _Link(("put", _ITEMS), ("get", _ITEMS), {"item": _PATH_ITEM}),
    _Link(("put", _ITEMS), ("delete", _ITEMS), {"item": _PATH_ITEM}),
    _Link(("delete", _ITEMS), ("get", _ITEMS), {"item": _PATH_ITEM}),
)


def add_links(document: dict[str, Any]) -> None:
    """Put the links into an OpenAPI document."""
    for source, target, parameters in _LINKS:
        (method, path), (to_method, to_path) = source, target
        other = document["paths"][to_path][to_method]
        links = document["paths"][path][method]["responses"]["200"].setdefault("links", {})
        links[f"{to_method} {to_path}".translate(_NAMED)] = {
            "operationId": other["operationId"],
            "parameters": parameters,
            "description": other["summary"],
        }


_NAMED = str.maketrans({"/": "_", " ": "", "{": "", "}": ""})
"""Names of components are letters, digits, and signs that addresses lack."""
