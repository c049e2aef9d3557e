"""Stores whose disks are full, whose files are damaged, whose servers go away.

What was acknowledged is there, nothing is there by half, and whatever cannot be done is told in a sentence.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from corated.errors import CoratedError, OutputError, StoreError, StoreUnavailableError
from corated.live.store import Change, open_store
from corated.ratings.ratings import Ratings

from .. import servers

STARS = (1, 5, 1)

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals, limits and mounts as POSIX has them"),
    pytest.mark.jit,  # kernels have no part in this, so once is enough
]


def rows_of(store):
    with store.read() as snapshot:
        return {(row["user_id"], row["item_id"]): row["rating"] for row in snapshot.table().to_pylist()}


# -- disks ------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 1 MB; skips where one cannot be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def write_until_refused(store, limit=10_000):
    """Write until there is no room; return how many writes were acknowledged, and the error."""
    for k in range(limit):
        try:
            store.write([Change(f"u{k % 7}", f"i{k}-{at}", 3, 0) for at in range(50)], key=f"k{k}")
        except StoreError as error:
            return k, error
    raise AssertionError("there was room for everything")


def is_as_acknowledged(store, writes):
    assert store.position == 50 * writes
    assert set(rows_of(store)) == {(f"u{k % 7}", f"i{k}-{at}") for k in range(writes) for at in range(50)}
    assert store.verify() == []


def test_a_full_disk(tiny_disk):
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    n = 20_000
    big = Ratings.from_arrays(
        np.arange(n).astype(str), ["x"] * n, [3] * n, range(n), time_unit="s", ids="text"
    )
    with open_store(tiny_disk / "shop.db", scale=STARS) as store:
        writes, error = write_until_refused(store)
        assert writes > 0
        assert "no room left; nothing of this was written" in str(error)
        assert "Next step: make room" in str(error)
        is_as_acknowledged(store, writes)
        with pytest.raises(StoreError, match="no room left"):
            store.import_(big)
        is_as_acknowledged(store, writes)
        with pytest.raises(OutputError, match="could not be written"):
            store.backup(tiny_disk / "backup.db")
        ballast.unlink()
        assert store.write([Change("u", "i", 3)], key=f"k{writes}").applied == 1
    with open_store(tiny_disk / "shop.db", create=False) as store:
        assert store.info.n_ratings == 50 * writes + 1
        assert store.verify() == []


def test_a_disk_that_became_read_only(tiny_disk):
    open_store(tiny_disk / "shop.db", scale=STARS).close()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(StoreError, match="may not be written to"):
        open_store(tiny_disk / "shop.db")
    with pytest.raises(StoreError, match="may not be written to"):
        open_store(tiny_disk / "new.db")


LIMITED = """
import resource, signal, sys
from corated.errors import StoreError
from corated.live.store import Change, open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store(sys.argv[1], scale=(1, 5, 1))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for k in range(10_000):
    try:
        store.write([Change(f"u{k % 7}", f"i{k}-{at}", 3, 0) for at in range(50)], key=f"k{k}")
    except StoreError as error:
        print(k)
        print(error)
        break
"""


def test_a_limit_on_the_size_of_files(tmp_path):
    path = tmp_path / "shop.db"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path], capture_output=True, text=True, check=True, timeout=60
    )
    writes, said = done.stdout.split("\n", 1)
    assert "nothing of this was written" in said
    assert "limit on the size of files" in said
    with open_store(path, create=False) as store:
        is_as_acknowledged(store, int(writes))


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StoreError, match="may not be written to"):
            open_store(tmp_path / "shop.db")
    finally:
        tmp_path.chmod(0o755)


# -- damage -----------------------------------------------------------------------------------------------


@pytest.fixture
def intact(tmp_path):
    """The bytes of a store."""
    path = tmp_path / "intact.db"
    with open_store(path, scale=STARS, user_ids="integer") as store:
        store.write([Change(u, f"i{at}", 1 + at % 5, at) for u in range(20) for at in range(30)], key="k")
    return path.read_bytes()


def use_all(path):
    """Do everything there is; return whether a damage was told, by an error or by verify."""
    told = False
    try:
        with open_store(path, create=False) as store:
            told = bool(store.verify())
            for use in (
                lambda: rows_of(store),
                lambda: store.changes(0),
                lambda: store.info,
                store.catalog,
                lambda: store.write([Change(5, "i3", 2)], key="k2"),
                lambda: store.read().ratings(),
                lambda: store.backup(path.with_suffix(".copy")),
                lambda: store.erase(7),
                lambda: store.trim(100),
            ):
                try:
                    use()
                except CoratedError:
                    told = True
    except StoreError as error:
        assert error.hint
        told = True
    return told


@pytest.mark.parametrize("rounds", [40, pytest.param(2_000, marks=pytest.mark.slow)])
def test_damaged_files_are_told_in_sentences(tmp_path, intact, rounds):
    """Bits, pages and ends are changed at random: no exception but ours, no crash, no hang."""
    rng, path, told = random.Random(rounds), tmp_path / "shop.db", 0
    for _ in range(rounds):
        damaged = bytearray(intact)
        how = rng.choice(["bits", "page", "end", "start"])
        if how == "bits":
            for _ in range(rng.randint(1, 200)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        elif how == "page":
            at = rng.randrange(len(damaged) // 4096) * 4096
            damaged[at : at + 4096] = rng.randbytes(4096) if rng.random() < 0.5 else bytes(4096)
        elif how == "end":
            del damaged[rng.randrange(len(damaged)) :]
        else:
            damaged[: rng.randint(1, 100)] = rng.randbytes(100)
        for left in tmp_path.glob("shop.*"):
            left.unlink()
        path.write_bytes(damaged)
        told += use_all(path)
    assert told > rounds * 0.7  # a changed letter of an id is a letter


def test_what_is_said_of_a_damaged_file(tmp_path, intact):
    path = tmp_path / "shop.db"
    path.write_bytes(intact[: len(intact) // 2])
    said = r"(?s)is damaged.*put a backup.*sqlite3 .*shop.db \.recover"
    with pytest.raises(StoreError, match=said), open_store(path) as store:
        rows_of(store)


def test_a_log_of_pages_without_an_end(tmp_path):
    """What a power cut leaves: the last pages of the log are missing or nonsense. The rest is whole."""
    path, wal = tmp_path / "shop.db", tmp_path / "shop.db-wal"
    store = open_store(path, scale=STARS)
    for k in range(30):
        store.write([Change(side, f"i{k}", 3) for side in "ab"])
    base, log = path.read_bytes(), wal.read_bytes()  # as it is on the disk at this moment
    store.close()
    rng, found = random.Random(5), []
    for at in range(15):
        cut = len(log) - rng.randrange(len(log) // 2)
        copy = tmp_path / f"{at}.db"
        copy.write_bytes(base)
        copy.with_name(copy.name + "-wal").write_bytes(log[:cut] + rng.randbytes(rng.randrange(500)))
        with open_store(copy, create=False) as left:
            rows = rows_of(left)
            assert left.verify() == []
            assert left.position == len(rows)
        items = {item for side, item in rows if side == "a"}
        assert items == {item for side, item in rows if side == "b"} == {f"i{k}" for k in range(len(items))}
        found.append(len(items))
    assert len(set(found)) > 5


def test_a_reader_beside_a_stranger_who_writes(tmp_path):
    """Another program opens the file with its own settings; ours waits and goes on."""
    path = tmp_path / "shop.db"
    with (
        open_store(path, scale=STARS) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert store.position == 0
        other.execute("COMMIT")
        assert store.write([Change("ann", "dune", 3)]).position == 1


# -- a server that goes away --------------------------------------------------------------------------------


def test_a_server_that_stops_and_starts_under_load():
    """Once it is stopped, once it crashes. Writes fail with an error, and succeed when it is back."""
    server = servers.started("max_connections=30")
    try:
        address = server.address()
        with open_store(address, scale=STARS) as store:
            stop, written, failures = threading.Event(), {}, []

            def write(who):
                k = 0
                while not stop.is_set():
                    try:
                        done = store.write([Change(f"u{who}", f"i{k}", 1 + k % 5)], key=f"{who}-{k}")
                    except StoreUnavailableError as error:
                        failures.append(str(error))
                        time.sleep(0.01)
                        continue  # the same again, with the same key
                    written[who, k] = done.position
                    k += 1

            threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
            for thread in threads:
                thread.start()
            try:
                for how in (signal.SIGINT, signal.SIGQUIT):
                    wait_for_more(written, 20)
                    server.stop(how)
                    wait_for_more(failures, 3)
                    server.start()
                wait_for_more(written, 20)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            assert store.position == len(written)  # none lost, none twice
            assert sorted(written.values()) == list(range(1, len(written) + 1))
            rows = rows_of(store)
            assert rows == {(f"u{who}", f"i{k}"): 1.0 + k % 5 for who, k in written}
            assert store.verify() == []
            assert any("cannot be reached" in said for said in failures)
            assert all("try again" in said or "write it again" in said for said in failures)
    finally:
        server.remove()


def wait_for_more(found, n, seconds=60):
    enough, ends = len(found) + n, time.monotonic() + seconds
    while len(found) < enough:
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_connection_that_is_cut(tmp_path):
    """The server ends our session in the middle of a transaction; the next one is made anew."""
    import psycopg

    server = servers.shared()
    with open_store(server.address(), scale=STARS) as store:
        store.write([Change("ann", "dune", 3)])
        cut = pytest.raises(StoreUnavailableError, match="cannot be reached")
        with cut, store._database.writing() as cursor:
            cursor.execute(store._database.statements.move, (99, 99))
            with psycopg.connect(host=str(server.folder), user="corated", dbname="postgres") as other:
                other.execute("SELECT pg_terminate_backend(%s)", (cursor.connection.info.backend_pid,))
            cursor.execute(store._database.statements.look)
        assert store.position == 1
        with store.read(batch=1) as snapshot:
            assert len(list(snapshot)) == 1
        assert store.write([Change("ann", "dune", 4)]).position == 2
