"""Implicit alternating least squares: likes with confidence, through the library implicit."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from corated.errors import MissingExtraError, ParameterError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.factor_kernels import Entries, Ridge
from corated.models.factors import Scorer, check_memory, fixed, of_own, shares, solved
from corated.models.history import Profile, alone
from corated.models.lists import best_scored
from corated.models.packed import Packed
from corated.models.request import Request
from corated.models.rules import Like, check_amount, check_like, liked
from corated.neighborhood.engine import check_count
from corated.ratings.ratings import Csr, Ratings

__all__ = ["ALS"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class ALS(Recommender):
    """Recommend by factors of likes: x_u · y_i is near 1 where a user likes an item, near 0 elsewhere.

    factors : the length of x_u and y_i
    regularization : λ, what a squared factor costs
    alpha : how much more a like counts than what is not liked: confidence 1 + α, against 1
    iterations : rounds of alternating least squares
    seed : of the factors before the first round
    like : the ratings that count as likes; see `corated.models.knn.UserKNN`

    Minimizes Σ c (p − x_u · y_i)² + λ (Σ |x_u|² + Σ |y_i|²) over all users and items, p = 1 and c = 1 + α
    where u likes i, p = 0 and c = 1 elsewhere. The library implicit (``pip install 'corated[als]'``) finds
    the items' factors; those of users are then solved for exactly, so that somebody who is folded in gets,
    bit for bit, what a user of the data with the same likes has. ``support`` is the number of the user's
    likes, which a score is a sum over. Items that nobody likes are not candidates. Seeded, within 1e-6 on
    other machines. Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
    2008.
    """

    def __init__(
        self,
        *,
        factors: int = 64,
        regularization: float = 0.01,
        alpha: float = 1.0,
        iterations: int = 15,
        seed: int = 0,
        like: Like = None,
    ) -> None:
        self.factors = factors
        self.regularization = regularization
        self.alpha = alpha
        self.iterations = iterations
        self.seed = seed
        self.like = like

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`.

        Raises `MissingExtraError` without the library, `MemoryLimitError` where the factors would not fit.
        """
        settings = _Settings.of(self.get_params())
        rows, hint = ratings.n_users + ratings.n_items, "use fewer factors"
        check_memory("ALS", rows, settings.factors, run.threads, hint=hint)
        likes = _likes(ratings, settings.like)
        item = _item_factors(likes, ratings.n_items, settings, run)
        gram = np.ascontiguousarray(item.T) @ item
        user = np.zeros((0, settings.factors))
        part = _FittedALS(ratings, settings, likes, _is_liked(likes, ratings.n_items), user, item, gram)
        return replace(part, user=part.user_of(likes, run.quietly()))

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.unpack`; does without the library."""
        settings = _Settings.of(self.get_params())
        user, item, gram = (packed.arrays[name] for name in ("user", "item", "gram"))
        likes = _likes(ratings, settings.like)
        return _FittedALS(ratings, settings, likes, _is_liked(likes, ratings.n_items), user, item, gram)


@dataclass(frozen=True)
class _Settings:
    """Checked parameters; see `ALS`."""

    factors: int
    regularization: float
    alpha: float
    iterations: int
    seed: int
    like: Like

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> _Settings:
        amount, expected = given["regularization"], "a number above 0"
        return cls(
            factors=check_count("factors", given["factors"]),
            regularization=check_amount("regularization", amount, expected, above=0.0),
            alpha=check_amount("alpha", given["alpha"], "a number from 0 up", least=0.0),
            iterations=check_count("iterations", given["iterations"]),
            seed=check_count("seed", given["seed"], 0),
            like=check_like(given["like"]),
        )


def _likes(ratings: Ratings, like: Like) -> Csr:
    """Return the items that each user likes."""
    likes = liked(ratings, like)
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[likes]
    counts = np.bincount(rows, minlength=ratings.n_users)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Csr(indptr, ratings.by_user.indices[likes])


def _is_liked(likes: Csr, n_items: int) -> npt.NDArray[np.bool_]:
    return np.bincount(likes.indices, minlength=n_items) > 0


# -- the library ----------------------------------------------------------------------------------


def _item_factors(likes: Csr, n_items: int, settings: _Settings, run: Run) -> Floats:
    """Train with the library, and return what it makes of the items."""
    library = _library()
    n_users = len(likes.indptr) - 1
    if not len(likes.indices):
        return np.zeros((n_items, settings.factors))
    with np.errstate(over="ignore"):  # what is too large for the library shows in its factors
        confidence = np.full(len(likes.indices), 1.0 + settings.alpha).astype(np.float32)
    matrix = scipy.sparse.csr_matrix((confidence, likes.indices, likes.indptr), shape=(n_users, n_items))
    with _blas.held():  # else it warns, and the threads of both get in each other's way
        model = library.AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            dtype=np.float64,
            iterations=settings.iterations,
            num_threads=run.threads,
            random_state=settings.seed,
        )

        def after(iteration: int, _seconds: float, _loss: object) -> None:
            run.progress(iteration + 1, settings.iterations)
            run.look()

        model.fit_callback = after
        try:
            model.fit(matrix, show_progress=False)
        except library.ModelFitError as error:
            raise _diverged(settings) from error
    item = np.array(model.item_factors, dtype=np.float64)
    if not np.isfinite(item).all():
        raise _diverged(settings)
    return item


@dataclass(frozen=True)
class _Library:
    """What is used of the library."""

    AlternatingLeastSquares: Any
    ModelFitError: type[Exception]


def _library() -> _Library:
    try:
        from implicit.cpu import als
        from implicit.recommender_base import ModelFitError
    except ImportError as error:
        raise MissingExtraError(
            f"ALS needs the library implicit, which cannot be imported: {error}.",
            hint="pip install 'corated[als]'",
        ) from error
    return _Library(als.AlternatingLeastSquares, ModelFitError)


def _diverged(settings: _Settings) -> ParameterError:
    return ParameterError(
        f"With alpha={settings.alpha:g} and regularization={settings.regularization:g} the factors grow "
        "beyond all numbers.",
        expected="a regularization that is not lost beside alpha",
        hint="use a smaller alpha, or a larger regularization",
    )


class _Blas:
    """Holds BLAS to one thread for some time.

    Its threads are the whole process's, so where several fit at the same time, the first to come changes
    them, and the last to go puts back what was before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: Any = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold BLAS to one thread while inside."""
        import threadpoolctl

        with self._lock:
            if self._inside == 0:
                self._limits = threadpoolctl.threadpool_limits(1, "blas")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._limits.restore_original_limits()


_blas = _Blas()


# -- what answers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _FittedALS:
    """What answers.

    likes : the items that each user likes;  is_liked : which items anybody of the data likes
    user, item : float64 (users, factors), (items, factors);  gram : float64 (factors, factors), Σ_i y_i y_iᵀ
    """

    ratings: Ratings
    settings: _Settings
    likes: Csr
    is_liked: npt.NDArray[np.bool_]
    user: Floats
    item: Floats
    gram: Floats

    @cached_property
    def ridge(self) -> Ridge:
        """The regression of users on the items as they are."""
        base = self.gram + self.settings.regularization * np.eye(len(self.gram))
        return Ridge(fixed(np.ascontiguousarray(self.item)), fixed(base), self.settings.alpha)

    @cached_property
    def scorer(self) -> Scorer:
        """Gives x_u · y_i."""
        return Scorer.of(self.user, self.item)

    def _entries(self, likes: Csr) -> Entries:
        target = np.full(len(likes.indices), 1.0 + self.settings.alpha)
        return Entries(fixed(likes.indptr), fixed(likes.indices), fixed(target))

    def user_of(self, likes: Csr, run: Run) -> Floats:
        """Return the factors of users with these likes, the items' as they are."""
        return solved(self._entries(likes), self.ridge, run)

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        counts = np.diff(self.likes.indptr)

        def score(users: Int64s) -> tuple[Floats, Int64s]:
            found = self.scorer.all_of(users, run.quietly())
            found[:, ~self.is_liked] = np.nan
            found[counts[users] == 0] = np.nan  # nothing is known of who likes nothing
            return found.ravel(), np.repeat(counts[users], self.ratings.n_items)

        return best_scored(self.ratings, request, score, "als", run)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - nothing to find
        """Tell what a score is made of: each of the user's likes moves the factors, and that by its share."""
        first, last = (int(at) for at in self.likes.indptr[user : user + 2])
        mine = self.likes.indices[first:last]
        if not len(mine):
            return Account("als", np.nan, reason="The user likes nothing, so nothing is known of them.")
        if not self.is_liked[item]:
            return Account("als", np.nan, reason="Nobody likes it.")
        share = shares(self._entries(Csr(np.array([0, len(mine)]), mine)), self.ridge, self.item[item])
        score = float(self.scorer.some_of(np.array([user]), np.array([item]))[0])
        start, end = self.ratings.by_user.indptr[user : user + 2]
        place = start + np.searchsorted(self.ratings.by_user.indices[start:end], mine)
        rating = self.ratings.values[place].astype(np.float64)
        return of_own(Account("als", score), mine.astype(np.int64), rating, share)

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile, bit for bit as for a user of the data with these likes."""
        one = alone(self.ratings, profile)
        likes = _likes(one, self.settings.like)
        user = self.user_of(likes, run.quietly())
        made = replace(self, ratings=one, likes=likes, user=user)
        scorer = replace(self.scorer, own=fixed(user))
        made.__dict__.update(ridge=self.ridge, scorer=scorer)  # items stay
        return Folded(made, 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed({"user": self.user, "item": self.item, "gram": self.gram})
