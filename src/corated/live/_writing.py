"""The transactions that change a store. Each takes a driver's cursor, with which it is the only writer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from corated.errors import KeyReusedError, ParameterError
from corated.live._database import Database
from corated.live._head import Head, fix, move
from corated.live._records import Change, Erased, Written
from corated.live._shape import Row, Shape
from corated.ratings.ids import INT64_MAX, MAX_ID_BYTES, quote_id

__all__ = [
    "Batch",
    "Key",
    "answer_of",
    "begin_with",
    "begins_before",
    "check_position",
    "erase_user",
    "key_of",
    "trim_log",
    "write_rows",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Key(NamedTuple):
    """An idempotency key, and what it was given for."""

    name: str
    digest: str


class Batch(NamedTuple):
    """Checked changes, to be written in their order.

    shape : what the store has from now on;  now : microseconds
    """

    rows: Sequence[Row]
    shape: Shape
    now: int
    key: Key | None


def key_of(name: object, changes: Sequence[Change], rows: Sequence[Row]) -> Key:
    """Return the key of changes; raises `ParameterError` for a name that cannot be one."""
    fits = (
        isinstance(name, str)
        and name.isprintable()
        and 0 < len(name.encode("utf-8", "replace")) <= MAX_ID_BYTES
    )
    if not fits:
        raise ParameterError(
            f"key={name!r} cannot be used.",
            expected=f"printable text of at most {MAX_ID_BYTES} bytes",
            hint="give each write a key of its own, such as uuid.uuid4().hex",
        )
    # The time as given: a repetition without one is the same write, though it comes later.
    content = [
        (
            row.user,
            row.item,
            row.rating,
            None if row.rating is None or change.time is None else int(change.time),
        )
        for change, row in zip(changes, rows, strict=True)
    ]
    return Key(str(name), hashlib.sha256(json.dumps(content).encode()).hexdigest())


def answer_of(database: Database, cursor: Any, key: Key) -> Written | None:
    """Return what was answered to a key, None if it is new; `KeyReusedError` if it was for other content."""
    cursor.execute(database.statements.find_key, (key.name,))
    found = cursor.fetchone()
    if found is None:
        return None
    digest, position, applied, before = found
    if digest != key.digest:
        raise KeyReusedError(
            f"The key {quote_id(key.name)} was given with other changes before (position {position}).",
            hint="give each write a key of its own; the same key only repeats the same write",
        )
    return Written(position, applied, before)


def begin_with(database: Database, cursor: Any, head: Head, shape: Shape) -> tuple[int, int]:
    """Keep the shape that the store has from now on; return the position and from where the log is readable.

    A wider scale takes a position of its own, at which those who follow the log read everything anew.
    """
    if shape == head.shape:
        return head.position, head.readable
    fix(database, cursor, shape)
    if head.shape.scale in (None, shape.scale):
        return head.position, head.readable
    position = head.position + 1
    move(database, cursor, position, position)
    return position, position


def write_rows(database: Database, cursor: Any, head: Head, batch: Batch) -> Written:
    """Write ratings and take them out, and log each change."""
    statements, rows = database.statements, batch.rows
    position, readable = begin_with(database, cursor, head, batch.shape)
    last = {(row.user, row.item): row for row in rows}
    applied = _run(cursor, statements.rate, [tuple(row) for row in last.values() if row.rating is not None])
    applied += _run(cursor, statements.take_out, [pair for pair, row in last.items() if row.rating is None])
    logged = [(at, *row, batch.now) for at, row in enumerate(rows, start=position + 1)]
    _run(cursor, statements.log, logged)
    position += len(rows)
    if rows:
        move(database, cursor, position, readable)
    if batch.key is not None:
        cursor.execute(statements.add_key, (*batch.key, head.position, position, applied))
    return Written(position, applied, head.position)


def _run(cursor: Any, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run a statement once for each row; return how many rows of the table it changed."""
    if not rows:
        return 0
    if len(rows) == 1:
        cursor.execute(statement, rows[0])
    else:
        cursor.executemany(statement, rows)
    return max(0, int(cursor.rowcount))


def erase_user(database: Database, cursor: Any, head: Head, user: str) -> Erased:
    """Delete all that names a user; the log begins anew, since it cannot say whom to forget."""
    statements = database.statements
    gone = []
    # Keys before the log, which tells whom they are of.
    for statement in (statements.erase_ratings, statements.erase_keys, statements.erase_log):
        cursor.execute(statement, (user,))
        gone.append(max(0, int(cursor.rowcount)))
    ratings, keys, logged = gone
    position = head.position
    if any(gone):
        position += 1
        move(database, cursor, position, position)
    return Erased(ratings, logged, keys, position, head.position, complete=True)


def trim_log(database: Database, cursor: Any, head: Head, upto: int | datetime) -> int:
    """Delete changes up to a position, or written up to a moment, and their keys; return how many changes."""
    statements = database.statements
    if isinstance(upto, datetime):
        cursor.execute(statements.position_at, (_microseconds(upto),))
        upto = cursor.fetchone()[0] or 0
    upto = min(upto, head.position)
    cursor.execute(statements.trim_log, (upto,))
    trimmed = max(0, int(cursor.rowcount))
    cursor.execute(statements.trim_keys, (upto,))
    if upto > head.readable:
        move(database, cursor, head.position, upto)
    return trimmed


def begins_before(database: Database, cursor: Any, moment: datetime) -> bool:
    """Tell whether the first change in the log was written before a moment."""
    cursor.execute(database.statements.first_written)
    found = cursor.fetchone()
    return found is not None and int(found[0]) < _microseconds(moment)


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ParameterError(
            f"{moment} has no time zone.",
            expected="an aware datetime",
            hint="datetime.now(UTC) - timedelta(days=7)",
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def check_position(name: str, value: object) -> int:
    """Return a position; raises `ParameterError` for what is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT64_MAX:
        return value
    raise ParameterError(
        f"{name}={value!r} is no position.",
        expected="an integer from 0",
        hint="store.position tells the last one",
    )
