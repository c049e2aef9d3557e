"""One model judged on one split: lists, predicted ratings, and every metric of them, user by user."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corated.errors import CoratedNotice, MemoryLimitError, ParameterError
from corated.evaluation.cost import watching
from corated.evaluation.metrics import RatingErrors, averaged, rating_errors
from corated.evaluation.ranked import Rankings, Relevance, relevance_of
from corated.evaluation.split import Split
from corated.evaluation.strata import strata
from corated.evaluation.table import Asked, Case, Value, get_metrics
from corated.models.base import Fitted, Recommender
from corated.models.centering import Zeros
from corated.models.filters import check_catalog, genre_bits
from corated.models.fitted_knn import FittedKNN
from corated.models.history import Profile
from corated.models.popularity import Popularity
from corated.models.prediction import Predictions
from corated.models.request import Request
from corated.models.rules import Like
from corated.neighborhood.memory import available_memory
from corated.neighborhood.run import Run
from corated.ratings.catalog import Catalog

__all__ = [
    "ERRORS",
    "Cost",
    "Judged",
    "Question",
    "Stage",
    "Stratum",
    "asked_metrics",
    "lists_of",
    "predictions_of",
    "predicts_ratings",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ERRORS: Final = ("rmse", "mae")
"""Metrics of predicted ratings."""
_LISTS: Final = (
    *("ndcg@10", "recall@10", "hit_rate@10", "mrr@10", "catalog_coverage@10", "novelty@10"),
    *("popularity_lift@10", "personalization@10", "gini@10", "serendipity@10"),
)
_OF_LISTS: Final = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")
"""How the names of metrics begin that read nothing but where the relevant items stand."""
_PLACES: Final = 1 << 21
"""Places of lists that are answered at a time."""
_FIRST_USERS: Final = 20


def asked_metrics(given: Any, catalog: Catalog | None) -> tuple[Asked, ...]:
    """Return the metrics that are asked for, by default the usual ones.

    Those are of lists, at 10; ``diversity`` where there is a catalog with genres; and errors, which only
    models have that predict ratings. Raises `ParameterError` for what is no metric, for none at all, and for
    ``diversity`` without a catalog.
    """
    if given is None:
        diversity = () if catalog is None else ("diversity@10",)
        return tuple(get_metrics([*_LISTS, *diversity, *ERRORS]))
    asked = tuple(get_metrics(given))
    if not asked:
        raise ParameterError("metrics=[] asks for nothing.", hint="leave metrics out for the usual ones")
    for one in asked:
        if "genres" in one.metric.needs and catalog is None:
            raise ParameterError(
                f"{one} needs a catalog with genres.", hint=f"give catalog=, or leave {one} out"
            )
    return asked


@dataclass(frozen=True)
class Question:
    """What is asked of every model: metrics, what counts as a like, whose genres."""

    metrics: tuple[Asked, ...]
    like: Like = None
    catalog: Catalog | None = None


@dataclass(frozen=True)
class Cost:
    """Seconds to fit and to answer all test users, and the memory of both: see `corated.evaluation.cost`."""

    fit: float
    answer: float
    memory: int | None


@dataclass(frozen=True)
class Stratum:
    """The sum of a metric over the users of one stratum who have a value; ``size`` is the stratum's own."""

    side: str
    name: str
    size: int
    metric: str
    total: float
    users: int


@dataclass(frozen=True)
class Judged:
    """What came out for one model on one split.

    values : by the name of the metric; None where the model cannot have it
    errors : of its predicted ratings; None where it predicts none
    short : test users whose list has fewer items than metrics read
    """

    values: dict[str, Value | None]
    errors: RatingErrors | None
    strata: list[Stratum]
    cost: Cost
    short: int


class Stage:
    """One split made ready: what is relevant there, for whom, and what popularity lists."""

    def __init__(self, split: Split, question: Question, run: Run) -> None:
        self.split, self.question, self._run = split, question, run
        self.relevance = relevance_of(split, like=question.like)
        self.places = max((one.n for one in question.metrics), default=0) or 10
        # The area under the curve is of all candidates.
        self.n = split.train.n_items if self._needs("candidates") else min(self.places, split.train.n_items)
        self._genres = None
        catalog = check_catalog(split.train, question.catalog)
        if self._needs("genres") and catalog is not None:
            self._genres = genre_bits(split.train, catalog)[1]

    def _needs(self, what: str) -> bool:
        return any(what in one.metric.needs for one in self.question.metrics)

    @cached_property
    def baseline(self) -> Rankings:
        """What popularity lists for the test users."""
        run = self._run.quietly()
        return lists_of(
            Popularity(like=self.question.like).learn(self.split.train, run), self.split, self.n, run
        )

    def judge(self, model: Recommender, progress: Callable[[int, int], object]) -> Judged:
        """Fit a model to the training part, and judge what it answers the test users.

        The model itself stays as it is. Errors are those of fitting and answering.
        """
        run = replace(self._run, progress=progress)
        run.look()
        _warm_up(model, self.split, run)
        with watching() as watch:
            part = model.learn(self.split.train, _half(run, 0))
            run.look()
            fit = watch.lap()
            lists = lists_of(part, self.split, self.n, _half(run, 1))
            answer = watch.lap()
        run.look()
        errors = None
        if self._needs("errors") and predicts_ratings(part):
            errors = rating_errors(predictions_of(part, self.split, run.quietly()), self.split.test.values)
        case = self._case(lists, errors)
        values = {str(one): self._value(one, case) for one in self.question.metrics}
        short = int(((lists.items >= 0).sum(axis=1) < min(self.places, self.n)).sum())
        return Judged(values, errors, self._strata(case, values), Cost(fit, answer, watch.memory), short)

    def _case(self, lists: Rankings, errors: RatingErrors | None) -> Case:
        # As many were asked for as metrics read, also where there are not as many items.
        asked = max(self.places, self.n)
        baseline = replace(self.baseline, asked=asked) if self._needs("baseline") else None
        return Case(
            replace(lists, asked=asked),
            self.relevance,
            self.split.train,
            self.split.user_codes,
            genres=self._genres,
            baseline=baseline,
            errors=errors,
        )

    @staticmethod
    def _value(one: Asked, case: Case) -> Value | None:
        return None if "errors" in one.metric.needs and case.errors is None else one.of(case)

    def _strata(self, case: Case, values: dict[str, Value | None]) -> list[Stratum]:
        """Return every metric with a value for each user by stratum.

        Strata of users average over some of the users; in those of items only such items are relevant.
        """
        parts, found = strata(self.split), []
        for name, users in parts.users.items():
            for metric, value in values.items():
                if value is not None and value.per_user is not None:
                    found.append(_summed("users", name, int(users.sum()), metric, value.per_user[users]))
        for name, items in parts.items.items():
            some = np.zeros(self.split.train.n_items + self.split.new_items, dtype=np.bool_)
            some[self.split.item_codes] = items
            of_some = replace(case, relevance=_only(case.relevance, some))
            for one in self.question.metrics:
                if one.metric.name.startswith(_OF_LISTS):
                    per_user = one.of(of_some).per_user
                    assert per_user is not None
                    found.append(_summed("items", name, int(items.sum()), str(one), per_user))
        return found


def lists_of(part: Fitted, split: Split, n: int, run: Run) -> Rankings:
    """Return what a fitted part lists for the users of the test, a row for each, by ascending id.

    Users who are not in training get what `Recommender.recommend` gives them with ``on_unknown="fallback"``:
    what is popular. Raises `MemoryLimitError` where the lists would not fit.
    """
    train, codes = split.train, split.user_codes
    n = min(n, train.n_items)
    needed, there = 4 * n * len(codes), available_memory()
    if there is not None and needed > there:
        raise MemoryLimitError(
            f"Lists of {n:,} items for {len(codes):,} users take {needed / 2**30:,.1f} GiB; "
            f"{there / 2**30:,.1f} GiB are available.",
            hint="take metrics of fewer places; auc needs lists of all items",
        )
    items = np.full((len(codes), n), -1, dtype=np.int32)
    known, new = np.flatnonzero(codes >= 0), np.flatnonzero(codes < 0)
    size = max(1, _PLACES // max(n, 1))
    for start in range(0, len(known), size):
        rows = known[start : start + size]
        answer = part.answer(Request(codes[rows], n), run.within_users(start, len(rows), len(known)))
        found = Rankings.of_answer(answer, n).items
        items[rows[:, None], np.arange(found.shape[1])] = found
        run.look()
    if len(new):
        nobody = Profile(None, -1, np.zeros(0, dtype=np.int64), np.zeros(0))
        popular = Popularity().learn(train, run.quietly()).fold_in(nobody, run.quietly())
        answer = popular.part.answer(Request(np.array([popular.code]), n), run.quietly())
        found = Rankings.of_answer(answer, n).items
        items[new[:, None], np.arange(found.shape[1])] = found  # nobody knows any of them: one list for all
    seen = np.append(train.user_counts, 0)[codes]  # −1, a new user, is the last
    return Rankings(items, n, train.n_items - seen)


def predicts_ratings(part: Any) -> bool:
    """Tell whether a fitted part predicts ratings: other models' scores are no ratings."""
    if isinstance(part, FittedKNN):
        settings = part.settings
        # With center="zeros" what is not rated counts as 0, so a score is no rating either.
        return settings.rule == "mean" and settings.k is not None and not isinstance(settings.center, Zeros)
    if isinstance(parts := getattr(part, "parts", None), list):
        return hasattr(part, "predict") and all(predicts_ratings(one) for one in parts)
    return hasattr(part, "predict")


def predictions_of(part: Any, split: Split, run: Run) -> Predictions:
    """Return what a part predicts for the pairs of the test, in their order."""
    test = split.test
    rows = np.repeat(np.arange(test.n_users), test.user_counts)
    users, items = split.user_codes[rows], split.item_codes[test.by_user.indices]
    items = np.where(items < split.train.n_items, items, -1)
    names = test.users.take(rows), test.items.take(test.by_user.indices)
    return Predictions(*names, part.predict(users, items, run))


def _only(relevance: Relevance, items: Bools) -> Relevance:
    """Return what is relevant and of some items, by code."""
    kept = items[relevance.items]
    counts = np.bincount(relevance.rows[kept], minlength=len(relevance.indptr) - 1)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Relevance(indptr, relevance.items[kept], relevance.values[kept], relevance.n_items)


def _summed(side: str, name: str, size: int, metric: str, per_user: Floats) -> Stratum:
    mean = averaged(per_user)
    return Stratum(side, name, size, metric, (mean.mean or 0.0) * mean.users, mean.users)


def _half(run: Run, at: int) -> Run:
    """Return the same for the first or the second half of the work, counted in thousandths."""

    def report(done: int, total: int) -> object:
        return run.progress(500 * at + 500 * done // max(total, 1), 1000)

    return replace(run, progress=report)


def _warm_up(model: Recommender, split: Split, run: Run) -> None:
    """Have the kernels compiled or loaded before time is taken: fit and answer a few users, all ignored."""
    few = np.repeat(np.arange(split.train.n_users), split.train.user_counts) < _FIRST_USERS
    with contextlib.suppress(Exception), _unnoticed():  # what is wrong will be told when it counts
        some = split.train.where(few)
        part = model.learn(some, run.quietly())
        part.answer(Request(np.arange(some.n_users), min(10, some.n_items)), run.quietly())


@contextlib.contextmanager
def _unnoticed() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoratedNotice)
        yield
