"""How the neighbors of some subjects are found in the memory there is, decided beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from corated.errors import MemoryLimitError
from corated.neighborhood.cost import most_blocks, pieces_of_candidates, slowness
from corated.neighborhood.engine import Engine, Of
from corated.neighborhood.memory import available_memory, size_of
from corated.neighborhood.run import Run
from corated.ratings.ratings import Ratings
from corated.similarity.rows import Room, bytes_shared, is_constant, new_room
from corated.similarity.topk import room_for

__all__ = [
    "ROW_BYTES",
    "Search",
    "Work",
    "advice",
    "check_preparation",
    "fitting_work",
    "held",
    "preparation",
    "room_for_work",
    "work_of",
]

Int64s = npt.NDArray[np.int64]

_MARGIN = 0.9
"""The part of the available memory that may be used; of a limit that was given, all of it."""
_PART = 32_000_000
"""Bytes of a part, where there is room: enough work to share out among threads."""
_WRITTEN_PART = 96_000_000
"""The same where each part becomes a row group of a file."""
_LEAST_PART = 200_000
_CANDIDATE = 16
_SUBJECT = 40
"""Bytes of a selection: of each place for a candidate, and of each row."""
ROW_BYTES = 16
"""Bytes of a row of the result."""
_ARROW_ROW = 80
"""Bytes that a row takes on its way into a table and a file, its two ids left out."""
_POPULAR = 24 << 20
"""Bytes that `corated.similarity.profiles.popular` takes at most."""
_HARDLY_ANY = 32 << 20
_LABEL, _WHOLE_LABEL = 56, 24
"""Bytes of what is counted of everyone, by label, and what is added where rows are found whole."""
_DEGREES = 72
"""Bytes for each subject: what is counted of it before and while it is served."""


@dataclass(frozen=True)
class Search:
    """Whose k nearest neighbors are sought.

    codes : ascending; None for everyone
    in_parts : rows are handed on part by part and forgotten, and never all in memory
    """

    engine: Engine
    side: Of
    k: int
    codes: Int64s | None = None
    in_parts: bool = False

    @property
    def most(self) -> int:
        """The most neighbors that one can have."""
        return min(self.k, max(self.engine.n - 1, 1))

    @cached_property
    def whole_rows(self) -> bool:
        """Whether each one's neighbors are found at once, meeting everyone: the quickest, where it can be."""
        return self.engine.serves_rows(self.most)

    @cached_property
    def room(self) -> Room:
        """Working memory to find rows whole: it tells what a thread takes, and serves the first."""
        return new_room(self.engine.profiles, self.most)

    @property
    def rows_of(self) -> Literal["", "counts", "sums"]:
        """What whole rows are found from; empty where they are not found whole."""
        return "" if not self.whole_rows else "counts" if is_constant(self.engine.layouts[0]) else "sums"

    @property
    def title(self) -> str:
        """What progress is shown for."""
        return f"neighbors of {self.side}"

    @property
    def subjects(self) -> Int64s:
        """The codes of the subjects, ascending."""
        return np.arange(self.engine.n) if self.codes is None else self.codes


@dataclass(frozen=True)
class Work:
    """A way to do a search, and the bytes it takes: the most there will be of each.

    both : each unordered pair is met once, from its lighter side, and serves both, while each thread keeps
        a selection for everyone; otherwise each subject meets all candidates, and parts of the subjects are
        served one after another, in ascending order
    cuts : int64 (parts + 1,), where parts of the subjects begin and end
    pieces : the candidates are met in so many pieces
    thread : what each thread takes;  part : one part;  result : all rows of the result
    to_take : the most at one time, on top of the ratings rearranged
    events : pair events, each pair from both sides
    """

    both: bool
    threads: int
    cuts: Int64s
    pieces: int
    thread: int
    part: int
    result: int
    to_take: int
    events: int

    @property
    def parts(self) -> int:
        """Into how many parts the subjects are cut."""
        return len(self.cuts) - 1

    def fits(self, room: int | None) -> bool:
        """Whether this many bytes are enough; None for no limit that is known."""
        return room is None or self.to_take <= room


def check_preparation(ratings: Ratings, side: Of, memory_limit: int | None) -> None:
    """Refuse ratings that could not even be rearranged; raises `MemoryLimitError` with the figures."""
    needed = preparation(ratings, side)
    if memory_limit is None and needed < _HARDLY_ANY:
        return  # looking at what there is takes longer; whether the work fits is looked at in any case
    room = room_for_work(memory_limit, 0)
    if room is not None and needed > room:
        raise MemoryLimitError(
            f"Rearranging {ratings.n_ratings:,} ratings for neighbors of {side} takes up to "
            f"{size_of(needed)}{_there(memory_limit, room)}.",
            hint=_more(memory_limit),
        )


def preparation(ratings: Ratings, side: Of) -> int:
    """Return the most bytes that there are at one time while the ratings are rearranged and counted."""
    n, m = (ratings.n_users, ratings.n_items) if side == "users" else (ratings.n_items, ratings.n_users)
    per_rating = 67 if side == "users" else 80  # of float64 sums; integers take half
    return per_rating * ratings.n_ratings + 56 * n + 32 * m + 100_000


def held(engine: Engine) -> int:
    """Return the bytes of the ratings rearranged, which are kept with them."""
    p, whole, base = engine.profiles, engine.numbers.whole, engine.base
    kept = (*p, *engine.popular, whole.count, whole.sum, whole.norm, base.p, base.q, base.bound)
    arrays = sum({id(a): a.nbytes for a in kept if isinstance(a, np.ndarray)}.values())
    by_item = 12 * len(p.objects) + 8 * (engine.n + 1) if engine.ids.what == "item" else 0
    return arrays + by_item + 8 * engine.n


def room_for_work(memory_limit: int | None, taken: int) -> int | None:
    """Return the bytes that may still be taken, with so many of the limit taken already."""
    if memory_limit is not None:
        return max(memory_limit - taken, 0)
    there = available_memory()
    return None if there is None else int(there * _MARGIN)


@dataclass(frozen=True)
class _Sizes:
    """Bytes of a search: a thread's scratch, each subject's selection and rows, and what surrounds them."""

    scratch: int
    selection: Int64s
    rows: Int64s
    handed_on: Int64s
    around: int
    pieces: int
    lists: int
    events: int

    @classmethod
    def of(cls, search: Search) -> _Sizes:
        engine, p = search.engine, search.engine.profiles
        labels = p.label if search.codes is None else p.label[search.codes]
        bound = engine.most_candidates[labels]
        events, entries = int(engine.others[labels].sum()), int(engine.counts[labels].sum())
        pieces = pieces_of_candidates(engine.n, 8 * max(engine.words, 1), events, entries)
        pieces = 1 if search.whole_rows else pieces
        room = search.room if search.whole_rows else engine.scratch()
        shared = bytes_shared(p, engine.layouts[0]) if search.whole_rows else 0
        kept = np.minimum(bound, search.most)
        ids = 2 * engine.ids.ids.nbytes // max(engine.n, 1)
        return cls(
            scratch=sum(array.nbytes for array in room),
            selection=(0 if search.whole_rows else room_for(search.most, bound)) * _CANDIDATE
            + np.full(len(bound), _SUBJECT),
            rows=kept * ROW_BYTES,
            handed_on=kept * (ROW_BYTES + _ARROW_ROW + ids) if search.in_parts else kept * ROW_BYTES,
            around=engine.n * (_LABEL + _WHOLE_LABEL * search.whole_rows) + len(bound) * _DEGREES + shared,
            pieces=pieces,
            lists=pieces * 16 * (len(p.rater_ptr) - 1),
            events=events,
        )


def work_of(search: Search, threads: int, room: int | None) -> Work:
    """Choose the quickest way that fits in ``room`` bytes; where none does, the one that takes the least."""
    return _way(search, _Sizes.of(search), threads, room)


def _way(search: Search, sizes: _Sizes, threads: int, room: int | None) -> Work:
    threads = max(1, min(threads, most_blocks(sizes.events, len(search.engine.layouts))))
    sides = (False,) if search.codes is not None or search.whole_rows else (True, False)
    ways = [(both, t) for both in sides for t in range(1, threads + 1)]
    ways.sort(key=lambda way: slowness(search.engine.n, both=way[0], threads=way[1]))
    least: Work | None = None
    for both, fewer in ways:
        work = _both(search, sizes, fewer, room) if both else _one_sided(search, sizes, fewer, room)
        if work.fits(room):
            return work
        if least is None or work.to_take < least.to_take:
            least = work
    assert least is not None
    return least


def fitting_work(search: Search, run: Run) -> Work:
    """Choose the quickest way that fits; raises `MemoryLimitError` with the figures where none does."""
    memory_limit, taken, sizes = run.memory_limit, held(search.engine), _Sizes.of(search)
    if memory_limit is None:
        work = _way(search, sizes, run.threads, None)
        if work.to_take < _HARDLY_ANY:
            return work  # as in `check_preparation`
    room = room_for_work(memory_limit, taken)
    work = _way(search, sizes, run.threads, room)
    if work.fits(room):
        return work
    engine = search.engine
    subjects = f"{len(search.subjects):,} {engine.ids.what}{'s' if len(search.subjects) != 1 else ''}"
    needs = [("the ratings rearranged", taken)] if memory_limit is not None else []
    needs += [("working memory", work.to_take - work.result), ("the result", work.result)]
    if search.in_parts:
        needs[-2:] = [("working memory", work.to_take)]
    raise MemoryLimitError(
        f"{search.k:,} neighbors of {subjects} take at least {size_of(sum(size for _, size in needs))} "
        f"({', '.join(f'{what} {size_of(size)}' for what, size in needs)}){_there(memory_limit, room)}.",
        hint=advice(search, room, memory_limit),
    )


def advice(search: Search, room: int | None, memory_limit: int | None) -> str:
    """Name the first change that makes it fit: a file, fewer neighbors, more in common."""
    few, least = min(search.k, 10), search.engine.min_common
    tries = [(True, search.k, least), (search.in_parts, few, least)]
    tries += [(search.in_parts, few, more) for more in (3, 10) if more > least]
    tries += [(True, few, more) for more in (least, 3, 10) if more >= least]
    for in_parts, k, more in tries:
        changed = replace(search, engine=replace(search.engine, min_common=more), k=k, in_parts=in_parts)
        left = None if room is None else room - (_looked_up(search.engine) if more > least else 0)
        if work_of(changed, 1, left).fits(left):
            changes = [] if in_parts == search.in_parts else ['to="graph.parquet"']
            changes += [f"k={k}"] if k < search.k else []
            changes += [f"min_common={more}"] if more > least else []
            return f"{' and '.join(changes)} would fit"
    return _more(memory_limit)


def _looked_up(engine: Engine) -> int:
    """Return the bytes that a larger ``min_common`` takes for looking candidates up, if it does not yet."""
    has_many = int((np.diff(engine.profiles.rater_ptr) >= 64).sum())
    return min(_POPULAR, has_many * engine.n) - engine.popular.codes.nbytes


def _there(memory_limit: int | None, room: int | None) -> str:
    if memory_limit is not None:
        return f", more than memory_limit={size_of(memory_limit)}"
    return f"; {size_of(room or 0)} are available"


def _more(memory_limit: int | None) -> str:
    machine = "take a machine with more memory"
    return machine if memory_limit is None else f"raise memory_limit, or {machine}"


def _both(search: Search, sizes: _Sizes, threads: int, room: int | None) -> Work:
    """Plan to meet each pair once: a selection for everyone in each thread, merged at the end."""
    selection = int(sizes.selection.sum())
    result = int(sizes.rows.sum())
    if search.in_parts:
        spare = _WRITTEN_PART if room is None else room - selection - sizes.around
        part, cuts = _cut(sizes.handed_on, min(_WRITTEN_PART, spare))
    else:
        part, cuts = result, np.array([0, search.engine.n], dtype=np.int64)
    return Work(
        both=True,
        threads=threads,
        cuts=cuts,
        pieces=1,
        thread=sizes.scratch + selection,
        part=part,
        result=result,
        to_take=sizes.around + max(threads * (sizes.scratch + selection), selection + part),
        events=sizes.events,
    )


def _one_sided(search: Search, sizes: _Sizes, threads: int, room: int | None) -> Work:
    """Plan to serve part after part; threads share a part's selection, since its rows are their own."""
    costs = sizes.selection + sizes.handed_on
    fixed = sizes.around + sizes.lists + threads * sizes.scratch
    result, most = int(sizes.rows.sum()), _WRITTEN_PART if search.in_parts or search.whole_rows else _PART
    whole = int(costs.sum())
    if not search.in_parts and (whole > most or (room is not None and fixed + whole > room)):
        fixed += result  # the parts come together in it
    if room is not None:
        most = min(most, room - fixed)
    part, cuts = _cut(costs, most)
    return Work(
        both=False,
        threads=threads,
        cuts=cuts,
        pieces=sizes.pieces,
        thread=sizes.scratch,
        part=part,
        result=result,
        to_take=fixed + part,
        events=sizes.events,
    )


def _cut(costs: Int64s, most: int) -> tuple[int, Int64s]:
    """Cut subjects into parts that cost at most ``most``, where one subject does not cost more already.

    Returns (the largest cost of a part, where parts begin and end).
    """
    most = max(most, _LEAST_PART)
    before = np.zeros(len(costs) + 1, dtype=np.int64)
    np.cumsum(costs, out=before[1:])
    cuts = [0]
    while cuts[-1] < len(costs):
        at = int(np.searchsorted(before, before[cuts[-1]] + most, side="right")) - 1
        cuts.append(max(at, cuts[-1] + 1))
    places = np.array(cuts if len(cuts) > 1 else [0, 0], dtype=np.int64)
    return int(np.diff(before[places]).max()), places
