"""Blend: the lists of several models mixed, by their scores or by their ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.models.account import Account
from corated.models.answers import Answer, new_lists
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.chosen import Chosen
from corated.models.fallback import Fallback, check_models
from corated.models.history import Profile, alone
from corated.models.packed import Packed
from corated.models.prediction import (
    FALLBACK,
    OK,
    TOO_FEW,
    UNKNOWN_ITEM,
    UNKNOWN_USER,
    Predicted,
)
from corated.models.request import Request
from corated.models.rules import check_amount
from corated.ratings.ratings import Ratings

__all__ = ["Blend"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
By = Literal["score", "rank"]

_LEAST_POOL, _POOL = 100, 5
_DAMPING = 60
"""What is added to a rank before it is inverted, as in the source."""
_PLACES = 1 << 20
"""Places in the models' lists that are held at a time."""


class Blend(Recommender):
    """Recommend what several models agree on: a weighted sum of what each makes of an item.

    models : unfitted recommenders; fitting fits copies of them
    weights : a number from 0 up for each, used as given; None for 1 each
    by : "score" or "rank": what of a model's list counts

    Each model lists its best for a user, after all filters: the larger of 100 and 5 n items, so the same for
    every n up to 20. With ``by="score"`` its scores s there become (s − least) / (largest − least), from 0
    to 1, or 1 where all are equal; with ``by="rank"`` a rank becomes 1 / (60 + rank). An item's score is
    Σ weight × that, over the models that list it: others add 0, and a model of weight 0 lists nothing.
    ``support`` is the largest that a model lists the item with. Ties: larger score, then more support, then
    the smaller id.

    Ratings are predicted where all models predict: by the weighted mean of the values that there are.

    Cormack, Clarke and Buettcher, "Reciprocal rank fusion outperforms Condorcet", SIGIR 2009 (by rank);
    Fox and Shaw, "Combination of multiple searches", TREC-2 1993 (CombSUM, by score).
    """

    def __init__(
        self, *, models: Sequence[Recommender], weights: Sequence[float] | None = None, by: By = "score"
    ) -> None:
        self.models = models
        self.weights = weights
        self.by = by

    def clone(self) -> Blend:
        """Return an unfitted copy whose models are unfitted copies too."""
        return type(self)(models=[model.clone() for model in self.models], weights=self.weights, by=self.by)

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`.

        Raises `ParameterError` where scores are to be mixed and a model's cannot be compared.
        """
        models, weights, by = self._checked()
        parts = [model.learn(ratings, run) for model in models]
        return _fitted(ratings, parts, weights, by, run)

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:
        """See `Recommender.unpack`."""
        models, weights, by = self._checked()
        parts = [model.unpack(ratings, packed.part(at), run) for at, model in enumerate(models)]
        return _fitted(ratings, parts, weights, by, run)

    def _checked(self) -> tuple[Sequence[Recommender], Floats, By]:
        models, by = check_models(self.models), _check_by(self.by)
        weights = _check_weights(self.weights, len(models))
        for model in models if by == "score" else ():
            if isinstance(model, Fallback | Chosen):
                raise _incomparable(f"{model!r} mixes the scores of several models")
        return models, weights, by


def _check_by(by: object) -> By:
    for known in ("score", "rank"):
        if isinstance(by, str) and by == known:
            return known
    raise ParameterError(f"Unknown by={by!r}.", expected='"score" or "rank"', hint="choose one of these")


def _check_weights(weights: object, many: int) -> Floats:
    """Return the weights of so many models."""
    expected = f"{many} numbers from 0 up, one of them above 0" if many > 1 else "one number above 0"
    if weights is None:
        return np.ones(many)
    if not isinstance(weights, Sequence | np.ndarray) or isinstance(weights, str) or len(weights) != many:
        raise ParameterError(
            f"weights={weights!r} cannot be used with {many} model{'s' if many > 1 else ''}.",
            expected=expected,
            hint="give one weight for each model, or leave weights out",
        )
    made = np.array([check_amount("weights", weight, expected, least=0.0) for weight in weights])
    if not (made > 0.0).any():
        raise ParameterError(
            f"weights={weights!r} leave no model.", expected=expected, hint="give a model a weight above 0"
        )
    return made


def _incomparable(what: str) -> ParameterError:
    return ParameterError(
        f'by="score" cannot be used: {what}.',
        expected="models that score every item that they list, in one way",
        hint='use by="rank", or put the Blend inside the Fallback',
    )


def _fitted(ratings: Ratings, parts: list[Fitted], weights: Floats, by: By, run: Run) -> Fitted:
    nobody = Request(np.zeros(0, dtype=np.int64), 1)
    for part in parts if by == "score" else ():
        found = part.answer(nobody, run.quietly())
        if not all(found.scored):
            raise _incomparable(f"the source {found.sources[0]!r} ranks without a score")
    can = all(hasattr(part, "predict") for part in parts)
    return (_FittedPredictors if can else _FittedBlend)(ratings, parts, weights, by)


@dataclass(frozen=True)
class _Listed:
    """What a model lists for some users: row, item, what it adds to the score, support, place in sources."""

    row: Int64s
    item: Int64s
    amount: Floats
    support: Int64s
    source: npt.NDArray[np.uint8]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class _FittedBlend:
    """codes : the code that each part has for the one user who is folded in; None where all have the same."""

    ratings: Ratings
    parts: list[Fitted]
    weights: Floats
    by: By
    codes: list[int] | None = None

    def _listed(self, request: Request, run: Run) -> list[_Listed]:
        """Ask each model of a weight for its best."""
        # To a model its list is all there is: as many recommendations, also where neighbors depend on that.
        pool = replace(request, n=_pool(request.recommended), out_of=None)
        made = []
        for at in np.flatnonzero(self.weights > 0.0).tolist():
            asked = pool
            if self.codes is not None:
                asked = replace(pool, codes=np.full(len(pool.codes), self.codes[at], dtype=np.int64))
            found = self.parts[at].answer(asked, run.quietly())
            made.append(_amounts(found, float(self.weights[at]), self.by))
        return made

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        n, rows = min(request.n, self.ratings.n_items), len(request.codes)
        places = min(_pool(request.recommended), self.ratings.n_items) * len(self.parts)
        size = max(1, _PLACES // max(places, 1))
        lists = new_lists(rows, n)
        for first in range(0, rows, size):
            some = np.arange(first, min(first + size, rows))
            row, item, score, support = _mixed(self._listed(request.some(some), run), self.ratings.n_items)
            rank = np.arange(len(row)) - np.searchsorted(row, row)
            kept = rank < n
            out = (first + row[kept]) * n + rank[kept]
            lists.item[out], lists.score[out], lists.support[out] = item[kept], score[kept], support[kept]
            lists.size[some] = np.bincount(row[kept], minlength=len(some))
            run.progress(first + len(some), rows)
            run.look()
        return Answer.of(lists, n, "blend")

    def account(self, user: int, item: int, n: int, run: Run) -> Account:
        """Tell what a score is made of: what each model that lists the item adds.

        As in lists without filters, which leave out what the user rated, unless the item is of those.
        """
        seen = self.ratings.by_user.indices[slice(*self.ratings.by_user.indptr[user : user + 2])]
        request = Request(np.array([user]), n, exclude_seen=not bool((seen == item).any()))
        terms: list[tuple[str, float]] = []
        for listed in self._listed(request, run):
            for at in np.flatnonzero(listed.item == item).tolist():
                name = listed.sources[int(listed.source[at])]
                again = sum(known.split(" (")[0] == name for known, _ in terms)
                terms.append((f"{name} ({again + 1})" if again else name, float(listed.amount[at])))
        if not terms:
            pool = min(_pool(n), self.ratings.n_items)
            return Account("blend", np.nan, reason=f"It is not among the {pool} best of any of the models.")
        score = 0.0
        for _, amount in terms:
            score += amount
        return Account("blend", score, tuple(terms))

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile: each part does."""
        folded = [part.fold_in(profile, run) for part in self.parts]
        parts, codes = [one.part for one in folded], [one.code for one in folded]
        return Folded(replace(self, ratings=alone(self.ratings, profile), parts=parts, codes=codes), 0)

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed.together([part.pack() for part in self.parts])


def _pool(n: int) -> int:
    """Return how many items each model lists where n are recommended."""
    return min(max(_LEAST_POOL, _POOL * n), 2**31 - 1)


def _amounts(found: Answer, weight: float, by: By) -> _Listed:
    """Return what a model's lists add to scores."""
    lists, n = found.lists, max(found.n, 1)
    places = np.flatnonzero(np.arange(found.n)[None, :] < lists.size[:, None])
    row, rank = places // n, places % n + 1
    if by == "rank":
        value = 1.0 / (_DAMPING + rank)
    else:
        score = lists.score[places]
        least = lists.score[row * n + lists.size[row] - 1]
        span = lists.score[row * n] - least
        value = np.divide(score - least, span, out=np.ones_like(score), where=span > 0.0)
    amount, support = weight * value, lists.support[places]
    return _Listed(row, lists.item[places], amount, support, found.source[places], found.sources)


def _mixed(listed: list[_Listed], n_items: int) -> tuple[Int64s, Int64s, Floats, Int64s]:
    """Return the rows, items, scores and supports of all that is listed: by row, the best first."""
    pairs = [one.row * n_items + one.item for one in listed]
    pair, of = np.unique(np.concatenate(pairs), return_inverse=True)
    score, support = np.zeros(len(pair)), np.zeros(len(pair), dtype=np.int64)
    first = 0
    for one in listed:  # a model lists an item once, and models add in their order
        where = of[first : first + len(one.item)]
        score[where] += one.amount
        support[where] = np.maximum(support[where], one.support)
        first += len(one.item)
    row, item = pair // n_items, pair % n_items
    order = np.lexsort((item, -support, -score, row))
    return row[order], item[order], score[order], support[order]


@dataclass(frozen=True)
class _FittedPredictors(_FittedBlend):
    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        total, weights = np.zeros(len(users)), np.zeros(len(users))
        support, is_ok = np.zeros(len(users), dtype=np.int64), np.zeros(len(users), dtype=np.bool_)
        for at in np.flatnonzero(self.weights > 0.0).tolist():
            asked = users if self.codes is None else np.where(users >= 0, self.codes[at], -1)
            found = self.parts[at].predict(asked, items, run.quietly())  # type: ignore[attr-defined]
            there = ~np.isnan(found.value)
            total[there] += self.weights[at] * found.value[there]
            weights[there] += self.weights[at]
            support[there] = np.maximum(support[there], found.support[there])
            is_ok |= there & (found.status == OK)
        there = weights > 0.0
        value = np.divide(total, weights, out=np.full(len(users), np.nan), where=there)
        status = np.where(is_ok, OK, np.where(there, FALLBACK, TOO_FEW)).astype(np.uint8)
        status[items < 0] = UNKNOWN_ITEM
        status[users < 0] = UNKNOWN_USER
        return Predicted(value, support, status)
