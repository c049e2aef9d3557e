"""What the service promises over HTTP: each route, any id, errors that help, positions, safe retries."""

import csv
import io
import json
import threading
from urllib.parse import quote

import numpy as np
import pyarrow.parquet
import pytest
from starlette.testclient import TestClient

import corated as cr
from corated.errors import StoreUnavailableError
from corated.serve.app import build
from corated.serve.service import Service
from corated.serve.settings import Settings

from .. import servers

MODEL = {"measure": "jaccard", "k": 20, "min_common": 1}
ODD = [
    "ann/lee",
    "100%",
    "a%2Fb",
    "007",
    "😀 é",
    "a?b#c&d=e",
    "x+y",
    "é",
    "<script>",
    "..",
    "-5",
    "'; DROP--",
]


def served(embedded, **settings):
    service = Service(embedded, Settings(**{**MODEL, "refit_seconds": 0.0, **settings}))
    service.warm = True
    return service


def client_of(service, keys=None):
    return TestClient(build(service, keys), base_url="http://localhost")


def opened(where, service_settings=None, **options):
    from corated.serve.modeling import build_model

    return cr.open(where, model=build_model(Settings(**MODEL)), restart=False, threads=1, **options)


@pytest.fixture(scope="module")
def made():
    return cr.sample(users=40, items=25, ratings=400, seed=11)


@pytest.fixture
def embedded(tmp_path, made):
    with opened(tmp_path / "shop.db") as embedded:
        embedded.import_(made.ratings)
        embedded.put_items(made.catalog)
        yield embedded


@pytest.fixture
def service(embedded):
    return served(embedded)


@pytest.fixture
def client(service):
    return client_of(service)


@pytest.fixture
def text(tmp_path):
    """A service of text ids, odd ones on both sides."""
    rng = np.random.default_rng(3)
    rows = [(u, i, int(rng.integers(1, 6))) for u in ODD for i in ODD if rng.random() < 0.6 or u == i]
    with opened(tmp_path / "odd.db", scale=(1, 5, 1), user_ids="text", item_ids="text") as embedded:
        embedded.write(rows)
        yield embedded


def at(*parts):
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def ok(answer, status=200):
    assert answer.status_code == status, answer.text

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(answer.text, parse_constant=refuse)


def problem(answer, status, code, field=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status and found["code"] == code, found
    assert found["type"] == f"urn:corated:problem:{code}" and found["title"] and found["detail"]
    assert found["request_id"] == answer.headers["x-request-id"]
    if field is not None:
        assert found["field"] == field, found
    return found


# -- the answers are the library's ------------------------------------------------------------------


def test_recommendations_are_those_of_the_index(client, embedded, made):
    user = made.ratings.users.id(3)
    found = ok(client.get(at("users", user, "recommendations"), params={"n": 4}))
    expected = embedded.recommend(user, n=4).to_pylist()
    assert found["position"] == embedded.position and found["user_id"] == user
    assert [row["item_id"] for row in found["items"]] == [row["item_id"] for row in expected]
    for row, wanted in zip(found["items"], expected, strict=True):
        assert {name: row[name] for name in row} == {
            name: wanted[name] for name in wanted if name != "user_id"
        }


def test_each_recommendation_can_come_with_its_why(client, made):
    user = made.ratings.users.id(3)
    found = ok(client.get(at("users", user, "recommendations"), params={"n": 2, "explain": True}))
    for row in found["items"]:
        why = row["why"]
        assert why["score"] == pytest.approx(row["score"], abs=1e-9) and why["sentence"]
        alone = ok(client.get("/v1/explain", params={"user": user, "item": row["item_id"], "n": 2}))
        assert alone["contributions"][:5] == why["contributions"]
        assert why["n_contributions"] == len(alone["contributions"])


def test_filters_are_obeyed(client, made):
    user = made.ratings.users.id(3)
    genre = next(iter(made.catalog.genres[0].as_py()))
    found = ok(client.get(at("users", user, "recommendations"), params={"n": 25, "genre": genre}))
    assert found["items"]
    for row in found["items"]:
        assert genre in made.catalog.genres[made.catalog.ids.code(row["item_id"])].as_py()
    years = ok(client.get(at("users", user, "recommendations"), params={"n": 25, "first_year": 2000}))
    for row in years["items"]:
        assert made.catalog.years[made.catalog.ids.code(row["item_id"])].as_py() >= 2000
    nobody = client.get(at("users", user, "recommendations"), params={"genre": "Nope"})
    assert "Nope" in problem(nobody, 422, "parameter")["detail"]


def test_a_batch_answers_in_the_order_asked_and_says_who_is_unknown(client, made):
    users = [made.ratings.users.id(code) for code in (5, 2)]
    found = ok(client.post("/v1/recommendations", json={"users": [*users, 10**9], "n": 3}))
    assert [row["user_id"] for row in found["users"]] == [*users, 10**9]
    assert [row["status"] for row in found["users"]] == ["ok", "ok", "unknown_user"]
    for row in found["users"][:2]:
        alone = ok(client.get(at("users", row["user_id"], "recommendations"), params={"n": 3}))
        assert row["items"] == alone["items"]


def test_an_unknown_user_is_404_or_gets_what_is_popular(client):
    problem(client.get(at("users", 10**9, "recommendations")), 404, "unknown_user", "path/user")
    found = ok(client.get(at("users", 10**9, "recommendations"), params={"popular": True, "n": 3}))
    assert len(found["items"]) == 3 and {row["source"] for row in found["items"]} == {"popularity"}
    batch = ok(client.post("/v1/recommendations", json={"users": [10**9], "n": 3, "popular": True}))
    assert batch["users"][0]["status"] == "popular" and batch["users"][0]["items"] == found["items"]


def test_an_empty_list_says_why(client, made):
    user, items = made.ratings.users.id(3), made.ratings.items.ids.to_pylist()
    found = ok(client.get(at("users", user, "recommendations"), params={"first_year": 99_999}))
    assert found["items"] == [] and "filters" in found["reason"]
    rows = [{"item": item, "rating": 5} for item in items]
    assert ok(client.post(at("users", user, "ratings"), json={"ratings": rows}))["refused"] == 0
    found = ok(client.get(at("users", user, "recommendations")))
    assert found["items"] == [] and found["reason"] == "The user has rated every item that there is."
    batch = ok(client.post("/v1/recommendations", json={"users": [user, made.ratings.users.id(5)]}))["users"]
    assert batch[0]["reason"] == found["reason"] and batch[1]["items"] and "reason" not in batch[1]


def test_a_user_has_so_many_ratings_at_most_and_others_go_on(embedded, made):
    user, other = made.ratings.users.id(3), made.ratings.users.id(4)
    has, items = embedded.profile(user), made.ratings.items.ids.to_pylist()
    client = client_of(served(embedded, max_user_ratings=len(has) + 1))
    new = [item for item in items if item not in has][:3]
    rows = [(user, new[0]), (user, new[0]), (user, new[1]), (user, next(iter(has))), (other, items[0])]
    body = {"ratings": [{"user": user, "item": item, "rating": 6} for user, item in rows]}
    found = ok(client.post("/v1/ratings", json=body))
    assert [row["status"] for row in found["results"]] == ["written"] * 2 + ["refused"] + ["written"] * 2
    assert found["results"][2]["problem"]["code"] == "too_many_ratings"
    told = client.put(at("users", user, "ratings", new[2]), json={"rating": 6})
    problem(told, 422, "too_many_ratings", "body/user")
    ok(client.put(at("users", user, "ratings", new[0]), json={"rating": 7}))
    ok(client.delete(at("users", user, "ratings", new[0])))
    ok(client.put(at("users", user, "ratings", new[2]), json={"rating": 6}))
    assert embedded.index.n_rated(user) == len(has) + 1 and embedded.index.n_rated(10**9) == 0


def test_a_history_answers_as_a_fit_with_that_person_would(client, service, made):
    items = [made.ratings.items.id(code) for code in (1, 4, 9)]
    history = dict(zip(items, (10.0, 8.0, 9.0), strict=True))
    body = {"history": [{"item": item, "rating": rating} for item, rating in history.items()], "n": 5}
    found = ok(client.post("/v1/recommendations", json={**body, "explain": True}))
    expected = service.embedded.index.fitted().recommend(history=history, n=5).to_pylist()
    assert found["user_id"] is None
    assert [(r["item_id"], r["score"]) for r in found["items"]] == [
        (r["item_id"], r["score"]) for r in expected
    ]
    for row in found["items"]:  # who they are is nobody's business
        assert {part.get("neighbor") for part in row["why"]["contributions"]} == {None}
    why = ok(client.post("/v1/explain", json={"history": body["history"], "item": expected[0]["item_id"]}))
    assert why["score"] == pytest.approx(expected[0]["score"])


def test_neighbors_similar_items_and_who_rated_an_item(client, embedded, made):
    user, item = made.ratings.users.id(3), made.ratings.items.id(4)
    found = ok(client.get(at("users", user, "neighbors"), params={"k": 5, "measure": "msd", "min_common": 2}))
    expected = embedded.neighbors(user, measure="msd", k=5, min_common=2).to_pylist()
    assert [{**row, "id": user} for row in found["neighbors"]] == expected and found["measure"] == "msd"
    similar = ok(client.get(at("items", item, "similar"), params={"k": 5}))
    wanted = embedded.similar_items(item, k=5).to_pylist()
    assert [row["neighbor"] for row in similar["neighbors"]] == [row["neighbor"] for row in wanted]
    assert similar["neighbors"][0]["title"] == made.catalog.title(wanted[0]["neighbor"])
    who = ok(client.get(at("items", item, "ratings"), params={"limit": 1000}))
    table = made.ratings.to_arrow().to_pylist()
    rows = [(-row["rating"], row["user_id"]) for row in table if row["item_id"] == item]
    assert [(-row["rating"], row["user_id"]) for row in who["ratings"]] == sorted(rows)
    assert who["total"] == len(rows)


def test_predictions_come_from_the_model_that_predicts(client, service, made):
    user, items = made.ratings.users.id(3), [made.ratings.items.id(code) for code in (1, 2)]
    found = ok(client.post("/v1/predict", json={"user": user, "items": [*items, "nope"]}))
    model = cr.preset("surprise-knnwithmeans").fit(made.ratings)
    expected = model.predict([user] * 3, [*items, "nope"]).to_pylist()
    assert found["predictions"] == expected and expected[2]["status"] == "unknown_item"


# -- writing ----------------------------------------------------------------------------------------


def test_a_rating_counts_in_the_next_answer(client, made):
    user = made.ratings.users.id(3)
    before = ok(client.get(at("users", user, "recommendations")))
    item = before["items"][0]["item_id"]
    written = ok(client.put(at("users", user, "ratings", item), json={"rating": 9}))
    assert written["position"] > before["position"]
    after = ok(client.get(at("users", user, "recommendations"), params={"min_position": written["position"]}))
    assert after["position"] >= written["position"]
    assert item not in [row["item_id"] for row in after["items"]]
    assert ok(client.get(at("users", user, "ratings", item)))["rating"] == 9.0
    ok(client.delete(at("users", user, "ratings", item)))
    problem(client.get(at("users", user, "ratings", item)), 404, "unknown_rating", "path/item")
    assert ok(client.get(at("users", user, "recommendations")))["items"] == before["items"]


def test_rows_are_told_apart_and_the_good_ones_are_written(client, made):
    user, item = made.ratings.users.id(3), made.ratings.items.id(4)
    rows = [
        {"user": user, "item": item, "rating": 10},
        {"user": user, "item": item, "rating": 99},
        {"user": str(user), "item": item, "rating": 3},
        {"user": user, "item": item, "rating": 3, "time": "yesterday"},
        {"user": 777, "item": item, "rating": 4, "time": "2020-01-31T12:00+01:00"},
        {"user": user, "item": made.ratings.items.id(5), "rating": None},
    ]
    found = ok(client.post("/v1/ratings", json={"ratings": rows}))
    assert [row["status"] for row in found["results"]] == [
        *("written", "refused", "refused", "refused", "written", "removed")
    ]
    assert (found["written"], found["refused"]) == (3, 3)
    told = [row["problem"] for row in found["results"] if row["status"] == "refused"]
    assert [one["code"] for one in told] == ["data", "id_type", "parameter"]
    assert [one["field"] for one in told] == ["body/ratings/1", "body/ratings/2", "body/ratings/3/time"]
    assert "off the scale" in told[0]["detail"] and "integers" in told[1]["detail"]
    assert ok(client.get(at("users", 777, "ratings", item)))["rating"] == 4.0
    assert ok(client.get(at("users", user, "ratings", item)))["rating"] == 10.0
    more = ok(client.post(at("users", 778, "ratings"), json={"ratings": [{"item": item, "rating": 2}]}))
    assert more["written"] == 1 and ok(client.get(at("users", 778, "ratings")))["total"] == 1


def test_one_refused_rating_says_what_is_wrong(client, made):
    address = at("users", made.ratings.users.id(3), "ratings", made.ratings.items.id(4))
    found = problem(client.put(address, json={"rating": 8.25}), 422, "data", "body")
    assert "off the scale" in found["detail"] and "1 to 10" in found["expected"] and found["next_step"]
    problem(client.put(address, json={"rating": 8, "time": "soon"}), 422, "parameter", "body/time")
    problem(client.put(address, json={"rating": None}), 422, "invalid", "body/rating")
    problem(client.put(address, json={"rating": True}), 422, "invalid", "body/rating")
    problem(client.put(address, json={"rating": "8"}), 422, "invalid", "body/rating")
    problem(client.put(address, json={"rating": 8, "tiem": 1}), 422, "invalid", "body/tiem")
    problem(client.put(address), 422, "invalid", "body")


def test_a_key_makes_a_retry_safe(client, made):
    user, item = made.ratings.users.id(3), made.ratings.items.id(4)
    address, key = at("users", user, "ratings", item), {"Idempotency-Key": "order-17"}
    first = ok(client.put(address, json={"rating": 2}, headers=key))
    ok(client.put(address, json={"rating": 5}))
    assert ok(client.put(address, json={"rating": 2}, headers=key))["position"] == first["position"]
    assert ok(client.get(address))["rating"] == 5.0  # the repetition wrote nothing
    problem(client.put(address, json={"rating": 3}, headers=key), 422, "key_reused")
    bulk = {"ratings": [{"user": user, "item": item, "rating": 7}]}
    positions = {
        ok(client.post("/v1/ratings", json=bulk, headers={"Idempotency-Key": "b"}))["position"] for _ in "123"
    }
    assert len(positions) == 1


def test_ratings_come_in_pages_that_writes_do_not_disturb(client, embedded, made):
    user = max(made.ratings.users, key=lambda id: len(embedded.profile(id)))
    every = [row["item_id"] for row in ok(client.get(at("users", user, "ratings")))["ratings"]]
    assert len(every) > 7 and every == sorted(every)
    seen, cursor = [], None
    while True:
        params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = ok(client.get(at("users", user, "ratings"), params=params))
        seen += [row["item_id"] for row in page["ratings"]]
        if len(seen) == 3:  # what is behind the cursor goes away, and nothing is skipped
            ok(client.delete(at("users", user, "ratings", seen[0])))
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == every
    for wrong in ("x", "WzFd", "W10", "é", "WyJhIiwiYiJd"):
        bad = client.get(at("users", user, "ratings"), params={"cursor": wrong})
        problem(bad, 422, "cursor", "query/cursor")


def test_erasing_forgets_somebody_everywhere(client, made):
    user, item = made.ratings.users.id(3), made.ratings.items.id(4)
    ok(client.put(at("users", user, "ratings", item), json={"rating": 2}, headers={"Idempotency-Key": "k"}))
    ok(client.get(at("items", item, "ratings")))
    found = ok(client.delete(at("users", user)))
    assert found["ratings"] > 0 and found["keys"] == 1 and found["complete"] is True
    problem(client.get(at("users", user, "ratings")), 404, "unknown_user")
    who = ok(client.get(at("items", item, "ratings"), params={"limit": 1000}))
    assert user not in [row["user_id"] for row in who["ratings"]]
    exported = client.get("/v1/export").text
    assert user not in [json.loads(line)["user_id"] for line in exported.splitlines()]
    assert ok(client.delete(at("users", user)))["ratings"] == 0


# -- catalog, search, export ------------------------------------------------------------------------


def test_the_catalog_goes_in_and_comes_out(client, made):
    item = made.ratings.items.id(4)
    done = ok(client.put(at("items", item), json={"title": "Ünlikely", "year": 1999, "genres": ["A", "B"]}))
    assert ok(client.get(at("items", item))) == {
        "position": done["position"],
        "item": item,
        "title": "Ünlikely",
        "year": 1999,
        "genres": ["A", "B"],
    }
    ok(client.post("/v1/items", json={"items": [{"item": "new/1", "title": "New"}, {"item": "new2"}]}))
    page = ok(client.get("/v1/items", params={"limit": 10}))
    assert page["position"] == done["position"]
    seen = page["items"]
    while page["next"]:
        page = ok(client.get("/v1/items", params={"limit": 10, "cursor": page["next"]}))
        seen += page["items"]
    assert len(seen) == page["total"] == len(made.catalog) + 2
    assert [row["item"] for row in seen] == sorted(row["item"] for row in seen)
    ok(client.delete(at("items", "new/1")))
    problem(client.get(at("items", "new/1")), 404, "unknown_item", "path/item")
    problem(client.post("/v1/items", json={"items": [{"item": 5}]}), 422, "id_type")
    found = ok(client.get("/v1/search", params={"q": "ünlik"}))
    assert found["items"][0]["item"] == item  # of the catalog as it is now


def test_search_finds_titles_and_ids(client, made):
    title = made.catalog.title(made.ratings.items.id(7))
    found = ok(client.get("/v1/search", params={"q": title[:6].upper(), "limit": 50}))
    assert made.ratings.items.id(7) in [row["item"] for row in found["items"]]
    exact = ok(client.get("/v1/search", params={"q": made.ratings.items.id(7)}))
    assert exact["items"][0]["item"] == made.ratings.items.id(7)
    user = made.ratings.users.id(12)
    assert ok(client.get("/v1/search", params={"q": str(user)}))["users"][0] == user
    assert len(ok(client.get("/v1/search", params={"q": "1", "limit": 2}))["users"]) <= 2
    problem(client.get("/v1/search"), 422, "invalid", "query/q")


def test_everything_can_be_exported(client, made, text):
    rows = {(row["user_id"], row["item_id"]): row["rating"] for row in made.ratings.to_arrow().to_pylist()}
    lines = [json.loads(line) for line in client.get("/v1/export").text.splitlines()]
    assert {(row["user_id"], row["item_id"]): row["rating"] for row in lines} == rows
    binary = client.get("/v1/export", params={"format": "parquet"}).content
    table = pyarrow.parquet.read_table(io.BytesIO(binary)).to_pylist()
    assert {(row["user_id"], row["item_id"]): row["rating"] for row in table} == rows
    read = list(csv.reader(io.StringIO(client.get("/v1/export", params={"format": "csv"}).text)))
    assert len(read) == len(rows) + 1
    problem(client.get("/v1/export", params={"format": "xlsx"}), 422, "invalid", "query/format")
    odd = client_of(served(text)).get("/v1/export", params={"format": "csv"}).text
    users = {row[0] for row in csv.reader(io.StringIO(odd))}
    assert "'-5" in users and "-5" not in users  # a spreadsheet would compute it


# -- any id -----------------------------------------------------------------------------------------


def test_any_id_works_in_an_address(text):
    client = client_of(served(text))
    for user in ODD:
        if user == "..":  # which clients take for the folder above; it works in bodies
            continue
        expected = text.profile(user)
        found = ok(client.get(at("users", user, "ratings")))
        assert found["user_id"] == user
        assert {row["item_id"]: row["rating"] for row in found["ratings"]} == expected
        for item in expected:
            if item != "..":
                assert ok(client.get(at("users", user, "ratings", item)))["rating"] == expected[item]
        ok(client.get(at("users", user, "recommendations")))
        ok(client.get(at("items", user, "similar")))
        ok(client.put(at("users", user, "ratings", "new/" + user), json={"rating": 4}))
        assert text.profile(user)["new/" + user] == 4.0


def test_any_id_works_in_a_body(text):
    client = client_of(served(text))
    found = ok(client.post("/v1/recommendations", json={"users": ODD}))
    assert [row["user_id"] for row in found["users"]] == ODD
    for id in ODD:
        row = {"user": id, "item": id, "rating": 1}
        assert ok(client.post("/v1/ratings", json={"ratings": [row]}))["written"] == 1
        assert text.profile(id)[id] == 1.0
        ok(client.post("/v1/explain", json={"user": id, "item": id}))


def test_ids_are_parsed_to_the_stored_type(client, text, made):
    for wrong in ("0x1", "01", "1.0", "1e3", " 1", "--1", "9" * 30, "é"):
        problem(client.get(at("users", wrong, "ratings")), 422, "id_type", "path/user")
    problem(client.post("/v1/recommendations", json={"users": ["3"]}), 422, "id_type")
    assert ok(client_of(served(text)).get(at("users", "007", "ratings")))["user_id"] == "007"
    problem(client_of(served(text)).get(at("users", "7", "ratings")), 404, "unknown_user")
    problem(client_of(served(text)).get("/v1/users/%FF/ratings"), 400, "address")
    for too_long in ("x" * 513, "é" * 257):
        answer = client_of(served(text)).put(at("users", too_long, "ratings", "a"), json={"rating": 3})
        assert "at most 512" in problem(answer, 422, "data")["detail"]


def test_a_new_store_begins_with_the_first_rating(tmp_path):
    with opened(tmp_path / "new.db", scale=(1, 5, 1)) as embedded:
        client = client_of(served(embedded))
        assert ok(client.get("/readyz"))["notes"] == ["there are no ratings yet"]
        problem(client.get(at("users", "7", "recommendations")), 409, "no_ratings")
        problem(client.post("/v1/predict", json={"user": 7, "items": [1]}), 409, "no_ratings")
        assert ok(client.get("/v1/search", params={"q": "a"})) == {
            "position": 0,
            "items": [],
            "users": [],
        }
        assert ok(client.get("/v1/info"))["ratings"] == 0
        rows = [{"user": 7, "item": "x", "rating": 4}, {"user": 8, "item": "x", "rating": 5}]
        assert ok(client.post("/v1/ratings", json={"ratings": rows}))["written"] == 2
        assert ok(client.get(at("users", 7, "ratings")))["total"] == 1
        assert ok(client.get(at("users", 7, "recommendations")))["items"] == []


# -- what cannot be answered ------------------------------------------------------------------------


def test_wrong_requests_say_where_and_what_next(client, made):
    user = made.ratings.users.id(3)
    for params, field in (
        ({"n": 0}, "query/n"),
        ({"n": "ten"}, "query/n"),
        ({"n": -1}, "query/n"),
        ({"n": 10**9}, "query/n"),
        ({"diversity": "nan"}, "query/diversity"),
        ({"min_position": -1}, "query/min_position"),
    ):
        found = client.get(at("users", user, "recommendations"), params=params).json()
        assert found["status"] == 422 and found["field"] == field and found["next_step"], found
    unknown = client.get(at("users", user, "recommendations"), params={"exclude_seeen": 1})
    problem(unknown, 422, "unknown_parameter", "query/exclude_seeen")
    problem(client.get(at("users", user, "neighbors"), params={"measure": "pearsonn"}), 422, "parameter")
    problem(client.get(at("users", user, "neighbors"), params={"measure": "spearman"}), 422, "parameter")
    problem(client.post("/v1/recommendations", json={}), 422, "parameter", "body/users")
    both = {"users": [user], "history": []}
    problem(client.post("/v1/recommendations", json=both), 422, "parameter", "body/users")
    twice = [{"item": made.ratings.items.id(1), "rating": 5}] * 2
    problem(client.post("/v1/recommendations", json={"history": twice}), 422, "twice", "body/history/1/item")
    problem(client.get("/v1/nothing"), 404, "no_such_address", "path")
    assert problem(client.patch("/v1/info"), 405, "method")["expected"] == "GET"
    problem(client.get("/v1/explain", params={"user": user, "item": "nope"}), 404, "unknown_item")


def test_limits_on_how_much_is_asked(embedded, made):
    client = client_of(served(embedded, max_users=2, max_rows=4, max_n=3))
    user = made.ratings.users.id(3)
    problem(client.get(at("users", user, "recommendations"), params={"n": 4}), 422, "too_many", "query/n")
    problem(client.post("/v1/recommendations", json={"users": [1, 2, 3], "n": 1}), 422, "too_many")
    problem(client.post("/v1/recommendations", json={"users": [1, 2], "n": 3}), 422, "too_many", "body/n")
    rows = [{"user": user, "item": "a", "rating": 5}] * 5
    problem(client.post("/v1/ratings", json={"ratings": rows}), 422, "too_many", "body/ratings")
    problem(client.get(at("users", user, "neighbors"), params={"k": 4}), 422, "too_many", "query/k")


@pytest.mark.parametrize(
    "body",
    [
        b'{"users": [1], "n": NaN}',
        b'{"users": [1], "n": Infinity}',
        b'{"users": [1], "n": 1e999}',
        b'{"users": [1], "users": [2]}',
        b'{"users": ["\\ud800"]}',
        b'{"users": [1]} x',
        b'{"users": [1',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"users": [' + b"9" * 5000 + b"]}",
    ],
)
def test_only_strict_json_is_read(client, body):
    answer = client.post("/v1/recommendations", content=body, headers={"content-type": "application/json"})
    problem(answer, 400, "json", "body")


def test_bodies_of_other_types_are_refused(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.post("/v1/recommendations", content=b"{}", headers={"content-type": kind})
        problem(answer, 415, "media_type", "header/content-type")
    zipped = client.post("/v1/recommendations", content=b"x", headers={"content-encoding": "gzip"})
    problem(zipped, 415, "compressed")


# -- positions --------------------------------------------------------------------------------------


def test_an_answer_waits_for_a_position_that_another_process_wrote(tmp_path, made):
    with opened(tmp_path / "shop.db") as one, opened(tmp_path / "shop.db") as other:
        one.import_(made.ratings)
        client, user = client_of(served(one)), made.ratings.users.id(3)
        item = ok(client.get(at("users", user, "recommendations")))["items"][0]["item_id"]
        position = other.rate(user, item, 9)
        old = ok(client.get(at("users", user, "ratings")))
        assert old["position"] < position and item not in [row["item_id"] for row in old["ratings"]]
        new = ok(client.get(at("users", user, "ratings"), params={"min_position": position}))
        assert new["position"] >= position and item in [row["item_id"] for row in new["ratings"]]


def test_a_position_that_does_not_come_is_503_with_retry_after(client, embedded, made):
    answer = client.get(
        at("users", made.ratings.users.id(3), "ratings"), params={"min_position": embedded.position + 5}
    )
    found = problem(answer, 503, "behind", "query/min_position")
    assert answer.headers["retry-after"] == "1" and f"{embedded.position + 5}" in found["detail"]


def test_histories_may_be_some_seconds_behind_and_say_so(embedded, made):
    client = client_of(served(embedded, refit_seconds=3600))
    item, user = made.ratings.items.id(1), made.ratings.users.id(3)
    body = {"history": [{"item": item, "rating": 9}], "n": 2}
    first = ok(client.post("/v1/recommendations", json=body))
    written = ok(client.put(at("users", user, "ratings", item), json={"rating": 1}))
    assert ok(client.post("/v1/recommendations", json=body))["position"] == first["position"]
    fresh = ok(client.post("/v1/recommendations", json={**body, "min_position": written["position"]}))
    assert fresh["position"] >= written["position"]


# -- a store that is gone ---------------------------------------------------------------------------


def test_answers_go_on_from_memory_while_the_store_is_away(client, embedded, made, monkeypatch):
    def away(*args, **options):
        raise StoreUnavailableError("postgresql://secret@host is away.", hint="wait")

    monkeypatch.setattr(embedded.store, "write", away)
    monkeypatch.setattr(embedded.store, "changes", away)
    user, item = made.ratings.users.id(3), made.ratings.items.id(4)
    answer = client.put(at("users", user, "ratings", item), json={"rating": 2})
    found = problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"] and "secret" not in answer.text and found["next_step"]
    assert ok(client.get(at("users", user, "recommendations")))["items"]
    with pytest.raises(StoreUnavailableError):
        embedded.refresh()
    assert ok(client.get("/v1/info"))["stale"] is True
    assert "could not be reached" in ok(client.get("/readyz"))["notes"][0]


def test_what_should_not_happen_tells_its_request_id_and_nothing_else(client, embedded, made, monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("user 3 of /secret/path")

    monkeypatch.setattr(embedded, "recommend", broken)
    answer = TestClient(client.app, base_url="http://localhost", raise_server_exceptions=False).get(
        at("users", made.ratings.users.id(3), "recommendations"), headers={"X-Request-ID": "abc-1"}
    )
    found = problem(answer, 500, "internal")
    assert found["request_id"] == "abc-1" and "secret" not in answer.text


# -- many at once -----------------------------------------------------------------------------------


def test_many_threads_read_and_write(client, embedded, made):
    users = [made.ratings.users.id(code) for code in range(8)]
    faults = []

    def work(user):
        try:
            for at_ in range(5):
                item = made.ratings.items.id(at_)
                position = ok(client.put(at("users", user, "ratings", item), json={"rating": 1 + at_}))[
                    "position"
                ]
                found = ok(client.get(at("users", user, "ratings", item), params={"min_position": position}))
                assert found["rating"] == 1 + at_
        except Exception as error:  # noqa: BLE001 - told below
            faults.append(error)

    threads = [threading.Thread(target=work, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == [] and embedded.verify(users=5).ok


def test_it_serves_postgresql(made):
    with opened(servers.shared().address()) as embedded:
        embedded.import_(made.ratings)
        client, user = client_of(served(embedded)), made.ratings.users.id(3)
        item = ok(client.get(at("users", user, "recommendations")))["items"][0]["item_id"]
        written = ok(client.put(at("users", user, "ratings", item), json={"rating": 9}))
        assert ok(client.get(at("users", user, "ratings", item)))["position"] >= written["position"]
        assert ok(client.delete(at("users", user)))["ratings"] > 0
