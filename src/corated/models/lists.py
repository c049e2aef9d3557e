"""Blocks of users over threads: what every recommender does around its own kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from corated.models.base import Answer, Run
from corated.models.kernels import Lists, Seen, Work, new_work
from corated.neighborhood.run import Flag, run_blocks
from corated.ratings.ratings import Ratings
from corated.similarity.topk import new_topk

__all__ = ["make_seen", "new_lists", "new_scored", "over_users"]

Int64s = npt.NDArray[np.int64]
State = TypeVar("State")
_USERS_PER_BLOCK = 256


def new_lists(rows: int, n: int) -> Lists:
    """Return empty lists of n places each."""
    return Lists(
        np.zeros(rows * n, dtype=np.int64),
        np.zeros(rows * n),
        np.zeros(rows * n, dtype=np.int64),
        np.zeros(rows, dtype=np.int64),
    )


def new_scored(n: int, n_items: int) -> Work:
    """Return working memory for one thread that ranks up to n of all items."""
    return new_work(n_items, new_topk(n, np.array([n_items])))


def make_seen(ratings: Ratings, rows: int, taken: Answer | None) -> Seen:
    """Return what to leave out: what each user rated, and what each row of ``taken`` lists."""
    if taken is None:
        nothing = np.zeros(rows + 1, dtype=np.int64)
        return Seen(ratings.by_user.indptr, ratings.by_user.indices, nothing, np.zeros(0, dtype=np.int64))
    size = taken.lists.size
    indptr = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(size, out=indptr[1:])
    places = np.flatnonzero(np.arange(taken.n)[None, :] < size[:, None])
    return Seen(ratings.by_user.indptr, ratings.by_user.indices, indptr, taken.lists.item[places])


def over_users(
    codes: Int64s,
    make_state: Callable[[], State],
    work: Callable[[State, Int64s, int, Flag], object],
    run: Run,
) -> None:
    """Call ``work(state, user codes, first row, flag)`` for blocks of users; each thread has a state."""
    size = _USERS_PER_BLOCK
    blocks = [(len(codes[start : start + size]), start) for start in range(0, len(codes), size)]
    run_blocks(
        blocks,
        make_state,
        lambda state, start, flag: work(state, codes[start : start + size], start, flag),
        threads=run.threads,
        progress=run.progress,
        cancel=run.cancel,
    )
