"""The same kernels on a cluster: neighbors, pairs and recommendations from and to Spark DataFrames.

    import corated.spark as cs

    ratings = cs.read("hdfs://…/ratings.parquet", work="/shared/run-1")
    graph = cs.neighbors(ratings, of="users", measure="pearson", k=40, min_common=3)

pyspark is imported by the first call; without it there is a `MissingExtraError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corated.spark.judging import Evaluation, evaluate
    from corated.spark.lists import recommend
    from corated.spark.pairs import all_pairs
    from corated.spark.planning import Plan, plan
    from corated.spark.ratings import SparkRatings, read
    from corated.spark.search import neighbors
    from corated.spark.sessions import session

__all__ = [
    "Evaluation",
    "Plan",
    "SparkRatings",
    "all_pairs",
    "evaluate",
    "neighbors",
    "plan",
    "read",
    "recommend",
    "session",
]

_HOME = {
    "Evaluation": "judging",
    "Plan": "planning",
    "SparkRatings": "ratings",
    "all_pairs": "pairs",
    "evaluate": "judging",
    "neighbors": "search",
    "plan": "planning",
    "read": "ratings",
    "recommend": "lists",
    "session": "sessions",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'corated.spark' has no attribute {name!r}")
    value = getattr(import_module(f"corated.spark.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
