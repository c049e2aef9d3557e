"""The one row about a store: what is fixed, and how far its log goes. Writers lock it, so they take turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corated.errors import ParameterError, StoreError
from corated.live._database import Database
from corated.live._shape import Shape
from corated.ratings.scale import Scale

__all__ = ["Head", "damaged", "fix", "move", "read_head", "sound"]


@dataclass(frozen=True)
class Head:
    """The row: see `corated.live._records.StoreInfo`."""

    shape: Shape
    position: int
    readable: int
    catalog_version: int
    identity: str


def read_head(database: Database, cursor: Any, *, lock: bool = False) -> Head:
    """Read the row; with ``lock``, no other writer changes it before this transaction ends."""
    statements = database.statements
    cursor.execute(statements.lock if lock else statements.look)
    rows = cursor.fetchall()
    with sound(database):
        ((low, high, step, user_ids, item_ids, timed, position, readable, *marks),) = rows
        scale = None if low is None else Scale(low, high, step)
        if {user_ids, item_ids} - {None, "integer", "text"}:
            raise ValueError("ids are of no known type")
        shape = Shape(scale, user_ids, item_ids, None if timed is None else bool(timed))
        return Head(shape, int(position), int(readable), int(marks[0]), str(marks[1]))


def fix(database: Database, cursor: Any, shape: Shape) -> None:
    """Keep what is fixed about the store."""
    scale = shape.scale
    levels = (None, None, None) if scale is None else (scale.low, scale.high, scale.step)
    timed = None if shape.timed is None else int(shape.timed)
    cursor.execute(database.statements.fix, (*levels, shape.user_ids, shape.item_ids, timed))


def move(database: Database, cursor: Any, position: int, readable: int) -> None:
    """Keep how far the log goes, and from where it can be followed."""
    cursor.execute(database.statements.move, (position, readable))


@contextmanager
def sound(database: Database) -> Iterator[None]:
    """Take it for damage where what was stored cannot be made sense of inside the block."""
    try:
        yield
    except ParameterError as error:  # of a scale
        raise damaged(database, error.what) from error
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise damaged(database, str(error)) from error


def damaged(database: Database, what: str) -> StoreError:
    """Return the error for rows that no version of this package writes."""
    return StoreError(
        f"The store {database.shown} holds what cannot be read: {what}",
        hint="verify() tells more; put a backup in its place",
    )
