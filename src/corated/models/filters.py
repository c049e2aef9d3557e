"""What must not be recommended: seen items, allow and block lists, genres, years; as the caller says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import IdTypeError, ParameterError
from corated.models.request import Request, Rows
from corated.models.rules import check_amount
from corated.models.settings import check_switch
from corated.neighborhood.engine import check_count, codes_of
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, quote_id
from corated.ratings.ratings import Ratings

__all__ = ["Filters", "check_catalog", "check_filters", "genre_bits", "request_of"]

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Filters(TypedDict, total=False):
    """What `Recommender.recommend` leaves out, before it ranks.

    exclude_seen : whether what a user rated is left out; True if not said
    items : item ids that may be recommended; None for all
    exclude : item ids that nobody gets; or, by user id, those that a user does not get (None for nothing)
    genres : only items of one of these genres, which the catalog given to ``fit`` tells
    years : only items from the first to the last of two years, None for no end
    min_support : the support that an item must have, further to what the model asks
    diversity : from 0, which ranks by score alone, to 1: how much an item loses for sharing genres with those
        before it (maximal marginal relevance)
    """

    exclude_seen: bool
    items: Iterable[Id] | None
    exclude: Iterable[Id] | Mapping[Id, Iterable[Id]] | None
    genres: str | Iterable[str] | None
    years: tuple[int | None, int | None] | None
    min_support: int
    diversity: float


def check_filters(given: Mapping[str, Any]) -> Filters:
    """Return filters of known names, which can be read many times; raises `ParameterError` for others."""
    known = Filters.__annotations__
    for name in given:
        if name not in known:
            raise ParameterError(
                f"There is no option {name!r}.",
                expected=f"one of {', '.join(known)}",
                hint="check the spelling",
            )
    lasting: dict[str, Any] = {name: _lasting(value) for name, value in given.items()}
    if isinstance(exclude := given.get("exclude"), Mapping):
        lasting["exclude"] = {user: _lasting(items) for user, items in exclude.items()}
    return cast(Filters, lasting)


def _lasting(value: object) -> object:
    """Return what an iterator gives as a list: lists may be asked for in parts, each of which reads it."""
    return list(value) if isinstance(value, Iterator) else value


def request_of(
    ratings: Ratings, catalog: Catalog | None, codes: Int64s, n: int, filters: Filters
) -> tuple[Request, float]:
    """Return what is asked for, and the diversity; errors as for `Recommender.recommend`."""
    exclude = filters.get("exclude")
    barred = np.zeros(ratings.n_items, dtype=np.bool_)
    if filters.get("items") is not None:
        barred[:] = True
        barred[codes_of(ratings.items, filters["items"])] = False
    left_out = None
    if isinstance(exclude, Mapping):
        left_out = _by_user(ratings, codes, exclude)
    elif exclude is not None:
        barred[codes_of(ratings.items, exclude)] = True
    barred |= _of_catalog(ratings, catalog, filters)
    diversity = check_amount("diversity", filters.get("diversity", 0.0), "a number from 0 to 1", least=0.0)
    if diversity > 1.0:
        raise ParameterError(
            f"diversity={diversity:g} cannot be used.",
            expected="a number from 0 to 1",
            hint="try diversity=0.5",
        )
    if diversity > 0.0:
        _needs_catalog(catalog, "diversity")
    request = Request(
        codes,
        n,
        exclude_seen=check_switch("exclude_seen", filters.get("exclude_seen", True)),
        barred=barred if barred.any() else None,
        left_out=left_out,
        min_support=check_count("min_support", filters.get("min_support", 0), 0),
    )
    return request, diversity


def _by_user(ratings: Ratings, codes: Int64s, exclude: Mapping[Id, Iterable[Id]]) -> Rows:
    """Return what each row leaves out, where users have lists of their own."""
    whose = codes_of(ratings.users, list(exclude))
    nothing = np.zeros(0, dtype=np.int64)
    lists = {
        int(user): nothing if items is None else codes_of(ratings.items, items)
        for user, items in zip(whose, exclude.values(), strict=True)
    }
    return Rows.of([lists.get(int(code), nothing) for code in codes])


def _of_catalog(ratings: Ratings, catalog: Catalog | None, filters: Filters) -> Bools:
    """Return what genres and years leave out, by item code."""
    barred = np.zeros(ratings.n_items, dtype=np.bool_)
    genres, years = filters.get("genres"), filters.get("years")
    if genres is not None:
        if not isinstance(genres, Iterable) or np.ndim(genres) > 1:  # type: ignore[arg-type]
            raise ParameterError(
                f"genres={genres!r} cannot be used.", expected="a genre, or a list of them", hint="give names"
            )
        wanted = [genres] if isinstance(genres, str) else list(genres)
        names, bits = genre_bits(ratings, _needs_catalog(catalog, "genres"))
        unknown = [name for name in wanted if name not in names]
        if unknown or not wanted:
            raise ParameterError(
                f"No item has the genre {unknown[0]!r}." if unknown else "genres=[] allows nothing.",
                expected=f"some of {', '.join(names)}",
                hint="genres are written as in the catalog",
            )
        barred |= ~bits[:, [names.index(name) for name in wanted]].any(axis=1)
    if years is not None:
        first, last = _ends(years)
        of_items = _needs_catalog(catalog, "years").aligned_years(ratings.items)
        known = of_items.is_valid().to_numpy(zero_copy_only=False)
        year = of_items.fill_null(0).to_numpy(zero_copy_only=False)
        barred |= ~known | (year < first) | (year > last)
    return barred


def _ends(years: Any) -> tuple[int, int]:
    """Return the first and the last year."""
    try:
        first, last = years
    except (TypeError, ValueError):
        first = last = ""
    ends = (-(2**31) if first is None else first, 2**31 - 1 if last is None else last)
    if not all(isinstance(end, int | np.integer) and not isinstance(end, bool) for end in ends):
        raise ParameterError(
            f"years={years!r} cannot be used.",
            expected="two years, or None for no end",
            hint="for example years=(1990, 1999), or years=(2010, None)",
        )
    if ends[0] > ends[1]:
        raise ParameterError(
            f"years={years!r} allows nothing: it ends before it begins.",
            expected="the first year, then the last",
            hint=f"try years=({ends[1]}, {ends[0]})",
        )
    return int(ends[0]), int(ends[1])


def genre_bits(ratings: Ratings, catalog: Catalog) -> tuple[list[str], Bools]:
    """Return the names of the genres, ascending, and which items have which: bool (items, genres)."""
    genres = catalog.aligned_genres(ratings.items)
    names: list[str] = sorted(pc.unique(genres.flatten()).drop_null().to_pylist())
    rows = pc.list_parent_indices(genres).to_numpy()
    which = pc.index_in(genres.flatten(), pa.array(names, pa.string())).to_numpy(zero_copy_only=False)
    bits = np.zeros((ratings.n_items, len(names)), dtype=np.bool_)
    bits[rows, which.astype(np.int64)] = True
    return names, bits


def _needs_catalog(catalog: Catalog | None, option: str) -> Catalog:
    if catalog is None:
        raise ParameterError(
            f"{option}= needs a catalog, and this model was fitted without one.",
            expected="fit(ratings, catalog=catalog)",
            hint="read one with read_catalog(path, ids=ratings)",
        )
    return catalog


def check_catalog(ratings: Ratings, catalog: Catalog | None) -> Catalog | None:
    """Return a catalog that goes with the ratings; raises `ParameterError` and `IdTypeError`."""
    if catalog is None:
        return None
    if not isinstance(catalog, Catalog):
        raise ParameterError(
            f"catalog={type(catalog).__name__} object cannot be used.",
            expected="a Catalog",
            hint="make one with read_catalog(..., ids=ratings)",
        )
    if catalog.ids.kind != ratings.items.kind:
        raise IdTypeError(
            f"The catalog's item ids are {catalog.ids.kind}, those of the ratings {ratings.items.kind}"
            f" (such as {quote_id(ratings.items.id(0))}).",
            expected="the same type of ids",
            hint="read the catalog with read_catalog(..., ids=ratings)",
        )
    return catalog
