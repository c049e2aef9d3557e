"""Chosen: of several models the one that would have done best of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.models.account import Account
from corated.models.answers import Answer
from corated.models.base import Fit, Fitted, Folded, Recommender, Run
from corated.models.fallback import check_models
from corated.models.history import Profile
from corated.models.packed import Packed
from corated.models.prediction import Predicted
from corated.models.request import Request
from corated.models.rules import Like, check_amount, check_like, liked
from corated.neighborhood.engine import check_count
from corated.ratings.ratings import Ratings

__all__ = ["Chosen", "FittedChosen"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LEAST_USERS = 20
"""Users without whom a choice would be chance."""
_AGEING = ("half_life", "everyone_half_life", "at")


class Chosen(Recommender):
    """Choose among several models by what they would have recommended of late, and answer by that one.

    models : unfitted recommenders; fitting fits copies of them
    n : items that the models are judged by
    users : how many users they are judged by, at most
    last : the share of the ratings that they are judged by
    seed : of the users, and of the ratings where these have no times
    like : what counts as a good recommendation; see `corated.models.knn.UserKNN`

    Each model is fitted to the ratings without the latest ``last`` of them (without times: without as many
    drawn at random) and recommends to users who like something among those that were held back; users and
    items that are only there do not count. The one with the best mean NDCG@n, the first of equals, is fitted
    to everything. With fewer than 20 such users it is the first. Models that go by time are not tried on
    ratings without times, unless all do.

    Everything else is as the chosen model does it; files keep the choice.
    """

    def __init__(
        self,
        *,
        models: Sequence[Recommender],
        n: int = 10,
        users: int = 500,
        last: float = 0.1,
        seed: int = 0,
        like: Like = None,
    ) -> None:
        self.models = models
        self.n = n
        self.users = users
        self.last = last
        self.seed = seed
        self.like = like

    def clone(self) -> Chosen:
        """Return an unfitted copy whose models are unfitted copies too."""
        return type(self)(**self.get_params() | {"models": [model.clone() for model in self.models]})

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        models, trial = check_models(self.models), self._trial(ratings)
        scores: list[float | None] = [None] * len(models)
        tried = list(range(len(models)))
        if ratings.times is None:
            tried = [at for at in tried if not _goes_by_time(models[at])] or tried
        if trial is not None and len(tried) > 1:
            for at in tried:
                scores[at] = trial.score(models[at], run)
        best = max(tried, key=lambda at: (scores[at] or 0.0, -at))
        return _fitted(models[best].learn(ratings, run), best, tuple(scores))

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:
        """See `Recommender.unpack`."""
        models, best = check_models(self.models), packed.facts["chosen"]
        part = models[best].unpack(ratings, packed.part(0), run)
        return _fitted(part, best, tuple(packed.facts["scores"]))

    def _trial(self, ratings: Ratings) -> _Trial | None:
        """Hold some ratings back; None where they say too little."""
        n, most, seed = check_count("n", self.n), check_count("users", self.users), _check_seed(self.seed)
        last, like = _check_share(self.last), check_like(self.like)
        chance = np.random.Generator(np.random.PCG64(seed))
        late = _late(ratings, last, chance)
        return None if late.all() else _trial(ratings, late, liked(ratings, like) & late, n, most, chance)

    @property
    def chosen(self) -> Recommender:
        """The model that was chosen, fitted; raises `NotFittedError` before ``fit``."""
        fit, part = self._fitted(), self._part
        assert isinstance(fit.model, Chosen)
        model = fit.model.models[part.place].clone()
        model._fit = Fit(fit.ratings, fit.catalog, part.part, model.clone())
        return model

    @property
    def place(self) -> int:
        """The place of the model that was chosen, among all; raises `NotFittedError` before ``fit``."""
        return self._part.place

    @property
    def scores(self) -> dict[str, float]:
        """The mean NDCG@n of each model that was tried, by its ``repr``; empty where nothing was chosen.

        Models that look the same are numbered. Raises `NotFittedError` before ``fit``.
        """
        fit, made = self._fitted(), dict[str, float]()
        assert isinstance(fit.model, Chosen)
        for model, score in zip(fit.model.models, self._part.scores, strict=True):
            name, again = repr(model), 2
            while name in made:
                name, again = f"{model!r} ({again})", again + 1
            if score is not None:
                made[name] = score
        return made

    @property
    def _part(self) -> FittedChosen:
        part = self._fitted().part
        assert isinstance(part, FittedChosen)
        return part


def _check_share(last: object) -> float:
    expected = "a number between 0 and 1, without these"
    share = check_amount("last", last, expected, above=0.0)
    if share >= 1.0:
        raise ParameterError(f"last={last!r} cannot be used.", expected=expected, hint="for example last=0.1")
    return share


def _check_seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError(
            f"seed={seed!r} cannot be used.", expected="an integer of at least 0", hint="try seed=0"
        )
    return int(seed)


def _goes_by_time(model: Recommender) -> bool:
    """Whether a model makes something of when ratings were made."""
    given: Mapping[str, object] = model.get_params()
    inner = given.get("models")
    if isinstance(inner, Sequence) and any(_goes_by_time(m) for m in inner if isinstance(m, Recommender)):
        return True
    return any(given.get(name) is not None for name in _AGEING) or bool(given.get("sittings"))


# -- judging --------------------------------------------------------------------------------------


def _late(ratings: Ratings, last: float, chance: np.random.Generator) -> Bools:
    """Tell which ratings are held back; equal times never part."""
    n = ratings.n_ratings
    late = np.zeros(n, dtype=np.bool_)
    if ratings.times is None:
        late[chance.permutation(n)[: round(last * n)]] = True
    elif n:
        least = max(1, int((1.0 - last) * n + 1e-9))
        late = np.asarray(ratings.times > np.partition(ratings.times, least - 1)[least - 1])
    return late


@dataclass(frozen=True)
class _Trial:
    """What models are judged by.

    before : the ratings that they may learn from
    users : codes there, ascending;  likes : of each, row by row, ``row * items + item``, ascending
    counts : how many these are, by row
    """

    before: Ratings
    users: Int64s
    likes: Int64s
    counts: Int64s
    n: int

    def score(self, model: Recommender, run: Run) -> float:
        """Return the mean NDCG@n of a model, the ideal list cut at n."""
        answer = model.learn(self.before, run.quietly()).answer(Request(self.users, self.n), run.quietly())
        row, place = np.divmod(np.arange(len(self.users) * answer.n), max(answer.n, 1))
        listed = row * self.before.n_items + answer.lists.item
        hit = np.isin(listed, self.likes) & (place < answer.lists.size[row])
        discount = 1.0 / np.log2(np.arange(self.n) + 2.0)
        gained = np.bincount(row[hit], weights=discount[place[hit]], minlength=len(self.users))
        ideal = np.cumsum(discount)[np.minimum(self.counts, self.n) - 1]
        return float((gained / ideal).mean())


def _trial(
    ratings: Ratings, late: Bools, likes: Bools, n: int, most: int, chance: np.random.Generator
) -> _Trial | None:
    """Return what models are judged by; None with too few users.

    likes : those that are held back;  most : users
    """
    before = ratings.where(~late)
    rows, items = np.repeat(np.arange(ratings.n_users), ratings.user_counts), ratings.by_user.indices
    is_user = np.bincount(rows[~late], minlength=ratings.n_users) > 0
    is_item = np.bincount(items[~late], minlength=ratings.n_items) > 0
    counts = likes & is_user[rows] & is_item[items]
    users = np.unique(rows[counts])
    if len(users) < _LEAST_USERS:
        return None
    users = np.sort(chance.permutation(users)[:most])
    row_of = np.full(ratings.n_users, -1, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    counts &= row_of[rows] >= 0
    row, item = row_of[rows[counts]], (np.cumsum(is_item) - 1)[items[counts]]
    return _Trial(before, (np.cumsum(is_user) - 1)[users], row * before.n_items + item, np.bincount(row), n)


# -- answering ------------------------------------------------------------------------------------


def _fitted(part: Fitted, place: int, scores: tuple[float | None, ...]) -> FittedChosen:
    return (_FittedPredictor if hasattr(part, "predict") else FittedChosen)(part, place, scores)


@dataclass(frozen=True)
class FittedChosen:
    """The part of the model that was chosen.

    place : of the model among all;  scores : of each of them, None where it was not tried
    """

    part: Fitted
    place: int
    scores: tuple[float | None, ...]

    @property
    def parts(self) -> list[Fitted]:
        """The parts that it is made of: see `corated.evaluation.judging.predicts_ratings`."""
        return [self.part]

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        return self.part.answer(request, run)

    def account(self, user: int, item: int, n: int, run: Run) -> Account:
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        return self.part.account(user, item, n, run)

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile, by the model that was chosen without it."""
        return self.part.fold_in(profile, run)

    def pack(self) -> Packed:
        """Return what took long to find, and the choice; see `corated.models.base.Fitted`."""
        packed = Packed.together([self.part.pack()])
        return replace(packed, facts={**packed.facts, "chosen": self.place, "scores": list(self.scores)})


@dataclass(frozen=True)
class _FittedPredictor(FittedChosen):
    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        made: Predicted = self.part.predict(users, items, run)  # type: ignore[attr-defined]
        return made
