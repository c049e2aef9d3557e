"""The kernels: accumulate → finalize → select, for a range of queries against a range of candidates.

- *accumulate*: for each object of the query, for each of its raters in the range: add the packed terms of
  the two codes to the rater's accumulator, and remember who was touched.
- *finalize*: unpack the sums of those with at least ``min_common``, and turn them into values.
- *select* or *emit*: offer each pair to the best k of both sides (or of the query alone), or write it out.

All kernels are serial and release the GIL; the caller owns threads and gives each its own `Scratch` and
`TopK`. Indices are unsigned, which spares a wrap-around check per access. A cancel flag is looked at
before each query.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity import measures
from corated.similarity.jit import inlined, kernel
from corated.similarity.profiles import MISSING, Popular, Profiles
from corated.similarity.statistics import Layout
from corated.similarity.topk import TopK, offer_row, offer_rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint32]
Raters = npt.NDArray[np.unsignedinteger[Any]]
Flag = npt.NDArray[np.uint8]
Unsigned = np.uint64

__all__ = ["Pairs", "Scratch", "Task", "emit_block", "new_pairs", "new_scratch", "select_block"]

MAX_DEFERRED = 16
"""The most lists that a query can put off; see `_accumulate`."""
CHUNK = 1024
"""Pairs finalized together: their sums and values stay in the first-level cache."""

PEARSON, EUCLIDEAN, MSD, MANHATTAN = (
    measures.PEARSON,
    measures.EUCLIDEAN,
    measures.MSD,
    measures.MANHATTAN,
)
COSINE, COSINE_COMMON, JACCARD = measures.COSINE, measures.COSINE_COMMON, measures.JACCARD
_pearson = kernel(measures.pearson)
_euclidean = kernel(measures.euclidean)
_msd = kernel(measures.msd)
_manhattan = kernel(measures.manhattan)
_cosine = kernel(measures.cosine)
_cosine_common = kernel(measures.cosine_common)
_jaccard = kernel(measures.jaccard)


class Task(NamedTuple):
    """What to compute: a measure on the scale, and which candidates a query meets.

    measure : the measure's code
    sign : +1 where larger values are closer, −1 for distances
    step : the scale's step, for measures in rating units
    min_common : pairs with fewer co-rated ratings are left out
    both : visit each unordered pair once, from its lighter side, and serve both sides;
        otherwise a query meets every candidate and only the query is served
    side : float64 (n,) by label: squared norms or counts of whole profiles, or unused
    low, high : int64 (objects,), the range of each column of raters that holds the candidates
    deferred : how many of a query's longest lists are put off: 0, or ``min_common - 1``; see `_accumulate`
    popular : where candidates are looked up for them
    """

    measure: int
    sign: float
    step: float
    min_common: int
    both: bool
    side: Floats
    low: Ints
    high: Ints
    deferred: int
    popular: Popular


class Scratch(NamedTuple):
    """Working memory of one thread; accumulators are all zero between queries.

    acc : int64 (n * words,), the packed sums of each candidate
    touched : uint32 (n + 1,), candidates met by the current query, in order of meeting
    late, longest : int64 (MAX_DEFERRED,), the entries put off, and the lengths of their lists
    row : int64 (256 * 3,), a row of the table with zeros for `MISSING`
    who : uint32 (CHUNK,); n : int64 (CHUNK,); words : int64 (3, CHUNK); sums : int64 (8, CHUNK)
    key : float64 (CHUNK,)
    """

    acc: Ints
    touched: Labels
    late: Ints
    longest: Ints
    row: Ints
    who: Labels
    words: Ints
    sums: Ints
    key: Floats


class Pairs(NamedTuple):
    """Emitted pairs: labels of both, the value (NaN where undefined) and the co-rated count."""

    first: Labels
    second: Labels
    value: Floats
    n: Ints


def new_scratch(n: int, words: int) -> Scratch:
    """Return working memory for n subjects and layouts of at most ``words`` words."""
    return Scratch(
        np.zeros(n * words, dtype=np.int64),
        np.empty(n + 1, dtype=np.uint32),
        np.zeros(MAX_DEFERRED, dtype=np.int64),
        np.zeros(MAX_DEFERRED, dtype=np.int64),
        np.zeros((MISSING + 1) * 3, dtype=np.int64),
        np.empty(CHUNK, dtype=np.uint32),
        np.empty((3, CHUNK), dtype=np.int64),
        np.empty((8, CHUNK), dtype=np.int64),
        np.empty(CHUNK, dtype=np.float64),
    )


def new_pairs(capacity: int) -> Pairs:
    """Return room for ``capacity`` emitted pairs."""
    return Pairs(
        np.empty(capacity, dtype=np.uint32),
        np.empty(capacity, dtype=np.uint32),
        np.empty(capacity, dtype=np.float64),
        np.empty(capacity, dtype=np.int64),
    )


@kernel
def _add1(
    raters: Raters,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    low_bits: Unsigned,
    row: Ints,
    acc: Ints,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for p in range(start, stop):
        rater = raters[p]
        v = rater >> shift
        word = acc[v]
        touched[met] = v
        met += np.uint64(word == 0)
        acc[v] = word + row[rater & low_bits]
    return met


@kernel
def _add2(
    raters: Raters,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    low_bits: Unsigned,
    row: Ints,
    acc: Ints,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for p in range(start, stop):
        rater = raters[p]
        v = rater >> shift
        at = v + v
        code = rater & low_bits
        code += code
        word = acc[at]
        touched[met] = v
        met += np.uint64(word == 0)
        acc[at] = word + row[code]
        acc[at + np.uint64(1)] += row[code + np.uint64(1)]
    return met


@kernel
def _add3(
    raters: Raters,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    low_bits: Unsigned,
    row: Ints,
    acc: Ints,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for p in range(start, stop):
        rater = raters[p]
        v = rater >> shift
        at = v + v + v
        code = rater & low_bits
        code += code + code
        word = acc[at]
        touched[met] = v
        met += np.uint64(word == 0)
        acc[at] = word + row[code]
        acc[at + np.uint64(1)] += row[code + np.uint64(1)]
        acc[at + np.uint64(2)] += row[code + np.uint64(2)]
    return met


@kernel
def _first_rater(profiles: Profiles, task: Task, entry: int) -> int:
    """Return where the candidates begin among the raters of an entry's object."""
    start = task.low[profiles.objects[entry]]
    return int(max(start, profiles.after[entry]) if task.both else start)


@kernel
def _cut(profiles: Profiles, task: Task, u: int, longest: Ints) -> tuple[int, int]:
    """Find the lists to put off: those longer than the cut, and so many as long as the cut."""
    last = task.deferred - 1
    longest[: last + 1] = -1
    for entry in range(profiles.indptr[u], profiles.indptr[u + 1]):
        length = task.high[profiles.objects[entry]] - _first_rater(profiles, task, entry)
        if length > longest[last]:
            place = last
            while place > 0 and longest[place - 1] < length:
                longest[place] = longest[place - 1]
                place -= 1
            longest[place] = length
    cut = longest[last]
    spare = 0
    for place in range(last + 1):
        spare += int(longest[place] == cut)
    return cut, spare


@inlined
def _add_words(acc: Ints, v: Unsigned, row: Ints, code: Unsigned, words: int) -> None:
    """Add a row's terms of one code to one candidate."""
    if words == 1:
        acc[v] += row[code]
    else:
        for word in range(np.uint64(words)):
            acc[v * np.uint64(words) + word] += row[code * np.uint64(words) + word]


@kernel
def _add_known(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    entry: int,
    scratch: Scratch,
    met: Unsigned,
) -> None:
    """Add an entry's terms for those candidates only that have been met."""
    acc, touched, words, popular = scratch.acc, scratch.touched, layout.words, task.popular
    column, row = profiles.objects[entry], layout.table[profiles.codes[entry]]
    first, last = np.uint64(_first_rater(profiles, task, entry)), np.uint64(task.high[column])
    slot = popular.slot[column]
    if slot >= 0 and met < np.uint64(2) * (last - first):
        padded, codes, base = scratch.row, popular.codes, np.uint64(slot * popular.n)
        padded[: len(row)] = row
        padded[MISSING * words : (MISSING + 1) * words] = 0
        for j in range(met):
            v = np.uint64(touched[j])
            _add_words(acc, v, padded, np.uint64(codes[base + v]), words)
        return
    raters, shift = profiles.raters, np.uint64(profiles.shift)
    low_bits = np.uint64((1 << profiles.shift) - 1)
    for p in range(first, last):
        v = np.uint64(raters[p] >> shift)
        if acc[v * np.uint64(words)] != 0:
            _add_words(acc, v, row, np.uint64(raters[p] & low_bits), words)


@kernel
def _accumulate(profiles: Profiles, layout: Layout, task: Task, u: int, scratch: Scratch) -> Unsigned:
    """Add up the sums of query u with every candidate in range; returns how many were met.

    Whoever is to share m objects with the query shares at least one that is not among any m − 1 of them.
    So the m − 1 longest lists of raters are put off: they bring in nobody new, and only add to those who
    have been met. (Prefix filtering: Chaudhuri, Ganti and Kaushik, ICDE 2006.)
    """
    raters = profiles.raters
    shift = np.uint64(profiles.shift)
    low_bits = np.uint64((1 << profiles.shift) - 1)
    met = np.uint64(0)
    cut, spare = 0, 0
    if task.deferred > 0:
        cut, spare = _cut(profiles, task, u, scratch.longest)
    late = 0
    for entry in range(profiles.indptr[u], profiles.indptr[u + 1]):
        start, stop = _first_rater(profiles, task, entry), task.high[profiles.objects[entry]]
        if task.deferred > 0 and (stop - start > cut or (stop - start == cut and spare > 0)):
            spare -= int(stop - start == cut)
            scratch.late[late] = entry
            late += 1
            continue
        first, last = np.uint64(start), np.uint64(stop)
        row = layout.table[profiles.codes[entry]]
        if layout.words == 1:
            met = _add1(raters, first, last, shift, low_bits, row, scratch.acc, scratch.touched, met)
        elif layout.words == 2:
            met = _add2(raters, first, last, shift, low_bits, row, scratch.acc, scratch.touched, met)
        else:
            met = _add3(raters, first, last, shift, low_bits, row, scratch.acc, scratch.touched, met)
    for index in range(late):
        _add_known(profiles, layout, task, scratch.late[index], scratch, met)
    return met


@kernel
def _collect(
    layout: Layout, task: Task, u: int, scratch: Scratch, begin: Unsigned, met: Unsigned
) -> tuple[Unsigned, Unsigned]:
    """Clear touched candidates from ``begin`` on and keep those with enough in common.

    Returns (kept, next): it stops when CHUNK are kept; next is where to go on.
    """
    mask, least, words = layout.mask[0], task.min_common, np.uint64(layout.words)
    acc, touched, who, word0 = scratch.acc, scratch.touched, scratch.who, scratch.words[0]
    kept = np.uint64(0)
    j = begin
    while j < met and kept < np.uint64(CHUNK):
        v = touched[j]
        j += np.uint64(1)
        word = acc[v * words]
        acc[v * words] = 0
        who[kept] = v
        word0[kept] = word
        for extra in range(np.uint64(1), words):
            scratch.words[extra, kept] = acc[v * words + extra]
            acc[v * words + extra] = 0
        kept += np.uint64((word & mask) >= least and v != u)
    return kept, j


@kernel
def _unpack(layout: Layout, scratch: Scratch, kept: Unsigned) -> None:
    """Spread the packed words of the kept candidates into one row of integers per sum."""
    for field in range(len(layout.where)):
        words = scratch.words[layout.where[field]]
        sums = scratch.sums[field]
        n = scratch.sums[0]
        shift, mask, bias = layout.shift[field], layout.mask[field], layout.bias[field]
        if bias == 0:
            for j in range(kept):
                sums[j] = (words[j] >> shift) & mask
        else:
            for j in range(kept):
                sums[j] = ((words[j] >> shift) & mask) - n[j] * bias


@kernel
def _evaluate(task: Task, u: int, scratch: Scratch, kept: Unsigned) -> None:  # noqa: C901 - one branch a measure
    """Turn sums into keys: values, negated for distances; NaN where the measure is undefined."""
    sums, key, who, side = scratch.sums, scratch.key, scratch.who, task.side
    n, s1, s2, s3, s4, s5 = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    step = task.step
    if task.measure == PEARSON:
        for j in range(kept):
            key[j] = _pearson(n[j], s1[j], s2[j], s3[j], s4[j], s5[j])
    elif task.measure == EUCLIDEAN:
        for j in range(kept):
            key[j] = _euclidean(s1[j], step)
    elif task.measure == MSD:
        for j in range(kept):
            key[j] = _msd(n[j], s1[j], step)
    elif task.measure == MANHATTAN:
        for j in range(kept):
            key[j] = _manhattan(s1[j], step)
    elif task.measure == COSINE:
        for j in range(kept):
            key[j] = _cosine(s1[j], side[u], side[who[j]])
    elif task.measure == COSINE_COMMON:
        for j in range(kept):
            key[j] = _cosine_common(s1[j], s2[j], s3[j])
    elif task.measure == JACCARD:
        for j in range(kept):
            key[j] = _jaccard(n[j], side[u], side[who[j]])
    if task.sign < 0:
        for j in range(kept):
            key[j] = -key[j]


@kernel
def _select(
    profiles: Profiles, task: Task, u: int, scratch: Scratch, kept: Unsigned, best: TopK, k: int, row: int
) -> None:
    """Offer each kept pair to the query's row and, if both sides are served, to the candidate's."""
    key, who, n, rank = scratch.key, scratch.who, scratch.sums[0], profiles.rank
    end = int(kept)
    j = 0
    while j < end:
        j = offer_row(best, k, row, key, n, who, rank, j, end)
    j = 0
    while task.both and j < end:
        j = offer_rows(best, k, rank[u], key, n, who, j, end)


@kernel
def select_block(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    queries: Ints,
    first_row: int,
    scratch: Scratch,
    best: TopK,
    k: int,
    cancel: Flag,
) -> int:
    """Find the best k of each query, and of each candidate if both sides are served.

    queries : int64, labels whose profile is within the layout's capacity
    first_row : the row of ``best`` that belongs to the first query; with ``task.both`` a query's own
        row is its label, and this is not used
    cancel : uint8 (1,), set by another thread to stop; returns the number of queries done
    """
    for index in range(len(queries)):
        if cancel[0] != 0:
            return index
        u = queries[index]
        if profiles.indptr[u + 1] - profiles.indptr[u] < task.min_common:
            continue
        row = u if task.both else first_row + index
        met = _accumulate(profiles, layout, task, u, scratch)
        at = np.uint64(0)
        while at < met:
            kept, at = _collect(layout, task, u, scratch, at, met)
            _unpack(layout, scratch, kept)
            _evaluate(task, u, scratch, kept)
            _select(profiles, task, u, scratch, kept, best, k, row)
    return len(queries)


@kernel
def emit_block(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    queries: Ints,
    scratch: Scratch,
    pairs: Pairs,
    cancel: Flag,
) -> int:
    """Write every pair of the queries with at least ``min_common`` to ``pairs``; returns how many.

    The caller gives room for all: at most the pair events of the queries, at most n a query.
    """
    out = 0
    for index in range(len(queries)):
        if cancel[0] != 0:
            return out
        u = queries[index]
        if profiles.indptr[u + 1] - profiles.indptr[u] < task.min_common:
            continue
        met = _accumulate(profiles, layout, task, u, scratch)
        at = np.uint64(0)
        while at < met:
            kept, at = _collect(layout, task, u, scratch, at, met)
            _unpack(layout, scratch, kept)
            _evaluate(task, u, scratch, kept)
            for j in range(kept):
                pairs.first[out] = u
                pairs.second[out] = scratch.who[j]
                pairs.value[out] = scratch.key[j] * task.sign
                pairs.n[out] = scratch.sums[0, j]
                out += 1
    return out
