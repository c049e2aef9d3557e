"""Two lists side by side: a user's as it is and as it would be, or of two models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corated.errors import ParameterError
from corated.models.base import Recommendations, Recommender, Run, answer_for
from corated.models.explain import Asked, case_of
from corated.models.fallback import Fallback
from corated.models.knn import ItemKNN, UserKNN
from corated.models.presets import PRESETS, near_in, preset
from corated.ratings.ids import Id
from corated.serve.answers import rows_of
from corated.serve.modeling import PARAMS
from corated.serve.pages.views import catalog_of, facts_of
from corated.serve.service import Service, Snapshot, unknown

__all__ = ["Change", "compare_view", "nobody_view", "whatif_view"]

Row = dict[str, Any]
_SERVED = "served"


@dataclass(frozen=True)
class Change:
    """What is to be different: ratings left out, and parameters of the model; None leaves one as it is."""

    drop: Sequence[Id] = ()
    measure: str | None = None
    k: int | None = None
    min_common: int | None = None
    rule: str | None = None

    @property
    def params(self) -> Row:
        """The parameters that are said."""
        return {name: getattr(self, name) for name in PARAMS if getattr(self, name) is not None}


def whatif_view(service: Service, user: Id, n: int, change: Change) -> Row:
    """Return a user's list as it is, and as it would be with a change."""
    snapshot, profile = _now(service, user)
    gone = [item for item in change.drop if item in profile]
    base = near_of(service.model)
    model = service.fitted(changed_model(service.model, change.params), snapshot)
    before = _rows(service, snapshot.model.recommend([user], n=n, threads=1))
    after = _rows(service, _without(model, user, gone, n))
    catalog = catalog_of(service)
    return {
        "position": snapshot.position,
        "user_id": user,
        "n": n,
        "drop": gone,
        "params": change.params,
        "model": repr(snapshot.model),
        "is_near": near_of(snapshot.model) is not None,
        "now": {} if base is None else {name: base.get_params()[name] for name in PARAMS},
        "history": [{**facts_of(catalog, item), "rating": rating} for item, rating in profile.items()],
        **_marked(before, after),
    }


def _without(model: Recommender, user: Id, gone: Sequence[Id], n: int) -> Recommendations:
    """Return a user's list without some of their ratings; the others stay of the time that they are of."""
    if not gone:
        return model.recommend([user], n=n, threads=1)
    fit, run = model._fitted(), Run(1)
    profile = case_of(fit, Asked(user, gone[0], n), run).profile
    out = np.flatnonzero(np.isin(profile.items, [fit.ratings.items.code(item) for item in gone]))
    folded = fit.part.fold_in(profile.without(out), run.quietly())
    answer = answer_for(fit, folded.part, np.array([folded.code]), n, {"exclude": list(gone)}, run)
    return Recommendations(fit, fit.ratings.users.take([fit.ratings.users.code(user)]), n, answer)


def compare_view(service: Service, user: Id, n: int, names: tuple[str, str]) -> Row:
    """Return a user's lists by two models, by their names."""
    snapshot, _ = _now(service, user)
    lists = []
    for name in names:
        model = service.fitted(_named(service, name), snapshot)
        lists.append(_rows(service, model.recommend([user], n=n, threads=1)))
    return {
        "position": snapshot.position,
        "user_id": user,
        "n": n,
        "a": names[0],
        "b": names[1],
        "models": [_SERVED, *PRESETS],
        **_marked(*lists),
    }


def _named(service: Service, name: str) -> Recommender:
    """Return a model by its name; one that likes only what is beyond the scale likes the top of it."""
    if name == _SERVED:
        return service.model
    model = preset(name)
    like = model.get_params().get("like")
    is_beyond = isinstance(like, float | int) and like > service.scale().high
    return model.set_params(like=None) if is_beyond else model


def nobody_view(service: Service, n: int, names: tuple[str, str]) -> Row:
    """Return what `compare_view` does where no user is named yet."""
    empty: Row = {"before": [], "after": [], "shared": 0, "models": [_SERVED, *PRESETS]}
    return {
        "position": service.embedded.position,
        "user_id": None,
        "n": n,
        "a": names[0],
        "b": names[1],
        **empty,
    }


def _now(service: Service, user: Id) -> tuple[Snapshot, dict[Id, float]]:
    """Return a snapshot that has the user's ratings as they are now, and these."""
    index = service.index
    profile = {} if index is None else index.profile(user)
    if not profile:
        raise unknown("user", user)
    snapshot = service.snapshot()
    if user in snapshot.ratings.users and snapshot.ratings.profile(user) == profile:
        return snapshot, profile
    return service.snapshot(service.embedded.position), profile


def near_of(model: Recommender) -> UserKNN | ItemKNN | None:
    """Return the model of neighbors in a model, None where there is none."""
    model = near_in(model)
    first = model.models[0] if isinstance(model, Fallback) else model
    return first if isinstance(first, UserKNN | ItemKNN) else None


def changed_model(model: Recommender, params: Row) -> Recommender:
    """Return a model with other parameters; raises `ParameterError` for one that has none of them."""
    if not params:
        return model
    model = near_in(model)
    near = near_of(model)
    if near is None:
        raise ParameterError(
            f"{type(model).__name__} has none of {', '.join(params)}.", hint="leave out a rating instead"
        )
    other = near.clone().set_params(**params)
    return Fallback(models=[other, *model.models[1:]]) if isinstance(model, Fallback) else other


def _rows(service: Service, found: Any) -> list[Row]:
    catalog = catalog_of(service)
    return [{**row, **facts_of(catalog, row["item_id"])} for row in rows_of(found, "user_id")]


def _marked(before: list[Row], after: list[Row]) -> Row:
    """Return two lists, each row with its rank in the other, null where it is not in it."""
    places = [{row["item_id"]: row["rank"] for row in rows} for rows in (before, after)]
    for rows, other in ((before, places[1]), (after, places[0])):
        for row in rows:
            row["other_rank"] = other.get(row["item_id"])
    shared = len(places[0].keys() & places[1].keys())
    return {"before": before, "after": after, "shared": shared}
