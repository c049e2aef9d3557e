"""Where a store may be, how it is opened there, and what is said where it cannot be."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import psycopg
import pytest

from corated.errors import ParameterError, StoreError, StoreUnavailableError
from corated.live import _database, _postgres, _sqlite
from corated.live._sqlite import network_file_system
from corated.live.store import Change, open_store

from ... import servers

STARS = (1, 5, 1)
MOUNTS = """\
proc /proc proc rw 0 0
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/ann ext4 rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
me@server: /mnt/ssh fuse.sshfs rw 0 0
C: /mnt/c 9p rw 0 0
lxcfs /mnt/lxc fuse.lxcfs rw 0 0
server:/a /mnt/twice nfs rw 0 0
tmpfs /mnt/twice tmpfs rw 0 0
/dev/vdc /homes xfs rw 0 0
broken
"""


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mounts"
    path.write_text(MOUNTS, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/shop.db", None),
        ("/home/shop.db", "nfs4"),
        ("/home/bob/a/shop.db", "nfs4"),
        ("/home/ann/shop.db", None),
        ("/homes/shop.db", None),
        ("/homepage/shop.db", None),
        ("/mnt/with space/shop.db", "cifs"),
        ("/mnt/ssh/shop.db", "fuse.sshfs"),
        ("/mnt/c/Users/shop.db", "9p"),
        ("/mnt/lxc/shop.db", None),
        ("/mnt/twice/shop.db", None),
    ],
)
def test_network_file_systems(mounts, path, kind):
    assert network_file_system(path, mounts) == kind


def test_where_nothing_tells_of_mounts(tmp_path):
    assert network_file_system(tmp_path / "shop.db", tmp_path / "none") is None


def test_a_link_is_followed(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "link").symlink_to(disk)
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {disk} nfs rw 0 0\n")
    assert network_file_system(tmp_path / "link" / "shop.db", mounts) == "nfs"
    assert network_file_system(tmp_path / "shop.db", mounts) is None


def test_a_store_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(_sqlite, "_MOUNTS", mounts)
    with pytest.raises(StoreError, match=r"(?s)network file system \(nfs4\).*postgresql://"):
        open_store(tmp_path / "shop.db")
    assert not (tmp_path / "shop.db").exists()


# -- files that cannot be a store -----------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match=f"(?s)does not exist.*mkdir -p {tmp_path}/none") as caught:
        open_store(tmp_path / "none" / "shop.db")
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_places_that_are_no_file(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(StoreError, match="is a file"):
        open_store(tmp_path / "file" / "shop.db")
    with pytest.raises(StoreError, match="is a folder"):
        open_store(tmp_path)
    if os.name == "posix":
        with pytest.raises(StoreError, match="no regular file"):
            open_store("/dev/null")


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n" * 100)
    with pytest.raises(StoreError, match=r"(?s)no SQLite database.*choose another file"):
        open_store(path)
    assert path.read_text() == "user,item,rating\n" * 100


def test_a_database_of_something_else(tmp_path):
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    with pytest.raises(StoreError, match=r"(?s)of something else.*table orders"):
        open_store(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]


def test_an_empty_file_becomes_a_store(tmp_path):
    path = tmp_path / "shop.db"
    path.touch()
    with pytest.raises(StoreError, match="There is no store in"):
        open_store(path, create=False)
    with open_store(path, scale=STARS) as store:
        store.write([Change("ann", "dune", 5)])


@pytest.mark.parametrize(
    "where", ["", ":memory:", "mysql://me:secret@host/db", "sqlite:///shop.db", "http://x", "file://x"]
)
def test_places_that_are_none(where):
    with pytest.raises(ParameterError) as caught:
        open_store(where)
    assert "secret" not in str(caught.value)


def test_names_with_special_characters(tmp_path):
    path = tmp_path / "a b%20?mode=ro#é.db"
    with open_store(path, scale=STARS) as store:
        store.write([Change("ann", "dune", 5)])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with open_store(os.fspath(path), create=False) as store:
        assert store.info.n_ratings == 1


def test_every_connection_syncs_every_commit(tmp_path):
    with open_store(tmp_path / "shop.db", scale=STARS) as store, store.read(), store.read():
        for _ in range(2):
            with store._database.writing() as cursor:
                found = {
                    name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in (
                        "journal_mode",
                        "synchronous",
                        "foreign_keys",
                        "secure_delete",
                        "busy_timeout",
                    )
                }
            assert found == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "secure_delete": 1,
                "busy_timeout": 30_000,
            }


def test_erasing_waits_for_no_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(_sqlite, "_ERASE_WAIT", 50)
    with open_store(tmp_path / "shop.db", scale=STARS) as store:
        store.write([Change("ann", "dune", 5)])
        with store.read() as snapshot:
            erased = store.erase("ann")
            assert (erased.ratings, erased.complete) == (1, False)
            assert snapshot.table().num_rows == 1  # the moment it is of
        assert store.erase("ann").complete  # nothing more to delete, and the old pages go
        assert b"ann" not in (tmp_path / "shop.db-wal").read_bytes()


# -- waiting ----------------------------------------------------------------------------------------------


def test_a_writer_that_waits_too_long_on_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr(_sqlite, "WAIT", 0.05)
    with open_store(tmp_path / "shop.db", scale=STARS) as store:
        with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="Another writer has held"):
                store.write([Change("ann", "dune", 5)])
            assert store.position == 0  # readers go on
            other.execute("ROLLBACK")
        assert store.write([Change("ann", "dune", 5)]).position == 1


def test_a_writer_that_waits_too_long_on_another_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(_database, "WAIT", 0.05)
    with open_store(tmp_path / "shop.db", scale=STARS) as store:
        with store._database._turn, pytest.raises(StoreUnavailableError, match="Another writer"):
            store.write([Change("ann", "dune", 5)])
        assert store.write([Change("ann", "dune", 5)]).position == 1


def test_a_writer_that_waits_for_a_while_succeeds(tmp_path):
    with open_store(tmp_path / "shop.db", scale=STARS) as store:
        other = sqlite3.connect(tmp_path / "shop.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
        timer.start()
        assert store.write([Change("ann", "dune", 5)]).position == 1
        timer.join()
        other.close()


# -- PostgreSQL ---------------------------------------------------------------------------------------------


def test_a_writer_that_waits_too_long_in_postgresql(monkeypatch):
    address = servers.shared().address()
    monkeypatch.setattr(_postgres, "WAIT", 0.05)
    with open_store(address, scale=STARS) as store, open_store(address) as other:
        with other._database.writing() as cursor:
            cursor.execute(other._database.statements.lock)
            with pytest.raises(StoreUnavailableError, match="Another writer has held"):
                store.write([Change("ann", "dune", 5)])
            assert store.position == 0
        assert store.write([Change("ann", "dune", 5)]).position == 1


def test_connections_that_run_out(monkeypatch):
    address = servers.shared().address()
    monkeypatch.setattr(_postgres, "WAIT", 0.05)
    with open_store(address, scale=STARS) as store:
        snapshots = [store.read() for _ in range(15)]
        with pytest.raises(StoreUnavailableError, match="No connection to"):
            store.read()
        for snapshot in snapshots:
            snapshot.close()
        assert store.position == 0


def test_commits_last_whatever_the_server_is_set_to():
    server = servers.started("synchronous_commit=off", "default_transaction_isolation=serializable")
    try:
        with open_store(server.address(), scale=STARS) as store:
            with store._database.writing() as cursor:
                settings = {}
                for name in ("synchronous_commit", "transaction_isolation", "lock_timeout"):
                    cursor.execute(f"SHOW {name}")
                    settings[name] = cursor.fetchone()[0]
            assert settings == {
                "synchronous_commit": "on",
                "transaction_isolation": "read committed",
                "lock_timeout": "30s",
            }
            assert store.verify() == []
    finally:
        server.remove()


def test_a_server_that_does_not_sync_is_told_by_verify():
    server = servers.started("fsync=off")
    try:
        with open_store(server.address()) as store:
            assert store.verify() == ["the server runs with fsync=off"]
    finally:
        server.remove()


def test_a_database_that_cannot_hold_all_text():
    server = servers.shared()
    connect = {"host": str(server.folder), "user": "corated", "autocommit": True}
    with psycopg.connect(dbname="postgres", **connect) as connection:
        connection.execute(
            "CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    address = server.address().replace("/postgres?", "/latin?")
    with pytest.raises(StoreError, match=r"(?s)holds text as LATIN1.*createdb"):
        open_store(address)


def test_tables_of_others_in_the_database_are_left_alone():
    address = servers.shared().address()
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE orders (id int)")
    with open_store(address, scale=STARS) as store:
        store.write([Change("ann", "dune", 5)])
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(
        StoreUnavailableError, match=r"(?s)postgresql://ann:.*cannot be reached.*the server runs"
    ) as caught:
        open_store(f"postgresql://ann:secret@/shop?host={tmp_path}&password=secret&connect_timeout=2")
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_an_address_that_is_none():
    with pytest.raises(ParameterError, match="cannot be read") as caught:
        open_store("postgresql://ann:secret@host:port/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("53100", StoreError, "no room left"),
        ("53300", StoreUnavailableError, "cannot be reached"),
        ("57P01", StoreUnavailableError, "cannot be reached"),
        ("57014", StoreUnavailableError, "cannot be reached"),
        ("08006", StoreUnavailableError, "cannot be reached"),
        ("55P03", StoreUnavailableError, "Another writer"),
        ("25006", StoreError, "read-only"),
        ("42501", StoreError, "may not be used"),
        ("42P01", StoreError, "lost a table"),
        ("3D000", StoreError, "createdb"),
        ("3F000", StoreError, "no schema"),
        ("XX001", StoreError, "is damaged"),
        ("22003", StoreError, "cannot be used"),
    ],
)
def test_what_is_said_of_errors(state, error, said):
    with open_store(servers.shared().address()) as store:
        found = store._database.translated(
            psycopg.errors.lookup(state)("reason\nsecond line"), committing=False
        )
        assert type(found) is error
        assert said in str(found)
        assert "reason" in str(found) or state == "55P03"
        assert "second" not in str(found)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (sqlite3.DatabaseError("Could not decode to UTF-8 column"), "is damaged"),
        (sqlite3.ProgrammingError("Recursive use of cursors not allowed."), "cannot be used"),
        (sqlite3.InterfaceError("bad parameter or other API misuse"), "cannot be used"),
    ],
)
def test_only_what_is_of_the_file_is_told_as_damage(tmp_path, error, said):
    """Some errors of SQLite's driver come without a code."""
    with open_store(tmp_path / "a.db") as store:
        assert said in str(store._database.translated(error, committing=False))


def test_a_commit_without_an_answer_says_so(monkeypatch):
    """The connection breaks when the commit was sent: it is there or not, and the key settles it."""
    address = servers.shared().address()
    with open_store(address, scale=STARS) as store:
        database, whole = store._database, store._database._commit

        def cut(connection):
            whole(connection)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(database, "_commit", cut)
        with pytest.raises(StoreUnavailableError, match=r"(?s)not known whether.*same key="):
            store.write([Change("ann", "dune", 5)], key="k")
        monkeypatch.setattr(database, "_commit", whole)
        assert store.write([Change("ann", "dune", 5)], key="k").position == 1
        assert store.position == 1


# -- without the extra ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["sqlalchemy", "alembic", "psycopg"])
def test_an_optional_library_that_is_missing(tmp_path, missing):
    place = "postgresql://x/y" if missing == "psycopg" else "shop.db"
    code = f"""
import sys
sys.modules[{missing!r}] = None
from corated.errors import MissingExtraError
try:
    from corated.live.store import open_store
    open_store({place!r})
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "pip install 'corated[serve]'" in done.stdout


def test_an_open_store_needs_no_alembic(tmp_path):
    open_store(tmp_path / "shop.db", scale=STARS).close()
    code = """
import sys
from corated.live.store import open_store
open_store("shop.db").close()
print("alembic" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["False"]
