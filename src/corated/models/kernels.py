"""Kernels of recommendation: walk from a user over sources to items, and keep the best n.

A user has *sources*, and each source leads to items: neighbors lead to what they like (user-based), the
user's liked items lead to the items near them (item-based). Either way it is one walk over two CSR
structures, so orientation is an argument here, not a second kernel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import inlined, kernel
from corated.similarity.topk import RANK_MASK, TopK, offer_row, settle

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int32]
Flag = npt.NDArray[np.uint8]

__all__ = [
    "Links",
    "Lists",
    "Seen",
    "Work",
    "new_work",
    "pick_ranked",
    "pick_scored",
    "walk_closest",
    "walk_sum",
]


class Links(NamedTuple):
    """CSR rows of (target, weight): int64 (rows + 1,), int32 (m,), float64 (m,)."""

    indptr: Ints
    target: Codes
    weight: Floats


class Seen(NamedTuple):
    """What is left out: the items each user rated, and what each row of the answer has already."""

    indptr: Ints
    items: npt.NDArray[np.int32]
    taken_indptr: Ints
    taken: Ints


class Lists(NamedTuple):
    """Answers, n places a row: item codes int64, scores float64, support int64; size int64 (rows,)."""

    item: Ints
    score: Floats
    support: Ints
    size: Ints


class Work(NamedTuple):
    """Working memory of one thread; ``score`` and ``support`` are zero between users.

    mark : int64 (items,), ``2 * row + 2`` where the item is left out for this row, ``+ 3`` where listed
    touched, key, found : (items,), the candidates of one user
    best : room for one row's best n
    rank : int64 (items,), code == rank
    """

    score: Floats
    support: Ints
    mark: Ints
    touched: Labels
    key: Floats
    found: Ints
    best: TopK
    rank: Ints


def new_work(n_items: int, best: TopK) -> Work:
    """Return working memory for one thread; ``best`` has one row with room for n and some."""
    return Work(
        np.zeros(n_items),
        np.zeros(n_items, dtype=np.int64),
        np.zeros(n_items, dtype=np.int64),
        np.empty(n_items + 1, dtype=np.uint32),
        np.empty(n_items),
        np.empty(n_items, dtype=np.int64),
        best,
        np.arange(n_items),
    )


@kernel
def _leave_out(seen: Seen, user: int, row: int, mark: Ints, stamp: int) -> None:
    for at in range(seen.indptr[user], seen.indptr[user + 1]):
        mark[seen.items[at]] = stamp
    for at in range(seen.taken_indptr[row], seen.taken_indptr[row + 1]):
        mark[seen.taken[at]] = stamp


@inlined
def _spread(
    targets: Codes,
    weights: Floats,
    start: int,
    stop: int,
    weight: float,
    mark: Ints,
    stamp: int,
    score: Floats,
    support: Ints,
    touched: Labels,
    met: int,
) -> int:
    """Add one source's share to its items, sequentially; returns how many items have been touched."""
    for at in range(start, stop):
        item = targets[at]
        if mark[item] != stamp:
            touched[met] = item
            met += int(support[item] == 0)
            support[item] += 1
            score[item] += weight * weights[at]
    return met


@kernel
def _list_best(best: TopK, n: int, work: Work, kept: int, row: int, lists: Lists) -> None:
    """List the best n of the candidates ``touched``, with ``key`` and ``found``, in a row of the answer."""
    best.size[0] = 0
    best.floor[0] = -np.inf
    best.known[0] = -np.inf
    j = 0
    while j < kept:
        j = offer_row(best, n, 0, work.key, work.found, work.touched, work.rank, j, kept)
    settle(best, n, 0, 1)
    for place in range(best.size[0]):
        out = row * n + place
        lists.item[out] = RANK_MASK - (best.tie[place] & RANK_MASK)
        lists.support[out] = best.tie[place] >> 32
        lists.score[out] = best.key[place]
    lists.size[row] = best.size[0]


@kernel
def walk_sum(
    users: Ints,
    first_row: int,
    sources: Links,
    links: Links,
    seen: Seen,
    n: int,
    least: int,
    work: Work,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Score each item by the sum of source weight × link weight over the sources that lead to it.

    users : int64, user codes; the row of the answer is ``first_row`` + position
    n : places in a list;  least : the support an item must have

    Order: larger score, then more support, then the smaller code.
    """
    score, support, mark, touched, best = work.score, work.support, work.mark, work.touched, work.best
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row = users[index], first_row + index
        stamp = 2 * row + 2
        _leave_out(seen, user, row, mark, stamp)
        met = 0
        for at in range(sources.indptr[user], sources.indptr[user + 1]):
            source = sources.target[at]
            met = _spread(
                links.target,
                links.weight,
                links.indptr[source],
                links.indptr[source + 1],
                sources.weight[at],
                mark,
                stamp,
                score,
                support,
                touched,
                met,
            )
        kept = 0
        for j in range(met):
            item = touched[j]
            if support[item] >= least:
                touched[kept] = item
                work.key[kept] = score[item]
                work.found[kept] = support[item]
                kept += 1
            score[item] = 0.0
            support[item] = 0
        _list_best(best, n, work, kept, row, lists)


@kernel
def walk_closest(
    users: Ints,
    first_row: int,
    sources: Links,
    links: Links,
    seen: Seen,
    n: int,
    least: int,
    work: Work,
    lists: Lists,
    cancel: Flag,
) -> None:
    """List items as they come: source by source, each source's items in their order, each item once.

    Arguments as for `walk_sum`. Scores are NaN; support counts all sources that lead to the item.
    """
    mark, support = work.mark, work.support
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row = users[index], first_row + index
        stamp = 2 * row + 2
        listed = stamp + 1
        _leave_out(seen, user, row, mark, stamp)
        met = 0
        for at in range(sources.indptr[user], sources.indptr[user + 1]):
            source = sources.target[at]
            for link in range(links.indptr[source], links.indptr[source + 1]):
                item = links.target[link]
                if mark[item] != stamp:
                    if mark[item] != listed:
                        mark[item] = listed
                        work.touched[met] = item
                        met += 1
                    support[item] += 1
        size = 0
        for j in range(met):
            item = work.touched[j]
            if support[item] >= least and size < n:
                lists.item[row * n + size] = item
                lists.support[row * n + size] = support[item]
                lists.score[row * n + size] = np.nan
                size += 1
            support[item] = 0
        lists.size[row] = size


@kernel
def pick_ranked(
    users: Ints,
    first_row: int,
    order: Ints,
    score: Floats,
    support: Ints,
    seen: Seen,
    n: int,
    mark: Ints,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Give each user the first n items of one common order that are not left out.

    order : int64, item codes, best first;  score, support : by item code
    """
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row = users[index], first_row + index
        stamp = 2 * row + 2
        _leave_out(seen, user, row, mark, stamp)
        size = 0
        for j in range(len(order)):
            if size == n:
                break
            item = order[j]
            if mark[item] != stamp:
                lists.item[row * n + size] = item
                lists.score[row * n + size] = score[item]
                lists.support[row * n + size] = support[item]
                size += 1
        lists.size[row] = size


@kernel
def pick_scored(
    users: Ints,
    first_row: int,
    score: Floats,
    support: Ints,
    seen: Seen,
    n: int,
    work: Work,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Give each user the best n of the items that have a score and are not left out.

    score, support : one row of all items for each of the users; NaN for no score
    """
    n_items, best, touched = len(work.mark), work.best, work.touched
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row, start = users[index], first_row + index, index * n_items
        stamp = 2 * row + 2
        _leave_out(seen, user, row, work.mark, stamp)
        kept = 0
        for item in range(n_items):
            if work.mark[item] != stamp and score[start + item] == score[start + item]:
                touched[kept] = item
                work.key[kept] = score[start + item]
                work.found[kept] = support[start + item]
                kept += 1
        _list_best(best, n, work, kept, row, lists)
