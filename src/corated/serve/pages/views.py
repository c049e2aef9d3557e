"""What pages show, as dictionaries that JSON can carry; the templates draw them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from corated.neighborhood.pair import pair
from corated.ratings.catalog import Catalog
from corated.ratings.check import check
from corated.ratings.ids import Id
from corated.serve.answers import rows_of, why_of
from corated.serve.api.administration import about
from corated.serve.api.asking import answer_user
from corated.serve.api.items import raters
from corated.serve.finding import find
from corated.serve.service import Service, unknown

__all__ = [
    "catalog_of",
    "facts_of",
    "find_view",
    "item_view",
    "pair_view",
    "start_view",
    "user_view",
    "why_view",
]

_SHOWN_RATINGS, _ALL = 200, 2**31
Row = dict[str, Any]


def catalog_of(service: Service) -> Catalog | None:
    """Return the catalog, None where there is none."""
    index = service.index
    return None if index is None else index.catalog


def facts_of(catalog: Catalog | None, item: Id) -> Row:
    """Return an item's title, year and genres; the id stands for a title that is not there."""
    if catalog is None or item not in catalog:
        return {"item_id": item, "title": str(item), "year": None, "genres": [], "in_catalog": False}
    at = catalog.ids.code(item)
    title = catalog.titles[at].as_py()
    return {
        "item_id": item,
        "title": str(item) if title is None else title,
        "year": catalog.years[at].as_py(),
        "genres": catalog.genres[at].as_py() or [],
        "in_catalog": True,
    }


def start_view(service: Service, fresh: int) -> Row:
    """Return what is served, the data report, and examples to begin with."""
    found: Row = {"about": about(service), "report": None, "charts": {}, "users": [], "items": []}
    index = service.index
    if index is None or not index.n_ratings:
        return {"position": service.embedded.position, **found}
    snapshot = service.snapshot(fresh)
    ratings, catalog = snapshot.ratings, index.catalog
    report = check(ratings, catalog)
    found["report"] = report.to_dict()
    found["charts"] = {
        "levels": [(f"{one.low:g}", one.count) for one in report.histogram],
        "users": _by_size(ratings.user_counts),
        "items": _by_size(ratings.item_counts),
        "years": [] if ratings.times is None else _by_year(ratings.times),
    }
    found["users"] = [asdict(one) for one in report.heaviest_users]
    found["items"] = [{**facts_of(catalog, one.id), "count": one.count} for one in report.heaviest_items]
    return {"position": snapshot.position, **found}


def _by_size(counts: Any) -> list[tuple[str, int]]:
    """Return how many have 1, 2, 3 to 4, 5 to 8, … ratings."""
    rows, low, high = [], 1, 1
    while low <= int(counts.max(initial=0)):
        label = f"{low:,}" if low == high else f"{low:,}–{high:,}"
        rows.append((label, int(((counts >= low) & (counts <= high)).sum())))
        low, high = high + 1, 2 * high if high > 1 else 2
    return rows


def _by_year(times: Any) -> list[tuple[str, int]]:
    years = times.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
    first, last = int(years.min()), int(years.max())
    if last - first > 60:
        return []
    counts = np.bincount(years - first, minlength=last - first + 1)
    return [(str(first + at), int(n)) for at, n in enumerate(counts)]


def _levels(values: list[float], scale: Any) -> list[tuple[str, int]]:
    levels = scale.ratings.tolist()
    if len(levels) > 21:
        found, edges = np.histogram(values, 10, (scale.low, scale.high))
        return [(f"{low:g}", int(n)) for low, n in zip(edges, found.tolist(), strict=False)]
    return [(f"{level:g}", values.count(level)) for level in levels]


def list_of(service: Service, user: Id, n: int) -> list[Row]:
    """Return a user's list, each row with the item's facts and why it is there."""
    catalog = catalog_of(service)
    _, rows = answer_user(service, user, n, {}, explain=True, popular=False)
    return [{**row, **facts_of(catalog, row["item_id"])} for row in rows]


def user_view(service: Service, user: Id, n: int, near: Row) -> Row:
    """Return a user's page: history, neighbors by a measure, and what is recommended with its why.

    near : measure, k and min_common
    """
    index, position = service.index, service.embedded.position
    profile = {} if index is None else index.profile(user)
    if index is None or not profile:
        raise unknown("user", user)
    catalog, scale = index.catalog, service.scale()
    history = [{**facts_of(catalog, item), "rating": rating} for item, rating in profile.items()]
    history.sort(key=lambda row: -row["rating"])  # stable: then by id
    neighbors = rows_of(index.neighbors(user, **near), "id")
    values = list(profile.values())
    return {
        "position": position,
        "user_id": user,
        "n": n,
        "near": near,
        "n_ratings": len(values),
        "mean": sum(values) / len(values),
        "levels": _levels(values, scale),
        "scale": [scale.low, scale.high, scale.step],
        "history": history[:_SHOWN_RATINGS],
        "neighbors": neighbors,
        "recommendations": list_of(service, user, n),
    }


def item_view(service: Service, item: Id, k: int, measure: str, fresh: int) -> Row:
    """Return an item's page: what it is, how it was rated and by whom, and what is similar."""
    index, catalog = service.index, catalog_of(service)
    facts = facts_of(catalog, item)
    found: Row = {"position": service.embedded.position, **facts, "k": k, "measure": measure}
    empty: Row = {"n_ratings": 0, "mean": None, "levels": [], "raters": [], "similar": [], "scale": None}
    try:
        position, total, who = raters(service, item, _ALL, fresh)
    except LookupError:
        if not facts["in_catalog"]:
            raise
        return {**found, **empty}
    assert index is not None
    scale = service.scale()
    values = [row["rating"] for row in who]
    similar = rows_of(index.similar_items(item, measure=measure, k=k), "id")
    return {
        **found,
        "position": position,
        "n_ratings": total,
        "mean": sum(values) / len(values),
        "levels": _levels(values, scale),
        "raters": who[:20],
        "similar": [{**row, **facts_of(catalog, row["neighbor"])} for row in similar],
        "scale": [scale.low, scale.high, scale.step],
    }


def pair_view(service: Service, pair_of: tuple[Id, Id], of: str, measure: str, fresh: int) -> Row:
    """Return what two users, or two items, have in common."""
    (a, b), snapshot = pair_of, service.snapshot(fresh)
    found = pair(snapshot.ratings, a, b, of=of, measure=measure, catalog=catalog_of(service)).to_dict()
    cells: dict[tuple[float, float], int] = {}
    for row in found["common"]:
        place = (row["rating_a"], row["rating_b"])
        cells[place] = cells.get(place, 0) + 1
    points = [(x, y, n) for (x, y), n in sorted(cells.items())]
    catalog = catalog_of(service)
    names = {"name_a": f"user {a}", "name_b": f"user {b}"}
    if of == "items":
        names = {"name_a": facts_of(catalog, a)["title"], "name_b": facts_of(catalog, b)["title"]}
    return {"position": snapshot.position, **found, **names, "points": points}


def find_view(service: Service, text: str, limit: int, fresh: int) -> Row:
    """Return what a few letters may be meant for."""
    found = find(service, text, limit, fresh) if text.strip() else {"items": [], "users": []}
    return {"position": service.embedded.position, "q": text, **found}


def why_view(service: Service, user: Id, item: Id, n: int) -> Row:
    """Return why an item has its score for a user."""
    if service.index is None:
        raise unknown("user", user)
    found = why_of(service.embedded.explain(user, item, n=n), most=50)
    return {"position": service.embedded.position, **found, **facts_of(catalog_of(service), item)}
