"""The protocol of every recommender, and the table that they answer with."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import NotFittedError, ParameterError
from corated.models.kernels import Lists
from corated.neighborhood.engine import check_count
from corated.neighborhood.run import resolve_threads
from corated.progress import Cancel, Progress, ProgressOption, reporting
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.tables import Table

__all__ = ["Answer", "Recommendations", "Recommender", "Run"]

Int64s = npt.NDArray[np.int64]

BLOCK = 1 << 17
"""Users answered together by `Recommender.recommend_blocks`."""


@dataclass(frozen=True)
class Run:
    """How to run: threads, where progress goes, and the event that stops it."""

    threads: int
    progress: Progress
    cancel: Cancel


@dataclass(frozen=True)
class Answer:
    """Ranked lists of items for some users.

    lists : n places a row
    source : uint8 (rows * n,), index into ``sources``
    scored : whether scores mean something, by source
    """

    lists: Lists
    n: int
    source: npt.NDArray[np.uint8]
    sources: tuple[str, ...]
    scored: tuple[bool, ...]


class Recommendations(Table):
    """Recommended items: columns user_id, item_id, rank, score, support, source[, title].

    Rows by user, then rank from 1: larger score first, then more support, then the smaller item id.
    ``score`` is null where the source ranks without one (rule ``closest``); ``support`` counts the neighbors
    (or the user's own items) behind an item; ``source`` names the model that gave the row.

    n : how many were asked for each user
    users : how many users were asked for; short : how many of them got fewer than n
    """

    def __init__(self, ratings: Ratings, catalog: Catalog | None, users: Int64s, answer: Answer) -> None:
        self._ratings, self._catalog, self._users, self._answer = ratings, catalog, users, answer

    @property
    def n(self) -> int:
        """How many items were asked for each user."""
        return self._answer.n

    @property
    def users(self) -> int:
        """How many users were asked for."""
        return len(self._users)

    @property
    def short(self) -> int:
        """How many users got fewer than n."""
        return int((self._answer.lists.size < self.n).sum())

    @property
    def by_source(self) -> dict[str, int]:
        """How many rows each model gave."""
        places = self._places
        counts = np.bincount(self._answer.source[places], minlength=len(self._answer.sources))
        return dict(zip(self._answer.sources, counts.tolist(), strict=True))

    @cached_property
    def _places(self) -> Int64s:
        """Where the rows stand among the places of the lists."""
        taken = np.arange(self.n)[None, :] < self._answer.lists.size[:, None]
        return np.flatnonzero(taken)

    @cached_property
    def _table(self) -> pa.Table:
        answer, places = self._answer, self._places
        items, source = answer.lists.item[places], answer.source[places]
        scores = pa.array(answer.lists.score[places], mask=~np.array(answer.scored)[source])
        columns = {
            "user_id": self._ratings.users.take(self._users[places // max(self.n, 1)]),
            "item_id": self._ratings.items.take(items),
            "rank": pa.array((places % max(self.n, 1) + 1).astype(np.int32)),
            "score": scores,
            "support": pa.array(answer.lists.support[places]),
            "source": pa.DictionaryArray.from_arrays(pa.array(source.astype(np.int8)), list(answer.sources)),
        }
        if self._catalog is not None:
            titles = self._catalog.aligned(self._ratings.items)
            columns["title"] = pc.take(titles, pa.array(items))
        return pa.table(columns)


class Recommender(ABC):
    """A model that, once fitted to ratings, recommends items.

    Constructors only store their keyword arguments, which are the parameters (as in scikit-learn);
    ``fit`` returns self; a fitted model is safe to use from any number of threads.
    """

    _ratings: Ratings | None = None
    _catalog: Catalog | None = None

    @classmethod
    def _parameters(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn passes it
        """Return the parameters by name; ``deep`` is there for scikit-learn."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters, for the next ``fit``; raises `ParameterError` for unknown names."""
        for name, value in params.items():
            if name not in self._parameters():
                raise ParameterError(
                    f"{type(self).__name__} has no parameter {name!r}.",
                    expected=f"one of {', '.join(self._parameters())}",
                    hint="check the spelling",
                )
            setattr(self, name, value)
        return self

    def clone(self) -> Self:
        """Return an unfitted copy with the same parameters."""
        return type(self)(**self.get_params())

    def __repr__(self) -> str:
        default = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        shown = ", ".join(
            f"{k}={v!r}" for k, v in self.get_params().items() if v is not default[k] and v != default[k]
        )
        return f"{type(self).__name__}({shown})"

    def fit(
        self,
        ratings: Ratings,
        *,
        catalog: Catalog | None = None,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
    ) -> Self:
        """Learn from ratings; returns self. A catalog adds titles to answers.

        Raises `ParameterError` for parameters that cannot be used, `DataError` for ratings that the model
        cannot work on, and `Cancelled`.
        """
        with reporting(progress, f"fit {type(self).__name__}") as report:
            self._fit(ratings, Run(resolve_threads(threads), report, cancel))
        self._ratings, self._catalog = ratings, catalog
        return self

    @property
    def ratings(self) -> Ratings:
        """The ratings the model was fitted to; raises `NotFittedError` before ``fit``."""
        if self._ratings is None:
            raise NotFittedError(
                f"This {type(self).__name__} has not been fitted.", hint="call fit(ratings) first"
            )
        return self._ratings

    def recommend(
        self,
        users: Iterable[Id] | None = None,
        *,
        n: int = 10,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
    ) -> Recommendations:
        """Recommend up to n items that each user has not rated.

        users : ids, answered in this order; None for everyone, in id order
        n : items each; fewer where there are fewer candidates, never padding

        Raises `UnknownIdError` for a user that is not in the data, `ParameterError`, or `Cancelled`.
        """
        n = check_count("n", n)
        codes = self._user_codes(users)
        with reporting(progress, "recommend") as report:
            answer = self.answer(codes, n, None, Run(resolve_threads(threads), report, cancel))
        return Recommendations(self.ratings, self._catalog, codes, answer)

    def recommend_blocks(
        self,
        users: Iterable[Id] | None = None,
        *,
        n: int = 10,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
        block: int = BLOCK,
    ) -> Iterator[Recommendations]:
        """Recommend as `recommend` does, ``block`` users at a time, so that memory stays bounded."""
        n = check_count("n", n)
        block = check_count("block", block)
        codes = self._user_codes(users)
        with reporting(progress, "recommend") as report:
            for start in range(0, len(codes), block):
                part = codes[start : start + block]

                def shown(done: int, total: int, start: int = start, size: int = len(part)) -> None:
                    report(start + done * size // max(total, 1), len(codes))

                run = Run(resolve_threads(threads), shown, cancel)
                yield Recommendations(self.ratings, self._catalog, part, self.answer(part, n, None, run))

    def _user_codes(self, users: Iterable[Id] | None) -> Int64s:
        ids = self.ratings.users
        if users is None:
            return np.arange(len(ids))
        if isinstance(users, str | int):
            users = [users]
        asked = list(users)
        codes = np.asarray(ids.codes(asked), dtype=np.int64)
        if (codes < 0).any():
            ids.code(asked[int(np.argmax(codes < 0))])
        return codes

    @abstractmethod
    def _fit(self, ratings: Ratings, run: Run) -> None:
        """Learn from ratings; check parameters first."""

    @abstractmethod
    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes, less what they rated and what ``taken`` lists for them."""
