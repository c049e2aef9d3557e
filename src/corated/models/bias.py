"""Bias: the mean of all ratings, and how far each user and item lies above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.models.base import Answer, Fitted, Recommender, Run
from corated.models.centering import Baseline, Centered
from corated.models.kernels import pick_ranked
from corated.models.lists import make_seen, new_lists, over_users
from corated.models.prediction import OK, UNKNOWN_ITEM, UNKNOWN_USER, Predicted
from corated.neighborhood.run import Flag
from corated.ratings.ratings import Ratings

__all__ = ["Bias"]

Int64s = npt.NDArray[np.int64]


class Bias(Recommender):
    """Predict μ + b_u + b_i; recommend the items that lie highest, the same order for everyone.

    epochs : rounds of alternating least squares, items first; 1 is the closed form of damped means
    reg_u, reg_i : ratings at the mean that are added to each user's and each item's
    clip : whether predicted ratings are cut to the scale

    Nothing personal, so what everything else is measured against. ``support`` is the number of the item's
    ratings. Koren, TKDD 2010, section 2.1.
    """

    def __init__(
        self, *, epochs: int = 10, reg_u: float = 15.0, reg_i: float = 10.0, clip: bool = False
    ) -> None:
        self.epochs = epochs
        self.reg_u = reg_u
        self.reg_i = reg_i
        self.clip = clip

    def learn(self, ratings: Ratings, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.learn`."""
        made = Baseline(epochs=self.epochs, reg_u=self.reg_u, reg_i=self.reg_i).of(ratings, "users")
        order = np.lexsort((-ratings.item_counts, -made.item))  # stable: then by id
        return _FittedBias(ratings, made, order[ratings.item_counts[order] > 0], bool(self.clip))


@dataclass(frozen=True)
class _FittedBias:
    ratings: Ratings
    baseline: Centered
    order: Int64s
    clip: bool

    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `corated.models.base.Fitted`."""
        ratings, fit = self.ratings, self.baseline
        n = min(n, ratings.n_items)
        seen, lists = make_seen(ratings, len(codes), taken), new_lists(len(codes), n)
        counts = ratings.item_counts.astype(np.int64)

        def work(mark: Int64s, users: Int64s, first: int, flag: Flag) -> None:
            pick_ranked(users, first, self.order, fit.item, counts, seen, n, mark, lists, flag)

        over_users(codes, lambda: np.zeros(ratings.n_items, dtype=np.int64), work, run)
        lists.score[:] = fit.mu + np.repeat(fit.user[codes], n) + lists.score
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), ("bias",), (True,))

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:  # noqa: ARG002 - nothing takes long
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        value = self.baseline.expected(users, items)
        if self.clip and self.ratings.scale is not None:
            np.clip(value, self.ratings.scale.low, self.ratings.scale.high, out=value)
        status = np.full(len(users), OK, dtype=np.uint8)
        status[items < 0] = UNKNOWN_ITEM
        status[users < 0] = UNKNOWN_USER
        support = np.where(items >= 0, self.ratings.item_counts[np.maximum(items, 0)], 0)
        return Predicted(value, support.astype(np.int64), status)
