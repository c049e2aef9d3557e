"""Accumulate: the sums of a query with every candidate that it meets.

For each object of the query, for each of its raters in the range: add what the two ratings contribute to the
rater's accumulator, and remember who was touched. Sums of integers are packed; others are added up in float64
in ascending order of objects, so that neither threads nor blocks change a bit.

Indices are unsigned, which spares a wrap-around check per access.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import inlined, kernel
from corated.similarity.profiles import MISSING, Profiles
from corated.similarity.statistics import Layout
from corated.similarity.tasks import (
    DIFFERENCES,
    DOT,
    INTEGERS,
    MOMENTS,
    Floats,
    Ints,
    Labels,
    Raters,
    Scratch,
    Task,
)

__all__ = ["accumulate", "add_noting"]

Unsigned = np.uint64
Sums = npt.NDArray[Any]


@kernel
def add_noting(
    raters: Raters,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    low_bits: Unsigned,
    row: Sums,
    acc: Sums,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    """Add the words of a list of raters, of any one type, and note who is met first; returns how many are."""
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
    for place in range(last + 1):
        longest[place] = -1
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
        for place in range(len(row)):
            padded[place] = row[place]
        for place in range(MISSING * words, (MISSING + 1) * words):
            padded[place] = 0
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
def _accumulate_integers(
    profiles: Profiles, layout: Layout, task: Task, u: int, scratch: Scratch
) -> Unsigned:
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
            met = add_noting(raters, first, last, shift, low_bits, row, scratch.acc, scratch.touched, met)
        elif layout.words == 2:
            met = _add2(raters, first, last, shift, low_bits, row, scratch.acc, scratch.touched, met)
        else:
            met = _add3(raters, first, last, shift, low_bits, row, scratch.acc, scratch.touched, met)
    for index in range(late):
        _add_known(profiles, layout, task, scratch.late[index], scratch, met)
    return met


@kernel
def _add_dot(
    raters: Raters,
    values: Floats,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    x: float,
    acc: Floats,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for j in range(start, stop):
        v = raters[j] >> shift
        at = v + v
        n = acc[at]
        touched[met] = v
        met += np.uint64(n == 0.0)
        acc[at] = n + 1.0
        acc[at + np.uint64(1)] += x * values[j]
    return met


@kernel
def _add_moments(
    raters: Raters,
    values: Floats,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    x: float,
    acc: Floats,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for j in range(start, stop):
        v = np.uint64(raters[j] >> shift)
        y = values[j]
        at = v * np.uint64(6)
        n = acc[at]
        touched[met] = v
        met += np.uint64(n == 0.0)
        acc[at] = n + 1.0
        acc[at + np.uint64(1)] += x
        acc[at + np.uint64(2)] += y
        acc[at + np.uint64(3)] += x * x
        acc[at + np.uint64(4)] += y * y
        acc[at + np.uint64(5)] += x * y
    return met


@kernel
def _add_differences(
    raters: Raters,
    values: Floats,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    x: float,
    acc: Floats,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for j in range(start, stop):
        v = np.uint64(raters[j] >> shift)
        difference = x - values[j]
        at = v * np.uint64(3)
        n = acc[at]
        touched[met] = v
        met += np.uint64(n == 0.0)
        acc[at] = n + 1.0
        acc[at + np.uint64(1)] += difference * difference
        acc[at + np.uint64(2)] += abs(difference)
    return met


@kernel
def _add_all(
    raters: Raters,
    values: Floats,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    x: float,
    acc: Floats,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for j in range(start, stop):
        v = np.uint64(raters[j] >> shift)
        y = values[j]
        at = v << np.uint64(3)
        n = acc[at]
        touched[met] = v
        met += np.uint64(n == 0.0)
        acc[at] = n + 1.0
        acc[at + np.uint64(1)] += x
        acc[at + np.uint64(2)] += y
        acc[at + np.uint64(3)] += x * x
        acc[at + np.uint64(4)] += y * y
        acc[at + np.uint64(5)] += x * y
        acc[at + np.uint64(6)] += (x - y) * (x - y)
        acc[at + np.uint64(7)] += abs(x - y)
    return met


@kernel
def _accumulate_floats(profiles: Profiles, task: Task, u: int, scratch: Scratch) -> Unsigned:
    """Add up the float64 sums of query u with every candidate in range; returns how many were met."""
    raters, values = profiles.raters, profiles.rater_values
    shift = np.uint64(profiles.shift)
    acc, touched = scratch.facc, scratch.touched
    met = np.uint64(0)
    for entry in range(profiles.indptr[u], profiles.indptr[u + 1]):
        first = np.uint64(_first_rater(profiles, task, entry))
        last = np.uint64(task.high[profiles.objects[entry]])
        x = profiles.values[entry]
        if task.family == DOT:
            met = _add_dot(raters, values, first, last, shift, x, acc, touched, met)
        elif task.family == MOMENTS:
            met = _add_moments(raters, values, first, last, shift, x, acc, touched, met)
        elif task.family == DIFFERENCES:
            met = _add_differences(raters, values, first, last, shift, x, acc, touched, met)
        else:
            met = _add_all(raters, values, first, last, shift, x, acc, touched, met)
    return met


@inlined
def accumulate(profiles: Profiles, layout: Layout, task: Task, u: int, scratch: Scratch) -> Unsigned:
    """Add up the sums of query u with every candidate in range; returns how many were met."""
    if task.family == INTEGERS:
        return _accumulate_integers(profiles, layout, task, u, scratch)
    return _accumulate_floats(profiles, task, u, scratch)
