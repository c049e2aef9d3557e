"""Strata: for whom, and for what, a model does well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.evaluation.split import Split
from corated.ratings.ratings import Ratings

__all__ = ["FEW", "Strata", "strata"]

Bools = npt.NDArray[np.bool_]

FEW = 3
"""Training ratings up to which a user counts as new."""
_HEAD = 0.5
_HEAVY = 0.9


@dataclass(frozen=True)
class Strata:
    """Masks of the test's users and items; those of users part all users, those of items all items.

    users : ``new``, with at most three ratings in training, none included; ``heavy``, who have more, and at
        least as many as the user at the 90 % quantile of the training users; ``light``, all others
    items : ``popular``, the fewest items that have half of the training ratings, counted from the most rated,
        equals by id; ``rare``, all others, those that training does not have included

    Masks are bool (test.n_users,) and bool (test.n_items,), by ascending id.
    """

    users: dict[str, Bools]
    items: dict[str, Bools]


def strata(split: Split) -> Strata:
    """Part the users and the items of a test by what training has of them."""
    train = split.train
    counts = np.append(train.user_counts, 0)[split.user_codes]  # −1, a new user, is the last
    ordered = np.sort(train.user_counts)
    many = ordered[int(np.ceil(_HEAVY * len(ordered) - 1e-9)) - 1]
    new = counts <= FEW
    heavy = ~new & (counts >= many)
    popular = np.append(head(train), False)[np.minimum(split.item_codes, train.n_items)]
    return Strata(
        {"new": new, "light": ~new & ~heavy, "heavy": heavy}, {"popular": popular, "rare": ~popular}
    )


def head(train: Ratings) -> Bools:
    """Tell which items are the fewest that have half of the ratings: bool (n_items,)."""
    counts = train.item_counts
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    found = np.zeros(train.n_items, dtype=np.bool_)
    found[order] = before < _HEAD * train.n_ratings
    return found
