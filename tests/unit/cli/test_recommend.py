import json

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import corated as cr


@pytest.fixture(scope="module")
def data(ratings):
    return cr.read_ratings(ratings)


def rows_of(table):
    return table.to_arrow().to_pylist() if hasattr(table, "to_arrow") else table.to_pylist()


def test_by_default_everyone_gets_n_from_the_best_preset(run, ratings, data):
    ran = run("recommend", ratings, "--json").json
    assert ran["rows"] == rows_of(cr.preset("best").fit(data).recommend(n=10))
    summary = ran["summary"]
    assert summary["users"] == 60 and summary["rows"] == len(ran["rows"])
    assert sum(summary["rows_by_source"].values()) == summary["rows"]
    assert summary["peak_memory_bytes"] > 1e6 and summary["seconds"] >= 0 and summary["output"] is None


def test_presets_and_no_fallback_give_what_neighbors_alone_give(run, ratings, data):
    ran = run("recommend", ratings, "--preset", "notebook", "-n", "4", "--json").json
    assert ran["rows"] == rows_of(cr.preset("notebook").fit(data).recommend(n=4))
    ran = run("recommend", ratings, "--no-fallback", "-n", "4", "--json").json
    near = cr.preset("best").models[0].models[0]
    assert ran["rows"] == rows_of(near.fit(data).recommend(n=4))
    assert set(ran["summary"]["rows_by_source"]) == {"neighbors"}


@pytest.mark.parametrize(
    ("args", "params"),
    [
        (["--measure", "msd"], {"measure": "msd"}),
        (["--k", "3"], {"k": 3}),
        (["--k", "2n"], {"k": "2n"}),
        (["--min-common", "6"], {"min_common": 6}),
        (["--rule", "votes"], {"rule": "votes"}),
        (["--rule", "closest"], {"rule": "closest"}),
        (["--like", "9"], {"like": 9.0}),
        (["--like", "mean"], {"like": "mean"}),
        (["--min-support", "7"], {"min_support": 7}),
    ],
)
@pytest.mark.parametrize("by", ["users", "items"])
def test_options_change_the_neighbor_part(run, ratings, data, by, args, params):
    ran = run("recommend", ratings, "--by", by, *args, "--json").json
    # An item has few neighbors that one user likes, so by items one of them is enough.
    near = cr.preset("best").models[0].models[0].get_params()
    near |= ({"min_support": 1} if by == "items" else {}) | params
    kind = cr.UserKNN if by == "users" else cr.ItemKNN
    model = cr.Fallback(models=[kind(**near), cr.Popularity(like=params.get("like"))])
    assert ran["rows"] == rows_of(model.fit(data).recommend(n=10))
    assert ran["summary"]["model"] == repr(model)
    plain = run("recommend", ratings, "--by", by, "--json").json
    assert ran["rows"] != plain["rows"]


@pytest.mark.parametrize(
    "option", [["--measure", "cosine"], ["--k", "3"], ["--by", "items"], ["--rule", "votes"]]
)
def test_a_fixed_preset_and_what_would_change_it_are_refused(run, ratings, option):
    err = run("recommend", ratings, "--preset", "notebook", *option, code=2).err
    assert f"--preset notebook is a fixed method, which {option[0]} would change." in err
    assert f"Next step: leave --preset or {option[0]} out" in err
    assert option[0] in run("recommend", ratings, "--preset", "notebook", "--like", "7", *option, code=2).err


@pytest.mark.parametrize("like", ["4", "mean"])
def test_the_notebooks_method_on_another_scale(run, csv, like):
    path = csv(
        *(f"{user},{item},{1 + (user * item) % 5}" for user in range(1, 9) for item in range(user, 12))
    )
    ran = run("recommend", path, "--preset", "notebook", "--like", like, "--json").json
    like = "mean" if like == "mean" else float(like)
    model = cr.UserKNN(measure="euclidean", k="2n", min_common=1, rule="closest", like=like)
    assert ran["summary"]["model"] == repr(model)
    assert ran["rows"] == rows_of(model.fit(cr.read_ratings(path)).recommend(n=10))
    assert ran["rows"]


def test_the_first_rows_and_the_summary_are_shown(run, ratings, catalog):
    out = run("recommend", ratings, "--catalog", catalog).out
    lines = out.splitlines()
    assert lines[0].split() == ["user_id", "item_id", "rank", "score", "support", "source", "title"]
    assert lines[21].startswith("… the first 20 of ") and lines[21].endswith("-o FILE writes all")
    for word in (
        "for 60 users in",
        "peak memory",
        "rows: ",
        "from neighbors",
        "users with fewer than 10: ",
        "model: ",
    ):
        assert word in out


def test_some_users_from_the_command_line_or_a_file(run, ratings, tmp_path):
    out = run("recommend", ratings, "7", "3", "-n", "15").out
    assert "… the first" not in out and "for 2 users" in out
    asked = run("recommend", ratings, "7", "3", "-n", "15", "--json").json["rows"]
    assert [row["user_id"] for row in asked[::15]] == [7, 3]
    file = tmp_path / "users.txt"
    file.write_bytes("\ufeff7\r\n\n3\r\n7\r\n".encode())
    ran = run("recommend", ratings, "--users", file, "-n", "15", "--json")
    assert ran.json["rows"] == asked
    assert "1 repeated user id, answered once" in ran.err
    assert (
        run("recommend", ratings, "--users", "-", "-n", "15", "--json", input="7\n3\n").json["rows"] == asked
    )


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (
            b"1\n2\n901\n902\n",
            2,
            ["2 of 4 user ids", "line 3: 901", "line 4: 902", "such as 1, 2, 3", "Next step"],
        ),
        (b"1\nbob\n", 2, ["1 of 2 user ids", "line 2: bob", "an integer"]),
        (b"\n\n", 3, ["there are no ids", "one user id on each line"]),
        (b"1\n\xff\n", 3, ["not UTF-8 at byte 2"]),
    ],
)
def test_a_file_of_users_that_cannot_be_used(run, ratings, tmp_path, content, code, told):
    file = tmp_path / "users.txt"
    file.write_bytes(content)
    err = run("recommend", ratings, "--users", file, code=code).err
    assert str(file) in err
    for text in told:
        assert text in err


def test_users_asked_in_two_ways_or_nowhere(run, ratings, tmp_path):
    assert "choose one" in run("recommend", ratings, "1", "--users", "-", code=2).err
    assert "cannot be both" in run("recommend", "-", "--users", "-", code=2, input=ratings.read_bytes()).err
    assert "cannot be read" in run("recommend", ratings, "--users", tmp_path / "none", code=3).err


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl"])
def test_everything_is_written(run, ratings, catalog, tmp_path, name):
    path = tmp_path / name
    path.write_text("old")
    ran = run("recommend", ratings, "--catalog", catalog, "-o", path)
    assert f"written to {path} (" in ran.out
    expected = run("recommend", ratings, "--catalog", catalog, "--json").json["rows"]
    if name.endswith("parquet"):
        rows = pq.read_table(path).to_pylist()
    elif name.endswith("csv"):
        kinds = pyarrow.csv.ConvertOptions(column_types={"item_id": "string"})
        rows = pyarrow.csv.read_csv(path, convert_options=kinds).to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows == expected
    assert [p.name for p in tmp_path.iterdir()] == [name]  # no temporary file is left
    as_json = run("recommend", ratings, "--catalog", catalog, "-o", path, "--json").json
    assert as_json["output"] == str(path) and as_json["rows"] == len(expected)


def test_blocks_of_users_make_one_file(run, ratings, tmp_path, monkeypatch):
    whole = {
        end: run("recommend", ratings, "-o", tmp_path / f"whole{end}")
        for end in (".parquet", ".csv", ".jsonl")
    }
    blocks = cr.Recommender.recommend_blocks
    monkeypatch.setattr(cr.Recommender, "recommend_blocks", lambda *a, **k: blocks(*a, **{**k, "block": 7}))
    for end in whole:
        run("recommend", ratings, "-o", tmp_path / f"parts{end}")
    assert (
        pq.read_table(tmp_path / "parts.parquet").to_pylist()
        == pq.read_table(tmp_path / "whole.parquet").to_pylist()
    )
    assert pq.ParquetFile(tmp_path / "parts.parquet").num_row_groups == 9
    for end in (".csv", ".jsonl"):
        assert (tmp_path / f"parts{end}").read_bytes() == (tmp_path / f"whole{end}").read_bytes()
    shown = run("recommend", ratings).out.splitlines()
    assert len([line for line in shown if line.split()[-1] in ("neighbors", "popularity")]) == 20
    rows = [json.loads(line) for line in (tmp_path / "whole.jsonl").read_text().splitlines()]
    assert run("recommend", ratings, "--json").json["rows"] == rows


def test_rows_to_standard_output_leave_the_summary_to_standard_error(run, ratings):
    ran = run("recommend", ratings, "1", "-o", "-")
    assert ran.out.splitlines()[0] == '"user_id","item_id","rank","score","support","source"'
    assert len(ran.out.splitlines()) == 11 and "10 rows for 1 user" in ran.err
    ran = run("recommend", ratings, "1", "-o", "-", "--out-format", "jsonl")
    assert [json.loads(line)["rank"] for line in ran.out.splitlines()] == list(range(1, 11))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["-o", "out.txt"], "the ending does not tell the format"),
        (["-o", "-", "--json"], "-o - writes the rows"),
        (["--out-format", "csv"], "--out-format is for -o"),
        (["--csv-exact"], "--csv-exact is for -o"),
        (["-o", "out.parquet", "--csv-exact"], "--csv-exact is for csv"),
    ],
)
def test_outputs_that_contradict_themselves(run, ratings, args, told):
    ran = run("recommend", ratings, *args, code=2)
    assert told in ran.err and "Next step: " in ran.err


def test_what_is_read_is_not_written_over(run, ratings, catalog, world):
    before = ratings.read_bytes()
    err = run("recommend", ratings, "-o", world / "." / "ratings.dat", "--out-format", "csv", code=2).err
    assert "would be lost" in err
    run("recommend", ratings, "--catalog", catalog, "-o", catalog, "--out-format", "csv", code=2)
    assert ratings.read_bytes() == before


def test_csv_text_that_looks_like_a_formula_is_disarmed(run, csv, tmp_path):
    path = csv("1,=cmd(),5", "1,b,5", "2,=cmd(),5", "2,b,5", "2,@x,5", "3,=cmd(),5", "3,-y,5", "3,+z,5")
    out = tmp_path / "out.csv"
    ran = run("recommend", path, "-o", out)
    cells = {line.split(",")[1] for line in out.read_text().splitlines()[1:]}
    assert {'"\'@x"', '"\'-y"', '"\'+z"'} <= cells
    assert ran.err.count("--csv-exact leaves it as it is") == 1
    ran = run("recommend", path, "-o", out, "--csv-exact")
    assert {'"@x"', '"-y"', '"+z"'} <= {line.split(",")[1] for line in out.read_text().splitlines()[1:]}
    assert "--csv-exact" not in ran.err
    run("recommend", path, "-o", tmp_path / "out.jsonl")
    assert "'" not in (tmp_path / "out.jsonl").read_text()


def test_a_title_cannot_command_the_terminal(run, ratings, world, tmp_path):
    catalog = tmp_path / "movies.csv"
    items = cr.read_ratings(ratings).items
    catalog.write_text("item_id,title\n" + "".join(f"{item},\x1b[31m{item}[bold]\n" for item in items))
    ran = run("recommend", ratings, "1", "--catalog", catalog)
    assert "\x1b" not in ran.out and "\\x1b[31m" in ran.out


def test_threads_do_not_change_the_answer(run, ratings):
    one, two = (run("recommend", ratings, "--threads", n, "--json").json["rows"] for n in (1, 2))
    assert one == two
