"""EASE: each item regressed on all others at once, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse

from corated.errors import MemoryLimitError, ParameterError
from corated.models.base import Answer, Fitted, Recommender, Run
from corated.models.kernels import pick_scored
from corated.models.lists import make_seen, new_lists, new_scored
from corated.models.rules import Like, liked
from corated.neighborhood.memory import available_memory
from corated.ratings.ratings import Ratings

__all__ = ["EASE"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_PLACES = 1 << 21
"""Scores that are calculated at a time."""


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
        if (
            isinstance(self.reg, bool)
            or not isinstance(self.reg, int | float | np.number)
            or not self.reg > 0
        ):
            raise ParameterError(
                f"reg={self.reg!r} cannot be used.", expected="a number above 0", hint="try reg=500"
            )
        likes = liked(ratings, self.like)
        _check_memory(ratings.n_items)
        by_user = ratings.by_user
        shape = (ratings.n_users, ratings.n_items)
        ones = scipy.sparse.csr_array(
            (np.ones(ratings.n_ratings), by_user.indices, by_user.indptr), shape=shape
        )
        gram = (ones.T @ ones).toarray()
        gram[np.diag_indices_from(gram)] += float(self.reg)
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
        rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[likes]
        chosen = scipy.sparse.csr_array(
            (np.ones(int(likes.sum())), (rows, by_user.indices[likes])), shape=shape
        )
        return _FittedEASE(ratings, chosen, weights)


@dataclass(frozen=True)
class _FittedEASE:
    ratings: Ratings
    chosen: scipy.sparse.csr_array
    weights: Floats

    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `corated.models.base.Fitted`."""
        ratings = self.ratings
        n, n_items = min(n, ratings.n_items), ratings.n_items
        lists, seen, work = (
            new_lists(len(codes), n),
            make_seen(ratings, len(codes), taken),
            new_scored(n, n_items),
        )
        size, flag = max(1, _PLACES // max(n_items, 1)), np.zeros(1, dtype=np.uint8)
        counts = np.diff(self.chosen.indptr)
        for first in range(0, len(codes), size):
            part = codes[first : first + size]
            score = np.asarray(self.chosen[part] @ self.weights)
            score[counts[part] == 0] = np.nan  # nothing is known of who likes nothing
            support = np.repeat(counts[part].astype(np.int64), n_items)
            pick_scored(part, first, score.ravel(), support, seen, n, work, lists, flag)
            run.progress(first + len(part), len(codes))
        return Answer(lists, n, np.zeros(len(codes) * n, dtype=np.uint8), ("ease",), (True,))


def _check_memory(n_items: int) -> None:
    """Refuse matrices that would not fit, before anything is allocated."""
    needed, there = 3 * 8 * n_items**2, available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"EASE takes three matrices of {n_items:,} × {n_items:,} numbers: {needed / 2**30:,.1f} GiB; "
            f"{there / 2**30:,.1f} GiB are available.",
            hint="use ItemKNN or RP3Beta, which take memory in proportion to the ratings",
        )
