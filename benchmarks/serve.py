"""The service under load: times to answer and to write, freshness, memory, and what too much of it does.

One process serves on loopback; another asks it over a few connections. Both share the machine's cores. The
mixed load is lists of recommendations, whose neighbors are found anew for each, with a tenth of all requests
writing a rating, durably: of the first item of the user's last list, which must be gone from the next one.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from record import RESULTS, keep

Ask = tuple[str, str, dict[str, object] | None]
"""Method, path, body."""
QUICK = 0.05
"""Seconds within which the normal load is answered."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--ratings", type=Path, help="a file of ratings; none for a sample of the notebook's size"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of the mixed load")
    parser.add_argument(
        "--case-seconds", type=float, default=5.0, help="of each kind of request alone; 0 for none"
    )
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument(
        "--stores", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"]
    )
    parser.add_argument("--profile", type=Path, help="where the service leaves a profile of cProfile")
    parser.add_argument("--folder", type=Path, help="on the disk to write to; by default a temporary folder")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    found: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        ratings = options.ratings or sampled(Path(folder))
        for kind in options.stores:
            with place_of(kind, Path(folder)) as where:
                found[kind] = measured(ratings, where, options)
    keep("serve", found, options.results)


def measured(ratings: Path, where: str, options: argparse.Namespace) -> dict[str, Any]:
    """Serve ratings from a store, and ask in every way."""
    process, port, start = served(ratings, where, options.profile)
    try:
        info = get(port, "/v1/info")
        found: dict[str, Any] = {"start_seconds": start, "ratings": info["ratings"], "model": info["model"]}
        users, items = some(port)
        found["cases"] = {}
        for name, asks in cases(users, items).items() if options.case_seconds else ():
            found["cases"][name] = load(asking, (port, asks, options.case_seconds, options.connections))
            print(name, found["cases"][name], flush=True)
        found["mixed"] = mixed(process.pid, port, users, options)
        print("mixed", found["mixed"], flush=True)
        found["overload"] = overloaded(port, users, options)
        print("overload", found["overload"], flush=True)
        found["memory_mb_after"] = memory(process.pid)
    finally:
        process.terminate()
        process.wait()
    return found


# -- what is served -----------------------------------------------------------------------------------------


def sampled(folder: Path) -> Path:
    import corated as cr

    cr.sample(size="notebook").write(folder)
    return folder / "ratings.dat"


@contextlib.contextmanager
def place_of(kind: str, folder: Path) -> Iterator[str]:
    """Give the address of a new store; the database server, if one is needed, ends with the block."""
    if kind == "sqlite":
        yield str(folder / "store.db")
        return
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import servers

    folder.chmod(0o755)  # the server has a user of its own
    server = servers.started(place=folder)
    try:
        yield server.address()
    finally:
        server.remove()


def served(ratings: Path, where: str, profile: Path | None) -> tuple[subprocess.Popen[bytes], int, float]:
    """Start the service; return it, its port, and the seconds until it was ready."""
    began = time.perf_counter()
    how = ["-m", "cProfile", "-o", str(profile), "-m", "corated.cli"] if profile else ["-m", "corated.cli"]
    process = subprocess.Popen(
        [sys.executable, *how, "serve", str(ratings), "--store", where, "--port", "0", "--json",
         "--set", "log_level=warning"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    told = b""
    while not told.endswith(b"}\n"):
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the service did not start")
        told += line
    port = int(json.loads(told)["address"].rpartition(":")[2])
    while get(port, "/readyz")["status"] != "ready":
        time.sleep(0.2)
    return process, port, round(time.perf_counter() - began, 1)


def get(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    found: dict[str, Any] = json.load(connection.getresponse())
    connection.close()
    return found


def memory(pid: int) -> int:
    """Return the resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


def some(port: int) -> tuple[list[Any], list[Any]]:
    """Return users and items to ask about: who rated the items that most have rated."""
    items = [row["id"] for row in get(port, "/start.json")["report"]["heaviest_items"]]
    users = {
        row["user_id"]: None
        for item in items
        for row in get(port, f"/v1/items/{item}/ratings?limit=1000")["ratings"]
    }
    return list(users), items


def cases(users: list[Any], items: list[Any]) -> dict[str, list[Ask]]:
    lists = [f"/v1/users/{user}/recommendations" for user in users]
    return {
        "recommend 10": [("GET", path, None) for path in lists],
        "recommend 10 with why": [("GET", f"{path}?explain=true", None) for path in lists],
        "neighbors 20": [("GET", f"/v1/users/{user}/neighbors", None) for user in users],
        "rate, durably": [
            ("PUT", f"/v1/users/{user}/ratings/{item}", {"rating": 5}) for user in users for item in items[:2]
        ],
        "health": [("GET", "/livez", None)],
    }


# -- load ---------------------------------------------------------------------------------------------------


def load(work: Any, given: tuple[Any, ...]) -> dict[str, Any]:
    """Ask in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: dict[str, Any] = pool.apply(work, given)
    return found


class Client:
    """One connection, which counts and times what it asks."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.seen: list[tuple[float, float, int, str]] = []
        """When it was answered, how long that took, its status, its method."""

    def ask(self, method: str, path: str, body: dict[str, object] | None) -> Any:
        began = time.perf_counter()
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._connection.getresponse()
        read, now = answer.read(), time.perf_counter()
        self.seen.append((now, now - began, answer.status, method))
        return json.loads(read)


def side_by_side(clients: list[Client], work: Any) -> list[tuple[float, float, int, str]]:
    """Let each client work in a thread; return all that they saw, in the order of time."""
    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(one for client in clients for one in client.seen)


def told(seen: list[tuple[float, float, int, str]], seconds: float) -> dict[str, Any]:
    good = np.array([one[1] for one in seen if one[2] == 200]) * 1000
    return {
        "a_second": round(len(good) / seconds, 1),
        "p50_ms": round(float(np.percentile(good, 50)), 2),
        "p99_ms": round(float(np.percentile(good, 99)), 2),
        "longest_ms": round(float(good.max()), 1),
        "statuses": {str(status): count for status, count in sorted(Counter(one[2] for one in seen).items())},
    }


def asking(port: int, asks: list[Ask], seconds: float, connections: int) -> dict[str, Any]:
    """Ask the same over and over."""
    until = time.perf_counter() + seconds

    def work(first: int, client: Client) -> None:
        at = first
        while time.perf_counter() < until:
            client.ask(*asks[at % len(asks)])
            at += connections

    return told(side_by_side([Client(port) for _ in range(connections)], work), seconds)


# -- lists and writes together ------------------------------------------------------------------------------


def mixed(pid: int, port: int, users: list[Any], options: argparse.Namespace) -> dict[str, Any]:
    """Ask for lists, with a tenth writing, and look at the memory meanwhile."""
    memories, stop = [memory(pid)], threading.Event()

    def watch() -> None:
        while not stop.wait(10):
            memories.append(memory(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = load(mixing, (port, users, options.seconds, options.connections))
    finally:
        stop.set()
        watcher.join()
    return {**found, "memory_mb": [*memories, memory(pid)]}


def mixing(port: int, users: list[Any], seconds: float, connections: int) -> dict[str, Any]:
    until, stale, checked = time.perf_counter() + seconds, [0] * connections, [0] * connections

    def work(which: int, client: Client) -> None:
        drawn = random.Random(which)
        mine = users[which::connections]
        while time.perf_counter() < until:
            user = drawn.choice(mine)
            path = f"/v1/users/{user}"
            listed = client.ask("GET", f"{path}/recommendations", None)["items"]
            for _ in range(7):
                client.ask("GET", f"/v1/users/{drawn.choice(mine)}/recommendations", None)
            if not listed:
                continue
            item = listed[0]["item_id"]
            written = client.ask("PUT", f"{path}/ratings/{item}", {"rating": drawn.randint(1, 10)})
            after = client.ask("GET", f"{path}/recommendations", None)
            checked[which] += 1
            is_there = item in [row["item_id"] for row in after["items"]]
            stale[which] += is_there or after["position"] < written["position"]

    seen = side_by_side([Client(port) for _ in range(connections)], work)
    by_kind = {
        name: told([one for one in seen if one[3] == method], seconds)
        for name, method in (("lists", "GET"), ("writes", "PUT"))
    }
    return {
        "connections": connections,
        "seconds": seconds,
        **told(seen, seconds),
        "failed": sum(one[2] != 200 for one in seen),
        **by_kind,
        "writes_checked_in_the_next_list": sum(checked),
        "of_these_not_there": sum(stale),
    }


# -- too much -----------------------------------------------------------------------------------------------


def overloaded(port: int, users: list[Any], options: argparse.Namespace) -> dict[str, Any]:
    """Ask over far more connections than are answered at a time, and then as usual."""
    return load(flooding, (port, cases(users, [])["recommend 10"], options.connections))


def flooding(port: int, asks: list[Ask], connections: int, seconds: float = 10.0) -> dict[str, Any]:
    flood = asking(port, asks, seconds, 256)
    ended = time.perf_counter()
    after = [Client(port) for _ in range(connections)]

    def work(first: int, client: Client) -> None:
        at = first
        while time.perf_counter() < ended + seconds:
            client.ask(*asks[at % len(asks)])
            at += connections

    seen = side_by_side(after, work)
    return {
        "flood": {"connections": 256, "seconds": seconds, **flood},
        "shed": flood["statuses"].get("503", 0),
        "recovered_after_seconds": recovered(seen, ended, seconds),
        "afterwards": told(seen, seconds),
    }


def recovered(seen: list[tuple[float, float, int, str]], ended: float, seconds: float) -> float | None:
    """Return after how long a second begins of which 99 % is answered quickly, and nothing refused."""
    for begin in np.arange(0.0, seconds - 1.0, 0.1).tolist():
        second = [one for one in seen if begin <= one[0] - one[1] - ended < begin + 1.0]
        if all(one[2] == 200 for one in second) and np.mean([one[1] <= QUICK for one in second]) >= 0.99:
            return round(begin, 1)
    return None


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
