"""A file beside a store from which an index starts without reading every rating.

It is a container as model files are: hashed, checked, mapped. It holds the ratings of one position of one
store; what came later is in the store's log. Nothing is lost with it: in doubt the store is read.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corated.errors import ModelFileError
from corated.models._container_check import damaged
from corated.models._file_data import Stock, packed_ratings, ratings_from
from corated.models.container import read_container, write_container
from corated.ratings.ratings import Ratings

__all__ = ["Restart", "read_restart", "write_restart"]

_KIND = "restart"


@dataclass(frozen=True)
class Restart:
    """Ratings as they were at a position of a store.

    store : which store it is, as it names itself
    model, choice : what a `Chosen`, as text, chose of its models; None where there was no choice
    """

    ratings: Ratings
    store: str
    position: int
    model: str = ""
    choice: int | None = None


def write_restart(path: str | os.PathLike[str], restart: Restart) -> None:
    """Write it; a failure at any moment leaves the old file or the new one. Raises `OutputError`."""
    told, arrays = packed_ratings(restart.ratings)
    content = {"kind": _KIND, "store": restart.store, "position": restart.position, "ratings": told}
    content |= {"model": restart.model, "choice": restart.choice}
    write_container(path, content, arrays)


def read_restart(path: str | os.PathLike[str]) -> Restart:
    """Read it back, every hash compared; raises `ModelFileError` for a file that is absent or damaged."""
    manifest, arrays = read_container(path)
    wrong = functools.partial(damaged, Path(path))
    content: Any = manifest["content"]
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise ModelFileError(
            f"{path} is no file to start from.",
            expected="what an index wrote beside its store",
            hint="delete it: it is made anew",
        )
    store, position = content.get("store"), content.get("position")
    if not isinstance(store, str) or not isinstance(position, int) or isinstance(position, bool):
        raise wrong("it does not say which store it is of")
    stock = Stock(arrays, wrong, path)
    ratings = ratings_from(content.get("ratings"), stock)
    stock.finish()
    model, choice = content.get("model"), content.get("choice")
    is_place = choice is None or (isinstance(choice, int) and not isinstance(choice, bool) and choice >= 0)
    if not isinstance(model, str) or not is_place:
        raise wrong("it does not say which model was chosen")
    return Restart(ratings, store, position, model, choice)
