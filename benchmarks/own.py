"""A measure of the caller's own beside the built-in one: co-rated Pearson as a function, notebook size.

Three forms of one formula in one process, turn by turn: built in, a function of numbers that is compiled, and
a function of arrays in plain NumPy. Also says whether all three give the same neighbors.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from statistics import median

import numba
import numpy as np

import corated as cr
from record import RESULTS, keep


@numba.njit
def numbers(n, sx, sy, sxx, syy, sxy):
    vx, vy = n * sxx - sx * sx, n * syy - sy * sy
    return (n * sxy - sx * sy) / math.sqrt(vx * vy) if vx > 0.0 and vy > 0.0 else math.nan


def arrays(n, sx, sy, sxx, syy, sxy):
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (n * sxy - sx * sy) / np.sqrt((n * sxx - sx * sx) * (n * syy - sy * sy))
    return np.where(np.isfinite(found), found, np.nan)


FORMS = {
    "built in": "pearson",
    "a compiled function of numbers": cr.measures.Custom(numbers),
    "a NumPy function of arrays": cr.measures.Custom(arrays),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    made, little = cr.sample(size="notebook").ratings, cr.sample(size="small").ratings
    rows, nearest = [], {}
    for form in FORMS.values():
        cr.neighbors(little, measure=form, min_common=3)  # compile
    for threads in options.threads:
        seconds: dict[str, list[float]] = {name: [] for name in FORMS}
        for _ in range(options.repeat):
            for name, form in FORMS.items():
                began = time.perf_counter()
                found = cr.neighbors(made, measure=form, k=40, min_common=3, threads=threads)
                seconds[name].append(time.perf_counter() - began)
                nearest[name] = found.neighbor
        first = median(seconds["built in"])
        for name, took in seconds.items():
            rows.append({"form": name, "threads": threads, "seconds": took, "median": median(took)})
            rows[-1]["times"] = median(took) / first
    same = [bool(np.array_equal(nearest["built in"], found)) for found in nearest.values()]
    print(f"| form | threads | median s | times built in |\n|{'---|' * 4}")
    for row in rows:
        print(f"| {row['form']} | {row['threads']} | {row['median']:.3f} | {row['times']:.2f} |")
    print(f"the same neighbors: {same}")
    keep("own", {"rows": rows, "same_neighbors": all(same)}, options.results)


if __name__ == "__main__":
    main()
