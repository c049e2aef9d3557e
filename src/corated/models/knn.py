"""Nearest-neighbor recommenders, user- and item-based: one implementation, the side is an argument."""

from __future__ import annotations

from typing import Literal

from corated.errors import NotFittedError
from corated.models.base import Fitted, Recommender, Run
from corated.models.centering import Centering
from corated.models.fitted_knn import FittedKNN, fit_knn, graph_from
from corated.models.packed import Packed
from corated.models.rules import Like
from corated.models.settings import Settings
from corated.neighborhood.engine import Of
from corated.neighborhood.graph import Neighbors
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.similarity.measures import Measure
from corated.tables import Table

__all__ = ["ItemKNN", "UserKNN"]


class _KNN(Recommender):
    """What `UserKNN` and `ItemKNN` share."""

    _side: Of

    def __init__(
        self,
        *,
        measure: str | Measure = "cosine",
        k: int | Literal["2n", "all"] = 40,
        min_common: int = 1,
        rule: str = "weighted_votes",
        like: Like = None,
        min_support: int = 1,
        scope: str = "all",
        direction: str = "forward",
        center: str | Centering | None = None,
        min_similarity: float | None = None,
        support_shrink: float = 0.0,
        half_life: float | None = None,
        at: object = None,
        everyone: float = 0.0,
        clip: bool = False,
        fallback: bool = True,
    ) -> None:
        self.measure = measure
        self.k = k
        self.min_common = min_common
        self.rule = rule
        self.like = like
        self.min_support = min_support
        self.scope = scope
        self.direction = direction
        self.center = center
        self.min_similarity = min_similarity
        self.support_shrink = support_shrink
        self.half_life = half_life
        self.at = at
        self.everyone = everyone
        self.clip = clip
        self.fallback = fallback

    def learn(self, ratings: Ratings, run: Run) -> Fitted:
        """See `Recommender.learn`."""
        return fit_knn(ratings, Settings.of(self._side, self.get_params()), run)

    def unpack(self, ratings: Ratings, packed: Packed, run: Run) -> Fitted:
        """See `Recommender.unpack`."""
        settings = Settings.of(self._side, self.get_params())
        return fit_knn(ratings, settings, run, graph=graph_from(ratings, settings, packed))

    @property
    def graph(self) -> Neighbors:
        """The neighbors found by ``fit``; raises `NotFittedError` before, or where they are sought later."""
        part = self._fitted().part
        assert isinstance(part, FittedKNN)
        if part.graph is None:
            why = 'k="2n": its neighbors are found by recommend'
            if part.settings.scope == "raters":
                why = 'scope="raters": its neighbors depend on the item'
            elif part.settings.every:
                why = 'k="all": its neighbors are found when asked for, and not kept'
            raise NotFittedError(
                f"This {type(self).__name__} has {why}.",
                hint='fit it with a number for k and scope="all", or call neighbors(ratings, …)',
            )
        return part.graph


class UserKNN(_KNN):
    """Recommend what similar users like.

    measure : a record of `corated.measures`, or its shorthand, such as ``"pearson(shrink=100)"``
    k : neighbors of each user; ``"2n"`` for twice the number of recommendations asked for, ``"all"`` for
        everyone with a value
    min_common : co-rated items that a neighbor must share
    rule : see `corated.models.rules.RULES`
    like : the rating from which on a user likes an item; ``"mean"`` for each user's own mean; None for the
        top 30 % of the scale
    min_support : neighbors who must like (or rate) an item for them to count
    scope, direction : whom to take; see `corated.models.rules.SCOPES` and ``DIRECTIONS``
    center : what ratings are measured from with rule ``mean``: None, ``"mean"``, ``"zscore"``,
        ``"baseline"``, ``"zeros"``, or a record of `corated.models.centering`
    min_similarity : neighbors who are less similar are left out, 1/(1+d) for a distance d; None for nobody
    support_shrink : s₀, for rule ``mean``: a deviation that m neighbors tell of is held back to m/(m + s₀)
    half_life : days in which what a rating counts falls to half, 2^(−age/half_life); None for no ageing
    at : the time age is counted from, and after which ratings do not count; None for the latest rating
    everyone : e, a prior: adds e × Σ of the likes (as they count by age) of everyone else to an item's score
    clip : whether predicted ratings are cut to the scale;  fallback : whether there is always a prediction

    An item's score is Σ over the user's k neighbors who like it of 1 (``votes``) or of their similarity
    (``weighted_votes``), times what the rating counts, added up in ascending order of the neighbors' ids.
    """

    _side: Of = "users"

    def similar_users(self, user: Id) -> Table:
        """Return a user's neighbors, best first: id, neighbor, rank, value, n_common."""
        return self.graph.of(user)


class ItemKNN(_KNN):
    """Recommend items that are similar to what the user likes.

    The parameters are those of `UserKNN` with the roles of users and items swapped: k neighbors of each
    item; ``min_support`` counts the user's liked items among an item's neighbors; ``half_life`` ages the
    user's own ratings, and everyone's in ``everyone``.

    An item's score is Σ over those of its k neighbors that the user likes of 1 (``votes``) or of their
    similarity (``weighted_votes``). Rule ``closest`` goes through the user's liked items, best rated first,
    then by id; each contributes its own neighbors, closest first.
    """

    _side: Of = "items"

    def similar_items(self, item: Id) -> Table:
        """Return an item's neighbors, best first: id, neighbor, rank, value, n_common."""
        return self.graph.of(item)
