"""Gowalla (the LightGCN split): recall and NDCG at 20 of methods without gradient training, and peers beside.

Ranks all items less a user's own; recall is over all test items, the ideal of NDCG is cut at 20; mean over
all users, as in the BARS benchmark. Settings are chosen by NDCG on a fifth of each user's training items held
out, of 3,000 users: those of implicit here, with few trials and little time, those of the graph filter by
gowalla_search.py; ItemCF is as published. GraphFilter's defaults were chosen on such a part too, by recall.
Published: SimpleX .1872 / .1557, UltraGCN .1862 / .1580, GF-CF .1849 / .1518.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from ladder import Figures, Ladder, Method, Phase, climb, options_of
from tools import Ours, Tool, Train, als_space, bpr_space, implicit

import corated as cr
from data import real_folder

N = 20
METRIC = "ndcg"
TRIALS, SECONDS = 8, 120.0
"""What each search of a peer may take; a trial that has begun is finished."""
ASKED = 3000
"""Users that the validation asks for."""


@cache
def matrices(phase: Phase) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return what is learned from and what is asked for, users × items."""
    train, test = (sp.load_npz(real_folder("gowalla") / f"{name}.npz").tocsr() for name in ("train", "test"))
    return held_out(train) if phase == "validation" else (train, test)


def held_out(train: sp.csr_matrix, seed: int = 1) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Hold out a fifth of each user's items, one at least of those who have two."""
    rng, kept = np.random.default_rng(seed), np.ones(train.nnz, dtype=np.bool_)
    for start, stop in zip(train.indptr, train.indptr[1:], strict=False):
        many = stop - start
        kept[start + rng.permutation(many)[: max(1, round(0.2 * many)) if many > 1 else 0]] = False
    rows = np.repeat(np.arange(train.shape[0]), np.diff(train.indptr))
    first, second = (
        sp.csr_matrix((np.ones(part.sum()), (rows[part], train.indices[part])), shape=train.shape)
        for part in (kept, ~kept)
    )
    return first, second


def asked_of(wanted: sp.csr_matrix, phase: Phase) -> npt.NDArray[np.int64]:
    """Return the users who are asked for: all who have something to find; some of them in the validation."""
    users = np.flatnonzero(np.diff(wanted.indptr))
    if phase == "validation":
        users = np.sort(np.random.default_rng(0).permutation(users)[:ASKED])
    return users


def judge(phase: Phase, make: Callable[[], Tool]) -> Figures:
    """Judge a tool; on the test, warmed up."""
    matrix, wanted = matrices(phase)
    entries = matrix.tocoo()
    ratings = cr.Ratings.from_arrays(
        entries.row.astype(np.int64), entries.col.astype(np.int64), np.ones(matrix.nnz)
    )
    assert ratings.n_users == matrix.shape[0]
    if phase == "test":
        few = np.zeros(ratings.n_ratings, dtype=np.bool_)
        few[:3000] = True
        make().fit(Train(ratings.where(few), 1.0)).top(np.arange(5), N)
    users = asked_of(wanted, phase)
    began = time.perf_counter()
    tool = make().fit(Train(ratings, 1.0))
    fitted = time.perf_counter() - began
    lists = tool.top(users, N)
    seconds = time.perf_counter() - began
    ids = np.array(ratings.items.take(np.arange(ratings.n_items)).to_pylist())
    recall, ndcg = measured(wanted, users, [ids[one].tolist() for one in lists])
    return {"recall": recall, METRIC: ndcg, "fit": fitted, "seconds": seconds}


def measured(
    wanted: sp.csr_matrix, users: npt.NDArray[np.int64], lists: list[list[int]]
) -> tuple[float, float]:
    """Return the mean recall and NDCG of lists of items for users who have something to find."""
    gain = 1 / np.log2(np.arange(2, N + 2))
    ideal = np.cumsum(gain)
    recall, ndcg = [], []
    for user, items in zip(users.tolist(), lists, strict=True):
        right = set(wanted.indices[slice(*wanted.indptr[user : user + 2])].tolist())
        found = np.array([item in right for item in items], dtype=np.float64)
        recall.append(found.sum() / len(right))
        ndcg.append(found @ gain[: len(found)] / ideal[min(N, len(right)) - 1])
    return float(np.mean(recall)), float(np.mean(ndcg))


def facts() -> Figures:
    """Tell sizes."""
    found = {}
    for phase in ("validation", "test"):
        train, wanted = matrices(phase)
        found[phase] = {
            "training": int(train.nnz),
            "users": len(asked_of(wanted, phase)),
            "items": int(train.shape[1]),
        }
    return found


# -- what is on the ladder ---------------------------------------------------------------------------------


def _methods() -> dict[str, Method]:
    def ours(model: Callable[[], cr.Recommender], note: str = "") -> Method:
        return Method("corated", lambda: Ours(model()), note=note)

    return {
        "popularity": ours(cr.Popularity),
        "bars-itemcf": ours(lambda: cr.preset("bars-itemcf"), "as published"),
        "GraphFilter": ours(cr.GraphFilter, "its defaults"),
        "GraphFilter, chosen": ours(
            partial(cr.GraphFilter, **CHOSEN),
            f"{', '.join(f'{name} {value:g}' for name, value in CHOSEN.items())}: see gowalla_search.py",
        ),
        "implicit, item-kNN, cosine": implicit("cosine", {"k": (10, 1000, "log")}),
        "implicit, ALS": implicit("als", als_space((32, 256), (5, 20))),
        "implicit, BPR": implicit("bpr", bpr_space((32, 256))),
    }


CHOSEN = {"smooth": 0.5, "sharpen": 0.8, "item_power": 0.45, "alike": 0.02}
"""What gowalla_search.py came to."""


def main() -> None:
    parser = options_of(__doc__)
    parser.set_defaults(trials=TRIALS, limit=SECONDS)
    ladder = Ladder(
        name="quality-gowalla",
        script="quality/gowalla.py",
        arguments=[],
        metric=METRIC,
        better="larger",
        judge=judge,
        facts=facts,
        methods=_methods(),
    )
    climb(ladder, parser.parse_args())


if __name__ == "__main__":
    main()
