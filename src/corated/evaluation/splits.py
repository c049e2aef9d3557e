"""Splits: which ratings a model may learn from, and which it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, ParameterError
from corated.evaluation._rows import row_numbers
from corated.evaluation.split import Split, given, parted, shown
from corated.models.rules import instant
from corated.neighborhood.engine import check_count, check_ratings
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings

__all__ = [
    "Folds",
    "at_random",
    "by_time",
    "folds_from_files",
    "k_folds",
    "leave_last",
    "leave_one_out",
    "surprise_folds",
]

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Unit = Literal["ratings", "users"]


class Folds(Sequence[Split]):
    """Splits of the same ratings, made when they are asked for, so that one is in memory at a time."""

    def __init__(self, n: int, make: Callable[[int], Split]) -> None:
        self._n, self._make = n, make

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, at: int) -> Split: ...
    @overload
    def __getitem__(self, at: slice) -> list[Split]: ...
    def __getitem__(self, at: int | slice) -> Split | list[Split]:
        if isinstance(at, slice):
            return [self._make(fold) for fold in range(self._n)[at]]
        return self._make(range(self._n)[at])


def by_time(ratings: Ratings, *, quantile: float | None = None, at: object = None) -> Split:
    """Split all ratings at one time: what came later is the test. The default for ratings with times.

    quantile : the share of ratings that training has, rounded down to whole ratings; 0.8 if neither is said.
        The cut is the earliest time at or before which so many were made
    at : in place of it the time of the cut, a datetime or its ISO text, UTC where it names no zone

    Ratings made **at** the cut are training, all of them, so that equal times never part. Raises `DataError`
    for ratings without times, and where one side would be empty; `ParameterError`.
    """
    times = _times(ratings, "by_time")
    if at is not None:
        if quantile is not None:
            raise ParameterError("quantile and at were both given.", hint="leave one of them out")
        cut = instant(at, hint="give the time of the cut, or quantile= in place of it")
        name = f'by_time(at="{shown(cut)}")'
    else:
        share = 0.8 if quantile is None else _share("quantile", quantile)
        # What floats take from 0.7 * 30 must not count as one less.
        least = max(1, int(share * len(times) + 1e-9))
        cut = int(np.partition(times, least - 1)[least - 1])
        name = f"by_time(quantile={share:g})"
    return parted(ratings, times > cut, name)


def leave_last(ratings: Ratings, n: int = 1) -> Split:
    """Test each user's last n ratings by time; equal times by item id.

    Users with n ratings or fewer stay in training whole. Other users' ratings of later times are in training,
    which ``leaks`` tells. Raises `DataError` for ratings without times, and where nobody has more than n.
    """
    times, n = _times(ratings, "leave_last"), check_count("n", n)
    counts = ratings.user_counts
    rows = np.repeat(np.arange(ratings.n_users), counts)
    order = np.lexsort((times, rows))  # stable: then by item
    from_end = ratings.by_user.indptr[1:][rows] - np.arange(len(rows))
    test = np.zeros(len(rows), dtype=np.bool_)
    test[order] = (from_end <= n) & (counts[rows] > n)
    if not test.any():
        raise DataError(
            f"No user has more than {n:,} rating{'s' if n > 1 else ''}, so none can be left out.",
            expected="users with ratings to learn from and ratings to be judged by",
            hint="take a smaller n, or by_time",
        )
    return parted(ratings, test, f"leave_last(n={n})")


def leave_one_out(ratings: Ratings, *, seed: int = 0) -> Split:
    """Test one rating of each user, drawn at random; users with a single rating stay in training.

    The same ratings and seed give the same split, whatever order the rows were read in. Raises `DataError`
    where nobody has two ratings.
    """
    check_ratings(ratings)
    counts = ratings.user_counts
    drawn = ratings.by_user.indptr[:-1] + _generator(seed).integers(0, np.maximum(counts, 1))
    test = np.zeros(ratings.n_ratings, dtype=np.bool_)
    test[drawn[counts > 1]] = True
    if not test.any():
        raise DataError(
            "No user has two ratings, so none can be left out.",
            expected="users with ratings to learn from and one to be judged by",
            hint="take by_time or at_random",
        )
    return parted(ratings, test, f"leave_one_out(seed={seed})")


def at_random(ratings: Ratings, *, share: float = 0.2, seed: int = 0, of: Unit = "ratings") -> Split:
    """Test a share of the ratings, or all ratings of a share of the users, drawn at random.

    share : between 0 and 1, rounded to whole ratings or users
    of : "ratings"; or "users", who are then new to every model: a test of what strangers are told

    The same ratings and seed give the same split. Raises `DataError` where one side would be empty.
    """
    check_ratings(ratings)
    share, n = _share("share", share), _units(ratings, of)
    drawn = np.zeros(n, dtype=np.bool_)
    drawn[_generator(seed).permutation(n)[: round(share * n)]] = True
    name = f"at_random(share={share:g}, seed={seed}{_of(of)})"
    return parted(ratings, _spread(ratings, drawn, of), name)


def k_folds(ratings: Ratings, *, k: int = 5, seed: int = 0, of: Unit = "ratings") -> Folds:
    """Return k splits at random that test every rating once: folds of ratings, or of whole users.

    Sizes differ by one at most. The same ratings and seed give the same folds. Raises `DataError` for fewer
    ratings (users) than folds.
    """
    check_ratings(ratings)
    n, k = _units(ratings, of), check_count("k", k, 2)
    _enough(n, k, of)
    fold = np.empty(n, dtype=np.int64)
    for number, part in enumerate(np.array_split(_generator(seed).permutation(n), k)):
        fold[part] = number
    fold = _spread(ratings, fold, of)
    name = f"k_folds(k={k}, seed={seed}{_of(of)})"
    return Folds(k, lambda at: parted(ratings, fold == at, f"{name}, fold {at + 1} of {k}"))


def surprise_folds(
    source: Any,
    items: Iterable[Any] | None = None,
    values: Iterable[Any] | None = None,
    times: Iterable[Any] | None = None,
    *,
    k: int = 5,
    seed: int = 0,
    **options: Any,
) -> Folds:
    """Return the folds that Surprise's KFold makes of rows in file order.

    source : a text file, or a table in memory, with its rows in order; or user ids, then with ``items``,
        ``values`` and perhaps ``times``, equally long
    options : those of `corated.read_ratings`; what would merge or leave out rows is refused

    ``numpy.random.RandomState(seed)`` shuffles 0 … n−1, fold f tests the f-th of k pieces, the first n mod k
    of which have one more. So the row order and the generator matter, as they do in no other split here.
    Errors are those of reading; `DataError` for fewer rows than folds.
    """
    k, seed = check_count("k", k, 2), _seed(seed, below=2**32)
    if items is not None:
        source = {"user_id": source, "item_id": items, "rating": values, "timestamp": times}
        source = {
            name: column if hasattr(column, "__len__") else list(column)  # read twice
            for name, column in source.items()
            if column is not None
        }
        options = {"rating": None if values is not None else False, **options}
    ratings = read_ratings(source, **options)
    row = row_numbers(source, options)
    _enough(ratings.n_ratings, k, "ratings")
    order = np.arange(ratings.n_ratings)
    np.random.RandomState(seed).shuffle(order)
    fold = np.empty(ratings.n_ratings, dtype=np.int64)
    for number, part in enumerate(np.array_split(order, k)):
        fold[part] = number
    fold, name = fold[row], f"surprise_folds(k={k}, seed={seed})"
    return Folds(k, lambda at: parted(ratings, fold == at, f"{name}, fold {at + 1} of {k}"))


def folds_from_files(pairs: Iterable[tuple[Any, Any]], **options: Any) -> list[Split]:
    """Read published splits: pairs of a training file and its test file, such as u1.base and u1.test.

    options : those of `corated.read_ratings`, for every file. Errors are those of reading and of `given`.
    """
    return [
        given(read_ratings(train, **options), read_ratings(test, **options), name=_file_names(train, test))
        for train, test in pairs
    ]


def _file_names(train: Any, test: Any) -> str:
    names = [Path(side).name if isinstance(side, str | Path) else "a table" for side in (train, test)]
    return f"given({names[0]}, {names[1]})"


def _times(ratings: Ratings, what: str) -> Int64s:
    times = check_ratings(ratings).times
    if times is None:
        raise DataError(
            f"{what} goes by the times of ratings, and these have none.",
            expected="a column of times",
            hint="read the ratings with their times, or take at_random, k_folds or leave_one_out",
        )
    return times


def _units(ratings: Ratings, of: str) -> int:
    """Return how many there are of what is drawn; raises `ParameterError` for an unknown unit."""
    if of not in ("ratings", "users"):
        raise ParameterError(
            f"of={of!r} cannot be used.", expected='"ratings" or "users"', hint='leave it out for "ratings"'
        )
    return ratings.n_ratings if of == "ratings" else ratings.n_users


def _spread(ratings: Ratings, drawn: npt.NDArray[Any], of: str) -> npt.NDArray[Any]:
    """Return what was drawn for units, for each rating."""
    return drawn if of == "ratings" else np.repeat(drawn, ratings.user_counts)


def _of(of: str) -> str:
    return "" if of == "ratings" else f', of="{of}"'


def _enough(n: int, k: int, of: str) -> None:
    if n < k:
        raise DataError(
            f"There are {n:,} {of} for {k:,} folds.",
            expected=f"at least {k:,} {of}",
            hint="take fewer folds",
        )


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < 1.0:
        raise ParameterError(
            f"{name}={value!r} cannot be used.",
            expected="a number between 0 and 1, without these",
            hint=f"for example {name}={0.8 if name == 'quantile' else 0.2}",
        )
    return float(value)


def _seed(seed: object, below: float = np.inf) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < below:
        upto = f" and below {below:,}" if below < np.inf else ""
        raise ParameterError(
            f"seed={seed!r} cannot be used.", expected=f"an integer of at least 0{upto}", hint="try seed=0"
        )
    return int(seed)


def _generator(seed: object) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(_seed(seed)))
