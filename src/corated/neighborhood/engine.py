"""One neighborhood problem, ready for the kernels: profiles, layouts, task; orientation is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.similarity.kernels import MAX_DEFERRED, Task
from corated.similarity.measures import Measure, get_measure
from corated.similarity.profiles import MISSING, Popular, Profiles, arrange, popular
from corated.similarity.statistics import Layout, plan_layouts

__all__ = ["Engine", "Of", "check_count", "check_of", "check_ratings", "codes_of", "integers_of", "parts_of"]

Of = Literal["users", "items"]
Int64s = npt.NDArray[np.int64]
_MOST_PARTS = 1000
Block = tuple[Layout, Int64s, int]
"""Queries that share a layout: (layout, labels, index of the first label among all queries)."""


def check_of(of: str) -> Of:
    """Return ``of`` if it names a side; raises `ParameterError` otherwise."""
    if of == "users" or of == "items":
        return "users" if of == "users" else "items"
    raise ParameterError(
        f"of={of!r} names no side.", expected='of="users" or of="items"', hint="choose one of them"
    )


def check_count(name: str, value: object, least: int = 1) -> int:
    """Return a count such as k or n; raises `ParameterError` for anything but an integer >= least.

    What is beyond any count that can occur comes back as 2**31 - 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(
            f"{name}={value!r} cannot be used.",
            expected=f"an integer of at least {least}",
            hint=f"try {name}={least if name.startswith('min') else max(least, 10)}",
        )
    return min(int(value), 2**31 - 1)


def check_ratings(ratings: object) -> Ratings:
    """Return the ratings; raises `ParameterError` for anything else, such as a frame."""
    if isinstance(ratings, Ratings):
        return ratings
    raise ParameterError(
        f"A {type(ratings).__name__} was given for the ratings.",
        expected="Ratings",
        hint="make them with read_ratings(path) or Ratings.from_table(frame)",
    )


def codes_of(ids: IdMap, asked: object) -> Int64s:
    """Return the codes of the ids asked for, in their order; None asks for all, and one id for itself.

    Raises `UnknownIdError` for the first that is not there, `IdTypeError` for one of another type.
    """
    if asked is None:
        return np.arange(len(ids))
    if isinstance(asked, np.ndarray) and asked.ndim == 0:
        asked = asked.item()
    if hasattr(asked, "as_py"):
        asked = asked.as_py()
    if isinstance(asked, str | bytes | int | float | np.generic) or not isinstance(asked, Iterable):
        return np.array([ids.code(asked)], dtype=np.int64)
    is_arrow = hasattr(asked, "__arrow_c_stream__") or hasattr(asked, "__arrow_c_array__")
    given = asked if is_arrow else [id.as_py() if hasattr(id, "as_py") else id for id in asked]
    codes = np.asarray(ids.codes(given), dtype=np.int64)
    if (codes < 0).any():
        missing = list(given)[int(np.argmax(codes < 0))]
        ids.code(missing.as_py() if hasattr(missing, "as_py") else missing)
    return codes


@dataclass(frozen=True)
class Engine:
    """What the kernels need to compare all users (or all items) of some ratings by a measure.

    ids : the ids of the subjects, by code; code == rank
    profiles : the subjects relabeled by ascending number of ratings
    layouts : how sums are packed, by ascending capacity
    popular, deferred : see `corated.similarity.kernels.Task`
    """

    measure: Measure
    ids: IdMap
    profiles: Profiles
    layouts: list[Layout]
    side: npt.NDArray[np.float64]
    step: float
    min_common: int
    popular: Popular
    deferred: int

    @classmethod
    def build(cls, ratings: Ratings, *, of: str, measure: str | Measure, min_common: int) -> Engine:
        """Prepare a measure on the users or the items of some ratings.

        Raises `ParameterError` for an unknown measure or side or a ``min_common`` below 1, and `DataError`
        where the measure needs a rating scale that the ratings do not have.
        """
        of, ratings = check_of(of), check_ratings(ratings)
        measure = get_measure(measure)
        min_common = check_count("min_common", min_common)
        integers = integers_of(ratings, measure)
        profiles = _profiles(ratings, of)
        counts = np.diff(profiles.indptr)
        largest = int(counts.max(initial=1))
        can_defer = 2 <= min_common <= MAX_DEFERRED + 1 and len(integers) <= MISSING
        return cls(
            measure=measure,
            ids=ratings.users if of == "users" else ratings.items,
            profiles=profiles,
            layouts=plan_layouts(measure.sums, integers, largest),
            side=_side(measure, profiles, integers),
            step=ratings.scale.step if ratings.scale is not None else 1.0,
            min_common=min_common,
            popular=_popular(ratings, of, profiles) if can_defer else _nothing(profiles),
            deferred=min_common - 1 if can_defer else 0,
        )

    @property
    def n(self) -> int:
        """The number of subjects."""
        return len(self.ids)

    @property
    def words(self) -> int:
        """Words of the widest layout."""
        return self.layouts[-1].words

    def task(self, *, both: bool) -> Task:
        """Return the task for the kernels, over all candidates."""
        ends = self.profiles.rater_ptr
        return Task(
            self.measure.code,
            self.measure.sign,
            self.step,
            self.min_common,
            both,
            self.side,
            ends[:-1],
            ends[1:],
            self.deferred,
            self.popular,
        )

    def events(self, *, both: bool) -> Int64s:
        """Return the pair events of each query by label: how many raters it walks past."""
        p = self.profiles
        ends = p.rater_ptr[1:][p.objects]
        starts = p.after if both else p.rater_ptr[:-1][p.objects]
        total = np.zeros(len(p.objects) + 1, dtype=np.int64)
        np.cumsum(ends - starts, out=total[1:])
        walked = total[p.indptr[1:]] - total[p.indptr[:-1]]
        walked[np.diff(p.indptr) < self.min_common] = 0
        return walked

    def blocks(self, queries: Int64s, events: Int64s, target: int) -> Iterator[tuple[int, Block]]:
        """Cut queries (ascending labels) into blocks of about ``target`` pair events and one layout each.

        Yields (events, (layout, labels, index of the first label)). Queries too light to reach
        ``min_common`` are left out where the cut allows.
        """
        counts = np.diff(self.profiles.indptr)[queries]
        before = np.zeros(len(queries) + 1, dtype=np.int64)
        np.cumsum(events[queries], out=before[1:])
        start = int(np.searchsorted(counts, self.min_common))
        for layout in self.layouts:
            stop = int(np.searchsorted(counts, layout.capacity, side="right"))
            while start < stop:
                cut = int(np.searchsorted(before, before[start] + target, side="right")) - 1
                cut = min(max(cut, start + 1), stop)
                yield int(before[cut] - before[start]), (layout, queries[start:cut], start)
                start = cut


def integers_of(ratings: Ratings, measure: Measure) -> Int64s:
    """Return the integer that each rating code stands for in the sums of a measure."""
    scale = ratings.scale
    if scale is None:
        if set(measure.sums) == {"n"}:
            return np.zeros(1, dtype=np.int64)
        raise DataError(
            f"The measure {measure.name!r} needs ratings on a scale of at most 256 levels.",
            expected="ratings that are low + code × step, as scale=(low, high, step) declares",
            hint='read with scale= after rounding, or use measure="jaccard", which needs no values',
        )
    codes = np.arange(scale.levels, dtype=np.int64)
    if measure.over == "codes":
        return codes if set(measure.sums) != {"n"} else np.zeros_like(codes)
    parts, low = parts_of(scale)
    if not parts:
        raise DataError(
            f"The measure {measure.name!r} needs sums of products, and these ratings, from {scale.low:g} "
            f"in steps of {scale.step:g}, are no integers in units that would keep such sums exact.",
            expected="ratings that are small multiples of one unit",
            hint='declare another scale= when reading, or use a measure of differences such as "pearson"',
        )
    return codes * parts + low


def parts_of(scale: Scale) -> tuple[int, int]:
    """Return into how many parts a step is cut so that all ratings are whole, and the lowest in parts.

    (0, 0) where a thousand are not enough, or the ratings are too far from 0.
    """
    for parts in range(1, _MOST_PARTS + 1):
        low = scale.low / scale.step * parts
        if abs(low) < 2**31 and abs(low - round(low)) <= 1e-9 * max(1.0, abs(low)):
            return parts, round(low)
    return 0, 0


def _profiles(ratings: Ratings, of: Of) -> Profiles:
    """Arrange one side of the ratings for the kernels; kept with the ratings, since every call needs it."""

    def make() -> Profiles:
        codes = ratings.codes if ratings.codes is not None else np.zeros(ratings.n_ratings, dtype=np.uint8)
        levels = ratings.scale.levels if ratings.scale is not None else 1
        if of == "users":
            return arrange(ratings.by_user.indptr, ratings.by_user.indices, codes, ratings.n_items, levels)
        by_item = ratings.by_item
        return arrange(by_item.indptr, by_item.indices, codes[by_item.order], ratings.n_users, levels)

    return ratings.derived(("profiles", of), make)


def _popular(ratings: Ratings, of: Of, profiles: Profiles) -> Popular:
    """Spread out the objects with the most raters; kept with the ratings, as the profiles are."""
    return ratings.derived(("popular", of), lambda: popular(profiles))


def _nothing(profiles: Profiles) -> Popular:
    return popular(profiles, limit=0)


def _side(measure: Measure, profiles: Profiles, integers: Int64s) -> npt.NDArray[np.float64]:
    """Return what the measure reads of whole profiles, by label: exact integers, as float64."""
    if measure.side == "count":
        return np.diff(profiles.indptr).astype(np.float64)
    if measure.side == "norm":
        total = np.zeros(len(profiles.codes) + 1, dtype=np.int64)
        np.cumsum((integers * integers)[profiles.codes], out=total[1:])
        return (total[profiles.indptr[1:]] - total[profiles.indptr[:-1]]).astype(np.float64)
    return np.zeros(0)
