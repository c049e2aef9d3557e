"""The options that say which model: a preset, and what differs from it; `fit` and what answers share them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import click

from corated.cli.options import (
    PRESETS,
    RULES,
    SIDES,
    Amount,
    Count,
    Decorator,
    Like,
    as_record,
    measure_option,
)
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated import Recommender

__all__ = ["MODEL_OPTIONS", "Model", "model_fields", "model_options"]

_OF_ALL: Final = ("like", "half_life")
"""What also changes the models that fill up."""
_OF_NEIGHBORS: Final = ("measure", "k", "min_common", "rule", "min_support", "everyone", *_OF_ALL)


@dataclass(frozen=True)
class Model:
    """What recommends: a preset, and what differs from it; None is the preset's own."""

    preset: str | None
    by: str | None
    measure: str | None
    k: int | str | None
    min_common: int | None
    rule: str | None
    like: float | str | None
    min_support: int | None
    half_life: float | None
    everyone: float | None
    no_fallback: bool

    def __post_init__(self) -> None:
        if self.preset in (None, "best"):
            return
        for name in ("by", *_OF_NEIGHBORS, "no_fallback"):
            if name != "like" and getattr(self, name) not in (None, False):
                option = name.replace("_", "-")
                raise ParameterError(
                    f"--preset {self.preset} is a fixed method, which --{option} would change.",
                    expected="--like alone, since what is liked depends on the scale",
                    hint=f"leave --preset or --{option} out",
                )

    def build(self) -> Recommender:
        """Return the unfitted model that recommends."""
        import corated as cr
        from corated.models.presets import near_in

        base = cr.preset(self.preset or "best")
        if isinstance(base, cr.Chosen):
            if all(getattr(self, name) in (None, False) for name in ("by", *_OF_NEIGHBORS, "no_fallback")):
                return base
            base = near_in(base)
        if not isinstance(base, cr.Fallback):
            return base if self.like is None else self._liking(base)
        first, *others = (model.clone() for model in base.models)
        near = self._near(first.get_params())
        if self.no_fallback:
            return near
        changes = self._changes(_OF_ALL)
        return cr.Fallback(models=[near, *(other.set_params(**changes) for other in others)])

    def build_predictor(self) -> Recommender:
        """Return the unfitted model that predicts: what is set changes Surprise's KNNBaseline."""
        import corated as cr

        if self.preset is not None:
            return self.build()
        near = self._near(cr.preset("surprise-knnbaseline").get_params())
        return near.set_params(fallback=not self.no_fallback)

    def _near(self, settings: dict[str, Any]) -> Recommender:
        """Return nearest neighbors of these settings, with what differs."""
        from corated.models.presets import nearest

        return nearest(settings, self.by, self._changes(_OF_NEIGHBORS))

    def _changes(self, names: tuple[str, ...]) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}

    def _liking(self, base: Recommender) -> Recommender:
        """Return a preset with another threshold of liking, where it goes by likes."""
        if base.get_params().get("rule") in ("sum", "mean"):
            raise ParameterError(
                f"--preset {self.preset} goes by all ratings, so --like changes nothing.",
                hint="leave --like out",
            )
        return base.clone().set_params(like=self.like)


MODEL_OPTIONS: Final[tuple[Decorator, ...]] = (
    click.option(
        "--preset",
        type=click.Choice(PRESETS),
        help="Named settings. best (the default): of several models the one that did best on the latest "
        "ratings. notebook: the closest users by distance, and nothing else; liked is 7 or higher, which "
        "--like changes for other scales. With options below best is similar users' likes, filled up from "
        "what is popular; the others are fixed methods.",
    ),
    click.option(
        "--by", type=click.Choice(SIDES), help="Go by similar users (the default) or similar items."
    ),
    measure_option(None, help="How alike is measured."),
    click.option(
        "--k",
        type=Count("2n", "all", example=40),
        metavar="N",
        help="Neighbors each; 2n is twice what -n asks for, all is everyone with a value.",
    ),
    click.option("--min-common", type=Count(example=3), metavar="N", help="Rated in common at least."),
    click.option("--rule", type=click.Choice(RULES), help="How neighbors become a list."),
    click.option(
        "--like",
        type=Like(),
        metavar="RATING",
        help="Rated this or higher is liked; mean: the user's own mean. "
        "By default the top 30 % of the scale.",
    ),
    click.option(
        "--min-support",
        type=Count(example=2),
        metavar="N",
        help="Neighbors behind an item at least.",
    ),
    click.option(
        "--half-life",
        type=Amount(above=0.0, example="365"),
        metavar="DAYS",
        help="Days in which what a rating counts falls to half, counted back from the latest one.",
    ),
    click.option(
        "--everyone",
        type=Amount(least=0.0, example="0.01"),
        metavar="E",
        help="Add E times everyone's likes of an item to its score.",
    ),
    click.option("--no-fallback", is_flag=True, help="Only what neighbors give; lists may be shorter."),
)

model_options = as_record(Model, "model", MODEL_OPTIONS)
"""Add the options of a model to a command, which gets them as one `Model`, ``model``."""


def model_fields() -> list[str]:
    """Return the names of the options of a model."""
    return [field.name for field in fields(Model)]
