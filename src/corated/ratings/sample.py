"""Seeded, invented ratings of any size, with the shape of real ones."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import OutputError, ParameterError
from corated.ratings._sample_words import GENRES, invent_titles
from corated.ratings._sample_world import FIRST_YEAR, SPAN, Events, Items, Shape, make_events

if TYPE_CHECKING:
    from corated.ratings.catalog import Catalog
    from corated.ratings.ratings import Ratings

__all__ = ["SIZES", "Sample", "sample"]

_HALF_STARS: Final = (1.2, 3.4, 1.4, 7.2, 4.4, 21.5, 11.0, 27.8, 7.7, 14.4)

SIZES: Final = {
    "small": Shape(600, 400, 12_000, heaviest_user=150, heaviest_item=200, user_head=25, item_head=5),
    "notebook": Shape(
        53_968, 31_245, 712_337, heaviest_user=1_800, heaviest_item=5_920, user_head=120, item_head=17.5
    ),
    "ml-20m": Shape(
        138_493, 26_744, 20_000_263, heaviest_user=9_254, heaviest_item=74_000, user_head=120, item_head=215,
        lightest_user=20, per_sitting=20, burst_share=0.2, burst_width=0.3,
        low=0.5, step=0.5, histogram=_HALF_STARS,
    ),
    "million": Shape(
        1_000_000, 50_000, 5_000_000, heaviest_user=5, heaviest_item=20_000, user_head=1, item_head=25,
        lightest_user=5,
    ),
}  # fmt: skip
"""The named sizes of `sample`."""

_FIRST_SECOND: Final = 1_356_998_400  # 2013-01-01T00:00:00Z
_ID_DIGITS: Final = 7
_LINES_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, eq=False)
class Sample:
    """Invented ratings and the catalog of their items.

    Attributes
    ----------
    ratings : the ratings, with times; integer user ids, zero-padded text item ids
    catalog : titles, years and genres of all items
    """

    ratings: Ratings
    catalog: Catalog

    def write(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``ratings.dat`` and ``movies.dat`` into a folder, made if missing; return their paths.

        The lines are ``user::movie::rating::unix_seconds`` and ``movie::title (year)::genre|genre``,
        in UTF-8. A file appears under its name only when it is whole. Raises `OutputError`.
        """
        target = Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
            return (
                _write_whole(target / "ratings.dat", _rating_lines(self.ratings)),
                _write_whole(target / "movies.dat", _movie_lines(self.catalog)),
            )
        except OSError as error:
            raise OutputError(
                f"The sample could not be written to {target}: {error.strerror or error}.",
                expected="a folder that can be written, with enough room",
                hint="Choose another folder.",
            ) from error


def sample(
    size: str = "notebook",
    *,
    users: int | None = None,
    items: int | None = None,
    ratings: int | None = None,
    seed: int = 0,
) -> Sample:
    """Invent ratings with the shape of real ones: tails, taste, bursts of attention, and titles.

    People have favorite genres, rate what is new or suits them, and like what suits their taste; a
    few rate a lot, and a few items are rated by many. The same arguments give the same data.

    Parameters
    ----------
    size : "notebook" (53,968 users, 31,245 items, 712,337 ratings from 1 to 10), "small" (600, 400,
        12,000), "ml-20m" (138,493, 26,744, 20,000,263 in half stars; takes 1.2 GB and up to a minute) or
        "million" (1,000,000 users with five ratings each, 50,000 items)
    users, items, ratings : exact numbers instead of a size; all three or none
    seed : a whole number from 0 up

    Returns
    -------
    The ratings and their catalog. Every user and every item has at least one rating, and no pair
    comes twice.

    Raises
    ------
    ParameterError
        for an unknown size, or numbers that no table of ratings can have
    """
    shape = _shape(size, users, items, ratings)
    rng = np.random.Generator(np.random.PCG64(_whole("seed", seed, 0)))
    works, events = make_events(shape, rng)
    return _assemble(shape, works, events, rng)


def _shape(size: str, users: int | None, items: int | None, ratings: int | None) -> Shape:
    """Return the shape asked for by name or by numbers."""
    numbers = {"users": users, "items": items, "ratings": ratings}
    missing = [name for name, number in numbers.items() if number is None]
    if len(missing) == 3:
        if size in SIZES:
            return SIZES[size]
        raise ParameterError(
            f"size is {size!r}.",
            expected="one of " + ", ".join(f'"{name}"' for name in SIZES),
            hint="Give users=, items= and ratings= for another size.",
        )
    if missing:
        raise ParameterError(
            f"{' and '.join(missing)} missing.",
            expected="users, items and ratings together",
            hint=f"Add {', '.join(name + '=' for name in missing)}.",
        )
    if size != "notebook":
        raise ParameterError(
            f"size is {size!r} and users, items and ratings are given.",
            expected="a size or the three numbers",
            hint="Leave one of them out.",
        )
    return _own_shape(*(_whole(name, number, 1) for name, number in numbers.items()))


def _own_shape(users: int, items: int, ratings: int) -> Shape:
    """Return a shape with given numbers and the notebook's tails, as far as they fit."""
    if not max(users, items) <= ratings <= users * items:
        raise ParameterError(
            f"ratings is {ratings:,} for {users:,} users and {items:,} items.",
            expected=f"from {max(users, items):,} (one for each) to {users * items:,} (one for each pair)",
            hint="Change one of the numbers.",
        )
    if max(users, items) >= 2**31 or users * items >= 2**62:
        raise ParameterError(
            f"{users:,} users and {items:,} items are too many.",
            expected="fewer than 2,147,483,648 of each",
            hint="Ask for less.",
        )
    return Shape(
        users,
        items,
        ratings,
        heaviest_user=min(items, max(round(0.058 * items), 3 * -(-ratings // users))),
        heaviest_item=min(users, max(round(0.11 * users), 3 * -(-ratings // items))),
        user_head=max(users / 450, 1),
        item_head=max(items / 1800, 1),
    )


def _whole(name: str, value: Any, least: int) -> int:
    """Return a whole number, or raise `ParameterError`."""
    with suppress(TypeError):
        if not isinstance(value, bool) and index(value) >= least:
            return index(value)
    raise ParameterError(
        f"{name} is {value!r}.", expected=f"a whole number from {least} up", hint="Give such a number."
    )


def _assemble(shape: Shape, works: Items, events: Events, rng: np.random.Generator) -> Sample:
    """Give ids, titles and scale to what was drawn; codes and arrays are in their final order."""
    from corated.ratings.catalog import Catalog
    from corated.ratings.ids import IdMap
    from corated.ratings.ratings import Csr, Ratings
    from corated.ratings.scale import Scale

    item_ids = IdMap(_item_ids(shape.items, rng), "item")
    indptr = np.concatenate(([0], np.cumsum(np.bincount(events.users, minlength=shape.users))))
    high = shape.low + shape.step * (len(shape.histogram) - 1)
    times = events.seconds.astype(np.int64)
    times += _FIRST_SECOND
    times *= 1_000_000
    ratings = Ratings(
        users=IdMap(pa.array(np.arange(1, shape.users + 1)), "user"),
        items=item_ids,
        scale=Scale(shape.low, high, shape.step),
        by_user=Csr(indptr.astype(np.int64, copy=False), events.items),
        codes=events.levels,
        times=times,
    )
    years = _years(works, events)
    titles = [
        f"{title} ({year})"
        for title, year in zip(invent_titles(shape.items, rng), years.tolist(), strict=True)
    ]
    return Sample(
        ratings,
        Catalog(ids=item_ids, titles=pa.array(titles), years=pa.array(years), genres=_genre_lists(works)),
    )


def _item_ids(count: int, rng: np.random.Generator) -> pa.Array:
    """Return ascending ids of seven digits, the first with a leading zero."""
    widest = min(max(10**_ID_DIGITS // (count + 1), 1), 900_000)
    numbers = np.cumsum(rng.integers(1, widest, size=count, endpoint=True))
    digits = max(_ID_DIGITS, len(str(numbers[-1])))
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), digits, "0")


def _years(works: Items, events: Events) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the year of release, never after the first rating."""
    span = SPAN / (365.25 * 86_400)
    released = np.floor(FIRST_YEAR + span * works.release).astype(np.int32)
    earliest = np.full(len(released), np.iinfo(np.int32).max, np.int32)
    np.minimum.at(earliest, events.items, events.seconds)
    first = (earliest.astype("M8[s]") + np.int64(_FIRST_SECOND)).astype("M8[Y]").astype(np.int32) + 1970
    years: np.ndarray[Any, np.dtype[np.int32]] = np.minimum(released, first)
    return years


def _genre_lists(works: Items) -> pa.Array:
    given = works.genres >= 0
    offsets = np.concatenate(([0], np.cumsum(given.sum(axis=1)))).astype(np.int32)
    names = pa.array(GENRES).take(pa.array(works.genres[given]))
    return pa.ListArray.from_arrays(pa.array(offsets), names)


def _rating_lines(ratings: Ratings) -> Iterator[pa.Array]:
    """Yield the lines of ratings.dat by (user, item)."""
    who = np.repeat(np.arange(ratings.n_users, dtype=np.int32), ratings.user_counts)
    user_ids = pc.cast(ratings.users.ids, pa.string())
    assert ratings.scale is not None and ratings.codes is not None and ratings.times is not None
    levels = pa.array([f"{value:g}" for value in ratings.scale.decode(np.arange(ratings.scale.levels))])
    for start in range(0, ratings.n_ratings, _LINES_AT_ONCE):
        part = slice(start, start + _LINES_AT_ONCE)
        yield pc.binary_join_element_wise(
            user_ids.take(pa.array(who[part])),
            ratings.items.ids.take(pa.array(ratings.by_user.indices[part])),
            levels.take(pa.array(ratings.codes[part])),
            pc.binary_join_element_wise(
                pc.cast(pa.array(ratings.times[part] // 1_000_000), pa.string()), "", "\n"
            ),
            "::",
        )


def _movie_lines(catalog: Catalog) -> Iterator[pa.Array]:
    genres = pc.binary_join(catalog.genres, "|")
    ends = pc.binary_join_element_wise(genres, "", "\n")
    yield pc.binary_join_element_wise(catalog.ids.ids, catalog.titles, ends, "::")


def _write_whole(path: Path, parts: Iterator[pa.Array]) -> Path:
    """Write the text of string arrays, end to end, to a file that appears only when it is whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                # The values of an Arrow string array lie end to end, which is the text of the file.
                ends = np.frombuffer(part.buffers()[1], np.int32)
                file.write(part.buffers()[2][ends[part.offset] : ends[part.offset + len(part)]])
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
