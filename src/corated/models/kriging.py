"""Kriging: each rating predicted from all others at once, by how alike their users and items are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corated.errors import MemoryLimitError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.centering import Baseline, Centered
from corated.models.history import Profile, with_profile
from corated.models.kriging_kernels import read_rows, spread_rows
from corated.models.lists import best_scored
from corated.models.packed import Packed
from corated.models.prediction import OK, UNKNOWN_ITEM, UNKNOWN_USER, Predicted
from corated.models.request import Request
from corated.models.rules import check_amount
from corated.models.settings import check_switch
from corated.neighborhood.engine import check_count
from corated.neighborhood.memory import available_memory
from corated.neighborhood.run import Flag, run_blocks
from corated.ratings.ratings import Ratings

__all__ = ["Kriging"]

Int64s = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_USERS_PER_BLOCK = 32


class Kriging(Recommender):
    """Predict ratings from all others at once: a neighborhood whose weights are solved for together.

    ratings_u, ratings_i : how much ratings, in standard deviations from the baseline, count beside who rated
        what, in the likeness of users and of items
    both, taste, own : what a pair of ratings has in common for being of like users and like items, of like
        users, of one user
    noise : what each rating has for itself alone
    reg_u, reg_i : of the baseline μ + b_u + b_i; see `corated.models.centering.Baseline`
    tolerance, steps : conjugate gradients end at this part of the residual, or after so many steps
    clip : whether predicted ratings are cut to the scale; lists are ranked unclipped

    With e = r − (μ + b_u + b_i), s_uv the cosine of the users' rows [1 where rated, ratings_u · e/σ_e], t_ij
    that of the items' columns, and the covariance C(ui, vj) = both·s_uv·t_ij + taste·s_uv + own·[u = v], the
    prediction is μ + b_u + b_i + Σ_vj C(ui, vj) a_vj, a = (C + noise·I)⁻¹ e, over all ratings vj. C is never
    formed. Takes users², items² and users × items numbers of 4 bytes; refused where that would not fit.
    A newcomer is answered by a fit with them among the others. ``support`` is the number of the item's
    ratings. Within 1e-5 on other machines.

    Weights derived jointly: Bell and Koren, ICDM 2007; kriging: Matheron, 1963.
    """

    def __init__(
        self,
        *,
        ratings_u: float = 0.66,
        ratings_i: float = 0.33,
        both: float = 0.4,
        taste: float = 0.1,
        own: float = 0.1,
        noise: float = 0.7,
        reg_u: float = 15.0,
        reg_i: float = 10.0,
        tolerance: float = 0.02,
        steps: int = 60,
        clip: bool = False,
    ) -> None:
        self.ratings_u = ratings_u
        self.ratings_i = ratings_i
        self.both = both
        self.taste = taste
        self.own = own
        self.noise = noise
        self.reg_u = reg_u
        self.reg_i = reg_i
        self.tolerance = tolerance
        self.steps = steps
        self.clip = clip

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`; raises `MemoryLimitError` where the matrices would not fit."""
        given = _checked(self.get_params())
        _check_memory(ratings.n_users, ratings.n_items)
        baseline = Baseline(reg_u=given["reg_u"], reg_i=given["reg_i"]).of(ratings, "users")
        left = baseline.deviation.astype(np.float32)
        sigma = float(np.sqrt(np.mean(np.square(left, dtype=np.float64)))) if len(left) else 0.0
        unit = np.float32(1.0 / sigma if sigma > 0.0 else 0.0)
        users = _cosines(ratings, left * unit, given["ratings_u"], by_user=True)
        items = _cosines(ratings, left * unit, given["ratings_i"], by_user=False)
        items *= np.float32(given["both"])
        items += np.float32(given["taste"])
        solver = _Solver(ratings, users, items, np.float32(given["own"]), run)
        weight = solver.solve(left, np.float32(given["noise"]), given["tolerance"], int(given["steps"]))
        near, own = solver.spread(weight).copy(), solver.own(weight)
        above = users.astype(np.float64) @ near.astype(np.float64)  # so that shares add up to the score
        above += own[:, None]
        return _FittedKriging(ratings, baseline, users, near, own, above, bool(given["clip"]), self.clone())

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.unpack`."""
        given, arrays = _checked(self.get_params()), packed.arrays
        baseline = Centered(
            np.zeros(0), float(packed.facts["mu"]), arrays["user"], arrays["item"], known_alone=True
        )
        users, near, own, above = (arrays[name] for name in ("users", "near", "own", "above"))
        return _FittedKriging(ratings, baseline, users, near, own, above, bool(given["clip"]), self.clone())


def _checked(given: Mapping[str, Any]) -> dict[str, float]:
    """Check the parameters; raises `ParameterError`."""
    above = {"both", "noise", "tolerance"}
    made: dict[str, float] = {}
    for name in ("ratings_u", "ratings_i", "both", "taste", "own", "noise", "reg_u", "reg_i", "tolerance"):
        if name in above:
            made[name] = check_amount(name, given[name], "a number above 0", above=0.0)
        else:
            made[name] = check_amount(name, given[name], "a number from 0 up", least=0.0)
    made["steps"] = check_count("steps", given["steps"])
    made["clip"] = check_switch("clip", given["clip"])
    return made


def _cosines(ratings: Ratings, left: Singles, much: float, *, by_user: bool) -> Singles:
    """Return the cosines of rows [1 where rated, much × what is left], of users or of items."""
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    shape, items = (ratings.n_users, ratings.n_items), ratings.by_user.indices
    found: Singles = np.zeros((shape[0] if by_user else shape[1],) * 2, dtype=np.float32)
    norms = np.zeros(len(found), dtype=np.float32)
    for values in (np.ones(len(rows), dtype=np.float32), np.float32(much) * left):
        dense = np.zeros(shape, dtype=np.float32)
        dense[rows, items] = values
        dense = dense if by_user else dense.T
        found += dense @ dense.T
        norms += np.einsum("ij,ij->i", dense, dense)
    scale = 1.0 / np.sqrt(np.where(norms > 0.0, norms, np.float32(1.0)))
    found *= scale[:, None]
    found *= scale[None, :]
    return found


class _Solver:
    """Solves (C + noise·I) a = e by conjugate gradients, on threads, the same bits on any number of them."""

    def __init__(self, ratings: Ratings, users: Singles, items: Singles, own: np.float32, run: Run) -> None:
        self._indptr, self._items = ratings.by_user.indptr, ratings.by_user.indices
        self._rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        self._like, self._near, self._own, self._run = users, items, own, run
        self._spread = np.zeros((ratings.n_users, ratings.n_items), dtype=np.float32)

    def _over(self, work: Callable[[int, int, Flag], object]) -> None:
        n = len(self._indptr) - 1
        blocks = [(1, (first, min(first + _USERS_PER_BLOCK, n))) for first in range(0, n, _USERS_PER_BLOCK)]
        run_blocks(blocks, lambda: None, lambda _, block, flag: work(*block, flag), self._run.quietly())

    def spread(self, weight: Singles) -> Singles:
        """Return Σ_j weight_uj (both·t_ij + taste) for each user and item: float32 (users, items)."""
        out = self._spread
        self._over(
            lambda first, stop, flag: spread_rows(
                first, stop, self._indptr, self._items, weight, self._near, out, flag
            )
        )
        return out

    def own(self, weight: Singles) -> Singles:
        """Return own × Σ weight of each user."""
        total = np.bincount(self._rows, weights=weight, minlength=len(self._indptr) - 1)
        return (self._own * total).astype(np.float32)

    def _times(self, weight: Singles) -> Singles:
        """Return C × weight."""
        across = np.ascontiguousarray(self.spread(weight).T)
        out = np.zeros_like(weight)
        self._over(
            lambda first, stop, flag: read_rows(
                first, stop, self._indptr, self._items, self._like, across, out, flag
            )
        )
        return out + self.own(weight)[self._rows]

    def solve(self, goal: Singles, noise: np.float32, tolerance: float, steps: int) -> Singles:
        """Return the weight of each rating."""
        found, left = np.zeros_like(goal), goal.copy()
        way, size = left.copy(), _square(goal)
        first = size
        for step in range(steps):
            if size <= tolerance**2 * first:
                break
            self._run.progress(step, steps)
            image = self._times(way) + noise * way
            length = np.float32(size / float(np.dot(way.astype(np.float64), image)))
            found += length * way
            left -= length * image
            before, size = size, _square(left)
            way = left + np.float32(size / before) * way
        self._run.progress(steps, steps)
        return found


def _square(values: Singles) -> float:
    return float(np.sum(np.square(values, dtype=np.float64)))


@dataclass(frozen=True)
class _FittedKriging:
    """users : likeness of users; near : what each user's ratings say of each item; above : their sum."""

    ratings: Ratings
    baseline: Centered
    users: Singles
    near: Singles
    own: Singles
    above: npt.NDArray[np.float64]
    clip: bool
    model: Kriging

    def _value(self, users: Int64s, items: Int64s) -> npt.NDArray[np.float64]:
        return self.baseline.expected(users, items) + self.above[users, items]

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        counts, every = self.ratings.item_counts, np.arange(self.ratings.n_items)

        def score(users: Int64s) -> tuple[npt.NDArray[np.float64], Int64s]:
            pairs = np.repeat(users, len(every)), np.tile(every, len(users))
            return self._value(*pairs), np.tile(counts, len(users))

        return best_scored(self.ratings, request, score, "kriging", run, min_support=1)

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:  # noqa: ARG002 - nothing takes long
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        value = self.baseline.expected(users, items)
        both = (users >= 0) & (items >= 0)
        value[both] = self._value(users[both], items[both])
        if self.clip and self.ratings.scale is not None:
            np.clip(value, self.ratings.scale.low, self.ratings.scale.high, out=value)
        status = np.full(len(users), OK, dtype=np.uint8)
        status[items < 0] = UNKNOWN_ITEM
        status[users < 0] = UNKNOWN_USER
        support = np.where(items >= 0, self.ratings.item_counts[np.maximum(items, 0)], 0)
        return Predicted(value, support.astype(np.int64), status)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - nothing to find
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        fit, share = self.baseline, self.users[user].astype(np.float64) * self.near[:, item]
        mine = float(share[user]) + float(self.own[user])
        base = (
            ("mean of all ratings", fit.mu),
            ("the user above it", float(fit.user[user])),
            ("the item above it", float(fit.item[item])),
            ("the user's own ratings", mine),
        )
        who = np.flatnonzero((share != 0.0) & (np.arange(len(share)) != user))
        row = slice(int(self.ratings.by_item.indptr[item]), int(self.ratings.by_item.indptr[item + 1]))
        rating = np.full(len(share), np.nan)
        rating[self.ratings.by_item.indices[row]] = self.ratings.values[self.ratings.by_item.order[row]]
        score = sum(amount for _, amount in base) + float(share[who].sum())
        alike, nothing = self.users[user][who].astype(np.float64), np.zeros(len(who), dtype=np.int64)
        return Account("kriging", score, base, "users", who, alike, rating[who], share[who], nothing)

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile: as fitted with that user among the others."""
        ratings, code = with_profile(self.ratings, profile)
        return Folded(self.model.learn(ratings, run), code)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        fit = self.baseline
        arrays = {"user": fit.user, "item": fit.item, "users": self.users, "near": self.near}
        return Packed(arrays | {"own": self.own, "above": self.above}, {"mu": fit.mu})


def _check_memory(n_users: int, n_items: int) -> None:
    """Refuse matrices that would not fit, before anything is allocated."""
    needed = 4 * (3 * n_users**2 + 2 * n_items**2 + 6 * n_users * n_items)
    there = available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"Kriging of {n_users:,} users and {n_items:,} items takes {needed / 2**30:,.1f} GiB; "
            f"{there / 2**30:,.1f} GiB are available.",
            hint='use ItemKNN(rule="mean", scope="raters", center="baseline"), or BiasedMF',
        )
