"""A real PostgreSQL server for tests, from Debian's packages: in a folder of its own, on a socket in it.

`make test` installs it (tools/debian.sh); where it cannot be had, tests skip and say so.
"""

import atexit
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest

WAIT = 60


class PostgresServer:
    """A server that starts, stops and starts again; nothing outside its folder is touched."""

    def __init__(self, programs, *settings, place=None):
        memory = Path("/dev/shm")  # quick, also with every commit synced
        if place is None and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
            place = memory
        self.folder = Path(tempfile.mkdtemp(prefix="corated-pg-", dir=place))
        self._programs, self._settings = programs, settings
        self._as = []
        if shutil.which("setpriv"):
            self._as = ["setpriv", "--pdeathsig=INT"]  # it does not outlive the tests
        if os.geteuid() == 0:  # which the server refuses to run as
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        self._schemas = itertools.count(1)
        self.process = None
        made = [
            "-D",
            str(self.folder / "data"),
            "-U",
            "corated",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        try:
            self._run("initdb", *made)
        except BaseException:
            self.remove()
            raise

    def _command(self, program, *arguments):
        return [*self._as, str(self._programs / program), *arguments]

    def _run(self, program, *arguments):
        done = subprocess.run(
            self._command(program, *arguments), capture_output=True, text=True, check=False, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr

    def start(self):
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "max_connections=60",
            "shared_buffers=32MB",
            *self._settings,
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("postgres", "-D", str(self.folder / "data"), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        ends = time.monotonic() + WAIT
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < ends, (self.folder / "log").read_text()
            time.sleep(0.02)

    def _answers(self):
        import psycopg

        try:
            psycopg.connect(host=str(self.folder), user="corated", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how=signal.SIGINT):
        """Stop it: clients are disconnected (SIGINT), or it stops as in a crash (SIGQUIT)."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=WAIT)
            self.process = None

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, schema=None):
        """Return the address of a schema, a new one if none is named."""
        import psycopg

        if schema is None:
            schema = f"s{next(self._schemas)}"
            with psycopg.connect(host=str(self.folder), user="corated", dbname="postgres") as connection:
                connection.execute(f"CREATE SCHEMA {schema}")
        return (
            f"postgresql://corated@/postgres?host={quote(str(self.folder), safe='')}"
            f"&options={quote(f'-csearch_path={schema}', safe='')}"
        )


DATABASES = ["sqlite", "postgresql"]


def new_place(database, folder, name="store.db"):
    """Return where a store of a kind may be made."""
    return str(folder / name) if database == "sqlite" else shared().address()


def programs():
    """Return the folder of the server's programs; skips where there is none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = [Path(p).resolve().parent for p in [shutil.which("initdb")] if p]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL is not installed: sh tools/debian.sh postgresql")
    return None


def started(*settings, place=None):
    """Return a running server of one's own, which the caller removes.

    place : the folder to make its folder in; None for memory, if there is enough
    """
    server = PostgresServer(programs(), *settings, place=place)
    try:
        server.start()
    except BaseException:
        server.remove()
        raise
    return server


@functools.cache
def _shared():
    server = started()
    atexit.register(server.remove)
    return server


def shared():
    """Return the server that the tests of this process share."""
    programs()  # skips, which a cache would not
    return _shared()
