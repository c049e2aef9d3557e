"""EASE: each item regressed on all others at once, in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse

from corated.errors import MemoryLimitError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.history import Profile, alone
from corated.models.lists import best_scored
from corated.models.packed import Packed
from corated.models.request import Request
from corated.models.rules import Like, check_amount, liked
from corated.neighborhood.memory import available_memory
from corated.ratings.ratings import Ratings

__all__ = ["EASE"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class EASE(Recommender):
    """Recommend by a linear model of items: scores are X B, with B the ridge regression without a diagonal.

    reg : λ, what is added to the diagonal of XᵀX; more for fewer ratings
    like : the ratings that a user's score is summed over; see `corated.models.knn.UserKNN`

    X is 1 where a user rated an item. B = I − P / diag(P) with P = (XᵀX + λI)⁻¹. Takes three dense matrices
    of items × items in float64, and is refused where they would not fit. Within 1e-6 on other machines.
    ``support`` counts the items that a score is summed over. Steck, "Embarrassingly shallow autoencoders
    for sparse data", WWW 2019.
    """

    def __init__(self, *, reg: float = 500.0, like: Like = None) -> None:
        self.reg = reg
        self.like = like

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`; raises `MemoryLimitError` where the matrices would not fit."""
        reg = check_amount("reg", self.reg, "a number above 0", above=0.0)
        chosen = _chosen(ratings, self.like)
        _check_memory(ratings.n_items)
        by_user = ratings.by_user
        shape = (ratings.n_users, ratings.n_items)
        ones = scipy.sparse.csr_array(
            (np.ones(ratings.n_ratings), by_user.indices, by_user.indptr), shape=shape
        )
        gram = (ones.T @ ones).toarray()
        gram[np.diag_indices_from(gram)] += reg
        run.progress(1, 3)
        factor = scipy.linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
        run.progress(2, 3)
        inverse = scipy.linalg.cho_solve(
            (factor, True), np.eye(ratings.n_items), overwrite_b=True, check_finite=False
        )
        del gram, factor
        weights = inverse / -np.diag(inverse)
        weights[np.diag_indices_from(weights)] = 0.0
        run.progress(3, 3)
        return _FittedEASE(ratings, self.like, chosen, weights)

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.unpack`."""
        return _FittedEASE(ratings, self.like, _chosen(ratings, self.like), packed.arrays["weights"])


def _chosen(ratings: Ratings, like: Like) -> scipy.sparse.csr_array:
    """Return the items that each user's scores are summed over: ones, users × items."""
    likes = liked(ratings, like)
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[likes]
    ones = np.ones(len(rows))
    return scipy.sparse.csr_array(
        (ones, (rows, ratings.by_user.indices[likes])), shape=(ratings.n_users, ratings.n_items)
    )


@dataclass(frozen=True)
class _FittedEASE:
    ratings: Ratings
    like: Like
    chosen: scipy.sparse.csr_array
    weights: Floats

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        counts = np.diff(self.chosen.indptr).astype(np.int64)

        def score(users: Int64s) -> tuple[Floats, Int64s]:
            found = np.asarray(self.chosen[users] @ self.weights)
            found[counts[users] == 0] = np.nan  # nothing is known of who likes nothing
            return found.ravel(), np.repeat(counts[users], self.ratings.n_items)

        return best_scored(self.ratings, request, score, "ease", run)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - nothing to find
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        row = slice(*self.chosen.indptr[user : user + 2])
        mine = self.chosen.indices[row].astype(np.int64)
        if not len(mine):
            return Account("ease", np.nan, reason="The user likes nothing, so nothing is known of them.")
        share, (start, end) = self.weights[mine, item], self.ratings.by_user.indptr[user : user + 2]
        place = start + np.searchsorted(self.ratings.by_user.indices[start:end], mine)
        none, rating = np.full(len(mine), np.nan), self.ratings.values[place]
        counts = np.zeros(len(mine), dtype=np.int64)
        return Account("ease", float(share.sum()), (), "items", mine, none, rating, share, counts)

    def fold_in(self, profile: Profile, run: Run) -> Folded:  # noqa: ARG002 - nothing takes long
        """Answer for a profile; see `corated.models.base.Fitted`."""
        one = alone(self.ratings, profile)
        return Folded(replace(self, ratings=one, chosen=_chosen(one, self.like)), 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed({"weights": self.weights})


def needed_bytes(n_items: int) -> int:
    """Return the most bytes that fitting takes: three matrices of items × items in float64."""
    return 3 * 8 * n_items**2


def _check_memory(n_items: int) -> None:
    """Refuse matrices that would not fit, before anything is allocated."""
    needed, there = needed_bytes(n_items), available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"EASE takes three matrices of {n_items:,} × {n_items:,} numbers: {needed / 2**30:,.1f} GiB; "
            f"{there / 2**30:,.1f} GiB are available.",
            hint="use ItemKNN or RP3Beta, which take memory in proportion to the ratings",
        )
