"""The data report as one screen of text, and as HTML."""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING

from corated.ratings.notices import brief
from corated.ratings.sources import counted

if TYPE_CHECKING:
    from corated.ratings.check import Bin, Heavy, Report

__all__ = ["as_html", "as_text"]

_WIDTH = 80
_LINES = 24
_LABEL = 12
_BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 11


def as_text(report: Report, *, more: str = ": see .warnings and .notices") -> str:
    """Return the report in at most 24 lines of 80 columns.

    What does not fit is counted, and `more` says where to find it.
    """
    lines = [_title(report)]
    for label, value in _facts(report):
        lines += _entry(label, value)
    at = 1 + next(at for at, line in enumerate(lines) if line.startswith("scale"))
    lines[at:at] = _histogram(report)
    notes = [_wrapped("! ", f"{found.message} {found.hint}", 3) for found in report.warnings]
    for text in report.notices:
        short = brief(text)
        if short is not None:
            notes.append(_wrapped("· ", short, 1))
        elif text not in report.duplicates:  # which have a line of their own
            notes.append(_wrapped("· ", text, 3))
    return "\n".join(lines + _fitting(notes, _LINES - len(lines), more))


def _title(report: Report) -> str:
    ratings, users = counted(report.n_ratings, "rating"), counted(report.n_users, "user")
    return f"{ratings} by {users} of {counted(report.n_items, 'item')}"


def _facts(report: Report) -> list[tuple[str, str]]:
    """Return the facts as (label, text), in their order on the screen."""
    scale = report.scale
    if scale is None:
        levels = f"none: {report.levels_used:,} values from {report.lowest:.6g} to {report.highest:.6g}"
    else:
        used = f"{report.levels_used} of {counted(scale.levels, 'level')} used"
        levels = f"{scale.low:g} to {scale.high:g} by {scale.step:g}, {used}"
    titled = "" if report.titled_items is None else f"; {_part(report.titled_items, report.n_items)} titled"
    facts = [
        ("density", f"{report.density:.3%}; ids: users {report.user_ids}, items {report.item_ids}"),
        ("scale", f"{levels}, mean {_mean(report.mean)}"),
        ("duplicates", report.duplicates),
        (
            "users",
            f"{_median(report.median_per_user)}; "
            f"{_part(report.users_with_2_or_fewer, report.n_users, 'has', 'have')} 2 or fewer",
        ),
        (
            "flat raters",
            f"{_part(report.flat_users, report.users_with_2_or_more)} of those with 2 or more ratings "
            f"gave one value",
        ),
        (
            "items",
            f"{_median(report.median_per_item)}; "
            f"{_part(report.items_with_1, report.n_items, 'has', 'have')} 1{titled}",
        ),
        (
            "reach",
            f"{_part(report.users_in_reach, report.n_users, 'user shares', 'users share')} "
            f"an item with another user",
        ),
        ("most by", ", ".join(_name(heavy) for heavy in report.heaviest_users)),
        ("most for", ", ".join(_name(heavy) for heavy in report.heaviest_items)),
        (
            "pair events",
            f"user-user Σ c_i² = {report.user_pair_events:,}, item-item Σ c_u² = {report.item_pair_events:,}",
        ),
    ]
    if report.first_time is not None and report.last_time is not None:
        facts.append(("times", f"{report.first_time} to {report.last_time}"))
    return facts


def _part(part: int, whole: int, one: str = "", many: str = "") -> str:
    """Return a count and its share, with the words that follow one and those that follow several."""
    return f"{part:,} ({part / whole if whole else 0:.1%}) {one if part == 1 else many}".rstrip()


def _median(ratings: float) -> str:
    return f"median {ratings:g} rating{'' if ratings == 1 else 's'}"


def _mean(mean: float) -> str:
    return f"{mean:.2f}" if abs(mean) < 1e9 else f"{mean:.6g}"


def _name(heavy: Heavy) -> str:
    text = " ".join(str(heavy.title if heavy.title is not None else heavy.id).split()) or '""'
    # A no-break space, as a line should not end inside a title.
    return f"{text if len(text) <= 24 else text[:23] + '…'} ({heavy.count:,})".replace(" ", "\xa0")


def _entry(label: str, value: str) -> list[str]:
    """Return a labelled value on at most two lines."""
    return _wrapped(label.ljust(_LABEL), value, 2)


def _wrapped(start: str, value: str, most: int) -> list[str]:
    """Wrap a text after its start, cut at `most` lines; wide letters count twice."""
    # textwrap counts characters, so texts with wide ones get narrower lines.
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in value)
    width = _WIDTH - (len(start) + min(wide, 30))
    lines = textwrap.wrap(value, width, max_lines=most, placeholder=" …") or [""]
    lines = [line.replace("\xa0", " ") for line in lines]
    return [(start if at == 0 else " " * len(start)) + line for at, line in enumerate(lines)]


def _fitting(notes: list[list[str]], room: int, more: str) -> list[str]:
    """Return as many notes as fit, and the number of those that do not."""
    lines: list[str] = []
    for at, wrapped in enumerate(notes):
        is_last = at == len(notes) - 1
        if at and len(lines) + len(wrapped) + (not is_last) > room:
            lines.append(f"… and {len(notes) - at} more{more}")
            break
        lines += wrapped
    return lines


def _histogram(report: Report) -> list[str]:
    """Return bars of two rows, the levels or bins below, and their shares."""
    bins = _columns(report.histogram)
    if len(bins) < 2:
        return []
    most = max(count for _, count in bins)
    heights = [max(1, round(16 * count / most)) if count else 0 for _, count in bins]
    cells = [
        [_BARS[min(max(height - 8, 0), 8)] * 3 for height in heights],
        [_BARS[min(height, 8)] * 3 for height in heights],
        [label for label, _ in bins],
        [f"{count / report.n_ratings:.1%}" for _, count in bins],
    ]
    return [(" " * _LABEL + "".join(cell.ljust(6) for cell in row)).rstrip() for row in cells]


def _columns(bins: tuple[Bin, ...]) -> list[tuple[str, int]]:
    """Return labels and counts for at most 11 columns, neighboring bins taken together."""
    step = -(-len(bins) // _COLUMNS)
    groups = [bins[at : at + step] for at in range(0, len(bins), step)]
    return [(_short(group[0].low), sum(part.count for part in group)) for group in groups]


def _short(number: float) -> str:
    """Render a number in at most five signs (six for a negative like -1e300)."""
    text = f"{number:.4g}"
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{number:.0e}") if "e" in text else text[:5]


def as_html(report: Report) -> str:
    """Return the report as HTML; everything that came with the data is escaped."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for label, value in _facts(report)
    )
    most = max(part.count for part in report.histogram) or 1
    bars = "".join(
        f"<tr><th>{part.low:g}{'' if part.low == part.high else f' – {part.high:g}'}</th>"
        f"<td style='text-align:left'><div style='width:{200 * part.count / most:.0f}px;height:0.8em;"
        f"display:inline-block;background:#4a7bab'></div> {part.count:,}</td></tr>"
        for part in report.histogram
    )
    notes = "".join(
        f"<li><b>{html.escape(found.message)}</b> {html.escape(found.hint)}</li>" for found in report.warnings
    ) + "".join(f"<li>{html.escape(text)}</li>" for text in report.notices)
    return (
        f"<div><p><b>{_title(report)}</b></p><table>{rows}</table><table>{bars}</table>"
        + (f"<ul>{notes}</ul>" if notes else "")
        + "</div>"
    )
