"""Ratings that come in: each is looked at alone, so that each can be told what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from corated.errors import CoratedError
from corated.live._records import Change
from corated.live._shape import Shape, check_changes
from corated.models.rules import instant
from corated.ratings.ids import Id
from corated.serve.problems import Problem, problem_of
from corated.serve.service import Service

__all__ = ["Row", "check_row", "write_one", "write_rows"]


class Row(NamedTuple):
    """A rating to write, as it came; None for the rating takes it out."""

    user: Id
    item: Id
    rating: float | None
    time: int | str | None = None


def check_row(row: Row, shape: Shape, field: str) -> tuple[Change, Shape]:
    """Return a row as the store takes it, and what is fixed with it; raises `Problem` of a field."""
    for name, id in (("user", row.user), ("item", row.item)):
        if id == "":
            raise Problem(422, "id", f"The {name} id is empty.", field=f"{field}/{name}", hint="give an id")
    change = Change(row.user, row.item, row.rating, _instant(row.time, f"{field}/time"))
    try:
        _, fixed = check_changes([change], shape, widen=False, now=0)
    except CoratedError as error:
        problem = problem_of(error)
        if problem.rows:  # what is wrong with the one row, without its number among one
            problem.detail = f"{problem.rows[0].partition(' (from 0): ')[2]}."
        problem.field, problem.rows, problem.hint = field, (), "correct it"
        raise problem from error
    return change, fixed


def _instant(time: int | str | None, field: str) -> int | None:
    if not isinstance(time, str):
        return time
    try:
        return instant(time)
    except CoratedError as error:
        raise Problem(
            422,
            "parameter",
            f"{time[:60]!r} is no time.",
            expected="ISO 8601, such as 2026-01-31T12:00+01:00, or microseconds since 1970",
            field=field,
            hint="leave it out for now",
        ) from error


class _Room:
    """How many ratings users have, with those that are on their way."""

    def __init__(self, service: Service) -> None:
        self._index, self._most = service.index_or_none(), service.settings.max_user_ratings
        self._new: dict[Id, set[Id]] = {}

    def check(self, row: Row, field: str) -> None:
        """Count a row; raises `Problem` for one rating more than a user may have."""
        if row.rating is None:
            return
        new = self._new.setdefault(row.user, set())
        there = (0 if self._index is None else self._index.n_rated(row.user)) + len(new)
        if there >= self._most and row.item not in new and not self._has(row):
            raise Problem(
                422, "too_many_ratings", f"This user has {there:,} ratings.", field=f"{field}/user",
                expected=f"at most {self._most:,}",
                hint="take some out first, or have whoever runs the service raise max_user_ratings",
            )  # fmt: skip
        new.add(row.item)

    def _has(self, row: Row) -> bool:
        return self._index is not None and row.item in self._index.profile(row.user)


def write_one(service: Service, row: Row, key: str | None) -> int:
    """Write a rating; returns the position from which it counts."""
    change, _ = check_row(row, service.embedded.store.head().shape, "body")
    _Room(service).check(row, "body")
    position = service.embedded.write([change], key=key)
    service.metrics.written.inc()
    return position


def write_rows(service: Service, rows: Sequence[Row], key: str | None) -> dict[str, Any]:
    """Write all ratings that can be, together; returns the position, and what became of each row."""
    shape, room = service.embedded.store.head().shape, _Room(service)
    good: list[Change] = []
    results: list[dict[str, Any]] = []
    for at, row in enumerate(rows):
        try:
            change, shape = check_row(row, shape, f"body/ratings/{at}")
            room.check(row, f"body/ratings/{at}")
        except Problem as problem:
            results.append({"row": at, "status": "refused", "problem": problem.to_dict()})
        else:
            good.append(change)
            results.append({"row": at, "status": "removed" if row.rating is None else "written"})
    position = service.embedded.write(good, key=key) if good else service.embedded.position
    service.metrics.written.inc(len(good))
    refused = len(rows) - len(good)
    return {"position": position, "written": len(good), "refused": refused, "results": results}
