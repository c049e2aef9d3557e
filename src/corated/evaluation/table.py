"""The table of metrics: every one by its name, and the shorthand ``"ndcg@10"``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.evaluation import beyond, metrics
from corated.evaluation.metrics import RatingErrors
from corated.evaluation.ranked import Match, Rankings, Relevance, match
from corated.ratings.ratings import Ratings

__all__ = ["METRICS", "Asked", "Case", "Metric", "Value", "get_metric", "get_metrics"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Need = Literal["candidates", "genres", "baseline", "errors"]


@dataclass(frozen=True)
class Case:
    """What a model did on a split, as far as metrics read it.

    rankings : its lists;  relevance : what was relevant, row by row
    train : the ratings that it learned from;  users : int64, the training code of each row, −1 for a new user
    genres : bool (train.n_items, genres), by item code; None without a catalog
    baseline : popularity's lists for the same rows
    errors : of its predicted ratings
    """

    rankings: Rankings
    relevance: Relevance
    train: Ratings
    users: Int64s
    genres: Bools | None = None
    baseline: Rankings | None = None
    errors: RatingErrors | None = None

    @cached_property
    def match(self) -> Match:
        """Where the relevant items stand in the lists."""
        return match(self.rankings, self.relevance)


@dataclass(frozen=True)
class Metric:
    """One metric.

    name : as in ``METRICS``
    function : of a case and the number of places (0 where there is no cut): a value for each row, NaN
        for none, or one value for all
    better : "larger", "smaller", or "neither", where it tells what lists are like
    needs : what a `Case` must have, further to lists
    cut : whether it is asked with a number of places: "ndcg@10"
    """

    name: str
    function: Callable[[Case, int], Floats | float | None]
    better: Literal["larger", "smaller", "neither"]
    needs: tuple[Need, ...] = ()
    cut: bool = True


@dataclass(frozen=True)
class Value:
    """What a metric came to.

    mean : the value; None where it is undefined
    per_user : by row, NaN for those without a value; None for a metric of all lists together
    users : how many rows are in the mean;  skipped : how many have no value; both 0 for errors of predicted
        ratings, which are counted in pairs: see `corated.evaluation.metrics.RatingErrors`
    """

    mean: float | None
    per_user: Floats | None
    users: int
    skipped: int


@dataclass(frozen=True)
class Asked:
    """A metric at a number of places; ``str`` is its shorthand."""

    metric: Metric
    n: int

    def __str__(self) -> str:
        return f"{self.metric.name}@{self.n}" if self.metric.cut else self.metric.name

    def of(self, case: Case) -> Value:
        """Return its value; raises `ParameterError` where the case lacks what it needs."""
        for need in self.metric.needs:
            there = case.rankings.candidates if need == "candidates" else getattr(case, need)
            if there is None:
                raise ParameterError(f"{self} needs {_NEEDS[need]}.", hint=f"give it, or leave {self} out")
        found = self.metric.function(case, self.n)
        if isinstance(found, np.ndarray):
            mean = metrics.averaged(found)
            return Value(mean.mean, found, mean.users, mean.skipped)
        if self.metric.needs == ("errors",):
            return Value(found, None, 0, 0)
        return Value(None if found is None or np.isnan(found) else found, None, case.rankings.rows, 0)


_NEEDS: Final[dict[str, str]] = {
    "candidates": "the number of items that could be listed for each user",
    "genres": "a catalog with genres",
    "baseline": "popularity's lists for the same users",
    "errors": "predicted ratings",
}


def _of_match(function: Callable[..., Floats], **options: Any) -> Callable[[Case, int], Floats]:
    return lambda case, n: function(case.match, n, **options)


def _serendipity(case: Case, n: int) -> Floats:
    assert case.baseline is not None
    return beyond.serendipity(case.match, case.baseline, n)


def _diversity(case: Case, n: int) -> Floats:
    assert case.genres is not None
    return beyond.intra_list_diversity(case.rankings.cut(n), case.genres)


def _error(name: str, case: Case, n: int) -> float | None:  # noqa: ARG001 - there are no places
    found: float | None = getattr(case.errors, name)
    return found


def _made() -> dict[str, Metric]:
    made = [
        Metric("precision", _of_match(metrics.precision), "larger"),
        Metric("recall", _of_match(metrics.recall), "larger"),
        Metric("recall_capped", _of_match(metrics.recall_capped), "larger"),
        Metric("hit_rate", _of_match(metrics.hit_rate), "larger"),
        Metric("mrr", _of_match(metrics.mrr), "larger"),
        Metric("map", _of_match(metrics.map_full), "larger"),
        Metric("map_capped", _of_match(metrics.map_capped), "larger"),
    ]
    for ideal in ("cut", "all"):
        for gain in metrics.GAINS:
            name = "ndcg" + ("_all" if ideal == "all" else "") + ("" if gain == "binary" else f"_{gain}")
            made.append(Metric(name, _of_match(metrics.ndcg, gain=gain, ideal=ideal), "larger"))
    made += [
        Metric("auc", lambda case, _: metrics.auc(case.match), "larger", ("candidates",), cut=False),
        Metric("rmse", partial(_error, "rmse"), "smaller", ("errors",), cut=False),
        Metric("mae", partial(_error, "mae"), "smaller", ("errors",), cut=False),
        Metric(
            "catalog_coverage",
            lambda case, n: beyond.catalog_coverage(case.rankings.cut(n), case.train.n_items),
            "larger",
        ),
        Metric("user_coverage", lambda case, n: beyond.user_coverage(case.rankings.cut(n)), "larger"),
        Metric("novelty", lambda case, n: beyond.novelty(case.rankings.cut(n), case.train), "neither"),
        Metric(
            "popularity_lift",
            lambda case, n: beyond.popularity_lift(case.rankings.cut(n), case.train, case.users),
            "neither",
        ),
        Metric("gini", lambda case, n: beyond.gini(case.rankings.cut(n), case.train.n_items), "smaller"),
        Metric("diversity", _diversity, "neither", ("genres",)),
        Metric("serendipity", _serendipity, "larger", ("baseline",)),
        Metric("personalization", lambda case, n: beyond.personalization(case.rankings.cut(n), n), "neither"),
    ]
    return {metric.name: metric for metric in made}


METRICS: Final = _made()


def get_metric(given: str | Asked) -> Asked:
    """Return a metric by its shorthand, such as "ndcg@10", "auc" or "rmse".

    Raises `ParameterError` for an unknown name, with the nearest one, for a missing number of places, and for
    one where there is none.
    """
    if isinstance(given, Asked):
        return given
    parts = re.fullmatch(r"([a-z_]+)(?:@([1-9][0-9]{0,8}))?", given) if isinstance(given, str) else None
    if parts is None or parts[1] not in METRICS:
        name = str(given).partition("@")[0]
        near = difflib.get_close_matches(name, METRICS, n=1)
        raise ParameterError(
            f"There is no metric {given!r}.",
            expected=f"a name, and for lists the number of places, such as ndcg@10: {', '.join(METRICS)}",
            hint=f"did you mean {near[0]}?" if near and near[0] != name else "try ndcg@10",
        )
    metric, n = METRICS[parts[1]], parts[2]
    if metric.cut and n is None:
        raise ParameterError(
            f"{metric.name} is of the first places of lists, and their number is missing.",
            expected=f"{metric.name}@n",
            hint=f"try {metric.name}@10",
        )
    if not metric.cut and n is not None:
        raise ParameterError(
            f"{metric.name} is not of the first places of lists.",
            expected=metric.name,
            hint=f"leave @{n} out",
        )
    return Asked(metric, int(n or 0))


def get_metrics(given: str | Asked | Iterable[str | Asked]) -> list[Asked]:
    """Return metrics by their shorthands, each once, in the order given; errors as for `get_metric`."""
    asked = [get_metric(one) for one in ([given] if isinstance(given, str | Asked) else given)]
    return list({str(one): one for one in asked}.values())
