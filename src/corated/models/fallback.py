"""Fallback: the first model that can answer, then the next, and each row says which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fitted, Folded, Recommender, Run
from corated.models.history import Profile
from corated.models.packed import Packed
from corated.models.prediction import OK, Predicted
from corated.models.request import Request
from corated.ratings.ratings import Ratings

__all__ = ["Fallback", "check_models", "fitted_fallback"]

Int64s = npt.NDArray[np.int64]


def check_models(models: object) -> Sequence[Recommender]:
    """Return a list of recommenders; raises `ParameterError` for anything else."""
    if not isinstance(models, Sequence) or not models or not all(isinstance(m, Recommender) for m in models):
        raise ParameterError(
            f"models={models!r} cannot be used.",
            expected="a list of one recommender or more",
            hint="for example models=[UserKNN(), Popularity()]",
        )
    return models


class Fallback(Recommender):
    """Fill each user's list from the first model, then from the next, until there are n.

    models : unfitted recommenders, the preferred one first; fitting fits copies of them

    An item is listed once, by the first model that names it; column ``source`` says which model that was. A
    rating is predicted by the first model that has neighbors (or whatever it goes by) for it.
    """

    def __init__(self, *, models: Sequence[Recommender]) -> None:
        self.models = models

    def clone(self) -> Fallback:
        """Return an unfitted copy whose models are unfitted copies too."""
        return type(self)(models=[model.clone() for model in self.models])

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        models = check_models(self.models)
        return fitted_fallback([model.learn(ratings, run) for model in models])

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:
        """See `Recommender.unpack`."""
        models = check_models(self.models)
        return fitted_fallback(
            [model.unpack(ratings, packed.part(at), run) for at, model in enumerate(models)]
        )


def fitted_fallback(parts: list[Fitted]) -> Fitted:
    """Return what answers from the first part, then from the next."""
    can = all(hasattr(part, "predict") for part in parts)
    return _FittedPredictors(parts) if can else _FittedFallback(parts)


@dataclass(frozen=True)
class _FittedFallback:
    """codes : the code that each part has for the one user who is folded in; None where all have the same."""

    parts: list[Fitted]
    codes: list[int] | None = None

    def _asked(self, at: int, request: Request) -> Request:
        if self.codes is None:
            return request
        return replace(request, codes=np.full(len(request.codes), self.codes[at], dtype=np.int64))

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        full = self.parts[0].answer(self._asked(0, request), run)
        for at, part in enumerate(self.parts[1:], 1):
            short = np.flatnonzero(full.lists.size < full.n)
            if not len(short):
                break
            asked = self._asked(at, request.some(short).besides(full.some(short)))
            full = full.filled(short, part.answer(asked, run.quietly()))
        return full

    def account(self, user: int, item: int, n: int, run: Run) -> Account:
        """Tell what a score is made of: that of the first part which has one."""
        accounts = []
        for at, part in enumerate(self.parts):
            accounts.append(part.account(user if self.codes is None else self.codes[at], item, n, run))
            if not accounts[-1].reason:
                return accounts[-1]
        return replace(accounts[0], reason=" ".join(dict.fromkeys(found.reason for found in accounts)))

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile: each part does."""
        folded = [part.fold_in(profile, run) for part in self.parts]
        return Folded(
            replace(self, parts=[one.part for one in folded], codes=[one.code for one in folded]), 0
        )

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed.together([part.pack() for part in self.parts])


@dataclass(frozen=True)
class _FittedPredictors(_FittedFallback):
    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        made: Predicted | None = None
        for at, part in enumerate(self.parts):
            asked = users if self.codes is None else np.where(users >= 0, self.codes[at], -1)
            left = np.arange(len(users)) if made is None else np.flatnonzero(made.status != OK)
            found = part.predict(asked[left], items[left], run.quietly())  # type: ignore[attr-defined]
            if made is None:
                made = found
                continue
            better = (found.status == OK) | (np.isnan(made.value[left]) & ~np.isnan(found.value))
            made.value[left[better]] = found.value[better]
            made.support[left[better]] = found.support[better]
            made.status[left[better]] = found.status[better]
        assert made is not None
        return made
