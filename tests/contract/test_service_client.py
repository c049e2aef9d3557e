"""The Python client against a running service: every call, odd ids, problems, lost answers."""

import http.client
import socket
import time

import pyarrow.parquet
import pytest

import corated as cr
from corated.errors import ParameterError
from corated.serve.client import Client, ServiceError
from corated.serve.keys import KeyFile
from corated.serve.modeling import build_model
from corated.serve.settings import Settings

from ..services import listening

IDS = ["ann/lee", "100%", "a%2Fb", "007", "😀 é", "a?b#c&d", "x", "y", "z"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a service that asks for keys, keys by scope, and what it answers from."""
    folder = tmp_path_factory.mktemp("client")
    settings = Settings(measure="jaccard", k=20, min_common=1, refit_seconds=0.0, port=0)
    keys = KeyFile(folder / "keys.json")
    made = {scope: keys.create(scope)[0] for scope in ("read", "admin")}
    options = {"scale": (1, 5, 1), "user_ids": "text", "item_ids": "text", "restart": False, "threads": 1}
    with cr.open(folder / "a.db", model=build_model(settings), **options) as embedded:
        embedded.write(
            [(u, i, 1 + (a * b) % 5) for a, u in enumerate(IDS) for b, i in enumerate(IDS) if (a + b) % 4]
        )
        with listening(embedded, settings, keys) as address:
            yield address, made, embedded


@pytest.fixture
def client(served):
    with Client(served[0], key=served[1]["admin"]) as client:
        yield client


@pytest.mark.jit
def test_each_call_answers(client, served, tmp_path):
    embedded = served[2]
    assert client.info()["users"] == len(IDS)
    for user in IDS:
        wanted = embedded.recommend(user, n=3).to_pylist()
        assert [row["item_id"] for row in client.recommend(user, n=3)] == [row["item_id"] for row in wanted]
        assert {row["item_id"]: row["rating"] for row in client.ratings(user)} == embedded.profile(user)
        near = embedded.neighbors(user, measure="cosine", k=2).to_pylist()
        found = client.neighbors(user, measure="cosine", k=2)
        assert [row["neighbor"] for row in found] == [row["neighbor"] for row in near]
        similar = embedded.similar_items(user, k=2).to_pylist()  # ids are of both
        assert [row["neighbor"] for row in client.similar(user, k=2)] == [row["neighbor"] for row in similar]
    listed = [row for user in IDS for row in client.recommend(user, explain=True)]
    assert listed and all(row["why"]["sentence"] for row in listed)
    assert client.explain("ann/lee", "ann/lee")["item_id"] == "ann/lee"
    assert client.recommend_many(["nobody", "x"], n=2)["nobody"] is None
    assert client.recommend("nobody", popular=True)[0]["source"] == "popularity"
    assert client.recommend_for({"x": 5, "007": 4}, n=1, exclude=["y"])
    assert [row["item_id"] for row in client.predict("x", ["y", "007"])] == ["y", "007"]
    assert client.put_items([{"item": id, "title": f"About {id}"} for id in IDS]) >= 0
    assert [row["title"] for row in client.items()] == [f"About {id}" for id in sorted(IDS)]
    assert client.search("about 007")["items"][0]["item"] == "007"
    client.remove_item("007")
    assert "007" not in [row["item"] for row in client.items()]
    client.export(tmp_path / "all.parquet", format="parquet")
    assert len(pyarrow.parquet.read_table(tmp_path / "all.parquet")) == embedded.index.n_ratings


@pytest.mark.jit
def test_what_is_written_counts_at_once(client):
    position = client.rate("new", "a%2Fb", 4, time="2026-01-31T12:00+01:00")
    assert (
        position == client.position
        and {"item_id": "a%2Fb", "rating": 4.0}.items() <= next(client.ratings("new")).items()
    )
    told = client.write([("new", "x", 5), ("new", "y", 9), ("new", "a%2Fb", None)])
    assert (told["written"], told["refused"]) == (2, 1) and told["results"][1]["problem"]["code"] == "data"
    assert [row["item_id"] for row in client.ratings("new")] == ["x"]
    client.remove("new", "x")
    with pytest.raises(ServiceError, match="no user"):
        list(client.ratings("new"))
    client.rate("gone", "x", 1)
    assert client.erase("gone")["ratings"] == 1


@pytest.mark.jit
def test_what_is_refused_says_why(client, served):
    with pytest.raises(ServiceError, match=r"9\.0|scale") as told:
        client.rate("x", "y", 9)
    assert told.value.status == 422 and told.value.code and told.value.problem["field"] == "body"
    with pytest.raises(ServiceError, match="no user 'nobody'") as told:
        client.recommend("nobody")
    assert told.value.code == "unknown_user"
    with (
        pytest.raises(ServiceError, match="may read") as told,
        Client(served[0], key=served[1]["read"]) as other,
    ):
        other.rate("x", "y", 2)
    assert told.value.status == 403
    with pytest.raises(ServiceError, match="A key is needed"):
        Client(served[0]).info()
    with pytest.raises(ParameterError, match="bodies"):
        client.rate("..", "x", 1)
    with pytest.raises(ParameterError, match="no key"):
        Client(key="ck_…")
    for address in ("localhost:8000", "ftp://x", "http://x/v1"):
        with pytest.raises(ParameterError, match="no address"):
            Client(address)


def test_who_does_not_answer_is_told():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ServiceError, match="did not answer") as told:
        Client(f"http://127.0.0.1:{port}", retries=1).info()
    assert told.value.status == 0 and told.value.code == "no_answer"


@pytest.mark.jit
def test_a_write_whose_answer_was_lost_is_written_once(client, served, monkeypatch):
    embedded, lost = served[2], []
    real = http.client.HTTPConnection.getresponse

    def losing(self):
        answer = real(self)
        if not lost:
            lost.append(answer.read())
            raise ConnectionResetError("lost")
        return answer

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", losing)
    before = embedded.position
    assert client.rate("x", "z", 2) == before + 1 == embedded.position and lost


@pytest.mark.jit
def test_a_service_that_is_busy_is_asked_again(client, monkeypatch):
    waits, real = [], Client._once
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(Client, "_once", lambda *a: (503, b"{}", 0.25) if len(waits) < 2 else real(*a))
    assert client.info()["users"] and waits == [0.25, 0.25]
