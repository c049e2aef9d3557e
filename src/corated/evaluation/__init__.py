"""Evaluation: splits that say what they leak, and metrics that say what they mean.

from corated import evaluation as ev

cr.evaluate(model, ratings)                       # split, fit, answer, judge
cr.compare({"near": model, "walk": other}, ratings)
cr.tune(cr.UserKNN, {"k": (10, 500, "log")}, ratings)

split = ev.by_time(ratings, quantile=0.8)         # the same by hand
model.fit(split.train)
found = ev.match(ev.rankings_of(split, model.recommend(), n=10), ev.relevance_of(split))
ev.averaged(ev.ndcg(found, 10))
"""

from corated.evaluation.beyond import (
    catalog_coverage,
    exposure,
    gini,
    intra_list_diversity,
    novelty,
    personalization,
    popularity_lift,
    serendipity,
    user_coverage,
)
from corated.evaluation.compare import Comparison, compare
from corated.evaluation.evaluate import Evaluation, evaluate
from corated.evaluation.inference import Paired, bootstrap_interval, holm, paired
from corated.evaluation.metrics import (
    Averaged,
    RatingErrors,
    auc,
    averaged,
    hit_rate,
    mae,
    map_capped,
    map_full,
    mrr,
    ndcg,
    precision,
    rating_errors,
    recall,
    recall_capped,
    rmse,
)
from corated.evaluation.prequential import Prequential, prequential
from corated.evaluation.ranked import Match, Rankings, Relevance, match, rankings_of, relevance_of
from corated.evaluation.split import Split, given
from corated.evaluation.splits import (
    Folds,
    at_random,
    by_time,
    folds_from_files,
    k_folds,
    leave_last,
    leave_one_out,
    surprise_folds,
)
from corated.evaluation.strata import Strata, strata
from corated.evaluation.table import METRICS, Asked, Case, Metric, Value, get_metric, get_metrics
from corated.evaluation.tune import Tuning, tune

__all__ = [
    "METRICS",
    "Asked",
    "Averaged",
    "Case",
    "Comparison",
    "Evaluation",
    "Folds",
    "Match",
    "Metric",
    "Paired",
    "Prequential",
    "Rankings",
    "RatingErrors",
    "Relevance",
    "Split",
    "Strata",
    "Tuning",
    "Value",
    "at_random",
    "auc",
    "averaged",
    "bootstrap_interval",
    "by_time",
    "catalog_coverage",
    "compare",
    "evaluate",
    "exposure",
    "folds_from_files",
    "get_metric",
    "get_metrics",
    "gini",
    "given",
    "hit_rate",
    "holm",
    "intra_list_diversity",
    "k_folds",
    "leave_last",
    "leave_one_out",
    "mae",
    "map_capped",
    "map_full",
    "match",
    "mrr",
    "ndcg",
    "novelty",
    "paired",
    "personalization",
    "popularity_lift",
    "precision",
    "prequential",
    "rankings_of",
    "rating_errors",
    "recall",
    "recall_capped",
    "relevance_of",
    "rmse",
    "serendipity",
    "strata",
    "surprise_folds",
    "tune",
    "user_coverage",
]
