"""What every request passes: keys, hosts, origins, limits; what answers carry, and what logs lack."""

import asyncio
import base64
import io
import json
import logging

import httpx2
import pytest

from corated.serve.access import Buckets, allowed_hosts, scope_of
from corated.serve.app import build
from corated.serve.keys import KeyFile
from corated.serve.logs import start_logging
from corated.serve.settings import Settings


@pytest.fixture
def keys(tmp_path):
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def logged():
    """The lines that are logged, as they are written."""
    stream = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("corated.serve", "uvicorn")]
    before = [(logger, logger.handlers, logger.level) for logger in loggers]
    start_logging("debug", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for logger, handlers, level in before:
        logger.handlers = handlers
        logger.setLevel(level)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


# -- keys -------------------------------------------------------------------------------------------

EXPECTED = {
    ("GET", "/livez"): None,
    ("GET", "/readyz"): None,
    ("GET", "/static/site.css"): None,
    ("GET", "/metrics"): "read",
    ("GET", "/docs"): "read",
    ("GET", "/"): "read",
    ("GET", "/v1/users/7/recommendations"): "read",
    ("POST", "/v1/recommendations"): "read",
    ("POST", "/v1/explain"): "read",
    ("POST", "/v1/predict"): "read",
    ("POST", "/v1/ratings"): "write",
    ("POST", "/v1/users/7/ratings"): "write",
    ("PUT", "/v1/users/7/ratings/9"): "write",
    ("DELETE", "/v1/users/7/ratings/9"): "write",
    ("PUT", "/v1/items/9"): "write",
    ("POST", "/v1/items"): "write",
    ("DELETE", "/v1/items/9"): "write",
    ("POST", "/rate"): "write",
    ("DELETE", "/v1/users/7"): "admin",
    ("GET", "/v1/export"): "admin",
    ("PATCH", "/v1/info"): "admin",
    ("OPTIONS", "/v1/info"): "admin",
}


@pytest.mark.parametrize(("asked", "scope"), EXPECTED.items(), ids=[" ".join(asked) for asked in EXPECTED])
def test_what_needs_which_scope(asked, scope):
    assert scope_of(*asked) == scope


def test_every_operation_has_a_scope_that_was_thought_about(client):
    asked = {(method, path) for method, path in EXPECTED}
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            concrete = path.replace("{user}", "7").replace("{item}", "9")
            if method != "get":  # reading needs read, but for what is listed
                assert (method.upper(), concrete) in asked, (method, path)


def test_a_request_without_a_key_that_may_is_refused(client_of, keys):
    client = client_of(keys)
    texts = {scope: keys.create(scope)[0] for scope in ("read", "write", "admin")}
    levels = {None: -1, "read": 0, "write": 1, "admin": 2}
    for scope in (None, "read", "write", "admin"):
        headers = {} if scope is None else bearer(texts[scope])
        for (method, path), needed in EXPECTED.items():
            status = client.request(method, path, headers=headers).status_code
            if levels[scope] >= levels[needed]:
                assert status not in (401, 403), (scope, method, path)
            else:
                assert status == (401 if scope is None else 403), (scope, method, path)


def test_problems_of_keys_say_what_to_do(client_of, keys):
    client = client_of(keys)
    none = client.get("/v1/info")
    assert none.json()["code"] == "key" and "corated key create" in none.json()["next_step"]
    assert "Basic" in none.headers["www-authenticate"] and "Bearer" in none.headers["www-authenticate"]
    read = client.delete("/v1/users/7", headers=bearer(keys.create("read")[0]))
    assert read.json()["code"] == "scope" and "--scope admin" in read.json()["next_step"]


def test_a_browser_may_send_the_key_as_a_password(client_of, keys):
    text, _ = keys.create("read")
    client = client_of(keys)
    for user in ("", "anyone"):
        given = base64.b64encode(f"{user}:{text}".encode()).decode()
        assert client.get("/v1/info", headers={"Authorization": f"Basic {given}"}).status_code == 200
    for wrong in ("Basic !", "Basic", f"Basic {text}", text, f"Digest {text}", "Bearer", f"bearer x{text}"):
        assert client.get("/v1/info", headers={"Authorization": wrong}).status_code == 401
    assert client.get(f"/v1/info?key={text}").status_code == 401  # never in an address


def test_many_wrong_keys_are_slowed_down(client_of, keys):
    text, _ = keys.create("read")
    client = client_of(keys)
    statuses = [client.get("/v1/info", headers=bearer("x")).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    limited = client.get("/v1/info", headers=bearer(text))
    assert limited.status_code == 429 and int(limited.headers["retry-after"]) >= 1


def test_a_damaged_file_of_keys_lets_nobody_in(client_of, keys):
    text, _ = keys.create("admin")
    client = client_of(keys)
    keys.path.write_text("{")
    keys._looked = -10.0
    answer = client.get("/v1/info", headers=bearer(text))
    assert answer.status_code == 503 and answer.json()["code"] == "store" and "keys.json" not in answer.text


# -- hosts and origins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("LOCALHOST", 200),
        ("shop.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:localhost", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_only_own_names_are_answered(client_of, host, status):
    client = client_of(hosts=("Shop.Example",))
    answer = client.get("/v1/info", headers={"host": host})
    assert answer.status_code == status, answer.text


def test_off_loopback_the_names_are_those_of_the_settings():
    assert allowed_hosts(Settings(host="0.0.0.0")) is None
    assert allowed_hosts(Settings(host="0.0.0.0", hosts=("a",))) == {"0.0.0.0", "a"}
    assert allowed_hosts(Settings(host="10.0.0.5")) == {"10.0.0.5"}
    assert "[::1]" in allowed_hosts(Settings(host="::1"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 422),
        ({"origin": "http://localhost"}, 422),
        ({"sec-fetch-site": "same-origin"}, 422),
        ({"sec-fetch-site": "none"}, 422),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:81"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_other_sites_change_nothing(client, headers, status):
    answer = client.post("/v1/ratings", json={}, headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_nobody_elses_scripts_may_ask(client):
    asked = {"origin": "http://evil.example", "access-control-request-method": "GET"}
    answer = client.options("/v1/info", headers=asked)
    assert answer.status_code in (403, 405)
    assert not [name for name in answer.headers if name.startswith("access-control")]


# -- what answers carry -----------------------------------------------------------------------------


ADDRESSES = ["/v1/info", "/nope", "/docs", "/static/site.css", "/livez", "/v1/users/x/ratings"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_has_the_headers_that_protect(client, address):
    headers = client.get(address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("max-age=300" if "static" in address else "no-store")


def test_a_request_id_is_kept_if_it_is_one(client):
    assert client.get("/livez", headers={"X-Request-ID": "a.b-C_9"}).headers["x-request-id"] == "a.b-C_9"
    for wrong in ("a b", "x" * 65, 'a"b', ""):
        given = client.get("/livez", headers={"X-Request-ID": wrong}).headers["x-request-id"]
        assert given != wrong and len(given) == 16


def test_assets_are_a_fixed_few(client):
    assert client.get("/static/site.css").status_code == 200
    tag = client.get("/static/site.css").headers["etag"]
    assert client.get("/static/site.css", headers={"If-None-Match": tag}).status_code == 304
    for name in ("..%2Frendering.py", "%2e%2e/rendering.py", "site.css/", "nope.js"):
        assert client.get(f"/static/{name}").status_code == 404


# -- limits -----------------------------------------------------------------------------------------


def test_long_bodies_are_refused_before_they_are_read(client_of):
    client = client_of(max_body=2000)
    big = b'{"ratings": [' + b" " * 3000 + b"]}"
    kind = {"content-type": "application/json"}
    declared = client.post("/v1/ratings", content=big, headers=kind)
    assert declared.status_code == 413 and declared.json()["code"] == "too_long"
    taken = []

    def stream():
        for _ in range(100):
            taken.append(1)
            yield b" " * 1000

    streamed = client.post("/v1/ratings", content=stream(), headers=kind)
    assert streamed.status_code == 413
    fits = client.post("/v1/ratings", content=b'{"ratings": []}', headers=kind)
    assert fits.status_code == 200


def scope_for(method, path, headers=()):
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 5),
        "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), *headers],
    }


def call(app, receive, headers):
    """Send a request whose body comes as ``receive`` gives it; return what was sent back."""
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope_for("POST", "/v1/ratings", headers), receive, send))
    return sent


def test_slow_bodies_are_given_up(service_of):
    async def receive():
        await asyncio.sleep(30)

    app = build(service_of(body_seconds=0.05))
    sent = call(app, receive, headers=[(b"content-length", b"10"), (b"content-type", b"application/json")])
    assert sent[0]["status"] == 408 and json.loads(sent[1]["body"])["code"] == "slow"


def test_a_body_that_is_cut_off_is_not_answered_as_if_whole(service_of):
    async def receive():
        return {"type": "http.disconnect"}

    app = build(service_of())
    sent = call(app, receive, headers=[(b"content-length", b"10"), (b"content-type", b"application/json")])
    assert sent[0]["status"] == 400


def test_who_does_not_read_is_given_up(service_of):
    service = service_of(body_seconds=0.05)
    app = build(service)

    async def never(message):
        await asyncio.sleep(30)

    async def main():
        with pytest.raises(TimeoutError):
            await app(scope_for("GET", "/v1/info"), None, never)

    asyncio.run(main())
    assert app._open == 0


def test_too_many_at_once_are_shed_and_probes_are_not(service_of):
    service = service_of(in_flight=2)
    app = build(service)
    gate = asyncio.Event()

    async def blocked(work, *, min_position=0):
        await gate.wait()
        return 0, work()

    service.ask = blocked

    async def main():
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            first = [asyncio.create_task(client.get("/v1/info")) for _ in range(2)]
            await asyncio.sleep(0.05)
            shed = await client.get("/v1/info")
            assert shed.status_code == 503 and shed.headers["retry-after"] == "1"
            assert shed.json()["code"] == "busy"
            for probe in ("/livez", "/readyz", "/metrics"):
                assert (await client.get(probe)).status_code == 200
            gate.set()
            assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]
            assert (await client.get("/v1/info")).status_code == 200

    asyncio.run(asyncio.wait_for(main(), 30))
    assert 'corated_shed_total{reason="in_flight"} 1.0' in service.metrics.text().decode()


def test_a_client_that_asks_too_much_is_told_when_to_come_back(client_of):
    client = client_of(rate=0.5, burst=3)
    statuses = [client.get("/v1/info").status_code for _ in range(5)]
    assert statuses == [200] * 3 + [429] * 2
    assert 1 <= int(client.get("/v1/info").headers["retry-after"]) <= 2
    assert client.get("/livez").status_code == 200


def test_buckets_fill_again_and_forget_who_was_quiet(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("corated.serve.access.time.monotonic", lambda: now[0])
    buckets = Buckets(rate=2.0, burst=2, most=2)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.wait("a") == 0.5 and buckets.wait("new") == 0.0
    now[0] += 0.5
    assert buckets.take("a") == 0.0 and buckets.take("a") == 0.5
    now[0] += 100
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 0.5]  # no more than burst
    for other in ("b", "c"):
        buckets.take(other)
    assert len(buckets._left) == 2 and "a" not in buckets._left


def test_websockets_are_closed(service_of):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(build(service_of())({"type": "websocket"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


# -- logs and metrics -------------------------------------------------------------------------------


def test_logs_have_the_request_id_and_the_key_and_neither_secrets_nor_people(client_of, keys, logged, made):
    text, key = keys.create("admin")
    client = client_of(keys)
    user, item = made.ratings.users.id(3), made.ratings.items.id(4)
    client.get(f"/v1/users/{user}/recommendations?n=3", headers={**bearer(text), "X-Request-ID": "r-1"})
    client.put(f"/v1/users/{user}/ratings/{item}", json={"rating": 99}, headers=bearer(text))
    client.get("/v1/users/someone@example.org/ratings", headers=bearer(text))
    client.get("/v1/info", headers=bearer("ck_wrong"))
    lines = [line for line in logged() if line["event"] == "request"]
    assert [line["status"] for line in lines] == [200, 422, 422, 401]
    assert lines[0]["request_id"] == "r-1" and lines[0]["key"] == key.id and lines[0]["ms"] >= 0
    assert lines[0]["route"] == "/v1/users/{user}/recommendations" and lines[1]["problem"] == "data"
    everything = json.dumps(lines)
    for secret in (text, text.split("_", 2)[2], "ck_wrong", "someone", item, f'"{user}"', f"users/{user}"):
        assert secret not in everything


def test_paths_are_logged_where_that_is_wished_for(client_of, logged):
    client_of(log_paths=True).get("/v1/users/3/ratings")
    assert logged()[-1]["path"] == "/v1/users/3/ratings"


def test_an_error_is_logged_without_its_message(client, logged, monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("password of ann")

    monkeypatch.setattr(client.service.embedded, "recommend", broken)
    answer = client.get("/v1/users/3/recommendations")
    line = next(line for line in logged() if line.get("status") == 500)
    assert line["level"] == "error" and line["error"] == "ZeroDivisionError" and line["trace"]
    assert line["request_id"] == answer.json()["request_id"]
    assert "password" not in json.dumps(logged()) + answer.text


def test_a_line_break_in_a_request_makes_no_line_of_its_own(client_of, logged):
    client_of(log_paths=True).get("/v1/a%0A%7B%22level%22")
    client_of(log_paths=True).get("/v1/\x85\u2028")
    assert all("event" in line for line in logged())


def test_metrics_go_by_route_template(client, made):
    user = made.ratings.users.id(3)
    client.get(f"/v1/users/{user}/recommendations?n=3")
    client.get(f"/v1/users/{10**9}/recommendations")
    client.get("/nope/whatever")
    text = client.get("/metrics").text
    assert 'corated_requests_total{route="/v1/users/{user}/recommendations",status="200"} 1.0' in text
    assert 'corated_requests_total{route="/v1/users/{user}/recommendations",status="404"} 1.0' in text
    assert 'corated_requests_total{route="unmatched",status="404"} 1.0' in text
    assert f"corated_index_ratings {float(made.ratings.n_ratings)}" in text
    assert "corated_log_lag 0.0" in text and "corated_lists_total 1.0" in text and "corated_ready 1.0" in text
    assert f"users/{user}" not in text and "whatever" not in text
    assert 'corated_request_seconds_count{route="/v1/users/{user}/recommendations"} 2.0' in text


def test_lists_are_counted_by_where_they_come_from(client, made):
    text = client.get("/metrics").text
    assert "corated_empty_lists_total 0.0" in text
    client.get(f"/v1/users/{10**9}/recommendations?popular=true&n=3")
    user = made.ratings.users.id(3)
    client.get(f"/v1/users/{user}/recommendations?n=3&first_year=9000")
    text = client.get("/metrics").text
    assert "corated_fallback_lists_total 1.0" in text and "corated_empty_lists_total 1.0" in text
    assert 'corated_rows_total{source="popularity"} 3.0' in text


def test_ready_says_why_not(client, embedded):
    service = client.service
    assert client.get("/readyz").json() == {"status": "ready", "reasons": [], "notes": []}
    service.warm = False
    found = client.get("/readyz")
    assert found.status_code == 503 and found.json()["reasons"] == ["kernels are being compiled"]
    service.warm, service.stopping = True, True
    assert client.get("/readyz").json()["reasons"] == ["the service is stopping"]
    assert client.get("/livez").status_code == 200
    service.stopping = False
    embedded._stale = True
    assert (
        client.get("/readyz").status_code == 200
        and "may lack writes" in client.get("/readyz").json()["notes"][0]
    )


@pytest.mark.jit
def test_it_is_ready_when_kernels_are_warm(client):
    client.service.warm = False
    with client:
        for _ in range(600):
            answer = client.get("/readyz")
            if answer.status_code == 200:
                break
            assert answer.json()["reasons"] == ["kernels are being compiled"]
            client.portal.call(asyncio.sleep, 0.1)
        assert client.get("/readyz").status_code == 200


def test_warming_that_fails_is_told(client, monkeypatch, logged):
    def broken(service):
        raise RuntimeError("no compiler")

    monkeypatch.setattr("corated.serve.service.warm_up", broken)
    client.service._warm()
    assert "warming failed; the log has why" in client.get("/readyz").json()["reasons"]
    assert [line["error"] for line in logged() if line["event"] == "warming failed"] == ["RuntimeError"]
