"""From neighbors to a recommendation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from corated.errors import ParameterError
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure
from corated.similarity.reference.formulas import is_distance
from corated.similarity.reference.pairs import Neighbor

__all__ = ["Recommendation", "Rule", "default_like", "recommend"]

Rule = Literal["closest", "votes", "weighted_votes"]


class Recommendation(NamedTuple):
    """One item in a list that is best first; ``support`` is how many of the neighbors like it."""

    item: Id
    score: float | None
    support: int


def default_like(ratings: Ratings) -> float:
    """Return the rating from which on a rating is a like: the top 30 % of the scale, rounded to a level.

    7 on 0–10 and on 1–10, 4 on 1–5; half a level rounds up. On a scale of one level and on none, every
    rating is a like: minus infinity.
    """
    if ratings.scale is None or ratings.scale.levels == 1:
        return -math.inf
    return float(ratings.scale.decode((7 * (ratings.scale.levels - 1) + 5) // 10))


def recommend(
    ratings: Ratings,
    neighbors: Sequence[Neighbor],
    *,
    user: Id,
    measure: str | Measure,
    rule: str = "votes",
    like: float | None = None,
    n: int = 10,
) -> list[Recommendation]:
    """Return up to n items for a user, out of what its neighbors like and it has not rated.

    neighbors : best first, as `neighbors` gives them for this user and this measure
    rule : ``closest``: each neighbor in turn gives the items it likes, best rated first, then by id, each
        item once, without a score; ``votes``: how many neighbors like it; ``weighted_votes``: the sum of
        those neighbors' values, of ``1 / (1 + d)`` for a distance, added up by ascending id
    like : the least rating that is a like; by default `default_like`

    Order: larger score, then more support, then the smaller id. Raises `ParameterError`, `UnknownIdError`,
    `IdTypeError` or `DataError`.
    """
    if rule not in get_args(Rule):
        raise ParameterError(f"Unknown rule {rule!r}.", expected=f"one of {', '.join(get_args(Rule))}")
    like = default_like(ratings) if like is None else like
    seen = ratings.profile(user)
    liked = [
        (
            neighbor,
            [(rating, item) for item, rating in ratings.profile(neighbor.neighbor).items() if rating >= like],
        )
        for neighbor in neighbors
    ]
    support: dict[Id, int] = {}
    score: dict[Id, float] = {}
    for neighbor, items in sorted(liked, key=lambda pair: pair[0].neighbor):
        weight = 1.0
        if rule == "weighted_votes":
            weight = 1.0 / (1.0 + neighbor.value) if is_distance(measure) else neighbor.value
        for _, item in items:
            if item not in seen:
                support[item] = support.get(item, 0) + 1
                score[item] = score.get(item, 0.0) + weight
    if rule == "closest":
        turns = [
            item for _, items in liked for _, item in sorted(items, key=lambda pair: (-pair[0], pair[1]))
        ]
        first = list(dict.fromkeys(item for item in turns if item not in seen))
        return [Recommendation(item, None, support[item]) for item in first[:n]]
    order = sorted(support, key=lambda item: (-score[item], -support[item], item))
    return [Recommendation(item, score[item], support[item]) for item in order[:n]]
