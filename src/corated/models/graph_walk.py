"""Random walks on the graph of users and items: P³α and RP³β."""

from __future__ import annotations

from corated.errors import DataError
from corated.models.base import Fitted, Recommender, Run
from corated.models.fitted_knn import FittedKNN
from corated.models.knn import ItemKNN
from corated.models.packed import Packed
from corated.models.rules import Like
from corated.ratings.ratings import Ratings
from corated.similarity import measures

__all__ = ["P3Alpha", "RP3Beta"]


class _Walk(Recommender):
    """A walk of three steps: to an item of the user's, to one who rated it, to another item of theirs."""

    k: int
    like: Like

    def _measure(self) -> measures.Measure:
        raise NotImplementedError

    def _model(self) -> ItemKNN:
        # Each item leads on to its own k: an item counts for those who have it among theirs.
        return ItemKNN(
            measure=self._measure(), k=self.k, rule="weighted_votes", like=self.like, direction="reverse"
        )

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        _refuse_negative(ratings)
        return self._named(self._model().learn(ratings, run))

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:
        """See `Recommender.unpack`."""
        return self._named(self._model().unpack(ratings, packed, run))

    def _named(self, part: Fitted) -> Fitted:
        assert isinstance(part, FittedKNN)
        return part.changed(source=type(self).__name__.lower())


def _refuse_negative(ratings: Ratings) -> None:
    """Raise `DataError` for ratings below 0: the measure would advise settings that walks do not have."""
    values = ratings.values
    below = values[values < 0.0]
    if len(below):
        shown = ", ".join(f"{value:g}" for value in below[:5].tolist())
        raise DataError(
            f"A random walk cannot use {len(below):,} negative of {ratings.n_ratings:,} ratings: {shown}"
            f"{', …' if len(below) > 5 else '.'}",
            expected="ratings of at least 0",
            hint="bring the ratings to numbers from 0 up, for example by adding a constant to all of them",
        )


class P3Alpha(_Walk):
    """Recommend where a walk of three steps ends up, from the items that the user likes.

    alpha : the power of each step's probability
    k : items that each item leads on to
    like : the ratings that the walk starts from; see `corated.models.knn.UserKNN`

    Cooper et al., "Random walks in recommender systems", WWW 2014.
    """

    def __init__(self, *, alpha: float = 1.0, k: int = 100, like: Like = None) -> None:
        self.alpha = alpha
        self.k = k
        self.like = like

    def _measure(self) -> measures.Measure:
        return measures.P3Alpha(alpha=self.alpha)


class RP3Beta(_Walk):
    """As `P3Alpha`, with items divided by their popularity to a power.

    alpha, k, like : see `P3Alpha`
    beta : the power of the number of an item's raters that its score is divided by

    Paudel et al., "Updatable, accurate, diverse, and scalable recommendations", TiiS 2017.
    """

    def __init__(self, *, alpha: float = 1.0, beta: float = 0.5, k: int = 100, like: Like = None) -> None:
        self.alpha = alpha
        self.beta = beta
        self.k = k
        self.like = like

    def _measure(self) -> measures.Measure:
        return measures.RP3Beta(alpha=self.alpha, beta=self.beta)
