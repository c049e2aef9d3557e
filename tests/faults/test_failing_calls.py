"""The n-th call that writes fails, for every n: in SQLite, in our own files and in Arrow's alike.

A library made of `shim.c` stands before the system's, so that every library below is reached. After each
failure all that was acknowledged is there, nothing is there by half, and refusals are told in sentences.
"""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import corated as cr
from corated.errors import ModelFileError
from corated.live.restart import read_restart
from corated.live.store import Change, open_store

from .nursery import Nursery
from .workers import MODEL, STARS

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library as Linux does"),
    pytest.mark.jit,  # kernels have no part in this, so once is enough
]

OLD = {("old", f"i{at}"): 4.0 for at in range(40)}
NEW = {("new", "a"): 5.0, ("new", "b"): 5.0}


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler, which makes what lets calls fail")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"what lets calls fail cannot be made: {made.stderr.strip()[:200]}")
    nursery = Nursery(preload=library)
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A store with ratings that were acknowledged before, and the file for the next start beside it."""
    folder = tmp_path_factory.mktemp("begun")
    with cr.open(folder / "shop.db", scale=STARS, model=MODEL, restart=folder / "beside") as db:
        db.write([(*pair, value, 10**15) for pair, value in OLD.items()], key="old")
    lines = [f"{at // 100},{at % 100},3,{at}" for at in range(800)]
    (folder / "beside.csv").write_text("\n".join(["user_id,item_id,rating,timestamp", *lines, ""]))
    return folder


@pytest.fixture
def trial(nursery, begun, tmp_path):
    """A function that lets the n-th call fail; skips where no call can be made to."""

    def made(of, n, number=errno.EIO, *, syncs=False):
        job = {"of": of, "n": n, "number": number, "syncs": syncs}
        done = Trial(nursery, begun, tmp_path / f"{of}-{n}", job)
        if not done.calls:
            pytest.skip("the preloaded library is not called here")
        return done

    return made


def rows_of(store):
    with store.read() as snapshot:
        return {(row["user_id"], row["item_id"]): row["rating"] for row in snapshot.table().to_pylist()}


class Trial:
    """A store, and what became of the steps of `workers.py` on it with the n-th call failing."""

    def __init__(self, nursery, begun, folder, job):
        self.folder, self.path = folder, folder / "shop.db"
        shutil.copytree(begun, folder)
        job |= {"place": str(self.path), "under": str(folder), "beside": str(folder / "beside")}
        ((self.calls, told),) = nursery.told(what="faulty", **job)
        self.told = {name: (outcome, said, hint) for name, outcome, said, hint in told}
        self.refused = {name: said for name, (outcome, said, _) in self.told.items() if outcome == "refused"}
        self.said = f"{job}: {told}"

    def check(self):
        """Look for what was acknowledged, also after what a power cut would leave of the process."""
        for outcome, _, hint in self.told.values():
            assert outcome != "crashed", self.said
            assert outcome == "done" or hint, self.said
        assert len(self.refused) <= 1, self.said  # what comes after it works, on the same store
        with open_store(self.path, create=False) as store:
            rows = rows_of(store)
            assert store.verify() == [], self.said
            self.check_rows(rows)
            # Who was refused writes it again, with the key where it had one, and it is there once.
            before = store.position
            written = store.write([Change("new", "a", 5), Change("new", "b", 5)], key="k")
            acknowledged = "done" in (self.of("write"), self.of("write again"))
            assert store.position == before or not acknowledged, self.said
            assert written.position <= store.position
            assert NEW.items() <= rows_of(store).items(), self.said
        shutil.rmtree(self.folder)

    def of(self, name):
        return self.told.get(name, ("never",))[0]

    def check_rows(self, rows):
        assert OLD.items() <= rows.items(), self.said
        if "done" in (self.of("write"), self.of("write again")):
            assert NEW.items() <= rows.items(), self.said
        assert len(NEW.items() & rows.items()) in (0, 2), self.said
        imported = {pair: value for pair, value in rows.items() if pair not in OLD and pair not in NEW}
        if self.of("import") == "done":
            assert len(imported) == 800, self.said
        assert len(imported) in (0, 800), self.said


def calls_to_fail(n, all_of_them):
    """Every call, or eight of them, the first and the last among these."""
    return range(1, n + 1) if all_of_them else sorted({1 + at * (n - 1) // 7 for at in range(8)})


def failing(trial, work, plain, every):
    """Trials of a work whose n-th call fails, for one n after another."""
    for n in calls_to_fail(plain.calls, every):
        yield trial(work, n, (errno.EIO, errno.ENOSPC)[n % 2])


EVERY = [False, pytest.param(True, marks=pytest.mark.slow)]


@pytest.mark.parametrize("every", EVERY, ids=["some calls", "every call"])
def test_an_import_meets_a_call_that_fails(trial, every):
    plain, refused = trial("import", 0), set()
    plain.check()
    assert not plain.refused and len(plain.told) == 5
    for one in failing(trial, "import", plain, every):
        refused |= set(one.refused)
        one.check()
    assert "import" in refused
    if every:
        assert refused >= {"import", "write"}


@pytest.mark.parametrize("every", EVERY, ids=["some calls", "every call"])
def test_a_snapshot_meets_a_call_that_fails(trial, every):
    """The file for the next start, a backup and an export, through the package's own layer of files."""
    plain, refused = trial("snapshot", 0), set()
    check_files(plain)
    plain.check()
    assert not plain.refused and len(plain.told) == 7
    for one in failing(trial, "snapshot", plain, every):
        refused |= set(one.refused)
        check_files(one)
        one.check()
    assert refused & {"keep", "backup", "export"}
    if every:
        assert refused >= {"write", "keep", "backup", "export"}


@pytest.mark.parametrize("every", EVERY, ids=["some calls", "every call"])
def test_a_command_meets_a_call_that_fails(trial, every):
    plain, refused = trial("command", 0), set()
    plain.check()
    assert not plain.refused and len(plain.told) == 3
    for one in failing(trial, "command", plain, every):
        refused |= set(one.refused)
        for name in ("backup", "export"):
            path = one.folder / {"backup": "beside.backup", "export": "beside.jsonl"}[name]
            assert path.exists() == (one.of(name) == "done"), one.said
        one.check()
    assert refused & {"import", "backup", "export"}
    if every:
        assert refused >= {"import", "backup", "export"}


def test_a_disk_that_does_not_confirm(trial):
    """SQLite notices each sync that fails, and what it was of is refused; the store goes on all the same."""
    calls, said = trial("import", 0, syncs=True).calls, {}
    for n in range(1, calls + 1):
        one = trial("import", n, syncs=True)
        said |= one.refused
        one.check()
    for name in ("import", "write"):
        assert "did not confirm a write" in said[name] and "after a crash it might" in said[name]
        assert "same key=" in said[name]


def check_files(trial):
    """Each file is whole or not there, and nothing begun is left beside it."""
    names = {path.name for path in trial.folder.iterdir()}
    allowed = {
        "shop.db",
        "shop.db-wal",
        "shop.db-shm",
        "beside",
        "beside.csv",
        "beside.backup",
        "beside.jsonl",
    }
    assert names <= allowed, trial.said
    for name in ("backup", "export"):
        path = trial.folder / {"backup": "beside.backup", "export": "beside.jsonl"}[name]
        assert path.exists() == (trial.of(name) == "done"), trial.said
    try:
        assert read_restart(trial.folder / "beside").position >= len(OLD)
    except ModelFileError as error:
        raise AssertionError(trial.said) from error
    if trial.of("backup") == "done":
        with open_store(trial.folder / "beside.backup", create=False) as copy:
            assert copy.verify() == [], trial.said
    if trial.of("export") == "done":
        assert len((trial.folder / "beside.jsonl").read_text().splitlines()) == len(OLD) + 2 * (
            trial.of("write") == "done"
        ), trial.said
    with cr.open(trial.path, model=MODEL, restart=trial.folder / "beside") as db:
        assert db.verify(users=3).ok, trial.said
