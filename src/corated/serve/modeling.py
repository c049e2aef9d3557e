"""The model that the settings ask for."""

from __future__ import annotations

from typing import Any

from corated.errors import ParameterError
from corated.models.base import Recommender
from corated.models.chosen import Chosen
from corated.models.fallback import Fallback
from corated.models.knn import ItemKNN, UserKNN
from corated.models.presets import preset
from corated.serve.settings import Settings

__all__ = ["build_model", "nearest"]

_CHANGES = ("measure", "k", "min_common", "rule")


def build_model(settings: Settings) -> Recommender:
    """Return the unfitted model; raises `ParameterError` for settings that do not go together."""
    base = preset(settings.preset)
    changes = {name: getattr(settings, name) for name in _CHANGES if getattr(settings, name) is not None}
    if not changes and settings.by is None:
        return base
    if isinstance(base, Chosen):
        base = base.models[0]  # its neighbors, which is what the settings are about
    if settings.preset != "best" or not isinstance(base, Fallback):
        raise ParameterError(
            f"preset={settings.preset!r} is a fixed method, which {', '.join(changes) or 'by'} would change.",
            hint='leave preset or these out; they change "best"',
        )
    first, *others = base.models
    return Fallback(models=[nearest(first.get_params(), settings.by, changes), *others])


def nearest(params: dict[str, Any], by: str | None, changes: dict[str, Any]) -> Recommender:
    """Return nearest neighbors of these parameters, with what differs."""
    kind = ItemKNN if by == "items" else UserKNN
    if kind is ItemKNN:  # an item has few neighbors that one user likes
        params = {**params, "min_support": 1}
    return kind(**{**params, **changes})
