"""Ratings: ids, rating codes and times in one frozen, sorted structure."""

from __future__ import annotations

import html
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from corated.errors import ParameterError
from corated.ratings.ids import Id, IdMap
from corated.ratings.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from corated.ratings.check import Report

__all__ = ["ByItem", "Csr", "Ratings"]

T = TypeVar("T")
Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


class Csr(NamedTuple):
    """Rows of ascending, distinct indices: row r is ``indices[indptr[r]:indptr[r + 1]]``."""

    indptr: Int64s  # [rows + 1]
    indices: Int32s  # [n_ratings]


class ByItem(NamedTuple):
    """The ratings by item: users ascending inside each item, and where each rating stands by user."""

    indptr: Int64s  # [n_items + 1]
    indices: Int32s  # [n_ratings], user codes
    order: Int64s  # [n_ratings], the position of each entry in `Ratings.by_user` order


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """Who rated what, and how: at most one rating for each (user, item), in (user, item) order.

    Made by `read_ratings`, `from_table` or `from_arrays`; the order of the rows read plays no part.
    Immutable (the arrays are read-only) and safe to use from any number of threads.

    Attributes
    ----------
    users, items : the ids and their codes
    scale : the rating scale, or None where ratings are not on a scale of at most 256 levels
    by_user : CSR of item codes, one row for each user, items ascending
    codes : uint8[n_ratings], (rating - low) / step in `by_user` order; None off a scale
    times : int64[n_ratings], UTC microseconds since 1970 in `by_user` order; None when there are none
    notices : what was guessed or decided while reading
    """

    users: IdMap
    items: IdMap
    scale: Scale | None
    by_user: Csr
    codes: npt.NDArray[np.uint8] | None
    times: Int64s | None = None
    notices: tuple[str, ...] = ()
    off_scale_values: Floats | None = None  # float64[n_ratings], only where `codes` is None
    _lock: Any = field(default_factory=threading.RLock, init=False)
    _by_item: list[ByItem] = field(default_factory=list, init=False)
    _derived: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        n = len(self.by_user.indices)
        stored = self.codes if self.scale is not None else self.off_scale_values
        if stored is None or len(stored) != n or (self.times is not None and len(self.times) != n):
            raise ValueError("codes (or off_scale_values) and times must have one entry for each rating")
        if len(self.by_user.indptr) != len(self.users) + 1:
            raise ValueError("by_user must have one row for each user")
        for array in (*self.by_user, stored, self.times):
            if array is not None:
                array.flags.writeable = False

    # -- making -------------------------------------------------------------------------------

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        user: str | None = None,
        item: str | None = None,
        rating: str | Literal[False] | None = None,
        time: str | Literal[False] | None = None,
        scale: Scale | tuple[float, float, float] | None = None,
        duplicates: str = "refuse",
        time_unit: str | None = None,
        tz: str | None = None,
        ids: str | Mapping[str, str] | None = None,
        on_bad: str = "refuse",
    ) -> Ratings:
        """Make ratings from a frame: pandas, polars, pyarrow, anything Arrow, or a dict of columns.

        The options are those of `read_ratings`. The table is not changed. Raises `DataError` for
        what cannot be used, naming rows counted from 0, and `ParameterError` for a wrong option.
        """
        from corated.ratings.collect import collect
        from corated.ratings.frames import open_table
        from corated.ratings.options import ReadOptions

        options = ReadOptions(
            user=user, item=item, rating=rating, time=time, scale=scale, duplicates=duplicates,
            time_unit=time_unit, tz=tz, ids=ids, on_bad=on_bad,
        )  # fmt: skip
        return collect(open_table(table), options)

    @classmethod
    def from_arrays(
        cls,
        users: Iterable[Any],
        items: Iterable[Any],
        values: Iterable[Any] | None = None,
        times: Iterable[Any] | None = None,
        *,
        scale: Scale | tuple[float, float, float] | None = None,
        duplicates: str = "refuse",
        time_unit: str | None = None,
        tz: str | None = None,
        ids: str | Mapping[str, str] | None = None,
        on_bad: str = "refuse",
    ) -> Ratings:
        """Make ratings from columns of equal length: lists, NumPy, Arrow, or Series of any frame.

        Without `values` every rating is 1 (implicit feedback). The options are those of
        `read_ratings`. Raises `DataError` for what cannot be used, naming rows counted from 0, and
        `ParameterError` for a wrong option.
        """
        from corated.ratings.collect import collect
        from corated.ratings.frames import open_columns
        from corated.ratings.options import ReadOptions

        columns = {"user_id": users, "item_id": items}
        if values is not None:
            columns["rating"] = values
        if times is not None:
            columns["timestamp"] = times
        options = ReadOptions(
            user="user_id",
            item="item_id",
            rating=False if values is None else "rating",
            time=None if times is None else "timestamp",
            scale=scale, duplicates=duplicates, time_unit=time_unit, tz=tz, ids=ids, on_bad=on_bad,
        )  # fmt: skip
        return collect(open_columns(columns), options)

    # -- sizes --------------------------------------------------------------------------------

    @property
    def n_users(self) -> int:
        """The number of users with at least one rating."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """The number of items with at least one rating."""
        return len(self.items)

    @property
    def n_ratings(self) -> int:
        """The number of ratings."""
        return len(self.by_user.indices)

    def __len__(self) -> int:
        return self.n_ratings

    @property
    def user_counts(self) -> Int64s:
        """The number of ratings of each user: int64[n_users]."""
        return np.diff(self.by_user.indptr)

    @property
    def item_counts(self) -> Int64s:
        """The number of ratings of each item: int64[n_items]."""
        return np.bincount(self.by_user.indices, minlength=self.n_items).astype(np.int64, copy=False)

    # -- contents -----------------------------------------------------------------------------

    @property
    def values(self) -> Floats:
        """The ratings as float64[n_ratings] in `by_user` order, read-only; decoded on each call."""
        if self.scale is None:
            assert self.off_scale_values is not None
            return self.off_scale_values
        assert self.codes is not None
        decoded = self.scale.decode(self.codes)
        decoded.flags.writeable = False
        return decoded

    @property
    def by_item(self) -> ByItem:
        """The ratings by item, made at the first call and kept."""
        with self._lock:
            if not self._by_item:
                self._by_item.append(_transpose(self.by_user, self.n_items))
            return self._by_item[0]

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make()`` made for this key at the first call; for rearrangements, not for results."""
        with self._lock:
            if key not in self._derived:
                self._derived[key] = make()
            made: T = self._derived[key]
            return made

    def profile(self, user_id: Id) -> dict[Id, float]:
        """Return one user's ratings, item id to rating, by ascending item id.

        Raises `UnknownIdError` or `IdTypeError` (see `IdMap.code`).
        """
        row = self.users.code(user_id)
        span = slice(int(self.by_user.indptr[row]), int(self.by_user.indptr[row + 1]))
        if self.scale is None:
            assert self.off_scale_values is not None
            ratings = self.off_scale_values[span]
        else:
            assert self.codes is not None
            ratings = self.scale.decode(self.codes[span])
        ids = self.items.take(self.by_user.indices[span]).to_pylist()
        return dict(zip(ids, ratings.tolist(), strict=True))

    def where(self, mask: npt.ArrayLike) -> Ratings:
        """Return some of the ratings: those for which ``mask``, bool[n_ratings] in `by_user` order, is true.

        Users and items without a rating among them leave, so codes differ; ids, scale and times stay as
        they are. Raises `ParameterError` for anything but one bool for each rating.
        """
        kept = np.asarray(mask)
        if kept.dtype != np.bool_ or kept.shape != (self.n_ratings,):
            raise ParameterError(
                f"The mask is {kept.dtype} of shape {kept.shape}.",
                expected=f"bool of shape ({self.n_ratings},): one for each rating, in by_user order",
                hint="compare ratings.values or ratings.times with something",
            )
        before = np.concatenate([[0], np.cumsum(kept)])[self.by_user.indptr]
        counts, entries = np.diff(before), self.by_user.indices[kept]
        users = np.flatnonzero(counts)
        rated = np.bincount(entries, minlength=self.n_items) > 0
        new_code = (np.cumsum(rated) - 1).astype(np.int32)
        indptr = np.concatenate([[0], np.cumsum(counts[users])]).astype(np.int64)
        return Ratings(
            IdMap(self.users.take(users), self.users.what),
            IdMap(self.items.take(np.flatnonzero(rated)), self.items.what),
            self.scale,
            Csr(indptr, new_code[entries]),
            None if self.codes is None else self.codes[kept],
            None if self.times is None else self.times[kept],
            off_scale_values=None if self.off_scale_values is None else self.off_scale_values[kept],
        )

    def check(self) -> Report:
        """Return the data report: counts, scale, reach, and what to mind before fitting."""
        from corated.ratings.check import check

        return check(self)

    def to_arrow(self) -> pa.Table:
        """Return the rows user_id, item_id, rating[, timestamp (µs, UTC)] by (user, item)."""
        users = np.repeat(np.arange(self.n_users), self.user_counts)
        columns = {
            "user_id": self.users.take(users),
            "item_id": self.items.take(self.by_user.indices),
            "rating": pa.array(self.values),
        }
        if self.times is not None:
            columns["timestamp"] = pa.array(self.times).cast(pa.timestamp("us", "UTC"))
        return pa.table(columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __reduce__(self) -> tuple[Any, ...]:
        # The lock cannot be pickled, and what is built lazily need not travel.
        return Ratings, (
            self.users, self.items, self.scale, self.by_user,
            self.codes, self.times, self.notices, self.off_scale_values,
        )  # fmt: skip

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("users", f"{self.n_users:,} ({self.users.kind} ids)"),
            ("items", f"{self.n_items:,} ({self.items.kind} ids)"),
            ("ratings", f"{self.n_ratings:,}"),
            ("scale", str(self.scale) if self.scale is not None else "none (any number)"),
        ]
        if self.times is not None and len(self.times):
            first, last = (np.datetime64(int(t), "us").astype("M8[D]") for t in _ends(self.times))
            facts.append(("times", f"{first} to {last}"))
        return facts

    def __repr__(self) -> str:
        return "Ratings(" + ", ".join(f"{name}: {value}" for name, value in self._facts()) + ")"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self._facts()
        )
        notes = "".join(f"<li>{html.escape(notice)}</li>" for notice in self.notices)
        return f"<table>{rows}</table>" + (f"<ul>{notes}</ul>" if notes else "")


def _ends(times: Int64s) -> tuple[np.int64, np.int64]:
    return times.min(), times.max()


def _transpose(by_user: Csr, n_items: int) -> ByItem:
    """Turn rows of users into rows of items; a counting sort, so users stay ascending."""
    positions = np.arange(len(by_user.indices), dtype=np.int64)
    shape = (len(by_user.indptr) - 1, n_items)
    matrix = sp.csr_array((positions, by_user.indices, by_user.indptr), shape=shape).tocsc()
    made = ByItem(
        matrix.indptr.astype(np.int64, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data,
    )
    for array in made:
        array.flags.writeable = False
    return made
