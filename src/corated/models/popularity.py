"""Popularity: the items that most users like, for everyone alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corated.models.base import Answer, Recommender, Run
from corated.models.kernels import pick_ranked
from corated.models.lists import make_seen, new_lists, over_users
from corated.models.rules import Like, check_like, liked
from corated.neighborhood.run import Flag
from corated.ratings.ratings import Ratings

__all__ = ["Popularity"]


class Popularity(Recommender):
    """Recommend what most users like, less what the user has rated.

    like : see `corated.models.knn.UserKNN`

    Score and support are the number of users who like the item; items that nobody likes are not candidates.
    """

    def __init__(self, *, like: Like = None) -> None:
        self.like = like
        self._votes: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def _fit(self, ratings: Ratings, run: Run) -> None:  # noqa: ARG002 - nothing takes long
        likes = liked(ratings, check_like(self.like))
        self._votes = np.bincount(ratings.by_user.indices[likes], minlength=ratings.n_items).astype(np.int64)

    def answer(self, codes: npt.NDArray[np.int64], n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `Recommender.answer`."""
        ratings, votes = self.ratings, self._votes
        order = np.argsort(-votes, kind="stable")
        order = order[votes[order] > 0]
        seen, lists, score = (
            make_seen(ratings, len(codes), taken),
            new_lists(len(codes), n),
            votes.astype(np.float64),
        )

        def work(mark: npt.NDArray[np.int64], users: npt.NDArray[np.int64], first: int, flag: Flag) -> None:
            pick_ranked(users, first, order, score, votes, seen, n, mark, lists, flag)

        over_users(codes, lambda: np.zeros(ratings.n_items, dtype=np.int64), work, run)
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), ("popularity",), (True,))
