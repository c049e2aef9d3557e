"""Measures, weights and adjustments, by their own names.

    import corated as cr

    cr.neighbors(ratings, measure=cr.measures.Pearson(shrink=100))
    cr.neighbors(ratings, measure="pearson(shrink=100)")  # the same
    cr.neighbors(ratings, measure=cr.measures.Cosine(weight=cr.measures.BM25(k1=1.2, b=0.75)))

`MEASURES`, `WEIGHTS` and `ADJUSTMENTS` name what there is; `Custom` takes a function of your own.
"""

from __future__ import annotations

from corated.similarity.adjustments import (
    ADJUSTMENTS,
    Adjustment,
    LowerBound,
    ShrinkAdd,
    ShrinkMul,
    ShrinkMul1,
    Significance,
)
from corated.similarity.custom import Custom
from corated.similarity.measures import (
    MEASURES,
    MSD,
    AdjustedCosine,
    AsymmetricCosine,
    CenteredCosine,
    Conditional,
    ConstrainedPearson,
    Cosine,
    CosineCommon,
    Dice,
    Euclidean,
    Jaccard,
    LogLikelihood,
    Manhattan,
    Measure,
    Overlap,
    P3Alpha,
    Pearson,
    PearsonBaseline,
    RP3Beta,
    Spearman,
    Tversky,
    get_measure,
)
from corated.similarity.weights import BM25, WEIGHTS, Binary, Center, MinMax, TfIdf, Weight, ZScore

__all__ = [
    "ADJUSTMENTS",
    "BM25",
    "MEASURES",
    "MSD",
    "WEIGHTS",
    "AdjustedCosine",
    "Adjustment",
    "AsymmetricCosine",
    "Binary",
    "Center",
    "CenteredCosine",
    "Conditional",
    "ConstrainedPearson",
    "Cosine",
    "CosineCommon",
    "Custom",
    "Dice",
    "Euclidean",
    "Jaccard",
    "LogLikelihood",
    "LowerBound",
    "Manhattan",
    "Measure",
    "MinMax",
    "Overlap",
    "P3Alpha",
    "Pearson",
    "PearsonBaseline",
    "RP3Beta",
    "ShrinkAdd",
    "ShrinkMul",
    "ShrinkMul1",
    "Significance",
    "Spearman",
    "TfIdf",
    "Tversky",
    "Weight",
    "ZScore",
    "get_measure",
]
