"""Models beside the peers: predictions of five folds, and ten items for everyone, in one run, with ratios.

Each tool works in its own process on the same ratings. Prints a table, and writes it with machine, versions
and commit to ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from alone import run_alone
from data import real_folder, save
from record import RESULTS, keep

HERE = Path(__file__).parent
OURS = "corated"
CASES = {
    "basic": ("KNNBasic, five folds of ml-100k", [OURS, "surprise"]),
    "means": ("KNNWithMeans, five folds of ml-100k", [OURS, "surprise"]),
    "baseline": ("KNNBaseline, five folds of ml-100k", [OURS, "surprise"]),
    "top10": ("item-kNN by cosine, k 20: fit, and 10 items for all of the notebook's users",
              [OURS, "implicit", "lenskit"]),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=int, default=600, help="seconds that a tool may take in all")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "ratings.npz"
        if "top10" in options.cases:
            save("notebook", made)
        for case in options.cases:
            try:
                data = made if case == "top10" else real_folder("ml-100k") / "u.data"
            except FileNotFoundError as absent:
                print(f"{case}: left out: {absent}")
                continue
            for threads in options.threads:
                rows += [run_one(tool, case, threads, data, options) for tool in CASES[case][1]]
    for case in options.cases:
        compare([row for row in rows if row["case"] == case])
    rows.append(ease(1_500))
    head = "| case | threads | tool | median s | peak MB | times ours | times our quickest | RMSE |"
    print(f"{head}\n|{'---|' * 8}")
    for row in rows:
        print(line_of(row))
    keep(
        "models",
        {"rows": rows, "cases": {name: about for name, (about, _) in CASES.items()}},
        options.results,
    )


def run_one(tool: str, case: str, threads: int, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one tool in a process of its own."""
    arguments = [tool, case, str(threads), str(data), str(options.repeat)]
    row: dict[str, Any] = {"case": case, "tool": tool, "threads": threads}
    row |= run_alone("models_of.py", arguments, threads=threads, limit=options.limit)
    if "cannot" in row:
        return row
    print(f"{case:9} {tool:9} {threads} threads {row['median']:8.3f} s", file=sys.stderr, flush=True)
    return row


def compare(rows: list[dict[str, Any]]) -> None:
    """Note how many times ours each took, in as many threads, and how many times our quickest."""
    for row in rows:
        ours = {r["threads"]: r["median"] for r in rows if r["tool"] == OURS and "median" in r}
        if ours and "median" in row:
            row["times_ours"] = row["median"] / ours[row["threads"]]
            row["times_our_best"] = row["median"] / min(ours.values())


def ease(n_items: int) -> dict[str, Any]:
    """Measure EASE on a few items, and say what it declares for Gowalla's."""
    import corated as cr
    from corated.models.ease import needed_bytes

    ratings = cr.sample(users=6_000, items=n_items, ratings=120_000, seed=1).ratings
    began = time.perf_counter()
    cr.EASE().fit(ratings).recommend(n=10)
    return {
        "case": f"EASE of {ratings.n_items:,} items, fit and 10 items for {ratings.n_users:,} users",
        "tool": OURS, "threads": 2, "median": time.perf_counter() - began, "seconds": [],
        "declared_gib": needed_bytes(40_981) / 2**30,
    }  # fmt: skip


def line_of(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    start = f"| {row['case']} | {row['threads']} | {row['tool']} |"
    if "cannot" in row:
        return f"{start} cannot: {row['cannot']} | | | | |"
    rmse = f"{row['rmse']:.4f}" if "rmse" in row else ""
    figures = f"{row['median']:.3f} | {row.get('peak_mb', 0):.0f} | {row.get('times_ours', 0):.2f}"
    figures += f" | {row.get('times_our_best', 0):.2f}"
    return f"{start} {figures} | {rmse} |"


if __name__ == "__main__":
    main()
