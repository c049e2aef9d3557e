"""Graph filter: what a user likes, smoothed over the neighborhood of items, and sharpened again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, svds

from corated.errors import MemoryLimitError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.history import Profile, alone
from corated.models.lists import best_scored
from corated.models.packed import Packed
from corated.models.request import Request
from corated.models.rules import Like, check_amount, liked
from corated.neighborhood.engine import check_count
from corated.neighborhood.memory import available_memory
from corated.ratings.ratings import Ratings

__all__ = ["GraphFilter"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DENSE = 1500
"""Users or items up to which all singular vectors are found at once."""
_USERS_TOGETHER = 64
"""Users whose items are smoothed together: rows of as many numbers are what the products move."""


class GraphFilter(Recommender):
    """Recommend by a filter on the graph of items: neighbors' neighbors count too, in closed form.

    factors : singular vectors of the smooth part; fewer where there are not so many users or items
    smooth : how much the smooth part counts beside the neighbors
    sharpen : how far what is merely popular is taken off again
    user_power, item_power : of the numbers of likes that a like is divided by
    alike : how much each user counts beside that, no matter how many likes, where likes are smoothed
    like : the ratings that count; see `corated.models.knn.UserKNN`

    With X the likes, users × items, D_u and D_i their sums, R = D_u^−user_power X D_i^−item_power, P = RᵀR,
    Q = D_i^−item_power Xᵀ X D_i^−item_power, and V the first right singular vectors of D_u^−½ X D_i^−½, the
    scores are

        B − h B P + h²/2 B P²,   B = X (P + alike · Q) + smooth · X D_i^−½ V Vᵀ D_i^½,   h = sharpen.

    ``support`` is the number of the user's likes. Within 1e-6 on other machines. Shen et al., "How powerful
    is graph convolution for recommendation?" (GF-CF), CIKM 2021; Choi et al., "Blurring-sharpening process
    models", SIGIR 2023.
    """

    def __init__(
        self,
        *,
        factors: int = 512,
        smooth: float = 0.25,
        sharpen: float = 1.0,
        user_power: float = 0.5,
        item_power: float = 0.45,
        alike: float = 0.0,
        like: Like = None,
    ) -> None:
        self.factors = factors
        self.smooth = smooth
        self.sharpen = sharpen
        self.user_power = user_power
        self.item_power = item_power
        self.alike = alike
        self.like = like

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`; raises `MemoryLimitError` where the vectors would not fit."""
        self._check()
        likes = _likes(ratings, self.like)
        of_user, of_item = (_sums(likes, axis) for axis in (1, 0))
        smooth = scipy.sparse.diags_array(of_user**-0.5) @ likes @ scipy.sparse.diags_array(of_item**-0.5)
        factors = min(check_count("factors", self.factors), min(likes.shape) - 1)
        _check_memory(likes.shape, factors)
        vectors = np.zeros((ratings.n_items, factors))
        if factors > 0 and likes.nnz:
            vectors = _right_vectors(smooth.tocsr(), factors, run)
        run.progress(1, 1)
        return self._made(ratings, likes, vectors)

    def _check(self) -> None:
        for name in ("smooth", "sharpen", "user_power", "item_power", "alike"):
            check_amount(name, getattr(self, name), "a number from 0 up", least=0.0)

    def _made(self, ratings: Ratings, likes: scipy.sparse.csr_array, vectors: Floats) -> Fitted:
        of_user, of_item = (_sums(likes, axis) for axis in (1, 0))
        scaled = scipy.sparse.diags_array(of_user ** -float(self.user_power)) @ likes
        scaled = (scaled @ scipy.sparse.diags_array(of_item ** -float(self.item_power))).tocsr()
        # Likes in R are divided by the user's power twice over: what a user counts in P, 1, is D_u^2p in Q.
        counts = 1.0 + float(self.alike) * of_user ** (2.0 * float(self.user_power))
        return _FittedFilter(
            ratings, self.like, likes, scaled, scaled.T.tocsr(), vectors, np.sqrt(of_item),
            float(self.smooth), float(self.sharpen), counts if self.alike else None,
        )  # fmt: skip

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:  # noqa: ARG002 - nothing takes long
        """See `Recommender.unpack`."""
        self._check()
        return self._made(ratings, _likes(ratings, self.like), packed.arrays["vectors"])


def _check_memory(shape: tuple[int, int], factors: int) -> None:
    """Refuse what would not fit, before anything is allocated."""
    needed, there = 8 * (shape[1] * factors + min(shape) * (2 * factors + 1)), available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"GraphFilter of {shape[0]:,} users and {shape[1]:,} items with {factors:,} factors takes "
            f"{needed / 2**30:,.1f} GiB; {there / 2**30:,.1f} GiB are available.",
            hint="use fewer factors",
        )


def _right_vectors(matrix: scipy.sparse.csr_array, many: int, run: Run) -> Floats:
    """Return the first right singular vectors, as columns; their signs do not matter."""
    if min(matrix.shape) <= _DENSE:  # quicker than finding most of them one by one
        found = np.linalg.svd(matrix.toarray(), full_matrices=False)[2][:many]
    else:
        start = np.random.default_rng(0).standard_normal(min(matrix.shape))  # the same vectors each time
        across = matrix.T.tocsr()

        def times(one: scipy.sparse.csr_array, vector: Floats) -> Floats:
            run.look()
            made: Floats = one @ vector
            return made

        operator = LinearOperator(
            matrix.shape, lambda v: times(matrix, v), lambda v: times(across, v), dtype=np.float64
        )
        found = svds(operator, k=many, v0=start, return_singular_vectors="vh")[2]
    return np.ascontiguousarray(found.T)


def _likes(ratings: Ratings, like: Like) -> scipy.sparse.csr_array:
    """Return ones where a user likes an item, users × items."""
    likes = liked(ratings, like)
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[likes]
    where = rows, ratings.by_user.indices[likes]
    shape = ratings.n_users, ratings.n_items
    return scipy.sparse.csr_array((np.ones(len(rows)), where), shape=shape)


def _sums(likes: scipy.sparse.csr_array, axis: int) -> Floats:
    """Return the likes of each user (axis 1) or item (axis 0), 1 where there are none."""
    found: Floats = np.maximum(np.asarray(likes.sum(axis=axis)).ravel(), 1.0)
    return found


@dataclass(frozen=True)
class _FittedFilter:
    """scaled : R; across : Rᵀ; vectors : V; root : √D_i; counts : of users, None for 1 each."""

    ratings: Ratings
    like: Like
    likes: scipy.sparse.csr_array
    scaled: scipy.sparse.csr_array
    across: scipy.sparse.csr_array
    vectors: Floats
    root: Floats
    smooth: float
    sharpen: float
    counts: Floats | None

    def _spread(self, columns: Floats) -> Floats:
        """Return P times columns of items; P is symmetric."""
        made: Floats = self.across @ (self.scaled @ columns)
        return made

    def _blurred(self, columns: Floats) -> Floats:
        """Return P + alike · Q, symmetric too, times columns of items."""
        if self.counts is None:
            return self._spread(columns)
        of_users: Floats = self.scaled @ columns
        of_users *= self.counts[:, None]
        made: Floats = self.across @ of_users
        return made

    def _scores(self, users: Int64s) -> Floats:
        """Return the scores of all items, a column a user."""
        likes = self.likes[users].T.toarray()
        found = self._blurred(likes)
        smooth = self.vectors @ (self.vectors.T @ (likes / self.root[:, None]))
        smooth *= self.smooth * self.root[:, None]
        found += smooth
        once = self._spread(found)
        found += (self.sharpen**2 / 2.0) * self._spread(once)
        found -= self.sharpen * once
        return found

    def _weights(self, item: int) -> Floats:
        """Return what each item's like adds to the score of one item: the filter, the other way round."""
        h, one = self.sharpen, np.zeros((len(self.root), 1))
        one[item] = 1.0
        once = self._spread(one)
        sharp = one - h * once + (h**2 / 2.0) * self._spread(once)
        smooth = self.vectors @ (self.vectors.T @ (sharp * self.root[:, None]))
        found: Floats = (self._blurred(sharp) + self.smooth * smooth / self.root[:, None]).ravel()
        return found

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        counts, n_items = np.diff(self.likes.indptr).astype(np.int64), self.ratings.n_items

        def score(users: Int64s) -> tuple[Floats, Int64s]:
            parts = np.array_split(users, max(1, -(-len(users) // _USERS_TOGETHER)))
            with ThreadPoolExecutor(run.threads) as pool:
                found = np.concatenate([part.T for part in pool.map(self._scores, parts)])
            found[counts[users] == 0] = np.nan  # nothing is known of who likes nothing
            return np.ascontiguousarray(found).ravel(), np.repeat(counts[users], n_items)

        return best_scored(self.ratings, request, score, "graph_filter", run)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:  # noqa: ARG002 - nothing to find
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        mine = self.likes.indices[slice(*self.likes.indptr[user : user + 2])].astype(np.int64)
        if not len(mine):
            return Account("graph_filter", np.nan, of="items", reason="The user likes nothing.")
        share = self._weights(item)[mine]
        start, end = self.ratings.by_user.indptr[user : user + 2]
        rating = self.ratings.values[start + np.searchsorted(self.ratings.by_user.indices[start:end], mine)]
        none, counts = np.full(len(mine), np.nan), np.zeros(len(mine), dtype=np.int64)
        return Account("graph_filter", float(share.sum()), (), "items", mine, none, rating, share, counts)

    def fold_in(self, profile: Profile, run: Run) -> Folded:  # noqa: ARG002 - nothing takes long
        """Answer for a profile; see `corated.models.base.Fitted`."""
        one = alone(self.ratings, profile)
        return Folded(replace(self, ratings=one, likes=_likes(one, self.like)), 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed({"vectors": self.vectors})
