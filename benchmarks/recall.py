"""What ``max_raters`` costs and saves: seconds, and the share of the exact neighbors that are still found.

Exact Pearson neighbors of all users against those with at most so many raters of an item, drawn by seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from data import save
from record import RESULTS, keep

K = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["notebook", "movietweetings-100k"])
    parser.add_argument("--measures", nargs="+", default=["pearson", "cosine"])
    parser.add_argument("--most", type=int, nargs="+", default=[200, 500, 1000, 2000, 5000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.data:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ratings.npz"
            save(name, path)
            with np.load(path) as arrays:
                given = arrays["users"], arrays["items"], arrays["values"]
        for measure in options.measures:
            exact, seconds = timed(given, measure, None, options)
            rows.append(
                {"data": name, "measure": measure, "max_raters": None, "seconds": seconds, "recall": 1.0}
            )
            for most in options.most:
                found, seconds = timed(given, measure, most, options)
                share = recall(exact, found)
                rows.append(
                    {
                        "data": name,
                        "measure": measure,
                        "max_raters": most,
                        "seconds": seconds,
                        "recall": share,
                    }
                )
    print(f"| data | measure | max_raters | seconds | recall@{K} |\n|{'---|' * 5}")
    for row in rows:
        most = row["max_raters"] or "all"
        print(f"| {row['data']} | {row['measure']} | {most} | {row['seconds']:.3f} | {row['recall']:.3f} |")
    keep("recall", {"k": K, "rows": rows}, options.results)


def timed(given: tuple[np.ndarray, ...], measure: str, most: int | None, options: Any) -> tuple[Any, float]:
    """Find the neighbors some times; return the last, and the median of the seconds."""
    import corated as cr

    seconds, found = [], None
    for _ in range(options.repeat + 1):  # the first compiles
        ratings = cr.Ratings.from_arrays(*given)
        began = time.perf_counter()
        found = cr.neighbors(
            ratings,
            measure=measure,
            k=K,
            min_common=3 if measure == "pearson" else 1,
            max_raters=most,
            threads=options.threads,
        )
        seconds.append(time.perf_counter() - began)
    return found, median(seconds[1:])


def recall(exact: Any, found: Any) -> float:
    """Return the share of the exact (subject, neighbor) rows that were found."""
    n = np.int64(len(exact.ids))
    keys = [np.repeat(np.arange(n), np.diff(graph.indptr)) * n + graph.neighbor for graph in (exact, found)]
    return float(np.isin(keys[0], keys[1], assume_unique=True).mean())


if __name__ == "__main__":
    main()
