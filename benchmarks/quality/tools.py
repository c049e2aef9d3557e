"""Recommenders of several makers behind one face: ``fit``, ``top`` and ``score``, in codes, not ids."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from ladder import THREADS, CannotError, Method

import corated as cr

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Of = Literal["likes", "all", "ratings"]
"""What a tool gets of the ratings: likes as ones, all as ones, or all as they are."""
Lists = list[list[int]]


@dataclass(frozen=True)
class Train:
    """Ratings to learn from; ``like`` is the rating from which on they are likes."""

    ratings: cr.Ratings
    like: float

    @cached_property
    def rows(self) -> Int64s:
        """The user of each rating."""
        return np.repeat(np.arange(self.ratings.n_users), self.ratings.user_counts)

    @cached_property
    def likes(self) -> Bools:
        """Which ratings are likes."""
        return np.asarray(self.ratings.values >= self.like)

    def matrix(self, of: Of, days: float | None = None) -> sp.csr_matrix:
        """Return users × items; days : only of so many days before the latest rating."""
        kept = self.likes if of == "likes" else np.ones(len(self.rows), dtype=np.bool_)
        if days is not None:
            times = self.ratings.times
            kept = kept & (times > times.max() - days * 86_400_000_000)
        values = self.ratings.values if of == "ratings" else np.ones(len(self.rows))
        entries = values[kept].astype(np.float32), (self.rows[kept], self.ratings.by_user.indices[kept])
        return sp.csr_matrix(entries, shape=(self.ratings.n_users, self.ratings.n_items))

    def unseen(self, user: int, items: npt.NDArray[Any], n: int) -> list[int]:
        """Return the first n that the user has not rated; places that a tool left empty are none."""
        start, stop = self.ratings.by_user.indptr[user : user + 2]
        mine = set(self.ratings.by_user.indices[start:stop].tolist())
        return [item for item in items.tolist() if item >= 0 and item not in mine][:n]

    def hidden(self, matrix: sp.csr_matrix) -> int:
        """Return how many items a user has rated, at most, that are not in the matrix."""
        return int((self.ratings.user_counts - np.diff(matrix.indptr)).max())


class Tool(Protocol):
    """What is judged."""

    def fit(self, train: Train) -> Self:
        """Learn."""
        ...

    def top(self, users: Int64s, n: int) -> Lists:
        """Return up to n items for each user, best first, none of which the user has rated."""
        ...

    def score(self, users: Int64s, items: Int64s) -> Floats:
        """Return what a tool makes of pairs; larger is better."""
        ...


class Ours:
    """A model of Corated."""

    def __init__(self, model: cr.Recommender) -> None:
        self.model = model

    def fit(self, train: Train) -> Self:
        self.model.fit(train.ratings, threads=THREADS)
        return self

    def top(self, users: Int64s, n: int) -> Lists:
        ratings = self.model.ratings
        asked = ratings.users.take(users)
        found = self.model.recommend(asked, n=n, threads=THREADS).to_arrow()
        row = dict(zip(asked.to_pylist(), range(len(users)), strict=True))
        lists: Lists = [[] for _ in users]
        items = ratings.items.codes(found["item_id"].combine_chunks()).tolist()
        for user, item in zip(found["user_id"].to_pylist(), items, strict=True):
            lists[row[user]].append(item)
        return lists

    def score(self, users: Int64s, items: Int64s) -> Floats:
        ratings = self.model.ratings
        ids = ratings.users.take(users), ratings.items.take(items)
        found = self.model.predict(*ids, threads=THREADS).to_arrow()
        return found["value"].fill_null(0.0).to_numpy()


class Lately:
    """What most users liked in the last days, for everyone alike; ties by item."""

    def __init__(self, days: float) -> None:
        self.days = days

    def fit(self, train: Train) -> Self:
        count = np.asarray(train.matrix("likes", self.days).sum(axis=0)).ravel()
        order = np.argsort(-count, kind="stable")
        self.train, self.order = train, order[count[order] > 0]
        return self

    def top(self, users: Int64s, n: int) -> Lists:
        return [self.train.unseen(user, self.order, n) for user in users.tolist()]


class Implicit:
    """A model of implicit.

    kind : "als", "bpr", "cosine", "tfidf" or "bm25";  of, days : what it learns from, see `Train.matrix`
    settings : its own
    """

    def __init__(self, kind: str, of: Of = "likes", days: float | None = None, **settings: Any) -> None:
        self.kind, self.of, self.days, self.settings = kind, of, days, settings

    def _model(self) -> Any:
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking
        from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

        if self.kind == "als":
            return AlternatingLeastSquares(num_threads=THREADS, random_state=0, **self.settings)
        if self.kind == "bpr":  # in one thread, since it is another model in each run with more
            return BayesianPersonalizedRanking(num_threads=1, random_state=0, **self.settings)
        near = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}[self.kind]
        settings = dict(self.settings)
        return near(K=settings.pop("k") + 1, num_threads=THREADS, **settings)  # it counts the item itself

    def fit(self, train: Train) -> Self:
        self.train, self.model = train, self._model()
        self.known = train.matrix(self.of)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(train.matrix(self.of, self.days), show_progress=False)
        return self

    def top(self, users: Int64s, n: int) -> Lists:
        # What it lists of seen items is dropped here, so more is asked for.
        more = n + int(self.train.ratings.user_counts.max())
        items, _ = self.model.recommend(users, self.known[users], N=min(more, self.known.shape[1]))
        return [self.train.unseen(user, row, n) for user, row in zip(users.tolist(), items, strict=True)]

    def score(self, users: Int64s, items: Int64s) -> Floats:
        if self.kind in ("als", "bpr"):
            left, right = self.model.user_factors, self.model.item_factors
            return np.einsum("pf,pf->p", left[users], right[items]).astype(np.float64)
        asked, row = np.unique(users, return_inverse=True)
        found = np.empty(len(users))
        for start in range(0, len(asked), 500):
            dense = (self.known[asked[start : start + 500]] @ self.model.similarity).toarray()
            pairs = (row >= start) & (row < start + 500)
            found[pairs] = dense[row[pairs] - start, items[pairs]]
        return found


_NEAREST = {"k": 20}
_STARTS: dict[str, dict[str, Any]] = {
    "cosine": _NEAREST,
    "tfidf": _NEAREST,
    "bm25": _NEAREST | {"K1": 1.2, "B": 0.75},
    "als": {"factors": 100, "regularization": 0.01, "alpha": 1.0, "iterations": 15},
    "bpr": {"factors": 100, "regularization": 0.01, "learning_rate": 0.01, "iterations": 100},
}
"""The defaults of implicit."""


def implicit(kind: str, space: dict[str, Any], **start: Any) -> Method:
    """Return a method of implicit that is searched in a space; ``start``: what differs from its defaults."""
    return Method("implicit", partial(Implicit, kind), space, _STARTS[kind] | start)


def als_space(factors: tuple[int, int], iterations: tuple[int, int]) -> dict[str, Any]:
    """Return where settings of ALS are searched."""
    return {
        "factors": (*factors, "log"),
        "regularization": (0.001, 10.0, "log"),
        "alpha": (0.1, 100.0, "log"),
        "iterations": iterations,
    }


def bpr_space(factors: tuple[int, int]) -> dict[str, Any]:
    """Return where settings of BPR are searched."""
    return {
        "factors": (*factors, "log"),
        "regularization": (0.0001, 0.1, "log"),
        "learning_rate": (0.003, 0.1, "log"),
        "iterations": (20, 200, "log"),
    }


class LensKit:
    """A model of LensKit.

    kind : "user", "item" or "mf";  of : what it learns from: "ratings" as explicit feedback, else as implicit
    settings : its own
    """

    def __init__(self, kind: str, of: Of = "likes", **settings: Any) -> None:
        self.kind, self.of, self.settings = kind, of, settings

    def _scorer(self) -> Any:
        from lenskit.als import ImplicitMFScorer
        from lenskit.knn import ItemKNNScorer, UserKNNScorer

        if self.kind == "mf":
            return ImplicitMFScorer(use_ratings=self.of == "ratings", **self.settings)
        feedback = "explicit" if self.of == "ratings" else "implicit"
        return {"user": UserKNNScorer, "item": ItemKNNScorer}[self.kind](feedback=feedback, **self.settings)

    def fit(self, train: Train) -> Self:
        import pandas as pd
        from lenskit.data import from_interactions_df
        from lenskit.parallel import initialize
        from lenskit.pipeline import topn_pipeline
        from lenskit.training import TrainingOptions

        initialize(threads=THREADS, backend_threads=1)
        self.train, self.matrix = train, train.matrix(self.of)
        # A rating of 0 is a rating, so entries are told by the structure and not by their value.
        rows = np.repeat(np.arange(self.matrix.shape[0]), np.diff(self.matrix.indptr))
        columns = {"user_id": rows, "item_id": self.matrix.indices}
        if self.of == "ratings":
            columns["rating"] = self.matrix.data
        self.pipeline = topn_pipeline(self._scorer(), n=10)
        self.pipeline.train(from_interactions_df(pd.DataFrame(columns)), TrainingOptions(rng=0))
        return self

    def top(self, users: Int64s, n: int) -> Lists:
        from lenskit.batch import recommend

        known = users[np.diff(self.matrix.indptr)[users] > 0]  # it raises for others
        more = n + self.train.hidden(self.matrix)
        found = recommend(self.pipeline, known.tolist(), more, n_jobs=1)
        lists = {key.user_id: one.ids() for key, one in found.items()}
        nothing = np.zeros(0, dtype=np.int64)
        return [self.train.unseen(user, lists.get(user, nothing), n) for user in users.tolist()]


def timely(**settings: Any) -> Ours:
    """Return Corated's Timely, where it is."""
    if not hasattr(cr, "Timely"):
        raise CannotError("this Corated has no Timely")
    return Ours(cr.Timely(**settings))
