"""A diagnosis in words: one screen of text, or HTML, with a picture of the overlaps and what to do next."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from corated.similarity.formulas import FORMULAS
from corated.similarity.measures import MEASURES

if TYPE_CHECKING:
    from corated.neighborhood.diagnose import Diagnosis, Overlaps

__all__ = ["advice", "as_html", "as_text"]

_WIDTH = 100
_HANGING: dict[str, Any] = {"initial_indent": "→ ", "subsequent_indent": "  ", "break_long_words": False}
_BAR = 32
_SHOWN = 10
"""Rows of the picture."""
_MANY = 0.05
"""The share from which on advice says something of it."""


def as_text(found: Diagnosis) -> str:
    """Return one screen."""
    parts = [
        [_title(found)],
        _columns([(_share(count, found.pairs), f"{count:,}", text) for count, text in _pairs(found)]),
        [f"Overlaps of {_the_pairs(found)}:   █ with a value   ░ without", *_picture(found)],
        [_alone_title(found), *(f"  {count:,} {text}" for count, text in _alone(found))],
        _settings(found),
        [line for text in advice(found) for line in textwrap.wrap(text, _WIDTH, **_HANGING)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def as_html(found: Diagnosis) -> str:
    """Return the same as HTML."""
    rows = "".join(
        f"<tr><td>{_share(count, found.pairs)}</td><td>{count:,}</td>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for count, text in _pairs(found)
    )
    most = max((group.pairs for group in found.overlaps), default=1)
    bars = "".join(
        f"<tr><th>{_range(group)}</th><td>{group.pairs:,}</td><td style='text-align:left'>"
        f"{_block(group.with_value, most, '#4a7bab')}"
        f"{_block(group.pairs - group.with_value, most, '#d5dbe1')} "
        f"{_share(group.with_value, group.pairs)}</td></tr>"
        for group in found.overlaps
    )
    alone = "".join(f"<li>{count:,} {html.escape(text)}</li>" for count, text in _alone(found))
    settings = "<br>".join(html.escape(line).replace("  ", "&nbsp; ") for line in _settings(found))
    next_steps = "".join(f"<li>{html.escape(text)}</li>" for text in advice(found))
    return (
        f"<div><p><b>{html.escape(_title(found))}</b></p><table>{rows}</table>"
        f"<p>Overlaps of {html.escape(_the_pairs(found))}, dark with a value:</p><table>{bars}</table>"
        f"<p>{html.escape(_alone_title(found))}</p><ul>{alone}</ul>"
        f"<p style='font-family:monospace'>{settings}</p><ul>{next_steps}</ul></div>"
    )


def _block(count: int, most: int, color: str) -> str:
    width = 200 * count / most
    return (
        f"<div style='width:{width:.0f}px;height:0.8em;display:inline-block;background:{color}'></div>"
        if width >= 0.5
        else ""
    )


# -- pairs ----------------------------------------------------------------------------------------


def _title(found: Diagnosis) -> str:
    return f"{found.measure} of {found.n:,} {found.of}, min_common={found.min_common}: {found.pairs:,} pairs"


def _nouns(found: Diagnosis) -> tuple[str, str]:
    return ("user", "item") if found.of == "users" else ("item", "user")


def _the_pairs(found: Diagnosis) -> str:
    return f"the {found.sharing:,} pairs that share {_some(_nouns(found)[1])}"


def _some(noun: str) -> str:
    return f"an {noun}" if noun == "item" else f"a {noun}"


def _pairs(found: Diagnosis) -> list[tuple[int, str]]:
    """Return (pairs, what of them), each pair in one line; reasons that do not occur are left out."""
    rows = [(count, _why(found, reason)) for reason, count in found.reasons.items() if count]
    value = "have a value"
    if found.one_way:
        value += f", {found.one_way:,} of them for one of the two only"
    return [*rows, (found.with_value, value)]


def _why(found: Diagnosis, reason: str) -> str:
    """Say a reason of pairs after their number."""
    one, other = _nouns(found)
    some = _some(one)
    return {
        "no_common": f"have no {other} in common",
        "too_few": f"have fewer {other}s in common than min_common={found.min_common}",
        "one_common": f"have one {other} in common, and one rating has no variance",
        "too_few_for_measure": f"have fewer {other}s in common than {found.measure} needs, {found.needs}",
        "flat_profile": f"have {some} whose ratings are all equal, so nothing varies",
        "flat": "are flat: all ratings in common of one of the two are equal",
        "zero_profile": f"have {some} whose ratings all count as 0",
        "zero_norm": "have a norm of 0: all ratings in common of one count as 0",
        "undefined": "are undefined: the measure gave NaN",
    }[reason]


def _share(part: int, whole: int) -> str:
    """Return a percentage that is 0 or 100 only where it is."""
    if not whole or part in (0, whole):
        return "100 %" if whole and part else "0 %"
    percent = min(max(100 * part / whole, 0.01), 99.99)
    return f"{percent:.2f} %" if percent < 0.1 or percent > 99.9 else f"{percent:.1f} %"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Align all columns but the last to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    return [
        "  " + "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


# -- overlaps -------------------------------------------------------------------------------------


def _range(group: Overlaps) -> str:
    return f"{group.low:,}" if group.low == group.high else f"{group.low:,}–{group.high:,}"


def _picture(found: Diagnosis) -> list[str]:
    """Draw a bar for each group, as long as its pairs are many, and filled as far as they have a value."""
    groups = list(found.overlaps)
    if not groups:
        return []
    most = max(group.pairs for group in groups)
    rows = []
    for group in groups[:_SHOWN]:
        length = max(1, round(_BAR * group.pairs / most)) if group.pairs else 0
        filled = _filled(group, length)
        share = f"{_share(group.with_value, group.pairs)} with a value" if group.pairs else ""
        rows.append((_range(group), f"{group.pairs:,}", share, "█" * filled + "░" * (length - filled)))
    if len(groups) > _SHOWN:
        rest, valued = (
            sum(getattr(group, name) for group in groups[_SHOWN:]) for name in ("pairs", "with_value")
        )
        rows.append((f"{groups[_SHOWN].low:,}+", f"{rest:,}", f"{_share(valued, rest)} with a value", ""))
    return [line.rstrip() for line in _columns(rows)]


def _filled(group: Overlaps, length: int) -> int:
    """Return how much of a bar is filled: all or nothing only where that is so, if the bar has room."""
    filled = round(length * group.with_value / group.pairs) if group.pairs else 0
    if length > 1 and 0 < group.with_value < group.pairs:
        filled = min(max(filled, 1), length - 1)
    return filled


# -- subjects -------------------------------------------------------------------------------------


def _alone_title(found: Diagnosis) -> str:
    count = len(found.alone)
    if not count:
        return f"Every one of the {found.n:,} {found.of} has a neighbor."
    who = _nouns(found)[0] + (" has" if count == 1 else "s have")
    return f"{count:,} {who} no neighbor ({_share(count, found.n)} of {found.n:,}):"


def _alone(found: Diagnosis) -> list[tuple[int, str]]:
    """Return (subjects, why they have no neighbor), most first."""
    _, other = _nouns(found)
    needed = max(found.min_common, found.needs)
    rows = []
    for reason, count in found.alone_by_reason.items():
        has, shares = ("has", "shares") if count == 1 else ("have", "share")
        few = "one rating only" if needed == 2 else f"fewer than {needed} ratings"
        text = {
            "too_few_ratings": f"{has} {few}",
            "flat_profile": f"{has} the same rating throughout",
            "zero_profile": f"{has} ratings that all count as 0",
            "no_common": f"{shares} no {other} with anyone",
            "too_few_common": f"never {shares} {needed} {other}s with anyone",
            "no_value": f"{shares} enough, but none of these pairs has a value",
        }[reason]
        rows.append((count, text))
    return rows


# -- what else ------------------------------------------------------------------------------------


def _settings(found: Diagnosis) -> list[str]:
    """Return a table of other settings; their names come last, since the command line writes them longer."""
    rows = [("pairs with a value", f"{found.of} without a neighbor", "")]
    for row in (*found.by_min_common, *found.by_measure):
        is_same = row.measure == found.measure
        name = f"min_common={row.min_common}" if is_same else f'measure="{row.measure}"'
        if is_same and row.min_common == found.min_common:
            name += " (as asked)"
        pairs = f"{row.with_value:,}  {_share(row.with_value, found.sharing):>7}"
        users = f"{row.without_neighbor:,}  {_share(row.without_neighbor, found.n):>7}"
        rows.append((pairs, users, name))
    return [line.rstrip() for line in _columns(rows)]


def advice(found: Diagnosis) -> list[str]:
    """Say what to do next, at most three things."""
    one, other = _nouns(found)
    if not found.sharing:
        return [
            f"No two {one}s share {'an' if other == 'item' else 'a'} {other}: no measure can compare them."
        ]
    texts = [*_on_correlation(found)] if _is_correlation(found) else []
    if _of(found, 1) / found.sharing > _MANY:
        texts.append(
            f"{_share(_of(found, 1), found.sharing)} of the pairs that share anything have a value from one "
            f"{other}, which says little of two {one}s: {_ask_for_more(found)}."
        )
    for row in found.by_min_common:
        spared = len(found.alone) - row.without_neighbor
        if row.min_common in (2, 3, 5) and row.min_common < found.min_common and spared / found.n > _MANY:
            texts.append(f"min_common={row.min_common} gives {spared:,} more {one}s a neighbor.")
            break
    return texts[:3]


def _on_correlation(found: Diagnosis) -> Iterator[str]:
    """Say what a correlation cannot do, and what can."""
    _, other = _nouns(found)
    few = found.reasons.get("one_common", 0)
    flat = found.reasons.get("flat", 0) + found.reasons.get("flat_profile", 0)
    two = _of(found, 2)
    if few / found.sharing > _MANY:
        yield (
            f"{_share(few, found.sharing)} of the pairs that share anything share one {other}. A correlation "
            f"compares deviations from a mean, and one rating has none: it takes another measure."
        )
    if two / found.sharing > _MANY / 5 and "shrink" not in found.measure and "adjust" not in found.measure:
        yield (
            f"{two:,} values rest on 2 {other}s. Two points always lie on a line, so they are +1 or −1 "
            f"whatever was rated: {_ask_for_more(found)}."
        )
    if flat / found.sharing > _MANY or "flat_profile" in found.alone_by_reason:
        yield (
            "Where ratings are all equal there is nothing to correlate. A measure that reads the ratings "
            'themselves, such as measure="euclidean", has a value for every pair that shares anything.'
        )


def _ask_for_more(found: Diagnosis) -> str:
    """Name the next step for thin pairs, and its price."""
    more = "ask for more with min_common=3"
    left = next(row.without_neighbor for row in found.by_min_common if row.min_common == 3)
    return f"{more}, which leaves {left:,} {found.of} without a neighbor" if left > len(found.alone) else more


def _is_correlation(found: Diagnosis) -> bool:
    kind = MEASURES.get(found.measure.partition("(")[0])
    return kind is not None and kind.formula is FORMULAS["pearson"]


def _of(found: Diagnosis, n: int) -> int:
    """Return how many values rest on n ratings in common."""
    return sum(group.with_value for group in found.overlaps if (group.low, group.high) == (n, n))
