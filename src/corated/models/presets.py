"""Named settings: unfitted recommenders, each documented and tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from corated.errors import ParameterError
from corated.models.base import Recommender
from corated.models.chosen import Chosen
from corated.models.fallback import Fallback
from corated.models.knn import ItemKNN, UserKNN
from corated.models.popularity import Popularity
from corated.models.timely import Timely

__all__ = ["PRESETS", "near_in", "nearest", "preset"]


def _notebook() -> Recommender:
    """Closest by Euclidean distance, one item in common, likes from 7, twice n neighbors."""
    return UserKNN(measure="euclidean", k="2n", min_common=1, rule="closest", like=7.0)


def _best() -> Recommender:
    """Of neighbors by Jaccard, the same aged, and what is timely, the one that did best of late.

    Neighbors are filled up from popularity. Which models, and their settings, was chosen on the first 80 % by
    time of movietweetings-100k, ml-latest-small and ml-1m-half, and on held-out fifths of what the published
    splits of gowalla and citeulike-a train on: see docs/quality.md.
    """
    near = UserKNN(measure="jaccard", k=100, min_common=1, rule="weighted_votes", min_support=2)
    aged = near.clone().set_params(half_life=365.0)
    return Chosen(
        models=[
            Fallback(models=[near, Popularity()]),
            Fallback(models=[aged, Popularity()]),
            Timely(half_life=2.0),
        ]
    )


_POSITIVE = 5e-324
"""The smallest number above 0: neighbors must be similar at all."""


_TINY = 1e-6
"""What that study adds to every denominator."""


def _surprise(center: str | None) -> Recommender:
    return UserKNN(
        measure="msd",
        k=40,
        rule="mean",
        scope="raters",
        center=center,
        min_similarity=_POSITIVE,
        clip=True,
    )


def _surprise_basic() -> Recommender:
    """Surprise's KNNBasic: the 40 nearest raters by mean squared difference, their ratings averaged."""
    return _surprise(None)


def _surprise_means() -> Recommender:
    """Surprise's KNNWithMeans: the same of deviations from each user's mean."""
    return _surprise("mean")


def _surprise_baseline() -> Recommender:
    """Surprise's KNNBaseline: the same of deviations from the baseline μ + b_u + b_i."""
    return _surprise("baseline")


def _lenskit_user() -> Recommender:
    """LensKit's user-user: the 30 nearest raters by cosine of centered profiles, no fallback, not clipped."""
    return UserKNN(
        measure="centered_cosine",
        k=30,
        rule="mean",
        scope="raters",
        center="mean",
        min_similarity=1e-6,
        fallback=False,
    )


def _lenskit_item() -> Recommender:
    """LensKit's item-item: the 20 nearest of the user's items by cosine of centered columns."""
    return ItemKNN(
        measure="centered_cosine",
        k=20,
        rule="mean",
        scope="raters",
        center="mean",
        min_similarity=1e-6,
        fallback=False,
    )


def _mymedialite_item() -> Recommender:
    """MyMediaLite's ItemKNNPearson: shrunk correlation, the 40 nearest of the user's items, a baseline."""
    return ItemKNN(
        measure="pearson(adjust=shrink_mul1(200))",
        k=40,
        min_common=2,
        rule="mean",
        scope="raters",
        center="baseline(reg_u=12, reg_i=1)",
        min_similarity=_POSITIVE,
        clip=True,
    )


def _bars_items() -> Recommender:
    """ItemCF of the BARS benchmark (Zhu et al., SIGIR 2022): cosine, k 100, unrated counts as 0."""
    return ItemKNN(measure="cosine", k=100, rule="mean", center="zeros")


def _tois_items() -> Recommender:
    """ItemKNN of Ferrari Dacrema et al. (TOIS 2021), as tuned for citeulike-a: TF-IDF cosine, shrunk."""
    return ItemKNN(measure=f"cosine(weight=tfidf, adjust=shrink_add({999 + _TINY}))", k=594)


def _tois_users() -> Recommender:
    """UserKNN of Ferrari Dacrema et al. (TOIS 2021), as tuned for citeulike-a: Jaccard, reverse neighbors."""
    return UserKNN(measure=f"jaccard(adjust=shrink_add({_TINY}))", k=637, direction="reverse")


PRESETS: dict[str, Callable[[], Recommender]] = {
    "best": _best,
    "notebook": _notebook,
    "surprise-knnbasic": _surprise_basic,
    "surprise-knnwithmeans": _surprise_means,
    "surprise-knnbaseline": _surprise_baseline,
    "lenskit-user": _lenskit_user,
    "lenskit-item": _lenskit_item,
    "mymedialite-item-pearson": _mymedialite_item,
    "bars-itemcf": _bars_items,
    "tois-itemknn": _tois_items,
    "tois-userknn": _tois_users,
}
"""What each name stands for."""


def near_in(model: Recommender) -> Recommender:
    """Return what settings of neighbors are about: of a `Chosen` its first model, else the model itself."""
    return model.models[0] if isinstance(model, Chosen) else model


def nearest(params: Mapping[str, Any], by: str | None, changes: Mapping[str, Any]) -> Recommender:
    """Return nearest neighbors of these parameters, with what differs; ``by`` users, or "items"."""
    if by != "items":
        return UserKNN(**{**params, **changes})
    # An item has few neighbors that one user likes.
    return ItemKNN(**{**params, "min_support": 1, **changes})


def preset(name: str) -> Recommender:
    """Return the unfitted recommender of a name.

    best : of three models, two of which go by time, the one that would have done best on the latest ratings
    notebook : closest users by Euclidean distance, one item in common, likes from 7, 2n neighbors
    surprise-knnbasic : the 40 nearest raters by mean squared difference, their ratings averaged; clipped
    surprise-knnwithmeans : the same of deviations from each user's mean
    surprise-knnbaseline : the same of deviations from the baseline μ + b_u + b_i
    lenskit-user : the 30 nearest raters by cosine of centered profiles, deviations from means
    lenskit-item : the 20 nearest of the user's items by cosine of centered columns, deviations from means
    mymedialite-item-pearson : the 40 nearest of the user's items by shrunk correlation, from a baseline
    bars-itemcf : items by cosine, k 100, what is not rated counts as 0
    tois-itemknn : items by shrunk TF-IDF cosine, k 594, as tuned for citeulike-a
    tois-userknn : users by Jaccard, k 637, reverse neighbors, as tuned for citeulike-a

    Raises `ParameterError` naming the known ones for any other name.
    """
    try:
        return PRESETS[name]()
    except (KeyError, TypeError):
        raise ParameterError(
            f"Unknown preset {name!r}.", expected=f"one of {', '.join(PRESETS)}", hint="choose one of these"
        ) from None
