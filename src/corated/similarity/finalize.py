"""Finalize: turn the accumulated sums of a query into values, a chunk of pairs at a time.

- *gather*: clear the accumulators, and keep the candidates with enough in common.
- *screen* and *take*, instead, where a bound of the value is cheap: those who could pass neither the query's
  floor nor their own are left out before any square root or division is taken; what is left out could not
  have been selected.
- *unpack*: spread packed sums, one row of integers per sum.
- *evaluate*: apply the formula and the adjustment. The values of two profiles' deviations on a small part of
  them can lose digits in float64; such pairs are computed anew, from the deviations on the overlap.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from corated.similarity import adjustments, formulas
from corated.similarity.jit import inlined, kernel
from corated.similarity.profiles import Profiles
from corated.similarity.statistics import Layout
from corated.similarity.tasks import CHUNK, FIELDS, INTEGERS, Floats, Ints, Labels, Scratch, Task
from corated.similarity.values import ROUNDING

__all__ = [
    "COSINE",
    "SCREEN_NONE",
    "SCREEN_PRODUCT",
    "SCREEN_SQUARE",
    "SCREEN_TVERSKY",
    "cosine",
    "evaluate",
    "gather",
    "screen",
    "take",
    "tversky",
    "valued",
]

Unsigned = np.uint64
Sums = npt.NDArray[Any]

PEARSON, EUCLIDEAN, MSD, MANHATTAN = (
    formulas.PEARSON,
    formulas.EUCLIDEAN,
    formulas.MSD,
    formulas.MANHATTAN,
)
COSINE, COSINE_COMMON, TVERSKY, OVERLAP = (
    formulas.COSINE,
    formulas.COSINE_COMMON,
    formulas.TVERSKY,
    formulas.OVERLAP,
)
LOG_LIKELIHOOD, SCALED = formulas.LOG_LIKELIHOOD, formulas.SCALED
_pearson = kernel(formulas.pearson)
_euclidean = kernel(formulas.euclidean)
_msd = kernel(formulas.msd)
_manhattan = kernel(formulas.manhattan)
cosine = kernel(formulas.cosine)
_cosine_common = kernel(formulas.cosine_common)
tversky = kernel(formulas.tversky)
_overlap = kernel(formulas.overlap)
_log_likelihood = kernel(formulas.log_likelihood)
_scaled = kernel(formulas.scaled)
_adjusted = kernel(adjustments.adjusted)

SCREEN_NONE, SCREEN_PRODUCT, SCREEN_TVERSKY, SCREEN_SQUARE = range(4)
"""Bounds for screening: Σxy over the product of two factors; Tversky's ratio; a sum against the floor."""
_SLACK = 1.0 - 1e-12
"""What rounding can do to a bound, and more."""

_WIDTHS = np.array([len(fields) for fields in FIELDS.values()], dtype=np.int64)
_EPSILON = 2.3e-16
_LOST = 2e-13
"""The relative error of a float64 variance from which on it is computed anew."""


@inlined
def gather(
    layout: Layout, task: Task, u: int, scratch: Scratch, begin: Unsigned, met: Unsigned
) -> tuple[Unsigned, Unsigned]:
    """Clear touched candidates from ``begin`` on; keep those with enough in common, with their sums.

    Returns (kept, next): it stops when CHUNK are kept; next is where to go on.
    """
    if task.family != INTEGERS:
        return _collect_floats(layout, task, u, scratch, begin, met)
    kept, at = _collect(layout, task, u, scratch, begin, met)
    _unpack(layout, scratch, kept)
    return kept, at


@kernel
def take(
    layout: Layout, task: Task, u: int, scratch: Scratch, begin: Unsigned, passed: Unsigned
) -> tuple[Unsigned, Unsigned]:
    """Take the next CHUNK of those that passed the screen, with their sums; returns as `gather`."""
    end = min(passed, begin + np.uint64(CHUNK))
    who, touched, word0, words = scratch.who, scratch.touched, scratch.words[0], scratch.passed
    mask, least = layout.mask[0], task.min_common
    kept = np.uint64(0)
    for j in range(begin, end):
        v, word = touched[j], words[j]
        who[kept] = v
        word0[kept] = word
        kept += np.uint64((word & mask) >= least and v != u)
    _unpack(layout, scratch, kept)
    return kept, end


@kernel
def _collect(
    layout: Layout, task: Task, u: int, scratch: Scratch, begin: Unsigned, met: Unsigned
) -> tuple[Unsigned, Unsigned]:
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
def screen(
    layout: Layout, task: Task, u: int, scratch: Scratch, floor: Floats, own: float, met: Unsigned
) -> Unsigned:
    """Clear all touched candidates; keep, in place, those that may be selected. Returns how many.

    floor : float64, by label, what each candidate's own list asks for;  own : what the query's list asks for

    For layouts of one word without bias, whose last field is the sum that the bound is about. One that stays
    may still be the query itself, or have too little in common: `take` looks at that. Each operation in these
    loops shows in the whole, so they are written out, one for each bound.
    """
    shift = layout.shift[len(layout.where) - 1]
    acc, touched, passed, bound = scratch.acc, scratch.touched, scratch.passed, task.bound
    kept = np.uint64(0)
    if not task.both:
        for j in range(met):
            v = touched[j]
            passed[j] = acc[v]
            acc[v] = 0
        return _screen_row(layout, task, u, scratch, own, met)
    if task.screen == SCREEN_PRODUCT:
        mine = bound[u] * _SLACK
        for j in range(met):
            v = touched[j]
            word = acc[v]
            acc[v] = 0
            touched[kept] = v
            passed[kept] = word
            asked = floor[v] if floor[v] < own else own
            kept += np.uint64(float(word >> shift) >= asked * (mine * bound[v]))
    elif task.screen == SCREEN_TVERSKY:
        rest, mine = (1.0 - task.alpha - task.beta) * _SLACK, task.alpha * bound[u] * _SLACK
        beta = task.beta * _SLACK
        for j in range(met):
            v = touched[j]
            word = acc[v]
            acc[v] = 0
            touched[kept] = v
            passed[kept] = word
            s = float(word)
            asked = floor[v] if floor[v] < own else own
            kept += np.uint64(s >= asked * (s * rest + mine + beta * bound[v]))
    else:
        square = (task.step * _SLACK) * (task.step * _SLACK)
        for j in range(met):
            v = touched[j]
            word = acc[v]
            acc[v] = 0
            touched[kept] = v
            passed[kept] = word
            asked = floor[v] if floor[v] < own else own
            kept += np.uint64(float(word >> shift) * square <= asked * asked)
    return kept


@kernel
def _screen_row(layout: Layout, task: Task, u: int, scratch: Scratch, own: float, met: Unsigned) -> Unsigned:
    """Keep, in place, those of the candidates in ``passed`` that the query's own list may take."""
    shift = layout.shift[len(layout.where) - 1]
    touched, passed, bound = scratch.touched, scratch.passed, task.bound
    kept = np.uint64(0)
    if task.screen == SCREEN_PRODUCT:
        asked = own * (bound[u] * _SLACK)
        for j in range(met):
            v, word = touched[j], passed[j]
            touched[kept] = v
            passed[kept] = word
            kept += np.uint64(float(word >> shift) >= asked * bound[v])
    elif task.screen == SCREEN_TVERSKY:
        rest, mine = (1.0 - task.alpha - task.beta) * _SLACK, task.alpha * bound[u] * _SLACK
        beta = task.beta * _SLACK
        for j in range(met):
            v, word = touched[j], passed[j]
            touched[kept] = v
            passed[kept] = word
            s = float(word)
            kept += np.uint64(s >= own * (s * rest + mine + beta * bound[v]))
    else:
        square, most = (task.step * _SLACK) * (task.step * _SLACK), own * own
        for j in range(met):
            v, word = touched[j], passed[j]
            touched[kept] = v
            passed[kept] = word
            kept += np.uint64(float(word >> shift) * square <= most)
    return kept


@kernel
def _collect_floats(
    layout: Layout, task: Task, u: int, scratch: Scratch, begin: Unsigned, met: Unsigned
) -> tuple[Unsigned, Unsigned]:
    least, width = task.min_common, np.uint64(_WIDTHS[task.family])
    acc, touched, who, sums = scratch.facc, scratch.touched, scratch.who, scratch.fsums
    common, where = scratch.sums[0], layout.where
    kept = np.uint64(0)
    j = begin
    while j < met and kept < np.uint64(CHUNK):
        v = np.uint64(touched[j])
        j += np.uint64(1)
        at = v * width
        n = np.int64(acc[at])
        who[kept] = v
        common[kept] = n
        for s in range(len(where)):
            sums[s, kept] = acc[at + np.uint64(where[s])]
        for field in range(width):
            acc[at + field] = 0.0
        kept += np.uint64(n >= least and v != np.uint64(u))
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


@inlined
def valued(profiles: Profiles, task: Task, u: int, scratch: Scratch, kept: Unsigned) -> None:
    """Turn sums into keys: values, negated for distances; NaN where the measure is undefined.

    ``scratch.key`` is the value of (u, candidate), ``scratch.back`` that of (candidate, u): the same array's
    worth where the measure is symmetric, so it is filled only where it is not, and where both are served.
    """
    if task.family == INTEGERS:
        _evaluated(task, u, scratch.sums, scratch.who, scratch.key, kept, False)
    else:
        _evaluated(task, u, scratch.fsums, scratch.who, scratch.key, kept, False)
        if task.formula == PEARSON and not task.whole:
            _repair(profiles, task, u, scratch, kept)
    if task.adjust != 0 or task.least > task.min_common:
        _adjust(task, scratch.sums[0], scratch.key, kept)
    if task.both and not task.symmetric:
        if task.family == INTEGERS:
            _evaluated(task, u, scratch.sums, scratch.who, scratch.back, kept, True)
        else:
            _evaluated(task, u, scratch.fsums, scratch.who, scratch.back, kept, True)
        _adjust(task, scratch.sums[0], scratch.back, kept)


@kernel
def evaluate(profiles: Profiles, task: Task, u: int, scratch: Scratch, kept: Unsigned) -> None:
    """As `valued`, to be called from outside of a kernel."""
    valued(profiles, task, u, scratch, kept)


@kernel
def _evaluated(  # noqa: C901 - one branch a formula
    task: Task, u: int, sums: Sums, who: Labels, key: Floats, kept: Unsigned, backward: bool
) -> None:
    """Apply the formula; ``backward`` to the candidate as the query."""
    n, s1, s2, s3, s4, s5 = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    p, q, step, add = task.p, task.q, task.step, task.add
    if task.formula == PEARSON:
        for j in range(kept):
            key[j] = _pearson(n[j], s1[j], s2[j], s3[j], s4[j], s5[j], add)
    elif task.formula == EUCLIDEAN:
        for j in range(kept):
            key[j] = -_euclidean(s1[j], step)
    elif task.formula == MSD:
        for j in range(kept):
            key[j] = _msd(n[j], s1[j], step, add)
    elif task.formula == MANHATTAN:
        for j in range(kept):
            key[j] = -_manhattan(s1[j], step)
    elif task.formula == COSINE:
        mine = p[u]
        for j in range(kept):  # by itself, so that roots and quotients are taken several at a time
            key[j] = q[who[j]]
        for j in range(kept):
            key[j] = cosine(s1[j], mine, key[j], add)
    elif task.formula == COSINE_COMMON:
        for j in range(kept):
            key[j] = _cosine_common(s1[j], s2[j], s3[j], add)
    elif task.formula == TVERSKY:
        if backward:
            for j in range(kept):
                key[j] = tversky(n[j], p[who[j]], q[u], task.alpha, task.beta, add)
        else:
            for j in range(kept):
                key[j] = tversky(n[j], p[u], q[who[j]], task.alpha, task.beta, add)
    elif task.formula == OVERLAP:
        for j in range(kept):
            key[j] = _overlap(n[j], p[u], q[who[j]], add)
    elif task.formula == LOG_LIKELIHOOD:
        for j in range(kept):
            key[j] = _log_likelihood(n[j], p[u], q[who[j]], task.total)
    elif task.formula == SCALED:
        if backward:
            for j in range(kept):
                key[j] = _scaled(s1[j], p[who[j]], q[u], add)
        else:
            for j in range(kept):
                key[j] = _scaled(s1[j], p[u], q[who[j]], add)


@kernel
def _adjust(task: Task, n: Ints, key: Floats, kept: Unsigned) -> None:
    """Adjust values, and take away those of pairs with too little in common for one."""
    if task.adjust != 0:
        for j in range(kept):
            key[j] = _adjusted(key[j], n[j], task.adjust, task.amount)
    if task.least > task.min_common:
        for j in range(kept):
            if n[j] < task.least:
                key[j] = math.nan


@kernel
def _repair(profiles: Profiles, task: Task, u: int, scratch: Scratch, kept: Unsigned) -> None:
    """Compute Pearson anew where the variance on the overlap is small against the squares it is made of."""
    sums, key, who = scratch.fsums, scratch.key, scratch.who
    for j in range(kept):
        n, sx, sy, sxx, syy = sums[0, j], sums[1, j], sums[2, j], sums[3, j], sums[4, j]
        lost = (n + 8.0) * _EPSILON * n
        if sxx * lost > _LOST * (n * sxx - sx * sx) or syy * lost > _LOST * (n * syy - sy * sy):
            key[j] = _pearson_of(profiles, u, who[j], n, task.add)


@kernel
def _pearson_of(profiles: Profiles, u: int, v: int, n: float, add: float) -> float:
    """Return the Pearson correlation of two profiles on their overlap, in two passes.

    Numbers are counted from the first that both have, and what rounding leaves of a flat overlap is flat.
    """
    objects, values = profiles.objects, profiles.values
    sx, sy, x0, y0 = 0.0, 0.0, 0.0, 0.0
    mean_x, mean_y, vx, vy, num = 0.0, 0.0, 0.0, 0.0, 0.0
    far_x, far_y, most_x, most_y = 0.0, 0.0, 0.0, 0.0
    for again in range(2):
        i, j = profiles.indptr[u], profiles.indptr[v]
        i_end, j_end = profiles.indptr[u + 1], profiles.indptr[v + 1]
        seen = False
        while i < i_end and j < j_end:
            if objects[i] < objects[j]:
                i += 1
            elif objects[i] > objects[j]:
                j += 1
            else:
                if not seen:
                    x0, y0, seen = values[i], values[j], True
                x, y = values[i] - x0, values[j] - y0
                if again == 0:
                    sx += x
                    sy += y
                    far_x, far_y = max(far_x, abs(x)), max(far_y, abs(y))
                    most_x, most_y = max(most_x, abs(values[i])), max(most_y, abs(values[j]))
                else:
                    vx += (x - mean_x) * (x - mean_x)
                    vy += (y - mean_y) * (y - mean_y)
                    num += (x - mean_x) * (y - mean_y)
                i += 1
                j += 1
        mean_x, mean_y = sx / n, sy / n
    if far_x <= ROUNDING * most_x or far_y <= ROUNDING * most_y:
        return math.nan
    return n * num / (n * math.sqrt(vx * vy) + add)
