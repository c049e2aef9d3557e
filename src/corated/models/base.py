"""The protocol of every recommender, and the table that they answer with."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self, Unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import Cancelled, MemoryLimitError, NotFittedError, ParameterError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.filters import Filters, check_catalog, check_filters, request_of
from corated.models.history import History, Profile, read_profile
from corated.models.packed import Packed
from corated.models.prediction import Predictions, asked_pairs, id_column
from corated.models.request import Request
from corated.models.rerank import answered
from corated.models.settings import check_switch
from corated.neighborhood.engine import check_count, check_ratings, codes_of
from corated.neighborhood.memory import available_memory
from corated.neighborhood.run import Run, resolve_threads
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Ratings
from corated.tables import Table

if TYPE_CHECKING:
    from corated.models.explain import Explanation
    from corated.models.why import WhatIf, WhyNot

__all__ = ["Answer", "Fit", "Fitted", "Folded", "Recommendations", "Recommender", "Run", "answer_for"]

Int64s = npt.NDArray[np.int64]

_BLOCK_USERS = 1 << 17
_BLOCK_PLACES = 1 << 21
"""Users, and places in their lists, that `Recommender.recommend_blocks` answers together by default."""
_BYTES_PER_PLACE = 25


class Fitted(Protocol):
    """What ``fit`` makes: all that answering needs, with the parameters as they were; never changed.

    A part that predicts ratings has ``predict`` too: see `corated.models.prediction.Predictor`.
    """

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for each user asked for.

        The answer has n places a row, or as many as there are items, if that is less.
        """
        ...

    def account(self, user: int, item: int, n: int, run: Run) -> Account:
        """Tell what the score of a pair of codes is made of, seen or not.

        n : how many recommendations it would be one of, where that matters
        """
        ...

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Return what answers for a user with these ratings, exactly as defined for the kind of model.

        Raises `ParameterError` for a model that cannot.
        """
        ...

    def pack(self) -> Packed:
        """Return what took long to find, from which `Recommender.unpack` makes the same again."""
        ...


@dataclass(frozen=True)
class Folded:
    """What answers for somebody who is not in the data, and the code that they have there."""

    part: Fitted
    code: int


@dataclass(frozen=True)
class Fit:
    """A fitted model: ratings, catalog, what answers, and a copy of the model with the parameters it has."""

    ratings: Ratings
    catalog: Catalog | None
    part: Fitted
    model: Recommender

    @cached_property
    def titles(self) -> pa.Array | None:
        """The title of each item code, null where the catalog has none; None without a catalog."""
        return None if self.catalog is None else self.catalog.aligned(self.ratings.items)


class Recommendations(Table):
    """Recommended items: columns user_id, item_id, rank, score, support, source[, title].

    Rows by user, then rank from 1: larger score first, then more support, then the smaller item id.
    ``score`` is null where the source ranks without one (rule ``closest``); ``support`` counts the neighbors
    (or the user's own items) behind an item; ``source`` names what gave the row; ``user_id`` is null for
    somebody without an id.

    n : how many were asked for each user
    users : how many users were asked for; short : how many of them got fewer than n
    """

    def __init__(self, fit: Fit, users: pa.Array, n: int, answer: Answer) -> None:
        self._items: IdMap = fit.ratings.items
        self._titles, self._users, self.n, self._answer = fit.titles, users, n, answer

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
        """How many rows each source gave."""
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
        answer, places, n = self._answer, self._places, max(self._answer.n, 1)
        items, source = answer.lists.item[places], answer.source[places]
        scores = pa.array(answer.lists.score[places], mask=~np.array(answer.scored)[source])
        columns = {
            "user_id": self._users.take(pa.array(places // n)),
            "item_id": self._items.take(items),
            "rank": pa.array((places % n + 1).astype(np.int32)),
            "score": scores,
            "support": pa.array(answer.lists.support[places]),
            "source": pa.DictionaryArray.from_arrays(pa.array(source.astype(np.int8)), list(answer.sources)),
        }
        if self._titles is not None:
            columns["title"] = pc.take(self._titles, pa.array(items))
        return pa.table(columns)


class Recommender(ABC):
    """A model that, once fitted to ratings, recommends items.

    Constructors only store their keyword arguments, which are the parameters (as in scikit-learn);
    ``fit`` returns self; a fitted model is safe to use from any number of threads.
    """

    _fit: Fit | None = None

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
        catalog = check_catalog(check_ratings(ratings), catalog)
        with reporting(progress, f"fit {type(self).__name__}") as report:
            part = self.learn(ratings, Run(resolve_threads(threads), report, check_cancel(cancel)))
        if cancel is not None and cancel.is_set():  # some models have nothing that takes long
            raise Cancelled("The fit was cancelled.")
        # Parameters may be changed for the next fit, while this one answers.
        self._fit = Fit(ratings, catalog, part, self.clone())
        return self

    @abstractmethod
    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """Check the parameters, learn from ratings, and return what answers; changes nothing."""

    @abstractmethod
    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:
        """Make again what answers, of what `Fitted.pack` returned, with these parameters on these ratings."""

    @property
    def ratings(self) -> Ratings:
        """The ratings the model was fitted to; raises `NotFittedError` before ``fit``."""
        return self._fitted().ratings

    @property
    def catalog(self) -> Catalog | None:
        """The catalog given to ``fit``, None without one; raises `NotFittedError` before ``fit``."""
        return self._fitted().catalog

    def _fitted(self) -> Fit:
        if self._fit is None:
            raise NotFittedError(
                f"This {type(self).__name__} has not been fitted.", hint="call fit(ratings) first"
            )
        return self._fit

    def recommend(
        self,
        users: Iterable[Id] | Id | None = None,
        *,
        n: int = 10,
        history: History | None = None,
        user_id: Id | None = None,
        on_unknown: str = "raise",
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
        **filters: Unpack[Filters],
    ) -> Recommendations:
        """Recommend up to n items to each user.

        users : ids, answered in this order, or one id; None for everyone, in id order
        n : items each; fewer where there are fewer candidates, never padding
        history : in place of users, the ratings of somebody who is not in the data, by item id; item ids
            alone where ratings are all alike. Neighbors of users are those that a fit with this user among
            the others would find; models of items answer as for a user of the data with these ratings.
        user_id : whose history it is; a user of this id who is in the data is left out of the neighbors
        on_unknown : "raise", or "fallback": users who are not in the data get what is popular, which
            ``source`` tells
        filters : what is left out before anything is ranked; see `corated.models.filters.Filters`

        Raises `UnknownIdError` for a user or item that is not in the data, `ParameterError`,
        `MemoryLimitError` where the lists would not fit, or `Cancelled`.
        """
        fit, n, filters = self._fitted(), check_count("n", n), check_filters(filters)
        with reporting(progress, "recommend") as report:
            run = Run(resolve_threads(threads), report, check_cancel(cancel))
            _check_on_unknown(on_unknown)
            if history is not None:
                if users is not None:
                    raise ParameterError(
                        "users and history were both given.",
                        expected="users of the data, or the history of somebody who is not",
                        hint="say whose history it is with user_id=",
                    )
                if isinstance(filters.get("exclude"), Mapping):
                    raise ParameterError(
                        "exclude names users, and a history is one user's.", hint="give item ids alone"
                    )
                profile = read_profile(fit.ratings, history, user_id)
                folded = fit.part.fold_in(profile, run.quietly())
                answer = answer_for(fit, folded.part, np.array([folded.code]), n, filters, run)
                return Recommendations(fit, pa.array([user_id], fit.ratings.users.ids.type), n, answer)
            if user_id is not None:
                raise ParameterError("user_id says whose history it is.", hint="give history= too")
            if on_unknown == "fallback" and users is not None:
                return _with_unknown(fit, users, n, filters, run)
            codes = codes_of(fit.ratings.users, users)
            _check_memory(len(codes), min(n, fit.ratings.n_items))
            answer = answer_for(fit, fit.part, codes, n, filters, run)
            return Recommendations(fit, fit.ratings.users.take(codes), n, answer)

    def recommend_blocks(
        self,
        users: Iterable[Id] | Id | None = None,
        *,
        n: int = 10,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
        block: int | None = None,
        **filters: Unpack[Filters],
    ) -> Iterator[Recommendations]:
        """Recommend as `recommend` does, ``block`` users at a time, so that memory stays bounded.

        block : users at a time; None for as many as make about two million rows
        """
        fit, n, filters = self._fitted(), check_count("n", n), check_filters(filters)
        places = max(min(n, fit.ratings.n_items), 1)
        block = (
            max(1, min(_BLOCK_USERS, _BLOCK_PLACES // places))
            if block is None
            else check_count("block", block)
        )
        codes, workers = codes_of(fit.ratings.users, users), resolve_threads(threads)
        check_cancel(cancel)
        request_of(fit.ratings, fit.catalog, codes[:0], n, filters)

        def blocks() -> Iterator[Recommendations]:
            with reporting(progress, "recommend") as report:
                for start in range(0, len(codes), block):
                    part = codes[start : start + block]
                    # The rows of a block are known when it ends, so progress counts users.
                    run = Run(workers, report, cancel).within_users(start, len(part), len(codes))
                    answer = answer_for(fit, fit.part, part, n, filters, run)
                    yield Recommendations(fit, fit.ratings.users.take(part), n, answer)

        return blocks()

    def predict(
        self,
        users: Iterable[Id] | None,
        items: Iterable[Id],
        *,
        history: History | None = None,
        user_id: Id | None = None,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
    ) -> Predictions:
        """Predict what users would rate items, pair by pair, in the order given.

        users, items : ids, equally many; one that is not in the data is answered, not refused
        history, user_id : in place of users (None), whose ratings to go by; see `recommend`

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
        with reporting(progress, "predict") as report:
            run = Run(resolve_threads(threads), report, check_cancel(cancel))
            if history is not None:
                return _predicted_for(fit, read_profile(fit.ratings, history, user_id), items, users, run)
            (user_ids, rows), (item_ids, columns) = asked_pairs(
                fit.ratings.users, fit.ratings.items, [] if users is None else users, items
            )
            return Predictions(user_ids, item_ids, fit.part.predict(rows, columns, run))

    def explain(
        self,
        user: Id | None,
        item: Id,
        *,
        n: int = 10,
        history: History | None = None,
        user_id: Id | None = None,
        anonymous: bool = False,
        most: int | None = None,
        threads: int | None = None,
    ) -> Explanation:
        """Tell what the score of an item for a user is made of: terms and shares that add up to it.

        user, item : ids; an item that the user has rated is explained too, as if that were not known
        n : of how many recommendations it would be one, where neighbors depend on that (``k="2n"``)
        history, user_id : in place of the user (None), whose ratings to go by; see `recommend`
        anonymous : leave users who contribute unnamed, and speak to the user
        most : contributions shown in text and HTML, 5 if not said; all are there and count

        Raises `UnknownIdError` and `IdTypeError` for ids that are not in the data, and `ParameterError`.
        """
        from corated.models.explain import Asked, explain

        anonymous, run = check_switch("anonymous", anonymous), Run(resolve_threads(threads))
        asked = Asked(user, item, n, history, user_id)
        return explain(self._fitted(), asked, run, anonymous=anonymous, most=most)

    def why_not(
        self,
        user: Id | None,
        item: Id,
        *,
        n: int = 10,
        history: History | None = None,
        user_id: Id | None = None,
        threads: int | None = None,
        **filters: Unpack[Filters],
    ) -> WhyNot:
        """Tell why an item is not among the n that `recommend` lists for a user, or that it is.

        filters : those of `recommend`;  other arguments and errors as for `explain`
        """
        from corated.models.explain import Asked
        from corated.models.why import why_not

        asked, run = Asked(user, item, n, history, user_id), Run(resolve_threads(threads))
        return why_not(self._fitted(), asked, filters, run)

    def what_if(
        self,
        user: Id | None,
        item: Id,
        *,
        n: int = 10,
        history: History | None = None,
        user_id: Id | None = None,
        most: int = 1,
        threads: int | None = None,
        progress: ProgressOption = None,
        cancel: Cancel = None,
    ) -> WhatIf:
        """Tell which of a user's ratings, if it were gone, would take an item off the user's n.

        Each rating is taken out alone, and the rest folded in as `recommend` does with a history, as of the
        time they were made; the item whose rating is gone is no candidate for that. For models of users the
        answer is that of a fit without the rating; with those of items, what is near what stays as it was.

        most : where no rating alone does it: how many may be taken out together, one after another, each
            time the one that leaves the item lowest (ties: that of the smaller item id), which need not be
            the fewest that would do
        progress : counts ratings;  other arguments and errors as for `explain`

        Raises `ParameterError` for an item that is not among the n, which `why_not` explains, and
        `Cancelled`.
        """
        from corated.models.explain import Asked
        from corated.models.why import what_if

        fit, asked = self._fitted(), Asked(user, item, n, history, user_id)
        with reporting(progress, "what if") as report:
            run = Run(resolve_threads(threads), report, check_cancel(cancel))
            return what_if(fit, asked, run, most=most)


def _predicted_for(fit: Fit, profile: Profile, items: Iterable[Id], users: object, run: Run) -> Predictions:
    """Predict for one who is not in the data."""
    if users is not None:
        raise ParameterError("users and history were both given.", hint="give None for users")
    folded = fit.part.fold_in(profile, run.quietly())
    column, codes = id_column(fit.ratings.items, items, "items")
    rows = np.full(len(codes), folded.code, dtype=np.int64)
    names = pa.array([profile.id] * len(codes), fit.ratings.users.ids.type)
    return Predictions(names, column, folded.part.predict(rows, codes, run))  # type: ignore[attr-defined]


def answer_for(fit: Fit, part: Fitted, codes: Int64s, n: int, filters: Filters, run: Run) -> Answer:
    """Return lists for user codes of a fitted part, filtered and, if wanted, with some variety."""
    request, diversity = request_of(fit.ratings, fit.catalog, codes, n, filters)
    return answered(part, request, diversity, fit, run)


def _check_on_unknown(given: str) -> str:
    if not isinstance(given, str) or given not in ("raise", "fallback"):
        raise ParameterError(
            f"on_unknown={given!r} cannot be used.",
            expected='"raise" or "fallback"',
            hint='"fallback" gives users who are not in the data what is popular',
        )
    return given


def _with_unknown(fit: Fit, users: Iterable[Id] | Id, n: int, filters: Filters, run: Run) -> Recommendations:
    """Recommend to users of whom some may not be in the data: those get what is popular."""
    from corated.models.popularity import Popularity

    is_one = isinstance(users, str | bytes | int | float | np.generic) or not isinstance(users, Iterable)
    ids = fit.ratings.users.as_array([users] if is_one else users)
    codes = fit.ratings.users.codes_in(ids)
    _check_memory(len(codes), min(n, fit.ratings.n_items))
    known, unknown = np.flatnonzero(codes >= 0), np.flatnonzero(codes < 0)
    parts = [(known, answer_for(fit, fit.part, codes[known], n, filters, run))]
    if len(unknown):
        profile = Profile(None, -1, np.zeros(0, dtype=np.int64), np.zeros(0))
        popular = Popularity().learn(fit.ratings, run.quietly()).fold_in(profile, run.quietly())
        nobody = np.full(len(unknown), popular.code, dtype=np.int64)
        if isinstance(filters.get("exclude"), Mapping):  # names users of the data
            filters = Filters(**{**filters, "exclude": None})
        parts.append((unknown, answer_for(fit, popular.part, nobody, n, filters, run.quietly())))
    answer = Answer.stacked(len(codes), parts[0][1].n, parts)
    return Recommendations(fit, ids.cast(fit.ratings.users.ids.type), n, answer)


def _equal(left: object, right: object) -> bool:
    """Whether two parameters are equal; an array, which is no sensible one, equals nothing."""
    try:
        return left is right or bool(left == right)
    except ValueError:
        return False


def _check_memory(users: int, places: int) -> None:
    """Refuse lists that would not fit, before anything is allocated."""
    needed, there = users * places * _BYTES_PER_PLACE, available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"{places:,} places for each of {users:,} users take {needed / 2**30:,.1f} GiB; "
            f"{there / 2**30:,.1f} GiB are available.",
            hint="ask for fewer, or use recommend_blocks, which answers some users at a time",
        )
