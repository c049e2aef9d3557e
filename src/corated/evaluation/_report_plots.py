"""Charts of the report: SVG text of a few shapes, to be read on a phone and by a screen reader alike.

Charts are drawn 360 units wide, so that their letters are of readable size where the screen is no wider.
Colors are those of the page. Names come escaped by `text`; nothing else from outside gets into the markup.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from corated.evaluation._words import number, shown

__all__ = ["Bar", "Interval", "Point", "bars", "fitting", "intervals", "scatter", "text"]

WIDTH = 360
_LEFT, _RIGHT = 46, 12


@dataclass(frozen=True)
class Interval:
    """A model's difference to the reference, with its interval."""

    key: int
    name: str
    value: float
    low: float
    high: float
    baseline: bool


@dataclass(frozen=True)
class Point:
    """A model at two values."""

    key: int
    name: str
    x: float
    y: float
    baseline: bool


@dataclass(frozen=True)
class Bar:
    """A model's value in a stratum; None where it has none."""

    key: int
    name: str
    value: float | None
    baseline: bool


def text(value: str) -> str:
    """Return text for markup: inert, on one line, in its own direction."""
    return html.escape(shown(value), quote=True)


def fitting(value: str, room: float) -> str:
    """Return text, cut where it would be wider than there is room, as far as letters tell."""
    clean, used = shown(value), 0.0
    for at, letter in enumerate(clean):
        used += _wide(letter)
        if used > room:
            return clean[: max(at - 1, 1)] + "…"
    return clean


def _wide(letter: str) -> float:
    """Return about how wide a letter of 12 units is, rather too wide than not."""
    if unicodedata.east_asian_width(letter) in "WF":
        return 12.5
    if letter in "mwMW@%&—…":
        return 12.0
    return 9.0 if letter.isupper() else 6.9


def intervals(id: str, title: str, rows: Sequence[Interval], reference: str) -> str:
    """Draw differences with their intervals, one below another, around the reference at 0."""
    low, high = min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows))
    pad = 0.06 * (high - low) or 1.0
    low, high, ticks = low - pad, high + pad, _ticks(low, high)
    left, right, step, top = 12, WIDTH - 12, 36, 10
    bottom = top + step * len(rows) + 4

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    parts = [_line(x(tick), top, x(tick), bottom, "zero" if tick == 0.0 else "grid") for tick in ticks]
    for at, row in enumerate(rows):
        y, kind = top + step * at + 24, "base" if row.baseline else "mark"
        parts.append(_words(left, y - 12, fitting(f"{row.key}. {row.name}", right - left)))
        parts.append(_line(x(row.low), y, x(row.high), y, f"range {kind}"))
        parts += [_line(x(end), y - 4, x(end), y + 4, f"range {kind}") for end in (row.low, row.high)]
        tip = f"{row.name}: {row.value:+.4f}, from {row.low:+.4f} to {row.high:+.4f}"
        parts.append(
            f'<circle class="dot {kind}" cx="{x(row.value):.1f}" cy="{y}" r="4.5">{_tip(tip)}</circle>'
        )
    parts += [_words(x(tick), bottom + 14, _short(tick, sign=True), "tick", "middle") for tick in ticks]
    told = "; ".join(
        f"{row.key}. {row.name}: {row.value:+.4f}, interval from {row.low:+.4f} to {row.high:+.4f}"
        for row in rows
    )
    about = f"Difference of each model to {reference}, which is 0, with 95 % intervals. {told}."
    return _svg(id, title, about, bottom + 22, parts)


def scatter(
    id: str, title: str, points: Sequence[Point], x_label: str, y_label: str, *, log_x: bool = False
) -> str:
    """Draw models as numbered points; with ``log_x`` the x axis goes by powers of ten."""
    height, top, bottom = 268, 22, 226
    xs = [math.log10(max(point.x, 1e-4)) if log_x else point.x for point in points]
    ys = [point.y for point in points]
    x_low, x_high, x_ticks = _axis(min(xs), max(xs), whole=log_x)
    y_low, y_high, y_ticks = _axis(min(0.0, *ys), max(ys))

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _RIGHT - _LEFT) * (value - x_low) / (x_high - x_low)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - y_low) / (y_high - y_low)

    parts = [_line(_LEFT, y(tick), WIDTH - _RIGHT, y(tick), "grid") for tick in y_ticks]
    parts += [_line(x(tick), top, x(tick), bottom, "grid") for tick in x_ticks]
    parts += [_words(_LEFT - 5, y(tick) + 4, _short(tick), "tick", "end") for tick in y_ticks]
    for tick in x_ticks:
        anchor = "end" if x(tick) > WIDTH - _RIGHT - 12 else "middle"
        parts.append(
            _words(x(tick), bottom + 15, _duration(10**tick) if log_x else _short(tick), "tick", anchor)
        )
    parts.append(_words(_LEFT, 12, y_label, "axis"))
    parts.append(_words(WIDTH - _RIGHT, height - 8, x_label, "axis", "end"))
    places = [(x(one), y(point.y)) for one, point in zip(xs, points, strict=True)]
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in places]
    for point, (px, py) in zip(points, places, strict=True):
        kind = "base" if point.baseline else "mark"
        shape = (
            f'<rect class="dot {kind}" x="{px - 4.5:.1f}" y="{py - 4.5:.1f}" width="9" height="9">'
            if point.baseline
            else f'<circle class="dot {kind}" cx="{px:.1f}" cy="{py:.1f}" r="5">'
        )
        told = f"{point.name}: {_short(point.x)}, {number(point.y)}"
        parts.append(f"{shape}{_tip(told)}</{'rect' if point.baseline else 'circle'}>")
        lx, ly = _free(px, py, 8.0 * len(str(point.key)), taken, (_LEFT, top, WIDTH - _RIGHT, bottom))
        if math.hypot(lx - px, ly - py) > 17:
            parts.insert(len(parts) - 1, _line(px, py, lx, ly, "lead"))
        parts.append(_words(lx, ly + 4, str(point.key), "key", "middle"))
    told = "; ".join(f"{point.key}. {point.name}: {_short(point.x)}, {number(point.y)}" for point in points)
    return _svg(id, title, f"{y_label} against {x_label}. {told}.", height, parts)


def bars(id: str, title: str, rows: Sequence[Bar], highest: float) -> str:
    """Draw one bar for each model, all on a scale from 0 to ``highest``."""
    left, right, step, top = 122, WIDTH - 52, 20, 4
    parts = []
    for at, row in enumerate(rows):
        y, kind = top + step * at, "base" if row.baseline else "mark"
        parts.append(_words(2, y + 12, fitting(f"{row.key}. {row.name}", left - 6)))
        width = 0.0 if row.value is None else (right - left) * max(row.value, 0.0) / (highest or 1.0)
        parts.append(
            f'<rect class="bar {kind}" x="{left}" y="{y + 2}" width="{max(width, 0.8):.1f}" height="13">'
            f"{_tip(f'{row.name}: {number(row.value)}')}</rect>"
        )
        parts.append(_words(left + width + 5, y + 12.5, number(row.value), "tick"))
    told = "; ".join(f"{row.key}. {row.name}: {number(row.value)}" for row in rows)
    return _svg(id, title, f"{title}. {told}.", top + step * len(rows) + 2, parts)


def _svg(id: str, title: str, about: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{id}-title {id}-about">'
        f'<title id="{id}-title">{text(title)}</title><desc id="{id}-about">{text(about)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _tip(value: str) -> str:
    return f"<title>{text(value)}</title>"


def _words(x: float, y: float, value: str, kind: str = "name", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(value)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from low to high, a few of them."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(power * size for size in (1.0, 2.0, 2.5, 5.0, 10.0) if power * size >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [at * step for at in range(first, last + 1)]


def _axis(low: float, high: float, *, whole: bool = False) -> tuple[float, float, list[float]]:
    """Return the ends of an axis that holds all, and its ticks; ``whole``: powers of ten."""
    if whole:
        low, high = math.floor(low), math.ceil(high)
        high += high == low
        return low, high, [float(at) for at in range(int(low), int(high) + 1)]
    span = (high - low) or abs(high) or 1.0
    if low < 0.0:
        low -= 0.08 * span
    high += 0.08 * span
    return low, high, _ticks(low, high)


def _short(value: float, *, sign: bool = False) -> str:
    """Write the number of a tick."""
    written = f"{value:.4g}" if value else "0"
    if sign and value > 0:
        written = "+" + written
    return written.replace("-", "−")


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 0.9 else f"{seconds:,.0f} s"


def _free(
    x: float,
    y: float,
    width: float,
    taken: list[tuple[float, float, float, float]],
    room: tuple[float, float, float, float],
) -> tuple[float, float]:
    """Return a place for a label near a point that covers nothing; notes it as taken."""
    best = None
    for far in (13.0, 20.0, 28.0, 38.0, 50.0):
        for turn in range(12):
            angle = -math.pi / 4 + turn * math.pi / 6
            lx, ly = x + far * math.cos(angle), y + far * math.sin(angle)
            box = (lx - width / 2 - 1, ly - 6, lx + width / 2 + 1, ly + 6)
            if box[0] < room[0] or box[1] < room[1] or box[2] > room[2] + 8 or box[3] > room[3]:
                continue
            best = best or (lx, ly, box)
            if not any(_meet(box, other) for other in taken):
                taken.append(box)
                return lx, ly
    lx, ly, box = best or (x + 13.0, y, (x, y, x, y))
    taken.append(box)
    return lx, ly


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
