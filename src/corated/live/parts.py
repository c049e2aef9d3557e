"""What answers for one user, on the ratings as they are now: the models' parts, on the user's surroundings.

A part of neighbors is fitted to the profiles of the user and of the neighbors alone, who were found among
everyone: what it makes of them is what a fit to all ratings would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from corated.live.likes import LiveLikes
from corated.live.near import Near, Nearest, can_be_live
from corated.live.state import State
from corated.live.timely import LiveEveryone, LiveTimely
from corated.models.base import Fitted, Recommender
from corated.models.centering import Mean, Plain, ZScore
from corated.models.fallback import Fallback, fitted_fallback
from corated.models.fitted_knn import FittedKNN, fit_knn
from corated.models.knn import UserKNN
from corated.models.popularity import Popularity
from corated.models.rules import Like
from corated.models.settings import Settings
from corated.models.timely import Timely, TimelySettings
from corated.neighborhood.engine import Of
from corated.neighborhood.graph import Neighbors
from corated.neighborhood.run import Run
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure

__all__ = ["Around", "Asked", "Prepared", "Source", "source_of"]

Int64s = npt.NDArray[np.int64]


class Around(Protocol):
    """What is kept up with the ratings, shared by all who ask; made at the first question."""

    state: State

    def near(self, side: Of, measure: Measure) -> Near:
        """Return what compares subjects by a measure."""
        ...

    def likes(self, like: Like, half_life: float | None) -> LiveLikes:
        """Return who likes what."""
        ...

    def everyone(self, settings: TimelySettings) -> LiveEveryone:
        """Return what everyone likes these days."""
        ...


@dataclass(frozen=True)
class Asked:
    """For whom something is asked, on codes of the state.

    n : recommendations
    enough : so many of what is popular are enough to choose from
    at : the time that ages are counted to, UTC microseconds, from the latest rating on; None for that
    """

    user: int
    n: int
    enough: int = 2**31
    at: int | None = None


class Prepared(Protocol):
    """What was found for one question; whose profiles the part is to be made of.

    people : codes of users in the state, further to the one who asks
    """

    @property
    def people(self) -> Int64s:
        """Whose profiles are needed."""
        ...

    def part(self, ratings: Ratings, codes: Int64s, run: Run) -> Fitted:
        """Return what answers.

        ratings : those of the people, and of others maybe;  codes : the codes of its users in the state
        """
        ...


class Source(Protocol):
    """A model in the form in which it answers for one user at a time."""

    def prepared(self, around: Around, asked: Asked) -> Prepared:
        """Find what has to be found among all ratings."""
        ...


def source_of(model: Recommender, ratings: Ratings) -> Source | None:
    """Return the form of a model that answers on the ratings as they are; None for one that is fitted anew.

    Raises `ParameterError` for parameters that cannot be used.
    """
    if type(model) is Popularity and model.like != "mean" and model.at is None:
        return _Popular(model)
    if type(model) is UserKNN:
        settings = Settings.of("users", model.get_params())
        return _Users(settings) if _is_live(settings, ratings) else None
    if type(model) is Timely and model.like != "mean" and model.at is None:
        return _Timely(TimelySettings.of(model))
    if type(model) is Fallback:
        sources = [source_of(one, ratings) for one in model.models]
        # Rows have weights for one `Timely`, which is the whole model.
        is_live = all(one is not None and not isinstance(one, _Timely) for one in sources)
        return _First([one for one in sources if one is not None]) if is_live else None
    return None


def _is_live(settings: Settings, ratings: Ratings) -> bool:
    return (
        can_be_live(settings.measure, ratings)
        and settings.everyone == 0.0
        and settings.scope == "all"
        and settings.direction == "forward"
        and isinstance(settings.center, Plain | Mean | ZScore)
    )


@dataclass(frozen=True)
class _Popular:
    model: Popularity

    def prepared(self, around: Around, asked: Asked) -> Prepared:
        at = around.state.latest if asked.at is None else asked.at
        return _PopularNow(
            around.likes(self.model.like, self.model.half_life), around.state, at, asked.enough
        )


@dataclass(frozen=True)
class _PopularNow:
    likes: LiveLikes
    state: State
    at: int
    enough: int

    @property
    def people(self) -> Int64s:
        return np.zeros(0, dtype=np.int64)

    def part(self, ratings: Ratings, codes: Int64s, run: Run) -> Fitted:  # noqa: ARG002 - the same for all
        return self.likes.part(self.state, ratings, self.at, self.enough)


@dataclass(frozen=True)
class _Timely:
    settings: TimelySettings

    def prepared(self, around: Around, asked: Asked) -> Prepared:
        at = around.state.latest if asked.at is None else asked.at
        everyone = around.everyone(self.settings)
        return _TimelyNow(LiveTimely(around.state, self.settings, everyone, asked.user, at))


@dataclass(frozen=True)
class _TimelyNow:
    made: LiveTimely

    @property
    def people(self) -> Int64s:
        return np.zeros(0, dtype=np.int64)

    def part(self, ratings: Ratings, codes: Int64s, run: Run) -> Fitted:  # noqa: ARG002 - of the state
        return self.made


@dataclass(frozen=True)
class _First:
    sources: list[Source]

    def prepared(self, around: Around, asked: Asked) -> Prepared:
        return _FirstNow([source.prepared(around, asked) for source in self.sources])


@dataclass(frozen=True)
class _FirstNow:
    all: list[Prepared]

    @property
    def people(self) -> Int64s:
        return np.concatenate([one.people for one in self.all])

    def part(self, ratings: Ratings, codes: Int64s, run: Run) -> Fitted:
        return fitted_fallback([one.part(ratings, codes, run) for one in self.all])


@dataclass(frozen=True)
class _Users:
    settings: Settings

    def prepared(self, around: Around, asked: Asked) -> Prepared:
        settings = self.settings
        near = around.near("users", settings.measure)
        k = 2 * asked.n if settings.k is None else settings.k
        found = near.best(around.state, asked.user, k, settings.min_common)
        return _UsersNow(settings, around.state, asked, found)


@dataclass(frozen=True)
class _UsersNow:
    settings: Settings
    state: State
    asked: Asked
    found: Nearest

    @property
    def people(self) -> Int64s:
        return self.found.who

    def part(self, ratings: Ratings, codes: Int64s, run: Run) -> Fitted:
        settings, state, found = self.settings, self.state, self.found
        place = state.users.rank[codes]
        who = np.searchsorted(place, state.users.rank[found.who]).astype(np.int32)
        subject = np.searchsorted(place, state.users.rank[[self.asked.user]])
        settings = replace(settings, k=max(len(who), 1), every=False)
        if settings.half_life is not None and settings.at is None:
            at = state.latest if self.asked.at is None else self.asked.at
            settings = replace(settings, at=np.datetime64(at, "us"))
        graph = Neighbors(
            "users",
            settings.measure,
            len(who),
            settings.min_common,
            ratings.users,
            subject,
            np.array([0, len(who)]),
            who,
            found.value,
            found.n.astype(np.int32),
        )
        part = fit_knn(ratings, settings, run, subjects=subject, graph=graph)
        return _around_everyone(part, state) if settings.rule == "mean" else part


def _around_everyone(part: FittedKNN, state: State) -> FittedKNN:
    """Return the same with the mean of all ratings, and not of those of the people alone."""
    centered, mean = part.centered, state.mean()
    user = centered.user + (centered.mu - mean) if centered.is_center else centered.user
    return part.changed(centered=replace(centered, mu=mean, user=user))
