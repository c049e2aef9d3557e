"""What goes into a store and what comes out of it, one small record each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from corated.ratings.ids import Id, IdKind
from corated.ratings.scale import Scale

__all__ = ["Change", "Erased", "Item", "Logged", "StoreInfo", "Written"]


class Change(NamedTuple):
    """One rating to write.

    rating : on the store's scale; None takes the rating out
    time : UTC microseconds since 1970; None for now, where the store has times
    """

    user: Id
    item: Id
    rating: float | None
    time: int | None = None


class Logged(NamedTuple):
    """A change as it was written: with its position, and its time filled in."""

    position: int
    change: Change


class Item(NamedTuple):
    """An item of the catalog; None for a title or year that is not known."""

    item: Id
    title: str | None = None
    year: int | None = None
    genres: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What was written, durably.

    position : of the last change; who follows the log up to here has seen it
    applied : how many ratings are different by it
    before : the position before it, so that who stood there need not read the log
    """

    position: int
    applied: int
    before: int


@dataclass(frozen=True)
class Erased:
    """What was erased of a user.

    ratings, logged, keys : ratings, changes in the log, and idempotency keys that are gone
    position, before : as in `Written`; the log begins anew at the position
    complete : False where old pages are still there, as readers hold them; another `erase` clears them
    """

    ratings: int
    logged: int
    keys: int
    position: int
    before: int
    complete: bool


@dataclass(frozen=True)
class StoreInfo:
    """What a store holds.

    scale, user_ids, item_ids, timed : fixed at creation, or by the first write or import; None before
    n_ratings, n_catalog : how many ratings, and items in the catalog
    position : of the last change, 0 before the first
    readable : the earliest position from which the log can be followed
    catalog_version : how often the catalog was changed
    revision : of the tables
    identity : which store it is; a backup is another
    """

    scale: Scale | None
    user_ids: IdKind | None
    item_ids: IdKind | None
    timed: bool | None
    n_ratings: int
    n_catalog: int
    position: int
    readable: int
    catalog_version: int
    revision: str
    identity: str
