"""The model that the settings ask for."""

from __future__ import annotations

from corated.errors import ParameterError
from corated.models.base import Recommender
from corated.models.fallback import Fallback
from corated.models.presets import near_in, nearest, preset
from corated.serve.settings import Settings

__all__ = ["PARAMS", "build_model"]

PARAMS = ("measure", "k", "min_common", "rule")
"""What of the model's neighbors can be set."""


def build_model(settings: Settings) -> Recommender:
    """Return the unfitted model; raises `ParameterError` for settings that do not go together."""
    base = preset(settings.preset)
    changes = {name: getattr(settings, name) for name in PARAMS if getattr(settings, name) is not None}
    if not changes and settings.by is None:
        return base
    base = near_in(base)
    if settings.preset != "best" or not isinstance(base, Fallback):
        raise ParameterError(
            f"preset={settings.preset!r} is a fixed method, which {', '.join(changes) or 'by'} would change.",
            hint='leave preset or these out; they change "best"',
        )
    first, *others = base.models
    return Fallback(models=[nearest(first.get_params(), settings.by, changes), *others])
