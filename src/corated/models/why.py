"""Why an item is not on a user's list, and which of the user's ratings put one there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corated.errors import ParameterError
from corated.models._explain_text import Person, amount, counted, item_name, joined
from corated.models.explain import Asked, Case, Place, case_of, place_of, placed, strict, title_of
from corated.models.filters import Filters, check_filters, request_of
from corated.models.request import Request
from corated.models.rerank import answered
from corated.neighborhood.engine import check_count
from corated.ratings.ids import Id
from corated.tables import Table

if TYPE_CHECKING:
    from corated.models.answers import Answer
    from corated.models.base import Fit, Run

__all__ = ["Status", "WhatIf", "WhyNot", "what_if", "why_not"]

Int64s = npt.NDArray[np.int64]
Status = Literal["listed", "seen", "filtered", "no_score", "below"]
_BARRING = ("items", "exclude", "genres", "years")


# -- why not ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class WhyNot:
    """Why an item is not among the n that are recommended to a user, under some filters.

    Attributes
    ----------
    user_id, item_id, title, n : what was asked
    status : "listed" (it is among them), "seen" (the user has rated it), "filtered", "no_score" (nothing
        speaks for it, or too little), "below" (others come before it); the first of these that holds
    filters : the names of the filters that leave it out
    rank : its place in the user's whole list under these filters, from 1; None where it is not in it
    score : what it has, or would have if it were not left out; None where there is none
    last_score : of the last of those recommended; None where nothing is recommended, or has no score
    lacks : last_score − score; None where one is missing or they come from different sources
    sentence : all this in words
    """

    user_id: Id | None
    item_id: Id
    title: str | None
    n: int
    status: Status
    filters: tuple[str, ...]
    rank: int | None
    score: float | None
    last_score: float | None
    lacks: float | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries, lists, text and numbers that JSON can carry."""
        given = {name: strict(value) for name, value in vars(self).items()}
        return {**given, "filters": list(self.filters)}

    def __str__(self) -> str:
        return self.sentence

    __repr__ = __str__


def why_not(fit: Fit, asked: Asked, filters: Filters, run: Run) -> WhyNot:
    """Say why a pair is not recommended; see `Recommender.why_not`."""
    if asked.history is not None and isinstance(filters.get("exclude"), Mapping):
        raise ParameterError("exclude names users, and a history is one user's.", hint="give item ids alone")
    case, filters = case_of(fit, asked, run), check_filters(filters)
    request, diversity = request_of(fit.ratings, fit.catalog, case.request().codes, case.n, filters)
    listed = answered(case.part, request, diversity, fit, run.quietly())
    at = np.flatnonzero(listed.lists.item[: int(listed.lists.size[0])] == case.item)
    last = _place(listed, int(listed.lists.size[0]) - 1)
    if len(at):
        return _said(case, "listed", _place(listed, int(at[0])), last)
    account = case.part.account(case.user, case.item, case.n, run.quietly())
    would = Place(0, None if np.isnan(account.score) else account.score, 0, account.source)
    if request.exclude_seen and case.seen:
        return _said(case, "seen", would, last)
    barring = tuple(name for name in _BARRING if name in filters and _bars(case, name, filters))
    if barring:
        return _said(case, "filtered", would, last, filters=barring)
    free = placed(case.part, replace(request, min_support=0), case.item, fit.ratings.n_items, run)
    if free is None:
        return _said(case, "no_score", would, last, reason=account.reason)
    if free.support < request.min_support:
        return _said(case, "filtered", replace(free, rank=0), last, filters=("min_support",))
    place = placed(case.part, request, case.item, fit.ratings.n_items, run)
    assert place is not None
    return _said(case, "below", place, last, is_varied=diversity > 0.0)


def _place(answer: Answer, place: int) -> Place | None:
    if place < 0:
        return None
    return place_of(answer, place)


def _bars(case: Case, name: str, filters: Filters) -> bool:
    """Whether a filter alone leaves the item out."""
    fit, only = case.fit, check_filters({name: filters[name]})  # type: ignore[literal-required]
    request, _ = request_of(fit.ratings, fit.catalog, case.request().codes, case.n, only)
    is_barred = request.barred is not None and bool(request.barred[case.item])
    return is_barred or (request.left_out is not None and case.item in request.left_out.items)


def _said(
    case: Case,
    status: Status,
    place: Place | None,
    last: Place | None,
    *,
    filters: tuple[str, ...] = (),
    reason: str = "",
    is_varied: bool = False,
) -> WhyNot:
    """Put a finding together, and in words."""
    assert place is not None
    score, last_score = place.score, None if last is None else last.score
    same = last is not None and last.source == place.source and None not in (score, last_score)
    lacks = last_score - score if same and score is not None and last_score is not None else None
    person, item = Person(case.profile.id), item_name(case.item_id, case.title)
    item = f"{item[0].upper()}{item[1:]}"
    if status == "listed":
        sentence = f"{item} is recommended to {person.who}, as number {place.rank:,} of {case.n:,}."
    elif status == "seen":
        would = "" if score is None else f" Otherwise its score would be {amount(score)}."
        sentence = f"{person.Who} has rated {item_name(case.item_id, case.title)} already.{would}"
    elif status == "filtered":
        sentence = f"{item} is left out by {joined([f'{name}=' for name in filters])}."
    elif status == "no_score":
        sentence = f"{item} is no candidate for {person.who}. {reason}".rstrip()
    else:
        sentence = _below(case, place, last, lacks, is_varied)
    return WhyNot(
        user_id=case.user_id,
        item_id=case.item_id,
        title=case.title,
        n=case.n,
        status=status,
        filters=filters,
        rank=place.rank or None,
        score=score,
        last_score=last_score,
        lacks=lacks,
        sentence=sentence,
    )


def _below(case: Case, place: Place, last: Place | None, lacks: float | None, is_varied: bool) -> str:
    """Say how far behind an item is."""
    person, item = Person(case.profile.id), item_name(case.item_id, case.title)
    start = f"{item[0].upper()}{item[1:]} is number {place.rank:,} in the list of {person.who}"
    if is_varied:
        return f"{start} by score, and diversity= put others before it."
    if last is None or place.score is None or last.score is None:
        return f"{start}, and {case.n:,} are recommended."
    if lacks is None:
        return f"{start}: it comes from {place.source}, and all {case.n:,} from what is preferred to that."
    if lacks == 0.0:
        return (
            f"{start}, with the same score as number {last.rank:,}, {amount(last.score)}: "
            f"more support and smaller ids come first."
        )
    return (
        f"{start}: its score is {amount(place.score)}, and number {last.rank:,} has {amount(last.score)}, "
        f"{amount(lacks)} more."
    )


# -- what if ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What becomes of a recommended item if the user had not rated this or that.

    Attributes
    ----------
    user_id, item_id, title, n : what was asked
    rank : the item's place in the list as it is
    ratings : a table with a row for each of the user's ratings, by item id: ``item_id``, with a catalog
        ``title``, ``rating``, and what is so without it: ``rank`` (null for no candidate), ``score`` (null
        where there is none), ``listed``
    removes : the items whose rating alone, if it were gone, takes the item off the list
    together : where none does, and ``most`` allows it: items whose ratings do so together
    sentence : all this in words
    """

    user_id: Id | None
    item_id: Id
    title: str | None
    n: int
    rank: int
    ratings: Table
    removes: tuple[Id, ...]
    together: tuple[Id, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries, lists, text and numbers that JSON can carry."""
        rows = [{name: strict(value) for name, value in row.items()} for row in self.ratings]
        lists = {"ratings": rows, "removes": list(self.removes), "together": list(self.together)}
        return {**vars(self), **lists}

    def __str__(self) -> str:
        return f"{self.sentence}\n\n{self.ratings}"

    __repr__ = __str__


@dataclass
class _Trial:
    """Takes ratings out and looks where the item is then."""

    case: Case
    run: Run
    total: int
    done: int = 0
    found: dict[tuple[int, ...], Place | None] = field(default_factory=dict)

    def without(self, places: Sequence[int]) -> Place | None:
        """Return the item's place without some ratings; those items are no candidates for all that."""
        key = tuple(sorted(places))
        if key not in self.found:
            self.run.look()
            case, out = self.case, np.array(key, dtype=np.int64)
            folded = case.fit.part.fold_in(case.profile.without(out), self.run.quietly())
            barred = np.zeros(case.fit.ratings.n_items, dtype=np.bool_)
            barred[case.profile.items[out]] = True
            codes = np.array([folded.code], dtype=np.int64)
            request = Request(codes, case.n, barred=barred if len(out) else None)
            self.found[key] = placed(folded.part, request, case.item, len(barred), self.run)
            self.done += 1
            self.run.progress(min(self.done, self.total), self.total)
        return self.found[key]

    def is_off(self, place: Place | None) -> bool:
        """Whether an item of this place is not on the list."""
        return place is None or place.rank > self.case.n


def what_if(fit: Fit, asked: Asked, run: Run, *, most: int) -> WhatIf:
    """Take out ratings of a user, each alone; see `Recommender.what_if`."""
    most, case = check_count("most", most), case_of(fit, asked, run)
    now = None if case.seen else placed(case.part, case.request(), case.item, fit.ratings.n_items, run)
    if now is None or now.rank > case.n:
        item, person = item_name(case.item_id, case.title), Person(case.profile.id)
        raise ParameterError(
            f"{item[0].upper()}{item[1:]} is not among the {case.n:,} recommended to {person.who}.",
            expected="an item that is",
            hint="ask why_not for the reason",
        )
    many = len(case.profile.items)
    trial = _Trial(case, run, many)
    run.progress(0, many)
    places = [trial.without([at]) for at in range(many)]
    removes = [at for at in range(many) if trial.is_off(places[at])]
    together = [] if removes else _together(trial, places, most)
    run.progress(trial.total, trial.total)
    ids = fit.ratings.items.take(case.profile.items).to_pylist()
    return WhatIf(
        user_id=case.user_id,
        item_id=case.item_id,
        title=case.title,
        n=case.n,
        rank=now.rank,
        ratings=_table(case, places),
        removes=tuple(ids[at] for at in removes),
        together=tuple(ids[at] for at in together),
        sentence=_conclusion(case, now, places, removes, together),
    )


def _together(trial: _Trial, places: list[Place | None], most: int) -> list[int]:
    """Take ratings out one after another, each time the one that leaves the item lowest, till it is off."""
    many = len(places)
    out: list[int] = []
    trial.total = many + sum(max(many - size, 0) for size in range(1, most))
    while len(out) < min(most, many):
        left = [at for at in range(many) if at not in out]
        out.append(min(left, key=lambda at: (*_height(trial.without([*out, at])), at)))
        if trial.is_off(trial.without(out)):
            return sorted(out)
    return []


def _height(place: Place | None) -> tuple[float, float]:
    """Return what is smaller for an item that stands lower."""
    if place is None:
        return -np.inf, 0.0
    return -float(place.rank), 0.0 if place.score is None else place.score


def _table(case: Case, places: list[Place | None]) -> Table:
    fit, items = case.fit, case.profile.items
    columns: dict[str, Any] = {"item_id": fit.ratings.items.take(items)}
    if fit.titles is not None:
        columns["title"] = pc.take(fit.titles, pa.array(items))
    columns["rating"] = pa.array(case.profile.values)
    columns["rank"] = pa.array([None if p is None else p.rank for p in places], pa.int64())
    columns["score"] = pa.array([None if p is None else p.score for p in places], pa.float64())
    columns["listed"] = pa.array([p is not None and p.rank <= case.n for p in places], pa.bool_())
    return Table(pa.table(columns))


def _conclusion(
    case: Case, now: Place, places: list[Place | None], removes: list[int], together: list[int]
) -> str:
    """Say what was found."""
    person, item = Person(case.profile.id), item_name(case.item_id, case.title)
    codes = case.profile.items
    ids = case.fit.ratings.items

    def names(which: list[int], last: str) -> str:
        shown = [item_name(ids.id(int(codes[at])), title_of(case.fit, int(codes[at]))) for at in which[:3]]
        more = [f"{len(which) - 3:,} more"] if len(which) > 3 else []
        return joined([*shown, *more], last)

    off = f", {item} would not be among the {case.n:,} recommended to {person.who}"
    if removes:
        return f"Without the rating of {names(removes, 'or')}{off}."
    if together:
        return f"Without the ratings of {names(together, 'and')} together{off}; no single one does that."
    at_place = f"number {now.rank:,} in the list of {person.who}"
    same = [place is not None and place.rank == now.rank for place in places]
    scores = [place is not None and _is_close(place.score, now.score) for place in places]
    if all(same) and (all(scores) or now.source == "bias"):
        why = f": {now.source} ranks for everyone alike" if now.source in ("popularity", "bias") else ""
        return f"Nothing that {person.who} rated plays a part in {item} being {at_place}{why}."
    if all(same):
        return f"No single rating changes that {item} is {at_place}."
    lowest = min(range(len(places)), key=lambda at: (*_height(places[at]), at))
    found = places[lowest]
    assert found is not None
    if len(places) == 1:
        return (
            f"Without the only rating, that of {names([0], 'or')}, {item} would still be in the list of "
            f"{person.who}, as number {found.rank:,} instead of {now.rank:,}."
        )
    return (
        f"None of the {counted(len(places), 'rating')} alone takes {item} off the list of {person.who}; "
        f"without that of {names([lowest], 'or')} it would be number {found.rank:,} instead of {now.rank:,}."
    )


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-9 * max(1.0, abs(other))
