"""Many ratings into a store at once: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import DataError, IdTypeError, ParameterError
from corated.live._shape import Shape, widened
from corated.progress import Progress
from corated.ratings.ids import IdMap, quote_id
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale

__all__ = ["as_ratings", "rows_of", "shape_with"]

_BLOCK = 65_536
_SHOWN = 5


def as_ratings(data: Any, shape: Shape, *, widen: bool) -> Ratings:
    """Return what is to be imported as checked ratings.

    data : `Ratings`; or a frame, an Arrow table or reader, or an iterable of record batches, with the
        columns user_id, item_id, rating and maybe timestamp

    Raises as `Ratings.from_table` does, naming rows counted from 0.
    """
    if isinstance(data, Ratings):
        return data
    if isinstance(data, pa.RecordBatch):
        data = [data]
    if not (hasattr(data, "__arrow_c_stream__") or hasattr(data, "columns") or isinstance(data, dict)):
        data = _table_of(data)
    kinds = {"user": shape.user_ids, "item": shape.item_ids}
    return Ratings.from_table(
        data,
        user="user_id",
        item="item_id",
        rating="rating",
        scale=None if widen else shape.scale,
        ids={what: kind for what, kind in kinds.items() if kind is not None},
    )


def _table_of(batches: Any) -> pa.Table:
    try:
        return pa.Table.from_batches(list(batches))
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise ParameterError(
            f"This cannot be imported: {error}.",
            expected="Ratings, a frame, an Arrow table or reader, or record batches with the same columns",
            hint="read files with corated.read_ratings",
        ) from error


def shape_with(ratings: Ratings, shape: Shape, *, widen: bool) -> Shape:
    """Return the shape that a store has with these ratings; raises `DataError` where they do not fit."""
    if ratings.scale is None:
        raise DataError(
            "These ratings are on no scale, and a store keeps ratings of one.",
            expected="ratings of low + code × step, at most 256 levels",
            hint="read them with scale=(low, high, step), after rounding",
        )
    _check_ids(ratings.users, shape.user_ids)
    _check_ids(ratings.items, shape.item_ids)
    timed = ratings.times is not None
    if shape.timed is not None and shape.timed != timed:
        has, have = ("times", "none") if shape.timed else ("no times", "some")
        raise DataError(
            f"The ratings of the store have {has}, these have {have}.",
            hint="read them with time=False" if timed else "add a column of times",
        )
    scale = ratings.scale if shape.scale is None else shape.scale
    used = ratings.scale.decode(np.unique(_codes(ratings)))
    if widen:
        scale = widened(scale, used)
    elif not scale.contains(used).all():
        raise _off_scale(ratings, scale)
    return replace(shape, scale=scale, user_ids=ratings.users.kind, item_ids=ratings.items.kind, timed=timed)


def _codes(ratings: Ratings) -> npt.NDArray[np.uint8]:
    assert ratings.codes is not None
    return ratings.codes


def _check_ids(ids: IdMap, kind: str | None) -> None:
    if kind is not None and ids.kind != kind:
        raise IdTypeError(
            f"The {ids.what} ids of the store are {kind}, those of the ratings are {ids.kind}.",
            expected="one type for both",
            hint=f'read the ratings with ids="{kind}"',
        )
    if ids.kind == "text":
        odd = pc.match_substring(ids.ids, "\0")
        if pc.any(odd).as_py():
            rows = [f"{ids.what} {quote_id(id)}" for id in ids.ids.filter(odd)[:_SHOWN].to_pylist()]
            raise DataError(
                f"There are {ids.what} ids with NUL characters, which PostgreSQL cannot hold.",
                rows=rows,
                hint="correct these ids",
            )


def _off_scale(ratings: Ratings, scale: Scale) -> DataError:
    off = np.flatnonzero(~scale.contains(ratings.values))
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[off[:_SHOWN]]
    items = ratings.by_user.indices[off[:_SHOWN]]
    named = zip(
        ratings.users.take(users).to_pylist(),
        ratings.items.take(items).to_pylist(),
        off[:_SHOWN],
        strict=True,
    )
    return DataError(
        f"{len(off):,} of {ratings.n_ratings:,} ratings are off the scale of the store.",
        expected=f"ratings on {scale}",
        rows=[
            f"user {quote_id(user)}, item {quote_id(item)}: {ratings.values[at]:.10g}"
            for user, item, at in named
        ],
        hint="correct them; open_store(..., widen=True) widens the scale",
    )


def rows_of(
    ratings: Ratings, scale: Scale, progress: Progress
) -> Iterator[tuple[str, str, float, int | None]]:
    """Yield rows as they are stored, by the text of (user, item): the quickest order for a table's keys.

    scale : the store's, which every rating is on
    """
    users, items = _as_text(ratings.users), _as_text(ratings.items)
    who, what = np.repeat(np.arange(ratings.n_users), ratings.user_counts), ratings.by_user.indices
    order = np.lexsort((_rank(items)[what], _rank(users)[who]))
    stored = _levels(ratings, scale)
    for first in range(0, ratings.n_ratings, _BLOCK):
        here = order[first : first + _BLOCK]
        times = [None] * len(here) if ratings.times is None else ratings.times[here].tolist()
        yield from zip(
            users.take(pa.array(who[here])).to_pylist(),
            items.take(pa.array(what[here])).to_pylist(),
            stored[_codes(ratings)[here]].tolist(),
            times,
            strict=True,
        )
        progress(min(first + _BLOCK, ratings.n_ratings), ratings.n_ratings)


def _levels(ratings: Ratings, scale: Scale) -> npt.NDArray[np.float64]:
    """Return the level of the store's scale for each code of the ratings; NaN for levels nobody uses."""
    assert ratings.scale is not None
    given = ratings.scale.ratings
    fits = scale.contains(given)
    levels = np.full(len(given), np.nan)
    levels[fits] = scale.decode(scale.encode(given[fits]))
    return levels


def _as_text(ids: IdMap) -> pa.Array:
    return ids.ids.cast(pa.large_string())


def _rank(texts: pa.Array) -> npt.NDArray[np.int64]:
    """Return the place of each text among all, by code point."""
    order = pc.array_sort_indices(texts).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank
