"""Popularity: the items that most users like, for everyone alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.history import Profile, alone
from corated.models.lists import first_ranked
from corated.models.packed import Packed
from corated.models.request import Request
from corated.models.rules import Like, age_weights, liked
from corated.ratings.ratings import Ratings

__all__ = ["FittedPopularity", "Popularity"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Popularity(Recommender):
    """Recommend what most users like, less what the user has rated.

    like : see `corated.models.knn.UserKNN`
    half_life : days in which what a like counts falls to half; None for popularity of all time
    at : the time age is counted from, and after which ratings do not count; None for the latest rating

    The score is Σ of what likes count, the support the number of users who like the item; items that nobody
    likes are not candidates.
    """

    def __init__(self, *, like: Like = None, half_life: float | None = None, at: object = None) -> None:
        self.like = like
        self.half_life = half_life
        self.at = at

    def learn(self, ratings: Ratings, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.learn`."""
        aged = age_weights(ratings, self.half_life, self.at)
        likes = liked(ratings, self.like) & (aged > 0.0)
        items = ratings.by_user.indices[likes]
        votes = np.bincount(items, minlength=ratings.n_items).astype(np.int64)
        score = np.bincount(items, weights=aged[likes], minlength=ratings.n_items).astype(np.float64)
        order = np.lexsort((-votes, -score))  # stable: then by id
        return FittedPopularity(ratings, votes, score, order[votes[order] > 0])

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - quick to make anew
        """See `Recommender.unpack`."""
        return self.learn(ratings, run)


@dataclass(frozen=True)
class FittedPopularity:
    """What everyone likes: votes and scores by item code, and the codes by rank."""

    ratings: Ratings
    votes: Int64s
    score: Floats
    order: Int64s

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        return first_ranked(self.ratings, request, self.order, self.score, self.votes, "popularity", run)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - the same for all
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        if self.votes[item] == 0:
            return Account("popularity", np.nan, reason="Nobody likes it.")
        score = float(self.score[item])
        return Account("popularity", score, (("everyone's likes", score),))

    def fold_in(self, profile: Profile, run: Run) -> Folded:  # noqa: ARG002 - nothing takes long
        """Answer for a profile; see `corated.models.base.Fitted`."""
        return Folded(replace(self, ratings=alone(self.ratings, profile)), 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed()
