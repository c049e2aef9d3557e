"""Named settings: unfitted recommenders, each documented and tested."""

from __future__ import annotations

from collections.abc import Callable

from corated.errors import ParameterError
from corated.models.base import Recommender
from corated.models.fallback import Fallback
from corated.models.knn import UserKNN
from corated.models.popularity import Popularity

__all__ = ["PRESETS", "preset"]


def _notebook() -> Recommender:
    """Closest by Euclidean distance, one item in common, likes from 7, twice n neighbors."""
    return UserKNN(measure="euclidean", k="2n", min_common=1, rule="closest", like=7.0)


def _best() -> Recommender:
    """Likes of at least two of the 100 nearest by Jaccard, by similarity; filled up from popularity."""
    return Fallback(
        models=[
            UserKNN(measure="jaccard", k=100, min_common=1, rule="weighted_votes", min_support=2),
            Popularity(),
        ]
    )


PRESETS: dict[str, Callable[[], Recommender]] = {"best": _best, "notebook": _notebook}
"""What each name stands for."""


def preset(name: str) -> Recommender:
    """Return the unfitted recommender of a name; raises `ParameterError` naming the known ones."""
    try:
        return PRESETS[name]()
    except (KeyError, TypeError):
        raise ParameterError(
            f"Unknown preset {name!r}.", expected=f"one of {', '.join(PRESETS)}", hint="choose one of these"
        ) from None
