"""Who is near one subject, on the ratings as they are now: the kernels of similarity, on live rows."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.live.rows import LiveRows, facts_of
from corated.live.state import State
from corated.neighborhood.engine import Of, task_of
from corated.neighborhood.numbers import Numbers, integers_of, unit_of
from corated.ratings.ratings import Ratings
from corated.similarity.adjustments import LowerBound
from corated.similarity.custom import Custom
from corated.similarity.finalize import SCREEN_NONE
from corated.similarity.kernels import emit_block
from corated.similarity.measures import Measure, Whole
from corated.similarity.profiles import Popular, Profiles
from corated.similarity.statistics import Layout, plan_layouts
from corated.similarity.tasks import INTEGERS, Pairs, Scratch, Task, new_pairs, new_scratch
from corated.similarity.topk import RANK_MASK, new_topk, offer_row, settle

__all__ = ["Near", "Nearest", "can_be_live"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NOTHING = np.zeros(0, dtype=np.int64)
_NO_FLOATS = np.zeros(0)
_NOBODY = Popular(_NOTHING, np.zeros(0, dtype=np.uint8), 0)
_GROWTH = 2
"""How many times larger than now profiles may get before sums are packed anew."""


_EMPTY = Profiles(
    indptr=_NOTHING,
    objects=_NOTHING.astype(np.uint32),
    codes=np.zeros(0, dtype=np.uint8),
    after=_NOTHING,
    rater_ptr=np.zeros(1, dtype=np.int64),
    raters=_NOTHING.astype(np.uint32),
    rank=_NOTHING,
    label=_NOTHING,
    shift=1,
    values=_NO_FLOATS,
    rater_values=_NO_FLOATS,
)


class Nearest(NamedTuple):
    """Neighbors of one subject, best first: codes int64, values float64, counts int64."""

    who: Int64s
    value: Floats
    n: Int64s


class _Room(NamedTuple):
    scratch: Scratch
    pairs: Pairs
    indptr: Int64s


def can_be_live(measure: Measure, ratings: Ratings) -> bool:
    """Tell whether a measure is of exact integers that depend on no other ratings than their own."""
    return not isinstance(measure, Custom) and integers_of(ratings, measure) is not None


class Near:
    """Compares one subject with all others by a measure; kept up with what is written.

    Sums are exact integers, so values are those of a fit on the same ratings, to the last bit.
    """

    def __init__(self, state: State, ratings: Ratings, measure: Measure, side: Of) -> None:
        self.measure, self.side = measure, side
        if not can_be_live(measure, ratings):
            raise ParameterError(
                f"The measure {measure.name!r} is of numbers that change with other ratings.",
                expected="a built-in measure of ratings as they are, such as pearson, cosine or jaccard",
                hint="ask corated.neighbors(index.ratings(), subjects=…) for this measure",
            )
        integers = integers_of(ratings, measure)
        assert integers is not None
        self._integers = integers
        self._unit = unit_of(state.scale, measure)
        self.least = max(measure.least, 4 if isinstance(measure.adjustment, LowerBound) else 1)
        rows = self._rows(state)
        self._facts = np.zeros((3, rows.n + max(rows.n >> 3, 16)))
        self._count_all(rows)
        self._plan(int(rows.counts.max(initial=1)))
        self._refresh(None)
        self._local = threading.local()

    def _rows(self, state: State) -> LiveRows:
        return state.by_user if self.side == "users" else state.by_item

    def _columns(self, state: State) -> LiveRows:
        return state.by_item if self.side == "users" else state.by_user

    @property
    def capacity(self) -> int:
        """The largest profile whose sums fit as they are packed now."""
        return self._layouts[-1].capacity

    # -- kept up ------------------------------------------------------------------------------

    def touched(self, state: State, user: int, item: int) -> None:
        """Follow a change of one rating; see `corated.live.state.Kept`."""
        rows, label = self._rows(state), user if self.side == "users" else item
        if rows.n > self._facts.shape[1]:
            self._facts = np.concatenate([self._facts, np.zeros((3, rows.n >> 1))], axis=1)
            self._refresh(None)
        self._count(rows, label)
        if rows.size(label) > self._layouts[-1].capacity:
            self._plan(rows.size(label))
        self._refresh(label)

    def _count(self, rows: LiveRows, label: int) -> None:
        out = np.zeros(3)
        facts_of(rows.arrays, label, self._integers, out)
        self._facts[:, label] = out

    def _count_all(self, rows: LiveRows) -> None:
        n, (labels, at) = rows.n, rows.entries()
        value = self._integers[rows.arrays.code[at]].astype(np.float64)
        self._facts[0, :n] = rows.counts
        self._facts[1, :n] = np.bincount(labels, weights=value, minlength=n)
        self._facts[2, :n] = np.bincount(labels, weights=value * value, minlength=n)

    def _plan(self, largest: int) -> None:
        """Pack sums for profiles of up to some times the largest there is."""
        self._layouts: list[Layout] = plan_layouts(self.measure.sums, self._integers, _GROWTH * largest)

    def _refresh(self, label: int | None) -> None:
        """Work out what formulas read of whole profiles: of one, or of all."""
        count, total, norm = self._facts
        if label is None:
            whole = Whole(count, total, norm, 0)
            self._sides = tuple(np.array(side) for side in self.measure.sides(whole))
            self._task = self._template(whole)
            return
        one = slice(label, label + 1)
        for kept, new in zip(
            self._sides, self.measure.sides(Whole(count[one], total[one], norm[one], 0)), strict=True
        ):
            if len(kept):
                kept[label] = new[0]

    def differences(self, state: State) -> list[str]:
        """Tell what differs from facts counted anew."""
        kept, rows = self._facts[:, : self._rows(state).n].copy(), self._rows(state)
        self._count_all(rows)
        return (
            [] if np.array_equal(kept, self._facts[:, : rows.n]) else [f"Profiles by {self.measure} differ."]
        )

    # -- asking -------------------------------------------------------------------------------

    def pairs(self, state: State, label: int, min_common: int) -> Nearest:
        """Return everyone with a value and enough in common, in the order of meeting."""
        room = self._room(state)
        profiles, task, layout = self._problem(state, label, min_common, room)
        flag, labels = np.zeros(1, dtype=np.uint8), np.array([label])
        count = int(emit_block(profiles, layout, task, labels, room.scratch, room.pairs, flag))
        room.indptr[label : label + 2] = 0
        value = room.pairs.value[:count]
        some = np.flatnonzero(value == value)
        return Nearest(
            room.pairs.second[some].astype(np.int64), value[some].copy(), room.pairs.n[some].copy()
        )

    def best(self, state: State, label: int, k: int, min_common: int) -> Nearest:
        """Return the k nearest, best first: better value, more in common, the smaller id."""
        found = self.pairs(state, label, min_common)
        k = min(k, max(len(found.who), 1))
        ids = state.users if self.side == "users" else state.items
        best, end = new_topk(k, np.array([len(found.who)])), len(found.who)
        key, who, at = found.value * self.measure.sign, found.who.astype(np.uint32), 0
        while at < end:
            at = int(offer_row(best, k, 0, key, found.n, who, ids.rank, at, end))
        settle(best, k, 0, 1)
        size = int(best.size[0])
        rank = RANK_MASK - (best.tie[:size] & RANK_MASK)
        return Nearest(ids.order[rank], best.key[:size] * self.measure.sign, best.tie[:size] >> 32)

    def _total(self, state: State) -> int:
        return state.active_items if self.side == "users" else state.active_users

    def _room(self, state: State) -> _Room:
        """Return this thread's working memory, with room for everyone."""
        n, words = self._rows(state).n, self._layouts[-1].words
        room: _Room | None = getattr(self._local, "room", None)
        if room is None or len(room.indptr) < n + 2 or len(room.scratch.acc) < n * words:
            n += n >> 3
            indptr = np.zeros(n + 2, dtype=np.int64)
            room = self._local.room = _Room(new_scratch(n, words, screens=False), new_pairs(n + 1), indptr)
        return room

    def _problem(
        self, state: State, label: int, min_common: int, room: _Room
    ) -> tuple[Profiles, Task, Layout]:
        """Return what the kernels take: the profile of the subject, and all others by their objects."""
        rows, columns = self._rows(state).arrays, self._columns(state).arrays
        own = self._rows(state).row(label)
        size = own.stop - own.start
        room.indptr[label], room.indptr[label + 1] = 0, size
        ids = state.users if self.side == "users" else state.items
        profiles = _EMPTY._replace(
            indptr=room.indptr,
            objects=rows.other[own].astype(np.uint32),
            codes=rows.code[own],
            raters=columns.word,
            rank=ids.rank,
            shift=state.shift,
        )
        layout = next(made for made in self._layouts if size <= made.capacity)
        task = self._task._replace(
            low=columns.first,
            high=columns.last,
            min_common=max(min_common, self.least),
            total=float(self._total(state)),
        )
        return profiles, task, layout

    def _template(self, whole: Whole) -> Task:
        """Return the task without what changes from one question to the next."""
        measure = self.measure
        least = 4 if isinstance(measure.adjustment, LowerBound) else measure.least
        numbers = Numbers(_EMPTY, self._layouts, self._integers, INTEGERS, self._unit, whole)
        task = task_of(measure, numbers, 1, least, _NOBODY, 0)
        p, q = self._sides
        return task._replace(p=p, q=q, screen=SCREEN_NONE, bound=_NO_FLOATS, both=False)
