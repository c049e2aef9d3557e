"""Data that are wrong are told with file, row, what was got and what to do; odd data are a notice."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HEADER = "user_id,item_id,rating\n"


@pytest.mark.parametrize(
    ("text", "args", "row", "got", "step"),
    [
        (HEADER + "1,a,3\n1,b,nan\n2,a,4\n", [], "line 3: 1,b,nan", "NaN", "--on-bad drop"),
        (HEADER + "1,a,3\n1,b,inf\n2,a,4\n", [], "line 3: 1,b,inf", "infinite", "--on-bad drop"),
        (HEADER + "1,a,3\n1,b,good\n", [], "line 3: 1,b,good", "", "--on-bad drop"),
        ("who,item_id,rating\n1,a,3\n", [], "'who', 'item_id', 'rating'", "user column", "--user"),
        (HEADER + "1,a,3\n", ["--rating", "ratings"], "'rating'", "'ratings'", "--rating"),
        ("", [], "", "empty", "check that this is the right file"),
        (HEADER, [], "user_id, item_id, rating", "no rows", "check that this is the right table"),
        ("user_id/item_id/rating\n1/a/3\n", [], "line 2: 1/a/3", "delimiter", "--delimiter"),
        (HEADER + "1,a,3\n2,a\n", [], "line 3: 2,a", "2 columns", "correct these lines"),
        (b"user_id,item_id,rating\n1,a,3\n2,caf\xe9,3\n", [], "line 3", "0xe9", "--encoding latin-1"),
        (HEADER + "1,a,3\n2,a,4\n1,a,5\n", [], "line 4: 1,a,5", "1 pair", "last or first (by time), max,"),
        (HEADER + "1,a,3\nbob,b,4\n", ["--ids", "user=integer"], "line 3: bob,b,4", "", "ids"),
        (HEADER + "1.0,a,3\n123.5,b,4\n", [], "line 3: 123.5,b,4", "fraction", "--ids user=text"),
        (HEADER + f"1,{'x' * 600},3\n", [], "line 2", "600 bytes", "shorten the ids"),
        (HEADER + "1,a,9\n2,a,4\n", ["--scale", "1:5"], "line 2: 1,a,9", "off the declared", "--on-bad drop"),
    ],
)  # fmt: skip
def test_bad_data_exits_3_and_tells_all(run, tmp_path, text, args, row, got, step):
    path = tmp_path / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in (["check"], ["recommend"], ["plan"], ["neighbors"]):
        ran = run(*command, path, *args, code=3)
        assert ran.out == ""
        error = ran.err[ran.err.index("error: ") :]
        assert "mine.csv" in error.splitlines()[0]
        assert row in error and got in error
        last = error.splitlines()[-1]
        assert last.startswith("Next step: ") and step in last


def test_the_bad_data_of_a_pipe_are_told_too(shell):
    ran = shell("check", "-", input=b"user_id,item_id,rating\n1,a,3\n1,b,nan\n")
    assert ran.code == 3
    assert "standard input" in ran.err and "line 3: 1,b,nan" in ran.err


def test_float_ids_are_taken_with_a_notice_or_refused_with_the_row(run, tmp_path):
    path = tmp_path / "mine.parquet"
    good = {"user_id": [123.0, 7.0], "item_id": ["a", "a"], "rating": [3, 4]}
    pq.write_table(pa.table(good), path)
    ran = run("check", path, "--json")
    assert "notice: " in ran.err and "--ids user=text" in ran.err
    assert ran.json["user_ids"] == "integer"
    pq.write_table(pa.table({**good, "user_id": [123.5, 7.0]}), path)
    ran = run("check", path, code=3)
    assert "mine.parquet" in ran.err and "row 0" in ran.err and "123.5" in ran.err and "Next step" in ran.err


def test_a_missing_file_names_its_neighbor(run, csv):
    path = csv("1,a,3")
    ran = run("check", path.with_name("rating.csv"), code=3)
    assert "there is no such file" in ran.err and f"did you mean {path}?" in ran.err
    assert run("check", path.parent, code=3).err.startswith(f"error: {path.parent}: is a folder.")


@pytest.mark.parametrize("bad", ["0", "-1", "ten", "2.5", ""])
@pytest.mark.parametrize("option", ["--k", "--min-common", "--threads"])
@pytest.mark.parametrize("command", ["neighbors", "recommend", "plan"])
def test_counts_below_one_and_words_are_refused(run, ratings, command, option, bad):
    ran = run(command, ratings, option, bad, code=2)
    assert ran.out == ""
    assert ran.err.startswith(
        f"error: {option} {bad} cannot be used.\nExpected: a whole number of at least 1"
    )
    assert f"Next step: try {option} " in ran.err


@pytest.mark.parametrize("bad", ["0", "-3", "all"])
def test_n_is_a_count_too(run, ratings, bad):
    assert run("recommend", ratings, "-n", bad, code=2).err.startswith(f"error: -n {bad} cannot be used.")


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("recommend", "-n"),
        *(
            (command, option)
            for command in ("recommend", "neighbors", "plan")
            for option in ("--k", "--min-common")
        ),
    ],
)
@pytest.mark.parametrize("number", ["1000000000", "2147483647", "2147483648", "99999999999999999999"])
def test_absurd_counts_run_or_are_refused(run, csv, command, option, number):
    path = csv("1,a,3", "2,a,4", "2,b,5")
    too_many = int(number) > 2147483647
    ran = run(command, path, option, number, code=2 if too_many else 0)
    if too_many:
        assert ran.err.startswith(
            f"error: {option} {number} cannot be used.\nExpected: a whole number from 1 to "
        )
    elif option != "--min-common" and command != "plan":
        assert f"notice: {option} {number}, but there" in ran.err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["recommend", "RATINGS", "999"], "There is no user 999 among the 60 user ids."),
        (["neighbors", "RATINGS", "999"], "There is no user 999"),
        (["pair", "RATINGS", "1", "999"], "There is no user 999"),
        (["pair", "RATINGS", "bob", "1"], '"bob" is not a user id'),
        (["neighbors", "RATINGS", "--of", "items", "1"], 'There is no item "1"'),
        (["recommend", "RATINGS", "1", "998", "999"], "2 of 3 user ids are not in the ratings"),
    ],
)
def test_unknown_ids_exit_2_with_ids_that_are_there(run, ratings, args, told):
    ran = run(*(str(ratings) if arg == "RATINGS" else arg for arg in args), code=2)
    assert told in ran.err
    assert "Expected: " in ran.err and "such as" in ran.err and "Next step: " in ran.err


@pytest.mark.parametrize(
    ("rows", "notice"),
    [
        (["1,a,3", "1,b,4"], "There is one user"),
        (["1,a,3", "2,a,4"], "There is one item"),
        (["1,a,3", "2,a,3", "2,b,3"], "All ratings are 3"),
        (["1,a,3", "2,b,4"], "No two users rated the same item"),
    ],
)
@pytest.mark.parametrize("command", ["check", "plan", "neighbors", "recommend"])
def test_odd_data_are_a_notice_and_the_run_goes_on(run, csv, command, rows, notice):
    ran = run(command, csv(*rows))
    assert notice in (ran.out if command == "check" and notice.startswith("No two") else ran.err)
    assert run(command, csv(*rows), "--json").json


@pytest.mark.parametrize("preset", ["best", "notebook"])
def test_odd_data_with_every_preset_and_side(run, csv, preset):
    for rows in (["1,a,3"], ["1,a,3", "2,a,4"], ["1,a,3", "2,b,3"]):
        assert run("recommend", csv(*rows), "--preset", preset, "--json").json["summary"]["users"] > 0
        assert run("recommend", csv(*rows), "--by", "items", "--json").json["summary"]["users"] > 0


def test_more_than_possible_is_a_notice(run, csv):
    path = csv("1,a,3", "2,a,4", "2,b,5")
    ran = run("neighbors", path, "--k", 50)
    assert "notice: k=50" not in ran.err  # in the words of the command line
    assert "notice: --k 50, but there is 1 other user: each gets those there are." in ran.err
    ran = run("recommend", path, "--k", 50, "-n", 99, "--by", "items", "--json")
    assert "notice: --k 50, but there is 1 other item" in ran.err
    assert "notice: -n 99, but there are 2 items" in ran.err
    assert ran.json["summary"]["users_with_fewer_than_n"] == 2
    assert "but there" not in run("recommend", path).err  # nobody asked for the defaults
