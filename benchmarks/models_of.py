"""One tool, one process: fit a model and let it answer, several times; print seconds, peak memory, errors.

Usage: models_of.py TOOL CASE THREADS DATA REPEAT

CASE is ``basic``, ``means`` or ``baseline``: five folds of ml-100k, fitted and predicted, DATA its u.data; or
``top10``: ten items for everyone, DATA a .npz of arrays. A tool that cannot says why and exits with status 3.
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

K = 20
"""Neighbors of each item where lists are made."""
N = 10
SOME = 2000
"""Users that are answered where everyone would take minutes; the seconds are extrapolated."""
ENOUGH = 60.0
"""Seconds after which a tool is not run again."""
Found = dict[str, Any]


class CannotError(Exception):
    """Why a tool cannot do what is asked."""


def main() -> None:
    tool, case, threads, path, repeat = *sys.argv[1:3], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
    make, work = (_folds, PREDICT) if case != "top10" else (_ratings, TOP)
    seconds: list[float] = []
    found: Found = {}
    try:
        if tool not in work:
            raise CannotError(f"{tool} has no such model")
        work[tool](_little(case), case, threads)  # compile, load, warm up
        while len(seconds) < repeat and sum(seconds) < ENOUGH:
            given = make(path)
            began = time.perf_counter()
            found = work[tool](given, case, threads) or {}
            seconds.append(found.pop("seconds", time.perf_counter() - began))
    except CannotError as reason:
        print(reason, file=sys.stderr)
        sys.exit(3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "median": median(seconds), "peak_mb": peak} | found))


# -- what they are given ---------------------------------------------------------------------------------

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]


def _folds(path: str) -> list[tuple[Triples, Triples]]:
    """Return train and test of the five folds that Surprise's README is of."""
    table = np.loadtxt(path, dtype=np.int64)
    columns = table[:, 0], table[:, 1], table[:, 2].astype(float)
    order = np.arange(len(table))
    np.random.RandomState(0).shuffle(order)
    cut = np.array_split(order, 5)
    return [(_of(columns, np.setdiff1d(order, test)), _of(columns, test)) for test in cut]


def _of(columns: Triples, rows: np.ndarray) -> Triples:
    users, items, values = columns
    return users[rows], items[rows], values[rows]


def _ratings(path: str) -> Triples:
    with np.load(path) as arrays:
        return arrays["users"], arrays["items"], arrays["values"]


def _little(case: str) -> Any:
    """Return a few ratings of the kind that a case takes."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(60 * 40)[:900]
    columns = pairs // 40, pairs % 40, rng.integers(1, 6, 900).astype(float)
    half = np.arange(900) < 700
    return columns if case == "top10" else [(_of(columns, half), _of(columns, ~half))]


# -- predictions -----------------------------------------------------------------------------------------


def _errors(folds: list[tuple[Triples, Triples]], predict: Callable[[Triples, Triples], np.ndarray]) -> Found:
    """Fit and predict fold by fold; return the seconds that took and the mean RMSE."""
    took, errors = 0.0, []
    for train, test in folds:
        began = time.perf_counter()
        predicted = predict(train, test)
        took += time.perf_counter() - began
        errors.append(float(np.sqrt(np.mean((predicted - test[2]) ** 2))))
    return {"seconds": took, "rmse": float(np.mean(errors))}


def predict_ours(folds: list[tuple[Triples, Triples]], case: str, threads: int) -> Found:
    """From plain arrays to predictions: reading them is counted."""
    import corated as cr

    name = {"basic": "knnbasic", "means": "knnwithmeans", "baseline": "knnbaseline"}[case]

    def predict(train: Triples, test: Triples) -> np.ndarray:
        ratings = cr.Ratings.from_arrays(*train, scale=(1, 5, 1))
        model = cr.preset(f"surprise-{name}").fit(ratings, threads=threads)
        return model.predict(test[0], test[1], threads=threads).to_arrow()["value"].to_numpy()

    return _errors(folds, predict)


def predict_surprise(folds: list[tuple[Triples, Triples]], case: str, threads: int) -> Found:
    """From its training set to predictions: making the training set is not counted."""
    import pandas as pd
    from surprise import Dataset, KNNBaseline, KNNBasic, KNNWithMeans, Reader

    if threads > 1:
        raise CannotError("Surprise runs in one thread")
    kind = {"basic": KNNBasic, "means": KNNWithMeans, "baseline": KNNBaseline}[case]
    took, errors = 0.0, []
    for train, test in folds:
        frame = pd.DataFrame(dict(zip(("user", "item", "rating"), train, strict=True)))
        ready = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()
        asked = list(zip(*(column.tolist() for column in test), strict=True))
        began = time.perf_counter()
        found = (
            kind(k=40, sim_options={"name": "msd", "user_based": True}, verbose=False).fit(ready).test(asked)
        )
        took += time.perf_counter() - began
        errors.append(float(np.sqrt(np.mean([(one.est - one.r_ui) ** 2 for one in found]))))
    return {"seconds": took, "rmse": float(np.mean(errors))}


# -- lists -----------------------------------------------------------------------------------------------


def top_ours(given: Triples, _case: str, threads: int) -> Found:
    import corated as cr

    ratings = cr.Ratings.from_arrays(*given)
    began = time.perf_counter()
    model = cr.ItemKNN(measure="cosine", k=K, rule="sum").fit(ratings, threads=threads)
    answers = model.recommend(n=N, threads=threads)
    rows = len(answers.to_arrow())
    return {"seconds": time.perf_counter() - began, "rows": rows}


def _matrix(given: Triples) -> sp.csr_matrix:
    users, items = (np.unique(codes, return_inverse=True)[1] for codes in given[:2])
    return sp.csr_matrix((given[2].astype(np.float32), (users, items)))


def top_implicit(given: Triples, _case: str, threads: int) -> Found:
    """Item-kNN by cosine; all users in one call, or in calls of a thousand, whichever is quicker."""
    from implicit.nearest_neighbours import CosineRecommender

    visits = _matrix(given)
    began = time.perf_counter()
    model = CosineRecommender(K=K + 1, num_threads=threads)  # it counts the item itself
    model.fit(visits, show_progress=False)
    fitted = time.perf_counter() - began
    users, ways = np.arange(visits.shape[0]), {}
    for size in (1000, len(users)):
        began = time.perf_counter()
        for start in range(0, len(users), size):
            part = users[start : start + size]
            model.recommend(part, visits[part], N=N)
        ways[size] = time.perf_counter() - began
    return {"seconds": fitted + min(ways.values()), "rows": len(users) * N}


def top_lenskit(given: Triples, _case: str, threads: int) -> Found:
    """Item-kNN of who rated; batch recommend for some users, extrapolated to all."""
    import pandas as pd
    from lenskit.batch import recommend
    from lenskit.data import from_interactions_df
    from lenskit.knn import ItemKNNScorer
    from lenskit.parallel import initialize
    from lenskit.pipeline import topn_pipeline

    initialize(threads=threads, backend_threads=1)
    data = from_interactions_df(pd.DataFrame({"user_id": given[0], "item_id": given[1]}))
    began = time.perf_counter()
    pipeline = topn_pipeline(ItemKNNScorer(k=K, save_nbrs=K, feedback="implicit"), n=N)
    pipeline.train(data)
    fitted = time.perf_counter() - began
    everyone = np.unique(given[0])
    some = np.random.default_rng(0).permutation(everyone)[:SOME]
    began = time.perf_counter()
    recommend(pipeline, some.tolist(), N, n_jobs=threads)
    took = (time.perf_counter() - began) * len(everyone) / len(some)
    found: Found = {"seconds": fitted + took}
    return found | ({"extrapolated_from": len(some)} if len(some) < len(everyone) else {})


Work = Callable[[Any, str, int], Found]
PREDICT: dict[str, Work] = {"corated": predict_ours, "surprise": predict_surprise}
TOP: dict[str, Work] = {"corated": top_ours, "implicit": top_implicit, "lenskit": top_lenskit}

if __name__ == "__main__":
    main()
