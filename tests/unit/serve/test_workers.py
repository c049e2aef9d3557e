"""Two processes that serve one store: each follows the other, and nobody misses their own writes."""

import http.client
import time
from urllib.parse import urlencode

import pytest

import corated as cr
from corated.errors import ParameterError
from corated.serve.listening import bound_to
from corated.serve.settings import Settings

from ...servers import DATABASES, new_place
from .test_commands import Running

NEVER = "follow_seconds=3600"


@pytest.fixture(scope="module", params=DATABASES)
def pair(request, tmp_path_factory):
    """A service that follows, one that looks only when it must, and the ratings that both began with."""
    folder = tmp_path_factory.mktemp("workers")
    made = cr.sample(users=20, items=15, ratings=150, seed=11)
    where = new_place(request.param, folder)
    with cr.open(where, model=cr.Popularity(), restart=False) as embedded:
        embedded.import_(made.ratings)
    running = []
    try:
        for name, settings in (("follower", "follow_seconds=0.2"), ("other", NEVER)):
            (folder / name).mkdir()
            options = ["--store", where, "--set", settings, "--set", "share_port=true"]
            running.append(Running(folder / name, *options))
        for one in running:
            one.wait()
        yield *running, made.ratings
    finally:
        for one in running:
            if one.process.poll() is None:
                one.stop()


def metric(one, name):
    connection = http.client.HTTPConnection("127.0.0.1", one.port)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"corated_{name} "))


def asked(one, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", one.port)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_a_port_is_shared_where_both_wish_for_it():
    with bound_to(Settings(port=0, share_port=True)) as one:
        port = one.getsockname()[1]
        bound_to(Settings(port=port, share_port=True)).close()
        with pytest.raises(ParameterError, match="cannot be listened on"):
            bound_to(Settings(port=port))


@pytest.mark.jit
def test_a_write_counts_in_the_other_process_when_its_position_is_asked_for(pair):
    follower, other, ratings = pair
    path = f"/v1/users/{ratings.users.id(2)}/ratings"
    item = next(i for i in ratings.items.ids.to_pylist() if i not in ratings.profile(ratings.users.id(2)))
    position = follower.put(f"{path}/{item}", {"rating": 3})["position"]
    assert follower.get(f"{path}/{item}")[1]["position"] >= position  # where it was written, at once
    assert other.get(f"{path}/{item}")[0] == 404 and metric(other, "log_lag") == 1.0
    found = other.get(f"{path}/{item}?min_position={position}")[1]
    assert found["rating"] == 3 and found["position"] >= position and metric(other, "log_lag") == 0.0
    status, told = other.get(f"{path}?min_position={position + 1000}")
    assert status == 503 and told["code"] == "behind"


@pytest.mark.jit
def test_a_process_follows_by_itself(pair):
    follower, other, ratings = pair
    position = other.put(f"/v1/users/{ratings.users.id(3)}/ratings/{ratings.items.id(0)}", {"rating": 4})[
        "position"
    ]
    until = time.monotonic() + 60
    while (found := follower.get(f"/v1/users/{ratings.users.id(3)}/ratings"))[1]["position"] < position:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert {"item_id": ratings.items.id(0), "rating": 4.0} in found[1]["ratings"]
    assert metric(follower, "log_lag") == 0.0
    assert 0.0 <= metric(follower, "log_lag_seconds") < metric(other, "log_lag_seconds") + 60


@pytest.mark.jit
@pytest.mark.parametrize("back", ["user", "item"])
def test_a_page_waits_for_what_its_reader_wrote(pair, back):
    follower, other, ratings = pair
    user = ratings.users.id(int(ratings.user_counts.argsort()[0 if back == "user" else 1]))
    item = [i for i in ratings.items.ids.to_pylist() if i not in ratings.profile(user)][-1]
    form = urlencode({"user": user, "item": item, "rating": 8, "back": back})
    kind = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://127.0.0.1:{follower.port}",
    }
    answer = asked(follower, "POST", "/rate", form, **kind)
    cookie, told = answer.headers["Set-Cookie"], answer.headers["Location"]
    assert answer.status == 303 and "HttpOnly" in cookie and "SameSite=strict" in cookie
    page = told.partition("#")[0].replace(f"/{back}?", f"/{back}.json?")
    old, new = other.get(page)[1], other.get(page, Cookie=cookie.partition(";")[0])[1]
    name, rows = ("item_id", "history") if back == "user" else ("user_id", "raters")
    id = item if back == "user" else user
    assert id not in [row[name] for row in old[rows]] and id in [row[name] for row in new[rows]]
    assert old["position"] < int(cookie.partition("=")[2].partition(";")[0]) <= new["position"]


@pytest.mark.jit
def test_a_page_of_a_position_that_does_not_come_is_shown_as_it_is(pair):
    _, other, ratings = pair
    for cookie in (f"corated-position={2**62}", "corated-position=²", "corated-position=-1; a=b"):
        assert other.get(f"/user.json?id={ratings.users.id(0)}", Cookie=cookie)[0] == 200
