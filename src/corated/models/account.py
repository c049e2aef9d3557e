"""What a score is made of: terms that hold for the pair, and the share of each neighbor or item behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from corated.models.arrange import found_of
from corated.models.rules import weights
from corated.neighborhood.graph import graph_of
from corated.neighborhood.run import Run

if TYPE_CHECKING:
    from corated.models.fitted_knn import FittedKNN

__all__ = ["Account", "knn_account"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _nobody() -> Int64s:
    return np.zeros(0, dtype=np.int64)


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True)
class Account:
    """What a score is made of: ``score`` = Σ base + Σ share, to rounding.

    source : the model that gives the score
    score : NaN where there is none
    base : named terms that hold for the pair
    of : whether ``who`` are codes of users or of items, which came in this order
    similarity : NaN where there is none;  rating : theirs of the item, or the user's own of the other item
    share : what each adds; NaN where the rule ranks without a score
    n_common : co-rated counts; 0 where nothing was compared
    reason : why there is no score, as a sentence; empty where there is one
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
    settings, centered = part.settings, part.centered
    subject, thing = (user, item) if settings.side == "users" else (item, user)
    near = _near(part, subject, thing, user, n, run)
    if settings.rule == "closest":
        return _closest(part, user, item, near)
    s = weights("weighted_votes", settings.measure, near.value)
    count, worth = part.raters.counts[near.place], part.raters.worth[near.place]
    weight = count if settings.rule == "votes" else s * count
    share, base = weight * worth, []
    reason = "" if len(near.who) >= settings.min_support else _too_few(part, len(near.who))
    if settings.rule == "mean" and centered.is_whole:
        total = float(part.reach[subject])
        share = share / total if total > 0.0 else share
        base, reason = [("expected where nothing is rated", float(part.offset[subject]))], ""
    elif settings.rule == "mean":
        total = float(np.abs(weight).sum())
        if not reason and total <= 0.0:
            reason = "The similarities of those who rated it add up to nothing."
        scale = 1.0 if centered.spread is None else float(centered.spread[subject])
        scale *= len(near.who) / (len(near.who) + settings.support_shrink) if len(near.who) else 1.0
        share = share * (scale / total) if total > 0.0 else share
        base = _expected(part, user, item)
    before = 0.0
    if settings.everyone > 0.0:
        before = float(part.before(np.array([user]), np.array([item]))[0])
        base = [("everyone's likes", before)]
    if reason and before > 0.0:  # too few neighbors do not count, and everyone alone does
        return Account("everyone", before, tuple(base))
    if reason:
        return Account(part.source, np.nan, reason=reason)
    score = sum(amount for _, amount in base) + float(share.sum())
    return Account(
        part.source,
        score,
        tuple(base),
        settings.side,
        near.who,
        s,
        _ratings(part, user, item, near),
        share,
        near.n,
    )


def _near(part: FittedKNN, subject: int, thing: int, user: int, n: int, run: Run) -> _Near:
    """Return the neighbors of a subject that rated a thing and count."""
    settings, raters = part.settings, part.raters
    found = part.found if part.graph is not None else None
    if found is None:
        if settings.is_deferred:
            graph = graph_of(
                part.engine, settings.side, max(part.engine.n - 1, 1), np.array([subject]), run.quietly()
            )
        else:
            graph = part.graph_for(np.array([user]), n, run.quietly())
        found = found_of(graph, settings)
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
    if settings.rule != "closest":
        kept = kept[np.argsort(who[kept], kind="stable")]
    return _Near(who[kept], found.value[row][kept], found.n[row][kept], place[kept])


def _closest(part: FittedKNN, user: int, item: int, near: _Near) -> Account:
    """Account for the rule that ranks without a score: who brings the item in, the closest first."""
    if len(near.who) < part.settings.min_support:
        return Account(part.source, np.nan, reason=_too_few(part, len(near.who)))
    s = weights("weighted_votes", part.settings.measure, near.value)
    nothing = np.full(len(near.who), np.nan)
    rating = _ratings(part, user, item, near)
    return Account(part.source, np.nan, (), part.settings.side, near.who, s, rating, nothing, near.n)


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
