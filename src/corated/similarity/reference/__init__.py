"""The slow, obvious version of everything: the definition that every fast path is compared with.

Each measure, weight and adjustment is stated here a second time, from the ratings themselves and apart from
the kernels, the functions they compile, and `corated.similarity.values`; of a record only the name and the
parameters are read. Sums are exact integers where the ratings are on a scale and the measure is of them, else
sums of floats rounded once (`math.fsum`); a selection is Python's ``sorted``. Nothing is packed, relabeled,
cached or shared between threads. Ids are the caller's.

A value is one expression in float64, each integer turned into a float before anything is multiplied: the
quotient of the measure, with what ``shrink_add`` adds put last in the denominator, and then the quotient
times the factor of an adjustment, which is computed first. So a measure of integers with + − × ÷ √ has the
same bits in the kernels. Powers, logarithms and sums of floats agree within 1e-12.

It is quick enough to check hundreds of subjects of a hundred thousand ratings in seconds, and no more.
"""

from __future__ import annotations

from corated.similarity.reference.formulas import Answer, Reason, Sums, is_distance
from corated.similarity.reference.lists import Recommendation, Rule, default_like, recommend
from corated.similarity.reference.pairs import CoRated, Neighbor, co_rated, merge, neighbors, sums, value

__all__ = [
    "Answer",
    "CoRated",
    "Neighbor",
    "Reason",
    "Recommendation",
    "Rule",
    "Sums",
    "co_rated",
    "default_like",
    "is_distance",
    "merge",
    "neighbors",
    "recommend",
    "sums",
    "value",
]
