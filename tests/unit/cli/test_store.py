"""Stores on the command line: filled, read in place of files, exported, verified, copied, erased from."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pyarrow.csv
import pytest

import corated as cr
from corated.cli.stores import check_address, masked, shown
from corated.errors import CoratedError, MissingExtraError, ParameterError
from corated.live._schema import RATINGS
from corated.live.store import Change, open_store

from ... import servers

SECRET = "s3cr/t:x"
ADDRESS = f"postgresql://ann:{SECRET}@127.0.0.1:1/shop"


@pytest.fixture(autouse=True)
def _no_store_of_ones_own(monkeypatch):
    monkeypatch.delenv("CORATED_STORE", raising=False)


@pytest.fixture(scope="session")
def kept(tmp_path_factory, world):
    """A store with the ratings and titles of ``world``; not to be written to."""
    from click.testing import CliRunner

    from corated.cli.app import app

    path = tmp_path_factory.mktemp("kept") / "shop.db"
    args = [
        "import",
        str(world / "ratings.dat"),
        "--catalog",
        str(world / "movies.dat"),
        "--store",
        str(path),
    ]
    assert CliRunner().invoke(app, args).exit_code == 0
    return path


@pytest.fixture
def shop(kept, tmp_path):
    """A copy of the store that may be written to."""
    return shutil.copy(kept, tmp_path / "shop.db")


@pytest.fixture(scope="session")
def user(world):
    """A user with ratings, as text."""
    return str(cr.read_ratings(world / "ratings.dat").users.id(7))


def rows_of(path):
    """The ratings of a store: {(user, item): (rating, time)}."""
    with open_store(path, create=False) as store, store.read() as snapshot:
        table = snapshot.table()
    times = (
        table["timestamp"].cast("int64").to_pylist()
        if "timestamp" in table.column_names
        else [None] * len(table)
    )
    columns = (table[name].to_pylist() for name in ("user_id", "item_id", "rating"))
    return {(user, item): (rating, time) for user, item, rating, time in zip(*columns, times, strict=True)}


# -- import ---------------------------------------------------------------------------------------


def test_a_file_and_its_titles_are_imported(run, ratings, catalog, tmp_path):
    path = tmp_path / "new.db"
    ran = run("import", ratings, "--catalog", catalog, "--store", path, "--json")
    read = cr.read_ratings(ratings)
    seconds = ran.json.pop("seconds")
    assert seconds > 0 and {**ran.json, "seconds": 0} == {
        "store": str(path),
        "files": [{"path": str(ratings), "ratings": 900, "changed": 900}],
        "ratings": 900,
        "changed": 900,
        "catalog_items": 40,
        "position": 1,
        "scale": {"low": read.scale.low, "high": read.scale.high, "step": read.scale.step},
        "user_ids": read.users.kind,
        "item_ids": read.items.kind,
        "timed": True,
        "seconds": 0,
    }
    assert "notice: The scale of the store is " in ran.err and "--widen" in ran.err
    with open_store(path) as store, store.read() as snapshot:
        assert snapshot.ratings().to_arrow().equals(read.to_arrow())
        assert store.catalog().to_arrow().equals(cr.read_catalog(catalog, ids=read).to_arrow())


def test_what_is_imported_again_takes_its_place(run, csv, tmp_path):
    path = tmp_path / "s.db"
    first, second = csv("1,a,3", "1,b,4"), csv("1,a,5", "2,a,1", name="second.csv")
    run("import", first, "--store", path, "--scale", "1:5")
    ran = run("import", second, first, "--store", path)
    assert f"{path}: 4 ratings imported, 3 new or changed, in " in ran.out
    assert f"next: corated recommend --store {path}" in ran.out
    assert f"notice: {second} is in the store, 1 of 2 files." in ran.err
    assert "The scale of the store" not in ran.err
    assert rows_of(path) == {(1, "a"): (3, None), (1, "b"): (4, None), (2, "a"): (1, None)}


def test_the_store_says_how_a_file_is_read(run, csv, tmp_path):
    path = tmp_path / "s.db"
    assert (
        "scale of the store"
        not in run("import", csv("x,a,3"), "--store", path, "--scale", "1:5", "--ids", "text").err
    )
    run("import", csv("7,12,4"), "--store", path)  # by themselves these would be integers
    assert set(rows_of(path)) == {("x", "a"), ("7", "12")}
    off = run("import", csv("7,12,9", "8,12,5"), "--store", path, code=3)
    assert "line 2" in off.err and "off the declared scale" in off.err
    run("import", csv("7,12,9", "8,12,5"), "--store", path, "--on-bad", "drop")
    assert rows_of(path)["8", "12"] == (5, None) and rows_of(path)["7", "12"] == (4, None)
    ran = run("import", csv("7,12,9"), "--store", path, "--widen", "--json")
    assert ran.json["scale"] == {"low": 1, "high": 9, "step": 1} and rows_of(path)["7", "12"] == (9, None)


def test_a_scale_that_was_said_does_not_widen_the_store(run, csv, tmp_path):
    path = tmp_path / "s.db"
    run("import", csv("1,a,3"), "--store", path, "--scale", "1:5")
    off = run("import", csv("1,a,9"), "--store", path, "--scale", "1:10", code=3)
    assert "off the scale of the store" in off.err and "--widen widens the scale of the store" in off.err
    assert "open_store" not in off.err
    times = run(
        "import", csv("1,a,3,100", header="user_id,item_id,rating,timestamp"), "--store", path, code=3
    )
    assert "read them with --no-time" in times.err


def test_titles_alone_are_imported(run, catalog, kept, shop, csv, tmp_path):
    path = tmp_path / "s.db"
    ran = run("import", "--catalog", catalog, "--store", path)
    assert ran.out.startswith(f"{path}: 40 items put into the catalog, in ") and "next:" not in ran.out
    assert "no ratings" in run("recommend", "--store", path, code=4).err
    numbers = csv("1,Alien (1979),Horror", header="item_id,title,genres")
    run("import", "--catalog", numbers, "--store", shop)
    with open_store(shop) as store:  # whose ids of items are text
        assert store.item("1").title.startswith("Alien")
    assert "RATINGS" in run("import", "--store", path, code=2).err


def test_a_file_that_cannot_be_read_leaves_no_store(run, csv, tmp_path):
    path = tmp_path / "s.db"
    run("import", csv("1,a,x"), "--store", path, code=3)
    run("import", csv("1,a,3"), "--catalog", tmp_path / "none.dat", "--store", path, code=3)
    assert not path.exists()
    missing = run("import", csv("1,a,x"), "--store", tmp_path / "none" / "s.db", code=4)
    assert "mkdir -p" in missing.err
    run("import", csv("1,a,3"), "--store", path)
    before = rows_of(path)
    run("import", csv("2,a,3", "2,b,x"), "--store", path, code=3)
    assert rows_of(path) == before


def test_standard_input_is_imported_once(run, tmp_path):
    path = tmp_path / "s.db"
    run("import", "-", "--store", path, input="1::a::3\n")
    assert set(rows_of(path)) == {(1, "a")}
    assert "Standard input" in run("import", "-", "-", "--store", path, code=2).err


# -- a store in place of RATINGS ------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ["check"],
        ["recommend", "{user}", "-n", "5"],
        ["neighbors", "{user}", "--k", "5"],
        ["neighbors", "--of", "items", "--k", "2"],
        ["pair", "{user}", "{other}"],
        ["similar", "{user}", "--of", "users"],
        ["similar", "{item}"],
        ["predict", "{user}", "{item}"],
        ["explain", "{user}", "{item}"],
        ["diagnose"],
        ["evaluate", "--split", "last:1"],
    ],
    ids=" ".join,
)
@pytest.mark.jit
def test_commands_read_a_store_as_they_read_files(run, ratings, catalog, kept, user, args):
    read = cr.read_ratings(ratings)
    ids = {"user": user, "other": read.users.id(9), "item": read.items.id(3)}
    command, *rest = (arg.format(**ids) for arg in args)
    titled = command != "diagnose" and not (command == "neighbors" and "items" not in rest)
    titles = ["--catalog", catalog] if titled else []
    of_file = run(command, ratings, *rest, *titles, "--json").json
    of_store = run(command, "--store", kept, *rest, "--json").json
    assert without_cost(of_store) == without_cost(of_file)


def without_cost(found):
    """What does not tell how much time and memory it took, and how the file was read."""
    if isinstance(found, dict):
        kept = {key: value for key, value in found.items() if key != "notices"}
        return {key: without_cost(kept[key]) for key in kept if "seconds" not in key and "bytes" not in key}
    return [without_cost(one) for one in found] if isinstance(found, list) else found


def test_the_option_may_stand_anywhere(run, kept, user):
    first = run("pair", "--store", kept, user, "35", "--json").json
    assert run("pair", user, f"--store={kept}", "35", "--json").json == first
    assert run("pair", user, "35", "--json", "--store", kept).json == first


def test_a_store_and_files_do_not_mix(run, kept, ratings, tmp_path):
    both = run("check", ratings, "--store", kept, code=2)
    assert "--store stands in place of RATINGS" in both.err and str(ratings) in both.err
    assert "one argument too many" in run("pair", "--store", kept, "1", "2", "3", code=2).err
    assert "Missing argument 'B'" in run("pair", "--store", kept, "1", code=2).err
    refused = run("check", "--store", kept, "--scale", "1:5", code=2)
    assert "--scale says how a file is read" in refused.err
    assert "--store" in run("recommend", "--model", tmp_path / "m.corated", "--store", kept, code=2).err
    assert "Standard" not in run("check", "--store", kept).err
    assert "neither standard input" in run("check", "--store", "-", code=2).err


def test_an_output_is_not_written_over_the_store(run, shop):
    before = rows_of(shop)
    out = run("recommend", "--store", shop, "-o", shop, "--out-format", "csv", code=2)
    assert "would be lost" in out.err and rows_of(shop) == before


def test_a_catalog_of_ones_own_comes_before_that_of_the_store(run, kept, csv, ratings):
    item = cr.read_ratings(ratings).items.id(3)
    titles = csv(f"{item},Mine", header="item_id,title")
    rows = run("similar", "--store", kept, item, "--catalog", titles, "--json").json["rows"]
    assert {row["title"] for row in rows} == {None}
    rows = run("similar", "--store", kept, item, "--json").json["rows"]
    assert None not in {row["title"] for row in rows}


def test_stores_that_are_not_there(run, tmp_path, user):
    path = tmp_path / "none.db"
    for args in (
        ["recommend"],
        ["export", "-"],
        ["verify"],
        ["erase", user, "--yes"],
        ["backup", tmp_path / "b.db"],
    ):
        ran = run(*args, "--store", path, code=4)
        assert f"There is no store {path}." in ran.err and "corated import RATINGS --store" in ran.err
        assert "create=" not in ran.err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text.db").write_text("no store")
    assert run("check", "--store", tmp_path / "text.db", code=4).err.startswith("error: ")


def test_the_address_may_come_from_the_environment(run, kept, monkeypatch, ratings):
    monkeypatch.setenv("CORATED_STORE", str(kept))
    assert run("verify", "--users", "0", "--json").json["store"] == str(kept)
    assert run("check", ratings, "--json").json["n_ratings"] == 900  # which is of files
    monkeypatch.delenv("CORATED_STORE")
    for command in ("verify", "import", "export", "erase", "backup"):
        missing = run(command, *(["x"] if command != "verify" else []), code=2)
        assert "--store" in missing.err and f"corated {command} --help" in missing.err


# -- export and backup ----------------------------------------------------------------------------


def test_all_ratings_are_exported(run, kept, tmp_path, world):
    path = tmp_path / "out.parquet"
    summary = run("export", path, "--store", kept, "--json").json
    assert summary.pop("seconds") >= 0
    assert summary == {"store": str(kept), "output": str(path), "ratings": 900, "bytes": path.stat().st_size}
    assert cr.read_ratings(path).to_arrow().equals(cr.read_ratings(world / "ratings.dat").to_arrow())
    said = run("export", tmp_path / "out.txt", "--store", kept, "--format", "csv").out
    assert said.startswith(f"900 ratings written to {tmp_path / 'out.txt'} (")
    assert "--format" in run("export", tmp_path / "out.text", "--store", kept, code=2).err


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_standard_output_gets_what_a_file_gets(shell, start, run, kept, tmp_path, form):
    path = tmp_path / f"out.{form}"
    run("export", path, "--store", kept)
    out, err = start("export", "-", "--store", kept, "--format", form).communicate(timeout=300)
    assert out == path.read_bytes() and err == b""
    if form == "csv":
        assert shell("export", "-", "--store", kept).out == path.read_text()


def test_what_cannot_go_to_standard_output(run, kept):
    assert "choose one" in run("export", "-", "--store", kept, "--json", code=2).err
    assert "FILE" in run("backup", "-", "--store", kept, code=2).err


def test_exported_text_is_imported_as_it_was(run, csv, tmp_path):
    run("import", csv('"=1+1",a,3', '"x,y",b,4', name="odd.csv"), "--store", tmp_path / "s.db")
    for form in ("csv", "jsonl", "parquet"):
        run("export", tmp_path / f"out.{form}", "--store", tmp_path / "s.db")
    run("import", tmp_path / "out.csv", "--store", tmp_path / "again.db", "--scale", "3:4")
    assert rows_of(tmp_path / "again.db") == rows_of(tmp_path / "s.db")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {"=1+1", "x,y"}


def test_a_store_is_not_exported_or_copied_over_itself(run, shop, tmp_path):
    before = rows_of(shop)
    for args in (["export", shop, "--format", "csv"], ["backup", shop]):
        assert "would be lost" in run(*args, "--store", shop, code=2).err
    for args in (["export", tmp_path], ["backup", tmp_path]):
        run(*args, "--store", shop, code=1)
    with open_store(shop) as other:
        other.write([Change(1, "x", 5, 0)])  # so that there is a log of pages
        for args in (["export", f"{shop}-wal", "--format", "csv"], ["backup", f"{shop}-wal"]):
            assert "would be lost" in run(*args, "--store", shop, code=2).err
    assert rows_of(shop) == {**before, (1, "x"): (5, 0)}


def test_a_backup_is_a_store(run, shop, tmp_path):
    with open_store(shop) as store:
        store.write([Change(1, "x", 5, 0)], key="once")
        position = store.position
    copy = tmp_path / "copy.db"
    summary = run("backup", copy, "--store", shop, "--json").json
    assert summary.pop("seconds") >= 0
    assert summary == {"store": str(shop), "backup": str(copy), "bytes": copy.stat().st_size}
    assert rows_of(copy) == rows_of(shop)
    with open_store(copy) as store:
        assert store.write([Change(1, "x", 5, 0)], key="once").position == position
    assert f"{copy} is copied to {shop} (" in run("backup", shop, "--store", copy).out


# -- verify ---------------------------------------------------------------------------------------


@pytest.mark.jit
def test_a_sound_store_is_verified(run, kept):
    found = run("verify", "--store", kept, "--users", "6", "--json").json
    assert found.pop("seconds") > 0 and found.pop("measures")[0] == "pearson"
    assert found == {
        "store": str(kept), "ok": True, "position": 1, "ratings": 900, "users": 6,
        "problems": [], "differences": [],
    }  # fmt: skip
    said = run("verify", "--store", kept, "--users", "3").out
    assert "all as they should be" in said and "900 ratings, 3 users, pearson" in said
    assert said.endswith("the same as a fit\n")


def test_what_is_wrong_with_a_store_is_told(run, shop):
    first = f"(SELECT min(user_id) FROM {RATINGS.name})"
    with closing(sqlite3.connect(shop)) as connection, connection:
        connection.execute(f"UPDATE {RATINGS.name} SET rating = 99 WHERE user_id = {first}")
    ran = run("verify", "--store", shop, code=4)
    assert "- ratings are off the scale" in ran.out and "no index was made" in ran.out
    assert "1 problem." in ran.err and "corated backup FILE --store BACKUP" in ran.err
    found = run("verify", "--store", shop, "--json", code=4).json
    assert not found["ok"] and len(found["problems"]) == 1 and found["differences"] == []


@pytest.mark.jit
def test_an_index_that_goes_wrong_is_told(run, kept, monkeypatch):
    rate = cr.LiveIndex.rate

    def wrong(self, user, item, rating, *, time=None):
        return rate(self, user, item, 1.0 if rating > 1 else 2.0, time=time)

    monkeypatch.setattr(cr.LiveIndex, "rate", wrong)
    ran = run("verify", "--store", kept, "--users", "2", code=4)
    assert "differs from a fit\n- The index differs from the store." in ran.out
    assert "the ratings are whole" in ran.err
    monkeypatch.setattr(cr.LiveIndex, "rate", rate)
    monkeypatch.setattr(cr.LiveIndex, "remove", lambda self, user, item: 1 / 0)
    run("verify", "--store", kept, "--users", "0")  # which writes nothing again
    assert "ZeroDivisionError" in run("verify", "--store", kept, "--users", "1", code=1).err


def test_a_store_without_ratings_is_verified(run, catalog, tmp_path):
    path = tmp_path / "s.db"
    open_store(path).close()
    assert run("verify", "--store", path).out.endswith("no ratings yet\n")
    with open_store(path, scale=(1, 5, 1), user_ids="text", item_ids="text", timed=True):
        pass
    assert run("verify", "--store", path, "--json").json["ok"]
    for command in ("check", "recommend", "evaluate"):
        assert f"There are no ratings in {path} yet." in run(command, "--store", path, code=4).err


# -- erase ----------------------------------------------------------------------------------------


def test_a_user_is_erased(run, shop, user, tmp_path):
    id = int(user)
    with open_store(shop) as store:
        store.write([Change(id, "x", 5, 0), Change(9_999, "x", 5, 0)], key="once")
        mine = sum(key[0] == id for key in rows_of(shop))
    start = tmp_path / "shop.db.restart"
    start.write_text("the ratings as they were")
    found = run("erase", user, "--store", shop, "--yes", "--json").json
    assert found == {
        "store": str(shop), "user": id, "ratings": mine, "logged": 1, "keys": 1,
        "position": 4, "complete": True,
    }  # fmt: skip
    assert mine > 1 and id not in {key[0] for key in rows_of(shop)} and (9_999, "x") in rows_of(shop)
    assert not start.exists()
    again = run("erase", user, "--store", shop, "--yes")
    assert f"There was nothing of user {user}" in again.err
    assert again.out.splitlines() == [
        f"user {user} is erased from {shop}: 0 ratings, 0 log entries, 0 idempotency keys",
        "complete: nothing of it is left in the file",
        "Backups and exports that have this user are yours to erase.",
    ]


def test_an_id_is_parsed_as_the_store_has_ids(run, shop, csv, tmp_path):
    wrong = run("erase", "ann", "--store", shop, "--yes", code=2)
    assert "user ids in the data are integers" in wrong.err and "none" not in wrong.err
    run("import", csv("-7,a,3", "07,b,3"), "--store", tmp_path / "s.db", "--ids", "text")
    assert run("erase", "--store", tmp_path / "s.db", "--yes", "--json", "--", "-7").json["ratings"] == 1
    assert run("erase", "--store", tmp_path / "s.db", "--yes", "07").out.startswith("user 07 is erased")
    assert rows_of(tmp_path / "s.db") == {}


def test_without_a_terminal_yes_is_needed(run, shop, user):
    before = rows_of(shop)
    refused = run("erase", user, "--store", shop, input="y\n", code=2)
    assert refused.err.endswith("Next step: add --yes\n") and rows_of(shop) == before


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_at_a_terminal_it_is_asked(start, shop, user, answer, code):
    before = rows_of(shop)
    ours, theirs = os.openpty()
    try:
        process = start("erase", user, "--store", shop, stdin=theirs)
        os.write(ours, f"{answer}\n".encode())
        out, err = process.communicate(timeout=300)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == code
    assert f"Erase user {user} from {shop}? This cannot be undone. [y/N]".encode() in err
    assert (rows_of(shop) == before) == (code == 1)
    assert (b"Nothing was erased." in err) == (code == 1) and (out.strip() == b"") == (code == 1)


def test_readers_of_old_pages_are_told_of(run, shop, user):
    with open_store(shop) as store:
        store.write([Change(1, "x", 5, 0)])
        with store.read() as snapshot:
            next(iter(snapshot))
            ran = run("erase", user, "--store", shop, "--yes", "--json", code=4)
    assert ran.json["complete"] is False and ran.json["ratings"] > 0
    assert "run the same command again" in ran.err
    assert run("erase", user, "--store", shop, "--yes", "--json").json["complete"] is True


# -- addresses and passwords ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:s3cr@t@host/shop",  # what follows an @ would be taken for the host
        "postgresql://ann:s3cret",
        "postgresql://ann:pass s3cret@host/shop",
        "postgresql://ann@host:s3cret/shop",
        "Postgresql://ann:s3cret@host/shop",
        "postgresql:/ann:s3cret@host/shop",
        "mysql://ann:s3cret@host/shop",
        "sqlite:///s3cret.db",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(run, address, tmp_path):
    with pytest.raises(ParameterError) as refused:
        check_address(address)
    assert "s3cr" not in str(refused.value)
    for args in (["verify"], ["check", "one too many"], ["import", "r.csv"]):
        ran = run(*args, "--store", address, code=2)
        assert refused.value.what in ran.err and "s3cr" not in ran.out + ran.err
    assert "s3cr" not in run("backup", address, "--store", tmp_path / "s.db", code=2).err


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://host/shop", "postgres://ann@host:5432/shop",
        "postgresql+psycopg://ann:a%40b@[::1]:1/shop", "postgresql://ann:a/b@host",
        "postgresql:///shop?host=/tmp&user=a@b", "shop.db", "folder/a:b.db", "C:/shop.db",
    ],
)  # fmt: skip
def test_addresses_that_are_none_of_those(address):
    check_address(address)


def test_passwords_are_masked():
    assert shown(f"{ADDRESS}?sslmode=require") == "postgresql://ann:***@127.0.0.1:1/shop"
    assert shown("a?b.db") == "a?b.db"
    assert masked("at postgresql+psycopg://a:b@c@h/d, x@y") == "at postgresql+psycopg://a:***@h/d, x@y"
    assert masked("POSTGRES://a:b@h") == "POSTGRES://a:***@h"
    assert masked("postgres://h/d?user=a&sslPassword=c&z=1 x?y") == "postgres://h/d?*** x?y"
    assert masked("postgres://h/d?user=a") == "postgres://h/d?user=a"
    for harmless in ("http://a:b@h", "postgresql://a@h:5/d", "C:/a:b@c"):
        assert masked(harmless) == harmless


@pytest.mark.parametrize(
    "args",
    [
        ["verify", "--store", ADDRESS],
        ["recommend", "--store", ADDRESS, "35"],
        ["check", "--store", ADDRESS, ADDRESS],
        ["check", ADDRESS],
        ["check", "x.csv", ADDRESS],
        ["check", "x.csv", f"--nope={ADDRESS}"],
        ["recommend", "--model", ADDRESS],
        ["import", ADDRESS, "--store", "s.db"],
        ["import", "--catalog", ADDRESS, "--store", "s.db"],
        [ADDRESS],
    ],
)
def test_a_password_is_never_printed(start, args, tmp_path):
    """Also not in a traceback."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    process = start(*args, "--debug", cwd=tmp_path)
    out, err = process.communicate(timeout=300)
    told = (out + err).decode()
    assert process.returncode in (2, 3, 4) and "error: " in told
    assert SECRET not in told and "s3cr" not in told
    if args[:2] == ["verify", "--store"]:
        assert (
            process.returncode == 4
            and "Traceback" in told
            and "postgresql://ann:***@127.0.0.1:1/shop" in told
        )


def test_a_database_as_ratings_has_its_option_named(run):
    assert "give it as --store ADDRESS" in run("check", ADDRESS, code=2).err


def test_a_missing_extra_is_told_with_its_command(run, csv, monkeypatch, tmp_path):
    def absent(*args, **kwargs):
        raise MissingExtraError("A store needs SQLAlchemy.", hint="pip install 'corated[serve]'")

    monkeypatch.setattr("corated.live.store.open_store", absent)
    ran = run("import", csv("1,a,3"), "--store", tmp_path / "s.db", code=2)
    assert ran.err.endswith("Next step: pip install 'corated[serve]'\n")


def test_without_sqlalchemy_the_commands_say_what_to_install(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['sqlalchemy'] = None\n"
        "from corated.cli.app import app\n"
        f"app(['verify', '--store', {str(tmp_path / 's.db')!r}], prog_name='corated')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "pip install 'corated[serve]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_of_stores_imports_nothing_that_computes():
    code = (
        "import sys\n"
        "from corated.cli.app import app\n"
        "for name in ('import', 'export', 'verify', 'erase', 'backup'):\n"
        "    try:\n"
        "        app([name, '--help'], prog_name='corated')\n"
        "    except SystemExit:\n"
        "        pass\n"
        "heavy = {'numpy', 'pyarrow', 'sqlalchemy', 'alembic', 'psycopg', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.jit
def test_a_database_on_a_server(run, ratings, catalog, user, tmp_path, monkeypatch):
    address = servers.shared().address()
    told = run("import", ratings, "--catalog", catalog, "--store", address, "--json").json
    assert told["ratings"] == told["changed"] == 900 and "?" not in told["store"]
    assert run("verify", "--store", address, "--users", "3", "--json").json["ok"]
    ours = run("recommend", "--store", address, user, "--json").json["rows"]
    assert ours == run("recommend", ratings, user, "--catalog", catalog, "--json").json["rows"] != []
    run("backup", tmp_path / "copy.db", "--store", address)
    run("export", tmp_path / "out.csv", "--store", address)
    assert pyarrow.csv.read_csv(tmp_path / "out.csv").num_rows == 900
    monkeypatch.setenv("CORATED_CACHE", str(tmp_path / "cache"))
    erased = run("erase", user, "--store", address, "--yes")
    assert "the server overwrites the deleted rows" in erased.out
    restored = servers.shared().address()
    assert (
        "is copied to postgresql://corated@/postgres\n"
        in run("backup", restored, "--store", tmp_path / "copy.db").out
    )
    assert len(rows_of(restored)) == 900 > len(rows_of(address))
    with pytest.raises(CoratedError):
        open_store(restored, create=False, scale=(0, 1, 1))
