"""What a score is made of: terms that hold for the pair, and the share of each neighbor or item behind it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from corated.models.arrange import found_of
from corated.models.predict_kernels import Found
from corated.models.rules import weights
from corated.neighborhood.graph import graph_of
from corated.neighborhood.run import Run
from corated.ratings.ratings import Ratings

if TYPE_CHECKING:
    from corated.models.fitted_knn import FittedKNN
    from corated.models.settings import Settings

__all__ = ["Account", "Compared", "knn_account"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _nobody() -> Int64s:
    return np.zeros(0, dtype=np.int64)


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True)
class Compared:
    """How the neighbors behind a score were found.

    ratings : those that were compared
    subject : code of the user (on the side of items: of the item) whose neighbors they are
    as_neighbor_sees : whether the similarity is as the neighbor sees the subject, which matters where a
        measure is not symmetric
    """

    ratings: Ratings
    settings: Settings
    subject: int
    as_neighbor_sees: bool


@dataclass(frozen=True)
class Account:
    """What a score is made of: ``score`` = Σ base + Σ share, to rounding.

    source : the model that gives the score
    score : NaN where there is none
    base : named terms that hold for the pair
    of : whether ``who`` are codes of users (among ``compared.ratings``) or of items, which came in this order
    similarity : NaN where there is none;  rating : theirs of the item, or the user's own of the other item
    share : what each adds; NaN where the rule ranks without a score
    n_common : co-rated counts; 0 where nothing was compared
    reason : why there is no score, as a sentence; empty where there is one
    compared : None where nobody was compared
    """

    source: str
    score: float
    base: tuple[tuple[str, float], ...] = ()
    of: Literal["users", "items"] = "users"
    who: Int64s = field(default_factory=_nobody)
    similarity: Floats = field(default_factory=_nothing)
    rating: Floats = field(default_factory=_nothing)
    share: Floats = field(default_factory=_nothing)
    n_common: Int64s = field(default_factory=_nobody)
    reason: str = ""
    compared: Compared | None = None


@dataclass(frozen=True)
class _Near:
    """The neighbors of the subject that rated the object: codes in their order, values, counts, places."""

    who: Int64s
    value: Floats
    n: Int64s
    place: Int64s


def knn_account(part: FittedKNN, user: int, item: int, n: int, run: Run) -> Account:
    """Return what the score of a pair of codes is made of.

    n : how many recommendations it is one of, where neighbors depend on that
    """
    settings = part.settings
    subject, thing = (user, item) if settings.side == "users" else (item, user)
    found = _found(part, subject, user, n, run)
    is_led = settings.rule == "closest" and settings.side == "items"
    near = _leading(part, user, item, found) if is_led else _near(part, subject, thing, found)
    s = weights("weighted_votes", settings.measure, near.value)
    compared = Compared(part.trained, settings, subject, is_led or settings.direction == "reverse")
    none = Account(part.source, np.nan, of=settings.side, compared=compared)
    reason = "" if len(near.who) >= settings.min_support else _too_few(part, len(near.who))
    whole = replace(
        none, who=near.who, similarity=s, rating=_ratings(part, user, item, near), n_common=near.n
    )
    if settings.rule == "closest":
        nothing = np.full(len(near.who), np.nan)
        return replace(none, reason=reason) if reason else replace(whole, share=nothing)
    count, worth = part.raters.counts[near.place], part.raters.worth[near.place]
    weight = count if settings.rule == "votes" else s * count
    share, base = weight * worth, list[tuple[str, float]]()
    if settings.rule == "mean":
        share, base, why = _of_mean(part, (user, item), near, weight, share)
        # Where who did not rate counts too, everything has a score.
        reason = "" if part.centered.is_whole else reason or why
    if settings.everyone > 0.0:
        base = [("everyone's likes", float(part.before(np.array([user]), np.array([item]))[0]))]
    before = sum(amount for _, amount in base)
    if not reason:
        total = float(np.add.accumulate(share)[-1]) if len(share) else 0.0  # one after another, as kernels do
        return replace(whole, base=tuple(base), share=share, score=before + total)
    # Too few neighbors do not count, and everyone alone does.
    if settings.everyone > 0.0 and before > 0.0:
        return replace(none, source="everyone", score=before, base=tuple(base))
    return replace(none, reason=reason)


def _of_mean(
    part: FittedKNN, pair: tuple[int, int], near: _Near, weight: Floats, share: Floats
) -> tuple[Floats, list[tuple[str, float]], str]:
    """Return the shares of a mean, the terms before it, and why there is none."""
    settings, centered = part.settings, part.centered
    subject = pair[0] if settings.side == "users" else pair[1]
    if centered.is_whole:
        total = float(part.reach[subject])
        base = [("expected where nothing is rated", float(part.offset[subject]))]
        return (share / total if total > 0.0 else share), base, ""
    total, many = float(np.abs(weight).sum()), len(near.who)
    if total <= 0.0:
        return share, [], "The similarities of those who rated it add up to nothing."
    scale = 1.0 if centered.spread is None else float(centered.spread[subject])
    return share * (scale * many / (many + settings.support_shrink) / total), _expected(part, *pair), ""


def _found(part: FittedKNN, subject: int, user: int, n: int, run: Run) -> Found:
    """Return neighbors, of the subject at least."""
    if part.graph is not None:
        return part.found
    if part.settings.is_deferred:
        everybody, asked = max(part.engine.n - 1, 1), np.array([subject])
        graph = graph_of(part.engine, part.settings.side, everybody, asked, run.quietly())
    else:
        graph = part.graph_for(np.array([user]), n, run.quietly())
    return found_of(graph, part.settings)


def _near(part: FittedKNN, subject: int, thing: int, found: Found) -> _Near:
    """Return the neighbors of a subject that rated a thing and count."""
    settings, raters = part.settings, part.raters
    row = slice(int(found.starts[subject]), int(found.starts[subject + 1]))
    first, last = int(raters.indptr[thing]), int(raters.indptr[thing + 1])
    who = found.who[row]
    place = first + np.searchsorted(raters.who[first:last], who)
    is_rater = place < last
    is_rater[is_rater] = raters.who[place[is_rater]] == who[is_rater]
    kept = np.flatnonzero(is_rater)
    if settings.scope == "raters":
        assert settings.k is not None
        kept = kept[: settings.k]
        if not settings.counts_all:  # who rated it and does not like it only takes up a place
            kept = kept[raters.worth[place[kept]] > 0.0]
    if settings.rule != "closest":
        kept = kept[np.argsort(who[kept], kind="stable")]
    return _Near(who[kept], found.value[row][kept], found.n[row][kept], place[kept])


def _leading(part: FittedKNN, user: int, item: int, found: Found) -> _Near:
    """Return the user's liked items that have an item among their neighbors, best rated first."""
    mine = part.likes.target[part.likes.indptr[user] : part.likes.indptr[user + 1]].astype(np.int64)
    at = np.flatnonzero(found.who == item)
    leading = np.searchsorted(found.starts, at, side="right") - 1
    _, order, place = np.intersect1d(mine, leading, assume_unique=True, return_indices=True)
    at = at[place[np.argsort(order)]]
    return _Near(mine[np.sort(order)], found.value[at], found.n[at], np.zeros(0, dtype=np.int64))


def _expected(part: FittedKNN, user: int, item: int) -> list[tuple[str, float]]:
    """Return the named terms of what is expected of a pair."""
    centered = part.centered
    if not centered.is_center:
        return []
    mu, of_user, of_item = centered.mu, float(centered.user[user]), float(centered.item[item])
    if centered.known_alone:
        return [("mean of all ratings", mu), ("the user above it", of_user), ("the item above it", of_item)]
    whose = "user" if part.settings.side == "users" else "item"
    return [(f"the {whose}'s mean", mu + of_user + of_item)]


def _ratings(part: FittedKNN, user: int, item: int, near: _Near) -> Floats:
    """Return each neighbor's rating of the item, or the user's own of each near item."""
    ratings, by_user = part.ratings, part.ratings.by_user
    values = ratings.values
    if part.settings.side == "items":
        row = slice(int(by_user.indptr[user]), int(by_user.indptr[user + 1]))
        return values[row][np.searchsorted(by_user.indices[row], near.who)]
    by_item = ratings.by_item
    row = slice(int(by_item.indptr[item]), int(by_item.indptr[item + 1]))
    return values[by_item.order[row][np.searchsorted(by_item.indices[row], near.who)]]


def _too_few(part: FittedKNN, there: int) -> str:
    """Say why the neighbors give no score."""
    settings = part.settings
    does = "rated" if settings.counts_all else "likes" if there == 1 else "like"
    if settings.side == "users":
        who = "of the user's neighbors" if settings.scope == "all" else "of those who are like the user"
        many = "None" if there == 0 else f"Only {there}"
        return f"{many} {who} {does} it; at least {settings.min_support} must."
    verb = "rated" if settings.counts_all else "likes"
    many = "none" if there == 0 else f"only {there}"
    return f"Of the items near it, the user {verb} {many}; at least {settings.min_support} must be there."
