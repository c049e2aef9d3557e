"""The protocol of every recommender, and the table that they answer with."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import Cancelled, IdTypeError, MemoryLimitError, NotFittedError, ParameterError
from corated.models.kernels import Lists
from corated.models.prediction import Predictions, asked_pairs
from corated.neighborhood.engine import check_count, check_ratings, codes_of
from corated.neighborhood.memory import available_memory
from corated.neighborhood.run import Run, resolve_threads
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.tables import Table

__all__ = ["Answer", "Fitted", "Recommendations", "Recommender", "Run"]

Int64s = npt.NDArray[np.int64]

_BLOCK_USERS = 1 << 17
_BLOCK_PLACES = 1 << 21
"""Users, and places in their lists, that `Recommender.recommend_blocks` answers together by default."""
_BYTES_PER_PLACE = 25


class Fitted(Protocol):
    """What ``fit`` makes: all that answering needs, with the parameters as they were; never changed."""

    def answer(self, codes: Int64s, n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes, less what they rated and what ``taken`` lists for them.

        The answer has n places a user, or as many as there are items, if that is less.
        """
        ...


@dataclass(frozen=True)
class _Fit:
    ratings: Ratings
    titles: pa.Array | None
    part: Fitted


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

    def __init__(self, fit: _Fit, users: Int64s, n: int, answer: Answer) -> None:
        self._fit, self._users, self.n, self._answer = fit, users, n, answer

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
        taken = np.arange(self._answer.n)[None, :] < self._answer.lists.size[:, None]
        return np.flatnonzero(taken)

    @cached_property
    def _table(self) -> pa.Table:
        answer, places, ratings = self._answer, self._places, self._fit.ratings
        items, source = answer.lists.item[places], answer.source[places]
        scores = pa.array(answer.lists.score[places], mask=~np.array(answer.scored)[source])
        columns = {
            "user_id": ratings.users.take(self._users[places // answer.n]),
            "item_id": ratings.items.take(items),
            "rank": pa.array((places % answer.n + 1).astype(np.int32)),
            "score": scores,
            "support": pa.array(answer.lists.support[places]),
            "source": pa.DictionaryArray.from_arrays(pa.array(source.astype(np.int8)), list(answer.sources)),
        }
        if self._fit.titles is not None:
            columns["title"] = pc.take(self._fit.titles, pa.array(items))
        return pa.table(columns)


class Recommender(ABC):
    """A model that, once fitted to ratings, recommends items.

    Constructors only store their keyword arguments, which are the parameters (as in scikit-learn);
    ``fit`` returns self; a fitted model is safe to use from any number of threads.
    """

    _fit: _Fit | None = None

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
        shown = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items() if not _equal(v, default[k]))
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
        cannot work on, `IdTypeError` for a catalog with ids of another type, and `Cancelled`; then a model
        that was fitted before is as it was.
        """
        titles = _titles(check_ratings(ratings), catalog)
        with reporting(progress, f"fit {type(self).__name__}") as report:
            part = self.learn(ratings, Run(resolve_threads(threads), report, check_cancel(cancel)))
        if cancel is not None and cancel.is_set():  # some models have nothing that takes long
            raise Cancelled("The fit was cancelled.")
        self._fit = _Fit(ratings, titles, part)
        return self

    @abstractmethod
    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """Check the parameters, learn from ratings, and return what answers; changes nothing."""

    @property
    def ratings(self) -> Ratings:
        """The ratings the model was fitted to; raises `NotFittedError` before ``fit``."""
        return self._fitted().ratings

    def _fitted(self) -> _Fit:
        if self._fit is None:
            raise NotFittedError(
                f"This {type(self).__name__} has not been fitted.", hint="call fit(ratings) first"
            )
        return self._fit

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

        users : ids, answered in this order, or one id; None for everyone, in id order
        n : items each; fewer where there are fewer candidates, never padding

        Raises `UnknownIdError` for a user that is not in the data, `ParameterError`, `MemoryLimitError` where
        the lists would not fit, or `Cancelled`.
        """
        fit, n = self._fitted(), check_count("n", n)
        codes = codes_of(fit.ratings.users, users)
        _check_memory(len(codes), min(n, fit.ratings.n_items))
        with reporting(progress, "recommend") as report:
            run = Run(resolve_threads(threads), report, check_cancel(cancel))
            return Recommendations(fit, codes, n, fit.part.answer(codes, n, None, run))

    def predict(
        self,
        users: Iterable[Id],
        items: Iterable[Id],
        *,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
    ) -> Predictions:
        """Predict what users would rate items, pair by pair, in the order given.

        users, items : ids, equally many; one that is not in the data is answered, not refused

        See `corated.models.prediction.Predictions` for the columns. Nobody is their own neighbor, so the
        rating of a pair that is in the data is not among those that predict it.

        Raises `ParameterError` for lists of unequal length and models that predict no ratings,
        `IdTypeError`, or `Cancelled`.
        """
        fit = self._fitted()
        if not hasattr(fit.part, "predict"):
            raise ParameterError(
                f"{type(self).__name__} predicts no ratings: it ranks.",
                expected="a model that does, such as UserKNN or ItemKNN",
                hint='for example UserKNN(rule="mean", center="mean")',
            )
        (user_ids, rows), (item_ids, columns) = asked_pairs(
            fit.ratings.users, fit.ratings.items, users, items
        )
        with reporting(progress, "predict") as report:
            run = Run(resolve_threads(threads), report, check_cancel(cancel))
            return Predictions(user_ids, item_ids, fit.part.predict(rows, columns, run))

    def recommend_blocks(
        self,
        users: Iterable[Id] | None = None,
        *,
        n: int = 10,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
        block: int | None = None,
    ) -> Iterator[Recommendations]:
        """Recommend as `recommend` does, ``block`` users at a time, so that memory stays bounded.

        block : users at a time; None for as many as make about two million rows
        """
        fit, n = self._fitted(), check_count("n", n)
        places = min(n, fit.ratings.n_items)
        block = (
            max(1, min(_BLOCK_USERS, _BLOCK_PLACES // places))
            if block is None
            else check_count("block", block)
        )
        codes, workers = codes_of(fit.ratings.users, users), resolve_threads(threads)
        check_cancel(cancel)

        def blocks() -> Iterator[Recommendations]:
            with reporting(progress, "recommend") as report:
                for start in range(0, len(codes), block):
                    part = codes[start : start + block]

                    def shown(done: int, total: int, start: int = start, size: int = len(part)) -> None:
                        report(start + done * size // max(total, 1), len(codes))

                    answer = fit.part.answer(part, n, None, Run(workers, shown, cancel))
                    yield Recommendations(fit, part, n, answer)

        return blocks()


def _equal(left: object, right: object) -> bool:
    """Whether two parameters are equal; an array, which is no sensible one, equals nothing."""
    try:
        return left is right or bool(left == right)
    except ValueError:
        return False


def _titles(ratings: Ratings, catalog: Catalog | None) -> pa.Array | None:
    """Return the title of each item code, null where the catalog has none."""
    if catalog is None:
        return None
    if not isinstance(catalog, Catalog):
        raise ParameterError(
            f"catalog={type(catalog).__name__} object cannot be used.",
            expected="a Catalog",
            hint="make one with read_catalog(..., ids=ratings)",
        )
    if catalog.ids.kind != ratings.items.kind:
        raise IdTypeError(
            f"The catalog's item ids are {catalog.ids.kind}, those of the ratings {ratings.items.kind}.",
            expected="the same type of ids",
            hint="read the catalog with read_catalog(..., ids=ratings)",
        )
    return catalog.aligned(ratings.items)


def _check_memory(users: int, places: int) -> None:
    """Refuse lists that would not fit, before anything is allocated."""
    needed, there = users * places * _BYTES_PER_PLACE, available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"{places:,} places for each of {users:,} users take {needed / 2**30:,.1f} GiB; "
            f"{there / 2**30:,.1f} GiB are available.",
            hint="ask for fewer, or use recommend_blocks, which answers some users at a time",
        )
