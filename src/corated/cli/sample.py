"""``corated sample``: invented ratings to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from corated.cli.options import SIZES, Count, command, json_option
from corated.cli.show import say, show_json
from corated.errors import OutputError

__all__ = ["sample_command"]

_FILES = ("ratings.dat", "movies.dat")


@command(
    examples="""
    corated sample --size small -o demo
    corated sample --users 1000 --items 500 --ratings 20000 --seed 7 -o demo
    """
)
@click.option("--size", type=click.Choice(SIZES), help="A size by name; notebook by default.")
@click.option(
    "--users",
    type=Count(example=1000),
    metavar="N",
    help="Users, with --items and --ratings instead of --size.",
)
@click.option("--items", type=Count(example=500), metavar="N", help="Items.")
@click.option("--ratings", type=Count(example=20000), metavar="N", help="Ratings.")
@click.option(
    "--seed",
    type=Count(least=0, example=7),
    metavar="N",
    default=0,
    show_default=True,
    help="Another seed, other ratings.",
)
@click.option(
    "-o", "--output", metavar="FOLDER", required=True, help="Folder for ratings.dat and movies.dat."
)
@click.option(
    "--overwrite", is_flag=True, help="Replace ratings.dat and movies.dat where they are there already."
)
@json_option
def sample_command(
    size: str | None,
    users: int | None,
    items: int | None,
    ratings: int | None,
    seed: int,
    output: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write invented ratings and titles shaped like real ones.

    The same options give the same files.
    """
    import corated as cr

    folder = Path(output)
    _look_before(folder, overwrite)
    chosen = {} if size is None else {"size": size}
    made = cr.sample(**chosen, users=users, items=items, ratings=ratings, seed=seed)
    written, titles = made.write(folder)
    if as_json:
        counts = {
            "users": made.ratings.n_users,
            "items": made.ratings.n_items,
            "ratings": made.ratings.n_ratings,
        }
        show_json({"ratings_path": written, "catalog_path": titles, **counts, "seed": seed})
        return
    say(
        f"{made.ratings.n_ratings:,} ratings by {made.ratings.n_users:,} users of "
        f"{made.ratings.n_items:,} items: {written}, titles: {titles}"
    )
    say(f"Next: corated recommend {written} --catalog {titles}")


def _look_before(folder: Path, overwrite: bool) -> None:
    """Refuse to replace somebody's ratings, and a folder that is a file."""
    there = [name for name in _FILES if (folder / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"The folder {folder} has {' and '.join(there)} already.",
            hint="choose another folder with -o, or add --overwrite to replace them",
        )
