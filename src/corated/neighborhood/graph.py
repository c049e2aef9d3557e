"""Finding neighbors: of everyone or of some, kept in memory or written to a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.neighborhood.engine import Engine, Of, check_count, check_of, check_ratings, codes_of
from corated.neighborhood.find import find, together
from corated.neighborhood.memory import bytes_of
from corated.neighborhood.parquet import check_target
from corated.neighborhood.run import Run, resolve_threads
from corated.neighborhood.spill import NeighborsFile, write_neighbors
from corated.neighborhood.table import Neighbors
from corated.neighborhood.thin import thinned
from corated.neighborhood.work import Search, check_preparation, fitting_work
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure

__all__ = ["Neighbors", "NeighborsFile", "Wanted", "graph_of", "neighbor_parts", "neighbors", "search_of"]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Wanted:
    """Whose neighbors are wanted, as `neighbors` is told it."""

    of: str = "users"
    measure: str | Measure = "pearson"
    k: int = 40
    min_common: int = 1
    subjects: Iterable[Id] | None = None
    max_raters: int | None = None
    seed: int = 0


@overload
def neighbors(
    ratings: Ratings,
    *,
    of: str = ...,
    measure: str | Measure = ...,
    k: int = ...,
    min_common: int = ...,
    subjects: Iterable[Id] | None = ...,
    to: None = ...,
    max_raters: int | None = ...,
    seed: int = ...,
    threads: int | None = ...,
    memory_limit: int | str | None = ...,
    progress: ProgressOption = ...,
    cancel: Cancel = ...,
) -> Neighbors: ...
@overload
def neighbors(
    ratings: Ratings,
    *,
    of: str = ...,
    measure: str | Measure = ...,
    k: int = ...,
    min_common: int = ...,
    subjects: Iterable[Id] | None = ...,
    to: str | os.PathLike[str],
    max_raters: int | None = ...,
    seed: int = ...,
    threads: int | None = ...,
    memory_limit: int | str | None = ...,
    progress: ProgressOption = ...,
    cancel: Cancel = ...,
) -> NeighborsFile: ...
def neighbors(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    k: int = 40,
    min_common: int = 1,
    subjects: Iterable[Id] | None = None,
    to: str | os.PathLike[str] | None = None,
    max_raters: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    memory_limit: int | str | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Neighbors | NeighborsFile:
    """Find the k nearest neighbors of every user (or item), exactly.

    of : ``"users"`` or ``"items"``
    measure : a record of `corated.measures`, or its shorthand, such as ``"pearson(shrink=100)"``
    k : neighbors each; fewer where fewer have a value
    min_common : pairs with fewer co-rated ratings are no neighbors
    subjects : the ids to find neighbors for, or one id; None for everyone
    to : a Parquet file to write the rows to, instead of keeping them in memory; columns and order as
        `Neighbors` has them; written beside itself and moved into place at the end
    max_raters : for an approximate answer: at most that many raters of an item take part (for items: items
        of a user), drawn at random; values and ``n_common`` are those of the ratings that do
    seed : of that drawing
    threads : None for every core
    memory_limit : the bytes that this may take on top of the ratings as given, or text such as
        ``"1 GB"``; None for what the process can still get
    progress, cancel : see `corated.progress`

    The result does not depend on ``threads``, ``memory_limit`` and ``to``, to the last bit.

    Raises `ParameterError`, `UnknownIdError`, `DataError`, `OutputError`, `Cancelled`, or
    `MemoryLimitError` where it cannot fit; then, and with Ctrl-C, a file that stood there before is unharmed.
    """
    run = Run(resolve_threads(threads), cancel=check_cancel(cancel), memory_limit=bytes_of(memory_limit))
    target = None if to is None else check_target(to, "graph.parquet")
    wanted = Wanted(of, measure, k, min_common, subjects, max_raters, seed)
    search = search_of(ratings, wanted, run.memory_limit, in_parts=target is not None)
    if target is not None:
        return write_neighbors(search, target, run, progress)
    with reporting(progress, search.title) as report:
        return together(search, replace(run, progress=report))


def neighbor_parts(
    ratings: Ratings,
    wanted: Wanted,
    *,
    threads: int | None = None,
    memory_limit: int | str | None = None,
    progress: ProgressOption = None,
) -> Iterator[Neighbors]:
    """Find what `neighbors` finds, and yield it part by part, in the order of ids.

    Arguments and errors as for `neighbors`, the first time that a part is asked for. There is at least one.
    """
    run = Run(resolve_threads(threads), memory_limit=bytes_of(memory_limit))
    search = search_of(ratings, wanted, run.memory_limit, in_parts=True)
    with reporting(progress, search.title) as report:
        yield from find(search, fitting_work(search, run), replace(run, progress=report))


def graph_of(engine: Engine, side: Of, k: int, codes: Int64s | None, run: Run) -> Neighbors:
    """Find the neighbors of all subjects (``codes`` None), or of the ascending ``codes``."""
    return together(Search(engine, side, k, codes), run)


def search_of(ratings: Ratings, wanted: Wanted, memory_limit: int | None, *, in_parts: bool) -> Search:
    """Check what is wanted and rearrange the ratings for it; errors as for `neighbors`."""
    side, k, ratings = check_of(wanted.of), check_count("k", wanted.k), check_ratings(ratings)
    if wanted.max_raters is not None:
        most, seed = check_count("max_raters", wanted.max_raters), _check_seed(wanted.seed)
        ratings = thinned(ratings, side, most, seed)
    check_preparation(ratings, side, memory_limit)
    engine = Engine.build(ratings, of=side, measure=wanted.measure, min_common=wanted.min_common)
    codes = None if wanted.subjects is None else np.unique(codes_of(engine.ids, wanted.subjects))
    return Search(engine, side, k, codes, in_parts)


def _check_seed(seed: object) -> int:
    """Return a seed; raises `ParameterError` for anything but a whole number from 0 up."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError(
            f"seed={seed!r} cannot be used.", expected="a whole number from 0 up", hint="try seed=0"
        )
    return int(seed)
