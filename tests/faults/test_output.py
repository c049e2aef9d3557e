"""Output that cannot be written: the old file stays whole, the error says why, nothing is left behind."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from corated.errors import OutputError, ParameterError
from corated.neighborhood.all_pairs import all_pairs
from corated.output import atomic_path
from corated.ratings.ratings import Ratings

LONG = 60

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits, signals and mounts as POSIX has them")

# Ratings whose pairs take far more than a few kilobytes.
SETUP = """
import sys, time
import numpy as np
from corated.errors import OutputError
from corated.neighborhood.all_pairs import all_pairs
from corated.output import atomic_path
from corated.ratings.ratings import Ratings

def made(n_users):
    rng = np.random.default_rng(1)
    users, items = np.divmod(rng.choice(n_users * 50, n_users * 20, replace=False), 50)
    return Ratings.from_arrays(users, items, rng.integers(0, 11, len(users)), scale=(0, 10, 1))

target = sys.argv[1]
"""
LIMITED = """
import resource, signal
def limit(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
"""


def python(code, *args):
    command = [sys.executable, "-c", SETUP + code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)


def small():
    return Ratings.from_arrays([1, 2, 3], [1, 1, 1], [3, 4, 5])


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "pairs.parquet"
    path.write_bytes(b"old")
    return path


def is_whole(old):
    return old.read_bytes() == b"old" and [path.name for path in old.parent.iterdir()] == [old.name]


WRITES = {
    "all pairs": """
all_pairs(made(50), to=WARM)  # kernels are compiled, and kept, before the limit
limit(20_000)
try:
    all_pairs(made(1_000), to=target, measure="pearson")
except OutputError as error:
    print(error)
""",
    "plain file": """
limit(20_000)
try:
    with atomic_path(target) as path, path.open("wb") as file:
        for _ in range(100):
            file.write(bytes(1_000))
except OutputError as error:
    print(error)
""",
}


@pytest.mark.parametrize("what", [pytest.param("all pairs", marks=pytest.mark.jit), "plain file"])
def test_the_disk_takes_no_more(old, tmp_path_factory, what):
    """A limit on the size of files stands in for a full disk: a write fails in the middle."""
    warm = tmp_path_factory.mktemp("warm") / "pairs.parquet"
    done = python(f"WARM = {str(warm)!r}\n" + LIMITED + WRITES[what], old)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"The output {old} could not be written: File too large.")
    assert "the file that stood there before is unharmed" in done.stdout
    assert is_whole(old)


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 kB; skips where one cannot be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.jit
def test_a_full_disk(tiny_disk):
    old = tiny_disk / "pairs.parquet"
    old.write_bytes(b"old")
    with pytest.raises(OutputError, match="No space left on device"):
        all_pairs(dense(), to=old, measure="pearson")
    assert is_whole(old)
    all_pairs(small(), to=old)  # there is room again
    assert old.read_bytes()[:4] == b"PAR1"


def dense():
    users, items = np.divmod(np.arange(400 * 30), 30)
    return Ratings.from_arrays(users, items, np.random.default_rng(1).integers(0, 11, len(users)))


def test_a_folder_that_does_not_exist(tmp_path):
    target = tmp_path / "none" / "pairs.parquet"
    with pytest.raises(OutputError, match=f"does not exist.*\n.*mkdir -p {tmp_path}/none"):
        all_pairs(small(), to=target)
    assert not target.parent.exists()


def test_a_folder_that_is_a_file(old):
    with pytest.raises(OutputError, match=f"{old} is a file"):
        all_pairs(small(), to=old / "pairs.parquet")
    with pytest.raises(OutputError), atomic_path(old / "deeper" / "pairs.parquet"):
        raise AssertionError("never inside")
    assert is_whole(old)


def test_a_folder_as_the_target(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        all_pairs(small(), to=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
def test_a_device_is_not_replaced(device):
    with pytest.raises(OutputError, match="not a regular file"), atomic_path(device):
        raise AssertionError("never inside")


def test_a_link_that_goes_nowhere(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "none" / "file")
    with pytest.raises(OutputError, match="does not exist"), atomic_path(link):
        raise AssertionError("never inside")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(old):
    old.parent.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            all_pairs(small(), to=old)
    finally:
        old.parent.chmod(0o755)
    assert is_whole(old)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),  # the log that the caller writes to
        PermissionError(13, "Permission denied", "log.txt"),
        ConnectionResetError(104, "Connection reset by peer"),
        OutputError("The log is full."),
    ],
)
def test_an_error_of_the_callers_progress_is_not_blamed_on_the_output(old, error):
    def progress(done, total):
        raise error

    with pytest.raises(OSError) as raised:
        all_pairs(small(), to=old, progress=progress)
    assert raised.value is error
    assert is_whole(old)


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.TSV", "a.b.jsonl", "pairs.txt", "x.feather", "x.arrow"])
def test_a_name_that_promises_another_format(tmp_path, name):
    with pytest.raises(ParameterError, match="what is written is Parquet") as raised:
        all_pairs(small(), to=tmp_path / name)
    assert str((tmp_path / name).with_suffix(".parquet")) in raised.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pairs", "pairs.parquet", "pairs.pq", "pairs.2024", "csv"])
def test_other_names_are_taken(tmp_path, name):
    all_pairs(small(), to=tmp_path / name)
    assert (tmp_path / name).read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize("to", [None, 5, b"pairs.parquet", "", ["pairs.parquet"], True])
def test_what_is_no_path(to, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=r"to=.* is no path.\nExpected: .*\nNext step: ") as raised:
        all_pairs(small(), to=to)
    assert repr(to) in raised.value.what
    assert list(tmp_path.iterdir()) == []


def test_the_path_is_shown_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="The output folder none does not exist"):
        all_pairs(small(), to="none/pairs.parquet")


KILLED = {
    "all pairs": """
def progress(done, total):
    print("working", flush=True)
    time.sleep(600)
all_pairs(made(100), to=target, progress=progress)
""",
    "plain file": """
with atomic_path(target) as path, path.open("wb") as file:
    file.write(bytes(100_000))
    file.flush()
    print("working", flush=True)
    time.sleep(600)
""",
}


def start(code, old):
    process = subprocess.Popen(
        [sys.executable, "-c", SETUP + code, str(old)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    if line != "working\n":
        process.kill()
        raise AssertionError(process.communicate()[1])
    return process


@pytest.mark.parametrize("what", KILLED)
def test_killed_in_the_middle(old, what):
    process = start(KILLED[what], old)
    process.kill()
    process.communicate(timeout=LONG)
    assert process.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"old"  # what was begun beside it may remain
    all_pairs(small(), to=old)
    assert old.read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize("what", KILLED)
def test_interrupted_in_the_middle(old, what):
    process = start(KILLED[what], old)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LONG)
    assert process.returncode == -signal.SIGINT
    assert errors.strip().endswith("KeyboardInterrupt")
    assert is_whole(old)
