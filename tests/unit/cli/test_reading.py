"""Each option of reading changes what is read."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PLAIN = ["1,a,3", "1,b,4", "2,a,5"]


def test_columns_by_name(run, csv):
    path = csv("9,1,a,3,100", "9,2,a,4,200", header="x,who,what,how,when")
    found = run(
        "check", path, "--user", "who", "--item", "what", "--rating", "how", "--time", "when", "--json"
    ).json
    assert found["n_users"] == 2 and found["highest"] == 4 and found["first_time"] == "1970-01-01T00:01:40Z"


def test_no_rating_and_no_time(run, csv):
    path = csv("1,a,3,100", "2,a,4,200", header="user_id,item_id,rating,timestamp")
    assert run("check", path, "--no-rating", "--json").json["highest"] == 1
    assert run("check", path, "--json").json["first_time"] is not None
    assert run("check", path, "--no-time", "--json").json["first_time"] is None
    for name in ("rating", "time"):
        assert "choose one" in run("check", path, f"--{name}", "x", f"--no-{name}", code=2).err


def test_scale(run, csv):
    path = csv(*PLAIN)
    assert run("check", path, "--json").json["scale"]["low"] == 3
    assert run("check", path, "--scale", "1:5:0.5", "--json").json["scale"] == {
        "low": 1,
        "high": 5,
        "step": 0.5,
    }
    assert run("check", path, "--scale", "1:5", "--json").json["scale"]["step"] == 1
    for bad in ("5", "1:2:3:4", "a:b"):
        assert "LOW:HIGH:STEP" in run("check", path, "--scale", bad, code=2).err
    assert "not a rating scale" in run("check", path, "--scale", "5:1:1", code=2).err


def test_duplicates(run, csv):
    path = csv("1,a,3", "1,a,5", "2,a,4")
    run("check", path, code=3)
    assert run("check", path, "--duplicates", "max", "--json").json["highest"] == 5
    assert run("check", path, "--duplicates", "min", "--json").json["lowest"] == 3


def test_times(run, csv):
    path = csv("1,a,3,2020-06-01 12:00:00", "2,a,4,2020-06-02 12:00:00", header="user_id,item_id,rating,date")
    run("check", path, code=3)
    found = run("check", path, "--tz", "Europe/Berlin", "--json").json
    assert found["first_time"] == "2020-06-01T10:00:00Z"
    assert "error: tz" in run("check", path, "--tz", "Nowhere/Land", code=2).err
    unix = csv("1,a,3,1000", "2,a,4,2000", header="user_id,item_id,rating,timestamp")
    assert run("check", unix, "--time-unit", "ms", "--json").json["last_time"] == "1970-01-01T00:00:02Z"


def test_text_encoding_delimiter_and_format(run, tmp_path):
    path = tmp_path / "odd.data"
    path.write_bytes("user_id~item_id~rating\n1~caf\xe9~3\n2~caf\xe9~4\n".encode("latin-1"))
    found = run("check", path, "--encoding", "latin-1", "--delimiter", "~", "--json").json
    assert found["heaviest_items"][0]["id"] == "café"
    tabs = tmp_path / "tabs.csv"
    tabs.write_text("user_id\titem_id\trating\n1\ta b\t3\n2\ta b\t4\n")
    for delimiter in ("\\t", "tab", "\t"):
        assert run("check", tabs, "--delimiter", delimiter, "--json").json["n_users"] == 2
    dat = tmp_path / "mystery"
    dat.write_text("1::a::3\n2::a::4\n")
    assert run("check", dat, "--format", "dat", "--json").json["n_users"] == 2
    table = tmp_path / "table.bin"
    pq.write_table(pa.table({"user_id": [1, 2], "item_id": ["a", "a"], "rating": [3, 4]}), table)
    assert run("check", table, "--format", "parquet", "--json").json["n_users"] == 2


def test_gzip(run, csv, tmp_path):
    packed = tmp_path / "ratings.csv.gz"
    packed.write_bytes(gzip.compress(csv(*PLAIN).read_bytes()))
    assert run("check", packed, "--json").json["n_ratings"] == 3


@pytest.mark.parametrize("kinds", ["text", "user=text", "user=text,item=text"])
def test_ids(run, csv, kinds):
    path = csv(*PLAIN)
    assert run("check", path, "--json").json["user_ids"] == "integer"
    assert run("check", path, "--ids", kinds, "--json").json["user_ids"] == "text"
    assert "error: " in run("check", path, "--ids", "user=number", code=2).err
    assert run("pair", path, "1", "2", "--ids", "user=text", "--json").json["a"] == "1"


def test_bad_rows_are_dropped_on_request(run, csv):
    ran = run("check", csv(*PLAIN, "3,a,nan"), "--on-bad", "drop", "--json")
    assert ran.json["n_ratings"] == 3 and "1 row left out" in ran.err


def test_a_catalog_that_cannot_be_used(run, ratings, csv, tmp_path):
    assert "cannot be standard input" in run("check", ratings, "--catalog", "-", code=2).err
    assert "none.dat" in run("check", ratings, "--catalog", tmp_path / "none.dat", code=3).err
