"""An explanation in words: a sentence or two, one screen of text, or HTML with bars."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from corated.ratings.ids import Id, quote_id

if TYPE_CHECKING:
    from corated.models.explain import Explanation

__all__ = ["Person", "amount", "as_html", "as_text", "counted", "item_name", "joined", "sentence_of"]

_BAR = 100
_UNNAMED = "a user like you"
_NUMBERS = ("similarity", "n_common", "rating", "share")


class Person:
    """Whom a sentence is about: ``user 2``, ``this user``, or ``you``."""

    def __init__(self, user_id: Id | None, *, is_you: bool = False) -> None:
        self.is_you = is_you
        self.who = "you" if is_you else "this user" if user_id is None else f"user {_id(user_id)}"
        self.whose = "your" if is_you else f"{self.who}'s"
        self.Who = self.who[0].upper() + self.who[1:]

    def does(self, verb: str) -> str:
        """Return a verb after the person: ``likes``, or ``like`` after ``you``."""
        one = {"have": "has"}.get(verb, f"{verb}s")
        return verb if self.is_you else one

    def neighbors(self, many: int) -> str:
        """Say how many neighbors."""
        if self.is_you:
            return f"{many:,} user like you" if many == 1 else f"{many:,} users like you"
        return f"{counted(many, 'neighbor')} of {self.who}"


def _printable(given: str) -> str:
    """Return text on one line that does not speak to the terminal."""
    return given if given.isprintable() else "".join(sign if sign.isprintable() else " " for sign in given)


def _id(id: Id) -> str:
    return _printable(quote_id(id))


def item_name(id: Id, title: str | None) -> str:
    """Name an item: its title in quotes, or its id."""
    return f"item {_id(id)}" if title is None else f"“{_printable(title)}”"


def counted(many: int, noun: str) -> str:
    """Write a number of things: ``1 item``, ``2 items``."""
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"


def amount(value: float) -> str:
    """Write a number to four digits."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Join words with commas and an ``and``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


# -- sentences --------------------------------------------------------------------------------------


def sentence_of(e: Explanation) -> str:
    """Return the explanation in one sentence or two."""
    person, item = Person(e.user_id, is_you=e.anonymous), item_name(e.item_id, e.title)
    if e.reason:
        why = f"{item[0].upper()}{item[1:]} has no score for {person.who}. {e.reason}"
        return f"{why} {_place(e, person)}" if e.seen else why
    rows = e.contributions.to_arrow()
    if not rows.num_rows:
        said = _of_terms(e, person, item)
    elif e.of == "users":
        said = _of_users(e, person, item)
    else:
        said = _of_items(e, person, item)
    return f"{said[0].upper()}{said[1:]} {_place(e, person)}".rstrip()


def _place(e: Explanation, person: Person) -> str:
    if e.seen:
        return f"{person.Who} {person.does('have')} rated it already, so it is not recommended."
    return "" if e.rank is None else f"That makes it number {e.rank:,} in {person.whose} list."


def _of_terms(e: Explanation, person: Person, item: str) -> str:
    """Say of a score that nobody contributes to."""
    assert e.score is not None
    if e.source == "popularity":
        return f"{item} is popular: everyone's likes of it add up to {amount(e.score)}, for whomever asks."
    if e.source == "everyone":
        few = "users like you" if person.is_you else f"neighbors of {person.who}"
        return f"too few {few} speak for {item}, and everyone's likes of it add {amount(e.score)}."
    terms = joined([f"{name} {amount(value)}" for name, value in e.base]) if e.base else "nothing else"
    alone = "means alone" if e.source == "bias" else e.source
    return f"{item} has {amount(e.score)} for {person.who}, by {alone}: {terms}."


def _of_users(e: Explanation, person: Person, item: str) -> str:
    rows, rule = e.contributions.to_arrow(), _rule(e)
    many = rows.num_rows
    neighbors, total = person.neighbors(many), _total(e)
    if not rule:
        assert e.score is not None
        terms = joined([f"{name} {amount(value)}" for name, value in e.base])
        if person.is_you:
            terms = terms.replace("the user's", "your").replace("the user above", "you above")
        others = "1 other user" if many == 1 else f"{many:,} other users"
        start = f"{item} has {amount(e.score)} for {person.who}: {terms}"
        return f"{start}, and what {others} rated adds {amount(total)}."
    if rule == "closest":
        first = _UNNAMED if e.anonymous else f"user {_id(rows.column(0)[0].as_py())}"
        rated = f"{item} is liked by {first}, who rated it {amount(rows.column('rating')[0].as_py())}"
        if many == 1:
            return f"{rated}{'' if e.anonymous else f', a neighbor of {person.who}'}."
        return f"{rated}: the closest of {neighbors} who like it."
    if rule == "mean":
        return _of_mean(e, person, item, f"{neighbors} who rated it", f"what {neighbors} rated it")
    if rule == "votes":
        by_age = "" if total == many else f", which count {amount(total)} by their age"
        return f"{item} is liked by {neighbors}{by_age}{_prior(e)}."
    if rule == "sum":
        return (
            f"{item} was rated by {neighbors}; similarity times rating adds up to {amount(total)}{_prior(e)}."
        )
    return f"{item} is liked by {neighbors}, and {_similarities(e, many)} {amount(total)}{_prior(e)}."


def _of_items(e: Explanation, person: Person, item: str) -> str:
    rows, rule = e.contributions.to_pylist(), _rule(e)
    many, total, who = len(rows), _total(e), person.who
    likes, rated = (f"{counted(many, 'item')} that {who} {verb}" for verb in (person.does("like"), "rated"))
    if rule == "closest":
        others = "" if many == 1 else f", and near {counted(many - 1, 'other')}"
        name = item_name(rows[0]["item_id"], rows[0].get("title"))
        return f"{item} is near {name}, which {who} rated {amount(rows[0]['rating'])}{others}."
    if rule == "mean":
        near = f"{counted(many, 'item')} near it that {who} rated"
        own = f"what {who} rated {counted(many, 'item')} near it"
        return _of_mean(e, person, item, near, own)
    lead = _lead(rows, "such as" if rule == "votes" else "most of all")
    if rule == "":
        own = f"{person.whose} ratings of {counted(many, 'item')}"
        return f"what {own} say of {item} adds up to {amount(total)}{lead}{_prior(e)}."
    if rule == "walk":
        return f"walks from {likes} lead to {item}{lead}; what they bring adds up to {amount(total)}."
    if rule == "votes":
        by_age = "" if total == many else f"; they count {amount(total)} by their age"
        return f"{item} is near {likes}{lead}{by_age}{_prior(e)}."
    if rule == "sum":
        return f"{item} is near {rated}{lead}; similarity times rating adds up to {amount(total)}{_prior(e)}."
    return f"{item} is near {likes}{lead}; {_similarities(e, many)} {amount(total)}{_prior(e)}."


def _lead(rows: list[dict[str, Any]], words: str) -> str:
    """Name the item that speaks most for another, if one does."""
    first = max(rows, key=lambda row: row["share"])
    if first["share"] <= 0.0:
        return ""
    name = item_name(first["item_id"], first.get("title"))
    return f": {name}" if len(rows) == 1 else f", {words} {name}"


def _of_mean(e: Explanation, person: Person, item: str, behind: str, rated: str) -> str:
    """Say of a rating that is expected.

    behind : who speaks for it;  rated : what they say
    """
    assert e.score is not None
    total, is_one = _total(e), len(e.contributions) == 1
    start = f"{person.who} would rate {item} {amount(e.score)}"
    if not e.base:
        held = " and held back since they are few" if e._settings and e._settings.support_shrink else ""
        return f"{start}: {rated}, weighted by similarity{held}."
    if e._settings is not None and e._settings.center.name == "zeros":
        base = amount(e.base[0][1])
        adds = f"{behind} {'adds' if is_one else 'add'} {amount(total)}"
        return f"{item} has {amount(e.score)} for {person.who}: {base} where nothing is rated, and {adds}."
    verb = "leave" if abs(total) < 5e-13 else "raise" if total > 0 else "lower"
    by = "" if verb == "leave" else f" by {amount(abs(total))}"
    terms = joined([f"{name} {amount(value)}" for name, value in e.base])
    if len(e.base) == 1:
        terms = f"{e.base[0][0]} is {amount(e.base[0][1])}"
    else:
        terms += f" make {amount(sum(value for _, value in e.base))}"
    if person.is_you:
        terms = terms.replace("the user's", "your").replace("the user above", "you above")
    return f"{start}: {terms}, and {behind} {verb}{'s' if is_one else ''} that{by}."


def _rule(e: Explanation) -> str:
    """Return the rule; "walk" for one over the graph, "" where nothing was compared."""
    if e._settings is None:
        return ""
    return "walk" if e._settings.measure.values == "profiles" else e._settings.rule


def _total(e: Explanation) -> float:
    return float(sum(share or 0.0 for share in e.contributions.to_arrow().column("share").to_pylist()))


def _similarities(e: Explanation, many: int) -> str:
    by_age = "" if e._settings is None or e._settings.half_life is None else ", less for older ratings,"
    return f"the similarity{by_age} is" if many == 1 else f"their similarities{by_age} add up to"


def _prior(e: Explanation) -> str:
    """Say what holds whoever asks."""
    terms = [f"{name} {amount(value)}" for name, value in e.base]
    return f"; to that come {joined(terms)}" if terms else ""


# -- text and HTML ----------------------------------------------------------------------------------


def as_text(e: Explanation) -> str:
    """Return the sentence, the terms, the largest shares, and the sum."""
    lines = [sentence_of(e)]
    if e.base:
        width = max(len(name) for name, _ in e.base)
        lines += ["", *(f"{name.ljust(width)}  {_cell(value)}" for name, value in e.base)]
    names, rows = _shown(e)
    if rows:
        lines += ["", *_aligned(names, rows), *_left(e)]
    return "\n".join([*lines, *(["", total] if (total := _sum_line(e)) else [])])


def as_html(e: Explanation) -> str:
    """Return the same as HTML: everything escaped, bars as SVG, no styles and no scripts."""
    names, rows = _shown(e)
    parts = [f"<p>{html.escape(sentence_of(e))}</p>"]
    if e.base:
        body = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in e.base
        )
        parts.append(f"<table><tbody>{body}</tbody></table>")
    if rows:
        shares = [share or 0.0 for share in e.contributions.to_arrow().column("share").to_pylist()]
        most = max(map(abs, shares), default=0.0)
        head = "".join(f"<th>{html.escape(name)}</th>" for name in (*names, ""))
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
            + f"<td>{_bar(share, most)}</td></tr>"
            for row, share in zip(rows, shares, strict=False)
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    parts += [f"<p>{html.escape(line)}</p>" for line in (*_left(e), _sum_line(e)) if line]
    return f"<div>{''.join(parts)}</div>"


def _bar(share: float, most: float) -> str:
    width = 0.0 if most <= 0.0 else _BAR * abs(share) / most
    color = "#4a7bab" if share >= 0 else "#b5533c"
    drawn = f'<rect width="{width:.0f}" height="10" fill="{color}"/>'
    return f'<svg width="{_BAR}" height="10" aria-hidden="true">{drawn}</svg>'


def _shown(e: Explanation) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the cells of the contributions that are shown."""
    rows = e.contributions.to_arrow()
    names = [
        name
        for name in rows.column_names
        if name not in _NUMBERS or rows.column(name).null_count < rows.num_rows
    ]
    is_unnamed = e.anonymous and e.of == "users"
    return names, [
        [_UNNAMED if is_unnamed and name == "neighbor" else _cell(row[name]) for name in names]
        for row in rows.slice(0, e.most).to_pylist()
    ]


def _aligned(names: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in (names, *rows)) for at in range(len(names))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (names, *rows)
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else _printable(str(value))


def _left(e: Explanation) -> list[str]:
    """Say how many contributions are not shown."""
    left = len(e.contributions) - e.most
    return [f"… and {left:,} more"] if left > 0 else []


def _sum_line(e: Explanation) -> str:
    """Add everything up."""
    if e.reason:
        return ""
    if e.score is None:
        return "No score: the rule ranks by who comes first."
    many = len(e.contributions)
    noun = "item" if e.of == "items" else "user" if e.anonymous else "neighbor"
    terms = [f"{_cell(value)} ({name})" for name, value in e.base]
    if many:
        terms.append(f"{_cell(_total(e))} ({counted(many, noun)})")
    return f"{' + '.join(terms) or '0'} = {_cell(e.score)}"
