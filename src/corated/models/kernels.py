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
    "FREE",
    "Expect",
    "Least",
    "Links",
    "Lists",
    "Prior",
    "Seen",
    "Work",
    "list_best",
    "new_work",
    "no_prior",
    "offer",
    "pick_ranked",
    "pick_scored",
    "walk_closest",
    "walk_mean",
    "walk_sum",
]

FREE = 0
"""The mark of an item before any row has left it out; rows stamp from 2 on, so marks below are free."""


class Links(NamedTuple):
    """CSR rows of links: int64 (rows + 1,), int32 (m,), float64 (m,).

    worth : float64 (m,), or empty where nothing reads it
    """

    indptr: Ints
    target: Codes
    weight: Floats
    worth: Floats


class Seen(NamedTuple):
    """What is left out: the items each user rated, and what is left out of each row further to that."""

    indptr: Ints
    items: npt.NDArray[np.int32]
    taken_indptr: Ints
    taken: Ints


class Least(NamedTuple):
    """How many must stand behind an item: for its sources to count at all, and for it to be listed."""

    counted: int
    listed: int


class Prior(NamedTuple):
    """What each item's score has beforehand, whoever asks; empty arrays for nothing.

    score : float64 (items,)
    order : int64, codes of the items that are candidates by it alone: larger score first, then smaller code
    own_indptr : int64 (users + 1,), own : float64, what each user's own ratings have put into ``score``, and
        what does not count for the user; ``own_items`` : int32, their items
    """

    score: Floats
    order: Ints
    own_indptr: Ints
    own_items: Codes
    own: Floats


class Expect(NamedTuple):
    """What is expected of a pair, mu + user + item, and what a deviation counts.

    spread : float64, by subject, or empty where it is 1;  by_user : whether subjects are users
    shrink : supporters that would say nothing deviates
    """

    mu: float
    user: Floats
    item: Floats
    spread: Floats
    by_user: bool
    shrink: float


class Lists(NamedTuple):
    """Answers, n places a row: item codes int64, scores float64, support int64; size int64 (rows,)."""

    item: Ints
    score: Floats
    support: Ints
    size: Ints


class Work(NamedTuple):
    """Working memory of one thread; ``score``, ``weight`` and ``support`` are zero between users.

    mark : int64 (items,), ``2 * row + 2`` or more where the item is left out for this row: rows come in
        ascending order, so what earlier rows left out is below; ``2 * row + 3`` where it is listed
    touched, key, found : (items,), the candidates of one user;  spare : (items,), those touched before
    best : room for one row's best n
    rank : int64 (items,), code == rank
    """

    score: Floats
    weight: Floats
    support: Ints
    mark: Ints
    touched: Labels
    key: Floats
    found: Ints
    spare: Labels
    best: TopK
    rank: Ints


def no_prior() -> Prior:
    """Return a prior that says nothing."""
    nothing, starts = np.zeros(0), np.zeros(0, dtype=np.int64)
    return Prior(nothing, starts, starts, np.zeros(0, dtype=np.int32), nothing)


def new_work(marks: Ints, best: TopK) -> Work:
    """Return working memory for one thread; ``best`` has one row with room for n and some."""
    n_items = len(marks)
    return Work(
        np.zeros(n_items),
        np.zeros(n_items),
        np.zeros(n_items, dtype=np.int64),
        marks,
        np.empty(n_items + 1, dtype=np.uint32),
        np.empty(n_items),
        np.empty(n_items, dtype=np.int64),
        np.empty(n_items, dtype=np.uint32),
        best,
        np.arange(n_items),
    )


@kernel
def _leave_out(seen: Seen, user: int, row: int, mark: Ints, stamp: int) -> None:
    for at in range(seen.indptr[user], seen.indptr[user + 1]):
        item = seen.items[at]
        mark[item] = max(mark[item], stamp)  # what is barred stays so
    for at in range(seen.taken_indptr[row], seen.taken_indptr[row + 1]):
        taken = seen.taken[at]
        mark[taken] = max(mark[taken], stamp)


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
        if mark[item] < stamp:
            touched[met] = item
            met += int(support[item] == 0)
            support[item] += 1
            score[item] += weight * weights[at]
    return met


@kernel
def list_best(best: TopK, n: int, work: Work, kept: int, row: int, lists: Lists) -> None:
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


@inlined
def offer(work: Work, kept: int, item: int, key: float, support: int) -> int:
    """Put an item among the candidates; returns how many there are."""
    work.touched[kept] = item
    work.key[kept] = key
    work.found[kept] = support
    return kept + 1


@kernel
def _add_prior(prior: Prior, user: int, n: int, stamp: int, least: Least, work: Work, met: int) -> int:
    """Make candidates of the ``met`` items touched and of the best by the prior alone; returns how many.

    With at most as many of the user's own as there are, the first n of the others are enough of ``order``.
    """
    score, support, mark = work.score, work.support, work.mark
    first, last = prior.own_indptr[user], prior.own_indptr[user + 1]
    for at in range(first, last):  # what the user put in is out while this row is made
        work.weight[prior.own_items[at]] = prior.own[at]
    kept = 0
    for j in range(met):
        item = work.touched[j]
        before = prior.score[item] - work.weight[item]
        is_enough = support[item] >= least.counted
        if support[item] >= least.listed and (is_enough or before > 0.0):
            kept = offer(work, kept, item, before + (score[item] if is_enough else 0.0), support[item])
        score[item] = 0.0
    added = 0
    for j in range(len(prior.order)):
        if added == n or least.listed > 0:
            break
        item = prior.order[j]
        if mark[item] < stamp and support[item] == 0:
            before = prior.score[item] - work.weight[item]
            if work.weight[item] == 0.0:
                added += 1
            if work.weight[item] == 0.0 or before > 0.0:
                kept = offer(work, kept, item, before, 0)
    for at in range(first, last):
        work.weight[prior.own_items[at]] = 0.0
    return kept


@kernel
def walk_sum(
    users: Ints,
    first_row: int,
    rows: Ints,
    sources: Links,
    links: Links,
    seen: Seen,
    n: int,
    least: Least,
    prior: Prior,
    work: Work,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Score each item by the sum of source weight × link weight over the sources that lead to it.

    users : int64, user codes; the row of the answer is ``first_row`` + position
    rows : int64, the row of ``sources`` of each of them
    n : places in a list
    prior : what is added to that

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
        for at in range(sources.indptr[rows[index]], sources.indptr[rows[index] + 1]):
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
        if len(prior.score) > 0:
            for j in range(met):
                work.spare[j] = touched[j]
            kept = _add_prior(prior, user, n, stamp, least, work, met)
            for j in range(met):
                support[work.spare[j]] = 0
        else:
            for j in range(met):
                item = touched[j]
                if support[item] >= max(least.counted, least.listed):
                    kept = offer(work, kept, item, score[item], support[item])
                score[item] = 0.0
                support[item] = 0
        list_best(best, n, work, kept, row, lists)


@kernel
def walk_mean(
    users: Ints,
    first_row: int,
    rows: Ints,
    sources: Links,
    links: Links,
    seen: Seen,
    n: int,
    least: Least,
    expect: Expect,
    work: Work,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Score each item by what is expected of it and the mean of what its sources deviate.

    links : ``weight`` is what a rating counts, ``worth`` how far it deviates; otherwise as for `walk_sum`
    """
    score, weight, support, mark = work.score, work.weight, work.support, work.mark
    touched, best = work.touched, work.best
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row = users[index], first_row + index
        stamp = 2 * row + 2
        _leave_out(seen, user, row, mark, stamp)
        met = 0
        for at in range(sources.indptr[rows[index]], sources.indptr[rows[index] + 1]):
            source, near = sources.target[at], sources.weight[at]
            for link in range(links.indptr[source], links.indptr[source + 1]):
                item = links.target[link]
                if mark[item] < stamp:
                    touched[met] = item
                    met += int(support[item] == 0)
                    support[item] += 1
                    # One of the two weights is a similarity, the other what a rating counts.
                    s = near * links.weight[link]
                    score[item] += s * (sources.worth[at] if len(links.worth) == 0 else links.worth[link])
                    weight[item] += abs(s)
        kept = 0
        for j in range(met):
            item = touched[j]
            many = support[item]
            if many >= max(least.counted, least.listed) and weight[item] > 0.0:
                value = score[item] / weight[item]
                if len(expect.spread) > 0:
                    value *= expect.spread[user if expect.by_user else np.int64(item)]
                if expect.shrink > 0.0:
                    value *= many / (many + expect.shrink)
                value += expect.mu + expect.user[user] + expect.item[item]
                kept = offer(work, kept, item, value, many)
            score[item] = 0.0
            weight[item] = 0.0
            support[item] = 0
        list_best(best, n, work, kept, row, lists)


@kernel
def walk_closest(
    users: Ints,
    first_row: int,
    rows: Ints,
    sources: Links,
    links: Links,
    seen: Seen,
    n: int,
    least: Least,
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
        for at in range(sources.indptr[rows[index]], sources.indptr[rows[index] + 1]):
            source = sources.target[at]
            for link in range(links.indptr[source], links.indptr[source + 1]):
                item = links.target[link]
                if mark[item] < stamp or mark[item] == listed:
                    if mark[item] != listed:
                        mark[item] = listed
                        work.touched[met] = item
                        met += 1
                    support[item] += 1
        size = 0
        for j in range(met):
            item = work.touched[j]
            if support[item] >= max(least.counted, least.listed) and size < n:
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
    least: int,
    mark: Ints,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Give each user the first n items of one common order that are not left out.

    order : int64, item codes, best first;  score, support : by item code;  least : support of a listed item
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
            if mark[item] < stamp and support[item] >= least:
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
    least: int,
    work: Work,
    lists: Lists,
    cancel: Flag,
) -> None:
    """Give each user the best n of the items that have a score and are not left out.

    score, support : one row of all items for each of the users; NaN for no score
    """
    n_items, best = len(work.mark), work.best
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row, start = users[index], first_row + index, index * n_items
        stamp = 2 * row + 2
        _leave_out(seen, user, row, work.mark, stamp)
        kept = 0
        for item in range(n_items):
            value, many = score[start + item], support[start + item]
            if work.mark[item] < stamp and value == value and many >= least:
                kept = offer(work, kept, item, value, many)
        list_best(best, n, work, kept, row, lists)
