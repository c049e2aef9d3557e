"""Proof that a live index is what a fit on the same ratings would be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.live.current import Current, Question
from corated.live.likes import LiveLikes
from corated.live.near import Near
from corated.live.state import State
from corated.models.base import Recommender
from corated.neighborhood.graph import neighbors
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings

__all__ = ["Verified", "verify"]

Int64s = npt.NDArray[np.int64]

_K = 50
_CLOSE = 1e-9
"""How far scores of ages may differ, as a part of the score: powers of two differ from machine to machine."""


@dataclass(frozen=True)
class Verified:
    """What was compared, and every difference, as sentences.

    ratings : how many stand alike in both orientations
    users : for how many neighbors and recommendations were compared with those of a fit
    """

    ratings: int
    users: int
    measures: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def __str__(self) -> str:
        what = (
            f"{self.ratings:,} ratings, {self.users:,} users, {', '.join(self.measures) or 'no measure yet'}"
        )
        return f"{what}: " + ("all the same" if self.ok else "\n".join(self.differences))


def verify(now: Current, users: int, seed: int) -> Verified:
    """Compare what there is with a fit on its ratings, read anew; whoever calls holds off writers."""
    state, ratings = now.state, now.frozen()
    fresh = ratings
    if len(ratings):
        fresh = Ratings.from_table(ratings.to_arrow(), scale=state.scale, ids=_kinds(ratings))
    found = [*_of_rows(state), *_of_ratings(ratings, fresh)]
    for near in now.kept(Near):
        found += near.differences(state)
    for likes in now.kept(LiveLikes):
        found += likes.differences(state)
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(fresh.n_users)[:users])
    ids = fresh.users.take(some).to_pylist()
    measures = []
    for near in now.kept(Near):
        if near.side == "users" and ids:
            measures.append(str(near.measure))
            found += _of_neighbors(now, fresh, near, ids)
    if ids:
        found += _of_lists(now, now.model.clone().fit(fresh), ids)
    return Verified(state.n_ratings, len(ids), tuple(measures), tuple(found))


def _kinds(ratings: Ratings) -> dict[str, str]:
    return {"user": ratings.users.kind, "item": ratings.items.kind}


def _of_rows(state: State) -> list[str]:
    """Compare both orientations, and look whether rows are in order."""
    found = []
    sides = []
    for name, rows, ids in (("user", state.by_user, state.items), ("item", state.by_item, state.users)):
        row, at = rows.entries()
        a = rows.arrays
        rank = ids.rank[a.other[at]]
        inside = row[1:] == row[:-1]
        later = (a.time[at][1:] > a.time[at][:-1]) | (
            (a.time[at][1:] == a.time[at][:-1]) & (rank[1:] > rank[:-1])
        )
        if not later[inside].all():
            found.append(f"A row by {name} is out of order.")
        word = (a.other[at].astype(np.uint64) << np.uint64(state.shift)) | a.code[at]
        if not np.array_equal(word, a.word[at].astype(np.uint64)):
            found.append(f"Packed entries by {name} differ from what they are made of.")
        pair = (row, a.other[at]) if name == "user" else (a.other[at], row)
        order = np.lexsort((pair[1], pair[0]))
        sides.append(np.stack([pair[0][order], pair[1][order], a.code[at][order], a.time[at][order]]))
    if not np.array_equal(sides[0], sides[1]):
        found.append("The ratings by user and by item differ.")
    if state.n_ratings != sides[0].shape[1]:
        found.append(f"{sides[0].shape[1]:,} ratings are there, and {state.n_ratings:,} were counted.")
    for name, rows, active in (
        ("users", state.by_user, state.active_users),
        ("items", state.by_item, state.active_items),
    ):
        if int((rows.counts > 0).sum()) != active:
            found.append(f"{active:,} {name} were counted as having ratings.")
    return found


def _of_ratings(made: Ratings, fresh: Ratings) -> list[str]:
    arrays = ((made.by_user.indptr, fresh.by_user.indptr), (made.by_user.indices, fresh.by_user.indices),
              (made.codes, fresh.codes), (made.times, fresh.times))  # fmt: skip
    same = all(np.array_equal(a, b) for a, b in arrays if a is not None and b is not None)
    ids = made.users.ids.equals(fresh.users.ids) and made.items.ids.equals(fresh.items.ids)
    return [] if same and ids else ["The ratings, frozen, differ from the same read anew."]


def _of_neighbors(now: Current, fresh: Ratings, near: Near, ids: list[Id]) -> list[str]:
    graph = neighbors(fresh, measure=near.measure, k=_K, min_common=near.least, subjects=ids)
    for id in ids:
        made = now.nearest("users", id, near.measure, _K, near.least).to_arrow()
        if not made.equals(graph.of(id).to_arrow()):
            return [f"The neighbors of {id!r} by {near.measure} differ from those of a fit."]
    return []


def _of_lists(now: Current, model: Recommender, ids: list[Id]) -> list[str]:
    for id, wanted in ((id, model.recommend([id], n=10).to_arrow()) for id in ids):
        made = now.recommend(Question(id)).to_arrow()
        if not _alike(made, wanted):
            return [f"The recommendations for {id!r} differ from those of a fit."]
    return []


def _alike(made: pa.Table, wanted: pa.Table) -> bool:
    """Whether two lists have the same items, and scores that are equal but for the last digits."""
    if len(made) != len(wanted):
        return False
    left, right = (table["score"].to_numpy().astype(np.float64) for table in (made, wanted))
    if not np.allclose(left, right, rtol=_CLOSE, atol=0.0, equal_nan=True):
        return False
    same = np.array(made["item_id"].to_pylist(), dtype=object) == np.array(
        wanted["item_id"].to_pylist(), dtype=object
    )
    # Items of scores that are equal but for rounding may change places.
    return bool(same.all()) or _swapped(left, same)


def _swapped(scores: npt.NDArray[np.float64], same: npt.NDArray[np.bool_]) -> bool:
    """Whether all items that differ stand beside one of nearly the same score, or last."""
    near = np.isclose(scores[1:], scores[:-1], rtol=_CLOSE, atol=0.0)
    beside = np.append(near, True) | np.insert(near, 0, False)
    return bool(beside[~same].all())
