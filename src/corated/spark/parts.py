"""A part of the ratings by code, answered as if it were all: what lists are made of in an executor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.models.base import Fit, Fitted, Recommendations
from corated.models.knn import UserKNN
from corated.models.request import Request
from corated.neighborhood.run import Run
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale
from corated.spark.blocks import Block

__all__ = ["LISTS", "answered", "part_of"]

Int64s = npt.NDArray[np.int64]

LISTS = pa.schema(
    [
        ("user_code", pa.int32()),
        ("item_code", pa.int32()),
        ("rank", pa.int32()),
        ("score", pa.float64()),
        ("support", pa.int64()),
        ("source", pa.string()),
    ]
)


def part_of(profiles: Block, items: npt.NDArray[np.integer], scale: Scale | None) -> Ratings:
    """Return profiles as ratings, whose ids are the codes among all; ``items``: codes, ascending."""
    return Ratings(
        IdMap(pa.array(profiles.subjects.astype(np.int64)), "user"),
        IdMap(pa.array(np.asarray(items, dtype=np.int64)), "item"),
        scale,
        Csr(profiles.indptr, np.searchsorted(items, profiles.objects).astype(np.int32)),
        profiles.ratings if scale is not None else None,
        off_scale_values=None if scale is not None else profiles.ratings,
    )


def answered(
    ratings: Ratings, part: Fitted, served: Int64s, n: int, *, exclude_seen: bool
) -> Iterator[pa.RecordBatch]:
    """Answer users by what was fitted to a part of the ratings; returns rows by code."""
    rows = np.searchsorted(ratings.users.ids.to_numpy(), served)
    answer = part.answer(Request(rows, n, exclude_seen=exclude_seen), Run(1, at_once=True))
    fit = Fit(ratings, None, part, UserKNN())
    table = Recommendations(fit, ratings.users.take(rows), n, answer).to_arrow()
    columns = [column.cast(kind) for column, kind in zip(table.columns, LISTS.types, strict=True)]
    yield from pa.Table.from_arrays(columns, schema=LISTS).combine_chunks().to_batches()
