"""Charts of pages as SVG: a few shapes, with a description for those who do not see them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count

from markupsafe import Markup, escape

__all__ = ["bars", "scatter"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 360, 200, 8, 172, 20
_number = count(1)


def bars(title: str, rows: Sequence[tuple[str, int]], unit: str) -> Markup:
    """Draw a bar for each label, with its count above it where there is room."""
    most = max((value for _, value in rows), default=0) or 1
    step = (_WIDTH - 2 * _LEFT) / max(len(rows), 1)
    every = max(1, math.ceil(max((len(label) for label, _ in rows), default=1) * 6.4 / step))
    parts = [_line(_LEFT, _BOTTOM, _WIDTH - _LEFT, _BOTTOM)]
    for at, (label, value) in enumerate(rows):
        x, height = _LEFT + step * at, (_BOTTOM - _TOP) * value / most
        top = _BOTTOM - height
        parts.append(
            Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                f"{x + 0.1 * step:.1f}",
                f"{top:.1f}",
                f"{0.8 * step:.1f}",
                f"{height:.1f}",
                f"{label}: {value:,} {unit}",
            )
        )
        shown = _short(value)
        if value and 6.4 * len(shown) <= step + 2:
            parts.append(_text(x + step / 2, top - 4, shown, "count"))
        if at % every == 0:
            parts.append(_text(x + step / 2, _BOTTOM + 15, label))
    told = "; ".join(f"{label}: {value:,}" for label, value in rows)
    return _svg(title, f"{title}. {told}.", parts)


def scatter(title: str, points: Sequence[tuple[float, float, int]], labels: tuple[str, str]) -> Markup:
    """Draw how often each pair of ratings occurs: the larger the dot, the more often."""
    xs, ys = [x for x, _, _ in points], [y for _, y, _ in points]
    low, high = min((*xs, *ys), default=0.0), max((*xs, *ys), default=1.0)
    span, most = (high - low) or 1.0, max((n for *_, n in points), default=1)
    left, bottom = 34, _BOTTOM - 8
    room = min(_WIDTH - left - 20, bottom - _TOP)

    def place(value: float) -> float:
        return 12 + (room - 24) * (value - low) / span

    parts = [_line(left, bottom, left + room, bottom), _line(left, bottom, left, bottom - room)]
    for end in sorted({low, high}):
        parts.append(_text(left + place(end), bottom + 13, f"{end:g}"))
        parts.append(_text(left - 8, bottom - place(end) + 4, f"{end:g}"))
    for x, y, n in points:
        parts.append(
            Markup('<circle class="dot" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
                f"{left + place(x):.1f}",
                f"{bottom - place(y):.1f}",
                f"{3 + 7 * math.sqrt(n / most):.1f}",
                f"{x:g} and {y:g}: {n:,}",
            )
        )
    parts.append(_text(left + room / 2, bottom + 27, labels[0]))
    parts.append(_text(left, _TOP - 8, labels[1], anchor="start"))
    told = "; ".join(f"{x:g} and {y:g}: {n:,}" for x, y, n in points)
    return _svg(title, f"{title}. {told}.", parts)


def _svg(title: str, about: str, parts: Sequence[Markup]) -> Markup:
    id = f"chart-{next(_number)}"
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d"><title id="{}-t">{}</title>'
        '<desc id="{}-d">{}</desc>{}</svg>'
    ).format(_WIDTH, _HEIGHT, id, id, id, title, id, about, Markup("").join(parts))


def _text(x: float, y: float, value: str, kind: str = "tick", anchor: str = "middle") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, f"{x:.1f}", f"{y:.1f}", anchor, escape(value)
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        *(f"{value:.1f}" for value in (x1, y1, x2, y2))
    )


def _short(value: int) -> str:
    """Write a count in a few signs."""
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= 10 * size:
            return f"{value / size:.0f}{sign}"
        if value >= size:
            return f"{value / size:.1f}{sign}"
    return str(value)
