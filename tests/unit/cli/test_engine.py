"""What --engine spark takes and refuses, without Spark: a run is stopped where it would start a session."""

import pyarrow.parquet as pq
import pytest

import corated as cr
import corated.spark as cs
from corated.cli.engine import _is_parquet
from corated.errors import MissingExtraError


class Started(BaseException):
    """A session would be started now: everything before it was fine."""


@pytest.fixture
def parquet(tmp_path, ratings):
    path = tmp_path / "ratings.parquet"
    pq.write_table(cr.read_ratings(ratings).to_arrow(), path)
    return path


@pytest.fixture
def started(monkeypatch):
    """What sessions are asked for; each ends the run."""
    asked = []

    def start(master, **options):
        asked.append((master, options["config"]))
        raise Started

    monkeypatch.setattr(cs, "session", start)
    return asked


def test_options_of_spark_need_spark(run, ratings):
    for option in (
        ["--master", "local[2]"],
        ["--work", "x"],
        ["--blocks", 3],
        ["--memory", "1GB"],
        ["--spark-conf", "a=b"],
    ):
        err = run("recommend", ratings, *option, code=2).err
        assert err.startswith(f"error: {option[0]} is for Spark.\nNext step: add --engine spark"), err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--catalog", "movies.dat"], "--catalog cannot be had with --engine spark: titles"),
        (["--genre", "Drama"], "--genre cannot be had"),
        (["--years", "1990-"], "--years cannot be had"),
        (["--diversity", "0.0"], "--diversity cannot be had"),
        (["--items", "x"], "--items cannot be had"),
        (["--exclude", "x"], "--exclude cannot be had"),
        (["--users", "x"], "--users cannot be had with --engine spark: lists are made for everyone"),
        (["--history", "x"], "--history cannot be had"),
        (["7"], "The user 7 was named"),
        (["--model", "x"], "--model cannot be had"),
        (["--half-life", "30"], "--half-life cannot be had with --engine spark: times"),
        (["--everyone", "0.1"], "--everyone cannot be had"),
        (["--threads", "2"], "--threads cannot be had with --engine spark: --master says"),
        (["--csv-exact", "-o", "x.csv"], "--csv-exact cannot be had"),
        (["--out-format", "csv", "-o", "x"], "--out-format csv cannot be had"),
        (["-o", "-"], "lists are not written to standard output"),
        (["--json"], "--json prints every row"),
        (["--spark-conf", "x"], "--spark-conf x sets nothing."),
        (["--time", "timestamp"], "--time cannot be had with --engine spark: Spark reads user, item"),
        (["--tz", "UTC"], "--tz cannot be had"),
        (["--encoding", "utf-8"], "--encoding cannot be had"),
        (["--ids", "text"], "--ids cannot be had"),
        (["--preset", "notebook", "--k", "3"], "--preset notebook is a fixed method"),
        (["--blocks", "0"], "--blocks 0 cannot be used."),
    ],
)
def test_what_spark_cannot_do_is_refused_before_it_starts(run, parquet, started, args, said):
    ran = run("recommend", parquet, "--engine", "spark", *args, code=2)
    assert said in ran.err and "Next step: " in ran.err
    assert not started


def test_ratings_must_be_named(run):
    assert "Missing argument" in run("recommend", "--engine", "spark", code=2).err


def test_the_output_must_be_a_new_folder(run, parquet, started, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "part-0.parquet").touch()
    (kept / "_SUCCESS").touch()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").touch()
    for output, said in (
        (kept, "has files already, such as _SUCCESS"),
        (other, "has files already, such as mine.txt"),
        (tmp_path, "has files already"),
    ):
        assert said in run("recommend", parquet, "--engine", "spark", "-o", output, code=1).err
    for args in ((parquet, "-o", parquet), (parquet, "--work", kept, "-o", f"{kept}/")):
        assert "would be lost" in run("recommend", *args, "--engine", "spark", code=2).err
    (tmp_path / "a.txt").touch()
    err = run("recommend", parquet, "--engine", "spark", "-o", tmp_path / "a.txt", code=1).err
    assert "is a file" in err
    (kept / "_SUCCESS").unlink()  # what a run that died has left
    with pytest.raises(Started):
        run("recommend", parquet, "--engine", "spark", "-o", kept)


def test_the_session_is_what_the_options_say(run, parquet, started):
    for args in ([], ["--master", "yarn", "--spark-conf", "a.b=c=d", "--spark-conf", "e="]):
        with pytest.raises(Started):
            run("recommend", parquet, "--engine", "spark", *args)
    assert started == [("local[*]", {}), ("yarn", {"a.b": "c=d", "e": ""})]


def test_what_is_missing_is_said(run, parquet, monkeypatch):
    def missing(*_, **__):
        raise MissingExtraError("pyspark is not installed.", hint="pip install 'corated[spark]'")

    monkeypatch.setattr(cs, "session", missing)
    ran = run("recommend", parquet, "--engine", "spark", code=MissingExtraError.exit_code)
    assert "pyspark is not installed" in ran.err and "pip install 'corated[spark]'" in ran.err


def test_spark_reads_parquet_and_this_machine_the_rest(parquet, ratings, tmp_path):
    assert _is_parquet(str(parquet), None) and _is_parquet(str(tmp_path), None)
    assert _is_parquet("hdfs://host/x", None) and _is_parquet("x", "parquet")
    assert not _is_parquet(str(ratings), None) and not _is_parquet(str(parquet), "csv")
    assert not _is_parquet("-", None) and not _is_parquet(str(tmp_path / "absent"), None)
