"""More than one rating of an item by the same user: refused, or made one by a stated rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Merged", "TiedTimes", "merge"]

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


class TiedTimes(Exception):  # noqa: N818 - a finding that the caller words as a DataError
    """The times that would decide are equal; `rows` are the first rows of such a group."""

    def __init__(self, groups: int, rows: Ints) -> None:
        super().__init__(groups)
        self.groups = groups
        self.rows = rows


@dataclass(frozen=True)
class Merged:
    """One row for each pair: which row stays, and ratings where they were computed anew."""

    kept: Int64s  # ascending positions, one for each pair
    values: Floats | None  # the ratings of `kept`; None: those the rows have


def merge(starts: npt.NDArray[np.bool_], ratings: Floats, times: Int64s | None, rule: str) -> Merged:
    """Make one rating of each run of rows with the same (user, item).

    `starts` marks the first row of every run. "last" and "first" go by time and raise `TiedTimes`
    where the deciding time is shared; "max" and "min" keep that rating with its latest time;
    "mean", "sum" and "count" compute a rating and keep the latest time. The result does not depend
    on the order of rows inside a run.
    """
    run = np.cumsum(starts) - 1
    sizes = np.bincount(run)
    rows = np.flatnonzero(sizes[run] > 1)  # only these need a decision
    groups, runs = np.unique(run[rows], return_inverse=True)
    by_time = times[rows] if times is not None else np.zeros(len(rows), np.int64)
    kept = np.flatnonzero(starts)
    if not len(rows):
        return Merged(kept, np.ones(len(kept)) if rule == "count" else None)

    if rule in ("last", "first"):
        order = np.lexsort((by_time, runs))
        ends = np.r_[np.flatnonzero(np.diff(runs[order])), len(order) - 1]
        firsts = np.r_[0, ends[:-1] + 1]
        best, next_best = (ends, ends - 1) if rule == "last" else (firsts, firsts + 1)
        tied = by_time[order[best]] == by_time[order[next_best]]
        if tied.any():
            first = int(np.argmax(tied))
            raise TiedTimes(int(tied.sum()), np.sort(rows[order[firsts[first] : ends[first] + 1]]))
        kept[groups] = rows[order[best]]
        return Merged(kept, None)

    # By rating inside a run, so that sums are taken in one order; then by time.
    value_order = np.lexsort((by_time, ratings[rows], runs))
    sorted_runs = runs[value_order]
    ends = np.r_[np.flatnonzero(np.diff(sorted_runs)), len(sorted_runs) - 1]
    firsts = np.r_[0, ends[:-1] + 1]
    if rule == "max":
        kept[groups] = rows[value_order[ends]]
        return Merged(kept, None)
    if rule == "min":
        # The latest of the smallest: the last row whose rating is the first one's.
        smallest = ratings[rows[value_order[firsts]]]
        is_smallest = ratings[rows[value_order]] == smallest[sorted_runs]
        last = firsts + np.bincount(sorted_runs[is_smallest]) - 1
        kept[groups] = rows[value_order[last]]
        return Merged(kept, None)

    values = ratings[kept] if rule != "count" else np.ones(len(kept))
    counts = sizes[groups].astype(np.float64)
    if rule == "count":
        values[groups] = counts
    else:
        with np.errstate(over="ignore"):  # judged by the caller
            sums = np.add.reduceat(ratings[rows[value_order]], firsts)
        values[groups] = sums if rule == "sum" else sums / counts
    latest = np.lexsort((by_time, runs))
    kept[groups] = rows[latest[ends]]
    return Merged(kept, values)
