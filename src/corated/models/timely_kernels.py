"""Kernels of `corated.models.timely`: who rated alike and what they like of late, what goes together.

Rows are given by where they begin and end, so that there may be room between them: row r of a side is
``first[r]`` to ``last[r]`` of its flat arrays, in the order of (time, id of the other side). Sums are taken
in that order, whoever made the rows. Codes need not be ranks.

A rating counts 2^(−age / half-life). What is stored of that is `stored_weight`, in units of a power of two
that is free to choose: one factor for a finished sum brings it to the time that is asked about. So the bits
of a score depend neither on the unit nor on when a weight was stored.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.models.kernels import Least, Lists, Work, list_best, new_work, offer
from corated.similarity.jit import inlined, kernel
from corated.similarity.topk import TopK

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Flag = npt.NDArray[np.uint8]

__all__ = [
    "EVERYONE",
    "NEIGHBORS",
    "SITTINGS",
    "ByItem",
    "ByUser",
    "Everyone",
    "LeftOut",
    "Named",
    "Now",
    "TimelyWork",
    "Together",
    "halvings",
    "meet",
    "new_timely_work",
    "sit_together",
    "sitting_events",
    "sitting_weight",
    "stored_weight",
    "walk_timely",
    "weigh",
]

NEIGHBORS, SITTINGS, EVERYONE = 0, 1, 2
"""What gave a row of the answer."""

_LEAST = 5e-324
"""What a like counts at least, so that it can be told from what is none."""


class ByUser(NamedTuple):
    """The ratings of each user, by (time, item id), none from after the time that is asked about.

    first, last : int64 (users,);  item : int32;  time : int64, UTC microseconds
    weight : float64, `stored_weight` of a like, 0 for what is none
    """

    first: Ints
    last: Ints
    item: Codes
    time: Ints
    weight: Floats


class ByItem(NamedTuple):
    """The raters of each item, by (time, user id): int64 (items,), int64 (items,), int32, int64."""

    first: Ints
    last: Ints
    user: Codes
    time: Ints


class Now(NamedTuple):
    """What scores are made of, at one time.

    at : the time that is asked about, UTC microseconds
    since : likes of neighbors from before count nothing
    factor : brings sums over ``ByUser.weight`` to that time
    sittings : what the third term is multiplied by; 0 for nothing
    sitting_since : the user's own ratings from before bring nothing along
    sitting_step : their half-life in microseconds, 0 for no ageing
    window : microseconds between two ratings of one sitting, at most
    """

    at: int
    since: int
    factor: float
    sittings: float
    sitting_since: int
    sitting_step: float
    window: int


class Everyone(NamedTuple):
    """What everyone likes of late; no ``score`` for nothing.

    score : float64 (items,), Σ `stored_weight` of the likes since ``since``, in their items' order
    order : int64, codes of items: larger score first, then the smaller rank; all above 0, or the first of
        them: as many as the list is long, as the user has rated, and as are left out further to that
    step, base : of those weights
    factor : brings the sums to the time that is asked about, times what the second term is multiplied by
    """

    score: Floats
    order: Ints
    step: float
    base: int
    since: int
    factor: float


class Together(NamedTuple):
    """What goes together with some items, found beforehand for all who ask; no ``first`` for nothing.

    first, last : int64 (items,), where the row of an item begins and ends; −1 where it was not found
    item : int32;  many : int32, how many users rated the two in one sitting
    """

    first: Ints
    last: Ints
    item: Codes
    many: Codes


class LeftOut(NamedTuple):
    """What is not listed: by user, ``first``, ``last`` and ``item`` as in `ByUser`; by row, CSR of items."""

    first: Ints
    last: Ints
    item: Codes
    indptr: Ints
    taken: Ints


class Named(NamedTuple):
    """Answers, with what gave each place: uint8, `NEIGHBORS`, `SITTINGS` or `EVERYONE`. Items are ranks."""

    lists: Lists
    source: Bytes


class TimelyWork(NamedTuple):
    """Working memory of one thread; what counts is zero between users.

    base : ``weight`` is for what the user's own likes have put into `Everyone.score`; ``rank``,
        int64 (items,), is the place of an item's id among all, by code
    common : int32 (users,), items rated in common;  people : uint32 (users + 1,), who has some
    sitting : float64 (items,), the third term;  tally : int32 (items,), sittings with one item
    met : uint32 (items + 1,), items that have anything;  beside : uint32 (items + 1,), those with one item
    is_beside : uint8 (items,), by rank, whether the third term speaks for the item
    """

    base: Work
    common: Codes
    people: Labels
    sitting: Floats
    tally: Codes
    met: Labels
    beside: Labels
    is_beside: Bytes


def new_timely_work(n_users: int, marks: Ints, best: TopK) -> TimelyWork:
    """Return working memory for one thread; ``marks`` and ``best`` as for `corated.models.kernels.new_work`.

    Ranks are codes; see `TimelyWork` where they are not.
    """
    n_items = len(marks)
    return TimelyWork(
        new_work(marks, best),
        np.zeros(n_users, dtype=np.int32),
        np.empty(n_users + 1, dtype=np.uint32),
        np.zeros(n_items),
        np.zeros(n_items, dtype=np.int32),
        np.empty(n_items + 1, dtype=np.uint32),
        np.empty(n_items + 1, dtype=np.uint32),
        np.zeros(n_items, dtype=np.uint8),
    )


# -- weights --------------------------------------------------------------------------------------


@kernel
def halvings(time: int, step: float) -> tuple[int, float]:
    """Return time / step as an integer and the rest, from 0 to 1, to full precision."""
    rest = time % step  # exact, as the quotient is not
    return round((time - rest) / step), rest / step


@kernel
def stored_weight(time: int, step: float, base: int) -> float:
    """Return what a like of some time counts, 2^(time / step) in units of 2^base; 5e-324 at least.

    step : the half-life in microseconds, 0.0 for no ageing: then it is 1
    """
    if step == 0.0:
        return 1.0
    whole, rest = halvings(time, step)
    # Whatever the base, the same mantissa; far from it there is nothing to tell apart.
    power = min(max(whole - base, -2000), 1000)
    return max(math.ldexp(np.exp2(rest), power), _LEAST)


@kernel
def weigh(time: Ints, is_like: npt.NDArray[np.bool_], step: float, base: int, out: Floats) -> None:
    """Write the `stored_weight` of each like, and 0 for what is none."""
    for at in range(len(time)):
        out[at] = stored_weight(time[at], step, base) if is_like[at] else 0.0


@kernel
def sitting_weight(time: int, raters: int, now: Now) -> float:
    """Return what a user's own rating brings along for each sitting: 2^(−age / half-life) / √raters."""
    age = 1.0 if now.sitting_step == 0.0 else np.exp2((time - now.at) / now.sitting_step)
    return age / math.sqrt(raters)


# -- walks ----------------------------------------------------------------------------------------


@kernel
def meet(by_user: ByUser, by_item: ByItem, user: int, common: Codes, people: Labels) -> int:
    """Count what each user has rated in common with one of them, who is met too; returns how many are met.

    people : who they are, in order of first meeting: along the user's row, and along the raters of each item
    """
    many = 0
    for at in range(by_user.first[user], by_user.last[user]):
        item = by_user.item[at]
        for rater in range(by_item.first[item], by_item.last[item]):
            other = by_item.user[rater]
            people[many] = other
            many += int(common[other] == 0)
            common[other] += 1
    return many


@inlined
def _begin(time: Ints, first: int, last: int, least: int) -> int:
    """Return where the times of a row reach ``least``."""
    while first < last:
        middle = (first + last) >> 1
        if time[middle] < least:
            first = middle + 1
        else:
            last = middle
    return first


@kernel
def _like(by_user: ByUser, liked: ByUser, user: int, many: int, now: Now, work: TimelyWork) -> int:
    """Add up what those who were met like of late; returns how many items have anything."""
    score, support = work.base.score, work.base.support
    met, mine = 0, by_user.last[user] - by_user.first[user]
    for index in range(many):
        other = work.people[index]
        both = work.common[other]
        work.common[other] = 0
        if other == user:
            continue
        similarity = both / math.sqrt(mine * (by_user.last[other] - by_user.first[other]))
        first, last = liked.first[other], liked.last[other]
        if first < last and liked.time[first] < now.since:
            first = _begin(liked.time, first, last, now.since)
        for at in range(last - 1, first - 1, -1):
            item = liked.item[at]
            if liked.weight[at] > 0.0:
                work.met[met] = item
                met += int(support[item] == 0)
                support[item] += 1
                score[item] += similarity * liked.weight[at]
    return met


@kernel
def _sit(
    by_user: ByUser, by_item: ByItem, item: int, user: int, window: int, mark: Ints, stamp: int,
    tally: Codes, beside: Labels,
) -> int:  # fmt: skip
    """Count, by item, who but one user rated it in one sitting with an item; returns how many are counted."""
    many = 0
    for rater in range(by_item.first[item], by_item.last[item]):
        other, time = by_item.user[rater], by_item.time[rater]
        if other == user:
            continue
        last = by_user.last[other]
        place = _begin(by_user.time, by_user.first[other], last, time - window)
        while place < last and by_user.time[place] - time <= window:
            thing = by_user.item[place]
            place += 1
            if thing != item and mark[thing] < stamp:
                beside[many] = thing
                many += int(tally[thing] == 0)
                tally[thing] += 1
    return many


@kernel
def _recall(
    by_user: ByUser, together: Together, user: int, at: int, window: int, weight: float, stamp: int,
    work: TimelyWork, met: int,
) -> int:  # fmt: skip
    """Add what goes together with one of the user's ratings, as found beforehand, less what is the user's."""
    support, mark, sitting, tally = work.base.support, work.base.mark, work.sitting, work.tally
    item, time, last = by_user.item[at], by_user.time[at], by_user.last[user]
    begin = _begin(by_user.time, by_user.first[user], last, time - window)
    place = begin
    while place < last and by_user.time[place] - time <= window:
        tally[by_user.item[place]] = -1
        place += 1
    for j in range(together.first[item], together.last[item]):
        thing = together.item[j]
        many = together.many[j] + tally[thing]
        if many > 0 and mark[thing] < stamp:
            work.met[met] = thing
            met += int((support[thing] == 0) & (sitting[thing] == 0.0))
            sitting[thing] += weight * many
    for own in range(begin, place):
        tally[by_user.item[own]] = 0
    return met


@kernel
def _sit_all(
    by_user: ByUser, by_item: ByItem, together: Together, user: int, met: int, now: Now, stamp: int,
    work: TimelyWork,
) -> int:  # fmt: skip
    """Add up what goes together with what the user rated of late; returns how many items have anything."""
    support, sitting, tally = work.base.support, work.sitting, work.tally
    for at in range(by_user.last[user] - 1, by_user.first[user] - 1, -1):
        time, item = by_user.time[at], by_user.item[at]
        if time < now.sitting_since:
            break
        weight = sitting_weight(time, by_item.last[item] - by_item.first[item], now)
        if len(together.first) > 0 and together.first[item] >= 0:
            met = _recall(by_user, together, user, at, now.window, weight, stamp, work, met)
            continue
        many = _sit(by_user, by_item, item, user, now.window, work.base.mark, stamp, tally, work.beside)
        for j in range(many):
            thing = work.beside[j]
            work.met[met] = thing
            met += int((support[thing] == 0) & (sitting[thing] == 0.0))
            sitting[thing] += weight * tally[thing]
            tally[thing] = 0
    return met


@kernel
def sitting_events(by_user: ByUser, by_item: ByItem, items: Ints, window: int, events: Ints) -> None:
    """Write how many ratings its raters made in one sitting with each of some items, which counts too."""
    for index in range(len(items)):
        many = 0
        for rater in range(by_item.first[items[index]], by_item.last[items[index]]):
            other, time = by_item.user[rater], by_item.time[rater]
            last = by_user.last[other]
            place = _begin(by_user.time, by_user.first[other], last, time - window)
            many += _begin(by_user.time, place, last, time + window + 1) - place
        events[index] = many


@kernel
def sit_together(
    by_user: ByUser, by_item: ByItem, items: Ints, window: int, mark: Ints, tally: Codes, beside: Labels,
    together: Together, cancel: Flag,
) -> None:  # fmt: skip
    """Write what goes together with some items to `Together`, where ``first`` says, and set ``last``.

    mark, tally : (items,), all 0, and so left;  beside : (items + 1,)
    """
    for index in range(len(items)):
        if cancel[0] != 0:
            return
        item = items[index]
        many = _sit(by_user, by_item, item, -1, window, mark, 1, tally, beside)
        out = together.first[item]
        for j in range(many):
            thing = beside[j]
            together.item[out + j] = thing
            together.many[out + j] = tally[thing]
            tally[thing] = 0
        together.last[item] = out + many


@kernel
def _choose(
    by_user: ByUser, user: int, n: int, least: Least, now: Now, everyone: Everyone, stamp: int,
    work: TimelyWork, met: int,
) -> int:  # fmt: skip
    """Make candidates of the ``met`` items and of the best by everyone's likes alone; returns how many.

    With at most as many of the user's own as there are, the first n of the others are enough of the order,
    and those that come out like the last of them.
    """
    base, kept, has_prior = work.base, 0, len(everyone.score) > 0
    first, last = by_user.first[user], by_user.last[user]
    if has_prior:
        for at in range(first, last):  # what the user put in is out while this row is made
            if by_user.weight[at] > 0.0 and by_user.time[at] >= everyone.since:
                base.weight[by_user.item[at]] = stored_weight(by_user.time[at], everyone.step, everyone.base)
    for j in range(met):
        item = work.met[j]
        if base.support[item] >= least.listed and base.mark[item] < stamp:
            key = base.score[item] * now.factor
            if has_prior:
                key += (everyone.score[item] - base.weight[item]) * everyone.factor
            key += work.sitting[item] * now.sittings
            kept = offer(base, kept, item, key, base.support[item])
    added, floor = 0, 0.0
    for j in range(len(everyone.order)):
        item = everyone.order[j]
        whole, own = everyone.score[item] * everyone.factor, base.weight[item]
        if least.listed > 0 or (added >= n and whole < floor):
            break
        if base.mark[item] < stamp and base.support[item] == 0 and work.sitting[item] == 0.0:
            if own == 0.0:
                added += 1
                floor = whole if added == n else floor
                kept = offer(base, kept, item, whole, 0)
            elif everyone.score[item] > own:
                kept = offer(base, kept, item, (everyone.score[item] - own) * everyone.factor, 0)
    if has_prior:
        for at in range(first, last):
            base.weight[by_user.item[at]] = 0.0
    return kept


@kernel
def _finish(n: int, met: int, kept: int, row: int, work: TimelyWork, named: Named) -> None:
    """List the best, tell what gave each, and leave the working memory as it was."""
    base, lists = work.base, named.lists
    for j in range(met):
        item = work.met[j]
        work.is_beside[base.rank[item]] = work.sitting[item] > 0.0
    list_best(base.best, n, base, kept, row, lists)
    for place in range(row * n, row * n + lists.size[row]):
        source = SITTINGS if work.is_beside[lists.item[place]] else EVERYONE
        named.source[place] = NEIGHBORS if lists.support[place] > 0 else source
    for j in range(met):
        item = work.met[j]
        work.is_beside[base.rank[item]] = 0
        base.support[item] = 0
        base.score[item] = 0.0
        work.sitting[item] = 0.0


@kernel
def walk_timely(
    users: Ints,
    first_row: int,
    by_user: ByUser,
    liked: ByUser,
    alike: ByItem,
    by_item: ByItem,
    together: Together,
    now: Now,
    everyone: Everyone,
    left_out: LeftOut,
    n: int,
    least: Least,
    work: TimelyWork,
    named: Named,
    cancel: Flag,
) -> None:
    """Rank items for some users; see `corated.models.timely.Timely` for what a score is.

    users : int64, user codes; the row of the answer is ``first_row`` + position
    liked : what neighbors like: all rows of ``by_user``, or the likes since ``now.since`` alone
    alike : the raters of each item that may be neighbors: all, or those with a like since ``now.since``
    by_item : all raters of each item;  together : what was found beforehand of what goes together
    n : places in a list;  least : the support of a listed item is ``least.listed``

    Order: larger score, then more support, then the smaller rank.
    """
    mark = work.base.mark
    for index in range(len(users)):
        if cancel[0] != 0:
            return
        user, row = users[index], first_row + index
        stamp = 2 * row + 2
        for at in range(left_out.first[user], left_out.last[user]):
            item = left_out.item[at]
            mark[item] = max(mark[item], stamp)  # what is barred stays so
        for at in range(left_out.indptr[row], left_out.indptr[row + 1]):
            taken = left_out.taken[at]
            mark[taken] = max(mark[taken], stamp)
        many = meet(by_user, alike, user, work.common, work.people)
        met = _like(by_user, liked, user, many, now, work)
        if now.sittings > 0.0:
            met = _sit_all(by_user, by_item, together, user, met, now, stamp, work)
        kept = _choose(by_user, user, n, least, now, everyone, stamp, work, met)
        _finish(n, met, kept, row, work, named)
