"""The service under load: times to answer and to write, freshness, and what happens when there is too much.

One process serves on loopback; another asks it over a few connections. Both share the machine's cores.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from record import RESULTS, keep

Ask = tuple[str, str, dict[str, object] | None]
"""Method, path, body."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=Path, help="a file of ratings; none for a sample")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.ratings or sampled(Path(folder))
        process, port, start = served(path, Path(folder) / "store.db")
        try:
            found = {"start_seconds": start, "ratings": get(port, "/v1/info")["ratings"], "rows": []}
            users, items = some(port)
            for name, asks in cases(users, items).items():
                row = {"case": name, **load(port, asks, options.seconds, options.connections)}
                found["rows"].append(row)
                print(row, flush=True)
            flood = load(port, cases(users, items)["recommend 10"], options.seconds, 128)
            found["flood_128_connections"] = flood
            print(flood)
        finally:
            process.terminate()
            process.wait()
    keep("serve", found, options.results)


def sampled(folder: Path) -> Path:
    import corated as cr

    cr.sample(size="notebook").write(folder)
    return folder / "ratings.dat"


def served(ratings: Path, store: Path) -> tuple[subprocess.Popen[bytes], int, float]:
    """Start the service; return it, its port, and the seconds until it was ready."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "corated.cli", "serve", str(ratings), "--store", str(store), "--port", "0",
         "--json", "--set", "log_level=warning"],
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


def get(port: int, path: str) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    found = json.load(connection.getresponse())
    connection.close()
    return found


def some(port: int) -> tuple[list[object], list[object]]:
    """Return users and items to ask about."""
    items = [row["id"] for row in get(port, "/start.json")["report"]["heaviest_items"]]
    users = [
        row["user_id"]
        for item in items
        for row in get(port, f"/v1/items/{item}/ratings?limit=200")["ratings"]
    ]
    return users, items


def cases(users: list[object], items: list[object]) -> dict[str, list[Ask]]:
    return {
        "recommend 10": [("GET", f"/v1/users/{user}/recommendations", None) for user in users],
        "recommend 10 with why": [
            ("GET", f"/v1/users/{user}/recommendations?explain=true", None) for user in users
        ],
        "neighbors 20": [("GET", f"/v1/users/{user}/neighbors", None) for user in users],
        "rate, durably": [
            ("PUT", f"/v1/users/{user}/ratings/{item}", {"rating": 5}) for user in users for item in items[:2]
        ],
        "health": [("GET", "/livez", None)],
    }


def load(port: int, asks: list[Ask], seconds: float, connections: int) -> dict[str, object]:
    """Ask for some seconds over some connections, in a process of its own; return times and statuses."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        times, statuses = pool.apply(_asking, (port, asks, seconds, connections))
    good = np.array([time for time, status in zip(times, statuses, strict=True) if status == 200]) * 1000
    return {
        "connections": connections,
        "a_second": round(len(good) / seconds, 1),
        "p50_ms": round(float(np.percentile(good, 50)), 2),
        "p99_ms": round(float(np.percentile(good, 99)), 2),
        "statuses": {str(status): count for status, count in sorted(Counter(statuses).items())},
    }


def _asking(port: int, asks: list[Ask], seconds: float, connections: int) -> tuple[list[float], list[int]]:
    times: list[float] = []
    statuses: list[int] = []
    until = time.perf_counter() + seconds

    def work(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        at = first
        while time.perf_counter() < until:
            method, path, body = asks[at % len(asks)]
            at += connections
            began = time.perf_counter()
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - began)
            statuses.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, statuses


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
