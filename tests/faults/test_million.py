"""A million users, all their neighbors, within a gigabyte."""

import json
import subprocess
import sys

import pytest

RUN = """
import json, resource, sys, threading, time
import pyarrow.parquet as pq
import corated as cr

ratings = cr.sample("million").ratings
cr.neighbors(cr.sample("small").ratings, threads=2)  # compile

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

before, peak, done = resident(), [0], threading.Event()

def watch():
    while not done.wait(0.01):
        peak[0] = max(peak[0], resident())

watcher = threading.Thread(target=watch)
watcher.start()
to = sys.argv[1] or None
found = cr.neighbors(ratings, k=20, memory_limit="1GB", to=to, threads=2)
done.set()
watcher.join()
rows = pq.read_metadata(to).num_rows if to else len(found)
print(json.dumps({"taken": peak[0] - before, "rows": rows}))
"""


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what the process holds from /proc")
def test_a_million_users_within_a_gigabyte(tmp_path):
    """In memory and to a file: the same number of rows, and never more than asked for."""
    rows = set()
    for to in ("", str(tmp_path / "graph.parquet")):
        done = subprocess.run([sys.executable, "-c", RUN, to], check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["taken"] <= 1_000_000_000
        rows.add(found["rows"])
    assert len(rows) == 1
    assert rows.pop() > 10_000_000
