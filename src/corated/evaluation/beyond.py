"""What lists are like beyond being right: coverage, novelty, popularity, variety, surprise.

Lists are int (rows, places), item codes, −1 after the end of a list, as `Rankings.cut` gives them. Items that
training does not have, which only lists from elsewhere can hold, have no popularity and are left out of it.
Values for each user are NaN where there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corated.evaluation.ranked import Match, Rankings
from corated.ratings.ratings import Ratings

__all__ = [
    "catalog_coverage",
    "exposure",
    "gini",
    "intra_list_diversity",
    "novelty",
    "personalization",
    "popularity_lift",
    "serendipity",
    "user_coverage",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Items = npt.NDArray[Any]

_PAIRS = 1 << 17
"""Pairs of places that are compared at a time: what stays in the cache."""


def exposure(items: Items, n_items: int) -> Int64s:
    """Count the lists that each item is in: int64 (n_items,)."""
    return np.bincount(items[(items >= 0) & (items < n_items)], minlength=n_items).astype(
        np.int64, copy=False
    )


def catalog_coverage(items: Items, n_items: int) -> float:
    """Return the share of the training items that are in some list (Ge et al., RecSys 2010, section 2.2)."""
    return float((exposure(items, n_items) > 0).mean())


def user_coverage(items: Items) -> float:
    """Return the share of users whose list is not empty (Herlocker et al., TOIS 2004, section 4.1)."""
    return float((items[:, :1] >= 0).any(axis=1).mean()) if len(items) else float("nan")


def novelty(items: Items, train: Ratings) -> Floats:
    """Return each user's mean of −log₂(share of the training users who rated the item), in bits.

    Zhou et al., PNAS 2010: self-information. 0 is what everybody knows. Undefined for an empty list.
    """
    return _mean_of(items, -np.log2(train.item_counts / train.n_users))


def popularity_lift(items: Items, train: Ratings, users: Int64s) -> Floats:
    """Return the mean popularity of each user's list over that of the user's training profile.

    users : the training code of each row, −1 for a new user

    Popularity is the number of training ratings. 1: as popular as the user's own taste; 2: twice. It is
    1 plus the ΔGAP of Abdollahpouri et al. (RMSE workshop at RecSys 2019), there for groups, here user by
    user. Undefined for empty lists and new users.
    """
    popularity = train.item_counts.astype(np.float64)
    rows = np.repeat(np.arange(train.n_users), train.user_counts)
    own = np.bincount(rows, weights=popularity[train.by_user.indices], minlength=train.n_users)
    of_profile = np.append(own / train.user_counts, np.nan)  # −1 is the last
    lift: Floats = _mean_of(items, popularity) / of_profile[users]
    return lift


def gini(items: Items, n_items: int) -> float:
    """Return the Gini coefficient of `exposure`: 0 where all items are listed equally often, near 1 for one.

    Σ_k (2k − N − 1) e_k / (N Σ e), e ascending, k from 1 (Fleder and Hosanagar, Management Science 2009). NaN
    where nothing is listed.
    """
    counts = np.sort(exposure(items, n_items)).astype(np.float64)
    k, total = np.arange(1, n_items + 1), counts.sum()
    return float(((2 * k - n_items - 1) * counts).sum() / (n_items * total)) if total else float("nan")


def intra_list_diversity(items: Items, genres: Bools) -> Floats:
    """Return each user's mean over the pairs in the list of 1 − Jaccard of their genres.

    genres : bool (n_items, genres), such as `corated.models.filters.genre_bits` gives

    Pairs in which an item has no genre are left out; undefined where no pair is left. Ziegler et al.,
    WWW 2005; Smyth and McClave, ICCBR 2001.
    """
    # The last item has no genre, and stands for what is no item: pairs with it count nothing.
    genres = np.append(genres, np.zeros((1, genres.shape[1]), dtype=np.bool_), axis=0).astype(np.float32)
    last, places = len(genres) - 1, items.shape[1]
    size = genres.sum(axis=1)
    total, described = np.zeros(len(items)), np.zeros(len(items))
    step = max(1, _PAIRS // max(places * places, 1))
    for start in range(0, len(items), step):
        part = items[start : start + step]
        part = np.where((part >= 0) & (part < last), part, last)
        of, sizes = genres[part], size[part]
        both = of @ of.transpose(0, 2, 1)
        either = sizes[:, :, None] + sizes[:, None, :] - both
        # One with itself has a Jaccard of 1, so pairs of two different places are what is above that.
        alike = np.divide(both, either, out=np.zeros_like(both), where=both > 0).sum(
            axis=(1, 2), dtype=np.float64
        )
        counts = (sizes > 0).sum(axis=1)
        described[start : start + step] = counts
        total[start : start + step] = counts * (counts - 1.0) - (alike - counts)
    return _divided(total, described * (described - 1.0))


def serendipity(match: Match, baseline: Rankings, n: int) -> Floats:
    """Return |{i in L : i relevant, i not in B}| / n, B what popularity lists for the same user, cut at n.

    What is right and would not have been told anyway (Ge et al., RecSys 2010, section 2.3, with popularity as
    the primitive recommender). Undefined for users without a relevant item.
    """
    listed = match.listed(n)
    rows, items = match.relevance.rows[listed], match.relevance.items[listed]
    expected = (baseline.cut(n)[rows] == items[:, None]).any(axis=1)
    found = np.bincount(rows[~expected], minlength=match.rankings.rows)
    return np.where(match.relevance.counts > 0, found / n, np.nan)


def personalization(items: Items, n: int) -> float:
    """Return the mean over pairs of users of 1 − |L_u ∩ L_v| / n, among the users whose list is not empty.

    Zhou et al., PNAS 2010: h(n). 0: all get the same n items; 1: no two get the same. NaN for fewer than two.
    """
    listed = items[items >= 0].astype(np.int64)
    users, counts = int((items >= 0).any(axis=1).sum()), np.bincount(listed).astype(np.float64)
    shared = (counts * (counts - 1.0)).sum()  # over ordered pairs
    return float(1.0 - shared / (n * users * (users - 1.0))) if users > 1 else float("nan")


def _mean_of(items: Items, of_item: Floats) -> Floats:
    """Return each list's mean of a number that items have; NaN for none."""
    known = (items >= 0) & (items < len(of_item))
    values = np.where(known, of_item[np.where(known, items, 0)], 0.0)
    return _divided(values.sum(axis=1), known.sum(axis=1))


def _divided(top: Floats, bottom: npt.NDArray[Any]) -> Floats:
    """Return top / bottom, NaN where the bottom is 0."""
    found: Floats = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return found
