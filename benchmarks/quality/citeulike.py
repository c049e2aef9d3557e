"""CiteULike-a, the split of CMN as "A Troubling Analysis" (TOIS 2021) uses it: one of 101.

Each user's held-out article stands among a hundred that the user does not have; what the user has in training
is dropped from these. NDCG and hit rate at 5 and 10 of the one article; articles with the same score share
their places: half of them are taken to stand before. An article that training does not have is missed by all.
Settings are chosen on an article of each user held out of the training part, among a hundred others drawn;
the presets are as tuned in that study.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from ladder import Figures, Ladder, Method, Phase, climb, options_of
from tools import Ours, Tool, Train, als_space, bpr_space, implicit

import corated as cr
from data import real_folder

Int64s = npt.NDArray[np.int64]
METRIC = "ndcg@10"
OTHERS = 100


@cache
def published() -> tuple[Int64s, dict[int, tuple[int, list[int]]]]:
    """Return the training pairs, and for each user the held-out article and the others."""
    with np.load(real_folder("citeulike-a") / "citeulike-a_CMN.npz", allow_pickle=True) as file:
        train, test = file["train_data"].astype(np.int64), file["test_data"].item()
    return train, {int(user): (int(one[0]), [int(item) for item in one[1]]) for user, one in test.items()}


@cache
def parts(phase: Phase) -> tuple[Train, Int64s, Int64s, Int64s, int]:
    """Return training; users, articles and first places of the rows of candidates; and who must be missed.

    The right candidate comes first. Users and articles are codes; candidates that training does not have are
    left out, since no model can score them, and users whose right one it does not have are counted.
    """
    pairs, test = published()
    if phase == "validation":
        pairs, test = _held_out(pairs)
    ratings = cr.Ratings.from_arrays(pairs[:, 0], pairs[:, 1], np.ones(len(pairs)))
    seen = [set(row.tolist()) for row in np.split(ratings.by_user.indices, ratings.by_user.indptr[1:-1])]
    users, items, first = [], [], []
    for user, (right, others) in test.items():
        code = int(ratings.users.codes([user])[0])
        candidates = ratings.items.codes([right, *others]).tolist()
        if code < 0 or candidates[0] < 0:
            continue
        kept = [candidates[0], *(item for item in candidates[1:] if item >= 0 and item not in seen[code])]
        first.append(len(items))
        users += [code] * len(kept)
        items += kept
    missed = len(test) - len(first)
    return Train(ratings, 1.0), np.array(users), np.array(items), np.array(first), missed


def _held_out(pairs: Int64s) -> tuple[Int64s, dict[int, tuple[int, list[int]]]]:
    """Hold out an article of each user who has two, and draw others that the user does not have."""
    rng, all_items = np.random.default_rng(0), np.unique(pairs[:, 1])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    users, first, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    drawn = (first + rng.integers(0, counts))[counts > 1]
    test = {}
    for user, at in zip(users[counts > 1].tolist(), drawn.tolist(), strict=True):
        start = int(np.searchsorted(pairs[:, 0], user))
        own = pairs[start : start + int((pairs[:, 0] == user).sum()), 1]
        others = rng.choice(np.setdiff1d(all_items, own), OTHERS, replace=False)
        test[user] = (int(pairs[at, 1]), others.tolist())
    return np.delete(pairs, drawn, axis=0), test


def judge(phase: Phase, make: Callable[[], Tool]) -> Figures:
    """Judge a tool; on the test warmed up."""
    train, users, items, first, missed = parts(phase)
    if phase == "test":
        few = np.zeros(train.ratings.n_ratings, dtype=np.bool_)
        few[:3000] = True
        little = Train(train.ratings.where(few), 1.0)
        make().fit(little).score(np.arange(5), np.arange(5))
    began = time.perf_counter()
    tool = make().fit(train)
    fitted = time.perf_counter() - began
    score = tool.score(users, items)
    seconds = time.perf_counter() - began
    right = np.repeat(score[first], np.diff(np.append(first, len(score))))
    before = np.add.reduceat((score > right).astype(np.float64), first)
    same = np.add.reduceat((score == right).astype(np.float64), first) - 1.0
    place = before + 0.5 * same
    gain, users_in_all = 1.0 / np.log2(place + 2.0), len(first) + missed
    figures: Figures = {}
    for n in (5, 10):
        figures[f"hit_rate@{n}"] = float((place < n).sum() / users_in_all)
        figures[f"ndcg@{n}"] = float(np.where(place < n, gain, 0.0).sum() / users_in_all)
    return figures | {"fit": fitted, "seconds": seconds}


def facts() -> Figures:
    """Tell sizes."""
    found = {}
    for phase in ("validation", "test"):
        train, _, items, first, missed = parts(phase)
        found[phase] = {
            "training": train.ratings.n_ratings,
            "users": len(first) + missed,
            "missed_by_all": missed,
            "candidates": len(items),
        }
    return found


# -- what is on the ladder ---------------------------------------------------------------------------------


def _methods() -> dict[str, Method]:
    near = {
        "name": ["cosine", "cosine(weight=tfidf)", "cosine(weight=bm25)", "jaccard"],
        "k": (10, 1000, "log"),
        "shrink": (0.001, 1000.0, "log"),
        "direction": ["forward", "reverse"],
    }
    start = {"name": "cosine", "k": 40, "shrink": 0.001, "direction": "forward"}
    walk = {"alpha": (0.2, 1.6), "beta": (0.0, 1.0), "k": (20, 1000, "log")}

    def neighbors(kind: Callable[..., cr.Recommender], name: str, shrink: float, **settings: Any) -> Ours:
        adjust = f"adjust=shrink_add({shrink})"
        measure = f"{name[:-1]}, {adjust})" if name.endswith(")") else f"{name}({adjust})"
        return Ours(kind(measure=measure, **settings))

    made = {
        f'preset("{name}")': Method("corated", lambda name=name: Ours(cr.preset(name)))
        for name in ("tois-itemknn", "tois-userknn", "bars-itemcf")
    }
    made["ItemKNN jaccard, k 480, shrink 3"] = Method(
        "corated",
        lambda: Ours(cr.ItemKNN(measure="jaccard(adjust=shrink_add(3.000001))", k=480)),
        note="as tuned in the study",
    )
    made |= {
        "ItemKNN, chosen": Method("corated", partial(neighbors, cr.ItemKNN), near, start),
        "UserKNN, chosen": Method("corated", partial(neighbors, cr.UserKNN), near, start),
        "RP3Beta, chosen": Method(
            "corated",
            lambda **settings: Ours(cr.RP3Beta(**settings)),
            walk,
            {"alpha": 1.0, "beta": 0.5, "k": 100},
        ),
    }
    return made | _peers()


def _peers() -> dict[str, Method]:
    near = {"k": (10, 1000, "log")}
    bm25 = near | {"K1": (0.1, 10.0, "log"), "B": (0.0, 1.0)}

    return {
        "implicit, item-kNN, cosine, chosen": implicit("cosine", near),
        "implicit, item-kNN, TF-IDF, chosen": implicit("tfidf", near),
        "implicit, item-kNN, BM25, chosen": implicit("bm25", bm25),
        "implicit, ALS, chosen": implicit("als", als_space((16, 256), (5, 30))),
        "implicit, BPR, chosen": implicit("bpr", bpr_space((16, 256))),
    }


def main() -> None:
    ladder = Ladder(
        name="quality-citeulike",
        script="quality/citeulike.py",
        arguments=[],
        metric=METRIC,
        better="larger",
        judge=judge,
        facts=facts,
        methods=_methods(),
    )
    climb(ladder, options_of(__doc__).parse_args())


if __name__ == "__main__":
    main()
