"""The live index on the notebook-size sample: a list from scratch, writes, an import, a start.

Each figure stands beside what bounds it: a durable write beside the machine's bare fsync. One thread asks.
Ratings and users are those of `corated.sample("notebook")`, seeded.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import corated as cr
from record import RESULTS, keep

K40 = cr.UserKNN(measure="pearson", k=40, min_common=3)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spread(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    ms = 1000.0 * np.array(seconds)
    return {
        "median_ms": float(np.median(ms)),
        "p99_ms": float(np.quantile(ms, 0.99)),
        "max_ms": float(ms.max()),
    }


def in_memory(ratings: cr.Ratings, model: cr.Recommender, users: list[object]) -> dict[str, object]:
    """Lists of all users on the spot, with a write before every tenth; then writes alone."""
    began = time.perf_counter()
    index = cr.LiveIndex(ratings, model=model)
    built, rng = time.perf_counter() - began, random.Random(0)
    items, latest = ratings.items.ids.to_pylist(), int(ratings.times.max())
    for user in users[:20]:
        index.recommend(user)
    lists, writes = [], []
    for at, user in enumerate(users):
        if at % 10 == 0:
            index.rate(rng.choice(users), rng.choice(items), rng.randrange(1, 11), time=latest + at)
        lists.append(timed(lambda user=user: index.recommend(user)))
    for at in range(5000):
        user, item, rating = rng.choice(users), rng.choice(items), rng.randrange(1, 11)
        writes.append(timed(lambda u=user, i=item, r=rating, t=latest + at: index.rate(u, i, r, time=t)))
    checked = index.verify(users=50)
    return {
        "model": repr(index.model),
        "build_seconds": built,
        "lists": spread(lists) | {"users": len(lists)},
        "write_us": {"median": 1e6 * float(np.median(writes)), "p99": 1e6 * float(np.quantile(writes, 0.99))},
        "verified": checked.ok,
    }


def on_disk(made: cr.Ratings, folder: Path) -> dict[str, object]:
    place, rng = folder / "shop.db", random.Random(1)
    users, items = made.users.ids.to_pylist(), made.items.ids.to_pylist()
    db = cr.open(place, model=K40)
    figures: dict[str, object] = {"import_seconds": timed(lambda: db.import_(made))}
    singles, syncs = [], []
    handle = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY)
    for _ in range(1000):  # in turns, since the disk of a shared machine has good and bad moments
        user, item, rating = rng.choice(users), rng.choice(items), rng.randrange(1, 11)
        singles.append(timed(lambda u=user, i=item, r=rating: db.rate(u, i, r)))
        syncs.append(timed(lambda: (os.write(handle, b"x" * 4096), os.fsync(handle))))
    os.close(handle)
    batch = [(rng.choice(users), rng.choice(items), rng.randrange(1, 11)) for _ in range(20_000)]
    seconds = timed(lambda: [db.write(batch[at : at + 1000]) for at in range(0, len(batch), 1000)])
    figures |= {
        "durable_writes_per_second": 1.0 / float(np.median(singles)),
        "bare_fsyncs_per_second": 1.0 / float(np.median(syncs)),
        "of_bare": float(np.median(syncs) / np.median(singles)),
        "batched_writes_per_second": len(batch) / seconds,
        "keep_seconds": timed(db.keep),
    }
    db.close()
    figures["start_seconds"] = timed(lambda: cr.open(place, model=K40).close())
    Path(f"{place}.restart").unlink()
    figures["start_without_file_seconds"] = timed(lambda: cr.open(place, model=K40, restart=False).close())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, help="so many users, for a quick look; by default all")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", cr.CoratedNotice)
    ratings = cr.sample("notebook").ratings
    users = ratings.users.ids.to_pylist()
    random.Random(2).shuffle(users)
    users = users[: options.users]
    found: dict[str, object] = {"ratings": len(ratings), "users": ratings.n_users}
    for name, model in (("best", cr.preset("best")), ("k=40", K40), ("timely", cr.Timely())):
        found[name] = in_memory(ratings, model, users)
        print(name, found[name], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found["disk"] = on_disk(ratings, Path(folder))
    print(found["disk"], flush=True)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    keep("live", found, options.results)


if __name__ == "__main__":
    main()
