"""Popularity: the items that most users like, for everyone alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.models.base import Answer, Fitted, Recommender, Run
from corated.models.kernels import pick_ranked
from corated.models.lists import make_seen, new_lists, over_users
from corated.models.rules import Like, liked
from corated.neighborhood.run import Flag
from corated.ratings.ratings import Ratings

__all__ = ["Popularity"]

Int64s = npt.NDArray[np.int64]


class Popularity(Recommender):
    """Recommend what most users like, less what the user has rated.

    like : see `corated.models.knn.UserKNN`

    Score and support are the number of users who like the item; items that nobody likes are not candidates.
    """

    def __init__(self, *, like: Like = None) -> None:
        self.like = like

    def learn(self, ratings: Ratings, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.learn`."""
        likes = liked(ratings, self.like)
        votes = np.bincount(ratings.by_user.indices[likes], minlength=ratings.n_items).astype(np.int64)
        order = np.argsort(-votes, kind="stable")
        return _FittedPopularity(ratings, votes, order[votes[order] > 0])


@dataclass(frozen=True)
class _FittedPopularity:
    ratings: Ratings
    votes: Int64s
    order: Int64s

    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `corated.models.base.Fitted`."""
        ratings, votes = self.ratings, self.votes
        n = min(n, ratings.n_items)
        seen, lists = make_seen(ratings, len(codes), taken), new_lists(len(codes), n)
        score = votes.astype(np.float64)

        def work(mark: Int64s, users: Int64s, first: int, flag: Flag) -> None:
            pick_ranked(users, first, self.order, score, votes, seen, n, mark, lists, flag)

        over_users(codes, lambda: np.zeros(ratings.n_items, dtype=np.int64), work, run)
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), ("popularity",), (True,))
