"""The data report: what there is to know about ratings before anything is fitted."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corated.ratings._check_text import as_html, as_text
from corated.ratings._check_warnings import Finding, findings
from corated.ratings.scale import Scale

if TYPE_CHECKING:
    from corated.ratings.catalog import Catalog
    from corated.ratings.ids import IdMap
    from corated.ratings.ratings import Csr, Ratings

__all__ = ["Bin", "Finding", "Heavy", "Report", "check"]

_TOP = 5
_BINS = 10
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Bin:
    """How many ratings lie from `low` to `high`; one level of a scale where the two are equal."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Heavy:
    """A user or an item with many ratings; the title is None without a catalog that has one."""

    id: int | str
    count: int
    title: str | None = None


@dataclass(frozen=True, repr=False)
class Report:
    """What `check` found. ``str(report)`` is one screen; `to_dict` is for machines.

    Attributes
    ----------
    n_users, n_items, n_ratings : counts
    density : ratings as a share of all (user, item) pairs
    user_ids, item_ids : "integer" or "text"
    scale : the rating scale, None where ratings are on none of at most 256 levels
    levels_used : how many different ratings occur
    lowest, highest, mean : of the ratings
    histogram : ratings by level, or in ten bins of equal width where there is no scale
    duplicates : what was done about (user, item) pairs given more than once; "none" without any
    users_with_2_or_fewer, users_with_3_or_more : users by their number of ratings
    flat_users : users with at least 2 ratings whose ratings are all equal
    users_with_2_or_more : the users among whom those are counted
    items_with_1 : items rated by one user only
    median_per_user, median_per_item : ratings, median over users and over items
    heaviest_users, heaviest_items : the five with the most ratings, ties by smaller id
    user_pair_events : sum over items of (ratings of the item)², the work of comparing all users
    item_pair_events : sum over users of (ratings of the user)², the work of comparing all items
    first_time, last_time : ISO 8601 in UTC, None without times
    users_in_reach : users who share at least one item with another user
    titled_items : items that have a title in the catalog, None without a catalog
    notices : what was guessed or decided while reading
    warnings : what to mind, each with what to do
    """

    n_users: int
    n_items: int
    n_ratings: int
    density: float
    user_ids: str
    item_ids: str
    scale: Scale | None
    levels_used: int
    lowest: float
    highest: float
    mean: float
    histogram: tuple[Bin, ...]
    duplicates: str
    users_with_2_or_fewer: int
    users_with_3_or_more: int
    flat_users: int
    users_with_2_or_more: int
    items_with_1: int
    median_per_user: float
    median_per_item: float
    heaviest_users: tuple[Heavy, ...]
    heaviest_items: tuple[Heavy, ...]
    user_pair_events: int
    item_pair_events: int
    first_time: str | None
    last_time: str | None
    users_in_reach: int
    titled_items: int | None
    notices: tuple[str, ...]
    warnings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists, text, numbers and None, fit for JSON."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def check(ratings: Ratings, catalog: Catalog | None = None) -> Report:
    """Report on ratings: counts, scale, reach, and what to mind before fitting, with what to do.

    With a `catalog` (of the same id type) items are named by their titles; raises `DataError` where
    its ids are of another type. Reads every rating a few times; changes and prints nothing.
    """
    per_user, per_item = ratings.user_counts, ratings.item_counts
    titles = None if catalog is None else catalog.aligned(ratings.items)
    lowest, highest, mean, histogram, levels = _distribution(ratings)
    report = Report(
        n_users=ratings.n_users,
        n_items=ratings.n_items,
        n_ratings=ratings.n_ratings,
        density=ratings.n_ratings / max(ratings.n_users * ratings.n_items, 1),
        user_ids=ratings.users.kind,
        item_ids=ratings.items.kind,
        scale=ratings.scale,
        levels_used=levels,
        lowest=lowest,
        highest=highest,
        mean=mean,
        histogram=histogram,
        duplicates=" ".join(text for text in ratings.notices if "duplicate" in text.lower()) or "none",
        users_with_2_or_fewer=int((per_user <= 2).sum()),
        users_with_3_or_more=int((per_user >= 3).sum()),
        flat_users=_flat_users(ratings, per_user),
        users_with_2_or_more=int((per_user >= 2).sum()),
        items_with_1=int((per_item == 1).sum()),
        median_per_user=float(np.median(per_user)),
        median_per_item=float(np.median(per_item)),
        heaviest_users=_heaviest(per_user, ratings.users, None),
        heaviest_items=_heaviest(per_item, ratings.items, titles),
        user_pair_events=_sum_of_squares(per_item),
        item_pair_events=_sum_of_squares(per_user),
        first_time=None if ratings.times is None else _iso(ratings.times.min()),
        last_time=None if ratings.times is None else _iso(ratings.times.max()),
        users_in_reach=_users_in_reach(ratings.by_user, per_item),
        titled_items=None if titles is None else len(titles) - titles.null_count,
        notices=ratings.notices,
        warnings=(),
    )
    swapped = _catalog_fits_users(ratings, catalog, report.titled_items)
    return dataclasses.replace(report, warnings=findings(report, swapped))


def _distribution(ratings: Ratings) -> tuple[float, float, float, tuple[Bin, ...], int]:
    """Return lowest, highest, mean, histogram and number of different ratings."""
    if ratings.scale is not None and ratings.codes is not None:
        counts = np.bincount(ratings.codes, minlength=ratings.scale.levels)
        levels = ratings.scale.decode(np.arange(len(counts), dtype=np.uint8))
        used = np.flatnonzero(counts)
        unit = _unit(levels)
        mean = float((levels / unit) @ counts) / int(counts.sum()) * unit
        bins = tuple(
            Bin(float(level), float(level), int(count)) for level, count in zip(levels, counts, strict=True)
        )
        return float(levels[used[0]]), float(levels[used[-1]]), mean, bins, len(used)
    values = ratings.values
    unit = _unit(values)
    small = values / unit
    found, edges = np.histogram(small, _BINS)
    bins = tuple(
        Bin(float(low) * unit, float(high) * unit, int(count))
        for low, high, count in zip(edges[:-1], edges[1:], found, strict=True)
    )
    mean = float(small.mean()) * unit
    return float(values.min()), float(values.max()), mean, bins, len(np.unique(values))


def _unit(values: npt.NDArray[np.float64]) -> float:
    """Return a divisor by which neither sum nor span of ratings like 1e300 overflows; 1 for usual ones."""
    return max(1.0, float(np.abs(values).max()) / 1e100)


def _flat_users(ratings: Ratings, per_user: Int64s) -> int:
    """Count the users with at least 2 ratings whose ratings are all equal."""
    rated = ratings.codes if ratings.codes is not None else ratings.values
    starts = ratings.by_user.indptr[:-1][per_user > 0]
    flat = np.minimum.reduceat(rated, starts) == np.maximum.reduceat(rated, starts)
    return int((flat & (per_user[per_user > 0] >= 2)).sum())


def _users_in_reach(by_user: Csr, per_item: Int64s) -> int:
    """Count the users with at least one item that somebody else rated too."""
    shared = (per_item >= 2)[by_user.indices]
    starts = by_user.indptr[:-1][np.diff(by_user.indptr) > 0]
    return int(np.logical_or.reduceat(shared, starts).sum())


def _sum_of_squares(counts: Int64s) -> int:
    if int(counts.max()) * int(counts.sum()) < 2**63:
        return int(counts @ counts)
    return sum(count * count for count in counts.tolist())


def _heaviest(counts: Int64s, ids: IdMap, titles: Any) -> tuple[Heavy, ...]:
    """Return the five with the largest counts, ties by smaller id."""
    top = np.argsort(-counts, kind="stable")[:_TOP]
    return tuple(
        Heavy(ids.id(int(code)), int(counts[code]), None if titles is None else titles[int(code)].as_py())
        for code in top
    )


def _catalog_fits_users(ratings: Ratings, catalog: Catalog | None, titled: int | None) -> bool:
    """Tell whether the catalog knows the users' ids better than the items': columns swapped."""
    if catalog is None or titled is None or ratings.users.kind != catalog.ids.kind:
        return False
    known_users = int((catalog.ids.codes(ratings.users.ids) >= 0).sum())
    return known_users / ratings.n_users > 0.9 and titled / ratings.n_items < 0.5


def _iso(microseconds: np.int64) -> str:
    return str(np.datetime64(int(microseconds), "us").astype("datetime64[s]")) + "Z"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value
