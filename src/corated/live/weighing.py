"""What ratings count as likes in the rows of a live index, for the models that read it there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.live.state import Weighing
from corated.models.base import Recommender
from corated.ratings.ratings import Ratings

__all__ = ["weighing_of"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Nothing:
    """For models that read likes elsewhere."""

    def of_user_rows(self, codes: Bytes, times: Int64s) -> Floats:  # noqa: ARG002
        return np.zeros(len(codes))

    of_item_rows = of_user_rows


def weighing_of(model: Recommender, ratings: Ratings) -> Weighing:  # noqa: ARG001
    """Return the weights that a model reads."""
    return _Nothing()
