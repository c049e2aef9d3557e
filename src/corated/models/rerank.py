"""Lists with some variety: maximal marginal relevance over genres."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corated.models.answers import Answer
from corated.models.filters import genre_bits
from corated.models.request import Request
from corated.neighborhood.run import Run

if TYPE_CHECKING:
    from corated.models.base import Fit, Fitted

__all__ = ["POOL", "answered", "diversified"]

Int64s = npt.NDArray[np.int64]

POOL = 5
"""How many times as many candidates as places there are."""


def answered(part: Fitted, request: Request, diversity: float, fit: Fit, run: Run) -> Answer:
    """Return the lists of a part, with some variety if wanted; ``fit`` has the catalog that it needs then."""
    if diversity == 0.0:
        return part.answer(request, run)
    assert fit.catalog is not None
    n = request.n
    pool = part.answer(replace(request, n=min(POOL * n, 2**31 - 1), out_of=n), run)
    return diversified(pool, genre_bits(fit.ratings, fit.catalog)[1], min(n, fit.ratings.n_items), diversity)


def diversified(answer: Answer, bits: npt.NDArray[np.bool_], n: int, diversity: float) -> Answer:
    """Choose n of each list's candidates, one after another, by maximal marginal relevance.

    bits : bool (items, genres)

    The next item is the one with the largest (1 − d)·r − d·max J, r = 1 − (rank − 1)/candidates falling with
    the rank that the model gave it, and J the Jaccard similarity of its genres with those of an item chosen
    before; an item without genres is like no other. Ties go to the better rank. Scores stay as they are.

    Carbonell and Goldstein, "The use of MMR", SIGIR 1998.
    """
    size = np.minimum(answer.lists.size, n)
    places = np.zeros((answer.rows, n), dtype=np.int64)
    for row in range(answer.rows):
        start = row * answer.n
        items = answer.lists.item[start : start + int(answer.lists.size[row])]
        chosen = _chosen(bits[items].astype(np.float64), int(size[row]), diversity)
        places[row, : len(chosen)] = start + chosen
    return answer.rearranged(places.ravel(), size, n)


def _chosen(genres: npt.NDArray[np.float64], n: int, diversity: float) -> Int64s:
    """Return the places of the candidates that are chosen, in order."""
    many = len(genres)
    value = (1.0 - diversity) * (1.0 - np.arange(many) / max(many, 1))
    alike, chosen = np.zeros(many), np.zeros(n, dtype=np.int64)
    sizes, free = genres.sum(axis=1), np.ones(many, dtype=np.bool_)
    for place in range(n):
        at = int(np.argmax(np.where(free, value - diversity * alike, -np.inf)))
        chosen[place], free[at] = at, False
        shared = genres @ genres[at]
        together = sizes + sizes[at] - shared
        alike = np.maximum(alike, np.divide(shared, together, out=np.zeros(many), where=together > 0.0))
    return chosen
