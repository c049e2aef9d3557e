"""The store alone, at the notebook's size: single durable writes, batches, import, read, export and backup.

A durable write cannot be quicker than the disk is synced, so each stands beside a bare write and fsync,
in turns and in the same folder. Runs on SQLite; on PostgreSQL too with ``--postgresql ADDRESS`` of an empty
database, where the server's disk decides.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import corated as cr
from corated.live.store import Change, Store, open_store
from record import RESULTS, keep


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def single(store: Store, made: list[Change], bare: Path) -> dict[str, float]:
    """Writes of one rating each, and bare syncs, in turns: the disk of a shared machine has its moments."""
    writes, syncs = [], []
    handle, block = os.open(bare, os.O_CREAT | os.O_WRONLY), os.urandom(4096)
    for change in made:
        syncs.append(timed(lambda: (os.write(handle, block), os.fsync(handle))))
        writes.append(timed(lambda change=change: store.write([change])))
    os.close(handle)
    return {
        "writes_per_second": len(writes) / sum(writes),
        "bare_per_second": len(syncs) / sum(syncs),
        "of_bare": sum(syncs) / sum(writes),
        "median_of_bare": median(syncs) / median(writes),
    }


def batched(store: Store, made: list[Change], size: int) -> float:
    """Ratings a second, in writes of so many."""
    batches = [made[at : at + size] for at in range(0, len(made), size)]
    return len(made) / timed(lambda: [store.write(batch) for batch in batches])


def run(where: str, folder: Path, ratings: cr.Ratings, n: int) -> dict[str, object]:
    rng = random.Random(1)
    users, items = ratings.users.ids.to_pylist(), ratings.items.ids.to_pylist()
    made = [Change(rng.choice(users), rng.choice(items), rng.randrange(1, 11)) for _ in range(n)]
    many = [Change(rng.choice(users), rng.choice(items), rng.randrange(1, 11)) for _ in range(50_000)]
    with open_store(where) as store:
        found: dict[str, object] = {"import_seconds": timed(lambda: store.import_(ratings))}
        found["import_again_seconds"] = timed(lambda: store.import_(ratings))
        found |= single(store, made, folder / "bare")
        found |= {f"in_batches_of_{size}_per_second": batched(store, many, size) for size in (100, 1000)}
        last = store.position
        found["follow_changes_per_second"] = 10_000 / timed(lambda: store.changes(last - 10_000))
        with store.read() as snapshot:
            found["read_seconds"] = timed(snapshot.ratings)
        for ending in ("parquet", "csv", "jsonl"):
            path = folder / f"out.{ending}"
            found[f"export_{ending}_seconds"] = timed(lambda path=path: store.export(path))
        found["backup_seconds"] = timed(lambda: store.backup(folder / "backup.db"))
        found["backup_mb"] = (folder / "backup.db").stat().st_size / 1e6
        found["verify_seconds"] = timed(store.verify)
        found["erase_seconds"] = timed(lambda: store.erase(users[0]))
    found["open_seconds"] = timed(lambda: open_store(where).close())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=2000, help="so many single writes")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; by default a temporary folder")
    parser.add_argument("--postgresql", metavar="ADDRESS", help="of an empty database")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    ratings = cr.sample("notebook").ratings
    found: dict[str, object] = {"ratings": ratings.n_ratings}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        places = {"sqlite": str(folder / "shop.db"), "postgresql": options.postgresql}
        for kind, where in places.items():
            if where:
                found[kind] = figures = run(where, folder, ratings, options.writes)
                print(f"| {kind} | |\n|---|---|")
                print("\n".join(f"| {what} | {value:,.3f} |" for what, value in figures.items()), flush=True)
    keep("store", found, options.results)


if __name__ == "__main__":
    main()
