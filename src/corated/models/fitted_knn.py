"""What a nearest-neighbor recommender answers with: neighbors, likes, and the walks over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.models import everyone
from corated.models.account import Account, knn_account
from corated.models.answers import Answer, new_lists
from corated.models.arrange import (
    Counted,
    found_of,
    like_links,
    near_links,
    offsets,
    prior_of,
    raters_of,
    reach,
)
from corated.models.centering import Centered
from corated.models.history import Profile, alone, with_profile
from corated.models.kernels import (
    Expect,
    Least,
    Links,
    Lists,
    Prior,
    Seen,
    Work,
    walk_closest,
    walk_mean,
    walk_sum,
)
from corated.models.lists import best_scored, new_scored, over_users
from corated.models.packed import Packed
from corated.models.predict_kernels import Found, Limits, Raters
from corated.models.prediction import (
    FALLBACK,
    OK,
    TOO_FEW,
    UNKNOWN_ITEM,
    UNKNOWN_USER,
    Predicted,
    Sums,
    graph_sums,
    neighbor_sums,
)
from corated.models.request import Request
from corated.models.rules import RULES
from corated.models.settings import Settings
from corated.neighborhood.engine import Engine
from corated.neighborhood.graph import Neighbors, graph_of
from corated.neighborhood.run import Flag, Run
from corated.ratings.ratings import Ratings

if TYPE_CHECKING:
    from corated.models.base import Folded

__all__ = ["FittedKNN", "fit_knn", "graph_arrays", "graph_from"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Paths(NamedTuple):
    """From users over sources to items, less what was seen: what a walk needs, and where its lists go."""

    sources: Links
    links: Links
    seen: Seen
    request: Request
    lists: Lists


@dataclass(frozen=True)
class FittedKNN:
    """Neighbors and likes, arranged for the walk.

    ratings : whose users are answered
    trained : the ratings that neighbors were found in; others only for a newcomer to an item-based model
    graph, near : None where they are sought when an answer is asked for
    """

    ratings: Ratings
    trained: Ratings
    settings: Settings
    centered: Centered
    raters: Raters
    likes: Links
    prior: Prior
    graph: Neighbors | None
    near: Links | None
    source: str = "neighbors"

    @cached_property
    def engine(self) -> Engine:
        """Compares subjects when an answer is asked for."""
        settings = self.settings
        return Engine.build(
            self.trained, of=settings.side, measure=settings.measure, min_common=settings.min_common
        )

    # -- lists --------------------------------------------------------------------------------

    def answer(self, request: Request, run: Run) -> Answer:
        """Rank up to n items for users; see `corated.models.base.Fitted`."""
        settings = self.settings
        if settings.scope == "raters":
            return self._answer_by_prediction(request, run)
        if settings.is_deferred:
            return everyone.answer(self, request, run)
        near = self._near_for(request, run.quietly()) if self.near is None else self.near
        sources, links = (near, self.likes) if settings.side == "users" else (self.likes, near)
        n = min(request.n, self.ratings.n_items)
        lists, seen = new_lists(len(request.codes), n), request.seen(self.ratings)
        paths = Paths(sources, links, seen, request, lists)

        def work(state: Work, users: Int64s, first: int, flag: Flag) -> None:
            self.walk(paths, state, users, first, users, flag)

        over_users(request.codes, lambda: new_scored(n, request, self.ratings.n_items), work, run)
        return self.finished(Answer.of(lists, n, self.source, scored=settings.rule != "closest"), request)

    def walk(self, paths: Paths, state: Work, users: Int64s, first: int, rows: Int64s, flag: Flag) -> None:
        """Walk from some users over their sources to items; see `corated.models.kernels`.

        first : the row of the lists that belongs to the first;  rows : the row of the sources of each
        """
        settings, lists = self.settings, paths.lists
        n, least = (
            min(paths.request.n, self.ratings.n_items),
            Least(settings.min_support, paths.request.min_support),
        )
        ways = users, first, rows, paths.sources, paths.links, paths.seen, n, least
        if settings.rule == "closest":
            walk_closest(*ways, state, lists, flag)
        elif settings.rule == "mean" and not self.centered.is_whole:
            walk_mean(*ways, self.expect, state, lists, flag)
        else:
            walk_sum(*ways, self.prior, state, lists, flag)

    def finished(self, answer: Answer, request: Request) -> Answer:
        """Add what is the same for all of a user's items, and tell apart what comes of everyone."""
        if self.centered.is_whole and self.settings.side == "users":
            answer.lists.score[:] += np.repeat(self.offset[request.codes], answer.n)
        if self.settings.everyone > 0.0:
            answer.source[answer.lists.support < self.settings.min_support] = 1
            return replace(answer, sources=(self.source, "everyone"), scored=(True, True))
        return answer

    @cached_property
    def expect(self) -> Expect:
        """What is expected of pairs, for the kernel."""
        centered, settings = self.centered, self.settings
        is_center = centered.is_center
        return Expect(
            centered.mu if is_center else 0.0,
            centered.user if is_center else np.zeros_like(centered.user),
            centered.item if is_center else np.zeros_like(centered.item),
            np.zeros(0) if centered.spread is None else centered.spread,
            settings.side == "users",
            settings.support_shrink,
        )

    @cached_property
    def offset(self) -> Floats:
        """What is expected of each subject where nobody rated; for centers over whole profiles."""
        mean = self.centered.user if self.settings.side == "users" else self.centered.item
        return offsets(self.found, self.settings, mean)

    def _near_for(self, request: Request, run: Run) -> Links:
        """Find the 2n neighbors of those asked for (of every item, on the side of items)."""
        return near_links(self.graph_for(request.codes, request.recommended, run), self.settings)

    def graph_for(self, users: Int64s, n: int, run: Run) -> Neighbors:
        """Return neighbors where they depend on how many recommendations are asked for."""
        is_all = self.settings.side == "items" or len(users) == self.ratings.n_users
        wanted = None if is_all else np.unique(users)
        return graph_of(self.engine, self.settings.side, 2 * n, wanted, run)

    def _answer_by_prediction(self, request: Request, run: Run) -> Answer:
        """Rank by what is predicted: where each item has neighbors of its own."""
        every = np.arange(self.ratings.n_items)

        def score(users: Int64s) -> tuple[Floats, Int64s]:
            pairs = np.repeat(users, len(every)), np.tile(every, len(users))
            sums = self._sums(*pairs, run.quietly())
            return self._values(*pairs, sums), sums.support

        answer = best_scored(self.ratings, request, score, self.source, run)
        return self.finished(answer, request)

    # -- predictions --------------------------------------------------------------------------

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:
        """Predict for pairs of codes; see `corated.models.prediction.Predictor`."""
        settings = self.settings
        if settings.k is None:
            raise ParameterError(
                'With k="2n" the neighbors depend on how many recommendations are asked for.',
                expected="a number of neighbors, for predictions",
                hint="fit with a number for k",
            )
        if settings.rule == "closest":
            raise ParameterError(
                'Rule "closest" ranks items without a score, so it predicts no ratings.',
                expected=f"one of {', '.join(rule for rule in RULES if rule != 'closest')}",
                hint='fit with rule="mean" to predict ratings',
            )
        sums = self._sums(users, items, run)
        value = self._values(users, items, sums)
        status = np.full(len(users), OK, dtype=np.uint8)
        status[np.isnan(value)] = TOO_FEW
        status[items < 0] = UNKNOWN_ITEM
        status[users < 0] = UNKNOWN_USER
        without = status != OK
        value[without] = np.nan
        if settings.fallback and settings.rule == "mean":
            value[without] = self.centered.expected(users[without], items[without])
            status[status == TOO_FEW] = FALLBACK
        if settings.clip and self.ratings.scale is not None:
            np.clip(value, self.ratings.scale.low, self.ratings.scale.high, out=value)
        return Predicted(value, sums.support, status)

    def _sums(self, users: Int64s, items: Int64s, run: Run) -> Sums:
        settings = self.settings
        subjects, objects = (users, items) if settings.side == "users" else (items, users)
        is_counted = settings.rule == "votes"
        limits = Limits(settings.k or 0, settings.measure.sign, settings.min_similarity, is_counted)
        if self.graph is not None:  # no more than k in a row, unless it is of those who have one as theirs
            limits = limits._replace(k=len(self.graph.ids))
            return graph_sums(self.found, subjects, objects, self.raters, limits, run)
        limits = limits._replace(k=min(limits.k, self.engine.n))
        sums = neighbor_sums(self.engine, subjects, objects, self.raters, limits, run)
        if settings.scope == "all" or settings.counts_all:
            return sums
        # Of the raters who were chosen, those who like it: Σ 1 · worth, with a worth of 0 for the others.
        raters = self.raters._replace(counts=np.ones_like(self.raters.counts))
        likes = neighbor_sums(
            self.engine, subjects, objects, raters, limits._replace(is_counted=True), run.quietly()
        )
        return replace(sums, support=likes.total.astype(np.int64))

    @cached_property
    def found(self) -> Found:
        """The neighbors of each subject, as they were found or the other way round."""
        assert self.graph is not None
        return found_of(self.graph, self.settings)

    @cached_property
    def reach(self) -> Floats:
        """Σ |s| over the neighbors of each subject."""
        return reach(self.found, self.settings)

    def _values(self, users: Int64s, items: Int64s, sums: Sums) -> Floats:
        """Return what the neighbors say of each pair, NaN where they are too few."""
        settings, centered = self.settings, self.centered
        subject = np.maximum(users if settings.side == "users" else items, 0)
        enough, value = sums.support >= settings.min_support, sums.total.copy()
        if settings.rule == "mean" and centered.is_whole:
            weight = self.reach[subject]
            value = np.divide(value, weight, out=np.zeros_like(value), where=weight > 0.0)
            value += self.offset[subject]
            return value
        if settings.rule == "mean":
            enough &= sums.weight > 0.0
            np.divide(sums.total, sums.weight, out=value, where=enough)
            if centered.spread is not None:
                value *= centered.spread[subject]
            if settings.support_shrink > 0.0:
                value *= sums.support / (sums.support + settings.support_shrink)
            if centered.is_center:
                value += centered.expected(users, items)
        if settings.everyone > 0.0:
            before = self.before(users, items)
            value = np.where(enough, before + value, before)
            enough |= before > 0.0
        value[~enough] = np.nan
        return value

    def before(self, users: Int64s, items: Int64s) -> Floats:
        """Return what everyone else gives each pair."""
        prior, n_items = self.prior, self.ratings.n_items
        before = np.where(items >= 0, prior.score[np.maximum(items, 0)], 0.0)
        who = np.repeat(np.arange(len(prior.own_indptr) - 1), np.diff(prior.own_indptr))
        owned, asked = who * n_items + prior.own_items, users * n_items + items
        if len(owned):
            at = np.minimum(np.searchsorted(owned, asked), len(owned) - 1)
            before -= np.where((users >= 0) & (owned[at] == asked), prior.own[at], 0.0)
        return before

    # -- reasons, newcomers, keeping -------------------------------------------------------------

    def account(self, user: int, item: int, n: int, run: Run) -> Account:
        """Tell what a score is made of; see `corated.models.base.Fitted`."""
        return knn_account(self, user, item, n, run)

    def fold_in(self, profile: Profile, run: Run) -> Folded:
        """Answer for a profile that is not in the data; see `corated.models.base.Fitted`.

        User-based: as fitted with that user among the others. Item-based: as for a user of the data.
        """
        from corated.models.base import Folded

        if self.settings.side == "users":
            ratings, code = with_profile(self.trained, profile)
            subjects = None if self.settings.direction == "reverse" else np.array([code])
            part = fit_knn(ratings, self.settings, run, subjects=subjects)
            return Folded(replace(part, source=self.source), code)
        one = alone(self.trained, profile)
        centered = self.centered.of_newcomer(profile.items, profile.values)
        counted = Counted(one, self._aged_as_fitted(profile), centered)
        prior = self.prior
        if len(prior.score):
            row = slice(*prior.own_indptr[profile.code : profile.code + 2]) if profile.code >= 0 else slice(0)
            own, items = prior.own[row], prior.own_items[row]
            prior = prior._replace(own_indptr=np.array([0, len(own)]), own=own, own_items=items)
        likes = like_links(one, counted, self.settings)
        part = self.changed(
            ratings=one,
            centered=centered,
            raters=raters_of(one, counted, self.settings),
            likes=_as_sums(likes) if centered.is_whole else likes,
            prior=prior,
        )
        return Folded(part, 0)

    def _aged_as_fitted(self, profile: Profile) -> Settings:
        """Return settings by which a profile alone ages as it would among the others."""
        if profile.times is None:
            return replace(self.settings, at=None)  # all of it is as new as can be
        if self.settings.at is not None or self.trained.times is None:
            return self.settings
        return replace(self.settings, at=np.datetime64(int(self.trained.times.max(initial=0)), "us"))

    def changed(self, **changes: Any) -> FittedKNN:
        """Return the same with changes that leave neighbors alone, and what was made of those."""
        made = replace(self, **changes)
        kept = ("engine", "found", "reach", "offset")
        made.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return made

    def pack(self) -> Packed:
        """Return what took long to find; see `corated.models.base.Fitted`."""
        return Packed({} if self.graph is None else graph_arrays(self.graph))


def fit_knn(
    ratings: Ratings,
    settings: Settings,
    run: Run,
    *,
    subjects: Int64s | None = None,
    graph: Neighbors | None = None,
) -> FittedKNN:
    """Find neighbors and arrange everything.

    subjects : codes of those who will be asked for, ascending; None for everyone
    graph : neighbors that were found before, by the same settings on the same ratings
    """
    centered = settings.center.of(ratings, settings.side)
    counted = Counted(ratings, settings, centered)
    likes = like_links(ratings, counted, settings)
    part = FittedKNN(
        ratings,
        ratings,
        settings,
        centered,
        raters_of(ratings, counted, settings),
        likes,
        prior_of(ratings, settings, counted.count),
        graph=None,
        near=None,
    )
    if settings.k is None or settings.is_deferred:
        part.engine  # noqa: B018 - what the measure cannot use is refused here, and not when asked
        return part
    found = graph_of(part.engine, settings.side, settings.k, subjects, run) if graph is None else graph
    part = part.changed(graph=found, near=near_links(found, settings))
    return _with_whole(part) if centered.is_whole else part


def _with_whole(part: FittedKNN) -> FittedKNN:
    """Return the same where who did not rate counts as 0: sums over s / Σ |s|, and an offset."""
    assert part.near is not None
    near, weight, is_users = part.near, part.reach, part.settings.side == "users"
    # The subject of a link is where it starts on the side of users, where it ends on that of items.
    subject = np.repeat(np.arange(len(weight)), np.diff(near.indptr)) if is_users else near.target
    near = near._replace(weight=near.weight / np.where(weight > 0.0, weight, 1.0)[subject])
    score = np.zeros(part.ratings.n_items) if is_users else part.offset
    nobody = np.zeros(part.ratings.n_users + 1, dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int32)
    prior = Prior(score, np.argsort(-score, kind="stable"), nobody, nothing, np.zeros(0))
    return part.changed(near=near, likes=_as_sums(part.likes), prior=prior)


def _as_sums(likes: Links) -> Links:
    """Return links whose weight is what a rating says times how much it counts."""
    return likes._replace(weight=likes.weight * likes.worth, worth=np.zeros(0))


def graph_arrays(graph: Neighbors) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of a graph by name, for keeping."""
    return {
        "graph/subjects": graph.subjects,
        "graph/indptr": graph.indptr,
        "graph/neighbor": graph.neighbor,
        "graph/value": graph.value,
        "graph/n_common": graph.n_common,
    }


def graph_from(ratings: Ratings, settings: Settings, packed: Packed) -> Neighbors | None:
    """Return the graph that was kept; None where there was none."""
    if "graph/indptr" not in packed.arrays:
        return None
    assert settings.k is not None
    arrays = (
        packed.arrays[f"graph/{name}"] for name in ("subjects", "indptr", "neighbor", "value", "n_common")
    )
    ids = ratings.users if settings.side == "users" else ratings.items
    return Neighbors(settings.side, settings.measure, settings.k, settings.min_common, ids, *arrays)
