"""What a model file says of itself, for people to read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from corated.errors import ParameterError
from corated.models._file_model import Wrong, shown_model
from corated.ratings.scale import Scale

__all__ = ["ModelFacts", "scale_of", "times_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ModelFacts:
    """What is in a model file; ``str()`` gives it as text.

    model : the class and its parameters, records as their shorthand
    corated, format : the version that wrote it, and the format
    users, items, ratings : how many
    scale : (low, high, step), None for none;  times : the first and the last, UTC microseconds, None for none
    catalog : how many items the catalog has; None without one
    bytes : of the file
    arrays : dtype and shape by name
    """

    path: str
    model: Mapping[str, Any]
    corated: str
    format: int
    users: int
    items: int
    ratings: int
    scale: tuple[float, float, float] | None
    times: list[int] | None
    catalog: int | None
    bytes: int
    arrays: Mapping[str, tuple[str, tuple[int, ...]]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry; times in ISO form."""
        first, last = (None, None) if self.times is None else map(_shown_time, self.times)
        return {
            "path": self.path,
            "class": self.model["class"],
            "parameters": self.model["parameters"],
            "corated": self.corated,
            "format": self.format,
            "users": self.users,
            "items": self.items,
            "ratings": self.ratings,
            "scale": self.scale and dict(zip(("low", "high", "step"), self.scale, strict=True)),
            "first_time": first,
            "last_time": last,
            "catalog_items": self.catalog,
            "bytes": self.bytes,
            "arrays": [
                {"name": name, "dtype": dtype, "shape": list(shape), "bytes": _size(dtype, shape)}
                for name, (dtype, shape) in sorted(self.arrays.items())
            ],
        }

    def __str__(self) -> str:
        scale = "none (any number)"
        if self.scale is not None:
            low, high, step = self.scale
            scale = f"{low:g} (one level)" if low == high else f"{low:g} to {high:g} by {step:g}"
        times = "none"
        if self.times is not None:
            first, last = map(_shown_time, self.times)
            times = f"{first} to {last}"
        lines = [
            f"model    {shown_model(self.model)}",
            f"ratings  {self.ratings:,} of {self.users:,} users and {self.items:,} items",
            f"scale    {scale}",
            f"times    {times}",
            f"catalog  {'none' if self.catalog is None else f'{self.catalog:,} items'}",
            f"file     {self.bytes:,} bytes, format {self.format}, written by corated {self.corated}",
            "arrays",
        ]
        width = max((len(name) for name in self.arrays), default=0)
        for name, (dtype, shape) in sorted(self.arrays.items()):
            lines.append(f"  {name:<{width}}  {dtype} {list(shape)}  {_size(dtype, shape):,} bytes")
        return "\n".join(lines)


def _size(dtype: str, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize


def _shown_time(microseconds: int) -> str:
    """Return a time in ISO form, UTC; as a number of microseconds where the calendar does not reach it."""
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{microseconds} µs"


def scale_of(told: object, wrong: Wrong) -> Scale | None:
    """Return the scale told by its low, high and step; None for none."""
    if told is None:
        return None
    if isinstance(told, list) and len(told) == 3 and all(type(n) in (int, float) for n in told):
        try:
            scale = Scale(*told)
            if scale.is_coded() and np.isfinite([scale.low / scale.step, scale.midpoint]).all():
                return scale
        except (ParameterError, ArithmeticError, ValueError):
            pass
    raise wrong("its scale is no rating scale of at most 256 levels")


def times_of(told: object, wrong: Wrong) -> list[int] | None:
    """Return the first and the last time; None for none."""
    if told is None or (
        isinstance(told, list) and len(told) == 2 and all(type(t) is int and abs(t) < 2**63 for t in told)
    ):
        return told
    raise wrong("it does not tell from when to when its times run")
