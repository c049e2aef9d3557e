"""What is asked of a fitted model: for whom, how many, and what must not be listed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corated.models.kernels import FREE, Seen
from corated.ratings.ratings import Ratings

if TYPE_CHECKING:
    from corated.models.answers import Answer

__all__ = ["Request", "Rows"]

Int64s = npt.NDArray[np.int64]

_BARRED = np.iinfo(np.int64).max
"""A mark that no row's stamp reaches."""


@dataclass(frozen=True)
class Rows:
    """Item codes, row by row: row r is ``items[indptr[r]:indptr[r + 1]]``."""

    indptr: Int64s
    items: Int64s

    @classmethod
    def of(cls, lists: list[Int64s]) -> Rows:
        """Return lists put behind one another."""
        indptr = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in lists], out=indptr[1:])
        return cls(indptr, np.concatenate([np.zeros(0, dtype=np.int64), *lists]))

    def some(self, rows: Int64s) -> Rows:
        """Return some of the rows, in the order given."""
        return Rows.of([self.items[self.indptr[row] : self.indptr[row + 1]] for row in rows])

    def and_also(self, other: Rows) -> Rows:
        """Return each row with the other's row behind it."""
        size = np.diff(self.indptr) + np.diff(other.indptr)
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        items = np.empty(int(indptr[-1]), dtype=np.int64)
        for part, first in ((self, indptr[:-1]), (other, indptr[:-1] + np.diff(self.indptr))):
            items[np.repeat(first - part.indptr[:-1], np.diff(part.indptr)) + np.arange(len(part.items))] = (
                part.items
            )
        return Rows(indptr, items)


@dataclass(frozen=True)
class Request:
    """Lists that are asked for.

    codes : int64, user codes, one for each row
    n : items a row
    exclude_seen : whether what a user rated is left out
    barred : by item code, what is left out for everyone; None for nothing
    left_out : what is left out row by row, further to that
    min_support : the support that a listed item must have, whatever the model asks
    out_of : how many recommendations are made of the list, where neighbors depend on that; None for n
    """

    codes: Int64s
    n: int
    exclude_seen: bool = True
    barred: npt.NDArray[np.bool_] | None = None
    left_out: Rows | None = None
    min_support: int = 0
    out_of: int | None = None

    @property
    def recommended(self) -> int:
        """How many recommendations are made of a list."""
        return self.n if self.out_of is None else self.out_of

    def some(self, rows: Int64s) -> Request:
        """Return what is asked for some of the rows."""
        left_out = None if self.left_out is None else self.left_out.some(rows)
        return replace(self, codes=self.codes[rows], left_out=left_out)

    def besides(self, answer: Answer) -> Request:
        """Return the same, less what an answer lists already, row by row."""
        lists, size = answer.lists, answer.lists.size
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        places = np.flatnonzero(np.arange(answer.n)[None, :] < size[:, None])
        listed = Rows(indptr, lists.item[places])
        return replace(self, left_out=listed if self.left_out is None else self.left_out.and_also(listed))

    def seen(self, ratings: Ratings) -> Seen:
        """Return what kernels leave out, row by row."""
        nothing = np.zeros(0, dtype=np.int64)
        rows = Rows(np.zeros(len(self.codes) + 1, dtype=np.int64), nothing)
        left_out = rows if self.left_out is None else self.left_out
        indptr = ratings.by_user.indptr if self.exclude_seen else np.zeros_like(ratings.by_user.indptr)
        return Seen(indptr, ratings.by_user.indices, left_out.indptr, left_out.items)

    def marks(self, n_items: int) -> Int64s:
        """Return a thread's marks: who is barred stays marked for every row."""
        marks = np.full(n_items, FREE, dtype=np.int64)
        if self.barred is not None:
            marks[self.barred] = _BARRED
        return marks
