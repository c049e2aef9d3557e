"""Speed beside the peers: the 40 nearest neighbors of every user, in one run, with ratios.

Each tool works in its own process on the same ratings; the matrix is rebuilt for each repetition, so that
nothing is remembered. Ours computes exact co-rated Pearson with at least three items in common; the peers
compute whole-vector cosine, an easier measure, since none of them has the other. Prints a table and writes
it with machine, versions and commit to ``benchmarks/results/``.
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
from statistics import median

import numpy as np

HERE = Path(__file__).parent
OURS = "corated"
TOOLS = {
    OURS: "exact Pearson on co-rated items, min_common=3",
    "corated-cosine": "exact cosine, min_common=1",
    "implicit": "cosine",
    "similaripy": "cosine",
    "sparse-dot-topn": "cosine",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--size", default="notebook")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "ratings.npz"
        shape = save_sample(options.size, data)
        rows = [run_one(tool, threads, data, options.repeat) for threads in options.threads for tool in TOOLS]
    report(rows, shape, options)


def save_sample(size: str, path: Path) -> dict[str, int]:
    """Make the sample and keep it as plain arrays, so that each tool builds its own matrix."""
    import corated as cr

    ratings = cr.sample(size=size).ratings
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    items = ratings.by_user.indices
    np.savez(path, users=users, items=items, values=ratings.values)
    events = int((ratings.item_counts.astype(np.int64) ** 2).sum())
    return {
        "users": ratings.n_users,
        "items": ratings.n_items,
        "ratings": ratings.n_ratings,
        "pair_events": events,
    }


def run_one(tool: str, threads: int, data: Path, repeat: int) -> dict[str, object]:
    """Run one tool in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "neighbors_of.py"), tool, str(threads), str(data), str(repeat)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    row: dict[str, object] = {"tool": tool, "measure": TOOLS[tool], "threads": threads}
    if finished.returncode != 0:
        reason = finished.stderr.strip().splitlines()[-1:] or ["no message"]
        return row | {"cannot": reason[0]}
    row |= json.loads(finished.stdout.splitlines()[-1])
    print(f"{tool:16} {threads} threads  {row['median']:7.3f} s  {row['peak_mb']:6.0f} MB", file=sys.stderr)
    return row


def report(rows: list[dict[str, object]], shape: dict[str, int], options: argparse.Namespace) -> None:
    """Print the table with ratios to ours, and keep it."""
    print(f"\n{shape['users']:,} users, {shape['items']:,} items, {shape['ratings']:,} ratings; k = 40\n")
    print(f"| tool | measure | threads | median s | min–max s | peak MB | times ours |\n|{'---|' * 7}")
    for row in rows:
        ours = next(r for r in rows if r["tool"] == OURS and r["threads"] == row["threads"])
        if "cannot" in row:
            print(f"| {row['tool']} | {row['measure']} | {row['threads']} | cannot: {row['cannot']} | | | |")
            continue
        times = row["seconds"]
        assert isinstance(times, list)
        ratio = median(times) / float(str(ours["median"]))
        row["times_ours"] = ratio
        print(
            f"| {row['tool']} | {row['measure']} | {row['threads']} | {median(times):.3f} "
            f"| {min(times):.3f}–{max(times):.3f} | {row['peak_mb']:.0f} | {ratio:.2f} |"
        )
    options.results.mkdir(parents=True, exist_ok=True)
    kept = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "command": "python benchmarks/speed.py " + " ".join(sys.argv[1:]),
        "data": shape,
        "rows": rows,
    }
    target = options.results / f"speed-{options.size}.json"
    target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(f"\nkept in {target.relative_to(HERE.parent) if target.is_relative_to(HERE.parent) else target}")


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
    for name in ("corated", "numpy", "scipy", "numba", "implicit", "similaripy", "sparse-dot-topn"):
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
