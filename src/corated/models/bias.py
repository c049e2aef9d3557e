"""Bias: the mean of all ratings, and how far each user and item lies above it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.centering import Baseline, Centered
from corated.models.history import Profile, alone
from corated.models.lists import first_ranked
from corated.models.packed import Packed
from corated.models.prediction import OK, UNKNOWN_ITEM, UNKNOWN_USER, Predicted
from corated.models.request import Request
from corated.models.settings import check_switch
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
        return self._fitted_to(ratings, made)

    def _fitted_to(self, ratings: Ratings, made: Centered) -> Fitted:
        counts = ratings.item_counts
        order = np.lexsort((-counts, -made.item))  # stable: then by id
        return _FittedBias(ratings, made, counts, order[counts[order] > 0], check_switch("clip", self.clip))

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.unpack`."""
        user, item, nothing = packed.arrays["user"], packed.arrays["item"], np.zeros(0)
        reg_u, mu = float(self.reg_u), float(packed.facts["mu"])
        return self._fitted_to(ratings, Centered(nothing, mu, user, item, known_alone=True, reg_user=reg_u))


@dataclass(frozen=True)
class _FittedBias:
    ratings: Ratings
    baseline: Centered
    counts: Int64s
    order: Int64s
    clip: bool

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        fit = self.baseline
        found = first_ranked(self.ratings, request, self.order, fit.item, self.counts, "bias", run)
        found.lists.score[:] = fit.mu + np.repeat(fit.user[request.codes], found.n) + found.lists.score
        return found

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:  # noqa: ARG002 - nothing takes long
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        value = self.baseline.expected(users, items)
        if self.clip and self.ratings.scale is not None:
            np.clip(value, self.ratings.scale.low, self.ratings.scale.high, out=value)
        status = np.full(len(users), OK, dtype=np.uint8)
        status[items < 0] = UNKNOWN_ITEM
        status[users < 0] = UNKNOWN_USER
        support = np.where(items >= 0, self.counts[np.maximum(items, 0)], 0)
        return Predicted(value, support.astype(np.int64), status)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - nothing to find
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        fit = self.baseline
        of_user, of_item = float(fit.user[user]), float(fit.item[item])
        terms = (
            ("mean of all ratings", fit.mu),
            ("the user above it", of_user),
            ("the item above it", of_item),
        )
        return Account("bias", fit.mu + of_user + of_item, terms)

    def fold_in(self, profile: Profile, run: Run) -> Folded:  # noqa: ARG002 - nothing takes long
        """Answer for a profile: its own part from what the items leave, as the last half round gives it."""
        baseline = self.baseline.of_newcomer(profile.items, profile.values)
        return Folded(replace(self, ratings=alone(self.ratings, profile), baseline=baseline), 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        fit = self.baseline
        return Packed({"user": fit.user, "item": fit.item}, {"mu": fit.mu})
