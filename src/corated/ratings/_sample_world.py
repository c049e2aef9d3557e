"""The invented world behind the sample: people with tastes, works with releases, and what meets when.

Everything is drawn from one generator in a fixed order, so a seed gives the same world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corated.ratings._sample_wiring import (
    Codes,
    Floats,
    Genres,
    Ints,
    degrees,
    pair_ends,
    separate,
    swap_doubles,
)
from corated.ratings._sample_words import GENRES

__all__ = ["FIRST_YEAR", "SPAN", "Events", "Items", "Shape", "make_events"]

SPAN = 5 * 365.25 * 86_400
"""Seconds from the first to the last possible rating: five years."""
FIRST_YEAR = 2013
_FACTORS = 8
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Shape:
    """What a sample looks like: its size, its tails, and how people rate.

    `heaviest_*` is the most ratings one user or item has; `*_head` is the rank at which the counts
    start to fall (see `degrees`), which sets the sum of their squares. The share `burst_share` of an
    item's ratings comes in one burst, which fades over about `burst_width` of the five years.
    """

    users: int
    items: int
    ratings: int
    heaviest_user: int
    heaviest_item: int
    user_head: float
    item_head: float
    lightest_user: int = 1
    per_sitting: int = 3
    burst_share: float = 0.67
    burst_width: float = 0.02
    low: float = 1.0
    step: float = 1.0
    histogram: tuple[float, ...] = (1.2, 1.1, 1.8, 3.4, 6.7, 13.2, 22.4, 24.2, 14.0, 12.0)
    """How often each level of the scale is given, in any unit."""


@dataclass(frozen=True)
class Users:
    """People, in the order of their arrival."""

    counts: Ints
    arrival: Floats
    stay: Floats
    favorites: Genres
    taste: Floats
    bias: Floats


@dataclass(frozen=True)
class Items:
    """Works, in the order of their release. Times are fractions of the five years."""

    counts: Ints
    release: Floats
    burst: Floats
    width: Floats
    genres: Genres
    taste: Floats
    quality: Floats


class Events(NamedTuple):
    """Who rated what and when, by user and then item; levels count from the lowest."""

    users: Codes
    items: Codes
    seconds: Codes
    levels: NDArray[np.uint8]


def make_events(shape: Shape, rng: np.random.Generator) -> tuple[Items, Events]:
    """Invent the works and all their ratings."""
    genre_taste = rng.standard_normal((len(GENRES), _FACTORS), np.float32)
    items = draw_items(shape, genre_taste, rng)
    users = draw_users(shape, genre_taste, genre_shares(items), rng)
    who, what, second = wire(shape, users, items, rng)
    order = np.argsort(who * np.int64(shape.items) + what, kind="stable")
    who, what, second = who[order], what[order], second[order]
    del order
    return items, Events(who, what, second, rate(shape, users, items, who, what, rng))


def draw_users(
    shape: Shape, genre_taste: Floats, genre_share: NDArray[np.float64], rng: np.random.Generator
) -> Users:
    """Invent people; their taste is that of their favorite genres and something of their own."""
    n = shape.users
    counts = rng.permutation(
        degrees(n, shape.ratings, shape.lightest_user, shape.heaviest_user, shape.user_head)
    )
    sittings = 1 + (counts - 1) // shape.per_sitting
    stay = np.minimum(0.98, rng.random(n) * sittings / 40).astype(np.float32)
    arrival = (rng.random(n) * (0.999 - stay)).astype(np.float32)
    order = np.argsort(arrival, kind="stable")
    favorites = _draw_genres((n, 3), genre_share, rng)
    own = rng.standard_normal((n, _FACTORS), np.float32)
    weights = np.array([0.5, 0.3, 0.2], np.float32)
    shared = sum(weights[k] * genre_taste[favorites[:, k]] for k in range(3))
    bias = rng.standard_normal(n, np.float32)
    return Users(counts[order], arrival[order], stay[order], favorites, 0.9 * shared + 0.4 * own, bias)


def draw_items(shape: Shape, genre_taste: Floats, rng: np.random.Generator) -> Items:
    """Invent works; popular ones tend to be new and good, and most attention comes in one burst.

    A new work has its burst at its release, an old one (negative release) at its rediscovery.
    """
    n = shape.items
    counts = rng.permutation(degrees(n, shape.ratings, 1, shape.heaviest_item, shape.item_head))
    fame = _standard(np.log(counts))
    old = rng.random(n) < np.clip(0.5 - 0.12 * fame, 0.1, 0.9)
    burst = (0.97 * rng.random(n)).astype(np.float32)
    age = np.minimum(3.0 * rng.standard_exponential(n, np.float32), np.float32(20))
    release = np.where(old, -age, burst).astype(np.float32)
    width = (shape.burst_width * (0.2 + 2 * rng.random(n))).astype(np.float32)
    order = np.argsort(release, kind="stable")
    share = 1 / np.arange(2.0, len(GENRES) + 2)
    genres = _draw_genres((n, 3), share / share.sum(), rng)
    genres[rng.random(n) < 0.35, 1] = -1
    genres[(genres[:, 1] < 0) | (rng.random(n) < 0.5), 2] = -1
    genres[genres[:, 1] == genres[:, 0], 1] = -1
    genres[(genres[:, 2] == genres[:, 0]) | (genres[:, 2] == genres[:, 1]), 2] = -1
    given = (genres >= 0).astype(np.float32)
    mean = np.einsum("ng,ngf->nf", given, genre_taste[genres]) / given.sum(axis=1, keepdims=True)
    taste = 0.9 * mean + 0.5 * rng.standard_normal((n, _FACTORS), np.float32)
    quality = 0.35 * fame[order] + rng.standard_normal(n, np.float32)
    return Items(
        counts[order], release[order], burst[order], width[order], genres, taste, quality.astype(np.float32)
    )


def genre_shares(items: Items) -> NDArray[np.float64]:
    """Return the share of each first genre in all ratings."""
    shares = np.bincount(items.genres[:, 0], weights=items.counts, minlength=len(GENRES))
    return np.asarray(shares / shares.sum())


def wire(shape: Shape, users: Users, items: Items, rng: np.random.Generator) -> tuple[Codes, Codes, Codes]:
    """Decide who rates what and when: user, item and second of every rating, no pair twice."""
    who, second = _user_ends(shape, users, rng)
    what = _item_ends(shape, items, rng)
    share = genre_shares(items)
    eager = 0.6 * _standard(np.log(users.counts)) + users.taste[:, 0]
    niche = items.taste[:, 0] - 0.6 * _standard(np.log(items.counts))
    block = -(-shape.ratings // min(max(shape.ratings // 1500, 1), 250))
    for start in range(0, shape.ratings, block):
        part = slice(start, start + block)
        people, works = who[part], what[part]
        wish = _favorite_of(users, people, share, rng)
        kind = _genre_of(items, works, rng)
        noise = rng.standard_normal((2, len(people)), np.float32)
        left, right = pair_ends(
            wish, eager[people] + 0.6 * noise[0], kind, niche[works] + 0.6 * noise[1], rng
        )
        people, works = people[left], works[right]
        swap_doubles(people, works, shape.items, len(people), rng)
        who[part], second[part], what[part] = people, second[part][left], works
    separate(who, what, shape.items, block, rng)
    return who, what, second


def rate(
    shape: Shape, users: Users, items: Items, who: Codes, what: Codes, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the level of each rating: biases, taste and noise, cut so that the histogram fits."""
    levels = np.empty(len(who), np.uint8)
    cuts = np.cumsum(shape.histogram)[:-1] / np.sum(shape.histogram)
    pick = np.sort(rng.integers(len(who), size=min(len(who), 400_000)))
    limits = np.quantile(_scores(users, items, who[pick], what[pick], rng), cuts)
    for start in range(0, len(who), _CHUNK):
        part = slice(start, start + _CHUNK)
        levels[part] = np.searchsorted(limits, _scores(users, items, who[part], what[part], rng))
    return levels


def _scores(users: Users, items: Items, who: Codes, what: Codes, rng: np.random.Generator) -> Floats:
    match = np.zeros(len(who), np.float32)
    for factor in range(_FACTORS):
        match += users.taste[who, factor] * items.taste[what, factor]
    score: Floats = 0.6 * users.bias[who] + 0.55 * items.quality[what] + 0.45 * match
    score += 0.7 * rng.standard_normal(len(who), np.float32)
    return score


def _user_ends(shape: Shape, users: Users, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Spread the ratings of each user over sittings; return user and second, in order of time."""
    counts = users.counts
    sittings = 1 + (counts - 1) // shape.per_sitting
    first_sitting = np.cumsum(sittings) - sittings
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), sittings)
    when = (users.arrival[owner] + users.stay[owner] * rng.random(len(owner), np.float32)) * SPAN
    who = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    place = (np.arange(shape.ratings) - np.repeat(np.cumsum(counts) - counts, counts)).astype(np.int32)
    second = when[first_sitting[who] + place // shape.per_sitting].astype(np.int32)
    second += 45 * (place % shape.per_sitting) + rng.integers(30, size=shape.ratings, dtype=np.int32)
    order = np.argsort((second * (65_535 / SPAN)).astype(np.uint16), kind="stable")
    return who[order], second[order]


def _item_ends(shape: Shape, items: Items, rng: np.random.Generator) -> Codes:
    """Return the item of every rating in order of time."""
    what = np.repeat(np.arange(len(items.counts), dtype=np.int32), items.counts)
    slices = np.empty(len(what), np.uint16)
    for start in range(0, len(what), _CHUNK):
        mine = what[start : start + _CHUNK]
        earliest = np.maximum(items.release[mine], 0)
        later = earliest + (1 - earliest) * rng.random(len(mine), np.float32)
        peak = items.burst[mine] + items.width[mine] * rng.standard_exponential(len(mine), np.float32)
        time = np.where((rng.random(len(mine), np.float32) < shape.burst_share) & (peak < 1), peak, later)
        slices[start : start + _CHUNK] = np.minimum(time, 1) * 65_535
    return what[np.argsort(slices, kind="stable")]


def _favorite_of(users: Users, who: Codes, share: NDArray[np.float64], rng: np.random.Generator) -> Genres:
    """Draw the genre each user is after: a favorite nine times in ten."""
    which = np.searchsorted(np.array([0.5, 0.75, 0.9]), rng.random(len(who)))
    anything = _draw_genres((len(who),), share, rng)
    return np.where(which < 3, users.favorites[who, np.minimum(which, 2)], anything)


def _genre_of(items: Items, what: Codes, rng: np.random.Generator) -> Genres:
    """Draw one of the genres of each item: the first most of the time."""
    which = np.searchsorted(np.array([0.7, 0.9]), rng.random(len(what)))
    drawn = items.genres[what, which]
    return np.where(drawn < 0, items.genres[what, 0], drawn)


def _draw_genres(size: tuple[int, ...], share: NDArray[np.float64], rng: np.random.Generator) -> Genres:
    return np.searchsorted(np.cumsum(share)[:-1], rng.random(size)).astype(np.int8)


def _standard(values: NDArray[np.float64]) -> Floats:
    spread = float(values.std())
    return np.asarray((values - values.mean()) / (spread or 1.0), dtype=np.float32)
