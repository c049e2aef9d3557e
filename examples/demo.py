"""What `make demo` runs: from ratings to everyone's recommendations, with figures and reasons."""

from __future__ import annotations

import argparse
import resource
import shlex
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

import corated as cr
from corated.models.rules import default_like
from corated.output import atomic_path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    parser.add_argument("--ratings", type=Path)
    parser.add_argument("--catalog", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        demo(options.folder, options.ratings, options.catalog)
    except cr.CoratedError as error:
        sys.exit(f"error: {error}")


def demo(folder: Path, ratings_path: Path | None, catalog_path: Path | None) -> None:
    began = time.perf_counter()
    if ratings_path is None:
        ratings_path, catalog_path = make_sample(folder)
    with step("read the ratings"):
        ratings = cr.read_ratings(ratings_path)
        catalog = cr.read_catalog(catalog_path, ids=ratings) if catalog_path else None
    print(f"\n{ratings.check()}\n")

    with step("compile or load the kernels"):
        cr.neighbors(cr.sample(size="small").ratings, measure="pearson", min_common=3)
    with step("find the 40 nearest neighbors of every user: exact Pearson, at least 3 in common"):
        graph = cr.neighbors(ratings, measure="pearson", k=40, min_common=3)
    with step("find neighbors for recommending, and recommend 10 items to every user"):
        model = cr.preset("best").fit(ratings, catalog=catalog)
        answers = model.recommend(n=10)

    neighbors_file, answers_file = folder / "neighbors.parquet", folder / "recommendations.parquet"
    with step("write both tables"):
        for table, path in ((graph, neighbors_file), (answers, answers_file)):
            with atomic_path(path) as temporary:
                pq.write_table(table.to_arrow(), temporary)

    print(f"\n{len(answers):,} recommendations for {answers.users:,} users;", end=" ")
    print(f"{answers.short:,} users got fewer than 10.")
    print("By source: " + ", ".join(f"{name} {count:,}" for name, count in answers.by_source.items()))
    show_some(ratings, model)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nAll in {time.perf_counter() - began:.1f} s, {peak:,.0f} MB at most. The files:")
    for path in (neighbors_file, answers_file):
        print(f"  {path}")
    command = [str(Path(sys.executable).with_name("corated")), "serve", str(ratings_path)]
    command += ["--catalog", str(catalog_path)] if catalog_path else []
    print("\nTo explore them in a browser, open http://127.0.0.1:8000 after")
    print(f"  {shlex.join(command)}")


def make_sample(folder: Path) -> tuple[Path, Path]:
    """Make the sample once; the second time it is there."""
    paths = folder / "ratings.dat", folder / "movies.dat"
    if not all(path.exists() for path in paths):
        with step("make a sample of the notebook's size: 53,968 users, 31,245 movies, 712,337 ratings"):
            cr.sample(size="notebook").write(folder)
    return paths


def show_some(ratings: cr.Ratings, model: cr.Recommender) -> None:
    """Show the lists of three users, and who stands behind each first item."""
    counts = ratings.user_counts
    by_count = sorted(range(len(counts)), key=lambda code: (-counts[code], code))
    for share in (100, 20, 4):
        user = ratings.users.id(by_count[len(by_count) // share])
        print(f"\nUser {user}, who rated {len(ratings.profile(user))}:")
        for row in model.recommend([user], n=3):
            people = "1 person" if row["support"] == 1 else f"{row['support']} people"
            who = "with similar taste" if row["source"] == "neighbors" else "in all"
            print(f"  {row['rank']}. {row.get('title') or row['item_id']}  (liked by {people} {who})")
            if row["rank"] == 1 and row["source"] == "neighbors":
                show_supporters(ratings, user, row["item_id"])


def show_supporters(ratings: cr.Ratings, user: int | str, item: int | str) -> None:
    """Show the closest three of the neighbors whose likes put an item on the list."""
    near = cr.neighbors(ratings, measure="jaccard", k=100, subjects=[user])
    likes = default_like(ratings)
    shown = 0
    for row in near:
        rating = ratings.profile(row["neighbor"]).get(item)
        if rating is not None and rating >= likes and shown < 3:
            print(
                f"       user {row['neighbor']} gave it {rating:g}: {row['n_common']} items in common with",
                end="",
            )
            print(f" user {user}, similarity {row['value']:.3f}")
            shown += 1


class step:  # noqa: N801 - reads as a statement
    """Print what is being done, and how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        print(f"{time.perf_counter() - self.began:6.2f} s  {self.what}", flush=True)


if __name__ == "__main__":
    main()
