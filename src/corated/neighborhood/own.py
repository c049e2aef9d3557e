"""Running a measure of the caller's own: sums out of the kernels, values back in, a buffer at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corated.neighborhood.numbers import Numbers
from corated.similarity.custom import Custom
from corated.similarity.kernels import Buffer, new_buffer, offer_block, sum_block
from corated.similarity.measures import Measure
from corated.similarity.statistics import Layout
from corated.similarity.tasks import Flag, Pairs, Scratch, Task
from corated.similarity.topk import TopK

__all__ = ["emit_own", "select_own", "statistics_of", "swapped"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_PAIRS = 1 << 15
"""Pairs a buffer holds: enough that calling a Python function for them weighs little."""
_DEGREE = {"n": 0, "sx": 1, "sy": 1, "sad": 1, "sxx": 2, "syy": 2, "sxy": 2, "sdd": 2}
_SWAPPED = {"sx": "sy", "sy": "sx", "sxx": "syy", "syy": "sxx"}
_SWAPPED |= {f"{name}_{a}": f"{name}_{b}" for name in ("count", "sum", "norm") for a, b in ("xy", "yx")}


def select_own(
    measure: Measure,
    numbers: Numbers,
    task: Task,
    layout: Layout,
    labels: Int64s,
    first_row: int,
    scratch: Scratch,
    best: TopK,
    k: int,
    flag: Flag,
) -> None:
    """As `corated.similarity.kernels.select_block`, for a measure of the caller's own."""
    assert isinstance(measure, Custom)
    buffer = new_buffer(_PAIRS)
    while count := int(sum_block(numbers.profiles, layout, task, labels, first_row, scratch, buffer, flag)):
        found = statistics_of(measure, numbers, buffer, count)
        if measure.symmetric and not task.both:
            found = _lighter_first(found, buffer.first[:count] > buffer.second[:count])
        buffer.key[:count] = measure.evaluate(found) * task.sign
        if task.both:
            back = buffer.key[:count]
            if not measure.symmetric:
                back = measure.evaluate(swapped(found)) * task.sign
            buffer.back[:count] = back
        offer_block(numbers.profiles, task, buffer, count, best, k)


def emit_own(
    measure: Measure,
    numbers: Numbers,
    task: Task,
    layout: Layout,
    labels: Int64s,
    scratch: Scratch,
    pairs: Pairs,
    flag: Flag,
) -> int:
    """As `corated.similarity.kernels.emit_block`, for a measure of the caller's own."""
    assert isinstance(measure, Custom)
    buffer = new_buffer(_PAIRS)
    out = 0
    while count := int(sum_block(numbers.profiles, layout, task, labels, 0, scratch, buffer, flag)):
        here = slice(out, out + count)
        pairs.first[here], pairs.second[here] = buffer.first[:count], buffer.second[:count]
        pairs.value[here] = measure.evaluate(statistics_of(measure, numbers, buffer, count))
        pairs.n[here] = buffer.n[:count]
        out += count
    return out


def statistics_of(measure: Custom, numbers: Numbers, buffer: Buffer, count: int) -> dict[str, Floats]:
    """Return the statistics of the pairs in the buffer by name, in rating units."""
    found = {
        name: buffer.sums[row, :count] * numbers.unit ** _DEGREE[name]
        for row, name in enumerate(measure.sums)
    }
    whole, unit = numbers.whole, numbers.unit
    of_profiles = {"count": whole.count, "sum": whole.sum, "norm": whole.norm}
    units = {"count": 1.0, "sum": unit, "norm": unit * unit}
    for name, by_label in of_profiles.items():
        for end, labels in (("x", buffer.first), ("y", buffer.second)):
            if not {f"{name}_x", f"{name}_y"}.isdisjoint(measure.reads):
                found[f"{name}_{end}"] = by_label[labels[:count]] * units[name]
    if "total" in measure.reads:
        found["total"] = np.full(count, float(whole.total))
    return found


def swapped(found: dict[str, Floats]) -> dict[str, Floats]:
    """Return the statistics as seen from the candidate."""
    return {_SWAPPED.get(name, name): value for name, value in found.items()}


def _lighter_first(found: dict[str, Floats], turned: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Return the statistics as where each pair is visited once, from its lighter side.

    A function that is symmetric may still round differently the other way around.
    """
    other = swapped(found)
    return {name: np.where(turned, other.get(name, value), value) for name, value in found.items()}
