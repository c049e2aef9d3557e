"""Why an item has its score: terms and shares that add up to it, its place, and the co-rated evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import ParameterError, UnknownIdError
from corated.models import _explain_text as text
from corated.models.account import Account, Compared
from corated.models.history import History, Profile, read_profile
from corated.models.request import Request
from corated.neighborhood.engine import check_count
from corated.neighborhood.pair import PairResult, pair
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap, quote_id
from corated.tables import Table

if TYPE_CHECKING:
    from corated.models.base import Answer, Fit, Fitted, Run
    from corated.models.settings import Settings

__all__ = [
    "Asked",
    "Case",
    "Explanation",
    "Place",
    "case_of",
    "explain",
    "explain_all",
    "place_of",
    "placed",
    "strict",
]

Int64s = npt.NDArray[np.int64]
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the score of an item for a user is made of, and the place that it gives the item.

    Attributes
    ----------
    user_id : None for somebody without an id
    item_id, title : the item; no title without a catalog, or where it has none
    score : what `recommend` ranks by, for an item that the user has rated what it would be if that were not
        known to be so (``exclude_seen=False``); not cut to the scale; None where there is none
    source : the model that gives it
    base : named terms that hold for the pair
    of : whether "users" or "items" contribute
    contributions : a table of who contributes: ``neighbor`` (``item_id`` and, with a catalog, ``title`` where
        items do), ``similarity`` (1/(1 + d) for a distance d), ``n_common``, ``rating`` (theirs of the item,
        or the user's own of the other item), ``share``. Larger absolute share first, then as they came: by
        id; with rule ``closest``, which has no shares, as the rule goes through them. Null where a model has
        no such number.
    reason : why there is no score, as a sentence; else empty. Rule ``closest`` has neither.
    rank : the place in the user's whole list as `recommend` orders it, from 1; None for no candidate
    seen : whether the user has rated the item
    anonymous : whether neighbors who are users go unnamed
    most : how many contributions are shown in text and HTML; the table has all

    Σ base + Σ share = score, to 1e-9.
    """

    user_id: Id | None
    item_id: Id
    title: str | None
    score: float | None
    source: str
    base: tuple[tuple[str, float], ...]
    of: Literal["users", "items"]
    contributions: Table
    reason: str
    rank: int | None
    seen: bool
    anonymous: bool = False
    most: int = _SHOWN
    _settings: Settings | None = field(default=None, repr=False)
    _compared: Compared | None = field(default=None, repr=False)
    _catalog: Catalog | None = field(default=None, repr=False)

    def evidence(self, neighbor: Id) -> PairResult:
        """Return what two users, or two items, have in common: see `corated.pair`.

        neighbor : one of the contributions

        The two are the user (or the item explained) and the neighbor, in this order unless the measure is not
        symmetric and was read from the neighbor. Ratings are those that the model compared: with a history of
        a user, those with it among them; ``a`` is None for a user without an id.

        Raises `ParameterError` for models that compare nothing and where neighbors go unnamed,
        `UnknownIdError` and `IdTypeError` for anyone else.
        """
        if self.anonymous:
            raise ParameterError(
                "This explanation is anonymous, and evidence would tell who rated what.",
                hint="explain without anonymous=True",
            )
        if self._compared is None:
            raise ParameterError(
                f"There is no evidence of pairs: {self.source} compares no users or items with each other.",
                expected="an explanation by a model of neighbors, such as UserKNN or ItemKNN",
                hint="read the shares themselves in contributions",
            )
        compared, settings = self._compared, self._compared.settings
        ids = _ids_of(compared)
        id = ids.id(ids.code(neighbor))
        self._check_contributes(id, ids.what)
        a, b = ids.id(compared.subject), id
        is_turned = compared.as_neighbor_sees and not settings.measure.symmetric
        found = pair(
            compared.ratings,
            *((b, a) if is_turned else (a, b)),
            of=settings.side,
            measure=settings.measure,
            min_common=settings.min_common,
            catalog=self._catalog,
        )
        if settings.side == "items" or self.user_id is not None:
            return found
        return replace(found, b=None) if is_turned else replace(found, a=None)  # an id made up to fold in

    def _check_contributes(self, id: Id, what: str) -> None:
        named = self.contributions.to_arrow().column(0).to_pylist()
        if id not in named:
            raise UnknownIdError(
                f"{what.capitalize()} {quote_id(id)} contributes nothing to this score.",
                expected=f"one of the {len(named):,} in contributions"
                + (f", such as {', '.join(map(quote_id, named[:3]))}" if named else ""),
                hint="see contributions",
            )

    def sentence(self) -> str:
        """Return the explanation in one sentence or two."""
        return text.sentence_of(self)

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """Return everything as dictionaries, lists, text and numbers that JSON can carry.

        most : contributions at most; None for all
        """
        contributions = self.contributions.to_arrow().slice(0, most).to_pylist()
        return {
            "user_id": self.user_id,
            "item_id": self.item_id,
            "title": self.title,
            "score": strict(self.score),
            "source": self.source,
            "base": [{"name": name, "amount": strict(amount)} for name, amount in self.base],
            "of": self.of,
            "contributions": [{name: strict(value) for name, value in row.items()} for row in contributions],
            "reason": self.reason,
            "rank": self.rank,
            "seen": self.seen,
            "anonymous": self.anonymous,
            "sentence": self.sentence(),
        }

    def __str__(self) -> str:
        return text.as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return text.as_html(self)


def strict(value: Any) -> Any:
    """Return a value as JSON can carry it: null for what is no finite number."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


# -- who and what is asked about --------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A user and an item that are asked about, as the caller names them; see `Recommender.explain`."""

    user: Id | None
    item: Id
    n: int
    history: History | None = None
    user_id: Id | None = None


@dataclass(frozen=True)
class Case:
    """A user and an item, as the part that answers knows them.

    user, item : codes;  profile : the user's ratings, as they are or as given
    """

    fit: Fit
    part: Fitted
    user: int
    item: int
    n: int
    profile: Profile

    @property
    def user_id(self) -> Id | None:
        """Whose ratings they are, as plain Python has it."""
        id: Id | None = pa.array([self.profile.id], self.fit.ratings.users.ids.type)[0].as_py()
        return id

    @property
    def item_id(self) -> Id:
        """The item's id."""
        return self.fit.ratings.items.id(self.item)

    @property
    def title(self) -> str | None:
        """The item's title; None where there is none."""
        return title_of(self.fit, self.item)

    @property
    def seen(self) -> bool:
        """Whether the user has rated the item."""
        return bool((self.profile.items == self.item).any())

    def request(self) -> Request:
        """Return what is asked for where nothing is filtered."""
        return Request(np.array([self.user], dtype=np.int64), self.n)


def title_of(fit: Fit, item: int) -> str | None:
    """Return the title of an item code; None where there is none."""
    title: str | None = None if fit.titles is None else fit.titles[item].as_py()
    return title


def case_of(fit: Fit, asked: Asked, run: Run) -> Case:
    """Look up who and what is asked about.

    Raises `UnknownIdError`, `IdTypeError`, and `ParameterError` where it is not clear whose ratings count.
    """
    ratings, n = fit.ratings, check_count("n", asked.n)
    item = ratings.items.code(asked.item)
    if (asked.user is None) == (asked.history is None):
        raise ParameterError(
            "Neither a user nor a history was given."
            if asked.user is None
            else "A user and a history were both given.",
            expected="a user of the data, or None and the history of somebody",
            hint="say whose history it is with user_id=",
        )
    if asked.history is not None:
        profile = read_profile(ratings, asked.history, asked.user_id)
        folded = fit.part.fold_in(profile, run.quietly())
        return Case(fit, folded.part, folded.code, item, n, profile)
    if asked.user_id is not None:
        raise ParameterError("user_id says whose history it is.", hint="give history= too")
    user = ratings.users.code(asked.user)
    row = slice(int(ratings.by_user.indptr[user]), int(ratings.by_user.indptr[user + 1]))
    profile = Profile(
        ratings.users.id(user),
        user,
        ratings.by_user.indices[row].astype(np.int64),
        ratings.values[row],
        None if ratings.times is None else ratings.times[row],
    )
    return Case(fit, fit.part, user, item, n, profile)


@dataclass(frozen=True)
class Place:
    """Where an item stands in a list: its rank from 1, its score (None where ranks have none), its source."""

    rank: int
    score: float | None
    support: int
    source: str


def placed(part: Fitted, request: Request, item: int, n_items: int, run: Run) -> Place | None:
    """Return where an item stands in the whole list of the one user asked for; None for no candidate."""
    return _Ranking(part, request, n_items, run).place(item)


class _Ranking:
    """The list of the one user asked for, made as long as it has to be to find an item."""

    def __init__(
        self, part: Fitted, request: Request, n_items: int, run: Run, first: Answer | None = None
    ) -> None:
        self._part, self._run = part, run.quietly()
        self._made: dict[int, Answer] = {} if first is None else {min(request.n, max(n_items, 1)): first}
        self._request = replace(request, out_of=request.recommended)
        self._sizes = sorted({min(request.n, max(n_items, 1)), max(n_items, 1)})

    def place(self, item: int) -> Place | None:
        """Return where an item stands; None for no candidate."""
        for n in self._sizes:
            if n not in self._made:
                self._made[n] = self._part.answer(replace(self._request, n=n), self._run)
            answer, size = self._made[n], int(self._made[n].lists.size[0])
            at = np.flatnonzero(answer.lists.item[:size] == item)
            if len(at):
                return place_of(answer, int(at[0]))
            if size < n:
                break
        return None


def place_of(answer: Answer, at: int) -> Place:
    """Return what stands at a place of the one list, from 0."""
    source, lists = int(answer.source[at]), answer.lists
    score = float(lists.score[at]) if answer.scored[source] else None
    return Place(at + 1, score, int(lists.support[at]), answer.sources[source])


# -- explaining -------------------------------------------------------------------------------------


def explain(fit: Fit, asked: Asked, run: Run, *, anonymous: bool, most: int | None) -> Explanation:
    """Explain a pair; see `Recommender.explain`."""
    return explain_all(fit, asked, [asked.item], run, anonymous=anonymous, most=most)[0]


def explain_all(
    fit: Fit,
    asked: Asked,
    items: Sequence[Id],
    run: Run,
    *,
    anonymous: bool,
    most: int | None,
    listed: Answer | None = None,
) -> list[Explanation]:
    """Explain pairs of one user, with each of some items in place of that of ``asked``.

    listed : the user's list of ``asked.n`` without filters, if it was made already
    """
    most = _SHOWN if most is None else check_count("most", most)
    case = case_of(fit, asked, run)
    ranking = _Ranking(case.part, case.request(), fit.ratings.n_items, run, listed)
    made = []
    for item in items:
        one = replace(case, item=fit.ratings.items.code(item))
        place = None if one.seen else ranking.place(one.item)
        account = one.part.account(one.user, one.item, one.n, run.quietly())
        made.append(_explained(one, account, place, anonymous=anonymous, most=most))
    return made


def _explained(
    case: Case, account: Account, place: Place | None, *, anonymous: bool, most: int
) -> Explanation:
    fit, compared = case.fit, account.compared
    return Explanation(
        user_id=case.user_id,
        item_id=case.item_id,
        title=case.title,
        score=None if np.isnan(account.score) else account.score,
        source=account.source,
        base=account.base,
        of=account.of,
        contributions=_table(fit, account, is_unnamed=anonymous and account.of == "users"),
        reason=account.reason,
        rank=None if place is None else place.rank,
        seen=case.seen,
        anonymous=anonymous,
        most=most,
        _settings=None if compared is None else compared.settings,
        # Who goes unnamed must not be found in here either.
        _compared=None if anonymous else compared,
        _catalog=fit.catalog,
    )


def _ids_of(compared: Compared) -> IdMap:
    return compared.ratings.users if compared.settings.side == "users" else compared.ratings.items


def _table(fit: Fit, account: Account, *, is_unnamed: bool) -> Table:
    """Return who contributes, larger absolute share first."""
    order = np.argsort(-np.abs(account.share), kind="stable")  # without shares: as they are
    who, similarity = account.who[order], account.similarity[order]
    columns: dict[str, Any] = {}
    if account.of == "users":
        # With somebody folded in, codes are those of the ratings with them.
        ids = fit.ratings.users if account.compared is None else account.compared.ratings.users
        columns["neighbor"] = pa.nulls(len(who), ids.ids.type) if is_unnamed else ids.take(who)
    else:
        columns["item_id"] = fit.ratings.items.take(who)
        if fit.titles is not None:
            columns["title"] = pc.take(fit.titles, pa.array(who))
    nobody = np.isnan(similarity)
    columns["similarity"] = pa.array(similarity, mask=nobody)
    columns["n_common"] = pa.array(account.n_common[order], mask=account.n_common[order] == 0)
    rating = account.rating[order]
    columns["rating"] = pa.array(rating, mask=np.isnan(rating))  # who did not rate it may say something too
    columns["share"] = pa.array(account.share[order], mask=np.isnan(account.share[order]))
    return Table(pa.table(columns))
