"""What is fixed about a store, and whether changes fit: ids, scale and times, with the rows that do not."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from corated.errors import DataError, IdTypeError, ParameterError, StoreError
from corated.live._records import Change
from corated.ratings.ids import INT64_MAX, INT64_MIN, MAX_ID_BYTES, Id, IdKind, quote_id
from corated.ratings.scale import Scale, as_scale, infer_scale
from corated.ratings.sources import an

__all__ = [
    "Row",
    "Shape",
    "agreed",
    "check_changes",
    "check_id",
    "declared",
    "kind_of",
    "stored_id",
    "widened",
]

_SHOWN = 5
_EXPECTED = {"integer": "an integer", "text": "text (str)"}


class Row(NamedTuple):
    """A change as it is stored: ids as text, the rating a level of the scale."""

    user: str
    item: str
    rating: float | None
    time: int | None


@dataclass(frozen=True)
class Shape:
    """What is fixed about a store; None for what is not yet.

    timed : whether ratings have times
    """

    scale: Scale | None = None
    user_ids: IdKind | None = None
    item_ids: IdKind | None = None
    timed: bool | None = None


def declared(
    scale: Scale | tuple[float, float, float] | None,
    user_ids: IdKind | None,
    item_ids: IdKind | None,
    timed: bool | None,
) -> Shape:
    """Return what a caller asks for; raises `ParameterError`."""
    made = as_scale(scale)
    if made is not None and not made.is_coded():
        raise ParameterError(
            f"The scale {made} has {made.levels:,} levels.",
            expected="at most 256",
            hint="choose a larger step",
        )
    kinds = (None, "integer", "text")
    allowed: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("user_ids", user_ids, kinds),
        ("item_ids", item_ids, kinds),
        ("timed", timed, (None, True, False)),
    )
    for name, given, known in allowed:
        if given not in known:
            shown = ", ".join(str(one) for one in known)
            raise ParameterError(f"{name}={given!r}.", expected=f"one of {shown}", hint="choose one of these")
    return Shape(made, user_ids, item_ids, timed)


def agreed(shape: Shape, wanted: Shape, store: str, *, widen: bool) -> Shape:
    """Return a store's shape with what is asked for; raises `StoreError` where it has something else."""
    if widen and shape.scale is not None and wanted.scale is not None:
        scale = widened(shape.scale, wanted.scale.ratings)
        shape, wanted = replace(shape, scale=scale), replace(wanted, scale=scale)
    for name in ("scale", "user_ids", "item_ids", "timed"):
        has, asked = getattr(shape, name), getattr(wanted, name)
        if asked is not None and has not in (None, asked):
            also = ", or pass widen=True for a scale that holds both" if name == "scale" else ""
            raise StoreError(
                f"The store {store} has {name} {has}, and {name}={asked} was asked for.",
                hint=f"leave {name} out{also}",
            )
        if has is None:
            shape = replace(shape, **{name: asked})
    return shape


class _Fault(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with one value."""

    def __init__(self, what: str, *, of_type: bool = False) -> None:
        super().__init__(what)
        self.of_type = of_type


def check_changes(
    changes: Sequence[Change], shape: Shape, *, widen: bool, now: int
) -> tuple[list[Row], Shape]:
    """Return changes as they are stored, and the shape that the store has with them.

    now : the time of a rating without one, where ratings have times
    widen : whether ratings off the scale widen it

    Raises `IdTypeError`, `DataError` and `StoreError`, naming the first five changes that do not fit.
    """
    shape = _begun(changes, shape)
    if widen and shape.scale is not None:
        shape = replace(shape, scale=widened(shape.scale, _numbers(changes)))
    rows: list[Row] = []
    faults: list[tuple[str, _Fault]] = []
    for at, change in enumerate(changes):
        try:
            rows.append(_row(change, shape, now))
        except _Fault as fault:
            faults.append((f"change {at} (from 0): {_shown(change)}: {fault}", fault))
    if faults:
        raise _refused(faults, len(changes), shape)
    return rows, shape


def _begun(changes: Sequence[Change], shape: Shape) -> Shape:
    """Fix what the first write fixes."""
    if not changes:
        return shape
    user_ids = shape.user_ids or kind_of(_of(changes[0], "user"), "user")
    item_ids = shape.item_ids or kind_of(_of(changes[0], "item"), "item")
    if shape.scale is None and any(_of(change, "rating") is not None for change in changes):
        raise StoreError(
            "This store has no scale yet, so a rating cannot be written.",
            hint="open it with scale=(low, high, step), or import ratings first",
        )
    return Shape(shape.scale, user_ids, item_ids, True if shape.timed is None else shape.timed)


def _of(change: object, name: str) -> Any:
    try:
        return getattr(change, name)
    except AttributeError as error:
        raise ParameterError(
            f"A change is {change!r}.",
            expected="records with user, item, rating and time",
            hint="write([Change(user, item, rating)])",
        ) from error


def kind_of(value: object, what: str) -> IdKind:
    """Tell the type of an id; raises `IdTypeError` for what is none."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return "integer"
    raise IdTypeError(
        f"{value!r} is not an id of {an(what)}.", expected="text or an integer", hint="correct the id"
    )


def _row(change: Change, shape: Shape, now: int) -> Row:
    user = _id_text(change.user, shape.user_ids, "user")
    item = _id_text(change.item, shape.item_ids, "item")
    if change.rating is None:
        return Row(user, item, None, None)
    assert shape.scale is not None
    rating = _level(change.rating, shape.scale)
    return Row(user, item, rating, _time(change.time, shape, now))


def _id_text(value: object, kind: IdKind | None, what: str) -> str:
    """Return an id as it is stored: integers in decimal."""
    if kind == "integer":
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            if not INT64_MIN <= value <= INT64_MAX:
                raise _Fault(f"the {what} id is beyond 64 bits")
            return str(int(value))
        raise _Fault(f"the {what} ids here are integers", of_type=True)
    if not isinstance(value, str):
        raise _Fault(f"the {what} ids here are text", of_type=True)
    if not value.isascii():
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:
            raise _Fault(f"the {what} id has half a character, which UTF-8 cannot hold") from error
    else:
        size = len(value)
    if not size:
        raise _Fault(f"the {what} id is empty")
    if size > MAX_ID_BYTES:
        raise _Fault(f"the {what} id has {size:,} bytes, at most {MAX_ID_BYTES} are kept")
    if "\0" in value:
        raise _Fault(f"the {what} id has a NUL character, which PostgreSQL cannot hold")
    return str(value)


@functools.lru_cache(maxsize=8)
def _levels(scale: Scale) -> dict[float, float]:
    return {level: level for level in scale.ratings.tolist()}


def _level(value: Any, scale: Scale) -> float:
    """Return the level of the scale that a rating is."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        raise _Fault("the rating is not a number")
    found = _levels(scale).get(cast("float", value))
    if found is not None:
        return found
    number = _finite(value)
    if number is None:
        raise _Fault("the rating is not finite")
    if not scale.contains(number):
        raise _Fault("the rating is off the scale")
    return float(scale.decode(scale.encode(number)))


def _finite(value: Any) -> float | None:
    """Return a number as a float, None for one that is none."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _time(value: object, shape: Shape, now: int) -> int | None:
    if value is None:
        return now if shape.timed else None
    if not shape.timed:
        raise _Fault("a time was given, and ratings here have none")
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise _Fault("the time is no integer")
    if not INT64_MIN <= value <= INT64_MAX:
        raise _Fault("the time is beyond 64 bits")
    return int(value)


def _shown(change: Change) -> str:
    time = "" if change.time is None else f", time {change.time!r}"
    return f"user {quote_id(change.user)}, item {quote_id(change.item)}, rating {change.rating!r}{time}"


def _refused(faults: list[tuple[str, _Fault]], total: int, shape: Shape) -> DataError | IdTypeError:
    """Return the error for changes that do not fit; ids of another type are told first."""
    rows = [row for row, _ in faults]
    what = f"{len(faults):,} of {total:,} changes cannot be written, so none was."
    if any(fault.of_type for _, fault in faults):
        wrong = [row for row, fault in faults if fault.of_type]
        return IdTypeError(
            what,
            expected=f"user ids: {_EXPECTED[shape.user_ids or 'text']}; "
            f"item ids: {_EXPECTED[shape.item_ids or 'text']}",
            rows=wrong[:_SHOWN],
            hint="give ids of the store's type",
        )
    return DataError(
        what,
        expected=f"ratings on {shape.scale}" if shape.scale is not None else "",
        rows=rows[:_SHOWN],
        hint="correct them; open_store(..., widen=True) widens the scale for ratings that are off it",
    )


def _numbers(changes: Iterable[Change]) -> list[float]:
    """Return the ratings that are finite numbers."""
    given: list[Any] = [change.rating for change in changes]
    kinds = int | float | np.integer | np.floating
    numbers = [value for value in given if isinstance(value, kinds) and not isinstance(value, bool)]
    finite = [_finite(value) for value in numbers]
    return [value for value in finite if value is not None]


def widened(scale: Scale, ratings: npt.ArrayLike) -> Scale:
    """Return the scale, or the one of its levels and of ratings off it; `DataError` where none has all."""
    distinct = np.unique(np.asarray(ratings, dtype=np.float64))
    off = distinct[~scale.contains(distinct)]
    if not len(off):
        return scale
    wider = infer_scale(np.concatenate([scale.ratings, off]))
    if wider is None:
        raise DataError(
            f"The scale {scale} cannot be widened to {', '.join(f'{value:.10g}' for value in off[:_SHOWN])}.",
            expected="even steps of 1, .5, .25, .2, .1, .05 or .01, and at most 256 levels",
            hint="round the ratings, or keep these in a store of their own",
        )
    return wider


def check_id(value: object, kind: IdKind | None, what: str) -> str:
    """Return an id as it is stored; `IdTypeError` for another type, `DataError` for what none can be."""
    try:
        return _id_text(value, kind or kind_of(value, what), what)
    except _Fault as fault:
        error = IdTypeError if fault.of_type else DataError
        raise error(
            f"{quote_id(value)} is not an id of {an(what)} here: {fault}.", hint="correct the id"
        ) from fault


def stored_id(text: str, kind: IdKind | None) -> Id:
    """Return an id from how it is stored."""
    return int(text) if kind == "integer" else cast("Id", text)
