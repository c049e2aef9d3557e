"""``corated diagnose``: the library's diagnosis, with the command line's words and codes."""

import pytest

import corated as cr


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ([], {}),
        (["--of", "items"], {"of": "items"}),
        (["--measure", "cosine_common"], {"measure": "cosine_common"}),
        (["--measure", "pearson(adjust=lower_bound)"], {"measure": "pearson(adjust=lower_bound)"}),
        (["--min-common", "3"], {"min_common": 3}),
        (["--threads", "1"], {"threads": 1}),
    ],
)
def test_the_diagnosis_is_the_librarys(run, ratings, args, options):
    found = cr.diagnose(cr.read_ratings(ratings), **options)
    assert run("diagnose", ratings, *args, "--json").json == found.to_dict()
    if args and args[0] != "--threads":
        assert found.to_dict() != cr.diagnose(cr.read_ratings(ratings)).to_dict()


def test_it_speaks_of_options(run, ratings):
    ran = run("diagnose", ratings, "--min-common", "5")
    assert ran.out.startswith("pearson of 60 users, --min-common 5: 1,770 pairs")
    assert "--min-common 3" in ran.out and "--measure euclidean" in ran.out
    assert "min_common" not in ran.out and "measure=" not in ran.out
    assert "█" in ran.out and "░" in ran.out


def test_each_user_without_a_neighbor_is_in_the_json(run, csv):
    path = csv("ann,a,3", "ann,b,3", "bob,a,1", "bob,b,5", "eve,z,2")
    found = run("diagnose", path, "--json").json
    assert found["reasons"] == {"no_common": 2, "one_common": 0, "flat_profile": 1, "flat": 0}
    assert [(row["id"], row["reason"]) for row in found["alone"]] == [
        ("ann", "flat_profile"),
        ("bob", "no_value"),
        ("eve", "too_few_ratings"),
    ]
    out = run("diagnose", path).out
    assert "3 users have no neighbor (100 % of 3)" in out and "ratings are all equal" in out


def test_ratings_that_share_nothing(run, csv):
    assert "no measure can compare them" in run("diagnose", csv("1,a,3", "2,b,4")).out


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["--measure", "nearness"], 2, "nearness"),
        (["--min-common", "0"], 2, "--min-common 0"),
        (["--threads", "0"], 2, "--threads 0"),
        (["--of", "people"], 2, "people"),
    ],
)
def test_wrong_usage(run, ratings, args, code, told):
    assert told in run("diagnose", ratings, *args, code=code).err


def test_a_measure_that_cannot_use_the_ratings(run, csv):
    path = csv("1,a,0.1234567", "1,b,17.000321", "2,a,1.61803")
    assert "constrained_pearson" in run("diagnose", path, "--measure", "constrained_pearson", code=3).err
    assert "no such file" in run("diagnose", path.parent / "absent.csv", code=3).err.lower()


def test_a_pair_by_a_measure_with_parameters(run, ratings):
    found = run("pair", ratings, "1", "2", "--measure", "pearson(shrink=10)", "--json").json
    expected = cr.pair(cr.read_ratings(ratings), 1, 2, measure=cr.measures.Pearson(shrink=10))
    assert (found["value"], found["measure"]) == (expected.value, "pearson(shrink=10)")
    assert found["unit"] == "codes" and found["meaning"] == "rating − 1"
    assert "pearson(shrink=10) = " in run("pair", ratings, "1", "2", "--measure", "pearson(shrink=10)").out
