"""What the work costs: the measured constants of time and cache by which ways are chosen, in one place.

Nanoseconds are of one core (x86-64, 512 kB of second-level cache), with compiled kernels.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "Counts",
    "block_target",
    "most_blocks",
    "pieces_of_candidates",
    "rows_pay",
    "seconds_of",
    "slowness",
    "soon_over",
]

_NS_EVENT, _NS_EVENT_FAR = 0.58, 0.73
"""One co-rated rating of one pair added up; with accumulators that the second-level cache holds, or not."""
_CACHE_BYTES = 300_000
_NS_MET = 0.56
"""One pair with something in common looked at and cleared."""
_NS_PAIR = 4.1
"""One pair with enough in common evaluated and offered to both sides."""
_NS_ROW = 87.0
"""One row of the result sorted, merged and copied out."""
_NS_RATING = 46.0
_SECONDS_AT_LEAST = 0.004

_WHOLE_SUM, _WHOLE_COUNT, _WHOLE_LOOK, _WHOLE_SUBJECT, _WHOLE_RATING = 0.25, 0.12, 0.2, 500.0, 40.0
"""The same where rows are found whole, from one side: an event that is summed up, or only counted; a
candidate looked at; a subject whose best are chosen on the spot."""
_LOOKS = 12
"""Candidates that are looked at for each event, at most; see `corated.similarity.choosing`."""

_WHOLE_SUBJECTS = 1 << 17
_OFTEN = 2.0
"""Subjects up to which, and times that two meet, on average, from which on finding rows whole pays."""

_BLOCKS_PER_THREAD = 4
"""Of what is left: long ones first, since each costs a call, and short ones so that all end together."""
_LARGEST_BLOCK = 20_000_000
"""Pair events a block may have: below 0.1 s of work, since a thread is stopped between queries."""
_SMALLEST_BLOCK = 100_000

_MOMENT = 40_000_000
"""Pair events, each pair from both sides, that no thread is busy with for more than a tenth of a second."""

_PIECE_BYTES = 1 << 20
"""Accumulators of a piece of the candidates, in bytes."""
_ENTRIES_PER_VISIT = 16
"""Raters that a visit to an object's list should meet on average, or the visit itself is what costs."""


class Counts(NamedTuple):
    """How much there is to do: pair events and pairs each counted once, rows, subjects, ratings.

    accumulators : bytes of the sums of all candidates
    """

    events: int
    met: int
    pairs: int
    rows: int
    subjects: int
    ratings: int
    accumulators: int


def block_target(left: int, threads: int) -> int:
    """Return the pair events of the next block, where so many are left to share out."""
    return min(max(left // (threads * _BLOCKS_PER_THREAD), _SMALLEST_BLOCK), _LARGEST_BLOCK)


def most_blocks(events: int, layouts: int) -> int:
    """Return how many blocks there can be: any two in a row are more than the smallest, but for layouts."""
    return layouts + 2 * events // _SMALLEST_BLOCK


def soon_over(events: int, *, in_kernels: bool) -> bool:
    """Tell whether so many pair events take so little that the calling thread can do its share of them.

    in_kernels : whether a kernel does all the work
    """
    return in_kernels and events <= _MOMENT


def seconds_of(
    counts: Counts, *, both: bool, threads: int, whole: Literal["", "counts", "sums"] = ""
) -> float:
    """Return the seconds of the work; selecting is shared among threads, what surrounds it is not.

    whole : whether rows are found whole, from counts or from sums
    """
    if whole:
        events = 2 * counts.events
        shared = events * (_WHOLE_COUNT if whole == "counts" else _WHOLE_SUM)
        shared += min(counts.subjects**2, _LOOKS * events) * _WHOLE_LOOK
        shared += counts.subjects * _WHOLE_SUBJECT
        return _SECONDS_AT_LEAST + (shared / threads + counts.ratings * _WHOLE_RATING) * 1e-9
    event = _NS_EVENT if counts.accumulators <= _CACHE_BYTES else _NS_EVENT_FAR
    shared = counts.events * event + counts.met * _NS_MET + counts.pairs * _NS_PAIR
    if not both:
        shared *= 2
    alone = counts.rows * _NS_ROW + counts.ratings * _NS_RATING
    return _SECONDS_AT_LEAST + (shared / threads + alone) * 1e-9


def rows_pay(subjects: int, events: int, *, counts: bool) -> bool:
    """Tell whether finding each one's neighbors whole is quicker than meeting each pair once.

    events : pair events, each pair from both sides;  counts : whether all pairs of ratings count the same

    Measured: with counts, 2 to 3 times; otherwise as long as the sums of all candidates lie in the cache, or
    where two meet often.
    """
    return counts or subjects <= _WHOLE_SUBJECTS or events > _OFTEN * subjects**2


def slowness(n: int, *, both: bool, threads: int) -> float:  # noqa: ARG001
    """Return how long finding everyone's neighbors takes, in a unit that only compares ways to do it."""
    return (1.0 if both else 2.0) / threads


def pieces_of_candidates(n: int, accumulator: int, events: int, entries: int) -> int:
    """Return into how many pieces the candidates are cut so that a piece's accumulators stay in cache.

    accumulator : bytes of one candidate's;  events, entries : of all queries, each serving itself
    """
    wanted = -(-n * accumulator // _PIECE_BYTES)
    return max(1, min(wanted, events // max(entries * _ENTRIES_PER_VISIT, 1)))
