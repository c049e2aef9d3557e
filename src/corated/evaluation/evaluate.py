"""How good is a model: fitted to one part of the ratings, judged by the other."""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from corated.evaluation._words import (
    asked_name,
    megabytes,
    model_notes,
    number,
    seconds,
    shown,
    without_errors,
)
from corated.evaluation.judging import ERRORS, Cost, Question, asked_metrics
from corated.evaluation.metrics import RatingErrors
from corated.evaluation.outcomes import Outcomes, check_model, outcomes, per_user_table, strata_table
from corated.evaluation.split import Split
from corated.evaluation.split_rules import SplitRule, splits_of
from corated.evaluation.splits import Folds
from corated.evaluation.table import Asked
from corated.models.base import Recommender
from corated.models.popularity import Popularity
from corated.models.rules import Like, check_like
from corated.neighborhood.run import Run, resolve_threads
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.catalog import Catalog
from corated.ratings.ratings import Ratings
from corated.tables import Table

__all__ = ["Evaluation", "evaluate"]

_MODEL: Final = "the model"
POPULARITY: Final = "popularity"


def evaluate(
    model: Recommender,
    ratings: Ratings | Split | Folds | Iterable[Split],
    *,
    split: SplitRule = None,
    metrics: str | Asked | Iterable[str | Asked] | None = None,
    like: Like = None,
    known_only: bool = False,
    catalog: Catalog | None = None,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Evaluation:
    """Fit a model to one part of the ratings and judge what it tells the users of the other.

    model : fitted or not, it stays as it is
    ratings : ratings, which are split; or a split, or folds, made beforehand
    split : how to split ratings: see `corated.evaluation.split_rules.SplitRule`; None for ``"time:0.8"``: the
        past to learn from, the future to be judged by
    metrics : shorthands, such as ``["ndcg@10", "rmse"]``; None for the usual ones
    like : what is relevant: see `corated.evaluation.relevance_of`
    known_only : whether users and items that only the test has are left out of it; else such users get what
        is popular, and such items count as missed
    catalog : for ``diversity``, which goes by genres
    progress : counts thousandths of a model's work on a split

    All test users are answered, with as many items as the metrics read, less what they have rated in
    training. What popularity comes to on the same split is there beside, since a model that does no better
    has learned nothing. Errors of predicted ratings are there for models that predict them.

    Raises `ParameterError`, `DataError` (ratings without times cannot be split by time), what fitting the
    model raises, and `Cancelled`.
    """
    check_model(model)
    asked = asked_metrics(metrics, catalog)
    splits = splits_of(ratings, split, known_only=known_only)
    with reporting(progress, "evaluate") as report:
        run = Run(resolve_threads(threads), report, check_cancel(cancel))
        models = {POPULARITY: Popularity(like=check_like(like)), _MODEL: model}
        found = outcomes(models, splits, Question(asked, like, catalog), run)
    return Evaluation(repr(model), found, default=metrics is None)


class Evaluation(Table):
    """What a model comes to: columns metric, value, users, skipped, popularity; a row for each metric.

    ``users`` have a value and are in the mean, ``skipped`` have none; ``popularity`` is what popularity comes
    to. Errors of predicted ratings go by pairs, which ``errors`` counts.

    Attributes
    ----------
    model, split : what was judged, and on what, as text
    errors : of predicted ratings, with the pairs by status; None for a model that predicts none
    fit_seconds, answer_seconds : to fit, and to answer all test users; kernels are compiled before
    memory_bytes : what both took on top, roughly: see `corated.evaluation.cost.watching`; None where the
        system does not tell
    notes : what to mind: what the split leaks, who is new, who was skipped
    """

    def __init__(self, model: str, found: Outcomes, *, default: bool) -> None:
        self.model, self.split, self.facts = model, found.name, found.facts
        self._judged, self._popular, self._users = found.judged[_MODEL], found.judged[POPULARITY], found.users
        if default and self._judged.errors is None:  # not asked for, and there are none
            self._judged = without_errors(self._judged)
        notes = [*found.notes, *model_notes("The model", self._judged, len(found.users))]
        if self._judged.errors is None and any(name in self._judged.values for name in ERRORS):
            notes.append("The model predicts no ratings, so it has no errors of them.")
        self.notes: tuple[str, ...] = tuple(notes)
        rows = self._judged.values
        super().__init__(
            pa.table(
                {
                    "metric": pa.array(list(rows), pa.string()),
                    "value": pa.array([row and row.mean for row in rows.values()], pa.float64()),
                    "users": pa.array([row.users if row else 0 for row in rows.values()], pa.int64()),
                    "skipped": pa.array([row.skipped if row else 0 for row in rows.values()], pa.int64()),
                    "popularity": pa.array([self._of_popularity(name) for name in rows], pa.float64()),
                }
            )
        )

    def _of_popularity(self, name: str) -> float | None:
        found = self._popular.values[name]
        return None if found is None else found.mean

    def value(self, metric: str | Asked) -> float | None:
        """Return a metric's value, None where it is undefined; raises `ParameterError` if not asked."""
        found = self._judged.values[asked_name(metric, self._judged)]
        return None if found is None else found.mean

    @cached_property
    def per_user(self) -> Table:
        """user_id and a column for each metric that has values by user: those whose mean is the value."""
        return Table(per_user_table(self._judged, self._users))

    @cached_property
    def strata(self) -> Table:
        """Columns side, stratum, size, metric, value, users: see `corated.evaluation.strata`.

        Strata of users part the mean; in those of items only items of the stratum are relevant.
        """
        return Table(strata_table(self._judged))

    @property
    def errors(self) -> RatingErrors | None:
        """Errors of predicted ratings, and where the predictions came from."""
        return self._judged.errors

    @property
    def _cost(self) -> Cost:
        return self._judged.cost

    @property
    def fit_seconds(self) -> float:
        """Seconds to fit."""
        return self._cost.fit

    @property
    def answer_seconds(self) -> float:
        """Seconds to answer all test users."""
        return self._cost.answer

    @property
    def memory_bytes(self) -> int | None:
        """Memory that both took on top, roughly."""
        return self._cost.memory

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the values by user, as numbers and text that JSON can carry."""
        errors = self.errors
        return {
            "model": self.model,
            "split": self.split,
            "metrics": self.to_pylist(),
            "strata": self.strata.to_pylist(),
            "predictions_by_status": None if errors is None else errors.by_status,
            "fit_seconds": round(self.fit_seconds, 4),
            "answer_seconds": round(self.answer_seconds, 4),
            "memory_bytes": self.memory_bytes,
            "notes": list(self.notes),
        }

    def _cells(self) -> list[list[str]]:
        return [
            [
                row["metric"],
                number(row["value"]),
                number(row["popularity"]),
                f"{row['users']:,}" if row["users"] else "–",
            ]
            for row in self.to_pylist()
        ]

    def _took(self) -> str:
        return (
            f"Fitted in {seconds(self.fit_seconds)}, all test users answered in "
            f"{seconds(self.answer_seconds)}, memory {megabytes(self.memory_bytes)} on top."
        )

    def __str__(self) -> str:
        cells = [["metric", "value", "popularity", "users"], *self._cells()]
        widths = [max(len(row[at]) for row in cells) for at in range(4)]
        lines = [shown(self.model), f"{self.split}: {self.facts}", ""]
        for row in cells:
            rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
            lines.append("  ".join([row[0].ljust(widths[0]), *rest]))
        return "\n".join([*lines, "", self._took(), *self.notes])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in ("metric", "value", "popularity", "users"))
        body = "".join(
            f'<tr><th scope="row">{html.escape(row[0])}</th>{"".join(f"<td>{x}</td>" for x in row[1:])}</tr>'
            for row in self._cells()
        )
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in (self._took(), *self.notes))
        return (
            f"<p>{html.escape(shown(self.model))}<br>{html.escape(self.split)}: {html.escape(self.facts)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{notes}</ul>"
        )
