"""Metrics of accuracy: how well lists and predicted ratings agree with what was held out.

Every metric of lists gives a value for each user, NaN for those without a relevant item (or where it has no
value for another reason, which its docstring says): `averaged` skips them and counts them. They are never 0.

Below, L is a user's list cut at n, T the user's relevant items, p(i) the place of i in L, from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError
from corated.evaluation.ranked import NOWHERE, Match
from corated.models.prediction import Predictions

__all__ = [
    "GAINS",
    "Averaged",
    "Gain",
    "RatingErrors",
    "auc",
    "averaged",
    "hit_rate",
    "mae",
    "map_capped",
    "map_full",
    "mrr",
    "ndcg",
    "precision",
    "rating_errors",
    "recall",
    "recall_capped",
    "rmse",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Gain = Literal["binary", "rating", "exp"]
GAINS: Final[tuple[Gain, ...]] = ("binary", "rating", "exp")
"""What a relevant item is worth: 1; its rating r; 2^r − 1."""


@dataclass(frozen=True)
class Averaged:
    """The mean over the users who have a value, how many they are, and how many have none."""

    mean: float | None
    users: int
    skipped: int


def averaged(per_user: Floats) -> Averaged:
    """Average over users; those without a value (NaN) are skipped, never taken as 0."""
    has = ~np.isnan(per_user)
    users = int(has.sum())
    return Averaged(float(per_user[has].mean()) if users else None, users, len(per_user) - users)


def precision(match: Match, n: int) -> Floats:
    """Return |L ∩ T| / n, also where the list is shorter than n (trec_eval's P@n)."""
    return _divided(match.hits(n).astype(np.float64), np.where(match.relevance.counts > 0, n, 0))


def recall(match: Match, n: int) -> Floats:
    """Return |L ∩ T| / |T| (trec_eval's recall; LightGCN, BARS).

    With more than n relevant items it cannot be 1.
    """
    return _divided(match.hits(n), match.relevance.counts)


def recall_capped(match: Match, n: int) -> Floats:
    """Return |L ∩ T| / min(n, |T|) (Liang et al., WWW 2018, section 4.2: Mult-VAE). A perfect list has 1."""
    return _divided(match.hits(n), np.minimum(n, match.relevance.counts))


def hit_rate(match: Match, n: int) -> Floats:
    """Return 1 where L has a relevant item, else 0 (Deshpande and Karypis, TOIS 2004, section 6)."""
    return _divided(np.minimum(match.hits(n), 1), np.minimum(match.relevance.counts, 1))


def mrr(match: Match, n: int) -> Floats:
    """Return 1 / p of the first relevant item in L, 0 where there is none (Voorhees, TREC-8, 1999)."""
    rows, place, before = match.in_order(n)
    found = np.zeros(match.rankings.rows)
    found[rows[before == 0]] = 1.0 / (place[before == 0] + 1.0)
    return _known(match, found)


def map_full(match: Match, n: int) -> Floats:
    """Return Σ over i in L ∩ T of precision at p(i), / |T| (trec_eval's map_cut; Harman, 1992).

    `map` in the table of metrics. As with `recall`, more than n relevant items keep it below 1.
    """
    return _divided(_precisions(match, n), match.relevance.counts)


def map_capped(match: Match, n: int) -> Floats:
    """Return the same over min(n, |T|) (the Million Song Dataset Challenge, McFee et al., 2012)."""
    return _divided(_precisions(match, n), np.minimum(n, match.relevance.counts))


def ndcg(match: Match, n: int, *, gain: Gain = "binary", ideal: Literal["cut", "all"] = "cut") -> Floats:
    """Return DCG / ideal DCG, DCG = Σ over i in L ∩ T of gain(i) / log₂(p(i) + 1).

    gain : 1, the rating r, or 2^r − 1 (Burges et al., ICML 2005)
    ideal : "cut", the DCG of the best n items of T (trec_eval's ndcg_cut); or "all", that of all of T, which
        lists of n places cannot reach where T has more

    Undefined also where the ideal is 0: all that is relevant is rated 0. Raises `DataError` for gains that
    are negative or not finite. Järvelin and Kekäläinen, TOIS 2002.
    """
    relevance, rows = match.relevance, match.relevance.rows
    listed = match.listed(n)
    counts = relevance.counts
    reach = np.minimum(counts, n) if ideal == "cut" else counts
    discount = 1.0 / np.log2(np.arange(max(n, int(counts.max(initial=0)))) + 2.0)
    if gain == "binary":
        best = np.concatenate([[0.0], np.cumsum(discount)])[reach]
        gained = discount[match.place[listed]]
    else:
        gains = _gains(relevance.values, gain)
        order = np.lexsort((-gains, rows))
        position = np.arange(len(rows)) - relevance.indptr[rows]
        counted = np.where(position < reach[rows], gains[order] * discount[position], 0.0)
        best = np.bincount(rows, weights=counted, minlength=match.rankings.rows)
        gained = gains[listed] * discount[match.place[listed]]
    return _divided(np.bincount(rows[listed], weights=gained, minlength=match.rankings.rows), best)


def auc(match: Match) -> Floats:
    """Return the chance that a relevant candidate stands before one that is not, over all candidates.

    Candidates that are not listed come after the list, in no order: a pair of two of them counts a half. So
    lists of all candidates give the AUC itself, shorter ones what is known of it. Relevant items that
    training does not have are no candidates. Undefined where either kind is missing. Rendle et al., UAI 2009,
    section 4.1.

    Raises `ParameterError` where the number of candidates is not known, or smaller than what is listed.
    """
    rankings, relevance = match.rankings, match.relevance
    if rankings.candidates is None:
        raise ParameterError(
            "AUC needs the number of candidates of each user.",
            expected="Rankings with candidates",
            hint="training items less those that the user has rated there",
        )
    can = relevance.items < relevance.n_items
    rows, place = relevance.rows[can], match.place[can]
    counts = np.bincount(rows, minlength=rankings.rows)
    size = (rankings.items >= 0).sum(axis=1)
    listed = place != NOWHERE
    hits = np.bincount(rows[listed], minlength=rankings.rows)
    wrong = rankings.candidates - counts
    # Of the candidates, the list has size − hits that are wrong; at least these must be there.
    if (size - hits > wrong).any() or (rankings.items >= relevance.n_items).any():
        raise ParameterError(
            "Lists have items that are no candidates.",
            expected="lists of candidates alone",
            hint="count as candidates all items of training that may be listed",
        )
    order = np.lexsort((place, rows))
    rows, place, listed = rows[order], place[order], listed[order]
    before = np.arange(len(rows)) - np.searchsorted(rows, rows)
    passed = (size - hits)[rows]
    above = np.where(listed, np.where(listed, place, 0) - before, passed + 0.5 * (wrong[rows] - passed))
    return _divided(
        counts * wrong - np.bincount(rows, weights=above, minlength=rankings.rows), counts * wrong
    )


def rmse(value: Floats, actual: Floats) -> float:
    """Return √(mean of (value − actual)²) over all pairs at once, not user by user; NaN for no pair."""
    return float(np.sqrt(np.mean((value - actual) ** 2))) if len(value) else float("nan")


def mae(value: Floats, actual: Floats) -> float:
    """Return the mean of |value − actual| over all pairs at once, not user by user; NaN for no pair."""
    return float(np.mean(np.abs(value - actual))) if len(value) else float("nan")


@dataclass(frozen=True)
class RatingErrors:
    """Errors of predicted ratings over the pairs that have a value, and where the values came from.

    rmse, mae : None where no pair has a value
    pairs : how many have one;  without : how many have none, and are in neither
    by_status : all pairs by status, so that fallbacks are never silent
    """

    rmse: float | None
    mae: float | None
    pairs: int
    without: int
    by_status: dict[str, int]


def rating_errors(predictions: Predictions, actual: npt.ArrayLike) -> RatingErrors:
    """Compare predictions with the ratings, in the same order.

    Values are taken as they are: clipped or not is the model's setting, and so is the fallback, which moves
    the RMSE. Raises `ParameterError` for different lengths.
    """
    ratings = np.asarray(actual, dtype=np.float64)
    value = predictions.to_arrow()["value"].to_numpy()
    if ratings.shape != value.shape:
        raise ParameterError(
            f"There are {len(value):,} predictions and ratings of shape {ratings.shape}.",
            expected="one rating for each prediction",
            hint="predict for the pairs of the ratings, in their order",
        )
    has = ~np.isnan(value)
    pairs = int(has.sum())
    value, ratings = value[has], ratings[has]
    return RatingErrors(
        rmse(value, ratings) if pairs else None,
        mae(value, ratings) if pairs else None,
        pairs,
        len(has) - pairs,
        predictions.by_status,
    )


def _precisions(match: Match, n: int) -> Floats:
    """Return the sum over hits of the precision at their place."""
    rows, place, before = match.in_order(n)
    return np.bincount(rows, weights=(before + 1.0) / (place + 1.0), minlength=match.rankings.rows).astype(
        np.float64, copy=False
    )


def _gains(values: Floats, gain: str) -> Floats:
    if gain not in GAINS:
        raise ParameterError(
            f"gain={gain!r} cannot be used.",
            expected=f"one of {', '.join(GAINS)}",
            hint="choose one of these",
        )
    with np.errstate(over="ignore"):
        gains = values if gain == "rating" else np.exp2(values) - 1.0
    if (gains < 0.0).any() or not np.isfinite(gains).all():
        bad = values[(gains < 0.0) | ~np.isfinite(gains)]
        raise DataError(
            f"A rating of {bad[0]:g} has no gain: it would be negative, or larger than the largest float.",
            expected="ratings from 0 to 1,023" if gain == "exp" else "ratings of at least 0",
            hint="take the binary gain, or ratings on another scale",
        )
    return gains


def _known(match: Match, found: Floats) -> Floats:
    return np.where(match.relevance.counts > 0, found, np.nan)


def _divided(top: npt.NDArray[np.number], bottom: npt.NDArray[np.number]) -> Floats:
    """Return top / bottom, NaN where the bottom is 0."""
    found: Floats = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return found
