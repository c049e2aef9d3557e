"""Ratings of somebody who is not in the data, or not like this: read, and put among the others'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import ParameterError, UnknownIdError
from corated.ratings.ids import INT64_MAX, INT64_MIN, Id, IdMap, quote_id
from corated.ratings.ratings import Csr, Ratings

__all__ = ["History", "Profile", "alone", "read_profile", "with_profile"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
History = Mapping[Id, float] | Iterable[Id]
"""Item ids and their ratings; or item ids alone, where ratings are all alike."""


@dataclass(frozen=True)
class Profile:
    """Ratings that count as those of a user.

    id : whose they are; None for somebody without an id
    code : the user in the data who has this id, and whose ratings these replace; −1 for nobody
    items : int64, codes, ascending;  values : float64, ratings
    times : int64, UTC microseconds; None for the time of the latest rating in the data
    """

    id: Id | None
    code: int
    items: Int64s
    values: Floats
    times: Int64s | None = None

    def without(self, places: int | Int64s) -> Profile:
        """Return the profile without some of its ratings."""
        times = None if self.times is None else np.delete(self.times, places)
        items, values = np.delete(self.items, places), np.delete(self.values, places)
        return Profile(self.id, self.code, items, values, times)


def read_profile(ratings: Ratings, history: History, user_id: Id | None) -> Profile:
    """Check a history and bring it to codes.

    Raises `UnknownIdError` for an item that is not in the data, `IdTypeError` for ids of another type, and
    `ParameterError` for ratings that the data cannot have.
    """
    ids, values = _columns(ratings, history)
    found = ratings.items.codes(ids)
    if (found < 0).any():
        missing = [id for id, code in zip(ids, found.tolist(), strict=True) if code < 0]
        raise UnknownIdError(
            f"{len(missing):,} of the {len(ids):,} items of the history are not in the data: "
            f"{', '.join(quote_id(id) for id in missing[:3])}{', …' if len(missing) > 3 else ''}.",
            expected=f"item ids such as {quote_id(ratings.items.id(0))}" if ratings.n_items else "",
            hint="leave them out of history",
        )
    code = -1
    if user_id is not None:
        code = int(ratings.users.codes([user_id])[0])
        if code < 0 and ratings.users.as_array([user_id])[0].as_py() is None:
            raise ParameterError(f"user_id={user_id!r} can be no id.", hint="give another, or leave it out")
    order = np.argsort(found, kind="stable")
    return Profile(user_id, code, found[order], values[order])


def _columns(ratings: Ratings, history: History) -> tuple[list[Id], Floats]:
    """Return the item ids and the ratings of a history, on the scale."""
    is_flat = not isinstance(history, np.ndarray) or history.ndim == 1
    if isinstance(history, str | bytes) or not isinstance(history, Iterable) or not is_flat:
        raise ParameterError(
            f"history={history!r} cannot be used.",
            expected="ratings by item id, or item ids",
            hint=f"for example history={{{_example(ratings)}: {_level(ratings):g}}}",
        )
    if hasattr(history, "to_dict") and hasattr(history, "index"):  # a Series of ratings by item id
        history = history.to_dict()
    ids = list(history)
    if isinstance(history, Mapping):
        values = np.array([_number(id, value) for id, value in history.items()], dtype=np.float64)
    else:
        if any(isinstance(id, tuple | list) for id in ids):
            raise ParameterError(
                "The history is a list of pairs.", expected="a mapping", hint="give dict(history)"
            )
        if ratings.scale is None or ratings.scale.levels > 1:
            raise ParameterError(
                "The history has items without ratings, and ratings here are not all alike.",
                expected="a rating for each item",
                hint=f"for example history={{{_example(ratings)}: {_level(ratings):g}}}",
            )
        if len(set(ids)) < len(ids):
            raise ParameterError("The history names an item twice.", hint="name each item once")
        values = np.full(len(ids), ratings.scale.low)
    if ratings.scale is not None and not ratings.scale.contains(values).all():
        at = int(np.argmin(ratings.scale.contains(values)))
        raise ParameterError(
            f"The history rates {quote_id(ids[at])} with {values[at]:g}, which is off the scale.",
            expected=f"ratings on {ratings.scale}",
            hint="bring the rating to the scale",
        )
    return ids, values


def _number(id: object, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise ParameterError(
            f"The history rates {quote_id(id)} with {value!r}.",
            expected="a finite number",
            hint="correct it, or leave the item out",
        )
    return float(value)


def _example(ratings: Ratings) -> str:
    return quote_id(ratings.items.id(0)) if ratings.n_items else "item"


def _level(ratings: Ratings) -> float:
    return 1.0 if ratings.scale is None else ratings.scale.high


def with_profile(ratings: Ratings, profile: Profile) -> tuple[Ratings, int]:
    """Return the ratings with the profile among them, in place of its user's where it has one, and its code.

    Its ratings count as made at the time of the latest in the data. Somebody without an id comes last.
    """
    indptr, size = ratings.by_user.indptr, len(profile.items)
    if profile.code >= 0:
        code, users = profile.code, ratings.users
        first, last = int(indptr[code]), int(indptr[code + 1])
    else:
        users, code = _with_id(ratings.users, profile.id)
        first = last = int(indptr[code])
    before = indptr[: code + 1]
    after = indptr[code + (profile.code >= 0) :] + (size - (last - first))

    def put(old: npt.NDArray[Any] | None, new: npt.ArrayLike) -> Any:
        return None if old is None else np.concatenate([old[:first], np.asarray(new, old.dtype), old[last:]])

    rows = Csr(np.concatenate([before, after]), put(ratings.by_user.indices, profile.items))
    return _made(ratings, users, rows, profile, put), code


def alone(ratings: Ratings, profile: Profile) -> Ratings:
    """Return the profile as the ratings of one user, of code 0, on all items of the data."""

    def put(old: npt.NDArray[Any] | None, new: npt.ArrayLike) -> Any:
        return None if old is None else np.asarray(new, old.dtype)

    ids = ratings.users.ids
    own = pa.array([_new_id(ratings.users) if profile.id is None else profile.id], ids.type)
    rows = Csr(np.array([0, len(profile.items)], dtype=np.int64), profile.items.astype(np.int32))
    return _made(ratings, IdMap(own, "user"), rows, profile, put)


def _made(ratings: Ratings, users: IdMap, rows: Csr, profile: Profile, put: Any) -> Ratings:
    codes = None
    if ratings.scale is not None and ratings.codes is not None:
        codes = put(ratings.codes, ratings.scale.encode(profile.values))
    times = profile.times
    if times is None:
        times = np.full(len(profile.items), 0 if ratings.times is None else ratings.times.max(initial=0))
    return Ratings(
        users, ratings.items, ratings.scale, rows, codes,
        put(ratings.times, times), (),
        put(ratings.off_scale_values, profile.values),
    )  # fmt: skip


def _with_id(users: IdMap, id: Id | None) -> tuple[IdMap, int]:
    """Return the users and one more, and the code of that one."""
    id = _new_id(users) if id is None else id
    known = users.ids
    code = int(np.searchsorted(known.to_numpy(zero_copy_only=False), np.asarray(id, _type(known))))
    new = pa.array([id], known.type)
    return IdMap(pa.concat_arrays([known[:code], new, known[code:]]), users.what), code


def _type(ids: pa.Array) -> Any:
    """Return the NumPy type in which ids are compared: text by code point."""
    return np.int64 if pa.types.is_int64(ids.type) else object


def _new_id(users: IdMap) -> Id:
    """Return an id that nobody has, and that comes last if it can."""
    if users.kind == "text":
        return (users.id(len(users) - 1) if len(users) else "") + "~"  # type: ignore[operator]
    if not len(users):
        return 0
    known = users.ids.to_numpy()
    if known[-1] < INT64_MAX:
        return int(known[-1]) + 1
    if known[0] > INT64_MIN:
        return int(known[0]) - 1
    gap = int(np.flatnonzero(np.diff(known.astype(object)) > 1)[0])
    return int(known[gap]) + 1
