"""Ranked lists beside what was right: one way to hold both, whoever made the lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.evaluation.split import Split
from corated.models.answers import Answer
from corated.models.rules import Like, check_like, liked
from corated.neighborhood.engine import check_count
from corated.ratings.ids import Id, IdMap, quote_id

__all__ = ["NOWHERE", "Match", "Rankings", "Relevance", "match", "rankings_of", "relevance_of"]

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NOWHERE = int(np.iinfo(np.int64).max)
"""The place of an item that is not listed."""
_COMPARED = 1 << 22
"""Places that are compared with an item at a time."""


@dataclass(frozen=True)
class Rankings:
    """Ranked lists of items, a row for each user.

    items : int32 (rows, places), item codes, best first; −1 after the end of a list
    asked : how many places were asked for; lists can be shorter where there are not as many candidates
    candidates : int64 (rows,), how many items could have been listed; None where that is not known
    """

    items: Int32s
    asked: int
    candidates: Int64s | None = None

    @classmethod
    def of_answer(cls, answer: Answer, asked: int, candidates: Int64s | None = None) -> Rankings:
        """Return the lists of a fitted model, in its item codes."""
        items = answer.lists.item.reshape(answer.rows, answer.n).astype(np.int32)
        items[np.arange(answer.n)[None, :] >= answer.lists.size[:, None]] = -1
        return cls(items, asked, candidates)

    @classmethod
    def of_lists(
        cls, lists: Sequence[Sequence[int]], asked: int, candidates: Int64s | None = None
    ) -> Rankings:
        """Return lists of item codes, cut at ``asked``; raises `ParameterError` for an item twice in one."""
        sizes = np.array([min(len(row), asked) for row in lists], dtype=np.int64)
        items = np.full((len(lists), int(sizes.max(initial=0))), -1, dtype=np.int32)
        for at, row in enumerate(lists):
            items[at, : sizes[at]] = row[:asked]
        _refuse_repeats(items)
        return cls(items, asked, candidates)

    @property
    def rows(self) -> int:
        """The number of lists."""
        return len(self.items)

    def cut(self, n: int) -> Int32s:
        """Return the first n places; raises `ParameterError` where fewer were asked for."""
        if n > self.asked:
            raise ParameterError(
                f"The first {n:,} places were asked for, and the lists were made with {self.asked:,}.",
                expected=f"at most {self.asked:,}",
                hint=f"make the lists with n={n}",
            )
        return self.items[:, :n]


@dataclass(frozen=True)
class Relevance:
    """What each user would have liked to be told: row r is ``items[indptr[r]:indptr[r + 1]]``.

    indptr : int64 (rows + 1,);  items : int64, item codes, ascending in each row
    values : float64, the ratings of those items
    n_items : codes from here on are of items that training does not have, and no model can list
    """

    indptr: Int64s
    items: Int64s
    values: Floats
    n_items: int

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[int, float] | Iterable[int]], n_items: int) -> Relevance:
        """Return rows of item codes with their ratings, or of item codes alone, rated 1."""
        pairs = [
            sorted((row if isinstance(row, Mapping) else dict.fromkeys(row, 1.0)).items()) for row in rows
        ]
        flat = [pair for row in pairs for pair in row]
        return cls(
            np.concatenate([[0], np.cumsum([len(row) for row in pairs])]).astype(np.int64),
            np.array([item for item, _ in flat], dtype=np.int64),
            np.array([value for _, value in flat], dtype=np.float64),
            n_items,
        )

    @property
    def counts(self) -> Int64s:
        """How many items each row has: int64 (rows,)."""
        return np.diff(self.indptr)

    @cached_property
    def rows(self) -> Int64s:
        """The row of each item."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.counts)


@dataclass(frozen=True)
class Match:
    """Where each relevant item stands in its user's list: all that metrics of accuracy read.

    place : int64, aligned with ``relevance.items``: 0 is the top, `NOWHERE` for what is not listed
    """

    rankings: Rankings
    relevance: Relevance
    place: Int64s

    def listed(self, n: int) -> Bools:
        """Tell which relevant items are among the first n places; see `Rankings.cut` for errors."""
        self.rankings.cut(n)
        return self.place < n

    def hits(self, n: int) -> Int64s:
        """Count the relevant items among the first n places of each row: int64 (rows,)."""
        return np.bincount(self.relevance.rows[self.listed(n)], minlength=self.rankings.rows)

    def in_order(self, n: int) -> tuple[Int64s, Int64s, Int64s]:
        """Return row and place of the hits among the first n, by both, and how many precede in the row."""
        listed = self.listed(n)
        rows, place = self.relevance.rows[listed], self.place[listed]
        order = np.lexsort((place, rows))
        rows, place = rows[order], place[order]
        return rows, place, np.arange(len(rows)) - np.searchsorted(rows, rows)


def match(rankings: Rankings, relevance: Relevance) -> Match:
    """Find the relevant items in the lists; rows of both belong together.

    Raises `ParameterError` for different numbers of rows, and for a list that has a relevant item twice.
    """
    if rankings.rows != len(relevance.counts):
        raise ParameterError(
            f"There are {rankings.rows:,} lists and {len(relevance.counts):,} rows of relevant items.",
            expected="a list for each row",
            hint="make both for the same users, in the same order",
        )
    place = np.full(len(relevance.items), NOWHERE, dtype=np.int64)
    width, wanted = rankings.items.shape[1], relevance.items.astype(np.int32)
    step = max(1, _COMPARED // max(width, 1))
    for start in range(0, len(place), step):
        stop = start + step
        lists = rankings.items[relevance.rows[start:stop]]
        found, where = np.nonzero(lists == wanted[start:stop, None])
        if (found[1:] == found[:-1]).any():
            _refuse_repeats(lists)
        place[start + found] = where
    return Match(rankings, relevance, place)


def relevance_of(split: Split, *, like: Like = None) -> Relevance:
    """Return what the users of the test like there, a row for each, by ascending user id.

    like : see `corated.models.knn.UserKNN`: a rating, ``"mean"`` for the user's own mean **in training** (new
        users: the mean of all training), or None for the top 30 % of the scale. The scale's lowest rating
        makes every test rating relevant.

    Users who like nothing in the test have an empty row, and metrics skip them.
    """
    test, train = split.test, split.train
    if check_like(like) == "mean":
        rows = np.repeat(np.arange(train.n_users), train.user_counts)
        means = np.bincount(rows, weights=train.values, minlength=train.n_users) / train.user_counts
        mean = np.append(means, train.values.mean())[split.user_codes]  # −1 is the last
        # As in `liked`: the mean of equal ratings can come out above them.
        mean -= 1e-9 * np.maximum(1.0, np.abs(mean))
        kept = test.values >= np.repeat(mean, test.user_counts)
    else:
        kept = liked(test, like)
    rows = np.repeat(np.arange(test.n_users), test.user_counts)[kept]
    items = split.item_codes[test.by_user.indices[kept]]
    order = np.lexsort((items, rows))  # new items come after the others
    counts = np.bincount(rows, minlength=test.n_users)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Relevance(indptr, items[order], test.values[kept][order], split.train.n_items)


def rankings_of(split: Split, lists: Any, *, n: int) -> Rankings:
    """Return lists by id, of any recommender, for the users of the test: a row for each, by ascending id.

    lists : item ids, best first, by user id; or a table with the columns user_id and item_id, and rank where
        rows are not in order, such as `corated.Recommender.recommend` returns
    n : places that are kept; lists may be shorter

    Test users without a list have an empty one, which counts as all wrong; users who are not in the test are
    left out. Raises `DataError` for a list that has an item twice, `IdTypeError` for ids of another type.
    """
    n = check_count("n", n)
    users, items, rank = _columns(lists)
    (rows,) = _codes(users, split.test.users)
    codes, in_test = _codes(items, split.train.items, split.test.items)
    # What neither side has takes a place and is right for nobody.
    other = split.train.n_items + split.new_items
    codes = np.where(codes >= 0, codes, np.where(in_test >= 0, split.item_codes[in_test], other))
    kept = np.flatnonzero(rows >= 0)
    order = kept[np.lexsort((kept if rank is None else rank[kept], rows[kept]))]
    rows = rows[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    order, rows, place = order[place < n], rows[place < n], place[place < n]
    table = np.full((split.test.n_users, int(place.max(initial=-1)) + 1), -1, dtype=np.int32)
    table[rows, place] = codes[order]
    at = _repeated(np.where(table == other, -1, table))
    if at is not None:
        row, code = at
        side = split.train.items if code < split.train.n_items else split.test.items
        id = side.id(code if code < split.train.n_items else int(np.flatnonzero(split.item_codes == code)[0]))
        raise DataError(
            f"The list of user {quote_id(split.test.users.id(row))} has item {quote_id(id)} twice.",
            expected="an item at most once in a list",
            hint="remove the repeats, or a hit would count twice",
        )
    return Rankings(table, n)


def _columns(lists: Any) -> tuple[Any, Any, Int64s | None]:
    """Return user ids, item ids and ranks, if there are any, of lists by user or of a table."""
    if isinstance(lists, Mapping) and not {"user_id", "item_id"} <= set(lists):
        names: list[Id] = [user for user, row in lists.items() for _ in row]
        listed: list[Id] = [item for row in lists.values() for item in row]
        return names, listed, None
    table = lists.to_arrow() if hasattr(lists, "to_arrow") else pa.table(lists)
    missing = [name for name in ("user_id", "item_id") if name not in table.column_names]
    if missing:
        raise DataError(
            f"The lists have no column {missing[0]}: {', '.join(table.column_names)}.",
            expected="user_id and item_id, and rank where rows are not in order",
            hint="rename the columns",
        )
    rank = table.column("rank").to_numpy() if "rank" in table.column_names else None
    return table.column("user_id"), table.column("item_id"), rank


def _codes(ids: Any, *maps: IdMap) -> list[Int64s]:
    """Return the codes of a column of ids in each of some maps, −1 where there is none."""
    if isinstance(ids, list) or ids.null_count:
        return [one.codes(ids) for one in maps]
    # Ids repeat, so each is looked up once.
    coded = ids.combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    return [one.codes(coded.dictionary)[coded.indices.to_numpy()] for one in maps]


def _repeated(items: Int32s) -> tuple[int, int] | None:
    """Return row and code of the first item that is twice in a list; None where there is none."""
    ordered = np.sort(items, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if not twice.any():
        return None
    row, at = (int(part[0]) for part in np.nonzero(twice))
    return row, int(ordered[row, at])


def _refuse_repeats(items: Int32s) -> None:
    at = _repeated(items)
    if at is not None:
        raise ParameterError(
            f"A list has item {at[1]} (a code) twice.",
            expected="an item at most once in a list",
            hint="remove the repeats, or a hit would count twice",
        )
