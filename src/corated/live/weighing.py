"""What ratings count as likes in the rows of a live index, for the models that read it there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from corated.models.base import Recommender
from corated.models.rules import Like, default_like
from corated.models.timely import Timely, TimelySettings
from corated.models.timely_kernels import weigh
from corated.models.timely_rows import Clock
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale

__all__ = ["Aged", "Weighing", "is_like", "weighing_of"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

_MOST = 500
"""Powers of two by which weights may outgrow their unit; from 1,000 on they could not be told apart."""


def is_like(ratings: Ratings, scale: Scale, like: Like) -> npt.NDArray[np.bool_]:
    """Tell for each rating code whether it is a like; not for ``"mean"``, which differs from user to user."""
    assert like != "mean"
    least = default_like(ratings) if like is None else float(like)
    return np.asarray(scale.ratings >= least)


class Weighing(Protocol):
    """What ratings count as likes, in rows of users."""

    def weights(self, codes: Bytes, times: Int64s) -> Floats:
        """Return the weights of some ratings."""
        ...

    def moved(self, latest: int) -> Weighing | None:
        """Return the same in another unit, if the latest rating has outgrown this one; else None."""
        ...


@dataclass(frozen=True)
class _Nothing:
    """For models that read likes elsewhere."""

    def weights(self, codes: Bytes, times: Int64s) -> Floats:  # noqa: ARG002
        return np.zeros(len(codes))

    def moved(self, latest: int) -> Weighing | None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Aged:
    """Likes that count less as they age, as kernels of `corated.models.timely` store them.

    liked : bool, by rating code;  step : the half-life in microseconds, 0 for no ageing;  base : the unit
    """

    liked: npt.NDArray[np.bool_]
    step: float
    base: int

    def weights(self, codes: Bytes, times: Int64s) -> Floats:
        """See `Weighing.weights`."""
        out = np.empty(len(codes))
        weigh(times, self.liked[codes], self.step, self.base, out)
        return out

    def moved(self, latest: int) -> Aged | None:
        """See `Weighing.moved`."""
        if self.step == 0.0 or abs(np.floor(latest / self.step) - self.base) < _MOST:
            return None
        return replace(self, base=int(np.floor(latest / self.step)))

    @classmethod
    def of(cls, ratings: Ratings, like: Like, half_life: float | None, latest: int) -> Aged:
        """Return the weights of likes with a half-life in days, in a unit near the latest rating."""
        assert ratings.scale is not None
        clock = Clock.of(half_life if ratings.times is not None else None, latest)
        return cls(is_like(ratings, ratings.scale, like), clock.step, clock.base)


def weighing_of(model: Recommender, ratings: Ratings) -> Weighing:
    """Return the weights that a model reads."""
    if type(model) is Timely:
        settings = TimelySettings.of(model)
        if settings.like != "mean":
            latest = 0 if ratings.times is None else int(ratings.times.max(initial=0))
            return Aged.of(ratings, settings.like, settings.half_life, latest)
    return _Nothing()
