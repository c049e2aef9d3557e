"""Compiling what answers, before anybody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corated.live.index import LiveIndex
from corated.ratings.sample import sample

if TYPE_CHECKING:
    from corated.serve.service import Service

__all__ = ["warm_up"]


def warm_up(service: Service) -> None:
    """Ask everything once: of the index that is served, or of a small one with the same model."""
    made = sample(users=30, items=20, ratings=200)
    index = LiveIndex(made.ratings, model=service.model, catalog=made.catalog, threads=1)
    _ask(index)
    index.rate(made.ratings.users.id(0), made.ratings.items.id(0), made.ratings.scale.high)  # type: ignore[union-attr]
    served = service.index
    if served is not None and served.n_ratings:
        _ask(served)
        service.snapshot()


def _ask(index: LiveIndex) -> None:
    user = next(iter(index.ratings().users))
    item = next(iter(index.profile(user)))
    found = index.recommend(user, n=3).to_pylist()
    index.neighbors(user, k=3)
    index.similar_items(item, k=3)
    if found:
        index.explain(user, found[0]["item_id"])
