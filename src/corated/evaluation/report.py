"""A comparison as text, as a piece of HTML, and as a page of its own.

The page needs nothing from anywhere and runs nothing: one style, tables, charts drawn here. Its content
policy forbids scripts and whatever else would be loaded, so that a name in the data, were it ever to get
through, could do nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from corated.evaluation._report_plots import Bar, Interval, Point, bars, fitting, intervals, scatter, text
from corated.evaluation._report_style import STYLE
from corated.evaluation._words import megabytes, number, probability, seconds, shown, signed

if TYPE_CHECKING:
    from corated.evaluation.compare import Comparison

__all__ = ["as_text", "fragment", "page"]

Rows = dict[str, dict[str, Any]]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NAMES: Final = ' class="name"'
_STRATA: Final = {
    "new": "Users with at most three training ratings, none included",
    "light": "Users with some ratings",
    "heavy": "Users with the most ratings",
    "popular": "Only popular items count",
    "rare": "Only rare items count",
}


def as_text(found: Comparison) -> str:
    """Return the comparison as text: one table for what decides, one for all metrics."""
    main = [_head(found), *([str(at), *_cells(found, name)] for at, name in _numbered(found))]
    others = [["", "model", *found.metrics], *_all_metrics(found)]
    return "\n".join(
        [
            f"{found.split}: {found.facts}",
            f"by {found.metric}; differences to {shown(found.reference)}, with 95 % intervals",
            "",
            *_aligned(main),
            "",
            *_aligned(others),
            "",
            *found.notes,
        ]
    )


def fragment(found: Comparison) -> str:
    """Return the tables and notes as HTML, for a notebook."""
    return f"<p>{text(_lead(found))}</p>{_main_table(found)}{_metrics_table(found)}{_notes(found)}"


def page(found: Comparison) -> str:
    """Return a page of its own, HTML 5."""
    models = f"{len(found.models)} models"
    charts = [_intervals(found), _against_time(found), *_against_coverage(found)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{models} compared by {text(found.metric)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{models} compared by {text(found.metric)}</h1>"
        f"<p>{text(_lead(found))}</p>"
        f"<h2>Which does better</h2>{_main_table(found)}{_legend()}"
        f'<div class="charts">{"".join(charts)}</div>'
        f"<h2>For whom, and for what</h2>{_strata(found)}"
        f"<h2>All metrics</h2>{_metrics_table(found)}"
        f"<h2>What the models are</h2>{_models(found)}"
        f"<h2>What to mind</h2>{_notes(found)}"
        "</main></body></html>\n"
    )


def _numbered(found: Comparison) -> list[tuple[int, str]]:
    return list(enumerate(found.ranked(), 1))


def _rows(found: Comparison) -> Rows:
    """Return the rows of the metric that decides, by model."""
    return {row["model"]: row for row in found if row["metric"] == found.metric}


def _head(found: Comparison) -> list[str]:
    return [
        "",
        "model",
        found.metric,
        "difference",
        "95 % interval",
        "p (Holm)",
        "effect",
        "fit",
        "answer",
        "memory",
    ]


def _cells(found: Comparison, name: str) -> list[str]:
    row = _rows(found)[name]
    if name == found.reference:
        beside = ["reference", "", "", ""]
    else:
        ends = "–" if row["low"] is None else f"{signed(row['low'])} to {signed(row['high'])}"
        effect = "–" if row["effect"] is None else f"{row['effect']:+.2f}".replace("-", "−")
        beside = [signed(row["difference"]), ends, probability(row["p_holm"]), effect]
    took = [seconds(row["fit_seconds"]), seconds(row["answer_seconds"]), megabytes(row["memory_bytes"])]
    mark = " (baseline)" if name in found.baselines else ""
    return [shown(name) + mark, number(row["value"]), *beside, *took]


def _all_metrics(found: Comparison) -> list[list[str]]:
    return [
        [str(at), shown(name), *(number(found.value(name, metric)) for metric in found.metrics)]
        for at, name in _numbered(found)
    ]


def _lead(found: Comparison) -> str:
    return (
        f"Split {found.split}: {found.facts}. Every model was fitted to the same training part and answered "
        f"the same users. Differences are to {shown(found.reference)}, user by user."
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], first: int = 1) -> str:
    """Return a table; on a narrow screen its style turns each row into a block of name and value.

    first : the column that names the row

    Roles are said in words, since a browser forgets them where a style lays a table out in another way.
    """
    top = "".join(
        f'<th scope="col" role="columnheader"{_NAMES if at == first else ""}>{text(name)}</th>'
        for at, name in enumerate(head)
    )
    body = []
    for row in rows:
        cells = []
        for at, (name, cell) in enumerate(zip(head, row, strict=True)):
            if at == first:
                cells.append(f'<th scope="row" role="rowheader">{text(cell)}</th>')
            else:
                label = f' data-label="{text(name)}"' if name else ' class="key"'
                empty = ' data-empty=""' if not cell else ""
                cells.append(f'<td role="cell"{label}{empty}>{text(cell)}</td>')
        body.append(f'<tr role="row">{"".join(cells)}</tr>')
    kind = "wide" if first else "wide plain"
    return (
        f'<div class="{kind}"><table role="table"><caption>{text(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{top}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(body)}</tbody></table></div>'
    )


def _main_table(found: Comparison) -> str:
    rows = [[str(at), *_cells(found, name)] for at, name in _numbered(found)]
    return _table(f"Models by {found.metric}, the best first", ["", *_head(found)[1:]], rows)


def _metrics_table(found: Comparison) -> str:
    """Return metrics by model, a row for each metric: there are more of those than of models, most often."""
    names = _numbered(found)
    head = ["metric", *(f"{at}. {fitting(name, 124.0)}" for at, name in names)]
    rows = [[metric, *(number(found.value(name, metric)) for _, name in names)] for metric in found.metrics]
    return _table("Values of all metrics", head, rows, first=0)


def _legend() -> str:
    return (
        '<p class="small">Numbers in the charts are those of the table: '
        '<span class="chip mark"></span> models, <span class="chip base"></span> baselines. '
        "The interval is a percentile bootstrap over users; p is of the paired t-test, corrected by Holm for "
        "the number of models; effect is Cohen’s d of the pairs. Seconds are of one run on one machine, "
        "memory is what it took on top, roughly.</p>"
    )


def _figure(title: str, about: str, chart: str) -> str:
    return f"<figure><figcaption><b>{text(title)}</b> {text(about)}</figcaption>{chart}</figure>"


def _intervals(found: Comparison) -> str:
    rows = [
        Interval(at, name, row["difference"], row["low"], row["high"], name in found.baselines)
        for at, name in _numbered(found)
        if (row := _rows(found)[name])["low"] is not None
    ]
    if not rows:
        return ""
    title = f"Difference in {found.metric} to {shown(found.reference)}"
    chart = intervals("intervals", title, rows, found.reference)
    return _figure(title, "An interval that holds 0 leaves open which of the two does better.", chart)


def _points(found: Comparison, x: str) -> list[Point]:
    points = []
    for at, name in _numbered(found):
        row = _rows(found)[name]
        across = row["fit_seconds"] + row["answer_seconds"] if x == "seconds" else found.value(name, x)
        if row["value"] is not None and across is not None:
            points.append(Point(at, name, across, row["value"], name in found.baselines))
    return points


def _against_time(found: Comparison) -> str:
    points = _points(found, "seconds")
    if not points:
        return ""
    title = f"{found.metric} and time"
    chart = scatter("time", title, points, "seconds to fit and to answer all", found.metric, log_x=True)
    return _figure(title, "Up and to the left is better.", chart)


def _against_coverage(found: Comparison) -> list[str]:
    coverage = next((name for name in found.metrics if name.startswith("catalog_coverage")), None)
    points = [] if coverage is None else _points(found, coverage)
    if coverage is None or not points:
        return []
    title = f"{found.metric} and coverage"
    chart = scatter("coverage", title, points, "share of the items that are in some list", found.metric)
    return [_figure(title, "Further right, more of the catalog is shown to somebody.", chart)]


def _strata(found: Comparison) -> str:
    rows = [row for row in found.strata if row["metric"] == found.metric]
    highest = max((row["value"] for row in rows if row["value"] is not None), default=0.0)
    figures = []
    for name, about in _STRATA.items():
        here = {row["model"]: row for row in rows if row["stratum"] == name}
        if not any(row["users"] for row in here.values()):
            continue
        one = next(iter(here.values()))
        made = [
            Bar(at, model, here[model]["value"], model in found.baselines) for at, model in _numbered(found)
        ]
        title = f"{found.metric}, {name} {one['side']}"
        figures.append(
            _figure(
                title,
                f"{about}: {one['size']:,} {one['side']}, {one['users']:,} users have a value.",
                bars(f"stratum-{name}", title, made, highest),
            )
        )
    return f'<div class="charts">{"".join(figures)}</div>'


def _models(found: Comparison) -> str:
    items = "".join(
        f"<dt>{at}. {text(name)}</dt><dd><code>{text(found.models[name])}</code></dd>"
        for at, name in _numbered(found)
    )
    return f"<dl>{items}</dl>"


def _notes(found: Comparison) -> str:
    notes = found.notes or ("Nothing: the split leaks nothing, and everybody in the test is known.",)
    return f"<ul>{''.join(f'<li>{text(note)}</li>' for note in notes)}</ul>"


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(_width(row[at]) for row in cells) for at in range(len(cells[0]))]
    lines = []
    for row in cells:
        parts = [
            cell + " " * (width - _width(cell)) if at < 2 else " " * (width - _width(cell)) + cell
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def _width(value: str) -> int:
    """Return how many columns of a terminal text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in value
    )
