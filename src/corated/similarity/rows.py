"""Whole rows: a query meets everyone, and its best k are chosen on the spot.

For measures whose order is that of Σ/(a + b), where a is of the query, b of the candidate, and Σ a sum of
integers that fits 32 bits, if not together with the count: the cosine and Tversky's ratios. Each pair is met
from both sides. That takes twice the additions, and spares the scattered offers: only the query's own
candidates are looked at, in the first-level cache. Who is left out is decided in float32, with room for its
rounding; the values and the order of those who stay are the exact ones.

What all threads share is here, and the working memory of one; `corated.similarity.meeting` adds up the sums,
`corated.similarity.choosing` finds the best.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.bits import WORD
from corated.similarity.columns import Columns, columns_of, often_rated
from corated.similarity.finalize import SCREEN_PRODUCT, SCREEN_TVERSKY
from corated.similarity.peaks import DEPTH, FOLDED, GROUP
from corated.similarity.profiles import Profiles, stable_order
from corated.similarity.statistics import Layout
from corated.similarity.tasks import CHUNK, Floats, Ints, Labels, Task

__all__ = [
    "NEVER",
    "SLACK",
    "SPARE",
    "Lists",
    "Room",
    "Rows",
    "alike_together",
    "bytes_shared",
    "can_serve",
    "is_constant",
    "new_room",
    "new_rows",
    "packed",
    "sums_of",
]

Words = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Singles = npt.NDArray[np.float32]

_MOST = 128
"""The most neighbors for which rows are worth it: choosing takes comparisons of each with each."""
_SUBJECTS = 1 << 19
"""The most subjects: their accumulators lie in the cache."""
_LEAST_PARTS, _MOST_PARTS = 0.01, 1e6
"""What the parts of a and b add up to, so that Σ/(a + b) is bounded (Σ is at most the smaller), and float32
has it."""
SLACK = np.float32(1.0 - 4e-6)
"""What rounding in float32 can do to a candidate's order, and more."""
NEVER = np.float32(1e30)
"""The weight of those that have no value with anyone."""
SPARE = WORD
"""Places beyond the candidates, so that loops may go on to the end of a vector, and of a word of bits."""
_WORD_BITS = 31
_LARGEST_WORD = (1 << _WORD_BITS) - 1
_FINEST, _LARGEST = 2.0**20, 2.0**30
"""The factor of a weight of 1, where the largest product still fits."""


class Rows(NamedTuple):
    """What all threads share; candidates are padded to whole groups of `corated.similarity.peaks`.

    events : int64 (n,), how many raters each walks past, by label
    lists : uint16 or uint32 (ratings,), the labels of `Profiles.raters`, for counts; else empty
    sums : int32 (levels, levels), what a pair of ratings adds to Σ
    table : the same and a count of 1, as words, or the count alone
    shift, mask : of the sum and of the count in a word
    most : the most ratings of a query whose words fit; those of others are sums alone
    counts : whether all pairs of ratings add the same, ``worth``: then words are counts, else it is 1
    zeros : whether a pair of ratings may add nothing
    weight : float32 (padded,), by label, b; `NEVER` for those that have no value
    factor : float32 (padded,), ``finest`` / b, 0 for those that have no value; empty for counts
    lightest, heaviest : float32 (groups,), the range of b in each group
    columns : how often rated objects are added up; see `corated.similarity.columns`
    mine, theirs : float64, the parts of a and b: Σ/(mine a + theirs b), a of the same weights
    rank_bits : bits of the largest rank
    """

    events: Ints
    lists: npt.NDArray[np.unsignedinteger[Any]]
    sums: Words
    table: Words
    shift: int
    mask: int
    most: int
    counts: bool
    worth: int
    zeros: bool
    weight: Singles
    factor: Singles
    finest: float
    lightest: Singles
    heaviest: Singles
    columns: Columns
    mine: float
    theirs: float
    rank_bits: int


class Room(NamedTuple):
    """Working memory of one thread.

    acc : int32 (padded,), few : uint8 (padded,), zero between queries
    peak, small_peak : int32, uint8 (padded / DEPTH,);  limit, small_limit : the same by group
    unit : float32 (groups,);  folded : float32 (FOLDED,)
    who, word, near : uint32, int32, float32 (padded + SPARE,), who may be among the best; near is b, then
        Σ/(a + b);  sum, common : int32, what the words of those who are say
    at : uint32 (padded + SPARE,), where something was found
    starts : int64 (most ratings of a profile,), and 4 more;  mark : uint8 (objects,), zero between queries
    key, tie : float64, int64 (2 k + 2 + CHUNK,), as in `TopK`;  key_bits : int64, the memory of ``key``
    order, place : int64, where each goes
    sorted_key, sorted_tie : float64, int64 (2 k + 2,), the candidates in order, best first
    """

    acc: Words
    few: Bytes
    peak: Words
    small_peak: Bytes
    limit: Words
    small_limit: Bytes
    unit: Singles
    folded: Singles
    who: Labels
    word: Words
    near: Singles
    sum: Words
    common: Words
    at: Labels
    starts: Ints
    mark: Bytes
    key: Floats
    key_bits: Ints
    tie: Ints
    order: Ints
    place: Ints
    sorted_key: Floats
    sorted_tie: Ints


class Lists(NamedTuple):
    """Where rows are written, one for each subject; threads share them, since rows are each one's own.

    start : int64 (rows,), where a row begins; there is room for as many as it can have
    size : int64 (rows,), how many it has
    neighbor, value, common : int32, float64, int32, by rank of the neighbor's id
    sign : of the measure; values are keys times it
    """

    start: Ints
    size: Ints
    neighbor: Words
    value: Floats
    common: Words
    sign: float


def can_serve(layouts: list[Layout], task: Task, longest: int, n: int, k: int) -> bool:
    """Tell whether a task of n subjects can be served row by row, with lists of k.

    longest : the most ratings of a profile
    """
    is_product = task.screen == SCREEN_PRODUCT
    if not is_product and (
        task.screen != SCREEN_TVERSKY or not _LEAST_PARTS <= task.alpha + task.beta <= _MOST_PARTS
    ):
        return False
    is_plain = task.adjust == 0 and task.add == 0.0 and task.least <= 1 and task.min_common == 1
    if not is_plain or len(layouts) > 1 or layouts[0].words != 1 or n > _SUBJECTS or k > _MOST:
        return False
    sums = sums_of(layouts[0])
    most = packed(sums, longest)[1]
    if longest * int(sums.max()) >= 1 << _WORD_BITS or most == 0:
        return False
    # A sum of 0 that stands alone cannot be told from nothing in common.
    return is_constant(layouts[0]) or longest <= most or bool(sums.min() > 0)


def sums_of(layout: Layout) -> Ints:
    """Return what each pair of ratings adds to the last of a layout's sums, all in one word."""
    sums: Ints = layout.table >> layout.shift[-1]
    return sums


def packed(sums: Ints, longest: int) -> tuple[int, int]:
    """Return the bits of a count beside a sum in one word, and the most ratings for which both fit."""
    peak = max(int(sums.max()), 1)
    most = [min((1 << bits) - 1, ((1 << (_WORD_BITS - bits)) - 1) // peak) for bits in range(1, _WORD_BITS)]
    bits = next((at for at, fits in enumerate(most) if fits >= longest), int(np.argmax(most)))
    return bits + 1, most[bits]


def new_rows(profiles: Profiles, layout: Layout, task: Task, events: Ints) -> Rows:
    """Return what threads share, for a task that screens by a product or Tversky's ratio.

    events : int64 (n,), as in `Rows`
    """
    is_product = task.screen == SCREEN_PRODUCT
    n, sums, counts = len(task.bound), sums_of(layout), is_constant(layout)
    weight = np.full(_padded(n), NEVER, dtype=np.float32)
    weight[:n] = np.where(task.p > 0.0, task.bound, NEVER)
    factor, finest, worth = np.zeros(0), 0.0, int(sums[0, 0])
    bits, most = 0, _LARGEST_WORD
    if not counts:
        finest, worth = min(_FINEST, _LARGEST / float(task.bound.max(initial=1.0))), 1
        factor = np.where(weight < NEVER, finest / weight, 0.0)
        bits, most = packed(sums, int(np.diff(profiles.indptr).max(initial=0)))
    by_group = weight.reshape(-1, GROUP)
    narrow = np.uint16 if n <= 1 << 16 else np.uint32
    raters = profiles.raters if counts else profiles.raters[:0]
    return Rows(
        events,
        (raters >> profiles.shift).astype(narrow),
        sums.astype(np.int32),
        (np.ones_like(sums) if counts else sums << bits | 1).astype(np.int32),
        bits,
        _LARGEST_WORD if counts else (1 << bits) - 1,
        most,
        counts,
        worth,
        bool(sums.min() == 0),
        weight,
        factor.astype(np.float32),
        finest,
        by_group.min(axis=1, initial=NEVER),
        np.where(by_group < NEVER, by_group, 1.0).max(axis=1, initial=1.0),
        columns_of(profiles, sums, len(weight), counts=counts),
        0.0 if is_product else task.alpha,
        1.0 if is_product else task.beta,
        max(n - 1, 1).bit_length(),
    )


def _padded(n: int) -> int:
    return -(-n // GROUP) * GROUP


def new_room(profiles: Profiles, k: int) -> Room:
    """Return working memory for lists of k."""
    padded, longest = _padded(len(profiles.rank)), int(np.diff(profiles.indptr).max(initial=0))
    groups, peaks, key = padded // GROUP, padded // DEPTH, np.empty(2 * k + 2 + CHUNK)
    return Room(
        np.zeros(padded, dtype=np.int32),
        np.zeros(padded, dtype=np.uint8),
        np.empty(peaks, dtype=np.int32),
        np.empty(peaks, dtype=np.uint8),
        np.empty(groups, dtype=np.int32),
        np.empty(groups, dtype=np.uint8),
        np.empty(groups, dtype=np.float32),
        np.empty(FOLDED, dtype=np.float32),
        np.empty(padded + SPARE, dtype=np.uint32),
        np.empty(padded + SPARE, dtype=np.int32),
        np.empty(padded + SPARE, dtype=np.float32),
        np.empty(padded + SPARE, dtype=np.int32),
        np.empty(padded + SPARE, dtype=np.int32),
        np.empty(padded + SPARE, dtype=np.uint32),
        np.empty(longest + 4, dtype=np.int64),
        np.zeros(len(profiles.rater_ptr) - 1, dtype=np.uint8),
        key,
        key.view(np.int64),
        np.empty(2 * k + 2 + CHUNK, dtype=np.int64),
        np.empty(2 * k + 2 + CHUNK, dtype=np.int64),
        np.empty(2 * k + 2 + CHUNK, dtype=np.int64),
        np.empty(2 * k + 2),
        np.empty(2 * k + 2, dtype=np.int64),
    )


def bytes_shared(profiles: Profiles, layout: Layout) -> int:
    """Return the bytes of `new_rows`."""
    n, padded, counts = len(profiles.rank), _padded(len(profiles.rank)), is_constant(layout)
    width = (0 if not counts else 2 if n <= 1 << 16 else 4) * len(profiles.raters)
    columns = len(often_rated(profiles, sums_of(layout), padded, counts=counts))
    slots = 8 * (len(profiles.rater_ptr) - 1) if columns else 0
    return width + 8 * padded + (columns + 1) * padded + slots


def is_constant(layout: Layout) -> bool:
    """Tell whether all pairs of ratings count the same."""
    return bool((layout.table == layout.table[0, 0]).all())


def alike_together(profiles: Profiles, labels: Ints) -> Ints:
    """Return the order of some labels: by number of ratings, and the same profiles of one rating together.

    labels : int64, each once
    """
    at = np.full(len(profiles.rank), -1, dtype=np.int64)
    at[labels] = np.arange(len(labels))
    is_there = at >= 0
    order: Ints = at[is_there]  # labels are by number of ratings already
    one, two = np.searchsorted(np.diff(profiles.indptr), [1, 2])
    first, stop = int(is_there[:one].sum()), int(is_there[:two].sum())
    alone = order[first:stop]
    rating = profiles.indptr[labels[alone]]
    within = (profiles.objects[rating].astype(np.int64) << 8) | profiles.codes[rating]
    order[first:stop] = alone[stable_order(within, len(profiles.rater_ptr) << 8)]
    return order
