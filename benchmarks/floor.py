"""The least that any exact method does: each shared object of each unordered pair, added to a counter."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

Arrays = tuple[Any, ...]


def lists(data: sp.csr_matrix, blocks: int = 48) -> Arrays:
    """Return profiles and lists of raters, with subjects relabeled from the lightest to the heaviest."""
    order = np.argsort(np.diff(data.indptr), kind="stable")
    x = data[order].tocsr()
    x.sort_indices()
    t = x.T.tocsr()
    t.sort_indices()
    after = np.empty(x.nnz, dtype=np.int64)
    _places(x.indptr, x.indices, t.indptr, after)
    events = np.add.reduceat((t.indptr[1:][x.indices] - after).astype(np.int64), x.indptr[:-1])
    cuts = np.searchsorted(np.cumsum(events), np.linspace(0, events.sum(), blocks + 1))
    cuts[0], cuts[-1] = 0, x.shape[0]
    return x.indptr, x.indices, t.indptr, t.indices, after, list(pairwise(cuts))


@numba.njit(cache=True)
def _places(indptr: Any, objects: Any, rater_ptr: Any, after: Any) -> None:
    """Note, for each rating, where in the object's list the raters after the subject begin."""
    seen = rater_ptr[:-1].copy()
    for u in range(len(indptr) - 1):
        for at in range(indptr[u], indptr[u + 1]):
            seen[objects[at]] += 1
            after[at] = seen[objects[at]]


@numba.njit(nogil=True, cache=True)
def count_block(
    start: int, stop: int, indptr: Any, objects: Any, rater_ptr: Any, raters: Any, after: Any
) -> int:
    """Count what each query of a block shares with everyone after it; returns a sum, so that it is done."""
    n = len(indptr) - 1
    counts = np.zeros(n, dtype=np.uint32)
    total = 0
    for u in range(start, stop):
        walked = 0
        for at in range(indptr[u], indptr[u + 1]):
            end = rater_ptr[objects[at] + 1]
            walked += end - after[at]
            for place in range(after[at], end):
                counts[raters[place]] += np.uint32(1)
        total += counts[n - 1]
        if 8 * walked > n - u:
            counts[u:] = 0
            continue
        for at in range(indptr[u], indptr[u + 1]):
            for place in range(after[at], rater_ptr[objects[at] + 1]):
                counts[raters[place]] = np.uint32(0)
    return total
