"""check, plan and pair: what is looked at before anything is computed."""

import pytest

import corated as cr
from corated.ratings.check import check


def test_check_is_the_librarys_report(run, ratings, catalog):
    data = cr.read_ratings(ratings)
    ran = run("check", ratings, "--catalog", catalog)
    assert "900 ratings by 60 users of 40 items" in ran.out
    assert "scale       1 to 10 by 1" in ran.out and "titled" in ran.out
    assert run("check", ratings, "--json").json["n_ratings"] == 900
    report = check(data, cr.read_catalog(catalog, ids=data)).to_dict()
    found = run("check", ratings, "--catalog", catalog, "--json").json
    assert found["heaviest_items"] == report["heaviest_items"] and found["histogram"][0]["low"] == 1


def test_check_tells_notices_once(run, ratings):
    ran = run("check", ratings)
    assert "no header" in ran.err and "no header" not in ran.out


def test_what_does_not_fit_the_screen_is_said_to_be_in_json(run, csv):
    out = run("check", csv(*(f"{user},{item},0" for user in range(30) for item in range(user % 2 + 1)))).out
    assert ".warnings" not in out


def test_plan_is_the_librarys(run, ratings):
    data = cr.read_ratings(ratings)
    assert run("plan", ratings, "--of", "items", "--threads", "1").out.startswith("neighbors of 40 items")
    found = run(
        "plan", ratings, "--k", "7", "--measure", "msd", "--min-common", "2", "--threads", "1", "--json"
    ).json
    expected = cr.plan(data, k=7, measure="msd", min_common=2, threads=1).to_dict()
    assert set(found) == set(expected)
    assert {name: found[name] for name in found if isinstance(expected[name], int)}.keys()
    assert found["k"] == 7 and found["measure"] == "msd" and found["min_common"] == 2


def test_pair_shows_common_ratings_sums_and_value(run, ratings, catalog):
    data = cr.read_ratings(ratings)
    ran = run("pair", ratings, "1", "2", "--catalog", catalog)
    result = cr.pair(data, 1, 2)
    assert f"{result.n_common} items in common" in ran.out and "Σxy" in ran.out and "title" in ran.out
    assert run("pair", ratings, "1", "2", "--json").json["value"] == result.value
    items = data.items.ids[:2].to_pylist()
    found = run(
        "pair", ratings, *items, "--of", "items", "--measure", "msd", "--min-common", "1", "--json"
    ).json
    assert found["a"] == items[0] and found["value"] == cr.pair(data, *items, of="items", measure="msd").value
    near = max(
        ((a, b) for a in range(1, 61) for b in range(1, a)), key=lambda ab: cr.pair(data, *ab).n_common
    )
    assert "(--json shows all" in run("pair", ratings, *near).out


def test_a_pair_without_a_value_says_why(run, csv):
    path = csv("1,a,3", "2,b,4", "3,a,5")
    assert "no item in common" in run("pair", path, "1", "2").out
    found = run("pair", path, "1", "3", "--min-common", "2", "--json").json
    assert found["value"] is None and found["status"] == "too_few" and "fewer than" in found["reason"]
    assert "fewer than --min-common 2" in run("pair", path, "1", "3", "--min-common", "2").out


def test_negative_and_odd_ids(run, csv):
    path = csv("-1,a b,3", "-2,a b,4", "-2,-x,5", "-1,-x,3")
    assert "2 items in common" in run("pair", path, "--", "-1", "-2").out
    assert "in common" in run("pair", path, "--of", "items", "--", "-x", "a b").out


@pytest.mark.parametrize("command", ["check", "plan", "neighbors", "recommend"])
def test_standard_input(shell, ratings, command):
    assert shell(command, "-", input=ratings.read_bytes()).code == 0
