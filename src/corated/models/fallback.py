"""Fallback: the first model that can answer, then the next, and each row says which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.models.base import Answer, Fitted, Recommender, Run
from corated.models.kernels import Lists
from corated.models.lists import new_lists
from corated.ratings.ratings import Ratings

__all__ = ["Fallback"]


class Fallback(Recommender):
    """Fill each user's list from the first model, then from the next, until there are n.

    models : unfitted recommenders, the preferred one first; fitting fits copies of them

    An item is listed once, by the first model that names it; column ``source`` says which model that was.
    """

    def __init__(self, *, models: Sequence[Recommender]) -> None:
        self.models = models

    def clone(self) -> Fallback:
        """Return an unfitted copy whose models are unfitted copies too."""
        return type(self)(models=[model.clone() for model in self.models])

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        models = self.models if isinstance(self.models, Sequence) else []
        if not models or not all(isinstance(model, Recommender) for model in models):
            raise ParameterError(
                f"models={self.models!r} cannot be used.",
                expected="a list of one recommender or more",
                hint="for example models=[UserKNN(), Popularity()]",
            )
        return _FittedFallback([model.learn(ratings, run) for model in models])


@dataclass(frozen=True)
class _FittedFallback:
    parts: list[Fitted]

    def answer(self, codes: npt.NDArray[np.int64], n: int, taken: Answer | None, run: Run) -> Answer:
        """Rank up to n items for user codes; see `corated.models.base.Fitted`."""
        full = self.parts[0].answer(codes, n, taken, run)
        for part in self.parts[1:]:
            short = np.flatnonzero(full.lists.size < full.n)
            if not len(short):
                break
            avoid = _rows(full, short) if taken is None else _joined(_rows(full, short), _rows(taken, short))
            full = _filled(full, short, part.answer(codes[short], n, avoid, run.quietly()))
        return full


def _rows(answer: Answer, rows: npt.NDArray[np.int64]) -> Answer:
    """Return some rows of an answer."""
    places = (rows[:, None] * answer.n + np.arange(answer.n)).ravel()
    lists = answer.lists
    picked = Lists(lists.item[places], lists.score[places], lists.support[places], lists.size[rows])
    return Answer(picked, answer.n, answer.source[places], answer.sources, answer.scored)


def _joined(left: Answer, right: Answer) -> Answer:
    """Put the lists of two answers for the same users behind one another."""
    n = left.n + right.n
    lists = new_lists(len(left.lists.size), n)
    source = np.zeros(len(lists.item), dtype=np.uint8)
    wide = Answer(lists, n, source, left.sources, left.scored)
    return _filled(_filled(wide, np.arange(len(lists.size)), left), np.arange(len(lists.size)), right)


def _filled(full: Answer, rows: npt.NDArray[np.int64], more: Answer) -> Answer:
    """Append to some rows of an answer what another answer lists for them, as far as there is room."""
    lists, room = full.lists, full.n - full.lists.size[rows]
    added = np.minimum(room, more.lists.size)
    row = np.repeat(np.arange(len(rows)), added)
    place = np.arange(int(added.sum())) - np.repeat(np.cumsum(added) - added, added)
    target = rows[row] * full.n + lists.size[rows][row] + place
    origin = row * more.n + place
    lists.item[target] = more.lists.item[origin]
    lists.score[target] = more.lists.score[origin]
    lists.support[target] = more.lists.support[origin]
    full.source[target] = more.source[origin] + len(full.sources)
    lists.size[rows] += added
    return Answer(lists, full.n, full.source, full.sources + more.sources, full.scored + more.scored)
