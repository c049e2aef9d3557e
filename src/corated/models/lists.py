"""Blocks of users over threads: what every recommender does around its own kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from corated.models.answers import Answer, new_lists
from corated.models.kernels import Work, new_work, pick_ranked, pick_scored
from corated.models.request import Request
from corated.neighborhood.run import Flag, Run, run_blocks
from corated.ratings.ratings import Ratings
from corated.similarity.topk import new_topk

__all__ = ["best_scored", "first_ranked", "new_scored", "over_users"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
State = TypeVar("State")
_USERS_PER_BLOCK = 256
_SCORES = 1 << 21
"""Scores that are held at a time where every item has one."""


def new_scored(n: int, request: Request, n_items: int) -> Work:
    """Return working memory for one thread that ranks up to n of all items."""
    return new_work(request.marks(n_items), new_topk(n, np.array([n_items])))


def over_users(
    codes: Int64s,
    make_state: Callable[[], State],
    work: Callable[[State, Int64s, int, Flag], object],
    run: Run,
) -> None:
    """Call ``work(state, user codes, first row, flag)`` for blocks of users; each thread has a state.

    A thread's blocks come in ascending order of rows.
    """
    size = _USERS_PER_BLOCK
    blocks = [(len(codes[start : start + size]), start) for start in range(0, len(codes), size)]
    run_blocks(
        blocks,
        make_state,
        lambda state, start, flag: work(state, codes[start : start + size], start, flag),
        run,
    )


def first_ranked(
    ratings: Ratings, request: Request, order: Int64s, score: Floats, support: Int64s, source: str, run: Run
) -> Answer:
    """Answer with the first items of one order for everyone that are not left out.

    order : item codes, best first;  score, support : by item code
    """
    n = min(request.n, ratings.n_items)
    seen, lists = request.seen(ratings), new_lists(len(request.codes), n)

    def work(mark: Int64s, users: Int64s, first: int, flag: Flag) -> None:
        pick_ranked(users, first, order, score, support, seen, n, request.min_support, mark, lists, flag)

    over_users(request.codes, lambda: request.marks(ratings.n_items), work, run)
    return Answer.of(lists, n, source)


def best_scored(
    ratings: Ratings,
    request: Request,
    score: Callable[[Int64s], tuple[Floats, Int64s]],
    source: str,
    run: Run,
    *,
    min_support: int = 0,
) -> Answer:
    """Answer with the best of all items, whose scores are calculated for some users at a time.

    score : from user codes to float64 (users * items,), NaN for none, and the support of each, int64
    """
    n, n_items = min(request.n, ratings.n_items), ratings.n_items
    lists, seen = new_lists(len(request.codes), n), request.seen(ratings)
    state, flag = new_scored(n, request, n_items), np.zeros(1, dtype=np.uint8)
    size, least = max(1, _SCORES // max(n_items, 1)), max(min_support, request.min_support)
    for first in range(0, len(request.codes), size):
        part = request.codes[first : first + size]
        scores, support = score(part)
        pick_scored(part, first, scores, support, seen, n, least, state, lists, flag)
        run.progress(first + len(part), len(request.codes))
        run.look()
    return Answer.of(lists, n, source)
