"""One neighborhood problem, ready for the kernels: profiles, layouts, task; orientation is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.neighborhood.cost import rows_pay
from corated.neighborhood.numbers import Numbers, numbers_of
from corated.neighborhood.own import emit_own, select_own
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Ratings
from corated.similarity import finalize, formulas
from corated.similarity.adjustments import LowerBound
from corated.similarity.custom import Custom
from corated.similarity.floors import certain
from corated.similarity.kernels import emit_block, select_block
from corated.similarity.measures import Measure, get_measure
from corated.similarity.profiles import MISSING, Popular, Profiles, popular, walked
from corated.similarity.rows import can_serve, is_constant
from corated.similarity.statistics import Layout
from corated.similarity.tasks import INTEGERS, MAX_DEFERRED, Flag, Pairs, Scratch, Task, new_scratch
from corated.similarity.topk import TopK

__all__ = ["Engine", "Of", "check_count", "check_of", "check_ratings", "codes_of", "task_of"]

Of = Literal["users", "items"]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
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
    numbers : what the sums are over, and how they are packed
    asked : the ``min_common`` asked for
    min_common : the one that the kernels apply: more, where a measure needs more for a value
    base : the task, over all candidates
    """

    measure: Measure
    ids: IdMap
    numbers: Numbers
    asked: int
    min_common: int
    base: Task

    @classmethod
    def build(
        cls,
        ratings: Ratings,
        *,
        of: str,
        measure: str | Measure,
        min_common: int,
        valued: bool = True,
    ) -> Engine:
        """Prepare a measure on the users or the items of some ratings.

        valued : only pairs that have a value matter

        Raises `ParameterError` for an unknown measure or side or a ``min_common`` below 1, and `DataError`
        where the measure needs a rating scale that the ratings do not have.
        """
        of, ratings = check_of(of), check_ratings(ratings)
        measure = get_measure(measure)
        if isinstance(measure, Custom):
            measure.prepare()
        asked = check_count("min_common", min_common)
        numbers = numbers_of(ratings, of, measure)
        least = 4 if isinstance(measure.adjustment, LowerBound) else measure.least
        effective = max(asked, least) if valued else asked
        levels = 1 if numbers.integers is None else len(numbers.integers)
        can_defer = numbers.family == INTEGERS and 2 <= effective <= MAX_DEFERRED + 1 and levels <= MISSING
        popular = _popular(ratings, of, numbers.profiles, None if can_defer else 0)
        return cls(
            measure=measure,
            ids=ratings.users if of == "users" else ratings.items,
            numbers=numbers,
            asked=asked,
            min_common=effective,
            base=task_of(measure, numbers, effective, least, popular, effective - 1 if can_defer else 0),
        )

    @property
    def n(self) -> int:
        """The number of subjects."""
        return len(self.ids)

    @property
    def profiles(self) -> Profiles:
        """The subjects relabeled by ascending number of ratings."""
        return self.numbers.profiles

    @property
    def layouts(self) -> list[Layout]:
        """How sums are packed, by ascending capacity."""
        return self.numbers.layouts

    @property
    def popular(self) -> Popular:
        """Where candidates are looked up for lists that are put off."""
        return self.base.popular

    @property
    def deferred(self) -> int:
        """How many of a query's longest lists are put off."""
        return self.base.deferred

    @property
    def words(self) -> int:
        """Words of the widest layout; 0 for float64 sums."""
        return self.layouts[-1].words

    @property
    def is_own(self) -> bool:
        """Whether the measure is a function of the caller's own."""
        return isinstance(self.measure, Custom)

    def serves_rows(self, k: int) -> bool:
        """Tell whether rows of k can be found whole, and it pays; see `corated.similarity.rows`."""
        if not can_serve(self.layouts, self.base, int(self.counts.max(initial=0)), self.n, k):
            return False
        return rows_pay(self.n, self._meetings, counts=is_constant(self.layouts[0]))

    @cached_property
    def _meetings(self) -> int:
        counts = np.diff(self.profiles.rater_ptr)
        return int((counts * counts).sum())

    def task(self, *, both: bool, screen: bool = True, candidates: tuple[int, int] | None = None) -> Task:
        """Return the task for the kernels.

        both : serve both sides of each pair
        screen : leave out pairs whose bound shows that they cannot be selected; not where all are wanted
        candidates : the range of labels that queries meet; None for everyone
        """
        p = self.profiles
        low, high = p.rater_ptr[:-1], p.rater_ptr[1:]
        if candidates is not None:
            low, high = (_first_raters(p, label) for label in candidates)
        kind = self.base.screen if screen and (self.measure.symmetric or not both) else finalize.SCREEN_NONE
        return self.base._replace(both=both, low=low, high=high, screen=kind)

    def scratch(self) -> Scratch:
        """Return a thread's working memory."""
        screens = self.base.screen != finalize.SCREEN_NONE
        return new_scratch(self.n, self.words, self.base.family, screens=screens)

    def known(self, k: int) -> Floats:
        """Return, by label, what k candidates of each subject are certain to reach; −∞ where nothing is."""
        task, floor = self.base, np.full(self.n, -np.inf)
        can = task.screen in {finalize.SCREEN_PRODUCT, finalize.SCREEN_TVERSKY}
        if not can or task.adjust != 0 or task.add != 0.0 or self.min_common > 1:
            return floor
        integers = np.ones(1, dtype=np.int64) if self.numbers.integers is None else self.numbers.integers
        certain(self.profiles, task, integers, k, floor)
        return floor

    def select(
        self,
        task: Task,
        layout: Layout,
        labels: Int64s,
        first_row: int,
        scratch: Scratch,
        best: TopK,
        k: int,
        flag: Flag,
    ) -> None:
        """Offer the pairs of some queries to their rows; see `corated.similarity.kernels.select_block`."""
        if self.is_own:
            select_own(self.measure, self.numbers, task, layout, labels, first_row, scratch, best, k, flag)
        else:
            select_block(self.profiles, layout, task, labels, first_row, scratch, best, k, flag)

    def emit(
        self, task: Task, layout: Layout, labels: Int64s, scratch: Scratch, pairs: Pairs, flag: Flag
    ) -> int:
        """Write the pairs of some queries out; see `corated.similarity.kernels.emit_block`."""
        if self.is_own:
            return emit_own(self.measure, self.numbers, task, layout, labels, scratch, pairs, flag)
        return int(emit_block(self.profiles, layout, task, labels, scratch, pairs, flag))

    def events(self, *, both: bool) -> Int64s:
        """Return the pair events of each query by label: how many raters it walks past."""
        return self._walked_by_both if both else self._walked

    @cached_property
    def counts(self) -> Int64s:
        """The number of ratings of each, by label."""
        counts: Int64s = np.diff(self.profiles.indptr)
        counts.flags.writeable = False
        return counts

    @property
    def others(self) -> Int64s:
        """The ratings of others that each walks past, by label; 0 where it has too few itself."""
        others: Int64s = self.events(both=False) - self.counts
        others[self.counts < self.min_common] = 0
        return others

    @cached_property
    def most_candidates(self) -> Int64s:
        """How many candidates each can have at most, by label: nobody can offer more."""
        most: Int64s = np.minimum(self.others // self.min_common, self.n - 1)
        most.flags.writeable = False
        return most

    @cached_property
    def _walked(self) -> Int64s:
        return self._count_walked(both=False)

    @cached_property
    def _walked_by_both(self) -> Int64s:
        return self._count_walked(both=True)

    def _count_walked(self, *, both: bool) -> Int64s:
        total = np.zeros(self.n, dtype=np.int64)
        walked(self.profiles, both, total)
        total[self.counts < self.min_common] = 0
        total.flags.writeable = False
        return total

    def blocks(
        self, queries: Int64s, events: Int64s, target: int | Callable[[int], int]
    ) -> Iterator[tuple[int, Block]]:
        """Cut queries (ascending labels) into blocks of about ``target`` pair events and one layout each.

        target : a number, or a function of how many are left

        Yields (events, (layout, labels, index of the first label)). Queries too light to reach
        ``min_common`` are left out where the cut allows.
        """
        counts = self.counts[queries]
        before = np.zeros(len(queries) + 1, dtype=np.int64)
        np.cumsum(events[queries], out=before[1:])
        start = int(np.searchsorted(counts, self.min_common))
        for layout in self.layouts:
            stop = int(np.searchsorted(counts, layout.capacity, side="right"))
            while start < stop:
                most = target(int(before[-1] - before[start])) if callable(target) else target
                cut = int(np.searchsorted(before, before[start] + most, side="right")) - 1
                cut = min(max(cut, start + 1), stop)
                yield int(before[cut] - before[start]), (layout, queries[start:cut], start)
                start = cut


def task_of(
    measure: Measure, numbers: Numbers, min_common: int, least: int, popular: Popular, deferred: int
) -> Task:
    """Return the task of a measure over all candidates.

    min_common : what the kernels apply;  least : what a value needs
    popular, deferred : see `corated.similarity.tasks.Task`
    """
    p, q = measure.sides(numbers.whole)
    screen, bound = _screen(measure, numbers)
    adjustment = measure.adjustment
    ends = numbers.profiles.rater_ptr
    return Task(
        formula=measure.formula.code,
        sign=measure.sign,
        step=numbers.unit,
        alpha=measure.numbers[0],
        beta=measure.numbers[1],
        total=float(numbers.whole.total),
        add=measure.added(numbers.unit),
        adjust=0 if adjustment is None else adjustment.code,
        amount=0.0 if adjustment is None else adjustment.amount,
        least=least,
        p=np.ascontiguousarray(p),
        q=np.ascontiguousarray(q),
        bound=bound,
        screen=screen,
        symmetric=measure.symmetric,
        family=numbers.family,
        whole=_is_whole(measure, numbers),
        min_common=min_common,
        both=True,
        low=ends[:-1],
        high=ends[1:],
        deferred=deferred,
        popular=popular,
    )


def _is_whole(measure: Measure, numbers: Numbers) -> bool:
    """Tell whether the products of sums are whole numbers that float64 has: ranks of not too many."""
    # n Σx² of a ratings, whose doubled ranks are below a in size.
    return measure.name == "spearman" and float(numbers.whole.count.max(initial=0)) ** 4 < 2.0**53


def _screen(measure: Measure, numbers: Numbers) -> tuple[int, Floats]:
    """Return how pairs are screened, and each profile's factor in the bound; see `finalize`."""
    code = measure.formula.code
    is_packed = numbers.family == INTEGERS and not any(layout.bias.any() for layout in numbers.layouts)
    if is_packed:
        if code == formulas.COSINE:
            # Above 0: a list that asks for nothing asks for −∞, which has no product with 0.
            return finalize.SCREEN_PRODUCT, np.maximum(np.sqrt(numbers.whole.norm), 1e-100)
        if code == formulas.TVERSKY:
            return finalize.SCREEN_TVERSKY, numbers.whole.count
        if code == formulas.EUCLIDEAN:
            return finalize.SCREEN_SQUARE, np.zeros(0)
    return finalize.SCREEN_NONE, np.zeros(0)


def _first_raters(profiles: Profiles, label: int) -> Int64s:
    """Return where, in each column of raters, the first of at least a label stands."""
    start, stop = profiles.rater_ptr[:-1].copy(), profiles.rater_ptr[1:].copy()
    wanted, last = label << profiles.shift, len(profiles.raters) - 1
    while (start < stop).any():
        middle = (start + stop) >> 1
        is_before = (start < stop) & (profiles.raters[np.minimum(middle, last)] < wanted)
        stop = np.where(is_before, stop, middle)
        start = np.where(is_before, middle + 1, start)
    return start


def _popular(ratings: Ratings, of: Of, profiles: Profiles, limit: int | None) -> Popular:
    """Spread out the objects with the most raters; kept with the ratings, as the profiles are."""
    if limit is not None:
        return popular(profiles, limit=limit)
    return ratings.derived(("popular", of), lambda: popular(profiles))
