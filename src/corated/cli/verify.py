"""``corated verify``: whether a store is whole, and answers from it are those of a fit."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import Count, command, json_option, threads_option
from corated.cli.show import count, say, show_json
from corated.cli.stores import opened, shown, store_option
from corated.errors import StoreError

if TYPE_CHECKING:
    from corated import LiveIndex, Ratings
    from corated.live.store import Store
    from corated.live.verify import Verified

__all__ = ["verify_command"]

_DAMAGED = "put a backup in its place: corated backup FILE --store BACKUP"
_AT_FAULT = "the ratings are whole: report this as a fault of the program, with the output of corated doctor"


@command(
    examples="""
    corated verify --store shop.db
    corated verify --store shop.db --users 20 --json
    """
)
@store_option
@click.option(
    "--users",
    type=Count(least=0, example=100),
    metavar="N",
    default=100,
    show_default=True,
    help="Compare the answers for so many users, drawn at random.",
)
@threads_option
@json_option
def verify_command(store: str, users: int, threads: int | None, as_json: bool) -> None:
    """Verify that a store is whole, and its answers right.

    First the database itself, each of its rows, and the log against the ratings. Then an index in memory, in
    which a rating of each of N users is taken out and written again, against a fit on the same ratings:
    neighbors and recommendations. Exits with 4 where anything differs.
    """
    start = time.perf_counter()
    with opened(store) as kept:
        problems = kept.verify()
        position = kept.position
        checked = None if problems else _index_verified(kept, users, threads)
    differences = [] if checked is None else list(checked.differences)
    found: dict[str, Any] = {
        "store": shown(store),
        "ok": not (problems or differences),
        "position": position,
        "ratings": 0 if checked is None else checked.ratings,
        "users": 0 if checked is None else checked.users,
        "measures": [] if checked is None else list(checked.measures),
        "problems": problems,
        "differences": differences,
        "seconds": round(time.perf_counter() - start, 3),
    }
    if as_json:
        show_json(found)
    else:
        say("\n".join(_lines(found)))
    if not found["ok"]:
        wrong = len(problems) + len(differences)
        raise StoreError(
            f"The store {shown(store)} is not as it should be: {count(wrong, 'problem')}.",
            hint=_DAMAGED if problems else _AT_FAULT,
        )


def _index_verified(kept: Store, users: int, threads: int | None) -> Verified | None:
    """Compare an index of the store's ratings with a fit; None where there are no ratings."""
    import corated as cr

    with kept.read() as snapshot:
        if snapshot.scale is None:
            return None
        ratings = snapshot.ratings()
    if not len(ratings):
        return None
    index = cr.LiveIndex(ratings, threads=threads)
    _write_again(index, ratings, users)
    found = index.verify(users=users)
    if index.ratings().to_arrow().equals(ratings.to_arrow()):
        return found
    return replace(found, differences=("The index differs from the store.", *found.differences))


def _write_again(index: LiveIndex, ratings: Ratings, users: int) -> None:
    """Take a rating of each of some users out of the index, and write it again."""
    import numpy as np

    asked = ratings.users.id(0)
    index.neighbors(asked)  # what is kept up begins with a question
    index.recommend(asked)
    chosen = np.linspace(0, ratings.n_users - 1, min(users, ratings.n_users)).astype(np.int64)
    for code in chosen.tolist():
        at = int(ratings.by_user.indptr[code])
        user, item = ratings.users.id(code), ratings.items.id(int(ratings.by_user.indices[at]))
        time = None if ratings.times is None else int(ratings.times[at])
        index.remove(user, item)
        index.rate(user, item, float(ratings.values[at]), time=time)


def _lines(found: dict[str, Any]) -> list[str]:
    """Return the report as text."""
    lines = [f"{found['store']}, position {found['position']:,}"]
    if found["problems"]:
        return [*lines, *(f"- {problem}" for problem in found["problems"]), "no index was made of it"]
    lines.append("the database, its rows and its log: all as they should be")
    if not found["ratings"]:
        return [*lines, "no ratings yet"]
    counts = count(found["ratings"], "rating"), count(found["users"], "user")
    told = ", ".join((*counts, *found["measures"]))
    same = "differs from a fit" if found["differences"] else "the same as a fit"
    return [*lines, f"an index of it: {told}: {same}", *(f"- {one}" for one in found["differences"])]
