"""Several models on the same ratings, in one run: who does better, how surely, by how much, at what price."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from corated.errors import ParameterError
from corated.evaluation._words import asked_name, model_notes, shown, without_errors
from corated.evaluation.inference import Paired, check_seed, holm, paired
from corated.evaluation.judging import ERRORS, Judged, Question, asked_metrics
from corated.evaluation.outcomes import Outcomes, check_model, outcomes, per_user_table, strata_table
from corated.evaluation.split import Split
from corated.evaluation.split_rules import SplitRule, splits_of
from corated.evaluation.splits import Folds
from corated.evaluation.table import Asked, get_metric
from corated.models.base import Recommender
from corated.models.popularity import Popularity
from corated.models.rules import Like, check_like
from corated.neighborhood.run import Run, resolve_threads
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.catalog import Catalog
from corated.ratings.ratings import Ratings
from corated.tables import Table

__all__ = ["Comparison", "compare"]

POPULARITY: Final = "popularity"
RECENT: Final = "popularity, half-life 7 days"


def compare(
    models: Mapping[str, Recommender],
    ratings: Ratings | Split | Folds | Iterable[Split],
    *,
    split: SplitRule = None,
    metrics: str | Asked | Iterable[str | Asked] | None = None,
    metric: str | Asked | None = None,
    reference: str | None = None,
    like: Like = None,
    known_only: bool = False,
    catalog: Catalog | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Comparison:
    """Judge several models on the same split and tell how sure the differences are.

    models : by the names that the result calls them; they stay as they are
    metric : what they are compared by, which must have a value for each user; None for the first such of
        ``metrics``
    reference : the name of the model that all others are compared with; None for the baseline that does best
    seed : of the bootstrap
    ratings, split, metrics, like, known_only, catalog, threads, progress, cancel : see
        `corated.evaluation.evaluate`

    Two baselines are always there: "popularity", of all time, and, where ratings have times, "popularity,
    half-life 7 days". Models are fitted one after another, and one is in memory at a time. Say which metric
    decides before you look: p-values are corrected for the number of models, not of metrics looked at.

    Raises what `corated.evaluation.evaluate` does, and `ParameterError` for names that cannot be used.
    """
    named = _named(models)
    asked = asked_metrics(metrics, catalog)
    by, seed = _compared_by(metric, asked), check_seed(seed)
    if metric is not None and str(by) not in [str(one) for one in asked]:
        asked = (by, *asked)
    splits = splits_of(ratings, split, known_only=known_only)
    baselines: dict[str, Recommender] = {POPULARITY: Popularity(like=check_like(like))}
    if splits[0].train.times is not None:
        baselines[RECENT] = Popularity(like=like, half_life=7.0)
    if reference is not None:
        _known_name(reference, [*baselines, *named])
    with reporting(progress, "compare") as report:
        run = Run(resolve_threads(threads), report, check_cancel(cancel))
        found = outcomes({**baselines, **named}, splits, Question(asked, like, catalog), run)
    if metrics is None and not any(one.errors for one in found.judged.values()):
        found.judged.update({name: without_errors(one) for name, one in found.judged.items()})
    said = {name: repr(model) for name, model in {**baselines, **named}.items()}
    return Comparison(found, said, frozenset(baselines), by=by, reference=reference, seed=seed)


class Comparison(Table):
    """Models and metrics: a row for each of both, in the order in which they were given, baselines first.

    Columns: model, baseline, metric, value, users; difference, low, high, p, p_holm, effect, for the metric
    that they are compared by, of all models but the reference; fit_seconds, answer_seconds, memory_bytes.

    ``difference`` is the mean, over users for whom both have a value, of the model's value less the
    reference's; ``low`` and ``high`` its 95 % interval, by bootstrap over users; ``p`` of the paired t-test,
    ``p_holm`` corrected for the number of models; ``effect`` Cohen's d of the pairs. See
    `corated.evaluation.inference.paired` for formulas and sources.

    Attributes
    ----------
    metric, reference : what the models are compared by, and with
    models : what each name stands for, as text;  baselines : the names that were added
    split, facts : the split, as text;  notes : what to mind about it and the models
    """

    def __init__(
        self,
        found: Outcomes,
        models: dict[str, str],
        baselines: frozenset[str],
        *,
        by: Asked,
        reference: str | None,
        seed: int,
    ) -> None:
        self.split, self.facts, self.models, self.baselines = found.name, found.facts, models, baselines
        self.metric = str(by)
        self._judged, self._users, self._seed, self._better = (
            found.judged,
            found.users,
            seed,
            by.metric.better,
        )
        self.reference = reference if reference is not None else self._best_of(sorted(baselines))
        notes = [note for name, one in found.judged.items() for note in self._notes_of(name, one)]
        self.notes: tuple[str, ...] = (*found.notes, *notes)
        super().__init__(self._rows())

    def _notes_of(self, name: str, judged: Judged) -> list[str]:
        return [] if name in self.baselines else model_notes(shown(name), judged, len(self._users))

    def value(self, model: str, metric: str | Asked | None = None) -> float | None:
        """Return a model's value of a metric, None where it is undefined; raises `ParameterError`."""
        judged = self._judged[_known_name(model, list(self._judged))]
        found = judged.values[self.metric if metric is None else asked_name(metric, judged)]
        return None if found is None else found.mean

    def ranked(self) -> list[str]:
        """Return the names of the models, the best by ``metric`` first; equals in the order given."""

        def key(name: str) -> tuple[bool, float]:
            value = self.value(name)
            return value is None, 0.0 if value is None else -self._sign * value

        return sorted(self._judged, key=key)

    @property
    def _sign(self) -> float:
        return -1.0 if self._better == "smaller" else 1.0

    def _best_of(self, names: list[str]) -> str:
        found = {name: self.value(name) for name in names}
        return max(
            names, key=lambda name: -np.inf if found[name] is None else self._sign * (found[name] or 0.0)
        )

    def against(self, reference: str | None = None, metric: str | Asked | None = None) -> Table:
        """Return the comparison with another model, or by another metric with a value for each user.

        Columns model, metric, reference, value, users, difference, low, high, p, p_holm, effect; a row for
        each model but the reference. Raises `ParameterError`.
        """
        name = self.metric if metric is None else asked_name(metric, self._judged[self.reference])
        beside = self.reference if reference is None else _known_name(reference, list(self._judged))
        found = self._compared(name, beside)
        return Table(
            pa.table(
                {
                    "model": pa.array(list(found), pa.string()),
                    "metric": pa.array([name] * len(found), pa.string()),
                    "reference": pa.array([beside] * len(found), pa.string()),
                    "value": pa.array([self.value(model, name) for model in found], pa.float64()),
                    "users": pa.array([one.users for one, _ in found.values()], pa.int64()),
                    **_inference(list(found.values())),
                }
            )
        )

    def _compared(self, metric: str, reference: str) -> dict[str, tuple[Paired, float | None]]:
        """Return each model beside the reference, and its corrected p."""
        values = {}
        for name, judged in self._judged.items():
            found = judged.values[metric]
            if found is None or found.per_user is None:
                raise _not_by_user(metric)
            values[name] = found.per_user
        beside = values.pop(reference)
        if not values:
            return {}
        made = paired(np.column_stack(list(values.values())), beside, seed=self._seed)
        return dict(zip(values, zip(made, holm([one.p for one in made]), strict=True), strict=True))

    def _rows(self) -> pa.Table:
        compared = self._compared(self.metric, self.reference)
        rows = [(name, metric) for name, one in self._judged.items() for metric in one.values]
        nothing: tuple[Paired, float | None] = (Paired(None, None, None, None, None, 0), None)
        beside = [compared.get(name, nothing) if metric == self.metric else nothing for name, metric in rows]
        found = [self._judged[name].values[metric] for name, metric in rows]
        costs = [self._judged[name].cost for name, _ in rows]
        return pa.table(
            {
                "model": pa.array([name for name, _ in rows], pa.string()),
                "baseline": pa.array([name in self.baselines for name, _ in rows], pa.bool_()),
                "metric": pa.array([metric for _, metric in rows], pa.string()),
                "value": pa.array([one and one.mean for one in found], pa.float64()),
                "users": pa.array([one.users if one else 0 for one in found], pa.int64()),
                **_inference(beside),
                "fit_seconds": pa.array([cost.fit for cost in costs], pa.float64()),
                "answer_seconds": pa.array([cost.answer for cost in costs], pa.float64()),
                "memory_bytes": pa.array([cost.memory for cost in costs], pa.int64()),
            }
        )

    @cached_property
    def per_user(self) -> Table:
        """model, user_id and a column for each metric with values by user: a row for each model and user."""
        return Table(_stacked({name: per_user_table(one, self._users) for name, one in self._judged.items()}))

    @cached_property
    def strata(self) -> Table:
        """Columns model, side, stratum, size, metric, value, users: see `corated.evaluation.strata`."""
        return Table(_stacked({name: strata_table(one) for name, one in self._judged.items()}))

    @property
    def metrics(self) -> list[str]:
        """The metrics, in the order asked."""
        return list(next(iter(self._judged.values())).values)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the values by user, as numbers and text that JSON can carry."""
        return {
            "split": self.split,
            "facts": self.facts,
            "metric": self.metric,
            "reference": self.reference,
            "models": self.models,
            "rows": self.to_pylist(),
            "strata": self.strata.to_pylist(),
            "predictions_by_status": {
                name: one.errors.by_status for name, one in self._judged.items() if one.errors is not None
            },
            "notes": list(self.notes),
        }

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the comparison as one page that needs nothing else: tables and charts, for any screen.

        What stood there before is unharmed until the page is whole. Raises `OutputError`.
        """
        from corated.evaluation.report import page
        from corated.output import atomic_path

        text = page(self)
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def __str__(self) -> str:
        from corated.evaluation.report import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from corated.evaluation.report import fragment

        return fragment(self)


def _inference(found: list[tuple[Paired, float | None]]) -> dict[str, pa.Array]:
    columns = {
        name: pa.array([getattr(one, name) for one, _ in found], pa.float64())
        for name in ("difference", "low", "high", "p")
    }
    columns["p_holm"] = pa.array([corrected for _, corrected in found], pa.float64())
    columns["effect"] = pa.array([one.effect for one, _ in found], pa.float64())
    return columns


def _stacked(tables: dict[str, pa.Table]) -> pa.Table:
    """Return tables one after another, with the model in a column of its own in front."""
    parts = [
        table.add_column(0, "model", pa.array([name] * table.num_rows, pa.string()))
        for name, table in tables.items()
    ]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def _named(models: Any) -> dict[str, Recommender]:
    if not isinstance(models, Mapping) or not models:
        raise ParameterError(
            f"{type(models).__name__} object names no models." if models else "There are no models.",
            expected="a dict of one model or more, by name",
            hint='for example {"near": UserKNN(), "walk": RP3Beta()}',
        )
    for name, model in models.items():
        if not isinstance(name, str) or not name.strip():
            raise ParameterError(f"{name!r} is no name of a model.", hint="give each model a name, as text")
        if name in (POPULARITY, RECENT):
            raise ParameterError(
                f'"{name}" is the name of a baseline, which is always there.', hint="choose another name"
            )
        check_model(model)
    return dict(models)


def _compared_by(metric: str | Asked | None, asked: tuple[Asked, ...]) -> Asked:
    """Return the metric that decides: it must have a value for each user."""
    if metric is not None:
        one = get_metric(metric)
        if not has_users(one):
            raise _not_by_user(str(one))
        return one
    for one in asked:
        if has_users(one):
            return one
    raise _not_by_user(str(asked[0]))


_OF_ALL: Final = (*ERRORS, "catalog_coverage", "user_coverage", "gini", "personalization")
"""Metrics with one value for all users together."""


def has_users(metric: Asked) -> bool:
    """Tell whether a metric has a value for each user."""
    return metric.metric.name not in _OF_ALL


def _not_by_user(metric: str) -> ParameterError:
    return ParameterError(
        f"{metric} has one value for all users together, so models cannot be compared by it user by user.",
        expected="a metric with a value for each user, such as ndcg@10",
        hint='say which decides: metric="ndcg@10"',
    )


def _known_name(name: str, known: list[str]) -> str:
    if name in known:
        return name
    raise ParameterError(
        f"There is no model {name!r}.", expected=f"one of {', '.join(known)}", hint="check the spelling"
    )
