"""Ladders of lists by time: learn from the past, recommend to those who like something in the future.

Test: ratings after the 80 % quantile of time. Validation, by which alone settings are chosen: those between
the 60 % and the 70 % quantile, learned from what came before. Users and items that the training part does not
have are left out of both. NDCG (ideal list cut at 10) and hit rate at 10 are means over users who like
something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from ladder import Figures, Method, Phase
from tools import Lately, LensKit, Ours, Tool, Train, als_space, bpr_space, implicit, timely

import corated as cr
from corated import evaluation as ev

N = 10
METRIC = "ndcg"
QUANTILES = {"validation": (0.6, 0.7), "test": (0.8, 1.0)}
_DAY = 86_400_000_000
_LITTLE = 2000
"""Ratings that a tool is warmed up with, so that compiling and loading are not counted."""


@dataclass(frozen=True)
class Stage:
    """A split whose test has likes of known users on known items alone."""

    split: ev.Split
    like: float

    @cached_property
    def train(self) -> Train:
        return Train(self.split.train, self.like)

    @cached_property
    def relevance(self) -> ev.Relevance:
        return ev.relevance_of(self.split, like=self.like)

    def values(self, tool: Tool) -> tuple[npt.NDArray[np.float64], Figures]:
        """Fit, answer and judge; return NDCG by user and the figures."""
        began = time.perf_counter()
        tool.fit(self.train)
        fitted = time.perf_counter() - began
        lists = ev.Rankings.of_lists(tool.top(self.split.user_codes, N), N)
        seconds = time.perf_counter() - began
        found = ev.match(lists, self.relevance)
        ndcg = ev.ndcg(found, N)
        listed = np.unique(lists.items[lists.items >= 0])
        return ndcg, {
            METRIC: float(ndcg.mean()),
            "hit_rate": float(ev.hit_rate(found, N).mean()),
            "coverage": len(listed) / self.split.train.n_items,
            "short": int((lists.items < 0).any(axis=1).sum()) if lists.items.shape[1] == N else lists.rows,
            "fit": fitted,
            "seconds": seconds,
        }


@dataclass(frozen=True)
class ByTime:
    """Ratings parted by time, and the reference that every method is compared with, user by user."""

    ratings: cr.Ratings
    like: float
    reference: cr.Recommender

    def stage(self, phase: Phase) -> Stage:
        """Return the split of a phase."""
        first, last = QUANTILES[phase]
        until = self.ratings
        if last < 1.0:
            until = ev.by_time(self.ratings, quantile=last).train
        cut = ev.by_time(self.ratings, quantile=first).train.times.max()
        split = ev.by_time(until, at=cut.astype("M8[us]")).known()
        likes = split.test.values >= self.like
        return Stage(ev.given(split.train, split.test.where(likes), name=phase), self.like)

    def judge(self, phase: Phase, make: Callable[[], Tool]) -> Figures:
        """Judge a tool; on the test, warmed up, and beside the reference."""
        stage = self.stage(phase)
        if phase == "validation":
            return stage.values(make())[1]
        times = stage.split.train.times
        few = stage.split.train.where(times <= np.partition(times, _LITTLE)[_LITTLE])
        make().fit(Train(few, self.like)).top(np.arange(min(20, few.n_users)), N)
        ndcg, figures = stage.values(make())
        beside, _ = stage.values(Ours(self.reference.clone()))
        (against,) = ev.paired(ndcg[:, None], beside)
        return figures | {
            "against": {"difference": against.difference, "low": against.low, "high": against.high}
        }

    def facts(self) -> Figures:
        """Tell sizes, cuts and the reference."""
        found: Figures = {"like": self.like, "reference": repr(self.reference)}
        for phase in ("validation", "test"):
            split = self.stage(phase).split
            after = ev.by_time(self.ratings, at=split.train.times.max().astype("M8[us]")).test
            found[phase] = {
                "cut": str(split.train.times.max().astype("M8[us]").astype("M8[s]")),
                "training": split.train.n_ratings,
                "training_users": split.train.n_users,
                "training_items": split.train.n_items,
                "users_after_the_cut": after.n_users,
                "users": split.test.n_users,
                "likes": split.test.n_ratings,
            }
        return found


# -- what is on the ladder ---------------------------------------------------------------------------------

_OF = ["likes", "all"]


def methods(like: float) -> dict[str, Method]:
    """Return the methods of ladders of lists by time."""
    return _simple(like) | _tuned(like) | _peers()


def _ours(kind: Callable[..., cr.Recommender], like: float) -> Callable[..., Ours]:
    """Make models of a kind, where ``of`` says whether likes alone count or all that was rated."""

    def make(of: str = "likes", **settings: Any) -> Ours:
        return Ours(kind(like=like if of == "likes" else 0.0, **settings))  # no scale here goes below 0

    return make


def _bm25(k1: float, b: float, **settings: Any) -> cr.ItemKNN:
    return cr.ItemKNN(measure=f"cosine(weight=bm25(k1={k1}, b={b}))", **settings)


def _simple(like: float) -> dict[str, Method]:
    def plain(model: cr.Recommender) -> Method:
        return Method("corated", partial(Ours, model))

    popular = partial(cr.Popularity, like=like)
    return {
        'preset("notebook")': Method(
            "corated", lambda: Ours(cr.preset("notebook").set_params(like=like)), note=f"likes from {like:g}"
        ),
        "popularity, all time": plain(popular()),
        "popularity, last 30 days": Method("corated", partial(Lately, 30.0)),
        "popularity, half-life 7 days": plain(popular(half_life=7.0)),
        "popularity, half-life 1 day": plain(popular(half_life=1.0)),
        'preset("best")': Method("corated", lambda: Ours(cr.preset("best"))),
        "Timely, as it comes": Method("corated", partial(timely, like=like)),
    }


def _tuned(like: float) -> dict[str, Method]:
    measures = ["cosine(weight=binary)", "cosine", "jaccard", "cosine(weight=tfidf)", "cosine(weight=bm25)"]
    near = {"k": (10, 1000, "log"), "of": _OF}
    users = near | {"measure": measures, "min_support": [1, 2]}
    aged = {"half_life": (0.5, 365.0, "log"), "everyone": (0.001, 1.0, "log")}
    als = {
        "factors": (8, 128, "log"),
        "regularization": (0.001, 10.0, "log"),
        "alpha": (0.1, 100.0, "log"),
        "iterations": (5, 30),
        "of": _OF,
    }
    walk = {"alpha": (0.2, 1.6), "beta": (0.0, 1.0), "k": (20, 1000, "log"), "of": _OF}
    graph = {
        "factors": (16, 256, "log"),
        "smooth": (0.0, 1.0),
        "sharpen": (0.0, 2.0),
        "item_power": (0.1, 0.9),
        "of": _OF,
    }
    recent = {
        "half_life": (0.5, 365.0, "log"),
        "everyone": (0.005, 1.0, "log"),
        "everyone_half_life": (0.25, 365.0, "log"),
        "sittings": (0.1, 30.0, "log"),
        "sitting_half_life": (0.25, 30.0, "log"),
        "window": (0.1, 7.0, "log"),
    }
    begin = {"half_life": 2.0, "everyone": 0.05, "everyone_half_life": 1.0}
    begin |= {"sittings": 3.0, "sitting_half_life": 1.0, "window": 1.0}

    def make(kind: Callable[..., cr.Recommender], space: Any, start: Any = None) -> Method:
        return Method("corated", _ours(kind, like), space, start or {})

    return {
        "popularity, half-life chosen": Method(
            "corated",
            _ours(cr.Popularity, like),
            {"half_life": (0.25, 365.0, "log")},
            {"half_life": 7.0},
        ),
        "ItemKNN, cosine": make(cr.ItemKNN, near, {"k": 40, "of": "likes"}),
        "ItemKNN, BM25": make(
            _bm25,
            near | {"k1": (0.1, 10.0, "log"), "b": (0.0, 1.0)},
            {"k": 40, "of": "likes", "k1": 1.2, "b": 0.75},
        ),
        "UserKNN": make(cr.UserKNN, users, {"measure": "cosine", "k": 40, "min_support": 1, "of": "likes"}),
        "UserKNN of everyone, aged": make(
            partial(cr.UserKNN, measure="cosine(weight=binary)", k="all"),
            aged,
            {"half_life": 30.0, "everyone": 0.02},
        ),
        "EASE": make(cr.EASE, {"reg": (20.0, 5000.0, "log"), "of": _OF}, {"reg": 500.0, "of": "likes"}),
        "RP3Beta": make(cr.RP3Beta, walk, {"alpha": 1.0, "beta": 0.5, "k": 100, "of": "likes"}),
        "GraphFilter": make(
            cr.GraphFilter,
            graph,
            {"factors": 256, "smooth": 0.25, "sharpen": 1.0, "item_power": 0.45, "of": "likes"},
        ),
        "ALS": make(
            cr.ALS,
            als,
            {"factors": 64, "regularization": 0.01, "alpha": 1.0, "iterations": 15, "of": "likes"},
        ),
        "Timely": Method("corated", partial(timely, like=like), recent, begin),
    }


def _peers() -> dict[str, Method]:
    near = {"k": (10, 1000, "log"), "of": _OF}
    als = als_space((8, 128), (5, 30)) | {"of": _OF}
    bpr = bpr_space((8, 128)) | {"of": _OF}
    nearest = {"max_nbrs": (10, 1000, "log"), "min_nbrs": [1, 2, 3], "of": [*_OF, "ratings"]}
    mf = {
        "embedding_size": (8, 128, "log"),
        "regularization": (0.001, 10.0, "log"),
        "weight": (1.0, 100.0, "log"),
        "epochs": (5, 30),
        "of": _OF,
    }

    def likes(kind: str, space: dict[str, Any], **start: Any) -> Method:
        return implicit(kind, space, of="likes", **start)

    def lenskit(kind: str, space: Any, **start: Any) -> Method:
        return Method("lenskit", partial(LensKit, kind), space, start | {"of": "likes"})

    return {
        "implicit, item-kNN, cosine": likes("cosine", near),
        "implicit, item-kNN, cosine, of the last days": likes(
            "cosine", near | {"days": (1.0, 90.0, "log")}, days=30.0
        ),
        "implicit, item-kNN, TF-IDF": likes("tfidf", near),
        "implicit, item-kNN, BM25": likes("bm25", near | {"K1": (0.1, 10.0, "log"), "B": (0.0, 1.0)}),
        "implicit, ALS": likes("als", als),
        "implicit, BPR": likes("bpr", bpr),
        "LensKit, item-kNN": lenskit("item", nearest, max_nbrs=20, min_nbrs=1),
        "LensKit, user-kNN": lenskit("user", nearest, max_nbrs=20, min_nbrs=1),
        "LensKit, implicit MF": lenskit(
            "mf", mf, embedding_size=50, regularization=0.1, weight=40.0, epochs=10
        ),
    }
