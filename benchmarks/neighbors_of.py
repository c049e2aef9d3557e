"""One tool, one process: find 40 neighbors of every subject, several times; print seconds and peak memory.

Usage: neighbors_of.py TOOL MEASURE users|items THREADS DATA.npz REPEAT

A tool that cannot do what is asked says why and exits with status 3.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp

K = 40
MOST_DENSE = 2.5e9
"""Bytes of an n × n matrix that a tool is still given; Surprise keeps up to seven at a time."""
ENOUGH = 30.0
"""Seconds after which a tool is not run again."""
Run = Callable[[Any, str, int], object]


class CannotError(Exception):
    """Why a tool cannot do what is asked."""


def main() -> None:
    tool, measure, of, threads, path, repeat = (
        *sys.argv[1:4],
        int(sys.argv[4]),
        sys.argv[5],
        int(sys.argv[6]),
    )
    with np.load(path) as arrays:
        subjects, objects, values = arrays["users"], arrays["items"], arrays["values"]
    if of == "items":
        subjects, objects = objects, subjects
    make, find = TOOLS[tool]
    try:
        find(make(subjects[:3000], objects[:3000], values[:3000]), measure, threads)  # compile, load, warm up
        seconds = []
        while len(seconds) < repeat and sum(seconds) < ENOUGH:
            ready = make(subjects, objects, values)
            began = time.perf_counter()
            find(ready, measure, threads)
            seconds.append(time.perf_counter() - began)
    except CannotError as reason:
        print(reason, file=sys.stderr)
        sys.exit(3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "median": median(seconds), "peak_mb": peak}))


def only(tool: str, measure: str, *measures: str) -> None:
    """Refuse measures that a tool does not have."""
    if measure not in measures:
        raise CannotError(f"{tool} has no {measure} of neighbors")


# -- how each takes the ratings ----------------------------------------------------------------------


def matrix(subjects: np.ndarray, objects: np.ndarray, values: np.ndarray) -> sp.csr_matrix:
    """Build subjects × objects, of those there are, as most peers take it."""
    rows, columns = (np.unique(codes, return_inverse=True)[1] for codes in (subjects, objects))
    return sp.csr_matrix((values.astype(np.float32), (rows, columns)))


def ratings(subjects: np.ndarray, objects: np.ndarray, values: np.ndarray) -> object:
    """Build ratings, as ours takes it."""
    import corated as cr

    return cr.Ratings.from_arrays(subjects, objects, values)


def triples(subjects: np.ndarray, objects: np.ndarray, values: np.ndarray) -> object:
    """Build a training set, as Surprise takes it."""
    import pandas as pd
    from surprise import Dataset, Reader

    n = len(np.unique(subjects))
    if n * n * 8 > MOST_DENSE:
        return n
    frame = pd.DataFrame({"user": subjects, "item": objects, "rating": values})
    reader = Reader(rating_scale=(float(values.min()), float(values.max())))
    return Dataset.load_from_df(frame, reader).build_full_trainset()


# -- what each does -----------------------------------------------------------------------------------


def ours(data: object, measure: str, threads: int) -> object:
    import corated as cr

    least = 3 if measure == "pearson" else 1
    return cr.neighbors(data, of="users", measure=measure, k=K, min_common=least, threads=threads)


def implicit(data: sp.csr_matrix, measure: str, threads: int) -> object:
    """Item-item on the transpose is row-row; K counts the row itself."""
    from implicit.nearest_neighbours import CosineRecommender

    only("implicit", measure, "cosine")
    model = CosineRecommender(K=K + 1, num_threads=threads)
    model.fit(data.T.tocsr(), show_progress=False)
    return model.similarity


def similaripy(data: sp.csr_matrix, measure: str, threads: int) -> object:
    import similaripy

    only("similaripy", measure, "cosine", "jaccard")
    if measure == "jaccard":
        return similaripy.jaccard(data, k=K + 1, binary=True, num_threads=threads, verbose=False)
    return similaripy.cosine(data, k=K + 1, num_threads=threads, verbose=False)


def sparse_dot_topn(data: sp.csr_matrix, measure: str, threads: int) -> object:
    from sparse_dot_topn import sp_matmul_topn

    only("sparse-dot-topn", measure, "cosine")
    norms = np.sqrt(np.asarray(data.multiply(data).sum(axis=1)).ravel())
    unit = sp.diags(1 / np.maximum(norms, 1e-12)).dot(data).tocsr().astype(np.float32)
    return sp_matmul_topn(unit, unit.T.tocsr(), top_n=K + 1, n_threads=threads, sort=True)


def scipy(data: sp.csr_matrix, measure: str, threads: int) -> object:
    """Products of a thousand rows at a time, and the best of each row."""
    if threads > 1:
        raise CannotError("SciPy's products run in one thread")
    x = data.astype(np.float64)
    ones = x.copy()
    ones.data[:] = 1.0
    best = []
    for start in range(0, x.shape[0], 1000):
        scores = _SCIPY[measure](x[start : start + 1000], x, ones[start : start + 1000], ones)
        for row in range(scores.shape[0]):
            found = scores.data[scores.indptr[row] : scores.indptr[row + 1]]
            if len(found) > K:
                best.append(np.argpartition(-found, K)[: K + 1])
    return best


def _cosine(a: Any, x: Any, _a1: Any, _x1: Any) -> Any:
    norms = [np.sqrt(np.asarray(m.multiply(m).sum(axis=1)).ravel()) for m in (a, x)]
    units = [sp.diags(1 / np.maximum(norm, 1e-12)) @ m for norm, m in zip(norms, (a, x), strict=True)]
    return (units[0] @ units[1].T).tocsr()


def _jaccard(_a: Any, _x: Any, a1: Any, x1: Any) -> Any:
    both = (a1 @ x1.T).tocsr()
    sizes = [np.asarray(m.sum(axis=1)).ravel() for m in (a1, x1)]
    rows = np.repeat(np.arange(both.shape[0]), np.diff(both.indptr))
    both.data /= sizes[0][rows] + sizes[1][both.indices] - both.data
    return both


def _sums(a: Any, x: Any, a1: Any, x1: Any) -> tuple[Any, list[np.ndarray]]:
    """Return the product of patterns, and n, Σx, Σy, Σx², Σy², Σxy over what both rated, pair by pair.

    Ratings are moved up to 1 and more, which changes no difference and no correlation, and keeps SciPy from
    dropping a sum that is 0: so all products have the same pattern, and the same order once sorted.
    """
    up = 1.0 - min(x.data.min(), 1.0)
    a, x = a.copy(), x.copy()
    a.data += up
    x.data += up
    sides = [(a1, x1), (a, x1), (a1, x), (a.multiply(a), x1), (a1, x.multiply(x)), (a, x)]
    parts = [(left.tocsr() @ right.T).tocsr() for left, right in sides]
    for part in parts:
        part.sort_indices()
    return parts[0], [part.data for part in parts]


def _euclidean(a: Any, x: Any, a1: Any, x1: Any) -> Any:
    scores, (_, _, _, sxx, syy, sxy) = _sums(a, x, a1, x1)
    scores.data = -np.sqrt(np.maximum(sxx + syy - 2 * sxy, 0))
    return scores


def _pearson(a: Any, x: Any, a1: Any, x1: Any) -> Any:
    scores, (n, sx, sy, sxx, syy, sxy) = _sums(a, x, a1, x1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (n * sxy - sx * sy) / np.sqrt((n * sxx - sx * sx) * (n * syy - sy * sy))
    values[~np.isfinite(values) | (n < 3)] = -np.inf
    scores.data = values
    return scores


_SCIPY = {"cosine": _cosine, "jaccard": _jaccard, "euclidean": _euclidean, "pearson": _pearson}


def interactions(subjects: np.ndarray, objects: np.ndarray, _values: np.ndarray) -> object:
    """Build a data set, as LensKit takes it; its items are the subjects."""
    import pandas as pd
    from lenskit.data import from_interactions_df

    return from_interactions_df(pd.DataFrame({"user_id": objects, "item_id": subjects}))


def lenskit(data: Any, measure: str, threads: int) -> object:
    """Train the item table; cosine of who rated, since its cosine of ratings centers them."""
    from lenskit.knn import ItemKNNScorer
    from lenskit.parallel import initialize

    only("LensKit", measure, "cosine")
    initialize(threads=threads, backend_threads=1)
    model = ItemKNNScorer(k=K, save_nbrs=K, feedback="implicit")
    model.train(data)
    return model


def surprise(data: Any, measure: str, threads: int) -> object:
    from surprise import KNNBasic

    only("Surprise", measure, "cosine", "pearson")
    if threads > 1:
        raise CannotError("Surprise runs in one thread")
    if isinstance(data, int):
        raise CannotError(f"a matrix of {data:,} × {data:,} is {data * data * 8 / 1e9:.0f} GB")
    options = {"name": measure, "user_based": True, "min_support": 3 if measure == "pearson" else 1}
    model = KNNBasic(k=K, sim_options=options, verbose=False).fit(data)
    return [model.get_neighbors(row, K) for row in range(data.n_users)]


def floor(data: sp.csr_matrix, measure: str, threads: int) -> object:
    """Add 1 to a uint32 for each shared object of each unordered pair, clear after each query; no more."""
    from concurrent.futures import ThreadPoolExecutor

    from floor import count_block, lists

    only("the floor", measure, "pearson")
    indptr, objects, rater_ptr, raters, after, blocks = lists(data)
    with ThreadPoolExecutor(threads) as pool:
        return list(
            pool.map(lambda rows: count_block(*rows, indptr, objects, rater_ptr, raters, after), blocks)
        )


Make = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
TOOLS: dict[str, tuple[Make, Run]] = {
    "corated": (ratings, ours),
    "implicit": (matrix, implicit),
    "similaripy": (matrix, similaripy),
    "sparse-dot-topn": (matrix, sparse_dot_topn),
    "scipy": (matrix, scipy),
    "lenskit": (interactions, lenskit),
    "surprise": (triples, surprise),
    "floor": (matrix, floor),
}

if __name__ == "__main__":
    main()
