"""A store in an SQLite file: write-ahead log, every commit synced, one writer at a time."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from corated.errors import CoratedError, OutputError, StoreError
from corated.live._database import WAIT, Database
from corated.live._schema import VERSION_TABLE

__all__ = ["Sqlite", "network_file_system", "not_written"]

_MOUNTS = Path("/proc/mounts")
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|ncpfs|9p|afs|coda|ceph|glusterfs|lustre|beegfs|gpfs|ocfs2|gfs2|davfs|orangefs|"
    r"fuse\.(sshfs|s3fs|rclone|gcsfuse|goofys|mount-s3|glusterfs|ceph\S*|davfs\S*|smbnetfs|juicefs|blobfuse\d?)"
)
_PRAGMAS = (
    "synchronous=FULL",
    "fullfsync=ON",  # of macOS, whose plain fsync leaves data in the disk's own cache
    "foreign_keys=ON",
    "secure_delete=ON",  # deleted rows are overwritten
    f"journal_size_limit={64 * 2**20}",  # what a large import needs is given back
)
_ERASE_WAIT = 2_000
"""Milliseconds that an erasure waits for readers of old pages."""


class Sqlite(Database):
    """A store in a file, with the files ``-wal`` and ``-shm`` beside it while it is open."""

    name = "SQLite"
    driver_errors = (sqlite3.Error, UnicodeDecodeError)  # the latter from a damaged file

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        _check_place(path, create)
        self._mode = "rwc" if create else "rw"
        engine = sa.create_engine(
            "sqlite+pysqlite://", creator=self._connect, poolclass=QueuePool, pool_size=4, max_overflow=-1
        )
        super().__init__(engine, str(path))
        with self._connection() as connection, self.told():
            _keep_a_log(connection, self.shown)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self.path.absolute()))}?mode={self._mode}",
            uri=True,
            timeout=WAIT,
            isolation_level=None,  # transactions begin and end where this module says so
            check_same_thread=False,  # the pool lends a connection to one thread at a time
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    # -- transactions ---------------------------------------------------------------------------

    def _begin_reading(self, connection: sa.PoolProxiedConnection, snapshot: bool) -> None:
        if snapshot:
            connection.cursor().execute("BEGIN")

    def _begin_writing(self, connection: sa.PoolProxiedConnection) -> None:
        connection.cursor().execute("BEGIN IMMEDIATE")

    def _is_spoiled(self, connection: sa.PoolProxiedConnection) -> bool:
        driver = cast("sqlite3.Connection | None", connection.driver_connection)
        return driver is not None and driver.in_transaction  # a rollback failed

    def translated(self, error: BaseException, *, committing: bool) -> CoratedError:
        """Return the error to tell in place of one of SQLite."""
        is_misuse = isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
        whole = sqlite3.SQLITE_MISUSE if is_misuse else sqlite3.SQLITE_CORRUPT  # what has no code
        whole = getattr(error, "sqlite_errorcode", whole)
        code = whole & 0xFF
        if committing and whole in _OF_SYNCING:
            return StoreError(
                f"The disk did not confirm a write to {self.shown} (SQLite: {error}). It does not count now; "
                "after a crash it might.",
                hint="look for a failing disk; write it again then, with the same key= where it had one",
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return self.busy()
        what, hint = _SAID.get(code, ("cannot be used", "look at the message of SQLite"))
        return StoreError(
            f"The store {self.shown} {what} (SQLite: {error}).", hint=hint.format(self._quoted())
        )

    def _quoted(self) -> str:
        return shlex.quote(str(self.path))

    # -- tables ---------------------------------------------------------------------------------

    def has_store(self, connection: sa.Connection) -> bool:
        """Tell whether the tables are there; raises `StoreError` where the file has others."""
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars()
        names = [name for name in found if not name.startswith("sqlite_")]
        if names and VERSION_TABLE not in names:
            raise StoreError(
                f"{self.shown} is an SQLite database of something else.",
                expected="a store of ratings",
                rows=[f"table {name}" for name in sorted(names)[:5]],
                hint="choose another file",
            )
        return bool(names)

    def alone(self, connection: sa.Connection) -> None:
        """Begin a transaction in which no other process makes or changes tables."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # -- rows -----------------------------------------------------------------------------------

    def stream(self, cursor: Any, statement: str, size: int) -> Iterator[list[Any]]:
        """Run a statement that reads, and yield its rows in lists of at most ``size``."""
        cursor.execute(statement)
        while rows := cursor.fetchmany(size):
            yield rows

    def fill(self, cursor: Any, table: sa.Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows whose keys are not there, quickest in the order of the keys."""
        cursor.executemany(self.statements.add(table), rows)

    def merge_ratings(self, cursor: Any, rows: Iterable[tuple[Any, ...]]) -> int:
        """Write many ratings, in place of those that are there; return how many are different."""
        cursor.executemany(self.statements.rate, rows)
        return max(0, int(cursor.rowcount))

    # -- the file -------------------------------------------------------------------------------

    def forget_pages(self) -> bool:
        """Write the log of pages into the file and empty it; False where readers hold old pages."""
        self._check()
        with self._connection() as connection, self.told():
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={_ERASE_WAIT}")
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            cursor.execute(f"PRAGMA busy_timeout={int(WAIT * 1000)}")
            return not busy

    def copy_file(self, target: Path, shown: str) -> None:
        """Write the store as it is now to a new file, called ``shown``, while others read and write it."""
        self._check()
        with self._connection() as connection, self.told(), closing(sqlite3.connect(target)) as copy:
            driver = cast("sqlite3.Connection", connection.driver_connection)
            try:
                driver.backup(copy)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _OF_WRITING:
                    raise
                raise not_written(shown, error) from error

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with its file."""
        with self.reading() as cursor:
            found = [row[0] for row in cursor.execute("PRAGMA integrity_check").fetchall()]
            astray = cursor.execute("PRAGMA foreign_key_check").fetchall()
        broken = [] if found == ["ok"] else [f"SQLite: {line}" for line in found]
        return broken + [f"a row of {row[0]} refers to nothing" for row in astray]


def not_written(shown: str, error: BaseException) -> OutputError:
    """Return the error of a backup that cannot be written."""
    return OutputError(
        f"The backup {shown} could not be written (SQLite: {error}).",
        hint="make room or choose another place; the file that stood there before is unharmed",
    )


_OF_WRITING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_OF_SYNCING = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
_SAID = {
    sqlite3.SQLITE_NOTADB: ("is no SQLite database", "choose another file"),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "put a backup in its place, or save what can be read: sqlite3 {0} .recover | sqlite3 NEW",
    ),
    sqlite3.SQLITE_FULL: ("has no room left; nothing of this was written", "make room, and write it again"),
    sqlite3.SQLITE_IOERR: (
        "could not be read or written on the disk; nothing of this was written",
        "look for a full disk, a limit on the size of files, or a failing disk",
    ),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "see that its folder exists and may be written to"),
    sqlite3.SQLITE_READONLY: ("may not be written to", "choose a file and a folder that you may write to"),
    sqlite3.SQLITE_PERM: ("may not be written to", "choose a file and a folder that you may write to"),
    sqlite3.SQLITE_AUTH: ("may not be written to", "choose a file and a folder that you may write to"),
}
"""By the codes of SQLite: what to say of the store, and the next step."""


def _keep_a_log(connection: sa.PoolProxiedConnection, shown: str) -> None:
    """Have the file keep a write-ahead log, which it stays with."""
    ends = time.monotonic() + WAIT
    while True:
        try:
            found = connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            # The switch does not wait for others who open the file for the first time, too.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
            time.sleep(0.01)
    if found != "wal":
        raise StoreError(
            f"The store {shown} cannot keep a write-ahead log (journal mode {found}).",
            hint="put it on a local file system",
        )


def _check_place(path: Path, create: bool) -> None:
    """Refuse what can be seen to be wrong beforehand, with the step that helps."""
    folder = path.parent
    if not folder.is_dir():
        is_file = folder.exists()
        raise StoreError(
            f"The folder {folder} of the store {path.name} {'is a file' if is_file else 'does not exist'}.",
            hint="choose another place" if is_file else f"create it: mkdir -p {shlex.quote(str(folder))}",
        )
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file"
        raise StoreError(f"The store {path} is {what}.", expected="a file", hint="choose another name")
    if not path.exists() and not create:
        raise StoreError(
            f"There is no store {path}.", hint="see where it is, or pass create=True for a new one"
        )
    # SQLite makes files beside its own.
    refused = next((p for p in (folder, path) if p.exists() and not os.access(p, os.W_OK)), None)
    if refused is not None:
        raise StoreError(
            f"The store {path} cannot be opened: {refused} may not be written to.",
            hint="choose a place that you may write to",
        )
    kind = network_file_system(path)
    if kind:
        raise StoreError(
            f"The store {path} would be on a network file system ({kind}), where SQLite's locks do not hold.",
            hint="put it on a local disk, or use a PostgreSQL server: postgresql://…",
        )


def network_file_system(path: Path, mounts: Path | None = None) -> str | None:
    """Return the kind of network file system that a path is on; None for others, and where nothing tells.

    mounts : what lists the mounted file systems, as ``/proc/mounts`` does
    """
    place = os.path.realpath(path)
    if place.startswith(("\\\\", "//")):
        return "a network share"
    nearest, kind = "", ""
    with suppress(OSError):
        for line in (mounts or _MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            fields = line.split(" ")
            if len(fields) < 3:
                continue
            point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1])
            inside = place == point or place.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(nearest):  # the one mounted last covers those before it
                nearest, kind = point, fields[2]
    return kind if _NETWORK.fullmatch(kind) else None
