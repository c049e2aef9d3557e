"""Biased matrix factorization: a rating is what is usual for user and item, and how their factors agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.factor_kernels import Entries, Ridge
from corated.models.factors import Scorer, check_memory, fixed, of_own, shares, solved
from corated.models.history import Profile, alone
from corated.models.lists import best_scored
from corated.models.packed import Packed
from corated.models.prediction import OK, UNKNOWN_ITEM, UNKNOWN_USER, Predicted
from corated.models.request import Request
from corated.models.rules import check_amount
from corated.models.settings import check_switch
from corated.neighborhood.engine import check_count
from corated.ratings.ratings import Ratings
from corated.similarity.values import ROUNDING

__all__ = ["BiasedMF"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_START = 0.1
"""The standard deviation of the users' factors before the first epoch."""


class BiasedMF(Recommender):
    """Predict μ + b_u + b_i + p_u · q_i; recommend the items with the highest of these.

    factors : the length of p_u and q_i
    epochs : rounds of alternating least squares: all items, then all users
    reg : what a squared factor costs; reg_u, reg_i : what the square of a user's and an item's own part costs
    clip : whether predicted ratings are cut to the scale; lists are ranked unclipped
    seed : of the users' factors before the first round

    Minimizes Σ (r − μ − b_u − b_i − p_u · q_i)² + reg (|p_u|² + |q_i|²) + reg_u b_u² + reg_i b_i², with
    ratings in units of their standard deviation, so that ``reg`` is right for any scale. In each round every
    item's (b_i, q_i), then every user's (b_u, p_u), is the exact solution of a ridge regression with the
    others as they are. Users come last, so that somebody who is folded in gets, bit for bit, what a user of
    the data with the same ratings has. ``support`` is the number of the item's ratings; items without any
    are not candidates. Seeded, and within 1e-6 on other machines. Koren, Bell and Volinsky, "Matrix
    factorization techniques for recommender systems", IEEE Computer 2009.
    """

    def __init__(
        self,
        *,
        factors: int = 20,
        epochs: int = 15,
        reg: float = 12.0,
        reg_u: float = 5.0,
        reg_i: float = 2.0,
        clip: bool = False,
        seed: int = 0,
    ) -> None:
        self.factors = factors
        self.epochs = epochs
        self.reg = reg
        self.reg_u = reg_u
        self.reg_i = reg_i
        self.clip = clip
        self.seed = seed

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`; raises `MemoryLimitError` where the factors would not fit."""
        settings = _Settings.of(self.get_params())
        rows, hint = ratings.n_users + ratings.n_items, "use fewer factors"
        check_memory("BiasedMF", rows, settings.factors + 1, run.threads, hint=hint)
        mu, spread = _mean_and_spread(ratings.values)
        rng = np.random.default_rng(settings.seed)
        user = np.zeros((ratings.n_users, settings.factors + 1))
        user[:, 1:] = _START * rng.standard_normal((ratings.n_users, settings.factors))
        by_item, n = ratings.by_item, ratings.n_ratings
        above = ((ratings.values - mu) / spread)[by_item.order]
        part = _FittedMF(ratings, settings, mu, spread, user, user[:0], ratings.item_counts)
        for epoch in range(settings.epochs):
            left = above - user[by_item.indices, 0]
            entries = Entries(fixed(by_item.indptr), fixed(by_item.indices), fixed(left))
            now = run.within(2 * epoch * n, 2 * settings.epochs * n)
            part = replace(part, item=solved(entries, settings.ridge(user, settings.reg_i), now))
            user = part.user_of(ratings, run.within((2 * epoch + 1) * n, 2 * settings.epochs * n))
        return replace(part, user=user)

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.unpack`."""
        settings, arrays, facts = _Settings.of(self.get_params()), packed.arrays, packed.facts
        mu, spread = float(facts["mu"]), float(facts["spread"])
        user, item = arrays["user"], arrays["item"]
        return _FittedMF(ratings, settings, mu, spread, user, item, ratings.item_counts)


def _mean_and_spread(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the mean and the population standard deviation, 1 where all are equal."""
    if not len(values):
        return 0.0, 1.0
    first = float(values[0])
    mu = first + float((values - first).sum()) / len(values)
    above = values - mu
    largest = float(np.abs(above).max())
    if largest <= ROUNDING * float(np.abs(values).max()):  # equal, to rounding
        return mu, 1.0
    return mu, largest * float(np.sqrt(np.mean((above / largest) ** 2)))


@dataclass(frozen=True)
class _Settings:
    """Checked parameters; see `BiasedMF`."""

    factors: int
    epochs: int
    reg: float
    reg_u: float
    reg_i: float
    clip: bool
    seed: int

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> _Settings:
        amount = "a number from 0 up"
        return cls(
            factors=check_count("factors", given["factors"]),
            epochs=check_count("epochs", given["epochs"]),
            reg=check_amount("reg", given["reg"], "a number above 0", above=0.0),
            reg_u=check_amount("reg_u", given["reg_u"], amount, least=0.0),
            reg_i=check_amount("reg_i", given["reg_i"], amount, least=0.0),
            clip=check_switch("clip", given["clip"]),
            seed=check_count("seed", given["seed"], 0),
        )

    def ridge(self, others: Floats, reg_own: float) -> Ridge:
        """Return the regression of those whose others have these numbers."""
        features = _features(others)
        base = np.diag(np.concatenate([[reg_own], np.full(features.shape[1] - 1, self.reg)]))
        return Ridge(fixed(features), fixed(base), 1.0)


def _features(numbers: Floats) -> Floats:
    """Return what the other side's numbers are multiplied by: 1 for their own part, and the factors."""
    features = np.array(numbers)
    features[:, 0] = 1.0
    return features


@dataclass(frozen=True)
class _FittedMF:
    """user, item : float64 (users, 1 + factors), the own part b and the factors, in units of ``spread``."""

    ratings: Ratings
    settings: _Settings
    mu: float
    spread: float
    user: Floats
    item: Floats
    counts: Int64s

    @cached_property
    def scorer(self) -> Scorer:
        """Gives b_u + p_u · q_i."""
        return Scorer.of(self.user, _features(self.item))

    @cached_property
    def ridge(self) -> Ridge:
        """The regression of users on the items as they are."""
        return self.settings.ridge(self.item, self.settings.reg_u)

    def _entries(self, indptr: Int64s, items: npt.NDArray[np.int32], values: npt.NDArray[Any]) -> Entries:
        left = (values - self.mu) / self.spread - self.item[items, 0]
        return Entries(fixed(indptr), fixed(items), fixed(left))

    def user_of(self, ratings: Ratings, run: Run) -> Floats:
        """Return the numbers of users with these ratings, the items' as they are."""
        return solved(self._entries(*ratings.by_user, ratings.values), self.ridge, run)

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""

        def score(users: Int64s) -> tuple[Floats, Int64s]:
            found = self._value(self.item[:, 0], self.scorer.all_of(users, run.quietly()))
            return found.ravel(), np.tile(self.counts, len(users))

        return best_scored(self.ratings, request, score, "biasedmf", run, min_support=1)

    def _value(self, of_item: Floats, rest: Floats) -> Floats:
        value: Floats = self.mu + self.spread * (of_item + rest)
        return value

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:  # noqa: ARG002 - nothing takes long
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        is_user, is_item = users >= 0, items >= 0
        of_item, rest = np.zeros(len(items)), self.scorer.some_of(users, items)
        of_item[is_item] = self.item[items[is_item], 0]
        alone_ = is_user & ~is_item
        rest[alone_] = self.user[users[alone_], 0]
        value = self._value(of_item, rest)
        if self.settings.clip and self.ratings.scale is not None:
            np.clip(value, self.ratings.scale.low, self.ratings.scale.high, out=value)
        status = np.full(len(users), OK, dtype=np.uint8)
        status[~is_item] = UNKNOWN_ITEM
        status[~is_user] = UNKNOWN_USER
        support = np.zeros(len(items), dtype=np.int64)
        support[is_item] = self.counts[items[is_item]]
        return Predicted(value, support, status)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - nothing to find
        """Tell what a score is made of: each rating of the user moves the factors, and that by its share."""
        b_user, b_item = float(self.user[user, 0]), float(self.item[item, 0])
        base = (
            ("mean of all ratings", self.mu),
            ("the user above it", self.spread * b_user),
            ("the item above it", self.spread * b_item),
        )
        row = slice(*self.ratings.by_user.indptr[user : user + 2])
        mine, rating = self.ratings.by_user.indices[row], self.ratings.values[row].astype(np.float64)
        goal = np.concatenate([[0.0], self.item[item, 1:]])
        share = self.spread * shares(self._entries(np.array([0, len(mine)]), mine, rating), self.ridge, goal)
        one = np.array([user]), np.array([item])
        score = float(self._value(self.item[one[1], 0], self.scorer.some_of(*one))[0])
        return of_own(Account("biasedmf", score, base), mine.astype(np.int64), rating, share)

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile, bit for bit as for a user of the data with these ratings."""
        one = alone(self.ratings, profile)
        user = self.user_of(one, run.quietly())
        made = replace(self, ratings=one, user=user)
        made.__dict__.update(ridge=self.ridge, scorer=replace(self.scorer, own=fixed(user)))  # items stay
        return Folded(made, 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed({"user": self.user, "item": self.item}, {"mu": self.mu, "spread": self.spread})
