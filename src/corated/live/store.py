"""A durable store of ratings: one contract, kept by an SQLite file or a PostgreSQL database.

    from corated.live.store import Change, open_store

    with open_store("shop.db", scale=(1, 5, 1)) as store:
        store.write([Change("ann", "dune", 5)], key="order-17")
        for position, change in store.changes(after=0):
            ...

What `Store.write` returned is on the disk. Positions count changes in the order in which they became visible:
who has read the log up to one has missed none before it. Ids are of one type on each side, ratings on one
scale, and either all ratings have times or none; that is fixed at creation, or by the first write or import.
"""

from __future__ import annotations

import os
import re
import time as clock
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from corated.errors import CoratedError, LogTrimmedError, ParameterError, StoreError
from corated.live import _catalog, _writing
from corated.live._closing import Closing
from corated.live._copy import copy_rows, copy_to_file
from corated.live._database import Database
from corated.live._export import ExportFormat, export
from corated.live._head import Head, damaged, move, read_head, sound
from corated.live._import import as_ratings, rows_of, shape_with
from corated.live._migrate import to_newest
from corated.live._problems import problems_of
from corated.live._records import Change, Erased, Item, Logged, StoreInfo, Written
from corated.live._schema import RATINGS, REVISION
from corated.live._shape import Row, Shape, agreed, check_changes, check_id, declared, stored_id
from corated.live._snapshot import Snapshot
from corated.live._sqlite import Sqlite
from corated.progress import ProgressOption, reporting
from corated.ratings.catalog import Catalog
from corated.ratings.ids import INT64_MAX, Id, IdKind
from corated.ratings.scale import Scale

__all__ = ["Change", "Erased", "Item", "Logged", "Store", "StoreInfo", "Written", "open_store"]

_POSTGRES = re.compile(r"postgres(ql)?(\+\w+)?://")


def open_store(
    where: str | os.PathLike[str],
    *,
    create: bool = True,
    scale: Scale | tuple[float, float, float] | None = None,
    user_ids: IdKind | None = None,
    item_ids: IdKind | None = None,
    timed: bool | None = None,
    widen: bool = False,
) -> Store:
    """Open a store, or make one.

    where : the path of a file (SQLite), or ``postgresql://user:password@host:port/database``
    create : whether to make the store where there is none
    scale : (low, high, step); None for the one it has, or that of the first import
    user_ids, item_ids : "integer" or "text"; None for what it has, or what comes first
    timed : whether ratings have times; None for what it has, what is imported first, or True
    widen : whether ratings off the scale widen it, rather than being refused

    A store of an older version is brought to this one. Raises `StoreError` for a store that cannot be used or
    differs from what is asked for, `StoreUnavailableError` where its server cannot be reached,
    `ParameterError`, and `MissingExtraError` without the ``serve`` extra.
    """
    wanted = declared(scale, user_ids, item_ids, timed)
    database = _database_at(where, create=create)
    try:
        to_newest(database, create=create)
        return Store(database, wanted, widen=widen)
    except BaseException:
        database.close()
        raise


def _database_at(where: str | os.PathLike[str], *, create: bool) -> Database:
    text = os.fspath(where)
    if _POSTGRES.match(text):
        from corated.live._postgres import Postgres

        return Postgres(text)
    if text in ("", ":memory:") or "://" in text:
        raise ParameterError(
            f"A store cannot be kept at {text.partition(':')[0]}:…" if text else "The store has no name.",
            expected="the path of a file, or postgresql://user:password@host:port/database",
            hint="choose a file, such as shop.db",
        )
    return Sqlite(Path(text), create=create)


class Store(Closing):
    """Ratings that are kept: written, followed, read, imported, exported and erased; see `open_store`.

    Safe in any number of threads and processes: writers take turns and wait up to 30 s for each other,
    readers do not wait. Each process opens the store itself, or is a fork of one that did. Every method
    raises `StoreError` for a store that is damaged, full or closed, and `StoreUnavailableError` where another
    writer holds it for too long or its server cannot be reached.
    """

    def __init__(self, database: Database, wanted: Shape, *, widen: bool) -> None:
        self._database, self._widen = database, widen
        self._shape = Shape()
        self._fix(wanted)

    def declare(
        self,
        *,
        scale: Scale | tuple[float, float, float] | None = None,
        user_ids: IdKind | None = None,
        item_ids: IdKind | None = None,
        timed: bool | None = None,
    ) -> None:
        """Fix what is not fixed yet; parameters and errors as for `open_store`."""
        self._fix(declared(scale, user_ids, item_ids, timed))

    def _fix(self, wanted: Shape) -> None:
        known = self.head().shape
        if self._agreed(known, wanted) != known:
            with self._database.writing() as cursor:
                head = read_head(self._database, cursor, lock=True)
                known = self._agreed(head.shape, wanted)
                _writing.begin_with(self._database, cursor, head, known)
        self._shape = known

    def _agreed(self, shape: Shape, wanted: Shape) -> Shape:
        return agreed(shape, wanted, self._database.shown, widen=self._widen)

    # -- what there is --------------------------------------------------------------------------

    def head(self) -> Head:
        """Return what is fixed about the store, and how far its log goes, at a cost of one small look."""
        with self._database.reading() as cursor:
            return read_head(self._database, cursor)

    @property
    def position(self) -> int:
        """The position of the last change, 0 before the first."""
        return self.head().position

    @property
    def catalog_version(self) -> int:
        """How often the catalog was changed."""
        return self.head().catalog_version

    @property
    def info(self) -> StoreInfo:
        """What the store holds at this moment; counting takes a while where there are millions."""
        statements = self._database.statements
        with self._database.reading(snapshot=True) as cursor:
            head = read_head(self._database, cursor)
            cursor.execute(statements.count_ratings)
            n_ratings = int(cursor.fetchone()[0])
            cursor.execute(statements.count_catalog)
            n_catalog = int(cursor.fetchone()[0])
        shape = head.shape
        return StoreInfo(
            shape.scale,
            shape.user_ids,
            shape.item_ids,
            shape.timed,
            n_ratings,
            n_catalog,
            head.position,
            head.readable,
            head.catalog_version,
            REVISION,
            head.identity,
        )

    def verify(self) -> list[str]:
        """Return what is wrong, one sentence each; nothing where all is well.

        Looks through the database's own structure (SQLite), at each row, and at whether the ratings are what
        the log wrote last. Reads everything once.
        """
        return problems_of(self._database)

    # -- writing --------------------------------------------------------------------------------

    def write(self, changes: Iterable[Change], *, key: str | None = None) -> Written:
        """Write and take out ratings in their order: all of them, durably, or none.

        changes : a later one for the same user and item holds
        key : an idempotency key; the same key with the same changes writes nothing and returns what it
            returned first, until the log is trimmed

        Raises `IdTypeError` and `DataError` with the changes that do not fit, and `KeyReusedError`.
        """
        given, now = list(changes), clock.time_ns() // 1000
        known, rows, shape = self._checked(given, now)
        made = None if key is None else _writing.key_of(key, given, rows)
        with self._database.writing() as cursor:
            head = read_head(self._database, cursor, lock=True)
            if made is not None:
                answer = _writing.answer_of(self._database, cursor, made)
                if answer is not None:
                    return answer
            if head.shape != known:
                rows, shape = check_changes(given, head.shape, widen=self._widen, now=now)
            change = _writing.Batch(rows, shape, now, made)
            written = _writing.write_rows(self._database, cursor, head, change)
        self._shape = shape
        return written

    def _checked(self, changes: list[Change], now: int) -> tuple[Shape, list[Row], Shape]:
        """Check changes before the store is locked, against what was fixed when last looked at."""
        known = self._shape
        try:
            return known, *check_changes(changes, known, widen=self._widen, now=now)
        except CoratedError:
            # Another process may have fixed or widened something meanwhile.
            newer = self.head().shape
            if newer == known:
                raise
            self._shape = newer
            return newer, *check_changes(changes, newer, widen=self._widen, now=now)

    def import_(self, data: Any, *, progress: ProgressOption = None) -> Written:
        """Write many ratings in one transaction: all of them, or none. They take one position.

        data : `Ratings`; or a frame, an Arrow table or reader, or record batches, with the columns user_id,
            item_id, rating and maybe timestamp
        progress : ``True``, or a function of (done, total) that may raise to stop, and nothing is written

        Ratings are not logged one by one: who follows the log reads everything anew. Other writers wait.
        Raises `DataError` and `IdTypeError` for ratings that do not fit, with the first of them.
        """
        ratings = as_ratings(data, self.head().shape, widen=self._widen)
        database = self._database
        with reporting(progress, "Importing") as report, database.writing() as cursor:
            head = read_head(database, cursor, lock=True)
            shape = shape_with(ratings, head.shape, widen=self._widen)
            if not ratings.n_ratings:
                return Written(head.position, 0, head.position)
            position = _writing.begin_with(database, cursor, head, shape)[0] + 1
            assert shape.scale is not None
            rows = rows_of(ratings, shape.scale, report)
            cursor.execute(database.statements.any_rating)
            if cursor.fetchone()[0]:
                applied = database.merge_ratings(cursor, rows)
            else:
                database.fill(cursor, RATINGS, rows)
                applied = ratings.n_ratings
            move(database, cursor, position, position)
        self._shape = shape
        return Written(position, applied, head.position)

    def erase(self, user: Id) -> Erased:
        """Erase a user: ratings, changes in the log, and idempotency keys of writes that name the user.

        What is not there is not an error. The log begins anew, so that who follows it reads everything anew
        and does not keep the user either. Files that `backup` and `export` wrote are the caller's to erase.
        PostgreSQL overwrites deleted rows, and its own log, when it needs their room.
        """
        with self._database.writing() as cursor:
            head = read_head(self._database, cursor, lock=True)
            text = check_id(user, head.shape.user_ids, "user")
            erased = _writing.erase_user(self._database, cursor, head, text)
        try:
            complete = self._database.forget_pages()
        except StoreError:  # the rows are gone all the same
            complete = False
        return replace(erased, complete=complete)

    # -- reading --------------------------------------------------------------------------------

    def changes(self, after: int, *, limit: int = 10_000) -> list[Logged]:
        """Return the changes after a position, in their order, at most ``limit``; none where there are none.

        Raises `LogTrimmedError` where some are not in the log (any more): it was trimmed, ratings were
        imported, a user was erased, the scale was widened, or this is another store. Then `read` everything.
        """
        after, limit = _writing.check_position("after", after), _writing.check_position("limit", limit)
        upto = min(after + limit, INT64_MAX)
        with self._database.reading() as cursor:
            cursor.execute(self._database.statements.changes, (after, upto))
            rows = cursor.fetchall()
        with sound(self._database):
            last, readable, users, items = rows[0][:4]
            found = [
                Logged(at, Change(stored_id(user, users), stored_id(item, items), rating, time))
                for *_, at, user, item, rating, time in rows
                if at is not None
            ]
        if not readable <= after <= last:
            raise LogTrimmedError(
                f"The log of {self._database.shown} goes from position {readable} to {last}, and changes "
                f"after {after} were asked for.",
                hint="read() all ratings, and follow the log from that snapshot's position",
            )
        if len(found) != min(upto, last) - after:
            raise damaged(self._database, f"the log has gaps after position {after}")
        return found

    def trim(self, upto: int | datetime) -> int:
        """Forget the changes up to a position, or written up to a moment, and their idempotency keys.

        Who follows the log from that position or a later one goes on. Returns how many were forgotten.
        """
        if not isinstance(upto, datetime):
            upto = _writing.check_position("upto", upto)
        with self._database.writing() as cursor:
            head = read_head(self._database, cursor, lock=True)
            return _writing.trim_log(self._database, cursor, head, upto)

    def begins_before(self, moment: datetime) -> bool:
        """Tell whether the log has a change that was written before a moment; a small look tells."""
        with self._database.reading() as cursor:
            return _writing.begins_before(self._database, cursor, moment)

    def read(self, *, batch: int = 65_536) -> Snapshot:
        """Return all ratings of this moment, to go through in batches of so many while others write.

        with store.read() as snapshot:
            for batch in snapshot: ...
            followed = snapshot.position
        """
        if _writing.check_position("batch", batch) == 0:
            raise ParameterError("batch=0 holds no row.", hint="leave batch out")
        return Snapshot(self._database, batch)

    def export(self, path: str | os.PathLike[str], *, format: ExportFormat | None = None) -> int:
        """Write all ratings of this moment to a file; returns how many there are.

        format : "parquet", "csv" or "jsonl"; None to tell by the name's ending

        What stood at the path is replaced when all is written. Raises `OutputError` where that cannot be.
        """
        with self.read() as snapshot:
            return export(snapshot, path, format)

    def backup(self, to: str | os.PathLike[str]) -> None:
        """Copy the whole store as it is at this moment, with its log and keys, while others read and write.

        to : the path of a file, which is a store itself; or the address of a PostgreSQL database without one

        To restore a backup, open it, or open it and ``backup`` it to a database. A file is replaced when all
        is written. Raises `OutputError` where a file cannot be written, `StoreError` for a database in use.
        """
        if not _POSTGRES.match(os.fspath(to)):
            copy_to_file(self._database, to)
            return
        target = _database_at(to, create=True)
        try:
            to_newest(target, create=True)
            copy_rows(self._database, target)
        finally:
            target.close()

    # -- the catalog ----------------------------------------------------------------------------

    def put_items(self, items: Catalog | Iterable[Item]) -> int:
        """Put items into the catalog, in place of those with the same ids: all, or none; returns how many.

        Raises `IdTypeError` and `DataError` for what does not fit.
        """
        given = _catalog.items_of(items)
        with self._database.writing() as cursor:
            head = read_head(self._database, cursor, lock=True)
            kind = _catalog.begun(given, head.shape)
            rows = _catalog.item_rows(given, kind)
            if rows:
                shape = replace(head.shape, item_ids=kind)
                _writing.begin_with(self._database, cursor, head, shape)
                _catalog.put_rows(self._database, cursor, rows)
        return len(rows)

    def delete_items(self, ids: Iterable[Id]) -> int:
        """Take items out of the catalog, not out of the ratings; returns how many were there."""
        given = list(ids)
        with self._database.writing() as cursor:
            kind = read_head(self._database, cursor, lock=True).shape.item_ids
            return _catalog.delete_items(self._database, cursor, [check_id(id, kind, "item") for id in given])

    def item(self, id: Id) -> Item | None:
        """Return an item of the catalog, None where it is not in it."""
        with self._database.reading(snapshot=True) as cursor:
            head = read_head(self._database, cursor)
            return _catalog.find_item(self._database, cursor, head.shape, id)

    def catalog(self) -> Catalog:
        """Return the whole catalog."""
        with self._database.reading(snapshot=True) as cursor:
            return _catalog.all_items(self._database, cursor, read_head(self._database, cursor))

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the store; closing twice does nothing more."""
        self._database.close()

    def __repr__(self) -> str:
        return f"Store({self._database.shown!r}, {self._database.name})"
