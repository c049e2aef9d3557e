"""Corated: find who rated alike, exactly, and recommend from it.

    import corated as cr

    ratings = cr.read_ratings("ratings.dat")
    graph = cr.neighbors(ratings, of="users", measure="pearson", k=40, min_common=3)
    model = cr.UserKNN(measure="cosine", k=40).fit(ratings)
    model.recommend(n=10)

Names load on first use, so that importing the package stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from corated._version import __version__

if TYPE_CHECKING:
    from corated import measures
    from corated.errors import CoratedError, CoratedNotice
    from corated.evaluation.compare import compare
    from corated.evaluation.evaluate import evaluate
    from corated.evaluation.tune import tune
    from corated.live.embedded import Embedded, open
    from corated.live.index import LiveIndex
    from corated.models.als import ALS
    from corated.models.base import Recommendations, Recommender
    from corated.models.bias import Bias
    from corated.models.biased_mf import BiasedMF
    from corated.models.blend import Blend
    from corated.models.chosen import Chosen
    from corated.models.ease import EASE
    from corated.models.explain import Explanation
    from corated.models.fallback import Fallback
    from corated.models.files import load, save
    from corated.models.graph_filter import GraphFilter
    from corated.models.graph_walk import P3Alpha, RP3Beta
    from corated.models.knn import ItemKNN, UserKNN
    from corated.models.kriging import Kriging
    from corated.models.popularity import Popularity
    from corated.models.presets import preset
    from corated.models.timely import Timely
    from corated.neighborhood.all_pairs import all_pairs
    from corated.neighborhood.diagnose import diagnose
    from corated.neighborhood.graph import Neighbors, neighbors
    from corated.neighborhood.pair import pair
    from corated.neighborhood.plan import plan
    from corated.ratings.catalog import Catalog, read_catalog
    from corated.ratings.fetch import fetch
    from corated.ratings.ratings import Ratings
    from corated.ratings.read import read_ratings
    from corated.ratings.sample import sample
    from corated.ratings.scale import Scale

__all__ = [
    "ALS",
    "EASE",
    "Bias",
    "BiasedMF",
    "Blend",
    "Catalog",
    "Chosen",
    "CoratedError",
    "CoratedNotice",
    "Embedded",
    "Explanation",
    "Fallback",
    "GraphFilter",
    "ItemKNN",
    "Kriging",
    "LiveIndex",
    "Neighbors",
    "P3Alpha",
    "Popularity",
    "RP3Beta",
    "Ratings",
    "Recommendations",
    "Recommender",
    "Scale",
    "Timely",
    "UserKNN",
    "__version__",
    "all_pairs",
    "compare",
    "diagnose",
    "evaluate",
    "fetch",
    "load",
    "measures",
    "neighbors",
    "open",
    "pair",
    "plan",
    "preset",
    "read_catalog",
    "read_ratings",
    "sample",
    "save",
    "tune",
]

_HOME = {
    "Catalog": "corated.ratings.catalog",
    "CoratedError": "corated.errors",
    "CoratedNotice": "corated.errors",
    "Explanation": "corated.models.explain",
    "Fallback": "corated.models.fallback",
    "GraphFilter": "corated.models.graph_filter",
    "ItemKNN": "corated.models.knn",
    "Kriging": "corated.models.kriging",
    "Embedded": "corated.live.embedded",
    "LiveIndex": "corated.live.index",
    "open": "corated.live.embedded",
    "Neighbors": "corated.neighborhood.graph",
    "EASE": "corated.models.ease",
    "P3Alpha": "corated.models.graph_walk",
    "RP3Beta": "corated.models.graph_walk",
    "ALS": "corated.models.als",
    "Bias": "corated.models.bias",
    "BiasedMF": "corated.models.biased_mf",
    "Blend": "corated.models.blend",
    "Chosen": "corated.models.chosen",
    "Popularity": "corated.models.popularity",
    "Ratings": "corated.ratings.ratings",
    "Recommendations": "corated.models.base",
    "Recommender": "corated.models.base",
    "Scale": "corated.ratings.scale",
    "Timely": "corated.models.timely",
    "UserKNN": "corated.models.knn",
    "all_pairs": "corated.neighborhood.all_pairs",
    "compare": "corated.evaluation.compare",
    "diagnose": "corated.neighborhood.diagnose",
    "evaluate": "corated.evaluation.evaluate",
    "fetch": "corated.ratings.fetch",
    "load": "corated.models.files",
    "measures": "corated.measures",
    "neighbors": "corated.neighborhood.graph",
    "pair": "corated.neighborhood.pair",
    "plan": "corated.neighborhood.plan",
    "preset": "corated.models.presets",
    "read_catalog": "corated.ratings.catalog",
    "read_ratings": "corated.ratings.read",
    "sample": "corated.ratings.sample",
    "save": "corated.models.files",
    "tune": "corated.evaluation.tune",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'corated' has no attribute {name!r}")
    home = import_module(_HOME[name])
    value = home if home.__name__ == f"corated.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
