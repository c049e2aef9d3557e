"""The ratings as they are now, in both orientations, with what is kept up about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from corated.live.ids import LiveIds
from corated.live.rows import Entry, LiveRows, find_entry, gather
from corated.live.weighing import Weighing
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale

__all__ = ["Change", "Kept", "State"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


class Kept(Protocol):
    """Something that is kept up with the ratings; called by whoever writes, who is alone."""

    def touched(self, state: State, user: int, item: int) -> None:
        """Follow a change of one rating."""
        ...


@dataclass(frozen=True)
class Change:
    """One rating on codes: written with a code, or taken out with None."""

    user: int
    item: int
    code: int | None
    time: int


class State:
    """Ratings by user and by item, in rows with room between them; changed by one writer at a time.

    scale : fixed;  timed : whether ratings have times
    users, items : every id that ever came, also those without ratings by now
    latest : the latest time of a rating, 0 where there is none
    """

    def __init__(self, ratings: Ratings, scale: Scale, weighing: Weighing) -> None:
        self.scale, self.timed, self.weighing = scale, ratings.times is not None, weighing
        self.users, self.items = LiveIds(ratings.users), LiveIds(ratings.items)
        self.shift = max(1, (scale.levels - 1).bit_length())
        self.n_ratings = ratings.n_ratings
        assert ratings.codes is not None
        times = np.zeros(ratings.n_ratings, dtype=np.int64) if ratings.times is None else ratings.times
        order = ratings.by_item.order
        self.by_user = self._laid_out(
            ratings.user_counts, ratings.by_user.indices, ratings.codes, times, weighing
        )
        self.by_item = self._laid_out(
            np.diff(ratings.by_item.indptr),
            ratings.by_item.indices,
            ratings.codes[order],
            times[order],
            None,
        )
        self.latest = int(times.max(initial=0))
        self._code_sum = int(ratings.codes.sum(dtype=np.int64))
        self.active_users, self.active_items = ratings.n_users, ratings.n_items
        self.kept: list[Kept] = []

    def _laid_out(
        self,
        counts: Int64s,
        other: npt.NDArray[np.int32],
        code: Bytes,
        time: Int64s,
        weighing: Weighing | None,
    ) -> LiveRows:
        """Return rows in the order of time, then of ids; without weights where nobody reads them."""
        if self.timed:
            rows = np.repeat(np.arange(len(counts)), counts)
            order = np.lexsort((time, rows))  # stable, so ids stay ascending
            other, code, time = other[order], code[order], time[order]
        weight = np.zeros(len(code)) if weighing is None else weighing.weights(code, time)
        return LiveRows(counts.astype(np.int64), (other, code, time, weight), self.shift)

    # -- writing ------------------------------------------------------------------------------

    def user_code(self, id: object) -> int:
        """Return the code of a user's id, a new one where it never came."""
        code = self.users.find(id)
        if code < 0:
            code = self.users.add(self.users.check(id))
            self.by_user.add_row()
        return code

    def item_code(self, id: object) -> int:
        """Return the code of an item's id, a new one where it never came."""
        code = self.items.find(id)
        if code < 0:
            code = self.items.add(self.items.check(id))
            self.by_item.add_row()
        return code

    def apply(self, change: Change) -> bool:
        """Write or take out one rating; returns whether anything is different now."""
        user, item = change.user, change.item
        at = find_entry(self.by_user.arrays, user, item)
        if at >= 0:
            old = self.by_user.arrays
            same = change.code == int(old.code[at]) and change.time == int(old.time[at])
            if same:
                return False
            self._take_out(user, item, int(at))
        elif change.code is None:
            return False
        if change.code is not None:
            self._put_in(user, item, change.code, change.time)
        self._weigh_anew()
        for kept in self.kept:
            kept.touched(self, user, item)
        return True

    def _weigh_anew(self) -> None:
        """Write all weights in another unit, where the latest rating has outgrown the one they are in."""
        moved = self.weighing.moved(self.latest)
        if moved is not None:
            self.weighing, rows = moved, self.by_user.arrays
            rows.weight[:] = moved.weights(rows.code, rows.time)

    def _put_in(self, user: int, item: int, code: int, time: int) -> None:
        codes, times = np.array([code], dtype=np.uint8), np.array([time], dtype=np.int64)
        self.active_users += self.by_user.size(user) == 0
        self.active_items += self.by_item.size(item) == 0
        weight = float(self.weighing.weights(codes, times)[0])
        self.by_user.insert(user, Entry(item, code, time, weight), self.items.rank)
        self.by_item.insert(item, Entry(user, code, time, 0.0), self.users.rank)
        self.n_ratings += 1
        self._code_sum += code
        self.latest = max(self.latest, time)

    def _take_out(self, user: int, item: int, at: int) -> None:
        time = int(self.by_user.arrays.time[at])
        self._code_sum -= int(self.by_user.arrays.code[at])
        self.by_user.remove(user, at)
        self.by_item.remove(item, int(find_entry(self.by_item.arrays, item, user)))
        self.n_ratings -= 1
        self.active_users -= self.by_user.size(user) == 0
        self.active_items -= self.by_item.size(item) == 0
        if time == self.latest:
            self.latest = self._latest()

    def _latest(self) -> int:
        """Return the time of the latest rating: each row ends with its own."""
        rows, n = self.by_user.arrays, self.by_user.n
        some = rows.last[:n] > rows.first[:n]
        return int(rows.time[rows.last[:n][some] - 1].max(initial=0))

    # -- reading ------------------------------------------------------------------------------

    def mean(self) -> float:
        """Return the mean of all ratings; 0 where there are none."""
        return self.scale.low + self.scale.step * self._code_sum / self.n_ratings if self.n_ratings else 0.0

    def rated(self, user: int) -> slice:
        """Return where the ratings of a user stand in the arrays of ``by_user``."""
        return self.by_user.row(user)

    def ratings(self) -> Ratings:
        """Return all ratings, as read anew: users and items without any are not among them."""
        of_users = self.by_user.counts[self.users.order[: len(self.users)]] > 0
        of_items = self.by_item.counts[self.items.order[: len(self.items)]] > 0
        users = self.users.order[: len(self.users)][of_users]
        place = np.cumsum(of_items) - 1
        items = IdMap(self.items.id_map().take(np.flatnonzero(of_items)), self.items.what)
        return self._of(users, self.users.some(users), items, place)

    def some_ratings(self, users: Int64s) -> Ratings:
        """Return the ratings of some users, of codes in the order of their ids, on all items ever seen."""
        return self._of(users, self.users.some(users), self.items.id_map(), None)

    def _of(self, users: Int64s, user_ids: IdMap, item_ids: IdMap, place: Int64s | None) -> Ratings:
        """Return ratings of some users; ``place`` is the code of an item by rank, None for the rank."""
        rows = self.by_user.arrays
        counts = self.by_user.counts[users]
        indptr = np.zeros(len(users) + 1, dtype=np.int64)
        np.cumsum(counts, out=indptr[1:])
        source = np.empty(int(indptr[-1]), dtype=np.int64)
        gather(rows, users, indptr[:-1], source)
        items = self.items.rank[rows.other[source]]
        order = np.argsort(np.repeat(np.arange(len(users)), counts) * (len(self.items) + 1) + items)
        items, source = items[order], source[order]
        return Ratings(
            user_ids,
            item_ids,
            self.scale,
            Csr(indptr, (items if place is None else place[items]).astype(np.int32)),
            rows.code[source],
            rows.time[source] if self.timed else None,
        )
