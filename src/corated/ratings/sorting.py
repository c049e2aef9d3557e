"""Sorting by (user, item) at the speed of counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["joined", "pair_order", "stable_order"]

Ints = npt.NDArray[Any]
INT32_MAX = 2**31 - 1


def joined(chunks: list[Ints]) -> Ints:
    """Join the chunks of a column, letting each go once it is copied; the list is empty afterwards.

    The result is never a view of the caller's memory.
    """
    if len(chunks) == 1:
        only = chunks.pop()
        return only if only.flags.owndata and only.flags.writeable else only.copy()
    kinds = {chunk.dtype for chunk in chunks} or {np.dtype(np.int32)}
    column = np.empty(sum(map(len, chunks)), np.result_type(*kinds))
    end = len(column)
    while chunks:
        chunk = chunks.pop()
        column[end - len(chunk) : end] = chunk
        end -= len(chunk)
    return column


def stable_order(keys: Ints, n: int, *, widest_int32: int = INT32_MAX) -> Ints:
    """Return the stable ascending order of integer keys in 0..n-1.

    The transposition of a matrix with one entry a row is a counting sort. Positions are int32 up
    to `widest_int32` of them (half the memory), int64 beyond.
    """
    index = np.int32 if len(keys) <= widest_int32 else np.int64
    rows = np.arange(len(keys) + 1, dtype=index)
    entries = np.ones(len(keys), np.int8)
    matrix = sp.csr_array((entries, keys.astype(index, copy=False), rows), shape=(len(keys), n))
    order: Ints = matrix.tocsc().indices
    return order.astype(index, copy=False)


def pair_order(users: Ints, items: Ints, n_users: int, n_items: int) -> Ints | None:
    """Return the stable order by (user, item), or None where the pairs are in order already."""
    if _is_ordered(users, items):
        return None
    order = stable_order(items, n_items)
    by_user = stable_order(users[order], n_users)
    result: Ints = order[by_user]
    return result


def _is_ordered(users: Ints, items: Ints) -> bool:
    before, after = users[:-1], users[1:]
    if np.any(before > after):
        return False
    return not np.any((before == after) & (items[:-1] > items[1:]))
