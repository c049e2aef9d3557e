"""Kernels of kriging: a sparse matrix of weights times a dense one, and what is read off at rated pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import allocating, kernel

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]
Flag = npt.NDArray[np.uint8]

__all__ = ["read_rows", "spread_rows"]


@kernel
def spread_rows(
    first: int,
    stop: int,
    indptr: Ints,
    items: Codes,
    weight: Singles,
    like: Singles,
    out: Singles,
    flag: Flag,
) -> None:
    """Set rows first to stop of ``out`` to Σ_j weight_uj like[j], in ascending order of items.

    indptr, items, weight : users × items;  like : float32 (items, items);  out : float32 (users, items)
    """
    for user in range(first, stop):
        if flag[0] != 0:
            return
        row = out[user]
        for item in range(len(row)):
            row[item] = 0
        for at in range(indptr[user], indptr[user + 1]):
            near, amount = like[items[at]], weight[at]
            for item in range(len(row)):
                row[item] += amount * near[item]


@allocating
def read_rows(
    first: int,
    stop: int,
    indptr: Ints,
    items: Codes,
    like: Singles,
    spread: Singles,
    out: Singles,
    flag: Flag,
) -> None:
    """Set the entries of rows first to stop of ``out`` to Σ_v like[u, v] spread[j, v].

    like : float32 (users, users);  spread : float32 (items, users)
    """
    for user in range(first, stop):
        if flag[0] != 0:
            return
        near = like[user]
        for at in range(indptr[user], indptr[user + 1]):
            out[at] = np.dot(near, spread[items[at]])
