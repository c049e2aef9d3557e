"""What goes together with items that several users ask about, found once for all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.models.timely_kernels import Now, Together, sit_together, sitting_events
from corated.models.timely_rows import TimelyRows
from corated.neighborhood.run import Flag, Run, run_blocks

__all__ = ["found_together"]

Int64s = npt.NDArray[np.int64]

_MOST_PLACES = 1 << 24
"""Pairs of items that are held at a time."""
_LEAST_SAVED = 1 << 20
"""Ratings that need not be looked at again, for which it is worth finding anything beforehand."""
_BLOCK = 32
"""Items that a thread takes at a time."""


class _Scratch(NamedTuple):
    """A thread's working memory: see `corated.models.timely_kernels.sit_together`."""

    mark: Int64s
    tally: npt.NDArray[np.int32]
    beside: npt.NDArray[np.uint32]


def found_together(rows: TimelyRows, now: Now, users: Int64s, run: Run) -> Together:
    """Return what goes together with the items that most spares walking from users, as far as there is room.

    Answers are the same to the last bit with any of it, since what is counted are whole numbers.
    """
    empty, nobody = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    nothing = Together(empty, empty, nobody, nobody)
    if now.sittings == 0.0 or len(users) < 2:
        return nothing
    items, room = _worthwhile(rows, now, users)
    if not len(items):
        return nothing
    n_items = len(rows.by_item.first)
    first, last = np.full(n_items, -1, dtype=np.int64), np.full(n_items, -1, dtype=np.int64)
    first[items] = np.cumsum(room) - room
    places = int(room.sum())
    made = Together(first, last, np.empty(places, dtype=np.int32), np.empty(places, dtype=np.int32))

    def new_scratch() -> _Scratch:
        tally = np.zeros(n_items, dtype=np.int32)
        return _Scratch(np.zeros(n_items, dtype=np.int64), tally, np.empty(n_items + 1, dtype=np.uint32))

    def work(scratch: _Scratch, block: Int64s, flag: Flag) -> None:
        sit_together(rows.by_user, rows.by_item, block, now.window, *scratch, made, flag)

    blocks = [(_BLOCK, items[start : start + _BLOCK]) for start in range(0, len(items), _BLOCK)]
    run_blocks(blocks, new_scratch, work, run.quietly())
    return made


def _worthwhile(rows: TimelyRows, now: Now, users: Int64s) -> tuple[Int64s, Int64s]:
    """Return items whose sittings several ask for, those first that save most, and the room for each."""
    by_user, n_items = rows.by_user, len(rows.by_item.first)
    asked = np.bincount(users, minlength=len(by_user.first))
    of = np.repeat(np.arange(len(by_user.first)), by_user.last - by_user.first)
    uses = np.bincount(
        by_user.item, weights=asked[of] * (by_user.time >= now.sitting_since), minlength=n_items
    )
    items = np.flatnonzero(uses >= 2)
    events = np.zeros(len(items), dtype=np.int64)
    sitting_events(by_user, rows.by_item, items, now.window, events)
    saved, room = (uses[items] - 1.0) * events, np.minimum(events, n_items)
    order = np.argsort(-saved / np.maximum(room, 1), kind="stable")
    order = order[np.cumsum(room[order]) <= _MOST_PLACES]
    if saved[order].sum() < _LEAST_SAVED:
        order = order[:0]
    return items[order], room[order]
