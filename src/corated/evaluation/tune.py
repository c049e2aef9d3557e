"""Searching for the settings that do best, without ever looking at the test."""

from __future__ import annotations

import inspect
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import Cancelled, CoratedError, DataError, ParameterError
from corated.evaluation._words import number
from corated.evaluation.compare import has_users
from corated.evaluation.inference import check_seed
from corated.evaluation.judging import ERRORS, lists_of, predictions_of, predicts_ratings
from corated.evaluation.metrics import averaged
from corated.evaluation.outcomes import check_model
from corated.evaluation.ranked import Rankings, Relevance, relevance_of
from corated.evaluation.space import Range, Space, read_space
from corated.evaluation.split import Split
from corated.evaluation.split_rules import SplitRule, again, one_split
from corated.evaluation.table import Asked, Case, get_metric
from corated.evaluation.trials import Book
from corated.models.base import Fitted, Recommender
from corated.models.popularity import Popularity
from corated.models.rules import Like, check_like
from corated.models.settings import check_switch
from corated.neighborhood.engine import check_count
from corated.neighborhood.run import Run, resolve_threads
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.ratings import Ratings
from corated.tables import Table

__all__ = ["Tuning", "tune"]

Make = Callable[..., Recommender] | Recommender
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SHARES: Final = (1 / 9, 1 / 3, 1.0)
"""Of the validation's users, by whom a trial is judged one after another."""
_FEWEST: Final = 100
"""Users by whom a trial may be judged worse than others."""


def tune(
    make: Make,
    space: Mapping[str, Any],
    ratings: Ratings | Split,
    *,
    metric: str | Asked = "ndcg@10",
    trials: int = 50,
    seed: int = 0,
    split: SplitRule = None,
    storage: str | os.PathLike[str] | None = None,
    pruning: bool = True,
    like: Like = None,
    known_only: bool = False,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Tuning:
    """Search for the parameters of a model that do best, with Optuna (``pip install 'corated[tune]'``).

    make : what makes a model of the parameters, such as ``cr.UserKNN`` or a function; or a model, whose other
        parameters stay as they are
    space : by parameter a range ``(low, high)`` or ``(low, high, "log")``, or a list of choices:
        ``{"k": (10, 500, "log"), "measure": ["cosine", "jaccard"]}``
    ratings, split : as for `corated.evaluation.evaluate`: the **test** is set aside and not looked at. Its
        training part is split once more in the same way, and trials learn from one part of it and are judged
        by the other
    metric : what is best; one with a value for each user, or "rmse" or "mae"
    trials : how many in all, those that ``storage`` has already included
    seed : of what is tried;  storage : a file that keeps the trials, from which a later call goes on
    pruning : whether a trial is judged by a ninth of the users, a third, and all, one after another, and left
        where at one step it does no better than half of those before it did there
    like, known_only : as for `corated.evaluation.evaluate`;  progress : counts trials

    The same seed, data and space give the same trials, in one go or in several, on any number of threads.
    Settings that a model refuses are noted as failed. `Tuning.best` is not fitted: fit it, or evaluate it on
    `Tuning.split`, whose test nothing here has seen.

    Raises `ParameterError`; `DataError` where a storage is none, and where no trial has a value;
    `MissingExtraError`; `Cancelled`, after which a storage has all trials that came to an end.
    """
    asked, dimensions = _one_metric(metric), read_space(space)
    trials, seed = check_count("trials", trials), check_seed(seed)
    outer = one_split(ratings, split)
    inner = again(outer, split)
    if check_switch("known_only", known_only):
        outer, inner = outer.known(), inner.known()
    build = _builder(make)
    first = build({name: one.first for name, one in dimensions.items()})  # what cannot be made is told now
    judge = _Judge(inner, asked, check_like(like), seed, steps=check_switch("pruning", pruning))
    about = {
        "metric": str(asked),
        "space": "; ".join(f"{name}: {one}" for name, one in dimensions.items()),
        "model": repr(first),
        "validation": inner.name,
        "seed": str(seed),
        "like": str(like),
        "choice of users": "known ones" if known_only else "all",
        "pruning": str(pruning),
        "data": _fingerprint(outer.train),
    }
    with reporting(progress, "tune") as report:
        run = Run(resolve_threads(threads), cancel=check_cancel(cancel))
        book = Book(storage, about, asked.metric.better, seed)
        report(min(book.done, trials), trials)
        while book.done < trials:
            _attempt(book, dimensions, build, judge, run)
            report(book.done, trials)
    return Tuning(book, dimensions, build, asked, outer, judge.notes())


class Tuning(Table):
    """Trials: columns trial, value, state, the parameters, users, seconds, reason; in the order made.

    ``state`` is "complete"; "pruned", where the value is of the ``users`` it was judged by until then; or
    "failed", with a ``reason``.

    Attributes
    ----------
    best_params, best_value : of the complete trial with the best value, the earliest of equal ones
    metric : what the values are of
    split : with the test that nothing here has seen;  notes : what to mind
    """

    def __init__(
        self,
        book: Book,
        space: Space,
        build: Callable[[dict[str, Any]], Recommender],
        metric: Asked,
        split: Split,
        notes: list[str],
    ) -> None:
        best = book.best
        if best is None:
            reasons = [trial.user_attrs["reason"] for trial in book.trials() if "reason" in trial.user_attrs]
            raise DataError(
                f"None of {book.done:,} trials has a value.",
                expected="settings that the model takes, and users who like something in the validation",
                rows=list(dict.fromkeys(reasons))[:3],
                hint="change the space, or make more trials",
            )
        self.metric, self.split, self.notes, self._build = str(metric), split, tuple(notes), build
        self.best_value: float = best.value
        self.best_params = _values(space, best.params)
        super().__init__(_table(book, space))

    @property
    def best(self) -> Recommender:
        """A new, unfitted model with the best parameters."""
        return self._build(self.best_params)

    @property
    def by_state(self) -> dict[str, int]:
        """How many trials are complete, pruned and failed."""
        states = self.to_arrow()["state"].to_pylist()
        return {state: states.count(state) for state in ("complete", "pruned", "failed")}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return {
            "metric": self.metric,
            "best_value": self.best_value,
            "best_params": {name: _plain(value) for name, value in self.best_params.items()},
            "best_model": repr(self.best),
            "split": self.split.name,
            "trials": self.to_pylist(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {state}" for state, count in self.by_state.items() if count)
        return "\n".join(
            [
                f"{self.metric} {number(self.best_value)} in the validation: {self.best!r}",
                f"{len(self):,} trials: {counts}",
                *self.notes,
            ]
        )


@dataclass(frozen=True)
class _Part:
    """Some users of the validation: what they like there, and what popularity lists for them, if needed."""

    split: Split
    relevance: Relevance
    popular: Rankings | None


class _Judge:
    """Judges parts that were fitted to the training side of the validation split."""

    def __init__(self, split: Split, metric: Asked, like: Like, seed: int, *, steps: bool) -> None:
        self.split, self.metric = split, metric
        self._n = metric.n or split.train.n_items
        # By chance, but by the same users in every trial: so what is compared is paired.
        n = split.test.n_users
        order = np.random.default_rng(seed).permutation(n)
        shares = [share for share in _SHARES if share * n >= _FEWEST or share == 1.0] if steps else [1.0]
        ends = [round(share * n) for share in shares]
        self._parts = [
            self._part(order[start:end], like) for start, end in zip([0, *ends[:-1]], ends, strict=True)
        ]

    def _part(self, users: Int64s, like: Like) -> _Part:
        chosen = np.zeros(self.split.test.n_users, dtype=np.bool_)
        chosen[users] = True
        split, popular = self.split, None
        if not chosen.all():
            test = split.test.where(np.repeat(chosen, split.test.user_counts))
            split = replace(split, test=test)
        if "baseline" in self.metric.metric.needs:
            quiet = Run(1)
            popular = lists_of(Popularity(like=like).learn(split.train, quiet), split, self._n, quiet)
            popular = replace(popular, asked=self._n)
        return _Part(split, relevance_of(split, like=like), popular)

    def notes(self) -> list[str]:
        """Return what to mind, as sentences."""
        test = self.split.test
        notes = [
            f"Trials learned from {self.split.train.n_ratings:,} ratings and were judged by "
            f"{test.n_ratings:,} of {test.n_users:,} users: {self.split.name} of the training part."
        ]
        return [*notes, self.split.leaks] if self.split.leaks else notes

    def values(self, part: Fitted, run: Run) -> Iterator[tuple[float | None, int]]:
        """Yield the value by the first users, by some more, and so on, each with how many users those are."""
        name = self.metric.metric.name
        if name in ERRORS and not predicts_ratings(part):
            raise ParameterError(
                f"{self.metric} is of predicted ratings, and this model predicts none.",
                hint='choose another metric, or a model that predicts: UserKNN(rule="mean")',
            )
        found: list[Floats] = []
        users = 0
        for some in self._parts:
            found.append(self._errors(part, some, run) if name in ERRORS else self._by_user(part, some, run))
            users += some.split.test.n_users
            mean = averaged(np.concatenate(found)).mean
            yield (mean**0.5 if mean is not None and name == "rmse" else mean), users

    def _errors(self, part: Fitted, some: _Part, run: Run) -> Floats:
        """Return the error of each pair, squared for "rmse"."""
        made = predictions_of(part, some.split, run)
        error: Floats = made.to_arrow()["value"].to_numpy() - some.split.test.values
        return np.square(error) if self.metric.metric.name == "rmse" else np.abs(error)

    def _by_user(self, part: Fitted, some: _Part, run: Run) -> Floats:
        lists = replace(lists_of(part, some.split, self._n, run), asked=self._n)
        codes = some.split.user_codes
        case = Case(lists, some.relevance, some.split.train, codes, baseline=some.popular)
        per_user = self.metric.of(case).per_user
        assert per_user is not None
        return per_user


def _attempt(
    book: Book, space: Space, build: Callable[[dict[str, Any]], Recommender], judge: _Judge, run: Run
) -> None:
    """Make one trial."""
    with book.next() as trial:
        start = time.perf_counter()
        params = {name: one.suggest(trial, name) for name, one in space.items()}
        run.look()
        try:
            part = build(params).learn(judge.split.train, run)
            value = None
            for step, (value, users) in enumerate(judge.values(part, run)):
                run.look()
                trial.set_user_attr("users", users)
                if value is not None:
                    trial.report(value, step)
                if users < judge.split.test.n_users and trial.should_prune():
                    trial.set_user_attr("seconds", time.perf_counter() - start)
                    book.prune(trial)
                    return
        except Cancelled:
            raise
        except CoratedError as error:
            book.fail(trial, error.what)
            return
        trial.set_user_attr("seconds", time.perf_counter() - start)
        if value is None:
            book.fail(trial, "No user has a value.")
        else:
            book.complete(trial, value)


def _one_metric(metric: str | Asked) -> Asked:
    """Return the metric to search by: one that some users' values make up, and with a better side."""
    asked = get_metric(metric)
    if asked.metric.better == "neither" or not (has_users(asked) or asked.metric.name in ERRORS):
        why = "has no better side" if has_users(asked) else "has one value for all users together"
        raise ParameterError(
            f"{asked} {why}, so nothing can be searched by it.",
            expected="a metric of accuracy, such as ndcg@10, or rmse",
            hint='try metric="ndcg@10"',
        )
    return asked


def _builder(make: Any) -> Callable[[dict[str, Any]], Recommender]:
    if isinstance(make, Recommender):
        model = make
        return lambda params: model.clone().set_params(**params)
    if not callable(make):
        raise ParameterError(
            f"make={make!r} makes no models.",
            expected="a class of models, a function of the parameters, or a model",
            hint="for example cr.UserKNN",
        )

    def build(params: dict[str, Any]) -> Recommender:
        if isinstance(make, type) and issubclass(make, Recommender):
            _check_names(make, params)
        return check_model(make(**params))

    return build


def _check_names(kind: type[Recommender], params: dict[str, Any]) -> None:
    known = list(inspect.signature(kind).parameters)
    for name in params:
        if name not in known:
            raise ParameterError(
                f"{kind.__name__} has no parameter {name!r}.",
                expected=f"one of {', '.join(known)}",
                hint="check the spelling",
            )


def _fingerprint(ratings: Ratings) -> str:
    """Tell data apart, for trials that are taken up again."""
    parts = [ratings.by_user.indptr, ratings.by_user.indices, ratings.values]
    parts += [] if ratings.times is None else [ratings.times]
    found = 0
    for part in parts:
        found = zlib.crc32(np.ascontiguousarray(part).view(np.uint8), found)
    return f"{ratings.n_ratings} ratings, {found:08x}"


def _values(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as the model takes them, of what Optuna has noted."""
    found = {}
    for name, one in space.items():
        value = params[name]
        if not isinstance(one, Range):
            labels = one.labels
            value = one.values[next(k for k, x in enumerate(labels) if type(x) is type(value) and x == value)]
        found[name] = value
    return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else repr(value)


def _table(book: Book, space: Space) -> pa.Table:
    trials = book.trials()
    columns: dict[str, pa.Array] = {
        "trial": pa.array(range(len(trials)), pa.int64()),
        "value": pa.array([_value(book, trial) for trial in trials], pa.float64()),
        "state": pa.array([book.state(trial) for trial in trials], pa.string()),
    }
    for name in space:
        columns[name] = _column([trial.params.get(name) for trial in trials])
    columns["users"] = pa.array([trial.user_attrs.get("users") for trial in trials], pa.int64())
    columns["seconds"] = pa.array([trial.user_attrs.get("seconds") for trial in trials], pa.float64())
    columns["reason"] = pa.array([trial.user_attrs.get("reason") for trial in trials], pa.string())
    return pa.table(columns)


def _value(book: Book, trial: Any) -> float | None:
    state = book.state(trial)
    if state == "failed" or not trial.intermediate_values:
        return None
    found: float = trial.value if state == "complete" else trial.intermediate_values[trial.last_step]
    return found


def _column(values: list[Any]) -> pa.Array:
    """Return a column of one type: text where there are several."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and kinds != {int, float}:
        values = [None if value is None else str(value) for value in values]
    return pa.array(values)
