"""How time grows with the ratings: exact Pearson of all users at ×1, ×2, ×4, … up to 20 million ratings.

Users and items grow with the root of the ratings. What decides is Σc², the pairs of ratings of one item; the
exponent of time against it is fitted by least squares on the logarithms, and kept with the seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from data import save
from record import RESULTS, keep
from speed import run_one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 2, 4, 8, 16, 28])
    parser.add_argument("--measure", default="pearson")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=int, default=900)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    for times in options.times:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ratings.npz"
            shape = save(f"growth-{times}", path)
            row = run_one(("corated", options.measure, "users", options.threads), path, options)
        if "cannot" in row:
            sys.exit(f"×{times}: {row['cannot']}")
        rows.append({"times": times} | shape | row)
    events, seconds = (np.log([row[key] for row in rows]) for key in ("events_users", "median"))
    exponent = float(np.polyfit(events, seconds, 1)[0]) if len(rows) > 1 else float("nan")
    print(f"| × | ratings | users | Σc² | median s | ns per pair event | peak MB |\n|{'---|' * 7}")
    for row in rows:
        pace = row["median"] / row["events_users"] * 2e9
        print(
            f"| {row['times']} | {row['ratings']:,} | {row['users']:,} | {row['events_users']:.2e} "
            f"| {row['median']:.3f} | {pace:.2f} | {row['peak_mb']:.0f} |"
        )
    print(f"seconds ~ (Σc²)^{exponent:.2f}")
    keep("growth", {"exponent": exponent, "rows": rows}, options.results)


if __name__ == "__main__":
    main()
