"""What no other Python package does on a small machine: 20 million ratings, and a million users in 1 GB.

Each case in a process of its own, with the ratings read from a file of arrays; the seconds are those of the
search, the peak is that of the whole process, the reading included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from record import RESULTS, keep

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "items, Pearson": ("ml-20m", {"of": "items", "min_common": 3}),
    "1,000 chosen users, Pearson": ("ml-20m", {"of": "users", "min_common": 3, "subjects": 1000}),
    "users, Pearson": ("ml-20m", {"of": "users", "min_common": 3}),
    "a million users, in memory, 1 GB": ("million", {"memory_limit": "1GB"}),
    "a million users, to a file, 1 GB": ("million", {"memory_limit": "1GB", "to": True}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        search(options.one[0], Path(options.one[1]), options.threads)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            path = Path(folder) / f"{CASES[case][0]}.npz"
            if not path.exists():
                make(CASES[case][0], path)
            command = [sys.executable, __file__, "--threads", str(options.threads), "--one", case, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append({"case": case} | json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], file=sys.stderr, flush=True)
    print(f"| case | plan s | seconds | pair events | rows | peak MB |\n|{'---|' * 6}")
    for row in rows:
        print(
            f"| {row['case']} | {row['planned']:.1f} | {row['seconds']:.1f} | {row['events']:.2e} "
            f"| {row['rows']:,} | {row['peak_mb']:.0f} (before the search {row['before_mb']:.0f}) |"
        )
    keep("large", {"rows": rows}, options.results)


def make(size: str, path: Path) -> None:
    """Make the ratings in a process of their own, since they stay as large as they are."""
    code = (
        "import sys, numpy as np, corated as cr; r = cr.sample(size=sys.argv[1]).ratings;"
        "np.savez(sys.argv[2], users=np.repeat(np.arange(r.n_users, dtype=np.int32), r.user_counts),"
        "items=r.by_user.indices.astype(np.int32), values=np.asarray(r.values, dtype=np.float32))"
    )
    subprocess.run([sys.executable, "-c", code, size, str(path)], check=True)


def search(case: str, path: Path, threads: int) -> None:
    """Do one case and print what it took."""
    import corated as cr

    options = dict(CASES[case][1])
    with np.load(path) as arrays:
        ratings = cr.Ratings.from_arrays(arrays["users"], arrays["items"], arrays["values"])
    if "subjects" in options:
        options["subjects"] = list(range(0, ratings.n_users, ratings.n_users // options["subjects"]))[:1000]
    if "to" in options:
        options["to"] = path.with_suffix(".parquet")
    small = cr.sample("small").ratings
    cr.neighbors(small, of=options.get("of", "users"), threads=threads)  # compile
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    foreseen = {key: value for key, value in options.items() if key != "subjects"}
    plan = cr.plan(ratings, threads=threads, **foreseen)
    began = time.perf_counter()
    found = cr.neighbors(ratings, threads=threads, **options)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {
        "planned": plan.seconds,
        "seconds": seconds,
        "events": plan.events,
        "rows": found.rows if "to" in options else len(found),
        "before_mb": before,
        "peak_mb": peak,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
