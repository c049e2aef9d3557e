"""Who rated what in the sample: exact degrees on both sides, no pair twice.

Each rating has two ends, one at its user and one at its item. The number of ends of every user
and item is fixed first (`degrees`), the ends are paired by time, genre and taste (`pair_ends`),
and pairs that came out twice are taken apart again by swaps (`separate`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["degrees", "pair_ends", "separate", "swap_doubles"]

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Genres = NDArray[np.int8]
Floats = NDArray[np.float32]

_SWAP_ROUNDS = 14
_NEAR_ROUNDS = 6
"""Swaps stay near in time for this many rounds, then they may reach anywhere."""


def degrees(count: int, total: int, low: int, high: int, head: float) -> Ints:
    """Return `count` whole numbers from `low` to `high`, the largest first, that add up to `total`.

    They follow ``low + (high - low) * (1 + rank / head) ** -s`` (Zipf and Mandelbrot), where `head`
    is the rank at which the curve starts to fall and `s` is solved for. Rounding the running sum
    keeps the total exact.
    """
    high = min(high, total - (count - 1) * low)
    base = np.log1p(np.arange(count) / head)
    flat, steep = 0.0, 64.0
    for _ in range(60):
        middle = (flat + steep) / 2
        if low * count + (high - low) * np.exp(-middle * base).sum() > total:
            flat = middle
        else:
            steep = middle
    curve = low + (high - low) * np.exp(-steep * base)
    edges = np.floor(np.cumsum(curve) + 0.5).astype(np.int64)
    edges[-1] = total
    return np.diff(edges, prepend=0)


def pair_ends(
    user_genre: Genres, user_taste: Floats, item_genre: Genres, item_taste: Floats, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Pair the user ends and item ends of one block of time.

    Ends meet inside their genre, in the order of their position on the taste axis; what a genre has
    too many of on one side meets in the order of taste alone.

    Returns
    -------
    Two permutations: the ends at equal places belong together.
    """
    spill = int(max(user_genre.max(), item_genre.max())) + 1
    wanted = np.bincount(user_genre, minlength=spill)
    offered = np.bincount(item_genre, minlength=spill)
    met = np.minimum(wanted, offered)
    return (
        _order(user_genre, user_taste, met, wanted, rng),
        _order(item_genre, item_taste, met, offered, rng),
    )


def _order(genre: Genres, taste: Floats, met: Ints, present: Ints, rng: np.random.Generator) -> Ints:
    """Sort ends by genre and taste, after a random surplus of each genre moved to the spill genre."""
    shuffled = rng.permutation(len(genre))
    order = shuffled[np.argsort(genre[shuffled], kind="stable")]
    first = np.cumsum(present) - present
    rank = np.arange(len(order)) - np.repeat(first, present)
    surplus = order[rank >= np.repeat(met, present)]
    key = genre.astype(np.float64)
    key[surplus] = len(met)
    key = 100.0 * key + np.clip(taste, -40, 40)
    return np.argsort(key, kind="stable")


def separate(users: Codes, items: Codes, n_items: int, reach: int, rng: np.random.Generator) -> None:
    """Make all pairs different, in place, keeping the number of ratings of every user.

    The item of a pair that is there twice is swapped with that of a random pair at most `reach`
    places away, later of any pair. What no swap could place, which happens to users who rated
    nearly everything, gets items drawn from those that the user has not rated; then only a few
    popular items lose ratings to others.
    """
    doubles = swap_doubles(users, items, n_items, reach, rng)
    if len(doubles):
        _redraw(users, items, doubles, n_items, rng)


def swap_doubles(users: Codes, items: Codes, n_items: int, reach: int, rng: np.random.Generator) -> Ints:
    """Swap items between pairs, in place, and return the places of the pairs still there twice.

    `known` is the set before the first swap and `added` what came since, both sorted. A pair that
    has gone stays in `known`, so a swap is at worst refused without need.
    """
    known = users * np.int64(n_items) + items
    order = np.argsort(known, kind="stable")
    known = known[order]
    doubles = order[1:][known[1:] == known[:-1]]
    del order
    is_double = np.zeros(len(users), bool)
    is_double[doubles] = True
    added = np.empty(0, np.int64)
    for round_ in range(_SWAP_ROUNDS):
        if not len(doubles):
            break
        near = reach if round_ < _NEAR_ROUNDS else len(users)
        partner = (doubles + rng.integers(-near, near, size=len(doubles))) % len(users)
        here = users[doubles] * np.int64(n_items) + items[partner]
        there = users[partner] * np.int64(n_items) + items[doubles]
        free = _once(partner) & ~is_double[partner]
        for wanted in (here, there):
            free[free] = ~_among(wanted[free], known)
            free[free] = ~_among(wanted[free], added)
        free[free] = _once(np.concatenate((here[free], there[free]))).reshape(2, -1).all(axis=0)
        moved, others = doubles[free], partner[free]
        items[moved], items[others] = items[others], items[moved]
        is_double[moved] = False
        added = np.sort(np.concatenate((added, here[free], there[free])))
        doubles = doubles[~free]
    return np.asarray(doubles)


def _among(values: Ints, ordered: Ints) -> NDArray[np.bool_]:
    """Tell which values are in a sorted array; asking in order is many times faster than at random."""
    found = np.zeros(len(values), bool)
    if len(ordered) and len(values):
        order = np.argsort(values)
        asked = values[order]
        place = np.searchsorted(ordered, asked)
        found[order] = ordered[np.minimum(place, len(ordered) - 1)] == asked
    return found


def _once(values: Ints) -> NDArray[np.bool_]:
    """Tell which values occur exactly once."""
    ordered = np.sort(values)
    return ~_among(values, ordered[1:][ordered[1:] == ordered[:-1]])


def _redraw(users: Codes, items: Codes, doubles: Ints, n_items: int, rng: np.random.Generator) -> None:
    """Give each remaining double an item that its user has not rated."""
    kept = np.ones(len(users), bool)
    kept[doubles] = False
    by_user = np.argsort(users, kind="stable")
    ends = np.cumsum(np.bincount(users))
    doubles = doubles[np.argsort(users[doubles], kind="stable")]
    whose, first = np.unique(users[doubles], return_index=True)
    for user, places in zip(whose.tolist(), np.split(doubles, first[1:]), strict=True):
        profile = by_user[(ends[user - 1] if user else 0) : ends[user]]
        unrated = np.ones(n_items, bool)
        unrated[items[profile[kept[profile]]]] = False
        items[places] = rng.permutation(np.flatnonzero(unrated))[: len(places)]
