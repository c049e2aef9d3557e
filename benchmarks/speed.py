"""Speed beside the peers: the 40 nearest neighbors of everyone, in one run, with ratios.

Each tool works in its own process on the same ratings; what it takes is rebuilt for each repetition, so that
nothing is remembered. Pearson is exact, on co-rated items, with at least three of them. Prints a table for
each data set, and writes it with machine, versions and commit to ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from data import READERS, save

HERE = Path(__file__).parent
OURS = "corated"
TOOLS = [OURS, "floor", "implicit", "similaripy", "sparse-dot-topn", "scipy", "lenskit", "surprise"]
PACKAGES = [
    *("corated", "numpy", "scipy", "numba", "implicit", "similaripy", "sparse-dot-topn", "lenskit"),
    "scikit-surprise",
]
MEASURES = ["pearson", "euclidean", "cosine", "jaccard"]
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["notebook", *READERS])
    parser.add_argument("--of", nargs="+", default=["users", "items"])
    parser.add_argument("--measures", nargs="+", default=MEASURES)
    parser.add_argument("--tools", nargs="+", default=TOOLS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=int, default=300, help="seconds that a tool may take in all")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    for name in options.data:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ratings.npz"
            try:
                shape = save(name, path)
            except FileNotFoundError as absent:
                print(f"{name}: left out: {absent}")
                continue
            rows = [
                run_one((tool, measure, of, threads), path, options)
                for of in options.of
                for measure in options.measures
                for threads in options.threads
                for tool in options.tools
            ]
        report(name, rows, shape, options)


def run_one(asked: tuple[str, str, str, int], data: Path, options: argparse.Namespace) -> Row:
    """Run one tool in a process of its own."""
    tool, measure, of, threads = asked
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "neighbors_of.py"), tool, measure, of, str(threads), str(data)]
    row: Row = {"tool": tool, "measure": measure, "of": of, "threads": threads}
    try:
        finished = subprocess.run(
            [*command, str(options.repeat)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=options.limit,
        )
    except subprocess.TimeoutExpired:
        return row | {"cannot": f"not done in {options.limit} s"}
    if finished.returncode != 0:
        reason = finished.stderr.strip().splitlines()[-1:] or [f"ended with {finished.returncode}"]
        return row | {"cannot": reason[0]}
    row |= json.loads(finished.stdout.splitlines()[-1])
    print(f"{of} {measure:9} {tool:16} {threads} threads {row['median']:8.3f} s", file=sys.stderr, flush=True)
    return row


def report(name: str, rows: list[Row], shape: dict[str, int], options: argparse.Namespace) -> None:
    """Print the table with ratios to ours, and keep it."""
    print(
        f"\n{name}: {shape['users']:,} users, {shape['items']:,} items, {shape['ratings']:,} ratings; k=40\n"
    )
    print(f"| of | measure | threads | tool | median s | min–max s | peak MB | times ours |\n|{'---|' * 8}")
    for row in rows:
        print(line_of(row, rows))
    options.results.mkdir(parents=True, exist_ok=True)
    kept = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "command": "python benchmarks/speed.py " + " ".join(sys.argv[1:]),
        "data": {"name": name} | shape,
        "rows": rows,
    }
    target = options.results / f"speed-{name}.json"
    target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def line_of(row: Row, rows: list[Row]) -> str:
    """Return a row of the table; notes in ``row`` how many times ours it took."""
    start = f"| {row['of']} | {row['measure']} | {row['threads']} | {row['tool']} |"
    if "cannot" in row:
        return f"{start} cannot: {row['cannot']} | | | |"
    same = [r for r in rows if all(r[key] == row[key] for key in ("of", "measure", "threads"))]
    ours = next((r for r in same if r["tool"] == OURS and "median" in r), None)
    if ours is not None:
        row["times_ours"] = row["median"] / ours["median"]
    times = f"{min(row['seconds']):.3f}–{max(row['seconds']):.3f}"
    return f"{start} {row['median']:.3f} | {times} | {row['peak_mb']:.0f} | {row.get('times_ours', 0):.2f} |"


def machine() -> dict[str, object]:
    """Tell the processor, the cores this process may use, and the memory."""
    lines = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if Path("/proc/cpuinfo").exists()
        else []
    )
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": cores, "memory_gib": round(memory, 1), "system": platform.platform()}


def versions() -> dict[str, str]:
    """Tell the versions of everything that took part."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def commit() -> str:
    """Tell the commit, with a mark if the tree differs from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, check=True, cwd=HERE
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"({time.perf_counter() - began:.0f} s in all)")
