"""Write the tables of docs/quality.md from the results, so that no figure is copied by hand.

A table stands between a line ``<!-- NAME: what -->`` and a line ``<!-- / -->``: NAME is a file of results,
what is "figures" or "settings".
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
PAGE = HERE.parents[1] / "docs" / "quality.md"
_BLOCK = re.compile(r"(<!-- ([\w-]+): (figures|settings) -->\n).*?(<!-- / -->)", re.DOTALL)

Row = dict[str, Any]
Cell = Callable[[Row], str]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BLOCK.sub(lambda found: _filled(*found.groups()), text), encoding="utf-8")


def _filled(start: str, name: str, what: str, end: str) -> str:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return f"{start}Not measured yet.\n{end}"
    kept = json.loads(path.read_text(encoding="utf-8"))
    made = played if "test" in kept else figures if what == "figures" else settings
    return f"{start}{made(kept)}\n{end}"


def figures(kept: dict[str, Any]) -> str:
    """Return a table of rows, the best first, those that cannot last, and where it was measured."""
    metric = kept.get("metric", "ndcg")
    rows = sorted((row for row in kept["rows"] if metric in row), key=lambda row: -row[metric])
    if metric == "rmse":
        rows.reverse()
    cells = {head: cell for head, (key, cell) in _CELLS.items() if any(key in row for row in rows)}
    lines = [[row["name"], *(cell(row) for cell in cells.values())] for row in rows]
    cannot = [f"- {row['name']}: cannot: {row['cannot']}" for row in kept["rows"] if "cannot" in row]
    noted = [f"- {row['name']}: {row['note']}" for row in rows if "note" in row]
    beside = [*noted, *cannot]
    return "\n".join([_table(["method", *cells], lines), "", *beside, *([""] if beside else []), where(kept)])


def settings(kept: dict[str, Any]) -> str:
    """Return a table of what was chosen, how long that took, and what it came to in the validation."""
    lines = []
    for row in kept["rows"]:
        if "chosen" not in row:
            continue
        chosen, start = row["chosen"], row["chosen"]["start_value"]
        shown = ", ".join(f"{name} {_short(value)}" for name, value in row["params"].items())
        trials = f"{chosen['trials']}" + (f", {chosen['failed']} failed" if chosen["failed"] else "")
        values = "" if start is None else f"{start:.4f}", f"{chosen['value']:.4f}"
        lines.append([row["name"], shown, trials, f"{chosen['seconds']:,.0f}", *values])
    return _table(["method", "settings", "trials", "seconds", "at the start", "the best"], lines)


def played(kept: dict[str, Any]) -> str:
    """Return a table of models that played a log, the best first, with a second stretch beside."""
    second = {row["model"]: f"{row['ndcg']:.4f}" for row in kept["second"]["rows"]}
    lines = []
    for row in sorted(kept["test"]["rows"], key=lambda row: -row["ndcg"]):
        beside = "" if row["difference"] is None else _against({"against": row})
        each = 1000 * row["answer_seconds"] / row["events"]
        cells = f"{row['ndcg']:.4f}", f"{row['hit_rate']:.4f}", beside, second[row["model"]], f"{each:.2f}"
        lines.append([row["model"], *cells])
    heads = ["method", "NDCG", "HR", "beside popularity, 95 %", "NDCG, second stretch", "ms an answer"]
    return "\n".join([_table(heads, lines), "", where(kept)])


def where(kept: dict[str, Any]) -> str:
    """Tell machine, versions, commits, days and command."""
    machine = kept["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in kept["versions"].items() if found != "absent")
    rows = kept.get("rows", [{}])
    commits = sorted({row.get("commit", kept["commit"]) for row in rows})
    days = sorted({row.get("when", kept["when"][:10]) for row in rows})
    command = kept["command"].split(" --methods")[0]
    on = f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB"
    return f"`{command}`; {on}; {versions}; commit {', '.join(commits)}; {', '.join(days)}."


def _against(row: Row) -> str:
    found = row["against"]
    return f"{found['difference']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def _number(key: str, form: str = ".4f") -> tuple[str, Cell]:
    return key, lambda row: format(row[key], form) if key in row else ""


_CELLS: dict[str, tuple[str, Cell]] = {
    "RMSE": _number("rmse"),
    "MAE": _number("mae"),
    "RMSE of fold 1": ("folds", lambda row: f"{row['folds'][0]:.4f}"),
    "recall@20": _number("recall"),
    "NDCG@5": _number("ndcg@5"),
    "HR@5": _number("hit_rate@5"),
    "NDCG": _number("ndcg"),
    "NDCG@10": _number("ndcg@10"),
    "HR@10": _number("hit_rate@10"),
    "HR": _number("hit_rate"),
    "coverage": _number("coverage", ".3f"),
    "beside the reference, 95 %": ("against", _against),
    "seconds": _number("seconds", ",.1f"),
    "peak MB": _number("peak_mb", ",.0f"),
}


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _table(heads: list[str], lines: list[list[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    main()
