"""A store in a PostgreSQL database, through psycopg 3 and a pool of connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import sqlalchemy as sa

from corated.errors import CoratedError, MissingExtraError, ParameterError, StoreError, StoreUnavailableError
from corated.live._database import WAIT, Database
from corated.live._schema import KEYS, LOG, RATINGS, VERSION_TABLE

try:
    import psycopg
except ImportError as missing:
    raise MissingExtraError(
        f"A store in PostgreSQL needs psycopg, which cannot be imported ({missing}).",
        hint="pip install 'corated[serve]'",
    ) from missing

__all__ = ["Postgres"]

_TABLES_LOCK = 0x636F72617465
"""The number of the advisory lock under which tables are made: "corate" in ASCII."""
_NO_ROOM = "53100"
_LOCK_TIMEOUT = "55P03"
_CONNECTION_LOST = ("08", "57P")


class Postgres(Database):
    """A store in a database of a server, in the first schema of the connection's search path."""

    name = "PostgreSQL"
    driver_errors = (psycopg.Error,)

    def __init__(self, url: str) -> None:
        made = _url(url)
        engine = sa.create_engine(
            made,
            paramstyle="format",
            isolation_level="READ COMMITTED",
            use_native_hstore=False,
            pool_pre_ping=True,  # a server that was started anew is met with new connections
            pool_size=5,
            max_overflow=10,
            pool_timeout=WAIT,
            connect_args={"client_encoding": "utf8"}
            | {name: value for name, value in _DEFAULTS.items() if name not in made.query},
        )
        sa.event.listen(engine, "connect", _settle)
        shown = made.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
        super().__init__(engine, shown)

    # -- transactions ---------------------------------------------------------------------------

    def _begin_reading(self, connection: sa.PoolProxiedConnection, snapshot: bool) -> None:
        if snapshot:
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def _begin_writing(self, connection: sa.PoolProxiedConnection) -> None:
        pass  # the driver begins; the first statement locks the store's row

    def _is_spoiled(self, connection: sa.PoolProxiedConnection) -> bool:
        driver = cast("psycopg.Connection | None", connection.driver_connection)
        return driver is not None and driver.closed

    def translated(self, error: BaseException, *, committing: bool) -> CoratedError:
        """Return the error to tell in place of one of psycopg."""
        state = getattr(error, "sqlstate", None) or ""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        lost = isinstance(error, psycopg.OperationalError) and (
            not state or state.startswith(_CONNECTION_LOST)
        )
        if lost and committing:
            return StoreUnavailableError(
                f"The connection to {self.shown} was lost while a write was confirmed ({reason}), so it is "
                "not known whether it was written.",
                hint="write it again, with the same key= where it had one",
            )
        if state == _LOCK_TIMEOUT:
            return self.busy()
        if lost or (state[:2] in ("53", "57") and state != _NO_ROOM):
            return StoreUnavailableError(
                f"The store {self.shown} cannot be reached: {reason}.",
                hint="see that the server runs and that address, name and password are right; try again then",
            )
        what, hint = _SAID.get(
            state, _SAID.get(state[:2], ("cannot be used", "look at the server's message"))
        )
        return StoreError(f"The store {self.shown} {what} (PostgreSQL {state}: {reason}).", hint=hint)

    # -- tables ---------------------------------------------------------------------------------

    def has_store(self, connection: sa.Connection) -> bool:
        """Tell whether the tables are there; raises `StoreError` where the database cannot hold all text."""
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise StoreError(
                f"The database {self.shown} holds text as {encoding}.",
                expected="UTF8",
                hint="make one that does: createdb --encoding=UTF8 --template=template0 NAME",
            )
        found = connection.exec_driver_sql(f"SELECT to_regclass('{VERSION_TABLE}') IS NOT NULL")
        return bool(found.scalar())

    def alone(self, connection: sa.Connection) -> None:
        """Begin a transaction in which no other process makes or changes tables."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TABLES_LOCK})")

    # -- rows -----------------------------------------------------------------------------------

    def stream(self, cursor: Any, statement: str, size: int) -> Iterator[list[Any]]:
        """Run a statement that reads, and yield its rows in lists of at most ``size``."""
        # A cursor with a name stays on the server, so that rows come as they are asked for.
        with cursor.connection.cursor(name="corated_rows") as rows:
            rows.execute(statement)
            while some := rows.fetchmany(size):
                yield some

    def fill(self, cursor: Any, table: sa.Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows whose keys are not there."""
        self._copy(cursor, table.name, rows)

    def merge_ratings(self, cursor: Any, rows: Iterable[tuple[Any, ...]]) -> int:
        """Write many ratings, in place of those that are there; return how many are different."""
        cursor.execute(f"CREATE TEMPORARY TABLE corated_new (LIKE {RATINGS.name}) ON COMMIT DROP")
        self._copy(cursor, "corated_new", rows)
        cursor.execute(self.statements.merge)
        return int(cursor.rowcount)

    def _copy(self, cursor: Any, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    # -- the server -----------------------------------------------------------------------------

    def forget_pages(self) -> bool:
        """Have the server give the deleted rows' room away; it overwrites them when that is used again."""
        self._check()
        tables = ", ".join(table.name for table in (RATINGS, LOG, KEYS))
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"VACUUM {tables}")
        except sa.exc.DBAPIError:
            return False
        return True

    def problems(self) -> list[str]:
        """Return settings of the server with which an acknowledged write can be lost."""
        with self.reading() as cursor:
            settings = {name: self._setting(cursor, name) for name in ("fsync", "full_page_writes")}
        return [f"the server runs with {name}=off" for name, value in settings.items() if value == "off"]

    def _setting(self, cursor: Any, name: str) -> str:
        cursor.execute("SELECT current_setting(%s)", (name,))
        return str(cursor.fetchone()[0])


_DEFAULTS = {"connect_timeout": 10, "application_name": "corated"}
"""What an address need not say."""

_SAID = {
    _NO_ROOM: (
        "has no room left; nothing of this was written",
        "make room on the server, and write it again",
    ),
    "25006": ("is read-only", "use the address of the primary server"),
    "3D000": ("does not exist", "make the database: createdb NAME"),
    "3F000": ("has no schema to make tables in", "create the schema that the search path names"),
    "42501": ("may not be used like this", "grant the user rights on the schema and the tables in it"),
    "42P01": ("has lost a table", "put a backup into a new database"),
    "XX": ("is damaged", "put a backup into a new database"),
}
"""By SQLSTATE or its class: what to say of the store, and the next step."""


def _url(text: str) -> sa.URL:
    """Return an address as SQLAlchemy takes it."""
    try:
        return sa.make_url(text).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError) as error:  # says nothing more: the address may hold a password
        raise ParameterError(
            "The address of the store cannot be read.",
            expected="postgresql://user:password@host:port/database",
            hint="write special characters in the password as %XX",
        ) from error


def _settle(connection: Any, _record: Any) -> None:
    """Set up a new connection: commits that last, waits that end, and clients that vanish noticed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, false), set_config('tcp_keepalives_idle', '60', false),"
            " CASE WHEN current_setting('synchronous_commit') = 'off'"
            " THEN set_config('synchronous_commit', 'on', false) END",
            (f"{int(WAIT * 1000)}ms",),
        )
    connection.commit()
