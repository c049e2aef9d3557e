"""A process that loads everything once and forks workers for lines of JSON, to be killed or to meet faults.

It prints "worker PID", what the worker says, a line each, and "end". It imports nothing of the tests.
"""

import ctypes
import json
import os
import sys
import threading
import traceback
import warnings
from pathlib import Path

import numpy as np

import corated as cr
from corated.errors import CoratedError
from corated.live import _migrate
from corated.live._schema import REVISION
from corated.live.store import Change, open_store

NEXT = str(int(REVISION) + 1)
MODEL = cr.Popularity()
STARS = (1, 5, 1)


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def many(k, n=5_000, *, timed=False):
    """Ratings of one value that tells which import they are of."""
    users, items = (column.astype(str) for column in np.divmod(np.arange(n), 100))
    times = {"times": np.arange(n), "time_unit": "s"} if timed else {}
    return cr.Ratings.from_arrays(users, items, np.full(n, 1 + k % 5), scale=STARS, ids="text", **times)


# -- to be killed: each says "done K" when K is acknowledged ---------------------------------------------


def write(job):
    store, tag, k = open_store(job["place"]), job["tag"], 0
    while True:
        changes = [Change(f"{tag}-{side}", f"i{k}", 1 + k % 5, k) for side in "ab"]
        store.write(changes, key=f"{tag}-{k}")
        say("done", k)
        k += 1


def import_(job):
    store, k = open_store(job["place"]), 0
    while True:
        store.import_(many(k))
        say("done", k)
        k += 1


def snapshot(job):
    """The file for the next start is written after every rating, and now and then a backup."""
    db, k = cr.open(job["place"], model=MODEL, restart=job["beside"]), 0
    while True:
        db.write([(f"{job['tag']}-{side}", f"i{k}", 1 + k % 5) for side in "ab"], key=f"{job['tag']}-{k}")
        db.keep()
        say("done", k)
        if k % 5 == 4:
            db.backup(job["beside"] + ".backup")
        k += 1


def compact(job):
    """The index is compacted all the time; the log is trimmed and, in SQLite, written into the file."""
    db, k = cr.open(job["place"], model=MODEL, restart=job["beside"]), 0

    def compact_on():
        while True:
            if db.position:
                db.index.compact()

    threading.Thread(target=compact_on, daemon=True).start()
    while True:
        db.write([(f"{job['tag']}-{side}", f"i{k}", 1 + k % 5) for side in "ab"])
        say("done", k)
        db.recommend(f"{job['tag']}-a")
        if k % 3 == 2:
            db.store.trim(max(0, db.position - 4))
            db.store._database.forget_pages()
        k += 1


def with_next_revision(folder):
    """Have the package know one more revision of the tables, made up for the tests."""
    _migrate._MIGRATIONS, _migrate.REVISION = Path(folder), NEXT


def migrate(job):
    """Up to the next revision and down again, with all rows; a rating is written at each stop."""
    with_next_revision(job["migrations"])
    store, k = open_store(job["place"]), 0
    while True:
        store.write([Change(job["tag"], f"i{k}", 1 + k % 5, k)])
        say("done", 2 * k)
        _migrate.migrate(store._database, "head" if k % 2 == 0 else REVISION)
        say("done", 2 * k + 1)
        k += 1


def make(job):
    """All tables are made, filled and removed."""
    store, k = open_store(job["place"]), 0
    while True:
        _migrate.migrate(store._database, "base")
        say("done", 3 * k)
        _migrate.migrate(store._database, "head")
        say("done", 3 * k + 1)
        with open_store(job["place"]) as anew:
            anew.import_(many(k))
        say("done", 3 * k + 2)
        k += 1


# -- to meet a fault: each tells as JSON what it tried -------------------------------------------------------


def faulty(job):
    """Try steps one after the other, with the n-th call of all failing; tell what came of each."""
    shim = ctypes.CDLL(None)
    told = []

    def tried(name, step):
        try:
            step()
        except CoratedError as error:
            told.append([name, "refused", str(error), error.hint])
        except Exception:  # noqa: BLE001 - told to the test, which fails
            told.append([name, "crashed", traceback.format_exc(), ""])
        else:
            told.append([name, "done", "", ""])

    warnings.simplefilter("ignore", cr.errors.CoratedNotice)
    ratings, steps = many(2, 800, timed=True), STEPS[job["of"]]
    shim.fault_at(job["under"].encode(), ctypes.c_long(job["n"]), job["number"], job["syncs"])
    try:
        steps(job, tried, ratings)
    finally:
        calls = shim.fault_count()
        shim.fault_at(b"", ctypes.c_long(0), 0, 0)
    say("told", json.dumps([calls, told]))


def import_steps(job, tried, ratings):
    kept = {}

    def begin():
        kept["db"] = open_store(job["place"])

    tried("open", begin)
    if "db" in kept:
        store = kept["db"]
        tried("import", lambda: store.import_(ratings))
        tried("write", lambda: store.write([Change("new", "a", 5), Change("new", "b", 5)], key="k"))
        tried("write again", lambda: store.write([Change("new", "a", 5), Change("new", "b", 5)], key="k"))
        tried("close", store.close)


def snapshot_steps(job, tried, ratings):
    kept = {}

    def begin():
        kept["db"] = cr.open(job["place"], model=MODEL, restart=job["beside"])

    tried("open", begin)
    if "db" in kept:
        db = kept["db"]
        tried("write", lambda: db.write([("new", "a", 5), ("new", "b", 5)], key="k"))
        tried("keep", db.keep)
        tried("backup", lambda: db.backup(job["beside"] + ".backup"))
        tried("export", lambda: db.export(job["beside"] + ".jsonl"))
        tried("write again", lambda: db.write([("new", "a", 5), ("new", "b", 5)], key="k"))
        tried("close", db.close)


def command_steps(job, tried, ratings):
    """The same through the command line, in this process: an exit code and a sentence, never a traceback."""
    from click.testing import CliRunner

    from corated.cli.app import app

    def run(*args):
        result = CliRunner().invoke(app, [*args, "--store", job["place"]], prog_name="corated")
        if not isinstance(result.exception, SystemExit | None) or "Traceback" in result.output:
            raise RuntimeError(result.output) from result.exception
        if result.exit_code:
            said, _, hint = result.output.partition("Next step: ")
            raise CoratedError(said, hint=hint)

    tried("import", lambda: run("import", job["beside"] + ".csv"))
    tried("backup", lambda: run("backup", job["beside"] + ".backup"))
    tried("export", lambda: run("export", job["beside"] + ".jsonl"))


STEPS = {"import": import_steps, "snapshot": snapshot_steps, "command": command_steps}
WORK = {"write": write, "import": import_, "snapshot": snapshot, "compact": compact, "migrate": migrate}
WORK |= {"make": make, "faulty": faulty}


def main():
    index = cr.LiveIndex.empty(scale=STARS, model=MODEL)  # so that no worker waits for kernels
    index.write([(user, item, 3) for user in "ab" for item in "xyz"] + [("c", "x", 3)])
    index.recommend("c")
    index.compact()
    for line in sys.stdin:
        job = json.loads(line)
        worker = os.fork()
        if worker == 0:
            try:
                WORK[job["what"]](job)
            except BaseException:  # noqa: BLE001 - nothing of the parent goes on in a worker
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(0)
        say("worker", worker)
        os.waitpid(worker, 0)
        say("end")


if __name__ == "__main__":
    main()
