"""One tool, one process: find 40 neighbors of every user, several times; print seconds and peak memory.

Usage: neighbors_of.py TOOL THREADS DATA.npz REPEAT
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import scipy.sparse as sp

K = 40


def main() -> None:
    tool, threads, path, repeat = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    with np.load(path) as arrays:
        users, items, values = arrays["users"], arrays["items"], arrays["values"]
    make, find = TOOLS[tool]
    find(make(users[:1000], items[:1000], values[:1000]), threads)  # compile, load, warm up
    seconds = []
    for _ in range(repeat):
        ready = make(users, items, values)
        began = time.perf_counter()
        find(ready, threads)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "median": median(seconds), "peak_mb": peak}))


def matrix(users: np.ndarray, items: np.ndarray, values: np.ndarray) -> sp.csr_matrix:
    """Build users × items, as the peers take it."""
    return sp.csr_matrix((values.astype(np.float32), (users, items)))


def ratings(users: np.ndarray, items: np.ndarray, values: np.ndarray) -> object:
    """Build ratings, as ours takes it."""
    import corated as cr

    return cr.Ratings.from_arrays(users, items, values)


def ours(data: object, threads: int) -> object:
    import corated as cr

    return cr.neighbors(data, of="users", measure="pearson", k=K, min_common=3, threads=threads)


def ours_cosine(data: object, threads: int) -> object:
    import corated as cr

    return cr.neighbors(data, of="users", measure="cosine", k=K, min_common=1, threads=threads)


def implicit(data: sp.csr_matrix, threads: int) -> object:
    """Item-item on the transpose is user-user; K counts the user itself."""
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=K + 1, num_threads=threads)
    model.fit(data.T.tocsr(), show_progress=False)
    return model.similarity


def similaripy(data: sp.csr_matrix, threads: int) -> object:
    import similaripy

    return similaripy.cosine(data, k=K + 1, num_threads=threads, verbose=False)


def sparse_dot_topn(data: sp.csr_matrix, threads: int) -> object:
    from sparse_dot_topn import sp_matmul_topn

    norms = np.sqrt(np.asarray(data.multiply(data).sum(axis=1)).ravel())
    unit = sp.diags(1 / np.maximum(norms, 1e-12)).dot(data).tocsr().astype(np.float32)
    return sp_matmul_topn(unit, unit.T.tocsr(), top_n=K + 1, n_threads=threads, sort=True)


Make = Callable[[np.ndarray, np.ndarray, np.ndarray], object]
TOOLS: dict[str, tuple[Make, Callable[..., object]]] = {
    "corated": (ratings, ours),
    "corated-cosine": (ratings, ours_cosine),
    "implicit": (matrix, implicit),
    "similaripy": (matrix, similaripy),
    "sparse-dot-topn": (matrix, sparse_dot_topn),
}

if __name__ == "__main__":
    main()
