"""Speed beside the peers: the 40 nearest neighbors of everyone, in one run, with ratios.

Each tool works in its own process on the same ratings; what it takes is rebuilt for each repetition, so that
nothing is remembered. Pearson is exact, on co-rated items, with at least three of them. Prints a table for
each data set, and writes it with machine, versions and commit to ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from alone import run_alone
from data import READERS, save
from record import RESULTS, keep

HERE = Path(__file__).parent
OURS = "corated"
TOOLS = [OURS, "floor", "implicit", "similaripy", "sparse-dot-topn", "scipy", "lenskit", "surprise"]
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
    parser.add_argument("--results", type=Path, default=RESULTS)
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
    arguments = [tool, measure, of, str(threads), str(data), str(options.repeat)]
    row: Row = {"tool": tool, "measure": measure, "of": of, "threads": threads}
    row |= run_alone("neighbors_of.py", arguments, threads=threads, limit=options.limit)
    if "cannot" in row:
        return row
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
    keep(f"speed-{name}", {"data": {"name": name} | shape, "rows": rows}, options.results)


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


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"({time.perf_counter() - began:.0f} s in all)")
