"""Bringing the tables of a store to the newest revision, or to any other."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from corated.errors import MissingExtraError, StoreError
from corated.live._database import Database
from corated.live._schema import REVISION, VERSION_TABLE

__all__ = ["migrate", "revision_of", "to_newest"]

_MIGRATIONS = Path(__file__).parent / "migrations"


def to_newest(database: Database, *, create: bool) -> None:
    """Make the tables, or bring older ones to the newest revision; several processes at once do it once.

    Raises `StoreError` where there are no tables and none are to be made, and for those of a newer version.
    """
    if revision_of(database) == REVISION:
        return
    with database.told(), database.engine.connect() as connection:
        database.alone(connection)
        found = _revision(database, connection)  # another process may have done it meanwhile
        if found is None and not create:
            raise StoreError(
                f"There is no store in {database.shown}.",
                hint="see where it is, or pass create=True for a new one",
            )
        if found is None or int(found) < int(REVISION):
            _run(connection, "head")
        connection.commit()


def migrate(database: Database, revision: str) -> None:
    """Bring the tables up to "head", or down to an older revision; "base" removes them and all in them."""
    with database.told(), database.engine.connect() as connection:
        database.alone(connection)
        _run(connection, revision)
        connection.commit()


def revision_of(database: Database) -> str | None:
    """Return the revision of the tables, None where there are none; `StoreError` for one that is newer."""
    with database.told(), database.engine.connect() as connection:
        return _revision(database, connection)


def _revision(database: Database, connection: sa.Connection) -> str | None:
    if not database.has_store(connection):
        return None
    found: str | None = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    if found is not None and not (found.isdecimal() and int(found) <= int(REVISION)):
        raise StoreError(
            f"The store {database.shown} was made by a newer version (revision {found[:20]}).",
            expected=f"revision {REVISION} or older",
            hint="upgrade: pip install --upgrade corated",
        )
    return found


def _run(connection: sa.Connection, revision: str) -> None:
    try:
        from alembic import command
        from alembic.config import Config
    except ImportError as missing:
        raise MissingExtraError(
            f"Making a store needs Alembic, which cannot be imported ({missing}).",
            hint="pip install 'corated[serve]'",
        ) from missing

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    move = command.upgrade if revision == "head" else command.downgrade
    move(config, revision)
