"""What factor models share: solving rows on threads, scores, and the memory that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from corated.errors import MemoryLimitError
from corated.models.account import Account
from corated.models.factor_kernels import Desk, Entries, Ridge, influence, score_all, score_some, solve_rows
from corated.neighborhood.memory import available_memory
from corated.neighborhood.run import Flag, Run, run_blocks

__all__ = ["Scorer", "check_memory", "fixed", "of_own", "shares", "solved"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = TypeVar("Array", bound=npt.NDArray[Any])

_ROWS_PER_BLOCK = 64
_USERS_PER_BLOCK = 16


def fixed(array: Array) -> Array:
    """Return a read-only view, so that kernels meet one type whether an array was made, read or mapped."""
    view = array.view()
    view.flags.writeable = False
    return view


def _desk(d: int) -> Desk:
    return Desk(np.zeros((d, d)), np.zeros(d), np.zeros(d))


def solved(entries: Entries, ridge: Ridge, run: Run) -> Floats:
    """Solve for each row's numbers: float64 (rows, d), the same bits on any number of threads.

    Progress counts ratings.
    """
    rows, d = len(entries.indptr) - 1, ridge.features.shape[1]
    out = np.zeros((rows, d))
    blocks = [
        (int(entries.indptr[stop] - entries.indptr[first]), (first, stop))
        for first in range(0, rows, _ROWS_PER_BLOCK)
        for stop in (min(first + _ROWS_PER_BLOCK, rows),)
    ]

    def work(desk: Desk, block: tuple[int, int], flag: Flag) -> None:
        solve_rows(*block, entries, ridge, desk, out, flag)

    # Compiled (or loaded) here, where Ctrl-C can interrupt it, and not in a worker thread.
    solve_rows(0, 0, entries, ridge, _desk(d), out, np.zeros(1, dtype=np.uint8))
    run_blocks(blocks, lambda: _desk(d), work, run)
    return out


def shares(entries: Entries, ridge: Ridge, goal: Floats) -> Floats:
    """Return what each rating of the only row adds to the row's numbers · goal: they sum to it."""
    desk, out = _desk(len(goal)), np.zeros(len(entries.other))
    if len(out):
        desk.right[:] = goal
        influence(0, entries, ridge, desk, out)
    return out


@dataclass(frozen=True)
class Scorer:
    """Scores Σ_k own[user, k] · theirs[k, item]; single ones have the bits of those of all items."""

    own: Floats
    theirs: Floats

    @classmethod
    def of(cls, own: Floats, features: Floats) -> Scorer:
        """Make one of the numbers of users (users, d) and items (items, d)."""
        return cls(fixed(own), fixed(np.ascontiguousarray(features.T)))

    def all_of(self, users: Int64s, run: Run) -> Floats:
        """Return the scores of all items: float64 (users, items)."""
        out = np.empty((len(users), self.theirs.shape[1]))
        starts = range(0, len(users), _USERS_PER_BLOCK)
        blocks = [(1, (start, users[start : start + _USERS_PER_BLOCK])) for start in starts]

        def work(state: None, block: tuple[int, Int64s], flag: Flag) -> None:  # noqa: ARG001 - needs none
            first, some = block
            score_all(some, self.own, self.theirs, out, first, flag)

        score_all(users[:0], self.own, self.theirs, out, 0, np.zeros(1, dtype=np.uint8))  # compiled here
        run_blocks(blocks, lambda: None, work, run)
        return out

    def some_of(self, users: Int64s, items: Int64s) -> Floats:
        """Return the scores of pairs; 0 where a code is below 0."""
        out = np.zeros(len(users))
        score_some(users, items, self.own, self.theirs, out)
        return out


def of_own(account: Account, who: Int64s, rating: Floats, share: Floats) -> Account:
    """Return an account with the user's own ratings behind it; nothing was compared."""
    none, counts = np.full(len(who), np.nan), np.zeros(len(who), dtype=np.int64)
    return Account(account.source, account.score, account.base, "items", who, none, rating, share, counts)


def check_memory(model: str, rows: int, d: int, threads: int, *, hint: str) -> None:
    """Refuse tables of factors that would not fit, before anything is allocated.

    Two of them stand at a time, with a square matrix for each thread.
    """
    needed, there = 8 * d * (2 * rows + d * (threads + 2)), available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"{model} takes {d:,} numbers for each of {rows:,} users and items, twice, and matrices of "
            f"{d:,} × {d:,}: {needed / 2**30:,.1f} GiB; {there / 2**30:,.1f} GiB are available.",
            hint=hint,
        )
