"""Several models over one split or several, one fit in memory at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import ParameterError
from corated.evaluation.judging import Cost, Judged, Question, Stage, Stratum
from corated.evaluation.metrics import RatingErrors, averaged
from corated.evaluation.split import Split
from corated.evaluation.table import Value
from corated.models.base import Recommender
from corated.neighborhood.run import Run
from corated.ratings.ids import IdMap

__all__ = ["Outcomes", "check_model", "outcomes", "per_user_table", "strata_table"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """What came out for each model.

    name : how the split was made;  facts : sizes of the split in a sentence
    users : the users that values by user belong to;  judged : by the name of the model
    notes : what to mind about the split, as sentences
    """

    name: str
    facts: str
    users: IdMap
    judged: dict[str, Judged]
    notes: list[str]


def outcomes(
    models: Mapping[str, Recommender], splits: Sequence[Split], question: Question, run: Run
) -> Outcomes:
    """Judge every model on every split: splits one after another, models one after another on each.

    Over several splits a value by user is the mean of the user's values, those by split are means over
    splits, and seconds add up.
    """
    total = 1000 * len(splits) * len(models)
    found: dict[str, list[Judged]] = {name: [] for name in models}
    users: list[IdMap] = []
    seen = _Seen()
    for at, split in enumerate(splits):
        stage = Stage(split, question, run)
        for number, (name, model) in enumerate(models.items()):
            before = 1000 * (at * len(models) + number)
            found[name].append(stage.judge(model, run.within(before, total).progress))
        users.append(split.test.users)
        seen.add(split, stage)
        del stage
    run.progress(total, total)
    everyone = users[0] if len(users) == 1 else _union(users)
    judged = {name: _pooled(parts, users, everyone) for name, parts in found.items()}
    return Outcomes(seen.name, seen.facts(len(everyone)), everyone, judged, seen.notes())


def check_model(model: Any) -> Recommender:
    """Return a recommender; raises `ParameterError` for anything else."""
    if isinstance(model, Recommender):
        return model
    raise ParameterError(
        f"{type(model).__name__} object is no model.",
        expected='a recommender, such as UserKNN() or preset("best")',
        hint="give the model itself, fitted or not" if not isinstance(model, type) else "call the class",
    )


def per_user_table(outcome: Judged, users: IdMap) -> pa.Table:
    """Return user_id and a column for each metric that has values by user, null for those without one."""
    columns: dict[str, Any] = {"user_id": users.ids}
    for metric, value in outcome.values.items():
        if value is not None and value.per_user is not None:
            columns[metric] = pa.array(value.per_user, mask=np.isnan(value.per_user))
    return pa.table(columns)


def strata_table(outcome: Judged) -> pa.Table:
    """Return side, stratum, size, metric, value, users: a row for each stratum and metric."""
    rows = outcome.strata
    return pa.table(
        {
            "side": pa.array([row.side for row in rows], pa.string()),
            "stratum": pa.array([row.name for row in rows], pa.string()),
            "size": pa.array([row.size for row in rows], pa.int64()),
            "metric": pa.array([row.metric for row in rows], pa.string()),
            "value": pa.array([row.total / row.users if row.users else None for row in rows], pa.float64()),
            "users": pa.array([row.users for row in rows], pa.int64()),
        }
    )


class _Seen:
    """What is told of the splits, gathered so that none need be kept."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._leaks: list[str] = []
        self._counts = np.zeros(8, dtype=np.int64)

    def add(self, split: Split, stage: Stage) -> None:
        self._names.append(split.name)
        if split.leaks:
            self._leaks.append(split.leaks)
        self._counts += [
            split.train.n_ratings, split.test.n_ratings, split.test.n_users, split.new_users,
            split.test.n_items, split.new_items, split.left_out, int((stage.relevance.counts == 0).sum()),
        ]  # fmt: skip

    @property
    def name(self) -> str:
        """One name for all."""
        if len(self._names) == 1:
            return self._names[0]
        first, comma, _ = self._names[0].rpartition(", fold ")
        return first if comma else f"{len(self._names)} splits"

    def facts(self, users: int) -> str:
        """Return sizes, in a sentence."""
        train, test, _, _, items, *_ = self._counts.tolist()
        folds = len(self._names)
        over = f", over {folds:,} folds" if folds > 1 else ""
        return (
            f"{train:,} ratings for training, {test:,} for the test, of {users:,} users and "
            f"{items:,} items{over}"
        )

    def notes(self) -> list[str]:
        """Return what to mind, as sentences."""
        _, test, users, new_users, items, new_items, left_out, skipped = self._counts.tolist()
        folds = len(self._names)
        over = " (over all folds)" if folds > 1 else ""
        notes = []
        if self._leaks:
            notes.append(
                self._leaks[0] if folds == 1 else f"In the first of {folds:,} folds, {self._leaks[0]}"
            )
        if left_out:
            notes.append(
                f"{left_out:,} of {test + left_out:,} test ratings are of users or items that training does "
                f"not have, and were left out{over}."
            )
        if new_users:
            notes.append(
                f"{new_users:,} of {users:,} test users are not in training; every model's list for them is "
                f"what is popular{over}."
            )
        if new_items:
            notes.append(
                f"{new_items:,} of {items:,} test items are not in training; nobody can list them, and they "
                f"count as missed{over}."
            )
        if skipped:
            notes.append(
                f"{skipped:,} of {users:,} test users like nothing in the test; metrics of accuracy skip "
                f"them{over}."
            )
        return notes


def _union(users: list[IdMap]) -> IdMap:
    return IdMap.from_ids(pa.concat_arrays([one.ids for one in users]), users[0].what)


def _pooled(parts: list[Judged], users: list[IdMap], everyone: IdMap) -> Judged:
    """Return one outcome of those of several splits."""
    if len(parts) == 1:
        return parts[0]
    rows = [everyone.codes(one.ids) for one in users]
    values = {
        name: _mean_value([part.values[name] for part in parts], rows, len(everyone))
        for name in parts[0].values
    }
    memory = [part.cost.memory for part in parts if part.cost.memory is not None]
    cost = Cost(
        sum(part.cost.fit for part in parts),
        sum(part.cost.answer for part in parts),
        max(memory) if memory else None,
    )
    strata = [_added([part.strata for part in parts], at) for at in range(len(parts[0].strata))]
    return Judged(values, _mean_errors(parts), strata, cost, sum(part.short for part in parts))


def _mean_value(parts: list[Value | None], rows: list[npt.NDArray[np.int64]], n: int) -> Value | None:
    there = [part for part in parts if part is not None]
    if len(there) < len(parts):
        return None
    by_user = [part.per_user for part in there if part.per_user is not None]
    if len(by_user) < len(parts):
        means = [part.mean for part in there if part.mean is not None]
        mean = sum(means) / len(means) if means else None
        return Value(mean, None, sum(part.users for part in there), sum(part.skipped for part in there))
    total, counts = np.zeros(n), np.zeros(n)
    for where, values in zip(rows, by_user, strict=True):
        has = ~np.isnan(values)
        total[where[has]] += values[has]
        counts[where[has]] += 1.0
    per_user: Floats = np.divide(total, counts, out=np.full(n, np.nan), where=counts > 0.0)
    found = averaged(per_user)
    return Value(found.mean, per_user, found.users, found.skipped)


def _mean_errors(parts: list[Judged]) -> RatingErrors | None:
    there = [part.errors for part in parts if part.errors is not None]
    if len(there) < len(parts):
        return None
    rmse = [one.rmse for one in there if one.rmse is not None]
    mae = [one.mae for one in there if one.mae is not None]
    return RatingErrors(
        sum(rmse) / len(rmse) if rmse else None,
        sum(mae) / len(mae) if mae else None,
        sum(one.pairs for one in there),
        sum(one.without for one in there),
        {status: sum(one.by_status[status] for one in there) for status in there[0].by_status},
    )


def _added(parts: list[list[Stratum]], at: int) -> Stratum:
    rows = [part[at] for part in parts]
    return replace(
        rows[0],
        size=sum(row.size for row in rows),
        total=sum(row.total for row in rows),
        users=sum(row.users for row in rows),
    )
