"""Which sums a pair of profiles has, and how they are packed into machine words.

Every measure on a rating scale is a function of a few sums over the co-rated part. Each sum adds, per
co-rated rating pair, one integer term that depends on the two codes alone; so all terms of a pair of
codes are precomputed, packed side by side into one to three 64-bit words, and accumulating a pair of
ratings is one table look-up and one to three additions.

A packed field must never overflow into its neighbor. The number of co-rated ratings n is at most the
smaller profile, so a layout is proven for a *capacity* (the largest n it may meet): field width is the
bit length of ``capacity * largest term``. Small profiles need fewer bits, hence fewer words, hence a
sequence of layouts, each serving the queries up to its capacity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError

__all__ = ["MAX_WORDS", "STATISTICS", "WORD_BITS", "Layout", "plan_layouts"]

Integers = npt.NDArray[np.int64]

WORD_BITS = 63
"""Bits of an int64 word in use; the sign bit stays clear."""
MAX_WORDS = 3

STATISTICS: dict[str, Callable[[Integers, Integers], Integers]] = {
    "n": lambda x, y: np.ones_like(x * y),
    "sx": lambda x, y: x + 0 * y,
    "sy": lambda x, y: y + 0 * x,
    "sxx": lambda x, y: x * x + 0 * y,
    "syy": lambda x, y: y * y + 0 * x,
    "sxy": lambda x, y: x * y,
    "sdd": lambda x, y: (x - y) ** 2,
    "sad": lambda x, y: np.abs(x - y),
}
"""The term that one co-rated pair of ratings x (query) and y (candidate) adds to each sum."""


class Layout(NamedTuple):
    """How the sums of one pair lie in ``words`` int64 words.

    Field f is ``((word[where[f]] >> shift[f]) & mask[f]) - n * bias[f]``; field 0 is n, in word 0.

    table : int64 (levels, levels * words), row x, entry ``y * words + w`` is what word w gains
    where, shift, mask, bias : int64 (fields,)
    words : 1 to 3
    capacity : the largest n for which no field can overflow
    """

    table: Integers
    where: Integers
    shift: Integers
    mask: Integers
    bias: Integers
    words: int
    capacity: int


def plan_layouts(names: Sequence[str], integers: Integers, largest: int) -> list[Layout]:
    """Choose the layouts that carry the sums ``names`` for profiles of up to ``largest`` ratings.

    names : statistics to keep, the first of them ``"n"``
    integers : int64 (levels,), the integer that each rating code stands for in the sums
    largest : the largest number of co-rated ratings that can occur

    Returns layouts by ascending capacity, with fewer words first; the last one has a capacity of at
    least ``largest``. Raises `ParameterError` when three words cannot hold the sums, or when the
    integer products of the measures could pass 2**63.
    """
    terms = np.stack([STATISTICS[name](integers[:, None], integers[None, :]) for name in names])
    bias = np.maximum(0, -terms.min(axis=(1, 2)))
    terms = terms + bias[:, None, None]
    peaks = [int(peak) for peak in terms.max(axis=(1, 2))]
    reach = int(np.abs(integers).max(initial=0))
    # Pearson multiplies two sums; the others only read theirs, which a field holds or not.
    if "sx" in names and (largest * max(reach, 1)) ** 2 >= 2**62:
        raise ParameterError(
            f"Profiles of {largest:,} ratings that reach {reach:,} steps are too large for exact sums.",
            expected="ratings per profile times scale levels below 2**31",
            hint="round the ratings to fewer levels before reading them",
        )
    layouts: list[Layout] = []
    for words in range(1, MAX_WORDS + 1):
        capacity = _largest_capacity(peaks, words, largest)
        if capacity > (layouts[-1].capacity if layouts else 0):
            layouts.append(_build(terms, bias, peaks, words, capacity))
        if capacity >= largest:
            return layouts
    raise ParameterError(
        f"The sums {', '.join(names)} of {largest:,} co-rated ratings do not fit {MAX_WORDS} words.",
        expected=f"at most {layouts[-1].capacity if layouts else 0:,} co-rated ratings on this scale",
        hint="round the ratings to fewer levels before reading them",
    )


def _largest_capacity(peaks: Sequence[int], words: int, largest: int) -> int:
    """Return the largest capacity up to ``largest`` that fits ``words`` words, or 0."""
    if _assign(peaks, words, largest) is not None:
        return largest
    low, high = 0, largest - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _assign(peaks, words, middle) is None:
            high = middle - 1
        else:
            low = middle
    return low


def _assign(peaks: Sequence[int], words: int, capacity: int) -> list[tuple[int, int, int]] | None:
    """Give each field (word, shift, width): n first, then widest first into the first word with room."""
    widths = [(capacity * peak).bit_length() for peak in peaks]
    used = [0] * words
    placed: list[tuple[int, int, int]] = [(0, 0, 0)] * len(peaks)
    for field in [0, *sorted(range(1, len(peaks)), key=lambda f: -widths[f])]:
        for word in range(words):
            if used[word] + widths[field] <= WORD_BITS:
                placed[field] = (word, used[word], widths[field])
                used[word] += widths[field]
                break
        else:
            return None
    return placed


def _build(terms: Integers, bias: Integers, peaks: Sequence[int], words: int, capacity: int) -> Layout:
    placed = _assign(peaks, words, capacity)
    assert placed is not None
    levels = terms.shape[1]
    table = np.zeros((levels, levels, words), dtype=np.int64)
    for field, (word, shift, _) in enumerate(placed):
        table[:, :, word] += terms[field] << shift
    where, shifts, widths = (np.array(column, dtype=np.int64) for column in zip(*placed, strict=True))
    mask = (np.int64(1) << widths) - 1
    return Layout(
        np.ascontiguousarray(table.reshape(levels, levels * words)),
        where,
        shifts,
        mask,
        bias,
        words,
        capacity,
    )
