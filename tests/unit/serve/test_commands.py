"""``corated serve``, ``key`` and ``config`` as processes: start, refuse, answer, stop."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from corated.cli.app import app
from corated.errors import ParameterError
from corated.serve.keys import KeyFile
from corated.serve.run import keys_for
from corated.serve.settings import Settings


@pytest.fixture
def run():
    def call(*args, code=0, env=None):
        result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="corated", env=env)
        assert result.exit_code == code, result.output
        return result

    return call


def free_port():
    """Return a port that nobody listens on: tests run beside each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


class Running:
    """A service in a process of its own."""

    def __init__(self, folder, *args, env=None):
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "corated.cli", "serve", "--port", "0", "--json", *map(str, args)],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "CORATED_THREADS": "1", **(env or {})},
            )
        told = b""
        while not told.endswith(b"}\n"):
            line = self.process.stdout.readline()
            assert line, self.log.read_text()
            told += line
        self.address = json.loads(told)["address"]
        self.port = int(self.address.rpartition(":")[2])

    def get(self, path, **headers):
        request = urllib.request.Request(self.address + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def put(self, path, body):
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PUT"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def wait(self):
        until = time.monotonic() + 120
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() < until and self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    @property
    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def start(tmp_path):
    started = []

    def call(*args, **options):
        started.append(Running(tmp_path, *args, **options))
        return started[-1]

    yield call
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
            one.process.stdout.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    import corated as cr

    folder = tmp_path_factory.mktemp("world")
    cr.sample(users=40, items=25, ratings=400, seed=3).write(folder)
    return folder


@pytest.mark.jit
def test_a_file_is_served_and_what_is_written_ends_with_it(start, world):
    running = start(world / "ratings.dat", "--catalog", world / "movies.dat", "--measure", "cosine", "--k", 7)
    running.wait()
    status, about = running.get("/v1/info")
    assert status == 200 and about["ratings"] == 400 and "k=7" in about["model"] and about["live"]
    status, found = running.get("/v1/users/1/recommendations?n=3")
    assert status == 200 and len(found["items"]) == 3 and found["items"][0]["title"]
    assert "is served from a temporary store" in running.log.read_text()
    assert running.stop() == 0
    assert [line["event"] for line in running.lines][-1] == "stopped"


@pytest.mark.jit
def test_a_store_keeps_what_was_written_and_sigint_stops_too(start, tmp_path):
    store = tmp_path / "shop.db"
    running = start("--store", store, "--scale", "1:5:1", "--set", "user_ids=text", "--set", "item_ids=text")
    running.wait()
    running.put("/v1/users/ann/ratings/du%2Fne", {"rating": 5})
    assert running.stop(signal.SIGINT) == 0
    again = start("--store", store)
    assert again.get("/v1/users/ann/ratings")[1]["ratings"] == [{"item_id": "du/ne", "rating": 5.0}]
    assert again.stop() == 0


@pytest.mark.jit
def test_a_stop_lets_what_was_begun_end_and_is_not_ready_first(start, world):
    running = start(world / "ratings.dat", "--set", "drain_seconds=1")
    running.wait()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.putrequest("POST", "/v1/predict")
    body = json.dumps({"user": 1, "items": ["x"]}).encode()
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:5])
    time.sleep(0.2)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    status, found = running.get("/readyz")
    assert status == 503 and found["reasons"] == ["the service is stopping"]
    time.sleep(1.2)  # no more is taken now
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", running.port), timeout=5)
    connection.send(body[5:])
    assert connection.getresponse().status == 200
    connection.close()
    assert running.process.wait(timeout=30) == 0


def test_slow_headers_and_idle_connections_are_closed(start, tmp_path):
    running = start("--store", tmp_path / "a.db", "--set", "header_seconds=0.6", "--set", "idle_seconds=1")
    for begun in (
        b"",
        b"GET /livez HTTP/1.1\r\nHost: lo",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /l",
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            connection.sendall(begun)
            started = time.monotonic()
            while connection.recv(4096):
                pass
            assert time.monotonic() - started < 10
    big = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        try:
            connection.sendall(big)
            assert connection.recv(4096)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b"")
        except ConnectionError:
            pass
    slow = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    assert running.get("/livez")[0] == 200  # others are answered meanwhile
    slow.close()
    assert running.stop() == 0


def test_a_port_that_is_taken_is_told(tmp_path, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = run("serve", "--store", tmp_path / "a.db", "--port", port, code=2)
    assert f"127.0.0.1:{port} cannot be listened on" in ran.output and "--port" in ran.output


# -- refusing to start ------------------------------------------------------------------------------


def test_off_loopback_there_must_be_a_key(run, tmp_path):
    keys = tmp_path / "keys.json"
    args = ("serve", "--store", tmp_path / "a.db", "--host", "0.0.0.0", "--keys", keys)
    ran = run(*args, code=2)
    assert "others can reach" in ran.output and f"corated key create --scope read --keys {keys}" in ran.output
    assert not (tmp_path / "a.db").exists()
    run("key", "create", "--scope", "read", "--keys", keys)
    assert keys_for(Settings(host="0.0.0.0", keys=str(keys))).kept()


def test_without_a_file_of_keys_the_one_of_the_user_is_meant(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keys_for(Settings()) is None
    for settings in (Settings(host="::"), Settings(host="192.0.2.1"), Settings(host="example.org")):
        with pytest.raises(ParameterError, match="others can reach"):
            keys_for(settings)
    KeyFile(tmp_path / "corated" / "keys.json").create("read")
    assert keys_for(Settings(host="::")).kept()
    with pytest.raises(ParameterError, match="no keys in"):  # asked for, also on loopback
        keys_for(Settings(keys=str(tmp_path / "none.json")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_loopback_needs_no_keys(host):
    assert Settings(host=host).is_loopback and keys_for(Settings(host=host)) is None


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        ([], 2, "nothing to serve"),
        (["none.csv"], 3, "none.csv"),
        (["--store", "a.db", "--set", "prot=1"], 2, "did you mean port"),
        (["--store", "a.db", "--set", "port"], 2, "NAME=VALUE"),
        (["--store", "a.db", "--preset", "notebook", "--k", "3"], 2, "fixed method"),
        (["--store", "a.db", "--config", "none.toml"], 2, "none.toml"),
        (["--store", "a.db", "--port", "99999"], 2, "--port"),
    ],
)
def test_what_cannot_be_served_is_told(run, tmp_path, monkeypatch, args, code, told):
    monkeypatch.chdir(tmp_path)
    free = [] if "--port" in args else ["--port", free_port()]
    ran = run("serve", *args, *free, code=code)
    assert told in ran.output and "Next step: " in ran.output


def test_a_file_beside_a_store_with_ratings_is_refused(run, world, tmp_path):
    import corated as cr

    with cr.open(tmp_path / "a.db", scale=(1, 10, 1), restart=False) as embedded:
        embedded.rate("a", "b", 3)
    given = ("--store", tmp_path / "a.db", "--port", free_port())
    ran = run("serve", world / "ratings.dat", *given, code=2)
    assert "has ratings already" in ran.output


# -- keys and settings ------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(run, tmp_path):
    keys = tmp_path / "keys.json"
    create = ("key", "create", "--keys", keys, "--scope")
    made = json.loads(run(*create, "write", "--name", "shop", "--json").stdout)
    assert KeyFile(keys).find(made["key"]).scope == "write" and "digest" not in made
    text = run(*create, "read")
    assert re.fullmatch(r"ck_[0-9a-f]{12}_[\w-]{43}", text.stdout.strip())
    assert "shown this once" in text.stderr
    listed = run("key", "list", "--keys", keys).output
    assert made["id"] in listed and "shop" in listed and made["key"] not in listed
    assert [row["id"] for row in json.loads(run("key", "list", "--keys", keys, "--json").stdout)["rows"]][
        :1
    ] == [made["id"]]
    assert made["id"] in run("key", "revoke", made["id"], "--keys", keys).output
    assert KeyFile(keys).find(made["key"]) is None
    for args in (
        ["create"],
        ["create", "x", "--scope", "read"],
        ["revoke"],
        ["list", "x"],
        ["revoke", "nope"],
    ):
        assert "Next step: " in run("key", *args, "--keys", keys, code=2).output


def test_settings_are_shown_as_they_come_together_with_secrets_masked(run, tmp_path):
    path = tmp_path / "corated.toml"
    path.write_text('store = "postgresql://ann:s3cret@db/shop"\nport = 9000\n')
    env = {"CORATED_RATE": "2.5"}
    shown = json.loads(run("config", "show", "--config", path, "--json", env=env).stdout)
    assert shown["store"] == "postgresql://ann:**********@db/shop"
    assert (shown["port"], shown["rate"], shown["host"]) == (9000, 2.5, "127.0.0.1")
    text = run("config", "show", "--config", path, env=env).stdout
    assert "port = 9000\n" in text and "s3cret" not in text and "# requests a second" in text
    again = tmp_path / "again.toml"  # what is shown can be read
    again.write_text(text)
    assert json.loads(run("config", "show", "--config", again, "--json").stdout)["rate"] == 2.5
