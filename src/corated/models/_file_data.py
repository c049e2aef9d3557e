"""Ratings and a catalog as named arrays, and back, with everything about them checked in linear time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.models._file_facts import scale_of, times_of
from corated.models._file_model import Wrong
from corated.models.container import pack_text, unpack_text
from corated.ratings.catalog import Catalog
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Csr, Ratings

__all__ = [
    "Stock",
    "catalog_from",
    "packed_catalog",
    "packed_ratings",
    "ratings_from",
]

Array = npt.NDArray[Any]
_MAX_CODES: Final = 2**31 - 1


class Stock:
    """The arrays of a file: each is taken once, of the type and shape that it must have."""

    def __init__(self, arrays: Mapping[str, Array], wrong: Wrong, path: str | os.PathLike[str]) -> None:
        self._left, self.wrong, self._path = dict(arrays), wrong, path

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, dtype: Any, *shape: int) -> Array:
        """Return an array; −1 stands for any length."""
        array = self._left.pop(name, None)
        if array is None:
            raise self.wrong(f"the array {name} is missing")
        if array.dtype != np.dtype(dtype):
            raise self.wrong(f"the array {name} is of {array.dtype}, and is to be of {np.dtype(dtype)}")
        fits = len(shape) == array.ndim and all(n in (-1, m) for n, m in zip(shape, array.shape, strict=True))
        if not fits:
            asked = " × ".join("n" if n < 0 else f"{n:,}" for n in shape)
            raise self.wrong(
                f"the array {name} has {' × '.join(f'{n:,}' for n in array.shape) or 'no'} entries, "
                f"and is to have {asked}"
            )
        return array

    def numbers(self, name: str, *shape: int, kind: type[np.floating] = np.float64) -> Array:
        """Return an array of finite numbers, float64 or float32."""
        array = self.take(name, kind, *shape)
        if not np.isfinite(array).all():
            raise self.wrong(f"the array {name} has numbers that are not finite")
        return array

    def text(self, name: str) -> pa.Array:
        """Return text that `pack_text` packed."""
        start = f"{name}/"
        parts = {key[len(start) :]: self._left.pop(key) for key in [*self._left] if key.startswith(start)}
        return unpack_text(parts, name=name, path=self._path)

    def flags(self, name: str, n: int) -> npt.NDArray[np.bool_]:
        """Return which of n are so: kept as a byte each, 0 or 1."""
        found = self.take(name, np.uint8, n)
        if (found > 1).any():
            raise self.wrong(f"the array {name} has bytes other than 0 and 1")
        return found.astype(np.bool_)

    def finish(self) -> None:
        """Refuse arrays that nothing asked for."""
        if self._left:
            raise self.wrong(f"there is no use for its array {min(self._left)}")


def _named(start: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{start}/{name}": array for name, array in arrays.items()}


# -- ids ------------------------------------------------------------------------------------------


def _packed_ids(name: str, ids: IdMap) -> dict[str, Array]:
    if ids.kind == "integer":
        return {f"{name}/ids": ids.ids.to_numpy()}
    return _named(name, pack_text(ids.ids))


def _ids_from(stock: Stock, name: str, what: str) -> IdMap:
    """Return ids that are unique and ascending: integers by number, text by code point."""
    if f"{name}/ids" in stock:
        numbers = stock.take(f"{name}/ids", np.int64, -1)
        ids, is_sound = pa.array(numbers), bool((numbers[1:] > numbers[:-1]).all())
    else:
        ids = stock.text(name)
        # Arrow compares bytes, and in UTF-8 these are in the order of the code points.
        is_sound = not ids.null_count and (
            len(ids) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py()
        )
    if not is_sound:
        raise stock.wrong(f"the ids in {name} are not unique and ascending")
    if len(ids) > _MAX_CODES:
        raise stock.wrong(f"there are {len(ids):,} ids in {name}, and {_MAX_CODES:,} are the most")
    return IdMap(ids, what)


# -- ratings --------------------------------------------------------------------------------------


def packed_ratings(ratings: Ratings) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what is told of ratings in the manifest, and their arrays."""
    arrays = {
        **_packed_ids("users", ratings.users),
        **_packed_ids("items", ratings.items),
        "ratings/indptr": ratings.by_user.indptr,
        "ratings/indices": ratings.by_user.indices,
    }
    scale, times = ratings.scale, ratings.times
    if scale is None:
        assert ratings.off_scale_values is not None
        arrays["ratings/values"] = ratings.off_scale_values
    else:
        assert ratings.codes is not None
        arrays["ratings/codes"] = ratings.codes
    if times is not None:
        arrays["ratings/times"] = times
    told = {
        "scale": None if scale is None else [scale.low, scale.high, scale.step],
        "times": _span(times),
        "notices": list(ratings.notices),
    }
    return told, arrays


def _span(times: Array | None) -> list[int] | None:
    return None if times is None or not len(times) else [int(times.min()), int(times.max())]


def ratings_from(told: object, stock: Stock) -> Ratings:
    """Return the ratings that were packed, checked; raises what ``stock.wrong`` makes."""
    wrong = stock.wrong
    if not isinstance(told, dict) or set(told) != {"scale", "times", "notices"}:
        raise wrong("its ratings are not told as ratings are")
    users, items = _ids_from(stock, "users", "user"), _ids_from(stock, "items", "item")
    rows = _rows_from(stock, len(users), len(items))
    n, scale = len(rows.indices), scale_of(told["scale"], wrong)
    codes = values = None
    if scale is None:
        values = stock.numbers("ratings/values", n)
    else:
        codes = stock.take("ratings/codes", np.uint8, n)
        if n and int(codes.max()) >= scale.levels:
            raise wrong(f"a rating has the code {int(codes.max())}, and the scale has {scale.levels} levels")
    times = stock.take("ratings/times", np.int64, n) if "ratings/times" in stock else None
    if times_of(told["times"], wrong) != _span(times):
        raise wrong("its times do not run from when to when it says")
    notices = _notices(told["notices"], wrong)
    return Ratings(users, items, scale, rows, codes, times, notices, values)


def _rows_from(stock: Stock, n_users: int, n_items: int) -> Csr:
    """Return rows of items, distinct and ascending."""
    indptr = stock.take("ratings/indptr", np.int64, n_users + 1)
    indices = stock.take("ratings/indices", np.int32, -1)
    check_rows(indptr, len(indices), "ratings/indptr", stock.wrong)
    if len(indices):
        if int(indices.min()) < 0 or int(indices.max()) >= n_items:
            raise stock.wrong("the array ratings/indices names items that there are not")
        ascends = indices[1:] > indices[:-1]
        ascends[_row_starts(indptr, len(indices)) - 1] = True
        if not ascends.all():
            raise stock.wrong("the items of a user are not distinct and ascending")
    return Csr(indptr, indices)


def check_rows(indptr: Array, total: int, name: str, wrong: Wrong) -> None:
    """Refuse what does not cut ``total`` entries into rows."""
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != total or (indptr[1:] < indptr[:-1]).any():
        raise wrong(f"the array {name} does not cut {total:,} entries into rows")


def _row_starts(indptr: Array, total: int) -> Array:
    """Return where rows other than the first begin, inside the entries."""
    starts = indptr[1:-1]
    return starts[(starts > 0) & (starts < total)]


def _notices(told: object, wrong: Wrong) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(text, str) for text in told):
        raise wrong("its notices are not text")
    return tuple(told)


# -- catalog --------------------------------------------------------------------------------------


def packed_catalog(catalog: Catalog) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what is told of a catalog in the manifest, and its arrays."""
    years, genres = catalog.years, catalog.genres.cast(pa.large_list(pa.string()))
    sizes = pc.fill_null(pc.list_value_length(genres), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    arrays = {
        **_packed_ids("catalog/items", catalog.ids),
        **_named("catalog/titles", pack_text(catalog.titles.cast(pa.large_string()))),
        "catalog/years": years.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int32),
        "catalog/has-year": _is_valid(years),
        "catalog/genres-from": starts,
        "catalog/has-genres": _is_valid(genres),
        **_named("catalog/genres", pack_text(genres.flatten())),
    }
    return {"notices": list(catalog.notices)}, arrays


def _is_valid(column: pa.Array) -> Array:
    found: Array = column.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)
    return found


def catalog_from(told: object, ratings: Ratings, stock: Stock) -> Catalog | None:
    """Return the catalog that was packed, checked; raises what ``stock.wrong`` makes."""
    wrong = stock.wrong
    if told is None:
        return None
    if not isinstance(told, dict) or set(told) != {"notices"}:
        raise wrong("its catalog is not told as catalogs are")
    ids = _ids_from(stock, "catalog/items", "item")
    if ids.kind != ratings.items.kind:
        raise wrong("the ids of its catalog are of another type than those of its ratings")
    n, titles = len(ids), stock.text("catalog/titles")
    if len(titles) != n:
        raise wrong(f"its catalog has {n:,} items and {len(titles):,} titles")
    years, known = stock.take("catalog/years", np.int32, n), stock.flags("catalog/has-year", n)
    starts, has = stock.take("catalog/genres-from", np.int64, n + 1), stock.flags("catalog/has-genres", n)
    names = stock.text("catalog/genres")
    check_rows(starts, len(names), "catalog/genres-from", wrong)
    if np.diff(starts)[~has].any():
        raise wrong("an item of its catalog has genres where it has none")
    mask = None if has.all() else pa.array(~has)
    lists = pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), names, mask=mask)
    notices = _notices(told["notices"], wrong)
    return Catalog(ids, titles, pa.array(years, mask=~known), lists, notices)
