"""Kept kernels that are damaged, and folders that take none: compiled anew with a notice, not an error."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from corated.errors import CoratedNotice
from corated.similarity import jit
from corated.similarity.jit import damaged_kernels

pytestmark = pytest.mark.jit

SCRIPT = """
import json, sys, warnings
from corated.errors import CoratedNotice

warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as seen:
    from corated.similarity.jit import kernel

    @kernel
    def inner(x):
        return x + x

    @kernel
    def outer(x):
        return inner(x) * 3

    answers = [outer({"int": 7, "float": 0.25}[kind]) for kind in sys.argv[1:]]
notices = [str(one.message) for one in seen if issubclass(one.category, CoratedNotice)]
hits = sum(outer.stats.cache_hits.values())
print(json.dumps({"answers": answers, "notices": notices, "hits": hits}))
"""
ANSWERS = {"int": 42, "float": 1.5}
LIMIT = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
LIMIT += "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def start(tmp_path, cache):
    """Start a process that has two small kernels and calls them, on an int and a float."""
    script = tmp_path / "kernels_of_mine.py"
    environment = {**os.environ, "CORATED_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)

    def call(*kinds, before=""):
        script.write_text(before + SCRIPT)  # names of kept files have the line in them
        return subprocess.Popen(
            [sys.executable, str(script), *kinds],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return call


def told(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture
def use(start):
    """Run such a process; the answers are right, whatever it finds. Returns (notices, hits)."""

    def call(*kinds, before=""):
        kinds = kinds or ("int", "float")
        found = told(start(*kinds, before=before))
        assert found["answers"] == [ANSWERS[kind] for kind in kinds]
        return found["notices"], found["hits"]

    return call


def files(cache, ending):
    found = sorted(cache.rglob(f"*{ending}"))
    assert found
    return found


DAMAGES = {
    "empty": lambda data: b"",
    "junk": lambda data: b"\x93NUMPY junk" * 20,
    "half": lambda data: data[: len(data) // 2],
}
TELLING = {("empty", ".nb?"), ("junk", ".nbi"), ("half", ".nbc")}
"""Each damage once and each file once; all of them with the slow tests."""


def test_kernels_are_kept(use, cache):
    assert use() == ([], 0)
    assert use() == ([], 2)
    assert damaged_kernels(cache) == []


@pytest.mark.parametrize(
    ("damage", "ending"),
    [
        pytest.param(
            damage, ending, marks=() if (damage, ending) in TELLING else pytest.mark.slow, id=damage + ending
        )
        for damage in DAMAGES
        for ending in (".nbi", ".nbc", ".nb?")
    ],
)
def test_damaged_kernels_are_compiled_anew_with_one_notice(use, cache, damage, ending):
    use()
    for path in files(cache, ending):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert [name.split("-")[0] for name in damaged_kernels(cache)] == [
        "kernels_of_mine.inner",
        "kernels_of_mine.outer",
    ]
    (notice,), hits = use()
    assert hits == 0
    assert notice.startswith(f"Compiled kernels kept in {cache}") and "cannot be loaded" in notice
    assert "delete that folder" in notice
    assert damaged_kernels(cache) == []
    assert use() == ([], 2)


def test_data_without_its_index_and_an_index_without_its_data(use, cache):
    use()
    for path in files(cache, ".nbc"):
        path.unlink()
    assert use() == ([], 0)
    for path in files(cache, ".nbi"):
        path.unlink()
    assert use() == ([], 0)
    assert use() == ([], 2)


def test_kernels_of_another_signature_under_the_name(use, cache):
    """What two processes that fill one cache at once may leave."""
    use()
    first, second = files(cache, "outer*.nbc")
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert use() == ([], 0)
    assert use() == ([], 2)


def test_an_index_of_another_version_is_not_damage(use, cache, monkeypatch):
    use()
    monkeypatch.setattr(jit, "_numba_version", "0.1")
    for path in files(cache, ".nbc"):
        path.write_bytes(b"")
    assert damaged_kernels(cache) == []


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_files_that_cannot_be_kept(use, cache):
    """A limit on the size of files stands in for a full disk."""
    (notice,), _ = use(before=LIMIT)
    assert notice.startswith(f"Compiled kernels cannot be kept in {cache}") and "File too large" in notice
    assert "set CORATED_CACHE" in notice
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_damaged_kernels_that_cannot_be_kept_either(use, cache):
    use()
    for path in files(cache, ".nb?"):
        path.write_bytes(b"")
    notices, hits = use(before=LIMIT)
    assert hits == 0
    assert len(notices) == 2 and "cannot be loaded" in notices[0] and "cannot be kept" in notices[1]


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk(use, cache):
    with mounted(cache, "size=16k"):
        (cache / "full").write_bytes(bytes(12_000))
        notices, _ = use()
        assert len(notices) == 1 and "No space left on device" in notices[0]


@pytest.mark.skipif(os.name != "posix", reason="mounts and permissions of POSIX")
def test_a_folder_that_is_read_only(use, cache, tmp_path):
    with mounted(cache, "size=1m"):
        (notices, _) = use()
        assert notices == []
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        (notice,), _ = use()
        assert "no folder to keep compiled kernels in" in notice and "CORATED_CACHE" in notice
        assert not list((tmp_path / "__pycache__").glob("*.nb?"))


def test_kernels_are_not_put_elsewhere(use, cache, tmp_path):
    """Numba would take a folder beside the source, which knows nothing of the sources that are called."""
    use()
    (folder,) = {path.parent for path in files(cache, ".nbi")}
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    (notice,), _ = use()
    assert "no folder to keep compiled kernels in" in notice
    assert not list((tmp_path / "__pycache__").glob("*.nb?"))


def test_processes_that_fill_one_cache_at_once(start, use):
    orders = (("int", "float"), ("float", "int"), ("int", "float"))
    for process, order in [(start(*order), order) for order in orders]:
        found = told(process)
        assert found["answers"] == [ANSWERS[kind] for kind in order]
        assert found["notices"] == []
    assert use()[0] == []  # whatever names were mixed up is put right
    assert use() == ([], 2)


def test_insides_of_numba_that_are_not_known(monkeypatch):
    class Dispatcher:
        __slots__ = ("_cache",)

    unknown = Dispatcher()
    assert jit._forgiving(unknown) is unknown
    unknown._cache = object()
    assert jit._forgiving(unknown)._cache is not None and not isinstance(unknown._cache, jit._Cache)

    class Broken:
        cache_path = "somewhere"

        def load_overload(self, signature, context):
            raise EOFError

        save_overload = load_overload

    monkeypatch.setattr(jit, "_said", set())
    unknown._cache = Broken()
    cache = jit._forgiving(unknown)._cache
    assert cache.cache_path == "somewhere"
    with pytest.warns(CoratedNotice, match=r"somewhere cannot be loaded \(EOFError\)"):
        assert cache.load_overload((), None) is None
    with pytest.warns(CoratedNotice, match="cannot be kept in somewhere"):
        cache.save_overload((), None)


class mounted:
    """A small file system in memory; skips where one cannot be mounted."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", str(self.folder)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no mount command")
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted: {done.stderr.decode().strip()}")

    def __exit__(self, *error):
        subprocess.run(["umount", str(self.folder)], check=True)
