"""A whole store, with its log and its keys, copied to another: backup and restore are the same."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from corated.errors import CoratedError, OutputError, StoreError
from corated.live._database import Database
from corated.live._head import read_head
from corated.live._migrate import to_newest
from corated.live._schema import CATALOG, KEYS, LOG, RATINGS, STORE
from corated.live._sqlite import Sqlite, not_written
from corated.output import atomic_path

__all__ = ["copy_rows", "copy_to_file"]

_BATCH = 16_384


def copy_to_file(source: Database, path: str | os.PathLike[str]) -> None:
    """Write a store as it is now to an SQLite file of its own, whole or not at all; others read and write on.

    Raises `OutputError` where it cannot be written, or the target is a store in use.
    """
    target = Path(os.path.realpath(path))
    if isinstance(source, Sqlite) and target == Path(os.path.realpath(source.path)):
        raise OutputError(
            f"The backup would take the place of the store {source.shown}.", hint="choose another name"
        )
    if target.with_name(target.name + "-wal").exists():
        # Its log of pages would be taken for one of the new file.
        raise OutputError(f"{path} is a store in use.", hint="choose another name, or close that store")
    with atomic_path(path) as temporary:
        try:
            _fill(source, temporary, os.fspath(path))
        finally:
            for suffix in ("-wal", "-shm"):
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def _fill(source: Database, path: Path, shown: str) -> None:
    """Write a store to one new file, which will be moved without the files that SQLite keeps beside it."""
    if isinstance(source, Sqlite):
        source.copy_file(path, shown)
    copy = _Copy(path, shown)
    try:
        if isinstance(source, Sqlite):
            with copy.writing() as cursor:
                _name_anew(copy, cursor)
        else:
            to_newest(copy, create=True)
            copy_rows(source, copy)
        # Closing does it, too, but does not tell when it fails.
        copy.forget_pages()
    finally:
        copy.close()


class _Copy(Sqlite):
    """A copy on its way to its place: its errors are those of an output."""

    def __init__(self, path: Path, shown: str) -> None:
        self._target = shown
        super().__init__(path)
        self.shown = shown

    def translated(self, error: BaseException, *, committing: bool) -> CoratedError:  # noqa: ARG002
        """Return the error to tell in place of one of SQLite."""
        return not_written(self._target, error)


def copy_rows(source: Database, target: Database) -> None:
    """Copy every row of one moment into a store that nothing was ever written to, in one transaction.

    Raises `StoreError` where something was.
    """
    with source.reading(snapshot=True) as reads, target.writing() as writes:
        head = read_head(target, writes, lock=True)
        writes.execute(target.statements.any_rating)
        if head.position or head.catalog_version or writes.fetchone()[0]:
            raise StoreError(f"The store {target.shown} is not empty.", hint="copy to a new one")
        writes.execute(target.statements.text(STORE.delete()))
        for table in (STORE, RATINGS, LOG, KEYS, CATALOG):
            batches = source.stream(reads, source.statements.all(table), _BATCH)
            target.fill(writes, table, (tuple(row) for rows in batches for row in rows))
        _name_anew(target, writes)


def _name_anew(database: Database, cursor: Any) -> None:
    """Make a copy a store of its own: from here on the two may differ at the same position."""
    cursor.execute(database.statements.name, (uuid.uuid4().hex,))
