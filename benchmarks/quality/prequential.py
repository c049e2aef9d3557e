"""MovieTweetings as a log: what is recommended before each liked rating is judged by it.

From the 80 % mark of time on, and on a second stretch, from the 60 % to the 70 % mark. Popularity with a
half-life of a day is always beside.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import corated as cr
from corated.evaluation import prequential

sys.path.insert(0, str(Path(__file__).parents[1]))
from record import RESULTS, keep

MODELS = {
    "preset best": lambda: cr.preset("best"),
    "Timely, without sittings": lambda: cr.Timely(sittings=0.0),
    "Timely, neighbors alone": lambda: cr.Timely(sittings=0.0, everyone=0.0),
    "UserKNN by Jaccard, k 100, filled up": lambda: cr.preset("best").models[0],
    "preset notebook": lambda: cr.preset("notebook"),
    "popularity, all time": cr.Popularity,
}
STRETCHES = {"test": (0.8, None), "second": (0.6, 0.7)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", cr.CoratedNotice)
    folder = Path(os.environ.get("CORATED_DATA", "../shared/data")) / "movietweetings-100k"
    ratings = cr.read_ratings(folder / "ratings.dat")
    found = {}
    for name, (start, stop) in STRETCHES.items():
        began = time.perf_counter()
        played = prequential({key: make() for key, make in MODELS.items()}, ratings, start=start, stop=stop)
        print(name, played, sep="\n", flush=True)
        found[name] = played.to_dict() | {"seconds": time.perf_counter() - began}
    keep("quality-prequential", found, options.results)


if __name__ == "__main__":
    main()
