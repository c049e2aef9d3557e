"""What starting costs: the import, the help, and the first neighbors of fresh processes.

The first process compiles into an empty folder; the next ones take what it kept. Seconds are those of whole
processes, beside that of an interpreter that does nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from record import RESULTS, keep

NEIGHBORS = "import corated as cr; cr.neighbors(cr.sample('small').ratings, measure={!r})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--measures", nargs="+", default=["pearson", "cosine", "jaccard", "euclidean"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "python, nothing": "pass",
            "import numpy": "import numpy",
            "import corated": "import corated",
        }
        for name, code in cases.items():
            rows.append({"case": name, "seconds": median(timed(code, folder, options.repeat))})
        help_ = "import sys; sys.argv = ['corated', '--help']; from corated.cli import main; main()"
        rows.append({"case": "corated --help", "seconds": median(timed(help_, folder, options.repeat))})
        for measure in options.measures:
            code = NEIGHBORS.format(measure)
            first, *again = timed(code, folder, options.repeat + 1)
            rows.append({"case": f"neighbors by {measure}, first process", "seconds": first})
            rows.append({"case": f"neighbors by {measure}, next processes", "seconds": median(again)})
    print("| what | seconds |\n|---|---|")
    for row in rows:
        print(f"| {row['case']} | {row['seconds']:.3f} |")
    keep("start", {"rows": rows}, options.results)


def timed(code: str, cache: str, repeat: int) -> list[float]:
    """Run code in fresh processes; return the seconds of each."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"CORATED_CACHE": cache},
        )
        seconds.append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    main()
