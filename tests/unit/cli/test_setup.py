"""sample, fetch and doctor."""

import sys

import pytest

import corated
import corated as cr
from corated.ratings.fetch import DATASETS


def test_sample_writes_what_the_library_invents(run, tmp_path):
    out = run(
        "sample", "--users", 30, "--items", 20, "--ratings", 200, "--seed", 5, "-o", tmp_path / "new" / "demo"
    )
    assert "200 ratings by 30 users of 20 items" in out.out and "Next: corated recommend " in out.out
    cr.sample(users=30, items=20, ratings=200, seed=5).write(tmp_path / "again")
    for name in ("ratings.dat", "movies.dat"):
        assert (tmp_path / "new" / "demo" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_sample_by_size_and_as_json(run, tmp_path):
    found = run("sample", "--size", "small", "-o", tmp_path, "--json").json
    assert (found["users"], found["items"], found["ratings"]) == (600, 400, 12_000)
    assert found["ratings_path"] == str(tmp_path / "ratings.dat")


def test_sample_does_not_replace_ratings_unasked(run, tmp_path):
    mine = tmp_path / "ratings.dat"
    mine.write_text("precious")
    err = run("sample", "--size", "small", "-o", tmp_path, code=1).err
    assert "has ratings.dat already" in err and "--overwrite" in err
    assert mine.read_text() == "precious"
    run("sample", "--size", "small", "-o", tmp_path, "--overwrite")
    assert mine.read_text() != "precious"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--users", "5"], "--items"),
        (["--size", "small", "--users", "5", "--items", "5", "--ratings", "9"], "Leave one of them out"),
        (["--users", "5", "--items", "5", "--ratings", "99"], "25"),
        (["--seed", "-1"], "--seed -1 cannot be used"),
        (["--size", "huge"], "'huge'"),
    ],
)
def test_sample_refuses_numbers_that_cannot_be(run, tmp_path, args, told):
    err = run("sample", *args, "-o", tmp_path, code=2).err
    assert told.lower() in err.lower()


def test_sample_into_a_file_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "could not be written" in run("sample", "--size", "small", "-o", tmp_path / "file", code=1).err


def test_fetch_lists_and_refuses(run, tmp_path):
    (tmp_path / "ml-100k").mkdir()
    rows = run("fetch", "--list", "--folder", tmp_path, "--json").json["datasets"]
    assert {row["name"]: row["folder"] for row in rows}["ml-100k"] == str(tmp_path / "ml-100k")
    listing = run("fetch", "--list").out
    for name, info in DATASETS.items():
        (row,) = [row for row in rows if row["name"] == name]
        assert (row["license"], row["source"]) == (info.license, info.source)
        (line,) = [line for line in listing.splitlines() if line.startswith(f"{name} ")]
        assert info.license in line and info.source in line
    assert "leave NAME out" in run("fetch", "ml-100k", "--list", code=2).err
    assert "movietweetings" in run("fetch", code=2).err
    assert "There is no data set named 'nope'" in run("fetch", "nope", code=2).err


def test_fetch_tells_where_the_data_are_and_their_license(run, tmp_path, monkeypatch):
    from corated.ratings.fetch import Dataset

    asked = {}

    def found(name, **options):
        asked.update(options)
        folder = tmp_path / name
        return Dataset(
            name, folder, folder / "u.data", folder / "u.item", "some terms", "https://example.org"
        )

    monkeypatch.setattr(corated, "fetch", found)
    out = run("fetch", "ml-100k", "--folder", tmp_path, "--accept-license").out
    assert asked["folder"] == str(tmp_path) and asked["accept_license"] is True
    assert "some terms" in out and f"Next: corated check {tmp_path}" in out
    assert run("fetch", "ml-100k", "--json").json["license"] == "some terms"


def test_a_download_that_fails_is_told(run, tmp_path, monkeypatch):
    from corated.errors import DownloadError

    def failing(name, **options):
        raise DownloadError("The data set could not be fetched.", hint="Try again later.")

    monkeypatch.setattr(corated, "fetch", failing)
    assert "Next step: try again later." in run("fetch", "ml-100k", code=1).err


def test_doctor_tells_what_there_is(run, monkeypatch, tmp_path):
    monkeypatch.setenv("CORATED_CACHE", str(tmp_path / "cache"))
    out = run("doctor").out
    for word in ("corated ", "python ", "numba ", "cores ", "memory ", "cache ", "kernels "):
        assert word in out
    found = run("doctor", "--json").json
    assert found["cache"] == {"folder": str(tmp_path / "cache"), "writable": True, "problem": None}
    assert not (tmp_path / "cache").exists() or not any((tmp_path / "cache").glob("tmp*"))
    assert found["libraries"]["numba"] and found["kernels"]["warm_seconds"] is None


def test_the_memory_that_is_told_is_that_of_the_plan(monkeypatch):
    from corated.cli.machine import memory_bytes

    monkeypatch.setattr("corated.neighborhood.plan.available_memory", lambda: 12_345)
    assert memory_bytes()[1] == 12_345
    monkeypatch.setitem(sys.modules, "corated.neighborhood.plan", None)  # a library that it needs is missing
    assert memory_bytes()[1] is None


def test_doctor_names_what_is_missing(run, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    monkeypatch.setenv("CORATED_CACHE", str(blocked / "cache"))
    monkeypatch.setitem(sys.modules["corated.cli.doctor"]._OPTIONAL, "no-such-library", "something")
    out = run("doctor").out
    assert "CANNOT BE WRITTEN: set CORATED_CACHE" in out
    assert "no-such-library is not here, for something: pip install no-such-library" in out
    monkeypatch.setattr("corated.cli.doctor._LIBRARIES", ("numpy", "nosuchlibrary"))
    out = run("doctor", code=1).out
    assert "nosuchlibrary MISSING" in out and "Next step: pip install nosuchlibrary" in out


@pytest.mark.jit
def test_doctor_warms(run):
    found = run("doctor", "--warm", "--json").json
    assert found["kernels"]["warm_seconds"] > 0
