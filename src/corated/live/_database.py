"""What both databases of a store have in common: connections, transactions, and errors told in sentences."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from corated.errors import CoratedError, MissingExtraError, StoreError, StoreUnavailableError

try:
    import sqlalchemy as sa

    from corated.live._schema import statements_for
except ImportError as missing:
    raise MissingExtraError(
        f"A store needs SQLAlchemy, which cannot be imported ({missing}).",
        hint="pip install 'corated[serve]'",
    ) from missing

__all__ = ["WAIT", "Database"]

WAIT = 30.0
"""Seconds that a writer waits for another."""


class Database(ABC):
    """A database with the tables of a store; safe in any number of threads, and after a fork.

    shown : what it is called in messages, without a password
    name : its kind
    """

    name: ClassVar[str]
    driver_errors: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, engine: sa.Engine, shown: str) -> None:
        self.engine, self.shown = engine, shown
        self.statements = statements_for(engine.dialect)
        self._turn = threading.Lock()
        self._process = os.getpid()
        self._closed = False

    # -- connections --------------------------------------------------------------------------

    def close(self) -> None:
        """Close all connections; what is asked afterwards is refused."""
        self._closed = True
        self.engine.dispose(close=os.getpid() == self._process)

    def _check(self) -> None:
        if self._closed:
            raise StoreError(f"The store {self.shown} was closed.", hint="open it again")
        if os.getpid() != self._process:
            # Connections and locks belong to the parent, which goes on using them.
            self._process, self._turn = os.getpid(), threading.Lock()
            self.engine.dispose(close=False)

    @contextmanager
    def _connection(self) -> Iterator[sa.PoolProxiedConnection]:
        with self.told():
            connection = self.engine.raw_connection()
        try:
            yield connection
        except BaseException:
            with suppress(*self.driver_errors):
                self._roll_back(connection)
            if self._is_spoiled(connection):
                connection.invalidate()
            raise
        finally:
            with suppress(*self.driver_errors):
                connection.close()

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[Any]:
        """Give a driver's cursor to read with; with ``snapshot``, all of it sees one moment."""
        self._check()
        with self._connection() as connection, self.told():
            self._begin_reading(connection, snapshot)
            yield connection.cursor()
            self._roll_back(connection)

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Give a driver's cursor to write with, alone; after the block all is durable, or undone.

        Raises `StoreUnavailableError` where another writer holds the store for longer than `WAIT`.
        """
        self._check()
        turn = self._turn
        if not turn.acquire(timeout=WAIT):
            raise self.busy()
        try:
            with self._connection() as connection, self.told():
                self._begin_writing(connection)
                cursor = connection.cursor()
                yield cursor
                with self.told(committing=True):
                    self._commit(connection)
        finally:
            turn.release()

    @contextmanager
    def told(self, *, committing: bool = False) -> Iterator[None]:
        """Turn the driver's errors inside the block into errors of a store."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self.translated(error.orig or error, committing=committing) from error
        except sa.exc.TimeoutError as error:
            raise StoreUnavailableError(
                f"No connection to {self.shown} became free within {WAIT:g} s.",
                hint="try again, or let fewer threads ask at a time",
            ) from error
        except self.driver_errors as error:
            raise self.translated(error, committing=committing) from error

    def busy(self) -> StoreUnavailableError:
        """Return the error of a writer that waited in vain."""
        return StoreUnavailableError(
            f"Another writer has held {self.shown} for more than {WAIT:g} s.",
            hint="try again; a long import or a stopped process may hold it",
        )

    @abstractmethod
    def translated(self, error: BaseException, *, committing: bool) -> CoratedError:
        """Return the error to tell in place of one of the driver."""

    @abstractmethod
    def _begin_reading(self, connection: sa.PoolProxiedConnection, snapshot: bool) -> None: ...

    @abstractmethod
    def _begin_writing(self, connection: sa.PoolProxiedConnection) -> None: ...

    def _commit(self, connection: sa.PoolProxiedConnection) -> None:
        connection.commit()

    def _roll_back(self, connection: sa.PoolProxiedConnection) -> None:
        connection.rollback()

    @abstractmethod
    def _is_spoiled(self, connection: sa.PoolProxiedConnection) -> bool:
        """Tell whether a connection cannot be used any more."""

    # -- what the two do differently ------------------------------------------------------------

    @abstractmethod
    def has_store(self, connection: sa.Connection) -> bool:
        """Tell whether the tables are there; raises `StoreError` where something else is."""

    @abstractmethod
    def alone(self, connection: sa.Connection) -> None:
        """Begin a transaction in which no other process makes or changes tables."""

    @abstractmethod
    def stream(self, cursor: Any, statement: str, size: int) -> Iterator[list[Any]]:
        """Run a statement that reads, and yield its rows in lists of at most ``size``."""

    @abstractmethod
    def fill(self, cursor: Any, table: sa.Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows whose keys are not there, quickly."""

    @abstractmethod
    def merge_ratings(self, cursor: Any, rows: Iterable[tuple[Any, ...]]) -> int:
        """Write many ratings, in place of those that are there; return how many are different."""

    @abstractmethod
    def forget_pages(self) -> bool:
        """Overwrite what deleted rows leave behind, as far as can be; tell whether nothing is left."""

    @abstractmethod
    def problems(self) -> list[str]:
        """Look for damage of the database itself."""
