import pyarrow.parquet as pq
import pytest

import corated as cr


@pytest.fixture(scope="module")
def data(ratings):
    return cr.read_ratings(ratings)


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ([], {}),
        (["--of", "items"], {"of": "items"}),
        (["--measure", "euclidean"], {"measure": "euclidean"}),
        (
            ["--measure", "cosine(weight=bm25(k1=1.2), shrink=3)"],
            {"measure": cr.measures.Cosine(weight=cr.measures.BM25(k1=1.2), shrink=3)},
        ),
        (["--k", "3"], {"k": 3}),
        (["--min-common", "9"], {"min_common": 9}),
        (["--threads", "1"], {"threads": 1}),
    ],
)
def test_everyones_neighbors_are_the_librarys(run, ratings, data, args, options):
    ran = run("neighbors", ratings, *args, "--json").json
    graph = cr.neighbors(data, **options)
    assert ran["rows"] == graph.to_pylist()
    assert ran["summary"]["rows"] == len(graph) and ran["summary"]["measure"] == str(graph.measure)
    if args and args[0] != "--threads":
        assert ran["rows"] != run("neighbors", ratings, "--json").json["rows"]


def test_the_neighbors_of_some_are_all_shown(run, ratings, data):
    out = run("neighbors", ratings, "5", "2", "--k", "15").out
    assert "… the first" not in out and "30 rows for 2 users" in out
    rows = run("neighbors", ratings, "5", "2", "--k", "15", "--json").json["rows"]
    assert rows == cr.neighbors(data, k=15, subjects=[2, 5]).to_pylist()
    assert "… the first 20 of" in run("neighbors", ratings).out


def test_items_have_titles_with_a_catalog(run, ratings, catalog, data):
    rows = run("neighbors", ratings, "--of", "items", "--catalog", catalog, "--json").json["rows"]
    titles = cr.read_catalog(catalog, ids=data)
    assert all(row["title"] == titles.title(row["neighbor"]) for row in rows)
    ran = run("neighbors", ratings, "--catalog", catalog)
    assert "notice: --catalog names items" in ran.err and "title" not in ran.out


def test_neighbors_are_written(run, ratings, tmp_path, data):
    path = tmp_path / "near.parquet"
    assert f"written to {path}" in run("neighbors", ratings, "-o", path).out
    assert pq.read_table(path).to_pylist() == cr.neighbors(data).to_pylist()


def test_all_pairs(run, ratings, tmp_path, data):
    path = tmp_path / "pairs.parquet"
    out = run("neighbors", ratings, "--all-pairs", "--min-common", "2", "-o", path).out
    expected = tmp_path / "expected.parquet"
    cr.all_pairs(data, to=expected, min_common=2)
    assert pq.read_table(path).equals(pq.read_table(expected))
    assert str(path) in out and "pairs of users" in out
    facts = run(
        "neighbors", ratings, "--all-pairs", "--of", "items", "--measure", "msd", "-o", path, "--json"
    ).json
    assert (
        facts["of"] == "items" and facts["measure"] == "msd" and facts["rows"] == pq.read_table(path).num_rows
    )


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "add -o FILE.parquet"),
        (["-o", "-"], "add -o FILE.parquet"),
        (["-o", "pairs.csv"], "add -o FILE.parquet"),
        (["-o", "pairs.parquet", "--k", "3"], "leave --k out"),
        (["1", "-o", "pairs.parquet"], "leave ID out"),
        (["-o", "pairs.parquet", "--catalog", "movies.dat"], "leave --catalog out"),
    ],
)
def test_all_pairs_and_what_does_not_go_with_it(run, ratings, args, told):
    assert told in run("neighbors", ratings, "--all-pairs", *args, code=2).err


def test_a_user_without_neighbors_is_counted(run, csv):
    out = run("neighbors", csv("1,a,3", "2,a,4", "3,b,4", "4,b,4"), "--measure", "cosine").out
    assert "without a neighbor" not in out
    out = run("neighbors", csv("1,a,3", "2,a,4", "3,b,4"), "--measure", "cosine").out
    assert "1 user without a neighbor" in out
