"""Fewer ratings of what everyone rated: the approximate mode of `neighbors`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corated.ratings.ratings import Csr, Ratings

__all__ = ["thinned"]

Int64s = npt.NDArray[np.int64]


def thinned(ratings: Ratings, side: str, most: int, seed: int) -> Ratings:
    """Return the ratings with at most ``most`` raters of each item, drawn at random; the ids stay.

    side : whose neighbors are sought: for ``"items"``, at most ``most`` items of each user are kept instead
    seed : of NumPy's PCG64; which ratings are kept depends on it and on the ratings, not on their order

    Whoever loses all ratings stays, without any.
    """
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    objects = ratings.by_user.indices.astype(np.int64) if side == "users" else users
    kept = _kept(objects, ratings.n_items if side == "users" else ratings.n_users, most, seed)
    indptr = np.zeros(ratings.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users[kept], minlength=ratings.n_users), out=indptr[1:])
    return Ratings(
        users=ratings.users,
        items=ratings.items,
        scale=ratings.scale,
        by_user=Csr(indptr, ratings.by_user.indices[kept]),
        codes=None if ratings.codes is None else ratings.codes[kept],
        off_scale_values=None if ratings.off_scale_values is None else ratings.off_scale_values[kept],
    )


def _kept(objects: Int64s, n_objects: int, most: int, seed: int) -> Int64s:
    """Return where the ratings stand that are kept, ascending."""
    drawn = np.random.Generator(np.random.PCG64(seed)).random(len(objects))
    order = np.lexsort((drawn, objects))
    counts = np.bincount(objects, minlength=n_objects)
    place = np.arange(len(objects)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept: Int64s = np.sort(order[place < most])
    return kept
