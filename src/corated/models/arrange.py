"""Likes, raters, neighbors and priors, arranged for the kernels: CSR rows that they walk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse

from corated.models.centering import Centered
from corated.models.kernels import Links, Prior, no_prior
from corated.models.predict_kernels import Found, Raters
from corated.models.rules import age_weights, liked, weights
from corated.models.settings import Settings
from corated.neighborhood.graph import Neighbors
from corated.ratings.ratings import Ratings

__all__ = ["Counted", "found_of", "like_links", "near_links", "offsets", "prior_of", "raters_of", "reach"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Counted:
    """Which ratings neighbors bring in, what each says and how much it counts, in ``by_user`` order.

    kept : bool, those that count: likes, or all; none from after the time that is looked from
    worth : float64, what a rating says: 1, the rating, or how far it deviates
    count : float64, how much it counts by its age
    """

    def __init__(self, ratings: Ratings, settings: Settings, centered: Centered) -> None:
        self.count = age_weights(ratings, settings.half_life, settings.at)
        self.kept: Bools = self.count > 0.0
        if not settings.counts_all:
            self.kept &= liked(ratings, settings.like)
        self.worth = centered.deviation if settings.counts_all else np.ones(ratings.n_ratings)


def _starts(rows: npt.NDArray[np.integer], n: int) -> Int64s:
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=n), out=indptr[1:])
    return indptr


def raters_of(ratings: Ratings, counted: Counted, settings: Settings) -> Raters:
    """Return who rated each object (item or user), of the ratings that count.

    With scope "raters" also those who do not like it, with a worth of 0: they may be among the k closest.
    """
    kept, worth, count = counted.kept, counted.worth, counted.count
    if settings.scope == "raters" and not settings.counts_all:
        kept, worth = count > 0.0, kept.astype(np.float64)
    if settings.side == "items":
        users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        who = ratings.by_user.indices[kept]
        return Raters(_starts(users[kept], ratings.n_users), who, worth[kept], count[kept])
    order = ratings.by_item.order
    kept = kept[order]
    items = np.repeat(np.arange(ratings.n_items), np.diff(ratings.by_item.indptr))
    who = ratings.by_item.indices[kept]
    return Raters(_starts(items[kept], ratings.n_items), who, worth[order][kept], count[order][kept])


def like_links(ratings: Ratings, counted: Counted, settings: Settings) -> Links:
    """Return the items each user brings in, by item code or best rated first (then by item code)."""
    kept = counted.kept
    rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[kept]
    items, count, worth = ratings.by_user.indices[kept], counted.count[kept], counted.worth[kept]
    if settings.rule == "closest":
        items = items[np.lexsort((-ratings.values[kept], rows))]  # stable, so items stay ascending
    indptr = _starts(rows, ratings.n_users)
    if settings.rule == "mean":
        return Links(indptr, items, count, worth)
    return Links(indptr, items, count * worth, np.zeros(0))


def near_links(graph: Neighbors, settings: Settings) -> Links:
    """Arrange the graph for the walk, without the neighbors that are not similar enough.

    Rule ``closest``: subject → its neighbors, closest first. Otherwise sums are taken in ascending id order:
    user → its neighbors by id; item → the items whose neighbor it is, by id.
    """
    rows = np.repeat(graph.subjects, np.diff(graph.indptr))
    weight = weights("votes" if settings.rule == "closest" else settings.rule, settings.measure, graph.value)
    similar = _similar(graph, settings)
    indptr = _starts(rows[similar], len(graph.ids))
    near = Links(indptr, graph.neighbor[similar], weight[similar], np.zeros(0))
    if settings.rule == "closest":
        return near
    is_from_subject = (settings.side == "users") == (settings.direction == "forward")
    return _by_target(near) if is_from_subject else _reversed(near)


def _similar(graph: Neighbors, settings: Settings) -> Bools:
    similar: Bools = weights("weighted_votes", settings.measure, graph.value) >= settings.min_similarity
    return similar


def _by_target(links: Links) -> Links:
    """Sort each row by target code: sums are taken in ascending id order."""
    n = len(links.indptr) - 1
    matrix = scipy.sparse.csr_array(
        (links.weight.copy(), links.target.copy(), links.indptr), shape=(n, max(n, 1))
    )
    matrix.sort_indices()
    return Links(links.indptr, matrix.indices.astype(np.int32, copy=False), matrix.data, links.worth)


def _reversed(links: Links) -> Links:
    """Turn item → its neighbors into item → the items it is a neighbor of, ascending."""
    n = len(links.indptr) - 1
    matrix = scipy.sparse.csr_array((links.weight, links.target, links.indptr), shape=(n, n)).tocsc()
    indices = matrix.indices.astype(np.int32, copy=False)
    return Links(matrix.indptr.astype(np.int64), indices, matrix.data, links.worth)


def found_of(graph: Neighbors, settings: Settings) -> Found:
    """Return the neighbors of each subject code, as they were found or the other way round.

    Closest first, or in ascending order of codes the other way round; without those not similar enough.
    """
    rows, who = np.repeat(graph.subjects, np.diff(graph.indptr)), graph.neighbor.astype(np.int64)
    if settings.direction == "reverse":
        rows, who = who, rows
    similar = np.flatnonzero(_similar(graph, settings))
    order = similar[np.argsort(rows[similar], kind="stable")]
    common = graph.n_common[order].astype(np.int64)
    return Found(_starts(rows[order], len(graph.ids)), who[order], graph.value[order], common)


def reach(found: Found, settings: Settings) -> Floats:
    """Return Σ |s| over the neighbors of each subject, in their order."""
    s = np.abs(weights(settings.rule, settings.measure, found.value))
    rows = np.repeat(np.arange(len(found.starts) - 1), np.diff(found.starts))
    total: Floats = np.bincount(rows, weights=s, minlength=len(found.starts) - 1).astype(np.float64)
    return total


def offsets(found: Found, settings: Settings, mean: Floats) -> Floats:
    """Return μ_s − Σ s μ_v / Σ |s| for each subject: what is expected where nobody rated."""
    s = weights(settings.rule, settings.measure, found.value)
    rows = np.repeat(np.arange(len(found.starts) - 1), np.diff(found.starts))
    total = np.bincount(rows, weights=s * mean[found.who], minlength=len(mean)).astype(np.float64)
    weight = reach(found, settings)
    return mean - np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.0)


def prior_of(ratings: Ratings, settings: Settings, aged: Floats) -> Prior:
    """Return what everyone's likes give each item: ``everyone`` × Σ of what each like counts by its age."""
    if settings.everyone == 0.0:
        return no_prior()
    likes = np.flatnonzero(liked(ratings, settings.like) & (aged > 0.0))
    items, own = ratings.by_user.indices[likes], settings.everyone * aged[likes]
    # Added up item by item in ascending order of users, so that the order of rows plays no part.
    score = np.bincount(items, weights=own, minlength=ratings.n_items).astype(np.float64)
    order = np.argsort(-score, kind="stable")
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)[likes]
    return Prior(score, order[score[order] > 0.0], _starts(users, ratings.n_users), items, own)
