"""Rules: how neighbors become recommendations, and what counts as a like."""

from __future__ import annotations

import math
import warnings
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

from corated.errors import CoratedNotice, DataError, ParameterError
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure

__all__ = [
    "DAY",
    "DIRECTIONS",
    "RULES",
    "SCOPES",
    "Direction",
    "Like",
    "Rule",
    "Scope",
    "age_weights",
    "check_amount",
    "check_direction",
    "check_like",
    "check_rule",
    "check_scope",
    "default_like",
    "instant",
    "liked",
    "weights",
]

Rule = Literal["closest", "votes", "weighted_votes", "sum", "mean"]
Scope = Literal["all", "raters"]
Direction = Literal["forward", "reverse"]
Like = float | Literal["mean"] | None

RULES: tuple[Rule, ...] = ("closest", "votes", "weighted_votes", "sum", "mean")
"""``closest``: neighbors from closest to farthest, each with the items it likes, best rated first.
``votes``: the number of neighbors who like the item. ``weighted_votes``: the sum of their similarities.
``sum``: Σ similarity × rating, of all who rated it. ``mean``: the rating that is expected: the center, and
Σ similarity × deviation over Σ |similarity|; see `corated.models.centering`.
"""


SCOPES: tuple[Scope, ...] = ("all", "raters")
"""``all``: the k closest of all. ``raters``: the k closest of those who rated the item (for items: of what
the user rated).
"""


DIRECTIONS: tuple[Direction, ...] = ("forward", "reverse")
"""``forward``: u's neighbors are u's k closest. ``reverse``: those who have u among their k closest, however
many they are.
"""


def check_direction(direction: str) -> Direction:
    """Return the direction of a name; raises `ParameterError` naming the known ones."""
    for known in DIRECTIONS:
        if isinstance(direction, str) and direction == known:
            return known
    raise ParameterError(
        f"Unknown direction {direction!r}.",
        expected=f"one of {', '.join(DIRECTIONS)}",
        hint="choose one of these",
    )


def check_scope(scope: str) -> Scope:
    """Return the scope of a name; raises `ParameterError` naming the known ones."""
    for known in SCOPES:
        if isinstance(scope, str) and scope == known:
            return known
    raise ParameterError(
        f"Unknown scope {scope!r}.", expected=f"one of {', '.join(SCOPES)}", hint="choose one of these"
    )


def check_rule(rule: str) -> Rule:
    """Return the rule of a name; raises `ParameterError` naming the known ones."""
    for known in RULES:
        if isinstance(rule, str) and rule == known:
            return known
    raise ParameterError(
        f"Unknown rule {rule!r}.", expected=f"one of {', '.join(RULES)}", hint="choose one of these"
    )


def check_like(like: object) -> Like:
    """Return a like setting: a rating, ``"mean"`` or None; raises `ParameterError` otherwise."""
    if like is None or (isinstance(like, str) and like == "mean"):
        return "mean" if like == "mean" else None
    if isinstance(like, int | float | np.number) and _is_finite(like):
        return float(like)
    raise ParameterError(
        f"like={like!r} cannot be used.",
        expected='a rating, "mean" for each user\'s own mean, or None for the top 30 % of the scale',
        hint="try like=7 on a scale to 10, like=4 on a scale to 5",
    )


def default_like(ratings: Ratings) -> float:
    """Return the lowest rating of the top 30 % of the scale, rounded to a level, halves up.

    7 on 0–10 and 1–10, 4 on 1–5. On a scale of one level, and without a scale (play counts), every
    rating is a like: minus infinity.
    """
    scale = ratings.scale
    if scale is None or scale.levels == 1:
        return -np.inf
    code = (7 * (scale.levels - 1) + 5) // 10
    return float(scale.decode(np.array([code], dtype=np.uint8))[0])


def liked(ratings: Ratings, like: Like) -> npt.NDArray[np.bool_]:
    """Tell for each rating, in ``by_user`` order, whether its user likes the item: rating ≥ like.

    Warns with `CoratedNotice` where ``like`` is above the scale, so that nobody likes anything.
    """
    like = check_like(like)
    values = ratings.values
    if like == "mean":
        rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        counts = np.maximum(ratings.user_counts, 1)  # somebody who is folded in may have rated nothing
        means = np.bincount(rows, weights=values, minlength=ratings.n_users) / counts
        # The mean of equal ratings can come out some units in the last place above them.
        means -= 1e-9 * np.maximum(1.0, np.abs(means))
        return np.asarray(values >= means[rows])
    least = default_like(ratings) if like is None else like
    if ratings.scale is not None and least > ratings.scale.high:
        warnings.warn(
            f"Nobody likes anything: like={least:g}, and the scale ends at {ratings.scale.high:g}. "
            f"Pass like={default_like(ratings):g}, or bring the ratings to the scale that is meant.",
            CoratedNotice,
            stacklevel=2,
        )
    return np.asarray(values >= least)


DAY = 86_400_000_000
"""Microseconds."""


def age_weights(ratings: Ratings, half_life: float | None, at: object = None) -> npt.NDArray[np.float64]:
    """Return what each rating counts by its age, in ``by_user`` order: 2^(−age / half_life).

    half_life : days; None where age plays no part, and all count 1
    at : the time from which age is counted, a datetime or its ISO text (UTC where it names no zone); None for
        the latest rating. Later ratings count 0.

    Raises `ParameterError` for what is no half-life or time, `DataError` for ratings without times.
    """
    if half_life is not None:
        half_life = check_amount("half_life", half_life, "a number of days above 0", above=0.0)
    if half_life is None and at is None:
        return np.ones(ratings.n_ratings)
    if ratings.times is None:
        raise DataError(
            "Ratings have an age where they have times, and these have none.",
            expected="a column of times",
            hint="read the ratings with their times, or leave half_life and at out",
        )
    now = int(ratings.times.max(initial=0)) if at is None else instant(at)
    age = (now - ratings.times) / DAY
    weight = np.ones(len(age)) if half_life is None else np.exp2(-np.maximum(age, 0.0) / half_life)
    return np.where(ratings.times > now, 0.0, weight)


def instant(at: object, *, hint: str = "leave it out to count age from the latest rating") -> int:
    """Return a time, a datetime or its ISO text, as UTC microseconds; raises `ParameterError`."""
    try:
        if isinstance(at, str):
            at = datetime.fromisoformat(at)
        if isinstance(at, np.datetime64) and not np.isnat(at):
            return int(at.astype("M8[us]").astype(np.int64))
        if isinstance(at, datetime):
            given = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
            return (given - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        pass
    raise ParameterError(
        f"at={at!r} is no time.",
        expected='a datetime, or text such as "2026-01-31" or "2026-01-31T12:00+01:00"',
        hint=hint,
    )


_MOST = 1e12
"""The largest amount that makes sense; beyond, scores would leave what numbers can tell apart."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_amount(
    name: str, value: object, expected: str, *, least: float = -np.inf, above: float = -np.inf
) -> float:
    """Return a parameter that is a finite number, and large enough; raises `ParameterError` otherwise."""
    is_number = isinstance(value, int | float | np.number) and _is_finite(value) and value <= _MOST
    if not is_number or value < least or value <= above:  # type: ignore[operator]
        raise ParameterError(
            f"{name}={value!r} cannot be used.", expected=expected, hint=f"see {name} in the documentation"
        )
    return float(value)  # type: ignore[arg-type]


def _is_finite(value: float | np.number) -> bool:
    """Tell whether something is a number, not a truth value, and within float64."""
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except (OverflowError, TypeError):
        return False


def weights(rule: Rule, measure: Measure, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what a neighbor's like weighs: 1, or its similarity, 1/(1+d) for a distance d.

    value : as seen by the subject whose neighbors they are, which matters where a measure is not symmetric
    """
    if rule in {"closest", "votes"}:
        return np.ones_like(value)
    return value if measure.better == "larger" else 1.0 / (1.0 + value)
