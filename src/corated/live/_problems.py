"""Whether a store is whole: its database, its rows, and its log against its ratings."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from corated.errors import StoreError
from corated.live._database import Database
from corated.live._head import Head, read_head
from corated.live._schema import CATALOG, KEYS, LOG, RATINGS
from corated.live._shape import stored_id

__all__ = ["problems_of"]

_SHOWN = 5


def problems_of(database: Database) -> list[str]:
    """Return what is wrong, one sentence each; nothing where all is well."""
    try:
        found = database.problems()
        with database.reading(snapshot=True) as cursor:
            head = read_head(database, cursor)
            found += _of_ratings(database, cursor, head)
            found += _of_log(database, cursor, head)
    except StoreError as error:
        return [error.what]
    return found


def _ask(database: Database, cursor: Any, statement: Any) -> list[Any]:
    """Run a statement with its values written out, and return the first column."""
    text = statement.compile(dialect=database.engine.dialect, compile_kwargs={"literal_binds": True})
    cursor.execute(str(text))
    return [row[0] for row in cursor.fetchall()]


def _count(database: Database, cursor: Any, table: sa.FromClause, *conditions: Any) -> int:
    counted = sa.select(sa.func.count()).select_from(table).where(*conditions)
    return int(_ask(database, cursor, counted)[0])


def _of_ratings(database: Database, cursor: Any, head: Head) -> list[str]:
    """Compare the rows with what is fixed about the store."""
    shape, found = head.shape, []
    levels = _ask(database, cursor, sa.select(RATINGS.c.rating).distinct())
    known = set() if shape.scale is None else set(shape.scale.ratings.tolist())
    off = sorted(repr(level) for level in levels if level not in known)
    if off:
        found.append(f"ratings are off the scale {shape.scale}: {', '.join(off[:_SHOWN])}")
    if levels and None in (shape.user_ids, shape.item_ids, shape.timed):
        found.append("there are ratings, but the types of their ids are not fixed")
    odd_times = RATINGS.c.time.is_(None) if shape.timed else RATINGS.c.time.is_not(None)
    if count := _count(database, cursor, RATINGS, odd_times):
        found.append(f"{count:,} ratings {'lack a time' if shape.timed else 'have a time'}")
    for table, column, kind in (
        (RATINGS, "user_id", shape.user_ids),
        (RATINGS, "item_id", shape.item_ids),
        (LOG, "user_id", shape.user_ids),
        (LOG, "item_id", shape.item_ids),
        (CATALOG, "item_id", shape.item_ids),
    ):
        if kind == "integer":
            ids = _ask(database, cursor, sa.select(table.c[column]).distinct())
            if wrong := [id for id in ids if not _is_integer(id)]:
                found.append(f"{table.name}.{column} has what is no integer: {wrong[0]!r}")
    return found


def _is_integer(text: Any) -> bool:
    try:
        return bool(str(stored_id(text, "integer")) == text)
    except (ValueError, TypeError):
        return False


def _of_log(database: Database, cursor: Any, head: Head) -> list[str]:
    """Compare the log with its marks, and the last change of each rating in it with the rating."""
    found = []
    if not 0 <= head.readable <= head.position:
        found.append(f"the log begins at {head.readable} and ends at {head.position}")
    if count := _count(database, cursor, LOG, LOG.c.position > head.position):
        found.append(f"{count:,} changes stand after the last position {head.position}")
    recent = sa.and_(LOG.c.position > head.readable, LOG.c.position <= head.position)
    if (count := _count(database, cursor, LOG, recent)) != head.position - head.readable:
        found.append(f"the log has {count:,} changes from {head.readable} to {head.position}")
    last = sa.select(sa.func.max(LOG.c.position)).where(recent).group_by(LOG.c.user_id, LOG.c.item_id)
    here = sa.and_(RATINGS.c.user_id == LOG.c.user_id, RATINGS.c.item_id == LOG.c.item_id)
    differs = sa.or_(
        LOG.c.rating.is_distinct_from(RATINGS.c.rating), LOG.c.time.is_distinct_from(RATINGS.c.time)
    )
    joined = LOG.outerjoin(RATINGS, here)
    if count := _count(database, cursor, joined, LOG.c.position.in_(last), differs):
        found.append(f"{count:,} ratings are not what the log wrote last")
    if count := _count(database, cursor, KEYS, KEYS.c.position > head.position):
        found.append(f"{count:,} idempotency keys stand for changes after the last position")
    return found
